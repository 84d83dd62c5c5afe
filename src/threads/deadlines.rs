//! Who has overstayed: the watchdog's reading of the board.

use super::board::{Board, View};
use super::phase::{Claim, Phase};
use crate::clock::Tick;
use std::time::Duration;

/// What a body has to keep up with besides its deadline.
#[derive(Clone, Copy, Debug)]
pub struct MinimumRate {
    /// Bytes a second, on average since the body began, of those that [count](Pace).
    pub bytes_per_second: u64,
    /// How long it may be slower at its start.
    pub grace: Duration,
}

/// However fast a body came, it may pause for so long and no longer: what a train's tunnel or a telephone that changes cells
/// takes, and the retransmissions after it.
pub const MAX_PAUSE: Duration = Duration::from_secs(10);

/// What has come of a body, and how much of that counts for its minimum rate: what is ahead of the rate by more than
/// [`MAX_PAUSE`] does not, or a megabyte sent at once would buy half an hour in which nothing more comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Bytes that have come.
    pub moved: u64,
    /// Those of them that count.
    pub counted: u64,
}

impl Pace {
    /// The pace after `bytes` more, when the body has been coming for `spent` and has to keep up with `rate` bytes a second.
    #[must_use]
    pub fn after(self, bytes: usize, spent: Duration, rate: Option<u64>) -> Pace {
        let most = rate.map_or(u64::MAX, |rate| due(rate, spent + MAX_PAUSE));
        Pace {
            moved: self.moved.saturating_add(bytes as u64),
            counted: self.counted.saturating_add(bytes as u64).min(most),
        }
    }
}

/// What one look at the board did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforced {
    /// Connections ended.
    pub claimed: usize,
    /// Seats whose handlers were found stuck by this look.
    pub stuck: Vec<usize>,
}

/// Ends every phase that is past its deadline or below the minimum rate at `now`, and marks handlers that are past
/// theirs: a handler cannot be ended from outside.
pub fn enforce(board: &Board, now: Tick, rate: Option<MinimumRate>) -> Enforced {
    let mut enforced = Enforced::default();
    for view in board.views() {
        if view.phase == Phase::Handling {
            if view.deadline <= now && board.mark_stuck(&view) {
                enforced.stuck.push(view.number);
            }
        } else if let Some(claim) = overstayed(&view, now, rate) {
            enforced.claimed += usize::from(board.claim(&view, claim));
        }
    }
    enforced
}

/// Whether what counts of a body is less than `bytes_per_second` on average after `grace`. What counts was measured by the
/// rate there was when it began: a higher one, that came later, is not for this body.
pub(super) fn is_slow(view: &View, now: Tick, rate: MinimumRate) -> bool {
    let spent = now.since(view.since);
    spent > rate.grace && view.counted < due(rate.bytes_per_second.min(view.rate), spent)
}

/// Bytes that `rate` asks for in `span`.
fn due(rate: u64, span: Duration) -> u64 {
    rate.saturating_mul(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)) / 1000
}

fn overstayed(view: &View, now: Tick, rate: Option<MinimumRate>) -> Option<Claim> {
    match view.phase {
        // A wait for a permit ends by itself, and a handler is not ended.
        Phase::Waiting | Phase::Handling => None,
        _ if view.deadline <= now => Some(Claim::Overdue),
        Phase::Body if rate.is_some_and(|rate| is_slow(view, now, rate)) => Some(Claim::TooSlow),
        _ => None,
    }
}
