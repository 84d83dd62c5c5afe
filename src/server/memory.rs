//! Memory for the bodies of requests: drawn from what all share, and taken back from who stalls.

use super::shared::Shared;
use crate::error::Refusal;
use crate::message::ClientKey;
use crate::sync::sleep;
use crate::threads::{Need, Occupant, Share, reclaim};
use std::time::Duration;

/// Who finds nothing left waits so long at most for others to give something back: they are woken at once, and have only to
/// drop it.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it looks meanwhile. One at a time does.
const ROUND: Duration = Duration::from_millis(1);
/// Of the whole budget, as a fraction: what is taken back from who stalls at once, so that not everybody has to take some.
const BATCH: usize = 64;

/// A body as far as it has come, and the memory it takes.
pub(super) struct Held {
    pub(super) bytes: Vec<u8>,
    pub(super) share: Share,
    client: ClientKey,
    /// What it can come to.
    most: u64,
}

impl Held {
    /// Nothing yet of a body of `client` that comes to no more than `most` bytes.
    pub(super) fn new(shared: &Shared, client: ClientKey, most: u64) -> Self {
        Held { bytes: Vec::new(), share: shared.budget.share(), client, most }
    }

    /// Keeps a piece of it, if there is room. Memory grows with what has arrived, never with what was announced.
    pub(super) fn store(&mut self, data: &[u8], shared: &Shared, occupant: &Occupant) -> Result<(), Refusal> {
        let capacity = self.bytes.capacity();
        let free = capacity - self.bytes.len();
        if free < data.len() {
            // Twice as much as before, but no more than `most`, which the body may come to, and no more than there is.
            let rest = usize::try_from(self.most).unwrap_or(usize::MAX).saturating_sub(capacity);
            let missing = data.len() - free;
            let drawn = self.draw(missing, capacity.min(rest).max(missing), shared, occupant);
            if drawn.is_none_or(|drawn| self.bytes.try_reserve_exact(free + drawn).is_err()) {
                return Err(Refusal::NO_MEMORY);
            }
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn draw(&mut self, least: usize, most: usize, shared: &Shared, occupant: &Occupant) -> Option<usize> {
        let drawn = self.share.draw_up_to(least, most);
        let drawn = drawn.or_else(|| self.draw_from_others(least, shared, occupant).then_some(least))?;
        occupant.hold(self.share.drawn(), self.client.as_u64());
        Some(drawn)
    }

    /// Takes back from others what is missing, and draws it, unless nobody deserves it less.
    #[cold]
    fn draw_from_others(&mut self, bytes: usize, shared: &Shared, occupant: &Occupant) -> bool {
        let clock = &shared.clock;
        let (until, total) = (clock.now().after(PATIENCE), shared.budget.total());
        if bytes > total.saturating_sub(self.share.drawn()) {
            return false;
        }
        // In turn: two who ask at once would take from twice as many. Others may take from those who wait for theirs.
        let called_away = || occupant.claim().is_some_and(|claim| !claim.spares_a_body());
        let turn = shared.reclaiming.acquire_unless(clock.instant(until), called_away);
        let Ok(_turn) = turn else { return false };
        for _ in 0..PATIENCE.as_millis() / ROUND.as_millis() {
            if called_away() {
                return false;
            }
            if self.share.draw(bytes) {
                return true;
            }
            let need = Need {
                seat: occupant.number(),
                holder: self.client.as_u64(),
                missing: bytes.saturating_sub(shared.budget.left()) as u64,
                batch: (total / BATCH) as u64,
            };
            if need.missing > 0 {
                if reclaim(&shared.board, clock.now(), need) == 0 {
                    return false;
                }
                shared.reclaiming.stir();
            }
            sleep(ROUND);
        }
        self.share.draw(bytes)
    }
}
