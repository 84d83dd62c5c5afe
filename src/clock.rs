//! The only place that reads a clock.
//!
//! Everything else is handed a [`Clock`] and asks it. Tests hand out a [`Clock::manual`] one and move it by hand, so
//! that no test sleeps to see a deadline pass.

use crate::sync::{Arc, AtomicU64, Ordering};
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// A moment on the monotonic clock: microseconds since its [`Clock`] was made.
///
/// A plain number, so that the board can keep moments in atomics.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(u64);

impl Tick {
    /// A moment that never comes: the deadline of what has none.
    pub const NEVER: Tick = Tick(u64::MAX);

    /// The moment `micros` microseconds after the clock was made.
    pub const fn from_micros(micros: u64) -> Self {
        Tick(micros)
    }

    /// Microseconds since the clock was made.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub const fn since(self, earlier: Tick) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment `span` earlier, or the one the clock was made at.
    #[must_use]
    pub fn before(self, span: Duration) -> Tick {
        Tick(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The moment `span` later, or [`Tick::NEVER`] if that is past the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Tick {
        Tick(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Tick::NEVER => f.write_str("never"),
            Tick(micros) => write!(f, "{micros} µs"),
        }
    }
}

/// A source of monotonic moments and of the date. Its clones are the same clock.
///
/// ```
/// use selvedge::clock::Clock;
/// use std::time::Duration;
///
/// let clock = Clock::manual();
/// let began = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().since(began), Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The machine's clock, counted from the moment the `Clock` was made.
    System(Instant),
    /// Microseconds, written by the test that holds the clock, read by everyone.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock.
    pub fn system() -> Self {
        Clock(Source::System(Instant::now()))
    }

    /// A clock that stands still until [`advance`](Clock::advance) moves it. For tests.
    pub fn manual() -> Self {
        Clock(Source::Manual(Arc::new(AtomicU64::new(0))))
    }

    /// This moment.
    pub fn now(&self) -> Tick {
        match &self.0 {
            Source::System(start) => Tick(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)),
            Source::Manual(micros) => Tick(micros.load(Ordering::Acquire)),
        }
    }

    /// The same moment as an [`Instant`], for the waits of the locks; `None` for a moment that never comes.
    ///
    /// A manual clock does not move by itself, but waits do end: they take the time that is left on it when they begin.
    pub fn instant(&self, at: Tick) -> Option<Instant> {
        match &self.0 {
            Source::System(start) => start.checked_add(Duration::from_micros(at.0)),
            Source::Manual(_) => Instant::now().checked_add(at.since(self.now())),
        }
    }

    /// The date, for the `Date` field and the log: the machine's, of a manual clock too.
    pub fn date(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Moves a manual clock on; the machine's clock moves by itself and ignores this.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Ordering::AcqRel);
        }
    }
}

/// Microseconds on the machine's monotonic clock, which counts for every process alike (`CLOCK_MONOTONIC`).
#[cfg(feature = "cli")]
pub(crate) fn machine_micros() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    // It counts from the machine's start.
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

impl Default for Clock {
    fn default() -> Self {
        Clock::system()
    }
}
