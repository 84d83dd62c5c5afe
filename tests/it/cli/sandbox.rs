//! What the program cannot do once it serves.

use super::{Serving, begin, program, scratch};
use crate::support::{Client, eventually};
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const ANY: [&str; 2] = ["--bind", "127.0.0.1:0"];

/// Whether the kernel has what it takes; what the program says of it.
fn report(arguments: &[&str]) -> (Serving, String) {
    let (mut serving, _) = begin(program(&ANY).args(arguments));
    let line = serving.read_to("sandbox: ");
    let (_, report) = line.trim_end().split_once("sandbox: ").expect("it was found there");
    (serving, report.to_owned())
}

fn has_landlock() -> bool {
    let has = report(&[]).1.starts_with("Landlock ");
    if !has {
        eprintln!("skipped: this kernel has no Landlock");
    }
    has
}

/// An empty folder of that name.
fn folder(name: &str) -> PathBuf {
    let path = scratch(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir(&path).expect("a place to write");
    path
}

#[test]
fn is_reported() {
    let (_serving, off) = report(&["--sandbox", "off"]);
    assert_eq!(off, "none, by --sandbox off");
    if !has_landlock() {
        return;
    }
    for arguments in [&["--sandbox", "on"][..], &["--sandbox", "auto"], &[]] {
        let (_serving, on) = report(arguments);
        assert!(on.strip_prefix("Landlock ").is_some_and(|version| version.parse::<u32>().is_ok()), "{on}");
    }
    let (_serving, except) = report(&["--alert-command", "/bin/true"]);
    assert!(except.ends_with(", but not for the thread that runs the alert command"), "{except}");
}

/// Every thread is in it, but the one that runs programs.
#[test]
fn holds_for_every_thread() {
    if !has_landlock() {
        return;
    }
    for (arguments, outside) in [
        (&["--sandbox", "on"][..], &[][..]),
        (&["--sandbox", "on", "--alert-command", "/bin/true"], &["alert-command"]),
    ] {
        let (serving, _) = report(arguments);
        let tasks = fs::read_dir(format!("/proc/{}/task", serving.child.id())).expect("it runs");
        let mut free = Vec::new();
        let mut count = 0;
        for task in tasks {
            let task = task.expect("an entry").path();
            let status = fs::read_to_string(task.join("status")).expect("it is there");
            count += 1;
            // There is no sign of Landlock here; but who enters it gives up new privileges in the same moment.
            if !status.contains("NoNewPrivs:\t1\n") {
                free.push(fs::read_to_string(task.join("comm")).expect("a name").trim().to_owned());
            }
        }
        assert_eq!(free, outside);
        assert!(count > 5, "{count}");
    }
}

/// A log that is opened again goes where it went before, and not behind a link to another place, unless that is permitted.
#[test]
fn logs_stay_where_they_were() {
    if !has_landlock() {
        return;
    }
    for (mode, permitted) in [("on", false), ("off", true)] {
        let (inside, outside) = (folder("sandbox-logs"), folder("sandbox-elsewhere"));
        let log = inside.join("log");
        let (mut serving, _) = report(&["--sandbox", mode, "--log-file", text(&log)]);
        // Moved away and made again: the usual way.
        fs::rename(&log, inside.join("log.1")).expect("it is there");
        serving.signal(Signal::USR1);
        serving.read_to("opened again");
        eventually("it is made again", || log.exists());

        fs::rename(&inside, inside.with_extension("old")).expect("it is there");
        symlink(&outside, &inside).expect("its place is free");
        serving.signal(Signal::USR1);
        if permitted {
            eventually("it is made elsewhere", || outside.join("log").exists());
        } else {
            let line = serving.read_to("cannot open the log file again: ");
            assert!(
                line.contains("Permission denied") && line.contains("writing on to the old file"),
                "{line}"
            );
            assert!(!outside.join("log").exists());
        }
        serving.signal(Signal::TERM);
        serving.end(0);
        let _ = (fs::remove_file(&inside), fs::remove_dir_all(inside.with_extension("old")));
        let _ = fs::remove_dir_all(outside);
    }
}

/// What has to be read and removed can be: resources, accounts, a configuration in another's place, and the file of a
/// socket.
#[test]
fn what_is_needed_can_be_done() {
    if !has_landlock() {
        return;
    }
    let folder = folder("sandbox-needs");
    let [socket, users, config] = ["socket", "users", "config.toml"].map(|name| folder.join(name));
    fs::write(&config, "log-level = 'info'\n").expect("a place to write");
    fs::write(&users, crate::accounts::line("ada", "right")).expect("a place to write");
    let address = format!("unix:{}", socket.display());
    let files = ["--users", text(&users), "--config", text(&config)];
    let (mut serving, _) = report(&[&["--sandbox", "on", "--bind", &address], &files[..]].concat());
    let output = program(&["probe", &format!("{address}:/healthz")]).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let health = {
        let mut client = Client::unix(std::os::unix::net::UnixStream::connect(&socket).expect("it listens"));
        client.get("/healthz").text().to_owned()
    };
    assert!(!health.contains("null"), "{health}");
    fs::write(config.with_extension("new"), "log-level = 'debug'\n").expect("a place to write");
    fs::rename(config.with_extension("new"), &config).expect("it is there");
    serving.signal(Signal::HUP);
    serving.read_to("SIGHUP: log-level is now debug");
    serving.signal(Signal::TERM);
    serving.end(0);
    assert!(!socket.exists());
    let _ = fs::remove_dir_all(folder);
}

/// What is served is read, and nothing else when all is read again.
#[test]
fn what_is_served_can_be_read() {
    if !has_landlock() {
        return;
    }
    let (inside, outside) = (folder("sandbox-served"), folder("sandbox-not-served"));
    fs::write(inside.join("page"), "inside").expect("a place to write");
    let mut serving = Serving::start(program(&ANY).args(["--sandbox", "on", text(&inside)]));
    serving.read_to("sandbox: Landlock ");
    let stream = std::net::TcpStream::connect(&serving.address).expect("it listens");
    assert_eq!(Client::tcp(stream).get("/page").text(), "inside");

    let config = inside.join("config.toml");
    let say = |path: &Path| fs::write(&config, format!("path = '{}'\n", path.display()));
    say(&inside).expect("a place to write");
    let mut serving = Serving::start(program(&ANY).args(["--sandbox", "on", "--config", text(&config)]));
    say(&outside).expect("a place to write");
    serving.signal(Signal::HUP);
    let line = serving.read_to("SIGHUP: nothing is changed: ");
    assert!(line.contains("Permission denied"), "{line}");
    serving.read_to("needs a restart: see --sandbox");
    for folder in [inside, outside] {
        let _ = fs::remove_dir_all(folder);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
