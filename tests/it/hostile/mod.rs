//! Hostile bytes: what must hold whatever a client sends.
//!
//! Each module has a function that takes any bytes and panics if something does not hold. The fuzzer (`scripts/fuzz`) calls
//! them with what it makes up; the tests here with what it has found worth keeping, `corpus/`, and so with every input
//! that ever failed.

#[cfg(feature = "files")]
pub mod accept;
pub mod answers;
pub mod body;
pub mod client;
pub mod connection;
#[cfg(feature = "auth")]
pub mod cookies;
#[cfg(feature = "files")]
pub mod files;
pub mod head;
pub mod host;
#[cfg(feature = "json")]
pub mod json;
pub mod messages;
mod model;
#[cfg(feature = "files")]
pub mod preconditions;
#[cfg(feature = "files")]
pub mod ranges;
pub mod settings;
mod talk;
pub mod target;
pub mod text;
#[cfg(feature = "cli")]
pub mod toml;

use std::fmt::Debug;

/// What is checked, by the name of its module and of its folder in `corpus/`.
type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    #[cfg(feature = "files")]
    ("accept", accept::check),
    ("answers", answers::check),
    ("body", body::check),
    ("client", client::check),
    ("connection", connection::check),
    #[cfg(feature = "auth")]
    ("cookies", cookies::check),
    #[cfg(feature = "files")]
    ("files", files::check),
    ("head", head::check),
    ("host", host::check),
    #[cfg(feature = "json")]
    ("json", json::check),
    ("messages", messages::check),
    #[cfg(feature = "files")]
    ("preconditions", preconditions::check),
    #[cfg(feature = "files")]
    ("ranges", ranges::check),
    ("settings", settings::check),
    ("target", target::check),
    ("text", text::check),
    #[cfg(feature = "cli")]
    ("toml", toml::check),
];

#[test]
fn what_the_fuzzer_kept() {
    for (name, check) in TARGETS {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hostile/corpus").join(name);
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).expect("a folder for each target") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            let held = std::panic::catch_unwind(|| check(&bytes));
            assert!(held.is_ok(), "{}: {}", path.display(), bytes.escape_ascii());
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
    #[cfg(feature = "files")]
    files::leave();
}

/// The fuzzer knows of every target. In a package that was published it is not there.
#[test]
fn every_target_is_fuzzed() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let Ok(manifest) = std::fs::read_to_string(folder.join("Cargo.toml")) else { return };
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"bin/{name}.rs\"")), "no program for {name}");
        let program = std::fs::read_to_string(folder.join(format!("bin/{name}.rs"))).expect("a program");
        assert!(program.contains(&format!("fuzz!({name})")), "{program}");
    }
}

/// Where bytes are cut into pieces of one to eight, always in the same way for the same ones.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let mut state = bytes
        .iter()
        .fold(bytes.len() as u64, |state, &byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let (mut cuts, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at = (at + 1 + state as usize % 8).min(bytes.len());
        cuts.push(at);
    }
    cuts
}

#[track_caller]
fn assert_same<T: PartialEq + Debug>(found: &T, expected: &T, how: &str) {
    assert!(found == expected, "{how}: {found:?} is not {expected:?}");
}
