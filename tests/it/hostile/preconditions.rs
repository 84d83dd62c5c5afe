//! Preconditions: what is well-formed is evaluated in the order of RFC 9110 §13.2.2, and what is not never makes a client
//! believe that it has what it has not.

use super::model::trimmed;
use selvedge::service::files::preconditions::{Conditions, Verdict, evaluate, permits_ranges};
use selvedge::service::files::validators::{EntityTag, Modified, Validators};
use std::time::{Duration, UNIX_EPOCH};

const TAG: &str = "v1";
const MODIFIED: u64 = 784_111_777;

/// `bytes` are field lines.
pub fn check(bytes: &[u8]) {
    // No value that has others gets this far.
    if bytes.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n')) {
        return;
    }
    let values = |name: &str| {
        let lines = bytes.split(|&byte| byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| trimmed(&line[colon + 1..]))
        });
        lines.collect::<Vec<_>>()
    };
    let conditions = Conditions {
        if_match: values("if-match"),
        if_none_match: values("if-none-match"),
        if_modified_since: values("if-modified-since"),
        if_unmodified_since: values("if-unmodified-since"),
        if_range: values("if-range"),
    };
    for (weak, strong_date) in [(false, true), (false, false), (true, false)] {
        let tag = EntityTag::new(TAG, weak);
        let modified = Modified { seconds: MODIFIED, strong: strong_date };
        let current = Validators { tag: Some(tag), modified: Some(modified) };
        let found = evaluate(&conditions, &current);
        if let Some(expected) = expected(&conditions, weak) {
            assert_eq!(found, expected, "{conditions:?}, weak {weak}");
        }
        let may = permits_ranges(&conditions, &current);
        let means_it = match conditions.if_range[..] {
            [] => true,
            [value] => (!weak && value == b"\"v1\"") || (strong_date && date(value) == Some(MODIFIED)),
            _ => false,
        };
        assert_eq!(may, means_it, "{conditions:?}");
        // Of what has no validators nothing can be believed.
        let nothing = evaluate(&conditions, &Validators::default());
        let any = |lines: &[&[u8]]| lines.iter().any(|line| *line == b"*");
        assert!(nothing != Verdict::NotModified || any(&conditions.if_none_match));
        assert!(conditions.if_range.is_empty() || !permits_ranges(&conditions, &Validators::default()));
    }
}

/// The verdict, if all there is is well-formed.
fn expected(conditions: &Conditions<'_>, weak: bool) -> Option<Verdict> {
    let if_match = list(&conditions.if_match)?;
    let if_none_match = list(&conditions.if_none_match)?;
    let ours = |tag: &&(bool, &[u8])| tag.1 == TAG.as_bytes();
    let fails = match &if_match {
        Some(List::Any) => false,
        Some(List::Tags(tags)) => weak || !tags.iter().filter(|tag| !tag.0).any(|tag| ours(&tag)),
        None => only(&conditions.if_unmodified_since).is_some_and(|date| date < MODIFIED),
    };
    let is_known = match &if_none_match {
        Some(List::Any) => true,
        Some(List::Tags(tags)) => tags.iter().any(|tag| ours(&tag)),
        None => only(&conditions.if_modified_since).is_some_and(|date| date >= MODIFIED),
    };
    Some(match (fails, is_known) {
        (true, _) => Verdict::Failed,
        (_, true) => Verdict::NotModified,
        _ => Verdict::Proceed,
    })
}

enum List<'b> {
    Any,
    /// Whether each is weak, and what is between its quotes.
    Tags(Vec<(bool, &'b [u8])>),
}

/// All lines as one list; `None` if one of them is malformed, `Some(None)` if there are none.
#[allow(clippy::option_option, reason = "malformed is not absent")]
fn list<'b>(lines: &[&'b [u8]]) -> Option<Option<List<'b>>> {
    if lines.iter().any(|line| *line == b"*") {
        return Some(Some(List::Any));
    }
    let mut tags = Vec::new();
    for line in lines {
        let mut rest = *line;
        while !rest.is_empty() {
            let weak = rest.starts_with(b"W/");
            rest = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
            let end = rest.iter().position(|&byte| byte == b'"')?;
            let is_opaque = rest[..end].iter().all(|&byte| byte > 0x20 && byte != 0x7f);
            tags.push((weak, is_opaque.then_some(&rest[..end])?));
            rest = trimmed(&rest[end + 1..]);
            if !rest.is_empty() {
                rest = trimmed(rest.strip_prefix(b",")?);
            }
        }
    }
    Some((!lines.is_empty()).then_some(List::Tags(tags)))
}

fn only(lines: &[&[u8]]) -> Option<u64> {
    let [line] = lines else { return None };
    date(line)
}

/// Seconds since 1970; of what is before, there is no file.
fn date(value: &[u8]) -> Option<u64> {
    let date = httpdate::parse_http_date(str::from_utf8(value).ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).as_ref().map(Duration::as_secs).ok()
}
