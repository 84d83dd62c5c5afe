//! What the fields of a head say about the message and its connection (RFC 9112 §6, §9; RFC 9110 §7.2, §10.1.1).

use super::Framing;
use super::octets::{is_token, members};
use super::target::is_authority;
use crate::error::Refusal;
use http::Version;

/// The fields the server itself acts upon, gathered in one pass over a head.
#[derive(Default)]
pub(super) struct Facts<'b> {
    host: Unique<'b>,
    length: Unique<'b>,
    coding: Unique<'b>,
    close: bool,
    keep_alive: bool,
    expectation: Expectation,
}

/// What the Expect fields ask for, all of them together.
#[derive(Clone, Copy, Default)]
enum Expectation {
    #[default]
    Nothing,
    Continue,
    Unknown,
}

/// A field that must not be repeated.
#[derive(Clone, Copy, Default)]
enum Unique<'b> {
    #[default]
    Absent,
    Once(&'b [u8]),
    Repeated,
}

impl<'b> Facts<'b> {
    /// Takes note of a field.
    pub(super) fn note(&mut self, name: &[u8], value: &'b [u8]) {
        // Most names are ruled out by their length alone.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host.put(value),
            6 if name.eq_ignore_ascii_case(b"expect") => {
                for member in members(value).filter(|member| !member.is_empty()) {
                    self.expectation = match self.expectation {
                        Expectation::Unknown => Expectation::Unknown,
                        _ if member.eq_ignore_ascii_case(b"100-continue") => Expectation::Continue,
                        _ => Expectation::Unknown,
                    };
                }
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                for option in members(value) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length.put(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding.put(value),
            _ => {}
        }
    }

    /// The value of Host: exactly one and valid, or none where `version` and an absolute target's `authority` allow.
    pub(super) fn host(
        &self,
        version: Version,
        authority: Option<&[u8]>,
    ) -> Result<Option<&'b [u8]>, Refusal> {
        match (self.host, authority) {
            (Unique::Absent, _) if version == Version::HTTP_10 => Ok(None),
            (Unique::Once(host), _) if !is_authority(host) => Err(Refusal::HOST),
            (Unique::Once(host), _) => Ok(Some(host)),
            (Unique::Absent | Unique::Repeated, _) => Err(Refusal::HOST),
        }
    }

    /// How the body is delimited (RFC 9112 §6.3). A message that says it in two ways, or in a way that another reader
    /// might take otherwise, is the stuff of request smuggling and is refused.
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Refusal> {
        match (self.coding, self.length) {
            (Unique::Absent, Unique::Absent) => Ok(Framing::None),
            (Unique::Absent, Unique::Once(value)) => content_length(value).map(Framing::Length),
            (Unique::Absent, Unique::Repeated) => Err(Refusal::CONTENT_LENGTH),
            (_, Unique::Once(_) | Unique::Repeated) => Err(Refusal::LENGTH_AND_CODING),
            _ if version == Version::HTTP_10 => Err(Refusal::CODING_IN_1_0),
            (Unique::Once(value), Unique::Absent) => transfer_coding(value).map(|()| Framing::Chunked),
            (Unique::Repeated, Unique::Absent) => Err(Refusal::CODING),
        }
    }

    /// Whether the connection outlives the request, as far as the client has a say (RFC 9112 §9.3).
    pub(super) fn persistent(&self, version: Version) -> bool {
        !self.close && (version == Version::HTTP_11 || self.keep_alive)
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1). HTTP/1.0 has no
    /// expectations.
    pub(super) fn expects_continue(&self, version: Version) -> Result<bool, Refusal> {
        match self.expectation {
            _ if version == Version::HTTP_10 => Ok(false),
            Expectation::Nothing => Ok(false),
            Expectation::Continue => Ok(true),
            Expectation::Unknown => Err(Refusal::EXPECTATION),
        }
    }
}

impl<'b> Unique<'b> {
    fn put(&mut self, value: &'b [u8]) {
        *self = match self {
            Unique::Absent => Unique::Once(value),
            Unique::Once(_) | Unique::Repeated => Unique::Repeated,
        };
    }
}

/// Digits only: `parse` would take a `+`. Nineteen of them always fit.
fn content_length(value: &[u8]) -> Result<u64, Refusal> {
    if !(1..=19).contains(&value.len()) || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::CONTENT_LENGTH);
    }
    Ok(value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// Only `chunked` is served. A well-formed list that asks for more is a coding we do not know (RFC 9112 §6.1);
/// any other value is an attempt to be read in two ways.
fn transfer_coding(value: &[u8]) -> Result<(), Refusal> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(value) {
        return Ok(());
    }
    if !members(value).all(is_token) {
        return Err(Refusal::CODING);
    }
    // `chunked` may stand once, and last.
    match members(value).position(is_chunked) {
        Some(first) if first + 1 < members(value).count() => Err(Refusal::CODING),
        _ => Err(Refusal::UNKNOWN_CODING),
    }
}
