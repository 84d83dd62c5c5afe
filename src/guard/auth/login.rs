//! A name and a password.

use super::accounts::MAX_NAME;
use super::{Accounts, Attempts, Digest, Hasher};
use crate::clock::Clock;
use crate::error::Refusal;
use crate::message::ClientKey;
use crate::sync::Arc;
use http::StatusCode;
use std::fmt;
use std::time::Duration;

/// Bytes of a password.
const MAX_PASSWORD: usize = 1024;
/// How long a client is asked to stay away when too many log in at once.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Says whether a name and a password belong together: throttled, then hashed, in the same time whether or not there is
/// such a name.
///
/// ```
/// use selvedge::ClientKey;
/// use selvedge::clock::Clock;
/// use selvedge::guard::auth::{Accounts, Login, LoginError};
///
/// let login = Login::new(Accounts::one("ada", b"analytical engine")?, Clock::system());
/// assert_eq!(login.check("ada", b"analytical engine", ClientKey::LOCAL).as_deref(), Ok("ada"));
/// assert_eq!(login.check("ada", b"difference engine", ClientKey::LOCAL), Err(LoginError::Wrong));
/// # Ok::<(), selvedge::Error>(())
/// ```
///
/// Where accounts change, [`renewed`](Login::renewed) takes the place of what there was, with everything that is known of
/// those who have tried.
#[derive(Debug)]
pub struct Login {
    accounts: Arc<Accounts>,
    common: Arc<Common>,
}

/// What logins that take each other's place have in common.
#[derive(Debug)]
struct Common {
    hasher: Hasher,
    attempts: Attempts,
    clock: Clock,
}

/// Why nobody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// There is no such name, or it has another password: which one is not said.
    Wrong,
    /// Too many wrong passwords came from this client, or for this name; how long to stay away.
    Throttled(Duration),
    /// Too many log in at once; how long to stay away.
    Busy(Duration),
}

impl Login {
    /// With the usual limits.
    pub fn new(accounts: impl Into<Arc<Accounts>>, clock: Clock) -> Self {
        Login::with_hasher(accounts, Hasher::new(clock.clone()), clock)
    }

    /// With other limits on hashing.
    pub fn with_hasher(accounts: impl Into<Arc<Accounts>>, hasher: Hasher, clock: Clock) -> Self {
        Login::with_limits(accounts, hasher, Attempts::new(), clock)
    }

    /// With other limits on hashing, and room for more or fewer who try.
    pub fn with_limits(
        accounts: impl Into<Arc<Accounts>>,
        hasher: Hasher,
        attempts: Attempts,
        clock: Clock,
    ) -> Self {
        let accounts = accounts.into();
        Login { accounts, common: Arc::new(Common { hasher, attempts, clock }) }
    }

    /// The same for other accounts: pauses go on, accounts know the clients they knew, and no more is hashed at once.
    #[must_use]
    pub fn renewed(&self, accounts: impl Into<Arc<Accounts>>) -> Self {
        Login { accounts: accounts.into(), common: self.common.clone() }
    }

    /// Whose sessions had better end where this takes the place of `before`: accounts that are gone, or have another password.
    pub fn ended_since<'a>(&self, before: &'a Login) -> impl Iterator<Item = &'a str> {
        self.accounts.ended_since(&before.accounts).map(|name| &**name)
    }

    /// The account's name, if `password` is its password. Takes its time: some tens of milliseconds of a core, and up to a
    /// second in the queue before it. A name of more than 128 bytes and a password of more than 1024 are wrong at once.
    pub fn check(&self, name: &str, password: &[u8], client: ClientKey) -> Result<Arc<str>, LoginError> {
        if name.len() > MAX_NAME || password.len() > MAX_PASSWORD {
            return Err(LoginError::Wrong);
        }
        let Common { hasher, attempts, clock } = &*self.common;
        let key = Digest::of(name.as_bytes());
        let attempt = attempts.admit(key, client, clock.now()).map_err(LoginError::Throttled)?;
        let Ok(turn) = hasher.turn() else {
            attempt.withdraw(clock.now());
            return Err(LoginError::Busy(BUSY_PAUSE));
        };
        let attempt = attempt.begin(clock.now()).map_err(LoginError::Throttled)?;
        let (account, stored) = self.accounts.find(name);
        let Ok(right) = turn.verify(stored, password) else {
            attempt.withdraw(clock.now());
            return Err(LoginError::Busy(BUSY_PAUSE));
        };
        let account = account.filter(|_| right).ok_or(LoginError::Wrong)?;
        attempt.succeeded(clock.now());
        Ok(account)
    }
}

impl LoginError {
    /// As a guard would say it.
    pub const fn refusal(self) -> Refusal {
        match self {
            LoginError::Wrong => Refusal::new(StatusCode::UNAUTHORIZED, "wrong name or password"),
            LoginError::Throttled(wait) => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too many wrong passwords").retry_after(wait)
            }
            LoginError::Busy(wait) => {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many logins at once").retry_after(wait)
            }
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.refusal().reason)
    }
}

impl std::error::Error for LoginError {}
