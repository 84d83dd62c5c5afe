//! The lobby and its seats.

use super::{at, millis, patience};
use selvedge::threads::{Arrival, Lobby, LobbySettings, Seat};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

fn lobby(seats: usize, stand_ins: usize, places: usize) -> Arc<Lobby<char>> {
    Arc::new(Lobby::new(LobbySettings { seats, stand_ins, places, patience: millis(500) }))
}

fn seated(arrival: Arrival<char>) -> Seat<char> {
    match arrival {
        Arrival::Seated(seat, _) => seat,
        other => panic!("no seat: {other:?}"),
    }
}

fn number_and_guest(next: Option<&(Seat<char>, char)>) -> Option<(usize, char)> {
    next.map(|(seat, guest)| (seat.number(), *guest))
}

#[test]
fn seats_then_queues_then_turns_away() {
    let lobby = lobby(2, 0, 2);
    let first = seated(lobby.arrive('a', at(0)));
    let second = seated(lobby.arrive('b', at(0)));
    assert_eq!((first.number(), second.number()), (0, 1));
    assert!(matches!(lobby.arrive('c', at(1)), Arrival::Waiting));
    assert!(matches!(lobby.arrive('d', at(2)), Arrival::Waiting));
    assert!(matches!(lobby.arrive('e', at(3)), Arrival::TurnedAway('e')));
    assert_eq!((lobby.taken(), lobby.waiting()), (2, 2));

    let third = second.pass_on();
    assert_eq!(number_and_guest(third.as_ref()), Some((1, 'c')), "first come, first served");
    // A seat that is dropped is not passed on: the queue is called to it.
    drop(first);
    assert!(matches!(lobby.arrive('e', at(4)), Arrival::Waiting), "who waits already was here first");
    let fourth = lobby.call_next();
    assert_eq!(number_and_guest(fourth.as_ref()), Some((0, 'd')));
    assert!(lobby.call_next().is_none(), "no seat is free");
    assert!(!lobby.wait_until_empty(Some(Instant::now())));
    drop((third, fourth));
    assert_eq!(number_and_guest(lobby.call_next().as_ref()), Some((0, 'e')));
    assert!(lobby.wait_until_empty(None));
}

#[test]
fn sends_away_who_has_waited_for_long_enough() {
    let lobby = lobby(1, 0, 3);
    let seat = seated(lobby.arrive('a', at(0)));
    for (guest, now) in [('b', 10), ('c', 20), ('d', 30)] {
        assert!(matches!(lobby.arrive(guest, at(now)), Arrival::Waiting));
    }
    assert!(lobby.waited_out(at(509)).is_empty());
    assert_eq!(lobby.waited_out(at(520)), ['b', 'c']);
    assert_eq!(number_and_guest(seat.pass_on().as_ref()), Some((0, 'd')));
}

#[test]
fn takes_a_guest_back_to_the_head_of_the_queue() {
    let lobby = lobby(1, 0, 1);
    let seat = seated(lobby.arrive('a', at(0)));
    assert!(matches!(lobby.arrive('b', at(1)), Arrival::Waiting));
    assert_eq!(lobby.send_back(seat, 'a', at(0)), Ok(()));
    assert_eq!((lobby.taken(), lobby.waiting()), (0, 2), "the guest has had its place");
    let (seat, guest) = lobby.call_next().expect("a guest and a seat");
    assert_eq!(guest, 'a');
    assert_eq!(lobby.close(), ['b']);
    assert_eq!(lobby.send_back(seat, 'a', at(0)), Err('a'), "a closed lobby has no queue");
    assert!(matches!(lobby.arrive('c', at(2)), Arrival::TurnedAway('c')));
    assert!(lobby.wait_until_empty(None));
}

#[test]
fn opens_stand_ins_up_to_their_bound_and_closes_them_again() {
    let lobby = lobby(1, 1, 2);
    let ordinary = seated(lobby.arrive('a', at(0)));
    assert!(matches!(lobby.arrive('b', at(0)), Arrival::Waiting));
    lobby.stand_in_for(5);
    let stand_in = lobby.call_next();
    assert_eq!(number_and_guest(stand_in.as_ref()), Some((1, 'b')));
    assert!(matches!(lobby.arrive('c', at(0)), Arrival::Waiting), "one stand-in and no more");
    lobby.stand_in_for(0);
    assert!(ordinary.pass_on().is_none(), "two are seated and one seat is open: the first to leave goes");
    let (stand_in, _) = stand_in.expect("it was there");
    assert_eq!(number_and_guest(stand_in.pass_on().as_ref()), Some((1, 'c')));
}

#[test]
fn seats_who_does_not_wait_only_where_nobody_waits() {
    let lobby = lobby(1, 0, 1);
    let seat = lobby.sit_at_once().expect("it is free");
    assert!(lobby.sit_at_once().is_none(), "it is taken");
    assert!(matches!(lobby.arrive('a', at(0)), Arrival::Waiting));
    drop(seat);
    assert!(lobby.sit_at_once().is_none(), "it is free, but somebody waits for it");
    drop(lobby.call_next());
    assert!(lobby.sit_at_once().is_some());
    lobby.close();
    assert!(lobby.sit_at_once().is_none(), "closed");
}

#[test]
fn tells_when_the_last_has_left() {
    let lobby = lobby(1, 0, 0);
    let seat = seated(lobby.arrive('a', at(0)));
    assert!(!lobby.wait_until_empty(Some(Instant::now())));
    let waiter = {
        let lobby = lobby.clone();
        thread::spawn(move || lobby.wait_until_empty(Some(patience())))
    };
    drop(seat);
    assert!(waiter.join().expect("no panic"));
}
