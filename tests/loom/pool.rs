//! The pool: [`Pool`].

use super::{Gate, Inside, Preemptions, explore, millis};
use loom::thread;
use selvedge::threads::{Pool, PoolSettings};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Threads stay until the pool is closed.
const PATIENT: Duration = millis(1);
/// Threads may lose their patience at any moment.
const HASTY: Duration = Duration::ZERO;

fn pool<J: Send + 'static>(
    max_threads: usize,
    idle_timeout: Duration,
    run: impl Fn(J) + Send + Sync + 'static,
) -> Arc<Pool<J>> {
    let settings = PoolSettings { name: "worker", max_threads, stack_size: 0, idle_timeout };
    Arc::new(Pool::new(settings, run))
}

fn finish<J: Send + 'static>(pool: &Pool<J>) {
    pool.close();
    assert!(pool.wait_until_empty(None));
    assert_eq!((pool.threads(), pool.idle()), (0, 0));
}

/// Counts the jobs that ran.
fn counter() -> (Arc<AtomicUsize>, impl Fn() + Send + Sync + 'static) {
    let ran = Arc::new(AtomicUsize::new(0));
    let count = ran.clone();
    (ran, move || {
        count.fetch_add(1, Ordering::Relaxed);
    })
}

/// Two jobs that arrive together, to a pool with one thread that waits (or is about to), never wait one behind the
/// other: the first job ends only when the second runs, or has been given back because both threads were busy.
///
/// Four threads, at most three preemptions: 120,575 interleavings. Caught: `submit` that asks "does any thread
/// wait?" and leaves it to the thread to count itself out when it has the job (deadlock).
#[test]
fn two_jobs_at_once_are_not_sent_to_one_thread() {
    explore(Preemptions::AtMost(3), [1, 2], || {
        enum Job {
            Warm,
            First,
            Second,
        }
        let second_begins = Arc::new(Gate::default());
        let pool = {
            let second_begins = second_begins.clone();
            pool(2, PATIENT, move |job| match job {
                Job::Warm => {}
                Job::First => second_begins.wait(),
                Job::Second => second_begins.open(),
            })
        };
        assert!(pool.submit(Job::Warm).is_ok());
        let other = {
            let (pool, second_begins) = (pool.clone(), second_begins.clone());
            thread::spawn(move || {
                let sent = pool.submit(Job::Second).is_ok();
                if !sent {
                    second_begins.open();
                }
                usize::from(sent)
            })
        };
        let sent = usize::from(pool.submit(Job::First).is_ok());
        let sent = sent + other.join().expect("a panic ends the model");
        finish(&pool);
        sent
    });
}

/// A job that is submitted while the only idle thread loses its patience runs: on that thread, or on another.
///
/// Three threads, exhaustive: 436 interleavings. Caught: `wait_for_job` that leaves when its time is up even if
/// every waiting thread has been sent a job (a job taken, and none run).
#[test]
fn a_job_sent_to_a_thread_that_gives_up_waiting_runs() {
    explore(Preemptions::Any, [1, 2], || {
        let (ran, count) = counter();
        let pool = pool(1, HASTY, move |()| count());
        assert!(pool.submit(()).is_ok());
        let sent = 1 + usize::from(pool.submit(()).is_ok());
        finish(&pool);
        assert_eq!(ran.load(Ordering::Relaxed), sent);
        sent
    });
}

/// Where a thread was seen waiting a job is taken, be it that the thread leaves in that moment: its place is free
/// then.
///
/// Three threads, exhaustive: 1,934 interleavings. Caught: `wait_for_job` that gives up its idleness under one lock
/// and its place under the next ("a thread waited, and the job was given back").
#[test]
fn a_thread_that_leaves_gives_up_its_place_with_it() {
    explore(Preemptions::Any, [false, true], || {
        let pool = pool(1, HASTY, |()| {});
        assert!(pool.submit(()).is_ok());
        let waits = pool.idle() == 1;
        let sent = pool.submit(()).is_ok();
        assert!(sent || !waits, "a thread waited, and the job was given back");
        finish(&pool);
        waits
    });
}

/// Never more jobs at once, and never more threads, than there may be.
///
/// Five threads, at most three preemptions: 251,438 interleavings. Caught: `>` for `==` in `submit`'s look at the
/// bound (three inside).
#[test]
fn there_are_never_more_threads_than_may_be() {
    explore(Preemptions::AtMost(3), [2, 3], || {
        let inside = Arc::new(Inside::default());
        let pool = {
            let inside = inside.clone();
            pool(2, HASTY, move |()| {
                inside.enter(1);
                thread::yield_now();
                inside.leave(1);
            })
        };
        let other = {
            let pool = pool.clone();
            thread::spawn(move || usize::from(pool.submit(()).is_ok()))
        };
        let sent = [(), ()].map(|job| usize::from(pool.submit(job).is_ok()));
        assert!(pool.threads() <= 2);
        let sent = sent.iter().sum::<usize>() + other.join().expect("a panic ends the model");
        finish(&pool);
        assert!(inside.most() <= 2);
        sent
    });
}

/// A job that is handed over while the pool is closed runs or is given back: one of the two.
///
/// Four threads, at most four preemptions: 20,629 interleavings. Caught: `wait_for_job` that leaves a closed pool
/// without a last look at the channel, and `submit` that says `Ok` when the pool is closed (taken, and not run).
#[test]
fn a_job_beside_the_close_runs_or_comes_back() {
    explore(Preemptions::AtMost(4), [(true, 2), (false, 1)], || {
        let (ran, count) = counter();
        let pool = pool(2, PATIENT, move |()| count());
        assert!(pool.submit(()).is_ok());
        let submitter = {
            let pool = pool.clone();
            thread::spawn(move || pool.submit(()).is_ok())
        };
        pool.close();
        let sent = submitter.join().expect("a panic ends the model");
        finish(&pool);
        (sent, ran.load(Ordering::Relaxed))
    });
}

/// A job's panic costs no thread its place: afterwards the pool still has room for as many as ever.
///
/// Three threads, exhaustive: 436 interleavings. Caught: `work` that ends with the first panic (deadlock at the
/// end: the thread is still counted).
#[test]
fn a_panic_leaves_the_thread_its_place() {
    explore(Preemptions::Any, [(false, 0), (true, 1)], || {
        let (ran, count) = counter();
        let pool = pool(1, HASTY, move |panics| {
            if panics {
                // Without the panic hook, which would print it once for each interleaving.
                std::panic::resume_unwind(Box::new("a job"));
            }
            count();
        });
        assert!(pool.submit(true).is_ok());
        let sent = pool.submit(false).is_ok();
        finish(&pool);
        (sent, ran.load(Ordering::Relaxed))
    });
}
