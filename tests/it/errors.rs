//! What every answer says besides its own content, and what those to failed requests say at all.

use crate::support::{Client, STANDING, builder, ms, post, request, serve};
use selvedge::{Config, Error, Exchange, Guard, HeaderValue, Refusal, Request, Response, Server, StatusCode};
use std::collections::HashSet;
use std::error::Error as _;
use std::io::ErrorKind;

/// Refuses `/refuse/N` with status N.
struct Refuse;

impl Guard for Refuse {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let status =
            exchange.request().path().strip_prefix("/refuse/").map(|text| text.parse().expect("one"));
        status.map_or(Ok(()), |status| Err(Refusal::new(status, "the secret cause")))
    }
}

fn failing_server() -> Server {
    let handler = |request: &mut Request| match request.path() {
        "/panic" => std::panic::resume_unwind(Box::new("the secret cause".to_owned())),
        "/404" => Response::problem(StatusCode::NOT_FOUND),
        "/405" => Response::problem(StatusCode::METHOD_NOT_ALLOWED),
        _ => Response::new(StatusCode::OK),
    };
    let configure = |config: &mut Config| {
        config.header_timeout = ms(150);
        config.max_body = 10;
    };
    builder(configure).guard(Refuse).serve(handler).expect("it starts")
}

/// What people read who cannot go on: what was tried, what is wrong, and what helps.
#[test]
fn causes_and_cures() {
    let bind = |address: &str, kind: ErrorKind| Error::Bind { address: address.into(), source: kind.into() };
    let directory = |kind: ErrorKind| Error::Directory { path: "/a".into(), source: kind.into() };
    let threads = Error::Threads(ErrorKind::WouldBlock.into());
    let rows: &[(Error, bool, &[&str])] = &[
        (
            bind("127.0.0.1:1", ErrorKind::AddrInUse),
            true,
            &["127.0.0.1:1", "has that port", "--bind HOST:PORT"],
        ),
        (bind("unix:/s", ErrorKind::AddrInUse), true, &["unix:/s", "listens there", "--bind unix:PATH"]),
        (bind("127.0.0.1:1", ErrorKind::PermissionDenied), true, &["below 1024", "setcap"]),
        (bind("192.0.2.1:1", ErrorKind::AddrNotAvailable), true, &["no such address", "0.0.0.0"]),
        (directory(ErrorKind::NotFound), true, &["'/a'", "no such directory"]),
        (directory(ErrorKind::NotADirectory), true, &["'/a'", "not a directory"]),
        (directory(ErrorKind::PermissionDenied), true, &["'/a'", "not permitted"]),
        (threads, true, &["cannot start a thread", "lower --max-connections"]),
        (Error::Random, false, &["no random numbers"]),
        (Error::Memory, false, &["no memory"]),
    ];
    for (error, has_source, words) in rows {
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert_eq!(error.source().is_some(), *has_source, "{text}");
    }
}

/// What the wire says of every answer, in its order; dates and ids as their shapes.
#[test]
fn golden() {
    let server = failing_server();
    let lines = |fields: &mut dyn Iterator<Item = (&str, &str)>| -> String {
        fields.flat_map(|(name, value)| [name, ": ", value, "\n"]).collect()
    };
    let standing = lines(&mut STANDING.iter().copied());
    let problem = "content-type: application/problem+json\nvary: Accept\n";
    for (sent, status, fields) in [
        (request("GET", "/"), 200, "content-length: L\n"),
        (request("GET", "/404"), 404, "content-length: L\nP"),
        (request("GET", "/405"), 405, "content-length: L\nP"),
        (request("GET", "/panic"), 500, "content-length: L\nconnection: close\nP"),
        (request("GET", "/refuse/403"), 403, "content-length: L\nP"),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400, "content-length: L\nconnection: close\nP"),
        ("GET / HT".into(), 408, "content-length: L\nconnection: close\nP"),
        (post("/", "hello world"), 413, "content-length: L\nconnection: close\nP"),
        ("G".repeat(9000), 414, "content-length: L\nconnection: close\nP"),
        (
            format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(40_000)),
            431,
            "content-length: L\nconnection: close\nP",
        ),
    ] {
        let mut client = Client::connect(&server);
        client.send(sent);
        let answer = client.answer();
        let text = lines(&mut answer.fields.iter().map(|(name, value)| match name.as_str() {
            "date" => ("date", "D"),
            "x-request-id" => ("x-request-id", "I"),
            "content-length" if *value == answer.body.len().to_string() => ("content-length", "L"),
            name => (name, value.as_str()),
        }));
        let fields = fields.replace('P', problem);
        assert_eq!(answer.status, status);
        assert_eq!(text, format!("date: D\n{fields}x-request-id: I\n{standing}"), "{status}");
    }
}

/// The fixed text of an error, in the form that was asked for, with the id that is in the field.
#[test]
fn errors_say_their_status_and_nothing_else() {
    let server = failing_server();
    for (path, status, title) in [
        ("/404", 404, "Not Found"),
        ("/panic", 500, "Internal Server Error"),
        ("/refuse/403", 403, "Forbidden"),
        ("/a/../b", 400, "Bad Request"),
    ] {
        for (accept, html) in [
            ("", false),
            ("Accept: */*\r\n", false),
            ("Accept: application/json\r\n", false),
            ("Accept: text/htmlx\r\n", false),
            ("Accept: text/html\r\n", true),
            ("Accept: application/xhtml+xml;q=0.9, Text/HTML;q=0.8\r\n", true),
            // A weight of nothing is what is not wanted (RFC 9110 §12.4.2), and the lines of a list are one.
            ("Accept: application/json, text/html;q=0\r\n", false),
            ("Accept: text/html; level=1; q=0.000, */*\r\n", false),
            ("Accept: a/b\r\nAccept: text/html\r\n", true),
            ("Accept: a/b\r\nAccept: text/html;q=0\r\n", false),
            ("Accept: a/b;profile=\"x, text/html ,y\"\r\n", false),
            ("Accept: text/html;a=\";q=0\"\r\n", true),
        ] {
            let mut client = Client::connect(&server);
            let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{accept}\r\n"));
            let id = answer.field("x-request-id").expect("an id");
            let (kind, text) = if html {
                let head = format!("<title>{status} {title}</title>\n<h1>{status} {title}</h1>");
                let start = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n";
                let text = format!("{start}{head}\n<p>Request <code>{id}</code></p>\n</html>\n");
                ("text/html; charset=utf-8", text)
            } else {
                let text = format!(
                    "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},\"request_id\":\"{id}\"}}\n"
                );
                ("application/problem+json", text)
            };
            assert_eq!((answer.status, answer.text()), (status, &*text), "{path} {accept}");
            assert_eq!((answer.field("content-type"), answer.field("vary")), (Some(kind), Some("Accept")));
        }
    }
}

/// What an error depends on is added to what its handler said of it, or a cache would mix up what is for one with what is for
/// another.
#[test]
fn handlers_say_what_errors_depend_on() {
    let handler = |request: &mut Request| {
        let mut response = Response::problem(StatusCode::FORBIDDEN);
        for value in request.header_values("x-vary") {
            response.headers_mut().append("vary", HeaderValue::from_bytes(value).expect("a value"));
        }
        response
    };
    let server = serve(|_| (), handler);
    for (said, expected) in [
        (&[][..], "Accept"),
        (&["Origin"], "Origin, Accept"),
        (&["Origin, Cookie"], "Origin, Cookie, Accept"),
        (&["Origin", "Cookie"], "Origin, Cookie, Accept"),
        (&["origin,accept"], "origin,accept"),
        (&["Accept-Encoding"], "Accept-Encoding, Accept"),
        (&["*"], "*"),
        (&[""], "Accept"),
    ] {
        let fields: String = said.iter().flat_map(|value| ["X-Vary: ", value, "\r\n"]).collect();
        let answer = Client::connect(&server).ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        assert_eq!((answer.status, answer.field("vary")), (403, Some(expected)), "{said:?}");
    }
}

#[test]
fn ids_are_unique() {
    let server = failing_server();
    let mut ids = HashSet::new();
    for _ in 0..3 {
        let mut client = Client::connect(&server);
        for _ in 0..20 {
            let answer = client.get("/");
            assert!(ids.insert(answer.field("x-request-id").expect("an id").to_owned()), "{answer:?}");
        }
    }
}

/// The whole head of an answer of every status there is, refused by a guard or answered by a handler, as it goes over the
/// wire; with the date, the id and the length of texts that have the id in them as their shapes.
#[test]
fn every_status_is_sealed() {
    let handler = |request: &mut Request| {
        let status = request.path().strip_prefix("/answer/").and_then(|text| text.parse::<StatusCode>().ok());
        Response::new(status.unwrap_or(StatusCode::OK))
    };
    let server = builder(|_| ()).guard(Refuse).serve(handler).expect("it starts");
    let known = (200..600).filter_map(|code| StatusCode::from_u16(code).ok());
    let mut heads = String::new();
    for status in known.filter(|status| status.canonical_reason().is_some()) {
        let failed = status.is_client_error() || status.is_server_error();
        let path = format!("/{}/{}", if failed { "refuse" } else { "answer" }, status.as_u16());
        let answer = Client::connect(&server).get(&path);
        assert_eq!(answer.status, status.as_u16());
        heads.extend([answer.status.to_string().as_str(), "\n"]);
        for (name, value) in &answer.fields {
            let shape = match name.as_str() {
                "date" => "DATE",
                "x-request-id" => "ID",
                "content-length" if value != "0" => "LENGTH",
                _ => value,
            };
            heads.extend(["  ", name, ": ", shape, "\n"]);
        }
    }
    assert_eq!(heads, include_str!("errors/golden.txt"), "if this is meant, it goes into the file:\n{heads}");
}
