//! Whose memory is taken back when somebody else needs it.

use super::board::{Board, View};
use super::eviction::STALLED_BODY;
use super::phase::{Claim, Phase};
use crate::clock::Tick;
use std::cmp::Reverse;
use std::collections::HashMap;

/// A client has to give way while it holds more than so many times as much as the one who asks would.
const TOO_MUCH: u64 = 2;

/// What somebody needs of what all share.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The seat of who asks.
    pub seat: usize,
    /// For which client, hashed.
    pub holder: u64,
    /// How many bytes are missing.
    pub missing: u64,
    /// How many are taken back at once from who stalls, so that who asks next finds some.
    pub batch: u64,
}

/// Takes back what bodies [hold](super::Occupant::hold) that are still coming, from those who deserve it least; says how
/// many bytes are on their way back, what was taken before included.
///
/// First the bodies of which nothing has come for two seconds, longest first. Then, where nobody stalls, those of the client
/// that holds most, as long as it holds more than twice as much as the one who asks would: so no client can keep others out
/// by trickling. If all of that is not enough for who asks, nothing is taken; nor is it from connections without a
/// [`Lifeline`](super::Lifeline), which could not be woken.
pub fn reclaim(board: &Board, now: Tick, need: Need) -> u64 {
    // An answer is no part of what all share.
    let views: Vec<_> = board.views().filter(|view| view.held > 0 && view.phase != Phase::Writing).collect();
    let mut totals: HashMap<u64, u64> = HashMap::new();
    for view in &views {
        *totals.entry(view.holder).or_insert(0) += view.held;
    }
    let total = |holder| totals.get(&holder).copied().unwrap_or(0);
    let fair = (total(need.holder) + need.missing).saturating_mul(TOO_MUCH);
    // Who was claimed by the shutdown finishes its body.
    let is_spared = |view: &View| view.claim.is_some_and(Claim::spares_a_body);
    let coming = views.iter().filter(|view| view.phase == Phase::Body && view.number != need.seat);
    // What cannot be cut comes back when it likes: to count on it would be to wait for it in the place of others.
    let coming = coming.filter(|view| !is_spared(view) && board.can_wake(view));
    let (gone, coming): (Vec<&View>, Vec<&View>) = coming.partition(|view| view.claim.is_some());
    let is_stalled = |view: &&View| now.since(view.moved_at) > STALLED_BODY;
    let (mut stalled, moving): (Vec<&View>, Vec<&View>) = coming.into_iter().partition(is_stalled);
    stalled.sort_unstable_by_key(|view| view.moved_at);
    let mut greedy: Vec<&View> = moving.into_iter().filter(|view| total(view.holder) > fair).collect();
    greedy.sort_unstable_by_key(|view| (Reverse(total(view.holder)), view.moved_at));

    let sum = |views: &[&View]| views.iter().map(|view| view.held).sum::<u64>();
    let mut back = sum(&gone);
    if back + sum(&stalled) + sum(&greedy) < need.missing {
        return 0;
    }
    let from_stalled = stalled.into_iter().map(|view| (view, need.batch.max(need.missing)));
    let from_greedy = greedy.into_iter().map(|view| (view, need.missing));
    for (view, enough) in from_stalled.chain(from_greedy) {
        if back < enough && board.claim(view, Claim::Evicted) {
            back += view.held;
        }
    }
    back
}
