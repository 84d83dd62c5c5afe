//! The built-in application: the endpoints of the article's server.

use super::{Health, Ready, Router, check_json};
use crate::message::{Request, Response};
use crate::monitor::Monitor;
use crate::sync::sleep;
use http::{Method, StatusCode};
use std::time::Duration;

/// Arrays and objects in a posted JSON text may be nested so deep.
const MAX_JSON_DEPTH: usize = 64;
/// The longest `/long-running` runs.
const MAX_LONG_RUNNING: Duration = Duration::from_secs(10);
/// How long it runs unasked.
const DEFAULT_LONG_RUNNING: Duration = Duration::from_secs(1);

/// `GET /`, `POST /` with JSON, the method `HEALTH` on any path, `GET /healthz`, `GET /readyz`, and
/// `GET /long-running?ms=N`.
pub fn application(monitor: &Monitor) -> Router {
    let health = Health(monitor.clone());
    let router = Router::new()
        .get("/", |_: &mut Request| Response::html(include_str!("article.html")))
        .get("/style.css", |_: &mut Request| {
            Response::with_type("text/css; charset=utf-8", include_str!("article.css"))
        })
        .get("/icon.svg", |_: &mut Request| Response::with_type("image/svg+xml", include_str!("article.svg")))
        .post("/", post)
        .get("/healthz", health.clone())
        .get("/readyz", Ready(monitor.clone()))
        .get("/long-running", long_running);
    match Method::from_bytes(b"HEALTH") {
        Ok(method) => router.on_any_path(method, health),
        Err(_) => router,
    }
}

fn post(request: &mut Request) -> Response {
    match check_json(request.body(), MAX_JSON_DEPTH) {
        Ok(()) => Response::with_type(
            "application/json",
            "{\"status\":\"success\",\"message\":\"data received\"}\n",
        ),
        Err(problem) => {
            log::debug!("request {}: a body was refused: {problem}", request.id());
            Response::problem(StatusCode::BAD_REQUEST)
        }
    }
}

/// Stands in for work that takes its time.
fn long_running(request: &mut Request) -> Response {
    let span = match request.query_value("ms").map(str::parse::<u32>) {
        None => DEFAULT_LONG_RUNNING,
        Some(Ok(millis)) if Duration::from_millis(millis.into()) <= MAX_LONG_RUNNING => {
            Duration::from_millis(millis.into())
        }
        Some(_) => return Response::problem(StatusCode::BAD_REQUEST),
    };
    sleep(span);
    let text = format!("{{\"status\":\"success\",\"message\":\"done\",\"ms\":{}}}\n", span.as_millis());
    Response::with_type("application/json", text).with_header("cache-control", "no-store")
}
