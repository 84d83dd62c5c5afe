//! The stores of tokens and sessions: [`TokenStore`] and [`MemoryStore`], so small that their tables have one shard each.

use super::{Preemptions, at_millis, explore, millis};
use loom::thread;
use selvedge::clock::{Clock, Tick};
use selvedge::guard::auth::{Digest, TokenStore, Uses};
use selvedge::guard::session::{MemoryStore, Record, SessionLimits, SessionStore};
use std::sync::Arc;

const NOW: Tick = at_millis(10);
const LATER: Tick = at_millis(20);

fn id(number: u8) -> Digest {
    Digest::of(&[number])
}

/// Of two requests that show the same single-use token, one gets in.
///
/// Two threads, exhaustive: 9 interleavings. Caught: `check_at` that looks under one lock and
/// removes under the next (both get in).
#[test]
fn a_single_use_token_is_used_once() {
    explore(Preemptions::Any, [[true, false], [false, true]], || {
        let tokens = Arc::new(TokenStore::with_capacity(Clock::system(), 2));
        tokens.issue_at(id(1), "once", Uses::Once, NOW, LATER).expect("there is room");
        let show = || {
            let tokens = tokens.clone();
            thread::spawn(move || tokens.check_at(&id(1), NOW).is_some())
        };
        let shown = [show(), show()].map(|it| it.join().expect("a panic ends the model"));
        assert!(tokens.check_at(&id(1), NOW).is_none());
        shown
    });
}

/// A token that is shown while it is revoked gets in before that or not at all, and never afterwards.
///
/// Two threads, exhaustive: 11 interleavings. Caught: `check_at` that takes the token out and
/// puts it back (revoked to no effect).
#[test]
fn a_revoked_token_is_dead_when_that_is_said() {
    explore(Preemptions::Any, [(true, true), (false, true)], || {
        let tokens = Arc::new(TokenStore::with_capacity(Clock::system(), 2));
        tokens.issue_at(id(1), "many", Uses::Many, NOW, LATER).expect("there is room");
        let shown = tokens.clone();
        let show = thread::spawn(move || shown.check_at(&id(1), NOW).is_some());
        let revoked = tokens.revoke_at(&id(1), NOW);
        assert!(tokens.check_at(&id(1), NOW).is_none());
        (show.join().expect("a panic ends the model"), revoked)
    });
}

fn store(per_user: usize) -> Arc<MemoryStore> {
    let limits = SessionLimits { idle: millis(100), absolute: millis(1000), per_user, capacity: 4 };
    Arc::new(MemoryStore::new(limits))
}

fn record(user: Option<&str>) -> Record {
    Record { user: user.map(Into::into), data: Arc::default(), ends: at_millis(1000) }
}

fn is_live(store: &MemoryStore, number: u8) -> bool {
    store.load(&id(number), NOW).is_some()
}

/// Two threads renew the session of `user` at once, for Ada: which of them won.
fn two_renewals(user: Option<&str>) -> [bool; 2] {
    let store = store(4);
    store.insert(id(0), record(user), NOW).expect("there is room");
    let renew = |new| {
        let store = store.clone();
        thread::spawn(move || {
            let won = store.renew(&id(0), id(new), record(Some("ada")), NOW) == Ok(());
            assert!(!is_live(&store, 0), "the old id outlives its renewal");
            won
        })
    };
    let won = [renew(1), renew(2)].map(|it| it.join().expect("a panic ends the model"));
    assert_eq!([is_live(&store, 1), is_live(&store, 2)], won);
    won
}

/// Of two requests that renew the same session at once, one wins; the old id is dead as soon as either has returned, and
/// of the new ones just the winner's is alive.
///
/// Two threads, exhaustive: 141 interleavings. Caught: `renew` that looks at the session under one lock, takes it out under
/// the next, and does not ask whether its user's list still had it (both win).
#[test]
fn of_two_renewals_one_wins() {
    explore(Preemptions::Any, [[true, false], [false, true]], || two_renewals(Some("ada")));
}

/// The same for an anonymous session, which is on nobody's list, and two logins.
///
/// Two threads, exhaustive: 141 interleavings. Caught: `renew` that looks at the session under one lock and takes it
/// out under the next (both win).
#[test]
fn of_two_logins_one_takes_the_session_over() {
    explore(Preemptions::Any, [[true, false], [false, true]], || two_renewals(None));
}

/// Whoever looks on during a renewal sees the session under one id at most.
///
/// Two threads, exhaustive: 118 interleavings. Caught: `renew` that keeps the new session
/// before it takes the old one away.
#[test]
fn never_alive_under_two_ids() {
    explore(Preemptions::Any, [(true, false), (false, false), (false, true)], || {
        let store = store(4);
        store.insert(id(0), record(None), NOW).expect("there is room");
        let renewed = store.clone();
        let renewal = thread::spawn(move || renewed.renew(&id(0), id(1), record(Some("ada")), NOW));
        let new = is_live(&store, 1);
        let old = is_live(&store, 0);
        assert!(!(new && old), "alive under the new id, and the old one still is");
        assert_eq!(renewal.join().expect("a panic ends the model"), Ok(()));
        (old, new)
    });
}

/// Logged out everywhere, while one of the sessions is being renewed: nobody is logged in afterwards.
///
/// Two threads, exhaustive: 100 interleavings. Caught: `renew` that does not ask whether the
/// list still had the old id, and one that strikes the old id off and enters the new one in two steps (somebody stays).
#[test]
fn no_renewal_escapes_a_logout_everywhere() {
    explore(Preemptions::Any, [true, false], || {
        let store = store(4);
        store.insert(id(0), record(Some("ada")), NOW).expect("there is room");
        let renewed = store.clone();
        let renewal = thread::spawn(move || renewed.renew(&id(0), id(1), record(Some("ada")), NOW).is_ok());
        store.remove_user("ada", NOW);
        let renewed = renewal.join().expect("a panic ends the model");
        assert!(!is_live(&store, 0) && !is_live(&store, 1), "somebody stayed");
        renewed
    });
}

/// A user who may have one session logs in while that one is being renewed: it makes way, under whichever id.
///
/// Two threads, exhaustive: 69 interleavings. Caught: the same two (both sessions live; the
/// newcomer makes way for the older one).
#[test]
fn no_renewal_escapes_the_cap() {
    explore(Preemptions::Any, [true, false], || {
        let store = store(1);
        store.insert(id(0), record(Some("ada")), NOW).expect("there is room");
        let renewed = store.clone();
        let renewal = thread::spawn(move || renewed.renew(&id(0), id(1), record(Some("ada")), NOW).is_ok());
        store.insert(id(2), record(Some("ada")), NOW).expect("there is room");
        let renewed = renewal.join().expect("a panic ends the model");
        assert_eq!([0, 1, 2].map(|number| is_live(&store, number)), [false, false, true]);
        renewed
    });
}
