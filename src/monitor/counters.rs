//! Counts of what happens, for the health page and the record.

use super::handshakes::{Agreed, Handshakes};
use super::heartbeat::Heartbeat;
use super::incidents::{Incident, Incidents};
use super::metrics::{Common, SeatCounts, Totals, sum};
use super::resources::Usage;
use super::standing::{Standing, Standings};
use crate::clock::{Clock, Tick};
use crate::error::{CloseReason, Refusal};
use crate::message::ClientKey;
use crate::sync::{Arc, AtomicU64, AtomicUsize, Mutex, Ordering};
use std::time::{Duration, SystemTime};

/// What the server counts and tells about itself. Cloned to whoever wants to read it. Any number of servers can count here,
/// one after the other or at once: of those that are over the counts stay, and their memory does not.
///
/// ```
/// use selvedge::clock::Clock;
/// use selvedge::monitor::Monitor;
/// use selvedge::service::{Health, Ready};
/// use selvedge::{Router, Server};
///
/// let monitor = Monitor::new(Clock::system());
/// let router = Router::new().get("/healthz", Health(monitor.clone())).get("/readyz", Ready(monitor.clone()));
/// let server = Server::builder().monitor(monitor.clone()).serve(router)?;
/// assert!(monitor.is_ready());
/// drop(server);
/// assert!(!monitor.is_ready());
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Monitor {
    started: Tick,
    started_at: SystemTime,
    clock: Clock,
    state: Arc<State>,
    /// The threads that accept connections, one for each listener.
    pub acceptor: Heartbeat,
    /// The thread that ends what overstays.
    pub watchdog: Heartbeat,
}

/// Plain counts and flags: each is written with one atomic operation and ordered with nothing else. What is counted for
/// every request is not here but with its seat: see [`metrics`](super::metrics).
#[derive(Debug)]
struct State {
    /// Connections that have a seat. Written when one sits down or leaves.
    active: AtomicUsize,
    /// Written by the acceptor.
    accepted: AtomicU64,
    /// Written by the acceptor.
    accept_errors: AtomicU64,
    /// Written by workers.
    panics: AtomicU64,
    /// Handlers that were found stuck. Written by the watchdog.
    stuck: AtomicU64,
    /// TLS connections that were reset because there was no time to tell them why.
    resets: AtomicU64,
    /// What the process has, written by the thread that samples it; zero before the first sample.
    memory: AtomicU64,
    descriptors: AtomicU64,
    threads: AtomicU64,
    /// The memory the process may have, written once by that thread; zero if there is no limit.
    memory_limit: AtomicU64,
    /// What is counted without a seat.
    common: Arc<Common>,
    /// Those of every server that counts here. Written when one starts, which hands those of servers that are over to the
    /// common ones.
    servers: Mutex<Vec<Arc<SeatCounts>>>,
    standings: Standings,
    incidents: Incidents,
    handshakes: Handshakes,
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
        let state = State {
            active: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            accept_errors: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            resets: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            descriptors: AtomicU64::new(0),
            threads: AtomicU64::new(0),
            memory_limit: AtomicU64::new(0),
            common: Arc::new(Common::new()),
            servers: Mutex::new(Vec::new()),
            standings: Standings::default(),
            incidents: Incidents::default(),
            handshakes: Handshakes::default(),
        };
        Monitor {
            started: clock.now(),
            started_at: clock.date(),
            clock,
            state: Arc::new(state),
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

    /// When it began to run.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// Whether the server wants more requests: it is not shutting down, not too many of its handlers are
    /// stuck, and there is memory for more. Of several servers that count here, whether all do that are not shutting down,
    /// as long as there is one.
    pub fn is_ready(&self) -> bool {
        self.state.standings.are_well()
    }

    /// The counts now.
    pub fn counters(&self) -> Counters {
        let totals = self.totals();
        let State { active, accepted, accept_errors, panics, resets, .. } = &*self.state;
        Counters {
            active_connections: active.load(Ordering::Relaxed),
            accepted: accepted.load(Ordering::Relaxed),
            accept_errors: accept_errors.load(Ordering::Relaxed),
            requests: totals.requests(),
            refused: totals.refused(),
            panics: panics.load(Ordering::Relaxed),
            evicted: totals.closed("evicted"),
            resets: resets.load(Ordering::Relaxed),
        }
    }

    /// The same in detail, of all servers that count here. To sum it up takes some microseconds for a thousand seats.
    pub fn totals(&self) -> Totals {
        // No lock is held while thousands of counters are read.
        let servers = self.state.servers.lock().clone();
        sum(&self.state.common, &servers)
    }

    /// Connections that have a seat.
    pub fn active_connections(&self) -> usize {
        self.state.active.load(Ordering::Relaxed)
    }

    /// Handlers that were found to run for longer than they may, since the start.
    pub fn stuck_handlers(&self) -> u64 {
        self.state.stuck.load(Ordering::Relaxed)
    }

    /// TLS handshakes that were completed, by what was agreed.
    pub fn handshakes(&self) -> Vec<(Agreed, u64)> {
        self.state.handshakes.completed()
    }

    /// TLS handshakes that failed, by reason.
    pub fn failed_handshakes(&self) -> Vec<(&'static str, u64)> {
        self.state.handshakes.failed()
    }

    /// The counters for a server's seats.
    pub(crate) fn add_seats(&self, seats: usize) -> Arc<SeatCounts> {
        let counts = Arc::new(SeatCounts::new(seats, self.state.common.clone()));
        let mut servers = self.state.servers.lock();
        servers.retain_mut(|server| !SeatCounts::retire(server));
        servers.push(counts.clone());
        counts
    }

    /// From now on it counts whether this server wants more.
    pub(crate) fn add_standing(&self, standing: &Arc<Standing>) {
        self.state.standings.add(standing.clone());
    }

    /// What befell connections since this was last asked.
    pub(crate) fn take_incidents(&self) -> Vec<Incident> {
        self.state.incidents.take()
    }

    /// Bytes of memory the process may have.
    pub fn memory_limit(&self) -> Option<u64> {
        Some(self.state.memory_limit.load(Ordering::Relaxed)).filter(|limit| *limit > 0)
    }

    pub(crate) fn set_memory_limit(&self, limit: Option<u64>) {
        self.state.memory_limit.store(limit.unwrap_or(0), Ordering::Relaxed);
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

    pub(crate) fn arrive(&self) -> Presence {
        self.state.active.fetch_add(1, Ordering::Relaxed);
        Presence(self.state.clone())
    }

    pub(crate) fn note_accept(&self, accepted: bool) {
        let count = if accepted { &self.state.accepted } else { &self.state.accept_errors };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was refused before it had a seat, with an answer of so many bytes.
    pub(crate) fn note_refusal(&self, refusal: Refusal, client: ClientKey, bytes: usize) {
        let common = &self.state.common;
        common.count(common.reasons.key(refusal.reason));
        common.note_sent(bytes);
        self.state.incidents.note(refusal.reason, client);
    }

    /// A connection has its seat, and a thread.
    pub(crate) fn note_seat_wait(&self, span: Duration) {
        self.state.common.note_seat_wait(span);
    }

    pub(crate) fn note_stuck(&self) {
        self.state.stuck.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_reset(&self) {
        self.state.resets.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_panic(&self) {
        self.state.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection of `client` has ended in a way that somebody may want to know about.
    pub(crate) fn note_close(&self, reason: CloseReason, client: ClientKey) {
        let what = match reason {
            CloseReason::Evicted => "seat taken back",
            CloseReason::Refused(reason) => reason,
            CloseReason::WriteTimeout => "answer not read in time",
            CloseReason::AnswerFailed => "answer could not be finished",
            CloseReason::Panicked => "worker panicked",
            _ => return,
        };
        self.state.incidents.note(what, client);
    }

    /// A TLS handshake was completed.
    pub(crate) fn note_handshake(&self, version: &'static str, group: &'static str, resumed: bool) {
        self.state.handshakes.note(Agreed { version, group, resumed });
    }

    /// A TLS handshake failed.
    pub(crate) fn note_handshake_failure(&self, reason: &'static str) {
        self.state.handshakes.note_failure(reason);
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}
