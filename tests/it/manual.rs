//! What the manual names is there. Its examples are run as tests of the documentation.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The chapters, by their names. The map of them, on the front page, is none.
fn chapters() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join("src/manual")).expect("the folder of the manual");
    let chapter = |path: &Path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("a chapter"))
    };
    files.map(|file| chapter(&file.expect("an entry").path())).filter(|(name, _)| name != "map").collect()
}

/// What stands between backticks and begins with `prefix`.
fn named<'t>(text: &'t str, prefix: &'static str) -> impl Iterator<Item = &'t str> {
    text.split('`').skip(1).step_by(2).filter(move |code| code.starts_with(prefix))
}

#[test]
fn chapters_are_all_in_the_table() {
    let front = fs::read_to_string(root().join("src/manual.rs")).expect("the front of the manual");
    let chapters = chapters();
    for (name, text) in &chapters {
        assert!(text.starts_with("# "), "{name} begins with its title");
        for wanted in [
            format!("](crate::manual::{name}) | "),
            format!("include_str!(\"manual/{name}.md\")"),
            format!("pub mod {name} {{}}"),
        ] {
            assert!(front.contains(&wanted), "{wanted}");
        }
    }
    assert_eq!(front.matches("pub mod ").count(), chapters.len());
}

#[test]
fn tests_sources_and_lessons_are_there() {
    let (mut tests, mut sources, mut lessons) = (0, 0, 0);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    for (chapter, text) in &chapters() {
        for test in named(text, "tests/").filter(|code| code.contains("::")) {
            let (file, function) = test.split_once("::").expect("a file and a function");
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            assert!(source.contains(&format!("fn {function}(")), "{chapter}: {test}");
            tests += 1;
        }
        for path in
            named(text, "src/").chain(named(text, "scripts/")).filter(|code| !code.contains([' ', '*']))
        {
            assert!(root().join(path).exists(), "{chapter}: {path}");
            sources += 1;
        }
        for command in named(text, "cargo run --example ") {
            let name = command.trim_start_matches("cargo run --example ");
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{chapter}: {command}");
            lessons += 1;
        }
    }
    assert!(tests > 100 && sources > 7 && lessons > 7, "{tests} {sources} {lessons}");
}
