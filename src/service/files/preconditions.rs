//! Whether a request is to be carried out, given what its client knows already (RFC 9110 §13).

use super::validators::{EntityTag, Validators};
use std::time::UNIX_EPOCH;

/// The precondition fields of a request: of each the values of its lines, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions<'r> {
    /// If-Match (§13.1.1).
    pub if_match: Vec<&'r [u8]>,
    /// If-None-Match (§13.1.2).
    pub if_none_match: Vec<&'r [u8]>,
    /// If-Modified-Since (§13.1.3).
    pub if_modified_since: Vec<&'r [u8]>,
    /// If-Unmodified-Since (§13.1.4).
    pub if_unmodified_since: Vec<&'r [u8]>,
    /// If-Range (§13.1.5).
    pub if_range: Vec<&'r [u8]>,
}

/// What the preconditions of GET or HEAD say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The representation is to be sent.
    Proceed,
    /// The client has it: 304.
    NotModified,
    /// It is not the one the client means: 412.
    Failed,
}

/// Evaluates the preconditions of GET or HEAD on a representation that is there, in the order of §13.2.2. A date that is
/// none, or is given twice, is ignored; a tag that is none matches nothing.
pub fn evaluate(conditions: &Conditions<'_>, current: &Validators) -> Verdict {
    let modified = current.modified.map(|modified| modified.seconds);
    if !conditions.if_match.is_empty() {
        if !any_matches(&conditions.if_match, current, EntityTag::is_strongly) {
            return Verdict::Failed;
        }
    } else if let (Some(date), Some(modified)) = (only_date(&conditions.if_unmodified_since), modified)
        && modified > date
    {
        return Verdict::Failed;
    }
    if !conditions.if_none_match.is_empty() {
        if any_matches(&conditions.if_none_match, current, EntityTag::is_weakly) {
            return Verdict::NotModified;
        }
    } else if let (Some(date), Some(modified)) = (only_date(&conditions.if_modified_since), modified)
        && modified <= date
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether If-Range lets ranges be sent: the client's parts are of this very representation, or it did not say (§13.1.5).
pub fn permits_ranges(conditions: &Conditions<'_>, current: &Validators) -> bool {
    match conditions.if_range[..] {
        [] => true,
        [value] if value.starts_with(b"\"") || value.starts_with(b"W/") => {
            let only = tags(value).next().filter(|(_, rest)| rest.is_empty());
            only.is_some_and(|(theirs, _)| current.tag.as_ref().is_some_and(|ours| ours.is_strongly(theirs)))
        }
        [value] => current.modified.is_some_and(|ours| ours.strong && date(value) == Some(ours.seconds)),
        _ => false,
    }
}

fn any_matches(lines: &[&[u8]], current: &Validators, compare: impl Fn(&EntityTag, &[u8]) -> bool) -> bool {
    lines.iter().any(|line| {
        let is_ours = |theirs| current.tag.as_ref().is_some_and(|ours| compare(ours, theirs));
        *line == b"*" || tags(line).any(|(theirs, _)| is_ours(theirs))
    })
}

/// The entity tags of a list (§8.8.3), each with what follows it, up to the first that is none. A tag may hold commas.
fn tags(list: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = list;
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        let prefix = if rest.starts_with(b"W/") { 2 } else { 0 };
        let opaque = rest[prefix..].strip_prefix(b"\"")?;
        let length = opaque.iter().position(|byte| !matches!(byte, 0x21 | 0x23..=0x7e | 0x80..))?;
        let after = opaque[length..].strip_prefix(b"\"")?.trim_ascii_start();
        if !matches!(after, [] | [b',', ..]) {
            return None;
        }
        let tag = &rest[..prefix + length + 2];
        rest = after;
        Some((tag, after))
    })
}

fn only_date(lines: &[&[u8]]) -> Option<u64> {
    match lines {
        [line] => date(line),
        _ => None,
    }
}

/// Any of the three forms of a date (§5.6.7), in seconds since 1970.
fn date(value: &[u8]) -> Option<u64> {
    let date = httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|span| span.as_secs())
}
