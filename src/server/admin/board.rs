//! The board as JSON, for the page and for `selvedge top`.
//!
//! A thousand seats are told in some twenty kilobytes, four times a second: each as a few numbers. What takes more words,
//! who it is and what is asked for, is told of the few that are asked about.

use super::Watched;
use super::headline::headline;
use super::history::{History, KEPT, Second};
use super::json::Json;
use super::status::{Status, Use, label};
use crate::clock::Tick;
use crate::message::{ClientKey, Request};
use crate::monitor::{Alert, Journal};
use crate::server::refuse::PeerName;
use crate::server::shared::Shared;
use crate::threads::{Phase, View};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Connections that are told in words, at most.
const MAX_ROWS: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Query {
    /// The number of the last sample that is known: only later ones are told.
    since: u64,
    /// A seat that is told in words.
    seat: Option<usize>,
    /// How many connections are, those first that deserve a look.
    rows: usize,
}

impl Query {
    pub(super) fn of(request: &Request) -> Query {
        fn number<T: std::str::FromStr>(request: &Request, name: &str) -> Option<T> {
            request.query_value(name)?.parse().ok()
        }
        Query {
            since: number(request, "since").unwrap_or(0),
            seat: number(request, "seat"),
            rows: number(request, "rows").unwrap_or(0).min(MAX_ROWS),
        }
    }
}

/// All of it.
pub(super) fn board(watched: &Watched, status: &Status, query: Query) -> Vec<u8> {
    let (shared, history) = (&*watched.shared, &*watched.history.lock());
    let held = seats_by_client(status);
    let stuck = status.views.iter().filter(|view| view.stuck).min_by_key(|view| view.since);
    let stuck = stuck.map(|view| label(shared, view.number));
    let (level, sentence) = headline(status, &history.lately(), stuck.as_deref());
    Json::object(|json| {
        json.text("version", env!("CARGO_PKG_VERSION"));
        json.number("pid", std::process::id().into());
        json.number("time", millis_of(shared.clock.date()));
        json.seconds("uptime", status.uptime);
        json.text("level", level.name());
        json.text("headline", sentence);
        json.flag("draining", status.draining);
        json.flag("ended", status.has_ended());
        json.array("addresses", |json| {
            watched.addresses.iter().for_each(|address| json.item_text(address.to_string()));
        });
        json.number("active", status.active as u64);
        json.number("slots", status.slots as u64);
        json.number("evictable", status.evictable as u64);
        let uses = [
            ("seats", status.seats),
            ("lobby", status.lobby),
            ("flight", status.in_flight),
            ("queue", status.queue),
            ("stuck", status.stuck),
            ("buffered", status.buffered),
        ];
        for (name, Use { taken, limit }) in uses {
            json.array(name, |json| {
                json.item(taken as u64);
                json.item(limit as u64);
            });
        }
        json.maybe("memory", status.usage.map(|usage| usage.memory));
        json.maybe("memory_limit", status.memory_limit);
        json.maybe("descriptors", status.usage.map(|usage| usage.descriptors));
        json.maybe("threads", status.usage.map(|usage| usage.threads));
        json.number("lost_lines", watched.journals().iter().map(Journal::dropped).sum());
        json.array("phases", |json| status.phases.iter().for_each(|count| json.item(*count as u64)));
        json.array("board", |json| status.views.iter().for_each(|view| cell(json, view, status.now)));
        lately(json, history, query.since);
        clients(json, history, &held);
        json.array("alerts", |json| {
            shared.alerts.recent().iter().rev().for_each(|alert| alert_of(json, alert));
        });
        json.array("rows", |json| {
            let notable = if query.rows == 0 { Vec::new() } else { status.notable() };
            for view in notable.into_iter().take(query.rows) {
                json.item_object(|json| row(json, shared, view, status.now));
            }
        });
        match query.seat.and_then(|seat| status.views.iter().find(|view| view.number == seat)) {
            Some(view) => json.nested("seat", |json| row(json, shared, view, status.now)),
            None => json.null("seat"),
        }
    })
}

/// Seat, phase, milliseconds in it, milliseconds left, and 1 if it is claimed, 2 if it is stuck.
fn cell(json: &mut Json, view: &View, now: Tick) {
    json.item_array(|json| {
        json.item(view.number as u64);
        json.item(view.phase as u64);
        json.item(millis(view.since, now));
        match left(view, now) {
            Some(left) => json.item(left),
            None => json.item_null(),
        }
        json.item(u64::from(view.claim.is_some()) | u64::from(view.stuck) << 1);
    });
}

/// One connection in words.
fn row(json: &mut Json, shared: &Shared, view: &View, now: Tick) {
    json.number("number", view.number as u64);
    json.text("thread", shared.board.thread(view.number).unwrap_or_default());
    json.text("phase", view.phase.name());
    json.number("since", millis(view.since, now));
    json.maybe("left", left(view, now));
    json.flag("stuck", view.stuck);
    json.maybe("claim", view.claim.map(|claim| claim as u64));
    json.text("peer", PeerName(shared.board.peer(view.number)).to_string());
    json.text("request", label(shared, view.number));
    // What is asked for next is not known before its head is complete.
    json.flag("past", matches!(view.phase, Phase::Idle | Phase::Head | Phase::Handshake));
    json.number("moved", view.moved);
    json.number("served", view.served);
    json.number("arrived", millis(view.arrived, now));
}

/// What is told of each second.
type Series = (&'static str, fn(&Second) -> u64);
const SERIES: [Series; 7] = [
    ("served", |second| second.served),
    ("refused", |second| second.refused),
    ("evicted", |second| second.evicted),
    ("p50", |second| second.p50),
    ("p99", |second| second.p99),
    ("seats", |second| second.seats),
    ("in_flight", |second| second.in_flight),
];

fn lately(json: &mut Json, history: &History, since: u64) {
    let last = history.seconds.back().map_or(0, |second| second.number);
    // Who knows more than there is speaks of a server that was here before.
    let since = if since > last { 0 } else { since };
    let seconds: Vec<_> = history.seconds.iter().filter(|second| second.number > since).collect();
    json.nested("history", |json| {
        json.number("last", last);
        json.number("kept", KEPT as u64);
        for (name, value) in SERIES {
            json.array(name, |json| seconds.iter().for_each(|second| json.item(value(second))));
        }
    });
    json.array("events", |json| {
        for event in history.events.iter().filter(|event| event.number > since) {
            json.item_object(|json| {
                json.number("time", millis_of(event.at));
                json.text("what", event.what);
                match event.client {
                    Some(client) => json.text("client", client.to_string()),
                    None => json.null("client"),
                }
                json.number("count", event.count);
            });
        }
    });
}

fn clients(json: &mut Json, history: &History, held: &HashMap<u64, usize>) {
    json.array("busiest", |json| {
        for (client, count) in &history.busiest {
            json.item_object(|json| {
                json.text("client", client.to_string());
                json.number("requests", (*count).into());
                json.number("seats", held.get(&client.as_u64()).copied().unwrap_or(0) as u64);
            });
        }
    });
    for (name, barred) in
        [("limited", &history.census.rate_limited), ("throttled", &history.census.throttled)]
    {
        json.nested(name, |json| {
            json.number("count", barred.count as u64);
            json.array("longest", |json| {
                for (client, span) in &barred.longest {
                    json.item_object(|json| {
                        json.text("client", client.to_string());
                        json.seconds("for", *span);
                    });
                }
            });
        });
    }
    // Many seats and no requests is what the slow do: the busiest do not show it.
    let mut holders: Vec<_> =
        held.iter().map(|(client, seats)| (*seats, ClientKey::from_u64(*client))).collect();
    holders.sort_unstable_by(|a, b| b.cmp(a));
    json.array("holders", |json| {
        for (seats, client) in holders.into_iter().take(10) {
            json.item_object(|json| {
                json.text("client", client.to_string());
                json.number("seats", seats as u64);
            });
        }
    });
    json.maybe("sessions", history.census.sessions.map(|count| count as u64));
}

fn alert_of(json: &mut Json, alert: &Alert) {
    json.item_object(|json| {
        json.number("time", millis_of(alert.at()));
        json.text("text", alert.to_string());
    });
}

fn seats_by_client(status: &Status) -> HashMap<u64, usize> {
    let mut held = HashMap::new();
    for view in &status.views {
        *held.entry(view.client).or_insert(0) += 1;
    }
    held
}

fn millis(since: Tick, now: Tick) -> u64 {
    u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds until the deadline; `None` if there is none.
fn left(view: &View, now: Tick) -> Option<u64> {
    (view.deadline != Tick::NEVER).then(|| millis(now, view.deadline))
}

fn millis_of(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
