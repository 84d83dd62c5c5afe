//! The spool: [`Spool`].

use super::{Notes, at_any_moment, explore, join};
use selvedge::threads::{Order, Spool};
use shuttle::thread;
use std::sync::Arc;

const PUSHERS: usize = 4;
const LINES: usize = 3;

/// Four threads push lines into a spool that has not room for all of them, a fifth has the file opened anew, waits until
/// all is written, and closes; the writer waits with deadlines that may pass and without. Every line that was taken is
/// written once, whole, and after those its thread has pushed before; the others are counted; what was there when
/// somebody began to wait for the writer has been written when that wait ends; and the writer comes to its end.
///
/// Seven threads. Caught: `take` that forgets that it writes, and a reopening that counts as done (flushed too early);
/// `push` without its `notify_one` (deadlock); an end before the last lines (lines lost).
#[test]
fn every_line_that_was_taken_is_written() {
    let races = ["all were written", "some were dropped", "none were written", "the writer gave up waiting"];
    explore(races, || {
        let spool = Arc::new(Spool::new(12));
        let written = Arc::new(Notes::default());
        let reopened = Arc::new(Notes::default());
        let late = Arc::new(Notes::default());
        let pushers: Vec<_> = (0..PUSHERS)
            .map(|pusher| {
                let (spool, written) = (spool.clone(), written.clone());
                thread::spawn(move || {
                    let lines = (0..LINES).map(|number| 10 * pusher + number);
                    let mut taken = Vec::new();
                    for line in lines {
                        if spool.push(format!("{line:02}\n").as_bytes()) {
                            taken.push(line);
                        }
                        if pusher == 0 && line == 1 && spool.flush(None) {
                            assert!(
                                taken.iter().all(|line| written.all().contains(line)),
                                "flushed before it was written"
                            );
                        }
                    }
                    taken
                })
            })
            .collect();
        let writer = {
            let (spool, written, reopened, late) =
                (spool.clone(), written.clone(), reopened.clone(), late.clone());
            thread::spawn(move || {
                let mut batch = Vec::new();
                for round in 0.. {
                    match spool.take(&mut batch, (round % 2 == 0).then(at_any_moment)) {
                        Order::Write => {
                            thread::yield_now();
                            let text = std::str::from_utf8(&batch).expect("whole lines");
                            text.lines().for_each(|line| written.add(line.parse().expect("a number")));
                        }
                        Order::Reopen => reopened.add(round),
                        Order::Nothing => late.add(round),
                        Order::End => return,
                    }
                }
            })
        };
        let operator = {
            let (spool, reopened) = (spool.clone(), reopened.clone());
            thread::spawn(move || {
                spool.reopen();
                assert!(spool.flush(None) && reopened.all().len() == 1, "flushed before it was opened anew");
                spool.close();
            })
        };
        let taken = join(pushers);
        join([writer, operator]);
        let written = written.all();
        for (pusher, taken) in taken.iter().enumerate() {
            let of_this = |line: &&usize| **line / 10 == pusher;
            assert_eq!(written.iter().filter(of_this).collect::<Vec<_>>(), taken.iter().collect::<Vec<_>>());
        }
        let all = PUSHERS * LINES;
        let dropped = usize::try_from(spool.dropped()).expect("a few");
        assert_eq!(written.len() + dropped, all);
        [dropped == 0, dropped > 0, written.is_empty(), !late.all().is_empty()]
    });
}
