//! Field lines (RFC 9112 §5), in a head as in a trailer section: a strict scan as they arrive, and slicing once they
//! have.

use super::Status;
use super::octets::{NAME, misplaced, run, value_run};
use crate::error::Refusal;

/// A resumable scan of field lines up to the empty line that ends them.
#[derive(Clone, Debug)]
pub(super) struct FieldLines {
    state: State,
    /// The next octet to look at, from the start of the buffer.
    at: usize,
    /// Where the name that is being read starts.
    name: usize,
    count: usize,
    /// Whether a name has a `_`, so that the names need a second look.
    underscore: bool,
    max_bytes: usize,
    max_count: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    LineStart,
    Name,
    Value,
    /// A field line's CR was seen.
    ValueEnd,
    /// The last line's CR was seen.
    End,
}

impl FieldLines {
    /// A scan that begins at `start` of the buffer, refuses more than `max_count` fields, and needs the empty line
    /// to end within the first `max_bytes` of the buffer.
    pub(super) fn new(start: usize, max_bytes: usize, max_count: usize) -> Self {
        FieldLines {
            state: State::LineStart,
            at: start,
            name: start,
            count: 0,
            underscore: false,
            max_bytes,
            max_count,
        }
    }

    /// Goes on where the last call stopped. Stays on the octet that decided: a further call says the same.
    pub(super) fn scan(&mut self, buffer: &[u8]) -> Result<Status, Refusal> {
        let seen = &buffer[..buffer.len().min(self.max_bytes)];
        loop {
            let rest = seen.get(self.at..).unwrap_or_default();
            self.at += match self.state {
                State::Name => run(rest, NAME),
                State::Value => value_run(rest),
                _ => 0,
            };
            let Some(&octet) = seen.get(self.at) else {
                return if seen.len() < self.max_bytes {
                    Ok(Status::Partial)
                } else {
                    Err(Refusal::HEAD_TOO_LARGE)
                };
            };
            self.state = match (self.state, octet) {
                (State::LineStart, b'\r') => State::End,
                (State::LineStart, b' ' | b'\t') => return Err(Refusal::FOLDED_FIELD),
                (State::LineStart, _) if self.count == self.max_count => {
                    return Err(Refusal::TOO_MANY_FIELDS);
                }
                (State::LineStart, _) => {
                    self.count += 1;
                    self.name = self.at;
                    self.state = State::Name;
                    continue;
                }
                (State::Name, b':') if self.at > self.name => State::Value,
                (State::Name, b'_') => {
                    self.underscore = true;
                    State::Name
                }
                (State::Name, b' ' | b'\t') => return Err(Refusal::SPACE_BEFORE_COLON),
                (State::Name, _) => return Err(misplaced(octet, Refusal::FIELD_LINE, Refusal::FIELD_LINE)),
                (State::Value, b'\r') => State::ValueEnd,
                (State::Value, b'\n') => return Err(Refusal::BARE_LINE_BREAK),
                (State::Value, _) => return Err(Refusal::CONTROL_CHARACTER),
                (State::ValueEnd, b'\n') => State::LineStart,
                (State::End, b'\n') => return Ok(Status::Complete),
                (State::ValueEnd | State::End, _) => return Err(Refusal::BARE_LINE_BREAK),
            };
            self.at += 1;
        }
    }

    /// Where the section ends, after its empty line. Of use once the scan is complete.
    pub(super) fn end(&self) -> usize {
        self.at + 1
    }

    /// How many field lines were seen.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether a name of theirs has a `_`. If not, none [`is_disguised`].
    pub(super) fn has_underscore(&self) -> bool {
        self.underscore
    }
}

/// Shows each field of a scanned section, from its first name to after its empty line, to `visit`: its name as it is
/// spelt and its value without the white space around it.
pub(super) fn for_each<'b>(
    section: &'b [u8],
    count: usize,
    visit: impl FnMut(&'b [u8], &'b [u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    // A usual request gets an array on the stack, and a small one: every page a thread's stack has ever reached is
    // memory for as long as its connection lives.
    if count <= 16 {
        slice(section, count, &mut [httparse::EMPTY_HEADER; 16], visit)
    } else {
        slice(section, count, &mut vec![httparse::EMPTY_HEADER; count], visit)
    }
}

/// Whether a gateway that reads `_` as `-`, as CGI made many do, would take this name for one that frames the message
/// or says where it comes from.
pub(super) fn is_disguised(name: &[u8]) -> bool {
    const WHOLE: [&[u8]; 6] = [
        b"content-length",
        b"transfer-encoding",
        b"x-real-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"proxy-connection",
    ];
    const FORWARDED: &[u8] = b"x-forwarded-";
    let reads_as = |plain: &[u8]| {
        let hyphened =
            name.iter().map(|&octet| if octet == b'_' { b'-' } else { octet.to_ascii_lowercase() });
        hyphened.take(plain.len()).eq(plain.iter().copied())
    };
    name.contains(&b'_')
        && (reads_as(FORWARDED) || WHOLE.iter().any(|plain| name.len() == plain.len() && reads_as(plain)))
}

fn slice<'b>(
    section: &'b [u8],
    count: usize,
    lines: &mut [httparse::Header<'b>],
    mut visit: impl FnMut(&'b [u8], &'b [u8]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    match httparse::parse_headers(section, lines) {
        // Two readings of the same bytes: if they ever differed, neither could be trusted.
        Ok(httparse::Status::Complete((end, lines))) if end == section.len() && lines.len() == count => {
            lines.iter().try_for_each(|line| visit(line.name.as_bytes(), line.value))
        }
        _ => Err(Refusal::FIELD_LINE),
    }
}
