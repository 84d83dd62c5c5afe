//! The board and the semaphore: what every request passes, and what looks at all seats at once.

use crate::timing::report;
use selvedge::clock::Tick;
use selvedge::threads::{Board, MinimumRate, Phase, Semaphore, Tenant, enforce, evict};
use std::sync::Arc;
use std::time::Duration;

/// As many as there are by default.
const SEATS: usize = 1024;

pub fn run(rounds: usize) {
    let board = Arc::new(Board::new(SEATS));
    let tenant = |client| Tenant { peer: None, client, lifeline: None };
    let mut now = Tick::from_micros(1);
    let occupants: Vec<_> = (0..SEATS)
        .map(|seat| board.sit(seat, tenant(seat as u64), now, now.after(Duration::from_secs(10))))
        .collect();
    report("board: the four phases of a request", rounds, 100_000, || {
        now = now.after(Duration::from_micros(1));
        let deadline = now.after(Duration::from_secs(10));
        for phase in [Phase::Head, Phase::Handling, Phase::Writing, Phase::Idle] {
            occupants[7].enter(phase, deadline, now);
        }
        occupants[7].count_request()
    });
    for occupant in &occupants {
        occupant.enter(Phase::Handling, Tick::NEVER, now);
    }
    let rate = MinimumRate { bytes_per_second: 500, grace: Duration::from_secs(5) };
    report("board: the watchdog's look at 1,024 seats", rounds, 100, || enforce(&board, now, Some(rate)));
    report("board: a search of 1,024 seats for one to take back", rounds, 100, || {
        evict(&board, now, || 1, None)
    });

    let semaphore = Arc::new(Semaphore::new(100, 100));
    report("semaphore: a permit, and back", rounds, 100_000, || semaphore.try_acquire().is_some());
}
