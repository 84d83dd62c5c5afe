//! The table: [`Table`], with shards.

use super::{at_millis, explore, join};
use selvedge::clock::Tick;
use selvedge::threads::{Entry, Table};
use shuttle::thread;
use std::sync::Arc;

const NOW: Tick = at_millis(10);
const LATER: Tick = at_millis(20);
const CAPACITY: usize = 6;

#[derive(Debug)]
struct Token {
    key: u8,
    uses: usize,
    expires: Tick,
    protected: bool,
}

impl Entry for Token {
    fn expires(&self) -> Tick {
        self.expires
    }

    fn is_protected(&self, _: Tick) -> bool {
        self.protected
    }
}

fn put(table: &Table<u8, Token>, key: u8, now: Tick, expires: Tick, protected: bool) -> Option<usize> {
    let made = || Token { key, uses: 0, expires, protected };
    let used = table.upsert(key, now, made, |token| {
        assert_eq!(token.key, key, "another key's entry");
        token.uses += 1;
        token.uses
    });
    used.ok()
}

/// Six threads put strangers into a table of two shards, use what is protected, take out single-use tokens, sweep and
/// look on. It never has more entries than its capacity, and as many as it says; each key has its own entry; each token
/// is taken out once; uses of what is protected add up, for nothing pushes it out.
///
/// Seven threads. Caught: `take` that forgets the place of the entry it moved (out of bounds); `remove` that looks under
/// one lock and takes under the next (another key's entry); `>` for `>=` in `insert`, and a replacement that counts
/// (seven entries); `dispensable` that does not ask whether an entry is protected (it is gone); `sweep` that loads the
/// count and stores it (more than there are).
#[test]
fn a_table_keeps_its_bounds_and_its_promises() {
    let races =
        ["a stranger was not let in", "all strangers were", "the first took the token", "the second did"];
    explore(races, || {
        let table = Arc::new(Table::new(CAPACITY, 2));
        // Keys fall into shards by chance: a shard holds three.
        let kept =
            put(&table, 0, START, LATER, true).is_some() && put(&table, 1, START, LATER, true).is_some();
        assert!(kept, "there is room");
        put(&table, 9, START, NOW, false);
        let actor = |act: fn(&Table<u8, Token>, u8) -> bool, number| {
            let table = table.clone();
            thread::spawn(move || {
                let done = act(&table, number);
                assert!(table.len() <= CAPACITY);
                done
            })
        };
        let stranger = |table: &Table<u8, Token>, number: u8| {
            (0..3).all(|key| put(table, 10 * number + key, NOW, LATER, key == 2).is_some())
        };
        let taker = |table: &Table<u8, Token>, number: u8| {
            put(table, 1, NOW, LATER, true).expect("it is there");
            let taken = table.remove(&0, NOW);
            assert!(taken.as_ref().is_none_or(|token| token.key == 0));
            put(table, 10 * number, NOW, LATER, false);
            taken.is_some()
        };
        let sweeper = |table: &Table<u8, Token>, _: u8| {
            let swept = table.sweep(NOW);
            let mut seen = Vec::new();
            table.visit(|key, token| {
                assert_eq!(*key, token.key);
                seen.push(*key);
            });
            assert!(seen.len() <= CAPACITY && seen.contains(&1) && swept <= 1);
            swept == 1
        };
        let actors = [
            actor(taker, 1),
            actor(taker, 2),
            actor(stranger, 3),
            actor(stranger, 4),
            actor(sweeper, 5),
            actor(sweeper, 6),
        ];
        let done = join(actors);
        let mut there = 0;
        table.visit(|_, _| there += 1);
        assert_eq!(there, table.len());
        assert_eq!(
            table.get(&1, NOW, |token| token.uses),
            Some(3),
            "once here, once by each who takes a token"
        );
        assert!(done[0] != done[1] && !(done[4] && done[5]));
        [!(done[2] && done[3]), done[2] && done[3], done[0], done[1]]
    });
}

const START: Tick = at_millis(0);
