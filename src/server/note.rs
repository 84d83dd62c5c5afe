//! What is told of an answer once it has been given: to the counters, the alerts and the access log.

use super::connection::Connection;
use super::shared::Shared;
use crate::clock::Tick;
use crate::error::Refusal;
use crate::guard;
use crate::message::Request;
use crate::monitor::metrics::Answered;
use crate::monitor::{Access, AccessLog, HitKind};
use http::StatusCode;
use std::time::Duration;

impl Connection {
    /// Takes note of the answer at hand, whose writing began at `began` with a head of `head` bytes. The memory for the next
    /// answer serves as the line of the log: with the access log off nothing is done for it.
    pub(super) fn take_note(&mut self, status: StatusCode, began: Tick, head: usize) {
        let request = &self.exchange.request;
        // A head that was refused was never complete.
        let complete = request.head.len > 0;
        let refused = self.exchange.refusal.map(|refusal| refusal.reason);
        let method = self.parser.has_method().then(|| request.method());
        self.wire.meter.note_answer(&Answered {
            method,
            status,
            duration: (complete && refused.is_none()).then(|| began.since(self.exchange.now)),
            sent: self.wire.sent(),
            refused,
        });
        // To be asked often is what a probe is for.
        if !self.exchange.plan.probe {
            let kind = match method {
                Some(method) => HitKind::new(request.client(), method, status),
                None => HitKind::without_method(request.client(), status),
            };
            self.shared.alerts.note_from(&mut self.saved_hits, kind, began);
        }
        if let Some(log) = &self.policy.access_log {
            let duration = self.wire.clock.now().since(if complete { self.exchange.now } else { began });
            let bytes = self.wire.sent().saturating_sub(head as u64);
            self.shared.record(log, request, status, bytes, duration, &mut self.out);
            self.out.clear();
        }
    }
}

impl Shared {
    /// Writes a line of the access log, in the memory of `line`.
    fn record(
        &self,
        log: &AccessLog,
        request: &Request,
        status: StatusCode,
        bytes: u64,
        duration: Duration,
        line: &mut Vec<u8>,
    ) {
        let (head, input) = (&request.head, request.input.message());
        // Of a request line that was not understood there is a part at most. The path is the last of it that is known.
        let target = head.target.of(input);
        let version = (!head.path.is_empty()).then_some(head.version);
        let access = Access {
            time: self.clock.date(),
            client: request.client_address(),
            peer: request.peer(),
            user: guard::user(request),
            request: (!target.is_empty()).then(|| (head.method.as_str(), target, version)),
            status,
            bytes,
            duration,
            id: request.id(),
            user_agent: head.field(input, "user-agent"),
            referer: head.field(input, "referer"),
            tls: request.tls(),
        };
        log.record(&access, line);
    }

    /// Takes note of the refusal of a connection that never had a worker. At the end the server connects to itself where that is
    /// what wakes a listener: nobody asked then.
    pub(super) fn note_turned_away(&self, request: &Request, refusal: Refusal, bytes: usize) {
        if refusal == Refusal::DRAINING || self.standing.is_draining() {
            return;
        }
        if let Some(log) = &self.policy().access_log {
            self.record(log, request, refusal.status, bytes as u64, Duration::ZERO, &mut Vec::new());
        }
    }
}
