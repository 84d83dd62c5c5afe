//! The board, and who reads it: deadlines and evictions.

use super::{at, millis};
use selvedge::clock::{Clock, Tick};
use selvedge::threads::{
    Board, Claim, Cut, Lifeline, MAX_PAUSE, MinimumRate, Need, Occupant, Phase, Tenant, enforce, evict,
    evict_suspects, evictable, reclaim,
};
use std::sync::{Arc, Mutex};

/// A lifeline that notes whose it is and which side was cut.
struct Noted(&'static str, Arc<Mutex<Vec<(&'static str, Cut)>>>);

impl Lifeline for Noted {
    fn cut(&self, side: Cut) {
        self.1.lock().expect("no panic").push((self.0, side));
    }
}

/// A connection as the rows below describe it. Whatever a row leaves out is as in [`HONEST`].
#[derive(Clone, Copy)]
struct Row {
    name: &'static str,
    client: u64,
    arrived: u64,
    served: u64,
    agreed: bool,
    phase: Phase,
    since: u64,
    deadline: Tick,
    moved: usize,
    moved_at: u64,
}

/// What nobody holds anything against: it has had answers, and reads the next.
const HONEST: Row = Row {
    name: "honest",
    client: 0,
    arrived: 0,
    served: 1,
    agreed: false,
    phase: Phase::Head,
    since: 10_000,
    deadline: Tick::NEVER,
    moved: 0,
    moved_at: 10_000,
};

/// The moment the board is looked at.
const NOW: Tick = at(10_000);

struct Prepared {
    board: Arc<Board>,
    occupants: Vec<Occupant>,
    cuts: Arc<Mutex<Vec<(&'static str, Cut)>>>,
}

impl Prepared {
    /// Who has been cut, in order.
    fn cut(&self) -> Vec<(&'static str, Cut)> {
        self.cuts.lock().expect("no panic").clone()
    }
}

fn prepare(rows: &[Row]) -> Prepared {
    let (board, cuts) = (Arc::new(Board::new(rows.len() + 1)), Arc::default());
    let sit = |(number, row): (usize, &Row)| {
        let lifeline: Arc<dyn Lifeline> = Arc::new(Noted(row.name, Arc::clone(&cuts)));
        let tenant = Tenant { peer: None, client: row.client, lifeline: Some(lifeline) };
        let occupant = board.sit(number, tenant, at(row.arrived), Tick::NEVER);
        for _ in 0..row.served {
            occupant.count_request();
        }
        if row.agreed {
            occupant.note_agreed();
        }
        assert_eq!(occupant.enter(row.phase, row.deadline, at(row.since)), None);
        match row.phase {
            _ if row.moved == 0 => {}
            Phase::Body => occupant.receive(row.moved, Some(500), at(row.moved_at)),
            _ => occupant.progress(row.moved, at(row.moved_at)),
        }
        occupant
    };
    let occupants = rows.iter().enumerate().map(sit).collect();
    Prepared { board, occupants, cuts }
}

/// Evicts up to `count` of `rows` and expects them to be cut in this order; everybody leaves.
#[track_caller]
fn check_evicted(rows: &[Row], count: usize, expected: &[&str]) {
    let prepared = prepare(rows);
    assert_eq!(evict(&prepared.board, NOW, || count, Some(500)), expected.len());
    let cut: Vec<_> = prepared.cut().iter().map(|(name, _)| *name).collect();
    assert_eq!(cut, expected);
    assert_eq!(prepared.board.evicting(), expected.len());
    assert_eq!(evict(&prepared.board, NOW, || count, Some(500)), 0);
    for (occupant, row) in prepared.occupants.iter().zip(rows) {
        assert_eq!(occupant.claim(), expected.contains(&row.name).then_some(Claim::Evicted), "{}", row.name);
    }
    drop(prepared.occupants);
    assert_eq!((prepared.board.evicting(), prepared.board.views().count()), (0, 0));
}

/// Enforces deadlines on one row and expects this claim, and this cut.
#[track_caller]
fn check_enforced(row: Row, expected: Option<(Claim, Cut)>) {
    let prepared = prepare(&[row]);
    let rate = MinimumRate { bytes_per_second: 500, grace: millis(1000) };
    let enforced = enforce(&prepared.board, NOW, Some(rate));
    let claimed = prepared.occupants[0].claim();
    assert_eq!(claimed, expected.map(|(claim, _)| claim), "{}", row.name);
    let cuts: Vec<_> = expected.map(|(_, side)| (row.name, side)).into_iter().collect();
    assert_eq!(prepared.cut(), cuts, "{}", row.name);
    assert_eq!((enforced.claimed, enforced.stuck.len()), (cuts.len(), 0), "{}", row.name);
    let again = enforce(&prepared.board, NOW, Some(rate));
    assert!(again.claimed == 0 || row.phase == Phase::Writing, "{}: claimed twice", row.name);
}

#[test]
fn deadlines_and_rates_end_what_overstays() {
    use Phase::{Body, Handling, Handshake, Head, Idle, Upgraded, Waiting, Writing};
    let (overdue, slow) = (Claim::Overdue, Claim::TooSlow);
    let body = |name, since, moved| Row { name, phase: Body, since, moved, ..HONEST };
    let due = |phase: Phase, deadline| Row { name: phase.name(), phase, deadline, ..HONEST };
    for (row, expected) in [
        (due(Head, at(10_000)), Some((overdue, Cut::Read))),
        (due(Head, at(10_001)), None),
        (due(Idle, at(9_000)), Some((overdue, Cut::Read))),
        (due(Body, at(9_000)), Some((overdue, Cut::Read))),
        (due(Handshake, at(9_000)), Some((overdue, Cut::Both))),
        (due(Writing, at(9_000)), Some((overdue, Cut::Both))),
        (due(Upgraded, at(9_000)), Some((overdue, Cut::Both))),
        (due(Upgraded, Tick::NEVER), None),
        (due(Waiting, at(9_000)), None),
        (body("in its grace", 9_000, 0), None),
        (body("just past its grace", 8_999, 0), Some((slow, Cut::Read))),
        (body("just fast enough", 8_000, 1000), None),
        (body("a byte short", 8_000, 999), Some((slow, Cut::Read))),
        (Row { deadline: at(9_000), ..body("slow and overdue", 8_000, 0) }, Some((overdue, Cut::Read))),
    ] {
        check_enforced(row, expected);
    }
    // A handler is not ended but marked, once, and the mark goes when it goes on.
    let prepared = prepare(&[HONEST, due(Handling, at(10_000))]);
    assert_eq!(enforce(&prepared.board, NOW, None).stuck, [1]);
    assert!(enforce(&prepared.board, NOW, None).stuck.is_empty(), "it is marked already");
    assert_eq!((prepared.board.stuck(), prepared.cut()), (1, vec![]));
    assert_eq!(prepared.occupants[1].enter(Writing, Tick::NEVER, NOW), None);
    assert_eq!(prepared.board.stuck(), 0);
}

#[test]
fn what_came_fast_counts_for_the_longest_pause_and_no_more() {
    let rate = MinimumRate { bytes_per_second: 500, grace: millis(1000) };
    let longest = u64::try_from(MAX_PAUSE.as_millis()).expect("short");
    // What came when, when the board is looked at, and whether it is slow.
    let rows: [(_, &[(usize, u64)], _, _); 7] = [
        ("a burst, within the pause", &[(1 << 20, 0)], longest, false),
        ("a burst, past the pause", &[(1 << 20, 0)], longest + 2, true),
        ("a later burst, within the pause", &[(500, 0), (1 << 20, 900)], 900 + longest, false),
        ("a later burst, past the pause", &[(500, 0), (1 << 20, 900)], 902 + longest, true),
        ("a byte now and then after a burst", &[(1 << 20, 0), (1, 5_000), (1, 9_000)], longest + 6, true),
        ("half a second's worth after a burst", &[(1 << 20, 0), (250, 9_000)], longest + 499, false),
        ("no more than the rate", &[(500, 0), (500, 1_000), (500, 2_000)], 3_002, true),
    ];
    for (name, came, looked, slow) in rows {
        let prepared = prepare(&[Row { phase: Phase::Body, since: 0, ..HONEST }]);
        for (bytes, when) in came {
            prepared.occupants[0].receive(*bytes, Some(500), at(*when));
        }
        assert_eq!(enforce(&prepared.board, at(looked), Some(rate)).claimed, usize::from(slow), "{name}");
        let view = prepared.board.views().next().expect("it is taken");
        assert_eq!(
            view.moved,
            came.iter().map(|(bytes, _)| *bytes as u64).sum::<u64>(),
            "{name}: all of it is shown"
        );
    }
    // Who has begun is held to the rate there was then.
    for (own, raised, slow) in
        [(Some(500), 5_000, false), (Some(500), 500, false), (None, 5_000, false), (Some(5_000), 5_000, true)]
    {
        let prepared = prepare(&[Row { phase: Phase::Body, since: 0, ..HONEST }]);
        prepared.occupants[0].keep_to(own);
        for second in 1..=20 {
            prepared.occupants[0].receive(1000, own, at(1000 * second));
        }
        let rate = MinimumRate { bytes_per_second: raised, grace: millis(1000) };
        let claimed = enforce(&prepared.board, at(20_000), Some(rate)).claimed;
        assert_eq!(claimed, usize::from(slow), "{own:?}, and then {raised}");
    }
    // Without a rate all of it counts, for nothing.
    let prepared = prepare(&[Row { phase: Phase::Body, since: 0, ..HONEST }]);
    prepared.occupants[0].receive(1 << 20, None, at(0));
    assert_eq!(prepared.board.views().next().map(|view| view.counted), Some(1 << 20));
}

/// Takes back `missing` bytes for client 1, which holds 10 at a seat of its own, from bodies that hold 100 each.
#[track_caller]
fn check_reclaimed(name: &str, rows: &[Row], missing: u64, expected: &[&str], back: u64) {
    let asker = Row { name: "who asks", client: 1, phase: Phase::Body, ..HONEST };
    let prepared = prepare(&[&[asker], rows].concat());
    for (occupant, row) in prepared.occupants.iter().zip([&[asker], rows].concat()) {
        occupant.hold(if row.name == asker.name { 10 } else { 100 }, row.client);
    }
    let need = Need { seat: 0, holder: 1, missing, batch: 150 };
    assert_eq!(reclaim(&prepared.board, NOW, need), back, "{name}");
    let cut: Vec<_> = prepared.cut().iter().map(|(name, _)| *name).collect();
    assert_eq!(cut, expected, "{name}");
    assert_eq!(reclaim(&prepared.board, NOW, need), back, "{name}: what is on its way is counted");
}

#[test]
fn memory_is_taken_back_from_those_who_deserve_it_least() {
    use Phase::{Body, Handling, Waiting};
    let body = |name, client, moved_at| Row {
        client,
        moved: 1,
        moved_at,
        since: 0,
        ..Row { name, phase: Body, ..HONEST }
    };
    let stalled = [body("young", 2, 7_000), body("old", 3, 5_000), body("middle", 4, 6_000)];
    let moving = [body("lately", 2, 9_999), body("before that", 2, 9_000), body("alone", 3, 8_001)];
    let handled = [Row { phase: Handling, ..stalled[0] }, Row { phase: Waiting, ..stalled[0] }];
    check_reclaimed("nobody is there", &[], 1, &[], 0);
    check_reclaimed("the longest stalled, and some for the next", &stalled, 1, &["old", "middle"], 200);
    check_reclaimed("as many as are needed", &stalled, 201, &["old", "middle", "young"], 300);
    check_reclaimed("not enough for who asks", &stalled, 301, &[], 0);
    check_reclaimed("who is being handled", &handled, 1, &[], 0);
    check_reclaimed("of the client that holds most", &moving, 60, &["before that"], 100);
    check_reclaimed("as little as will do", &moving, 40, &["before that"], 100);
    check_reclaimed("nobody holds more than twice as much", &moving, 90, &[], 0);
    let all = [stalled[1], moving[0], moving[1]];
    check_reclaimed("who stalls comes first", &all, 60, &["old"], 100);
    let own = [Row { client: 1, ..stalled[0] }, Row { client: 1, ..moving[0] }];
    check_reclaimed("one's own that stall, never those that move", &own, 60, &["young"], 100);
}

#[test]
fn seats_are_taken_back_from_those_who_deserve_them_least() {
    use Phase::{Body, Handling, Handshake, Head, Idle, Upgraded, Waiting, Writing};
    let row = |name, phase, since| Row { name, phase, since, ..HONEST };
    let newcomer = |name, phase, arrived| Row { arrived, served: 0, since: arrived, ..row(name, phase, 0) };
    let idle = |name, client, since| Row { client, ..row(name, Idle, since) };
    let suspects = [
        newcomer("silent for 50 ms", Head, 9_950),
        newcomer("silent for 51 ms", Head, 9_949),
        Row { agreed: true, ..newcomer("agreed for 1001 ms", Head, 8_999) },
        newcomer("shaking hands for 1002 ms", Handshake, 8_998),
        newcomer("just arrived", Head, 10_000),
        row("heading for 251 ms", Head, 9_749),
        Row { moved: 99, ..row("crawling", Body, 9_799) },
        row("told to send for 1001 ms", Body, 8_999),
        Row { moved: 1, moved_at: 7_999, ..row("unread for 2001 ms", Writing, 0) },
        Row { moved: 1 << 20, moved_at: 7_998, ..row("stalled for 2002 ms", Body, 7_000) },
    ];
    let untouchable = [
        row("handled", Handling, 0),
        row("about to be handled", Waiting, 0),
        row("speaking otherwise", Upgraded, 0),
        Row { moved: 1, moved_at: 9_950, ..row("unread for 50 ms", Writing, 0) },
        Row { since: 9_950, ..newcomer("seated late", Head, 5_000) },
        Row { client: 14, moved: 101, ..row("walking", Body, 9_799) },
        Row { client: 15, moved: 1 << 20, moved_at: 8_000, ..row("resting for 2000 ms", Body, 7_000) },
        HONEST,
    ];
    let at_rest = [
        idle("the crowd's youngest", 7, 9_990),
        idle("the loner", 8, 1_000),
        Row { client: 9, moved: 1, moved_at: 9_949, ..row("unread for 51 ms", Writing, 7_948) },
        Row { client: 10, moved: 1, moved_at: 9_900, ..row("read for 2000 ms", Writing, 7_900) },
        idle("the crowd's eldest", 7, 9_000),
        Row { client: 7, moved: 1, moved_at: 8_000, ..row("the crowd's unread for 2000 ms", Writing, 0) },
        Row { client: 7, ..row("the crowd's fourth", Handling, 0) },
        // A byte of the next request changes nothing.
        Row { client: 16, ..row("heading for 250 ms", Head, 9_750) },
        Row { client: 17, ..row("heading for 1 ms", Head, 9_999) },
        // Whoever is far away needs so long.
        Row { client: 11, agreed: true, ..newcomer("agreed for 52 ms", Head, 9_948) },
        Row { client: 12, ..newcomer("shaking hands for 60 ms", Handshake, 9_940) },
        Row { client: 13, moved_at: 9_799, ..row("told to send for 201 ms", Body, 9_799) },
    ];
    let all: Vec<Row> = suspects.iter().chain(&untouchable).chain(&at_rest).copied().collect();
    let in_order = [
        "stalled for 2002 ms",
        "unread for 2001 ms",
        "shaking hands for 1002 ms",
        "agreed for 1001 ms",
        "told to send for 1001 ms",
        "heading for 251 ms",
        "crawling",
        "silent for 51 ms",
        "the crowd's eldest",
        "the crowd's youngest",
        "the crowd's unread for 2000 ms",
        "the loner",
        "heading for 250 ms",
        "told to send for 201 ms",
        "read for 2000 ms",
        "shaking hands for 60 ms",
        "agreed for 52 ms",
        "heading for 1 ms",
        "unread for 51 ms",
    ];
    for count in 0..=in_order.len() {
        check_evicted(&all, count, &in_order[..count]);
    }
    check_evicted(&all, 100, &in_order);
    check_evicted(&untouchable, 100, &[]);
    // Among equals the longest idle goes.
    let equals = [("young", 1, 9_000), ("old", 2, 5_000), ("middle", 3, 7_000)];
    let equals = equals.map(|(name, client, since)| Row { client, ..row(name, Idle, since) });
    check_evicted(&equals, 2, &["old", "middle"]);
}

/// Bodies that keep to their rate go last, and only while their client holds many seats.
#[test]
fn seats_of_those_who_send_from_many() {
    let body = |name, client, since| {
        let (moved, moved_at) = (1 << 20, 9_999);
        Row { name, client, phase: Phase::Body, since, moved, moved_at, ..HONEST }
    };
    let many = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"].map(|name| (name, 7));
    let few = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, 8));
    let sending =
        many.iter().chain(&few).zip(7_000..).map(|(&(name, client), since)| body(name, client, since));
    let idle = Row { name: "idle", client: 9, phase: Phase::Idle, ..HONEST };
    let all: Vec<Row> = sending.chain([idle]).collect();
    check_evicted(&all, 100, &["idle", "1", "2"]);
    check_evicted(&all, 2, &["idle", "1"]);
    let prepared = prepare(&all);
    assert_eq!(evictable(&prepared.board, NOW, Some(500)), 3);
    assert_eq!((evict(&prepared.board, NOW, || 100, None), prepared.cut().len()), (3, 3), "without a rate");
}

/// Whose request was faster than the claim on its seat stays for as long as that takes, so nobody may count on its going.
#[test]
fn who_was_to_go_and_has_a_request_first() {
    for (phase, outruns) in [
        (Phase::Waiting, true),
        (Phase::Handling, true),
        (Phase::Upgraded, true),
        (Phase::Head, false),
        (Phase::Body, false),
        (Phase::Writing, false),
        (Phase::Idle, false),
    ] {
        let prepared = prepare(&[Row { phase: Phase::Idle, ..HONEST }]);
        let (board, occupant) = (&prepared.board, &prepared.occupants[0]);
        assert_eq!(evict(board, NOW, || 1, Some(500)), 1);
        let expected = if outruns { Claim::Outrun } else { Claim::Evicted };
        assert_eq!(occupant.enter(phase, Tick::NEVER, NOW), Some(expected), "{phase}");
        assert_eq!(board.evicting(), usize::from(!outruns), "{phase}");
        // Nobody claims it while it works; an answer that is not read is another matter.
        assert_eq!(evict(board, NOW, || 1, Some(500)), 0, "{phase}");
        if outruns {
            occupant.enter(Phase::Writing, Tick::NEVER, at(0));
            assert_eq!(evict(board, NOW, || 1, Some(500)), 1, "{phase}");
            assert_eq!((occupant.claim(), board.evicting()), (Some(Claim::Evicted), 1), "{phase}");
        }
        drop(prepared.occupants);
        assert_eq!(prepared.board.evicting(), 0, "{phase}");
        // So does one whose time was up in that moment: what it is answered are no last words.
        for claim in [Claim::Overdue, Claim::TooSlow, Claim::Shutdown] {
            let prepared = prepare(&[Row { phase: Phase::Idle, ..HONEST }]);
            let view = prepared.board.views().next().expect("it is taken");
            assert!(prepared.board.claim(&view, claim), "{phase}");
            let stays = claim == Claim::Shutdown || !outruns;
            let expected = if stays { claim } else { Claim::Outrun };
            assert_eq!(prepared.occupants[0].enter(phase, Tick::NEVER, NOW), Some(expected), "{phase}");
        }
    }
}

/// Who cannot be woken gives nothing back in time, and is not waited for in the place of who could.
#[test]
fn memory_is_not_sought_with_those_who_cannot_be_woken() {
    let (board, cuts) = (Arc::new(Board::new(3)), Arc::default());
    let lifeline = |name| -> Arc<dyn Lifeline> { Arc::new(Noted(name, Arc::clone(&cuts))) };
    let held = |number, lifeline, since| {
        let tenant = Tenant { peer: None, client: number as u64, lifeline };
        let occupant = board.sit(number, tenant, at(0), Tick::NEVER);
        occupant.enter(Phase::Body, Tick::NEVER, at(since));
        occupant.hold(100, number as u64);
        occupant
    };
    let _occupants = [
        held(0, Some(lifeline("who asks")), 10_000),
        held(1, None, 1_000),
        held(2, Some(lifeline("stalled")), 7_000),
    ];
    let need = |missing| Need { seat: 0, holder: 0, missing, batch: 1 };
    assert_eq!(reclaim(&board, NOW, need(101)), 0, "it is not enough");
    assert_eq!(reclaim(&board, NOW, need(100)), 100);
    assert_eq!(*cuts.lock().expect("no panic"), [("stalled", Cut::Read)]);
}

/// Who has just come from far away is not to blame for the lack of memory.
#[test]
fn memory_is_not_sought_with_those_who_have_just_come() {
    use Phase::{Body, Handling, Handshake, Head, Idle, Writing};
    let row = |name, phase, since| Row { name, phase, since, moved_at: since, ..HONEST };
    let newcomer = |name, phase, arrived| Row { arrived, served: 0, ..row(name, phase, arrived) };
    let rows = [
        newcomer("shaking hands for 2000 ms", Handshake, 8_000),
        newcomer("shaking hands for 2001 ms", Handshake, 7_999),
        newcomer("silent for 300 ms", Head, 9_700),
        newcomer("silent for 2001 ms", Head, 7_999),
        row("heading for 2000 ms", Head, 8_000),
        row("heading for 2001 ms", Head, 7_999),
        Row { moved: 1, moved_at: 9_999, ..row("crawling for 2000 ms", Body, 8_000) },
        Row { moved: 1, moved_at: 9_999, ..row("crawling for 2001 ms", Body, 7_999) },
        Row { moved: 1 << 20, moved_at: 7_999, ..row("stalled for 2001 ms", Body, 7_000) },
        Row { moved: 1, moved_at: 7_999, ..row("unread for 2001 ms", Writing, 0) },
        row("handled", Handling, 0),
        row("idle", Idle, 0),
    ];
    let prepared = prepare(&rows);
    let claimed = evict_suspects(&prepared.board, NOW, Some(500));
    let cut: Vec<_> = prepared.cut().iter().map(|(name, _)| *name).collect();
    let expected = rows.iter().map(|row| row.name).filter(|name| name.ends_with("2001 ms"));
    assert_eq!(cut, expected.collect::<Vec<_>>());
    assert_eq!(claimed, cut.len());
}

#[test]
fn a_claim_holds_until_the_tenant_leaves_and_gives_way_only_to_stronger_ones() {
    use Claim::{DrainDeadline, Evicted, Overdue, Shutdown, TooSlow};
    for (phase, claims, expected) in [
        (Phase::Idle, [Evicted, Evicted], [true, false]),
        (Phase::Idle, [Evicted, Shutdown], [true, false]),
        (Phase::Head, [Overdue, Evicted], [true, false]),
        (Phase::Head, [Overdue, Overdue], [true, false]),
        (Phase::Writing, [Overdue, Overdue], [true, true]),
        (Phase::Writing, [TooSlow, Overdue], [true, true]),
        (Phase::Writing, [Evicted, Overdue], [true, true]),
        (Phase::Idle, [Shutdown, Overdue], [true, true]),
        (Phase::Idle, [Evicted, DrainDeadline], [true, true]),
        (Phase::Handling, [DrainDeadline, DrainDeadline], [true, false]),
        (Phase::Handling, [DrainDeadline, Overdue], [true, false]),
    ] {
        let prepared = prepare(&[Row { phase, ..HONEST }]);
        let claimed = claims.map(|claim| {
            let view = prepared.board.views().next().expect("it is taken");
            prepared.board.claim(&view, claim)
        });
        assert_eq!(claimed, expected, "{phase} {claims:?}");
        let holds = claims[usize::from(expected[1])];
        assert_eq!(prepared.occupants[0].enter(Phase::Writing, Tick::NEVER, NOW), Some(holds));
        assert_eq!(prepared.board.evicting(), usize::from(holds == Evicted));
        drop(prepared.occupants);
        assert_eq!(prepared.board.evicting(), 0);
    }
}

#[test]
fn a_view_shows_what_the_tenant_wrote_and_nothing_of_the_last_one() {
    let clock = Clock::manual();
    let board = Arc::new(Board::new(2));
    let sit = |client| {
        let tenant = Tenant { peer: "192.0.2.1:80".parse().ok(), client, lifeline: None };
        board.sit(1, tenant, clock.now(), clock.now().after(millis(5)))
    };
    let occupant = sit(1);
    occupant.count_request();
    occupant.note_agreed();
    occupant.enter(Phase::Body, Tick::NEVER, clock.now());
    occupant.hold(5, 6);
    clock.advance(millis(7));
    occupant.progress(3, clock.now());
    occupant.progress(4, clock.now());
    occupant.extend(at(100));
    let view = board.views().next().expect("it is taken");
    assert_eq!((view.number, view.phase, view.claim, view.stuck), (1, Phase::Body, None, false));
    assert_eq!((view.since, view.deadline), (at(0), at(100)));
    assert_eq!((view.moved, view.moved_at, view.served, view.client), (7, at(7), 1, 1));
    assert_eq!((view.agreed, view.held, view.holder), (true, 5, 6));
    assert_eq!(board.peer(1), "192.0.2.1:80".parse().ok());

    drop(occupant);
    assert_eq!((board.views().count(), board.peer(1)), (0, None));
    let next = sit(2);
    let fresh = board.views().next().expect("it is taken");
    assert_eq!((fresh.phase, fresh.arrived, fresh.deadline), (Phase::Head, at(7), at(12)));
    assert_eq!((fresh.moved, fresh.served, fresh.client), (0, 0, 2));
    assert_eq!((fresh.agreed, fresh.held), (false, 0));
    assert!(!board.claim(&view, Claim::Evicted), "it was meant for somebody else");
    assert_eq!((next.claim(), board.evicting()), (None, 0));
    assert!(board.claim(&fresh, Claim::Evicted), "without a lifeline there is still a word");
    assert_eq!(next.claim(), Some(Claim::Evicted));
}
