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
    let argument = std::env::args().nth(1);
    match argument.as_deref() {
        Some("serve") => {
            if let Err(problem) = server::serve() {
                eprintln!("baseline: {problem}");
                return ExitCode::FAILURE;
            }
            ExitCode::SUCCESS
        }
        None => measure(100_000),
        Some(count) => match count.parse() {
            Ok(count) => measure(count),
            Err(_) => {
                eprintln!("usage: baseline [COUNT]");
                ExitCode::from(2)
            }
        },
    }
}

fn measure(count: usize) -> ExitCode {
    let own = std::env::current_exe().unwrap_or_default();
    match rounds::run(Command::new(own).arg("serve"), count) {
        Err(problem) => {
            eprintln!("baseline: {problem}");
            ExitCode::FAILURE
        }
        Ok(rows) => {
            println!(
                "| done | took | failures | threads | descriptors | RSS MiB (+{} is ok) | |",
                rounds::BAND >> 20
            );
            println!("|---|--:|--:|--:|--:|--:|---|");
            for row in &rows {
                println!("{row}");
                row.failures.iter().take(5).for_each(|failure| println!("  {failure}"));
            }
            if rows.iter().all(rounds::Row::is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}
