//! Answers as bytes (RFC 9112 §4–7). The server owns how a message is framed and whether its connection goes on: what
//! a handler says about either is left out.

use http::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, UPGRADE, VARY};
use http::{HeaderMap, StatusCode};

/// The interim answer that asks for the body (RFC 9110 §15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A final answer's head, or that of `101 Switching Protocols`.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The status; its reason phrase is the registered one, or empty.
    pub status: StatusCode,
    /// The media type, where `fields` does not have it.
    pub content_type: Option<&'a HeaderValue>,
    /// The handler's fields, of which those that the server owns are left out.
    pub fields: Option<&'a HeaderMap>,
    /// How the body is delimited.
    pub length: Length,
    /// What becomes of the connection.
    pub persistence: Persistence,
    /// The time of the answer, as an IMF-fixdate (RFC 9110 §5.6.7); a Date among `fields` goes before it.
    pub date: &'a [u8; 29],
    /// The request's id, sent as `X-Request-Id` in 16 hex digits unless `fields` has one.
    pub request_id: u64,
    /// Fields that every answer has.
    pub standing: Option<&'a StandingFields>,
}

impl Outgoing<'_> {
    fn has(&self, name: &HeaderName) -> bool {
        self.fields.is_some_and(|fields| fields.contains_key(name))
    }
}

/// How the body of an answer is delimited (RFC 9112 §6.3). An answer to HEAD says what one to GET would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is none. Statuses that cannot have one (1xx, 204, 304) say nothing about it, whatever `Length` is
    /// asked for; any other says `Content-Length: 0`, since its silence would mean "until the connection ends".
    None,
    /// So many bytes.
    Known(u64),
    /// In chunks; only for clients of HTTP/1.1.
    Chunked,
    /// Until the connection ends, which the answer says with `Connection: close`.
    UntilClose,
}

/// What an answer says about its connection (RFC 9112 §9). One with 426 says besides what the client may change it to, by the
/// handler's Upgrade field (RFC 9110 §15.5.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It goes on, as HTTP/1.1 has it without a word.
    Implied,
    /// It goes on, and a client of HTTP/1.0 is told so.
    KeepAlive,
    /// It ends with this answer.
    Close,
    /// It changes its protocol to the one in the handler's Upgrade field (RFC 9110 §7.8).
    Upgrade,
}

/// Fields that every answer has, rendered once; an answer that has one of them itself goes without the standing one. Vary is
/// a list of what answers depend on: of that they have both.
#[derive(Clone, Debug, Default)]
pub struct StandingFields {
    block: Vec<u8>,
    /// The names, and where in the block their lines end.
    lines: Vec<(HeaderName, usize)>,
    has_content_type: bool,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl StandingFields {
    /// Renders the fields in their order. Those the server writes into every answer anyway are left out.
    pub fn new(fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        let mut standing = StandingFields::default();
        for (name, value) in fields {
            if is_owned(&name) || name == DATE || name == REQUEST_ID {
                continue;
            }
            let start = standing.block.len();
            push_field(&mut standing.block, name.as_str().as_bytes(), value.as_bytes());
            for word in standing.block[start..start + name.as_str().len()].split_mut(|&octet| octet == b'-') {
                // A name may have two hyphens in a row.
                if let Some(initial) = word.first_mut() {
                    initial.make_ascii_uppercase();
                }
            }
            standing.has_content_type |= name == CONTENT_TYPE;
            standing.lines.push((name, standing.block.len()));
        }
        standing
    }

    fn write(&self, out: &mut Vec<u8>, answer: &Outgoing<'_>) {
        let Outgoing { content_type, fields, .. } = *answer;
        let has_type = content_type.is_some() && self.has_content_type;
        let is_standing = |name: &HeaderName| self.lines.iter().any(|(standing, _)| standing == name);
        if !has_type && !fields.is_some_and(|fields| fields.keys().any(is_standing)) {
            return out.extend_from_slice(&self.block);
        }
        let mut start = 0;
        for (name, end) in &self.lines {
            let is_replaced = answer.has(name) && name != VARY;
            if !(is_replaced || has_type && name == CONTENT_TYPE) {
                out.extend_from_slice(&self.block[start..*end]);
            }
            start = *end;
        }
    }
}

/// Appends the head of an answer, its empty line included. The version is always HTTP/1.1: ours, not the client's
/// (RFC 9110 §6.2).
pub fn head(out: &mut Vec<u8>, answer: &Outgoing<'_>) {
    let Outgoing { status, content_type, fields, length, persistence, .. } = *answer;
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason_phrase(status).unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    if !answer.has(&DATE) {
        let mut line = *b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        line[b"Date: ".len()..][..answer.date.len()].copy_from_slice(answer.date);
        out.extend_from_slice(&line);
    }
    let has_no_body =
        status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !has_no_body {
        match length {
            Length::None => out.extend_from_slice(b"Content-Length: 0\r\n"),
            Length::Known(length) => {
                out.extend_from_slice(b"Content-Length: ");
                push_number::<10>(out, length);
                out.extend_from_slice(b"\r\n");
            }
            Length::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            Length::UntilClose => {}
        }
    }
    let names_protocol =
        persistence == Persistence::Upgrade || status == StatusCode::UPGRADE_REQUIRED && answer.has(&UPGRADE);
    let persistence = if length == Length::UntilClose { Persistence::Close } else { persistence };
    out.extend_from_slice(match (persistence, names_protocol) {
        (Persistence::Close, false) => b"Connection: close\r\n",
        (Persistence::Close, true) => b"Connection: close, upgrade\r\n",
        (Persistence::KeepAlive, false) => b"Connection: keep-alive\r\n",
        (Persistence::KeepAlive, true) => b"Connection: keep-alive, upgrade\r\n",
        (Persistence::Implied, true) | (Persistence::Upgrade, _) => b"Connection: upgrade\r\n",
        (Persistence::Implied, false) => &b""[..],
    });
    if let Some(content_type) = content_type {
        push_field(out, b"content-type", content_type.as_bytes());
    }
    for (name, value) in fields.into_iter().flatten() {
        if !is_owned(name) || (names_protocol && name == UPGRADE) {
            push_field(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    if !answer.has(&REQUEST_ID) {
        let mut line = *b"X-Request-Id: 0123456789abcdef\r\n";
        for (place, digit) in line[b"X-Request-Id: ".len()..][..16].iter_mut().enumerate() {
            *digit = DIGITS[(answer.request_id >> (60 - 4 * place) & 0xf) as usize];
        }
        out.extend_from_slice(&line);
    }
    if let Some(standing) = answer.standing {
        standing.write(out, answer);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a chunk (RFC 9112 §7.1). No data is no chunk: an empty one would end the body.
pub fn chunk(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        push_number::<16>(out, data.len() as u64);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the end of a chunked body, with its trailer section less the fields that cannot be in one.
pub fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        if !is_owned(name) && name != http::header::HOST {
            push_field(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The registered reason phrase; those of two statuses have changed with RFC 9110.
pub(crate) fn reason_phrase(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Some("Content Too Large"),
        StatusCode::UNPROCESSABLE_ENTITY => Some("Unprocessable Content"),
        _ => status.canonical_reason(),
    }
}

/// Whether the server alone says this: how the message is framed, and what becomes of the connection.
pub(crate) fn is_owned(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "content-length" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade"
    )
}

fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn push_number<const BASE: u64>(out: &mut Vec<u8>, mut number: u64) {
    // u64::MAX has twenty decimal digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = DIGITS[(number % BASE) as usize];
        number /= BASE;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
