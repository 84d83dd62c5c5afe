//! What the service manager is told.

use super::{ANY, Serving, program, scratch};
use crate::support::{Client, PATIENCE, eventually};
use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service manager's side of the line.
struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).expect("a place to listen");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Manager(socket)
    }

    /// The next that is told, by its lines.
    #[track_caller]
    fn hear(&self) -> Vec<String> {
        let mut told = [0; 4096];
        let count = self.0.recv(&mut told).expect("it is told something");
        String::from_utf8(told[..count].to_vec()).expect("UTF-8").lines().map(str::to_owned).collect()
    }

    fn is_told_nothing_more(&self) {
        self.0.set_nonblocking(true).expect("a socket");
        assert!(self.0.recv(&mut [0; 4096]).is_err());
    }
}

#[test]
fn start_reload_and_end() {
    let path = scratch("notify");
    let _ = fs::remove_file(&path);
    let name = format!("selvedge-notify-{}", std::process::id());
    for (address, variable) in [
        (SocketAddr::from_pathname(&path), path.display().to_string()),
        (SocketAddr::from_abstract_name(&name), format!("@{name}")),
    ] {
        let manager = Manager::at(&address.expect("an address"));
        let mut command = program(&ANY);
        let mut serving = Serving::start(command.env("NOTIFY_SOCKET", variable));
        let listening = format!("STATUS=listening on http://{}/", serving.address);
        let pid = format!("MAINPID={}", serving.child.id());
        assert_eq!(manager.hear(), ["READY=1", &pid, &listening]);

        serving.signal(Signal::USR1);
        serving.read_to("the log files are opened again");
        for _ in 0..2 {
            serving.signal(Signal::HUP);
            let told = manager.hear();
            let micros = told.get(1).and_then(|line| line.strip_prefix("MONOTONIC_USEC="));
            assert!(
                micros.is_some_and(|micros| micros.parse::<u64>().is_ok_and(|micros| micros > 0)),
                "{told:?}"
            );
            assert_eq!((&*told[0], &*told[2], told.len()), ("RELOADING=1", "STATUS=reloading", 3));
            assert_eq!(manager.hear(), ["READY=1", &listening]);
        }

        let stream = serving.half_a_request();
        serving.signal(Signal::TERM);
        assert_eq!(
            manager.hear(),
            [
                "STOPPING=1",
                "EXTEND_TIMEOUT_USEC=40000000",
                "STATUS=SIGTERM: finishing requests for at most 30s"
            ]
        );
        // Who ends is not told of anything else.
        serving.signal(Signal::HUP);
        (&stream).write_all(b"{}").expect("it reads");
        (&stream).read_to_end(&mut Vec::new()).expect("it answers");
        drop(stream);
        serving.end(0);
        manager.is_told_nothing_more();
    }
    let _ = fs::remove_file(path);
}

#[test]
fn that_all_is_well() {
    let name = format!("selvedge-watchdog-{}", std::process::id());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).expect("a name"));
    let mut command = program(&ANY);
    command.envs([("NOTIFY_SOCKET", format!("@{name}")), ("WATCHDOG_USEC", "300000".into())]);
    let serving = Serving::start(&mut command);
    let pid = serving.child.id();
    let mut told = [manager.hear(), manager.hear()];
    // Which of the two is first nobody can say.
    told.sort();
    assert!(told[0].starts_with(&["READY=1".into()]), "{told:?}");
    assert_eq!(told[1], ["WATCHDOG=1"]);
    for _ in 0..2 {
        assert_eq!(manager.hear(), ["WATCHDOG=1"]);
    }
    drop(serving);

    // Somebody else is watched.
    while manager.0.set_nonblocking(true).is_ok() && manager.0.recv(&mut [0; 64]).is_ok() {}
    manager.0.set_nonblocking(false).expect("a socket");
    let serving = Serving::start(command.env("WATCHDOG_PID", pid.to_string()));
    assert_eq!(manager.hear()[0], "READY=1");
    serving.signal(Signal::TERM);
    assert_eq!(manager.hear()[0], "STOPPING=1");
    serving.end(0);
}

#[test]
fn nobody_at_the_other_end() {
    for (variable, says) in [
        ("/no/such/place", "cannot reach the service manager at '/no/such/place': No such file"),
        ("somewhere", "cannot reach the service manager at 'somewhere': neither a path nor an abstract name"),
    ] {
        let mut child = program(&ANY).env("NOTIFY_SOCKET", variable).spawn().expect("it runs");
        let error = child.stderr.take().map(std::io::BufReader::new);
        let mut serving = Serving { child, error, address: String::new() };
        serving.read_to(says);
        serving.read_to("listening on");
    }
}

/// The alert command is nobody the manager knows, and gets none of the descriptors.
#[test]
fn children_are_told_nothing() {
    let (path, out) = (scratch("child"), scratch("child-out"));
    let script =
        format!("#!/bin/sh\n{{ env; ls -l /proc/$$/fd; }} >'{0}.new'\nmv '{0}.new' '{0}'\n", out.display());
    let _ = fs::remove_file(&out);
    fs::write(&path, script).expect("a place to write");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    let name = format!("selvedge-child-{}", std::process::id());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).expect("a name"));

    // Descriptor 7 is one that somebody forgot to close.
    let script = format!("exec 7</dev/null; export LISTEN_PID=$$; exec {} \"$@\"", super::PROGRAM);
    let mut command =
        super::command("sh", &["-c", &script, "sh", "--bind", "127.0.0.1:0", "--rate-limit", "off"]);
    command.arg("--alert-command").arg(&path).envs([
        ("NOTIFY_SOCKET", format!("@{name}")),
        ("WATCHDOG_USEC", "60000000".into()),
        ("LISTEN_FDS", "0".into()),
        ("LISTEN_FDNAMES", String::new()),
        ("KEPT", "yes".into()),
    ]);
    let serving = Serving::start(&mut command);
    assert!(!manager.hear().is_empty());
    let mut client = Client::to(serving.address.parse().expect("an address"));
    for _ in 0..101 {
        assert_eq!(client.get("/").status, 200);
    }
    eventually("it is run", || out.exists());
    let told = fs::read_to_string(&out).expect("it was written");
    assert!(told.contains("KEPT=yes\n"), "{told}");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_"] {
        assert!(!told.contains(name), "{told}");
    }
    let descriptors: Vec<_> =
        told.lines().filter_map(|line| line.split_once(" -> ")?.0.rsplit(' ').next()).collect();
    // The script itself is open too, as 10 or 255.
    assert!(descriptors.starts_with(&["0", "1"]) && !descriptors.contains(&"7"), "{told}");
    assert!(!told.contains("socket:"), "{told}");
    for path in [path, out] {
        let _ = fs::remove_file(path);
    }
}
