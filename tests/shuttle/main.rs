//! Models too large for `tests/loom/`: several parts of `selvedge::threads` at once, and the stores of tokens and
//! sessions, among up to thirteen threads, which shuttle runs in as many orders as there is patience for:
//!
//! ```text
//! RUSTFLAGS="--cfg loom --cfg shuttle" cargo test --release --no-default-features --features auth --test shuttle -- --nocapture
//! SHUTTLE_ITERATIONS=100000 RUSTFLAGS=… cargo test …
//! ```
//!
//! Half of the schedules take a random thread at every step; the other half (*PCT*) run the thread of the highest
//! priority, and change priorities at two or four random moments, which finds what needs a thread to be late for a long
//! time. Both begin with the same seed each time, so that a run of more schedules has those of a shorter one in it;
//! `SHUTTLE_RANDOM_SEED` begins elsewhere. What fails prints its schedule, for `shuttle::replay`; which keys share a
//! shard of a table is no part of it.
//!
//! Each model states its property, and its comment says what it is worth: how many threads, and which bug, planted in the
//! code, it was seen to catch. A model returns which of its races were run; [`explore`] fails when one of them never was.
//! Shuttle has no weak memory: which orderings atomics need is for loom to say. Time is as in `tests/loom/`.

#![cfg(shuttle)]

mod board;
mod crew;
mod semaphore;
#[path = "../loom/shared.rs"]
mod shared;
mod spool;
mod table;
#[cfg(feature = "auth")]
mod tokens;

use shared::{Gate, at_any_moment, at_millis, millis};
use shuttle as checker;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const SEED: u64 = 0x5e1f_ed6e;
/// Schedules of each model, if `SHUTTLE_ITERATIONS` does not say.
const SCHEDULES: usize = 8000;
/// Bytes of each modelled thread's stack.
const STACK: usize = 256 << 10;
/// Changes of priority, and one more.
const DEPTHS: [usize; 2] = [3, 5];

/// Runs `model` in many orders. It returns which of `races` this one had; each of them must come up.
fn explore<const N: usize>(races: [&str; N], model: impl Fn() -> [bool; N] + Send + Sync + 'static) {
    let asked = std::env::var("SHUTTLE_ITERATIONS").ok();
    let schedules = asked.map_or(SCHEDULES, |count| count.parse().expect("SHUTTLE_ITERATIONS is a number"));
    let seen = Arc::new([const { AtomicUsize::new(0) }; N]);
    let (noted, model) = (seen.clone(), Arc::new(model));
    let model = move || {
        for (seen, came_up) in noted.iter().zip(model()) {
            seen.fetch_add(usize::from(came_up), Ordering::Relaxed);
        }
    };
    run(RandomScheduler::new_from_seed(SEED, schedules / 2), model.clone());
    for depth in DEPTHS {
        run(PctScheduler::new_from_seed(SEED, depth, schedules / 4), model.clone());
    }
    let name = std::thread::current().name().unwrap_or("model").to_owned();
    let counts: Vec<_> = seen.iter().map(|seen| seen.load(Ordering::Relaxed)).collect();
    println!("{name}: {schedules} schedules, {counts:?}");
    for (race, count) in races.iter().zip(counts) {
        assert!(count > 0, "{race:?} never came up");
    }
}

fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK;
    // It would say that all memory is strong here, which the comment above says.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(model);
}

/// Waits for all of them; their results, in order.
fn join<T: 'static>(threads: impl IntoIterator<Item = shuttle::thread::JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().expect("a panic ends the model")).collect()
}

/// Who is inside now, and how many were at most; no part of the model, so it adds no steps.
#[derive(Default)]
struct Inside {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Inside {
    /// Stays inside for a while.
    fn visit(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        shuttle::thread::yield_now();
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

/// What happened, in order; no part of the model.
#[derive(Default)]
struct Notes(Mutex<Vec<usize>>);

impl Notes {
    fn add(&self, note: usize) {
        self.0.lock().expect("never held over a panic").push(note);
    }

    fn all(&self) -> Vec<usize> {
        self.0.lock().expect("never held over a panic").clone()
    }
}

/// Whether something happened; no part of the model.
#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
