//! The guard that asks for a name and a password (RFC 7617).

use super::bearer::credentials;
use super::{Digest, Login, LoginError, Secret, Subject};
use crate::clock::{Clock, Tick};
use crate::error::{Error, Refusal};
use crate::guard::{Exchange, Guard};
use crate::message::{ClientKey, Request, Response};
use crate::sync::Arc;
use crate::threads::{Entry, Table};
use base64ct::{Base64, Encoding};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use log::info;
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use zeroize::Zeroizing;

/// Characters of credentials that are decoded.
const MAX_CREDENTIALS: usize = 2048;
/// Credentials known to be right.
const REMEMBERED: usize = 4096;
const SHARDS: usize = 16;
/// Nobody has been named yet, as with the first request of any browser.
const NO_CREDENTIALS: Refusal = Refusal::new(StatusCode::UNAUTHORIZED, "no credentials");
/// How long they are.
const MEMORY: Duration = Duration::from_secs(60);

/// Lets in whoever sends the name and password of an account with each request, as browsers do once they have asked for
/// them, and nobody else. The handler finds the name in the request's extensions, as a [`Subject`].
///
/// A password that was right is not hashed again for a minute: its SHA-256 under a random key of this process, together
/// with the client it came from, is remembered. Without that, each image of a page would cost a hash. Only use it over TLS.
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::guard::auth::{Accounts, BasicAuth, Login, Subject};
/// use selvedge::{Request, Server};
/// use std::sync::Arc;
///
/// let accounts = Accounts::one("ada", b"analytical engine")?;
/// let login = Arc::new(Login::new(accounts, Clock::system()));
/// let server = Server::builder()
///     .guard(BasicAuth::new(login, "the engine room", Clock::system())?.except("/healthz"))
///     .serve(|request: &mut Request| match request.extensions().and_then(|all| all.get::<Subject>()) {
///         Some(Subject(name)) => format!("hello, {name}\n"),
///         None => "this is /healthz\n".to_owned(),
///     })?;
/// # let _ = server;
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Debug)]
pub struct BasicAuth {
    login: Arc<Login>,
    clock: Clock,
    challenge: HeaderValue,
    open: Vec<String>,
    key: Secret,
    remembered: Table<Digest, Remembered>,
}

#[derive(Debug)]
struct Remembered {
    subject: Arc<str>,
    until: Tick,
}

impl Entry for Remembered {
    fn expires(&self) -> Tick {
        self.until
    }
}

impl BasicAuth {
    /// Asks for an account of `login` on every path. `realm` is shown to people; quotes and backslashes are left out of it.
    pub fn new(login: Arc<Login>, realm: &str, clock: Clock) -> Result<Self, Error> {
        let realm: String =
            realm.chars().filter(|&c| c == ' ' || (c.is_ascii_graphic() && c != '"' && c != '\\')).collect();
        let challenge = HeaderValue::try_from(format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
        Ok(BasicAuth {
            login,
            clock,
            challenge: challenge.unwrap_or(HeaderValue::from_static("Basic")),
            open: Vec::new(),
            key: Secret::generate()?,
            remembered: Table::new(REMEMBERED, SHARDS),
        })
    }

    /// The same, but for `path`, which must be asked for in just this spelling: whatever else a path may mean is guarded.
    #[must_use]
    pub fn except(mut self, path: &str) -> Self {
        self.open.push(path.to_owned());
        self
    }

    fn subject(&self, exchange: &Exchange, sent: &[u8]) -> Result<Arc<str>, LoginError> {
        let sent = Some(sent).filter(|sent| sent.len() <= MAX_CREDENTIALS);
        let sent = sent.and_then(|sent| std::str::from_utf8(sent).ok()).ok_or(LoginError::Wrong)?;
        let decoded = Zeroizing::new(Base64::decode_vec(sent).map_err(|_| LoginError::Wrong)?);
        let colon = decoded.iter().position(|&byte| byte == b':').ok_or(LoginError::Wrong)?;
        let name = std::str::from_utf8(&decoded[..colon]).map_err(|_| LoginError::Wrong)?;

        let client = exchange.client();
        let print = self.print(&decoded, client);
        let now = self.clock.now();
        if let Some(subject) = self.remembered.get(&print, now, |it| it.subject.clone()) {
            return Ok(subject);
        }
        let checked = self.login.check(name, &decoded[colon + 1..], client);
        if let Err(error @ LoginError::Wrong) = checked {
            // The name is left out: people type their password into the wrong field.
            info!("request {}: no login for {client}: {error}", exchange.request().id());
        }
        let subject = checked?;
        let until = self.clock.now().after(MEMORY);
        let remembered = || Remembered { subject: subject.clone(), until };
        // None of them is protected, so there always is room.
        let _ = self.remembered.upsert(print, now, remembered, |_| ());
        Ok(subject)
    }

    /// What credentials are remembered by: of no use to anybody without the key.
    fn print(&self, credentials: &[u8], client: ClientKey) -> Digest {
        let hash = Sha256::new().chain_update(self.key.as_str()).chain_update(client.as_u64().to_be_bytes());
        Digest::of(&hash.chain_update(credentials).finalize())
    }
}

/// The one secret a request shows: a bearer token, or, as browsers send it, the password of any name.
pub(crate) fn presented_token(request: &Request) -> Option<Zeroizing<Vec<u8>>> {
    if let Some(token) = credentials(request, b"bearer") {
        return Some(token.to_vec().into());
    }
    let sent = credentials(request, b"basic").filter(|sent| sent.len() <= MAX_CREDENTIALS)?;
    let decoded = Zeroizing::new(Base64::decode_vec(std::str::from_utf8(sent).ok()?).ok()?);
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    Some(decoded[colon + 1..].to_vec().into())
}

impl Guard for BasicAuth {
    fn admit(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        if self.open.iter().any(|path| path == exchange.request().path()) {
            return Ok(());
        }
        let sent = credentials(exchange.request(), b"basic").ok_or(NO_CREDENTIALS)?;
        let subject = self.subject(exchange, sent).map_err(LoginError::refusal)?;
        exchange.request_mut().extensions_mut().insert(Subject(subject));
        Ok(())
    }

    fn may_wait(&self) -> bool {
        true
    }

    fn seal(&self, exchange: &Exchange, response: &mut Response) {
        let refusals = [NO_CREDENTIALS, LoginError::Wrong.refusal()];
        let refused = exchange.refusal().is_some_and(|refusal| refusals.contains(&refusal));
        if refused && response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().append(WWW_AUTHENTICATE, self.challenge.clone());
        }
    }
}
