//! Whether a server wants more requests, and whether those that count together do.

use crate::sync::{Arc, AtomicBool, Mutex, Ordering};

/// One server's part in it: flags that are ordered with nothing but the one that begins the end.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Set once, when a shutdown begins.
    draining: AtomicBool,
    /// Written by the watchdog when the number of stuck handlers changes.
    overwhelmed: AtomicBool,
    /// Set by the thread that watches memory, read by whoever admits.
    refusing: AtomicBool,
}

/// Those of all servers that count together and have not begun to end, or of the last that did.
#[derive(Debug, Default)]
pub(super) struct Standings(Mutex<Vec<Arc<Standing>>>);

impl Standing {
    /// Begins the end; false if somebody else has begun it.
    pub(crate) fn drain(&self) -> bool {
        !self.draining.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether too many handlers are stuck.
    pub(crate) fn is_overwhelmed(&self) -> bool {
        self.overwhelmed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_overwhelmed(&self, overwhelmed: bool) {
        self.overwhelmed.store(overwhelmed, Ordering::Relaxed);
    }

    /// Whether new connections are refused for lack of memory.
    pub(crate) fn is_refusing(&self) -> bool {
        self.refusing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_refusing(&self, refusing: bool) {
        self.refusing.store(refusing, Ordering::Relaxed);
    }
}

impl Standings {
    pub(super) fn add(&self, standing: Arc<Standing>) {
        let mut all = self.0.lock();
        all.retain(|other| !other.is_draining());
        all.push(standing);
    }

    /// Whether all that serve want more. One that ends does not count as long as another serves.
    pub(super) fn are_well(&self) -> bool {
        let all = self.0.lock();
        let mut serving = all.iter().filter(|one| !one.is_draining()).peekable();
        let some = serving.peek().is_some();
        (some || all.is_empty()) && serving.all(|one| !one.is_overwhelmed() && !one.is_refusing())
    }
}
