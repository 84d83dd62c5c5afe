//! Comparison in constant time.

use selvedge::guard::auth::{Digest, Secret, equal};
use std::path::Path;
use std::process::Command;

#[test]
fn equal_means_equal() {
    let rows: &[(&[u8], &[u8], bool)] = &[
        (b"", b"", true),
        (b"a", b"a", true),
        (b"a", b"b", false),
        (b"a", b"", false),
        (b"a", b"a\0", false),
        (b"sword", b"swordfish", false),
        (&[7; 200], &[7; 200], true),
        (&[7; 200], &[7; 199], false),
    ];
    for (left, right, same) in rows {
        assert_eq!(equal(left, right), *same, "{left:?} {right:?}");
        assert_eq!(Digest::of(left).matches(right), *same, "{left:?} {right:?}");
    }
    assert_ne!(Digest::derived("one", b"x"), Digest::derived("other", b"x"));
    assert_ne!(Digest::derived("one", b"x"), Digest::of(b"x"));
    let known = Digest::of(b"abc");
    assert_eq!(known.as_bytes()[..8], [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea], "FIPS 180-4");
    assert_eq!(known.to_base64url(), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
}

#[test]
fn secrets_differ_and_do_not_show() {
    let (one, other) = (Secret::generate().expect("random"), Secret::generate().expect("random"));
    assert_ne!(one.digest(), other.digest());
    assert_eq!(one.as_str().len(), Secret::LEN);
    assert_eq!(Secret::from_text(one.as_str().as_bytes()).map(|same| same.digest()), Some(one.digest()));
    let shown = format!("{one:?} {:?}", one.digest());
    assert_eq!(shown, "Secret(…) Digest(…)");
    for wrong in ["", "short", &"x".repeat(42), &"x".repeat(44), &"+".repeat(43), &"é".repeat(43)] {
        assert!(Secret::from_text(wrong.as_bytes()).is_none(), "{wrong}");
    }
}

/// Instructions of each comparison that the example `constant_time` makes, as valgrind counts them; nothing where there
/// is no valgrind, or the example has not been built.
fn counts() -> Option<Vec<u64>> {
    let tests = std::env::current_exe().expect("the tests run");
    let example = tests.ancestors().nth(2)?.join("examples/constant_time");
    if !example.exists() {
        return None;
    }
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("counts-{}", std::process::id()));
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured*", "--dump-before=*measured_*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(example)
        .arg("counted")
        .output()
        .ok()?;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    // Part N was dumped before the call after the Nth began, the last one at the end, without a number.
    let parts = (2..).map(|part| out.with_extension(part.to_string())).take_while(|path| path.exists());
    let parts: Vec<_> = parts.chain([out.clone()]).collect();
    let count = |path: &Path| {
        let text = std::fs::read_to_string(path).expect("it was written");
        let summary = text.lines().find_map(|line| line.strip_prefix("summary: ")).expect("a summary");
        summary.trim().parse().expect("a number")
    };
    let counts = parts.iter().map(|path| count(path)).collect();
    for path in parts.iter().chain([&out.with_extension("1")]) {
        let _ = std::fs::remove_file(path);
    }
    Some(counts)
}

/// Wherever two texts differ first, and however long the secret is, the comparison takes the same instructions. That the
/// method can see a difference shows in the naive comparison, which takes others for each place.
#[test]
fn the_same_instructions_wherever_texts_differ() {
    let Some(counts) = counts() else {
        eprintln!("skipped: needs valgrind and the example constant_time");
        return;
    };
    assert_eq!(counts.len(), 33 + 32 + 33, "{counts:?}");
    let (equal, rest) = counts.split_at(33);
    let (lengths, naive) = rest.split_at(32);
    assert!(equal.iter().all(|count| *count == equal[0] && *count > 1000), "{equal:?}");
    assert!(lengths.iter().all(|count| *count == lengths[0] && *count > 1000), "{lengths:?}");
    assert!(naive.is_sorted_by(|earlier, later| earlier < later), "{naive:?}");
}
