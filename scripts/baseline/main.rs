//! Panics, resets and half-closes by the hundred thousand, in every phase of a connection; afterwards the server must have
//! the threads and descriptors of before, and its memory within a few megabytes.
//!
//! ```text
//! scripts/run-baseline [COUNT]
//! ```

// Bytes of one process: far below what a float holds exactly.
#![allow(clippy::cast_precision_loss)]

mod leave;
mod rounds;
mod server;

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_else(|| "100000".into());
    if argument == "serve" {
        let Err(problem) = server::serve() else { return ExitCode::SUCCESS };
        eprintln!("baseline: {problem}");
        return ExitCode::FAILURE;
    }
    if let Ok(count) = argument.parse() {
        return measure(count);
    }
    eprintln!("usage: baseline [COUNT]");
    ExitCode::from(2)
}

fn measure(count: usize) -> ExitCode {
    let own = std::env::current_exe().unwrap_or_default();
    println!(
        "| done | took | failures | threads | descriptors | RSS MiB (+{} is ok) | |",
        rounds::BAND >> 20
    );
    println!("|---|--:|--:|--:|--:|--:|---|");
    let mut good = true;
    for deed in rounds::DEEDS {
        match rounds::run(Command::new(&own).arg("serve"), deed, count) {
            Err(problem) => {
                eprintln!("baseline: {problem}");
                return ExitCode::FAILURE;
            }
            Ok(row) => {
                println!("{row}");
                row.failures.iter().take(5).for_each(|failure| println!("  {failure}"));
                good &= row.is_good();
            }
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
