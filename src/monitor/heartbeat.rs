//! Signs of life of the threads a server cannot do without.
//!
//! A thread that is well either works, and says so again and again, or waits for something that may never come. One that
//! has died or hangs in its work does neither, and that is seen by how long ago it was last heard of.

use crate::clock::Tick;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering};
use std::time::Duration;

/// When the threads of one kind were last heard of.
///
/// ```
/// use selvedge::clock::Tick;
/// use selvedge::monitor::Heartbeat;
/// use std::time::Duration;
///
/// let at = |seconds: u64| Tick::from_micros(seconds * 1_000_000);
/// let heart = Heartbeat::default();
/// let (one, other) = (heart.join(at(0)), heart.join(at(0)));
/// one.rest();
/// other.beat(at(2));
/// assert_eq!(heart.since_last(at(5)), Duration::from_secs(3), "the one that is worst off counts");
/// other.rest();
/// assert_eq!(heart.since_last(at(9)), Duration::ZERO, "who waits is well");
/// one.beat(at(9));
/// drop(one);
/// assert_eq!(heart.since_last(at(99)), Duration::from_secs(90), "who has died in its work is not forgotten");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Arc<Mutex<Vec<Arc<AtomicU64>>>>);

/// One thread's part in a [`Heartbeat`].
#[derive(Debug)]
pub struct Pulse(
    /// Microseconds of its last beat, or [`RESTING`]. Written by its thread, and ordered with nothing.
    Arc<AtomicU64>,
);

const RESTING: u64 = u64::MAX;

impl Heartbeat {
    /// One more thread, which beats for the first time now.
    pub fn join(&self, now: Tick) -> Pulse {
        let pulse = Arc::new(AtomicU64::new(now.as_micros()));
        let mut pulses = self.0.lock();
        // Who has ended in its work is not forgotten, and who has ended as it should is.
        pulses.retain(|other| Arc::strong_count(other) > 1 || other.load(Ordering::Relaxed) != RESTING);
        pulses.push(pulse.clone());
        Pulse(pulse)
    }

    /// How long ago the thread was last heard of that has been silent for longest; zero if all wait, or there are none.
    pub fn since_last(&self, now: Tick) -> Duration {
        let pulses = self.0.lock();
        let beats = pulses.iter().map(|pulse| pulse.load(Ordering::Relaxed)).filter(|beat| *beat != RESTING);
        beats.map(|beat| now.since(Tick::from_micros(beat))).max().unwrap_or_default()
    }
}

impl Pulse {
    /// The thread works.
    pub fn beat(&self, now: Tick) {
        self.0.store(now.as_micros(), Ordering::Relaxed);
    }

    /// From here until its next beat the thread waits for what may never come, or has ended as it should.
    pub fn rest(&self) {
        self.0.store(RESTING, Ordering::Relaxed);
    }
}
