//! Is it well, and does it want more: for programs that ask.

use super::json::Json;
use super::status::Status;
use crate::message::Response;
use http::StatusCode;

/// 200 for as long as the threads live that everything depends on, 503 with the reasons if not.
pub(super) fn health(status: &Status) -> Response {
    let dead = status.dead();
    let body = Json::object(|json| {
        json.text("status", if dead.is_empty() { "healthy" } else { "unhealthy" });
        if !dead.is_empty() {
            json.array("silent_threads", |json| dead.iter().for_each(|name| json.item_text(name)));
        }
        json.seconds("uptime", status.uptime);
        json.number("active_connections", status.active as u64);
        resources(json, status);
        let millis = |since: std::time::Duration| u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        json.number("acceptor_silent_ms", millis(status.acceptor));
        json.number("watchdog_silent_ms", millis(status.watchdog));
    });
    answer(body, dead.is_empty())
}

/// 200 for as long as the server wants more requests, 503 with the reasons if not.
pub(super) fn readiness(status: &Status) -> Response {
    let reasons = status.not_ready();
    let body = Json::object(|json| {
        json.text("status", if reasons.is_empty() { "ready" } else { "not ready" });
        json.array("reasons", |json| reasons.iter().for_each(|reason| json.item_text(reason)));
        json.seconds("uptime", status.uptime);
        json.number("active_connections", status.active as u64);
        json.number("seats", status.seats.limit as u64);
        json.number("seats_taken", status.seats.taken as u64);
        json.number("seats_evictable", status.evictable as u64);
        json.number("waiting_for_a_seat", status.lobby.taken as u64);
        json.number("in_flight", status.in_flight.taken as u64);
        json.number("stuck_handlers", status.stuck.taken as u64);
        json.number("stuck_handlers_bearable", status.stuck.limit as u64);
        resources(json, status);
        json.maybe("memory_limit_bytes", status.memory_limit);
    });
    answer(body, reasons.is_empty())
}

fn resources(json: &mut Json, status: &Status) {
    json.maybe("memory_bytes", status.usage.map(|usage| usage.memory));
    json.maybe("descriptors", status.usage.map(|usage| usage.descriptors));
    json.maybe("threads", status.usage.map(|usage| usage.threads));
}

fn answer(body: Vec<u8>, well: bool) -> Response {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Response::with_type("application/json", body).with_status(status)
}
