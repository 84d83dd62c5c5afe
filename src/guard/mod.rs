//! Guards: what every request passes on its way in, and every response on its way out.
//!
//! A guard admits a request, before its body is read, or refuses it; and it seals responses, refusals of any kind
//! included, because all of them leave by one door.

mod headers;
mod rate_limit;
mod validate;

pub use headers::SecurityHeaders;
pub use rate_limit::RateLimit;
pub use validate::Validate;

use crate::clock::Tick;
use crate::error::Refusal;
use crate::message::{ClientKey, Request, Response};

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
    /// Must not wait for anything: it holds a seat, and its client waits.
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let _ = exchange;
        Ok(())
    }

    /// Adds to a response what this guard owes it. Called for every response, also those to requests that were never
    /// read or that another guard refused.
    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let _ = (exchange, response);
    }

    /// Throws away what is held for nobody any more. Called from time to time when memory is short.
    fn sweep(&self, now: Tick) {
        let _ = now;
    }
}

/// One request and what is known about it, from its first byte to the last of its response.
#[derive(Debug)]
pub struct Exchange {
    pub(crate) request: Request,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) now: Tick,
}

impl Exchange {
    pub(crate) fn new(request: Request) -> Self {
        Exchange { request, refusal: None, now: Tick::default() }
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
pub(crate) struct Guards(Vec<Box<dyn Guard>>);

impl Guards {
    pub(crate) fn new(guards: Vec<Box<dyn Guard>>) -> Self {
        Guards(guards)
    }

    /// The first refusal, or none.
    pub(crate) fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        self.0.iter().try_for_each(|guard| guard.admit(exchange))
    }

    pub(crate) fn sweep(&self, now: Tick) {
        self.0.iter().for_each(|guard| guard.sweep(now));
    }

    /// Outermost last, so that the first guard has the last word.
    pub(crate) fn seal(&self, exchange: &Exchange, response: &mut Response) {
        self.0.iter().rev().for_each(|guard| guard.seal(exchange, response));
    }
}
