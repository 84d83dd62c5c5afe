//! The life of a connection: which requests are answered, with what, and whether it goes on.

use crate::support::{Broken, Client, builder, eventually, ms, post, request};
use selvedge::{Exchange, Guard, Method, Refusal, Request, Response, Server, StatusCode};

use Then::{Closed, Open};

/// What becomes of the connection after the last expected answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Open,
    Closed,
}

/// Forbids `/forbidden`, whose bodies are then not read.
struct Forbid;

impl Guard for Forbid {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        match exchange.request().path() {
            "/forbidden" => Err(Refusal::new(StatusCode::FORBIDDEN, "forbidden")),
            _ => Ok(()),
        }
    }
}

/// Says what it was asked: `METHOD path body`.
fn echo(request: &mut Request) -> Response {
    let (method, path) = (request.method(), request.path());
    let mut text = format!("{method} {path} {}", String::from_utf8_lossy(request.body()));
    for (name, value) in request.trailers().into_iter().flatten() {
        text.extend([" ", name.as_str(), "=", &String::from_utf8_lossy(value.as_bytes())]);
    }
    let response = Response::text(text);
    if request.path() == "/closing" { response.closing() } else { response }
}

fn server() -> Server {
    builder(|config| config.max_body = 100_000).guard(Forbid).serve(echo).expect("it starts")
}

/// Sends `bytes`, whole and then byte by byte, and expects answers: each its status, and for 200 its text.
#[track_caller]
fn check(server: &Server, (name, bytes, expected, then): &(&str, impl AsRef<[u8]>, &[&str], Then)) {
    let bytes = bytes.as_ref();
    for piece in [bytes.len().max(1), 1] {
        let at = format!("{name}, {piece} at a time");
        let mut client = Client::connect(server);
        bytes.chunks(piece).for_each(|piece| client.send_regardless(piece));
        for expected in *expected {
            let answer =
                client.read(false).unwrap_or_else(|broken| panic!("{at}: {broken:?}, not {expected}"));
            let got = match answer.status {
                200 => format!("200 {}", answer.text()),
                status => status.to_string(),
            };
            assert_eq!(got, *expected, "{at}");
        }
        match then {
            Closed => assert_eq!(client.read(false), Err(Broken::Ended), "{at}: not closed"),
            Open => {
                client.send_regardless(request("GET", "/then"));
                let answer = client.read(false).unwrap_or_else(|broken| panic!("{at}: closed, {broken:?}"));
                assert_eq!(answer.text(), "GET /then ", "{at}");
            }
        }
    }
}

type Row = (&'static str, &'static str, &'static [&'static str], Then);

const PERSISTENCE: &[Row] = &[
    ("1.1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &["200 GET / "], Open),
    ("1.1 keep-alive", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", &["200 GET / "], Open),
    ("1.1 close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &["200 GET / "], Closed),
    (
        "1.1 close in a list",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
        &["200 GET / "],
        Closed,
    ),
    (
        "1.1 keep-alive, close",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n",
        &["200 GET / "],
        Closed,
    ),
    ("1.2 is served as 1.1", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", &["200 GET / "], Open),
    ("1.0", "GET / HTTP/1.0\r\n\r\n", &["200 GET / "], Closed),
    ("1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &["200 GET / "], Open),
    (
        "1.0 keep-alive, close",
        "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        &["200 GET / "],
        Closed,
    ),
    ("1.0 with a body", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", &["200 POST / hi"], Closed),
    ("closed by the handler", "GET /closing HTTP/1.1\r\nHost: a\r\n\r\n", &["200 GET /closing "], Closed),
    (
        "nothing after close is served",
        "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["200 GET /1 "],
        Closed,
    ),
];

#[test]
fn persistence() {
    let server = server();
    for row in PERSISTENCE {
        check(&server, row);
    }
}

const MESSAGES: &[Row] = &[
    ("an empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["200 GET / "], Open),
    (
        "an empty line between",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["200 POST / hi", "200 GET /2 "],
        Open,
    ),
    ("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["400"], Closed),
    ("no body", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", &["200 POST / "], Open),
    ("an empty body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &["200 POST / "], Open),
    ("GET with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", &["200 GET / hi"], Open),
    (
        "chunks",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=\"y\"\r\n yo\r\n0\r\n\r\n",
        &["200 POST / hi yo"],
        Open,
    ),
    (
        "no chunks",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &["200 POST / "],
        Open,
    ),
    (
        "trailers",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
        &["200 POST / hi x-sum=7"],
        Open,
    ),
    (
        "forbidden trailers",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n",
        &["400"],
        Closed,
    ),
    (
        "a chunk longer than its size",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
        &["400"],
        Closed,
    ),
    (
        "a pipelined POST and GET",
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["200 POST /1 hi", "200 GET /2 "],
        Open,
    ),
    (
        "chunks and a pipelined GET",
        "POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
         GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["200 POST /1 hi", "200 GET /2 "],
        Open,
    ),
    ("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &["200 OPTIONS * "], Open),
    ("an absolute target", "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", &["200 GET /b "], Open),
];

#[test]
fn messages() {
    let server = server();
    for row in MESSAGES {
        check(&server, row);
    }
}

const REFUSALS: &[Row] = &[
    ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", &["505"], Closed),
    ("HTTP/0.9", "GET /\r\n", &["400"], Closed),
    ("no HTTP at all", "\x16\x03\x01\x02", &["400"], Closed),
    ("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", &["501"], Closed),
    ("an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", &["501"], Closed),
    (
        "an unknown coding, then chunked",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        &["501"],
        Closed,
    ),
    ("coding in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &["400"], Closed),
    ("no Host", "GET / HTTP/1.1\r\n\r\n", &["400"], Closed),
    ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", &["400"], Closed),
    ("a bare LF", "GET / HTTP/1.1\nHost: a\n\n", &["400"], Closed),
    ("a folded field", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", &["400"], Closed),
    ("a space before a colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", &["400"], Closed),
    ("an unknown expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", &["417"], Closed),
    ("an unknown expectation in 1.0", "GET / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n", &["200 GET / "], Closed),
    (
        "one good, one bad",
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        &["200 GET /1 ", "400"],
        Closed,
    ),
    ("a path that climbs", "GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n", &["400"], Open),
    (
        "a body past the limit",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n",
        &["413"],
        Closed,
    ),
    (
        "a chunk past the limit",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n",
        &["413"],
        Closed,
    ),
];

#[test]
fn refusals() {
    let server = server();
    for row in REFUSALS {
        check(&server, row);
    }
}

#[test]
fn sizes() {
    let server = server();
    let line = |length: usize| {
        // `max_path` bounds the path alone.
        let query = "q".repeat(length - "GET /? HTTP/1.1\r\n".len());
        format!("GET /?{query} HTTP/1.1\r\nHost: a\r\n\r\n")
    };
    let head = |length: usize| {
        let empty = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(length - empty))
    };
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    let rows: [(&str, String, &[&str], Then); 7] = [
        ("the longest line", line(8 << 10), &["200 GET / "], Open),
        ("a longer line", line((8 << 10) + 1), &["414"], Closed),
        ("the longest head", head(32 << 10), &["200 GET / "], Open),
        ("a longer head", head((32 << 10) + 1), &["431"], Closed),
        ("the most fields", fields(100), &["200 GET / "], Open),
        ("more fields", fields(101), &["431"], Closed),
        ("a line without an end", "G".repeat(64 << 10), &["414"], Closed),
    ];
    for row in &rows {
        check(&server, row);
    }
}

#[test]
fn bodies_nobody_read() {
    let server = server();
    let small = post("/forbidden", &"x".repeat(64 << 10));
    let large = post("/forbidden", &"x".repeat((64 << 10) + 1));
    let chunked =
        "POST /forbidden HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    let disguised = post("/forbidden", &request("GET", "/smuggled"));
    let rows: [(&str, String, &[&str], Then); 5] = [
        ("small ones make way", small.clone(), &["403"], Open),
        ("and for what is pipelined", small + &request("GET", "/2"), &["403", "200 GET /2 "], Open),
        ("whatever they look like", disguised, &["403"], Open),
        ("large ones end the connection", large, &["403"], Closed),
        ("chunked ones too", chunked.into(), &["403"], Closed),
    ];
    for row in &rows {
        check(&server, row);
    }
}

/// The head of a POST that waits to be asked for its body.
fn expecting(path: &str, version: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/{version}\r\nHost: a\r\nContent-Length: {length}\r\nExpect: 100-Continue\r\n\r\n"
    )
}

#[test]
fn bodies_are_asked_for() {
    let server = server();
    let mut client = Client::connect(&server);
    for _ in 0..2 {
        let interim = client.ask(expecting("/", "1.1", 2));
        assert_eq!((interim.status, interim.fields.len()), (100, 0));
        assert_eq!(client.ask("hi").text(), "POST / hi");
    }
    // Asked for once, however it comes.
    client.send(expecting("/", "1.1", 2) + "h");
    assert_eq!(client.answer().status, 100);
    assert_eq!(client.ask("i").text(), "POST / hi");
    // Chunked.
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(client.ask(head).status, 100);
    assert_eq!(client.ask("2\r\nhi\r\n0\r\n\r\n").text(), "POST / hi");
    // There is nothing to be asked for, or it is here already.
    assert_eq!(client.ask(expecting("/", "1.1", 0)).text(), "POST / ");
    assert_eq!(client.ask(expecting("/", "1.1", 2) + "hi").text(), "POST / hi");
}

#[test]
fn refused_bodies_are_not_asked_for() {
    let server = server();
    for (path, length, status) in [("/forbidden", 2, 403), ("/", 100_001, 413), ("/a/../b", 2, 400)] {
        let mut client = Client::connect(&server);
        client.send(expecting(path, "1.1", length));
        // Whether the body will follow nobody can tell, so the connection cannot go on.
        assert_eq!(client.last_answer().status, status, "{path}");
    }
}

#[test]
fn expectations_are_unknown_to_1_0() {
    let server = server();
    let mut client = Client::connect(&server);
    client.send(expecting("/", "1.0", 2));
    client.stream.set_read_timeout(Some(ms(100))).expect("a socket");
    assert_eq!(client.read(false), Err(Broken::TimedOut));
    client.send("hi");
    assert_eq!(client.last_answer().text(), "POST / hi");
}

#[test]
fn a_client_that_half_closes_is_answered() {
    let server = server();
    let mut client = Client::connect(&server);
    client.send(request("GET", "/1") + &post("/2", "hi"));
    client.stream.shutdown(std::net::Shutdown::Write).expect("open");
    assert_eq!(client.answer().text(), "GET /1 ");
    assert_eq!(client.last_answer().text(), "POST /2 hi");
}

/// A head that ends in the middle is not answered, a body that does is refused, and the next connection is none the worse.
#[test]
fn what_breaks_off_is_not_served() {
    let server = server();
    let whole = post("/", "hello");
    let head = whole.len() - "hello".len();
    for cut in 1..whole.len() {
        let mut client = Client::connect(&server);
        client.send(&whole[..cut]);
        client.stream.shutdown(std::net::Shutdown::Write).expect("open");
        if cut >= head {
            assert_eq!(client.answer().status, 400, "cut at {cut}");
        }
        assert_eq!(client.read(false), Err(Broken::Ended), "cut at {cut}");
    }
    check(&server, &("whole", whole, &["200 POST / hello"], Open));
    eventually("those were counted", || server.monitor().counters().requests == 4 + 5);
}

#[test]
fn answers_of_1_0_say_that_the_connection_goes_on() {
    let server = server();
    let mut client = Client::connect(&server);
    let answer = client.ask("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_eq!(answer.field("connection"), Some("keep-alive"));
    assert_eq!(client.get("/").field("connection"), None);
    let answer = client.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(answer.field("connection"), Some("close"));
    client.expect_end();
}

#[test]
fn methods_are_told_apart() {
    let server = serve_methods();
    let mut client = Client::connect(&server);
    for method in ["GET", "get", "PROPFIND", "M-SEARCH", "X"] {
        assert_eq!(client.ask(request(method, "/")).text(), method);
    }
}

fn serve_methods() -> Server {
    builder(|_| ())
        .serve(|request: &mut Request| Method::clone(request.method()).to_string())
        .expect("it starts")
}
