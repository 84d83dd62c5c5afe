//! The stores of tokens and sessions: [`TokenStore`] and [`MemoryStore`].

use super::{at_millis, explore, join, millis};
use selvedge::clock::{Clock, Tick};
use selvedge::guard::auth::{Digest, TokenStore, Uses};
use selvedge::guard::session::{MemoryStore, Record, SessionLimits, SessionStore};
use shuttle::thread;
use std::sync::Arc;

const NOW: Tick = at_millis(10);
const LATER: Tick = at_millis(20);

fn id(number: u8) -> Digest {
    Digest::of(&[number])
}

/// Five requests show the same two single-use tokens and one for many uses, while that one is revoked, more are issued
/// than there is room for, and what is spent is swept: each single-use token lets one in, what was revoked is dead, and
/// no more are alive than may be.
///
/// Eight threads. Caught: `check_at` that looks under one lock and removes under the next (two get in); tokens that make
/// room for others (a promised one is gone).
#[test]
fn tokens_are_used_once_and_dead_when_revoked() {
    let races =
        ["one had both tokens", "two had one each", "somebody came before the revocation", "nobody did"];
    explore(races, || {
        let tokens = Arc::new(TokenStore::with_capacity(Clock::manual(), 4));
        for (number, uses) in [(1, Uses::Once), (2, Uses::Once), (3, Uses::Many)] {
            tokens.issue_at(id(number), "ada", uses, NOW, LATER).expect("there is room");
        }
        let shown: Vec<_> = (0..5)
            .map(|_| {
                let tokens = tokens.clone();
                thread::spawn(move || [1, 2, 3].map(|number| tokens.check_at(&id(number), NOW).is_some()))
            })
            .collect();
        let issuing = {
            let tokens = tokens.clone();
            thread::spawn(move || {
                let has_room =
                    |number: &u8| tokens.issue_at(id(*number), "bob", Uses::Many, NOW, LATER).is_ok();
                (10..16).filter(has_room).collect::<Vec<_>>()
            })
        };
        let store = tokens.clone();
        let revocation = thread::spawn(move || {
            assert!(store.revoke_at(&id(3), NOW) && store.check_at(&id(3), NOW).is_none());
            store.sweep();
        });
        let shown = join(shown);
        let promised = join([issuing])[0].clone();
        join([revocation]);
        assert!(
            promised.iter().all(|number| tokens.check_at(&id(*number), NOW).is_some()),
            "a promised token is gone"
        );
        assert!((1..=4).contains(&promised.len()));
        let times = |token: usize| shown.iter().filter(|shown| shown[token]).count();
        assert_eq!([times(0), times(1)], [1, 1]);
        let both = shown.iter().any(|shown| shown[0] && shown[1]);
        [both, !both, times(2) > 0, times(2) == 0]
    });
}

fn record(user: Option<&str>) -> Record {
    Record { user: user.map(Into::into), data: Arc::default(), ends: at_millis(1000) }
}

fn store(per_user: usize, capacity: usize) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(SessionLimits {
        idle: millis(100),
        absolute: millis(1000),
        per_user,
        capacity,
    }))
}

fn live(store: &MemoryStore, numbers: impl IntoIterator<Item = u8>) -> Vec<u8> {
    numbers.into_iter().filter(|number| store.load(&id(*number), NOW).is_some()).collect()
}

/// Renews a session again and again, under ids that follow each other, for as long as it is the one who wins; says how
/// often it did.
fn rotate(store: &MemoryStore, from: u8, times: u8, step: u8) -> u8 {
    let renews = |number: &u8| {
        store.renew(&id(from + number * step), id(from + (number + 1) * step), record(Some("ada")), NOW)
            == Ok(())
    };
    (0..times).take_while(renews).count() as u8
}

/// Ada's two sessions are renewed again and again, by two requests each, a third logs her in anew, others load and save,
/// and in the middle she is logged out everywhere. Of each two renewals one wins; a session that was there before the
/// logout began is dead when it is over, under whatever id; and nothing is left of what is dead.
///
/// Eight threads. Caught: `renew` that does not ask whether the list still had the old id, and one that strikes the old
/// id off and enters the new one in two steps (somebody stays).
#[test]
fn nobody_escapes_a_logout_everywhere() {
    let races = [
        "the new session stayed",
        "it went with the others",
        "a session was renewed to the end",
        "none was renewed",
    ];
    explore(races, || {
        let store = store(4, 8);
        for number in [10, 20] {
            store.insert(id(number), record(Some("ada")), NOW).expect("there is room");
        }
        store.insert(id(1), record(None), NOW).expect("there is room");
        let rotator = |from| {
            let store = store.clone();
            thread::spawn(move || rotate(&store, from, 3, 1))
        };
        let rotators = [rotator(10), rotator(10), rotator(20), rotator(20)];
        let act = |act: fn(&MemoryStore)| {
            let store = store.clone();
            thread::spawn(move || act(&store))
        };
        let acts = [
            // A login takes the anonymous session over.
            act(|store| assert_eq!(store.renew(&id(1), id(30), record(Some("ada")), NOW), Ok(()))),
            act(|store| {
                store.save(&id(11), Arc::from(*b"x"), NOW);
                MemoryStore::sweep(store, NOW);
                assert!(live(store, 10..=13).len() + live(store, 20..=23).len() <= 8);
            }),
            act(|store| {
                store.remove_user("ada", NOW);
                // Of the session that was there at the logout some id may be seen until its renewal finds out; none later.
            }),
        ];
        let renewed = join(rotators);
        join(acts);
        assert!(live(&store, (10..=13).chain(20..=23)).is_empty(), "somebody stayed");
        assert!(live(&store, [1]).is_empty());
        let stayed = live(&store, [30]).len();
        assert_eq!(store.len(), stayed, "something is left of the dead");
        [stayed == 1, stayed == 0, renewed.contains(&3), renewed.iter().all(|times| *times == 0)]
    });
}

/// A user who may have three sessions logs in three times at once, while the two he had are renewed, and one is logged
/// out: in the end he has three at most, each of them on his list.
///
/// Seven threads. Caught: the first of those two (one is on no list), and a list that forgets its surplus without ending
/// it (four live).
#[test]
fn nobody_has_more_sessions_than_he_may() {
    let races = ["an old session stayed", "under a new id", "it made way", "one was logged out"];
    explore(races, || {
        let store = store(3, 16);
        for number in [10, 20] {
            store.insert(id(number), record(Some("ada")), NOW).expect("there is room");
        }
        let logins: Vec<_> = (30..33)
            .map(|number| {
                let store = store.clone();
                thread::spawn(move || {
                    store.insert(id(number), record(Some("ada")), NOW).expect("there is room");
                })
            })
            .collect();
        let rotators = [10, 20].map(|from| {
            let store = store.clone();
            thread::spawn(move || rotate(&store, from, 2, 1))
        });
        let logout = {
            let store = store.clone();
            thread::spawn(move || SessionStore::remove(&*store, &id(32), NOW))
        };
        join(logins);
        join(rotators);
        join([logout]);
        let old = live(&store, (10..=12).chain(20..=22));
        let new = live(&store, 30..33);
        assert!(old.len() + new.len() <= 3, "{old:?} and {new:?}");
        assert_eq!(store.len(), old.len() + new.len());
        assert_eq!(store.remove_user("ada", NOW), old.len() + new.len(), "one is on no list");
        [!old.is_empty(), old.iter().any(|number| number % 10 > 0), old.is_empty(), new.len() == 2]
    });
}
