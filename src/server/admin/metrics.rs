//! The metrics: what is counted, under the names that Prometheus' conventions ask for.

use super::Watched;
use super::status::{Status, Use};
use crate::guard::Census;
use crate::message::{Request, Response};
use crate::monitor::Monitor;
use crate::monitor::metrics::{Family, Sample, TextFormat, Totals, Value, expose};
use crate::server::shared::Shared;
use crate::threads::Phase;
use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL, VARY};
use std::time::UNIX_EPOCH;

/// The answer, in the format that is asked for.
pub(super) fn respond(request: &Request, watched: &Watched, status: &Status) -> Response {
    let format = TextFormat::accepted(request.header(ACCEPT.as_str()).unwrap_or_default());
    let monitor = &watched.shared.monitor;
    let totals = monitor.totals();
    let mut families = counts(&totals);
    families.extend(events(watched, &totals));
    families.extend(gauges(&watched.shared, status, &watched.history.lock().census));
    families.extend(process(monitor, status));
    match expose(families, format) {
        Ok(text) => Response::with_type(format.media_type(), text)
            .with_header(CACHE_CONTROL, "no-store")
            .with_header(VARY, "Accept"),
        Err(_) => Response::problem(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn family(name: &'static str, help: &'static str, samples: impl IntoIterator<Item = Sample>) -> Family {
    Family { name, help, samples: samples.into_iter().collect() }
}

fn one(name: &'static str, help: &'static str, value: Value) -> Family {
    family(name, help, [Sample { labels: Vec::new(), value }])
}

fn count(name: &'static str, help: &'static str, count: u64) -> Family {
    one(name, help, Value::Counter(count))
}

fn labelled(label: &'static str, of: impl Into<String>, value: Value) -> Sample {
    Sample { labels: vec![(label, of.into())], value }
}

/// A gauge takes numbers as they come; past 2^53 nobody will miss the ones.
#[allow(clippy::cast_precision_loss)]
fn level(number: u64) -> Value {
    Value::Gauge(number as f64)
}

fn gauge(name: &'static str, help: &'static str, number: u64) -> Family {
    one(name, help, level(number))
}

fn counts(totals: &Totals) -> Vec<Family> {
    let answer = |(method, status, count): &(&'static str, u16, u64)| {
        let status = if *status == 0 { "other".to_owned() } else { status.to_string() };
        Sample {
            labels: vec![("method", (*method).to_owned()), ("status", status)],
            value: Value::Counter(*count),
        }
    };
    let by = |label: &'static str, counts: &[(&'static str, u64)]| {
        counts.iter().map(move |(of, count)| labelled(label, *of, Value::Counter(*count))).collect::<Vec<_>>()
    };
    vec![
        family(
            "selvedge_http_requests",
            "Requests answered, by method and status.",
            totals.answers.iter().map(answer),
        ),
        one(
            "selvedge_http_request_duration_seconds",
            "Time from the complete head of a request that was not refused to the first byte of its answer.",
            Value::Histogram(totals.duration.clone()),
        ),
        one(
            "selvedge_http_queue_wait_seconds",
            "Time that requests waited for a handler to be free.",
            Value::Histogram(totals.queue_wait.clone()),
        ),
        one(
            "selvedge_seat_wait_seconds",
            "Time from accepting a connection to its seat and thread.",
            Value::Histogram(totals.seat_wait.clone()),
        ),
        count("selvedge_received_bytes", "Bytes received from clients.", totals.received),
        count("selvedge_sent_bytes", "Bytes of answers handed to the system.", totals.sent),
        family(
            "selvedge_refusals",
            "Requests and connections that the server itself refused, by reason.",
            by("reason", &totals.refusals),
        ),
        family(
            "selvedge_connections_closed",
            "Connections that have ended, by how.",
            by("reason", &totals.closes),
        ),
    ]
}

fn events(watched: &Watched, totals: &Totals) -> Vec<Family> {
    let (monitor, alerts) = (&watched.shared.monitor, watched.shared.alerts.raised());
    let counters = monitor.counters();
    let journals = watched.journals();
    let dropped = journals.iter().map(|journal| {
        let name = journal.name().trim_start_matches("the ");
        labelled("log", name, Value::Counter(journal.dropped()))
    });
    let handshakes = monitor.handshakes();
    let handshakes = handshakes.iter().map(|(agreed, count)| Sample {
        labels: vec![
            ("version", agreed.version.to_owned()),
            ("group", agreed.group.to_owned()),
            ("resumed", agreed.resumed.to_string()),
        ],
        value: Value::Counter(*count),
    });
    let failed = monitor.failed_handshakes();
    vec![
        count("selvedge_connections_accepted", "Connections accepted.", counters.accepted),
        count(
            "selvedge_tls_resets",
            "TLS connections that were reset because there was no time to tell them why.",
            counters.resets,
        ),
        count("selvedge_accept_errors", "Times that accepting a connection failed.", counters.accept_errors),
        count(
            "selvedge_evictions",
            "Connections whose seat was taken back for another.",
            totals.closed("evicted"),
        ),
        count("selvedge_handler_panics", "Handlers that panicked.", counters.panics),
        count(
            "selvedge_handlers_found_stuck",
            "Handlers that ran for longer than they may.",
            monitor.stuck_handlers(),
        ),
        family(
            "selvedge_alerts",
            "Alerts raised, by kind.",
            alerts.iter().map(|(kind, count)| labelled("kind", *kind, Value::Counter(*count))),
        ),
        family("selvedge_log_lines_dropped", "Lines that a log had no room for.", dropped),
        family("selvedge_tls_handshakes", "TLS handshakes completed, by what was agreed.", handshakes),
        family(
            "selvedge_tls_handshake_failures",
            "TLS handshakes that failed, by reason.",
            failed.iter().map(|(reason, count)| labelled("reason", *reason, Value::Counter(*count))),
        ),
    ]
}

fn gauges(shared: &Shared, status: &Status, census: &Census) -> Vec<Family> {
    let phases = Phase::ALL.iter().zip(status.phases);
    let phases = phases.map(|(phase, count)| labelled("phase", phase.name(), level(count as u64)));
    let mut families = vec![
        family("selvedge_connections", "Connections that have a seat, by what they are doing.", phases),
        gauge("selvedge_seats_evictable", "Seats that could be taken back now.", status.evictable as u64),
        gauge(
            "selvedge_clients",
            "Clients that hold a connection, or wait for their last answer.",
            shared.tally.keys() as u64,
        ),
        gauge(
            "selvedge_rate_limited_clients",
            "Clients that have made as many requests as they may for now.",
            census.rate_limited.count as u64,
        ),
        gauge(
            "selvedge_throttled_clients",
            "Clients that are refused for a while because they were refused too often.",
            census.throttled.count as u64,
        ),
        gauge(
            "selvedge_ready",
            "Whether more requests are wanted.",
            u64::from(status.not_ready().is_empty()),
        ),
        gauge("selvedge_draining", "Whether the server is shutting down.", u64::from(status.draining)),
    ];
    let uses = [
        ("selvedge_seats_taken", "Seats taken.", "selvedge_seats", "Seats there are.", status.seats),
        (
            "selvedge_lobby_waiting",
            "Connections that wait for a seat.",
            "selvedge_lobby_places",
            "Connections that may wait for a seat.",
            status.lobby,
        ),
        (
            "selvedge_requests_in_flight",
            "Requests being handled.",
            "selvedge_requests_in_flight_limit",
            "Requests that may be handled at once.",
            status.in_flight,
        ),
        (
            "selvedge_requests_queued",
            "Requests that wait to be handled.",
            "selvedge_requests_queued_limit",
            "Requests that may wait to be handled.",
            status.queue,
        ),
        (
            "selvedge_handlers_stuck",
            "Handlers past their time.",
            "selvedge_handlers_stuck_bearable",
            "Handlers that may be past their time before the server is not ready.",
            status.stuck,
        ),
        (
            "selvedge_buffered_bytes",
            "Bytes of request bodies in memory.",
            "selvedge_buffered_limit_bytes",
            "Bytes of request bodies that may be in memory.",
            status.buffered,
        ),
    ];
    for (name, help, limit_name, limit_help, Use { taken, limit }) in uses {
        families.push(gauge(name, help, taken as u64));
        families.push(gauge(limit_name, limit_help, limit as u64));
    }
    families.extend(
        census.sessions.map(|count| gauge("selvedge_sessions", "Sessions that are kept.", count as u64)),
    );
    families.extend(
        status
            .memory_limit
            .map(|limit| gauge("selvedge_memory_limit_bytes", "Memory the process may have.", limit)),
    );
    families
}

/// Under the names that every Prometheus client uses.
fn process(monitor: &Monitor, status: &Status) -> Vec<Family> {
    let started = monitor.started_at().duration_since(UNIX_EPOCH).unwrap_or_default();
    let build = Sample { labels: vec![("version", env!("CARGO_PKG_VERSION").to_owned())], value: level(1) };
    let mut families = vec![
        family("selvedge_build_info", "The version of this program.", [build]),
        one(
            "process_start_time_seconds",
            "Start time of the server since the Unix epoch in seconds.",
            Value::Gauge(started.as_secs_f64()),
        ),
    ];
    if let Some(usage) = status.usage {
        families.push(gauge("process_resident_memory_bytes", "Resident memory size in bytes.", usage.memory));
        families.push(gauge("process_open_fds", "Number of open file descriptors.", usage.descriptors));
        families.push(gauge("process_threads", "Number of threads.", usage.threads));
    }
    families
}
