//! Which bytes are asked for (RFC 9110 §14).

use std::ops::Range;

/// Ranges one request may ask for; more of them are ignored, and the whole is sent. Every part of an answer costs the
/// server more than it costs the client to ask for it.
pub const MAX_RANGES: usize = 64;

/// What of a representation is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it, as if nothing had been said of ranges.
    Whole,
    /// These bytes of it: one range or more, in the order they were asked for, none of them empty or past the end.
    Ranges(Vec<Range<u64>>),
    /// None: all that is asked for lies past the end (416).
    Unsatisfiable,
}

/// Reads the value of a Range field, for a representation of `len` bytes.
///
/// Ignored, as RFC 9110 §14.2 permits, is a field that is of another unit or malformed, asks for more than
/// [`MAX_RANGES`] ranges, or for more bytes in all than there are, which only ranges that overlap can; and any field where
/// there are no bytes.
///
/// ```
/// use selvedge::service::files::ranges::{Selection, select};
///
/// assert_eq!(select(b"bytes=0-4, -5", 100), Selection::Ranges(vec![0..5, 95..100]));
/// assert_eq!(select(b"bytes=100-", 100), Selection::Unsatisfiable);
/// assert_eq!(select(b"bytes=0-99, 0-99", 100), Selection::Whole);
/// ```
pub fn select(value: &[u8], len: u64) -> Selection {
    // Of nothing there is nothing to choose, and clients that always ask for a range do not expect to fail for it.
    let Some(set) = byte_ranges(value).filter(|_| len > 0) else { return Selection::Whole };
    let mut ranges = Vec::new();
    let (mut asked, mut total) = (0, 0_u128);
    for spec in set.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|spec| !spec.is_empty()) {
        asked += 1;
        let Some(spec) = Spec::parse(spec).filter(|_| asked <= MAX_RANGES) else { return Selection::Whole };
        if let Some(range) = spec.of(len) {
            total += u128::from(range.end - range.start);
            ranges.push(range);
        }
    }
    match asked {
        0 => Selection::Whole,
        _ if total > u128::from(len) => Selection::Whole,
        _ if ranges.is_empty() => Selection::Unsatisfiable,
        _ => Selection::Ranges(ranges),
    }
}

/// One of the ranges as it is written.
#[derive(Clone, Copy)]
enum Spec {
    From(u64),
    /// Both ends belong to it.
    Between(u64, u64),
    Suffix(u64),
}

impl Spec {
    fn parse(spec: &[u8]) -> Option<Spec> {
        let dash = spec.iter().position(|&byte| byte == b'-')?;
        match (&spec[..dash], &spec[dash + 1..]) {
            (b"", suffix) => Some(Spec::Suffix(number(suffix)?)),
            (first, b"") => Some(Spec::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Spec::Between(first, last))
            }
        }
    }

    /// The bytes that are meant of `len`; `None` if none are.
    fn of(self, len: u64) -> Option<Range<u64>> {
        let range = match self {
            Spec::From(first) => first..len,
            Spec::Between(first, last) => first..last.saturating_add(1).min(len),
            Spec::Suffix(count) => len - count.min(len)..len,
        };
        (range.start < range.end).then_some(range)
    }
}

/// What follows the unit, if that is bytes; it is compared without case (RFC 9110 §14.1).
fn byte_ranges(value: &[u8]) -> Option<&[u8]> {
    let (unit, set) = value.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(set)
}

/// Digits only; what is too large to count is as good as the largest number.
fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all_digits.then(|| {
        digits
            .iter()
            .fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
    })
}
