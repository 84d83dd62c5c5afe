//! Bearer tokens.

use super::seconds;
use selvedge::Guard;
use selvedge::clock::Clock;
use selvedge::guard::auth::{BearerAuth, TokenStore, TokensFull, Uses};
use std::sync::{Arc, Barrier};
use std::thread;

#[test]
fn live_until_they_expire_are_spent_or_revoked() {
    let clock = Clock::manual();
    let tokens = TokenStore::new(clock.clone());
    let check = |text: &str| tokens.check(text.as_bytes());
    let many = tokens.issue("many", seconds(60), Uses::Many).expect("room");
    let once = tokens.issue("once", seconds(60), Uses::Once).expect("room");
    let late = tokens.issue("late", seconds(60), Uses::Once).expect("room");
    let revoked = tokens.issue("revoked", seconds(60), Uses::Many).expect("room");

    assert_eq!(check(many.as_str()).as_deref(), Some("many"));
    assert_eq!(check(many.as_str()).as_deref(), Some("many"));
    assert_eq!(check(once.as_str()).as_deref(), Some("once"));
    assert_eq!(check(once.as_str()), None);
    assert!(!tokens.revoke(once.as_str().as_bytes()), "it is spent");
    assert!(tokens.revoke(revoked.as_str().as_bytes()));
    assert!(!tokens.revoke(revoked.as_str().as_bytes()));
    assert_eq!(check(revoked.as_str()), None);
    for wrong in ["", "x", &many.as_str()[1..], &format!("{}x", many.as_str()), &"A".repeat(43)] {
        assert_eq!(check(wrong), None, "{wrong}");
    }
    clock.advance(seconds(60));
    assert_eq!((check(many.as_str()), check(late.as_str())), (None, None));
    assert_eq!(tokens.issue(&"x".repeat(257), seconds(1), Uses::Once).err(), Some(TokensFull));
    assert!(tokens.issue(&"x".repeat(256), seconds(1), Uses::Once).is_ok());
    assert_eq!(
        (tokens.sweep(), tokens.sweep()),
        (2, 0),
        "those that are late; who tried to revoke the spent one has found it out"
    );
}

/// A guard that is told to throws away what its store holds for nobody.
#[test]
fn the_guard_sweeps_its_store() {
    let clock = Clock::manual();
    let tokens = Arc::new(TokenStore::new(clock.clone()));
    tokens.issue("ada", seconds(60), Uses::Many).expect("room");
    clock.advance(seconds(60));
    // Guards can be shared.
    Arc::new(BearerAuth::new(tokens.clone())).sweep(clock.now());
    assert_eq!(tokens.sweep(), 0, "nothing is left");
}

/// A full store refuses a new token; none that was promised goes for it.
#[test]
fn a_full_store_keeps_its_promises() {
    let clock = Clock::manual();
    let tokens = TokenStore::new(clock.clone());
    let first = tokens.issue("first", seconds(60), Uses::Many).expect("room");
    // Shards fill up unevenly, so the first refusal comes a little before the last place is taken.
    let issued = (0..70_000).take_while(|_| tokens.issue("x", seconds(60), Uses::Many).is_ok()).count();
    assert!((50_000..65_536).contains(&issued), "{issued}");
    assert!(tokens.check(first.as_str().as_bytes()).is_some());
    clock.advance(seconds(61));
    assert!(tokens.issue("next", seconds(60), Uses::Many).is_ok(), "the expired make room");
}

/// A small store has room for as many as it says, whatever they are.
#[test]
fn a_small_store_is_of_one_piece() {
    let clock = Clock::manual();
    let tokens = TokenStore::with_capacity(clock.clone(), 100);
    let issued = (0..200).take_while(|_| tokens.issue("x", seconds(60), Uses::Many).is_ok()).count();
    assert_eq!(issued, 100);
}

#[test]
fn of_many_threads_one_spends_a_token() {
    let tokens = Arc::new(TokenStore::new(Clock::manual()));
    for _ in 0..200 {
        let token = tokens.issue("once", seconds(60), Uses::Once).expect("room");
        let start = Arc::new(Barrier::new(4));
        let spenders: Vec<_> = (0..4)
            .map(|_| {
                let (tokens, token, start) = (tokens.clone(), token.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    usize::from(tokens.check(token.as_str().as_bytes()).is_some())
                })
            })
            .collect();
        let spent: usize = spenders.into_iter().map(|spender| spender.join().expect("no panic")).sum();
        assert_eq!(spent, 1);
    }
}
