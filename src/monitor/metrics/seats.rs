//! The counters of each seat, and their sum.

use super::histogram::add_alone;
use super::keys::{KEYS, METHODS, Meaning, OTHER, STATUSES};
use super::{Buckets, Histogram, Key, Reasons};
use crate::error::CloseReason;
use crate::sync::{Arc, AtomicU64, Ordering};
use http::{Method, StatusCode};
use std::time::Duration;

/// Kinds of event a seat counts by itself; what it meets beyond them goes to the common counters.
const KINDS: usize = 16;
/// The upper bits of a cell hold the key and one; the lower ones the count, which at a million a second lasts nine years.
const KEY_SHIFT: u32 = 48;

/// The counters of one seat, alone on its cache lines. Written by the thread on the seat and nobody else, so adding is a
/// load and a store; read by whoever asks.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Seat {
    /// Counts by key: each cell belongs to the key that came first. Most seats meet very few.
    cells: [AtomicU64; KINDS],
    /// Of requests that were not refused: from the complete head to the first byte of the answer.
    duration: Histogram,
    /// Requests that were handled without having to wait for it.
    unqueued: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// The counters of all seats of one server.
#[derive(Debug)]
pub(crate) struct SeatCounts {
    seats: Box<[Seat]>,
    common: Arc<Common>,
}

/// What is counted where no seat is at hand, or where it is too rare to matter, and what servers that are over have
/// counted. Anybody writes here.
#[derive(Debug)]
pub(crate) struct Common {
    counts: Box<[AtomicU64]>,
    pub(crate) reasons: Reasons,
    /// Of seats of servers that are over.
    duration: Histogram,
    received: AtomicU64,
    sent: AtomicU64,
    /// Of requests that had to wait to be handled, or for that in vain.
    queue_wait: Histogram,
    /// Of connections: from the acceptor to a seat, and to its thread.
    seat_wait: Histogram,
}

/// A seat's counters in the hands of its connection: the only thing that writes there.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    all: Arc<SeatCounts>,
    seat: usize,
}

/// What is counted of an answer.
pub(crate) struct Answered<'a> {
    /// `None` if it was not read.
    pub(crate) method: Option<&'a Method>,
    pub(crate) status: StatusCode,
    /// From the complete head to the first byte of the answer; `None` if no head was, or if the request was refused.
    pub(crate) duration: Option<Duration>,
    /// Bytes handed to the system.
    pub(crate) sent: u64,
    /// Why it was refused, if it was.
    pub(crate) refused: Option<&'static str>,
}

/// All counts together, as they were at about one moment.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Answers by method and status; status 0 is every one that is not registered, method `other` likewise, and where no
    /// method was read.
    pub answers: Vec<(&'static str, u16, u64)>,
    /// Requests and connections that were refused, by reason.
    pub refusals: Vec<(&'static str, u64)>,
    /// Connections that have ended, by how.
    pub closes: Vec<(&'static str, u64)>,
    /// From a complete head to the first byte of its answer, of requests that the server did not refuse itself: to say no takes
    /// no time, and would make an overloaded server look fast.
    pub duration: Buckets,
    /// How long requests waited to be handled; those that did not wait are there too.
    pub queue_wait: Buckets,
    /// How long it took connections to get from the acceptor to a seat and its thread.
    pub seat_wait: Buckets,
    /// Bytes that clients sent.
    pub received: u64,
    /// Bytes that were sent to clients.
    pub sent: u64,
}

impl Common {
    pub(crate) fn new() -> Self {
        Common {
            counts: (0..KEYS).map(|_| AtomicU64::new(0)).collect(),
            reasons: Reasons::new(),
            duration: Histogram::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            queue_wait: Histogram::default(),
            seat_wait: Histogram::default(),
        }
    }

    /// Counts something that happened without a seat.
    pub(crate) fn count(&self, key: Key) {
        self.counts[usize::from(key.0) % KEYS].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn note_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn note_seat_wait(&self, span: Duration) {
        self.seat_wait.note(span);
    }

    fn take_over(&self, seats: &[Seat]) {
        let (mut counts, mut totals) = ([0; KEYS], Totals::default());
        for seat in seats {
            seat.add_to(&mut counts, &mut totals);
        }
        for (cell, count) in self.counts.iter().zip(counts) {
            cell.fetch_add(count, Ordering::Relaxed);
        }
        self.duration.add(&totals.duration);
        self.queue_wait.add(&totals.queue_wait);
        self.received.fetch_add(totals.received, Ordering::Relaxed);
        self.sent.fetch_add(totals.sent, Ordering::Relaxed);
    }
}

impl Seat {
    fn add_to(&self, counts: &mut [u64; KEYS], totals: &mut Totals) {
        for cell in self.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).take_while(|cell| *cell > 0) {
            let key = (cell >> KEY_SHIFT) as usize - 1;
            counts[key % KEYS] += cell & ((1 << KEY_SHIFT) - 1);
        }
        self.duration.add_to(&mut totals.duration);
        totals.queue_wait.counts[0] += self.unqueued.load(Ordering::Relaxed);
        totals.received += self.received.load(Ordering::Relaxed);
        totals.sent += self.sent.load(Ordering::Relaxed);
    }
}

impl SeatCounts {
    pub(crate) fn new(seats: usize, common: Arc<Common>) -> Self {
        SeatCounts { seats: (0..seats).map(|_| Seat::default()).collect(), common }
    }

    /// Hands what a server has counted to the common counters if it is over: if nobody else holds its counters, to write or
    /// to sum them up. Says whether it is.
    pub(crate) fn retire(this: &mut Arc<Self>) -> bool {
        let over = Arc::get_mut(this);
        over.map(|counts| counts.common.take_over(&counts.seats)).is_some()
    }

    /// The counters of a seat, for the one who has it.
    pub(crate) fn meter(self: &Arc<Self>, seat: usize) -> Meter {
        Meter { all: self.clone(), seat }
    }
}

impl Meter {
    pub(crate) fn note_answer(&self, answered: &Answered) {
        self.count(Key::answer(answered.method, answered.status));
        let seat = self.seat();
        if let Some(span) = answered.duration {
            seat.duration.note_alone(span);
        }
        add_alone(&seat.sent, answered.sent);
        if let Some(reason) = answered.refused {
            self.count(self.all.common.reasons.key(reason));
        }
    }

    pub(crate) fn note_close(&self, reason: CloseReason) {
        self.count(Key::close(reason));
    }

    pub(crate) fn note_received(&self, bytes: usize) {
        add_alone(&self.seat().received, bytes as u64);
    }

    /// A request is handled that did not have to wait for it.
    pub(crate) fn note_unqueued(&self) {
        add_alone(&self.seat().unqueued, 1);
    }

    /// A request has waited to be handled.
    pub(crate) fn note_queued(&self, span: Duration) {
        self.all.common.queue_wait.note(span);
    }

    fn count(&self, key: Key) {
        let owner = u64::from(key.0) + 1;
        for cell in &self.seat().cells {
            let before = cell.load(Ordering::Relaxed);
            if before == 0 || before >> KEY_SHIFT == owner {
                return cell.store((before | owner << KEY_SHIFT) + 1, Ordering::Relaxed);
            }
        }
        self.all.common.count(key);
    }

    fn seat(&self) -> &Seat {
        &self.all.seats[self.seat]
    }
}

/// Sums up the counters of some servers that count together.
pub(crate) fn sum(common: &Common, servers: &[Arc<SeatCounts>]) -> Totals {
    let mut counts = [0; KEYS];
    for (sum, count) in counts.iter_mut().zip(&common.counts) {
        *sum = count.load(Ordering::Relaxed);
    }
    let [received, sent] = [&common.received, &common.sent].map(|cell| cell.load(Ordering::Relaxed));
    let mut totals = Totals { received, sent, ..Totals::default() };
    common.duration.add_to(&mut totals.duration);
    common.queue_wait.add_to(&mut totals.queue_wait);
    common.seat_wait.add_to(&mut totals.seat_wait);
    for seat in servers.iter().flat_map(|server| &server.seats) {
        seat.add_to(&mut counts, &mut totals);
    }
    totals.spell_out(&counts, &common.reasons);
    totals
}

impl Totals {
    /// All answers together.
    pub fn requests(&self) -> u64 {
        self.answers.iter().map(|(.., count)| count).sum()
    }

    /// All refusals together.
    pub fn refused(&self) -> u64 {
        self.refusals.iter().map(|(_, count)| count).sum()
    }

    /// Connections that ended in the way that is called `name`.
    pub fn closed(&self, name: &str) -> u64 {
        self.closes.iter().find(|(close, _)| *close == name).map_or(0, |(_, count)| *count)
    }

    fn spell_out(&mut self, counts: &[u64; KEYS], reasons: &Reasons) {
        let names: Vec<_> = reasons.names().collect();
        for (number, &count) in counts.iter().enumerate() {
            match Key(number as u16).meaning() {
                Meaning::Answer { method, status } if count > 0 => self.answers.push((method, status, count)),
                Meaning::Answer { .. } => {}
                // Known beforehand, they are there from the start: who watches for a change must not miss the first.
                Meaning::Refusal(number) => match names.get(number) {
                    Some(name) => self.refusals.push((name, count)),
                    None if count > 0 => self.refusals.push((OTHER, count)),
                    None => {}
                },
                Meaning::Close(name) => self.closes.push((name, count)),
            }
        }
        debug_assert!(self.answers.len() <= (METHODS.len() + 1) * (STATUSES.len() + 1));
    }
}
