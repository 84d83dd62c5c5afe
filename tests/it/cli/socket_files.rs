//! The file of a Unix socket: who may connect.

use super::{Serving, begin, check, program, scratch};
use rustix::process::{Signal, getgid, getuid};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;

#[test]
fn mode_and_owner() {
    type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], u32, u32, u32);

    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    let both = format!("{user}:{group}");
    let group_alone = format!(":{group}");
    // Only root can give files away, and only to root they can be given by name without knowing this machine.
    let root = user == 0;
    let rows: &[Row] = &[
        (&[], &[], 0o660, user, group),
        (&["--unix-mode", "0600"], &[], 0o600, user, group),
        (&["--unix-mode", "666"], &[], 0o666, user, group),
        (&[], &[("SELVEDGE_UNIX_MODE", "0606")], 0o606, user, group),
        (&["--unix-owner", &both], &[], 0o660, user, group),
        (&["--unix-owner", &group_alone], &[], 0o660, user, group),
        (&["--unix-owner", "65534:65533"], &[], 0o660, 65534, 65533),
        (&["--unix-owner", ":65533", "--unix-mode", "0620"], &[], 0o620, user, 65533),
        (&["--unix-owner", "root:root"], &[], 0o660, 0, 0),
        (&["--unix-owner", "root"], &[], 0o660, 0, group),
    ];
    for (number, (arguments, environment, mode, owner, of_group)) in rows.iter().enumerate() {
        if !root && (*owner, *of_group) != (user, group) {
            continue;
        }
        let path = scratch(&format!("file-{number}.sock"));
        let address = format!("unix:{}", path.display());
        let (serving, _) =
            begin(program(&["--bind", &address]).args(*arguments).envs(environment.iter().copied()));
        let data = fs::metadata(&path).expect("it is there");
        assert!(data.file_type().is_socket());
        assert_eq!((data.mode() & 0o777, data.uid(), data.gid()), (*mode, *owner, *of_group), "row {number}");
        UnixStream::connect(&path).expect("it listens");
        end(serving);
        assert!(!path.exists(), "its file goes with it");
    }
}

/// Who may connect to the admin listener is asked for nothing more: only who runs the server, whoever may ask for pages.
#[test]
fn the_admins_is_for_who_runs_the_server() {
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    let owner = if user == 0 { "65534:65533".to_owned() } else { format!("{user}:{group}") };
    let [main, admin] = ["main.sock", "admin-alone.sock"].map(scratch);
    let [at_main, at_admin] = [&main, &admin].map(|path| format!("unix:{}", path.display()));
    let flags = ["--bind", &at_main, "--unix-mode", "0666", "--unix-owner", &owner, "--admin", &at_admin];
    let (serving, _) = begin(&mut program(&flags));
    let data = fs::metadata(&admin).expect("it is there");
    assert_eq!((data.mode() & 0o777, data.uid(), data.gid()), (0o600, user, group));
    assert_eq!(fs::metadata(&main).expect("it is there").mode() & 0o777, 0o666);
    end(serving);
}

#[test]
fn what_cannot_be_said() {
    for (arguments, says) in [
        (["--unix-mode", "rw"], "bad value for --unix-mode: 'rw' is no mode; write 0600, 0660 or 0666"),
        (["--unix-mode", "0o660"], "is no mode"),
        (["--unix-mode", "1777"], "is no mode"),
        (["--unix-mode", "68"], "is no mode"),
        (["--unix-owner", "nobody-of-that-name"], "there is no user 'nobody-of-that-name'"),
        (["--unix-owner", ":nobody-of-that-name"], "there is no group 'nobody-of-that-name'"),
        (["--unix-owner", "0:"], "'0:' names nobody; write USER, USER:GROUP or :GROUP"),
        (["--unix-owner", ""], "'' names nobody; write USER, USER:GROUP or :GROUP, or off"),
        (["--unix-owner", "4294967295"], "there is no user '4294967295'"),
    ] {
        check(&arguments, &[], 2, says);
    }
}

/// What stands in the way is said in words about files, not about ports; nothing is left behind.
#[test]
fn what_is_in_the_way() {
    let path = scratch("in-the-way");
    fs::write(&path, "precious").expect("a place to write");
    let address = format!("unix:{}", path.display());
    check(&["--bind", &address], &[], 1, "another program listens there, or it is no socket; ");
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "precious");
    fs::remove_file(&path).expect("it is there");
    if getuid().is_root() {
        return;
    }
    check(&["--bind", &address, "--unix-owner", "0"], &[], 1, "cannot give the file to 0:: ");
    assert!(!path.exists());
}

fn end(serving: Serving) {
    serving.signal(Signal::TERM);
    serving.end(0);
}
