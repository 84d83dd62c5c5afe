//! The built-in application, as its users see it.
#![cfg(feature = "json")]

use crate::support::{Answer, Client, builder, ms, post, request};
use selvedge::clock::Clock;
use selvedge::config::{Config, Rate};
use selvedge::monitor::Monitor;
use selvedge::service::article;
use selvedge::{Refusal, Server};
use std::time::{Duration, Instant};

fn serve(configure: impl FnOnce(&mut Config)) -> Server {
    let monitor = Monitor::new(Clock::system());
    let application = article::application(&monitor);
    builder(configure).monitor(monitor).serve(application).expect("it starts")
}

#[test]
fn page() {
    let server = serve(|_| ());
    let mut client = Client::connect(&server);
    for (path, kind, start) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        ("/style.css", "text/css; charset=utf-8", ""),
        ("/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(kind)), "{path}");
        assert!(!answer.body.is_empty() && answer.text().starts_with(start), "{path}: {}", answer.text());
        // The policy forbids what is not ours and not in a file of its own.
        for forbidden in ["<script", "style=", "<style", "http://www", "https://"] {
            assert!(path != "/" || !answer.text().contains(forbidden), "{path} has {forbidden}");
        }
        client.send(request("HEAD", path));
        assert_eq!(client.answer_to_head().field("content-length"), answer.field("content-length"));
    }
}

#[track_caller]
fn assert_posted(client: &mut Client, name: &str, body: &[u8], status: u16) {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = client.ask([head.as_bytes(), body].concat());
    let at = format!("{name}: {}", answer.text());
    assert_eq!(answer.status, status, "{at}");
    assert!(!answer.closes(), "{at}");
    if status == 200 {
        assert_eq!(answer.text(), "{\"status\":\"success\",\"message\":\"data received\"}\n");
        assert_eq!(answer.field("content-type"), Some("application/json"));
    } else {
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
    }
}

#[test]
fn json() {
    let server = serve(|_| ());
    let mut client = Client::connect(&server);
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    let deep = |depth| "[".repeat(depth) + "1" + &"]".repeat(depth);
    for (name, body, status) in [
        ("an object", r#"{"hello": "world"}"#, 200),
        ("an array", "[1, 2.5e3, null, true]", 200),
        ("a number", " 7 ", 200),
        ("a text with brackets", r#"["[[[[\"]]]]", "{"]"#, 200),
        ("beyond ASCII", r#"{"ключ": "значение \ud83d\ude00"}"#, 200),
        ("64 deep", &nested("[", "]", 64), 200),
        ("65 deep", &nested("[", "]", 65), 400),
        ("64 deep, of objects", &("{\"a\":".repeat(64) + "1" + &"}".repeat(64)), 200),
        ("65 deep, of objects", &("{\"a\":".repeat(65) + "1" + &"}".repeat(65)), 400),
        ("100,000 deep", &deep(100_000), 400),
        ("100,000 open", &"[".repeat(100_000), 400),
        ("many side by side", &("[".to_owned() + &"[],".repeat(1000) + "[]]"), 200),
        ("nothing", "", 400),
        ("white space", " ", 400),
        ("a form", "hello=world", 400),
        ("a bare word", "hello", 400),
        ("half an object", r#"{"hello": "#, 400),
        ("two values", "{} {}", 400),
        ("a trailing comma", "[1,]", 400),
        ("a byte order mark", "\u{feff}{}", 400),
        ("NaN", "NaN", 400),
    ] {
        assert_posted(&mut client, name, body.as_bytes(), status);
    }
    for (name, body) in [
        ("no UTF-8", &b"\"\xff\""[..]),
        ("overlong", b"\"\xc0\xaf\""),
        ("half a character", b"\"\xe2\x82\""),
        ("a surrogate", b"\"\xed\xa0\x80\""),
        ("UTF-16", b"\xff\xfe{\0}\0"),
        ("NUL", b"{}\0"),
    ] {
        assert_posted(&mut client, name, body, 400);
    }
}

#[test]
fn json_of_a_megabyte() {
    const MOST: usize = 1 << 20;
    let server = serve(|_| ());
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
    let chunked = |body: &str| {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunks: Vec<_> = body.as_bytes().chunks(100_000).collect();
        let mut message = head.as_bytes().to_vec();
        for chunk in chunks {
            message.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            message.extend_from_slice(chunk);
            message.extend_from_slice(b"\r\n");
        }
        message.extend_from_slice(b"0\r\n\r\n");
        message
    };
    for (length, status) in [(MOST, 200), (MOST + 1, 413)] {
        let body = text(length);
        for (name, message) in [("length", post("/", &body).into_bytes()), ("count", chunked(&body))] {
            let mut client = Client::connect(&server);
            client.send_regardless(message);
            let answer = client.answer();
            assert_eq!((answer.status, answer.closes()), (status, status == 413), "{length} by {name}");
        }
    }
    // Announced, it is refused before any of it comes.
    let mut client = Client::connect(&server);
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", u64::MAX / 2));
    assert_eq!(client.last_answer().status, 413);
}

/// The first numbers in `{"status":"healthy","uptime":1.234,"active_connections":2,…}`.
fn health(answer: &Answer) -> (f64, usize) {
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/json")));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
    let numbers = answer.text().strip_prefix("{\"status\":\"healthy\",\"uptime\":").expect("healthy");
    let (uptime, active) = numbers.split_once(",\"active_connections\":").expect("both");
    let (active, resources) = active.split_once(',').expect("more");
    for name in ["\"memory_bytes\":", "\"descriptors\":", "\"threads\":"] {
        assert!(resources.contains(name), "{name} {resources}");
    }
    (uptime.parse().expect("seconds"), active.parse().expect("a count"))
}

#[test]
fn its_health() {
    let server = serve(|_| ());
    let mut first = Client::connect(&server);
    let (uptime, active) = health(&first.get("/healthz"));
    assert!((0.0..60.0).contains(&uptime) && active == 1, "{uptime} {active}");
    let mut second = Client::connect(&server);
    for path in ["/", "/healthz", "/anything"] {
        let (later, active) = health(&second.ask(request("HEALTH", path)));
        assert!(later >= uptime && active == 2, "{later} {active}");
    }
    let answer = first.get("/readyz");
    assert_eq!((answer.status, answer.text()), (200, "{\"status\":\"ready\"}\n"));
    assert_eq!(answer.field("cache-control"), Some("no-store"));
}

#[test]
fn long_running() {
    let server = serve(|_| ());
    let mut client = Client::connect(&server);
    for millis in [0, 1, 30] {
        let began = Instant::now();
        let answer = client.get(&format!("/long-running?ms={millis}"));
        let expected = format!("{{\"status\":\"success\",\"message\":\"done\",\"ms\":{millis}}}\n");
        assert_eq!((answer.status, answer.text()), (200, &*expected));
        assert!(began.elapsed() >= ms(millis));
    }
    for query in
        ["ms=10001", "ms=4294967296", "ms=-1", "ms=", "ms", "ms=1.5", "ms=x", "ms=%31", "a=1&ms=99999"]
    {
        let answer = client.get(&format!("/long-running?{query}"));
        assert_eq!((answer.status, answer.closes()), (400, false), "{query}");
    }
}

#[test]
fn paths() {
    let server = serve(|_| ());
    let mut client = Client::connect(&server);
    let long = |length: usize| format!("/{}", "x".repeat(length - 1));
    for (path, status) in [
        (&*long(255), 404),
        (&long(256), 400),
        (&format!("/?{}", "x".repeat(1000)), 200),
        ("/unknown", 404),
        ("/Healthz", 404),
        ("/healthz/", 404),
        ("/a..b", 404),
        ("/...", 404),
        ("/..a", 404),
        ("/a../b", 404),
        ("/.", 404),
        ("/%252e%252e", 404),
        ("/?/../", 200),
        ("/..", 400),
        ("/../", 400),
        ("/../etc/passwd", 400),
        ("/a/../b", 400),
        ("/a/..", 400),
        ("/%2e%2e", 400),
        ("/%2E./b", 400),
        ("/.%2e/b", 400),
        ("/a%2f..%2fb", 400),
        ("/a%2F%2e%2E", 400),
        ("/..%5cb", 400),
        ("/a%5c..", 400),
        ("/%00", 400),
        ("/%0a", 400),
        ("/%7f", 400),
        ("/%", 400),
        ("/%2", 400),
        ("/%zz", 400),
        ("/..%00", 400),
    ] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.closes()), (status, false), "{path}");
        assert!(!answer.text().contains("passwd"));
    }
}

#[test]
fn methods() {
    let server = serve(|_| ());
    let mut client = Client::connect(&server);
    for (method, path, allow) in [
        ("PUT", "/", "GET, POST, HEALTH, HEAD, OPTIONS"),
        ("DELETE", "/", "GET, POST, HEALTH, HEAD, OPTIONS"),
        ("TRACE", "/", "GET, POST, HEALTH, HEAD, OPTIONS"),
        ("health", "/", "GET, POST, HEALTH, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEALTH, HEAD, OPTIONS"),
        ("POST", "/long-running", "GET, HEALTH, HEAD, OPTIONS"),
    ] {
        let answer = client.ask(request(method, path));
        assert_eq!((answer.status, answer.field("allow")), (405, Some(allow)), "{method} {path}");
    }
    let answer = client.ask(request("OPTIONS", "/"));
    assert_eq!((answer.status, answer.field("allow")), (204, Some("GET, POST, HEALTH, HEAD, OPTIONS")));
    assert_eq!(client.ask(request("PUT", "/unknown")).status, 404);
}

/// Its rate limit counts every answer but those about its health.
#[test]
fn rate() {
    let rate = Rate { count: 30, span: Duration::from_secs(60) };
    let server = serve(|config| config.rate_limit = Some(rate));
    let mut client = Client::connect(&server);
    for number in 0..30 {
        let path = ["/", "/unknown", "/long-running?ms=0"][number % 3];
        assert!(matches!(client.get(path).status, 200 | 404));
    }
    let mut other = Client::connect(&server);
    for client in [&mut client, &mut other] {
        let answer = client.get("/");
        assert_eq!((answer.status, answer.closes()), (429, false));
        assert!(
            answer.field("retry-after").is_some_and(|wait| (1..=60).contains(&wait.parse().unwrap_or(0)))
        );
        assert!(!answer.text().contains(Refusal::TOO_MANY_REQUESTS.reason));
        assert_eq!(client.get("/healthz").status, 200);
        assert_eq!(client.get("/readyz").status, 200);
    }
}
