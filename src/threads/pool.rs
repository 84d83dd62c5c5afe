//! A bounded crew of threads that take jobs.

use crate::sync::{Arc, Builder, Condvar, Mutex, Receiver, Sender, bounded};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Of so many threads that could not be started, one is told of.
const SAID_EVERY: usize = 1000;

/// Runs jobs on threads: started when a job needs one, at most so many, each living on for the next job, leaving when
/// none has come for a while.
///
/// A job never waits behind another. [`submit`](Pool::submit) either has a thread for it, one that waits or a new one,
/// or gives the job back. Whether there is one is decided by counting, under one lock, the waiting threads nobody has
/// sent a job to yet. (To ask "does any thread wait?" is the classic mistake: two jobs that arrive together would both
/// be sent to the one thread that does.)
///
/// A panic ends the job, not its thread.
pub struct Pool<J> {
    crew: Arc<Crew<J>>,
}

/// How many threads a pool may have, and of what kind.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Threads are named `{name}-1`, `{name}-2` …
    pub name: &'static str,
    /// Threads at once, at most.
    pub max_threads: usize,
    /// Bytes of address space for each thread's stack.
    pub stack_size: usize,
    /// How long a thread waits for a job before it leaves.
    pub idle_timeout: Duration,
}

struct Crew<J> {
    settings: PoolSettings,
    /// Whether there is room for another thread.
    has_room: Box<dyn Fn() -> bool + Send + Sync>,
    run: Box<dyn Fn(J) + Send + Sync>,
    /// Written by the submitting thread and by threads that come and go.
    state: Mutex<State<J>>,
    /// Told whenever a thread leaves.
    left: Condvar,
    jobs: Receiver<J>,
}

struct State<J> {
    /// Threads that have a job, have been sent one, or are being started with one.
    busy: usize,
    /// Threads that wait for a job and have not been sent one.
    idle: usize,
    /// Threads ever started, for their names.
    started: usize,
    /// Threads that could not be started.
    failed: usize,
    /// Holds at most one job for each waiting thread; `None` once the pool is closed.
    hand_over: Option<Sender<J>>,
}

impl<J: Send + 'static> Pool<J> {
    /// A pool without threads yet, whose jobs are done by `run`.
    pub fn new(settings: PoolSettings, run: impl Fn(J) + Send + Sync + 'static) -> Self {
        Pool::with_room(settings, || true, run)
    }

    /// The same, starting a thread only while `has_room` says that there is room for one.
    pub fn with_room(
        settings: PoolSettings,
        has_room: impl Fn() -> bool + Send + Sync + 'static,
        run: impl Fn(J) + Send + Sync + 'static,
    ) -> Self {
        let (hand_over, jobs) = bounded(settings.max_threads.max(1));
        let state = State { busy: 0, idle: 0, started: 0, failed: 0, hand_over: Some(hand_over) };
        let crew = Crew {
            settings,
            has_room: Box::new(has_room),
            run: Box::new(run),
            state: Mutex::new(state),
            left: Condvar::new(),
            jobs,
        };
        Pool { crew: Arc::new(crew) }
    }

    /// Gives the job to a thread, or gives it back: every thread is busy and no other may, or could, be started, or
    /// the pool is closed.
    pub fn submit(&self, job: J) -> Result<(), J> {
        let mut state = self.crew.state.lock();
        let State { busy, idle, started, hand_over, .. } = &mut *state;
        let Some(hand_over) = hand_over else { return Err(job) };
        if *idle > 0 {
            *idle -= 1;
            *busy += 1;
            // There is room: the channel never holds more than one job for each thread.
            return hand_over.try_send(job).map_err(|refused| match refused {
                crate::sync::TrySendError::Full(job) | crate::sync::TrySendError::Disconnected(job) => job,
            });
        }
        if *busy == self.crew.settings.max_threads {
            return Err(job);
        }
        *busy += 1;
        *started += 1;
        let name = format!("{}-{}", self.crew.settings.name, started);
        drop(state);
        self.start(name, job)
    }

    /// Threads alive or being started.
    pub fn threads(&self) -> usize {
        self.crew.state.lock().threads()
    }

    /// Those of them that wait for a job.
    pub fn idle(&self) -> usize {
        self.crew.state.lock().idle
    }

    /// Takes no more jobs; waiting threads leave at once, busy ones after their job.
    pub fn close(&self) {
        self.crew.state.lock().hand_over = None;
    }

    /// Waits until every thread has left, or until `deadline`; says whether they have. Needs [`close`](Pool::close).
    pub fn wait_until_empty(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.crew.state.lock();
        while state.threads() > 0 {
            if self.crew.left.wait_until(&mut state, deadline) {
                break;
            }
        }
        state.threads() == 0
    }

    /// Starts a thread with its first job. The thread's place has been counted; it is given up if there is no thread.
    fn start(&self, name: String, job: J) -> Result<(), J> {
        if !(self.crew.has_room)() {
            self.note_failure(&io::ErrorKind::OutOfMemory.into());
            return Err(job);
        }
        // A closure that could not be started is lost with all it owns, so the job stays where it can be fetched back.
        let first = Arc::new(Mutex::new(Some(job)));
        let spawned: io::Result<_> = {
            let (crew, first) = (self.crew.clone(), first.clone());
            Builder::new().name(name).stack_size(self.crew.settings.stack_size).spawn(move || {
                let job = first.lock().take();
                drop(first);
                crew.work(job);
            })
        };
        match spawned {
            Ok(_) => Ok(()),
            Err(problem) => {
                self.note_failure(&problem);
                first.lock().take().map_or(Ok(()), Err)
            }
        }
    }

    /// Gives up the place of a thread that could not be started.
    fn note_failure(&self, problem: &io::Error) {
        let failed = {
            let mut state = self.crew.state.lock();
            state.busy -= 1;
            state.failed += 1;
            state.failed
        };
        self.crew.left.notify_all();
        // It is tried again for everybody who waits, many times a second.
        if failed % SAID_EVERY == 1 {
            let Crew { settings: PoolSettings { name, .. }, .. } = &*self.crew;
            log::warn!(
                "cannot start another {name} thread: {problem}; going on with fewer ({failed} times so far)"
            );
        }
    }
}

impl<J> Crew<J> {
    /// The life of a thread.
    fn work(&self, mut job: Option<J>) {
        while let Some(this) = job.take() {
            self.run_fenced(this);
            job = self.wait_for_job();
        }
    }

    fn run_fenced(&self, job: J) {
        // The job is gone either way, and what outlives it (boards, tables) is kept whole by its own critical sections.
        if catch_unwind(AssertUnwindSafe(|| (self.run)(job))).is_err() {
            log::error!("a {} thread survived a panic", self.settings.name);
        }
    }

    /// `None` once this thread has been counted out and must end.
    fn wait_for_job(&self) -> Option<J> {
        {
            let mut state = self.state.lock();
            state.busy -= 1;
            state.idle += 1;
        }
        loop {
            if let Ok(job) = self.jobs.recv_timeout(self.settings.idle_timeout) {
                return Some(job);
            }
            let mut state = self.state.lock();
            // Its time is up, or the pool is closed and has no job left. But where every waiting thread has been sent a
            // job, one is on its way to this one too. Leaving is one step: who submits finds it here, or its place free.
            if state.idle > 0 {
                state.idle -= 1;
                drop(state);
                self.left.notify_all();
                return None;
            }
        }
    }
}

impl<J> State<J> {
    fn threads(&self) -> usize {
        self.busy + self.idle
    }
}
