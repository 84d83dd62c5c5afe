//! Longer and longer refusals for those who keep being refused.
//!
//! The article lets a client that made too many requests sleep on its thread, longer each time: whoever wants to stop the
//! server has only to ask for that often enough. Nobody sleeps here. A client that has been refused too often is refused
//! without further ado for a while, each while twice as long as the one before, and is told how long.

use super::window::{Shape, Window};
use super::{Census, Exchange, Guard};
use crate::clock::Tick;
use crate::config::Rate;
use crate::error::Refusal;
use crate::message::{ClientKey, Response};
use crate::threads::{Entry, Table};
use http::StatusCode;
use http::header::RETRY_AFTER;
use std::time::Duration;

/// Clients remembered at once. Those being refused do not make room; if all at hand are, a newcomer is not counted.
const CAPACITY: usize = 65_536;
const SHARDS: usize = 64;
/// The first while.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Doublings after which it is the longest.
const HIGHEST: u32 = 10;

/// Refuses clients for a while that were refused, or failed to prove who they are, more often than a number of times in
/// a window: answers of 401, 403 and 429 count.
///
/// The first while is a second, each further one twice as long, and none longer than 15 minutes. The answer is 429 with
/// Retry-After. 65,536 clients are remembered at once, each in less than 256 bytes.
///
/// The window is any that ends now, as the [rate limit](super::RateLimit)'s is: exact up to 32 strikes; of more, up to a
/// thirty-second part count for as long as the last of them. After a while the count starts anew.
///
/// What is refused in that while does not count, whoever refuses it, so that nobody locks himself out for ever by asking; and
/// for each window in which nothing counted, the next while is one step shorter. `Retry-After` of an answer of 429 tells of the
/// while if it is longer than what else the client has to wait for.
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::{ClientKey, Throttle};
/// use std::time::Duration;
///
/// let (throttle, clock) = (Throttle::new(10, Duration::from_secs(60)), Clock::manual());
/// for _ in 0..11 {
///     assert_eq!(throttle.check(ClientKey::LOCAL, clock.now()), Ok(()));
///     throttle.strike(ClientKey::LOCAL, clock.now());
/// }
/// assert_eq!(throttle.check(ClientKey::LOCAL, clock.now()), Err(Duration::from_secs(1)));
/// ```
#[derive(Debug)]
pub struct Throttle {
    shape: Shape,
    clients: Table<ClientKey, Record>,
}

/// What a client has against it.
#[derive(Debug)]
struct Record {
    /// When it was refused, apart from the whiles.
    strikes: Window,
    /// When it was last.
    struck: Tick,
    /// How often the while has been doubled.
    level: u32,
    refused_until: Tick,
    window: Duration,
}

impl Throttle {
    /// Refuses who was refused more than `strikes` times within `window`.
    pub fn new(strikes: u32, window: Duration) -> Self {
        let shape = Shape::new(Rate { count: strikes, span: window });
        Throttle { shape, clients: Table::new(CAPACITY, SHARDS) }
    }

    /// How long `client` is still to be refused at `now`, if it is.
    pub fn check(&self, client: ClientKey, now: Tick) -> Result<(), Duration> {
        let wait =
            self.clients.get(&client, now, |record| record.refused_until.since(now)).unwrap_or_default();
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// Notes that `client` was refused at `now`: for nothing if it is in such a while. Says how long it is still to be refused.
    pub fn strike(&self, client: ClientKey, now: Tick) -> Duration {
        let window = self.shape.rate.span;
        let refused_until = Tick::default();
        let fresh = || Record { strikes: Window::new(), struck: now, level: 0, refused_until, window };
        // Without room for another one, all at hand are being refused: this one waits for its turn.
        let wait = self.clients.upsert(client, now, fresh, |record| {
            record.strike(now, &self.shape);
            record.refused_until.since(now)
        });
        wait.unwrap_or_default()
    }
}

impl Record {
    fn strike(&mut self, now: Tick, shape: &Shape) {
        if self.refused_until > now {
            return;
        }
        let quiet = now.since(self.struck.max(self.refused_until));
        let windows = quiet.as_micros() / self.window.as_micros().max(1);
        self.level = self.level.saturating_sub(u32::try_from(windows).unwrap_or(u32::MAX));
        self.struck = self.struck.max(now);
        if self.strikes.admit(shape, now).is_err() {
            self.refused_until = now.after(span_of(self.level));
            self.level = (self.level + 1).min(HIGHEST);
            self.strikes = Window::new();
        }
    }

    /// When all of it will be forgotten: the level falls by one each window.
    fn forgotten(&self) -> Tick {
        self.struck.max(self.refused_until).after(self.window.saturating_mul(self.level + 1))
    }
}

/// Has the client told to wait for `span`, if it is not told to wait for longer.
fn lengthen(response: &mut Response, span: Duration) {
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    let fields = response.headers_mut();
    // Another guard may have put a date there.
    let told = fields.get(RETRY_AFTER).map_or(Some(0), |told| told.to_str().ok()?.parse().ok());
    if told.is_some_and(|told: u64| told < seconds) {
        fields.insert(RETRY_AFTER, seconds.into());
    }
}

fn span_of(level: u32) -> Duration {
    SHORTEST.saturating_mul(1 << level.min(HIGHEST)).min(LONGEST)
}

impl Entry for Record {
    fn expires(&self) -> Tick {
        self.forgotten()
    }

    fn is_protected(&self, now: Tick) -> bool {
        self.refused_until > now
    }
}

impl Guard for Throttle {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        if exchange.plan.probe {
            return Ok(());
        }
        self.check(exchange.client(), exchange.now()).map_err(|wait| Refusal::THROTTLED.retry_after(wait))
    }

    fn sweep(&self, now: Tick) {
        self.clients.sweep(now);
    }

    fn report(&self, now: Tick, census: &mut Census) {
        self.clients.visit(|client, record| {
            if record.refused_until > now {
                census.throttled.add(*client, record.refused_until.since(now));
            }
        });
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let counts = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
        let by_us = exchange.refusal().is_some_and(|refusal| refusal.reason == Refusal::THROTTLED.reason);
        if counts.contains(&response.status()) && !by_us {
            let wait = self.strike(exchange.client(), exchange.now());
            if response.status() == StatusCode::TOO_MANY_REQUESTS {
                lengthen(response, wait);
            }
        }
    }
}
