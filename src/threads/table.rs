//! A map from many threads' keys to small states, that never grows past its capacity.

use crate::clock::Tick;
use crate::sync::{AtomicUsize, Mutex, Ordering};
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash, RandomState};

/// What a [`Table`] holds for a key.
pub trait Entry {
    /// When it stops to matter. An expired entry is as good as none.
    fn expires(&self) -> Tick;

    /// Whether it must not make room for a stranger before it expires: a client that is being limited, a session that
    /// is logged in. Whoever could push such an entry out could free himself, or harm somebody else.
    fn is_protected(&self, _now: Tick) -> bool {
        false
    }

    /// Whether a full shard looks at all its entries to make room for this one, and not at a few: for a newcomer that is
    /// rare, costs more than that, and could find only protected ones among the few.
    fn is_dear(&self) -> bool {
        false
    }
}

/// A table of fixed capacity, split into shards so that threads rarely meet at a lock.
///
/// Keys are hashed under a random key, so that nobody can choose keys that collide. A full shard makes room by looking
/// at a few entries in turn (as a clock's hand goes round, in strides): the first expired one goes, else of the first few
/// that are not protected the one that expires first; if all are protected, the newcomer is not let in. For a newcomer
/// that is [dear](Entry::is_dear) it goes round to all, if need be.
#[derive(Debug)]
pub struct Table<K, V> {
    /// Each written by the threads whose keys fall into it, under its lock, for a few dozen nanoseconds.
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
    /// How many entries there are. Written after an entry has come or gone, under its shard's lock; so who has put one in
    /// finds it there.
    len: AtomicUsize,
}

/// A table had no room: the entries that were looked at are all protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFull;

/// A swept shard keeps memory for so many times its entries, and for as many at the least.
const ROOMY: usize = 4;
/// Entries a full shard looks at to make room for one, at most, if that one is not dear.
const LOOKED_AT: usize = 16;
/// As soon as it has seen so many that could go, one of them does.
const CHOICE: usize = 5;

/// How far the hand goes from one to the next: a prime, so that it comes round to all, and a long way, because entries
/// that came together are alike. Of a table one quarter protected, sixteen neighbours often all are.
const STRIDE: usize = 2_654_435_761;

/// The key lies right before what is looked at first: in a large table that is one cache line to wait for instead of two.
#[derive(Debug)]
#[repr(C)]
struct Kept<K, V> {
    key: K,
    value: V,
}

#[derive(Debug)]
struct Shard<K, V> {
    /// Where in `entries` a key's entry is, by the key's hash.
    places: HashTable<u32>,
    hasher: RandomState,
    entries: Vec<Kept<K, V>>,
    /// The entry to be looked at first when room is needed.
    hand: usize,
    capacity: usize,
}

impl<K: Eq + Hash + Copy, V: Entry> Table<K, V> {
    /// A table for `capacity` entries, at least one, in at most `shards` shards. It starts empty and grows with what it
    /// holds.
    pub fn new(capacity: usize, shards: usize) -> Self {
        let (hasher, capacity) = (RandomState::new(), capacity.max(1));
        let shards = shards.clamp(1, capacity);
        let shard = |number| {
            // What cannot be divided goes to the first ones: in all there is room for just `capacity`.
            let capacity = capacity / shards + usize::from(number < capacity % shards);
            Mutex::new(Shard {
                places: HashTable::new(),
                hasher: hasher.clone(),
                entries: Vec::new(),
                hand: 0,
                capacity: capacity.min(u32::MAX as usize),
            })
        };
        Table { shards: (0..shards).map(shard).collect(), hasher, len: AtomicUsize::new(0) }
    }

    /// Looks at, and may change, what `key` has at `now`; an absent or expired entry is made anew first.
    ///
    /// `act` runs under the shard's lock: it must be short and call nothing that can block or panic.
    pub fn upsert<R>(
        &self,
        key: K,
        now: Tick,
        make: impl FnOnce() -> V,
        act: impl FnOnce(&mut V) -> R,
    ) -> Result<R, TableFull> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        let place = if let Some(place) = shard.place(hash, &key) {
            if shard.entries[place].value.expires() <= now {
                shard.entries[place].value = make();
            }
            place
        } else {
            let before = shard.entries.len();
            let place = shard.insert(hash, key, make(), now)?;
            // A newcomer may have taken the place of another.
            self.len.fetch_add(shard.entries.len() - before, Ordering::Release);
            place
        };
        Ok(act(&mut shard.entries[place].value))
    }

    /// Looks at, and may change, what `key` has at `now`, if it has anything that is not expired. See
    /// [`upsert`](Table::upsert) for what `act` may do.
    pub fn get<R>(&self, key: &K, now: Tick, act: impl FnOnce(&mut V) -> R) -> Option<R> {
        // Many tables are empty most of the time: then nobody's key has to be hashed.
        if self.is_empty() {
            return None;
        }
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        let place = shard.place(hash, key)?;
        let entry = &mut shard.entries[place].value;
        (entry.expires() > now).then(|| act(entry))
    }

    /// Takes out what `key` has at `now`. Of threads that try at once, one gets it.
    pub fn remove(&self, key: &K, now: Tick) -> Option<V> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        let place = shard.place(hash, key)?;
        let entry = shard.take(place);
        self.len.fetch_sub(1, Ordering::Release);
        (entry.expires() > now).then_some(entry)
    }

    /// Throws away what has expired, one shard's lock at a time, and gives back memory that has become far too much; says how
    /// many entries went.
    pub fn sweep(&self, now: Tick) -> usize {
        let sweep = |shard: &Mutex<Shard<K, V>>| {
            let mut shard = shard.lock();
            let gone = shard.sweep(now);
            self.len.fetch_sub(gone, Ordering::Release);
            gone
        };
        self.shards.iter().map(sweep).sum()
    }

    /// Shows every entry to `look`, expired ones that have not been swept included, one shard's lock at a time. See
    /// [`upsert`](Table::upsert) for what `look` may do.
    pub fn visit(&self, mut look: impl FnMut(&K, &V)) {
        for shard in &self.shards {
            shard.lock().entries.iter().for_each(|kept| look(&kept.key, &kept.value));
        }
    }

    /// How many entries there are, expired ones that have not been swept included.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K, V>> {
        // The shard takes its bucket from the low bits and its tag from the high ones; the middle is still unused.
        &self.shards[(hash >> 24) as usize % self.shards.len()]
    }
}

impl<K: Eq + Hash + Copy, V: Entry> Shard<K, V> {
    fn place(&self, hash: u64, key: &K) -> Option<usize> {
        let found = self.places.find(hash, |&place| self.entries[place as usize].key == *key);
        found.map(|&place| place as usize)
    }

    fn insert(&mut self, hash: u64, key: K, value: V, now: Tick) -> Result<usize, TableFull> {
        let place = if self.entries.len() < self.capacity {
            self.entries.push(Kept { key, value });
            self.entries.len() - 1
        } else {
            let most = if value.is_dear() { usize::MAX } else { LOOKED_AT };
            let place = self.dispensable(most, now).ok_or(TableFull)?;
            self.forget(place);
            self.entries[place] = Kept { key, value };
            place
        };
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.places.insert_unique(hash, place as u32, |&place| hasher.hash_one(entries[place as usize].key));
        Ok(place)
    }

    fn dispensable(&mut self, most: usize, now: Tick) -> Option<usize> {
        let (mut best, mut choice): (Option<(Tick, usize)>, usize) = (None, 0);
        for _ in 0..most.min(self.entries.len()) {
            let place = self.hand % self.entries.len();
            self.hand = place.wrapping_add(STRIDE);
            let entry = &self.entries[place].value;
            let expires = entry.expires();
            if expires <= now {
                return Some(place);
            }
            if entry.is_protected(now) {
                continue;
            }
            if best.is_none_or(|(soonest, _)| expires < soonest) {
                best = Some((expires, place));
            }
            choice += 1;
            if choice == CHOICE {
                break;
            }
        }
        best.map(|(_, place)| place)
    }

    fn take(&mut self, place: usize) -> V {
        self.forget(place);
        let last = self.entries.len() - 1;
        if place < last {
            let hash = self.hasher.hash_one(self.entries[last].key);
            if let Some(moved) = self.places.find_mut(hash, |&at| at as usize == last) {
                *moved = place as u32;
            }
        }
        self.entries.swap_remove(place).value
    }

    /// Takes the entry's place out of the places, so that its key is not found any more.
    fn forget(&mut self, place: usize) {
        let hash = self.hasher.hash_one(self.entries[place].key);
        if let Ok(found) = self.places.find_entry(hash, |&at| at as usize == place) {
            found.remove();
        }
    }

    fn sweep(&mut self, now: Tick) -> usize {
        let before = self.entries.len();
        let mut place = 0;
        while place < self.entries.len() {
            if self.entries[place].value.expires() <= now {
                self.take(place);
            } else {
                place += 1;
            }
        }
        if self.entries.capacity() > ROOMY * self.entries.len().max(ROOMY) {
            self.entries.shrink_to_fit();
            let (entries, hasher) = (&self.entries, &self.hasher);
            self.places.shrink_to_fit(|&place| hasher.hash_one(entries[place as usize].key));
        }
        before - self.entries.len()
    }
}
