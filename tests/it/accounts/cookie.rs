//! The Cookie field, strictly.

use proptest::prelude::*;
use selvedge::guard::session::{Presented, find_cookie};

#[track_caller]
fn check(fields: &[&str], expected: Presented<'_>) {
    let found = find_cookie(fields.iter().map(|field| field.as_bytes()), "sid");
    assert_eq!(found, expected, "{fields:?}");
}

#[test]
fn one_none_or_too_many() {
    let many = vec!["a=b"; 64].join("; ");
    let long = format!("a={}", "x".repeat(9000));
    let [longest, longer] = [8192, 8193].map(|length| format!("sid=abc; a={}", "x".repeat(length - 11)));
    let rows: &[(&[&str], Presented)] = &[
        (&[], Presented::Absent),
        (&[""], Presented::Absent),
        (&["sid=abc"], Presented::One(b"abc")),
        (&["a=b; sid=abc; c=d"], Presented::One(b"abc")),
        (&["a=b;sid=abc;c=d"], Presented::One(b"abc")),
        (&["  sid = abc  "], Presented::One(b"abc")),
        (&["sid="], Presented::One(b"")),
        (&["sid=a=b"], Presented::One(b"a=b")),
        (&["sid=\"abc\""], Presented::One(b"\"abc\"")),
        (&["a=b", "sid=abc"], Presented::One(b"abc")),
        (&["sid"], Presented::Absent),
        (&["=sid"], Presented::Absent),
        (&["=sid=abc"], Presented::Absent),
        (&["SID=abc"], Presented::Absent),
        (&["xsid=abc; sidx=abc"], Presented::Absent),
        (&["a=sid=abc"], Presented::Absent),
        (&["a=\"; sid=abc\""], Presented::One(b"abc\"")),
        (&["sid=abc; sid=abc"], Presented::Ambiguous),
        (&["sid=abc; sid=def"], Presented::Ambiguous),
        (&["sid=abc", "sid=abc"], Presented::Ambiguous),
        (&["sid=; sid=abc"], Presented::Ambiguous),
        (&[&many], Presented::Absent),
        (&[&many, "sid=abc"], Presented::Ambiguous),
        (&["sid=abc", &many], Presented::Ambiguous),
        (&["sid=abc", &long], Presented::Ambiguous),
        (&[&longest], Presented::One(b"abc")),
        (&[&longer], Presented::Ambiguous),
    ];
    for (fields, expected) in rows {
        check(fields, *expected);
    }
}

/// The same, said another way: all pairs of all fields, the slow way.
fn oracle<'a>(fields: &'a [Vec<u8>], name: &str) -> Presented<'a> {
    let pairs: Vec<&[u8]> = fields.iter().flat_map(|field| field.split(|&byte| byte == b';')).collect();
    if fields.iter().map(Vec::len).sum::<usize>() > 8192 || pairs.len() > 64 {
        return Presented::Ambiguous;
    }
    let ours: Vec<&[u8]> = pairs
        .into_iter()
        .filter_map(|pair| {
            let at = pair.iter().position(|&byte| byte == b'=')?;
            (pair[..at].trim_ascii() == name.as_bytes()).then(|| pair[at + 1..].trim_ascii())
        })
        .collect();
    match ours[..] {
        [] => Presented::Absent,
        [value] => Presented::One(value),
        _ => Presented::Ambiguous,
    }
}

proptest! {
    #[test]
    fn agrees_with_the_slow_way(fields in prop::collection::vec("[sid=; a\"]{0,40}", 0..4)) {
        let fields: Vec<Vec<u8>> = fields.into_iter().map(String::into_bytes).collect();
        let found = find_cookie(fields.iter().map(Vec::as_slice), "sid");
        let expected = oracle(&fields, "sid");
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_bytes_are_survived(fields in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..5)) {
        let found = find_cookie(fields.iter().map(Vec::as_slice), "sid");
        prop_assert_eq!(found, oracle(&fields, "sid"));
    }

    #[test]
    fn what_is_alone_is_found(
        before in prop::collection::vec("[a-z]{1,8}=[!-:<-~]{0,20}", 0..20),
        value in "[A-Za-z0-9_-]{43}",
        after in prop::collection::vec("[a-z]{1,8}=[!-:<-~]{0,20}", 0..20),
    ) {
        let own = format!("__Host-sid={value}");
        let pairs: Vec<String> = before.into_iter().chain([own.clone()]).chain(after).collect();
        let field = pairs.join("; ");
        prop_assert_eq!(find_cookie([field.as_bytes()], "__Host-sid"), Presented::One(value.as_bytes()));
        let twice = format!("{field}; {own}");
        prop_assert_eq!(find_cookie([twice.as_bytes()], "__Host-sid"), Presented::Ambiguous);
    }
}
