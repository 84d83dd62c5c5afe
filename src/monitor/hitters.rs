//! Who asks most: counts by client, method and status over the last minute, in a fixed number of places.
//!
//! The article counts in a dictionary with the key `ip:method:status`. It never forgets a key, so every address, and
//! every method somebody makes up, costs memory for ever; a count never starts anew, so whoever stays long enough is
//! suspect; threads add to it without a lock, so counts are lost; and past the threshold every further request is
//! another alert. Here counts are of a window, in a table of fixed size, each set of it under its own lock, and an
//! alert comes once a minute for each key.

use crate::clock::Tick;
use crate::message::ClientKey;
use crate::sync::Mutex;
use http::{Method, StatusCode};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

/// Places for keys.
const PLACES: usize = 1024;
/// Places of one set, in any of which a key may be.
const WAYS: usize = 16;
/// The window, and the pause between two alerts for one key.
const WINDOW: Duration = Duration::from_secs(60);
/// Parts of the window: what is older than the oldest of them is forgotten all at once.
const PARTS: usize = 6;
/// Hits that a connection saves up, at most: so much less than they are counts may be, for each connection.
const SAVED: u32 = 63;

/// What is counted together: one client, one method, one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HitKind {
    client: ClientKey,
    method: u8,
    status: u16,
}

/// The methods that are told apart (RFC 9110 §9.3, and the article's own).
const METHODS: [&str; 9] = ["OTHER", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEALTH"];

impl HitKind {
    /// What a request counts as. Methods that are not well known are one: nobody gets places by inventing names.
    pub fn new(client: ClientKey, method: &Method, status: StatusCode) -> Self {
        let method = METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(0);
        HitKind { client, method: method as u8, status: status.as_u16() }
    }

    /// What a request counts as of which no method was read.
    pub(crate) fn without_method(client: ClientKey, status: StatusCode) -> Self {
        HitKind { client, method: 0, status: status.as_u16() }
    }

    /// Who asked.
    pub fn client(self) -> ClientKey {
        self.client
    }

    /// The method, or `OTHER`, which is none that was read, too.
    pub fn method(self) -> &'static str {
        METHODS.get(usize::from(self.method)).copied().unwrap_or(METHODS[0])
    }

    /// The status of the answer.
    pub fn status(self) -> u16 {
        self.status
    }
}

/// The 1,024 keys that were hit most in the last minute, and how often.
///
/// A key that has no place takes that of the key hit least, and inherits its count as a debt: what it may have had before,
/// at most (*space saving*, Metwally et al. 2005). So a key that is hit more often than one in a thousand of all cannot be
/// pushed out, whatever else comes; and since the debt is left out when a count is told, nobody is accused of more than
/// he did. The places are sets of sixteen, found by a hash under a random key, so that nobody can choose with whom he
/// shares one.
///
/// The window moves in steps of ten seconds: a count covers the last 50 to 60 seconds, never more.
#[derive(Debug)]
pub struct Hitters {
    /// Each written by threads whose requests fall into it, for a few dozen nanoseconds.
    sets: Box<[Mutex<[Hitter; WAYS]>]>,
    hasher: RandomState,
    past: u32,
}

/// Hits of one connection that have not been counted yet: no lock is taken for them.
#[derive(Debug, Default)]
pub struct SavedHits {
    kind: Option<HitKind>,
    part: u64,
    quiet_until: Tick,
    hits: u32,
}

/// One place.
#[derive(Clone, Copy, Debug, Default)]
struct Hitter {
    kind: Option<HitKind>,
    /// Hits by part of the window, the part number modulo their count.
    hits: [u32; PARTS],
    /// The part that was counted in last.
    part: u64,
    /// What this key may have been hit before it had this place, which counts until its part is out of the window.
    debt: u32,
    debt_part: u64,
    /// No alert before this.
    quiet_until: Tick,
}

impl Hitters {
    /// Alerts past so many hits.
    pub fn new(past: u32) -> Self {
        let set = || Mutex::new([Hitter::default(); WAYS]);
        Hitters { sets: (0..PLACES / WAYS).map(|_| set()).collect(), hasher: RandomState::new(), past }
    }

    /// Counts a hit at `now`. If it is time for an alert, returns the count of the last minute.
    pub fn hit(&self, kind: HitKind, now: Tick) -> Option<u32> {
        self.add(kind, 1, part_at(now), now, |hitter| hitter.judge(self.past, now))
    }

    /// The same for a connection, which saves up hits that cannot be cause for an alert: there was one a moment ago.
    pub fn hit_from(&self, saved: &mut SavedHits, kind: HitKind, now: Tick) -> Option<u32> {
        let part = part_at(now);
        if saved.kind == Some(kind) && saved.part == part && now < saved.quiet_until && saved.hits < SAVED {
            saved.hits += 1;
            return None;
        }
        self.settle(saved, now);
        self.add(kind, 1, part, now, |hitter| {
            let alert = hitter.judge(self.past, now);
            *saved = SavedHits { kind: Some(kind), part, quiet_until: hitter.quiet_until, hits: 0 };
            alert
        })
    }

    /// Counts what a connection has saved up: it goes on with something else, or ends.
    pub fn settle(&self, saved: &mut SavedHits, now: Tick) {
        let SavedHits { kind, part, hits, .. } = std::mem::take(saved);
        if let Some(kind) = kind.filter(|_| hits > 0) {
            self.add(kind, hits, part, now, |_| ());
        }
    }

    /// Counts hits in a part of the window, if it has not left it, and then looks at the place.
    fn add<R>(&self, kind: HitKind, hits: u32, of: u64, now: Tick, look: impl FnOnce(&mut Hitter) -> R) -> R {
        let part = part_at(now);
        let hash = (self.hasher.hash_one(kind) >> 32) as usize;
        let mut set = self.sets[hash % self.sets.len()].lock();
        let place = set.iter().position(|hitter| hitter.kind == Some(kind));
        let place = place.unwrap_or_else(|| least(&mut set, kind, part));
        let hitter = &mut set[place];
        hitter.move_on(part);
        if hitter.part.saturating_sub(of) < PARTS as u64 {
            let counted = &mut hitter.hits[of as usize % PARTS];
            *counted = counted.saturating_add(hits);
        }
        look(hitter)
    }

    /// The clients that hit most in the last minute, `most` of them at most, and how often, whatever they asked for and got.
    pub fn busiest(&self, most: usize, now: Tick) -> Vec<(ClientKey, u32)> {
        let part = part_at(now);
        let mut clients: HashMap<ClientKey, u32> = HashMap::new();
        for set in &self.sets {
            for hitter in set.lock().iter_mut() {
                hitter.move_on(part);
                if let (Some(kind), hits @ 1..) = (hitter.kind, hitter.count()) {
                    let count = clients.entry(kind.client).or_insert(0);
                    *count = count.saturating_add(hits);
                }
            }
        }
        let mut clients: Vec<_> = clients.into_iter().collect();
        clients.sort_unstable_by_key(|(client, count)| (Reverse(*count), *client));
        clients.truncate(most);
        clients
    }

    /// How many places are taken.
    pub fn len(&self) -> usize {
        self.sets.iter().map(|set| set.lock().iter().filter(|hitter| hitter.kind.is_some()).count()).sum()
    }

    /// Whether nothing has been counted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn part_at(now: Tick) -> u64 {
    now.as_micros() / (WINDOW.as_micros() as u64 / PARTS as u64)
}

/// Gives the place of the key hit least to `kind`.
fn least(set: &mut [Hitter; WAYS], kind: HitKind, part: u64) -> usize {
    let (mut place, mut fewest) = (0, u32::MAX);
    for (at, hitter) in set.iter_mut().enumerate() {
        hitter.move_on(part);
        let weight = hitter.weight(part);
        if weight < fewest {
            (place, fewest) = (at, weight);
        }
        if fewest == 0 {
            break;
        }
    }
    set[place] = Hitter { kind: Some(kind), part, debt: fewest, debt_part: part, ..Hitter::default() };
    place
}

impl Hitter {
    /// Forgets the parts that have left the window. A clock that is read by many threads may seem to go back by a
    /// moment: then nothing is forgotten.
    fn move_on(&mut self, part: u64) {
        let passed = part.saturating_sub(self.part);
        for ahead in 1..=passed.min(PARTS as u64) {
            self.hits[((self.part + ahead) % PARTS as u64) as usize] = 0;
        }
        self.part = self.part.max(part);
    }

    /// The count of the last minute, if it is time for an alert; then it is not for a while.
    fn judge(&mut self, past: u32, now: Tick) -> Option<u32> {
        let count = self.count();
        if count <= past || now < self.quiet_until {
            return None;
        }
        self.quiet_until = now.after(WINDOW);
        Some(count)
    }

    fn count(&self) -> u32 {
        self.hits.iter().fold(0, |sum, hits| sum.saturating_add(*hits))
    }

    fn weight(&self, part: u64) -> u32 {
        let debt = if part.saturating_sub(self.debt_part) < PARTS as u64 { self.debt } else { 0 };
        self.count().saturating_add(debt)
    }
}
