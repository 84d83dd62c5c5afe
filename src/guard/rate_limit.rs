//! So many requests for each client, in any window of time.
//!
//! The article keeps a list of times for each address in a dictionary that is never emptied and never locked. We keep
//! the same exact sliding window in a bounded table, each shard under its own lock.

use super::{Census, Exchange, Guard};
use crate::clock::Tick;
use crate::config::Rate;
use crate::error::Refusal;
use crate::message::{ClientKey, Response};
use crate::threads::{Entry, Table};
use http::{HeaderName, HeaderValue, StatusCode};
use std::collections::VecDeque;
use std::time::Duration;

/// Clients remembered at once. Past it those make room who are not at their limit; if all at hand are, a newcomer is
/// refused rather than one of them set free.
const CAPACITY: usize = 131_072;
const SHARDS: usize = 64;

/// Admits at most so many requests of a client in any window of a given length, exactly: the times of the last ones are
/// remembered. What is refused does not count. Probes of the server's health are neither counted nor refused.
///
/// The answer is 429 with Retry-After and the fields of the `RateLimit` draft. 131,072 clients are remembered at once.
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
    rate: Rate,
    clients: Table<ClientKey, Window>,
}

/// When a client's last requests were admitted, oldest first; never more of them than the limit.
#[derive(Debug)]
struct Window {
    admitted: VecDeque<Tick>,
    rate: Rate,
}

impl RateLimit {
    /// `count` requests, at least one, in any window of `span`.
    pub fn new(count: u32, span: Duration) -> Self {
        RateLimit { rate: Rate { count, span }, clients: Table::new(CAPACITY, SHARDS) }
    }

    /// `count` requests in any minute.
    pub fn per_minute(count: u32) -> Self {
        RateLimit::new(count, Duration::from_secs(60))
    }

    /// Counts a request of `client` at `now`, or says how long it has to wait.
    pub fn check(&self, client: ClientKey, now: Tick) -> Result<(), Duration> {
        let fresh = || Window { admitted: VecDeque::new(), rate: self.rate };
        self.clients.upsert(client, now, fresh, |window| window.admit(now)).unwrap_or(Err(self.rate.span))
    }
}

impl Window {
    fn admit(&mut self, now: Tick) -> Result<(), Duration> {
        if let Some(free_at) = self.full_until()
            && free_at > now
        {
            return Err(free_at.since(now));
        }
        if self.admitted.len() >= self.rate.count as usize {
            self.admitted.pop_front();
        }
        self.admitted.push_back(now);
        Ok(())
    }

    /// When the oldest of as many as are allowed falls out of the window; `None` while there are fewer.
    fn full_until(&self) -> Option<Tick> {
        let oldest = *self.admitted.front()?;
        (self.admitted.len() >= self.rate.count as usize).then(|| oldest.after(self.rate.span))
    }
}

impl Entry for Window {
    fn expires(&self) -> Tick {
        // A window nobody has been admitted to yet is being made at this moment.
        self.admitted.back().map_or(Tick::NEVER, |last| last.after(self.rate.span))
    }

    fn is_protected(&self, now: Tick) -> bool {
        self.full_until().is_some_and(|free_at| free_at > now)
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
            if let Some(free_at) = window.full_until().filter(|free_at| *free_at > now) {
                census.rate_limited.add(*client, free_at.since(now));
            }
        });
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let Some(Refusal { status: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(wait), .. }) =
            exchange.refusal()
        else {
            return;
        };
        let (count, window, wait) = (self.rate.count, self.rate.span.as_secs().max(1), whole_seconds(wait));
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
