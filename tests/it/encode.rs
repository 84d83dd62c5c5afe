//! Heads and chunks of answers (RFC 9112 §4–7), byte for byte.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;
use selvedge::http1::encode::{self, Length, Outgoing, Persistence, StandingFields};

const DATE: &[u8; 29] = b"Sun, 06 Nov 1994 08:49:37 GMT";

fn field(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (name.parse().unwrap(), value.parse().unwrap())
}

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let (name, value) = field(name, value);
        map.append(name, value);
    }
    map
}

/// An answer that says nothing beyond what every one does.
fn plain(fields: &HeaderMap) -> Outgoing<'_> {
    Outgoing {
        status: StatusCode::OK,
        content_type: None,
        fields: Some(fields),
        length: Length::Known(5),
        persistence: Persistence::Implied,
        date: DATE,
        request_id: 0xab,
        standing: None,
    }
}

fn head(answer: &Outgoing<'_>) -> String {
    let mut out = b"before ".to_vec();
    encode::head(&mut out, answer);
    let text = String::from_utf8(out).unwrap();
    text.strip_prefix("before ").expect("what was there is kept").to_owned()
}

/// The whole head with Date and X-Request-Id, which are as in [`plain`], left out, and `|` for CRLF.
fn check(name: &str, answer: &Outgoing<'_>, expected: &str) {
    let text = head(answer);
    let rest = text.strip_suffix("\r\n\r\n").unwrap_or_else(|| panic!("{name}: no empty line: {text}"));
    let own = [format!("Date: {}", str::from_utf8(DATE).unwrap()), "X-Request-Id: 00000000000000ab".into()];
    let lines: Vec<_> = rest.split("\r\n").filter(|line| !own.contains(&(*line).to_owned())).collect();
    assert_eq!(lines.join("|"), expected, "{name}");
}

#[test]
fn a_whole_head() {
    let fields = map(&[("Content-Type", "text/plain")]);
    assert_eq!(
        head(&plain(&fields)),
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\
         content-type: text/plain\r\nX-Request-Id: 00000000000000ab\r\n\r\n"
    );
}

#[test]
fn statuses_and_lengths() {
    let fields = HeaderMap::new();
    for (status, length, expected) in [
        (200, Length::Known(0), "200 OK|Content-Length: 0"),
        (200, Length::Known(u64::MAX), "200 OK|Content-Length: 18446744073709551615"),
        (200, Length::Chunked, "200 OK|Transfer-Encoding: chunked"),
        (200, Length::UntilClose, "200 OK|Connection: close"),
        (200, Length::None, "200 OK|Content-Length: 0"),
        (404, Length::Known(10), "404 Not Found|Content-Length: 10"),
        (599, Length::Known(1), "599 |Content-Length: 1"),
        (204, Length::None, "204 No Content"),
        (204, Length::Known(0), "204 No Content"),
        (204, Length::Chunked, "204 No Content"),
        (304, Length::None, "304 Not Modified"),
        (304, Length::Known(5), "304 Not Modified"),
        (103, Length::Known(5), "103 |"),
        (205, Length::None, "205 Reset Content|Content-Length: 0"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let expected = expected.strip_suffix('|').map_or(expected.to_owned(), |expected| {
            format!("{expected}{}", status.canonical_reason().unwrap_or_default())
        });
        let answer = Outgoing { status, length, ..plain(&fields) };
        check(&format!("{status} {length:?}"), &answer, &format!("HTTP/1.1 {expected}"));
    }
}

#[test]
fn persistence() {
    let fields =
        map(&[("upgrade", "websocket"), ("connection", "x"), ("keep-alive", "timeout=5"), ("a", "b")]);
    for (persistence, status, expected) in [
        (Persistence::Implied, 200, "200 OK|Content-Length: 5|a: b"),
        (Persistence::KeepAlive, 200, "200 OK|Content-Length: 5|Connection: keep-alive|a: b"),
        (Persistence::Close, 200, "200 OK|Content-Length: 5|Connection: close|a: b"),
        (Persistence::Upgrade, 101, "101 Switching Protocols|Connection: upgrade|upgrade: websocket|a: b"),
        (
            Persistence::Implied,
            426,
            "426 Upgrade Required|Content-Length: 5|Connection: upgrade|upgrade: websocket|a: b",
        ),
        (
            Persistence::KeepAlive,
            426,
            "426 Upgrade Required|Content-Length: 5|Connection: keep-alive, upgrade|upgrade: websocket|a: b",
        ),
        (
            Persistence::Close,
            426,
            "426 Upgrade Required|Content-Length: 5|Connection: close, upgrade|upgrade: websocket|a: b",
        ),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Outgoing { persistence, status, ..plain(&fields) };
        check(&format!("{persistence:?}"), &answer, &format!("HTTP/1.1 {expected}"));
    }
    let answer =
        Outgoing { length: Length::UntilClose, persistence: Persistence::KeepAlive, ..plain(&fields) };
    check("no end but the connection's", &answer, "HTTP/1.1 200 OK|Connection: close|a: b");
    let fields = HeaderMap::new();
    let answer = Outgoing { status: StatusCode::UPGRADE_REQUIRED, ..plain(&fields) };
    check("to what it does not say", &answer, "HTTP/1.1 426 Upgrade Required|Content-Length: 5");
}

#[test]
fn fields_of_the_handler() {
    for (name, fields, expected) in [
        ("length", &[("content-length", "9")][..], ""),
        ("coding", &[("transfer-encoding", "gzip, chunked")], ""),
        ("connection", &[("connection", "keep-alive"), ("proxy-connection", "keep-alive")], ""),
        ("upgrade", &[("upgrade", "h2c")], ""),
        ("trailer is kept", &[("trailer", "digest")], "|trailer: digest"),
        ("multi-valued", &[("set-cookie", "a=b"), ("set-cookie", "c=d")], "|set-cookie: a=b|set-cookie: c=d"),
        ("empty value", &[("a", "")], "|a: "),
    ] {
        check(name, &plain(&map(fields)), &format!("HTTP/1.1 200 OK|Content-Length: 5{expected}"));
    }
    let text = head(&plain(&map(&[("date", "x"), ("x-request-id", "y")])));
    assert_eq!(text, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ndate: x\r\nx-request-id: y\r\n\r\n");
}

#[test]
fn standing_fields() {
    let standing = StandingFields::new([
        field("server", "selvedge"),
        field("x-content-type-options", "nosniff"),
        field("vary", "a"),
        field("vary", "b"),
        field("-a--b", "c"),
        field("connection", "close"),
        field("content-length", "3"),
        field("date", "never"),
        field("x-request-id", "none"),
    ]);
    let all = "|Server: selvedge|X-Content-Type-Options: nosniff|Vary: a|Vary: b|-A--B: c";
    for (name, fields, expected) in [
        ("all", &[][..], all.to_owned()),
        ("beside others", &[("a", "b")], format!("|a: b{all}")),
        (
            "one is the handler's",
            &[("Server", "mine")],
            format!("|server: mine{}", all.replace("|Server: selvedge", "")),
        ),
        ("the last", &[("-a--b", "d")], format!("|-a--b: d{}", all.replace("|-A--B: c", ""))),
        (
            "two",
            &[("server", "m"), ("-a--b", "d")],
            "|server: m|-a--b: d|X-Content-Type-Options: nosniff|Vary: a|Vary: b".to_owned(),
        ),
        // What an answer depends on is a list, and its lines are one (RFC 9110 §5.3).
        ("of the list, all", &[("vary", "c")], format!("|vary: c{all}")),
        (
            "of the list, all, and one",
            &[("server", "m"), ("vary", "c")],
            format!("|server: m|vary: c{}", all.replace("|Server: selvedge", "")),
        ),
    ] {
        let fields = map(fields);
        let answer = Outgoing { standing: Some(&standing), ..plain(&fields) };
        check(name, &answer, &format!("HTTP/1.1 200 OK|Content-Length: 5{expected}"));
    }
    let one = StandingFields::new([field("server", "selvedge")]);
    let fields = map(&[("server", "mine")]);
    let answer = Outgoing { standing: Some(&one), ..plain(&fields) };
    check("the only one is the handler's", &answer, "HTTP/1.1 200 OK|Content-Length: 5|server: mine");
    let typed = StandingFields::new([field("content-type", "text/plain"), field("a", "b")]);
    let (html, css) = (HeaderValue::from_static("text/html"), map(&[("content-type", "text/css")]));
    for (name, content_type, fields, expected) in [
        ("a type where there is none", None, &HeaderMap::new(), "Content-Type: text/plain|A: b"),
        ("a type where there is one", Some(&html), &HeaderMap::new(), "content-type: text/html|A: b"),
        ("a type where the handler says it", None, &css, "content-type: text/css|A: b"),
    ] {
        let answer = Outgoing { content_type, standing: Some(&typed), ..plain(fields) };
        check(name, &answer, &format!("HTTP/1.1 200 OK|Content-Length: 5|{expected}"));
    }
    let none = StandingFields::new([]);
    let fields = HeaderMap::new();
    check("none", &Outgoing { standing: Some(&none), ..plain(&fields) }, "HTTP/1.1 200 OK|Content-Length: 5");
}

#[test]
fn chunks() {
    for (name, data, expected) in [
        ("empty is none", &b""[..], &b""[..]),
        ("one", b"x", b"1\r\nx\r\n"),
        ("ten", b"0123456789", b"a\r\n0123456789\r\n"),
        ("sixteen", b"0123456789abcdef", b"10\r\n0123456789abcdef\r\n"),
    ] {
        let mut out = Vec::new();
        encode::chunk(&mut out, data);
        assert_eq!(out, expected, "{name}");
    }
    for (name, trailers, expected) in [
        ("none", None, "0\r\n\r\n"),
        ("empty", Some(map(&[])), "0\r\n\r\n"),
        ("one", Some(map(&[("digest", "x")])), "0\r\ndigest: x\r\n\r\n"),
        (
            "forbidden",
            Some(map(&[("content-length", "3"), ("host", "h"), ("transfer-encoding", "x")])),
            "0\r\n\r\n",
        ),
    ] {
        let mut out = Vec::new();
        encode::last_chunk(&mut out, trailers.as_ref());
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{name}");
    }
    assert_eq!(encode::CONTINUE, b"HTTP/1.1 100 Continue\r\n\r\n");
}

proptest! {
    /// Whatever a handler puts in its fields, the head has one status line, one length, and nobody else's lines.
    #[test]
    fn one_length_and_no_stray_lines(
        fields in prop::collection::vec(("[a-z-]{1,12}|content-length|transfer-encoding|connection", prop::collection::vec(any::<u8>(), 0..20)), 0..8),
        length in any::<u64>(),
    ) {
        let mut map = HeaderMap::new();
        for (name, value) in &fields {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        let mut out = Vec::new();
        encode::head(&mut out, &Outgoing { length: Length::Known(length), ..plain(&map) });
        let mut lines = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut lines);
        prop_assert_eq!(response.parse(&out), Ok(httparse::Status::Complete(out.len())));
        let count = |name: &str| response.headers.iter().filter(|line| line.name.eq_ignore_ascii_case(name)).count();
        prop_assert_eq!((count("content-length"), count("transfer-encoding"), count("connection")), (1, 0, 0));
        for name in map.keys().filter(|name| !["content-length", "transfer-encoding", "connection"].contains(&name.as_str())) {
            prop_assert_eq!(count(name.as_str()), map.get_all(name).iter().count());
        }
    }
}
