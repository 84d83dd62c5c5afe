//! Ranges: the function against a naive one, and what comes over the wire.

use super::{LONG_AGO, Site, ask, etag, pattern};
use crate::support::{Answer, Client};
use proptest::prelude::*;
use selvedge::service::files::ranges::{MAX_RANGES, Selection, select};
use std::time::{Duration, SystemTime};

/// Of first bytes and ends.
fn some(ranges: &[(u64, u64)]) -> Selection {
    Selection::Ranges(ranges.iter().map(|&(start, end)| start..end).collect())
}

#[test]
fn selections() {
    let many = |count: usize| {
        let specs: Vec<String> = (0..count).map(|at| format!("{at}-{at}")).collect();
        format!("bytes={}", specs.join(","))
    };
    let rows: &[(&str, Selection)] = &[
        ("bytes=0-0", some(&[(0, 1)])),
        ("bytes=0-99", some(&[(0, 100)])),
        ("bytes=0-100", some(&[(0, 100)])),
        ("bytes=0-", some(&[(0, 100)])),
        ("bytes=99-", some(&[(99, 100)])),
        ("bytes=-1", some(&[(99, 100)])),
        ("bytes=-100", some(&[(0, 100)])),
        ("bytes=-101", some(&[(0, 100)])),
        ("bytes=007-008", some(&[(7, 9)])),
        ("bytes=0-18446744073709551615", some(&[(0, 100)])),
        ("bytes=0-99999999999999999999999", some(&[(0, 100)])),
        ("bytes=-99999999999999999999999", some(&[(0, 100)])),
        ("BYTES=1-2", some(&[(1, 3)])),
        // Lists, in the order they come; empty members are none.
        ("bytes=5-9,0-4", some(&[(5, 10), (0, 5)])),
        ("bytes= 0-1 ,\t3-4", some(&[(0, 2), (3, 5)])),
        ("bytes=,0-1,,", some(&[(0, 2)])),
        ("bytes=0-1,200-,-1", some(&[(0, 2), (99, 100)])),
        ("bytes=0-9,0-9", some(&[(0, 10), (0, 10)])),
        // Past the end, all of them.
        ("bytes=100-", Selection::Unsatisfiable),
        ("bytes=100-200,300-", Selection::Unsatisfiable),
        ("bytes=-0", Selection::Unsatisfiable),
        ("bytes=18446744073709551616-", Selection::Unsatisfiable),
        // More than there is.
        ("bytes=0-,0-0", Selection::Whole),
        ("bytes=0-50,50-99", Selection::Whole),
        (&many(MAX_RANGES), some(&(0..MAX_RANGES as u64).map(|at| (at, at + 1)).collect::<Vec<_>>())),
        (&many(MAX_RANGES + 1), Selection::Whole),
        // None at all.
        ("", Selection::Whole),
        ("bytes", Selection::Whole),
        ("bytes=", Selection::Whole),
        ("bytes=,", Selection::Whole),
        ("bytes=-", Selection::Whole),
        ("bytes=5-4", Selection::Whole),
        ("bytes=0-1,5-4", Selection::Whole),
        ("bytes=0", Selection::Whole),
        ("bytes=a-b", Selection::Whole),
        ("bytes=+1-2", Selection::Whole),
        ("bytes=1 -2", Selection::Whole),
        ("bytes=1-2-3", Selection::Whole),
        ("bytes=--1", Selection::Whole),
        ("bytes=0x1-2", Selection::Whole),
        ("bytes =0-1", Selection::Whole),
        ("bytes 0-1", Selection::Whole),
        ("0-1", Selection::Whole),
        ("lines=0-1", Selection::Whole),
    ];
    for (value, expected) in rows {
        assert_eq!(select(value.as_bytes(), 100), *expected, "{value}");
        assert_eq!(select(value.as_bytes(), 0), Selection::Whole, "{value} of nothing");
    }
    let end = u64::MAX;
    assert_eq!(select(b"bytes=-1", end), some(&[(end - 1, end)]));
    assert_eq!(select(b"bytes=0-, 1-", end), Selection::Whole);
    assert_eq!(select(b"bytes=18446744073709551614-18446744073709551615", end), some(&[(end - 1, end)]));
}

/// A range as it may be written: an int-range or a suffix.
#[derive(Clone, Debug)]
enum Written {
    Int(u64, Option<u64>),
    Suffix(u64),
}

impl Written {
    fn text(&self) -> String {
        match self {
            Written::Int(first, None) => format!("{first}-"),
            Written::Int(first, Some(last)) => format!("{first}-{last}"),
            Written::Suffix(count) => format!("-{count}"),
        }
    }

    /// Byte by byte: does it mean this one?
    fn means(&self, at: u64, len: u64) -> bool {
        match *self {
            Written::Int(first, last) => at >= first && last.is_none_or(|last| at <= last),
            Written::Suffix(count) => at + count >= len,
        }
    }
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        (0_u64..30, prop::option::of(0_u64..30)).prop_map(|(first, last)| Written::Int(first, last)),
        (0_u64..30).prop_map(Written::Suffix),
    ]
}

proptest! {
    #[test]
    fn selections_are_those_of_the_naive_one(set in prop::collection::vec(written(), 1..5), len in 1_u64..25) {
        let value = format!("bytes={}", set.iter().map(Written::text).collect::<Vec<_>>().join(", "));
        let is_valid = set.iter().all(|range| !matches!(range, Written::Int(first, Some(last)) if last < first));
        let meant: Vec<Vec<u64>> = set.iter().map(|range| (0..len).filter(|&at| range.means(at, len)).collect()).collect();
        let meant: Vec<&Vec<u64>> = meant.iter().filter(|bytes| !bytes.is_empty()).collect();
        let total: usize = meant.iter().map(|bytes| bytes.len()).sum();
        let expected = if !is_valid || total as u64 > len {
            Selection::Whole
        } else if meant.is_empty() {
            Selection::Unsatisfiable
        } else {
            some(&meant.iter().map(|bytes| (bytes[0], bytes[bytes.len() - 1] + 1)).collect::<Vec<_>>())
        };
        prop_assert_eq!(select(value.as_bytes(), len), expected, "{} of {}", value, len);
    }

    /// Whatever is sent, what is selected is there, and no more of it than there is.
    #[test]
    fn selections_are_within_bounds(
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "bytes=[0-9, -]{0,60}".prop_map(String::into_bytes),
            "bytes=([0-9]{0,25}-[0-9]{0,25},){0,70}".prop_map(String::into_bytes),
        ],
        len in prop_oneof![0_u64..20, any::<u64>()],
    ) {
        if let Selection::Ranges(ranges) = select(&value, len) {
            prop_assert!(!ranges.is_empty() && ranges.len() <= MAX_RANGES);
            prop_assert!(ranges.iter().all(|range| range.start < range.end && range.end <= len));
            let total: u128 = ranges.iter().map(|range| u128::from(range.end - range.start)).sum();
            prop_assert!(total <= u128::from(len));
        }
    }
}

/// What is left of a body.
struct Rest<'b>(&'b [u8]);

impl Rest<'_> {
    fn take(&mut self, text: &str) -> bool {
        let after = self.0.strip_prefix(text.as_bytes());
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    /// The rest of a line that begins with `name`.
    #[track_caller]
    fn line(&mut self, name: &str) -> String {
        assert!(self.take(name), "{name} is not here");
        let end = self.0.windows(2).position(|two| two == b"\r\n").expect("a line");
        let line = std::str::from_utf8(&self.0[..end]).expect("text").to_owned();
        self.0 = &self.0[end + 2..];
        line
    }
}

/// The parts of `multipart/byteranges`, read strictly: media type, Content-Range and bytes of each.
fn parts(answer: &Answer) -> Vec<(String, String, Vec<u8>)> {
    let kind = answer.field("content-type").expect("a type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("of parts");
    assert!(boundary.len() == 32 && boundary.bytes().all(|byte| byte.is_ascii_hexdigit()), "{boundary}");
    let mut rest = Rest(&answer.body);
    let mut found = Vec::new();
    assert!(rest.take(&format!("--{boundary}")));
    while rest.take("\r\n") {
        let (kind, range) = (rest.line("Content-Type: "), rest.line("Content-Range: "));
        assert_eq!(rest.line(""), "");
        let ends = range.strip_prefix("bytes ").and_then(|range| range.split_once('/')?.0.split_once('-'));
        let (first, last) = ends.expect("a range");
        let len = last.parse::<usize>().expect("a number") - first.parse::<usize>().expect("a number") + 1;
        let (bytes, after) = rest.0.split_at(len);
        found.push((kind, range, bytes.to_vec()));
        rest = Rest(after);
        assert!(rest.take(&format!("\r\n--{boundary}")));
    }
    assert_eq!(rest.0, b"--\r\n");
    found
}

#[test]
fn one_range() {
    let content = pattern(100_000);
    let site = Site::new().with("file.bin", &content).with("empty", "");
    let server = site.serve();
    let mut client = Client::connect(&server);
    let whole = client.get("/file.bin");
    assert_eq!((whole.status, whole.field("accept-ranges")), (200, Some("bytes")));
    for (range, bytes) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        // As much as leaves with the head, and more.
        ("bytes=1-16384", 1..16_385),
        ("bytes=1-16385", 1..16_386),
        ("bytes=99999-", 99_999..100_000),
        ("bytes=-70000", 30_000..100_000),
        ("bytes=0-", 0..100_000),
        ("bytes=0-5,100000-", 0..6),
    ] {
        let answer = ask(&mut client, "GET", "/file.bin", &[("Range", range)]);
        assert_eq!(answer.status, 206, "{range}");
        assert!(answer.body == content[bytes.clone()], "{range}: {} bytes", answer.body.len());
        let named = format!("bytes {}-{}/100000", bytes.start, bytes.end - 1);
        assert_eq!(answer.field("content-range"), Some(&*named));
        for name in ["etag", "last-modified", "content-type", "accept-ranges", "vary"] {
            assert_eq!(answer.field(name), whole.field(name), "{name} of {range}");
        }
    }
    for (method, path, fields, status) in [
        ("HEAD", "/file.bin", &[("Range", "bytes=0-9")][..], 200),
        ("HEAD", "/file.bin", &[("Range", "bytes=100000-")], 200),
        ("GET", "/file.bin", &[("Range", "bytes=0-9"), ("Range", "bytes=0-9")], 200),
        ("GET", "/file.bin", &[("Range", "bytes=9-0")], 200),
        ("GET", "/file.bin", &[("Range", "bytes=0-,0-,0-")], 200),
        ("GET", "/empty", &[("Range", "bytes=0-")], 200),
    ] {
        let answer = ask(&mut client, method, path, fields);
        assert_eq!((answer.status, answer.field("content-range")), (status, None), "{fields:?}");
        let len = if path == "/empty" { "0" } else { "100000" };
        assert_eq!(answer.field("content-length"), Some(len), "{fields:?}");
    }
    let answer = ask(&mut client, "GET", "/file.bin", &[("Range", "bytes=100000-")]);
    assert_eq!((answer.status, answer.field("content-range")), (416, Some("bytes */100000")));
    assert!(answer.text().contains("Range Not Satisfiable") && answer.field("etag").is_none());
}

#[test]
fn many_ranges() {
    let content = pattern(9 << 20);
    let site = Site::new().with("file.txt", &content);
    let server = site.serve();
    let mut client = Client::connect(&server);
    for ranges in [
        &[0..1, 2..3][..],
        &[10..20, 5..8, 1_000_000..1_000_001],
        // Small ones behind large ones and before them, and as many bytes as leave with the head.
        &[0..3 << 20, 4 << 20..(4 << 20) + 1, 5 << 20..8 << 20],
        &[7..8, 100..100 + (5 << 20)],
        &[0..16_384, 20_000..36_384, 40_000..56_385],
        &[0..10, 0..10],
    ] {
        let set: Vec<String> =
            ranges.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
        let answer = ask(&mut client, "GET", "/file.txt", &[("Range", &format!("bytes={}", set.join(",")))]);
        assert_eq!((answer.status, answer.field("content-range")), (206, None), "{set:?}");
        let parts = parts(&answer);
        assert_eq!(parts.len(), ranges.len());
        for ((kind, named, bytes), range) in parts.iter().zip(ranges) {
            assert_eq!(kind, "text/plain; charset=utf-8");
            assert_eq!(*named, format!("bytes {}-{}/{}", range.start, range.end - 1, content.len()));
            assert!(*bytes == content[range.clone()], "{named} of {set:?}");
        }
    }
    let set: Vec<String> = (0..MAX_RANGES).map(|at| format!("{}-{}", at * 1000, at * 1000 + at)).collect();
    let answer = ask(&mut client, "GET", "/file.txt", &[("Range", &format!("bytes={}", set.join(",")))]);
    for (at, (_, _, bytes)) in parts(&answer).iter().enumerate() {
        assert_eq!(*bytes, content[at * 1000..=at * 1000 + at]);
    }
}

#[test]
fn if_range() {
    let site = Site::new().with("file", "0123456789").with("new", "0123456789");
    std::fs::write(site.path("made"), "0123456789").expect("a place to write");
    site.touch("new", SystemTime::now() + Duration::from_secs(100_000));
    let server = site.serve();
    let mut client = Client::connect(&server);
    let made = client.get("/made").field("last-modified").expect("a date").to_owned();
    let strong = etag(&client.get("/file")).to_owned();
    let new = client.get("/new");
    let (weak, just_now) = (etag(&new), new.field("last-modified").expect("a date"));
    assert!(weak.starts_with("W/"), "{weak}");
    for (path, condition, status) in [
        ("/file", &*strong, 206),
        ("/file", "\"other\"", 200),
        ("/file", &format!("W/{strong}"), 200),
        ("/file", &format!("{strong}, \"other\""), 200),
        ("/file", "*", 200),
        ("/made", &*made, 206),
        ("/made", LONG_AGO, 200),
        // A time that has been set may be that of other bytes, too.
        ("/file", LONG_AGO, 200),
        ("/file", "now", 200),
        // What has just changed may change again within the same second.
        ("/new", weak, 200),
        ("/new", weak.trim_start_matches("W/"), 200),
        ("/new", just_now, 200),
    ] {
        for (range, part) in [("bytes=2-3", "23"), ("bytes=10-", "")] {
            let answer = ask(&mut client, "GET", path, &[("Range", range), ("If-Range", condition)]);
            let expected = match status {
                206 if part.is_empty() => 416,
                status => status,
            };
            assert_eq!(answer.status, expected, "{path} {range} {condition}");
            if expected != 416 {
                assert_eq!(answer.text(), if status == 206 { part } else { "0123456789" });
            }
        }
        // Without Range it says nothing.
        assert_eq!(ask(&mut client, "GET", path, &[("If-Range", condition)]).status, 200);
    }
    let twice = [("Range", "bytes=2-3"), ("If-Range", &*strong), ("If-Range", &*strong)];
    assert_eq!(ask(&mut client, "GET", "/file", &twice).status, 200);
}
