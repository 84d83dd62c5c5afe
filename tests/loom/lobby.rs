//! The lobby: [`Lobby`].

use super::{Inside, Preemptions, at_millis, explore, millis};
use loom::thread;
use selvedge::clock::Tick;
use selvedge::threads::{Arrival, Lobby, LobbySettings, Seat};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const NOW: Tick = at_millis(0);

/// A lobby with one seat, a stand-in for it, and two places; and the first guest, number 0, on the seat.
fn taken() -> (Arc<Lobby<usize>>, Seat<usize>) {
    let settings = LobbySettings { seats: 1, stand_ins: 1, places: 2, patience: millis(500) };
    let lobby = Arc::new(Lobby::new(settings));
    match lobby.arrive(0, NOW) {
        Arrival::Seated(seat, 0) => (lobby, seat),
        other => panic!("{other:?}"),
    }
}

/// The guests who had a seat, in the order of their sitting down.
#[derive(Default)]
struct Guests(Mutex<Vec<usize>>);

impl Guests {
    /// Serves a guest on its seat, and whoever the seat passes to.
    fn serve(&self, seated: Option<(Seat<usize>, usize)>) {
        let mut next = seated;
        while let Some((seat, guest)) = next {
            self.note(guest);
            next = seat.pass_on();
        }
    }

    fn note(&self, guest: usize) {
        self.0.lock().expect("a panic ends the model").push(guest);
    }

    fn served(&self) -> Vec<usize> {
        self.0.lock().expect("a panic ends the model").clone()
    }
}

fn assert_at_rest(lobby: &Lobby<usize>) {
    assert_eq!((lobby.waiting(), lobby.taken()), (0, 0));
}

/// Arrives, and serves whom he gets a seat for; says whether that was at once.
fn arrive(lobby: &Arc<Lobby<usize>>, guests: &Guests, guest: usize) -> bool {
    match lobby.arrive(guest, NOW) {
        Arrival::Seated(seat, guest) => {
            guests.serve(Some((seat, guest)));
            true
        }
        Arrival::Waiting => false,
        Arrival::TurnedAway(_) => panic!("there was room"),
    }
}

/// Who arrives while the only seat is passed on is seated: at once, or by who stands up. Nobody waits beside a free
/// seat.
///
/// Three threads, exhaustive: 551 interleavings. Caught: `pass_on` that looks at the queue under one lock and
/// leaves under the next (one waits at rest); `leave` that does not free the number (the same).
#[test]
fn nobody_waits_beside_a_seat_that_is_passed_on() {
    explore(Preemptions::Any, [[true, true], [true, false], [false, true], [false, false]], || {
        let (lobby, seat) = taken();
        let guests = Arc::new(Guests::default());
        let comer = |guest| {
            let (lobby, guests) = (lobby.clone(), guests.clone());
            thread::spawn(move || arrive(&lobby, &guests, guest))
        };
        let comers = [comer(1), comer(2)];
        guests.serve(seat.pass_on());
        let at_once = comers.map(|comer| comer.join().expect("a panic ends the model"));
        assert_at_rest(&lobby);
        let mut served = guests.served();
        served.sort_unstable();
        assert_eq!(served, [1, 2]);
        at_once
    });
}

/// A seat that is dropped and then offered to the queue, as the server does: first come, first served, and a
/// newcomer finds no seat while somebody waits.
///
/// Two threads, exhaustive: 21 interleavings. Caught: `arrive` that takes a free seat without a look at the queue
/// ("overtook").
#[test]
fn a_seat_that_was_dropped_goes_to_who_came_first() {
    explore(Preemptions::Any, [[1, 2]], || {
        let (lobby, seat) = taken();
        let guests = Arc::new(Guests::default());
        assert!(matches!(lobby.arrive(1, NOW), Arrival::Waiting));
        let newcomer = {
            let (lobby, guests) = (lobby.clone(), guests.clone());
            thread::spawn(move || {
                let at_once = arrive(&lobby, &guests, 2);
                assert!(!at_once || guests.served().first() == Some(&1), "overtook");
            })
        };
        drop(seat);
        guests.serve(lobby.call_next());
        newcomer.join().expect("a panic ends the model");
        assert_at_rest(&lobby);
        <[usize; 2]>::try_from(guests.served()).expect("two guests")
    });
}

/// Who arrives while the only seat is dropped, nobody waiting, sits on it or is there when the seat is offered.
///
/// Two threads, exhaustive: 15 interleavings. Caught: `take_seat` with `>` for `>=` (nobody ever has to wait).
#[test]
fn nobody_waits_beside_a_seat_that_is_dropped() {
    explore(Preemptions::Any, [true, false], || {
        let (lobby, seat) = taken();
        let guests = Arc::new(Guests::default());
        let comer = {
            let (lobby, guests) = (lobby.clone(), guests.clone());
            thread::spawn(move || arrive(&lobby, &guests, 1))
        };
        drop(seat);
        guests.serve(lobby.call_next());
        let at_once = comer.join().expect("a panic ends the model");
        assert_at_rest(&lobby);
        assert_eq!(guests.served(), [1]);
        at_once
    });
}

/// With a stand-in opened and closed again, seats and their numbers are never given twice, and never more than are
/// open once those beyond have been left.
///
/// Two threads, exhaustive: 5 interleavings. Caught: `pass_on` that does not ask how many are open (passed on);
/// `take_seat` that reads a number without taking it out (number 0 twice).
#[test]
fn there_are_never_more_seats_than_open() {
    explore(Preemptions::Any, [1, 2], || {
        let (lobby, seat) = taken();
        let inside = Arc::new(Inside::default());
        inside.enter(1);
        lobby.stand_in_for(1);
        let comer = {
            let (lobby, inside) = (lobby.clone(), inside.clone());
            thread::spawn(move || {
                let Arrival::Seated(seat, _) = lobby.arrive(1, NOW) else { return None };
                inside.enter(1);
                assert!(lobby.taken() <= 2);
                Some(seat)
            })
        };
        lobby.stand_in_for(0);
        let second = comer.join().expect("a panic ends the model");
        assert_eq!(lobby.taken(), 1 + usize::from(second.is_some()));
        if let Some(second) = &second {
            assert_ne!(second.number(), seat.number());
            // The stand-in's time is over: of the two seats, the first to be left is not passed on.
            assert!(matches!(lobby.arrive(2, NOW), Arrival::Waiting));
            assert!(seat.pass_on().is_none());
            assert_eq!(lobby.taken(), 1);
        }
        inside.most()
    });
}

/// A guest whose patience ends while a seat is passed to him is seated or sent away: one of the two. The next, who
/// still has patience, is not sent away in his place.
///
/// Two threads, exhaustive: 7 interleavings. Caught: `waited_out` that counts under one lock and drains under the
/// next (the second is sent away); one that drains nothing, and one that asks for nobody's patience.
#[test]
fn a_guest_who_has_waited_enough_is_seated_or_sent_away() {
    explore(Preemptions::Any, [(vec![1, 2], vec![]), (vec![2], vec![1])], || {
        let (lobby, seat) = taken();
        let guests = Arc::new(Guests::default());
        for (guest, arrived) in [(1, at_millis(0)), (2, at_millis(400))] {
            assert!(matches!(lobby.arrive(guest, arrived), Arrival::Waiting));
        }
        let server = {
            let guests = guests.clone();
            thread::spawn(move || guests.serve(seat.pass_on()))
        };
        let sent_away = lobby.waited_out(at_millis(500));
        server.join().expect("a panic ends the model");
        assert_at_rest(&lobby);
        (guests.served(), sent_away)
    });
}

/// A guest who arrives while the lobby closes is seated or turned away, on arrival or out of the queue: just once.
///
/// Three threads, exhaustive: 135 interleavings. Caught: `close` that drains the queue under one lock and closes
/// under the next (one waits at rest).
#[test]
fn a_guest_beside_the_close_is_seated_or_turned_away() {
    let seated = [vec![1], vec![], vec![]];
    let out_of_the_queue = [vec![], vec![1], vec![]];
    let on_arrival = [vec![], vec![], vec![1]];
    explore(Preemptions::Any, [seated, out_of_the_queue, on_arrival], || {
        let (lobby, seat) = taken();
        let guests = Arc::new(Guests::default());
        let comer = {
            let (lobby, guests) = (lobby.clone(), guests.clone());
            thread::spawn(move || match lobby.arrive(1, NOW) {
                Arrival::Seated(seat, guest) => {
                    guests.serve(Some((seat, guest)));
                    vec![]
                }
                Arrival::Waiting => vec![],
                Arrival::TurnedAway(guest) => vec![guest],
            })
        };
        let leaver = thread::spawn(move || drop(seat));
        let out_of_the_queue = lobby.close();
        let on_arrival = comer.join().expect("a panic ends the model");
        leaver.join().expect("a panic ends the model");
        assert_at_rest(&lobby);
        [guests.served(), out_of_the_queue, on_arrival]
    });
}

/// A guest who is sent back from its seat while the lobby closes is turned away: with the queue, or by being given
/// back.
///
/// Two threads, exhaustive: 5 interleavings. Caught: `send_back` that does not ask whether the lobby is closed (one
/// waits at rest).
#[test]
fn a_guest_sent_back_beside_the_close_is_turned_away() {
    explore(Preemptions::Any, [(vec![0], None), (vec![], Some(0))], || {
        let (lobby, seat) = taken();
        let sender = {
            let lobby = lobby.clone();
            thread::spawn(move || lobby.send_back(seat, 0, NOW).err())
        };
        let out_of_the_queue = lobby.close();
        let given_back = sender.join().expect("a panic ends the model");
        assert_at_rest(&lobby);
        (out_of_the_queue, given_back)
    });
}

/// Who waits for the lobby to be empty sees the last seat left, whichever way and by whomever.
///
/// Three threads, exhaustive: 249 interleavings. Caught: `leave` without its `notify_all`, and a drop that leaves
/// by itself (deadlock).
#[test]
fn the_last_to_leave_is_seen() {
    explore(Preemptions::Any, [()], || {
        let (lobby, first) = taken();
        lobby.stand_in_for(1);
        let Arrival::Seated(second, _) = lobby.arrive(1, NOW) else { panic!("there was a seat") };
        let left = Arc::new(AtomicUsize::new(0));
        let leave = |leave: fn(Seat<usize>), seat| {
            let left = left.clone();
            thread::spawn(move || {
                left.fetch_add(1, Ordering::Relaxed);
                leave(seat);
            })
        };
        let leaving = [leave(drop, first), leave(|seat| assert!(seat.pass_on().is_none()), second)];
        assert!(lobby.wait_until_empty(None));
        assert_eq!(left.load(Ordering::Relaxed), 2);
        for leaving in leaving {
            leaving.join().expect("a panic ends the model");
        }
        assert_at_rest(&lobby);
    });
}
