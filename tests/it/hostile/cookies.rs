//! Cookies: at most one counts, it is one that was sent, and others can only take it away.

use selvedge::guard::session::{Presented, find_cookie};

const NAME: &str = "__Host-sid";

/// `bytes` are the values of the fields, one in a line.
pub fn check(bytes: &[u8]) {
    let fields: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
    let found = find_cookie(fields.iter().copied(), NAME);
    let pairs: Vec<_> = fields.iter().flat_map(|field| field.split(|&byte| byte == b';')).collect();
    let values: Vec<_> = pairs.iter().filter_map(|pair| value(pair)).collect();
    let len: usize = fields.iter().map(|field| field.len()).sum();
    let expected = match values[..] {
        _ if len > 8192 || pairs.len() > 64 => None,
        [] => Some(Presented::Absent),
        [value] => Some(Presented::One(value)),
        _ => Some(Presented::Ambiguous),
    };
    match expected {
        Some(expected) => assert_eq!(found, expected),
        // Whether there is one before the limit is reached does not matter.
        None => assert_eq!(found, Presented::Ambiguous),
    }
    // With one more of that name there is none.
    let mut more = fields.clone();
    more.push(b"__Host-sid=planted");
    let and_more = find_cookie(more, NAME);
    assert!(found == Presented::Absent || and_more == Presented::Ambiguous, "{found:?}, then {and_more:?}");
}

fn value(pair: &[u8]) -> Option<&[u8]> {
    let equals = pair.iter().position(|&byte| byte == b'=')?;
    (pair[..equals].trim_ascii() == NAME.as_bytes()).then(|| pair[equals + 1..].trim_ascii())
}
