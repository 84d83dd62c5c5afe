//! Lines on their way to somebody slow.

use crate::clock::Tick;
use crate::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// How often what was dropped is reported.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// A bounded queue of lines between many threads that must not wait and one that may: the writer.
///
/// Who has a line copies it to the end of a buffer, under a lock that is held for as long as that takes; a line that finds
/// the buffer full is dropped and counted. The writer swaps the whole buffer for an empty one, so it takes the lock once for
/// all that has come meanwhile, and no line costs an allocation.
#[derive(Debug)]
pub struct Spool {
    /// Written by every thread that has a line, and by the writer.
    state: Mutex<State>,
    /// Told when there is something for the writer to do.
    wanted: Condvar,
    /// Told when the writer has nothing more to do.
    done: Condvar,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    /// The writer has taken a batch and has not come back.
    writing: bool,
    reopen: bool,
    closed: bool,
    /// Lines that went nowhere, and how many of them have been reported.
    dropped: u64,
    reported: u64,
    report_due: Tick,
}

/// What the writer is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Write the batch.
    Write,
    /// Open the file anew, then ask again.
    Reopen,
    /// Nothing: the time is up.
    Nothing,
    /// Nothing more: everything is written, and the spool is closed.
    End,
}

impl Spool {
    /// A spool for lines of `capacity` bytes altogether.
    pub fn new(capacity: usize) -> Self {
        Spool { state: Mutex::new(State::default()), wanted: Condvar::new(), done: Condvar::new(), capacity }
    }

    /// Adds a line, its end included, or drops it; says which. Never waits for the writer.
    pub fn push(&self, line: &[u8]) -> bool {
        let mut state = self.state.lock();
        if state.closed || state.lines.len().saturating_add(line.len()) > self.capacity {
            state.dropped += 1;
            return false;
        }
        state.lines.extend_from_slice(line);
        drop(state);
        self.wanted.notify_one();
        true
    }

    /// Counts lines that the writer could not write.
    pub fn lose(&self, lines: u64) {
        self.state.lock().dropped += lines;
    }

    /// How many lines were dropped since the last report, if any were and a report is due at `now`: the first at once, then
    /// one a minute.
    pub fn report(&self, now: Tick) -> Option<u64> {
        let mut state = self.state.lock();
        let count = state.dropped - state.reported;
        if count == 0 || now < state.report_due {
            return None;
        }
        state.reported = state.dropped;
        state.report_due = now.after(REPORT_EVERY);
        Some(count)
    }

    /// When the next report is due; never, if there is nothing to report.
    pub fn report_due(&self) -> Tick {
        let state = self.state.lock();
        if state.dropped == state.reported { Tick::NEVER } else { state.report_due }
    }

    /// Lines dropped since the beginning.
    pub fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// Has the writer open its file anew, before it writes anything more.
    pub fn reopen(&self) {
        self.state.lock().reopen = true;
        self.wanted.notify_one();
    }

    /// Takes no more lines. The writer ends when it has written those that are here.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.wanted.notify_one();
    }

    /// Waits until everything that is here has been written, or until `deadline`; says whether it has.
    pub fn flush(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while !state.is_done() && !self.done.wait_until(&mut state, deadline) {}
        state.is_done()
    }

    /// For the writer: puts what is to be written into `batch`, which it has dealt with, waiting for something to do until
    /// `deadline`.
    pub fn take(&self, batch: &mut Vec<u8>, deadline: Option<Instant>) -> Order {
        batch.clear();
        // What one flood has left behind is not kept for ever.
        batch.shrink_to(self.capacity / 16);
        let mut state = self.state.lock();
        state.writing = false;
        loop {
            if state.reopen {
                state.reopen = false;
                state.writing = true;
                return Order::Reopen;
            }
            if !state.lines.is_empty() {
                std::mem::swap(&mut state.lines, batch);
                state.writing = true;
                return Order::Write;
            }
            self.done.notify_all();
            if state.closed {
                return Order::End;
            }
            if self.wanted.wait_until(&mut state, deadline) {
                return Order::Nothing;
            }
        }
    }
}

impl State {
    fn is_done(&self) -> bool {
        self.lines.is_empty() && !self.writing && !self.reopen
    }
}
