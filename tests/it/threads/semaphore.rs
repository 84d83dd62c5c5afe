//! The semaphore.

use super::{patience, until};
use selvedge::threads::{Overflow, Semaphore};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

#[test]
fn lets_waiters_in_as_they_came() {
    let semaphore = Arc::new(Semaphore::new(1, 8));
    let held = semaphore.try_acquire().expect("all are free");
    let (enters, entered) = channel();
    let waiters: Vec<_> = (0..8)
        .map(|number| {
            let (waiter, enters) = (semaphore.clone(), enters.clone());
            let waiter = thread::spawn(move || {
                let _permit = waiter.acquire(Some(patience())).expect("there is room");
                enters.send(number).expect("the test listens");
            });
            until("in the queue", || semaphore.waiting() == number + 1);
            waiter
        })
        .collect();
    assert_eq!(semaphore.acquire(None).err(), Some(Overflow::QueueFull));
    assert!(semaphore.try_acquire().is_none());
    drop(held);
    for waiter in waiters {
        waiter.join().expect("no panic");
    }
    assert_eq!(entered.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((semaphore.in_use(), semaphore.waiting()), (0, 0));
}

#[test]
fn waits_no_longer_than_the_deadline() {
    let semaphore = Arc::new(Semaphore::new(1, 1));
    let held = semaphore.try_acquire().expect("all are free");
    assert_eq!(semaphore.acquire(Some(Instant::now())).err(), Some(Overflow::TimedOut));
    assert_eq!(semaphore.waiting(), 0, "who gave up is out of the queue");
    drop(held);
    assert!(semaphore.acquire(Some(Instant::now())).is_ok(), "a free permit needs no waiting");
}

/// Who is called away in the queue leaves it, and nobody else does; so does who is called away before he comes.
#[test]
fn who_is_called_away_waits_no_longer() {
    let semaphore = Arc::new(Semaphore::new(1, 3));
    let held = semaphore.try_acquire().expect("all are free");
    let called = Arc::new(AtomicUsize::new(usize::MAX));
    let waiters: Vec<_> = (0..3)
        .map(|number| {
            let (waiter, called) = (semaphore.clone(), called.clone());
            let called_away = move || called.load(Ordering::Relaxed) == number;
            let waiter = thread::spawn(move || waiter.acquire_unless(Some(patience()), called_away).err());
            until("in the queue", || semaphore.waiting() == number + 1);
            waiter
        })
        .collect();
    called.store(1, Ordering::Relaxed);
    semaphore.stir();
    until("one has left", || semaphore.waiting() == 2);
    drop(held);
    let outcomes: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().expect("no panic")).collect();
    assert_eq!(outcomes, [None, Some(Overflow::CalledAway), None]);
    let _held = semaphore.try_acquire().expect("all are free");
    assert_eq!(semaphore.acquire_unless(None, || true).err(), Some(Overflow::CalledAway));
    assert_eq!((semaphore.in_use(), semaphore.waiting()), (1, 0));
}

#[test]
fn gets_its_permit_back_from_a_panic() {
    let semaphore = Arc::new(Semaphore::new(1, 0));
    let holder = {
        let semaphore = semaphore.clone();
        thread::spawn(move || {
            let _permit = semaphore.try_acquire().expect("all are free");
            std::panic::resume_unwind(Box::new("the holder"));
        })
    };
    assert!(holder.join().is_err());
    assert!(semaphore.try_acquire().is_some());
}
