//! Guards: what every request passes on its way in, and every response on its way out.
//!
//! A guard admits a request, before its body is read, or refuses it; and it seals responses, refusals of any kind
//! included, because all of them leave by one door.

#[cfg(feature = "auth")]
pub mod auth;
mod census;
mod client;
#[cfg(feature = "auth")]
mod csrf;
mod headers;
mod rate_limit;
#[cfg(feature = "auth")]
pub mod session;
mod throttle;
mod validate;
mod window;

pub use census::{Barred, Census};
pub use client::ClientIdentity;
#[cfg(feature = "auth")]
pub use csrf::Csrf;
pub use headers::SecurityHeaders;
pub use rate_limit::RateLimit;
pub use throttle::Throttle;
pub use validate::Validate;

use crate::clock::Tick;
use crate::error::Refusal;
use crate::message::{ClientKey, Request, Response};
use crate::service::Plan;
use crate::sync::Arc;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Who is asking, if a guard has found out: whose password or token came along, or who is logged in.
#[cfg(feature = "auth")]
pub(crate) fn user(request: &Request) -> Option<&str> {
    auth::subject(request).or_else(|| session::user(request))
}

/// Nobody finds out.
#[cfg(not(feature = "auth"))]
pub(crate) fn user(_: &Request) -> Option<&str> {
    None
}

/// Filters requests and seals responses. Called by many threads at once.
///
/// ```
/// use selvedge::{Exchange, Guard, Refusal, Response, StatusCode};
///
/// /// Lets nobody in without the word.
/// struct Password;
///
/// impl Guard for Password {
///     fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
///         match exchange.request().header("x-word") {
///             Some(b"friend") => Ok(()),
///             _ => Err(Refusal::new(StatusCode::FORBIDDEN, "no word")),
///         }
///     }
///
///     fn seal(&self, _: &Exchange, response: &mut Response) {
///         response.headers_mut().insert("x-guarded", "yes".parse().unwrap());
///     }
/// }
/// ```
pub trait Guard: Send + Sync + 'static {
    /// Lets the request in, or refuses it. Its body has not been read.
    ///
    /// Must not wait for anything, unless it [says so](Guard::may_wait): it holds a seat, and its client waits.
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let _ = exchange;
        Ok(())
    }

    /// Whether [`admit`](Guard::admit) may take its time, such as for hashing a password. While it does, the connection
    /// counts as waiting, so that it is not taken for one whose client is slow.
    fn may_wait(&self) -> bool {
        false
    }

    /// Adds to a response what this guard owes it. Called for every response, also those to requests that were never
    /// read or that another guard refused; and once more, for the 500 in its place, where the body of one fails before
    /// anything of it is out.
    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let _ = (exchange, response);
    }

    /// Throws away what is held for nobody any more. Called from time to time when memory is short.
    fn sweep(&self, now: Tick) {
        let _ = now;
    }

    /// Adds what this guard knows about clients to what the others do. Called about once a second while somebody watches.
    fn report(&self, now: Tick, census: &mut Census) {
        let _ = (now, census);
    }
}

/// Guards can be shared.
impl<G: Guard + ?Sized> Guard for Arc<G> {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        (**self).admit(exchange)
    }

    fn may_wait(&self) -> bool {
        (**self).may_wait()
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        (**self).seal(exchange, response);
    }

    fn sweep(&self, now: Tick) {
        (**self).sweep(now);
    }

    fn report(&self, now: Tick, census: &mut Census) {
        (**self).report(now, census);
    }
}

/// One request and what is known about it, from its first byte to the last of its response.
#[derive(Debug)]
pub struct Exchange {
    pub(crate) request: Request,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) now: Tick,
    /// How the handler wants the request to be treated.
    pub(crate) plan: Plan,
}

impl Exchange {
    pub(crate) fn new(request: Request) -> Self {
        Exchange { request, refusal: None, now: Tick::default(), plan: Plan::default() }
    }

    /// The request; blank if it was refused before its head was complete.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The request, to attach something to it.
    pub fn request_mut(&mut self) -> &mut Request {
        &mut self.request
    }

    /// Who is asking.
    pub fn client(&self) -> ClientKey {
        self.request.client()
    }

    /// Why the request was refused, if it was.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// When the head was complete, on the server's clock.
    pub fn now(&self) -> Tick {
        self.now
    }
}

/// Guards in the order they admit.
pub(crate) struct Guards {
    guards: Vec<Box<dyn Guard>>,
    may_wait: bool,
}

impl Guards {
    pub(crate) fn new(guards: Vec<Box<dyn Guard>>) -> Self {
        Guards { may_wait: guards.iter().any(|guard| guard.may_wait()), guards }
    }

    /// Whether one of them may take its time.
    pub(crate) fn may_wait(&self) -> bool {
        self.may_wait
    }

    /// The first refusal, or none.
    pub(crate) fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        self.guards.iter().try_for_each(|guard| {
            let admitted = catch_unwind(AssertUnwindSafe(|| guard.admit(exchange)));
            admitted.unwrap_or_else(|_| Err(panicked()))
        })
    }

    pub(crate) fn sweep(&self, now: Tick) {
        for guard in &self.guards {
            if catch_unwind(AssertUnwindSafe(|| guard.sweep(now))).is_err() {
                panicked();
            }
        }
    }

    pub(crate) fn census(&self, now: Tick) -> Census {
        let mut census = Census::default();
        for guard in &self.guards {
            if catch_unwind(AssertUnwindSafe(|| guard.report(now, &mut census))).is_err() {
                panicked();
            }
        }
        census
    }

    /// Outermost last, so that the first guard has the last word.
    pub(crate) fn seal(&self, exchange: &Exchange, response: &mut Response) {
        for guard in self.guards.iter().rev() {
            // Responses are sealed on threads, such as the acceptor's, that must not end with a guard's panic; and what
            // the other guards owe is owed all the same.
            if catch_unwind(AssertUnwindSafe(|| guard.seal(exchange, response))).is_err() {
                panicked();
            }
        }
    }
}

fn panicked() -> Refusal {
    log::error!("a guard panicked");
    Refusal::PANIC
}
