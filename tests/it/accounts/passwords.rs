//! The credentials file.

use super::{client, line};
use selvedge::ClientKey;
use selvedge::clock::Clock;
use selvedge::guard::auth::{Accounts, Login, hash_password};
use std::error::Error;
use std::path::Path;

/// A file with this text is refused, at this line, with these words and none of its own.
#[track_caller]
fn check(text: &str, expected: &str) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("users-{}", std::process::id()));
    std::fs::write(&path, text).expect("a place to write");
    let error = Accounts::load(&path).expect_err(text).to_string();
    assert_eq!(error, format!("{}{expected}", path.display()), "{text:?}");
    let _ = std::fs::remove_file(path);
}

#[test]
fn mistakes_are_told_by_line_and_never_by_content() {
    let good = line("ada", "secret");
    let hash = |change: &dyn Fn(String) -> String| change(good.clone());
    let rows: &[(String, &str)] = &[
        (String::new(), ": nobody in it; a line is USER:HASH, and `selvedge hash-password` makes the hash"),
        (
            "# nobody\n\n".into(),
            ": nobody in it; a line is USER:HASH, and `selvedge hash-password` makes the hash",
        ),
        (format!("{good}swordfish\n"), ":2: no colon after the user"),
        (format!("\n\n{}", good.replace("ada:", ":")), ":3: no user before the colon"),
        (good.replace("ada:", &format!("{}:", "x".repeat(129))), ":1: a user of more than 128 bytes"),
        (good.replace("ada:", "a\tda:"), ":1: a user with a control character"),
        ("ada:swordfish\n".into(), ":1: not a hash as `selvedge hash-password` prints it"),
        ("ada:\n".into(), ":1: not a hash as `selvedge hash-password` prints it"),
        (good.replace("argon2id", "argon2i"), ":1: a hash that is not argon2id"),
        (good.replace("v=19", "v=16"), ":1: a hash that is not of version 19"),
        (good.replace("$v=19", ""), ":1: a hash that is not of version 19"),
        (
            good.replace("m=8", "m=65537"),
            ":1: a hash that asks for more than 64 MiB of memory, 16 passes or 8 lanes",
        ),
        (
            good.replace("t=1", "t=4294967295"),
            ":1: a hash that asks for more than 64 MiB of memory, 16 passes or 8 lanes",
        ),
        (good.replace("m=8", "m=0"), ":1: a hash with impossible parameters"),
        (good.replace("m=8", "x=8"), ":1: a hash with parameters other than m, t and p"),
        (
            hash(&|line| line[..line.rfind('$').expect("there")].into()),
            ":1: a hash without its salt or its result",
        ),
        (
            good.replace("c2FsdCBvZiB0aGUgdGVzdA", "c2FsdA"),
            ":1: not a hash as `selvedge hash-password` prints it",
        ),
        (format!("{good}{good}"), ":2: a user that stands further up too"),
    ];
    for (text, expected) in rows {
        check(text, expected);
    }
    let missing = Accounts::load(Path::new("/no/such/file")).expect_err("it is not there");
    assert!(missing.to_string().starts_with("cannot read /no/such/file: "), "{missing}");
    assert!(missing.source().is_some() && Accounts::parse("").is_err_and(|error| error.source().is_none()));
}

/// A file that is too large is refused, not read in part.
#[test]
fn four_mebibytes_and_no_more() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("large-users-{}", std::process::id()));
    let good = line("ada", "secret");
    for (size, expected) in [(4 << 20, Ok(1)), ((4 << 20) + 1, Err(()))] {
        let comment = "#".repeat(size - good.len());
        std::fs::write(&path, good.clone() + &comment).expect("a place to write");
        let loaded = Accounts::load(&path).map(|accounts| accounts.len());
        assert_eq!(
            loaded.map_err(|error| assert!(error.to_string().ends_with("4 MiB"), "{error}")),
            expected
        );
    }
    let _ = std::fs::remove_file(path);
}

/// Both sides of each bound.
#[test]
fn bounds_of_an_account() {
    assert!(Accounts::parse(line(&"x".repeat(128), "x")).is_ok());
    assert!(Accounts::parse(good_but("m=8,", "m=65536,")).is_ok());
    assert!(Accounts::parse(good_but("t=1,", "t=16,")).is_ok());
    assert!(Accounts::parse(good_but("m=8,t=1,p=1", "m=64,t=1,p=8")).is_ok());
    assert!(
        Accounts::parse(good_but("c2FsdCBvZiB0aGUgdGVzdA", "c2FsdHNhbHQ")).is_ok(),
        "eight bytes of salt"
    );
    for much in [("t=1,", "t=17,"), ("m=8,t=1,p=1", "m=72,t=1,p=9")] {
        assert!(Accounts::parse(good_but(much.0, much.1)).is_err(), "{much:?}");
    }
}

fn good_but(part: &str, other: &str) -> String {
    line("ada", "secret").replace(part, other)
}

#[test]
fn lines_comments_and_ends_of_lines() {
    let text =
        format!("# who may log in\r\n\r\n  {}{}", line("ada", "x").replace('\n', "\r\n"), line("bob", "y"));
    assert_eq!(Accounts::parse(text).expect("good").len(), 2);
    let marked = format!("\u{feff}{}", line("ada", "x"));
    let login = Login::new(Accounts::parse(marked).expect("good"), Clock::manual());
    assert!(login.check("ada", b"x", ClientKey::LOCAL).is_ok(), "the mark is no part of the name");
    let usual = format!("ada:{}", hash_password(b"x").expect("memory"));
    assert!(usual.contains("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_eq!(Accounts::parse(usual).expect("what we print, we read").len(), 1);
    assert_ne!(hash_password(b"x").expect("memory"), hash_password(b"x").expect("memory"), "salted");
}

/// What can be no name is told as that; what a file has other ways to read is a name like any other.
#[test]
fn one_account() {
    let rows: &[(&str, Option<&str>)] = &[
        ("ada", None),
        ("#ada", None),
        (" ada ", None),
        ("", Some("bad value for --users: no user before the colon")),
        ("a:b", Some("bad value for --users: a user with a colon")),
        ("a\nb", Some("bad value for --users: a user with a control character")),
        (&"x".repeat(129), Some("bad value for --users: a user of more than 128 bytes")),
    ];
    for (name, expected) in rows {
        let one = Accounts::one(name, b"secret");
        assert_eq!(one.as_ref().map(Accounts::len).ok(), expected.is_none().then_some(1), "{name:?}");
        assert_eq!(one.err().map(|error| error.to_string()).as_deref(), *expected);
        let Ok(accounts) = Accounts::one(name, b"secret") else { continue };
        assert!(!accounts.is_empty());
        assert!(format!("{accounts:?}").contains("Stored(…)"), "{accounts:?}");
        let login = Login::new(accounts, Clock::system());
        assert_eq!(login.check(name, b"secret", client(1)).expect("it is he").as_ref(), *name);
    }
}
