//! The semaphore: [`Semaphore`].

use super::{Inside, Notes, at_any_moment, explore, join};
use selvedge::threads::{Overflow, Semaphore};
use shuttle::thread;
use std::sync::Arc;

/// What must be left of a semaphore when everybody is gone.
fn assert_at_rest(semaphore: &Semaphore) {
    assert_eq!((semaphore.in_use(), semaphore.waiting()), (0, 0));
}

/// Six wait for the one permit, having come one after the other, and three of them only until some moment: who gets it
/// gets it in the order in which they came, who waits without a deadline does get it, and it is not lost.
///
/// Seven threads. Caught: `release` that takes the last of the queue (out of order), or puts the permit back as well
/// (below zero); a time-out that wins over the hand-over, or leaves its waiter in the queue (deadlock).
#[test]
fn who_came_first_is_first() {
    const WAITERS: usize = 6;
    let races = ["a hasty one was in", "none was"];
    explore(races, || {
        let semaphore = Arc::new(Semaphore::new(1, WAITERS));
        let served = Arc::new(Notes::default());
        let gone = Arc::new(Notes::default());
        let held = semaphore.try_acquire().expect("it is free");
        let waiters: Vec<_> = (0..WAITERS)
            .map(|number| {
                let (queue, served, given_up) = (semaphore.clone(), served.clone(), gone.clone());
                let waiter = thread::spawn(move || {
                    let hasty = number % 2 == 0;
                    match queue.acquire(hasty.then(at_any_moment)) {
                        Ok(_permit) => served.add(number),
                        Err(overflow) => {
                            assert!(hasty && overflow == Overflow::TimedOut);
                            given_up.add(number);
                        }
                    }
                });
                // The next one comes when this one stands in the queue, or has left it.
                while semaphore.waiting() + gone.all().len() <= number {
                    thread::yield_now();
                }
                waiter
            })
            .collect();
        drop(held);
        join(waiters);
        assert_at_rest(&semaphore);
        let (served, gone) = (served.all(), gone.all());
        assert!(served.is_sorted(), "{served:?}");
        assert_eq!(served.len() + gone.len(), WAITERS);
        let hasty = served.iter().any(|number| number % 2 == 0);
        [hasty, !hasty]
    });
}

/// Nine come for three permits and a queue of three: some wait for ever, some until some moment, some not at all. Never
/// more than three are in or wait, whoever is refused was refused for what he asked, and all permits come back.
///
/// Ten threads. Caught: `>` for `>=` in `acquire`'s look at the queue (four wait); a time-out that wins over the
/// hand-over, or leaves its waiter in the queue, and `release` that puts the permit back as well (not at rest).
#[test]
fn no_permit_is_lost_in_a_crowd() {
    let races = ["everybody was in", "somebody did not wait", "the queue was full", "the time was up"];
    explore(races, || {
        let semaphore = Arc::new(Semaphore::new(3, 3));
        let inside = Arc::new(Inside::default());
        let visitors: Vec<_> = (0..9)
            .map(|number| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                thread::spawn(move || {
                    let permit = match number % 3 {
                        0 => semaphore.try_acquire().ok_or(None),
                        1 => semaphore.acquire(Some(at_any_moment())).map_err(Some),
                        _ => semaphore.acquire(None).map_err(Some),
                    };
                    assert!(semaphore.waiting() <= 3);
                    let refused = permit.map(|_permit| inside.visit()).err();
                    assert!(number % 3 != 2 || refused != Some(Some(Overflow::TimedOut)));
                    refused
                })
            })
            .collect();
        let refused: Vec<_> = join(visitors).into_iter().flatten().collect();
        assert_at_rest(&semaphore);
        assert!(inside.most() <= 3);
        let were = |why| refused.contains(&why);
        let (full, late) = (Some(Overflow::QueueFull), Some(Overflow::TimedOut));
        [refused.is_empty(), were(None), were(full), were(late)]
    });
}
