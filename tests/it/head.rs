//! Heads of requests: the request line and the limits (RFC 9112 §2–3), and that no way of cutting the bytes matters.

mod fields;

use http::uri::Scheme;
use proptest::prelude::*;
use selvedge::error::Refusal;
use selvedge::http1::{Framing, Head, Limits, Parser, Status};

/// What becomes of a row: more bytes needed, a head in the words of [`describe`], or a refusal.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Partial,
    Head(String),
    Refused(Refusal),
}

type Row = (&'static str, &'static [u8], Outcome);

fn ok(description: &str) -> Outcome {
    Outcome::Head(description.into())
}

fn no(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal)
}

/// `METHOD path[?query] version [https]@authority framing persistence[ continue] fields`, by its parts.
fn describe(head: &Head, buffer: &[u8]) -> String {
    let query = head.query.map_or(String::new(), |query| format!("?{}", query.text(buffer)));
    let version = if head.version == http::Version::HTTP_11 { "1.1" } else { "1.0" };
    let scheme =
        head.scheme.as_ref().map_or("", |scheme| if *scheme == Scheme::HTTPS { "https" } else { "" });
    let authority =
        head.authority.map_or(String::new(), |authority| format!(" {scheme}@{}", authority.text(buffer)));
    assert_eq!(head.scheme.is_some(), !matches!(head.target.of(buffer), [b'/', ..] | b"*"));
    let framing = match head.framing {
        Framing::None => String::new(),
        Framing::Length(length) => format!(" length={length}"),
        Framing::Chunked => " chunked".into(),
    };
    let persistence = if head.persistent { "keep" } else { "close" };
    let expects = if head.expects_continue { " continue" } else { "" };
    let (method, path) = (&head.method, head.path.text(buffer));
    format!("{method} {path}{query} {version}{authority}{framing} {persistence}{expects}")
}

fn outcome(parser: &mut Parser, buffer: &[u8], head: &mut Head) -> Outcome {
    match parser.parse(buffer, head) {
        Ok(Status::Partial) => Outcome::Partial,
        Ok(Status::Complete) => Outcome::Head(format!("{} len={}", describe(head, buffer), head.len)),
        Err(refusal) => Outcome::Refused(refusal),
    }
}

/// The outcome of bytes that arrive in these pieces, given as where each ends.
fn in_pieces(limits: Limits, bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Outcome {
    let (mut parser, mut head) = (Parser::new(limits), Head::default());
    let mut last = Outcome::Partial;
    for end in ends {
        last = outcome(&mut parser, &bytes[..end], &mut head);
        if last != Outcome::Partial {
            assert_eq!(outcome(&mut parser, bytes, &mut head), last, "changed its mind");
            break;
        }
    }
    last
}

/// The outcome of the bytes at once, having seen to it that no way of cutting them gives another.
fn any_way(limits: Limits, bytes: &[u8]) -> Outcome {
    let whole = in_pieces(limits, bytes, [bytes.len()]);
    for cut in 0..bytes.len() {
        assert_eq!(
            in_pieces(limits, bytes, [cut, bytes.len()]),
            whole,
            "cut at {cut}: {}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(in_pieces(limits, bytes, 0..=bytes.len()), whole, "byte by byte: {}", bytes.escape_ascii());
    whole
}

fn check_with(limits: Limits, name: &str, bytes: &[u8], expected: &Outcome) {
    let mut found = any_way(limits, bytes);
    if let Outcome::Head(text) = &mut found {
        let (description, len) = text.split_once(" len=").unwrap();
        assert_eq!(len, bytes.len().to_string(), "{name}: length of the head");
        let followed = [bytes, b"\0\n what comes after is not looked at"].concat();
        assert_eq!(
            in_pieces(limits, &followed, [followed.len()]),
            Outcome::Head(text.clone()),
            "{name}: followed"
        );
        *text = description.into();
    }
    assert_eq!(&found, expected, "{name}: {}", bytes.escape_ascii());
}

fn check(rows: &[Row]) {
    for (name, bytes, expected) in rows {
        check_with(Limits::default(), name, bytes, expected);
    }
}

/// As `check`, for rows that are a method and a target.
fn check_targets(rows: &[Row]) {
    for (name, bytes, expected) in rows {
        let bytes = [*bytes, b" HTTP/1.1\r\nHost: h\r\n\r\n"].concat();
        check_with(Limits::default(), name, &bytes, expected);
    }
}

#[test]
fn request_lines() {
    check(&[
        ("plain", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", ok("GET / 1.1 @h keep")),
        ("1.0 closes", b"GET / HTTP/1.0\r\n\r\n", ok("GET / 1.0 close")),
        ("1.0 with Host", b"GET / HTTP/1.0\r\nHost: h\r\n\r\n", ok("GET / 1.0 @h close")),
        ("later 1.x", b"GET / HTTP/1.2\r\nHost: h\r\n\r\n", ok("GET / 1.1 @h keep")),
        ("1.9", b"GET / HTTP/1.9\r\nHost: h\r\n\r\n", ok("GET / 1.1 @h keep")),
        ("extension method", b"HEALTH / HTTP/1.1\r\nHost: h\r\n\r\n", ok("HEALTH / 1.1 @h keep")),
        ("lower-case method", b"get / HTTP/1.1\r\nHost: h\r\n\r\n", ok("get / 1.1 @h keep")),
        (
            "odd token",
            b"M-SEARCH!#$%&'*+.^_`|~9 / HTTP/1.1\r\nHost: h\r\n\r\n",
            ok("M-SEARCH!#$%&'*+.^_`|~9 / 1.1 @h keep"),
        ),
        ("empty line first", b"\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", ok("GET / 1.1 @h keep")),
        ("two empty lines first", b"\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", no(Refusal::REQUEST_LINE)),
        ("bare LF first", b"\nGET / HTTP/1.1\r\n", no(Refusal::BARE_LINE_BREAK)),
        ("bare CR first", b"\rG", no(Refusal::BARE_LINE_BREAK)),
        ("nothing", b"", Outcome::Partial),
        ("lone CR", b"\r", Outcome::Partial),
        ("empty line only", b"\r\n", Outcome::Partial),
        ("part of a method", b"GE", Outcome::Partial),
        ("no fields yet", b"GET / HTTP/1.1\r\n", Outcome::Partial),
        ("no empty line yet", b"GET / HTTP/1.1\r\nHost: h\r\n", Outcome::Partial),
        ("half of the empty line", b"GET / HTTP/1.1\r\nHost: h\r\n\r", Outcome::Partial),
        ("half of the 1.0 empty line", b"GET / HTTP/1.0\r\n\r", Outcome::Partial),
        ("TLS", b"\x16", no(Refusal::CONTROL_CHARACTER)),
        ("TLS hello", b"\x16\x03\x01\x02\x00\x01", no(Refusal::CONTROL_CHARACTER)),
        ("NUL first", b"\0", no(Refusal::CONTROL_CHARACTER)),
        ("SP first", b" ", no(Refusal::METHOD)),
        ("obs-text first", b"\xff", no(Refusal::METHOD)),
        ("bracket in method", b"GE(", no(Refusal::METHOD)),
        ("colon in method", b"Host:", no(Refusal::METHOD)),
        ("slash in method", b"GET/", no(Refusal::METHOD)),
        ("HT after method", b"GET\t", no(Refusal::CONTROL_CHARACTER)),
        ("method only", b"GET\r", no(Refusal::REQUEST_LINE)),
        ("method only, bare LF", b"GET\n", no(Refusal::BARE_LINE_BREAK)),
        ("two SP after method", b"GET  ", no(Refusal::REQUEST_LINE)),
        ("no target", b"GET HTTP/1.1\r", no(Refusal::REQUEST_LINE)),
        ("two SP after target", b"GET /  ", no(Refusal::REQUEST_LINE)),
        ("SP in target", b"GET /a b HTTP/1.1", no(Refusal::REQUEST_LINE)),
        ("SP at the end", b"GET / HTTP/1.1 ", no(Refusal::REQUEST_LINE)),
        ("HT after target", b"GET /\t", no(Refusal::CONTROL_CHARACTER)),
        ("HT at the end", b"GET / HTTP/1.1\t", no(Refusal::CONTROL_CHARACTER)),
        ("bare LF at the end", b"GET / HTTP/1.1\n", no(Refusal::BARE_LINE_BREAK)),
        ("bare CR at the end", b"GET / HTTP/1.1\rX", no(Refusal::BARE_LINE_BREAK)),
        ("two CR at the end", b"GET / HTTP/1.1\r\r\n", no(Refusal::BARE_LINE_BREAK)),
    ]);
}

#[test]
fn versions() {
    check(&[
        ("0.9 simple request", b"GET /\r", no(Refusal::REQUEST_LINE)),
        ("0.9 simple request, SP", b"GET / \r", no(Refusal::REQUEST_LINE)),
        ("0.9 spelt out", b"GET / HTTP/0.9\r", no(Refusal::VERSION)),
        ("2.0", b"GET / HTTP/2.0\r", no(Refusal::VERSION)),
        ("3.0", b"GET / HTTP/3.0\r\n\r\n", no(Refusal::VERSION)),
        ("9.9", b"GET / HTTP/9.9\r", no(Refusal::VERSION)),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", no(Refusal::VERSION)),
        ("lower case", b"GET / http/1.1\r", no(Refusal::REQUEST_LINE)),
        ("two digits", b"GET / HTTP/1.10\r", no(Refusal::REQUEST_LINE)),
        ("two digits first", b"GET / HTTP/11.1\r", no(Refusal::REQUEST_LINE)),
        ("no minor", b"GET / HTTP/1.\r", no(Refusal::REQUEST_LINE)),
        ("major only", b"GET / HTTP/1\r", no(Refusal::REQUEST_LINE)),
        ("comma", b"GET / HTTP/1,1\r", no(Refusal::REQUEST_LINE)),
        ("letters", b"GET / HTTP/x.y\r", no(Refusal::REQUEST_LINE)),
        ("another protocol", b"GET / ICAP/1.0\r", no(Refusal::REQUEST_LINE)),
        ("no slash", b"GET / HTTP1.1\r", no(Refusal::REQUEST_LINE)),
        ("NUL", b"GET / HTTP/1.1\0", no(Refusal::CONTROL_CHARACTER)),
        ("obs-text", b"GET / HTTP/1.\xb9", no(Refusal::REQUEST_LINE)),
    ]);
}

#[test]
fn targets() {
    check_targets(&[
        ("query", b"GET /a/b?c=d&e", ok("GET /a/b?c=d&e 1.1 @h keep")),
        ("empty query", b"GET /?", ok("GET /? 1.1 @h keep")),
        ("second question mark", b"GET /?a?b", ok("GET /?a?b 1.1 @h keep")),
        ("two slashes", b"GET //x/", ok("GET //x/ 1.1 @h keep")),
        ("what browsers send raw", b"GET /[]{}|^?[]{}|^`", ok("GET /[]{}|^?[]{}|^` 1.1 @h keep")),
        ("backtick in a path", b"GET /a`b", no(Refusal::TARGET)),
        ("backtick in an absolute target's path", b"GET http://h/a`?b", no(Refusal::TARGET)),
        ("all of RFC 3986", b"GET /-._~:@!$&'()*+,;=%00", ok("GET /-._~:@!$&'()*+,;=%00 1.1 @h keep")),
        ("URL in the path", b"GET /http://x/", ok("GET /http://x/ 1.1 @h keep")),
        ("asterisk", b"OPTIONS *", ok("OPTIONS * 1.1 @h keep")),
        ("asterisk, not OPTIONS", b"GET *", no(Refusal::TARGET)),
        ("asterisk and more", b"OPTIONS *x", no(Refusal::TARGET)),
        ("absolute, no path", b"GET http://h", ok("GET / 1.1 @h keep")),
        ("absolute, query only", b"GET http://h?q", ok("GET /?q 1.1 @h keep")),
        ("https", b"GET https://h/", ok("GET / 1.1 https@h keep")),
        ("https in any case", b"GET hTTpS://h?q", ok("GET /?q 1.1 https@h keep")),
        ("scheme and host in any case", b"GET HtTp://H/", ok("GET / 1.1 @H keep")),
        ("absolute, no authority", b"GET http:///", no(Refusal::TARGET)),
        ("absolute, nothing", b"GET http://", no(Refusal::TARGET)),
        ("absolute, userinfo", b"GET http://u@h/", no(Refusal::TARGET)),
        ("absolute, bad port", b"GET http://h:x/", no(Refusal::TARGET)),
        ("one slash", b"GET http:/h/", no(Refusal::TARGET)),
        ("another scheme", b"GET ftp://h/", no(Refusal::TARGET)),
        ("authority form", b"GET h:80", no(Refusal::TARGET)),
        ("relative", b"GET index.html", no(Refusal::TARGET)),
        ("query first", b"GET ?q", no(Refusal::TARGET)),
        ("CONNECT", b"CONNECT h:443", no(Refusal::NOT_A_PROXY)),
        ("CONNECT, origin form", b"CONNECT /", no(Refusal::NOT_A_PROXY)),
    ]);
    check(&[
        ("absolute", b"GET http://h:80/a?b HTTP/1.1\r\nHost: h:80\r\n\r\n", ok("GET /a?b 1.1 @h:80 keep")),
        ("absolute on 1.0", b"GET http://h/ HTTP/1.0\r\n\r\n", ok("GET / 1.0 @h close")),
        ("absolute, Host differs", b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", ok("GET / 1.1 @a keep")),
        ("absolute, port differs", b"GET http://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", ok("GET / 1.1 @a keep")),
        (
            "absolute, Host differs on 1.0",
            b"GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n",
            ok("GET / 1.0 @a close"),
        ),
        ("absolute, bad Host", b"GET http://a/ HTTP/1.1\r\nHost: b b\r\n\r\n", no(Refusal::HOST)),
        ("absolute, no Host", b"GET http://a/ HTTP/1.1\r\n\r\n", no(Refusal::HOST)),
        ("fragment", b"GET /#", no(Refusal::TARGET)),
        ("backslash", b"GET /\\", no(Refusal::TARGET)),
        ("quote", b"GET /\"", no(Refusal::TARGET)),
        ("less-than", b"GET /<", no(Refusal::TARGET)),
        ("greater-than", b"GET />", no(Refusal::TARGET)),
        ("obs-text", b"GET /\x80", no(Refusal::TARGET)),
        ("UTF-8", "GET /é".as_bytes(), no(Refusal::TARGET)),
        ("NUL", b"GET /\0", no(Refusal::CONTROL_CHARACTER)),
        ("DEL", b"GET /\x7f", no(Refusal::CONTROL_CHARACTER)),
        ("bare LF", b"GET /\n", no(Refusal::BARE_LINE_BREAK)),
    ]);
}

#[test]
fn limits() {
    let limits = Limits { request_line: 20, head: 60, fields: 2 };
    let plain = ok("GET / 1.1 @h keep");
    let rows: &[Row] = &[
        ("as long a line as may be", b"GET /4567 HTTP/1.1\r\nHost: h\r\n\r\n", ok("GET /4567 1.1 @h keep")),
        (
            "an empty line before it is not counted",
            b"\r\nGET /4567 HTTP/1.1\r\nHost: h\r\n\r\n",
            ok("GET /4567 1.1 @h keep"),
        ),
        ("one byte more", b"GET /45678 HTTP/1.1\r", no(Refusal::REQUEST_LINE_TOO_LONG)),
        ("a byte before that", b"GET /45678 HTTP/1.1", Outcome::Partial),
        ("a long method", b"GGGGGGGGGGGGGGGGGGGG", no(Refusal::REQUEST_LINE_TOO_LONG)),
        ("a long target", b"GET /56789012345678 ", no(Refusal::REQUEST_LINE_TOO_LONG)),
        ("as many fields as may be", b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n", plain.clone()),
        ("one field more", b"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\nC", no(Refusal::TOO_MANY_FIELDS)),
        (
            "as long a head as may be",
            b"GET / HTTP/1.1\r\nHost: h\r\nA: 8901234567890123456789012345\r\n\r\n",
            plain,
        ),
        (
            "one byte more",
            b"GET / HTTP/1.1\r\nHost: h\r\nA: 89012345678901234567890123456\r\n\r",
            no(Refusal::HEAD_TOO_LARGE),
        ),
        (
            "a byte before that",
            b"GET / HTTP/1.1\r\nHost: h\r\nA: 89012345678901234567890123456\r\n",
            Outcome::Partial,
        ),
        (
            "a long name",
            b"GET / HTTP/1.1\r\nHost: h\r\nA89012345678901234567890123456789012",
            no(Refusal::HEAD_TOO_LARGE),
        ),
        ("the wrong byte goes before its being too many", b"GET /56789012345678#", no(Refusal::TARGET)),
    ];
    for (name, bytes, expected) in rows {
        check_with(limits, name, bytes, expected);
    }
    let many = [&b"GET / HTTP/1.1\r\nHost: h\r\n"[..], &b"A: b\r\n".repeat(300), b"\r\n"].concat();
    check_with(Limits { fields: 301, ..Limits::default() }, "many fields", &many, &ok("GET / 1.1 @h keep"));
    check_with(Limits { fields: 300, ..Limits::default() }, "too many", &many, &no(Refusal::TOO_MANY_FIELDS));
}

#[test]
fn fields_are_found() {
    let buffer = b"GET / HTTP/1.1\r\nHost: h\r\nX-A:  one \r\nx-a: two\r\nEmpty:\r\n\r\n";
    let (mut parser, mut head) = (Parser::new(Limits::default()), Head::default());
    assert_eq!(parser.parse(buffer, &mut head), Ok(Status::Complete));
    assert_eq!(head.field(buffer, "x-A"), Some(&b"one"[..]));
    assert_eq!(head.field(buffer, "empty"), Some(&b""[..]));
    assert_eq!(head.field(buffer, "absent"), None);
    let fields: Vec<_> = head.fields(buffer).collect();
    assert_eq!(fields, [(&b"Host"[..], &b"h"[..]), (b"X-A", b"one"), (b"x-a", b"two"), (b"Empty", b"")]);
    assert_eq!(head.target.text(buffer), "/");
    // What an absolute target says takes the place of what Host says.
    let absolute = b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n";
    parser.reset();
    assert_eq!(parser.parse(absolute, &mut head), Ok(Status::Complete));
    assert_eq!(head.fields(absolute).collect::<Vec<_>>(), [(&b"Host"[..], &b"a"[..])]);
    parser.reset();
    assert_eq!(parser.parse(buffer, &mut head), Ok(Status::Complete));
    // Spans are of no harm to a buffer they were not made for.
    assert_eq!(head.field(b"", "host"), None);
    assert_eq!((head.target.of(b"GE"), head.target.len(), head.target.is_empty()), (&b""[..], 1, false));
}

#[test]
fn a_connection_reuses_parser_and_head() {
    let (mut parser, mut head) = (Parser::new(Limits::default()), Head::default());
    let first = b"POST http://h/a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    assert!(outcome(&mut parser, first, &mut head) != Outcome::Partial);
    parser.reset();
    assert!(!parser.started());
    let second = b"GET / HTTP/1.0\r\n\r\n";
    let description = outcome(&mut parser, second, &mut head);
    assert_eq!(description, Outcome::Head("GET / 1.0 close len=18".into()));
    assert!(head.fields.is_empty());
    // Of the message before, nothing is left but its memory, however little there is of the next.
    parser.reset();
    assert!(outcome(&mut parser, first, &mut head) != Outcome::Partial);
    parser.reset();
    assert_eq!(outcome(&mut parser, b"G", &mut head), Outcome::Partial);
    assert_eq!((&head, head.fields.capacity() > 0), (&Head::default(), true));
}

#[test]
fn a_skipped_line_starts_nothing() {
    let (mut parser, mut head) = (Parser::new(Limits::default()), Head::default());
    for (buffer, started, has_method) in [
        (&b""[..], false, false),
        (b"\r", false, false),
        (b"\r\n", false, false),
        (b"\r\nG", true, false),
        (b"\r\nGET", true, false),
        (b"\r\nGET ", true, true),
    ] {
        assert_eq!(parser.parse(buffer, &mut head), Ok(Status::Partial));
        let found = (parser.started(), parser.has_method());
        assert_eq!(found, (started, has_method), "{}", buffer.escape_ascii());
    }
}

/// Bytes that get further into the parser than arbitrary ones: pieces of heads, put together at random.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"GET "[..],
        b"/ ",
        b"http://h/ ",
        b"HTTP/1.1\r\n",
        b"HTTP/1.0\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n",
        b"Host: h\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: ",
        b"chunked",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\t",
        b":",
        b",",
        b"A_b",
        b"content_length",
        b"\0",
        b"\x80",
        b"\x7f",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_have_one_outcome(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        any_way(Limits::default(), &bytes);
    }

    #[test]
    fn any_pieces_have_one_outcome(bytes in pieces(), line in 0_usize..40, head in 0_usize..80, fields in 0_usize..4) {
        any_way(Limits { request_line: line, head, fields }, &bytes);
        any_way(Limits::default(), &bytes);
    }

    #[test]
    fn any_field_has_one_outcome(lines in prop::collection::vec(any::<u8>(), 0..60)) {
        any_way(Limits::default(), &[b"GET / HTTP/1.1\r\nHost: h\r\n", &lines[..], b"\r\n\r\n"].concat());
    }

    #[test]
    fn what_a_value_may_hold_is_kept(value in prop::collection::vec(prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..], 0..80)) {
        let buffer = [b"GET / HTTP/1.1\r\nHost: h\r\nA:", &value[..], b"\r\n\r\n"].concat();
        let (mut parser, mut head) = (Parser::new(Limits::default()), Head::default());
        prop_assert_eq!(parser.parse(&buffer, &mut head), Ok(Status::Complete));
        prop_assert_eq!(head.field(&buffer, "a"), Some(value.trim_ascii()));
    }
}
