//! Answers on the wire: every kind of body, the statuses without one, and what the server adds or leaves out.

use crate::support::{Answer, Broken, Client, ms, request, serve};
use selvedge::{Body, HeaderValue, Part, Request, Response};
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

/// More than one block of everything, and more than socket buffers take at once.
const LARGE: usize = 9 << 20;

/// Bytes of which no two neighbourhoods are alike.
fn pattern(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8).collect()
}

/// A file that is gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("answers-{name}-{}", std::process::id()));
        std::fs::write(&path, content).expect("a place to write");
        Scratch(path)
    }

    fn open(&self) -> File {
        File::open(&self.0).expect("it is there")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Gives a few bytes at a time, as a slow source does.
struct Trickle<R>(R);

impl<R: Read> Read for Trickle<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(3000);
        self.0.read(&mut buffer[..most])
    }
}

/// Gives `good` bytes and then fails.
struct Failing {
    good: usize,
    panics: bool,
}

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.good == 0 && self.panics {
            std::panic::resume_unwind(Box::new("the secret cause"));
        }
        if self.good == 0 {
            return Err(io::Error::other("the secret cause"));
        }
        let count = buffer.len().min(self.good);
        buffer[..count].fill(b'x');
        self.good -= count;
        Ok(count)
    }
}

/// Ranges of a file, each in brackets.
fn parts(file: File, ranges: &[Range<u64>]) -> Body {
    let part = |range: &Range<u64>| {
        let len = range.end - range.start;
        [Part::Bytes("<".into()), Part::File { offset: range.start, len }, Part::Bytes(">".into())]
    };
    Body::parts(file, ranges.iter().flat_map(part).collect())
}

fn len_of(answer: &Answer) -> Option<usize> {
    answer.field("content-length").map(|length| length.parse().expect("a number"))
}

/// Every kind of body arrives as it is, over 1.1 and 1.0; HEAD has the same fields and none of it.
#[test]
fn bodies() {
    let large = Scratch::new("large", &pattern(LARGE));
    let small = Scratch::new("small", &pattern(1000));
    let files = (large.open(), small.open());
    let server = serve(
        |_| (),
        move |request: &mut Request| {
            let open = |file: &File| file.try_clone().expect("a descriptor");
            let (large, small) = (open(&files.0), open(&files.1));
            Response::text(match request.path() {
                "/empty" => Body::empty(),
                "/bytes/small" => pattern(1000).into(),
                // As much as leaves with the head, and one more.
                "/bytes/16K" => pattern(16 << 10).into(),
                "/bytes/16K+1" => pattern((16 << 10) + 1).into(),
                "/bytes/large" => pattern(LARGE).into(),
                "/file/small" => Body::file(small).expect("a length"),
                "/file/large" => Body::file(large).expect("a length"),
                "/file/range" => Body::file_range(large, 1000, 2_000_000),
                "/file/small-range" => Body::file_range(large, 4096, 10),
                "/parts/none" => Body::parts(large, Vec::new()),
                "/parts/small" => parts(large, &[0..10, 5000..5020]),
                "/parts/gathered" => parts(large, &[0..16_000, 20_000..20_500, 30_000..46_384]),
                "/parts/large" => {
                    parts(large, &[0..100, 1000..3_000_000, 3_000_000..3_000_000, 4_000_000..6_000_000])
                }
                "/parts/large-bytes" => Body::parts(
                    small,
                    vec![Part::Bytes(pattern(100_000).into()), Part::File { offset: 0, len: 1000 }],
                ),
                "/parts/bytes-last" => Body::parts(
                    small,
                    vec![Part::File { offset: 0, len: 1000 }, Part::Bytes(pattern(100_000).into())],
                ),
                "/reader" => Body::reader(Trickle(io::Cursor::new(pattern(100_000)))),
                "/reader/empty" => Body::reader(io::empty()),
                "/reader/sized" => Body::sized_reader(Trickle(io::Cursor::new(pattern(100_000))), 90_000),
                "/reader/sized-zero" => Body::sized_reader(io::repeat(b'x'), 0),
                path => panic!("{path}"),
            })
        },
    );
    let whole = pattern(LARGE);
    let rows: &[(&str, &[u8], bool)] = &[
        ("/empty", &[], true),
        ("/bytes/small", &pattern(1000), true),
        ("/bytes/16K", &whole[..16 << 10], true),
        ("/bytes/16K+1", &whole[..=16 << 10], true),
        ("/bytes/large", &whole, true),
        ("/file/small", &whole[..1000], true),
        ("/file/large", &whole, true),
        ("/file/range", &whole[1000..2_001_000], true),
        ("/file/small-range", &whole[4096..4106], true),
        ("/parts/none", &[], true),
        ("/parts/small", &[b"<", &whole[..10], b"><", &whole[5000..5020], b">"].concat(), true),
        (
            "/parts/gathered",
            &[b"<", &whole[..16_000], b"><", &whole[20_000..20_500], b"><", &whole[30_000..46_384], b">"]
                .concat(),
            true,
        ),
        (
            "/parts/large",
            &[
                b"<",
                &whole[..100],
                b"><",
                &whole[1000..3_000_000],
                b"><><",
                &whole[4_000_000..6_000_000],
                b">",
            ]
            .concat(),
            true,
        ),
        ("/parts/large-bytes", &[&whole[..100_000], &whole[..1000]].concat(), true),
        ("/parts/bytes-last", &[&whole[..1000], &whole[..100_000]].concat(), true),
        ("/reader", &whole[..100_000], false),
        ("/reader/empty", &[], false),
        ("/reader/sized", &whole[..90_000], true),
        ("/reader/sized-zero", &[], true),
    ];
    let mut client = Client::connect(&server);
    for (path, expected, sized) in rows {
        let got = client.get(path);
        assert!(got.status == 200 && got.body == *expected, "{path}: {} bytes", got.body.len());
        assert_eq!(len_of(&got), sized.then_some(expected.len()), "{path}");

        client.send(request("HEAD", path));
        let head = client.answer_to_head();
        for name in ["content-length", "transfer-encoding", "content-type"] {
            assert_eq!(head.field(name), got.field(name), "{path}");
        }

        let mut old = Client::connect(&server);
        old.send(format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
        let got = old.answer();
        assert!(got.body == *expected, "{path}: {} bytes", got.body.len());
        assert_eq!((len_of(&got), got.field("transfer-encoding")), (sized.then_some(expected.len()), None));
        // Without a length, the end of the connection is the end of the body.
        assert_eq!(got.closes(), !sized, "{path}");
        assert_eq!(old.try_get("/empty").is_none(), !sized, "{path}");
    }
}

/// A body that cannot be finished is seen to be incomplete, and nothing of the cause is.
#[test]
fn bodies_that_fail() {
    let file = Scratch::new("shrinking", &pattern(LARGE));
    let path = file.0.clone();
    let server = serve(
        |_| (),
        move |request: &mut Request| {
            let good = 20_000;
            Response::text(match request.path() {
                "/error" => Body::reader(Failing { good, panics: false }),
                "/panic" => Body::reader(Failing { good, panics: true }),
                "/sized/error" => Body::sized_reader(Failing { good, panics: false }, 30_000),
                "/sized/panic" => Body::sized_reader(Failing { good, panics: true }, 30_000),
                "/sized/short" => Body::sized_reader(&b"short"[..], 30_000),
                "/shrunk" => {
                    let file = File::options().read(true).write(true).open(&path).expect("it is there");
                    let body = Body::file(file.try_clone().expect("a descriptor")).expect("a length");
                    file.set_len(50_000).expect("it can shrink");
                    body
                }
                "/beyond" => Body::file_range(File::open(&path).expect("it is there"), u64::MAX, 50_000),
                "/shrunk/parts" => {
                    parts(File::open(&path).expect("it is there"), &[0..40_000, 45_000..65_000])
                }
                path => panic!("{path}"),
            })
        },
    );
    for (path, arrives) in [
        ("/error", 20_000),
        ("/panic", 20_000),
        ("/sized/error", 20_000),
        ("/sized/panic", 20_000),
        ("/sized/short", 5),
        ("/shrunk", 50_000),
        ("/beyond", 0),
        // It stays as short.
        ("/shrunk/parts", 1 + 40_000 + 2 + 5_000),
    ] {
        let mut client = Client::connect(&server);
        client.send(request("GET", path));
        match client.read(false) {
            Err(Broken::Incomplete(answer)) => {
                assert_eq!((answer.status, answer.body.len()), (200, arrives), "{path}");
                assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(server.monitor().counters().panics, 2);
    // Where the end of the connection is that of the body, there must be another one (RFC 9112 §8).
    for path in ["/error", "/panic"] {
        let mut old = Client::connect(&server);
        old.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_eq!(old.read(false), Err(Broken::Reset), "{path}");
    }
}

/// As long as nothing of an answer is out, the client is told that there is none.
#[test]
fn bodies_that_fail_before_their_first_byte() {
    let file = Scratch::new("short", &pattern(100));
    let path = file.0.clone();
    let server = serve(
        |_| (),
        move |request: &mut Request| {
            let failing = |panics| Failing { good: 0, panics };
            let short = || File::open(&path).expect("it is there");
            Response::text(match request.path() {
                "/error" => Body::reader(failing(false)),
                "/panic" => Body::reader(failing(true)),
                "/sized/error" => Body::sized_reader(failing(false), 30_000),
                "/sized/panic" => Body::sized_reader(failing(true), 30_000),
                "/sized/empty" => Body::sized_reader(io::empty(), 30_000),
                "/shrunk" => Body::file_range(short(), 0, 200),
                "/shrunk/parts" => parts(short(), &[0..50, 50..200]),
                path => panic!("{path}"),
            })
            .with_header("x-of-the-other", "yes")
        },
    );
    let rows =
        ["/error", "/panic", "/sized/error", "/sized/panic", "/sized/empty", "/shrunk", "/shrunk/parts"];
    for path in rows {
        // Who asks for no body has none that fails.
        let mut client = Client::connect(&server);
        client.send(request("HEAD", path));
        assert_eq!(client.answer_to_head().status, 200, "{path}");
        client.send(request("GET", path));
        let answer = client.last_answer();
        assert_eq!((answer.status, answer.closes()), (500, true), "{path}");
        assert_eq!(answer.field("x-of-the-other"), None, "{path}");
        assert!(answer.text().contains("Internal Server Error"), "{path}: {answer:?}");
        let mut old = Client::connect(&server);
        assert_eq!(old.ask(format!("GET {path} HTTP/1.0\r\n\r\n")).status, 500, "{path}");
        old.expect_end();
    }
    assert_eq!(server.monitor().counters().panics, 4);
    let totals = server.monitor().totals();
    let refused = totals.refusals.iter().find(|(reason, _)| *reason == "answer could not be made");
    assert_eq!(refused.map(|(_, count)| *count), Some(2 * rows.len() as u64));
}

/// A file that shrinks while it is being sent, not before.
#[test]
fn a_file_cut_short_under_way() {
    let file = Scratch::new("cut", &pattern(4 * LARGE));
    let path = file.0.clone();
    let server = serve(
        |_| (),
        move |_: &mut Request| {
            Response::text(Body::file(File::open(&path).expect("it is there")).expect("a length"))
        },
    );
    let mut client = Client::connect(&server);
    client.send(request("GET", "/"));
    // The first bytes are out; the rest does not fit into the buffers between here and there.
    let mut first = [0; 100];
    client.stream.read_exact(&mut first).expect("an answer");
    File::options().write(true).open(&file.0).expect("it is there").set_len(0).expect("it can shrink");
    let mut rest = Vec::new();
    client.stream.read_to_end(&mut rest).expect("an end");
    assert!(rest.len() < 4 * LARGE, "{}", rest.len());
}

#[test]
fn statuses_without_a_body() {
    let server = serve(
        |_| (),
        |request: &mut Request| {
            let status = request.path()[1..].parse().expect("a status");
            Response::text("a body there cannot be").with_status(status)
        },
    );
    let mut client = Client::connect(&server);
    for (status, length) in [(204, None), (304, None), (205, Some(0))] {
        let answer = client.get(&format!("/{status}"));
        assert_eq!((answer.status, len_of(&answer), answer.body.len()), (status, length, 0));
        client.send(request("HEAD", &format!("/{status}")));
        let answer = client.answer_to_head();
        assert_eq!((answer.status, len_of(&answer)), (status, length));
    }
    // Interim answers are not a handler's to give.
    for status in [100, 101, 103] {
        assert_eq!(client.get(&format!("/{status}")).status, 500);
    }
    // A status of nobody's has a body, and a reason.
    assert_eq!(client.get("/200").text(), "a body there cannot be");
}

#[test]
fn the_server_owns_framing() {
    let server = serve(
        |_| (),
        |_: &mut Request| {
            Response::text("hello")
                .with_header("content-length", "1")
                .with_header("transfer-encoding", "chunked")
                .with_header("connection", "close")
                .with_header("keep-alive", "timeout=1")
                .with_header("upgrade", "x")
                .with_header("x-kept", "yes")
                .with_header("bad name", "x")
                .with_header("x-bad-value", "a\r\nb: c")
        },
    );
    let mut client = Client::connect(&server);
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.text(), answer.field("content-length")), ("hello", Some("5")));
        assert_eq!(answer.field("x-kept"), Some("yes"));
        for name in ["transfer-encoding", "connection", "keep-alive", "upgrade", "x-bad-value", "b"] {
            assert_eq!(answer.field(name), None, "{name}");
        }
    }
}

const WISH: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n";

#[test]
fn upgrades() {
    let server = serve(
        |config| config.keep_alive = ms(100),
        |_: &mut Request| {
            Response::upgrade(HeaderValue::from_static("shout"), |mut stream| {
                let mut word = [0; 5];
                while stream.read_exact(&mut word).is_ok() && word != *b"leave" {
                    stream.write_all(&word.to_ascii_uppercase()).expect("it reads");
                }
            })
        },
    );
    let mut client = Client::connect(&server);
    // Who does not ask for it, or cannot, is told to.
    for (method, version, fields) in [
        ("GET", "1.1", ""),
        ("GET", "1.1", "Upgrade: shout\r\n"),
        ("GET", "1.1", "Connection: upgrade\r\n"),
        ("POST", "1.1", "Connection: upgrade\r\nUpgrade: shout\r\n"),
        ("GET", "1.0", "Connection: keep-alive, upgrade\r\nUpgrade: shout\r\n"),
    ] {
        let answer = client.ask(format!("{method} / HTTP/{version}\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!((answer.status, answer.field("upgrade")), (426, Some("shout")), "{method} {fields}");
    }
    // The first word comes with the request, half of the second one too.
    let answer = client.ask(format!("{WISH}helloth"));
    assert_eq!((answer.status, answer.field("connection")), (101, Some("upgrade")));
    assert_eq!(answer.field("upgrade"), Some("shout"));
    assert_eq!(client.bytes(5), b"HELLO");
    client.send("ere");
    assert_eq!(client.bytes(5), b"THERE");
    // Other rules than those of HTTP hold now: this is longer than a connection may be idle.
    client.stream.set_read_timeout(Some(ms(250))).expect("a socket");
    assert_eq!(client.read(false), Err(Broken::TimedOut));
    client.send("leave");
    client.expect_end();
}

#[test]
fn upgrades_that_panic() {
    let server = serve(
        |_| (),
        |_: &mut Request| {
            Response::upgrade(HeaderValue::from_static("shout"), |_| {
                std::panic::resume_unwind(Box::new("cause"))
            })
        },
    );
    let mut client = Client::connect(&server);
    assert_eq!(client.ask(WISH).status, 101);
    client.expect_end();
    assert_eq!(server.monitor().counters().panics, 1);
}

/// An answer that goes on for longer than `write_timeout` is none too slow if its bytes keep up with the minimum rate,
/// whatever its body is made of.
#[test]
fn long_answers_are_not_cut() {
    const LENGTH: usize = 2 << 20;
    let file = Scratch::new("long", &pattern(LENGTH));
    let path = file.0.clone();
    let handler = move |request: &mut Request| {
        let file = File::open(&path).expect("it is there");
        Response::text(match request.path() {
            "/bytes" => pattern(LENGTH).into(),
            "/file" => Body::file(file).expect("a length"),
            "/sized" => Body::sized_reader(file, LENGTH as u64),
            _ => Body::reader(file),
        })
    };
    let server = serve(|config| config.write_timeout = ms(150), handler);
    let read_slowly = |path: &str| {
        // The buffers of a pair are small, so that the answer leaves as it is read.
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let mut client = Client::unix(ours);
        client.send(request("GET", path));
        thread::scope(|scope| {
            scope.spawn(|| server.serve_connection(theirs, None));
            let mut arrived = 0;
            // Three times as long as one write may take, and much faster than the minimum rate.
            for _ in 0..9 {
                thread::sleep(ms(50));
                let mut block = vec![0; 128 << 10];
                let read = client.stream.read_exact(&mut block);
                arrived += block.len();
                assert!(read.is_ok(), "{path} was cut within {arrived}: {read:?}");
            }
            drop(client);
        });
    };
    thread::scope(|scope| {
        for path in ["/bytes", "/file", "/sized", "/reader"] {
            let read_slowly = &read_slowly;
            scope.spawn(move || read_slowly(path));
        }
    });
}
