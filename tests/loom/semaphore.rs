//! The semaphore: [`Semaphore`].

use super::{Inside, Preemptions, at_any_moment, explore};
use loom::thread;
use selvedge::threads::{Overflow, Semaphore};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What must be left of a semaphore when everybody is gone.
fn assert_at_rest(semaphore: &Semaphore) {
    assert_eq!((semaphore.in_use(), semaphore.waiting()), (0, 0));
}

/// How many were inside at most while three took a permit each and waited for it as long as it took.
fn crowd(permits: usize) -> usize {
    let semaphore = Arc::new(Semaphore::new(permits, 3));
    let inside = Arc::new(Inside::default());
    let visit = || {
        let (semaphore, inside) = (semaphore.clone(), inside.clone());
        move || {
            let permit = semaphore.acquire(None).expect("the queue has room, and there is no deadline");
            inside.enter(1);
            thread::yield_now();
            inside.leave(1);
            drop(permit);
        }
    };
    let others = [thread::spawn(visit()), thread::spawn(visit())];
    visit()();
    for other in others {
        other.join().expect("a panic ends the model");
    }
    assert_at_rest(&semaphore);
    inside.most()
}

/// One permit: one at a time, everybody who waits gets in, nothing is left over.
///
/// Three threads, exhaustive: 1,074 interleavings. Caught: `release` without its `notify_one` (deadlock); `release`
/// that hands the permit over and puts it back as well (below zero at rest); `acquire` that looks for a free permit
/// under one lock and takes it under the next (deadlock).
#[test]
fn one_permit_lets_one_in_at_once_and_everybody_in_time() {
    explore(Preemptions::Any, [1], || crowd(1));
}

/// The same with two permits: two at a time.
///
/// Three threads, exhaustive: 5,481 interleavings. Caught: `State::take` that does not count down (below zero at
/// rest), and the three above.
#[test]
fn two_permits_let_two_in_at_once_and_everybody_in_time() {
    explore(Preemptions::Any, [1, 2], || crowd(2));
}

/// A newcomer who found somebody in the queue comes after him, however he asks.
///
/// Three threads, exhaustive: 1,020 interleavings. Caught: `release` that puts the permit back and wakes the first
/// to take it, if it is still there ("overtook"); `release` that pops the last of the queue ("overtook in the
/// queue").
#[test]
fn a_newcomer_never_overtakes_who_waits() {
    explore(Preemptions::Any, [(false, false), (false, true), (true, false), (true, true)], || {
        let semaphore = Arc::new(Semaphore::new(1, 2));
        let held = semaphore.try_acquire().expect("all are free");
        let first_was_in = Arc::new(AtomicBool::new(false));
        let first = {
            let (semaphore, was_in) = (semaphore.clone(), first_was_in.clone());
            thread::spawn(move || {
                let _permit = semaphore.acquire(None).expect("there is room");
                was_in.store(true, Ordering::Relaxed);
            })
        };
        let newcomer = {
            let (semaphore, first_was_in) = (semaphore.clone(), first_was_in.clone());
            thread::spawn(move || {
                let comes_after = semaphore.waiting() > 0;
                let at_once = semaphore.try_acquire();
                let got_it = at_once.is_some();
                assert!(!got_it || !comes_after || first_was_in.load(Ordering::Relaxed), "overtook");
                drop(at_once);
                drop(semaphore.acquire(None).expect("there is room"));
                assert!(!comes_after || first_was_in.load(Ordering::Relaxed), "overtook in the queue");
                (comes_after, got_it)
            })
        };
        drop(held);
        first.join().expect("a panic ends the model");
        let outcome = newcomer.join().expect("a panic ends the model");
        assert_at_rest(&semaphore);
        outcome
    });
}

/// Whose time is up gets out of the queue, unless the permit has been handed to him by then.
///
/// Two threads, exhaustive: 5 interleavings. Caught: a `yield_now` in the timed wait of loom's façade ("`TimedOut`
/// never came up": the wait could only end after the hand-over).
#[test]
fn a_wait_ends_before_or_after_the_hand_over() {
    explore(Preemptions::Any, [None, Some(Overflow::TimedOut)], || {
        let semaphore = Arc::new(Semaphore::new(1, 1));
        let held = semaphore.try_acquire().expect("all are free");
        let hasty = {
            let semaphore = semaphore.clone();
            thread::spawn(move || semaphore.acquire(Some(at_any_moment())).err())
        };
        drop(held);
        let outcome = hasty.join().expect("a panic ends the model");
        assert_at_rest(&semaphore);
        outcome
    });
}

/// A permit that is handed to somebody in the moment his time is up is his or the next one's, never nobody's and
/// never both's.
///
/// Three threads, exhaustive: 291 interleavings. Caught, in `acquire`: a time-out that wins over the hand-over, and
/// one that leaves its waiter in the queue (a permit in use at rest); one that takes a permit nobody has given
/// (below zero at rest).
#[test]
fn a_time_out_beside_a_hand_over_keeps_the_permit_whole() {
    explore(Preemptions::Any, [None, Some(Overflow::TimedOut)], || {
        let semaphore = Arc::new(Semaphore::new(1, 2));
        let inside = Arc::new(Inside::default());
        let held = semaphore.try_acquire().expect("all are free");
        let hasty = {
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            thread::spawn(move || {
                let permit = semaphore.acquire(Some(at_any_moment()));
                permit.map(|_permit| {
                    inside.enter(1);
                    thread::yield_now();
                    inside.leave(1);
                })
            })
        };
        let patient = {
            let (semaphore, inside) = (semaphore.clone(), inside.clone());
            thread::spawn(move || {
                let _permit = semaphore.acquire(None).expect("there is room");
                inside.enter(1);
                thread::yield_now();
                inside.leave(1);
            })
        };
        drop(held);
        let outcome = hasty.join().expect("a panic ends the model").err();
        patient.join().expect("a panic ends the model");
        assert_at_rest(&semaphore);
        assert_eq!(inside.most(), 1);
        outcome
    });
}

/// Who is called away hears of it, wherever in his waiting he is, and a permit that is handed to him in that moment is his.
///
/// Two threads, exhaustive: 28 interleavings. Caught: `acquire_unless` that asks only when it has been woken (deadlock), or that
/// leaves its waiter in the queue.
#[test]
fn a_call_is_heard_at_any_moment() {
    explore(Preemptions::Any, [(false, Some(Overflow::CalledAway)), (true, None)], || {
        let semaphore = Arc::new(Semaphore::new(1, 1));
        let held = semaphore.try_acquire().expect("all are free");
        let called = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let waiter = {
            let (semaphore, called) = (semaphore.clone(), called.clone());
            thread::spawn(move || semaphore.acquire_unless(None, || called.load(Ordering::Acquire)).err())
        };
        let given_back = semaphore.waiting() == 1;
        if given_back {
            drop(held);
        }
        called.store(true, Ordering::Release);
        semaphore.stir();
        let outcome = waiter.join().expect("a panic ends the model");
        assert_eq!(semaphore.waiting(), 0);
        (given_back, outcome)
    });
}

/// The queue is never longer than it may be.
///
/// Three threads, exhaustive: 759 interleavings. Caught: `>` for `>=` in `acquire`'s look at the queue (two wait).
#[test]
fn the_queue_keeps_its_bound() {
    explore(Preemptions::Any, [0, 1], || {
        let semaphore = Arc::new(Semaphore::new(1, 1));
        let held = semaphore.try_acquire().expect("all are free");
        let visit = || {
            let semaphore = semaphore.clone();
            thread::spawn(move || match semaphore.acquire(None) {
                Ok(_permit) => 0,
                Err(overflow) => {
                    assert_eq!(overflow, Overflow::QueueFull);
                    1
                }
            })
        };
        let visits = [visit(), visit()];
        assert!(semaphore.waiting() <= 1);
        drop(held);
        let refused = visits.map(|visit| visit.join().expect("a panic ends the model")).iter().sum();
        assert_at_rest(&semaphore);
        refused
    });
}
