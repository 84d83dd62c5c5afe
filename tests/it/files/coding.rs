//! Content codings: which one a client gets, of what is there and of what can be made.

use super::{LONG_AGO, Site, ask, etag, pattern, serve};
use crate::support::{Answer, Client, eventually, request, stream_from};
use flate2::read::GzDecoder;
use proptest::prelude::*;
use selvedge::HeaderValue;
use selvedge::service::files::accept::{Coding, Codings, names_html};
use std::fmt::Write;
use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

/// What a list of lines gives: the names in their order, and `identity` if that may be sent.
fn ranking(lines: &[&str]) -> String {
    let codings = Codings::read(lines.iter().map(|line| line.as_bytes()));
    let mut names: Vec<&str> = codings.ranked().map(Coding::name).collect();
    names.extend(codings.identity().then_some("identity"));
    names.join(" ")
}

#[test]
fn rankings() {
    for (lines, expected) in [
        (&[][..], "identity"),
        (&[""], "identity"),
        (&["gzip"], "gzip identity"),
        (&["x-gzip"], "gzip identity"),
        (&["GZip, BR"], "br gzip identity"),
        (&["gzip, deflate, br, zstd"], "br zstd gzip identity"),
        (&["gzip", "br"], "br gzip identity"),
        (&["gzip;q=1.0, br;q=0.9"], "gzip br identity"),
        (&["zstd;q=0.001, br;q=0"], "zstd identity"),
        (&["gzip ; q=0.5 ,br ;q=0.4"], "gzip br identity"),
        (&["*"], "br zstd gzip identity"),
        (&["*;q=0.5, gzip"], "gzip br zstd identity"),
        (&["*, br;q=0"], "zstd gzip identity"),
        // What is not coded may be sent unless it is excluded, by name or with all others.
        (&["identity;q=0"], ""),
        (&["identity;q=0, gzip"], "gzip"),
        (&["*;q=0"], ""),
        (&["gzip, *;q=0"], "gzip"),
        (&["identity, *;q=0"], "identity"),
        (&["identity;q=0.5, *;q=0"], "identity"),
        // Who prefers it gets it.
        (&["identity, gzip;q=0.5"], "identity"),
        (&["identity;q=0.5, gzip;q=0.5"], "gzip identity"),
        (&["identity;q=0.5, gzip;q=0.4, br"], "br identity"),
        // Weights that are none.
        (&["gzip;q=2, br"], "br identity"),
        (&["gzip;q=-1"], "identity"),
        (&["gzip;q=1.001"], "identity"),
        (&["gzip;q=0.1234"], "identity"),
        (&["gzip;q="], "identity"),
        (&["gzip;q=a"], "identity"),
        (&["gzip;q=1."], "gzip identity"),
        (&[",, ;q=1, gzip"], "gzip identity"),
        (&["deflate, compress"], "identity"),
    ] {
        assert_eq!(ranking(lines), expected, "{lines:?}");
    }
}

#[test]
fn html_by_name() {
    for (lines, expected) in [
        (&["text/html"][..], true),
        (&["application/xml, TEXT/HTML;q=0.1"], true),
        (&["text/html;level=1;q=0.5"], true),
        (&["*/*", "text/html"], true),
        (&["text/html;q=0"], false),
        (&["text/html;q=x"], false),
        (&["*/*"], false),
        (&["text/*"], false),
        (&["text/htmlx"], false),
        (&[], false),
    ] {
        assert_eq!(names_html(lines.iter().map(|line| line.as_bytes())), expected, "{lines:?}");
    }
}

proptest! {
    #[test]
    fn rankings_of_anything(line in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "((br|zstd|gzip|identity|\\*)(;q=[0-9.]{0,5})?, ?){0,6}".prop_map(String::into_bytes),
    ]) {
        let codings = Codings::read([&line[..]]);
        let ranked: Vec<Coding> = codings.ranked().collect();
        prop_assert!(ranked.iter().enumerate().all(|(at, coding)| !ranked[..at].contains(coding)));
    }
}

/// Which coding an answer is in; its bytes say so, too.
fn coding(answer: &Answer) -> &str {
    let coding = answer.field("content-encoding").unwrap_or("identity");
    let content = answer.text().split(' ').next().expect("a word");
    assert_eq!(content, coding);
    coding
}

/// A file with siblings whose content is the name of their coding.
fn siblings(name: &str, suffixes: &[&str]) -> Site {
    suffixes.iter().fold(Site::new().with(name, "identity text"), |site, suffix| {
        let coding = match *suffix {
            "br" => "br",
            "zst" => "zstd",
            _ => "gzip",
        };
        site.with(format!("{name}.{suffix}"), format!("{coding} bytes of another length"))
    })
}

#[test]
fn siblings_by_what_is_accepted() {
    let all = siblings("a.css", &["br", "zst", "gz"]);
    let one = siblings("a.css", &["gz"]);
    for (site, accepted, expected) in [
        (&all, None, "identity"),
        (&all, Some("gzip, deflate, br, zstd"), "br"),
        (&all, Some("gzip, zstd"), "zstd"),
        (&all, Some("gzip"), "gzip"),
        (&all, Some("gzip, br;q=0.5"), "gzip"),
        (&all, Some("br;q=0"), "identity"),
        (&all, Some("identity"), "identity"),
        (&all, Some("*"), "br"),
        (&all, Some("identity;q=0, gzip;q=0.1"), "gzip"),
        (&one, Some("br, zstd, gzip;q=0.1"), "gzip"),
        (&one, Some("br"), "identity"),
        (&one, Some("br, identity;q=0"), "406"),
        (&one, Some("*;q=0"), "406"),
    ] {
        let server = site.serve();
        let mut client = Client::connect(&server);
        let fields: Vec<(&str, &str)> =
            accepted.iter().map(|accepted| ("Accept-Encoding", *accepted)).collect();
        let answer = ask(&mut client, "GET", "/a.css", &fields);
        if expected == "406" {
            assert_eq!(answer.status, 406, "{accepted:?}");
            assert_eq!(answer.field("vary"), Some("Accept, Accept-Encoding"), "{accepted:?}");
            continue;
        }
        assert_eq!((answer.status, coding(&answer)), (200, expected), "{accepted:?}");
        assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.field("content-type"), Some("text/css; charset=utf-8"));
        assert_eq!(answer.field("accept-ranges"), Some("bytes"));
        let head = ask(&mut client, "HEAD", "/a.css", &fields);
        for name in ["content-encoding", "content-length", "etag", "content-type", "vary"] {
            assert_eq!(head.field(name), answer.field(name), "{name}");
        }
        // Parts and validators are those of the bytes that were sent.
        let mut with =
            |name, value| ask(&mut client, "GET", "/a.css", &[&fields[..], &[(name, value)]].concat());
        let part = with("Range", "bytes=2-5");
        assert_eq!((part.status, &part.body[..]), (206, &answer.body[2..6]));
        assert_eq!(part.field("content-encoding"), answer.field("content-encoding"));
        assert_eq!(with("If-None-Match", etag(&answer)).status, 304);
    }
    // Each has a tag of its own.
    let server = all.serve();
    let mut client = Client::connect(&server);
    let tag = |coding| etag(&ask(&mut client, "GET", "/a.css", &[("Accept-Encoding", coding)])).to_owned();
    let mut tags: Vec<String> = ["br", "zstd", "gzip", "identity"].into_iter().map(tag).collect();
    assert!(tags.iter().all(|tag| !tag.starts_with("W/")));
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4);
}

#[test]
fn siblings_that_are_none() {
    let site = siblings("a.css", &["gz"]);
    let server = site.serve();
    let mut client = Client::connect(&server);
    let mut expect = |expected, why| {
        let answer = ask(&mut client, "GET", "/a.css", &[("Accept-Encoding", "gzip")]);
        assert_eq!(coding(&answer), expected, "{why}");
    };
    let after = |millis| UNIX_EPOCH + Duration::from_secs(784_111_777) + Duration::from_millis(millis);
    expect("gzip", "of the same time");
    site.touch("a.css", after(1_000));
    expect("identity", "older by a second");
    site.touch("a.css.gz", after(2_000));
    expect("gzip", "younger");
    site.touch("a.css.gz", after(1_700));
    site.touch("a.css", after(1_800));
    expect("identity", "older by less than a second");
    // Some tools copy whole seconds only.
    site.touch("a.css.gz", after(1_000));
    expect("gzip", "of the same second, without a fraction");
    site.write("a.css.gz", "");
    site.touch("a.css.gz", after(5_000));
    expect("identity", "empty");
    std::fs::remove_file(site.path("a.css.gz")).expect("it is there");
    std::fs::create_dir(site.path("a.css.gz")).expect("a place");
    expect("identity", "a directory");
    std::fs::remove_dir(site.path("a.css.gz")).expect("it is there");
    site.write("other.gz", "gzip bytes");
    std::os::unix::fs::symlink("other.gz", site.path("a.css.gz")).expect("a link");
    expect("identity", "a link");
}

/// What is no text is the same for everybody, whatever they accept, so that one cached answer will do for all: `data.tar`
/// and `data.tar.gz` are two downloads.
#[test]
fn what_is_not_negotiated() {
    for name in ["a.png", "data.tar", "data"] {
        let site = siblings(name, &["br", "zst", "gz"]);
        for files in [site.files(), site.files().with_gzip(true)] {
            let server = serve(files);
            let mut client = Client::connect(&server);
            let path = format!("/{name}");
            let tag = etag(&client.get(&path)).to_owned();
            for accepted in ["gzip, br", "gzip, identity;q=0", "br, *;q=0", "*;q=0"] {
                for (method, known, status) in
                    [("GET", "\"x\"", 200), ("HEAD", "\"x\"", 200), ("GET", &*tag, 304)]
                {
                    let fields = [("Accept-Encoding", accepted), ("If-None-Match", known)];
                    let answer = ask(&mut client, method, &path, &fields);
                    assert_eq!((answer.status, etag(&answer)), (status, &*tag), "{path} {accepted}");
                    assert_eq!(answer.field("content-encoding"), None, "{path} {accepted}");
                    assert_eq!(answer.field("vary"), None, "{path} {accepted}");
                }
            }
        }
    }
}

/// Whatever depends on Accept-Encoding says so.
#[test]
fn what_is_negotiated() {
    let site = siblings("index.html", &["gz"]);
    let server = serve(site.files().with_spa(true));
    let mut client = Client::connect(&server);
    let browser = ("Accept", "text/html");
    for (path, accepted, status, vary) in [
        ("/index.html", "gzip", 200, "Accept-Encoding"),
        ("/index.html", "identity", 200, "Accept-Encoding"),
        ("/index.html", "br, identity;q=0", 406, "Accept, Accept-Encoding"),
        ("/route", "gzip", 200, "Accept, Accept-Encoding"),
        ("/route", "br, identity;q=0", 406, "Accept, Accept-Encoding"),
    ] {
        let fields = [browser, ("Accept-Encoding", accepted)];
        let answer = ask(&mut client, "GET", path, &fields);
        assert_eq!((answer.status, answer.field("vary")), (status, Some(vary)), "{path} {accepted}");
        if status == 200 {
            let known = [browser, ("Accept-Encoding", accepted), ("If-None-Match", etag(&answer))];
            let answer = ask(&mut client, "GET", path, &known);
            assert_eq!((answer.status, answer.field("vary")), (304, Some(vary)), "{path} {accepted}");
        } else {
            assert!(
                answer.text().contains("Not Acceptable") && answer.text().contains("Request"),
                "{}",
                answer.text()
            );
        }
    }
}

/// Text that compresses.
fn long_text() -> String {
    (0..30_000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{number}");
        text
    })
}

fn unpack(answer: &Answer) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut decoder = GzDecoder::new(&answer.body[..]);
    decoder.read_to_end(&mut bytes).expect("gzip");
    assert!(decoder.into_inner().is_empty(), "something follows");
    bytes
}

#[test]
fn compressed_while_sent() {
    let text = long_text();
    let site = Site::new()
        .with("a.txt", &text)
        .with("a.png", &text)
        .with("small.txt", &text[..1023])
        .with("enough.txt", &text[..1024])
        .with("ready.txt", &text)
        .with("ready.txt.gz", "gzip bytes");
    let server =
        serve(site.files().with_gzip(true).with_cache_control(HeaderValue::from_static("max-age=60")));
    let mut client = Client::connect(&server);
    let plain = client.get("/a.txt");
    assert_eq!((plain.field("content-encoding"), plain.body == text.as_bytes()), (None, true));
    assert_eq!(plain.field("vary"), Some("Accept-Encoding"));

    let gzip = [("Accept-Encoding", "gzip, br")];
    let answer = ask(&mut client, "GET", "/a.txt", &gzip);
    assert_eq!((answer.status, answer.field("content-encoding")), (200, Some("gzip")));
    assert!(
        unpack(&answer) == text.as_bytes() && answer.body.len() < text.len() / 2,
        "{}",
        answer.body.len()
    );
    assert_eq!(answer.field("vary"), Some("Accept-Encoding"));
    assert_eq!(answer.field("cache-control"), Some("max-age=60"));
    assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!((answer.field("accept-ranges"), answer.field("content-length")), (None, None));
    assert_eq!(answer.field("last-modified"), Some(LONG_AGO));
    // Bytes that are made anew each time have a weak tag, and no parts.
    let tag = etag(&answer).to_owned();
    assert!(tag.starts_with("W/") && tag.ends_with("-gzip\""), "{tag}");
    assert_ne!(tag.trim_start_matches("W/"), etag(&plain));
    for (fields, status) in [
        (&[("If-None-Match", &*tag)][..], 304),
        (&[("If-None-Match", etag(&plain))], 200),
        (&[("If-Match", &*tag)], 412),
        (&[("Range", "bytes=0-9")], 200),
        (&[("Range", "bytes=9999999-")], 200),
        (&[("Range", "bytes=0-9"), ("If-Range", &*tag)], 200),
    ] {
        let fields = [&gzip[..], fields].concat();
        let answer = ask(&mut client, "GET", "/a.txt", &fields);
        assert_eq!(answer.status, status, "{fields:?}");
        assert!(status != 200 || unpack(&answer) == text.as_bytes(), "{fields:?}");
        assert_eq!(answer.field("cache-control"), (status != 412).then_some("max-age=60"));
    }
    let head = ask(&mut client, "HEAD", "/a.txt", &gzip);
    for name in ["content-encoding", "transfer-encoding", "etag", "vary"] {
        assert_eq!(head.field(name), answer.field(name), "{name}");
    }

    for (path, accepted, expected) in [
        ("/a.txt", "gzip;q=0", None),
        ("/a.txt", "br", None),
        ("/a.txt", "identity, gzip;q=0.9", None),
        ("/small.txt", "gzip", None),
        ("/enough.txt", "gzip", Some("gzip")),
        ("/a.png", "gzip", None),
        ("/a.png", "gzip, identity;q=0", None),
        // Whoever accepts nothing else gets it wherever it can be made.
        ("/small.txt", "gzip, *;q=0", Some("gzip")),
    ] {
        let answer = ask(&mut client, "GET", path, &[("Accept-Encoding", accepted)]);
        assert_eq!((answer.status, answer.field("content-encoding")), (200, expected), "{path} {accepted}");
        if expected.is_some() {
            assert!(text.as_bytes().starts_with(&unpack(&answer)));
        }
    }
    // What is there need not be made.
    let ready = ask(&mut client, "GET", "/ready.txt", &gzip);
    assert_eq!((ready.text(), ready.field("content-length")), ("gzip bytes", Some("10")));
    assert!(!etag(&ready).starts_with("W/"));
    // A client of HTTP/1.0 has its end told by that of the connection.
    let mut old = Client::connect(&server);
    old.send("GET /a.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    assert!(unpack(&old.answer()) == text.as_bytes());
}

/// A drawing that is stored compressed is a drawing in a coding, whoever asks for it, and is not compressed again.
#[test]
fn stored_compressed() {
    let bytes = pattern(4000);
    let site = Site::new().with("a.svgz", &bytes).with("a.svgz.gz", "other").with("B.SVGZ", &bytes);
    let server = serve(site.files().with_gzip(true));
    let mut client = Client::connect(&server);
    for path in ["/a.svgz", "/B.SVGZ"] {
        for accepted in ["gzip, br", "identity", "br, identity;q=0"] {
            let fields = [("Accept-Encoding", accepted)];
            let answer = ask(&mut client, "GET", path, &fields);
            assert_eq!((answer.status, answer.field("content-encoding")), (200, Some("gzip")), "{accepted}");
            assert_eq!(answer.field("content-type"), Some("image/svg+xml; charset=utf-8"));
            assert_eq!((answer.field("vary"), answer.field("content-length")), (None, Some("4000")));
            assert!(answer.body == bytes && !etag(&answer).starts_with("W/"), "{accepted}");
            let part = ask(&mut client, "GET", path, &[fields[0], ("Range", "bytes=5-9")]);
            assert_eq!((part.status, part.field("content-encoding")), (206, Some("gzip")), "{accepted}");
            assert_eq!(part.body, bytes[5..10]);
        }
    }
}

/// Digits are half of what they could be: when they are compressed, still more than the buffers on the way take.
pub fn larger_than_buffers() -> String {
    let mut text = String::new();
    let mut state = 1_u64;
    while text.len() < 24 << 20 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        let _ = write!(text, "{:016}", state >> 11);
    }
    text
}

/// So many answers are compressed at once, a quarter of them for one client; the next goes out as it is, and when one is done
/// there is room again.
#[test]
fn compression_is_bounded() {
    let site = Site::new().with("large.txt", larger_than_buffers()).with("a.txt", long_text());
    let server = serve(site.files().with_gzip(true));
    let asks = |path| request("GET", path).replace("\r\n\r\n", "\r\nAccept-Encoding: gzip\r\n\r\n");
    // Who wants nothing but that is told to wait: there will be some.
    let only = ("Accept-Encoding", "gzip, identity;q=0");
    let none_is_left = |client: &mut Client, what: &str| {
        let answer = client.ask(asks("/a.txt"));
        assert_eq!((answer.status, answer.field("content-encoding")), (200, None), "{what}");
        assert!(answer.body == long_text().as_bytes());
        let answer = ask(client, "GET", "/a.txt", &[only]);
        assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "{what}");
    };
    let slow: Vec<Client> = (0..32)
        .map(|at| {
            let from = || Client::tcp(stream_from(&server, 2 + at / 8));
            let mut client = from();
            client.send(asks("/large.txt"));
            let mut head = [0; 512];
            client.stream.read_exact(&mut head).expect("an answer");
            assert!(String::from_utf8_lossy(&head).contains("content-encoding: gzip"), "{at}");
            if at % 8 == 7 {
                none_is_left(&mut from(), "for this client");
            }
            client
        })
        .collect();
    let mut client = Client::connect(&server);
    none_is_left(&mut client, "for anybody");
    drop(slow);
    eventually("there is room again", || {
        client.ask(asks("/a.txt")).field("content-encoding") == Some("gzip")
    });
}
