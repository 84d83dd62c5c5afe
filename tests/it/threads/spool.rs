//! Lines on their way to a slow writer.

use super::{at, patience};
use selvedge::clock::Tick;
use selvedge::threads::{Order, Spool};
use std::sync::Arc;
use std::thread;

#[test]
fn lines_come_in_order_and_all_at_once() {
    let spool = Spool::new(100);
    let mut batch = b"what was written before".to_vec();
    assert!(spool.push(b"one\n") && spool.push(b"two\n"));
    assert_eq!(spool.take(&mut batch, None), Order::Write);
    assert_eq!(batch, b"one\ntwo\n");
    spool.reopen();
    assert!(spool.push(b"three\n"));
    spool.close();
    assert!(!spool.push(b"too late\n"));
    let orders: Vec<_> = (0..3).map(|_| spool.take(&mut batch, None)).collect();
    assert_eq!(orders, [Order::Reopen, Order::Write, Order::End]);
}

#[test]
fn what_does_not_fit_is_dropped_and_reported_once_a_minute() {
    let spool = Spool::new(8);
    assert!(spool.push(b"12345678"));
    assert_eq!((spool.report(at(0)), spool.report_due()), (None, Tick::NEVER));
    assert!(!spool.push(b"\n"));
    assert_eq!(spool.report(at(1000)), Some(1));
    assert!(!spool.push(b"\n"));
    spool.lose(2);
    assert_eq!((spool.report(at(60_999)), spool.report_due()), (None, at(61_000)));
    assert_eq!((spool.report(at(61_000)), spool.report(at(200_000))), (Some(3), None));
    assert_eq!(spool.dropped(), 4);
    // There is room again as soon as the writer has taken what was there, written or not.
    let mut batch = Vec::new();
    assert_eq!(spool.take(&mut batch, None), Order::Write);
    assert!(spool.push(b"\n"));
}

#[test]
fn a_flush_waits_for_the_writer_and_not_for_ever() {
    let spool = Arc::new(Spool::new(100));
    assert!(spool.flush(None), "nothing is there");
    spool.push(b"line\n");
    let mut batch = Vec::new();
    assert_eq!(spool.take(&mut batch, None), Order::Write);
    assert!(!spool.flush(Some(std::time::Instant::now())), "it is still being written");
    let flush = thread::spawn({
        let spool = spool.clone();
        move || spool.flush(Some(patience()))
    });
    assert_eq!(spool.take(&mut batch, Some(std::time::Instant::now())), Order::Nothing);
    assert!(flush.join().expect("no panic"));
}

#[test]
fn many_threads_lose_nothing_that_fits() {
    let spool = Arc::new(Spool::new(1 << 20));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let spool = spool.clone();
            thread::spawn(move || (0..1000).filter(|_| spool.push(b"a line\n")).count())
        })
        .collect();
    let writer = thread::spawn({
        let spool = spool.clone();
        move || {
            let (mut batch, mut lines) = (Vec::new(), 0);
            while spool.take(&mut batch, None) == Order::Write {
                lines += batch.split(|&byte| byte == b'\n').skip(1).count();
            }
            lines
        }
    });
    let pushed: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    spool.close();
    assert_eq!((pushed, writer.join().expect("no panic")), (4000, 4000));
}
