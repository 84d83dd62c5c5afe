//! Percentiles and the table.

use std::time::Duration;

use crate::options::Scenario;
use crate::paced::Seen;
use crate::target::Peak;

pub const ATTACK_HEADER: &str = "\
| scenario  | attackers connected | legit sent | ok % | retried | p50 ms | p99 ms | p99.9 ms | max ms | bare p99 ms | CPU % | RSS MB | threads | verdict |
|-----------|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|";

/// Latency that is the server's begins at so many times what the clients of a bare loop wait for.
const BARE: f64 = 4.0;

/// The most that a latency may be: the limit, or what the machine leaves of it while it has other work.
pub fn limit_ms(limit: f64, bare_p99: f64) -> f64 {
    limit.max(BARE * bare_p99)
}

pub fn attack_row(
    scenario: Scenario,
    attackers: &str,
    seen: &Seen,
    peak: &Peak,
    bare_p99: f64,
    passed: bool,
) -> String {
    let quantile = |q| quantile_ms(&seen.latencies, q);
    // Cut, not rounded: 99.9996 % is not 100 %.
    let ok = (seen.ok_percent() * 1000.0).floor() / 1000.0;
    let of_process = match peak.threads {
        0 => "– | – | –".to_owned(),
        threads => format!("{:.0} | {:.1} | {threads}", 100.0 * peak.cores, peak.rss_kib as f64 / 1024.0),
    };
    format!(
        "| {scenario:9} | {attackers} | {} | {ok:.3} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {bare_p99:.2} | {of_process} | {} |",
        seen.sent,
        seen.retried,
        quantile(0.50),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0),
        if passed { "pass" } else { "FAIL" },
    )
}

/// The value that a share `q` of the sorted values does not exceed, in milliseconds; NaN, which passes no limit,
/// where there is none.
pub fn quantile_ms(sorted: &[Duration], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).map_or(f64::NAN, |value| value.as_secs_f64() * 1000.0)
}

pub fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}
