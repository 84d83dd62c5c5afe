//! The head of a request (RFC 9112 §2–5): a strict scan that goes on wherever it was cut, then one pass over the
//! fields that decides what the server acts upon.

use super::fields::{self, FieldLines};
use super::framing::Facts;
use super::octets::{TARGET, TOKEN, misplaced, run};
use super::{Framing, Limits, target};
use crate::error::Refusal;
use http::uri::Scheme;
use http::{Method, Version};

/// A stretch of the buffer a head was parsed from, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The bytes it stands for; none if the buffer is not the one it was made for.
    pub fn of(self, buffer: &[u8]) -> &[u8] {
        buffer.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The same as text; empty if it is not UTF-8. Targets, paths, authorities and field names are ASCII.
    pub fn text(self, buffer: &[u8]) -> &str {
        str::from_utf8(self.of(buffer)).unwrap_or_default()
    }

    /// How many bytes it stands for.
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether it stands for no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// `Parser` sees to it that heads are shorter than 4 GiB.
    pub(super) fn new(start: usize, end: usize) -> Self {
        Span { start: start as u32, end: end as u32 }
    }

    /// The span of `part`, which lies within `buffer`.
    fn within(buffer: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(buffer.as_ptr().addr());
        Span::new(start, start.wrapping_add(part.len()))
    }
}

/// A field line (RFC 9112 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's name, in the case it was sent in; a token.
    pub name: Span,
    /// The field's value without the white space around it. It may hold obs-text, bytes from 0x80 up.
    pub value: Span,
}

/// The head of a request: offsets into the buffer it was parsed from, and what they mean for the connection. Made to
/// be used again: [`Parser::parse`] clears it and keeps its memory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Head {
    /// The method, case-sensitive (RFC 9110 §9.1).
    pub method: Method,
    /// `HTTP_10` or `HTTP_11`; a later 1.x is treated as 1.1 (RFC 9110 §2.5).
    pub version: Version,
    /// The request target as it was sent (RFC 9112 §3.2).
    pub target: Span,
    /// The scheme of an absolute target: `http` or `https`. Other targets have none.
    pub scheme: Option<Scheme>,
    /// The path, still percent-encoded, without the query: `/` where an absolute target has none, `*` for `OPTIONS *`.
    pub path: Span,
    /// The query, after its `?`.
    pub query: Option<Span>,
    /// Who is asked: the authority of an absolute target, else the value of Host (RFC 9112 §3.3).
    pub authority: Option<Span>,
    /// The field lines in the order they were sent.
    pub fields: Vec<Field>,
    /// How the body is delimited (RFC 9112 §6).
    pub framing: Framing,
    /// Whether the client lets the connection go on after the answer (RFC 9112 §9.3).
    pub persistent: bool,
    /// Whether the client waits for `100 Continue` (RFC 9110 §10.1.1).
    pub expects_continue: bool,
    /// Bytes the head takes from the start of the buffer, a skipped empty line and the last one included.
    pub len: usize,
}

impl Head {
    /// The value of the first field of that name, in whatever case.
    pub fn field<'b>(&self, buffer: &'b [u8], name: &str) -> Option<&'b [u8]> {
        let mut values = self.fields(buffer).filter(|(sent, _)| sent.eq_ignore_ascii_case(name.as_bytes()));
        values.next().map(|(_, value)| value)
    }

    /// Names and values of all fields, in the order they were sent.
    pub fn fields<'b>(&self, buffer: &'b [u8]) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
        self.fields.iter().map(|field| (field.name.of(buffer), field.value.of(buffer)))
    }

    /// Takes the target apart, now that the rest of its line is known.
    fn take_target(&mut self, version: Version, buffer: &[u8]) -> Result<(), Refusal> {
        let Span { start, end } = self.target;
        let target = target::parse(&self.method, buffer, start as usize, end as usize)?;
        (self.path, self.query) = (target.path, target.query);
        (self.scheme, self.authority) = (target.scheme, target.authority);
        self.version = version;
        Ok(())
    }

    /// Gives every field called `name` another value.
    fn replace(&mut self, buffer: &[u8], name: &[u8], value: Span) {
        for field in &mut self.fields {
            if field.name.of(buffer).eq_ignore_ascii_case(name) {
                field.value = value;
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Head { fields, ..Head::default() };
    }
}

/// Whether what was to be read is all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// More bytes are needed.
    Partial,
    /// It is all there.
    Complete,
}

/// Reads heads of requests, one after the other.
#[derive(Clone, Debug)]
pub struct Parser {
    limits: Limits,
    state: State,
    /// The next octet to look at, up to the end of the request line.
    at: usize,
    /// Where the request line starts: after an empty line that was skipped.
    start: usize,
    /// Where the part of the request line that is being read starts.
    part: usize,
    /// The scan of the field lines, which begins where the request line ends.
    lines: FieldLines,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    /// The CR of an empty line before the request line was seen.
    Skip,
    Method,
    Target,
    Version,
    /// The request line's CR was seen.
    LineEnd,
    Fields,
}

impl Parser {
    /// A parser at the start of a message.
    pub fn new(limits: Limits) -> Self {
        // A span counts in 32 bits.
        let limits = Limits { head: limits.head.min(u32::MAX as usize), ..limits };
        let lines = FieldLines::new(0, limits.head, limits.fields);
        Parser { limits, state: State::Start, at: 0, start: 0, part: 0, lines }
    }

    /// Makes ready for the next message.
    pub fn reset(&mut self) {
        *self = Parser::new(self.limits);
    }

    /// Reads on. `buffer` starts at the first byte of the message and grows between calls, and `head` is the same in
    /// all of them; bytes that were scanned are not scanned again. What comes after the head is not looked at.
    ///
    /// The outcome, down to the refusal, is the same however the bytes were cut, and comes with the byte that
    /// decides it. Once there is one, nothing but [`Parser::reset`] changes it.
    pub fn parse(&mut self, buffer: &[u8], head: &mut Head) -> Result<Status, Refusal> {
        if self.at == 0 {
            if buffer.is_empty() {
                return Ok(Status::Partial);
            }
            head.clear();
        }
        if !matches!(self.state, State::Fields) && self.request_line(buffer, head)? == Status::Partial {
            return Ok(Status::Partial);
        }
        if self.lines.scan(buffer)? == Status::Partial {
            return Ok(Status::Partial);
        }
        self.understand(buffer, head)?;
        Ok(Status::Complete)
    }

    /// Whether any byte of a request has been seen; an empty line that is skipped is none.
    pub fn started(&self) -> bool {
        self.at > self.start && !matches!(self.state, State::Skip)
    }

    /// Whether the method has been read.
    pub fn has_method(&self) -> bool {
        !matches!(self.state, State::Start | State::Skip | State::Method)
    }

    /// Goes on up to the end of the request line. Every octet of it is looked at once, in order.
    fn request_line(&mut self, buffer: &[u8], head: &mut Head) -> Result<Status, Refusal> {
        loop {
            let max = self.start.saturating_add(self.limits.request_line).min(self.limits.head);
            let seen = &buffer[..buffer.len().min(max)];
            let rest = seen.get(self.at..).unwrap_or_default();
            self.at += match self.state {
                State::Method => run(rest, TOKEN),
                // A version's characters are among a target's; its form is looked at when it is whole.
                State::Target | State::Version => run(rest, TARGET),
                _ => 0,
            };
            let Some(&octet) = seen.get(self.at) else {
                return if seen.len() < max {
                    Ok(Status::Partial)
                } else {
                    Err(Refusal::REQUEST_LINE_TOO_LONG)
                };
            };
            let part = &seen[self.part..self.at];
            self.state = match (self.state, octet) {
                (State::Start, b'\r') => State::Skip,
                (State::Start, _) => {
                    self.state = State::Method;
                    if seen.starts_with(b"GET ") {
                        head.method = Method::GET;
                        (self.at, self.part, self.state) = (b"GET ".len(), b"GET ".len(), State::Target);
                    }
                    continue;
                }
                (State::Skip, b'\n') => {
                    self.start = self.at + 1;
                    State::Method
                }
                (State::Method, b' ') => {
                    head.method = Method::from_bytes(part).map_err(|_| Refusal::METHOD)?;
                    State::Target
                }
                (State::Method, _) => return Err(misplaced(octet, Refusal::REQUEST_LINE, Refusal::METHOD)),
                (State::Target, b' ') if !part.is_empty() => {
                    head.target = Span::new(self.part, self.at);
                    if seen[self.at..].starts_with(b" HTTP/1.1\r\n") {
                        head.take_target(Version::HTTP_11, buffer)?;
                        self.at += b" HTTP/1.1\r".len();
                        self.state = State::LineEnd;
                        continue;
                    }
                    State::Version
                }
                (State::Target, b' ') => return Err(Refusal::REQUEST_LINE),
                (State::Target, _) => return Err(misplaced(octet, Refusal::REQUEST_LINE, Refusal::TARGET)),
                (State::Version, b'\r') => {
                    head.take_target(version(part)?, buffer)?;
                    State::LineEnd
                }
                (State::Version, _) => {
                    return Err(misplaced(octet, Refusal::REQUEST_LINE, Refusal::REQUEST_LINE));
                }
                (State::LineEnd, b'\n') => {
                    self.at += 1;
                    self.lines = FieldLines::new(self.at, self.limits.head, self.limits.fields);
                    self.state = State::Fields;
                    return Ok(Status::Complete);
                }
                (State::Skip | State::LineEnd, _) => return Err(Refusal::BARE_LINE_BREAK),
                (State::Fields, _) => return Ok(Status::Complete),
            };
            self.at += 1;
            self.part = self.at;
        }
    }

    /// Slices the fields and draws the conclusions, once everything is there.
    fn understand(&self, buffer: &[u8], head: &mut Head) -> Result<(), Refusal> {
        let section = buffer.get(self.at..self.lines.end()).unwrap_or_default();
        let mut facts = Facts::default();
        head.fields.clear();
        fields::for_each(section, self.lines.count(), |name, value| {
            head.fields.push(Field { name: Span::within(buffer, name), value: Span::within(buffer, value) });
            facts.note(name, value);
            Ok(())
        })?;
        if self.lines.has_underscore() && head.fields(buffer).any(|(name, _)| fields::is_disguised(name)) {
            return Err(Refusal::DISGUISED_FIELD);
        }

        let host = facts.host(head.version, head.authority.map(|authority| authority.of(buffer)))?;
        match head.authority {
            // An absolute target's authority takes the place of what Host says (RFC 9112 §3.2.2).
            Some(authority) => head.replace(buffer, b"host", authority),
            None => head.authority = host.map(|host| Span::within(buffer, host)),
        }
        head.framing = facts.framing(head.version)?;
        head.persistent = facts.persistent(head.version);
        head.expects_continue = facts.expects_continue(head.version)?;
        head.len = self.lines.end();
        Ok(())
    }
}

/// HTTP-version (RFC 9112 §2.3). A minor version we do not know is served as the highest we do (RFC 9110 §2.5).
fn version(octets: &[u8]) -> Result<Version, Refusal> {
    match octets {
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', b'0'..=b'9'] => match major {
            b'1' => Ok(Version::HTTP_11),
            _ => Err(Refusal::VERSION),
        },
        _ => Err(Refusal::REQUEST_LINE),
    }
}
