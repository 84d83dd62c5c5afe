//! Where sessions are kept.

use crate::clock::Tick;
use crate::guard::auth::Digest;
use crate::sync::Arc;
use std::fmt;
use std::time::Duration;

/// Where sessions are kept: in the memory of this process, or somewhere that several of them share.
///
/// Called by many threads at once. What counts as one step below must be one for everybody who looks; apart from that a
/// store decides nothing, [`Sessions`](super::Sessions) does.
pub trait SessionStore: Send + Sync + 'static {
    /// Keeps a new session under `id`, which nobody has used before.
    fn insert(&self, id: Digest, record: Record, now: Tick) -> Result<(), StoreError>;

    /// The session under `id`, if it is alive; from now on it has been seen now.
    fn load(&self, id: &Digest, now: Tick) -> Option<Record>;

    /// Changes the data of a session, if it is alive; says whether it was. Never brings one back to life.
    fn save(&self, id: &Digest, data: Arc<[u8]>, now: Tick) -> bool;

    /// Takes the session under `old` away, and, if it was alive and still is the one that was looked at, keeps `record`
    /// under `new`. `old` dies in one step, whatever becomes of `new`, and of those who renew it at once, one wins:
    /// [`StoreError::Gone`] for the others.
    fn renew(&self, old: &Digest, new: Digest, record: Record, now: Tick) -> Result<(), StoreError>;

    /// Ends a session; says whether it was alive.
    fn remove(&self, id: &Digest, now: Tick) -> bool;

    /// Ends every session of a user, as after a change of password; says how many there were.
    fn remove_user(&self, user: &str, now: Tick) -> usize;

    /// Throws away what has expired: memory is short. A store that keeps nothing in memory does nothing.
    fn sweep(&self, now: Tick) {
        let _ = now;
    }

    /// How many sessions there are, if that is known without asking anybody.
    fn count(&self) -> Option<usize> {
        None
    }
}

/// A session, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who is logged in; nobody in an anonymous session.
    pub user: Option<Arc<str>>,
    /// What the application keeps in it.
    pub data: Arc<[u8]>,
    /// When it ends at the latest.
    pub ends: Tick,
}

/// Why a session was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no room, and whoever is there is logged in.
    Full,
    /// The session to be renewed is dead.
    Gone,
    /// The store cannot be reached.
    Unavailable,
}

/// How long sessions live, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without a request. Default 30 minutes.
    pub idle: Duration,
    /// In all. Default 8 hours.
    pub absolute: Duration,
    /// Of one user; the oldest makes way. Default 8, at least 1.
    pub per_user: usize,
    /// Of everybody. Default 16,384.
    pub capacity: usize,
}

impl SessionLimits {
    /// Bytes of data a session may have.
    pub const MAX_DATA: usize = 4096;
}

impl Default for SessionLimits {
    fn default() -> Self {
        SessionLimits {
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(8 * 60 * 60),
            per_user: 8,
            capacity: 16_384,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StoreError::Full => "as many sessions as may be",
            StoreError::Gone => "the session is over",
            StoreError::Unavailable => "the store of sessions cannot be reached",
        })
    }
}

impl std::error::Error for StoreError {}
