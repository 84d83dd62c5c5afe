//! Preconditions: every combination of the four against RFC 9110 §13.2.2, and over the wire.

use super::{LONG_AGO, Site, ask, etag};
use crate::support::Client;
use proptest::prelude::*;
use selvedge::service::files::preconditions::{Conditions, Verdict, evaluate, permits_ranges};
use selvedge::service::files::validators::{EntityTag, Modified, Validators};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn current(weak: bool) -> Validators {
    Validators {
        tag: Some(EntityTag::new("a,b", weak)),
        modified: Some(Modified { seconds: 784_111_777, strong: !weak }),
    }
}

/// Values of a field, each with whether its condition holds for a strong tag and for a weak one; `None` for a field that is
/// not there, or is to be ignored.
type Values = &'static [(&'static [&'static str], Option<[bool; 2]>)];

const TRUE: Option<[bool; 2]> = Some([true, true]);
const FALSE: Option<[bool; 2]> = Some([false, false]);

const IF_MATCH: Values = &[
    (&[], None),
    (&["*"], TRUE),
    // Compared strongly: neither may be weak.
    (&["\"a,b\""], Some([true, false])),
    (&["W/\"a,b\""], FALSE),
    (&["\"x\""], FALSE),
    (&["\"x\", W/\"y\" ,\"a,b\""], Some([true, false])),
    (&[",, \"a,b\",,"], Some([true, false])),
    (&["\"x\"", "\"a,b\""], Some([true, false])),
    // What is no list of tags matches nothing, and its condition does not hold.
    (&[""], FALSE),
    (&["a,b"], FALSE),
    (&["\"a,b"], FALSE),
    (&["w/\"a,b\""], FALSE),
    (&["\"a,b\"x"], FALSE),
    (&["\"a b\", \"a,b\""], FALSE),
];

const IF_NONE_MATCH: Values = &[
    (&[], None),
    (&["*"], FALSE),
    // Compared weakly: both may be.
    (&["\"a,b\""], FALSE),
    (&["W/\"a,b\""], FALSE),
    (&["\"x\""], TRUE),
    (&["\"x\", W/\"a,b\""], FALSE),
    (&["\"x\"", "\"a,b\""], FALSE),
    (&[""], TRUE),
    (&["a,b"], TRUE),
    (&["\"a,b"], TRUE),
    (&["\"A,B\""], TRUE),
];

const IF_UNMODIFIED_SINCE: Values = &[
    (&[], None),
    (&[EARLIER], FALSE),
    (&[LONG_AGO], TRUE),
    (&[LATER], TRUE),
    (&["Sunday, 06-Nov-94 08:49:36 GMT"], FALSE),
    (&["Sun Nov  6 08:49:36 1994"], FALSE),
    (&["yesterday"], None),
    (&["784111776"], None),
    (&[EARLIER, EARLIER], None),
];

const IF_MODIFIED_SINCE: Values = &[
    (&[], None),
    (&[EARLIER], TRUE),
    (&[LONG_AGO], FALSE),
    (&[LATER], FALSE),
    (&["Sunday, 06-Nov-94 08:49:37 GMT"], FALSE),
    (&["Sun Nov  6 08:49:37 1994"], FALSE),
    (&["Sun, 06 Nov 1994 08:49:38 UTC"], None),
    (&["0"], None),
    (&[LATER, LATER], None),
];

fn lines<'r>(values: &[&'r str]) -> Vec<&'r [u8]> {
    values.iter().map(|value| value.as_bytes()).collect()
}

/// RFC 9110 §13.2.2, step by step, for GET and HEAD.
fn steps(
    if_match: Option<bool>,
    if_unmodified_since: Option<bool>,
    if_none_match: Option<bool>,
    if_modified_since: Option<bool>,
) -> Verdict {
    match (if_match, if_unmodified_since) {
        (Some(false), _) | (None, Some(false)) => return Verdict::Failed,
        _ => {}
    }
    match (if_none_match, if_modified_since) {
        (Some(false), _) | (None, Some(false)) => Verdict::NotModified,
        _ => Verdict::Proceed,
    }
}

#[test]
fn every_combination() {
    let mut rows = 0;
    for weak in [false, true] {
        let holds = |truth: Option<[bool; 2]>| truth.map(|truth| truth[usize::from(weak)]);
        for (if_match, a) in IF_MATCH {
            for (if_unmodified_since, b) in IF_UNMODIFIED_SINCE {
                for (if_none_match, c) in IF_NONE_MATCH {
                    for (if_modified_since, d) in IF_MODIFIED_SINCE {
                        let conditions = Conditions {
                            if_match: lines(if_match),
                            if_none_match: lines(if_none_match),
                            if_modified_since: lines(if_modified_since),
                            if_unmodified_since: lines(if_unmodified_since),
                            if_range: Vec::new(),
                        };
                        let expected = steps(holds(*a), holds(*b), holds(*c), holds(*d));
                        assert_eq!(evaluate(&conditions, &current(weak)), expected, "{conditions:?} {weak}");
                        rows += 1;
                    }
                }
            }
        }
    }
    assert_eq!(rows, 2 * 14 * 9 * 11 * 9);
}

/// What has no tag, or no date, has none that could match.
#[test]
fn without_validators() {
    let none = Validators::default();
    for (conditions, expected) in [
        (Conditions { if_match: lines(&["*"]), ..Conditions::default() }, Verdict::Proceed),
        (Conditions { if_match: lines(&["\"a\""]), ..Conditions::default() }, Verdict::Failed),
        (Conditions { if_none_match: lines(&["*"]), ..Conditions::default() }, Verdict::NotModified),
        (Conditions { if_none_match: lines(&["\"a\""]), ..Conditions::default() }, Verdict::Proceed),
        (Conditions { if_modified_since: lines(&[LATER]), ..Conditions::default() }, Verdict::Proceed),
        (Conditions { if_unmodified_since: lines(&[EARLIER]), ..Conditions::default() }, Verdict::Proceed),
    ] {
        assert_eq!(evaluate(&conditions, &none), expected, "{conditions:?}");
    }
    for value in ["\"\"", "\"a\"", LONG_AGO] {
        let conditions = Conditions { if_range: lines(&[value]), ..Conditions::default() };
        assert!(!permits_ranges(&conditions, &none), "{value}");
    }
}

/// Dates in each of their forms let ranges be sent if they are ours and strong.
#[test]
fn if_range_by_date() {
    for (value, ours) in [
        (LONG_AGO, true),
        ("Sunday, 06-Nov-94 08:49:37 GMT", true),
        ("Sun Nov  6 08:49:37 1994", true),
        (EARLIER, false),
        (LATER, false),
        ("now", false),
    ] {
        let conditions = Conditions { if_range: lines(&[value]), ..Conditions::default() };
        assert_eq!(permits_ranges(&conditions, &current(false)), ours, "{value}");
        assert!(!permits_ranges(&conditions, &current(true)), "{value}");
    }
}

proptest! {
    /// Whatever is sent, it is judged; and what holds our tag in a list of tags is found there.
    #[test]
    fn lists_of_anything(
        before in prop::collection::vec("(W/)?\"[!#-~]{0,5}\"", 0..3),
        after in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut list = before.join(", ").into_bytes();
        if !before.is_empty() {
            list.push(b',');
        }
        list.extend(b"W/\"a,b\"");
        let conditions = |list| Conditions { if_none_match: vec![list], if_match: vec![list], if_range: vec![list], ..Conditions::default() };
        let alone = Conditions { if_match: Vec::new(), ..conditions(&list) };
        prop_assert_eq!(evaluate(&alone, &current(false)), Verdict::NotModified);
        evaluate(&conditions(&after), &current(false));
        permits_ranges(&conditions(&after), &current(false));
    }
}

#[test]
fn over_the_wire() {
    let site = Site::new().with("file.txt", "0123456789").with("sub/index.html", "index");
    let server = site.serve();
    let mut client = Client::connect(&server);
    let whole = client.get("/file.txt");
    assert_eq!(whole.field("last-modified"), Some(LONG_AGO));
    let tag = etag(&whole).to_owned();
    let weak = format!("W/{tag}");
    for (fields, status) in [
        (&[][..], 200),
        (&[("If-Match", &*tag)], 200),
        (&[("If-Match", "*")], 200),
        (&[("If-Match", "\"x\"")], 412),
        (&[("If-Match", &*weak)], 412),
        (&[("If-Unmodified-Since", LONG_AGO)], 200),
        (&[("If-Unmodified-Since", EARLIER)], 412),
        (&[("If-Match", &*tag), ("If-Unmodified-Since", EARLIER)], 200),
        (&[("If-None-Match", &*tag)], 304),
        (&[("If-None-Match", &*weak)], 304),
        (&[("If-None-Match", "*")], 304),
        (&[("If-None-Match", "\"x\"")], 200),
        (&[("If-None-Match", "\"x\""), ("If-None-Match", &*tag)], 304),
        (&[("If-Modified-Since", LONG_AGO)], 304),
        (&[("If-Modified-Since", LATER)], 304),
        (&[("If-Modified-Since", EARLIER)], 200),
        (&[("If-None-Match", "\"x\""), ("If-Modified-Since", LATER)], 200),
        (&[("If-None-Match", &*tag), ("If-Modified-Since", EARLIER)], 304),
        (&[("If-Match", "\"x\""), ("If-None-Match", &*tag)], 412),
        (&[("If-Match", &*tag), ("If-None-Match", &*tag)], 304),
        (&[("Range", "bytes=0-1"), ("If-None-Match", &*tag)], 304),
        (&[("Range", "bytes=0-1"), ("If-Match", "\"x\"")], 412),
        (&[("Range", "bytes=10-"), ("If-Match", "\"x\"")], 412),
        (&[("Range", "bytes=10-"), ("If-Modified-Since", LATER)], 304),
        (&[("Range", "bytes=0-1"), ("If-Match", &*tag), ("If-Range", &*tag)], 206),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&mut client, method, "/file.txt", fields);
            let expected = if method == "HEAD" && status == 206 { 200 } else { status };
            assert_eq!(answer.status, expected, "{method} {fields:?}");
            match answer.status {
                200 if method == "GET" => assert_eq!(answer.body, whole.body),
                206 => assert_eq!(answer.text(), "01"),
                // RFC 9110 §15.4.5: these, and nothing else that describes the content.
                304 => {
                    assert_eq!(answer.field("etag"), Some(&*tag));
                    assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
                    for name in ["content-type", "content-length", "last-modified", "accept-ranges"] {
                        assert_eq!(answer.field(name), None, "{name}");
                    }
                }
                _ => {}
            }
        }
        // What would not be 200 without them ignores them (RFC 9110 §13.2.1).
        for (path, status) in [("/nowhere", 404), ("/sub", 301)] {
            assert_eq!(ask(&mut client, "GET", path, fields).status, status, "{path} {fields:?}");
        }
    }
    let index = client.get("/sub/");
    let fields = [("If-None-Match", etag(&index))];
    assert_eq!(ask(&mut client, "GET", "/sub/", &fields).status, 304);
}

/// Whatever is done to a file gives it another tag, its size and time being put back included.
#[test]
fn tags_tell_versions_apart() {
    let site = Site::new().with("file", "one");
    let server = site.serve();
    let mut client = Client::connect(&server);
    let first = client.get("/file");
    let settled = etag(&first).to_owned();
    assert!(!settled.starts_with("W/"), "{settled}");
    assert_eq!(etag(&client.get("/file")), settled);

    // The same size at the same time, in the same place and in another. The file system's clock ticks in between.
    let changed_at = |path: &str| {
        let metadata = std::fs::metadata(site.path(path)).expect("it is there");
        (metadata.ctime(), metadata.ctime_nsec())
    };
    let before = changed_at("file");
    crate::support::eventually("time passes for the file system", || {
        site.write("file", "two");
        changed_at("file") != before
    });
    let second = client.get("/file");
    assert_eq!((second.text(), second.field("last-modified")), ("two", first.field("last-modified")));
    assert_ne!(etag(&second), settled);
    let before = changed_at("file");
    crate::support::eventually("time passes for the file system", || {
        site.write("other", "owt");
        std::fs::rename(site.path("other"), site.path("file")).expect("it moves");
        changed_at("file") != before
    });
    assert_ne!(etag(&client.get("/file")), etag(&second));

    let third = etag(&client.get("/file")).to_owned();
    let before = changed_at("file");
    crate::support::eventually("time passes for the file system", || {
        let permissions = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(site.path("file"), permissions).expect("it is ours");
        changed_at("file") != before
    });
    assert_ne!(etag(&client.get("/file")), third);
}

/// A tag is made of a file's size and times, and of nothing else: it is the same whichever server gives it, and says nothing
/// of where on which disk the file is.
#[test]
fn tags_tell_nothing_of_a_files_place() {
    let site = Site::new().with("file", "content");
    let file = std::fs::metadata(site.path("file")).expect("it is there");
    let expected = format!(
        "\"{:x}.{:x}-{:x}-{:x}.{:x}\"",
        file.mtime(),
        file.mtime_nsec(),
        file.len(),
        file.ctime(),
        file.ctime_nsec()
    );
    for server in [site.serve(), site.serve()] {
        assert_eq!(etag(&Client::connect(&server).get("/file")), expected);
    }
}

/// A file that has just changed may change again within the same tick of its clock: its tag is weak, and gone later. Its
/// time may be set, and is as good as that of the change only if that is no later.
#[test]
fn tags_of_new_files_are_weak() {
    let site = Site::new();
    let metadata = || std::fs::metadata(site.path("file")).expect("it is there");
    // By how many seconds its time is set off that of the change, and what it is then: so many milliseconds after the
    // second of the later of both.
    for (set, after, strong, date_is_strong) in [
        (0, 0, false, false),
        (0, 2_999, false, false),
        (0, 3_000, true, true),
        (0, 1_000_000, true, true),
        // Put back: two versions may have it.
        (-100, 0, false, false),
        (-100, 2_999, false, false),
        (-100, 3_000, true, false),
        (-100, 1_000_000, true, false),
        // A clock that is behind, here or there.
        (100, 2_999, false, false),
        (100, 3_000, true, true),
        (0, -10_000, false, false),
        (100, -10_000, false, false),
        (-100, -200_000, false, false),
    ] {
        std::fs::write(site.path("file"), "x").expect("a place to write");
        if set != 0 {
            let changed = UNIX_EPOCH + Duration::from_secs(metadata().ctime().unsigned_abs());
            let span = Duration::from_secs(u64::from(i32::unsigned_abs(set)));
            site.touch("file", if set < 0 { changed - span } else { changed + span });
        }
        let metadata = metadata();
        let later = u64::try_from(metadata.mtime().max(metadata.ctime())).expect("after 1970") * 1000;
        let now = UNIX_EPOCH + Duration::from_millis(later.checked_add_signed(after).expect("after 1970"));
        let validators = Validators::of_file(&metadata, now, "");
        let (tag, date) = (validators.tag.expect("a tag"), validators.modified.expect("a date"));
        assert_eq!((!tag.is_weak(), date.strong), (strong, date_is_strong), "{set} {after}");
        assert_eq!(tag.as_str().starts_with("W/"), !strong);
        // Last-Modified is never later than Date (RFC 9110 §8.8.2.1).
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("after it").as_secs();
        assert_eq!(date.seconds, seconds(metadata.modified().expect("a time")).min(seconds(now)));
    }
    // What a client got while it was new does not match once it no longer is.
    let (metadata, now) = (metadata(), SystemTime::now());
    let tag = |now| Validators::of_file(&metadata, now, "").tag.expect("a tag");
    let (young, old) = (tag(now), tag(now + Duration::from_secs(100)));
    assert!(young.is_weak() && !old.is_weak() && !old.is_weakly(young.as_str().as_bytes()));
}

/// Times HTTP has no form for are left out, and break nothing.
#[test]
fn times_beyond_http() {
    let site = Site::new().with("file", "x");
    let server = site.serve();
    let mut client = Client::connect(&server);
    for (modified, date) in [
        (UNIX_EPOCH, Some("Thu, 01 Jan 1970 00:00:00 GMT")),
        (UNIX_EPOCH - Duration::from_secs(10 * 366 * 86_400), None),
        (UNIX_EPOCH - Duration::from_millis(1), None),
    ] {
        site.touch("file", modified);
        let answer = client.get("/file");
        assert_eq!((answer.status, answer.field("last-modified")), (200, date), "{modified:?}");
        let fields = [("If-None-Match", etag(&answer))];
        assert_eq!(ask(&mut client, "GET", "/file", &fields).status, 304, "{modified:?}");
    }
    // Some file systems end before year 10000; whatever they make of it has to be served.
    site.touch("file", UNIX_EPOCH + Duration::from_secs(300_000_000_000));
    let answer = client.get("/file");
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .field("last-modified")
            .is_none_or(|date| date <= answer.field("date").expect("a date") || date.len() == 29)
    );
}
