//! The latch at the end of a server: [`Latch`].

use super::{Preemptions, explore};
use loom::thread;
use selvedge::threads::Latch;

/// Two who wait until nobody is here any more both hear of it, whoever of two goes last, and not before. Nobody has a deadline, so
/// one who is not woken stays for ever.
///
/// Four threads, at most two preemptions: 1,693 interleavings. Caught: a drop without its `notify_all`, one that wakes one of the
/// two, and one that wakes them while somebody is still here (deadlock).
#[test]
fn all_who_wait_hear_of_the_end() {
    explore(Preemptions::AtMost(2), [[0, 0]], || {
        let latch = Latch::new();
        let holds = [latch.hold(), latch.hold()];
        let waiter = thread::spawn({
            let latch = latch.clone();
            move || {
                assert!(latch.wait_until_open(None));
                latch.holds()
            }
        });
        let leaving = holds.map(|hold| thread::spawn(move || drop(hold)));
        assert!(latch.wait_until_open(None));
        let left = [latch.holds(), waiter.join().expect("a panic ends the model")];
        leaving.into_iter().for_each(|thread| thread.join().expect("a panic ends the model"));
        left
    });
}
