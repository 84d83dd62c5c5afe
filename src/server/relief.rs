//! What the server does when memory runs out: [`resources`](crate::monitor::resources) decides, this does it.

use super::admission::Admission;
use crate::monitor::Alert;
use crate::monitor::resources::{EVERY, Pressure, Step, Usage, limit};
use crate::sync::{Arc, Builder, sleep};
use crate::threads::{Claim, Phase, evict_suspects};
use std::io;
use std::path::Path;

/// Address space for the thread's stack.
const STACK: usize = 128 << 10;
/// What a connection without a large body has, generously.
const CONNECTION: u64 = 128 << 10;

/// The thread that looks at what the process has.
pub(super) struct Relief {
    admission: Arc<Admission>,
    pressure: Option<Pressure>,
    step: Step,
}

impl Relief {
    /// Looks once, and starts the thread, which ends within a moment when the server shuts down.
    pub(super) fn spawn(admission: &Arc<Admission>) -> io::Result<()> {
        let limit = limit(admission.shared.config.max_memory, Path::new("/"));
        admission.shared.monitor.set_memory_limit(limit);
        let pressure = limit.map(Pressure::new);
        let mut relief = Relief { admission: admission.clone(), pressure, step: Step::Well };
        relief.look();
        let run = move || {
            while !relief.admission.shared.standing.is_draining() {
                sleep(EVERY);
                relief.look();
            }
        };
        Builder::new().name("resources".into()).stack_size(STACK).spawn(run).map(drop)
    }

    fn look(&mut self) {
        let shared = &self.admission.shared;
        let Some(usage) = Usage::now() else { return };
        shared.monitor.set_usage(usage);
        let Some(pressure) = &mut self.pressure else { return };
        let now = shared.clock.now();
        let (step, limit) = (pressure.observe(usage.memory, now), pressure.limit());
        // An allocator keeps what it was given back, and then the process stays large whatever is done: to close and to refuse
        // helps only while clients hold a good part of it.
        let helps = self.held() >= limit / 4;
        shared.standing.set_refusing(step >= Step::Refuse && helps);
        if step != self.step {
            if self.step == Step::Well {
                shared.alerts.raise(Alert::Memory { at: shared.clock.date(), bytes: usage.memory, limit });
            }
            let (memory, limit) = (usage.memory >> 20, limit >> 20);
            match step {
                Step::Well => log::info!("{memory} MiB of memory, {limit} MiB permitted: all is well again"),
                Step::Sweep => {}
                Step::CloseIdle => log::warn!("{memory} MiB of memory: closing idle connections"),
                Step::CloseStalled => log::warn!("{memory} MiB of memory: closing what stalls"),
                Step::Refuse => log::warn!("{memory} MiB of memory: refusing new connections"),
            }
            self.step = step;
        }
        if step >= Step::Sweep {
            shared.policy().guards.sweep(now);
        }
        if step >= Step::CloseIdle && helps {
            for view in shared.board.views().filter(|view| view.phase == Phase::Idle) {
                shared.board.claim(&view, Claim::Evicted);
            }
        }
        if step >= Step::CloseStalled && helps {
            evict_suspects(&shared.board, now, shared.policy().config.min_rate);
        }
    }

    /// Bytes that are in the hands of clients.
    fn held(&self) -> u64 {
        let shared = &self.admission.shared;
        let buffered = shared.budget.total().saturating_sub(shared.budget.left()) as u64;
        let answers = shared.board.views().filter(|view| view.phase == Phase::Writing).map(|view| view.held);
        buffered + answers.sum::<u64>() + shared.monitor.active_connections() as u64 * CONNECTION
    }
}
