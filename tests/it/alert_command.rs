//! Programs that are run for alerts.
#![cfg(feature = "cli")]

use rustix::process::{Pid, test_kill_process};
use selvedge::monitor::{Alert, AlertCommand, AlertSink};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// A program that takes too long is killed, with what it has started, and the next alert is told.
#[test]
fn a_slow_program_is_killed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("slow-command-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a place to write");
    let program = folder.join("program");
    let script = format!("#!/bin/sh\nsleep 1000 &\necho $! >>'{}/started'\nwait\n", folder.display());
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("our own file");
    let command = AlertCommand::with_patience(&program, Duration::from_millis(300)).expect("a thread");
    for _ in 0..2 {
        command.alert(&Alert::Memory { at: UNIX_EPOCH, bytes: 2 << 30, limit: 1 << 30 });
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let started = || -> Vec<Pid> {
        let text = fs::read_to_string(folder.join("started")).unwrap_or_default();
        text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
    };
    // Orphans that nobody waits for stay as zombies.
    let is_gone = |id: &Pid| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", id.as_raw_nonzero())).unwrap_or_default();
        test_kill_process(*id).is_err() || stat.contains(") Z ")
    };
    while started().len() < 2 || !started().iter().all(is_gone) {
        assert!(Instant::now() < deadline, "never both killed: {:?}", started());
        std::thread::yield_now();
    }
    let _ = fs::remove_dir_all(folder);
}
