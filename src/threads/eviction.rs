//! Whose seat is taken back when somebody else needs one.

use super::board::{Board, View};
use super::deadlines::{MinimumRate, is_slow};
use super::phase::{Claim, Phase};
use crate::clock::Tick;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

/// A connection that has not completed a request this long after it sat down is suspect: an honest client connects because it
/// has something to say.
const SILENT_NEWCOMER: Duration = Duration::from_millis(50);
/// A later head that takes longer than this from its first byte is suspect: honest ones come in one or two packets.
const DRIBBLING_HEAD: Duration = Duration::from_millis(250);
/// A body under the minimum rate after this long is suspect, long before it is overdue.
const CRAWLING_BODY: Duration = Duration::from_millis(200);
/// Whose turn it was to say something first has as long as this, and until then weighs no more than a connection that is idle: who
/// is far away needs a round trip or two to agree on TLS, and one to hear that his body may come.
const ROUND_TRIPS: Duration = Duration::from_secs(1);
/// A body of which nothing has come for this long is suspect, however fast it was before.
pub(super) const STALLED_BODY: Duration = Duration::from_secs(2);
/// An answer of which nothing has been read for this long is suspect.
const UNREAD_ANSWER: Duration = Duration::from_secs(2);
/// One that has rested for this long is not suspect yet, but weighs no more than a connection that is idle.
const RESTING_ANSWER: Duration = Duration::from_millis(50);
/// Of an answer that somebody reads, if slowly, more has been read this long after its beginning: he keeps his seat before those
/// who are idle. In its first second the kernels on both sides still move some bytes of one that nobody reads.
const READ_ANSWER: Duration = Duration::from_secs(2);

/// A client that holds more seats than this sends its bodies at the expense of others when those need a seat.
const MANY_SEATS: usize = 8;

/// How a connection stands when somebody else needs its seat.
enum Standing {
    /// It has been behaving for so long as honest ones do not.
    Suspect(Duration),
    /// It could do without its seat, and has been able to since then.
    AtRest(Tick),
    /// It has been sending a body since then, fast enough.
    Sending(Tick),
}

/// Takes back seats, those that deserve it least first, until `wanted` of their tenants are on their way out, those included who
/// were before; says how many were claimed. `wanted` is asked for each, so that no two threads make room for the same guest.
///
/// First the suspects, longest first. Then those at rest, which are keep-alive connections between requests, also where the next
/// has begun, answers that are not being read, and who is slow to say what he wants: of the client that holds most seats, the
/// one longest at rest, and last of all answers that are read slowly. Then bodies, of the client that holds most seats and only
/// as long as these are many. Never one whose request is being handled.
pub fn evict(board: &Board, now: Tick, wanted: impl Fn() -> usize, min_rate: Option<u64>) -> usize {
    if board.evicting() >= wanted() {
        return 0;
    }
    let (mut suspects, mut resting, mut sending) = (Vec::new(), Vec::new(), Vec::new());
    for view in board.views().filter(|view| is_free(board, view)) {
        match standing(&view, now, min_rate) {
            Some(Standing::Suspect(span)) => suspects.push((span, view)),
            Some(Standing::AtRest(since)) => resting.push((is_reading(&view), since, view)),
            Some(Standing::Sending(since)) => sending.push((since, view)),
            None => {}
        }
    }
    suspects.sort_unstable_by_key(|(span, _)| Reverse(*span));
    let mut evicted = suspects.iter().filter(|(_, view)| board.evict(view, &wanted)).count();
    if board.evicting() < wanted() && !resting.is_empty() {
        let held = seats_by_client(board);
        resting.sort_by_cached_key(|(is_reading, since, view)| {
            (Reverse(held.get(&view.client).copied()), *is_reading, *since)
        });
        evicted += resting.iter().filter(|(.., view)| board.evict(view, &wanted)).count();
    }
    if board.evicting() < wanted() && !sending.is_empty() {
        let mut held = seats_by_client(board);
        sending.sort_by_cached_key(|(since, view)| (Reverse(held.get(&view.client).copied()), *since));
        evicted += sending
            .iter()
            .filter(|(_, view)| has_many(&mut held, view) && board.evict(view, &wanted))
            .count();
    }
    evicted
}

/// Takes back the seats of all who have been suspect for as long as a body may stall, and of nobody else; says how many were
/// claimed. Where nobody waits for a seat, who is far away has time to agree on TLS and to say what he wants.
pub fn evict_suspects(board: &Board, now: Tick, min_rate: Option<u64>) -> usize {
    let stalls = |view: &View| matches!(standing(view, now, min_rate), Some(Standing::Suspect(span)) if span > STALLED_BODY);
    board.views().filter(stalls).filter(|view| board.claim(view, Claim::Evicted)).count()
}

/// How many seats [`evict`] could take back at `now`.
pub fn evictable(board: &Board, now: Tick, min_rate: Option<u64>) -> usize {
    let mut held = seats_by_client(board);
    let views = board.views().filter(|view| is_free(board, view));
    let could = views.filter(|view| match standing(view, now, min_rate) {
        Some(Standing::Sending(_)) => has_many(&mut held, view),
        other => other.is_some(),
    });
    could.count()
}

/// Whether nothing ends it soon, and a claim would: to count on who cannot be woken is to let others wait in vain.
fn is_free(board: &Board, view: &View) -> bool {
    stays(view) && board.can_wake(view)
}

fn stays(view: &View) -> bool {
    matches!(view.claim, None | Some(Claim::Outrun))
}

/// `None` if a connection has done nothing for which it could lose its seat.
fn standing(view: &View, now: Tick, min_rate: Option<u64>) -> Option<Standing> {
    let spent = |since, resting, suspect| match now.since(since) {
        span if span > suspect => Some(Standing::Suspect(span)),
        span if span > resting => Some(Standing::AtRest(since)),
        _ => None,
    };
    match view.phase {
        Phase::Idle => Some(Standing::AtRest(view.since)),
        Phase::Handshake => spent(view.since, SILENT_NEWCOMER, ROUND_TRIPS),
        Phase::Head if view.served == 0 && view.agreed => spent(view.since, SILENT_NEWCOMER, ROUND_TRIPS),
        Phase::Head if view.served == 0 => spent(view.since, SILENT_NEWCOMER, SILENT_NEWCOMER),
        // Between requests it could do without its seat, and a byte of the next must not change that.
        Phase::Head => spent(view.since, Duration::ZERO, DRIBBLING_HEAD),
        Phase::Body if now.since(view.moved_at) <= STALLED_BODY => {
            let Some(bytes_per_second) = min_rate else { return Some(Standing::Sending(view.since)) };
            let rate = MinimumRate { bytes_per_second, grace: CRAWLING_BODY };
            let patience = if view.moved == 0 { ROUND_TRIPS } else { CRAWLING_BODY };
            if is_slow(view, now, rate) {
                spent(view.since, CRAWLING_BODY, patience)
            } else {
                Some(Standing::Sending(view.since))
            }
        }
        Phase::Body => spent(view.moved_at, STALLED_BODY, STALLED_BODY),
        Phase::Writing => spent(view.moved_at, RESTING_ANSWER, UNREAD_ANSWER),
        _ => None,
    }
}

/// Whether it is an answer whose client has shown that he reads it.
fn is_reading(view: &View) -> bool {
    view.phase == Phase::Writing && view.moved_at.since(view.since) > READ_ANSWER
}

/// Whether the tenant's client holds many seats; one less from now on.
fn has_many(held: &mut HashMap<u64, usize>, view: &View) -> bool {
    let Some(held) = held.get_mut(&view.client).filter(|held| **held > MANY_SEATS) else { return false };
    *held -= 1;
    true
}

/// Whoever is on his way out holds none any more.
fn seats_by_client(board: &Board) -> HashMap<u64, usize> {
    let mut held = HashMap::new();
    for view in board.views().filter(stays) {
        *held.entry(view.client).or_insert(0) += 1;
    }
    held
}
