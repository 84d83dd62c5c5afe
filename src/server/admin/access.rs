//! Who may look.
//!
//! A page that anybody opens can make the browser ask 127.0.0.1, and by pointing a name of its own there (DNS rebinding) it
//! can read the answers too. So without a token only requests to a name that nobody can point elsewhere are answered.

use crate::error::Refusal;
use crate::message::{Request, Response};
use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use std::net::IpAddr;

/// What is kept of a token.
#[cfg(feature = "auth")]
pub(super) type Token = crate::guard::auth::Digest;
/// There are none.
#[cfg(not(feature = "auth"))]
pub(super) type Token = std::convert::Infallible;

/// What a request must bring.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Access {
    pub(super) token: Option<Token>,
}

impl Access {
    /// The answer to a request that may not be answered otherwise.
    pub(super) fn refuse(self, request: &Request) -> Option<Response> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = Response::problem(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Some(response);
        }
        if let Some(token) = &self.token {
            return refuse_without(*token, request);
        }
        // A browser cannot reach a Unix socket, and names a host wherever it goes.
        let local = request.peer().is_none() || request.authority().is_none_or(is_loopback);
        (!local).then(|| Response::problem(Refusal::OTHER_HOST.status))
    }
}

#[cfg(feature = "auth")]
fn refuse_without(token: Token, request: &Request) -> Option<Response> {
    use http::header::WWW_AUTHENTICATE;

    if crate::guard::auth::presented_token(request).is_some_and(|presented| token.matches(&presented)) {
        return None;
    }
    let mut response = Response::problem(StatusCode::UNAUTHORIZED);
    // Browsers ask their user for what the first of these wants: any name, and the token as the password.
    for challenge in ["Basic realm=\"selvedge admin\", charset=\"UTF-8\"", "Bearer"] {
        response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    Some(response)
}

#[cfg(not(feature = "auth"))]
fn refuse_without(token: Token, _: &Request) -> Option<Response> {
    match token {}
}

/// Whether an authority is this machine, whatever anybody's name server says.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
