//! The house keeps its order: imports go downward, files stay small, and what may block or tell the time is named in one
//! place.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor. `lib.rs` and `main.rs` stand outside.
const FLOORS: &[(&str, u32)] = &[
    ("cli", 6),
    ("server", 5),
    ("net", 4),
    ("guard", 3),
    ("service", 3),
    ("monitor", 3),
    ("http1", 2),
    ("message", 2),
    ("threads", 1),
    ("config", 1),
    ("error", 0),
    ("clock", 0),
    ("record", 0),
    ("sanitize", 0),
    ("sync", 0),
];

/// Lines a file may have.
const LONGEST_FILE: usize = 500;

/// What only one file may say, and which.
const ONLY_IN: &[(&str, &str)] = &[
    ("std::thread", "sync.rs"),
    ("std::sync::", "sync.rs"),
    ("parking_lot::", "sync.rs"),
    ("crossbeam_channel::", "sync.rs"),
    ("loom::", "sync.rs"),
    ("shuttle::", "sync.rs"),
    ("Instant::now", "clock.rs"),
    ("SystemTime::now", "clock.rs"),
    ("rustls_pemfile::", "tls.rs"),
];

#[test]
fn imports_go_downward() {
    for (path, text) in sources() {
        let Some(floor) = floor_of(&path) else { continue };
        for (number, line) in code(&text) {
            for room in line.match_indices("crate::").filter_map(|(at, _)| room_after(&line[at + 7..])) {
                assert!(
                    floor_named(room).is_some_and(|below| below <= floor),
                    "{}:{number} on floor {floor} reaches up, or out of the house, to {room}: {line}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn files_stay_small() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines, more than {LONGEST_FILE}", path.display());
    }
}

#[test]
fn some_things_are_named_in_one_place() {
    for (path, text) in sources() {
        for (word, home) in ONLY_IN {
            if path.file_name().is_some_and(|name| name == *home) {
                continue;
            }
            let found = code(&text).find(|(_, line)| line.contains(word));
            assert!(found.is_none(), "{}: only {home} says {word}: {found:?}", path.display());
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                files.push((path.strip_prefix(&root).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(files.len() > 20, "the sources are where they are looked for");
    files
}

/// The lines that are code, with their numbers: doc examples and comments may name what they explain.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn floor_of(path: &Path) -> Option<u32> {
    let first = path.components().next()?.as_os_str().to_str()?;
    floor_named(first.strip_suffix(".rs").unwrap_or(first))
}

fn floor_named(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

fn room_after(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    Some(&text[..end])
}
