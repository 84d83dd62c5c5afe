//! The spool: every line that was taken in is handed out, whatever the writer and the end do meanwhile.

use super::{Preemptions, explore};
use loom::thread;
use selvedge::threads::{Order, Spool};
use std::sync::Arc;

/// Two threads (a pusher that waits for the writer, then closes; the writer), exhaustive: 230 interleavings. Nobody has a deadline, so one who
/// is not woken stays for ever: caught, with the `notify_one` of `push` or of `close`, or the `notify_all` of `take`,
/// left out.
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
        spool.flush(None);
        spool.push(b"2\n");
        spool.close();
        writer.join().expect("no panic")
    });
}
