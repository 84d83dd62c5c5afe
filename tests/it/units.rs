//! The systemd units: they say what systemd understands, and give away no more than is needed.
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What `systemd-analyze security` may count against the service, in tenths: of 100, most services have 96.
const EXPOSURE: &str = "5";

fn analyze(arguments: &[&str]) -> Option<Output> {
    // Where systemd cannot run, its analyzer still can: it asks nobody.
    let output = Command::new("systemd-analyze").args(arguments).env("SYSTEMD_LOG_LEVEL", "warning").output();
    if output.is_err() {
        eprintln!("skipped: there is no systemd-analyze; scripts/test installs it");
    }
    output.ok()
}

/// The units in a folder of their own, with the program where it is here.
fn units() -> (PathBuf, Vec<PathBuf>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("units-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a place to write");
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/systemd");
    let mut copies = Vec::new();
    for entry in fs::read_dir(sources).expect("the units are there") {
        let source = entry.expect("an entry").path();
        let copy = folder.join(source.file_name().expect("a name"));
        let text = fs::read_to_string(&source).expect("UTF-8");
        let here = text.replace("/usr/local/bin/selvedge", env!("CARGO_BIN_EXE_selvedge"));
        fs::write(&copy, here).expect("a place to write");
        copies.push(copy);
    }
    assert!(copies.len() >= 2, "{copies:?}");
    (folder, copies)
}

#[test]
fn systemd_understands_them_and_finds_them_safe() {
    let (folder, units) = units();
    let paths: Vec<_> = units.iter().map(|unit| unit.to_str().expect("UTF-8")).collect();
    let Some(verified) = analyze(&[&["verify", "--man=no"], &paths[..]].concat()) else { return };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // It speaks of other units of the machine too.
    let of_ours = said.lines().find(|line| line.contains("selvedge"));
    assert!(verified.status.success() && of_ours.is_none(), "{said}");

    let service = folder.join("selvedge.service");
    let service = service.to_str().expect("UTF-8");
    let threshold = format!("--threshold={EXPOSURE}");
    let Some(rated) = analyze(&["security", "--offline=true", &threshold, service]) else { return };
    let said = String::from_utf8_lossy(&rated.stdout).into_owned();
    assert!(rated.status.success() && said.contains("Overall exposure level"), "{said}");
    let _ = fs::remove_dir_all(folder);
}
