//! The board, with everybody who reads it: [`Board`], [`enforce`], [`evict`], and the lobby behind it.

use super::{Flag, at_millis, explore, join, millis};
use selvedge::clock::Tick;
use selvedge::threads::{
    Arrival, Board, Claim, Cut, Lifeline, Lobby, LobbySettings, Occupant, Phase, Seat, Tenant, enforce, evict,
};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use std::sync::Arc;

const START: Tick = at_millis(0);
/// When heads and answers must be over, and handlers become stuck.
const DEADLINE: Tick = at_millis(50);
/// When everybody looks: a newcomer who has said nothing is suspect by then, and whatever has a deadline is past it.
const NOW: Tick = at_millis(100);

fn assert_at_rest(board: &Board) {
    assert_eq!((board.views().count(), board.evicting(), board.stuck()), (0, 0, 0));
}

/// A connection's socket. No part of the model.
#[derive(Default)]
struct Line {
    cut: Flag,
    handling: Flag,
}

impl Lifeline for Line {
    fn cut(&self, _: Cut) {
        assert!(!self.handling.is_set(), "cut while its request was being handled");
        self.cut.set(true);
    }
}

/// For as long as others need to look at every seat.
fn rest() {
    (0..20).for_each(|_| thread::yield_now());
}

/// A connection's life of two requests, unless it is told to go.
fn spend(occupant: &Occupant, line: &Line) -> Option<Claim> {
    let enter = |phase, deadline| occupant.enter(phase, deadline, START).map_or(Ok(()), Err);
    let requests = || {
        for _ in 0..2 {
            enter(Phase::Waiting, Tick::NEVER)?;
            enter(Phase::Handling, DEADLINE)?;
            line.handling.set(true);
            rest();
            line.handling.set(false);
            enter(Phase::Writing, DEADLINE)?;
            occupant.count_request();
            enter(Phase::Idle, Tick::NEVER)?;
            rest();
            enter(Phase::Head, DEADLINE)?;
            rest();
        }
        Ok(())
    };
    requests().err()
}

/// On three seats one connection follows another, while an acceptor evicts, a watchdog looks for what is overdue, and a
/// shutdown sends home whoever is between requests. Nobody is cut whose request is being handled; who is cut has been
/// claimed himself, not the one before him on the seat; no more are told to go than were claimed; and the counts of
/// evicted and stuck ones are right at any moment, and zero in the end.
///
/// Seven threads. Caught: `lifeline_of` that does not ask when the tenancy began, and `Word::entered` that drops the
/// claim (cut, and not claimed); `Word::vacated` that keeps it (more told than claimed); `evict` that takes handlers for
/// idle (cut while handling); `claim` that does not compare, or does not forget the weaker claim (not at rest);
/// `mark_stuck` that counts after the swap (below zero).
#[test]
fn a_claim_ends_the_tenant_it_was_made_for() {
    const SEATS: usize = 3;
    let races =
        ["nobody was claimed", "one was evicted", "one was overdue", "one was sent home", "one was stuck"];
    explore(races, || {
        let board = Arc::new(Board::new(SEATS));
        let seats: Vec<_> = (0..SEATS)
            .map(|number| {
                let board = board.clone();
                thread::spawn(move || {
                    let mut told = Vec::new();
                    for _ in 0..3 {
                        let line = Arc::new(Line::default());
                        let client = number as u64 / 2;
                        let tenant = Tenant { peer: None, client, lifeline: Some(line.clone()) };
                        let occupant = board.sit(number, tenant, START, DEADLINE);
                        told.extend(spend(&occupant, &line));
                        let cut = line.cut.is_set();
                        assert!(!cut || occupant.claim().is_some(), "cut, and not claimed");
                    }
                    told
                })
            })
            .collect();
        let looker = |look: fn(&Board) -> [usize; 2]| {
            let board = board.clone();
            thread::spawn(move || {
                let looks = [(); 6].map(|()| {
                    let did = look(&board);
                    rest();
                    assert!(board.evicting() <= SEATS && board.stuck() <= SEATS + 1);
                    did
                });
                looks.iter().fold([0; 2], |sum, did| [sum[0] + did[0], sum[1] + did[1]])
            })
        };
        let acceptor = looker(|board| [evict(board, NOW, || 1, None), 0]);
        let watchdog = looker(|board| {
            let enforced = enforce(board, NOW, None);
            [enforced.claimed, enforced.stuck.len()]
        });
        let shutdown = looker(|board| {
            let idle = board.views().filter(|view| view.phase == Phase::Idle);
            [idle.filter(|view| board.claim(view, Claim::Shutdown)).count(), 0]
        });
        let told = join(seats).concat();
        let did = join([acceptor, watchdog, shutdown]);
        assert_at_rest(&board);
        let claims: usize = did.iter().map(|[claims, _]| claims).sum();
        assert!(told.len() <= claims, "{} were told to go, and {claims} were claimed", told.len());
        [
            claims == 0,
            told.contains(&Claim::Evicted),
            told.contains(&Claim::Overdue),
            told.contains(&Claim::Shutdown),
            did[1][1] > 0,
        ]
    });
}

/// A connection that does nothing until it is cut.
#[derive(Default)]
struct Idler {
    cut: Mutex<bool>,
    noticed: Condvar,
}

impl Lifeline for Idler {
    fn cut(&self, _: Cut) {
        *self.cut.lock().expect("never held over a panic") = true;
        self.noticed.notify_all();
    }
}

impl Idler {
    fn wait(&self) {
        let mut cut = self.cut.lock().expect("never held over a panic");
        while !*cut {
            cut = self.noticed.wait(cut).expect("never held over a panic");
        }
    }
}

/// Sits on the seat until cut, and then does so with the guest who is called to the seat. The first is idle, those who
/// follow have a request that is being handled.
fn serve(board: &Arc<Board>, mut seat: Seat<usize>) -> usize {
    let mut served = 0;
    loop {
        let idler = Arc::new(Idler::default());
        let tenant = Tenant { peer: None, client: 1, lifeline: Some(idler.clone()) };
        let occupant = board.sit(seat.number(), tenant, NOW, Tick::NEVER);
        let phase = if served == 0 { Phase::Idle } else { Phase::Handling };
        if occupant.enter(phase, Tick::NEVER, NOW).is_none() {
            idler.wait();
        }
        let vacated = occupant.leave();
        let next = seat.pass_on();
        drop(vacated);
        match next {
            Some((next, _)) => seat = next,
            None => return served,
        }
        served += 1;
    }
}

/// Three guests come by two doors to four seats of idle connections. For each of them one is evicted, and no other: who has been
/// told to go counts until the guest has the seat.
///
/// Seven threads. Caught: who waits counted before who has been told to go, and a count before the first is evicted instead
/// of one for each, both as the server once did; a leaving that is forgotten before the seat is passed on (four evicted).
#[test]
fn one_is_evicted_for_each_guest() {
    const SEATS: usize = 4;
    const GUESTS: usize = 3;
    let races = ["nobody had left yet", "one had left at once"];
    explore(races, || {
        let board = Arc::new(Board::new(SEATS));
        let settings = LobbySettings { seats: SEATS, stand_ins: 0, places: GUESTS, patience: millis(500) };
        let lobby = Arc::new(Lobby::new(settings));
        let seats: Vec<_> = (0..SEATS)
            .map(|guest| {
                let Arrival::Seated(seat, _) = lobby.arrive(guest, NOW) else { panic!("there are seats") };
                let board = board.clone();
                thread::spawn(move || serve(&board, seat))
            })
            .collect();
        while board.views().filter(|view| view.phase == Phase::Idle).count() < SEATS {
            thread::yield_now();
        }
        let acceptors = [0..1, 1..GUESTS].map(|guests| {
            let (board, lobby) = (board.clone(), lobby.clone());
            thread::spawn(move || {
                let make_room = || evict(&board, NOW, || lobby.waiting(), None);
                let mut evicted = 0;
                let mut waiting = 0;
                for guest in guests {
                    assert!(matches!(lobby.arrive(guest, NOW), Arrival::Waiting));
                    evicted += make_room();
                    waiting = lobby.waiting();
                }
                while lobby.waiting() > 0 {
                    evicted += make_room();
                    thread::yield_now();
                }
                (evicted, waiting)
            })
        });
        let did = join(acceptors);
        assert_eq!(did.iter().map(|(evicted, _)| evicted).sum::<usize>(), GUESTS);
        let waiting = did.iter().map(|(_, waiting)| *waiting).max().unwrap_or(0);
        while lobby.taken() > 0 {
            for view in board.views() {
                board.claim(&view, Claim::DrainDeadline);
            }
            thread::yield_now();
        }
        assert_eq!(join(seats).iter().sum::<usize>(), GUESTS);
        assert_at_rest(&board);
        [waiting == GUESTS, waiting < GUESTS]
    });
}
