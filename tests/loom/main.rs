//! Models of what threads share in `selvedge::threads` and in the stores of tokens and sessions, which loom runs through every
//! interleaving they can have:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test --release --no-default-features --features auth --test loom -- --nocapture
//! ```
//!
//! Each model states one property, and its comment says what it is worth: how many threads, the bound on preemptions
//! (*exhaustive*: none), how many interleavings that makes, and which bug, planted in the code, it was seen to catch.
//! A model returns what happened; [`explore`] holds the list of all that can, and fails when something else does, and
//! also when one of them never does: a race that is never run proves nothing.
//!
//! Loom has no clock. A wait with a deadline ([`at_any_moment`]) ends at any moment by itself, one without only when it
//! is woken; the same goes for a receive with a timeout of zero and any other.

#![cfg(all(loom, not(shuttle)))]

mod board;
mod counts;
mod latch;
mod lobby;
mod pool;
mod semaphore;
mod shared;
mod spool;
mod table;
#[cfg(feature = "auth")]
mod tokens;

use loom as checker;
use shared::{Gate, at_any_moment, at_millis, millis};
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How many times loom may take the processor from a thread that could go on.
#[derive(Clone, Copy)]
enum Preemptions {
    /// As often as it likes: every interleaving there is.
    Any,
    AtMost(usize),
}

/// Runs `model` through all its interleavings. What it returns must be one of `outcomes`, and each of them must come
/// up.
fn explore<O: PartialEq + Debug + Send + 'static>(
    preemptions: Preemptions,
    outcomes: impl IntoIterator<Item = O>,
    model: impl Fn() -> O + Send + Sync + 'static,
) {
    let interleavings = Arc::new(AtomicUsize::new(0));
    let expected: Vec<_> = outcomes.into_iter().map(|outcome| (outcome, false)).collect();
    let outcomes = Arc::new(Mutex::new(expected));
    let mut builder = loom::model::Builder::new();
    if let Preemptions::AtMost(bound) = preemptions {
        builder.preemption_bound = Some(bound);
    }
    let (counted, noted) = (interleavings.clone(), outcomes.clone());
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let outcome = model();
        let mut outcomes = noted.lock().expect("the model ends at its first panic");
        match outcomes.iter_mut().find(|(expected, _)| *expected == outcome) {
            Some((_, seen)) => *seen = true,
            None => panic!("{outcome:?} must not be"),
        }
    });
    let name = std::thread::current().name().unwrap_or("model").to_owned();
    println!("{name}: {} interleavings", interleavings.load(Ordering::Relaxed));
    for (outcome, seen) in outcomes.lock().expect("the model ended well").iter() {
        assert!(seen, "{outcome:?} never came up");
    }
}

/// Who is inside now, and how many were at most; no part of the model, so it adds no interleavings.
#[derive(Default)]
struct Inside {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Inside {
    fn enter(&self, count: usize) {
        let now = self.now.fetch_add(count, Ordering::Relaxed) + count;
        self.most.fetch_max(now, Ordering::Relaxed);
    }

    fn leave(&self, count: usize) {
        self.now.fetch_sub(count, Ordering::Relaxed);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}
