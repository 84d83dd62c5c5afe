//! The board: what every connection is doing, since when, and until when it may.

use super::deadlines::Pace;
use super::label::LabelCell;
use super::phase::{Claim, Phase, Word};
use crate::clock::Tick;
use crate::sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, Thread, current};
use std::net::SocketAddr;

/// One slot for each seat. The thread on the seat writes what it does; everybody else reads, or *claims*.
///
/// A claim is how somebody else ends what a thread does: a compare-and-swap on the slot's word says why, and the
/// connection's lifeline is cut, which wakes the thread out of its system call. The word counts every change, so a claim
/// that was decided on what the slot *was* fails if it has become anything else meanwhile: the thread saw its first
/// byte in time, or the seat has a new tenant. That makes deadlines, evictions and shutdown one mechanism without a
/// race, and costs the thread a few stores.
#[derive(Debug)]
pub struct Board {
    slots: Box<[Slot]>,
    /// Tenants claimed by eviction who have not left yet. Written by who claims, and by them when they leave, or have a request to
    /// handle first.
    evicting: AtomicU64,
    /// Tenants whose handler is past its time. Written by who marks them and by them when they go on.
    stuck: AtomicUsize,
}

/// The count of those who have been told to go stands in the low half of its word, and every change is counted in the high one: who
/// has decided on what was sees that it has been changed, also where it has been changed back.
const ONE_MORE: u64 = CHANGED + 1;
const ONE_LESS: u64 = CHANGED - 1;
const CHANGED: u64 = 1 << 32;

fn going(state: u64) -> usize {
    (state % CHANGED) as usize
}

/// What cuts a blocked thread loose: the connection's socket.
pub trait Lifeline: Send + Sync {
    /// Ends reading, or reading and writing. Must not block.
    fn cut(&self, side: Cut);
}

/// Which directions of a connection are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Reads end; an answer can still be written.
    Read,
    /// Reads and writes end.
    Both,
}

/// Who takes a seat.
pub struct Tenant {
    /// The client's address, for the record; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// What counts as one client, hashed.
    pub client: u64,
    /// What to cut when the seat is claimed; `None` if nothing can be.
    pub lifeline: Option<Arc<dyn Lifeline>>,
}

/// One seat's line on the board, alone on its cache lines: it is written several times a request.
#[repr(align(128))]
#[derive(Debug)]
struct Slot {
    /// Phase, claim and count of changes. Written by the tenant, and by compare-and-swap by who claims.
    word: AtomicU64,
    // Written by the tenant alone, before the word; read after it.
    since: AtomicU64,
    deadline: AtomicU64,
    moved: AtomicU64,
    counted: AtomicU64,
    rate: AtomicU64,
    moved_at: AtomicU64,
    held: AtomicU64,
    holder: AtomicU64,
    arrived: AtomicU64,
    served: AtomicU64,
    agreed: AtomicBool,
    client: AtomicU64,
    /// Written by the tenant when it comes and goes; read by who has claimed, to cut the lifeline, outside the lock.
    tenancy: Mutex<Option<Tenancy>>,
    /// What the tenant was last asked for. Written by the tenant alone.
    label: LabelCell,
}

struct Tenancy {
    /// The word's count when the tenant sat down: an older claim was meant for somebody else.
    began: u64,
    tenant: Tenant,
    /// The thread on the seat.
    thread: Thread,
}

/// A tenant's hold on its slot: the only thing that writes there. Dropping it leaves the seat.
#[derive(Debug)]
pub struct Occupant {
    board: Arc<Board>,
    number: usize,
    /// Whether the seat has been left already.
    left: bool,
}

/// A seat that was just left. Until this is dropped, a tenant who was evicted counts as still on its way: whoever passes
/// the seat on does that first, or somebody else would be evicted for the same guest.
#[derive(Debug)]
#[must_use = "it is kept until the seat has been passed on"]
pub struct Vacated {
    board: Arc<Board>,
    word: Word,
}

/// A slot as it was at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The seat's number.
    pub number: usize,
    /// What its thread does.
    pub phase: Phase,
    /// Why it has been claimed, if it has.
    pub claim: Option<Claim>,
    /// Whether its handler has been marked as stuck.
    pub stuck: bool,
    /// When the phase began.
    pub since: Tick,
    /// When the phase must be over.
    pub deadline: Tick,
    /// Bytes moved in this phase.
    pub moved: u64,
    /// Of a body, those that count for its minimum rate: see [`Pace`].
    pub counted: u64,
    /// The minimum rate that a body [keeps to](Occupant::keep_to), in bytes a second; `u64::MAX` if none was named.
    pub rate: u64,
    /// When the last of them moved.
    pub moved_at: Tick,
    /// When the connection arrived.
    pub arrived: Tick,
    /// Requests it has completed.
    pub served: u64,
    /// Whether it has [agreed](Occupant::note_agreed) on TLS.
    pub agreed: bool,
    /// What counts as one client, hashed.
    pub client: u64,
    /// Bytes it holds of what all share, in any phase; while it writes, those of an answer that is in memory for it alone.
    pub held: u64,
    /// For which client, hashed.
    pub holder: u64,
    word: Word,
}

impl Board {
    /// A board with `seats` empty slots.
    pub fn new(seats: usize) -> Self {
        Board {
            slots: (0..seats).map(|_| Slot::new()).collect(),
            evicting: AtomicU64::new(0),
            stuck: AtomicUsize::new(0),
        }
    }

    /// Sits down on seat `number`, which nobody else may have. The first phase is [`Phase::Head`], until `deadline`.
    pub fn sit(self: &Arc<Self>, number: usize, tenant: Tenant, now: Tick, deadline: Tick) -> Occupant {
        let slot = &self.slots[number];
        slot.arrived.store(now.as_micros(), Ordering::Relaxed);
        slot.served.store(0, Ordering::Relaxed);
        slot.agreed.store(false, Ordering::Relaxed);
        slot.client.store(tenant.client, Ordering::Relaxed);
        slot.held.store(0, Ordering::Relaxed);
        let began = Word::load(&slot.word).changes() + 1;
        *slot.tenancy.lock() = Some(Tenancy { began, tenant, thread: current() });
        slot.label.write([&[]; 3]);
        let occupant = Occupant { board: self.clone(), number, left: false };
        occupant.enter(Phase::Head, deadline, now);
        occupant
    }

    /// All slots that are taken, each as it is when it is looked at.
    pub fn views(&self) -> impl Iterator<Item = View> {
        self.slots.iter().enumerate().filter_map(|(number, slot)| slot.view(number))
    }

    /// Ends what `view` shows, unless it has changed or was claimed already; says whether it did.
    ///
    /// The claimed thread wakes up and finds the reason in [`Occupant::claim`].
    pub fn claim(&self, view: &View, claim: Claim) -> bool {
        let Some(claimed) = view.word.claimed(claim) else { return false };
        // Counted before it can be seen, and taken back if it never is: the count never falls below zero.
        if claim == Claim::Evicted {
            self.evicting.fetch_add(ONE_MORE, Ordering::Relaxed);
        }
        self.end(view, claimed, claim)
    }

    /// Claims the seat that `view` shows for somebody else, if fewer than `wanted` are on their way out. That is one step: of
    /// two who evict for the same guest at the same time, one does.
    pub(super) fn evict(&self, view: &View, wanted: impl Fn() -> usize) -> bool {
        let Some(claimed) = view.word.claimed(Claim::Evicted) else { return false };
        // Who is on his way is looked at before who waits: of one who goes in between, the guest is then not among those.
        let one_more = |state| (going(state) < wanted()).then_some(state + ONE_MORE);
        let counted = self.evicting.fetch_update(Ordering::Relaxed, Ordering::Acquire, one_more);
        counted.is_ok() && self.end(view, claimed, Claim::Evicted)
    }

    fn end(&self, view: &View, claimed: Word, claim: Claim) -> bool {
        let slot = &self.slots[view.number];
        if !view.word.swap(claimed, &slot.word) {
            if claim == Claim::Evicted {
                self.evicting.fetch_add(ONE_LESS, Ordering::Release);
            }
            return false;
        }
        self.forget(view.word);
        if let Some(lifeline) = slot.lifeline_of(view.word) {
            lifeline.cut(claim.cut(view.phase));
        }
        true
    }

    /// Whether a claim would wake the thread that `view` shows: there is something to cut.
    pub(super) fn can_wake(&self, view: &View) -> bool {
        self.slots[view.number].lifeline_of(view.word).is_some()
    }

    /// Marks the handler that `view` shows as stuck, unless it has gone on; says whether it did.
    pub fn mark_stuck(&self, view: &View) -> bool {
        if view.stuck {
            return false;
        }
        self.stuck.fetch_add(1, Ordering::Relaxed);
        let marked = view.word.swap(view.word.stuck(), &self.slots[view.number].word);
        if !marked {
            self.stuck.fetch_sub(1, Ordering::Relaxed);
        }
        marked
    }

    /// Tenants who have been evicted and have not left yet. One whose request was there first is none of them.
    pub fn evicting(&self) -> usize {
        going(self.evicting.load(Ordering::Acquire))
    }

    /// Tenants whose handlers are stuck.
    pub fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// The address of who has seat `number`.
    pub fn peer(&self, number: usize) -> Option<SocketAddr> {
        self.slots.get(number)?.tenancy.lock().as_ref()?.tenant.peer
    }

    /// The name of the thread on seat `number`; empty if it has none.
    pub fn thread(&self, number: usize) -> Option<String> {
        let tenancy = self.slots.get(number)?.tenancy.lock();
        Some(tenancy.as_ref()?.thread.name().unwrap_or_default().to_owned())
    }

    /// What who has seat `number` was last asked for, as it was [noted](Occupant::note_request): whatever a client sent, cut to
    /// [`LABEL_BYTES`](super::LABEL_BYTES). Empty before the first request.
    pub fn label(&self, number: usize) -> Option<Vec<u8>> {
        self.slots.get(number)?.label.read()
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The claim in `word` is over: the tenant has left, or a stronger claim has taken its place.
    fn forget(&self, word: Word) {
        // Whoever sees that it has gone sees that the guest does not wait any more.
        if word.claim() == Some(Claim::Evicted) {
            self.evicting.fetch_add(ONE_LESS, Ordering::Release);
        }
    }
}

impl Occupant {
    /// Begins `phase`, to be over by `deadline`, which must be in the future or never; returns the claim on this tenant, if there is one.
    pub fn enter(&self, phase: Phase, deadline: Tick, now: Tick) -> Option<Claim> {
        self.resume(phase, deadline, now, Pace::default(), now)
    }

    /// Goes on with a phase that was interrupted: as if it had begun at `since` and come as far as `pace`.
    pub fn resume(&self, phase: Phase, deadline: Tick, since: Tick, pace: Pace, now: Tick) -> Option<Claim> {
        let slot = self.slot();
        // Readers take the counts before `since`: one that has been reset is then never set against an old beginning.
        slot.since.store(since.as_micros(), Ordering::Relaxed);
        slot.deadline.store(deadline.as_micros(), Ordering::Relaxed);
        slot.moved_at.store(now.as_micros(), Ordering::Relaxed);
        slot.counted.store(pace.counted, Ordering::Release);
        slot.moved.store(pace.moved, Ordering::Release);
        let (before, after) = Word::update(&slot.word, |word| word.entered(phase));
        if before.is_stuck() {
            self.board.stuck.fetch_sub(1, Ordering::Relaxed);
        }
        if before.claim() != after.claim() {
            self.board.forget(before);
        }
        after.claim()
    }

    /// Notes the minimum rate, if there is one, that bodies have to keep up with from here on: whatever has been put in its
    /// place meanwhile is for those that begin later.
    pub fn keep_to(&self, rate: Option<u64>) {
        self.slot().rate.store(rate.unwrap_or(0), Ordering::Relaxed);
    }

    /// Notes that `bytes` more have moved in this phase.
    pub fn progress(&self, bytes: usize, now: Tick) {
        let slot = self.slot();
        slot.moved_at.store(now.as_micros(), Ordering::Relaxed);
        let moved = slot.moved.load(Ordering::Relaxed) + bytes as u64;
        slot.moved.store(moved, Ordering::Relaxed);
    }

    /// Notes that `bytes` more have come of a body that has to keep up with `rate` bytes a second, if with any.
    pub fn receive(&self, bytes: usize, rate: Option<u64>, now: Tick) {
        let slot = self.slot();
        let [moved, counted, since] =
            [&slot.moved, &slot.counted, &slot.since].map(|cell| cell.load(Ordering::Relaxed));
        let pace = Pace { moved, counted }.after(bytes, now.since(Tick::from_micros(since)), rate);
        slot.moved_at.store(now.as_micros(), Ordering::Relaxed);
        slot.counted.store(pace.counted, Ordering::Relaxed);
        slot.moved.store(pace.moved, Ordering::Relaxed);
    }

    /// Notes that the tenant holds `bytes` for `holder`: of what all share, or, while it writes, of an answer.
    pub fn hold(&self, bytes: usize, holder: u64) {
        let slot = self.slot();
        slot.holder.store(holder, Ordering::Relaxed);
        slot.held.store(bytes as u64, Ordering::Relaxed);
    }

    /// Moves this phase's deadline.
    pub fn extend(&self, deadline: Tick) {
        self.slot().deadline.store(deadline.as_micros(), Ordering::Relaxed);
    }

    /// Notes that one more request has been answered; returns how many have been.
    pub fn count_request(&self) -> u64 {
        let served = &self.slot().served;
        let count = served.load(Ordering::Relaxed) + 1;
        served.store(count, Ordering::Relaxed);
        count
    }

    /// Notes that TLS has been agreed on: the first request is still on its way, and its client may be far.
    pub fn note_agreed(&self) {
        self.slot().agreed.store(true, Ordering::Relaxed);
    }

    /// Notes what the tenant is asked for: a method and a path, as they were sent. For people; nothing depends on it.
    pub fn note_request(&self, method: &[u8], path: &[u8]) {
        self.slot().label.write([method, b" ", path]);
    }

    /// Why this tenant must end what it does, if it must.
    pub fn claim(&self) -> Option<Claim> {
        Word::load(&self.slot().word).claim()
    }

    /// The seat's number.
    pub fn number(&self) -> usize {
        self.number
    }

    fn slot(&self) -> &Slot {
        &self.board.slots[self.number]
    }
}

impl Occupant {
    /// Leaves the seat.
    pub fn leave(mut self) -> Vacated {
        self.vacate()
    }

    fn vacate(&mut self) -> Vacated {
        self.left = true;
        let slot = self.slot();
        // The lifeline goes first: with it goes the last other hold on the socket, which can then be closed.
        let tenancy = slot.tenancy.lock().take();
        drop(tenancy);
        let (before, _) = Word::update(&slot.word, Word::vacated);
        if before.is_stuck() {
            self.board.stuck.fetch_sub(1, Ordering::Relaxed);
        }
        Vacated { board: self.board.clone(), word: before }
    }
}

impl Drop for Occupant {
    fn drop(&mut self) {
        if !self.left {
            drop(self.vacate());
        }
    }
}

impl Drop for Vacated {
    fn drop(&mut self) {
        self.board.forget(self.word);
    }
}

impl Slot {
    fn new() -> Self {
        Slot {
            word: AtomicU64::new(0),
            since: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            rate: AtomicU64::new(u64::MAX),
            held: AtomicU64::new(0),
            holder: AtomicU64::new(0),
            moved_at: AtomicU64::new(0),
            arrived: AtomicU64::new(0),
            served: AtomicU64::new(0),
            agreed: AtomicBool::new(false),
            client: AtomicU64::new(0),
            tenancy: Mutex::new(None),
            label: LabelCell::new(),
        }
    }

    fn view(&self, number: usize) -> Option<View> {
        let word = Word::load(&self.word);
        let phase = word.phase()?;
        let moved = self.moved.load(Ordering::Acquire);
        let counted = self.counted.load(Ordering::Acquire);
        let tick = |cell: &AtomicU64| Tick::from_micros(cell.load(Ordering::Relaxed));
        Some(View {
            number,
            phase,
            claim: word.claim(),
            stuck: word.is_stuck(),
            since: tick(&self.since),
            deadline: tick(&self.deadline),
            moved,
            counted,
            rate: self.rate.load(Ordering::Relaxed),
            moved_at: tick(&self.moved_at),
            arrived: tick(&self.arrived),
            served: self.served.load(Ordering::Relaxed),
            agreed: self.agreed.load(Ordering::Relaxed),
            client: self.client.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            holder: self.holder.load(Ordering::Relaxed),
            word,
        })
    }

    /// The lifeline of the tenant the word speaks of; not of the next one, who may have sat down since.
    fn lifeline_of(&self, word: Word) -> Option<Arc<dyn Lifeline>> {
        let tenancy = self.tenancy.lock();
        let current = tenancy.as_ref().filter(|tenancy| tenancy.began <= word.changes())?;
        current.tenant.lifeline.clone()
    }
}

impl std::fmt::Debug for Tenancy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenancy")
            .field("began", &self.began)
            .field("peer", &self.tenant.peer)
            .finish_non_exhaustive()
    }
}
