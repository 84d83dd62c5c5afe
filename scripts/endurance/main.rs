//! Two servers for a long time: honest clients of every kind, misbehaving ones of every kind, a reload every ten seconds.
//! No honest request may fail, and memory, descriptors and threads may not grow.
//!
//! ```text
//! scripts/soak MINUTES [LEVEL]
//! ```

// Counts of a few hours: far below what a float holds exactly, and never negative.
#![allow(clippy::cast_precision_loss)]

mod honest;
mod rude;
mod samples;
mod servers;

#[path = "../baseline/leave.rs"]
#[allow(dead_code, reason = "the baseline's; not all of it is needed here")]
mod leave;

#[path = "../siege/attack.rs"]
#[allow(dead_code, clippy::cast_sign_loss, reason = "the siege's; not all of it is needed here")]
mod attack;
#[path = "../siege/client.rs"]
#[allow(dead_code, reason = "the siege's; not all of it is needed here")]
mod client;
#[path = "../siege/options.rs"]
#[allow(dead_code, reason = "the siege's; not all of it is needed here")]
mod options;
#[path = "../siege/target.rs"]
#[allow(dead_code, reason = "the siege's; not all of it is needed here")]
mod target;
#[path = "../siege/tls.rs"]
#[allow(dead_code, reason = "the siege's; not all of it is needed here")]
mod tls;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use attack::Army;
use honest::Tally;
use options::{Command, Options, Scenario};
use rude::Deeds;
use samples::Samples;
use servers::{Scratch, Server};

/// Attackers of each kind.
const ATTACKERS: &str = "20";
const RELOAD_EVERY: u64 = 10;
const OF_APPLICATION: [Scenario; 6] = [
    Scenario::SlowHead,
    Scenario::SlowBody,
    Scenario::SlowRead,
    Scenario::Mute,
    Scenario::Idle,
    Scenario::Tls,
];
const OF_DIRECTORY: [Scenario; 3] = [Scenario::Handshake, Scenario::Mute, Scenario::Tls];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let minutes = arguments.next().and_then(|minutes| minutes.parse().ok());
    let log_level = arguments.next().unwrap_or_else(|| "info".into());
    let Some(minutes) = minutes.filter(|minutes| (0.5..=10_000.0).contains(minutes)) else {
        eprintln!("usage: soak MINUTES [LEVEL]");
        return ExitCode::from(2);
    };
    match soak(Duration::from_secs_f64(60.0 * minutes), &log_level) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("soak: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn soak(time: Duration, log_level: &str) -> io::Result<bool> {
    let own = std::env::current_exe()?;
    // target/PROFILE/examples/soak
    let folder = own.parent().and_then(|folder| folder.parent()).map(PathBuf::from).unwrap_or_default();
    let program = folder.join("selvedge");
    let scratch = Scratch::new()?;
    let mut servers = [
        Server::application(&program, &scratch, log_level)?,
        Server::directory(&program, &scratch, log_level)?,
    ];
    let [application, directory] = servers.each_ref().map(|server| (server.address, server.tls));
    let admin = servers[1].admin;
    let (tally, deeds) = (Tally::default(), Deeds::default());
    let mut samples = [Samples::default(), Samples::default()];
    let mut reloads = 0;

    let watched = thread::scope(|scope| {
        let tally = &tally;
        for habit in honest::APPLICATION {
            scope.spawn(move || honest::live(application.0, application.1, habit, tally));
        }
        for habit in honest::DIRECTORY {
            scope.spawn(move || honest::live(directory.0, directory.1, habit, tally));
        }
        for (habit, admin) in honest::ADMIN.into_iter().zip(admin.into_iter().cycle()) {
            scope.spawn(move || honest::live(admin, None, habit, tally));
        }
        scope.spawn(|| rude::break_off(application.0, rude::OF_APPLICATION, &tally.over, &deeds));
        scope.spawn(|| rude::break_off(directory.0, rude::OF_DIRECTORY, &tally.over, &deeds));
        scope.spawn(|| rude::read_nothing(directory.0, &tally.over, &deeds));
        let options = attackers();
        let armies: Vec<_> = OF_APPLICATION
            .map(|scenario| (scenario, application.0))
            .into_iter()
            .chain(OF_DIRECTORY.map(|scenario| (scenario, directory.0)))
            .filter_map(|(scenario, address)| Some(Army::start(scenario, address, "/", options.as_ref()?)))
            .collect();

        let watched = watch(time, &servers, &scratch, &mut samples, &mut reloads);
        tally.over.store(true, Relaxed);
        armies.into_iter().for_each(Army::disband);
        watched
    });
    watched?;

    let mut good = report(&tally, &deeds, reloads, &servers);
    print!("\n{}", samples::HEADER);
    for (server, samples) in servers.iter().zip(&samples) {
        let (lines, steady) = samples.report(server.name);
        print!("{lines}");
        good &= steady;
    }
    println!();
    for server in &mut servers {
        if let Err(problem) = server.stop() {
            println!("- the {} {problem}", server.name);
            good = false;
        }
        for complaint in server.complaints().iter().take(5) {
            println!("- the {} said: {complaint}", server.name);
            good = false;
        }
    }
    println!("{}", if good { "All is well." } else { "NOT all is well." });
    Ok(good)
}

/// Looks every second, and reloads every ten.
fn watch(
    time: Duration,
    servers: &[Server; 2],
    scratch: &Scratch,
    samples: &mut [Samples; 2],
    reloads: &mut usize,
) -> io::Result<()> {
    let began = Instant::now();
    for second in 1.. {
        let due = Duration::from_secs(second);
        if due > time {
            break;
        }
        thread::sleep(due.saturating_sub(began.elapsed()));
        for (server, samples) in servers.iter().zip(&mut *samples) {
            let taken = samples.take(server.pid(), began.elapsed().as_secs_f64());
            taken.map_err(|_| io::Error::other(format!("the {} has died", server.name)))?;
        }
        if second % RELOAD_EVERY == 0 {
            *reloads += 1;
            scratch.change_options(*reloads)?;
            servers.iter().for_each(Server::reload);
        }
    }
    Ok(())
}

fn attackers() -> Option<Options> {
    match options::parse(["--clients", ATTACKERS].map(str::to_owned).into_iter()) {
        Ok(Command::Siege(options)) => Some(options),
        _ => None,
    }
}

/// What became of the requests; whether none failed.
fn report(tally: &Tally, deeds: &Deeds, reloads: usize, servers: &[Server; 2]) -> bool {
    let troubles = tally.troubles.lock().expect("whole");
    let failed: u64 = troubles.failures.values().sum();
    let believed = deeds.believed.load(Relaxed);
    println!(
        "{} honest requests answered, {failed} failed, {} refused with 503, {} sent again on a fresh connection",
        tally.answered.load(Relaxed),
        tally.overloaded.load(Relaxed),
        troubles.retried
    );
    for (failure, count) in &troubles.failures {
        println!("- {count} × {failure}");
    }
    for trouble in &troubles.told {
        println!("- {}", trouble.text);
        for line in servers.iter().flat_map(|server| server.lines_about(trouble.port)) {
            println!("  {line}");
        }
    }
    println!(
        "{} times somebody broke off or spoke nonsense, {believed} times with success; {reloads} reloads",
        deeds.done.load(Relaxed)
    );
    failed == 0 && believed == 0
}
