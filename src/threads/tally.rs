//! How many each key has, with a cap on every one.

use crate::sync::{Arc, Mutex};
use std::collections::HashMap;
use std::hash::Hash;

/// Counts holders by key and lets no key have more than its cap. Bounded by the number of holders: a key nobody holds
/// any more is forgotten.
#[derive(Debug)]
pub struct Tally<K: Eq + Hash> {
    /// Written when a holder comes or goes.
    counts: Mutex<HashMap<K, usize>>,
    cap: Option<usize>,
}

/// One holder's mark on a [`Tally`], wiped by drop.
#[derive(Debug)]
pub struct Mark<K: Eq + Hash + Copy> {
    tally: Arc<Tally<K>>,
    key: K,
}

impl<K: Eq + Hash + Copy> Tally<K> {
    /// A tally on which each key has at most `cap` marks, one at the least; `None` only counts.
    pub fn new(cap: Option<usize>) -> Self {
        Tally { counts: Mutex::new(HashMap::new()), cap }
    }

    /// Puts a mark by `key`, unless it has as many as it may.
    pub fn mark(self: &Arc<Self>, key: K) -> Option<Mark<K>> {
        let mut counts = self.counts.lock();
        let count = counts.entry(key).or_insert(0);
        // A cap of zero would leave an entry behind that nobody wipes.
        if self.cap.is_some_and(|cap| *count >= cap.max(1)) {
            return None;
        }
        *count += 1;
        Some(Mark { tally: self.clone(), key })
    }

    /// How many marks `key` has.
    pub fn count(&self, key: &K) -> usize {
        self.counts.lock().get(key).copied().unwrap_or(0)
    }

    /// How many keys have any.
    pub fn keys(&self) -> usize {
        self.counts.lock().len()
    }
}

impl<K: Eq + Hash + Copy> Mark<K> {
    /// By which key it is.
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Eq + Hash + Copy> Drop for Mark<K> {
    fn drop(&mut self) {
        let mut counts = self.tally.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}
