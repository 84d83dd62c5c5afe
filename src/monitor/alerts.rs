//! Alerts: what somebody should look at now, told to whoever wants to know.
//!
//! The article prints an alert from the thread that serves, for every request past the threshold: a flood of requests
//! becomes a flood of alerts. Here [`Hitters`] decides, at most once a minute for each client, method and status; the
//! thread that serves puts the alert into a bounded queue and goes on; and a thread of its own tells the log and the
//! [sinks](AlertSink), which may take their time.

use super::hitters::{HitKind, Hitters, SavedHits};
use crate::clock::{Clock, Tick};
use crate::message::ClientKey;
use crate::record::{Utc, push_json};
use crate::sync::{Arc, AtomicU64, Builder, Mutex, Ordering, Receiver, Sender, bounded};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

/// Requests of one client with one method and one status in a minute, past which there is an alert: the article's.
const PAST: u32 = 100;
/// Alerts that are remembered.
const REMEMBERED: usize = 16;
/// Alerts that wait to be told, at most.
const QUEUE: usize = 256;
/// Address space for the thread's stack; sinks run on it.
const STACK: usize = 256 << 10;

/// Something to look at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Alert {
    /// A client asks often: so many requests with this method and status in the last minute.
    Frequent {
        /// When it was noticed.
        at: SystemTime,
        /// Who, with what.
        kind: HitKind,
        /// How many requests in the last minute.
        count: u32,
    },
    /// The process has more memory than it may.
    Memory {
        /// When it was noticed.
        at: SystemTime,
        /// Bytes it has.
        bytes: u64,
        /// Bytes it may have.
        limit: u64,
    },
    /// A certificate ends soon, or could not be read again.
    Certificate {
        /// When it was noticed.
        at: SystemTime,
        /// Which, and what to do.
        problem: String,
    },
}

/// Told of alerts, one at a time, on a thread of its own.
pub trait AlertSink: Send + Sync + 'static {
    /// Takes note of an alert. While it does, others wait in a bounded queue, and what does not fit is dropped.
    fn alert(&self, alert: &Alert);
}

impl<F: Fn(&Alert) + Send + Sync + 'static> AlertSink for F {
    fn alert(&self, alert: &Alert) {
        self(alert);
    }
}

/// Notices who asks too often, and tells of alerts.
#[derive(Debug)]
pub struct Alerts {
    hitters: Hitters,
    queue: Sender<Alert>,
    clock: Clock,
    /// Alerts that found the queue full. Written by who raises one, read by the thread that tells.
    dropped: Arc<AtomicU64>,
    /// Alerts by kind, since the start.
    raised: [AtomicU64; KINDS.len()],
    /// The last ones, the latest last. Written by who raises one.
    recent: Mutex<VecDeque<Alert>>,
}

/// What alerts are called in the metrics.
const KINDS: [&str; 3] = ["frequent_requests", "memory", "certificate"];

impl Alerts {
    /// Starts the thread that tells the log and `sinks`. It ends after the last alert when this is dropped.
    pub fn start(sinks: Vec<Box<dyn AlertSink>>, clock: Clock) -> io::Result<Self> {
        Alerts::start_as("alerts".into(), sinks, clock)
    }

    /// The same, with another name for the thread.
    pub(crate) fn start_as(name: String, sinks: Vec<Box<dyn AlertSink>>, clock: Clock) -> io::Result<Self> {
        let (queue, alerts) = bounded(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = dropped.clone();
        let tell = move || tell_all(&alerts, &sinks, &count);
        Builder::new().name(name).stack_size(STACK).spawn(tell)?;
        Ok(Alerts {
            hitters: Hitters::new(PAST),
            queue,
            clock,
            dropped,
            raised: [const { AtomicU64::new(0) }; KINDS.len()],
            recent: Mutex::default(),
        })
    }

    /// Counts a request that has been answered, and raises an alert if it is one too many. Never waits.
    pub fn note(&self, kind: HitKind, now: Tick) {
        self.note_from(&mut SavedHits::default(), kind, now);
    }

    /// The same for a connection: see [`Hitters::hit_from`].
    pub fn note_from(&self, saved: &mut SavedHits, kind: HitKind, now: Tick) {
        if let Some(count) = self.hitters.hit_from(saved, kind, now) {
            self.raise(Alert::Frequent { at: self.clock.date(), kind, count });
        }
    }

    /// Counts what a connection has saved up: it ends.
    pub fn settle(&self, saved: &mut SavedHits, now: Tick) {
        self.hitters.settle(saved, now);
    }

    /// Raises an alert. Never waits.
    pub fn raise(&self, alert: Alert) {
        let number = match alert {
            Alert::Frequent { .. } => 0,
            Alert::Memory { .. } => 1,
            Alert::Certificate { .. } => 2,
        };
        self.raised[number].fetch_add(1, Ordering::Relaxed);
        let mut recent = self.recent.lock();
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(alert.clone());
        drop(recent);
        if self.queue.try_send(alert).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Alerts {
    /// The clients that asked most in the last minute, and how often: see [`Hitters::busiest`].
    pub fn busiest(&self, most: usize, now: Tick) -> Vec<(ClientKey, u32)> {
        self.hitters.busiest(most, now)
    }

    /// The last alerts, the latest last.
    pub fn recent(&self) -> Vec<Alert> {
        self.recent.lock().iter().cloned().collect()
    }

    /// How many alerts of which kind there were.
    pub fn raised(&self) -> [(&'static str, u64); KINDS.len()] {
        let mut numbers = self.raised.iter().map(|count| count.load(Ordering::Relaxed));
        KINDS.map(|kind| (kind, numbers.next().unwrap_or(0)))
    }
}

fn tell_all(alerts: &Receiver<Alert>, sinks: &[Box<dyn AlertSink>], dropped: &AtomicU64) {
    while let Ok(alert) = alerts.recv() {
        log::warn!("{alert}");
        for sink in sinks {
            // A sink is somebody else's code; it sees alerts only by reference.
            if catch_unwind(AssertUnwindSafe(|| sink.alert(&alert))).is_err() {
                log::error!("an alert sink panicked");
            }
        }
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            log::warn!("{dropped} alerts were dropped: those who are told are too slow");
        }
    }
}

impl Alert {
    /// When it was noticed.
    pub fn at(&self) -> SystemTime {
        match self {
            Alert::Frequent { at, .. } | Alert::Memory { at, .. } | Alert::Certificate { at, .. } => *at,
        }
    }

    /// The alert as one JSON object.
    pub fn to_json(&self) -> String {
        match self {
            Alert::Frequent { at, kind, count } => format!(
                "{{\"alert\":\"frequent-requests\",\"time\":\"{}\",\"client\":\"{}\",\"method\":\"{}\",\
                 \"status\":{},\"count\":{count},\"window_seconds\":60}}",
                Utc(*at),
                kind.client(),
                kind.method(),
                kind.status()
            ),
            Alert::Memory { at, bytes, limit } => format!(
                "{{\"alert\":\"memory\",\"time\":\"{}\",\"bytes\":{bytes},\"limit\":{limit}}}",
                Utc(*at)
            ),
            Alert::Certificate { at, problem } => {
                let mut json = format!("{{\"alert\":\"certificate\",\"time\":\"{}\",\"problem\":", Utc(*at))
                    .into_bytes();
                push_json(&mut json, problem.as_bytes());
                json.push(b'}');
                String::from_utf8_lossy(&json).into_owned()
            }
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alert::Frequent { kind, count, .. } => {
                let (client, method, status) = (kind.client(), kind.method(), kind.status());
                write!(f, "alert: {client} made {count} {method} requests answered {status} in a minute")
            }
            Alert::Memory { bytes, limit, .. } => {
                write!(f, "alert: {} MiB of memory, and {} MiB are permitted", bytes >> 20, limit >> 20)
            }
            Alert::Certificate { problem, .. } => write!(f, "alert: {problem}"),
        }
    }
}
