//! Signs of life of the threads that everything else depends on.

use crate::clock::Tick;
use crate::sync::{AtomicU64, Ordering};
use std::time::Duration;

/// When a thread last came round its loop. A thread that waits for something that may never come, as the acceptor does for
/// the next connection, rests meanwhile: nothing is expected of it.
#[derive(Debug, Default)]
pub struct Heartbeat {
    /// The moment of the last beat in microseconds; [`RESTING`] while the thread waits, zero before the first.
    last: AtomicU64,
}

const RESTING: u64 = u64::MAX;

impl Heartbeat {
    /// The thread is alive, and goes on.
    pub fn beat(&self, now: Tick) {
        self.last.store(now.as_micros().clamp(1, RESTING - 1), Ordering::Relaxed);
    }

    /// The thread waits, for as long as it takes.
    pub fn rest(&self) {
        self.last.store(RESTING, Ordering::Relaxed);
    }

    /// How long ago the last beat was; zero while the thread rests, `None` before its first.
    pub fn since_last(&self, now: Tick) -> Option<Duration> {
        match self.last.load(Ordering::Relaxed) {
            0 => None,
            RESTING => Some(Duration::ZERO),
            last => Some(now.since(Tick::from_micros(last))),
        }
    }
}
