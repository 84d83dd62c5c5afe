//! What is counted: [`Budget`] and [`Tally`].

use super::{Inside, Preemptions, explore};
use loom::thread;
use selvedge::threads::{Budget, Tally};
use std::sync::Arc;

/// Two threads draw seven and five of ten bytes: a draw takes all it asks for or nothing, never more are out than
/// there are, and all is given back.
///
/// Two threads, exhaustive: 44 interleavings. Caught: `draw` that loads and then stores (overdrawn); a drop that
/// gives nothing back.
#[test]
fn a_budget_is_never_overdrawn() {
    explore(Preemptions::Any, [[true, false], [false, true], [true, true]], || {
        let budget = Budget::new(10);
        let inside = Arc::new(Inside::default());
        let draw = |bytes| {
            let (budget, inside) = (budget.clone(), inside.clone());
            move || {
                let mut share = budget.share();
                let drawn = share.draw(bytes);
                if drawn {
                    inside.enter(bytes);
                    assert!(budget.left() <= 10 - bytes);
                    inside.leave(bytes);
                }
                drawn
            }
        };
        let other = thread::spawn(draw(7));
        let five = draw(5)();
        let seven = other.join().expect("a panic ends the model");
        assert!(inside.most() <= 7);
        assert_eq!(budget.left(), 10);
        [seven, five]
    });
}

/// Three threads mark two keys with a cap of one: no key ever has more, and a key nobody holds is forgotten.
///
/// Three threads, exhaustive: 2,958 interleavings. Caught: `mark` that looks under one lock and counts under the
/// next (two marks); a drop that leaves the key behind with none.
#[test]
fn a_tally_keeps_its_cap_and_forgets() {
    explore(Preemptions::Any, [[true, false], [false, true], [true, true]], || {
        let tally = Arc::new(Tally::new(Some(1)));
        let inside = Arc::new(Inside::default());
        let mark = |key| {
            let (tally, inside) = (tally.clone(), inside.clone());
            move || {
                let mark = tally.mark(key);
                let alone = key == 2;
                if mark.is_some() && !alone {
                    inside.enter(1);
                    assert_eq!(tally.count(&key), 1);
                    inside.leave(1);
                }
                mark.is_some()
            }
        };
        let others = [thread::spawn(mark(1)), thread::spawn(mark(1))];
        assert!(mark(2)(), "another key has its own count");
        let marked = others.map(|other| other.join().expect("a panic ends the model"));
        assert_eq!(inside.most(), 1);
        assert_eq!(tally.keys(), 0);
        marked
    });
}
