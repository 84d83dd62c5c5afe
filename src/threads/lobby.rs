//! Where connections wait for a seat, and how a seat passes from hand to hand.

use crate::clock::Tick;
use crate::sync::{Arc, AtomicUsize, Condvar, Mutex, Ordering};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A fixed number of numbered seats and a bounded queue in front of them.
///
/// Whoever arrives gets a free seat, or a place in the queue, or is turned away. Whoever stands up calls the next in
/// himself ([`Seat::pass_on`]): the seat changes hands without anybody else waking up. Seats and queue are under one
/// lock, so that nobody can be left waiting beside a free seat.
#[derive(Debug)]
pub struct Lobby<T> {
    /// Written by all who arrive, stand up, or clear out the queue.
    state: Mutex<State<T>>,
    /// The queue's length, for those who only want to know whether anybody waits. Written under the lock.
    waiting: AtomicUsize,
    /// Told when the last seat is left.
    empty: Condvar,
    settings: LobbySettings,
}

/// How large a lobby is.
#[derive(Clone, Debug)]
pub struct LobbySettings {
    /// Seats in ordinary times.
    pub seats: usize,
    /// Seats that can be added for others that are stuck.
    pub stand_ins: usize,
    /// Places in the queue.
    pub places: usize,
    /// How long a place may be held.
    pub patience: Duration,
}

#[derive(Debug)]
struct State<T> {
    /// Numbers of the seats nobody has; the last is given first, so that few seats are used by few.
    free: Vec<usize>,
    taken: usize,
    /// Seats that may be taken now: `seats`, and a stand-in for each that is stuck.
    open: usize,
    queue: VecDeque<(Tick, T)>,
    closed: bool,
}

/// A seat that is taken. [`pass_on`](Seat::pass_on) leaves it to the first in the queue. Dropping it only frees it: who
/// waits has to be called in ([`Lobby::call_next`]).
#[derive(Debug)]
pub struct Seat<T> {
    /// `None` once the seat has been left.
    lobby: Option<Arc<Lobby<T>>>,
    number: usize,
}

/// What became of somebody who arrived.
#[derive(Debug)]
pub enum Arrival<T> {
    /// There was a free seat.
    Seated(Seat<T>, T),
    /// Every seat is taken; it waits in the queue.
    Waiting,
    /// The queue is full, or the lobby closed.
    TurnedAway(T),
}

impl<T> Lobby<T> {
    /// An empty lobby.
    pub fn new(settings: LobbySettings) -> Self {
        let all = settings.seats + settings.stand_ins;
        let state = State {
            free: (0..all).rev().collect(),
            taken: 0,
            open: settings.seats,
            queue: VecDeque::with_capacity(settings.places),
            closed: false,
        };
        Lobby { state: Mutex::new(state), waiting: AtomicUsize::new(0), empty: Condvar::new(), settings }
    }

    /// Takes a seat for `guest`, or a place in the queue.
    pub fn arrive(self: &Arc<Self>, guest: T, now: Tick) -> Arrival<T> {
        let mut state = self.state.lock();
        if state.closed {
            return Arrival::TurnedAway(guest);
        }
        // Who waits already was here first.
        if state.queue.is_empty()
            && let Some(number) = state.take_seat()
        {
            return Arrival::Seated(self.seat(number), guest);
        }
        if state.queue.len() == self.settings.places {
            return Arrival::TurnedAway(guest);
        }
        state.queue.push_back((now, guest));
        self.publish(&state);
        Arrival::Waiting
    }

    /// A seat for somebody who does not wait, if one is free that nobody waits for.
    pub fn sit_at_once(self: &Arc<Self>) -> Option<Seat<T>> {
        let mut state = self.state.lock();
        if state.closed || !state.queue.is_empty() {
            return None;
        }
        let number = state.take_seat()?;
        Some(self.seat(number))
    }

    /// Puts a guest that could not be served on its seat back to the head of the queue, and frees the seat.
    ///
    /// The queue may be one longer than its bound for it: the guest has had its place. A lobby that has been closed
    /// meanwhile has no queue any more, and gives the guest back.
    pub fn send_back(&self, seat: Seat<T>, guest: T, arrived: Tick) -> Result<(), T> {
        let mut state = self.state.lock();
        let back = if state.closed {
            Err(guest)
        } else {
            state.queue.push_front((arrived, guest));
            self.publish(&state);
            Ok(())
        };
        drop(state);
        drop(seat);
        back
    }

    /// Seats the first in the queue, if there is a free seat for it.
    pub fn call_next(self: &Arc<Self>) -> Option<(Seat<T>, T)> {
        let mut state = self.state.lock();
        if state.queue.is_empty() {
            return None;
        }
        let number = state.take_seat()?;
        let (_, guest) = state.queue.pop_front()?;
        self.publish(&state);
        Some((self.seat(number), guest))
    }

    /// Takes those out of the queue who have waited for as long as they may.
    pub fn waited_out(&self, now: Tick) -> Vec<T> {
        let mut state = self.state.lock();
        let overdue = state
            .queue
            .iter()
            .take_while(|(arrived, _)| now.since(*arrived) >= self.settings.patience)
            .count();
        let guests = state.queue.drain(..overdue).map(|(_, guest)| guest).collect();
        self.publish(&state);
        guests
    }

    /// Turns away all who wait and all who come from now on.
    pub fn close(&self) -> Vec<T> {
        let mut state = self.state.lock();
        state.closed = true;
        let guests = state.queue.drain(..).map(|(_, guest)| guest).collect();
        self.publish(&state);
        guests
    }

    /// Opens as many seats beyond the ordinary ones, up to the bound.
    pub fn stand_in_for(&self, stuck: usize) {
        self.state.lock().open = self.settings.seats + stuck.min(self.settings.stand_ins);
    }

    /// How many wait. Cheap, and possibly a moment old.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many seats are taken.
    pub fn taken(&self) -> usize {
        self.state.lock().taken
    }

    /// Waits until every seat is free, or until `deadline`; says whether they are.
    pub fn wait_until_empty(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while state.taken > 0 {
            if self.empty.wait_until(&mut state, deadline) {
                break;
            }
        }
        state.taken == 0
    }

    fn seat(self: &Arc<Self>, number: usize) -> Seat<T> {
        Seat { lobby: Some(self.clone()), number }
    }

    fn publish(&self, state: &State<T>) {
        self.waiting.store(state.queue.len(), Ordering::Relaxed);
    }

    fn leave(&self, state: &mut State<T>, number: usize) {
        state.free.push(number);
        state.taken -= 1;
        if state.taken == 0 {
            self.empty.notify_all();
        }
    }
}

impl<T> State<T> {
    fn take_seat(&mut self) -> Option<usize> {
        if self.taken >= self.open {
            return None;
        }
        let number = self.free.pop()?;
        self.taken += 1;
        Some(number)
    }
}

impl<T> Seat<T> {
    /// The seat's number, below `seats + stand_ins`.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Stands up for the first in the queue, or leaves the seat free if nobody waits.
    pub fn pass_on(mut self) -> Option<(Seat<T>, T)> {
        let lobby = self.lobby.take()?;
        let mut state = lobby.state.lock();
        // A stand-in's seat goes when what it stood in for is over.
        let next = if state.taken > state.open { None } else { state.queue.pop_front() };
        if next.is_none() {
            // Under the same lock: between a look at the queue and the leaving, somebody could join it.
            lobby.leave(&mut state, self.number);
        }
        lobby.publish(&state);
        drop(state);
        next.map(|(_, guest)| (lobby.seat(self.number), guest))
    }
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        if let Some(lobby) = self.lobby.take() {
            lobby.leave(&mut lobby.state.lock(), self.number);
        }
    }
}
