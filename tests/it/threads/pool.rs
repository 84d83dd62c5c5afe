//! The pool of threads.

use super::{millis, patience, until};
use selvedge::threads::{Pool, PoolSettings};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

fn settings() -> PoolSettings {
    let idle_timeout = Duration::from_secs(60);
    PoolSettings { name: "worker", max_threads: 2, stack_size: 256 * 1024, idle_timeout }
}

fn pool(settings: PoolSettings) -> Pool<Job> {
    Pool::new(settings, |job: Job| job())
}

fn finish(pool: &Pool<Job>) {
    pool.close();
    assert!(pool.wait_until_empty(Some(patience())), "every thread leaves a closed pool");
    assert!(pool.submit(Box::new(|| {})).is_err(), "a closed pool takes nothing");
}

/// A job that says its thread's name and then runs until `end` hangs up.
fn names_itself(names: &Sender<String>, end: Receiver<()>) -> Job {
    let names = names.clone();
    Box::new(move || {
        names.send(thread::current().name().unwrap_or_default().to_owned()).expect("the test listens");
        let _ = end.recv();
    })
}

#[test]
fn has_so_many_threads_and_no_more_each_with_its_name() {
    let pool = pool(settings());
    let (names, said) = channel();
    let mut ends = Vec::new();
    for expected in ["worker-1", "worker-2"] {
        let (end, ended) = channel();
        assert!(pool.submit(names_itself(&names, ended)).is_ok());
        assert_eq!(said.recv().as_deref(), Ok(expected));
        ends.push(end);
    }
    assert_eq!(pool.threads(), 2);
    assert!(pool.submit(Box::new(|| {})).is_err(), "both are busy");
    // One of them is free again: the next job is for it, and no new thread.
    drop(ends.remove(0));
    until("idle", || pool.idle() == 1);
    let (end, ended) = channel();
    assert!(pool.submit(names_itself(&names, ended)).is_ok());
    assert_eq!(said.recv().as_deref(), Ok("worker-1"));
    drop((ends, end));
    finish(&pool);
}

#[test]
fn survives_its_jobs_panics() {
    let pool = pool(PoolSettings { max_threads: 1, ..settings() });
    for _ in 0..3 {
        until("a free thread", || pool.submit(Box::new(|| std::panic::resume_unwind(Box::new(())))).is_ok());
    }
    let (names, said) = channel();
    until("a free thread", || pool.submit(names_itself(&names, channel().1)).is_ok());
    assert_eq!(said.recv().as_deref(), Ok("worker-1"), "the first thread is still there");
    finish(&pool);
}

#[test]
fn lets_threads_go_that_nobody_needs() {
    let pool = pool(PoolSettings { idle_timeout: millis(1), ..settings() });
    assert!(pool.submit(Box::new(|| {})).is_ok());
    until("nobody left", || pool.threads() == 0);
    let (names, said) = channel();
    assert!(pool.submit(names_itself(&names, channel().1)).is_ok());
    assert_eq!(said.recv().as_deref(), Ok("worker-2"), "another one comes when there is work");
    finish(&pool);
}

#[test]
fn gives_the_job_back_when_no_thread_can_be_started() {
    let pool = pool(PoolSettings { stack_size: usize::MAX / 2, ..settings() });
    let (ran, runs) = channel();
    let job: Job = Box::new(move || ran.send(()).expect("the test listens"));
    let job = pool.submit(job).expect_err("no machine has room for such a stack");
    assert_eq!(pool.threads(), 0, "the place of the thread that was not started is free");
    job();
    assert_eq!(runs.recv(), Ok(()));
    finish(&pool);
}

#[test]
fn runs_every_job_it_takes() {
    let pool = Arc::new(pool(PoolSettings { max_threads: 4, idle_timeout: millis(0), ..settings() }));
    let (ran, runs) = channel();
    let submitters = [0, 1].map(|submitter| {
        let (pool, ran) = (pool.clone(), ran.clone());
        thread::spawn(move || {
            let job = |number| -> Job {
                let ran = ran.clone();
                Box::new(move || ran.send(submitter * 1000 + number).expect("the test listens"))
            };
            (0..1000).filter(|&number| pool.submit(job(number)).is_ok()).count()
        })
    });
    let taken: usize = submitters.map(|submitter| submitter.join().expect("no panic")).iter().sum();
    finish(&pool);
    drop(ran);
    let mut runs: Vec<_> = runs.iter().collect();
    assert_eq!(runs.len(), taken);
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), taken, "no job ran twice");
}
