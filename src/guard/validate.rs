//! The policy on paths.
//!
//! The article refuses paths longer than 255 and those that contain the two characters `..`, which lets `%2e%2e` pass
//! and refuses `/a..b`. We decode once and judge segments.

use super::{Exchange, Guard};
use crate::error::Refusal;

/// Refuses paths that are too long or that, decoded, climb or hold what no path may.
#[derive(Clone, Debug)]
pub struct Validate {
    max_path: usize,
}

impl Validate {
    /// Paths of up to `max_path` bytes, as they are sent, without the query.
    pub fn new(max_path: usize) -> Self {
        Validate { max_path }
    }
}

impl Guard for Validate {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let path = exchange.request().path().as_bytes();
        if path.len() > self.max_path {
            return Err(Refusal::PATH_TOO_LONG);
        }
        if is_safe(path) { Ok(()) } else { Err(Refusal::PATH) }
    }
}

/// Whether every escape of `path` is one, none of them is a control character, and no segment is `..`.
///
/// A backslash separates segments too: on some systems, and to some programs behind us, it does.
fn is_safe(path: &[u8]) -> bool {
    let mut rest = path;
    let mut dots = Segment::Start;
    while let Some((byte, after)) = decode_first(rest) {
        rest = after;
        dots = match (byte, dots) {
            (0..=0x1f | 0x7f, _) | (b'/' | b'\\', Segment::TwoDots) => return false,
            (b'/' | b'\\', _) => Segment::Start,
            (b'.', Segment::Start) => Segment::OneDot,
            (b'.', Segment::OneDot) => Segment::TwoDots,
            _ => Segment::Other,
        };
    }
    rest.is_empty() && dots != Segment::TwoDots
}

/// What a segment of a path has been so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Start,
    OneDot,
    TwoDots,
    Other,
}

/// The first byte of a percent-encoded text and what follows; `None` at the end, or at an escape that is none.
fn decode_first(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'%', high, low, rest @ ..] => Some((hex(*high)? << 4 | hex(*low)?, rest)),
        [b'%', ..] | [] => None,
        [byte, rest @ ..] => Some((*byte, rest)),
    }
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}
