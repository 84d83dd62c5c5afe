//! Restarts under load on a socket that outlives the servers: no request fails.

use super::PROGRAM;
use rounds::{Plan, run};
use std::path::Path;

#[path = "../../../scripts/restart/rounds.rs"]
mod rounds;

#[test]
fn restarts_fail_nobody() {
    for overlap in [false, true] {
        let plan = Plan {
            program: PROGRAM.into(),
            scratch: Path::new(env!("CARGO_TARGET_TMPDIR")).into(),
            rounds: 3,
            clients: 16,
            between: 100,
            overlap,
        };
        let outcome = run(&plan).expect("they begin and end");
        assert_eq!(outcome.failures, Vec::<String>::new());
        assert_eq!(outcome.servers, 4);
        assert!(outcome.served >= 300 && !outcome.longest.is_zero(), "{outcome:?}");
    }
}
