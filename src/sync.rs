//! The only file that names a lock, an atomic, a channel or a thread.
//!
//! Two backends stand behind one set of names: `parking_lot`, `crossbeam-channel` and std in the product, and under
//! `--cfg loom` the primitives of a model checker: loom's, which runs the code above this floor through every
//! interleaving it can have (`tests/loom/`), or, where `--cfg shuttle` is given beside it, shuttle's, which runs larger
//! models through many that are drawn at random (`tests/shuttle/`).

#[cfg(all(shuttle, not(loom)))]
compile_error!(
    "`--cfg shuttle` says which checker; that there is one says `--cfg loom`, which has to be given too"
);

#[cfg(loom)]
pub use model::*;
#[cfg(not(loom))]
pub use product::*;

#[cfg(not(loom))]
mod product {
    pub use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
    pub use parking_lot::{Mutex, MutexGuard};
    pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
    pub use std::sync::{Arc, OnceLock, Weak};
    pub use std::thread::{Builder, Thread, current, sleep};
    use std::time::Instant;

    /// A condition variable whose wait takes an optional deadline.
    #[derive(Debug, Default)]
    pub struct Condvar(parking_lot::Condvar);

    impl Condvar {
        /// A condition variable nobody waits on.
        pub fn new() -> Self {
            Self::default()
        }

        /// Wakes one waiter.
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes every waiter.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }

        /// Gives the lock back and waits to be woken, or until `deadline`; says whether the time was up.
        pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> bool {
            if let Some(deadline) = deadline {
                return self.0.wait_until(guard, deadline).timed_out();
            }
            self.0.wait(guard);
            false
        }
    }
}

/// The same names over a model checker, with the signatures of the product's backends.
///
/// Neither checker has a clock, so a model says itself which waits end by time: a wait with a deadline (`Some`), and a receive
/// with a timeout of zero, give every other thread the chance to run and then report that the time is up; a wait
/// without a deadline, and a receive with any other timeout, end only when they are woken. The rest is tried in every
/// order, or in many.
#[cfg(loom)]
mod model {
    pub use checker::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
    pub use checker::thread::{Builder, Thread, current};
    #[cfg(not(shuttle))]
    use loom as checker;
    #[cfg(shuttle)]
    use shuttle as checker;
    use std::collections::VecDeque;
    use std::ops::{Deref, DerefMut};
    // The checkers' own cannot be the type of `self`; what is modelled here is the order of accesses, not of frees.
    pub use std::sync::Arc;
    use std::time::{Duration, Instant};

    const ENDS_THE_MODEL: &str = "a model ends at its first panic, so nothing is poisoned";

    /// A mutex that does not poison.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(checker::sync::Mutex<T>);

    /// The lock of a [`Mutex`], given back when dropped.
    pub struct MutexGuard<'a, T> {
        mutex: &'a Mutex<T>,
        held: Option<checker::sync::MutexGuard<'a, T>>,
    }

    impl<T> Mutex<T> {
        /// A mutex around `value`.
        pub fn new(value: T) -> Self {
            Mutex(checker::sync::Mutex::new(value))
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard { mutex: self, held: Some(self.0.lock().expect(ENDS_THE_MODEL)) }
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            self.held.as_ref().expect("held but during a wait")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.held.as_mut().expect("held but during a wait")
        }
    }

    /// A condition variable whose wait takes an optional deadline.
    #[derive(Debug, Default)]
    pub struct Condvar(checker::sync::Condvar);

    impl Condvar {
        /// A condition variable nobody waits on.
        pub fn new() -> Self {
            Condvar(checker::sync::Condvar::new())
        }

        /// Wakes one waiter.
        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        /// Wakes every waiter.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }

        /// Waits to be woken, or, with a deadline, just lets go of the lock; says whether the time was up.
        ///
        /// To take the lock again is a step like any other, which the checker puts everywhere between those of the others. (A
        /// `yield_now` before it would make another thread go first, and hide a wait that ends before anything happens.)
        pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> bool {
            self.wait(guard, deadline.is_some())
        }

        fn wait<T>(&self, guard: &mut MutexGuard<'_, T>, time_is_up: bool) -> bool {
            let held = guard.held.take().expect("held but during a wait");
            guard.held = Some(if time_is_up {
                drop(held);
                guard.mutex.0.lock().expect(ENDS_THE_MODEL)
            } else {
                self.0.wait(held).expect(ENDS_THE_MODEL)
            });
            time_is_up
        }
    }

    /// Why a receive with a timeout returned nothing.
    #[derive(Debug, PartialEq, Eq)]
    pub enum RecvTimeoutError {
        /// The time was up.
        Timeout,
        /// Every sender is gone and the channel is empty.
        Disconnected,
    }

    /// Why a value was not taken, with the value.
    #[derive(Debug)]
    pub enum TrySendError<T> {
        /// The channel holds as many as it may.
        Full(T),
        /// Every receiver is gone.
        Disconnected(T),
    }

    struct Channel<T> {
        state: Mutex<(VecDeque<T>, usize)>,
        arrived: Condvar,
        capacity: usize,
    }

    /// The end that puts values in.
    pub struct Sender<T>(Arc<Channel<T>>);

    /// The end that takes values out.
    pub struct Receiver<T>(Arc<Channel<T>>);

    /// A channel that holds at most `capacity` values.
    pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
        let state = Mutex::new((VecDeque::new(), 1));
        let channel = Arc::new(Channel { state, arrived: Condvar::new(), capacity });
        (Sender(channel.clone()), Receiver(channel))
    }

    impl<T> Sender<T> {
        /// Puts a value in, or gives it back.
        pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
            let mut state = self.0.state.lock();
            if state.0.len() >= self.0.capacity {
                return Err(TrySendError::Full(value));
            }
            state.0.push_back(value);
            self.0.arrived.notify_one();
            Ok(())
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.0.state.lock().1 -= 1;
            self.0.arrived.notify_all();
        }
    }

    impl<T> Receiver<T> {
        /// Takes a value out, waiting for one.
        pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
            let mut state = self.0.state.lock();
            let mut tries = 0;
            loop {
                match (state.0.pop_front(), state.1) {
                    (Some(value), _) => return Ok(value),
                    (None, 0) => return Err(RecvTimeoutError::Disconnected),
                    (None, _) if timeout.is_zero() && tries > 0 => return Err(RecvTimeoutError::Timeout),
                    (None, _) => {
                        self.0.arrived.wait(&mut state, timeout.is_zero());
                        tries += 1;
                    }
                }
            }
        }
    }

    impl<T> Clone for Receiver<T> {
        fn clone(&self) -> Self {
            Receiver(self.0.clone())
        }
    }
}
