//! Counts of what happens, for the health page and the record.

use super::heartbeat::Heartbeat;
use super::resources::Usage;
use crate::clock::{Clock, Tick};
use crate::error::CloseReason;
use crate::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What the server counts and tells about itself. Cloned to whoever wants to read it.
#[derive(Clone, Debug)]
pub struct Monitor {
    started: Tick,
    clock: Clock,
    state: Arc<State>,
    /// The threads that accept connections, one for each listener.
    pub acceptor: Heartbeat,
    /// The thread that ends what overstays.
    pub watchdog: Heartbeat,
}

/// Plain counts and flags: each is written with one atomic operation and ordered with nothing else.
#[derive(Debug, Default)]
struct State {
    /// Connections that have a seat. Written when one sits down or leaves.
    active: AtomicUsize,
    /// Set once, when a shutdown begins.
    draining: AtomicBool,
    /// Written by the watchdog when the number of stuck handlers changes.
    overwhelmed: AtomicBool,
    /// Written by the acceptor.
    accepted: AtomicU64,
    /// Written by the acceptor.
    accept_errors: AtomicU64,
    /// Written by workers, once a request.
    requests: AtomicU64,
    /// Written by whoever answers with an error of the server's own.
    refused: AtomicU64,
    /// Written by workers.
    panics: AtomicU64,
    /// Written by workers whose seat was taken back.
    evicted: AtomicU64,
    /// TLS connections that were reset because there was no time to tell them why.
    resets: AtomicU64,
    /// Set by the thread that watches memory, read by the acceptor.
    refusing: AtomicBool,
    /// What the process has, written by the thread that samples it; zero before the first sample.
    memory: AtomicU64,
    descriptors: AtomicU64,
    threads: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that have a seat.
    pub active_connections: usize,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Times that accepting failed.
    pub accept_errors: u64,
    /// Requests answered.
    pub requests: u64,
    /// Requests and connections refused by the server itself: limits, framing, overload.
    pub refused: u64,
    /// Handlers that panicked.
    pub panics: u64,
    /// Connections whose seat was taken back.
    pub evicted: u64,
    /// Connections over TLS that were refused with a reset: too many were being told why at once.
    pub resets: u64,
}

/// One active connection, counted for as long as this lives.
#[derive(Debug)]
pub struct Presence(Arc<State>);

impl Monitor {
    /// A monitor whose uptime begins now.
    pub fn new(clock: Clock) -> Self {
        Monitor {
            started: clock.now(),
            clock,
            state: Arc::default(),
            acceptor: Heartbeat::default(),
            watchdog: Heartbeat::default(),
        }
    }

    /// This moment on its clock, which the heartbeats are told by.
    pub fn now(&self) -> Tick {
        self.clock.now()
    }

    /// How long the server has been running.
    pub fn uptime(&self) -> Duration {
        self.clock.now().since(self.started)
    }

    /// Whether the server wants more requests: it is not shutting down, not too many of its handlers are
    /// stuck, and there is memory for more.
    pub fn is_ready(&self) -> bool {
        let State { draining, overwhelmed, refusing, .. } = &*self.state;
        ![draining, overwhelmed, refusing].iter().any(|flag| flag.load(Ordering::Relaxed))
    }

    /// The counts now.
    pub fn counters(&self) -> Counters {
        let State { active, accepted, accept_errors, requests, refused, panics, evicted, resets, .. } =
            &*self.state;
        Counters {
            active_connections: active.load(Ordering::Relaxed),
            accepted: accepted.load(Ordering::Relaxed),
            accept_errors: accept_errors.load(Ordering::Relaxed),
            requests: requests.load(Ordering::Relaxed),
            refused: refused.load(Ordering::Relaxed),
            panics: panics.load(Ordering::Relaxed),
            evicted: evicted.load(Ordering::Relaxed),
            resets: resets.load(Ordering::Relaxed),
        }
    }

    /// What the process has, as of the last sample, which is at most a quarter of a second old while a server runs; `None`
    /// where the system does not tell.
    pub fn usage(&self) -> Option<Usage> {
        let State { memory, descriptors, threads, .. } = &*self.state;
        let [memory, descriptors, threads] =
            [memory, descriptors, threads].map(|cell| cell.load(Ordering::Relaxed));
        (memory > 0).then_some(Usage { memory, descriptors, threads })
    }

    pub(crate) fn set_usage(&self, usage: Usage) {
        let State { memory, descriptors, threads, .. } = &*self.state;
        memory.store(usage.memory, Ordering::Relaxed);
        descriptors.store(usage.descriptors, Ordering::Relaxed);
        threads.store(usage.threads, Ordering::Relaxed);
    }

    /// Whether new connections are refused for lack of memory.
    pub(crate) fn is_refusing(&self) -> bool {
        self.state.refusing.load(Ordering::Relaxed)
    }

    pub(crate) fn set_refusing(&self, refusing: bool) {
        self.state.refusing.store(refusing, Ordering::Relaxed);
    }

    pub(crate) fn arrive(&self) -> Presence {
        self.state.active.fetch_add(1, Ordering::Relaxed);
        Presence(self.state.clone())
    }

    pub(crate) fn note_accept(&self, accepted: bool) {
        let count = if accepted { &self.state.accepted } else { &self.state.accept_errors };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_answer(&self, refused: bool) {
        self.state.requests.fetch_add(1, Ordering::Relaxed);
        if refused {
            self.note_refusal();
        }
    }

    pub(crate) fn note_refusal(&self) {
        self.state.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_reset(&self) {
        self.state.resets.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_panic(&self) {
        self.state.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_close(&self, reason: CloseReason) {
        if reason == CloseReason::Evicted {
            self.state.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Begins the end; false if somebody else has begun it.
    pub(crate) fn drain(&self) -> bool {
        !self.state.draining.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.draining.load(Ordering::Acquire)
    }

    pub(crate) fn set_overwhelmed(&self, overwhelmed: bool) {
        self.state.overwhelmed.store(overwhelmed, Ordering::Relaxed);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}
