//! What panics, resets and half-closes leave behind. `scripts/run-baseline` does the same for longer.

use std::process::Command;

#[path = "../../../scripts/baseline/rounds.rs"]
#[allow(clippy::cast_precision_loss, reason = "megabytes, for a table")]
mod rounds;
#[path = "../../../scripts/baseline/server.rs"]
mod server;

use super::leave;

#[test]
fn nothing_is_kept() {
    let own = std::env::current_exe().expect("it runs");
    let mut command = Command::new(own);
    command.args(["--exact", "faults::baseline::serves", "--ignored", "--nocapture"]);
    let rows = rounds::run(&mut command, 2000).expect("it serves and ends");
    for row in rows {
        assert!(row.is_good(), "{row}\n{:?}", row.failures);
    }
}

/// The server of the test above, in a process whose threads and memory are its own.
#[test]
#[ignore = "serves until its standard input ends"]
fn serves() {
    server::serve().expect("it starts");
}
