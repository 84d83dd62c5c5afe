//! Who gets a seat: admission of connections, and the watchdog that keeps seats from being lost.

use super::connection::Connection;
use super::refuse::PeerName;
use super::shared::{Guest, Shared};
use crate::clock::Tick;
use crate::error::{CloseReason, Refusal};
use crate::message::ClientKey;
use crate::monitor::AddressSpace;
use crate::net::Stream;
use crate::sync::{Arc, Builder, Condvar, Mutex};
use crate::threads::{Arrival, Claim, Mark, Phase, Pool, PoolSettings, Seat, Vacated, enforce, evict};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How often the watchdog reads the board.
const WATCH: Duration = Duration::from_millis(50);
/// How often while somebody waits for a seat.
const WATCH_CLOSELY: Duration = Duration::from_millis(5);
/// How long after its arrival a connection that has not completed a head is spared by a shutdown.
const NEWCOMER_GRACE: Duration = Duration::from_millis(100);
/// The same for one that has not agreed on TLS: before that it cannot be told anything, and that takes more of the network.
const HANDSHAKE_GRACE: Duration = Duration::from_secs(1);
/// How long another protocol may be quiet before it counts as being between messages.
const UPGRADED_GRACE: Duration = Duration::from_secs(1);
/// How long a worker without a connection stays.
const WORKER_PATIENCE: Duration = Duration::from_secs(10);
/// Threads beyond one for each seat.
const SPARE_WORKERS: usize = 8;
/// Address space for the watchdog's stack.
const STACK: usize = 128 << 10;

/// Gives seats to connections and takes them back.
pub(super) struct Admission {
    pub(super) shared: Arc<Shared>,
    pool: Pool<Job>,
    /// Set when somebody begins to wait, or all is over; guards nothing else.
    alarm: Mutex<Alarm>,
    alarmed: Condvar,
}

#[derive(Default)]
struct Alarm {
    rung: bool,
    over: bool,
}

/// A guest and its seat, for a worker.
struct Job {
    seat: Seat<Guest>,
    guest: Guest,
}

impl Admission {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let config = &shared.config;
        let settings = PoolSettings {
            name: if shared.crew.is_empty() { "worker" } else { "admin" },
            // A seat is free a moment before its thread is: a few more threads than seats bridge it.
            max_threads: config.max_connections + config.max_stand_ins + SPARE_WORKERS,
            stack_size: config.stack_size,
            idle_timeout: WORKER_PATIENCE,
        };
        let workers_share = shared.clone();
        let space = AddressSpace::limited();
        let stack = settings.stack_size as u64;
        let has_room = move || space.is_none_or(|space| space.has_room(stack));
        let pool = Pool::with_room(settings, has_room, move |job| serve(&workers_share, job));
        Admission { shared, pool, alarm: Mutex::default(), alarmed: Condvar::new() }
    }

    /// Finds a seat for a connection, or a place in the lobby, or refuses it. Never waits for anybody.
    pub(super) fn admit(&self, stream: Stream, peer: Option<SocketAddr>) {
        let shared = &self.shared;
        if shared.standing.is_refusing() {
            return self.refuse(stream, peer, Refusal::MEMORY_SHORT, None);
        }
        let Some(mark) = shared.tally.mark(peer.into()) else {
            return self.refuse(stream, peer, Refusal::TOO_MANY_CONNECTIONS, None);
        };
        let now = shared.clock.now();
        match shared.lobby.arrive(Guest { stream, peer, mark, arrived: now }, now) {
            Arrival::Seated(seat, guest) => self.start(seat, guest),
            Arrival::Waiting => self.make_room(now),
            Arrival::TurnedAway(guest) => self.refuse_guest(guest, Refusal::NO_SEAT),
        }
    }

    /// Takes a seat for a connection that is served by the calling thread.
    pub(super) fn serve_here(&self, stream: Stream, peer: Option<SocketAddr>) -> CloseReason {
        let shared = &self.shared;
        if stream.set_waiting().is_err() {
            return CloseReason::Broken;
        }
        let mark = match self.unwanted() {
            None => shared.tally.mark(peer.into()).ok_or(Refusal::TOO_MANY_CONNECTIONS),
            Some(refusal) => Err(refusal),
        };
        let mark = match mark {
            Ok(mark) => mark,
            Err(refusal) => {
                self.refuse(stream, peer, refusal, None);
                return CloseReason::Refused(refusal.reason);
            }
        };
        let guest = Guest { stream, peer, mark, arrived: shared.clock.now() };
        let Some(seat) = shared.lobby.sit_at_once() else {
            let refusal = self.unwanted().unwrap_or(Refusal::NO_SEAT);
            self.refuse_guest(guest, refusal);
            return CloseReason::Refused(refusal.reason);
        };
        let (reason, vacated) = run(shared, seat.number(), guest);
        let next = seat.pass_on();
        drop(vacated);
        if let Some((seat, guest)) = next {
            self.start(seat, guest);
        }
        reason
    }

    /// Why nobody is wanted who comes by himself, if so.
    fn unwanted(&self) -> Option<Refusal> {
        let standing = &self.shared.standing;
        let short = standing.is_refusing().then_some(Refusal::MEMORY_SHORT);
        if standing.is_draining() { Some(Refusal::DRAINING) } else { short }
    }

    /// Refuses a connection without a worker; `mark` is what counts it, if it has been counted.
    pub(super) fn refuse(
        &self,
        stream: Stream,
        peer: Option<SocketAddr>,
        refusal: Refusal,
        mark: Option<Mark<ClientKey>>,
    ) {
        self.shared.farewells.refuse(&self.shared, stream, peer, refusal, mark);
    }

    /// Takes back a seat for somebody who needs one, if one deserves it.
    pub(super) fn make_room(&self, now: Tick) {
        // One seat for each who waits; those who have been told to go and have not gone yet count.
        let Shared { board, lobby, .. } = &*self.shared;
        evict(board, now, || lobby.waiting(), self.shared.policy().config.min_rate);
        self.ring();
    }

    /// Ends connections for the sake of their descriptors: one that only waits for its end, and one that deserves it, if none is
    /// ending.
    pub(super) fn make_way(&self) {
        let Shared { board, clock, farewells, .. } = &*self.shared;
        farewells.make_way();
        evict(board, clock.now(), || 1, self.shared.policy().config.min_rate);
    }

    /// Starts the watchdog.
    pub(super) fn spawn_watchdog(self: &Arc<Self>) -> io::Result<()> {
        let admission = self.clone();
        let monitor = self.shared.monitor.clone();
        let pulse = monitor.watchdog.join(monitor.now());
        let watch = move || {
            while admission.watch() {
                pulse.beat(monitor.now());
            }
            pulse.rest();
        };
        Builder::new().name(self.shared.thread_name("watchdog")).stack_size(STACK).spawn(watch).map(drop)
    }

    /// Refuses all who wait, and sends all home who are between requests. Nobody is admitted any more.
    pub(super) fn close(&self) {
        for guest in self.shared.lobby.close() {
            self.refuse_guest(guest, Refusal::DRAINING);
        }
        self.send_home();
        self.pool.close();
    }

    /// Ends the watchdog.
    pub(super) fn end_watch(&self) {
        self.alarm.lock().over = true;
        self.alarmed.notify_all();
    }

    /// One look at the board and the lobby, and the wait for the next; false when all is over.
    fn watch(&self) -> bool {
        let shared = &self.shared;
        let now = shared.clock.now();
        let policy = shared.policy();
        for number in enforce(&shared.board, now, policy.min_rate()).stuck {
            shared.monitor.note_stuck();
            let peer = PeerName(shared.board.peer(number));
            log::warn!("the handler for {peer} is stuck: past its {:?}", policy.config.handler_timeout);
        }
        let stuck = shared.board.stuck();
        shared.lobby.stand_in_for(stuck);
        shared.standing.set_overwhelmed(stuck > shared.bearable_stuck());
        // Who waits for memory and has been told to go looks whether he has.
        shared.reclaiming.stir();
        if shared.standing.is_draining() {
            self.send_home();
        }
        if shared.lobby.waiting() > 0 {
            self.attend_lobby(now);
        }
        self.wait(if shared.lobby.waiting() > 0 { WATCH_CLOSELY } else { WATCH })
    }

    fn attend_lobby(&self, now: Tick) {
        for guest in self.shared.lobby.waited_out(now) {
            self.refuse_guest(guest, Refusal::NO_SEAT);
        }
        while let Some((seat, guest)) = self.shared.lobby.call_next() {
            let waiting = self.shared.lobby.waiting();
            self.start(seat, guest);
            // It was sent back: there is no thread for it now.
            if self.shared.lobby.waiting() > waiting {
                break;
            }
        }
        self.make_room(now);
    }

    /// Claims every connection that is between requests, or has not completed the head of its first, or is quiet and speaks
    /// another protocol.
    fn send_home(&self) {
        let now = self.shared.clock.now();
        for view in self.shared.board.views() {
            let newcomer = |grace| view.served == 0 && now.since(view.arrived) > grace;
            let goes = match view.phase {
                Phase::Idle => true,
                Phase::Head => newcomer(NEWCOMER_GRACE),
                Phase::Handshake => newcomer(HANDSHAKE_GRACE),
                Phase::Upgraded => now.since(view.moved_at) > UPGRADED_GRACE,
                _ => false,
            };
            if goes {
                self.shared.board.claim(&view, Claim::Shutdown);
            }
        }
    }

    fn refuse_guest(&self, guest: Guest, refusal: Refusal) {
        self.refuse(guest.stream, guest.peer, refusal, Some(guest.mark));
    }

    fn start(&self, seat: Seat<Guest>, guest: Guest) {
        if let Err(Job { seat, guest }) = self.pool.submit(Job { seat, guest }) {
            let arrived = guest.arrived;
            match self.shared.lobby.send_back(seat, guest, arrived) {
                Ok(()) => self.make_room(self.shared.clock.now()),
                Err(guest) => self.refuse_guest(guest, Refusal::DRAINING),
            }
        }
    }

    fn ring(&self) {
        let mut alarm = self.alarm.lock();
        if !alarm.rung {
            alarm.rung = true;
            self.alarmed.notify_all();
        }
    }

    fn wait(&self, span: Duration) -> bool {
        let deadline = self.shared.clock.instant(self.shared.clock.now().after(span));
        let mut alarm = self.alarm.lock();
        // Who watches closely anyway need not be rung for.
        let rings = |alarm: &Alarm| alarm.over || (alarm.rung && span == WATCH);
        while !rings(&alarm) && !self.alarmed.wait_until(&mut alarm, deadline) {}
        alarm.rung = false;
        !alarm.over
    }
}

/// The work of a worker: the guest it was given, and every one that is called to the seat after it.
fn serve(shared: &Arc<Shared>, job: Job) {
    let Job { mut seat, mut guest } = job;
    loop {
        let (_, vacated) = run(shared, seat.number(), guest);
        let next = seat.pass_on();
        drop(vacated);
        match next {
            Some(next) => (seat, guest) = next,
            None => return,
        }
    }
}

fn run(shared: &Arc<Shared>, seat: usize, guest: Guest) -> (CloseReason, Option<Vacated>) {
    let peer = guest.peer;
    // A bug of ours must not take the seat with it.
    let client = *guest.mark.key();
    let now = shared.clock.now();
    shared.monitor.note_seat_wait(now.since(guest.arrived));
    let served = catch_unwind(AssertUnwindSafe(|| {
        let mut connection = Connection::sit(shared, seat, guest, now);
        let end = connection.serve();
        connection.leave(&end)
    }));
    let (reason, vacated) = served.unwrap_or((CloseReason::Panicked, None));
    shared.counts.meter(seat).note_close(reason);
    shared.monitor.note_close(reason, client);
    log::debug!("{} left: {reason}", PeerName(peer));
    (reason, vacated)
}
