//! Sessions in memory.

use super::{at, seconds};
use selvedge::Guard;
use selvedge::clock::{Clock, Tick};
use selvedge::guard::Census;
use selvedge::guard::auth::Digest;
use selvedge::guard::session::{MemoryStore, Record, SessionLimits, SessionStore, Sessions, StoreError};
use std::sync::{Arc, Barrier};
use std::thread;

fn store(per_user: usize, capacity: usize) -> MemoryStore {
    MemoryStore::new(SessionLimits { per_user, capacity, ..SessionLimits::default() })
}

fn id(number: u32) -> Digest {
    Digest::of(&number.to_be_bytes())
}

fn record(user: Option<&str>, now: Tick) -> Record {
    Record { user: user.map(Into::into), data: Arc::default(), ends: now.after(seconds(8 * 3600)) }
}

fn is_live(store: &MemoryStore, number: u32, now: Tick) -> bool {
    store.load(&id(number), now).is_some()
}

#[test]
fn idle_for_half_an_hour_or_eight_hours_in_all() {
    let store = store(8, 100);
    store.insert(id(1), record(Some("ada"), at(0)), at(0)).expect("room");
    store.insert(id(2), record(Some("ada"), at(0)), at(0)).expect("room");
    let mut now = 0;
    while now < 8 * 3600 {
        assert!(is_live(&store, 1, at(now)), "{now}");
        now += 1700;
    }
    assert!(!is_live(&store, 1, at(8 * 3600)));
    assert!(!is_live(&store, 2, at(1800)));
    assert!(!store.save(&id(1), Arc::default(), at(8 * 3600)), "what is over is not brought back");
    assert_eq!((store.is_empty(), store.sweep(at(8 * 3600)), store.is_empty()), (false, 2, true));
    store.insert(id(3), record(None, at(0)), at(0)).expect("room");
    SessionStore::sweep(&store, at(1799));
    assert_eq!(SessionStore::count(&store), Some(1));
    SessionStore::sweep(&store, at(1800));
    assert_eq!(SessionStore::count(&store), Some(0), "as a guard does it");
}

/// A store somewhere else, which says no more than it must.
struct Elsewhere;

impl SessionStore for Elsewhere {
    fn insert(&self, _: Digest, _: Record, _: Tick) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    fn load(&self, _: &Digest, _: Tick) -> Option<Record> {
        None
    }

    fn save(&self, _: &Digest, _: Arc<[u8]>, _: Tick) -> bool {
        false
    }

    fn renew(&self, _: &Digest, _: Digest, _: Record, _: Tick) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    fn remove(&self, _: &Digest, _: Tick) -> bool {
        false
    }

    fn remove_user(&self, _: &str, _: Tick) -> usize {
        0
    }
}

/// How many sessions there are is told of all stores together, and not at all where none of them can count.
#[test]
fn sessions_are_counted_where_they_can_be() {
    let limits = SessionLimits::default();
    let sessions = |count: u32| {
        let store = store(8, 100);
        for number in 0..count {
            store.insert(id(number), record(None, at(0)), at(0)).expect("room");
        }
        Sessions::with_store(store, limits, Clock::manual())
    };
    let count = |guards: &[&Sessions]| {
        let mut census = Census::default();
        for guard in guards {
            guard.report(at(0), &mut census);
        }
        census.sessions
    };
    let (none, two, three) = (sessions(0), sessions(2), sessions(3));
    let elsewhere = Sessions::with_store(Elsewhere, limits, Clock::manual());
    assert_eq!(count(&[&elsewhere]), None);
    assert_eq!(count(&[&none]), Some(0));
    assert_eq!(count(&[&two, &elsewhere, &three]), Some(5));
    for (now, left) in [(1799, 2), (1800, 0)] {
        two.sweep(at(now));
        assert_eq!(count(&[&two]), Some(left), "{now}");
    }
}

/// A user is found on his list as long as one of his sessions is in use, however often that is.
#[test]
fn who_is_there_is_on_a_list() {
    for step in [100, 225, 226, 1700] {
        let store = store(8, 100);
        store.insert(id(1), record(Some("ada"), at(0)), at(0)).expect("room");
        let last = (0..27_000).step_by(step).inspect(|now| assert!(is_live(&store, 1, at(*now)))).last();
        let now = at(last.expect("some") + 1700);
        assert_eq!(store.remove_user("ada", now), 1, "every {step} s");
        assert!(!is_live(&store, 1, now), "every {step} s");
    }
}

/// So he is if his session is renewed more often than the list is told of it.
#[test]
fn who_is_renewed_is_on_a_list() {
    for step in [1, 180, 225, 226, 1700] {
        // The id it has after more than 40 minutes, and a time at which it is about to become idle.
        let renewed = || {
            let (store, mut now) = (store(1, 100), 0);
            store.insert(id(0), record(Some("ada"), at(0)), at(0)).expect("room");
            for number in 1.. {
                now += step;
                let kept = store.renew(&id(number - 1), id(number), record(Some("ada"), at(now)), at(now));
                assert_eq!(kept, Ok(()), "every {step} s, at {now} s");
                if now > 2400 {
                    return (store, number, at(now + 1700));
                }
            }
            unreachable!("it is renewed until then")
        };
        let (store, number, now) = renewed();
        assert_eq!(store.remove_user("ada", now), 1, "every {step} s");
        assert!(!is_live(&store, number, now), "every {step} s");
        let (store, number, now) = renewed();
        store.insert(id(9999), record(Some("ada"), now), now).expect("room");
        assert!(!is_live(&store, number, now), "every {step} s: it counts as one of hers");
    }
}

/// Threads may take the time in another order than they come here. What has lost its list meanwhile is over.
#[test]
fn who_is_on_no_list_is_not_logged_in() {
    let store = store(8, 100);
    for number in [1, 2] {
        store.insert(id(number), record(Some("ada"), at(0)), at(0)).expect("room");
    }
    assert_eq!(store.remove_user("ada", at(2025)), 0, "the list has expired");
    assert!(is_live(&store, 1, at(225)), "the list is not asked each time");
    assert!(!is_live(&store, 1, at(226)) && !is_live(&store, 1, at(0)));
    store.insert(id(3), record(Some("ada"), at(226)), at(226)).expect("room");
    assert!(!is_live(&store, 2, at(226)), "a new list knows nothing of it");
    assert!(is_live(&store, 3, at(452)) && store.len() == 1);
}

/// A small store has room for as many as it says, whoever they are.
#[test]
fn a_small_store_is_of_one_piece() {
    let store = store(8, 200);
    let insert = |number: &u32| {
        store.insert(id(*number), record(Some(&format!("user {number}")), at(0)), at(0)).is_ok()
    };
    assert_eq!((0..300).take_while(insert).count(), 200);
}

#[test]
fn an_id_nobody_made_is_no_session() {
    let store = store(8, 100);
    assert_eq!(store.load(&id(1), at(0)), None);
    assert!(!store.save(&id(1), Arc::default(), at(0)));
    assert!(!store.remove(&id(1), at(0)));
    assert_eq!(store.renew(&id(1), id(2), record(Some("ada"), at(0)), at(0)), Err(StoreError::Gone));
    assert_eq!(store.remove_user("ada", at(0)), 0);
    assert!(store.is_empty());
}

#[test]
fn renewal_ends_the_old_id() {
    let store = store(8, 100);
    let users = [None, Some("ada"), Some("ada"), Some("bob"), None];
    store.insert(id(0), record(users[0], at(0)), at(0)).expect("room");
    for (old, user) in (0..).zip(&users[1..]) {
        store.renew(&id(old), id(old + 1), record(*user, at(0)), at(1)).expect("it is alive");
        assert!(!is_live(&store, old, at(1)));
        let kept = store.load(&id(old + 1), at(1)).expect("it is alive");
        assert_eq!(kept.user.as_deref(), *user);
        assert_eq!(store.len(), 1);
        assert_eq!(store.renew(&id(old), id(99), record(*user, at(0)), at(1)), Err(StoreError::Gone));
    }
    assert_eq!((store.remove_user("ada", at(1)), store.remove_user("bob", at(1))), (0, 0));
}

#[test]
fn the_oldest_of_a_users_makes_way() {
    let store = store(3, 100);
    for number in 0..5 {
        store.insert(id(number), record(Some("ada"), at(0)), at(0)).expect("room");
        store.insert(id(100 + number), record(Some(&format!("user {number}")), at(0)), at(0)).expect("room");
    }
    let live: Vec<u32> = (0..5).filter(|number| is_live(&store, *number, at(0))).collect();
    assert_eq!(live, [2, 3, 4]);
    store.renew(&id(2), id(12), record(Some("ada"), at(0)), at(0)).expect("it is alive");
    store.insert(id(5), record(Some("ada"), at(0)), at(0)).expect("room");
    assert!(!is_live(&store, 12, at(0)), "renewal makes nobody younger");
    assert!(store.remove(&id(3), at(0)) && !store.remove(&id(3), at(0)));
    assert_eq!(store.remove_user("ada", at(0)), 2);
    assert!((0..5).all(|number| is_live(&store, 100 + number, at(0))), "others stay");
    assert_eq!(store.len(), 5);
}

#[test]
fn who_is_logged_in_makes_way_for_nobody() {
    let store = store(8, 64);
    let mut kept = Vec::new();
    for number in 0..20 {
        if store.insert(id(number), record(Some(&format!("user {number}")), at(0)), at(0)).is_ok() {
            kept.push(number);
        }
    }
    assert!(kept.len() > 15, "{kept:?}");
    for number in 1000..20_000 {
        let _ = store.insert(id(number), record(None, at(1)), at(1));
    }
    assert!(store.len() <= 64);
    assert!(kept.iter().all(|number| is_live(&store, *number, at(1))));
    let mut refused = 0;
    for number in 100..1000 {
        let user = format!("user {number}");
        refused += usize::from(store.insert(id(number), record(Some(&user), at(1)), at(1)).is_err());
    }
    assert_eq!(refused, 900 - (64 - kept.len()), "the others took the places of nobody");
    assert!(store.len() <= 64);
    assert!(kept.iter().all(|number| is_live(&store, *number, at(1))));
    assert!(kept[..3].iter().all(|number| store.remove_user(&format!("user {number}"), at(1)) == 1));
    // An hour later nobody has come back, and all make room: those that remember users too.
    let now = at(3600);
    let let_in = (2000..2032).filter(|number| {
        store.insert(id(*number), record(Some(&format!("user {number}")), now), now).is_ok()
    });
    assert_eq!(let_in.count(), 32);
}

/// However few are not logged in: they make way for logins.
#[test]
fn a_login_finds_who_makes_way() {
    for in_a_hundred in [1, 2, 5, 10, 20] {
        // In one piece, so that it is known what is full.
        let store = store(8, 500);
        for number in 0..500 {
            let user = (number % 100 >= in_a_hundred).then(|| format!("user {number}"));
            store.insert(id(number), record(user.as_deref(), at(0)), at(0)).expect("room");
        }
        let logs_in = |number: &u32| {
            store.insert(id(*number), record(Some(&format!("user {number}")), at(1)), at(1)).is_ok()
        };
        assert_eq!((1000..2000).take_while(logs_in).count(), 5 * in_a_hundred as usize, "{in_a_hundred} %");
        assert_eq!(store.insert(id(2000), record(None, at(1)), at(1)), Err(StoreError::Full));
    }
}

/// The lists of those who have just become idle leave room for others', whose sessions have a place; and a login finds the
/// one list of nobody among all of them.
#[test]
fn there_are_lists_to_spare() {
    let store = store(8, 400);
    let log_in = |number: u32, now| {
        let user = format!("user {number}");
        store.insert(id(number), record(Some(&user), at(now)), at(now))
    };
    assert!((0..400).all(|number| log_in(number, 0).is_ok()));
    assert_eq!(log_in(400, 0), Err(StoreError::Full));
    assert_eq!((400..600).take_while(|number| log_in(*number, 1900).is_ok()).count(), 100);
    for number in 400..500 {
        assert!(store.remove(&id(number), at(1900)));
        assert_eq!(log_in(1000 + number, 1900), Ok(()), "{number}");
        assert_eq!(log_in(2000 + number, 1900), Err(StoreError::Full), "{number}");
    }
}

/// A user's list is kept a while longer than his sessions, for it is told late of what they do. Who finds no room for one of
/// his own gets no session, and none is left that is on no list.
#[test]
fn no_session_without_a_list() {
    let store = store(8, 1);
    store.insert(id(1), record(Some("ada"), at(0)), at(0)).expect("room");
    assert_eq!(store.insert(id(2), record(Some("bob"), at(1900)), at(1900)), Err(StoreError::Full));
    assert!(!is_live(&store, 2, at(1900)) && store.is_empty());
    assert_eq!(store.insert(id(3), record(None, at(1900)), at(1900)), Ok(()), "nobody needs no list");
    assert_eq!(store.insert(id(4), record(Some("bob"), at(2100)), at(2100)), Ok(()));
    assert!(store.remove(&id(4), at(2100)));
    assert_eq!(
        store.insert(id(5), record(Some("eve"), at(2100)), at(2100)),
        Ok(()),
        "an empty one gives way"
    );
}

/// A renewal may fall where there is no room: then it is over, and on no list any more.
#[test]
fn a_renewal_without_room_ends_the_session() {
    let store = store(600, 1200);
    let insert = |number: u32| store.insert(id(number), record(Some("ada"), at(0)), at(0));
    let kept: Vec<_> = (0..600).filter(|number| insert(*number).is_ok()).collect();
    // Every place that is left, in all shards.
    let filled = (1000..9000).filter(|number| {
        store.insert(id(*number), record(Some(&format!("user {number}")), at(0)), at(0)).is_ok()
    });
    assert!(filled.count() > 100);
    let renew =
        |number: &u32| store.renew(&id(*number), id(number + 10_000), record(Some("ada"), at(0)), at(0));
    let (renewed, ended): (Vec<u32>, Vec<u32>) = kept.iter().partition(|number| renew(number) == Ok(()));
    assert!(!renewed.is_empty() && !ended.is_empty());
    assert!(kept.iter().all(|number| !is_live(&store, *number, at(0))));
    assert!(renewed.iter().all(|number| is_live(&store, *number + 10_000, at(0))));
    assert!(ended.iter().all(|number| !is_live(&store, *number + 10_000, at(0))));
    assert_eq!(store.remove_user("ada", at(0)), renewed.len());
}

/// Users come for a few minutes each, far more in eight hours than there is room for at once.
#[test]
fn short_visits_take_no_place_for_long() {
    let store = store(8, 256);
    for number in 0..4000 {
        let now = at(u64::from(number) * 30);
        let user = format!("user {number}");
        assert_eq!(store.insert(id(number), record(Some(&user), now), now), Ok(()), "{number}");
        assert!(is_live(&store, number, at(u64::from(number) * 30 + 300)));
    }
}

#[test]
fn of_many_threads_one_renews() {
    let store = Arc::new(store(8, 1000));
    for round in 0..200 {
        let old = id(round * 10);
        store.insert(old, record(Some("ada"), at(0)), at(0)).expect("room");
        let start = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (1..5)
            .map(|number| {
                let (store, start) = (store.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    store.renew(&old, id(round * 10 + number), record(Some("ada"), at(0)), at(0)).is_ok()
                })
            })
            .collect();
        let winners = threads.into_iter().map(|it| it.join().expect("no panic"));
        assert_eq!(winners.filter(|won| *won).count(), 1);
        let live = (0..5).filter(|number| is_live(&store, round * 10 + number, at(0))).count();
        assert_eq!(live, 1);
    }
}
