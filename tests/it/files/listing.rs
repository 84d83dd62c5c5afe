//! Listings: what is in them, in which order, and that they keep to the server's own policy.

use super::{Site, ask, etag, serve};
use crate::support::{Answer, Client, eventually, request, stream_from};
use selvedge::HeaderValue;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, UNIX_EPOCH};

/// The links of the rows, in their order, as they are written.
pub fn links(page: &Answer) -> Vec<String> {
    let text = page.text();
    let cells = text.split("<tr><td><a href=\"").skip(1);
    cells.map(|cell| cell.split('"').next().expect("an end").to_owned()).collect()
}

#[test]
fn rows() {
    let site = Site::new()
        .with("b.txt", "12")
        .with("A.txt", "")
        .with("c.png", vec![0; 3000])
        .with("dir/sub/file", "x")
        .with("Other/file", "x")
        .with(".hidden", "x")
        .with(".well-known/x", "x")
        .with("<i>&\"'.txt", "x")
        .with("a b%#?.txt", "x")
        .with("javascript:alert(1)", "x")
        .with("tab\tline\nescape\x1b", "x")
        .with("a\x7f/x", "x")
        .with("b\\..\\c", "x")
        .with("\u{202e}gpj.exe", "x")
        .with(OsStr::from_bytes(b"\xff.txt"), "x");
    std::os::unix::fs::symlink("b.txt", site.path("link")).expect("a link");
    std::os::unix::fs::symlink("dir", site.path("linked")).expect("a link");
    std::os::unix::fs::symlink("/etc", site.path("out")).expect("a link");
    let expected = [
        ".well-known/",
        "dir/",
        "Other/",
        "%3Ci%3E%26%22%27.txt",
        "a%20b%25%23%3F.txt",
        "A.txt",
        "b.txt",
        "c.png",
        "javascript%3Aalert%281%29",
        "%E2%80%AEgpj.exe",
        "%FF.txt",
    ];
    let server = serve(site.files().with_listing(true));
    let mut client = Client::connect(&server);
    let page = client.get("/");
    assert_eq!((page.status, page.field("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(links(&page), expected);
    let text = page.text();
    for shown in [
        "<bdi>&lt;i&gt;&amp;&quot;&#39;.txt</bdi>",
        "<bdi>a b%#?.txt</bdi>",
        "<bdi>\u{202e}gpj.exe</bdi>",
        "<bdi>\u{fffd}.txt</bdi>",
        "<bdi>dir/</bdi>",
        ">2 B<",
        "title=\"3000 bytes\">2.9 KiB<",
        "<time>1994-11-06 08:49</time>",
        "<title>/</title>",
        "3 folders, 8 files, 2.9 KiB</p>",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    // Below the root there is a way up, and links are relative to where they are.
    let page = client.get("/dir/sub/");
    assert_eq!(links(&page), ["../", "file"]);
    for shown in [
        "<title>/dir/sub</title>",
        "href=\"../../.selvedge/listing.css?v=",
        "<li><a href=\"../../\">",
        "<li><a href=\"../\"><bdi>dir</bdi></a></li><li><b aria-current=\"page\"><bdi>sub</bdi></b></li>",
        "1 file, 1 B</p>",
    ] {
        assert!(page.text().contains(shown), "{shown}: {}", page.text());
    }
    // Followed links are listed as what they lead to, if they lead anywhere.
    let server = serve(site.files().with_listing(true).with_follow_links(true));
    let all = links(&Client::connect(&server).get("/"));
    assert!(
        all.contains(&"link".into()) && all.contains(&"linked/".into()) && !all.contains(&"out/".into()),
        "{all:?}"
    );
    // Without the option there is no page, and nothing that belongs to it.
    let server = site.serve();
    for path in ["/", "/dir/", "/.selvedge/listing.css", "/.selvedge/icon.svg"] {
        assert_eq!(Client::connect(&server).get(path).status, 404, "{path}");
    }
}

#[test]
fn orders() {
    let site = Site::new().with("b", "1").with("a", "333").with("C", "22").with("z/x", "").with("y/x", "");
    for (name, seconds) in [("b", 3), ("a", 2), ("C", 1)] {
        site.touch(name, UNIX_EPOCH + Duration::from_secs(seconds));
    }
    for (at, name) in ["y", "z"].iter().enumerate() {
        let directory = std::fs::File::open(site.path(name)).expect("it is there");
        directory.set_modified(UNIX_EPOCH + Duration::from_secs(at as u64)).expect("a time");
    }
    let server = serve(site.files().with_listing(true));
    let mut client = Client::connect(&server);
    for (query, expected, sorted, next) in [
        ("", "y/ z/ a b C", "Name asc", "?sort=name&amp;order=desc"),
        ("?sort=name&order=desc", "z/ y/ C b a", "Name desc", "?sort=name&amp;order=asc"),
        ("?sort=size", "y/ z/ b C a", "Size asc", "?sort=size&amp;order=desc"),
        ("?sort=size&order=desc", "y/ z/ a C b", "Size desc", "?sort=size&amp;order=asc"),
        ("?sort=time&order=asc", "y/ z/ C a b", "Modified asc", "?sort=time&amp;order=desc"),
        ("?order=desc&sort=time", "z/ y/ b a C", "Modified desc", "?sort=time&amp;order=asc"),
        // What is not understood is as good as nothing.
        ("?sort=color&order=up", "y/ z/ a b C", "Name asc", "?sort=name&amp;order=desc"),
        ("?sort", "y/ z/ a b C", "Name asc", "?sort=name&amp;order=desc"),
        ("?\"><script>", "y/ z/ a b C", "Name asc", "?sort=name&amp;order=desc"),
    ] {
        let query = query.replace('"', "%22").replace('<', "%3C").replace('>', "%3E");
        let page = client.get(&format!("/{query}"));
        assert_eq!(links(&page).join(" "), expected, "{query}");
        let (key, direction) = sorted.split_once(' ').expect("two words");
        let heading = format!("aria-sort=\"{direction}ending\"><a href=\"{next}\" rel=\"nofollow\">{key}");
        assert!(
            page.text().contains(&heading) && !page.text().contains("script"),
            "{query}: {}",
            page.text()
        );
    }
}

/// `default-src 'self'` permits no inline styles and no scripts: the page has none, and what it asks for is there.
#[test]
fn the_page_keeps_to_the_policy() {
    let site = Site::new().with("dir/file", "x");
    let server =
        serve(site.files().with_listing(true).with_cache_control(HeaderValue::from_static("no-cache")));
    let mut client = Client::connect(&server);
    let page = client.get("/dir/");
    for word in ["<script", "<style", " style=", " onclick=", "javascript:", "http://", "https://", "data:"] {
        assert!(!page.text().contains(word), "{word}");
    }
    assert_eq!(page.field("cache-control"), Some("no-cache"));
    let styles = client.get("/.selvedge/listing.css");
    assert!(!styles.text().contains("url(") && !styles.text().contains("@import"));
    for (name, kind) in
        [("listing.css", "text/css; charset=utf-8"), ("icon.svg", "image/svg+xml; charset=utf-8")]
    {
        let start = page.text().find(&format!("../.selvedge/{name}?v=")).expect("it is asked for");
        let link = page.text()[start..].split('"').next().expect("an end");
        let path = link.strip_prefix("..").expect("relative");
        let asset = client.get(path);
        assert_eq!((asset.status, asset.field("content-type")), (200, Some(kind)));
        assert_eq!(asset.field("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(ask(&mut client, "GET", path, &[("If-None-Match", etag(&asset))]).status, 304);
        assert_eq!(
            ask(&mut client, "HEAD", path, &[]).field("content-length"),
            asset.field("content-length")
        );
    }
    for path in ["/.selvedge/", "/.selvedge", "/.selvedge/other", "/dir/.selvedge/listing.css"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
}

#[test]
fn preconditions_and_codings() {
    let site = (0..50).fold(Site::new(), |site, at| site.with(format!("file {at}"), "x"));
    let server = serve(site.files().with_listing(true).with_gzip(true));
    let mut client = Client::connect(&server);
    let page = client.get("/");
    assert!(page.field("accept-ranges").is_none() && page.field("last-modified").is_none());
    let tag = etag(&page).to_owned();
    for (fields, status) in [
        (&[("If-None-Match", &*tag)][..], 304),
        (&[("If-None-Match", "\"x\"")], 200),
        (&[("If-Match", "\"x\"")], 412),
        (&[("If-Modified-Since", "Sun, 06 Nov 2094 08:49:37 GMT")], 200),
        (&[("Range", "bytes=0-9")], 200),
    ] {
        assert_eq!(ask(&mut client, "GET", "/", fields).status, status, "{fields:?}");
    }
    assert_eq!(ask(&mut client, "HEAD", "/", &[]).field("content-length"), page.field("content-length"));
    let packed = ask(&mut client, "GET", "/", &[("Accept-Encoding", "gzip")]);
    assert_eq!(
        (packed.field("content-encoding"), packed.field("vary")),
        (Some("gzip"), Some("Accept-Encoding"))
    );
    let mut bytes = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&packed.body[..]);
    std::io::Read::read_to_end(&mut decoder, &mut bytes).expect("gzip");
    assert_eq!(bytes, page.body);
    // What is listed has changed, and so has the page.
    site.write("file 0", "longer");
    assert_eq!(ask(&mut client, "GET", "/", &[("If-None-Match", &tag)]).status, 200);
}

#[test]
fn large_directories_are_cut() {
    let site = Site::new();
    for at in 0..5_001 {
        std::fs::File::create(site.path(format!("{at:04}"))).expect("a place to write");
    }
    let server = serve(site.files().with_listing(true));
    let mut client = Client::connect(&server);
    let page = client.get("/");
    assert_eq!(links(&page).len(), 5_000);
    assert!(page.text().contains("only 5000 entries are listed"), "{}", page.text().len());
    std::fs::remove_file(site.path("0000")).expect("it is there");
    let page = client.get("/");
    assert_eq!(links(&page).len(), 5_000);
    assert!(!page.text().contains("are listed"));
    let site = Site::new();
    let page = Client::connect(&serve(site.files().with_listing(true))).get("/");
    assert!(page.text().contains("This folder is empty"));
}

/// Clients that do not read their pages hold a bounded number of bytes, each of them a quarter, and small pages do not count.
#[test]
fn pages_on_their_way_are_bounded() {
    const BOUND: usize = 64 << 20;
    let site = Site::new().with("small/file", "x");
    // What is escaped makes large pages of few names.
    std::fs::create_dir(site.path("large")).expect("a place to write");
    for at in 0..4_000 {
        let name = format!("large/{at}{}", "\"".repeat(240));
        std::fs::File::create(site.path(name)).expect("a place to write");
    }
    // One at a time is made, and yet many are on their way.
    let server = serve(site.files().with_listing(true).making(18 << 20));
    let mut client = Client::connect(&server);
    client.send(request("HEAD", "/large/"));
    let page = client.answer_to_head();
    let length: usize = page.field("content-length").expect("a length").parse().expect("a number");
    let each = BOUND / 4 / length;
    assert!(each > 0, "{length}");
    let others = |at: usize| stream_from(&server, u8::try_from(2 + at / each).expect("few clients"));
    let mut slow: Vec<Client> = (0..BOUND / length)
        .map(|at| {
            let mut client = Client::tcp(others(at));
            client.send(request("GET", "/large/"));
            assert_eq!(client.bytes(15), b"HTTP/1.1 200 OK", "{at}");
            if at == each - 1 {
                let answer = Client::tcp(others(at)).get("/large/");
                assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")), "a quarter");
            }
            client
        })
        .collect();
    let answer = client.get("/large/");
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
    assert_eq!(client.get("/small/").status, 200);
    slow.pop();
    eventually("there is room again", || client.get("/large/").status == 200);
}

/// Listings that are being made have so many bytes, and small ones need none of them.
#[test]
fn listings_in_the_making_are_bounded() {
    let site = Site::new();
    for (folder, first) in [("small", "0"), ("large", "0"), ("hidden", ".0")] {
        std::fs::create_dir(site.path(folder)).expect("a place to write");
        for at in 0..if folder == "small" { 100 } else { 110 } {
            let name = format!("{folder}/{first}{at:03}");
            std::fs::File::create(site.path(name)).expect("a place to write");
        }
    }
    // Ten entries of four bytes are ten times 576.
    for (bytes, large) in [(0, 503), (5759, 503), (5760, 200)] {
        let server = serve(site.files().with_listing(true).making(bytes));
        let mut client = Client::connect(&server);
        // Twice: what one has drawn it gives back.
        for (path, status) in [("/small/", 200), ("/large/", large), ("/hidden/", 200)].repeat(2) {
            let answer = client.get(path);
            let wait = (status == 503).then_some("1");
            assert_eq!((answer.status, answer.field("retry-after")), (status, wait), "{path}, {bytes}");
        }
    }
}
