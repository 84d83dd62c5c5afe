//! What answers requests: handlers, the router, and the handlers that come with the server.

#[cfg(feature = "auth")]
mod accounts;
#[cfg(feature = "json")]
pub mod article;
#[cfg(feature = "files")]
pub mod files;
mod health;
mod https_only;
#[cfg(feature = "json")]
mod json;
mod location;
mod router;

#[cfg(feature = "auth")]
pub use accounts::with_accounts;
#[cfg(feature = "files")]
pub use files::Files;
pub use health::{Health, Ready};
pub use https_only::{HttpsOnly, OfHttps};
#[cfg(feature = "json")]
pub use json::{JsonError, check_json};
pub use router::Router;

use crate::message::{IntoResponse, Request, Response};

/// Answers requests. Called by many threads at once, each request on the thread of its connection, which it may block.
///
/// Every `Fn(&mut Request) -> impl IntoResponse` is a handler; a type of one's own is one for what it has to keep, or to
/// say how requests are [planned](Plan). A panic is answered with 500.
///
/// ```
/// use selvedge::{Handler, Plan, Request, Response};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// /// Counts the bytes that were sent to it, of bodies of up to 16 MiB.
/// struct Scales(AtomicU64);
///
/// impl Handler for Scales {
///     fn handle(&self, request: &mut Request) -> Response {
///         let bytes = request.body().len() as u64;
///         Response::text(format!("{} in all\n", self.0.fetch_add(bytes, Ordering::Relaxed) + bytes))
///     }
///
///     fn plan(&self, _: &Request) -> Plan {
///         Plan { max_body: Some(16 << 20), ..Plan::default() }
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Answers a request.
    fn handle(&self, request: &mut Request) -> Response;

    /// How the request is to be treated before [`handle`](Handler::handle) is called. Its head is known and who sent it, its body
    /// has not been read, and no guard has judged it. Must not wait for anything.
    fn plan(&self, request: &Request) -> Plan {
        let _ = request;
        Plan::default()
    }
}

/// How a request is treated before it is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The handler reads the body itself, as it comes, through [`Request::body_reader`]. Otherwise the server reads it to
    /// its end first, so that a slow client never holds a place among the requests in flight.
    pub streams: bool,
    /// The handler returns at once and costs nothing, as a health check does: it needs no place among the requests in
    /// flight, and answers when all of them are taken.
    pub instant: bool,
    /// It only asks how the server is: limits on rates neither count nor refuse it. Such a request costs as little as a
    /// refusal, and whoever watches over the server must not be told that it is unwell because it was asked too often.
    pub probe: bool,
    /// Bytes the body may have, in the place of the server's `max_body`.
    pub max_body: Option<u64>,
}

impl<F, R> Handler for F
where
    F: Fn(&mut Request) -> R + Send + Sync + 'static,
    R: IntoResponse,
{
    fn handle(&self, request: &mut Request) -> Response {
        self(request).into_response()
    }
}

/// A handler whose kind is chosen while the program runs.
impl Handler for Box<dyn Handler> {
    fn handle(&self, request: &mut Request) -> Response {
        (**self).handle(request)
    }

    fn plan(&self, request: &Request) -> Plan {
        (**self).plan(request)
    }
}

/// A handler that reads bodies itself, as they come: see [`Plan::streams`].
///
/// ```
/// use selvedge::{Request, Router, Streaming};
///
/// let count = Streaming(|request: &mut Request| {
///     let bytes = std::io::copy(&mut request.body_reader(), &mut std::io::sink());
///     format!("{} bytes", bytes.unwrap_or(0))
/// });
/// let router = Router::new().post("/count", count);
/// # let _ = router;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Streaming<H>(pub H);

impl<H: Handler> Handler for Streaming<H> {
    fn handle(&self, request: &mut Request) -> Response {
        self.0.handle(request)
    }

    fn plan(&self, request: &Request) -> Plan {
        Plan { streams: true, ..self.0.plan(request) }
    }
}
