//! Ranges: those of the grammar of RFC 9110 §14.1 select what it says, and nothing else selects anything.

use selvedge::service::files::ranges::{MAX_RANGES, Selection, select};

pub fn check(value: &[u8]) {
    for len in [0, 1, 100, u64::from(u32::MAX), u64::MAX] {
        let found = select(value, len);
        if let Selection::Ranges(ranges) = &found {
            assert!(!ranges.is_empty() && ranges.len() <= MAX_RANGES);
            assert!(ranges.iter().all(|range| range.start < range.end && range.end <= len), "{ranges:?}");
            let total: u128 = ranges.iter().map(|range| u128::from(range.end - range.start)).sum();
            assert!(total <= u128::from(len), "more than there is: {ranges:?}");
        }
        assert_eq!(found, expected(value, len), "of {len}");
    }
}

fn expected(value: &[u8], len: u64) -> Selection {
    let Some(specs) = specs(value).filter(|specs| len > 0 && specs.len() <= MAX_RANGES) else {
        return Selection::Whole;
    };
    let len = u128::from(len);
    let ranges = specs.into_iter().map(|spec| match spec {
        (None, last) => len.saturating_sub(last.unwrap_or(0))..len,
        (Some(first), last) => first..last.map_or(len, |last| last.saturating_add(1)).min(len),
    });
    let ranges: Vec<_> = ranges.filter(|range| range.start < range.end).collect();
    if ranges.is_empty() {
        return Selection::Unsatisfiable;
    }
    if ranges.iter().map(|range| range.end - range.start).sum::<u128>() > len {
        return Selection::Whole;
    }
    let small = |number: u128| u64::try_from(number).expect("no more than the length");
    Selection::Ranges(ranges.into_iter().map(|range| small(range.start)..small(range.end)).collect())
}

/// The first and the last position of each range; `None` if the field is malformed.
#[allow(clippy::type_complexity, reason = "a pair of what may be left out")]
fn specs(value: &[u8]) -> Option<Vec<(Option<u128>, Option<u128>)>> {
    let value = str::from_utf8(value).ok()?;
    let set = value.get(..6).filter(|unit| unit.eq_ignore_ascii_case("bytes=")).map(|_| &value[6..])?;
    let members = set.split(',').map(|member| member.trim_matches([' ', '\t', '\r', '\n', '\x0c']));
    let mut specs = Vec::new();
    for member in members.filter(|member| !member.is_empty()) {
        let (first, last) = member.split_once('-')?;
        let [first, last] = [position(first)?, position(last)?];
        let backwards = matches!((first, last), (Some(first), Some(last)) if first > last);
        if (first, last) == (None, None) || backwards {
            return None;
        }
        specs.push((first, last));
    }
    (!specs.is_empty()).then_some(specs)
}

/// Digits, or nothing. No file is as large as what is too large for a `u64`.
#[allow(clippy::option_option, reason = "malformed is not absent")]
fn position(digits: &str) -> Option<Option<u128>> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let largest = u128::from(u64::MAX);
    Some((!digits.is_empty()).then(|| digits.parse().map_or(largest, |number: u128| number.min(largest))))
}
