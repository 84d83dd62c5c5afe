//! The table of small states.

use super::at;
use selvedge::clock::Tick;
use selvedge::threads::{Entry, Table, TableFull};
use std::sync::{Arc, Barrier};
use std::thread;

#[derive(Clone, Copy)]
struct Counter {
    hits: u64,
    expires: Tick,
    protected: bool,
    dear: bool,
}

impl Entry for Counter {
    fn expires(&self) -> Tick {
        self.expires
    }

    fn is_protected(&self, _now: Tick) -> bool {
        self.protected
    }

    fn is_dear(&self) -> bool {
        self.dear
    }
}

fn put(
    table: &Table<u64, Counter>,
    key: u64,
    expires: u64,
    protected: bool,
    now: u64,
) -> Result<u64, TableFull> {
    let make = || Counter { hits: 0, expires: at(expires), protected, dear: false };
    table.upsert(key, at(now), make, |entry| {
        entry.hits += 1;
        entry.hits
    })
}

fn has(table: &Table<u64, Counter>, key: u64, now: u64) -> bool {
    table.get(&key, at(now), |_| ()).is_some()
}

#[test]
fn an_expired_entry_is_as_good_as_none() {
    let table = Table::new(4, 1);
    assert_eq!(put(&table, 1, 10, false, 0), Ok(1));
    assert_eq!(put(&table, 1, 10, false, 9), Ok(2));
    assert!(has(&table, 1, 9) && !has(&table, 1, 10));
    assert_eq!(put(&table, 1, 20, false, 10), Ok(1), "made anew");
    assert_eq!(put(&table, 2, 15, false, 10), Ok(1));
    assert!(table.remove(&2, at(15)).is_none(), "expired");
    assert_eq!(table.remove(&1, at(15)).map(|entry| entry.hits), Some(1));
    assert!(table.remove(&1, at(15)).is_none(), "taken already");
    assert!(table.is_empty());
}

#[test]
fn a_sweep_throws_away_just_what_is_expired() {
    let table = Table::new(400, 4);
    for key in 0..100 {
        put(&table, key, key, false, 0).expect("there is room");
    }
    assert_eq!((table.sweep(at(60)), table.len()), (61, 39));
    assert!((0..100).all(|key| has(&table, key, 0) == (key > 60)));
    assert_eq!(table.sweep(at(60)), 0);
}

/// Fills a table of three with entries (key, expires, protected), puts a newcomer in at 10 and expects who is there.
#[track_caller]
fn check_room(entries: [(u64, u64, bool); 3], put_in: Result<u64, TableFull>, there: &[u64]) {
    let table = Table::new(3, 1);
    for (key, expires, protected) in entries {
        put(&table, key, expires, protected, 0).expect("there is room");
    }
    assert_eq!(put(&table, 9, 50, false, 10), put_in, "{entries:?}");
    let present: Vec<u64> = (0..10).filter(|&key| has(&table, key, 0)).collect();
    assert_eq!((present.as_slice(), table.len()), (there, 3), "{entries:?}");
}

#[test]
fn room_is_made_by_the_expired_then_by_who_expires_first_and_never_by_the_protected() {
    check_room([(1, 20, false), (2, 30, false), (3, 40, false)], Ok(1), &[2, 3, 9]);
    check_room([(1, 40, false), (2, 30, false), (3, 20, false)], Ok(1), &[1, 2, 9]);
    check_room([(1, 20, false), (2, 10, false), (3, 40, false)], Ok(1), &[1, 3, 9]);
    check_room([(1, 20, false), (2, 10, true), (3, 40, false)], Ok(1), &[1, 3, 9]);
    check_room([(1, 20, true), (2, 30, false), (3, 25, true)], Ok(1), &[1, 3, 9]);
    check_room([(1, 20, true), (2, 30, true), (3, 40, true)], Err(TableFull), &[1, 2, 3]);
}

/// For most newcomers a few of a shard's entries are looked at, for those that are dear all of them.
#[test]
fn for_the_dear_all_are_looked_at() {
    for spare in (0..1000).step_by(37) {
        let table = Table::new(1000, 1);
        for key in 0..1000 {
            put(&table, key, 20, key != spare, 0).expect("there is room");
        }
        let put_dear = |key| {
            let make = || Counter { hits: 0, expires: at(20), protected: true, dear: true };
            table.upsert(key, at(0), make, |_| ())
        };
        assert_eq!(put_dear(1000), Ok(()), "{spare}");
        assert!(has(&table, 1000, 0) && !has(&table, spare, 0), "{spare}");
        assert_eq!((put_dear(1001), table.len()), (Err(TableFull), 1000), "{spare}");
    }
}

#[test]
fn holds_as_many_as_it_may_and_no_more() {
    for (capacity, shards, expected) in
        [(0, 0, 1), (1, 16, 1), (10, 4, 10), (1000, 16, 1000), (1024, 16, 1024)]
    {
        let table = Table::new(capacity, shards);
        for key in 0..20_000 {
            put(&table, key, 100, false, 0).expect("nothing is protected");
        }
        assert_eq!(table.len(), expected, "a table for {capacity} in {shards} shards");
    }
}

#[test]
fn a_flood_of_strangers_leaves_the_protected_where_they_are() {
    let table = Arc::new(Table::new(1024, 8));
    let protected = 0..256;
    for key in protected.clone() {
        put(&table, key, 1000, true, 0).expect("there is room");
    }
    let start = Arc::new(Barrier::new(4));
    let flood = (1..=4_u64).map(|thread| {
        let (table, start) = (table.clone(), start.clone());
        thread::spawn(move || {
            start.wait();
            (0..250_000).filter(|key| put(&table, thread << 32 | key, 100, false, 0).is_ok()).count()
        })
    });
    let let_in: usize = flood.collect::<Vec<_>>().into_iter().map(|it| it.join().expect("no panic")).sum();
    assert_eq!(let_in, 1_000_000, "there was always somebody to make room");
    assert_eq!(table.len(), 1024);
    assert!(protected.into_iter().all(|key| has(&table, key, 0)));
}
