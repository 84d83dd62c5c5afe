//! Plain HTTP that only points to HTTPS.

use super::location::push_encoded;
use super::{Handler, Plan};
use crate::clock::Tick;
use crate::error::Refusal;
use crate::guard::{Census, Exchange, Guard};
use crate::message::{Request, Response};
use http::header::LOCATION;
use http::{HeaderValue, Method, StatusCode};

/// The port that `https:` means when none is named.
const DEFAULT_PORT: u16 = 443;

/// Whether a request has not crossed a network in the clear.
fn lets_in(request: &Request) -> bool {
    request.is_secure() || request.peer().is_none()
}

/// A handler for those who came over TLS. Of the others, GET and HEAD are sent there with 308, and everything else is
/// refused with 400: what it carried has been on the wire in the clear already, and its sender had better know.
///
/// Whoever comes by a Unix socket did not cross a network, and is let in.
///
/// Guards come before handlers: one that asks for a password would ask for it in the clear, before anybody is sent elsewhere.
/// [`OfHttps`] is around those.
///
/// ```
/// use selvedge::{HttpsOnly, Request};
///
/// let handler = HttpsOnly::new(8443, |_: &mut Request| "secret");
/// # let _ = handler;
/// ```
#[derive(Clone, Debug)]
pub struct HttpsOnly<H> {
    port: u16,
    handler: H,
}

impl<H: Handler> HttpsOnly<H> {
    /// `port` is where TLS is spoken.
    pub fn new(port: u16, handler: H) -> Self {
        HttpsOnly { port, handler }
    }

    /// The same URI with the scheme `https`; none for a request of HTTP/1.0 that names no host.
    fn location(&self, request: &Request) -> Option<HeaderValue> {
        let authority = request.authority()?;
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => host,
            _ => authority,
        };
        let port = if self.port == DEFAULT_PORT { String::new() } else { format!(":{}", self.port) };
        let mut location = format!("https://{host}{port}");
        push_encoded(&mut location, request.path());
        if let Some(query) = request.query() {
            location.push('?');
            push_encoded(&mut location, query);
        }
        HeaderValue::try_from(location).ok()
    }
}

impl<H: Handler> Handler for HttpsOnly<H> {
    fn handle(&self, request: &mut Request) -> Response {
        if lets_in(request) {
            return self.handler.handle(request);
        }
        let safe = matches!(*request.method(), Method::GET | Method::HEAD);
        match self.location(request).filter(|_| safe) {
            Some(location) => {
                let mut response = Response::new(StatusCode::PERMANENT_REDIRECT);
                response.headers_mut().insert(LOCATION, location);
                response
            }
            None => Response::problem(StatusCode::BAD_REQUEST),
        }
    }

    fn plan(&self, request: &Request) -> Plan {
        if lets_in(request) {
            self.handler.plan(request)
        } else {
            // What has not been sent in the clear yet is not asked for.
            Plan { instant: true, streams: true, ..Plan::default() }
        }
    }
}

/// A guard for those whom [`HttpsOnly`] lets in. All others pass it, as they get no further than to be sent away.
///
/// ```
/// use selvedge::{Exchange, Guard, HttpsOnly, OfHttps, Refusal, Request, Server, StatusCode};
///
/// struct Password;
/// # impl Guard for Password {
/// #     fn admit(&self, _: &mut Exchange) -> Result<(), Refusal> {
/// #         Err(Refusal::new(StatusCode::UNAUTHORIZED, "no password"))
/// #     }
/// # }
///
/// let builder = Server::builder().guard(OfHttps(Password));
/// let server = builder.serve(HttpsOnly::new(443, |_: &mut Request| "secret"))?;
/// # let _ = server;
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OfHttps<G>(pub G);

impl<G: Guard> Guard for OfHttps<G> {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        if lets_in(exchange.request()) { self.0.admit(exchange) } else { Ok(()) }
    }

    fn may_wait(&self) -> bool {
        self.0.may_wait()
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        if lets_in(exchange.request()) {
            self.0.seal(exchange, response);
        }
    }

    fn sweep(&self, now: Tick) {
        self.0.sweep(now);
    }

    fn report(&self, now: Tick, census: &mut Census) {
        self.0.report(now, census);
    }
}
