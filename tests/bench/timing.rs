//! The stopwatch.

use std::hint::black_box;
use std::time::Instant;

pub const ROUNDS: usize = 15;

/// Prints the median over `rounds` of what one of `count` calls of `work` takes.
pub fn report<R>(name: &str, rounds: usize, count: usize, mut work: impl FnMut() -> R) {
    report_batch(name, rounds, count, || {
        for _ in 0..count {
            black_box(work());
        }
    });
}

/// The same where `batch` does all `count` of them.
pub fn report_batch(name: &str, rounds: usize, count: usize, mut batch: impl FnMut()) {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            batch();
            start.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[times.len() / 2];
    println!("| {name} | {median:.0} |");
}
