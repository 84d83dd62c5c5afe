//! Is it JSON?

use serde::de::IgnoredAny;
use std::fmt;

/// Why a text is not acceptable JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It is not UTF-8 (RFC 8259 §8.1).
    NotUtf8,
    /// Its arrays and objects are nested deeper than allowed.
    TooDeep,
    /// It is not JSON.
    Malformed,
}

/// Checks that `text` is one JSON value, nested at most `max_depth` deep. It takes no memory for what it reads, and no
/// stack for what is nested in it.
///
/// ```
/// use selvedge::{JsonError, check_json};
///
/// assert_eq!(check_json(br#"{"a": [1, 2]}"#, 2), Ok(()));
/// assert_eq!(check_json(b"[[[]]]", 2), Err(JsonError::TooDeep));
/// assert_eq!(check_json(b"{'a': 1}", 2), Err(JsonError::Malformed));
/// ```
pub fn check_json(text: &[u8], max_depth: usize) -> Result<(), JsonError> {
    std::str::from_utf8(text).map_err(|_| JsonError::NotUtf8)?;
    if depth(text) > max_depth {
        return Err(JsonError::TooDeep);
    }
    serde_json::from_slice::<IgnoredAny>(text).map(|_| ()).map_err(|_| JsonError::Malformed)
}

/// How deep brackets are nested outside of strings. For a text that is no JSON the number means nothing, but is found all
/// the same.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut rest) = (0_usize, 0, text);
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'"' => rest = after_string(rest),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// What follows the string whose first quotation mark was before `text`.
fn after_string(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let Some(place) = memchr::memchr2(b'"', b'\\', rest) {
        // What is escaped by a backslash ends nothing.
        let past = if rest[place] == b'"' { 1 } else { 2 };
        let after = rest.get(place + past..).unwrap_or_default();
        if past == 1 {
            return after;
        }
        rest = after;
    }
    &[]
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonError::NotUtf8 => "not UTF-8",
            JsonError::TooDeep => "nested too deep",
            JsonError::Malformed => "not JSON",
        })
    }
}

impl std::error::Error for JsonError {}
