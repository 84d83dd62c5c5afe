//! What all threads of a server share.

use crate::clock::Clock;
use crate::config::Config;
use crate::message::{ClientKey, Request, RequestId};
use crate::monitor::metrics::SeatCounts;
use crate::monitor::{Alerts, Monitor, Standing};
use crate::net::Stream;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};
use crate::threads::{Board, Budget, Lobby, Mark, Semaphore, Tally};
use std::net::SocketAddr;

use super::policy::Policy;
use super::refuse::Farewells;

/// Everything a connection needs but itself. Not written after the start, but for what guards itself.
pub(super) struct Shared {
    /// What the server was started with. Of it counts what cannot change: how many there are of everything.
    pub(super) config: Config,
    /// Replaced whole by who renews it; taken once by each connection, and again after each renewal.
    pub(super) policy: Mutex<Arc<Policy>>,
    /// Written after `policy`, read before it.
    pub(super) renewals: AtomicU64,
    pub(super) clock: Clock,
    pub(super) board: Arc<Board>,
    pub(super) lobby: Arc<Lobby<Guest>>,
    /// Requests being handled.
    pub(super) in_flight: Arc<Semaphore>,
    /// Memory for bodies.
    pub(super) budget: Budget,
    /// Taken by who looks for some where there is none left.
    pub(super) reclaiming: Arc<Semaphore>,
    /// Connections by client.
    pub(super) tally: Arc<Tally<ClientKey>>,
    pub(super) monitor: Monitor,
    /// Whether it wants more, and whether it ends.
    pub(super) standing: Arc<Standing>,
    /// What is counted at each seat.
    pub(super) counts: Arc<SeatCounts>,
    pub(super) alerts: Alerts,
    pub(super) farewells: Farewells,
    #[cfg(feature = "tls-rustls")]
    pub(super) certificates: super::certificates::Certificates,
    pub(super) ids: RequestIds,
    /// What the names of the threads begin with.
    pub(super) crew: &'static str,
}

/// A connection that has been accepted and looks for a seat.
pub(super) struct Guest {
    pub(super) stream: Stream,
    pub(super) peer: Option<SocketAddr>,
    /// Its mark on the tally of its client, for as long as it is here.
    pub(super) mark: Mark<ClientKey>,
    pub(super) arrived: crate::clock::Tick,
}

/// Names for requests: a counter, scattered by a number drawn at the start, so that neither how many there were nor the
/// next one can be read from them at a glance. They are names, not secrets.
pub(super) struct RequestIds {
    start: u64,
    /// Written by every request, ordered with nothing.
    next: AtomicU64,
}

impl Shared {
    /// What holds from now on.
    pub(super) fn policy(&self) -> Arc<Policy> {
        self.policy.lock().clone()
    }

    /// How often the policy was replaced. Asked for before the policy: then none is missed.
    pub(super) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Acquire)
    }

    /// The name of a thread of this server.
    pub(super) fn thread_name(&self, name: &str) -> String {
        format!("{}{name}", self.crew)
    }

    /// Handlers that may be stuck before the server wants no more requests.
    pub(super) fn bearable_stuck(&self) -> usize {
        self.config.max_stand_ins.min(self.config.max_in_flight - 1)
    }

    /// Replaces the policy, for every request that has not begun.
    pub(super) fn replace_policy(&self, make: impl FnOnce(&Policy) -> Policy) {
        let before = self.policy();
        let next = Arc::new(make(&before));
        *self.policy.lock() = next;
        self.renewals.fetch_add(1, Ordering::Release);
    }

    /// A request of which nothing has arrived, with its name.
    pub(super) fn blank_request(&self, peer: Option<SocketAddr>, client: ClientKey) -> Request {
        let mut request = Request::blank(peer, client);
        request.id = self.ids.next();
        request
    }
}

impl RequestIds {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        Ok(RequestIds { start: getrandom::u64()?, next: AtomicU64::new(0) })
    }

    pub(super) fn next(&self) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        // The finalizer of SplitMix64: a bijection, so that no two requests share a name.
        let mut id = self.start.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        RequestId(id ^ (id >> 31))
    }
}
