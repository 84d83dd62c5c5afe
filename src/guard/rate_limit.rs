//! So many requests for each client, in any window of time.
//!
//! The article keeps a list of times for each address in a dictionary that is never emptied and never locked. We keep
//! the same exact sliding window in a bounded table, each shard under its own lock, and so much memory for each client.

use super::window::{Shape, Window};
use super::{Census, Exchange, Guard};
use crate::clock::Tick;
use crate::config::Rate;
use crate::error::Refusal;
use crate::message::{ClientKey, Response};
use crate::threads::Table;
use http::{HeaderName, HeaderValue};
use std::time::Duration;

/// Clients remembered at once. Past it those make room who are not at their limit; if all at hand are, a newcomer is
/// refused rather than one of them set free.
const CAPACITY: usize = 131_072;
const SHARDS: usize = 64;

/// Admits at most so many requests of a client in any window of a given length: the times of the last ones are remembered.
/// What is refused does not count. Probes of the server's health are neither counted nor refused.
///
/// Up to 32 requests each has a time of its own, and the window is exact. Of more, up to a thirty-second part share the time of
/// the last of them: never more than the limit are admitted in any window, and who keeps at it is admitted at least 31/32
/// of it. So a client takes less than 192 bytes, whatever the limit; there is room for 131,072 clients.
///
/// The answer is 429 with Retry-After and, this one alone, the fields of the `RateLimit` draft. 131,072 clients are remembered at once.
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::{ClientKey, RateLimit};
/// use std::time::Duration;
///
/// let (limit, clock) = (RateLimit::new(2, Duration::from_secs(60)), Clock::manual());
/// let ask = || limit.check(ClientKey::LOCAL, clock.now());
/// assert_eq!((ask(), ask()), (Ok(()), Ok(())));
/// clock.advance(Duration::from_secs(20));
/// assert_eq!(ask(), Err(Duration::from_secs(40)));
/// clock.advance(Duration::from_secs(40));
/// assert_eq!(ask(), Ok(()));
/// ```
#[derive(Debug)]
pub struct RateLimit {
    shape: Shape,
    clients: Table<ClientKey, Window>,
}

impl RateLimit {
    /// `count` requests in any window of `span`; with 0, none at all.
    pub fn new(count: u32, span: Duration) -> Self {
        RateLimit { shape: Shape::new(Rate { count, span }), clients: Table::new(CAPACITY, SHARDS) }
    }

    /// `count` requests in any minute.
    pub fn per_minute(count: u32) -> Self {
        RateLimit::new(count, Duration::from_secs(60))
    }

    /// Counts a request of `client` at `now`, or says how long it has to wait.
    pub fn check(&self, client: ClientKey, now: Tick) -> Result<(), Duration> {
        let admit = |window: &mut Window| window.admit(&self.shape, now);
        self.clients.upsert(client, now, Window::new, admit).unwrap_or(Err(self.shape.rate.span))
    }
}

impl Guard for RateLimit {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        if exchange.plan.probe {
            return Ok(());
        }
        self.check(exchange.client(), exchange.now())
            .map_err(|wait| Refusal::TOO_MANY_REQUESTS.retry_after(wait))
    }

    fn sweep(&self, now: Tick) {
        self.clients.sweep(now);
    }

    fn report(&self, now: Tick, census: &mut Census) {
        self.clients.visit(|client, window| {
            if let Some(free_at) = window.full_until(now) {
                census.rate_limited.add(*client, free_at.since(now));
            }
        });
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        // Others refuse with 429 too, for reasons that are no quota.
        let own = exchange.refusal().filter(|refusal| refusal.reason == Refusal::TOO_MANY_REQUESTS.reason);
        let Some(wait) = own.and_then(|refusal| refusal.retry_after) else { return };
        let Rate { count, span } = self.shape.rate;
        let (window, wait) = (span.as_secs().max(1), whole_seconds(wait));
        let fields = [
            ("ratelimit-policy", format!("\"default\";q={count};w={window}")),
            ("ratelimit", format!("\"default\";r=0;t={wait}")),
        ];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Rounded up, so that who comes back then is not refused again.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}
