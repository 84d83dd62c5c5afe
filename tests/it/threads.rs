//! What `selvedge::threads` does on real threads. No test sleeps to see something happen: threads meet at channels and
//! barriers, and time is a number that is handed in. What can only be seen by trying every order is in `tests/loom`.

mod board;
mod counts;
mod lobby;
mod pool;
mod semaphore;
mod spool;
mod table;

use selvedge::clock::Tick;
use std::thread;
use std::time::{Duration, Instant};

const fn at(millis: u64) -> Tick {
    Tick::from_micros(millis * 1000)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Far longer than anything here takes: only a test that fails waits for it.
fn patience() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Gives way to the other threads until `done`, for what is not told to anybody.
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = patience();
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}
