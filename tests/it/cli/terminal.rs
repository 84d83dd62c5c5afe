//! What people see who sit at a terminal: `selvedge top`, and a password that is asked for.

use super::admin::board;
use super::{ANY, Serving, program};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

/// A terminal: what a program writes on the second comes out of the first.
pub fn terminal() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("our own");
    let name = ptsname(&master, Vec::new()).expect("it has one");
    let slave =
        File::options().read(true).write(true).open(name.to_str().expect("ASCII")).expect("it is there");
    (master.into(), slave)
}

/// What comes out of a terminal up to `end`, that included.
fn read_to(mut master: &File, end: &str) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(end.as_bytes()) {
        master.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {}", text.escape_ascii()));
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("UTF-8")
}

fn resize(master: &File, columns: u16, rows: u16) {
    tcsetwinsize(master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })
        .expect("a terminal");
}

/// Another screen that fits the terminal and follows the server, and everything as it was when it ends, whichever way.
#[test]
fn top_on_a_screen_of_its_own() {
    const BOTTOM: &str = "\x1b[J";
    // Both ends have the same.
    let is_quiet = |master: &File| {
        let modes = tcgetattr(master).expect("a terminal").local_modes;
        !modes.intersects(LocalModes::ECHO | LocalModes::ICANON)
    };
    for signal in [None, Some(Signal::INT), Some(Signal::TERM)] {
        let mut serving = Serving::start(program(&ANY).args(["--admin", "127.0.0.1:0"]));
        let address = board(&mut serving);
        let (mut master, slave) = terminal();
        resize(&master, 100, 30);
        let ours = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut command = program(&["top", "--admin", &address]);
        let mut top = command.stdin(ours()).stdout(ours()).stderr(ours()).spawn().expect("it runs");
        drop((command, slave));
        let id = Pid::from_child(&top);

        let frame = read_to(&master, BOTTOM);
        assert!(frame.starts_with("\x1b[?1049h\x1b[?25l\x1b[H"), "{frame:?}");
        assert!(frame.contains("All is well") && (6..=30).contains(&frame.lines().count()), "{frame:?}");
        assert!(is_quiet(&master));
        let _half = serving.half_a_request();
        while !read_to(&master, BOTTOM).contains("1 of 1,024 seats busy") {}
        resize(&master, 60, 5);
        kill_process(id, Signal::WINCH).expect("it is there");
        while read_to(&master, BOTTOM).lines().count() != 5 {}
        serving.signal(Signal::KILL);
        while !read_to(&master, BOTTOM).contains("does not answer") {}

        match signal {
            None => master.write_all(b"xq").expect("a terminal"),
            Some(signal) => kill_process(id, signal).expect("it is there"),
        }
        read_to(&master, "\x1b[?25h\x1b[?1049l");
        assert!(top.wait().expect("it ends").success());
        assert!(!is_quiet(&master), "{signal:?}");
    }
}

/// Who changes his mind sees what he types next, and the shell sees that he did; who comes back later is not seen typing.
#[test]
fn a_password_that_is_not_typed() {
    let shows = |master: &File| tcgetattr(master).expect("a terminal").local_modes.contains(LocalModes::ECHO);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (master, slave) = terminal();
        let ours = || Stdio::from(slave.try_clone().expect("a descriptor"));
        let mut command = program(&["hash-password"]);
        let mut child = command.stdin(ours()).stdout(ours()).stderr(ours()).spawn().expect("it runs");
        drop(command);
        let id = Pid::from_child(&child);
        assert_eq!(read_to(&master, ": "), "Password: ");
        assert!(!shows(&master));
        kill_process(id, Signal::TSTP).expect("it is there");
        let stopped =
            waitpid(Some(id), WaitOptions::UNTRACED).expect("it is ours").expect("no wait without end");
        assert!(stopped.1.stopped() && shows(&master));
        kill_process(id, Signal::CONT).expect("it is there");
        assert_eq!(read_to(&master, ": "), "\r\nPassword: ");
        assert!(!shows(&master));
        kill_process(id, signal).expect("it is there");
        assert_eq!(child.wait().expect("it ends").signal(), Some(signal.as_raw()));
        assert!(shows(&master), "{signal:?}");
    }
}

/// What is typed is not shown, one line is enough, and the terminal shows again what is typed next.
#[test]
fn a_password_that_is_not_shown() {
    let (mut master, slave) = terminal();
    let ours = || Stdio::from(slave.try_clone().expect("a descriptor"));
    let mut command = program(&["hash-password"]);
    let child = command.stdin(ours()).stdout(Stdio::piped()).stderr(ours()).spawn().expect("it runs");
    drop((command, slave));
    assert_eq!(read_to(&master, ": "), "Password: ");
    master.write_all(b"swordfish\n").expect("a terminal");
    let output = child.wait_with_output().expect("it ends");
    let hash = String::from_utf8(output.stdout).expect("ASCII");
    assert!(output.status.success() && hash.starts_with("$argon2id$"), "{hash:?}");
    assert_eq!(read_to(&master, "\n"), "\r\n", "neither it nor the end of its line");
    assert!(tcgetattr(&master).expect("a terminal").local_modes.contains(LocalModes::ECHO));
}
