//! Ten times more requests than the server can handle: does it still do its full work, and refuse the rest at once?

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::Row;
use crate::bare;
use crate::client::{Client, Failure};
use crate::figures::{limit_ms, percent, quantile_ms};
use crate::options::{Options, Scenario};
use crate::paced::spawn_small;
use crate::target::{Peak, Target};

const CONNECTIONS: u32 = 1000;
/// Of each connection: 5,000 requests a second in all.
const PERIOD: Duration = Duration::from_millis(200);
const PATH: &str = "/long-running?ms=200";
/// The server's default `--max-in-flight`, and for how long each request is held.
const IN_FLIGHT: f64 = 100.0;
const HELD: Duration = Duration::from_millis(200);
/// The queue fills and the threads start before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);

/// Every answer and failure of the measured time, by when it came.
#[derive(Default)]
struct Tally {
    good: Vec<Duration>,
    refused: Vec<Duration>,
    retried: usize,
    failures: BTreeMap<Failure, usize>,
}

pub fn run(options: &Options) -> io::Result<Row> {
    eprintln!("siege: overload …");
    let mut target = Target::start(options, Scenario::Overload)?;
    let start = Instant::now() + Duration::from_millis(200);
    let (from, until) = (start + WARM_UP, start + WARM_UP + options.time);
    let addr = target.addr;
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let first = start + PERIOD * number / CONNECTIONS;
            spawn_small(move || press(addr, first, from, until))
        })
        .collect();
    let of_bare = bare::ask(None)?;
    thread::sleep(from.saturating_duration_since(Instant::now()));
    of_bare.measure_for(options.time);
    let worked = target.cpu_time();
    let mut peak = Peak::default();
    while Instant::now() < until {
        target.sample(&mut peak);
        thread::sleep(Duration::from_millis(100));
    }
    peak.cores = target.cpu_time().saturating_sub(worked).div_duration_f64(from.elapsed());
    let of_bare = of_bare.finish();
    let mut seen = Tally::default();
    for client in clients {
        seen.absorb(client.join().expect("a client does not panic"));
    }
    seen.good.sort_unstable();
    seen.refused.sort_unstable();
    let stopped = target.stop();

    let seconds = options.time.as_secs_f64();
    let failed: usize = seen.failures.values().sum();
    let offered = (seen.good.len() + seen.refused.len() + failed) as f64 / seconds;
    let goodput = seen.good.len() as f64 / seconds;
    let of_capacity = 100.0 * goodput / (IN_FLIGHT / (HELD + of_bare.mean()).as_secs_f64());
    let bare_p99 = of_bare.p99_ms();
    let lost = percent(failed, seen.good.len() + seen.refused.len() + failed);
    let passed = of_capacity >= options.limits.goodput_percent
        && quantile_ms(&seen.refused, 0.99) < limit_ms(options.limits.refusal_p99_ms, bare_p99)
        && 100.0 * peak.cores <= options.limits.cpu_percent
        && lost <= 100.0 - options.limits.ok_percent
        && stopped.is_ok();

    let mut line = String::from(
        "| offered/s | goodput/s | % of capacity | refused/s | refusal p50 ms | p99 | max | success p99 ms | \
         other failures | retried | bare p99 ms | CPU % | RSS MB | threads | verdict |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
    );
    let _ = write!(
        line,
        "| {offered:.0} | {goodput:.1} | {of_capacity:.1} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | \
         {failed} ({lost:.3} %) | {} | {bare_p99:.2} | {:.0} | {:.1} | {} | {} |",
        seen.refused.len() as f64 / seconds,
        quantile_ms(&seen.refused, 0.50),
        quantile_ms(&seen.refused, 0.99),
        quantile_ms(&seen.refused, 1.0),
        quantile_ms(&seen.good, 0.99),
        seen.retried,
        100.0 * peak.cores,
        peak.rss_kib as f64 / 1024.0,
        peak.threads,
        if passed { "pass" } else { "FAIL" },
    );
    let mut notes = String::new();
    if let Err(reason) = stopped {
        let _ = writeln!(notes, "- overload: {reason}");
    }
    for (failure, count) in &seen.failures {
        let _ = writeln!(notes, "- overload: {count} × {failure}");
    }
    Ok(Row { line, notes, passed })
}

/// One client. It can have but one request on its way; what fell due meanwhile is sent right after, so that the
/// offer keeps its height.
fn press(addr: SocketAddr, first: Instant, from: Instant, until: Instant) -> Tally {
    let mut client = Client::new(addr, PATH, None);
    let mut tally = Tally::default();
    let mut due = first;
    while due < until && Instant::now() < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += PERIOD;
        let sent = Instant::now();
        let outcome = client.get();
        let came = Instant::now();
        if came < from || came >= until {
            continue;
        }
        tally.retried += usize::from(outcome.as_ref().is_ok_and(|answer| answer.retried));
        match outcome.map(|answer| answer.status) {
            Ok(200) => tally.good.push(came - sent),
            Ok(503) => tally.refused.push(came - sent),
            Ok(status) => *tally.failures.entry(Failure::Status(status)).or_default() += 1,
            Err(failure) => *tally.failures.entry(failure).or_default() += 1,
        }
    }
    tally
}

impl Tally {
    fn absorb(&mut self, other: Self) {
        self.good.extend(other.good);
        self.refused.extend(other.refused);
        self.retried += other.retried;
        for (failure, count) in other.failures {
            *self.failures.entry(failure).or_default() += count;
        }
    }
}
