//! Sessions in the memory of this process.

use super::{Record, SessionLimits, SessionStore, StoreError};
use crate::clock::Tick;
use crate::guard::auth::Digest;
use crate::sync::Arc;
use crate::threads::{Entry, Table};
use std::time::Duration;

/// Sessions for which another shard is worth it, and how many shards there are at most.
const PER_SHARD: usize = 256;
const MAX_SHARDS: usize = 16;
/// One list more for every so many sessions. Lists outlive their sessions by a little and do not fall into shards as these
/// do: who has a place for his session is not to be without one for his list.
const SPARE_LISTS: usize = 4;

/// Sessions in a [`Table`] of fixed capacity, and beside it, for each user, the list of his.
///
/// The two are never locked together. What holds between them: **a live session of a user is on his list, or the thread
/// that made it is about to look there and will kill it.** So a session goes into the table first and onto the list then,
/// and whoever takes one off a list finds it in the table; a renewal that finds its old id off the list, because it has
/// made way or its user has been logged out everywhere, kills the new one. A session that is on no list all the same is
/// over when it next has something to tell there: nobody else could end it.
#[derive(Debug)]
pub struct MemoryStore {
    sessions: Table<Digest, Kept>,
    users: Table<Digest, Listing>,
    limits: SessionLimits,
}

#[derive(Debug)]
struct Kept {
    record: Record,
    seen: Tick,
    /// When its user's list was last told that it is still in use.
    told: Tick,
    idle: Duration,
}

/// A user's sessions, the oldest first, those that expired included until somebody needs their place.
#[derive(Debug)]
struct Listing {
    ids: Vec<Digest>,
    /// When one of them was seen, up to [`TOLD_LATE`] of the idle span late.
    seen: Tick,
    idle: Duration,
}

/// A list is told of one request in so much of the idle span, and outlives its sessions by as much.
const TOLD_LATE: u32 = 8;

impl MemoryStore {
    /// A store without sessions.
    pub fn new(limits: SessionLimits) -> Self {
        let shards = (limits.capacity / PER_SHARD).min(MAX_SHARDS);
        let lists = limits.capacity.saturating_add(limits.capacity / SPARE_LISTS);
        MemoryStore {
            sessions: Table::new(limits.capacity, shards),
            users: Table::new(lists, shards),
            limits,
        }
    }

    /// How many sessions there are, expired ones that have not been swept included.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Throws away what has expired; says how many sessions that were.
    pub fn sweep(&self, now: Tick) -> usize {
        self.users.sweep(now);
        self.sessions.sweep(now)
    }

    fn keep(&self, id: Digest, record: Record, now: Tick) -> Result<(), StoreError> {
        let kept = Kept { record, seen: now, told: now, idle: self.limits.idle };
        self.sessions.upsert(id, now, || kept, |_| ()).map_err(|_| StoreError::Full)
    }

    /// Puts a session that is in the table on its user's list, and takes off it, and out of the table, what is too much.
    fn list(&self, id: Digest, user: &str, now: Tick) -> Result<(), StoreError> {
        let most = self.limits.per_user.max(1);
        let enter = |listing: &mut Listing| {
            listing.ids.push(id);
            listing.seen = listing.seen.max(now);
            let surplus = listing.ids.len().saturating_sub(most);
            listing.ids.drain(..surplus).collect::<Vec<_>>()
        };
        let fresh = || Listing { ids: Vec::new(), seen: now, idle: self.limits.idle };
        let Ok(surplus) = self.users.upsert(key(user), now, fresh, enter) else {
            self.sessions.remove(&id, now);
            return Err(StoreError::Full);
        };
        for old in surplus {
            self.sessions.remove(&old, now);
        }
        Ok(())
    }

    /// Writes `new` where `old` stands on a user's list; says whether it stood there.
    fn relist(&self, old: &Digest, new: Digest, user: &str, now: Tick) -> bool {
        let replace = |listing: &mut Listing| {
            let Some(listed) = listing.ids.iter_mut().find(|listed| *listed == old) else { return false };
            *listed = new;
            // The new one tells nothing before it is as old as a list may be late.
            listing.seen = listing.seen.max(now);
            true
        };
        self.users.get(&key(user), now, replace).unwrap_or(false)
    }

    /// Tells a user's list that a session on it is in use; says whether it is on it.
    fn tell(&self, id: &Digest, user: &str, now: Tick) -> bool {
        let tell = |listing: &mut Listing| {
            let listed = listing.ids.contains(id);
            if listed {
                listing.seen = listing.seen.max(now);
            }
            listed
        };
        self.users.get(&key(user), now, tell).unwrap_or(false)
    }

    fn unlist(&self, id: &Digest, user: &str, now: Tick) {
        self.users.get(&key(user), now, |listing| listing.ids.retain(|listed| listed != id));
    }
}

impl SessionStore for MemoryStore {
    fn count(&self) -> Option<usize> {
        Some(self.len())
    }

    fn sweep(&self, now: Tick) {
        MemoryStore::sweep(self, now);
    }

    fn insert(&self, id: Digest, record: Record, now: Tick) -> Result<(), StoreError> {
        let user = record.user.clone();
        self.keep(id, record, now)?;
        user.map_or(Ok(()), |user| self.list(id, &user, now))
    }

    fn load(&self, id: &Digest, now: Tick) -> Option<Record> {
        let (record, tell) = self.sessions.get(id, now, |kept| {
            kept.seen = kept.seen.max(now);
            let tell = now.since(kept.told) > kept.idle / TOLD_LATE;
            if tell {
                kept.told = now;
            }
            (kept.record.clone(), tell)
        })?;
        // One that is not on its list yet is younger than that: nobody knows its id until it is.
        if let Some(user) = record.user.as_ref().filter(|_| tell)
            && !self.tell(id, user, now)
        {
            self.sessions.remove(id, now);
            return None;
        }
        Some(record)
    }

    fn save(&self, id: &Digest, data: Arc<[u8]>, now: Tick) -> bool {
        // What was there is dropped after the lock.
        self.sessions.get(id, now, |kept| std::mem::replace(&mut kept.record.data, data)).is_some()
    }

    fn renew(&self, old: &Digest, new: Digest, record: Record, now: Tick) -> Result<(), StoreError> {
        let before = self.sessions.remove(old, now).ok_or(StoreError::Gone)?.record.user;
        let after = record.user.clone();
        if let Err(full) = self.keep(new, record, now) {
            if let Some(before) = before {
                self.unlist(old, &before, now);
            }
            return Err(full);
        }
        match (before, after) {
            (Some(before), Some(after)) if before == after => {
                if self.relist(old, new, &after, now) {
                    return Ok(());
                }
                self.sessions.remove(&new, now);
                Err(StoreError::Gone)
            }
            (before, after) => {
                if let Some(before) = before {
                    self.unlist(old, &before, now);
                }
                after.map_or(Ok(()), |after| self.list(new, &after, now))
            }
        }
    }

    fn remove(&self, id: &Digest, now: Tick) -> bool {
        let Some(kept) = self.sessions.remove(id, now) else { return false };
        if let Some(user) = &kept.record.user {
            self.unlist(id, user, now);
        }
        true
    }

    fn remove_user(&self, user: &str, now: Tick) -> usize {
        let listing = self.users.remove(&key(user), now);
        let ids = listing.map(|listing| listing.ids).unwrap_or_default();
        ids.iter().filter(|id| self.sessions.remove(id, now).is_some()).count()
    }
}

impl Entry for Kept {
    fn expires(&self) -> Tick {
        self.record.ends.min(self.seen.after(self.idle))
    }

    fn is_protected(&self, _now: Tick) -> bool {
        self.record.user.is_some()
    }

    fn is_dear(&self) -> bool {
        self.record.user.is_some()
    }
}

impl Entry for Listing {
    fn expires(&self) -> Tick {
        // A list that is being made is empty at this moment, and one that has become so is still seen.
        self.seen.after(self.idle + self.idle / TOLD_LATE)
    }

    fn is_protected(&self, _now: Tick) -> bool {
        !self.ids.is_empty()
    }

    fn is_dear(&self) -> bool {
        true
    }
}

fn key(user: &str) -> Digest {
    Digest::of(user.as_bytes())
}
