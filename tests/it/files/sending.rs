//! How files are sent, and what becomes of those that change meanwhile.

use super::{Site, ask, pattern, serve};
use crate::support::{Broken, Client, request};
use selvedge::{HeaderValue, Stream};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

/// More than the buffers on the way take.
const LARGE: usize = 24 << 20;
/// What is left of a file that shrinks.
const LEFT: usize = 30_000;

/// A request of which the answer has begun to arrive; `change` happens before the rest of it does.
fn changed_under_way(site: &Site, field: &str, change: impl FnOnce(&File)) -> Result<Vec<u8>, Vec<u8>> {
    let server = serve(site.files().with_gzip(true));
    let mut client = Client::connect(&server);
    client.send(format!("GET /file.txt HTTP/1.1\r\nHost: a\r\n{field}\r\n"));
    let mut first = [0; 100];
    client.stream.peek(&mut first).expect("an answer");
    change(&File::options().write(true).open(site.path("file.txt")).expect("it is there"));
    match client.read(false) {
        Ok(answer) => Ok(answer.body),
        Err(Broken::Incomplete(answer)) => Err(answer.body),
        Err(broken) => panic!("{broken:?}"),
    }
}

/// A file that has become shorter ends the connection, whatever of it was asked for: what has arrived is right, and seen to
/// be incomplete.
#[test]
fn files_that_shrink() {
    let content = pattern(LARGE);
    for field in [
        "",
        "Range: bytes=1000-\r\n",
        "Range: bytes=0-20000000,21000000-30000000\r\n",
        "Range: bytes=0-9,1000-\r\n",
        "Accept-Encoding: gzip\r\n",
    ] {
        let site = Site::new().with("file.txt", &content);
        let arrived =
            changed_under_way(&site, field, |file| file.set_len(LEFT as u64).expect("it can shrink"));
        let arrived = arrived.expect_err("it is incomplete");
        assert!(arrived.len() < LARGE, "{field}: {}", arrived.len());
        if field.is_empty() {
            // The rest of the page that it ends in was zeroed on its way.
            assert!(arrived[..LEFT] == content[..LEFT]);
        }
    }
}

/// Of one that has grown, what was promised is sent.
#[test]
fn files_that_grow() {
    let content = pattern(LARGE);
    let site = Site::new().with("file.txt", &content);
    for (field, from) in [("", 0), ("Range: bytes=1000-\r\n", 1000)] {
        let arrived = changed_under_way(&site, field, |file| {
            file.set_len(2 * LARGE as u64).expect("it can grow");
        });
        assert!(arrived.expect("it is complete") == content[from..], "{field}");
        site.write("file.txt", &content);
    }
    // What a new file of the same name holds is for the next.
    let arrived = changed_under_way(&site, "", |_| {
        site.write("new", "new");
        std::fs::rename(site.path("new"), site.path("file.txt")).expect("it moves");
    });
    assert!(arrived.expect("it is complete") == content);
    assert_eq!(Client::connect(&site.serve()).get("/file.txt").text(), "new");
}

/// A stream the kernel cannot send files to.
struct Pipe(UnixStream);

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The same bytes arrive, whether the kernel sends them or not.
#[test]
fn any_stream_will_do() {
    let content = pattern(1_000_000);
    let site = Site::new().with("file.txt", &content);
    let server = site.serve();
    for copied in [false, true] {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        thread::scope(|scope| {
            let stream = if copied { Stream::other(Pipe(theirs)) } else { theirs.into() };
            scope.spawn(|| server.serve_connection(stream, None));
            let mut client = Client::unix(ours);
            assert!(client.get("/file.txt").body == content, "{copied}");
            let range =
                request("GET", "/file.txt").replace("\r\n\r\n", "\r\nRange: bytes=100000-299999\r\n\r\n");
            assert!(client.ask(range).body == content[100_000..300_000], "{copied}");
            let ranges =
                request("GET", "/file.txt").replace("\r\n\r\n", "\r\nRange: bytes=0-199999,5-9\r\n\r\n");
            let parts = client.ask(ranges).body;
            assert!(parts.windows(200_000).any(|part| part == &content[..200_000]), "{copied}");
        });
    }
}

/// Those who read their answers slowly are not among the requests in flight.
#[test]
fn slow_readers_hold_no_permit() {
    let site = Site::new().with("large", pattern(LARGE)).with("small", "small");
    let configure = |config: &mut selvedge::Config| (config.max_in_flight, config.max_queued) = (1, 0);
    let server = crate::support::serve(configure, site.files());
    let slow: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = Client::connect(&server);
            client.send(request("GET", "/large"));
            client.stream.peek(&mut [0; 100]).expect("an answer");
            client
        })
        .collect();
    assert_eq!(Client::connect(&server).get("/small").text(), "small");
    drop(slow);
}

/// Nobody wants the body of GET, so nobody waits for it, or asks for it; what comes of it is thrown away.
#[test]
fn nobody_waits_for_bodies() {
    let site = Site::new().with("a", "hello");
    let server = serve(site.files());
    let mut client = Client::connect(&server);
    client.send("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(client.answer().text(), "hello");
    client.send("world");
    assert_eq!(client.get("/a").text(), "hello");
    // Where it ends nobody can tell without having read it.
    for fields in
        ["Expect: 100-continue\r\nContent-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 1000000"]
    {
        let mut client = Client::connect(&server);
        client.send(format!("GET /a HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.closes()), (200, true), "{fields}");
    }
}

#[test]
fn fields_of_an_answer() {
    let site = Site::new().with("a.txt", "0123456789").with("a.png", "x");
    let server = serve(site.files().with_cache_control(HeaderValue::from_static("public, max-age=3600")));
    let mut client = Client::connect(&server);
    for (path, fields, status, cached) in [
        ("/a.txt", &[][..], 200, true),
        ("/a.txt", &[("Range", "bytes=0-1")], 206, true),
        ("/a.txt", &[("Range", "bytes=0-1,3-4")], 206, true),
        ("/a.txt", &[("If-None-Match", "*")], 304, true),
        ("/a.txt", &[("If-Match", "\"x\"")], 412, false),
        ("/a.txt", &[("Range", "bytes=10-")], 416, false),
        ("/nowhere", &[], 404, false),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = ask(&mut client, method, path, fields);
            let status = if method == "HEAD" && matches!(status, 206 | 416) { 200 } else { status };
            assert_eq!(answer.status, status, "{method} {fields:?}");
            let expected = (cached || status == 200).then_some("public, max-age=3600");
            assert_eq!(answer.field("cache-control"), expected, "{method} {fields:?}");
        }
    }
    assert_eq!(client.get("/a.txt").field("vary"), Some("Accept-Encoding"));
    assert_eq!(client.get("/a.png").field("vary"), None);
}
