//! Limits over many clients.

use crate::timing::report;
use selvedge::clock::Tick;
use selvedge::{ClientKey, RateLimit, Throttle};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const CLIENTS: u32 = 1_000_000;

pub fn run(rounds: usize) {
    let span = Duration::from_secs(60);
    let limit = RateLimit::new(30, span);
    let throttle = Throttle::new(10, span);
    let hot = key(7);
    let mut now = Tick::from_micros(1);
    report("rate limit, one client", rounds, 100_000, || limit.check(hot, now));
    let before = resident();
    for number in 0..CLIENTS {
        let _ = limit.check(key(number), now);
    }
    let grown = resident().saturating_sub(before) / 1024;
    let mut number = 1_u32;
    report("rate limit, a random one of a million", rounds, 100_000, || {
        // A full-period generator: every client once, in no order a cache would like.
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        now = now.after(Duration::from_micros(1));
        limit.check(key(number % CLIENTS), now)
    });
    throttle.strike(hot, now);
    report("throttle, one client", rounds, 100_000, || throttle.check(hot, now));
    println!("| a million clients' memory in the rate limit, MiB | {grown} |");
}

fn key(number: u32) -> ClientKey {
    IpAddr::from(Ipv4Addr::from(0x0a00_0000 + number)).into()
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
