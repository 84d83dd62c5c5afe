//! Attacks and overload, and what legitimate clients notice of them.
//!
//! Starts a server on 127.0.0.1, a fresh one for each scenario, besieges it and meanwhile asks for a page at a
//! steady pace on 50 keep-alive connections. Prints Markdown; ends with 1 if a scenario missed its limits.
//! `siege --help` lists the options, `scripts/run-siege` builds all that is needed and runs every scenario.
//!
//! Latency counts from the moment a request was *due*, not from when it was sent: a server that stalls a client
//! for a second is charged for every request that client should have made meanwhile.

// Counts of a few minutes: far below what a float holds exactly, and never negative.
#![allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]

mod attack;
mod bare;
mod client;
mod figures;
mod options;
mod overload;
mod paced;
mod target;
mod tls;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use attack::Army;
use client::{Client, Tls};
use options::{Command, Options, Scenario};
use paced::Paced;
use target::{Peak, Target};

/// Legitimate requests before the attack begins: the server's first threads and pages are not what is measured.
const WARM_UP: Duration = Duration::from_millis(1500);

fn main() -> ExitCode {
    let outcome = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{}", options::USAGE);
            return ExitCode::SUCCESS;
        }
        Ok(Command::Hold { target, tls, clients, time }) => hold(target, tls, clients, time).map(|()| true),
        Ok(Command::Handshakes { target, tls, clients, time }) => {
            handshakes(target, tls, clients, time).map(|()| true)
        }
        Ok(Command::Siege(options)) => siege(&options),
        Err(message) => {
            eprintln!("siege: {message}\nsiege: see --help");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("siege: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the scenarios one after another; whether all kept their limits.
fn siege(options: &Options) -> io::Result<bool> {
    let attacks: Vec<Scenario> =
        options.scenarios.iter().copied().filter(|scenario| *scenario != Scenario::Overload).collect();
    let mut notes = String::new();
    let mut passed = true;

    if !attacks.is_empty() {
        println!("{}", figures::ATTACK_HEADER);
    }
    for scenario in attacks {
        let row = besiege(options, scenario).unwrap_or_else(|error| Row::not_run(scenario, &error));
        println!("{}", row.line);
        io::stdout().flush()?;
        notes += &row.notes;
        passed &= row.passed;
    }
    if options.scenarios.contains(&Scenario::Overload) {
        let report = overload::run(options).unwrap_or_else(|error| Row::not_run(Scenario::Overload, &error));
        println!("\n{}", report.line);
        notes += &report.notes;
        passed &= report.passed;
    }
    if !notes.is_empty() {
        println!("\n{}", notes.trim_end());
    }
    Ok(passed)
}

/// What one scenario adds to the report.
struct Row {
    line: String,
    notes: String,
    passed: bool,
}

impl Row {
    /// One scenario that could not begin does not keep the others from it.
    fn not_run(scenario: Scenario, error: &io::Error) -> Self {
        let line = format!("| {scenario:9} | not run | | | | | | | | | | | | FAIL |");
        Self { line, notes: format!("- {scenario}: {error}\n"), passed: false }
    }
}

/// One scenario: a calm start, the attack, then the measurement while the attack goes on.
fn besiege(options: &Options, scenario: Scenario) -> io::Result<Row> {
    eprintln!("siege: {scenario} …");
    let mut target = Target::start(options, scenario)?;
    let legitimate = Paced::start(target.addr, options.rate, scenario.tls());
    let of_bare = bare::ask(scenario.tls())?;
    thread::sleep(WARM_UP);

    let army = Army::start(scenario, target.addr, target.largest_page(options), options);
    army.wait_until_in_place();
    let (before, opened) = (army.connects(), Instant::now());
    let until = legitimate.measure_for(options.time);
    of_bare.measure_for(options.time);
    let worked = target.cpu_time();
    let mut peak = Peak::default();
    while Instant::now() < until {
        target.sample(&mut peak);
        army.sample_into(&mut peak);
        thread::sleep(Duration::from_millis(100));
    }
    let connects_per_second = (army.connects() - before) as f64 / opened.elapsed().as_secs_f64();
    peak.cores = target.cpu_time().saturating_sub(worked).div_duration_f64(opened.elapsed());

    let seen = legitimate.finish();
    let bare_p99 = of_bare.finish().p99_ms();
    army.disband();
    let stopped = target.stop();

    let attackers = match scenario {
        Scenario::Calm => "–".to_owned(),
        Scenario::Flood => format!("{connects_per_second:.0}/s"),
        _ => format!("{:.0}", peak.mean_attackers()),
    };
    let healthy = seen.ok_percent() >= options.limits.ok_percent
        && seen.p99_ms() <= figures::limit_ms(options.limits.p99_ms, bare_p99)
        && 100.0 * peak.cores <= options.limits.cpu_percent
        && stopped.is_ok();
    let mut notes = String::new();
    if let Err(reason) = stopped {
        let _ = writeln!(notes, "- {scenario}: {reason}");
    }
    for (failure, count) in &seen.failures {
        let _ = writeln!(notes, "- {scenario}: {count} × {failure}");
    }
    let line = figures::attack_row(scenario, &attackers, &seen, &peak, bare_p99, healthy);
    Ok(Row { line, notes, passed: healthy })
}

/// Opens keep-alive connections with one request each, says so, and holds them: for weighing an idle connection.
fn hold(target: SocketAddr, tls: Option<Tls>, clients: usize, time: Duration) -> io::Result<()> {
    let mut held = Vec::with_capacity(clients);
    for number in 0..clients {
        let mut client = Client::new(target, "/", tls);
        client.get().map_err(|failure| io::Error::other(format!("connection {number}: {failure}")))?;
        held.push(client);
    }
    println!("holding {clients}");
    io::stdout().flush()?;
    thread::sleep(time);
    Ok(())
}

/// Opens connections for one request each, `clients` at once, and says how many there were in a second.
fn handshakes(target: SocketAddr, tls: Tls, clients: usize, time: Duration) -> io::Result<()> {
    let until = Instant::now() + time;
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            paced::spawn_small(move || {
                let mut client = Client::new(target, "/", Some(tls));
                let mut count = 0_u32;
                while Instant::now() < until {
                    client.get().map_err(|failure| io::Error::other(failure.to_string()))?;
                    client.hang_up();
                    count += 1;
                }
                Ok::<u32, io::Error>(count)
            })
        })
        .collect();
    let mut all = 0;
    for thread in threads {
        all += thread.join().expect("a client does not panic")?;
    }
    println!("{:.0} handshakes a second", f64::from(all) / time.as_secs_f64());
    Ok(())
}
