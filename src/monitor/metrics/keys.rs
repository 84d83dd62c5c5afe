//! What is told apart when things are counted: always one of a fixed number.

use crate::error::{CloseReason, Refusal};
use crate::sync::OnceLock;
use http::{Method, StatusCode};

/// Statuses that are told apart, in order; others are one (RFC 9110 §15, and what is registered beside it).
pub(super) const STATUSES: [u16; 62] = [
    100, 101, 102, 103, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307,
    308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421,
    422, 423, 424, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
];
/// Methods that are told apart (RFC 9110 §9, RFC 5789, and the article's own).
pub(super) const METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "HEALTH"];
/// How a connection can end, as it is called in the metrics.
pub(super) const CLOSES: [&str; 12] = [
    "client",
    "broken",
    "finished",
    "refused",
    "idle_timeout",
    "write_timeout",
    "evicted",
    "shutdown",
    "upgraded",
    "answer_failed",
    "panicked",
    "handshake",
];
/// Reasons for a refusal that are told apart; more than there are in this crate, for those of other guards.
pub(super) const REASONS: usize = 96;

/// The one kind for all others.
pub(super) const OTHER: &str = "other";

const PER_METHOD: usize = STATUSES.len() + 1;
const FIRST_REFUSAL: usize = PER_METHOD * (METHODS.len() + 1);
const FIRST_CLOSE: usize = FIRST_REFUSAL + REASONS + 1;
/// How many keys there are.
pub(super) const KEYS: usize = FIRST_CLOSE + CLOSES.len();

/// The number of something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(super) u16);

/// What a [`Key`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// An answer to a method with a status; zero is any other status.
    Answer { method: &'static str, status: u16 },
    /// A refusal for the reason with this number, of [`Reasons`].
    Refusal(usize),
    /// The end of a connection.
    Close(&'static str),
}

impl Key {
    /// Where no method was read, it is one of the others.
    pub(crate) fn answer(method: Option<&Method>, status: StatusCode) -> Key {
        let method = method.and_then(|method| METHODS.iter().position(|known| *known == method.as_str()));
        let method = method.unwrap_or(METHODS.len());
        Key((method * PER_METHOD + status_index(status.as_u16())) as u16)
    }

    pub(crate) fn close(reason: CloseReason) -> Key {
        let number = match reason {
            CloseReason::Client => 0,
            CloseReason::Broken => 1,
            CloseReason::Finished => 2,
            CloseReason::Refused(_) => 3,
            CloseReason::IdleTimeout => 4,
            CloseReason::WriteTimeout => 5,
            CloseReason::Evicted => 6,
            CloseReason::Shutdown => 7,
            CloseReason::Upgraded => 8,
            CloseReason::AnswerFailed => 9,
            CloseReason::Panicked => 10,
            CloseReason::Handshake => 11,
        };
        Key((FIRST_CLOSE + number) as u16)
    }

    pub(super) fn meaning(self) -> Meaning {
        let number = usize::from(self.0);
        if let Some(number) = number.checked_sub(FIRST_CLOSE) {
            Meaning::Close(CLOSES.get(number).copied().unwrap_or(OTHER))
        } else if let Some(number) = number.checked_sub(FIRST_REFUSAL) {
            Meaning::Refusal(number)
        } else {
            Meaning::Answer {
                method: METHODS.get(number / PER_METHOD).copied().unwrap_or(OTHER),
                status: STATUSES.get(number % PER_METHOD).copied().unwrap_or(0),
            }
        }
    }
}

/// The status' place in [`STATUSES`], from 100 on, made once: one look instead of a search.
static STATUS_INDEX: [u8; 412] = {
    let mut index = [STATUSES.len() as u8; 412];
    let mut at = 0;
    while at < STATUSES.len() {
        index[STATUSES[at] as usize - 100] = at as u8;
        at += 1;
    }
    index
};

fn status_index(status: u16) -> usize {
    let at = usize::from(status).checked_sub(100).and_then(|at| STATUS_INDEX.get(at));
    at.map_or(STATUSES.len(), |at| usize::from(*at))
}

/// The reasons for refusals that have a number: this crate's own from the start, those of other guards as they occur.
///
/// All of them are texts of the program, never of a client, so there are only so many; and if there are more than fit, the
/// rest are one.
#[derive(Debug)]
pub(crate) struct Reasons([OnceLock<&'static str>; REASONS]);

impl Reasons {
    pub(super) fn new() -> Self {
        let reasons = Reasons(std::array::from_fn(|_| OnceLock::new()));
        for refusal in Refusal::own() {
            reasons.key(refusal.reason);
        }
        reasons
    }

    pub(crate) fn key(&self, reason: &'static str) -> Key {
        let place = |slot: &OnceLock<&'static str>| same(slot.get_or_init(|| reason), reason);
        let number = if reason == OTHER { None } else { self.0.iter().position(place) };
        Key((FIRST_REFUSAL + number.unwrap_or(REASONS)) as u16)
    }

    /// Every reason that has a number, by that number.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map_while(|slot| slot.get().copied())
    }
}

/// The same text, and usually at the same place.
fn same(a: &'static str, b: &'static str) -> bool {
    std::ptr::eq(a, b) || a == b
}
