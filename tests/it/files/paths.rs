//! Which paths lead to which files, and which nowhere.

use super::{Site, ask, serve};
use crate::support::{Client, request};
use proptest::prelude::*;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, mknodat, symlinkat};
use selvedge::service::files::Below;
use selvedge::{Error, Files};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

fn link(site: &Site, target: &str, name: &str) {
    symlinkat(target, CWD, site.path(name)).expect("a link");
}

/// A site with everything in it that a file system can have.
fn site() -> Site {
    let site = Site::new()
        .with("index.html", "root")
        .with("plain.txt", "plain")
        .with("sub/index.html", "sub")
        .with("sub/.hidden", "secret")
        .with("sub/.well-known/deep", "deep")
        .with("bare/file", "file")
        .with("odd/index.html/file", "file")
        .with(".env", "secret")
        .with(".git/config", "secret")
        .with(".well-known/security.txt", "security")
        .with(".well-known/.secret", "secret")
        .with("...", "secret")
        .with("a..b", "dots")
        .with("ünïcode – 日本.txt", "unicode")
        .with("a b", "space")
        .with("100%", "percent")
        .with("what?", "question")
        .with("#1", "hash")
        .with("q\"'&<>", "quotes")
        .with("a:b", "colon")
        .with("back\\slash", "backslash")
        .with("+", "plus")
        .with(OsStr::from_bytes(b"\xff\xfe"), "bytes");
    link(&site, "plain.txt", "link");
    link(&site, "sub", "linked");
    link(&site, "../bare/../plain.txt", "sub/climbs");
    link(&site, "/etc/passwd", "absolute");
    link(&site, "../../../../../../../../../etc/passwd", "out");
    link(&site, "/proc/self/root/etc/passwd", "magic");
    link(&site, "..", "parent");
    link(&site, "loop", "loop");
    link(&site, "nowhere", "dangling");
    mknodat(CWD, site.path("pipe"), FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
    drop(UnixListener::bind(site.path("socket")).expect("a socket"));
    site
}

/// Rows of path and body; without one, 404.
const ROWS: &[(&str, Option<&str>)] = &[
    ("/", Some("root")),
    ("/index.html", Some("root")),
    ("/plain.txt", Some("plain")),
    ("/plain.txt?query", Some("plain")),
    ("/pl%61in%2Etxt", Some("plain")),
    ("/sub/", Some("sub")),
    ("/sub/index.html", Some("sub")),
    ("/a..b", Some("dots")),
    ("/%C3%BCn%c3%afcode%20%E2%80%93%20%E6%97%A5%E6%9C%AC.txt", Some("unicode")),
    ("/a%20b", Some("space")),
    ("/100%25", Some("percent")),
    ("/what%3F", Some("question")),
    ("/%231", Some("hash")),
    ("/q%22'&%3C%3e", Some("quotes")),
    ("/a:b", Some("colon")),
    ("/back%5Cslash", Some("backslash")),
    ("/+", Some("plus")),
    ("/%2B", Some("plus")),
    ("/%FF%FE", Some("bytes")),
    // RFC 8615.
    ("/.well-known/security.txt", Some("security")),
    ("/sub/.well-known/deep", Some("deep")),
    ("/.well-known/.secret", None),
    ("/.env", None),
    ("/%2eenv", None),
    ("/.git/config", None),
    ("/sub/.hidden", None),
    ("/...", None),
    ("/nowhere", None),
    ("/nowhere/", None),
    ("/what?", None),
    ("/a+b", None),
    ("/bare/", None),
    ("/odd/", None),
    // A file has no directory's path.
    ("/plain.txt/", None),
    ("/plain.txt/x", None),
    // One way to write a path is enough.
    ("//", None),
    ("//plain.txt", None),
    ("/sub//index.html", None),
    ("/sub//", None),
    ("/./plain.txt", None),
    ("/sub/./index.html", None),
    ("/sub/.", None),
    ("/sub%2Findex.html", None),
    ("/sub%2f", None),
    ("/%2fplain.txt", None),
    ("/%2f", None),
    // What is neither a file nor a directory.
    ("/pipe", None),
    ("/socket", None),
    // Links that lead out, or nowhere.
    ("/absolute", None),
    ("/out", None),
    ("/magic", None),
    ("/parent/", None),
    ("/parent/plain.txt", None),
    ("/loop", None),
    ("/dangling", None),
];

/// Those that lead elsewhere below the root.
const LINKS: &[(&str, Option<&str>)] = &[
    ("/link", Some("plain")),
    ("/linked/", Some("sub")),
    ("/linked/index.html", Some("sub")),
    ("/sub/climbs", Some("plain")),
];

fn check(files: Files, rows: impl Iterator<Item = (&'static str, Option<&'static str>)>) {
    let server = serve(files);
    let mut client = Client::connect(&server);
    for (path, body) in rows {
        let answer = client.get(path);
        let found = (answer.status == 200).then(|| answer.text());
        assert!(answer.status == 200 || answer.status == 404, "{path}: {}", answer.status);
        assert_eq!(found, body, "{path}");
        if body.is_none() {
            let text = answer.text();
            assert!(text.contains("\"title\":\"Not Found\"") && !text.contains("site-"), "{path}: {text}");
        }
    }
}

#[test]
fn files_by_their_paths() {
    let site = site();
    let refused = || LINKS.iter().map(|(path, _)| (*path, None));
    check(site.files(), ROWS.iter().copied().chain(refused()));
    check(site.files().with_follow_links(true), ROWS.iter().chain(LINKS).copied());
    check(site.files().with_follow_links(false), ROWS.iter().copied().chain(refused()));
    // Where there is no openat2, no link is followed.
    check(site.files().walking(), ROWS.iter().copied().chain(refused()));
    check(site.files().walking().with_follow_links(true), ROWS.iter().copied().chain(refused()));
}

/// A pipe that is opened, if only for a moment, takes what is written into it; and devices have been known to do things.
#[test]
fn what_is_not_served_is_not_opened() {
    let site = Site::new().with("plain.txt", "plain").with("sub/plain.txt", "plain");
    for pipe in ["pipe", "sub/pipe", "plain.txt.gz", "index.html"] {
        mknodat(CWD, site.path(pipe), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    }
    link(&site, "pipe", "link");
    link(&site, "sub/pipe", "deep");
    link(&site, "../pipe", "sub/link");
    let opened = inotify::init(CreateFlags::NONBLOCK).expect("a watch");
    for pipe in ["pipe", "sub/pipe", "plain.txt.gz", "index.html"] {
        inotify::add_watch(&opened, site.path(pipe), WatchFlags::OPEN).expect("a watch");
    }
    let was_opened = || rustix::io::read(&opened, &mut [0; 1024]).is_ok();
    for files in [site.files(), site.files().with_follow_links(true), site.files().walking()] {
        let server = serve(files.with_listing(true).with_not_found("pipe").with_spa(true));
        let mut client = Client::connect(&server);
        for (path, status) in [
            ("/pipe", 404),
            ("/sub/pipe", 404),
            ("/link", 404),
            ("/deep", 404),
            ("/sub/link", 404),
            ("/pipe/", 404),
            ("/index.html", 404),
            ("/plain.txt", 200),
            ("/sub/", 200),
            // A pipe instead of its index.
            ("/", 404),
        ] {
            let fields = [("Accept-Encoding", "gzip"), ("Accept", "text/html")];
            assert_eq!(ask(&mut client, "GET", path, &fields).status, status, "{path}");
            assert!(!was_opened(), "{path}");
        }
    }
    // The watch sees those that are.
    drop(std::fs::File::options().read(true).write(true).open(site.path("sub/pipe")).expect("a pipe"));
    assert!(was_opened());
}

/// What the server's own policy refuses does not get as far.
#[test]
fn paths_no_handler_sees() {
    let server = site().serve();
    for path in [
        "/..",
        "/sub/..",
        "/%2e%2e/x",
        "/sub/%2E./plain.txt",
        "/%00",
        "/plain.txt%00",
        "/%",
        "/%zz",
        "/a%0ab",
    ] {
        assert_eq!(Client::connect(&server).get(path).status, 400, "{path}");
    }
}

#[test]
fn directories_are_elsewhere() {
    let site = site().with("a b?#%/:x/index.html", "").with("\\evil.example/index.html", "");
    let server = serve(site.files().with_follow_links(true));
    let mut client = Client::connect(&server);
    for (path, location) in [
        ("/sub", "/sub/"),
        ("/bare", "/bare/"),
        ("/linked", "/linked/"),
        ("/s%75b?a=1&b=%2F", "/sub/?a=1&b=%2F"),
        ("/sub?", "/sub/?"),
        ("/sub?a|b{c}^`[d]%zz%4", "/sub/?a%7Cb%7Bc%7D%5E%60%5Bd%5D%25zz%254"),
        ("/.well-known", "/.well-known/"),
        ("/a%20b%3F%23%25/:x", "/a%20b%3F%23%25/%3Ax/"),
        // To a browser this would be the host evil.example, if the backslash stood for itself.
        ("/%5Cevil.example", "/%5Cevil.example/"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&mut client, method, path, &[("If-None-Match", "*"), ("Range", "bytes=0-0")]);
            assert_eq!((answer.status, answer.field("location")), (301, Some(location)), "{path}");
            assert!(location.starts_with('/') && !location.starts_with("//"));
        }
    }
    for path in [
        "//evil.example",
        "//evil.example/",
        "//evil.example/sub",
        "/%2Fevil.example",
        "/.git",
        "/.well-known/.x",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

#[test]
fn methods() {
    let site = site();
    let server = site.serve();
    let mut client = Client::connect(&server);
    for path in ["/", "/plain.txt", "/nowhere", "/sub", "/.env"] {
        for method in ["OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "get"] {
            let answer = client.ask(request(method, path));
            assert_eq!((answer.status, answer.field("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    assert_eq!(client.ask(request("OPTIONS", "*")).status, 405);
    // Nobody waits for the body of what is refused anyway.
    let mut client = Client::connect(&server);
    client.send("PUT /plain.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.last_answer().status, 405);
    assert_eq!(std::fs::read(site.path("plain.txt")).expect("it is there"), b"plain");
}

#[test]
fn indexes() {
    let site =
        Site::new().with("a/start.htm", "start").with("a/index.html", "index").with("b/index.html", "index");
    let both = serve(site.files().with_index(["start.htm", "index.html"]));
    let mut client = Client::connect(&both);
    assert_eq!((client.get("/a/").text(), client.get("/b/").text()), ("start", "index"));
    assert_eq!(client.get("/a/").field("content-type"), Some("text/html; charset=utf-8"));
    let none = serve(site.files().with_index::<&str>([]));
    assert_eq!(Client::connect(&none).get("/a/").status, 404);
}

#[test]
fn what_is_not_there() {
    let site = Site::new().with("index.html", "app").with("sub/404.html", "gone");
    let (browser, script) = ([("Accept", "text/html,*/*;q=0.8")], [("Accept", "*/*")]);
    let both = serve(site.files().with_spa(true).with_not_found("/sub/404.html"));
    let mut client = Client::connect(&both);
    for (method, path, status, fields, body) in [
        ("GET", "/some/route", 200, &browser, "app"),
        ("HEAD", "/some/route", 200, &browser, ""),
        ("GET", "/sub/", 200, &browser, "app"),
        ("GET", "/some/script.js", 404, &script, "gone"),
        ("GET", "/some/route", 404, &[("Accept", "text/html;q=0")], "gone"),
        ("HEAD", "/some/script.js", 404, &script, ""),
        // It is refused, not unknown.
        ("GET", "/.env", 404, &browser, "gone"),
        ("GET", "/a//b", 404, &browser, "gone"),
    ] {
        let answer = ask(&mut client, method, path, fields);
        assert_eq!((answer.status, answer.text()), (status, body), "{method} {path}");
        assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"), "{method} {path}");
        assert_eq!(answer.field("etag").is_some(), status == 200, "{method} {path}");
        assert!(answer.field("vary").is_some_and(|vary| vary.starts_with("Accept")), "{method} {path}");
    }
    // A page of errors is never answered with a part or a "not modified".
    let fields = [("If-None-Match", "*"), ("Range", "bytes=0-0"), ("If-Match", "\"x\"")];
    let answer = ask(&mut client, "GET", "/none", &fields);
    assert_eq!((answer.status, answer.text(), answer.field("accept-ranges")), (404, "gone", None));

    for page in ["nowhere", "../index.html", "sub", "/"] {
        let server = serve(site.files().with_not_found(page));
        let answer = Client::connect(&server).get("/none");
        assert_eq!(
            (answer.status, answer.field("content-type")),
            (404, Some("application/problem+json")),
            "{page}"
        );
    }
}

#[test]
fn media_types() {
    let rows = [
        ("a.html", "text/html; charset=utf-8"),
        ("a.HTM", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.xml", "text/xml; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.webmanifest", "application/manifest+json; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.jpeg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.woff2", "font/woff2"),
        ("a.woff", "font/woff"),
        ("a.otf", "font/otf"),
        ("a.ndjson", "application/x-ndjson; charset=utf-8"),
        ("a.jsonl", "application/x-ndjson; charset=utf-8"),
        ("a.yaml", "application/yaml; charset=utf-8"),
        ("a.ts", "video/mp2t"),
        ("a.m4a", "audio/mp4"),
        ("a.wasm", "application/wasm"),
        ("a.pdf", "application/pdf"),
        ("a.mp4", "video/mp4"),
        ("a.tar.gz", "application/gzip"),
        ("a.unheard-of", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("b.html/a", "application/octet-stream"),
    ];
    let site = rows.iter().fold(Site::new(), |site, (name, _)| site.with(name, "x"));
    let server = site.serve();
    let mut client = Client::connect(&server);
    for (name, kind) in rows {
        let answer = client.get(&format!("/{name}"));
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(kind)), "{name}");
    }
}

#[test]
fn what_cannot_be_opened_is_named() {
    let site = Site::new().with("file", "x");
    for (path, cause) in [("file", "it is not a directory"), ("nowhere", "there is no such directory")] {
        let path = site.path(path);
        let error = Files::open(&path).expect_err("it cannot be served");
        assert!(matches!(&error, Error::Directory { path: given, .. } if *given == path));
        assert_eq!(error.to_string(), format!("cannot serve '{}': {cause}", path.display()));
    }
}

/// The directory that was opened is served, whatever has its name later.
#[test]
fn the_root_is_held_open() {
    let site = Site::new().with("www/a", "old");
    let server = serve(Files::open(site.path("www")).expect("a directory"));
    std::fs::rename(site.path("www"), site.path("moved")).expect("it moves");
    site.write("www/a", "new");
    assert_eq!(Client::connect(&server).get("/a").text(), "old");
}

/// As the text of RFC 3986 and the rules of the house say it, without an eye to speed.
fn decode_naively(path: &[u8]) -> Option<(Vec<Vec<u8>>, bool)> {
    let text: String = path.iter().map(|&byte| char::from(byte)).collect();
    let mut segments: Vec<&str> = text.split('/').collect();
    if segments.len() < 2 || !segments.remove(0).is_empty() {
        return None;
    }
    let is_directory = segments.last() == Some(&"");
    if is_directory {
        segments.pop();
    }
    let mut names = Vec::new();
    for segment in segments {
        let mut name = Vec::new();
        let mut chars = segment.chars();
        while let Some(char) = chars.next() {
            name.push(if char == '%' {
                let digit = |char: Option<char>| char.and_then(|char| char.to_digit(16));
                (digit(chars.next())? * 16 + digit(chars.next())?) as u8
            } else {
                char as u8
            });
        }
        let hidden = name.starts_with(b".") && name != b".well-known";
        let climbs = name.split(|&byte| byte == b'\\').any(|part| part == b"..");
        if name.is_empty()
            || hidden
            || climbs
            || name.iter().any(|&byte| byte < b' ' || matches!(byte, 0x7f | b'/'))
        {
            return None;
        }
        names.push(name);
    }
    Some((names, is_directory))
}

proptest! {
    /// Paths of what matters in them, and of anything at all.
    #[test]
    fn paths_decode_as_the_naive_decoder_has_it(
        path in prop_oneof![
            prop::collection::vec(prop::sample::select(&b"/.%2eEfF0a\\"[..]), 0..16),
            prop::collection::vec(any::<u8>(), 0..24),
        ],
        slash in any::<bool>(),
    ) {
        let path = if slash { [b"/", &path[..]].concat() } else { path };
        let below = Below::decode(&path);
        let found = below.as_ref().map(|below| {
            (below.names().map(<[u8]>::to_vec).collect::<Vec<_>>(), below.is_directory())
        });
        prop_assert_eq!(&found, &decode_naively(&path), "{}", path.escape_ascii());
        if let (Some(below), Some((names, _))) = (below, found) {
            prop_assert_eq!(below.as_bytes(), names.join(&b'/'));
        }
    }

    /// Every name a file can have can be asked for, control characters and what climbs aside.
    #[test]
    fn every_name_can_be_asked_for(names in prop::collection::vec(prop::collection::vec(b' '.., 1..9), 0..4)) {
        let is_served = |name: &Vec<u8>| {
            !name.starts_with(b".") && !name.contains(&b'/') && !name.contains(&0x7f) && !name.ends_with(b"..")
                && !name.windows(3).any(|part| part == b"..\\")
        };
        let names: Vec<Vec<u8>> = names.into_iter().filter(is_served).collect();
        let mut path = String::from("/");
        for name in &names {
            path.extend(name.iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()).map(char::from));
            path.push('/');
        }
        let below = Below::decode(path.as_bytes()).expect("nothing in it is refused");
        prop_assert!(below.names().eq(names.iter().map(Vec::as_slice)));
    }
}
