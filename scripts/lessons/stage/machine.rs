//! Threads that begin together, and what a process takes of the machine.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Runs `act` on so many threads, which begin as close together as the machine lets them.
pub fn at_once<R: Send>(threads: usize, act: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let ready = AtomicUsize::new(0);
    let run = &|number| {
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < threads {
            thread::yield_now();
        }
        act(number)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(move || run(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no lesson panics")).collect()
    })
}
