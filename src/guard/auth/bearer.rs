//! The guard that asks for a bearer token (RFC 6750).

use super::TokenStore;
use crate::clock::Tick;
use crate::error::Refusal;
use crate::guard::{Exchange, Guard};
use crate::message::{Request, Response};
use crate::sync::Arc;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

const NO_TOKEN: Refusal = Refusal::new(StatusCode::UNAUTHORIZED, "no live bearer token");

/// Lets in whoever shows a live token of a [`TokenStore`] in `Authorization: Bearer …`, and nobody else. The handler finds
/// whom it stands for in the request's extensions, as a [`Subject`].
///
/// A token in the query or in the body is not looked at: addresses are written to logs and histories.
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::guard::auth::{BearerAuth, TokenStore};
/// use std::sync::Arc;
///
/// let tokens = Arc::new(TokenStore::new(Clock::system()));
/// let builder = selvedge::Server::builder().guard(BearerAuth::new(tokens.clone()).except("/healthz"));
/// # let _ = builder;
/// ```
#[derive(Clone, Debug)]
pub struct BearerAuth {
    tokens: Arc<TokenStore>,
    open: Vec<String>,
}

/// Who is asking, as a guard has found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(pub Arc<str>);

pub(crate) fn subject(request: &Request) -> Option<&str> {
    request.extensions()?.get::<Subject>().map(|subject| &*subject.0)
}

impl BearerAuth {
    /// Asks for a token of `tokens` on every path.
    pub fn new(tokens: Arc<TokenStore>) -> Self {
        BearerAuth { tokens, open: Vec::new() }
    }

    /// The same, but for `path`, which must be asked for in just this spelling: whatever else a path may mean is guarded.
    #[must_use]
    pub fn except(mut self, path: &str) -> Self {
        self.open.push(path.to_owned());
        self
    }
}

impl Guard for BearerAuth {
    fn sweep(&self, _: Tick) {
        self.tokens.sweep();
    }

    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        if self.open.iter().any(|path| path == exchange.request().path()) {
            return Ok(());
        }
        let subject = credentials(exchange.request(), b"bearer")
            .and_then(|token| self.tokens.check(token))
            .ok_or(NO_TOKEN)?;
        exchange.request_mut().extensions_mut().insert(Subject(subject));
        Ok(())
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        if exchange.refusal() == Some(NO_TOKEN) {
            response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

/// What follows `scheme` in the one Authorization field; a request with two of them has none.
pub(super) fn credentials<'r>(request: &'r Request, scheme: &[u8]) -> Option<&'r [u8]> {
    let mut values = request.header_values(AUTHORIZATION.as_str());
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (given, credentials) = value.split_at_checked(scheme.len())?;
    let credentials = credentials.strip_prefix(b" ")?;
    given.eq_ignore_ascii_case(scheme).then(|| credentials.trim_ascii())
}
