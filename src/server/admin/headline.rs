//! How the server is, in one sentence.

use super::history::Second;
use super::status::Status;
use crate::threads::Phase;
use std::fmt::Write;

/// Of all seats, in percent: with more of them taken, and others after them, they are full.
const FULL: usize = 95;

/// How much the sentence matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Nobody need do anything.
    Well,
    /// The server copes with something.
    Strained,
    /// Somebody should look.
    Bad,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Level::Well => "well",
            Level::Strained => "strained",
            Level::Bad => "bad",
        }
    }
}

/// The most important thing there is to say. `lately` is what happened in the last seconds; `stuck` is what the handler that
/// has been stuck for longest was asked for.
pub(super) fn headline(status: &Status, lately: &Second, stuck: Option<&str>) -> (Level, String) {
    the_end(status)
        .or_else(|| dead_threads(status))
        .or_else(|| stuck_handlers(status, stuck))
        .or_else(|| memory(status))
        .or_else(|| seats(status, lately))
        .or_else(|| handlers(status, lately))
        .unwrap_or_else(|| (Level::Well, well(status, lately)))
}

fn the_end(status: &Status) -> Option<(Level, String)> {
    if status.has_ended() {
        return Some((Level::Strained, "Stopped: every connection has ended".into()));
    }
    let left = status.busy();
    let handled = status.phases[Phase::Handling as usize - 1] + status.phases[Phase::Waiting as usize - 1];
    status.draining.then(|| {
        let mut text = format!("Draining: {} left", some(left as u64, "request", "requests"));
        if handled < left {
            let _ = write!(text, ", {} of them with the handlers", thousands(handled as u64));
        }
        (Level::Strained, text)
    })
}

fn dead_threads(status: &Status) -> Option<(Level, String)> {
    let name = *status.dead().first()?;
    let (since, what) = match name {
        "acceptor" => (status.acceptor, "new connections are not accepted"),
        _ => (status.watchdog, "deadlines are not enforced"),
    };
    let seconds = since.as_secs();
    Some((Level::Bad, format!("The {name} has not moved for {seconds} s: {what}")))
}

fn stuck_handlers(status: &Status, request: Option<&str>) -> Option<(Level, String)> {
    let level = if status.overwhelmed { Level::Bad } else { Level::Strained };
    let oldest = status.views.iter().filter(|view| view.stuck).map(|view| status.now.since(view.since)).max();
    let span = oldest?;
    let span = match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        seconds => format!("{seconds} s"),
    };
    let request = request.filter(|request| !request.is_empty()).unwrap_or("its request");
    Some(match status.stuck.taken {
        0 | 1 => (level, format!("A handler is stuck: {request}, for {span}")),
        many => {
            (level, format!("{} handlers are stuck, one on {request} for {span}", thousands(many as u64)))
        }
    })
}

fn memory(status: &Status) -> Option<(Level, String)> {
    let (memory, limit) = (status.usage?.memory, status.memory_limit?);
    if status.refusing {
        let (memory, limit) = (memory >> 20, limit >> 20);
        return Some((
            Level::Bad,
            format!("Memory is short, {memory} of {limit} MiB: refusing new connections"),
        ));
    }
    (memory > limit)
        .then(|| (Level::Strained, format!("Memory is short, {} of {} MiB", memory >> 20, limit >> 20)))
}

fn seats(status: &Status, lately: &Second) -> Option<(Level, String)> {
    // Where seats change hands, one or the other is free at any moment.
    let full = status.seats.taken * 100 >= status.seats.limit * FULL;
    let waiting = status.lobby.taken as u64;
    let refused = lately.turned_away;
    if !full || (waiting == 0 && lately.evicted == 0 && refused == 0) {
        return None;
    }
    let mut text = "Seats are full: ".to_owned();
    if waiting > 0 {
        let _ = write!(text, "{}; ", some(waiting, "connection waits", "connections wait"));
    }
    if lately.evicted > 0 {
        let _ = write!(text, "taking back {} a second from slow clients", thousands(lately.evicted));
    } else if status.evictable + status.evicting > 0 {
        text += "seats of slow or idle clients can be taken back";
    } else {
        text += "everybody there is being served";
    }
    if refused > 0 {
        let _ = write!(text, ", {} turned away a second", thousands(refused));
    }
    let level = if refused > 0 { Level::Bad } else { Level::Strained };
    Some((level, text))
}

fn handlers(status: &Status, lately: &Second) -> Option<(Level, String)> {
    let full = status.in_flight.taken >= status.in_flight.limit;
    if !full || (status.queue.taken == 0 && lately.overloaded == 0) {
        return None;
    }
    let limit = thousands(status.in_flight.limit as u64);
    let mut text = format!(
        "Handlers are full: all {limit} are at work, {}",
        some(status.queue.taken as u64, "request waits", "requests wait")
    );
    if lately.overloaded > 0 {
        let _ = write!(text, ", {} turned away a second", thousands(lately.overloaded));
    }
    Some((if lately.overloaded > 0 { Level::Bad } else { Level::Strained }, text))
}

fn well(status: &Status, lately: &Second) -> String {
    let seats = thousands(status.seats.limit as u64);
    let busy = status.busy() as u64;
    let mut text = match (status.seats.taken, busy) {
        (0, _) => format!("All is well: {seats} seats, all of them free"),
        (1, 0) => format!("All is well: 1 of {seats} seats taken, and idle"),
        (taken, 0) => format!("All is well: {} of {seats} seats taken, all idle", thousands(taken as u64)),
        (_, busy) => format!("All is well: {} of {seats} seats busy", thousands(busy)),
    };
    if lately.limited > 0 {
        let _ = write!(text, "; rate limits refuse {} a second", some(lately.limited, "request", "requests"));
    } else if lately.evicted > 0 {
        let seats = some(lately.evicted, "seat a second is", "seats a second are");
        let _ = write!(text, "; {seats} taken back from slow clients");
    }
    text
}

/// So many of them.
fn some(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

/// With a comma between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
