//! Requests that another site has a browser send.
//!
//! # What the article does
//!
//! It makes a token for each session, and compares the one that a form brings with `==`, when the form brings one.
//!
//! # What is wrong with it
//!
//! A check that only takes place if there is something to check protects nobody. Besides, most such requests need no token
//! to be recognised: a browser says itself where they come from, in fields that a page cannot set.
//!
//! # What we do
//!
//! For every method that is not safe (RFC 9110 §9.2.1), unless its `Origin` is one that was said to be
//! [trusted](Csrf::trust), the first of these that is there decides:
//!
//! 1. `Sec-Fetch-Site`: `same-origin`, or `none` for what a person began, is let in; `same-site` and `cross-site` are not.
//!    Every current browser sends it, over HTTPS and from localhost.
//! 2. `Origin`: its host and port must be those that were asked for. `null` never are. Browsers have sent it with POST for
//!    years, over plain HTTP too.
//! 3. The token: whoever says nothing of where the request comes from, and shows a live session, must bring the token of
//!    that session in `X-CSRF-Token`. Without a session there is nothing to misuse, and a program that is no browser is let
//!    in.
//!
//! Fields that are repeated are refused like foreign ones. The scheme of `Origin` is not compared, because a server behind
//! a gateway does not know its own: where it matters, from `http:` to `https:` of the same host, browsers say `cross-site`.
//! Credentials of HTTP authentication are sent by a browser unasked just like cookies, but with rules 1 and 2 in the way
//! of every browser there is, rule 3 lets programs do without tokens.

use super::session::Sessions;
use super::{Exchange, Guard};
use crate::error::Refusal;
use crate::message::Request;
use http::{Method, StatusCode};

const FORGED: Refusal = Refusal::new(StatusCode::FORBIDDEN, "request from another site");
const NO_TOKEN: Refusal = Refusal::new(StatusCode::FORBIDDEN, "session without its CSRF token");

/// Refuses requests that change something and that another site had the browser send. Goes behind [`Sessions`].
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::{Csrf, Server, Sessions};
///
/// let sessions = Sessions::new(Clock::system());
/// let builder = Server::builder()
///     .guard(sessions.clone())
///     .guard(Csrf::new(sessions).trust("https://admin.example.com"));
/// # let _ = builder;
/// ```
#[derive(Debug)]
pub struct Csrf {
    sessions: Sessions,
    trusted: Vec<String>,
}

/// What one field says.
enum Said<'r> {
    Nothing,
    Once(&'r [u8]),
    Repeatedly,
}

impl Csrf {
    /// The field in which a program brings the token.
    pub const FIELD: &'static str = "x-csrf-token";

    /// Trusts no other origin.
    pub fn new(sessions: Sessions) -> Self {
        Csrf { sessions, trusted: Vec::new() }
    }

    /// Lets requests in that come from `origin`, written as browsers do: `https://host`, with a port if it is not the usual
    /// one.
    #[must_use]
    pub fn trust(mut self, origin: &str) -> Self {
        self.trusted.push(origin.trim_end_matches('/').to_ascii_lowercase());
        self
    }

    fn judge(&self, request: &mut Request) -> Result<(), Refusal> {
        let origin = said(request, "origin");
        if let Said::Once(origin) = origin
            && self.trusted.iter().any(|trusted| trusted.as_bytes().eq_ignore_ascii_case(origin))
        {
            return Ok(());
        }
        let own = match (said(request, "sec-fetch-site"), origin) {
            (Said::Once(site), _) => matches!(site, b"same-origin" | b"none"),
            (Said::Nothing, Said::Once(origin)) => is_own(origin, request),
            (Said::Nothing, Said::Nothing) => return self.ask_for_token(request),
            (Said::Repeatedly, _) | (_, Said::Repeatedly) => false,
        };
        if own { Ok(()) } else { Err(FORGED) }
    }

    fn ask_for_token(&self, request: &mut Request) -> Result<(), Refusal> {
        if !self.sessions.is_live(request) {
            return Ok(());
        }
        let token = match said(request, Self::FIELD) {
            Said::Once(token) => token.to_vec(),
            Said::Nothing | Said::Repeatedly => return Err(NO_TOKEN),
        };
        if self.sessions.is_csrf_token(request, &token) { Ok(()) } else { Err(NO_TOKEN) }
    }
}

impl Guard for Csrf {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        let request = exchange.request_mut();
        let safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE];
        if safe.contains(request.method()) || request.method().as_str() == "HEALTH" {
            return Ok(());
        }
        self.judge(request)
    }
}

fn said<'r>(request: &'r Request, name: &'static str) -> Said<'r> {
    let mut values = request.header_values(name);
    match (values.next(), values.next()) {
        (None, _) => Said::Nothing,
        (Some(value), None) => Said::Once(value),
        (Some(_), Some(_)) => Said::Repeatedly,
    }
}

/// Whether an origin is the one that was asked for: the same host, and the same port, where each may leave out the usual
/// one of the origin's scheme.
fn is_own(origin: &[u8], request: &Request) -> bool {
    let Some(authority) = request.authority() else { return false };
    let Ok(origin) = std::str::from_utf8(origin) else { return false };
    let (host, usual) = match origin.split_once("://") {
        Some((scheme, host)) if scheme.eq_ignore_ascii_case("http") => (host, ":80"),
        Some((scheme, host)) if scheme.eq_ignore_ascii_case("https") => (host, ":443"),
        _ => return false,
    };
    let bare = |host: &str| host.strip_suffix(usual).unwrap_or(host).to_ascii_lowercase();
    !host.is_empty() && bare(host) == bare(authority)
}
