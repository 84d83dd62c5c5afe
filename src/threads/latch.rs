//! Waits until nobody is here any more.

use crate::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Counts those who are here, and lets others wait until there are none.
///
/// ```
/// use selvedge::threads::Latch;
///
/// let latch = Latch::new();
/// let hold = latch.hold();
/// assert_eq!(latch.holds(), 1);
/// std::thread::spawn(move || drop(hold));
/// assert!(latch.wait_until_open(None));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Latch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Written by all who come and go.
    holds: Mutex<usize>,
    opened: Condvar,
}

/// Keeps a [`Latch`] closed for as long as it lives.
#[derive(Debug)]
#[must_use = "a hold that is dropped at once holds nothing"]
pub struct Hold(Latch);

impl Latch {
    /// A latch nobody holds.
    pub fn new() -> Self {
        Latch::default()
    }

    /// Holds it.
    pub fn hold(&self) -> Hold {
        *self.0.holds.lock() += 1;
        Hold(self.clone())
    }

    /// How many hold it.
    pub fn holds(&self) -> usize {
        *self.0.holds.lock()
    }

    /// Waits until nobody holds it, or until `deadline`; says whether nobody does.
    pub fn wait_until_open(&self, deadline: Option<Instant>) -> bool {
        let mut holds = self.0.holds.lock();
        while *holds > 0 && !self.0.opened.wait_until(&mut holds, deadline) {}
        *holds == 0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let State { holds, opened } = &*self.0.0;
        let mut holds = holds.lock();
        *holds -= 1;
        if *holds == 0 {
            opened.notify_all();
        }
    }
}
