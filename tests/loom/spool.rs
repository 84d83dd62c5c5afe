//! The spool: every line that was taken in is handed out, whatever the writer and the end do meanwhile.

use super::{Preemptions, explore};
use loom::thread;
use selvedge::threads::{Order, Spool};
use std::sync::Arc;

/// Two threads (a pusher that closes, a writer), exhaustive. The writer sleeps without a deadline, so a push or an end
/// that did not wake it would leave it there: caught, with the `notify_one` of `push` or of `close` left out.
#[test]
fn no_line_is_left_behind() {
    explore(Preemptions::Any, [4], || {
        let spool = Arc::new(Spool::new(16));
        let writer = thread::spawn({
            let spool = spool.clone();
            move || {
                let (mut batch, mut written) = (Vec::new(), 0);
                while spool.take(&mut batch, None) == Order::Write {
                    written += batch.len();
                }
                written
            }
        });
        spool.push(b"1\n");
        spool.push(b"2\n");
        spool.close();
        writer.join().expect("no panic")
    });
}
