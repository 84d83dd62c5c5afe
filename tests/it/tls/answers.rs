//! What is said over TLS arrives, byte by byte: requests and answers of every form.

use super::client::{Offer, client, send_close_notify, with};
use super::pki::{Folder, tls};
use super::serve;
use crate::support::{Client, PATIENCE, eventually, post, request};
use rustls::version::{TLS12, TLS13};
use selvedge::clock::Clock;
use selvedge::net::Address;
use selvedge::{Body, HeaderValue, Request, Response, Router, Server, StatusCode, Streaming, Upgraded};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

const LARGE: usize = 10 << 20;

/// Bytes of which none is where another should be.
fn pattern() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut state = 1_u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(LARGE).collect()
    })
}

/// How many bytes a path asks for.
fn wanted(request: &Request) -> usize {
    request.query().and_then(|count| count.parse().ok()).unwrap_or(LARGE)
}

/// Answers of every form, with as many bytes as the query says; requests are given back.
fn router(file: PathBuf) -> Router {
    let ok = |body| Response::new(StatusCode::OK).with_body(body);
    let range = file.clone();
    Router::new()
        .get("/memory", move |request: &mut Request| ok(Body::from(&pattern()[..wanted(request)])))
        .get("/file", move |request: &mut Request| {
            ok(Body::file_range(File::open(&file).expect("it is there"), 0, wanted(request) as u64))
        })
        .get("/middle", move |request: &mut Request| {
            ok(Body::file_range(File::open(&range).expect("it is there"), 1001, wanted(request) as u64))
        })
        .get("/reader", move |request: &mut Request| ok(Body::reader(&pattern()[..wanted(request)])))
        .get("/sized", move |request: &mut Request| {
            let length = wanted(request);
            ok(Body::sized_reader(&pattern()[..length], length as u64))
        })
        .get("/nothing", |_: &mut Request| StatusCode::NO_CONTENT)
        .post("/echo", |request: &mut Request| Response::text(request.body().to_vec()))
        .post(
            "/streamed",
            Streaming(|request: &mut Request| {
                let mut body = Vec::new();
                let read = request.body_reader().read_to_end(&mut body);
                Response::text(if read.is_ok() { body } else { b"broken off".to_vec() })
            }),
        )
}

#[test]
fn answers_of_every_form() {
    let folder = Folder::new("answers");
    let file = folder.write("large", pattern());
    let server = serve(|_| (), router(file));
    let config = |version| Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
    let configs = [config(&TLS12), config(&TLS13)];
    let lengths =
        [0, 1, 100, (16 << 10) - 1, 16 << 10, (16 << 10) + 1, (64 << 10) - 500, 64 << 10, 200_000, LARGE];
    for config in &configs {
        let mut client = with(&server, config, "localhost");
        for path in ["/memory", "/file", "/middle", "/reader", "/sized"] {
            for length in lengths {
                let length = if path == "/middle" { length.min(LARGE - 1001) } else { length };
                let answer = client.get(&format!("{path}?{length}"));
                let from = if path == "/middle" { 1001 } else { 0 };
                assert!(answer.body == pattern()[from..from + length], "{path} {length}");
                assert_eq!(answer.status, 200);
            }
        }
    }
}

#[test]
fn answers_without_bodies() {
    let folder = Folder::new("bodiless");
    let server = serve(|_| (), router(folder.write("large", pattern())));
    let mut client = client(&server);
    for path in ["/memory?1000", "/file?1000", "/reader?1000", "/sized?1000"] {
        client.send(request("HEAD", path));
        let answer = client.answer_to_head();
        let chunked = path.starts_with("/reader");
        assert_eq!(answer.field("content-length"), (!chunked).then_some("1000"), "{path}");
    }
    assert_eq!(client.get("/nothing").status, 204);
    assert_eq!(client.get("/missing").status, 404);
}

#[test]
fn requests_with_bodies() {
    let folder = Folder::new("bodies");
    let server = serve(|_| (), router(folder.write("large", "")));
    let body = String::from_utf8(pattern()[..1 << 20].iter().map(|byte| b'a' + byte % 26).collect())
        .expect("letters");
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        let mut client = with(&server, &config, "localhost");
        for path in ["/echo", "/streamed"] {
            for length in [0, 1, 1000, (16 << 10) - 100, 16 << 10, 100_000, 1 << 20] {
                let body = &body[..length];
                assert!(client.ask(post(path, body)).text() == body, "{path} {length}");
                let head =
                    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
                let mut chunks = String::new();
                for chunk in body.as_bytes().chunks(5000) {
                    let text = std::str::from_utf8(chunk).expect("letters");
                    write!(chunks, "{:x}\r\n{text}\r\n", chunk.len()).expect("to memory");
                }
                assert!(
                    client.ask(format!("{head}{chunks}0\r\n\r\n")).text() == body,
                    "{path} {length} in chunks"
                );
            }
            // Asked for.
            client.send(format!(
                "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            ));
            assert_eq!(client.answer().status, 100, "{path}");
            assert_eq!(client.ask("hello").text(), "hello", "{path}");
        }
    }
}

/// Many requests in few records, and one in many.
#[test]
fn requests_and_records() {
    let folder = Folder::new("records");
    let server = serve(|_| (), router(folder.write("large", "")));
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(Offer { versions: &[version], ..Offer::default() }.config());
        let mut client = with(&server, &config, "localhost");
        let requests: String = (0..200).map(|number| post("/echo", &number.to_string())).collect();
        client.send(&requests);
        for number in 0..200 {
            assert_eq!(client.answer().text(), number.to_string(), "{version:?}");
        }
        for byte in post("/echo", "hello").bytes() {
            client.send([byte]);
        }
        assert_eq!(client.answer().text(), "hello", "{version:?}");
        client.send(requests + "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        send_close_notify(&mut client);
        for number in 0..200 {
            assert_eq!(client.answer().text(), number.to_string(), "{version:?}");
        }
        assert_eq!(client.last_answer().status, 204, "{version:?}");
    }
}

const WISH: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n";

/// Another protocol over TLS: what came with the request is there, and whoever leaves is known to have left.
#[test]
fn upgrades() {
    fn shout(mut stream: Upgraded) {
        assert!(stream.try_clone().is_err(), "one thread encrypts");
        let mut word = [0; 5];
        loop {
            match stream.read_exact(&mut word) {
                Ok(()) if word == *b"leave" => return,
                Ok(()) if word == *b"panic" => panic!("as it was told"),
                Ok(()) => stream.write_all(&word.to_ascii_uppercase()).expect("it reads"),
                Err(_) => return stream.write_all(b"BYE").expect("it reads"),
            }
        }
    }
    let server = serve(|_| (), |_: &mut Request| Response::upgrade(HeaderValue::from_static("shout"), shout));
    for (last, words) in [("leave", &b""[..]), ("panic", b""), ("", b"BYE")] {
        let mut client = client(&server);
        assert_eq!(client.ask(format!("{WISH}helloth")).status, 101);
        assert_eq!(client.bytes(5), b"HELLO");
        client.send("ere");
        assert_eq!(client.bytes(5), b"THERE");
        client.send(last);
        if last.is_empty() {
            send_close_notify(&mut client);
        }
        assert_eq!(client.bytes(words.len()), words);
        client.expect_end();
    }
}

/// Who is told to end reads an end, though the client has said nothing of one, and can say goodbye.
#[test]
fn upgrades_at_the_end_of_the_server() {
    let clock = Clock::manual();
    let speak = |mut stream: Upgraded| {
        let end = stream.read(&mut [0; 5]).ok();
        stream.write_all(if end == Some(0) { b"BYE" } else { b"???" }).expect("it reads");
    };
    let handler = move |_: &mut Request| Response::upgrade(HeaderValue::from_static("shout"), speak);
    let server = Server::builder()
        .clock(clock.clone())
        .bind_tls("127.0.0.1:0", &tls())
        .and_then(|builder| builder.serve(handler))
        .expect("it starts");
    let mut client = client(&server);
    assert_eq!(client.ask(WISH).status, 101);
    eventually("it is seen", || server.threads().to_string().contains("upgraded"));
    clock.advance(Duration::from_millis(1100));
    let report = server.shutdown(PATIENCE);
    assert_eq!(report.cut.len(), 0, "{report}");
    assert_eq!(client.bytes(3), b"BYE");
    client.expect_end();
}

/// Unix sockets stay plain, and so do connections from elsewhere that are.
#[test]
fn what_stays_plain() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}.sock", std::process::id()));
    let handler = |request: &mut Request| format!("{} {}", request.scheme(), request.tls().is_some());
    let server = Server::builder()
        .bind_tls(&format!("unix:{}", path.display()), &tls())
        .and_then(|builder| builder.bind_tls("127.0.0.1:0", &tls()))
        .and_then(|builder| builder.serve(handler))
        .expect("it starts");
    assert!(matches!(server.addresses(), [Address::Unix(_), Address::Tls(_)]));
    assert!(server.addresses()[1].to_string().starts_with("https://127.0.0.1:"));
    let plain = |stream: UnixStream| {
        let answer = Client::unix(stream).get("/");
        assert_eq!((answer.text(), answer.field("strict-transport-security")), ("http false", None));
    };
    plain(UnixStream::connect(&path).expect("it listens"));
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    thread::scope(|scope| {
        scope.spawn(|| server.serve_connection(theirs, None));
        plain(ours);
    });
    assert_eq!(client(&server).get("/").text(), "https true");
}
