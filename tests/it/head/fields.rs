//! The field lines of a head and what they decide (RFC 9112 §5–6, §9.3), with the shapes of request smuggling.

use super::{Row, check, check_with, no, ok};
use selvedge::error::Refusal;
use selvedge::http1::Limits;

/// As [`check`], for rows that are field lines of an otherwise plain request.
fn check_lines(rows: &[Row]) {
    for (name, lines, expected) in rows {
        let bytes = [b"GET / HTTP/1.1\r\nHost: h\r\n", *lines, b"\r\n"].concat();
        check_with(Limits::default(), name, &bytes, expected);
    }
}

#[test]
fn field_lines() {
    let plain = || ok("GET / 1.1 @h keep");
    check_lines(&[
        ("plain", b"Accept: */*\r\n", plain()),
        ("no white space", b"A:b\r\n", plain()),
        ("white space around", b"A: \t b \t \r\n", plain()),
        ("empty value", b"A:\r\n", plain()),
        ("white space as value", b"A: \t \r\n", plain()),
        ("obs-text", b"A: \x80\xff\r\n", plain()),
        ("HT within", b"A: b\tc0123456789012345678901234567890123456789\td\r\n", plain()),
        ("every token character", b"!#$%&'*+-.^_`|~09azAZ: b\r\n", plain()),
        ("repeated", b"A: b\r\nA: c\r\na: d\r\n", plain()),
        ("underscore", b"my_field: b\r\n", plain()),
        ("colon in value", b"A: b:c\r\n", plain()),
        ("no colon", b"A\r\n", no(Refusal::FIELD_LINE)),
        ("empty name", b": b\r\n", no(Refusal::FIELD_LINE)),
        ("SP before colon", b"A : b\r\n", no(Refusal::SPACE_BEFORE_COLON)),
        ("HT before colon", b"A\t: b\r\n", no(Refusal::SPACE_BEFORE_COLON)),
        ("SP in name", b"A b: c\r\n", no(Refusal::SPACE_BEFORE_COLON)),
        ("SP before the length's colon", b"Content-Length : 3\r\n", no(Refusal::SPACE_BEFORE_COLON)),
        ("folded", b"A: b\r\n c\r\n", no(Refusal::FOLDED_FIELD)),
        ("folded with HT", b"A: b\r\n\tc\r\n", no(Refusal::FOLDED_FIELD)),
        ("folded to nothing", b"A: b\r\n \r\n", no(Refusal::FOLDED_FIELD)),
        ("bracket in name", b"A(: b\r\n", no(Refusal::FIELD_LINE)),
        ("quote in name", b"\"A\": b\r\n", no(Refusal::FIELD_LINE)),
        ("obs-text in name", b"\xc3\x84: b\r\n", no(Refusal::FIELD_LINE)),
        ("NUL in name", b"A\0: b\r\n", no(Refusal::CONTROL_CHARACTER)),
        ("VT before name", b"\x0bContent-Length: 3\r\n", no(Refusal::CONTROL_CHARACTER)),
        ("bare LF in name", b"A\nb: c\r\n", no(Refusal::BARE_LINE_BREAK)),
        ("bare CR in name", b"A\rb: c\r\n", no(Refusal::FIELD_LINE)),
        ("NUL in value", b"A: b\0c\r\n", no(Refusal::CONTROL_CHARACTER)),
        ("ESC in value", b"A: \x1b[0m\r\n", no(Refusal::CONTROL_CHARACTER)),
        ("DEL in value", b"A: b\x7f\r\n", no(Refusal::CONTROL_CHARACTER)),
        (
            "DEL far in a value",
            b"A: 0123456789012345678901234567890123456789\x7f\r\n",
            no(Refusal::CONTROL_CHARACTER),
        ),
        ("FF after value", b"A: b\x0c\r\n", no(Refusal::CONTROL_CHARACTER)),
        ("bare LF in value", b"A: b\nContent-Length: 3\r\n", no(Refusal::BARE_LINE_BREAK)),
        ("bare CR in value", b"A: b\rContent-Length: 3\r\n", no(Refusal::BARE_LINE_BREAK)),
        ("CR before CRLF", b"A: b\r\r\n", no(Refusal::BARE_LINE_BREAK)),
        ("bare LF as line", b"\n", no(Refusal::BARE_LINE_BREAK)),
        ("bare CR as line", b"\rA: b\r\n", no(Refusal::BARE_LINE_BREAK)),
        ("length with _", b"Content_Length: 3\r\n", no(Refusal::DISGUISED_FIELD)),
        ("coding with _", b"transfer_encoding: chunked\r\n", no(Refusal::DISGUISED_FIELD)),
        ("forwarded with _", b"X_Forwarded_For: 1.2.3.4\r\n", no(Refusal::DISGUISED_FIELD)),
        ("forwarded with one _", b"x-forwarded_host: a\r\n", no(Refusal::DISGUISED_FIELD)),
        ("forwarded scheme with _", b"X_FORWARDED-PROTO: https\r\n", no(Refusal::DISGUISED_FIELD)),
        ("real ip with _", b"X-Real_IP: 1.2.3.4\r\n", no(Refusal::DISGUISED_FIELD)),
        ("forwarded", b"X-Forwarded-For: 1.2.3.4\r\n", plain()),
        ("nearly forwarded", b"x_forwarded: 1.2.3.4\r\n", plain()),
        ("longer than length", b"content_lengthy: 3\r\n", plain()),
    ]);
    check(&[
        ("folded request line", b"GET / HTTP/1.1\r\n ", no(Refusal::FOLDED_FIELD)),
        ("folded request line, HT", b"GET / HTTP/1.1\r\n\t", no(Refusal::FOLDED_FIELD)),
        ("LF in a half line", b"GET / HTTP/1.1\r\nHost\n", no(Refusal::BARE_LINE_BREAK)),
        ("LF after a half line", b"GET / HTTP/1.1\r\nHost: h\n", no(Refusal::BARE_LINE_BREAK)),
        ("LF for the empty line", b"GET / HTTP/1.1\r\nHost: h\r\n\n", no(Refusal::BARE_LINE_BREAK)),
        ("CR for the empty line", b"GET / HTTP/1.1\r\nHost: h\r\n\rX", no(Refusal::BARE_LINE_BREAK)),
    ]);
}

#[test]
fn hosts() {
    let rows: &[(&str, &str)] = &[
        ("name", "www.example.com"),
        ("port", "h:8080"),
        ("empty port", "h:"),
        ("highest port", "h:65535"),
        ("port with zeros", "h:0080"),
        ("IPv4", "127.0.0.1:80"),
        ("IPv6", "[::1]"),
        ("IPv6 and port", "[2001:db8::1]:443"),
        ("IPv6 around IPv4", "[::ffff:1.2.3.4]"),
        ("percent-encoded", "a%20b"),
        ("sub-delims", "a!$&'()*+;=b"),
        ("underscore", "my_host"),
    ];
    for (name, host) in rows {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check_with(Limits::default(), name, bytes.as_bytes(), &ok(&format!("GET / 1.1 @{host} keep")));
    }
    for host in [
        "",
        ":80",
        "u@h",
        "u:p@h",
        "a,b",
        "a, b",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "h:65536",
        "h:-1",
        "h:+1",
        "h:x",
        "h:1:2",
        "::1",
        "[::1",
        "[]",
        "[::1]x",
        "[::1%25eth0]",
        "[1.2.3.4]",
        "[v1.a]",
        "a]",
        "%",
        "%2",
        "%zz",
        "http://h",
        "h\u{e9}",
        "a\tb",
        "\"h\"",
        "<h>",
        "h:99999999999999999999",
    ] {
        let bytes = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check_with(Limits::default(), host, bytes.as_bytes(), &no(Refusal::HOST));
    }
    check(&[
        ("none", b"GET / HTTP/1.1\r\n\r\n", no(Refusal::HOST)),
        ("two", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", no(Refusal::HOST)),
        ("two alike", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", no(Refusal::HOST)),
        ("two on 1.0", b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", no(Refusal::HOST)),
        ("malformed on 1.0", b"GET / HTTP/1.0\r\nHost: a,b\r\n\r\n", no(Refusal::HOST)),
        ("any case", b"GET / HTTP/1.1\r\nhOsT:a\r\n\r\n", ok("GET / 1.1 @a keep")),
        ("not first", b"GET / HTTP/1.1\r\nA: b\r\nHost: a\r\n\r\n", ok("GET / 1.1 @a keep")),
    ]);
}

#[test]
fn framing() {
    let length = |length: &str| ok(&format!("GET / 1.1 @h length={length} keep"));
    let chunked = || ok("GET / 1.1 @h chunked keep");
    check_lines(&[
        ("length", b"Content-Length: 5\r\n", length("5")),
        ("zero", b"Content-Length: 0\r\n", length("0")),
        ("zeros first", b"Content-Length: 0005\r\n", length("5")),
        ("white space around", b"content-length:\t5 \r\n", length("5")),
        ("19 digits", b"Content-Length: 9999999999999999999\r\n", length("9999999999999999999")),
        ("20 digits", b"Content-Length: 00000000000000000005\r\n", no(Refusal::CONTENT_LENGTH)),
        ("overflow", b"Content-Length: 18446744073709551617\r\n", no(Refusal::CONTENT_LENGTH)),
        ("empty", b"Content-Length:\r\n", no(Refusal::CONTENT_LENGTH)),
        ("plus", b"Content-Length: +5\r\n", no(Refusal::CONTENT_LENGTH)),
        ("minus", b"Content-Length: -5\r\n", no(Refusal::CONTENT_LENGTH)),
        ("letter after", b"Content-Length: 5x\r\n", no(Refusal::CONTENT_LENGTH)),
        ("hexadecimal", b"Content-Length: 0x5\r\n", no(Refusal::CONTENT_LENGTH)),
        ("SP within", b"Content-Length: 1 0\r\n", no(Refusal::CONTENT_LENGTH)),
        ("underscore within", b"Content-Length: 1_0\r\n", no(Refusal::CONTENT_LENGTH)),
        ("fraction", b"Content-Length: 5.0\r\n", no(Refusal::CONTENT_LENGTH)),
        ("quoted", b"Content-Length: \"5\"\r\n", no(Refusal::CONTENT_LENGTH)),
        ("other digits", "Content-Length: ٥\r\n".as_bytes(), no(Refusal::CONTENT_LENGTH)),
        ("list", b"Content-Length: 5, 5\r\n", no(Refusal::CONTENT_LENGTH)),
        ("trailing comma", b"Content-Length: 5,\r\n", no(Refusal::CONTENT_LENGTH)),
        ("repeated alike", b"Content-Length: 5\r\nContent-Length: 5\r\n", no(Refusal::CONTENT_LENGTH)),
        ("repeated", b"Content-Length: 5\r\ncontent-length: 6\r\n", no(Refusal::CONTENT_LENGTH)),
        ("chunked", b"Transfer-Encoding: chunked\r\n", chunked()),
        ("chunked in any case", b"TRANSFER-ENCODING: ChunKED\r\n", chunked()),
        ("chunked after HT", b"Transfer-Encoding:\tchunked\t\r\n", chunked()),
        (
            "length first",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            no(Refusal::LENGTH_AND_CODING),
        ),
        (
            "coding first",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            no(Refusal::LENGTH_AND_CODING),
        ),
        ("both malformed", b"Transfer-Encoding: x;\r\nContent-Length: x\r\n", no(Refusal::LENGTH_AND_CODING)),
        (
            "both, twice",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
            no(Refusal::LENGTH_AND_CODING),
        ),
        ("empty coding", b"Transfer-Encoding:\r\n", no(Refusal::CODING)),
        ("chunked twice", b"Transfer-Encoding: chunked, chunked\r\n", no(Refusal::CODING)),
        (
            "two lines alike",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            no(Refusal::CODING),
        ),
        ("two lines", b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", no(Refusal::CODING)),
        ("chunked not last", b"Transfer-Encoding: chunked, gzip\r\n", no(Refusal::CODING)),
        ("chunked first and last", b"Transfer-Encoding: chunked, gzip, chunked\r\n", no(Refusal::CODING)),
        ("parameter", b"Transfer-Encoding: chunked;a=b\r\n", no(Refusal::CODING)),
        ("quoted coding", b"Transfer-Encoding: \"chunked\"\r\n", no(Refusal::CODING)),
        ("comma after", b"Transfer-Encoding: chunked,\r\n", no(Refusal::CODING)),
        ("comma before", b"Transfer-Encoding: ,chunked\r\n", no(Refusal::CODING)),
        ("two words", b"Transfer-Encoding: chunked x\r\n", no(Refusal::CODING)),
        ("obs-text after", b"Transfer-Encoding: chunked\xa0\r\n", no(Refusal::CODING)),
        ("VT before", b"Transfer-Encoding: \x0bchunked\r\n", no(Refusal::CONTROL_CHARACTER)),
        ("gzip, chunked", b"Transfer-Encoding: gzip, chunked\r\n", no(Refusal::UNKNOWN_CODING)),
        ("gzip", b"Transfer-Encoding: gzip\r\n", no(Refusal::UNKNOWN_CODING)),
        ("identity", b"Transfer-Encoding: identity\r\n", no(Refusal::UNKNOWN_CODING)),
        ("nearly chunked", b"Transfer-Encoding: xchunked\r\n", no(Refusal::UNKNOWN_CODING)),
        ("nearly chunked, after", b"Transfer-Encoding: chunkedx\r\n", no(Refusal::UNKNOWN_CODING)),
    ]);
    check(&[
        (
            "coding on 1.0",
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            no(Refusal::CODING_IN_1_0),
        ),
        (
            "unknown coding on 1.0",
            b"POST / HTTP/1.0\r\nTransfer-Encoding: x\r\n\r\n",
            no(Refusal::CODING_IN_1_0),
        ),
        (
            "both on 1.0",
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            no(Refusal::LENGTH_AND_CODING),
        ),
        ("length on 1.0", b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", ok("POST / 1.0 length=5 close")),
    ]);
}

/// With what those would mean whose names have as many letters.
const AS_LONG: &[u8] =
    b"From: a\r\nAccept: x\r\nUser-Agent: close\r\nAccept-Charset: 5\r\nIf-Modified-Since: chunked\r\n";

#[test]
fn connection_and_expect() {
    check_lines(&[
        ("close", b"Connection: close\r\n", ok("GET / 1.1 @h close")),
        ("close in any case", b"CONNECTION: Close\r\n", ok("GET / 1.1 @h close")),
        ("close in a list", b"Connection: upgrade ,\tclose, x\r\n", ok("GET / 1.1 @h close")),
        (
            "close on a second line",
            b"Connection: keep-alive\r\nConnection: close\r\n",
            ok("GET / 1.1 @h close"),
        ),
        ("keep-alive", b"Connection: keep-alive\r\n", ok("GET / 1.1 @h keep")),
        ("names as long as others", AS_LONG, ok("GET / 1.1 @h keep")),
        ("nearly close", b"Connection: closed, xclose, close x\r\n", ok("GET / 1.1 @h keep")),
        ("empty", b"Connection:\r\n", ok("GET / 1.1 @h keep")),
        ("continue", b"Expect: 100-continue\r\n", ok("GET / 1.1 @h keep continue")),
        ("continue in any case", b"expect: 100-Continue\r\n", ok("GET / 1.1 @h keep continue")),
        ("unknown expectation", b"Expect: 200-ok\r\n", no(Refusal::EXPECTATION)),
        ("empty expectation", b"Expect:\r\n", ok("GET / 1.1 @h keep")),
        ("continue, twice", b"Expect: 100-continue ,, 100-Continue,\r\n", ok("GET / 1.1 @h keep continue")),
        ("continue and more", b"Expect: 100-continue, x\r\n", no(Refusal::EXPECTATION)),
        ("continue, then unknown", b"Expect: 100-continue\r\nExpect: x\r\n", no(Refusal::EXPECTATION)),
        ("unknown, then continue", b"Expect: x\r\nExpect: 100-continue\r\n", no(Refusal::EXPECTATION)),
        (
            "framing goes before expectation",
            b"Expect: x\r\nContent-Length: x\r\n",
            no(Refusal::CONTENT_LENGTH),
        ),
    ]);
    check(&[
        ("1.0 keep-alive", b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", ok("GET / 1.0 keep")),
        ("1.0 both", b"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", ok("GET / 1.0 close")),
        ("1.0 expects nothing", b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", ok("GET / 1.0 close")),
        ("1.0 ignores Expect", b"GET / HTTP/1.0\r\nExpect: x\r\n\r\n", ok("GET / 1.0 close")),
    ]);
}
