//! What all answers that are made of a directory may take, together and for one client.

use super::{gzip, listing, variants};
use crate::message::ClientKey;
use crate::sync::{Arc, Mutex};
use crate::threads::{Budget, Share};
use std::collections::HashMap;

/// One client has this part of a budget at most: what it holds it may hold for minutes, because it does not read.
const PART: usize = 4;

/// The budgets of a directory. Clones draw from the same ones: what is held of them outlives the [`Files`](super::Files)
/// that answered, so who takes its place goes on with them.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// How many more bytes listings may take while they are being made.
    pub(super) making: Budget,
    /// How many more bytes of listings may be on their way.
    pub(super) pages: Divided,
    /// How many more answers may be compressed now.
    pub(super) places: Divided,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            making: Budget::new(listing::MAX_IN_MAKING),
            pages: Divided::new(variants::MAX_PAGES),
            places: Divided::new(gzip::MAX_AT_ONCE),
        }
    }
}

/// A budget of which a client draws a part at most.
#[derive(Clone, Debug)]
pub(super) struct Divided {
    budget: Budget,
    /// What each client has drawn; who holds nothing is not in it, so it has no more entries than portions are out.
    drawn: Arc<Mutex<HashMap<ClientKey, usize>>>,
}

/// What was drawn at once for a client, given back by drop.
#[derive(Debug)]
pub(super) struct Portion {
    from: Divided,
    client: ClientKey,
    share: Share,
}

impl Divided {
    fn new(total: usize) -> Self {
        Divided { budget: Budget::new(total), drawn: Arc::default() }
    }

    /// Draws so much for the client; `None` if less is left, of all or of its part. Who holds nothing may draw more than a part.
    pub(super) fn draw(&self, client: ClientKey, amount: usize) -> Option<Portion> {
        let mut drawn = self.drawn.lock();
        let before = drawn.get(&client).copied().unwrap_or(0);
        if before > 0 && before.saturating_add(amount) > self.budget.total() / PART {
            return None;
        }
        let mut share = self.budget.share();
        if !share.draw(amount) {
            return None;
        }
        drawn.insert(client, before + amount);
        drop(drawn);
        Some(Portion { from: self.clone(), client, share })
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        let mut drawn = self.from.drawn.lock();
        if let Some(its) = drawn.get_mut(&self.client) {
            *its -= self.share.drawn();
            if *its == 0 {
                drawn.remove(&self.client);
            }
        }
    }
}
