//! What a connection can be doing, why it can be ended, and the one word that holds both.

use super::board::Cut;
use crate::sync::{AtomicU64, Ordering};
use std::fmt;

/// What the thread of a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Agreeing on keys (TLS).
    Handshake = 1,
    /// Reading a request's head, or waiting for the first byte of the first one.
    Head,
    /// Reading a request's body.
    Body,
    /// Holding a complete request, waiting for the permit to handle it.
    Waiting,
    /// Running the handler, or guards that may wait for something.
    Handling,
    /// Writing an answer.
    Writing,
    /// Waiting for the next request.
    Idle,
    /// Speaking another protocol.
    Upgraded,
}

impl Phase {
    /// Every phase, in the order of a request's life.
    pub const ALL: [Phase; 8] = [
        Phase::Handshake,
        Phase::Head,
        Phase::Body,
        Phase::Waiting,
        Phase::Handling,
        Phase::Writing,
        Phase::Idle,
        Phase::Upgraded,
    ];

    /// The phase's name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Handshake => "handshake",
            Phase::Head => "head",
            Phase::Body => "body",
            Phase::Waiting => "waiting",
            Phase::Handling => "handling",
            Phase::Writing => "writing",
            Phase::Idle => "idle",
            Phase::Upgraded => "upgraded",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a connection is ended by somebody else than its own thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Claim {
    /// Its phase is past its deadline.
    Overdue = 1,
    /// Its body comes slower than the minimum rate.
    TooSlow,
    /// Its seat is needed.
    Evicted,
    /// The server shuts down, and it is between requests.
    Shutdown,
    /// The server shuts down, and its time to finish is up.
    DrainDeadline,
    /// Its seat was needed, or its time was up, but it had a request to handle first: it goes when that has been answered.
    Outrun,
}

impl Claim {
    const ALL: [Claim; 6] = [
        Claim::Overdue,
        Claim::TooSlow,
        Claim::Evicted,
        Claim::Shutdown,
        Claim::DrainDeadline,
        Claim::Outrun,
    ];

    /// Whether what is still written is only why the connection ends. Nobody waits for who does not read that.
    pub fn leaves_last_words(self) -> bool {
        matches!(self, Claim::Overdue | Claim::TooSlow | Claim::Evicted)
    }

    /// Whether a body that is still coming in may come to its end: the claim was made between requests.
    pub fn spares_a_body(self) -> bool {
        matches!(self, Claim::Shutdown | Claim::Outrun)
    }

    /// What has to be cut to end `phase`. A thread that reads can still write why it stops, and another protocol its goodbye.
    pub(super) fn cut(self, phase: Phase) -> Cut {
        match (self, phase) {
            (Claim::DrainDeadline, _) => Cut::Both,
            (_, Phase::Head | Phase::Body | Phase::Idle) | (Claim::Shutdown, Phase::Upgraded) => Cut::Read,
            _ => Cut::Both,
        }
    }
}

/// Phase, claim, stuck mark and a count of the tenant's changes, in one atomic word: bits 0–7 the phase (0: the seat is
/// free), 8–14 the claim (0: none), 15 the mark, 16–63 the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word(u64);

const PHASE: u64 = 0xff;
const CLAIM_SHIFT: u32 = 8;
const CLAIM: u64 = 0x7f << CLAIM_SHIFT;
const STUCK: u64 = 1 << 15;
const CHANGE: u64 = 1 << 16;

impl Word {
    pub(super) fn load(cell: &AtomicU64) -> Self {
        Word(cell.load(Ordering::Acquire))
    }

    /// Changes the word as its owner does: whatever somebody else did to it meanwhile, the change is made to that.
    /// Returns the word before and after.
    pub(super) fn update(cell: &AtomicU64, change: impl Fn(Word) -> Word) -> (Word, Word) {
        let mut before = cell.load(Ordering::Relaxed);
        loop {
            let after = change(Word(before));
            match cell.compare_exchange(before, after.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return (Word(before), after),
                Err(changed) => before = changed,
            }
        }
    }

    /// Puts `next` in the place of this word, if it is still there.
    pub(super) fn swap(self, next: Word, cell: &AtomicU64) -> bool {
        cell.compare_exchange(self.0, next.0, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    pub(super) fn phase(self) -> Option<Phase> {
        Phase::ALL.get((self.0 & PHASE).checked_sub(1)? as usize).copied()
    }

    pub(super) fn claim(self) -> Option<Claim> {
        Claim::ALL.get(((self.0 & CLAIM) >> CLAIM_SHIFT).checked_sub(1)? as usize).copied()
    }

    pub(super) fn is_stuck(self) -> bool {
        self.0 & STUCK != 0
    }

    pub(super) fn changes(self) -> u64 {
        self.0 / CHANGE
    }

    /// The tenant goes on to `phase`. A claim stays: it holds until the tenant leaves. Only who was to go and has a whole request by
    /// now stays for as long as that takes, and what is written then are no last words.
    pub(super) fn entered(self, phase: Phase) -> Word {
        let entered = Word((self.0 & !(PHASE | STUCK)).wrapping_add(CHANGE) | phase as u64);
        let is_at_work = matches!(phase, Phase::Waiting | Phase::Handling | Phase::Upgraded);
        if is_at_work && entered.claim().is_some_and(Claim::leaves_last_words) {
            return entered.with(Claim::Outrun);
        }
        entered
    }

    /// The tenant leaves.
    pub(super) fn vacated(self) -> Word {
        Word((self.0 & !(PHASE | CLAIM | STUCK)).wrapping_add(CHANGE))
    }

    /// Somebody claims it; `None` if it has been claimed for as much already.
    ///
    /// A claimed tenant may still write its last words; when it takes too long for that, or the drain's time is up, it
    /// is claimed again, for good.
    pub(super) fn claimed(self, claim: Claim) -> Option<Word> {
        let stronger = match (self.claim(), claim) {
            (Some(before), Claim::DrainDeadline) => before != Claim::DrainDeadline,
            (None, _)
            | (Some(Claim::Shutdown | Claim::Outrun), Claim::Overdue)
            | (Some(Claim::Outrun), Claim::TooSlow | Claim::Evicted) => true,
            (Some(Claim::Overdue | Claim::TooSlow | Claim::Evicted), Claim::Overdue) => {
                self.phase() == Some(Phase::Writing)
            }
            _ => false,
        };
        stronger.then_some(self.with(claim))
    }

    fn with(self, claim: Claim) -> Word {
        Word((self.0 & !CLAIM) | ((claim as u64) << CLAIM_SHIFT))
    }

    pub(super) fn stuck(self) -> Word {
        Word(self.0 | STUCK)
    }
}
