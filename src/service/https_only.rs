//! Plain HTTP that only points to HTTPS.

use super::{Handler, Plan};
use crate::message::{Request, Response};
use http::header::LOCATION;
use http::{HeaderValue, Method, StatusCode};

/// The port that `https:` means when none is named.
const DEFAULT_PORT: u16 = 443;

/// A handler for those who came over TLS. Of the others, GET and HEAD are sent there with 308, and everything else is
/// refused with 400: what it carried has been on the wire in the clear already, and its sender had better know.
///
/// Whoever comes by a Unix socket did not cross a network, and is let in.
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

    fn lets_in(request: &Request) -> bool {
        request.is_secure() || request.peer().is_none()
    }

    /// The same URI with the scheme `https`; none for a request of HTTP/1.0 that names no host.
    fn location(&self, request: &Request) -> Option<HeaderValue> {
        let authority = request.authority()?;
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => host,
            _ => authority,
        };
        let port = if self.port == DEFAULT_PORT { String::new() } else { format!(":{}", self.port) };
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        HeaderValue::try_from(format!("https://{host}{port}{}{query}", request.path())).ok()
    }
}

impl<H: Handler> Handler for HttpsOnly<H> {
    fn handle(&self, request: &mut Request) -> Response {
        if Self::lets_in(request) {
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
        if Self::lets_in(request) {
            self.handler.plan(request)
        } else {
            // What has not been sent in the clear yet is not asked for.
            Plan { instant: true, streams: true, ..Plan::default() }
        }
    }
}
