//! The lessons, as their readers run them: each comes out as it is told, on whatever machine this is.
#![cfg(all(feature = "auth", feature = "json"))]

#[path = "../../scripts/lessons/stage/catalogue.rs"]
#[allow(dead_code, reason = "what the lessons need of it is not what is needed here")]
mod catalogue;

use catalogue::LESSONS;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// Columns of a terminal.
const WIDTH: usize = 78;
/// After this a lesson hangs. It takes seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// Every lesson ends well only if the naive variant fell and ours did not.
macro_rules! lessons {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

lessons! { race limiter deadlock exhaustion fairness overload shutdown memory smuggling timing fixation }

#[test]
fn every_lesson_is_told_of_and_tested() {
    let names = LESSONS.map(|lesson| lesson.name);
    assert_eq!(names, TESTED);
    let said = run("lessons").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.ends_with(&format!("cargo run --example {}", names[0])), "{said}");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    for lesson in &LESSONS {
        assert!(said.contains(&format!("{} {}", lesson.name, lesson.sentence)), "{said}");
        let path = format!("scripts/lessons/{}.rs", lesson.name);
        assert!(manifest.contains(&format!("name = \"{}\"\npath = \"{path}\"", lesson.name)), "{path}");
        assert!(root().join(&path).exists(), "{path}");
    }
    assert_eq!(manifest.matches("path = \"scripts/lessons/").count(), LESSONS.len() + 1);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    for (terminal, no_colour, coloured) in [("xterm", "", true), ("xterm", "1", false), ("dumb", "", false)] {
        let (master, slave) = terminal_pair();
        let mut command = Command::new(program("lessons"));
        command.env("TERM", terminal).env("NO_COLOR", no_colour).stdin(Stdio::null()).stdout(slave);
        let mut lesson = command.spawn().expect("it was built");
        // When nobody has the other side any more, reading fails.
        drop(command);
        let said: Vec<u8> = BufReader::new(master).bytes().map_while(Result::ok).collect();
        assert!(lesson.wait().expect("it is our child").success());
        let said = String::from_utf8(said).expect("UTF-8");
        assert_eq!(said.contains("\x1b[1mrace\x1b[0m"), coloured, "{terminal:?} {no_colour:?}: {said}");
        assert_eq!(said.contains('\x1b'), coloured, "{terminal:?} {no_colour:?}: {said}");
    }
}

#[track_caller]
fn check(name: &str) {
    let said = run(name);
    let title = LESSONS.iter().find(|lesson| lesson.name == name).map_or("", |lesson| lesson.title);
    assert!(!title.is_empty() && said.contains(title), "{said}");
    for (outcome, seen) in [("naive     ✗ fell", "naive"), ("selvedge  ✓ held", "selvedge")] {
        assert_eq!(said.lines().filter(|line| line.trim().starts_with(outcome)).count(), 1, "{seen}: {said}");
    }
    let read_on = said.lines().find_map(|line| line.trim().strip_prefix("Read on   ")).expect("what to read");
    assert!(root().join(read_on).is_file(), "{read_on} is not there");
}

/// What a lesson says. It succeeds, fits on a terminal, and does not colour what is none.
#[track_caller]
fn run(name: &str) -> String {
    let mut lesson = Command::new(program(name))
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    let mut output = lesson.stdout.take().expect("it was asked for");
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        output.read_to_string(&mut said).map(|_| said)
    });
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = lesson.try_wait().expect("it is our child") {
            break Some(status);
        }
        if Instant::now() > deadline {
            let _ = lesson.kill();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let said = said.join().expect("it reads").expect("UTF-8");
    assert!(status.is_some_and(|status| status.success()), "{name}, {status:?}: {said}");
    for line in said.lines() {
        assert!(line.chars().count() <= WIDTH, "{name} says too much on one line: {line}");
        assert!(line == line.trim_end() && !line.contains('\x1b'), "{name}: {line:?}");
    }
    said
}

/// Both sides of a terminal. Of the one that programs get, nobody else keeps a copy.
fn terminal_pair() -> (File, File) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let slave =
        File::options().read(true).write(true).open(name.to_str().expect("a path")).expect("its other side");
    (master.into(), slave)
}

/// The program of a lesson: beside the tests, where `cargo test` puts the examples, unless it was told to build the tests
/// alone.
fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let tests = std::env::current_exe().expect("the tests run");
        let profile = tests.ancestors().nth(2).expect("a folder of this profile");
        let examples = profile.join("examples");
        if !is_fresh(&examples) {
            build(profile);
        }
        examples
    });
    folder.join(name)
}

/// Whether all are there, and none is older than anything it is made of.
fn is_fresh(examples: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let built = LESSONS.iter().map(|lesson| lesson.name).chain(["lessons"]);
    let oldest = built.map(|name| changed(&examples.join(name))).min().flatten();
    let sources =
        ["src", "scripts/lessons", "Cargo.toml", "Cargo.lock"].map(|part| newest(&root().join(part)));
    oldest.is_some_and(|oldest| sources.into_iter().flatten().all(|source| source <= oldest))
}

fn newest(path: &Path) -> Option<SystemTime> {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().filter_map(|entry| newest(&entry.path())).max(),
        Err(_) => fs::metadata(path).and_then(|data| data.modified()).ok(),
    }
}

/// Builds them with the features of the tests, so that the library has not to be built again.
fn build(profile: &Path) {
    let features = [
        ("cli", cfg!(feature = "cli")),
        ("auth", cfg!(feature = "auth")),
        ("inherit", cfg!(feature = "inherit")),
        ("files", cfg!(feature = "files")),
        ("metrics", cfg!(feature = "metrics")),
        ("json", cfg!(feature = "json")),
        ("tls", cfg!(feature = "tls")),
        ("tls-ring", cfg!(feature = "tls-ring")),
        ("self-signed", cfg!(feature = "self-signed")),
    ];
    let features: Vec<_> = features.iter().filter(|(_, is_on)| *is_on).map(|(name, _)| *name).collect();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(["build", "--quiet", "--no-default-features", "--features"]);
    cargo.arg(features.join(",")).arg("--target-dir").arg(profile.parent().expect("the target folder"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    for name in LESSONS.iter().map(|lesson| lesson.name).chain(["lessons"]) {
        cargo.args(["--example", name]);
    }
    let built = cargo.output().expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
