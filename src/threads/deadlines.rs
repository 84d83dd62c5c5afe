//! Who has overstayed: the watchdog's reading of the board.

use super::board::{Board, View};
use super::phase::{Claim, Phase};
use crate::clock::Tick;
use std::time::Duration;

/// What a body has to keep up with besides its deadline.
#[derive(Clone, Copy, Debug)]
pub struct MinimumRate {
    /// Bytes a second, on average since the body began.
    pub bytes_per_second: u64,
    /// How long it may be slower at its start.
    pub grace: Duration,
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

/// Whether a body moves slower than `bytes_per_second` on average after `grace`.
pub(super) fn is_slow(view: &View, now: Tick, rate: MinimumRate) -> bool {
    let spent = now.since(view.since);
    let due = u128::from(rate.bytes_per_second) * spent.as_millis() / 1000;
    spent > rate.grace && u128::from(view.moved) < due
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
