//! Is it well, and does it want more?

use super::{Handler, Plan};
use crate::message::{Request, Response};
use crate::monitor::Monitor;
use crate::monitor::resources::Usage;
use http::StatusCode;

/// Whether the process is well: 200 with `{"status":"healthy","uptime":seconds,"active_connections":n}` and what the
/// process has, `"memory_bytes"`, `"descriptors"` and `"threads"`, for as long as it can answer at all. Where the system
/// does not tell, these are `null`.
#[derive(Clone, Debug)]
pub struct Health(pub Monitor);

/// Whether the server wants more requests: 200 with `{"status":"ready"}`, or 503 with `{"status":"not ready"}` while it
/// shuts down, too many of its handlers are stuck, or new connections are refused for lack of memory.
#[derive(Clone, Debug)]
pub struct Ready(pub Monitor);

impl Handler for Health {
    fn handle(&self, _: &mut Request) -> Response {
        let uptime = self.0.uptime();
        let (seconds, millis) = (uptime.as_secs(), uptime.subsec_millis());
        let active = self.0.active_connections();
        let usage = self.0.usage();
        let number = |of: fn(&Usage) -> u64| {
            usage.as_ref().map_or_else(|| "null".into(), |usage| of(usage).to_string())
        };
        let (memory, descriptors, threads) =
            (number(|usage| usage.memory), number(|usage| usage.descriptors), number(|usage| usage.threads));
        report(format!(
            "{{\"status\":\"healthy\",\"uptime\":{seconds}.{millis:03},\"active_connections\":{active},\
             \"memory_bytes\":{memory},\"descriptors\":{descriptors},\"threads\":{threads}}}\n"
        ))
    }

    fn plan(&self, _: &Request) -> Plan {
        PLAN
    }
}

impl Handler for Ready {
    fn handle(&self, _: &mut Request) -> Response {
        if self.0.is_ready() {
            report("{\"status\":\"ready\"}\n".to_owned())
        } else {
            report("{\"status\":\"not ready\"}\n".to_owned()).with_status(StatusCode::SERVICE_UNAVAILABLE)
        }
    }

    fn plan(&self, _: &Request) -> Plan {
        PLAN
    }
}

const PLAN: Plan = Plan { streams: false, instant: true, probe: true, max_body: Some(0) };

fn report(json: String) -> Response {
    Response::with_type("application/json", json).with_header("cache-control", "no-store")
}
