//! Everything about a server at one moment, read from the tables it works with.

use crate::clock::Tick;
use crate::monitor::resources::Usage;
use crate::record::Escaped;
use crate::server::shared::Shared;
use crate::threads::{Phase, View, evictable};
use std::time::Duration;

/// How long the acceptor or the watchdog may be silent: a hundred times as long as the watchdog ever is on a machine that
/// is not overloaded.
const SILENCE: Duration = Duration::from_secs(5);

pub(super) struct Status {
    pub(super) now: Tick,
    pub(super) uptime: Duration,
    pub(super) active: usize,
    pub(super) draining: bool,
    /// Every taken seat.
    pub(super) views: Vec<View>,
    /// Connections by phase, in the order of [`Phase::ALL`].
    pub(super) phases: [usize; Phase::ALL.len()],
    /// Seats, those that stand in for stuck handlers included.
    pub(super) seats: Use,
    /// Slots of the board: all seats there could be.
    pub(super) slots: usize,
    /// Seats that could be taken back.
    pub(super) evictable: usize,
    /// Seats that have been taken back and not been left yet.
    pub(super) evicting: usize,
    /// Connections that wait for a seat.
    pub(super) lobby: Use,
    /// Requests being handled.
    pub(super) in_flight: Use,
    /// Requests that wait to be.
    pub(super) queue: Use,
    /// Handlers past their time now, and how many may be before the server is not ready.
    pub(super) stuck: Use,
    pub(super) usage: Option<Usage>,
    pub(super) memory_limit: Option<u64>,
    /// Bytes of bodies.
    pub(super) buffered: Use,
    /// New connections are refused for lack of memory.
    pub(super) refusing: bool,
    pub(super) overwhelmed: bool,
    /// Silence of the acceptors and of the watchdog; zero while they wait as they should.
    pub(super) acceptor: Duration,
    pub(super) watchdog: Duration,
}

/// So many of so many.
#[derive(Clone, Copy)]
pub(super) struct Use {
    pub(super) taken: usize,
    pub(super) limit: usize,
}

impl Status {
    pub(super) fn of(shared: &Shared) -> Status {
        let (config, monitor, now) = (&shared.config, &shared.monitor, shared.clock.now());
        let views: Vec<_> = shared.board.views().collect();
        let stuck = shared.board.stuck();
        let taken = shared.lobby.taken();
        let (standing, draining) = (&shared.standing, shared.standing.is_draining());
        let budget = &shared.budget;
        Status {
            now,
            uptime: monitor.uptime(),
            active: monitor.active_connections(),
            draining,
            phases: Phase::ALL.map(|phase| views.iter().filter(|view| view.phase == phase).count()),
            views,
            seats: Use { taken, limit: config.max_connections + stuck.min(config.max_stand_ins) },
            slots: shared.board.len(),
            evictable: evictable(&shared.board, now, shared.policy().config.min_rate),
            evicting: shared.board.evicting(),
            lobby: Use { taken: shared.lobby.waiting(), limit: config.max_waiting },
            in_flight: Use { taken: shared.in_flight.in_use(), limit: config.max_in_flight },
            queue: Use { taken: shared.in_flight.waiting(), limit: config.max_queued },
            stuck: Use { taken: stuck, limit: shared.bearable_stuck() },
            usage: monitor.usage(),
            memory_limit: monitor.memory_limit(),
            buffered: Use { taken: budget.total().saturating_sub(budget.left()), limit: budget.total() },
            refusing: standing.is_refusing(),
            overwhelmed: standing.is_overwhelmed(),
            acceptor: monitor.acceptor.since_last(now),
            watchdog: monitor.watchdog.since_last(now),
        }
    }

    /// Whether the server is shut down, and nobody is left.
    pub(super) fn has_ended(&self) -> bool {
        self.draining && self.seats.taken == 0
    }

    /// Which of the threads that everything depends on show no life.
    pub(super) fn dead(&self) -> Vec<&'static str> {
        let threads = [("acceptor", self.acceptor), ("watchdog", self.watchdog)];
        threads.into_iter().filter(|(_, silence)| *silence > SILENCE).map(|(name, _)| name).collect()
    }

    /// Why the server does not want more requests; none if it does.
    pub(super) fn not_ready(&self) -> Vec<&'static str> {
        let no_seats = self.seats.taken >= self.seats.limit && self.evictable + self.evicting == 0;
        let reasons = [
            (self.draining, "draining"),
            (no_seats, "no-seats"),
            (self.overwhelmed, "stuck-handlers"),
            (self.refusing, "memory"),
        ];
        reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
    }

    /// Connections that do something for a client or have it do something.
    pub(super) fn busy(&self) -> usize {
        self.views.iter().filter(|view| view.phase != Phase::Idle).count()
    }

    /// The connections that most deserve a look: stuck handlers first, then who is at something for longest, and the idle ones
    /// last.
    pub(super) fn notable(&self) -> Vec<&View> {
        let mut views: Vec<_> = self.views.iter().collect();
        views.sort_by_key(|view| (!view.stuck, view.phase == Phase::Idle, view.since));
        views
    }
}

/// What is asked for on seat `number`, as it can be shown: `GET /path`, and `…` if it was cut.
pub(super) fn label(shared: &Shared, number: usize) -> String {
    let label = shared.board.label(number).unwrap_or_default();
    let more = if label.len() >= crate::threads::LABEL_BYTES { "…" } else { "" };
    format!("{}{more}", Escaped(&label))
}
