//! What the models for loom and those for shuttle have in common, over whichever of the two is called `checker`.

use super::checker::sync::{Condvar, Mutex};
use selvedge::clock::Tick;
use std::time::{Duration, Instant};

/// A deadline that passes while its owner waits for it, at whatever moment the checker likes.
pub fn at_any_moment() -> Instant {
    Instant::now()
}

pub const fn at_millis(millis: u64) -> Tick {
    Tick::from_micros(millis * 1000)
}

pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Something that is awaited: opened once, for good.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn open(&self) {
        *self.open.lock().expect("never held over a panic") = true;
        self.opened.notify_all();
    }

    pub fn wait(&self) {
        let mut open = self.open.lock().expect("never held over a panic");
        while !*open {
            open = self.opened.wait(open).expect("never held over a panic");
        }
    }
}
