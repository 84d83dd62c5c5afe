//! Bearer tokens.

use super::{Digest, Secret};
use crate::clock::{Clock, Tick};
use crate::error::Error;
use crate::sync::Arc;
use crate::threads::{Entry, Table};
use std::fmt;
use std::time::Duration;

/// Tokens that may be alive at once.
const CAPACITY: usize = 65_536;
/// Tokens for which another shard is worth it, and how many shards there are at most.
const PER_SHARD: usize = 256;
const MAX_SHARDS: usize = 16;
/// Bytes a subject may have.
const MAX_SUBJECT: usize = 256;

/// Tokens that are alive: whom each stands for, until when, and how often it may be shown.
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::guard::auth::{TokenStore, Uses};
/// use std::time::Duration;
///
/// let tokens = TokenStore::new(Clock::system());
/// let token = tokens.issue("printer", Duration::from_secs(3600), Uses::Once)?;
/// assert_eq!(tokens.check(token.as_str().as_bytes()).as_deref(), Some("printer"));
/// assert_eq!(tokens.check(token.as_str().as_bytes()), None, "it was for a single use");
/// # Ok::<(), selvedge::guard::auth::TokensFull>(())
/// ```
#[derive(Debug)]
pub struct TokenStore {
    tokens: Table<Digest, Token>,
    clock: Clock,
}

/// How often a token may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    /// Once: of requests that show it at the same time, one gets in.
    Once,
    /// As often as one likes, until it expires or is revoked.
    Many,
}

/// No token was issued: as many are alive as may be, the subject is longer than 256 bytes, or the system gave no random
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokensFull;

#[derive(Debug)]
struct Token {
    subject: Arc<str>,
    uses: Uses,
    expires: Tick,
}

impl Entry for Token {
    fn expires(&self) -> Tick {
        self.expires
    }

    /// Only the server issues tokens, so a full table is its doing; a token that was promised stays.
    fn is_protected(&self, _now: Tick) -> bool {
        true
    }
}

impl TokenStore {
    /// A store without tokens.
    pub fn new(clock: Clock) -> Self {
        TokenStore::with_capacity(clock, CAPACITY)
    }

    /// A store for so many tokens; [`new`](TokenStore::new) has room for 65,536.
    pub fn with_capacity(clock: Clock, capacity: usize) -> Self {
        TokenStore { tokens: Table::new(capacity, (capacity / PER_SHARD).min(MAX_SHARDS)), clock }
    }

    /// A new token for `subject`, good for `span`. It exists nowhere but in what is returned.
    pub fn issue(&self, subject: &str, span: Duration, uses: Uses) -> Result<Secret, TokensFull> {
        let token = Secret::generate().map_err(|_: Error| TokensFull)?;
        let now = self.clock.now();
        self.issue_at(token.digest(), subject, uses, now, now.after(span))?;
        Ok(token)
    }

    /// Whom a token stands for, if it is alive; one for a single use is spent by that.
    pub fn check(&self, presented: &[u8]) -> Option<Arc<str>> {
        let token = Secret::from_text(presented)?;
        self.check_at(&token.digest(), self.clock.now())
    }

    /// Ends a token; says whether it was alive.
    pub fn revoke(&self, presented: &[u8]) -> bool {
        Secret::from_text(presented).is_some_and(|token| self.revoke_at(&token.digest(), self.clock.now()))
    }

    /// [`issue`](TokenStore::issue), with everything given.
    #[doc(hidden)]
    pub fn issue_at(
        &self,
        digest: Digest,
        subject: &str,
        uses: Uses,
        now: Tick,
        expires: Tick,
    ) -> Result<(), TokensFull> {
        if subject.len() > MAX_SUBJECT {
            return Err(TokensFull);
        }
        let token = Token { subject: subject.into(), uses, expires };
        self.tokens.upsert(digest, now, || token, |_| ()).map_err(|_| TokensFull)
    }

    /// [`check`](TokenStore::check), at a given moment. Whether the token is alive, and that it no longer is, is decided
    /// under one lock.
    #[doc(hidden)]
    pub fn check_at(&self, digest: &Digest, now: Tick) -> Option<Arc<str>> {
        self.tokens.get(digest, now, |token| {
            if token.uses == Uses::Once {
                token.expires = Tick::default();
            }
            token.subject.clone()
        })
    }

    /// [`revoke`](TokenStore::revoke), at a given moment.
    #[doc(hidden)]
    pub fn revoke_at(&self, digest: &Digest, now: Tick) -> bool {
        self.tokens.remove(digest, now).is_some()
    }

    /// Throws away what is spent or has expired; says how many there were.
    pub fn sweep(&self) -> usize {
        self.tokens.sweep(self.clock.now())
    }
}

impl fmt::Display for TokensFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no token could be issued")
    }
}

impl std::error::Error for TokensFull {}
