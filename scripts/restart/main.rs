//! Restarts selvedge again and again on a socket that is passed to it, under load, and counts what fails: nothing may.
//!
//! ```text
//! scripts/restart-under-load [--rounds N] [--clients N] [--between N] [--overlap]
//! ```

mod rounds;

use rounds::Plan;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let own = std::env::current_exe().unwrap_or_default();
    // target/PROFILE/examples/restart
    let beside = own.parent().and_then(|folder| folder.parent()).map(PathBuf::from).unwrap_or_default();
    let mut plan = Plan {
        program: beside.join("selvedge"),
        scratch: std::env::temp_dir(),
        rounds: 20,
        clients: 16,
        between: 500,
        overlap: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|value| value.parse().ok());
        let taken = match &*argument {
            "--overlap" => {
                plan.overlap = true;
                Some(())
            }
            "--rounds" => number().map(|count| plan.rounds = count),
            "--clients" => number().map(|count| plan.clients = count),
            "--between" => number().map(|count| plan.between = count),
            _ => None,
        };
        if taken.is_none() {
            eprintln!("usage: restart [--rounds N] [--clients N] [--between N] [--overlap]");
            return ExitCode::from(2);
        }
    }
    match rounds::run(&plan) {
        Err(problem) => {
            eprintln!("restart: {problem}");
            ExitCode::FAILURE
        }
        Ok(outcome) => {
            println!(
                "{} servers, {} requests answered with 200, {} failed, the longest took {:.1?}",
                outcome.servers,
                outcome.served,
                outcome.failures.len(),
                outcome.longest
            );
            for failure in outcome.failures.iter().take(10) {
                println!("  {failure}");
            }
            if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}
