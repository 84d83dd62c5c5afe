//! The table: [`Table`]. With one shard, for entries meet nowhere else.

use super::{Preemptions, at_millis, explore};
use loom::thread;
use selvedge::clock::Tick;
use selvedge::threads::{Entry, Table, TableFull};
use std::sync::Arc;

#[derive(Debug, PartialEq)]
struct Token {
    uses: usize,
    expires: Tick,
    protected: bool,
}

impl Entry for Token {
    fn expires(&self) -> Tick {
        self.expires
    }

    fn is_protected(&self, _now: Tick) -> bool {
        self.protected
    }
}

fn token(expires: Tick, protected: bool) -> Token {
    Token { uses: 0, expires, protected }
}

fn put(table: &Table<u8, Token>, key: u8, token: Token, now: Tick) -> Result<usize, TableFull> {
    let made = || token;
    table.upsert(key, now, made, |token| {
        token.uses += 1;
        token.uses
    })
}

const NOW: Tick = at_millis(10);
const LATER: Tick = at_millis(20);

/// Of two threads that take out a single-use token, while expired entries around it are swept, one gets it.
///
/// Three threads, exhaustive: 150 interleavings. Caught: `remove` that looks under one lock and takes under the next
/// (the wrong entry gone); `take` that forgets the place of the entry it moved (out of bounds).
#[test]
fn a_token_is_taken_out_once() {
    explore(Preemptions::Any, [[true, false], [false, true]], || {
        let table = Arc::new(Table::new(3, 1));
        for (key, expires) in [(0, NOW), (1, LATER), (2, LATER)] {
            put(&table, key, token(expires, false), at_millis(0)).expect("there is room");
        }
        let take = || {
            let table = table.clone();
            thread::spawn(move || table.remove(&2, NOW).is_some())
        };
        let takers = [take(), take()];
        assert_eq!(table.sweep(NOW), 1);
        let taken = takers.map(|taker| taker.join().expect("a panic ends the model"));
        assert_eq!(table.get(&1, NOW, |token| token.uses), Some(1));
        assert_eq!(table.len(), 1);
        taken
    });
}

/// Two threads that put strangers into a full table never push out what is protected, and never make it grow.
///
/// Three threads, exhaustive: 48 interleavings. Caught: `dispensable` that does not ask whether an entry is
/// protected (it is gone); `>` for `>=` in `insert`, and `upsert` that finds room under one lock and uses it under
/// the next (three entries).
#[test]
fn a_protected_entry_outlives_every_newcomer() {
    explore(Preemptions::Any, [2], || {
        let table = Arc::new(Table::new(2, 1));
        put(&table, 0, token(LATER, true), NOW).expect("there is room");
        let insert = |key| {
            let table = table.clone();
            thread::spawn(move || {
                put(&table, key, token(LATER, false), NOW).expect("one entry is not protected");
                assert!(table.len() <= 2);
            })
        };
        for newcomer in [insert(1), insert(2)] {
            newcomer.join().expect("a panic ends the model");
        }
        assert_eq!(table.get(&0, NOW, |token| token.uses), Some(1));
        table.len()
    });
}

/// Counts on one entry, expired at first, add up whoever makes it anew and however it is swept meanwhile.
///
/// Three threads, exhaustive: 133 interleavings. Caught: `upsert` that finds the entry expired under one lock and
/// makes it anew under the next (one count lost).
#[test]
fn counts_add_up_beside_a_sweep() {
    explore(Preemptions::Any, [[1, 2], [2, 1]], || {
        let table = Arc::new(Table::new(2, 1));
        put(&table, 0, token(NOW, false), at_millis(0)).expect("there is room");
        let count = || {
            let table = table.clone();
            thread::spawn(move || put(&table, 0, token(LATER, false), NOW).expect("there is room"))
        };
        let counters = [count(), count()];
        table.sweep(NOW);
        let counts = counters.map(|counter| counter.join().expect("a panic ends the model"));
        assert_eq!(table.get(&0, NOW, |token| token.uses), Some(2));
        counts
    });
}

/// When a client was let in, and how often it may be: the entry of a rate limit, in little.
#[derive(Debug)]
struct Window {
    admitted: Vec<Tick>,
}

const ALLOWED: usize = 2;

impl Entry for Window {
    fn expires(&self) -> Tick {
        self.admitted.last().map_or(Tick::NEVER, |_| LATER)
    }

    fn is_protected(&self, _now: Tick) -> bool {
        self.admitted.len() >= ALLOWED
    }
}

fn admit(table: &Table<u8, Window>, client: u8, now: Tick) -> bool {
    let fresh = || Window { admitted: Vec::new() };
    let admitted = table.upsert(client, now, fresh, |window| {
        let admits = window.admitted.len() < ALLOWED;
        if admits {
            window.admitted.push(now);
        }
        admits
    });
    admitted.unwrap_or(false)
}

/// Of three requests that one client makes at once, while a stranger asks for the only other place, just as many are
/// admitted as are allowed; and the limited client is still limited when all is over.
///
/// Four threads, at most two preemptions: 362 interleavings. Caught: `upsert` that finds no entry under one lock and makes
/// one under the next (three or four are admitted).
#[test]
fn a_shard_of_a_limit_is_exact() {
    explore(Preemptions::AtMost(2), [ALLOWED], || {
        let table = Arc::new(Table::new(2, 1));
        let ask = |client| {
            let table = table.clone();
            thread::spawn(move || usize::from(admit(&table, client, NOW)))
        };
        let asking = [ask(7), ask(7)];
        let stranger = ask(8);
        let mine = usize::from(admit(&table, 7, NOW));
        let admitted = asking.map(|asked| asked.join().expect("a panic ends the model"));
        stranger.join().expect("a panic ends the model");
        assert!(!admit(&table, 7, NOW), "still limited");
        mine + admitted.iter().sum::<usize>()
    });
}
