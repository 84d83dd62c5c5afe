//! Bodies of requests: Content-Length and chunks (RFC 9112 §6–7), however they are cut.

use http::HeaderMap;
use proptest::prelude::*;
use selvedge::error::Refusal;
use selvedge::http1::{Decoder, Framing, Limits, encode};

const MAX_BODY: u64 = 1000;
const LIMITS: Limits = Limits { request_line: 100, head: 100, fields: 3 };

/// What becomes of a body: its data and how many bytes of the input it took, more bytes needed, or a refusal.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Whole { data: Vec<u8>, taken: usize, trailers: Option<HeaderMap> },
    Partial { data: Vec<u8> },
    Refused(Refusal),
}

/// Decodes bytes that arrive in these pieces, given as where each ends; past a refusal, data before it is forgotten.
fn in_pieces(framing: Framing, bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> Outcome {
    let mut decoder = match Decoder::new(framing, MAX_BODY, &LIMITS) {
        Ok(decoder) => decoder,
        Err(refusal) => return Outcome::Refused(refusal),
    };
    let (mut data, mut taken) = (Vec::new(), 0);
    for end in ends {
        while taken < end && !decoder.is_done() {
            let input = &bytes[taken..end];
            let step = match decoder.decode(input) {
                Ok(step) => step,
                Err(refusal) => return Outcome::Refused(refusal),
            };
            assert!(step.data.end <= step.consumed, "{step:?}");
            assert!(
                step.consumed == input.len() || !step.data.is_empty() || decoder.is_done(),
                "stopped without a reason: {step:?}"
            );
            data.extend_from_slice(&input[step.data]);
            taken += step.consumed;
            let left = match framing {
                Framing::Length(length) => Some(length - data.len() as u64),
                _ => decoder.is_done().then_some(0),
            };
            assert_eq!(decoder.left(), left, "of {framing:?} after {} bytes", data.len());
        }
    }
    if !decoder.is_done() {
        assert_eq!(decoder.trailers(), None, "trailers before the end");
        return Outcome::Partial { data };
    }
    let step = decoder.decode(b"next").unwrap();
    assert_eq!((step.consumed, step.data), (0, 0..0), "went on after the end");
    let trailers = decoder.trailers();
    assert_eq!(decoder.trailers(), None, "trailers twice");
    Outcome::Whole { data, taken, trailers }
}

/// The outcome of the bytes at once, having seen to it that no way of cutting them gives another.
fn any_way(framing: Framing, bytes: &[u8]) -> Outcome {
    let whole = in_pieces(framing, bytes, [bytes.len()]);
    for cut in 0..bytes.len() {
        assert_eq!(
            in_pieces(framing, bytes, [cut, bytes.len()]),
            whole,
            "cut at {cut}: {}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(in_pieces(framing, bytes, 0..=bytes.len()), whole, "byte by byte: {}", bytes.escape_ascii());
    whole
}

/// What a row expects.
enum Expected {
    /// All of the bytes are the message, with this data.
    Data(&'static [u8]),
    /// So far this data, and no end.
    Partial(&'static [u8]),
    Refused(Refusal),
}
use Expected::{Data, Partial, Refused};

fn check(framing: Framing, rows: &[(&str, &[u8], Expected)]) {
    for (name, bytes, expected) in rows {
        let found = any_way(framing, bytes);
        let message = format!("{name}: {}", bytes.escape_ascii());
        match (expected, found) {
            (Data(expected), Outcome::Whole { data, taken, .. }) => {
                assert_eq!((&data[..], taken), (*expected, bytes.len()), "{message}");
                let followed = [bytes, &b"GET / HTTP/1.1\r\n"[..]].concat();
                let Outcome::Whole { taken, .. } = any_way(framing, &followed) else {
                    panic!("{message}, followed")
                };
                assert_eq!(taken, bytes.len(), "{message}: took bytes of the next message");
            }
            (Partial(expected), Outcome::Partial { data }) => assert_eq!(&data[..], *expected, "{message}"),
            (Refused(expected), Outcome::Refused(refusal)) => assert_eq!(refusal, *expected, "{message}"),
            (_, found) => panic!("{message}: {found:?}"),
        }
    }
}

#[test]
fn lengths() {
    check(Framing::None, &[("none", b"", Data(b""))]);
    check(Framing::Length(0), &[("zero", b"", Data(b""))]);
    check(
        Framing::Length(3),
        &[
            ("whole", b"abc", Data(b"abc")),
            ("any octet", b"\0\r\n", Data(b"\0\r\n")),
            ("part", b"ab", Partial(b"ab")),
            ("nothing yet", b"", Partial(b"")),
        ],
    );
    check(Framing::Length(MAX_BODY + 1), &[("announced too large", b"", Refused(Refusal::BODY_TOO_LARGE))]);
    check(Framing::Length(u64::MAX), &[("announced far too large", b"", Refused(Refusal::BODY_TOO_LARGE))]);
    check(Framing::Length(MAX_BODY), &[("as large as may be", b"", Partial(b""))]);
}

#[test]
fn chunks() {
    check(
        Framing::Chunked,
        &[
            ("none", b"0\r\n\r\n", Data(b"")),
            ("many zeros", b"0000000000000000\r\n\r\n", Data(b"")),
            ("one", b"3\r\nabc\r\n0\r\n\r\n", Data(b"abc")),
            ("two", b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Data(b"abcde")),
            ("lower case", b"a\r\n0123456789\r\n0\r\n\r\n", Data(b"0123456789")),
            ("upper case", b"A\r\n0123456789\r\n0\r\n\r\n", Data(b"0123456789")),
            ("zeros first", b"0000000000000003\r\nabc\r\n0\r\n\r\n", Data(b"abc")),
            ("CRLF as data", b"4\r\n\r\n\r\n\r\n0\r\n\r\n", Data(b"\r\n\r\n")),
            ("a chunk as data", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", Data(b"0\r\n\r\n")),
            ("nothing yet", b"", Partial(b"")),
            ("half a size", b"3", Partial(b"")),
            ("half a line end", b"3\r", Partial(b"")),
            ("half the data", b"3\r\nab", Partial(b"ab")),
            ("no end of the data", b"3\r\nabc", Partial(b"abc")),
            ("half an end of the data", b"3\r\nabc\r", Partial(b"abc")),
            ("no last chunk", b"3\r\nabc\r\n", Partial(b"abc")),
            ("no empty line", b"3\r\nabc\r\n0\r\n", Partial(b"abc")),
            ("half an empty line", b"0\r\n\r", Partial(b"")),
            ("17 digits", b"00000000000000003", Refused(Refusal::CHUNK_SIZE)),
            ("17 large digits", b"fffffffffffffffff", Refused(Refusal::CHUNK_SIZE)),
            ("16 large digits", b"ffffffffffffffff\r", Refused(Refusal::BODY_TOO_LARGE)),
            ("sign bit", b"8000000000000000\r", Refused(Refusal::BODY_TOO_LARGE)),
            ("no digits", b"\r", Refused(Refusal::CHUNK_SIZE)),
            ("not hexadecimal", b"g", Refused(Refusal::CHUNK_SIZE)),
            ("plus", b"+3", Refused(Refusal::CHUNK_SIZE)),
            ("minus", b"-3", Refused(Refusal::CHUNK_SIZE)),
            ("prefix", b"0x3", Refused(Refusal::CHUNK_SIZE)),
            ("underscore", b"1_0", Refused(Refusal::CHUNK_SIZE)),
            ("comma", b"1,0", Refused(Refusal::CHUNK_SIZE)),
            ("quoted", b"\"3\"", Refused(Refusal::CHUNK_SIZE)),
            ("SP before", b" 3", Refused(Refusal::CHUNK_SIZE)),
            ("SP after", b"3 ", Refused(Refusal::CHUNK_SIZE)),
            ("HT after", b"3\t", Refused(Refusal::CHUNK_SIZE)),
            ("NUL after", b"3\0", Refused(Refusal::CHUNK_SIZE)),
            ("obs-text", b"3\xb3", Refused(Refusal::CHUNK_SIZE)),
            ("bare LF", b"3\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("bare LF first", b"\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("bare CR", b"3\ra", Refused(Refusal::BARE_LINE_BREAK)),
            ("two CR", b"3\r\r\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("data too long", b"3\r\nabcd\r\n", Refused(Refusal::CHUNK_END)),
            ("data too short", b"3\r\nab\r\n0\r\n\r\n", Refused(Refusal::CHUNK_END)),
            ("LF after data", b"3\r\nabc\n", Refused(Refusal::CHUNK_END)),
            ("CR after data", b"3\r\nabc\r0", Refused(Refusal::CHUNK_END)),
            ("next size after data", b"3\r\nabc0\r\n\r\n", Refused(Refusal::CHUNK_END)),
            ("empty line between", b"3\r\nabc\r\n\r\n", Refused(Refusal::CHUNK_SIZE)),
            ("LF for the empty line", b"0\r\n\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("CR for the empty line", b"0\r\n\rX", Refused(Refusal::BARE_LINE_BREAK)),
        ],
    );
}

#[test]
fn extensions() {
    let refused = || Refused(Refusal::CHUNK_EXTENSION);
    check(
        Framing::Chunked,
        &[
            ("name", b"0;a\r\n\r\n", Data(b"")),
            ("value", b"3;a=b\r\nabc\r\n0\r\n\r\n", Data(b"abc")),
            ("two", b"3;a=b;c\r\nabc\r\n0;d\r\n\r\n", Data(b"abc")),
            ("quoted", b"0;a=\"b;c \xff\"\r\n\r\n", Data(b"")),
            ("white space", b"0; \ta = b\t\r\n\r\n", Data(b"")),
            ("half", b"3;a", Partial(b"")),
            ("nothing", b"3;\r", refused()),
            ("white space only", b"3; \r", refused()),
            ("no name", b"3;=b", refused()),
            ("two semicolons", b"3;;", refused()),
            ("NUL", b"3;a\0", refused()),
            ("NUL first", b"3;\0", refused()),
            ("DEL", b"3;a=\x7f", refused()),
            ("obs-text first", b"3;\xff", refused()),
            ("SP before", b"3 ;a\r\n", Refused(Refusal::CHUNK_SIZE)),
            ("bare LF", b"3;a\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("bare LF first", b"3;\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("bare LF in quotes", b"3;a=\"\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("bare CR", b"3;a\rb", Refused(Refusal::BARE_LINE_BREAK)),
            ("size is judged first", b"ffff;", Refused(Refusal::BODY_TOO_LARGE)),
        ],
    );
}

#[test]
fn trailer_sections() {
    let refused = || Refused(Refusal::TRAILER);
    check(
        Framing::Chunked,
        &[
            ("one field", b"0\r\nA: b\r\n\r\n", Data(b"")),
            ("three fields", b"0\r\nA: b\r\nC:\r\nA: d\r\n\r\n", Data(b"")),
            ("half", b"0\r\nA: b\r\n", Partial(b"")),
            ("four fields", b"0\r\nA: b\r\nA: b\r\nA: b\r\nA", Refused(Refusal::TOO_MANY_FIELDS)),
            ("length", b"0\r\nContent-Length: 3\r\n\r\n", refused()),
            ("coding", b"0\r\ntransfer-encoding: chunked\r\n\r\n", refused()),
            ("Host", b"0\r\nA: b\r\nHOST: h\r\n\r\n", refused()),
            ("length with _", b"0\r\ncontent_length: 3\r\n\r\n", refused()),
            ("forwarded with _", b"0\r\nX_Forwarded_For: 1.2.3.4\r\n\r\n", refused()),
            ("no colon", b"0\r\nA\r\n", Refused(Refusal::FIELD_LINE)),
            ("no name", b"0\r\n: b\r\n", Refused(Refusal::FIELD_LINE)),
            ("a request", b"0\r\nGET / HTTP/1.1\r\n", Refused(Refusal::SPACE_BEFORE_COLON)),
            ("SP before colon", b"0\r\nA : b\r\n", Refused(Refusal::SPACE_BEFORE_COLON)),
            ("folded", b"0\r\nA: b\r\n c\r\n", Refused(Refusal::FOLDED_FIELD)),
            ("folded chunk line", b"0\r\n A: b\r\n", Refused(Refusal::FOLDED_FIELD)),
            ("NUL", b"0\r\nA: \0\r\n", Refused(Refusal::CONTROL_CHARACTER)),
            ("bare LF", b"0\r\nA: b\n", Refused(Refusal::BARE_LINE_BREAK)),
            ("bare CR", b"0\r\nA: b\rc", Refused(Refusal::BARE_LINE_BREAK)),
        ],
    );
    let section = b"0\r\nDigest: x\r\nDIGEST:  y \r\n\r\n";
    let Outcome::Whole { trailers: Some(trailers), .. } = any_way(Framing::Chunked, section) else {
        panic!()
    };
    assert_eq!(trailers.get_all("digest").iter().collect::<Vec<_>>(), ["x", "y"]);
    assert!(matches!(any_way(Framing::Chunked, b"0\r\n\r\n"), Outcome::Whole { trailers: None, .. }));
}

#[test]
fn limits() {
    let chunk = |size: usize| [format!("{size:x}\r\n").as_bytes(), &vec![b'x'; size], b"\r\n"].concat();
    let last = b"0\r\n\r\n".to_vec();
    let extended = |length: usize| format!("1;{}\r\nx\r\n", "e".repeat(length)).into_bytes();
    let trailer = |length: usize| format!("0\r\nA: {}\r\n\r\n", "b".repeat(length)).into_bytes();
    let rows = [
        ("as much as may be", vec![chunk(1000), last.clone()], None),
        ("one byte more", vec![b"3e9\r".to_vec()], Some(Refusal::BODY_TOO_LARGE)),
        ("one byte more in two", vec![chunk(999), b"2\r".to_vec()], Some(Refusal::BODY_TOO_LARGE)),
        ("as much in two", vec![chunk(999), chunk(1), last.clone()], None),
        ("longest extension", vec![extended(256), last.clone()], None),
        ("longer extension", vec![extended(257)], Some(Refusal::CHUNK_EXTENSION)),
        ("most extensions", vec![extended(256).repeat(64), last.clone()], None),
        ("more extensions", vec![extended(256).repeat(64), b"1;e".to_vec()], Some(Refusal::CHUNK_EXTENSION)),
        ("longest trailer section", vec![trailer(93)], None),
        ("longer trailer section", vec![trailer(94)], Some(Refusal::HEAD_TOO_LARGE)),
    ];
    for (name, parts, refusal) in rows {
        let bytes = parts.concat();
        for pieces in [1, 7, bytes.len()] {
            match (
                in_pieces(
                    Framing::Chunked,
                    &bytes,
                    (pieces..bytes.len()).step_by(pieces).chain([bytes.len()]),
                ),
                refusal,
            ) {
                (Outcome::Whole { taken, .. }, None) => assert_eq!(taken, bytes.len(), "{name}"),
                (Outcome::Refused(found), Some(refusal)) => assert_eq!(found, refusal, "{name}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}

/// Bytes that get further into the decoder than arbitrary ones: pieces of chunked bodies, put together at random.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"0\r\n"[..],
        b"3\r\nabc\r\n",
        b"1\r\n",
        b"a",
        b"\r\n",
        b"\r",
        b"\n",
        b";a=b",
        b";",
        b" ",
        b"0",
        b"ff",
        b"A: b\r\n",
        b":",
        b"\0",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_have_one_outcome(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        any_way(Framing::Chunked, &bytes);
        any_way(Framing::Length(7), &bytes);
    }

    #[test]
    fn any_pieces_have_one_outcome(bytes in pieces()) {
        any_way(Framing::Chunked, &bytes);
    }

    #[test]
    fn what_is_encoded_is_decoded(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6), digest in "[a-z]{0,9}") {
        let mut trailers = HeaderMap::new();
        trailers.insert("digest", digest.parse().unwrap());
        let mut bytes = Vec::new();
        for chunk in &chunks {
            encode::chunk(&mut bytes, chunk);
        }
        encode::last_chunk(&mut bytes, Some(&trailers));
        let expected = Outcome::Whole { data: chunks.concat(), taken: bytes.len(), trailers: Some(trailers) };
        prop_assert_eq!(any_way(Framing::Chunked, &bytes), expected);
    }
}
