//! What all threads of a server share.

use crate::clock::Clock;
use crate::config::Config;
use crate::guard::{Exchange, Guards};
use crate::http1::Limits;
use crate::message::{ClientKey, Request, RequestId, Response};
use crate::monitor::metrics::SeatCounts;
use crate::monitor::{AccessLog, Alerts, Monitor};
use crate::net::Stream;
use crate::service::Handler;
use crate::sync::{Arc, AtomicU64, Ordering};
use crate::threads::{Board, Budget, Lobby, Mark, MinimumRate, Semaphore, Tally};
use std::net::SocketAddr;

use super::refuse::Farewells;

/// Everything a connection needs but itself. Not written after the start, but for what guards itself.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) board: Arc<Board>,
    pub(super) lobby: Arc<Lobby<Guest>>,
    /// Requests being handled.
    pub(super) in_flight: Arc<Semaphore>,
    /// Memory for bodies.
    pub(super) budget: Budget,
    /// Connections by client.
    pub(super) tally: Arc<Tally<ClientKey>>,
    pub(super) guards: Guards,
    pub(super) handler: Box<dyn Handler>,
    pub(super) monitor: Monitor,
    /// What is counted at each seat.
    pub(super) counts: Arc<SeatCounts>,
    pub(super) alerts: Alerts,
    pub(super) access_log: Option<AccessLog>,
    pub(super) farewells: Farewells,
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
    pub(super) fn limits(&self) -> Limits {
        let Config { max_request_line, max_head, max_headers, .. } = self.config;
        Limits { request_line: max_request_line, head: max_head, fields: max_headers }
    }

    pub(super) fn min_rate(&self) -> Option<MinimumRate> {
        let grace = self.config.rate_grace;
        self.config.min_rate.map(|bytes_per_second| MinimumRate { bytes_per_second, grace })
    }

    /// The name of a thread of this server.
    pub(super) fn thread_name(&self, name: &str) -> String {
        format!("{}{name}", self.crew)
    }

    /// Handlers that may be stuck before the server wants no more requests.
    pub(super) fn bearable_stuck(&self) -> usize {
        self.config.max_stand_ins.min(self.config.max_in_flight - 1)
    }

    /// The one door: every response passes here before it is written.
    pub(super) fn seal(&self, exchange: &Exchange, response: &mut Response) {
        if response.body().is_problem() {
            response.spell_out_problem(&exchange.request);
        }
        if let Some(wait) = exchange.refusal.and_then(|refusal| refusal.retry_after) {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
        }
        self.guards.seal(exchange, response);
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
