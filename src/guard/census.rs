//! What guards know about clients, for who watches over the server.

use crate::message::ClientKey;
use std::time::Duration;

/// Clients that are named.
const NAMED: usize = 12;

/// What all guards together say: see [`Guard::report`](super::Guard::report).
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Clients that have made as many requests as they may for now.
    pub rate_limited: Barred,
    /// Clients that have been refused too often.
    pub throttled: Barred,
    /// Sessions that are kept, where somebody keeps them and can count them.
    pub sessions: Option<usize>,
}

/// Clients that are refused for a while.
#[derive(Clone, Debug, Default)]
pub struct Barred {
    /// How many there are.
    pub count: usize,
    /// Those of them who are refused for longest, and for how long from now on, longest first.
    pub longest: Vec<(ClientKey, Duration)>,
}

impl Barred {
    /// Adds a client that is refused for another `span`.
    pub fn add(&mut self, client: ClientKey, span: Duration) {
        self.count += 1;
        let place = self.longest.partition_point(|(_, other)| *other >= span);
        self.longest.insert(place, (client, span));
        self.longest.truncate(NAMED);
    }
}
