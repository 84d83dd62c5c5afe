//! A counting semaphore: so many at once, so many in the queue, and nobody waits for ever.

use crate::sync::{Arc, Condvar, Mutex};
use std::collections::VecDeque;
use std::time::Instant;

/// Lets a fixed number of holders in at once and queues a bounded number of others, first come first served.
///
/// A permit that is given back while somebody waits is *handed over*, not put back: the first in the queue owns it
/// before it has woken up, so a newcomer can never slip in between, and nobody ever wakes for a permit that is gone.
///
/// ```
/// use selvedge::threads::{Overflow, Semaphore};
/// use std::sync::Arc;
///
/// let two_at_once = Arc::new(Semaphore::new(2, 0));
/// let first = two_at_once.acquire(None)?;
/// let second = two_at_once.acquire(None)?;
/// assert_eq!(two_at_once.acquire(None).err(), Some(Overflow::QueueFull));
/// drop(first);
/// assert!(two_at_once.acquire(None).is_ok());
/// # Ok::<(), Overflow>(())
/// ```
#[derive(Debug)]
pub struct Semaphore {
    /// Written by every acquire and release; the lock guards all of it, and is never held while waiting.
    state: Mutex<State>,
    permits: usize,
    max_waiting: usize,
}

/// While `available` is above zero the queue is empty: that is the whole invariant.
#[derive(Debug)]
struct State {
    available: usize,
    /// In the order of arrival, and so of their tickets.
    queue: VecDeque<Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    /// One for each waiter, so that a hand-over wakes the right thread and no other.
    woken: Arc<Condvar>,
}

/// The right to be in. Dropping it gives it back, whichever way its holder leaves.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once permits nothing"]
pub struct Permit(Arc<Semaphore>);

/// Why there was no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// As many wait as may; this one was not let into the queue.
    QueueFull,
    /// The deadline passed in the queue.
    TimedOut,
    /// It was called away from the queue.
    CalledAway,
}

impl Semaphore {
    /// A semaphore with `permits` permits, for which at most `max_waiting` threads wait.
    pub fn new(permits: usize, max_waiting: usize) -> Self {
        let state = State { available: permits, queue: VecDeque::new(), next_ticket: 0 };
        Semaphore { state: Mutex::new(state), permits, max_waiting }
    }

    /// Takes a permit if one is free.
    pub fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state.lock();
        state.take().then(|| Permit(self.clone()))
    }

    /// Takes a permit, waiting for one in the queue until `deadline`; `None` waits for as long as it takes.
    pub fn acquire(self: &Arc<Self>, deadline: Option<Instant>) -> Result<Permit, Overflow> {
        self.acquire_unless(deadline, || false)
    }

    /// The same for somebody who may be called away while he waits. He asks when he has joined the queue, and whenever somebody
    /// [stirs](Semaphore::stir) it; under its lock, so `called_away` must be short and call nothing that can block or panic.
    pub fn acquire_unless(
        self: &Arc<Self>,
        deadline: Option<Instant>,
        called_away: impl Fn() -> bool,
    ) -> Result<Permit, Overflow> {
        let mut state = self.state.lock();
        if state.take() {
            return Ok(Permit(self.clone()));
        }
        if state.queue.len() >= self.max_waiting {
            return Err(Overflow::QueueFull);
        }
        let (ticket, woken) = state.enqueue();
        let mut time_is_up = false;
        loop {
            // Out of the queue means the permit is ours, even if it came in the same moment as the deadline.
            let Some(place) = state.place_of(ticket) else { return Ok(Permit(self.clone())) };
            let overflow = match (time_is_up, called_away()) {
                (_, true) => Overflow::CalledAway,
                (true, false) => Overflow::TimedOut,
                (false, false) => {
                    time_is_up = woken.wait_until(&mut state, deadline);
                    continue;
                }
            };
            state.queue.remove(place);
            return Err(overflow);
        }
    }

    /// Has all who wait look whether they have been called away.
    pub fn stir(&self) {
        self.state.lock().queue.iter().for_each(|waiter| waiter.woken.notify_one());
    }

    /// Permits held now.
    pub fn in_use(&self) -> usize {
        self.permits - self.state.lock().available
    }

    /// Threads that wait for a permit now.
    pub fn waiting(&self) -> usize {
        self.state.lock().queue.len()
    }

    fn release(&self) {
        let mut state = self.state.lock();
        if let Some(first) = state.queue.pop_front() {
            drop(state);
            first.woken.notify_one();
        } else {
            state.available += 1;
        }
    }
}

impl State {
    fn take(&mut self) -> bool {
        let free = self.available > 0;
        if free {
            self.available -= 1;
        }
        free
    }

    fn enqueue(&mut self) -> (u64, Arc<Condvar>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let woken = Arc::new(Condvar::new());
        self.queue.push_back(Waiter { ticket, woken: woken.clone() });
        (ticket, woken)
    }

    fn place_of(&self, ticket: u64) -> Option<usize> {
        self.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.release();
    }
}
