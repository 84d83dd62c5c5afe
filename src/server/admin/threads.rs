//! What every thread is doing, a line each.

use super::status::{Status, label};
use crate::clock::Tick;
use crate::record::Escaped;
use crate::server::refuse::PeerName;
use crate::server::shared::Shared;
use crate::sync::Arc;
use crate::threads::{Phase, View};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// The threads of a server, to be shown: seat by seat what the thread there is doing, for how long, until when it may, for
/// whom and what was asked for; then all other threads of the process.
///
/// ```
/// use selvedge::{Request, Server};
///
/// let server = Server::builder().serve(|_: &mut Request| "hello")?;
/// let threads = server.threads();
/// assert!(threads.to_string().starts_with("0 of 1024 seats taken"));
/// # Ok::<(), selvedge::Error>(())
/// ```
#[derive(Clone)]
pub struct Threads(pub(in crate::server) Arc<Shared>);

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = &*self.0;
        let status = Status::of(shared);
        writeln!(
            f,
            "{} of {} seats taken, {} connections wait for one; {} of {} requests in flight, {} wait; {} stuck; up {}",
            status.seats.taken,
            status.seats.limit,
            status.lobby.taken,
            status.in_flight.taken,
            status.in_flight.limit,
            status.queue.taken,
            status.stuck.taken,
            Span(status.uptime),
        )?;
        let mut seated = BTreeSet::new();
        for view in &status.views {
            let name = shared.board.thread(view.number).unwrap_or_default();
            seat(f, shared, view, &name, status.now)?;
            seated.insert(name);
        }
        for (name, state) in others().into_iter().filter(|(name, _)| !seated.contains(name)) {
            let shown = Escaped(&name).to_string();
            writeln!(f, "{shown:<16} {}", doing(&name, &state, &status))?;
        }
        Ok(())
    }
}

fn seat(f: &mut fmt::Formatter<'_>, shared: &Shared, view: &View, name: &str, now: Tick) -> fmt::Result {
    let peer = PeerName(shared.board.peer(view.number)).to_string();
    write!(
        f,
        "{:<16} seat {:<5} {:<9} {:>8}",
        Escaped(name).to_string(),
        view.number,
        view.phase.name(),
        Span(now.since(view.since))
    )?;
    match view.deadline {
        Tick::NEVER => write!(f, "  {:>14}", "no deadline")?,
        deadline if deadline <= now => write!(f, "  {:>9} over", Span(now.since(deadline)))?,
        deadline => write!(f, "  {:>9} left", Span(deadline.since(now)))?,
    }
    write!(f, "  {peer:<21}")?;
    let request = label(shared, view.number);
    match view.phase {
        _ if request.is_empty() => {}
        Phase::Idle | Phase::Head | Phase::Handshake => write!(f, "  after {request}")?,
        _ => write!(f, "  {request}")?,
    }
    if view.moved > 0 {
        write!(f, "  {} bytes", view.moved)?;
    }
    write!(f, "  {} served", view.served)?;
    if view.stuck {
        f.write_str("  STUCK")?;
    }
    if let Some(claim) = view.claim {
        write!(f, "  told to end: {claim:?}")?;
    }
    writeln!(f)
}

/// Names and states of the process's threads, as the system has them: names cut to fifteen characters.
fn others() -> Vec<(String, String)> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let mut threads: Vec<_> = tasks.flatten().filter_map(|task| thread(&task.path())).collect();
    threads.sort();
    threads
}

fn thread(task: &std::path::Path) -> Option<(String, String)> {
    let stat = std::fs::read_to_string(task.join("stat")).ok()?;
    // The name is in parentheses, and may have some of its own.
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let state = match after.split_ascii_whitespace().next()? {
        "R" => "running",
        "S" => "sleeping",
        "D" => "waiting for a disk",
        "T" | "t" => "stopped",
        _ => "ending",
    };
    Some((name.to_owned(), state.to_owned()))
}

fn doing(name: &str, state: &str, status: &Status) -> String {
    match name {
        "acceptor" => format!("{state}: accepts connections, at it for {}", Span(status.acceptor)),
        "watchdog" => format!("{state}: enforces deadlines, {} since its last look", Span(status.watchdog)),
        "farewell" => format!("{state}: waits with those who have been refused until they have read why"),
        "resources" => format!("{state}: watches memory"),
        "alerts" => format!("{state}: tells of alerts"),
        "admin-alerts" => format!("{state}: tells of alerts of the admin listener"),
        "alert-command" => format!("{state}: runs the alert command"),
        "journal" => format!("{state}: writes a log"),
        "certificates" => format!("{state}: looks whether certificates have changed"),
        "signals" => format!("{state}: waits for signals"),
        "supervisor" => format!("{state}: tells systemd that all is well"),
        "sampler" => format!("{state}: counts for the board"),
        "selvedge" => format!("{state}: waits for the end"),
        _ if name.starts_with("admin") => format!("{state}: serves the admin pages"),
        _ if name.starts_with("worker-") => format!("{state}: no connection"),
        _ => state.to_owned(),
    }
}

/// A time of a readable length.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            span if span < Duration::from_secs(1) => format!("{} ms", span.as_millis()),
            span if span < Duration::from_secs(120) => format!("{:.1} s", span.as_secs_f64()),
            span => format!("{} min", span.as_secs() / 60),
        };
        f.pad(&text)
    }
}
