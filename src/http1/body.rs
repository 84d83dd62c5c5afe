//! The body of a request (RFC 9112 §6–7): takes the framing off as the bytes arrive, whatever way they are cut.

use super::fields::{self, FieldLines};
use super::octets::{TOKEN, is};
use super::{Limits, Status};
use crate::error::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::ops::Range;

/// Bytes of the extensions of one chunk, all of them together.
const MAX_EXTENSION: u16 = 256;
/// Bytes of the chunk extensions of one message.
const MAX_EXTENSIONS: u16 = 16 << 10;
/// Hex digits of a chunk size: as many as fit in 64 bits.
const MAX_SIZE_DIGITS: u8 = 16;

/// How the body of a message is delimited (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Framing {
    /// There is none: neither Content-Length nor Transfer-Encoding.
    #[default]
    None,
    /// So many bytes, as Content-Length says.
    Length(u64),
    /// In chunks that say their size (RFC 9112 §7.1).
    Chunked,
}

/// Takes the framing off one body. It holds no data but the trailer section.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// Bytes of data that may yet be announced.
    allowed: u64,
    /// Bytes of chunk extensions so far.
    extensions: u16,
    /// The trailer section as it arrives, and the scan of it.
    section: Vec<u8>,
    lines: FieldLines,
    trailers: Option<HeaderMap>,
}

/// What [`Decoder::decode`] made of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// Where in the input the data is that was found; it may be empty.
    pub data: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Data that ends the message when so many bytes have come.
    Length(u64),
    Size {
        digits: u8,
        size: u64,
    },
    Extension {
        size: u64,
        length: u16,
        named: bool,
    },
    /// The CR of a chunk line was seen.
    SizeEnd(u64),
    /// Data of a chunk, so many bytes to go.
    Data(u64),
    DataCr,
    DataLf,
    Trailers,
    Done,
}

const NEXT_CHUNK: State = State::Size { digits: 0, size: 0 };

impl Decoder {
    /// A decoder at the start of a body of at most `max_body` bytes of data, whose trailer section obeys `limits`.
    pub fn new(framing: Framing, max_body: u64, limits: &Limits) -> Result<Self, Refusal> {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) if length > max_body => return Err(Refusal::BODY_TOO_LARGE),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => NEXT_CHUNK,
        };
        let lines = FieldLines::new(0, limits.head, limits.fields);
        Ok(Decoder { state, allowed: max_body, extensions: 0, section: Vec::new(), lines, trailers: None })
    }

    /// Goes on with `input`, which begins where the last step ended. Returns at the end of a stretch of data, at the
    /// end of the message, whose successor is left alone, or else when all input is consumed. After a refusal
    /// the decoder is of no more use.
    pub fn decode(&mut self, input: &[u8]) -> Result<Step, Refusal> {
        let mut at = 0;
        while let Some(&octet) = input.get(at) {
            let rest = &input[at..];
            self.state = match self.state {
                State::Done => break,
                State::Length(left) => {
                    let (data, left) = stretch(at, rest, left);
                    self.state = if left == 0 { State::Done } else { State::Length(left) };
                    return Ok(Step { consumed: data.end, data });
                }
                State::Data(left) => {
                    let (data, left) = stretch(at, rest, left);
                    self.state = if left == 0 { State::DataCr } else { State::Data(left) };
                    return Ok(Step { consumed: data.end, data });
                }
                State::Trailers => {
                    let line = rest.split_inclusive(|&octet| octet == b'\n').next().unwrap_or_default();
                    at += line.len();
                    self.section.extend_from_slice(line);
                    if self.lines.scan(&self.section)? == Status::Complete {
                        self.trailers = trailers(&self.section, self.lines.count())?;
                        self.state = State::Done;
                    }
                    continue;
                }
                State::Size { digits, size } => self.size(octet, digits, size)?,
                State::Extension { size, length, named } => self.extension(octet, size, length, named)?,
                State::SizeEnd(size) => match (octet, size) {
                    (b'\n', 0) => State::Trailers,
                    (b'\n', size) => State::Data(size),
                    _ => return Err(Refusal::BARE_LINE_BREAK),
                },
                State::DataCr if octet == b'\r' => State::DataLf,
                State::DataLf if octet == b'\n' => NEXT_CHUNK,
                State::DataCr | State::DataLf => return Err(Refusal::CHUNK_END),
            };
            at += 1;
        }
        Ok(Step { consumed: at, data: at..at })
    }

    /// How much data is still to come, if that was said before.
    pub fn left(&self) -> Option<u64> {
        match self.state {
            State::Done => Some(0),
            State::Length(left) => Some(left),
            _ => None,
        }
    }

    /// Whether the message has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The trailer section, if the message has ended with one; only once. Its fields are not those of the head and
    /// are never to be taken for them (RFC 9110 §6.5.1).
    pub fn trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    fn size(&mut self, octet: u8, digits: u8, size: u64) -> Result<State, Refusal> {
        match octet {
            b'\n' => Err(Refusal::BARE_LINE_BREAK),
            b'\r' | b';' if digits > 0 => {
                self.allowed = self.allowed.checked_sub(size).ok_or(Refusal::BODY_TOO_LARGE)?;
                Ok(match octet {
                    b';' => State::Extension { size, length: 0, named: false },
                    _ => State::SizeEnd(size),
                })
            }
            _ if digits < MAX_SIZE_DIGITS => {
                let digit = char::from(octet).to_digit(16).ok_or(Refusal::CHUNK_SIZE)?;
                Ok(State::Size { digits: digits + 1, size: size * 16 + u64::from(digit) })
            }
            _ => Err(Refusal::CHUNK_SIZE),
        }
    }

    /// Extensions are bounded and ignored: `;`, a name after optional white space, and then what a field value may
    /// hold. That a name must come first refuses the lines that others read as the end of the chunk size.
    fn extension(&mut self, octet: u8, size: u64, length: u16, named: bool) -> Result<State, Refusal> {
        let named = match octet {
            b'\r' if named => return Ok(State::SizeEnd(size)),
            b'\n' => return Err(Refusal::BARE_LINE_BREAK),
            b' ' | b'\t' => named,
            _ if named && !octet.is_ascii_control() => true,
            _ if is(octet, TOKEN) => true,
            _ => return Err(Refusal::CHUNK_EXTENSION),
        };
        if length == MAX_EXTENSION || self.extensions == MAX_EXTENSIONS {
            return Err(Refusal::CHUNK_EXTENSION);
        }
        self.extensions += 1;
        Ok(State::Extension { size, length: length + 1, named })
    }
}

/// The part of `left` bytes of data that `rest`, which begins at `at` of the input, holds; and what is left then.
fn stretch(at: usize, rest: &[u8], left: u64) -> (Range<usize>, u64) {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
    (at..at + here, left - here as u64)
}

/// A trailer section as a map, if there is anything in it. Fields that say how the message is framed or where it
/// goes come too late there (RFC 9110 §6.5.1).
fn trailers(section: &[u8], count: usize) -> Result<Option<HeaderMap>, Refusal> {
    let mut map = HeaderMap::new();
    fields::for_each(section, count, |name, value| {
        let forbidden = [&b"content-length"[..], b"transfer-encoding", b"host"];
        if forbidden.iter().any(|other| name.eq_ignore_ascii_case(other)) || fields::is_disguised(name) {
            return Err(Refusal::TRAILER);
        }
        let name = HeaderName::from_bytes(name).map_err(|_| Refusal::TRAILER)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| Refusal::TRAILER)?;
        map.try_append(name, value).map_err(|_| Refusal::TRAILER)?;
        Ok(())
    })?;
    Ok(if count == 0 { None } else { Some(map) })
}
