//! The board: [`Board`], and who reads it: [`enforce`] and [`evict`].

use super::{Preemptions, at_millis, explore, millis};
use loom::thread;
use selvedge::clock::Tick;
use selvedge::threads::{
    Board, Claim, Cut, Lifeline, MinimumRate, Occupant, Phase, Tenant, View, enforce, evict,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts its cuts. Not modelled: what is checked is who is cut.
#[derive(Default)]
struct Cuts(AtomicUsize);

impl Lifeline for Cuts {
    fn cut(&self, _side: Cut) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Cuts {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

const START: Tick = at_millis(0);

/// Sits down on the only seat at [`START`].
fn sit(board: &Arc<Board>, lifeline: &Arc<Cuts>) -> Occupant {
    let tenant = Tenant { peer: None, client: 1, lifeline: Some(lifeline.clone()) };
    board.sit(0, tenant, START, Tick::NEVER)
}

/// A board with one seat, and its tenant in `phase`.
fn tenanted(phase: Phase, deadline: Tick) -> (Arc<Board>, Occupant, Arc<Cuts>) {
    let (board, cuts) = (Arc::new(Board::new(1)), Arc::new(Cuts::default()));
    let occupant = sit(&board, &cuts);
    assert_eq!(occupant.enter(phase, deadline, START), None);
    (board, occupant, cuts)
}

fn view(board: &Board) -> Option<View> {
    board.views().next()
}

/// What must be left of a board when everybody is gone.
fn assert_at_rest(board: &Board) {
    assert_eq!((board.views().count(), board.evicting(), board.stuck()), (0, 0, 0));
}

/// Of two who claim an idle connection, and its thread that sees the first byte of a request, one wins: either the
/// thread goes on and nobody has claimed it, or one has, and the thread is told so before it goes on.
///
/// Three threads, exhaustive: 606 interleavings. Caught: `claim` that changes the word without comparing it
/// (claimed, and not told); `Word::entered` that drops the claim (cut, and not told).
#[test]
fn either_the_first_byte_or_one_claim_comes_first() {
    let outcomes =
        [(None, false, false), (Some(Claim::Evicted), true, false), (Some(Claim::Overdue), false, true)];
    explore(Preemptions::Any, outcomes, || {
        let (board, occupant, cuts) = tenanted(Phase::Idle, Tick::NEVER);
        let seen = view(&board).expect("it is taken");
        let claim = |claim| {
            let board = board.clone();
            thread::spawn(move || board.claim(&seen, claim))
        };
        let (evicts, ends) = (claim(Claim::Evicted), claim(Claim::Overdue));
        let told = occupant.enter(Phase::Head, Tick::NEVER, at_millis(1));
        let evicted = evicts.join().expect("a panic ends the model");
        let ended = ends.join().expect("a panic ends the model");
        assert_eq!(occupant.claim(), told);
        assert_eq!(cuts.count(), usize::from(told.is_some()));
        drop(occupant);
        assert_at_rest(&board);
        (told, evicted, ended)
    });
}

/// Of who evicts an idle connection, and its thread that has a whole request, either nothing comes of the eviction, or the request
/// outruns it; while it is handled nobody counts it among those who go, and afterwards the answer can be evicted once more.
///
/// Two threads, exhaustive: 321,521 interleavings. Caught: `Word::entered` that keeps the claim (counted while it works);
/// `Occupant::resume` that does not take it off the count.
#[test]
fn who_has_a_request_is_not_counted_on() {
    explore(Preemptions::Any, [(None, false), (Some(Claim::Outrun), true)], || {
        let (board, occupant, _) = tenanted(Phase::Idle, Tick::NEVER);
        let claimer = board.clone();
        let evicts = thread::spawn(move || evict(&claimer, at_millis(1), || 1, None) == 1);
        let told = occupant.enter(Phase::Handling, Tick::NEVER, at_millis(1));
        let evicted = evicts.join().expect("a panic ends the model");
        assert_eq!((occupant.claim(), board.evicting()), (told, 0));
        occupant.enter(Phase::Writing, Tick::NEVER, at_millis(2));
        assert_eq!(evict(&board, at_millis(9_000), || 1, None), 1);
        assert_eq!((occupant.claim(), board.evicting()), (Some(Claim::Evicted), 1));
        drop(occupant);
        assert_at_rest(&board);
        (told, evicted)
    });
}

/// A claim on a tenant who is just leaving never touches the next one on the seat: neither his word nor his
/// lifeline.
///
/// Two threads, exhaustive: 95 interleavings. Caught: `lifeline_of` that does not ask when the tenancy began, and a
/// `began` too low (the next one is cut); `Word::vacated` that begins to count anew (the next one is claimed).
#[test]
fn a_late_claim_never_hits_the_next_tenant() {
    explore(Preemptions::Any, [(false, 0), (true, 0), (true, 1)], || {
        let (board, cuts) = (Arc::new(Board::new(1)), Arc::new(Cuts::default()));
        let occupant = sit(&board, &cuts);
        let seen = view(&board).expect("it is taken");
        let evictor = {
            let board = board.clone();
            thread::spawn(move || board.claim(&seen, Claim::Evicted))
        };
        drop(occupant);
        let next_cuts = Arc::new(Cuts::default());
        let next = sit(&board, &next_cuts);
        let told = next.claim();
        let claimed = evictor.join().expect("a panic ends the model");
        assert_eq!((told, next.claim(), next_cuts.count()), (None, None, 0));
        drop(next);
        assert_at_rest(&board);
        (claimed, cuts.count())
    });
}

/// The count of evicted tenants is never below zero, and zero when they have left: whether a stronger claim follows
/// the eviction, or the tenant leaves before anybody is through.
///
/// Three threads, exhaustive: 494,611 interleavings. Caught: `claim` that counts after the swap (below zero for a
/// moment); `claim` that does not forget the weaker claim, and a leaving that forgets none (one at rest).
#[test]
fn evictions_are_counted_in_and_out() {
    let outcomes = [(false, false), (false, true), (true, false), (true, true)];
    explore(Preemptions::Any, outcomes, || {
        let (board, occupant, _) = tenanted(Phase::Idle, Tick::NEVER);
        let claim = |claim| {
            let board = board.clone();
            thread::spawn(move || {
                let claimed = view(&board).is_some_and(|view| board.claim(&view, claim));
                assert!(board.evicting() <= 1);
                claimed
            })
        };
        let (evicts, drains) = (claim(Claim::Evicted), claim(Claim::DrainDeadline));
        drop(occupant);
        assert!(board.evicting() <= 1);
        let evicted = evicts.join().expect("a panic ends the model");
        let drained = drains.join().expect("a panic ends the model");
        assert_at_rest(&board);
        (evicted, drained)
    });
}

/// Of two watchdogs one marks a handler that is past its time, unless it has gone on; the count of them is never
/// below zero, and zero when it has.
///
/// Three threads, at most three preemptions: 485,798 interleavings. Caught: `mark_stuck` that counts after the swap
/// (below zero for a moment), or does not compare (two stuck at rest); `enter` that does not count down (one at
/// rest).
#[test]
fn stuck_handlers_are_counted_in_and_out() {
    explore(Preemptions::AtMost(3), [[0, 0], [0, 1], [1, 0]], || {
        let (board, occupant, cuts) = tenanted(Phase::Handling, at_millis(10));
        let watch = || {
            let board = board.clone();
            thread::spawn(move || {
                let enforced = enforce(&board, at_millis(10), None);
                assert!(board.stuck() <= 2);
                enforced.stuck.len()
            })
        };
        let watchdogs = [watch(), watch()];
        assert_eq!(occupant.enter(Phase::Writing, Tick::NEVER, at_millis(10)), None);
        assert!(board.stuck() <= 2);
        let marked = watchdogs.map(|watchdog| watchdog.join().expect("a panic ends the model"));
        assert_eq!(board.stuck(), 0);
        drop(occupant);
        assert_at_rest(&board);
        assert_eq!(cuts.count(), 0);
        marked
    });
}

/// A body that came fast enough is never claimed for being slow: the count of its bytes, reset for the next phase,
/// is never held against its own beginning.
///
/// Two threads, exhaustive: 165,792 interleavings. Caught, each by a claim: `view` that reads `since` before
/// `counted`; `enter` that stores `counted` before `since`; `Relaxed` for that store's `Release`, or for the `Acquire`
/// of the load.
#[test]
fn a_body_in_time_is_not_too_slow() {
    explore(Preemptions::Any, [0], || {
        let (board, occupant, _) = tenanted(Phase::Body, Tick::NEVER);
        occupant.receive(600, Some(500), at_millis(900));
        let watchdog = {
            let board = board.clone();
            let rate = MinimumRate { bytes_per_second: 500, grace: millis(200) };
            thread::spawn(move || enforce(&board, at_millis(1000), Some(rate)).claimed)
        };
        occupant.enter(Phase::Waiting, Tick::NEVER, at_millis(1000));
        occupant.enter(Phase::Body, Tick::NEVER, at_millis(1000));
        occupant.receive(1, Some(500), at_millis(1000));
        let claimed = watchdog.join().expect("a panic ends the model");
        drop(occupant);
        assert_at_rest(&board);
        claimed
    });
}

/// Who has had an answer is no newcomer: whoever sees the head of the second request sees the count of the first.
///
/// Two threads, exhaustive: 2,593 interleavings. Caught, each by a claim: `Relaxed` for the `Acquire` of
/// `Word::load`, or for the `AcqRel` of `Word::update`.
#[test]
fn a_second_request_is_not_a_silent_newcomer() {
    explore(Preemptions::Any, [0], || {
        let (board, occupant, _) = tenanted(Phase::Writing, Tick::NEVER);
        occupant.progress(1, at_millis(100));
        let acceptor = {
            let board = board.clone();
            thread::spawn(move || evict(&board, at_millis(100), || 1, None))
        };
        assert_eq!(occupant.count_request(), 1);
        occupant.enter(Phase::Head, Tick::NEVER, at_millis(100));
        let evicted = acceptor.join().expect("a panic ends the model");
        drop(occupant);
        assert_at_rest(&board);
        evicted
    });
}

/// A phase is held to its own deadline: who sees that it has begun sees no deadline from before.
///
/// Two threads, exhaustive: 720 interleavings. Caught, each by a claim: `enter` that changes the word before it
/// stores the deadline, and the two above.
#[test]
fn a_phase_is_not_overdue_by_the_last_one() {
    explore(Preemptions::Any, [0], || {
        let (board, occupant, _) = tenanted(Phase::Waiting, at_millis(10));
        let watchdog = {
            let board = board.clone();
            thread::spawn(move || enforce(&board, at_millis(20), None).claimed)
        };
        occupant.enter(Phase::Body, at_millis(50), at_millis(20));
        let claimed = watchdog.join().expect("a panic ends the model");
        drop(occupant);
        assert_at_rest(&board);
        claimed
    });
}

/// Who reads what a tenant was asked for while that is being written sees the old text, the new one, or nothing: never a
/// part of each.
///
/// Two threads, two preemptions at most: 170 interleavings. Caught: `LabelCell::write` without its first fence, or that does
/// not count up before it writes; `read_once` without its fence, or that does not look at the count again (a torn text).
#[test]
fn a_label_is_never_torn() {
    let whole = [&b"aaaaaaa "[..], b"bbbbbbb cccccccc"];
    let outcomes = [None, Some(whole[0].to_vec()), Some(whole[1].to_vec())];
    explore(Preemptions::AtMost(2), outcomes, || {
        let (board, occupant, _) = tenanted(Phase::Head, Tick::NEVER);
        occupant.note_request(b"aaaaaaa", b"");
        let reader = {
            let board = board.clone();
            thread::spawn(move || board.label(0))
        };
        occupant.note_request(b"bbbbbbb", b"cccccccc");
        let seen = reader.join().expect("a panic ends the model");
        drop(occupant);
        seen
    });
}
