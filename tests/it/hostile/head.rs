//! Heads of requests: one reading, however the bytes are cut, and the same as the [model](super::model)'s.

use super::model::{self, Message};
use super::{assert_same, cuts};
use selvedge::error::Refusal;
use selvedge::http1::{Framing, Head, Limits, Parser, Status};

/// Small enough to be reached.
const TIGHT: Limits = Limits { request_line: 60, head: 120, fields: 3 };

pub fn check(bytes: &[u8]) {
    for limits in [Limits::default(), TIGHT] {
        let found = read(limits, bytes, [bytes.len()]);
        assert_same(&read(limits, bytes, 1..=bytes.len()), &found, "byte by byte");
        assert_same(&read(limits, bytes, cuts(bytes)), &found, "in pieces");
        match &found {
            Ok(Some(head)) => agrees(head, bytes, limits),
            Ok(None) => assert!(bytes.len() < limits.head, "more is wanted than may come"),
            Err(_) => {}
        }
    }
    let found = read(Limits::default(), bytes, [bytes.len()]);
    if let (Some(message), Ok(None) | Err(_)) = (Message::read(bytes), &found) {
        may_be_refused(&message, found.as_ref().err().copied());
    }
}

fn read(
    limits: Limits,
    bytes: &[u8],
    ends: impl IntoIterator<Item = usize>,
) -> Result<Option<Head>, Refusal> {
    let (mut parser, mut head) = (Parser::new(limits), Head::default());
    for end in ends {
        if parser.parse(&bytes[..end], &mut head)? == Status::Complete {
            assert_eq!(parser.parse(bytes, &mut head), Ok(Status::Complete), "changed its mind");
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// What has been accepted, the model reads in the same way.
fn agrees(head: &Head, bytes: &[u8], limits: Limits) {
    let message = Message::read(bytes).expect("the model accepts it too");
    assert!(head.len <= limits.head && head.fields.len() <= limits.fields, "past the limits: {head:?}");
    assert_eq!(head.len, message.len);
    assert_eq!(head.method.as_str().as_bytes(), message.method);
    assert_eq!(head.target.of(bytes), message.target);
    assert_eq!(head.path.of(bytes), message.path());
    assert_eq!(head.version == http::Version::HTTP_10, message.minor == 0);
    assert_eq!(framing(head.framing), message.framing);
    assert_eq!(head.persistent, message.persists());
    let absolute = !matches!(message.target, [b'/', ..] | b"*");
    let fields: Vec<_> = head.fields(bytes).collect();
    assert_eq!(fields.len(), message.fields.len());
    for (ours, theirs) in fields.iter().zip(&message.fields) {
        let replaced = absolute && theirs.0.eq_ignore_ascii_case(b"host");
        assert!(ours.0 == theirs.0 && (ours.1 == theirs.1 || replaced), "{ours:?} is not {theirs:?}");
    }
    let hosts = message.values("host");
    assert!(hosts.len() == 1 || (hosts.is_empty() && message.minor == 0), "hosts: {hosts:?}");
    if !absolute {
        assert_eq!(head.authority.map(|span| span.of(bytes)), hosts.first().copied());
    }
    // What a proxy in front of us may have understood is never left to be told from a `_`.
    for (name, _) in fields {
        let hyphened = String::from_utf8_lossy(name).to_ascii_lowercase().replace('_', "-");
        let frames = matches!(&*hyphened, "content-length" | "transfer-encoding");
        assert!(!frames || !name.contains(&b'_'), "disguised: {hyphened}");
    }
    // A parser that others use reads the same head.
    let mut lines = [httparse::EMPTY_HEADER; 128];
    let mut theirs = httparse::Request::new(&mut lines);
    if message.minor < 2 {
        assert_eq!(theirs.parse(bytes), Ok(httparse::Status::Complete(head.len)));
        assert_eq!(theirs.method.map(str::as_bytes), Some(message.method));
        assert_eq!(theirs.headers.len(), message.fields.len());
    }
}

/// What the model accepts is refused only for what the model does not look at.
fn may_be_refused(message: &Message<'_>, refusal: Option<Refusal>) {
    let expected = [
        Refusal::TARGET,
        Refusal::NOT_A_PROXY,
        Refusal::HOST,
        Refusal::DISGUISED_FIELD,
        Refusal::EXPECTATION,
        Refusal::REQUEST_LINE_TOO_LONG,
        Refusal::HEAD_TOO_LARGE,
        Refusal::TOO_MANY_FIELDS,
    ];
    let refusal = refusal.unwrap_or_else(|| panic!("more is wanted of {message:?}"));
    assert!(expected.contains(&refusal), "{refusal:?} for {message:?}");
}

pub fn framing(framing: Framing) -> model::Framing {
    match framing {
        Framing::None => model::Framing::None,
        Framing::Length(length) => model::Framing::Length(length),
        Framing::Chunked => model::Framing::Chunked,
    }
}
