//! A name and a password.

use super::accounts::MAX_NAME;
use super::{Accounts, Attempts, Digest, Hasher};
use crate::clock::Clock;
use crate::error::Refusal;
use crate::message::ClientKey;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};
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
/// those who have tried, and [`take_effect`](Login::take_effect) revokes what is no longer right.
#[derive(Debug)]
pub struct Login {
    accounts: Arc<Accounts>,
    /// Which of those that take each other's place it is.
    generation: u64,
    common: Arc<Common>,
}

/// What logins that take each other's place have in common.
#[derive(Debug)]
struct Common {
    hasher: Hasher,
    attempts: Attempts,
    clock: Clock,
    generations: AtomicU64,
    /// The accounts that count, and of which generation they are. Locked to look at one of them, or to put others there.
    in_effect: Mutex<(u64, Arc<Accounts>)>,
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
        let (generations, in_effect) = (AtomicU64::new(0), Mutex::new((0, accounts.clone())));
        let common = Common { hasher, attempts, clock, generations, in_effect };
        Login { accounts, generation: 0, common: Arc::new(common) }
    }

    /// The same for other accounts: pauses go on, accounts know the clients they knew, and no more is hashed at once.
    ///
    /// ```
    /// use selvedge::clock::Clock;
    /// use selvedge::guard::auth::{Accounts, Login};
    /// use selvedge::{ClientKey, Sessions};
    ///
    /// let sessions = Sessions::new(Clock::system());
    /// let before = Login::new(Accounts::one("ada", b"analytical engine")?, Clock::system());
    /// let login = before.renewed(Accounts::one("ada", b"difference engine")?);
    /// for user in login.take_effect() {
    ///     sessions.log_out_everywhere(&user);
    /// }
    /// assert!(before.check("ada", b"analytical engine", ClientKey::LOCAL).is_err());
    /// assert!(login.check("ada", b"difference engine", ClientKey::LOCAL).is_ok());
    /// # Ok::<(), selvedge::Error>(())
    /// ```
    #[must_use]
    pub fn renewed(&self, accounts: impl Into<Arc<Accounts>>) -> Self {
        let generation = self.common.generations.fetch_add(1, Ordering::AcqRel) + 1;
        Login { accounts: accounts.into(), generation, common: self.common.clone() }
    }

    /// Puts these accounts in the place of those that this login was [renewed](Login::renewed) from, however often, and says
    /// which of those are gone or have another password: their sessions are to be ended now, and not before. From here on
    /// their passwords of before are wrong, for logins that had begun too, and no account of them knows a client.
    pub fn take_effect(&self) -> Vec<Arc<str>> {
        let Common { attempts, clock, in_effect, .. } = &*self.common;
        let before = {
            let mut in_effect = in_effect.lock();
            if in_effect.0 >= self.generation {
                return Vec::new();
            }
            std::mem::replace(&mut *in_effect, (self.generation, self.accounts.clone())).1
        };
        let ended: Vec<_> = self.accounts.ended_since(&before).cloned().collect();
        let digests = ended.iter().map(|name| Digest::of(name.as_bytes())).collect();
        attempts.forget_acquaintances(&digests, clock.now());
        ended
    }

    /// Whether the account called `name` is what it was here: others that have taken effect since may lack it, or know
    /// another password. To be asked once more *after* a session has been made, which is then to be ended if this says no:
    /// whoever ends all sessions of an account may have been there in between. [`with_accounts`] does so.
    ///
    /// [`with_accounts`]: crate::service::with_accounts
    pub fn is_still(&self, name: &str) -> bool {
        let (generation, accounts) = &*self.common.in_effect.lock();
        *generation <= self.generation || accounts.has_as_in(&self.accounts, name)
    }

    /// The account's name, if `password` is its password. Takes its time: some tens of milliseconds of a core, and up to a
    /// second in the queue before it. A name of more than 128 bytes and a password of more than 1024 are wrong at once.
    pub fn check(&self, name: &str, password: &[u8], client: ClientKey) -> Result<Arc<str>, LoginError> {
        if name.len() > MAX_NAME || password.len() > MAX_PASSWORD {
            return Err(LoginError::Wrong);
        }
        let Common { hasher, attempts, clock, .. } = &*self.common;
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
        // Accounts that have taken effect meanwhile know no client, and do not get to know one by a password of before.
        if !self.is_still(&account) {
            attempts.forget_acquaintances(&[key].into(), clock.now());
            return Err(LoginError::Wrong);
        }
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
