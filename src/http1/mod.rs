//! HTTP/1.1 as bytes (RFC 9112): requests in, answers out.
//!
//! Nothing here knows a socket, a thread or a clock. Everything that comes from a client is read by a state machine
//! that stops at the first octet no valid message could have there, so the outcome depends on the bytes alone and
//! never on how the network cut them; and what is ambiguous is refused, never repaired.
//!
//! - [`Parser`] finds the head of a request and fills a [`Head`] with offsets into the buffer it was read from.
//! - [`Decoder`] takes the framing off a body as it arrives.
//! - [`Buffer`] holds what has arrived and has not been used up.
//! - [`encode`] writes heads and chunks of answers.

pub mod body;
mod buffer;
pub mod encode;
mod fields;
mod framing;
pub mod head;
mod octets;
mod target;

pub use body::{Decoder, Framing, Step};
pub use buffer::Buffer;
#[cfg(feature = "cli")]
pub(crate) use encode::is_owned;
pub(crate) use encode::reason_phrase;
pub use encode::{CONTINUE, StandingFields};
pub use head::{Field, Head, Parser, Span, Status};
pub(crate) use octets::{members, split_unquoted};

/// How large the head of a request may be; a trailer section too, by `head` and `fields`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line, its CRLF included. Default 8 KiB.
    pub request_line: usize,
    /// Bytes of the whole head, from an empty line before the request line to the one after the fields. Default 32 KiB.
    pub head: usize,
    /// Field lines. Default 100.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { request_line: 8 << 10, head: 32 << 10, fields: 100 }
    }
}
