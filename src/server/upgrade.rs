//! Connections that leave HTTP behind: another protocol has them, and the board still sees them.

use super::connection::{Connection, End};
use super::incoming::Unread;
use super::wire::persist;
use crate::clock::Clock;
use crate::error::{CloseReason, Refusal};
use crate::http1::{Framing, members};
use crate::message::{Request, Response, Transport, Upgraded};
use crate::net::Stream;
use crate::sync::{Arc, Mutex};
use crate::threads::{Claim, Cut, Occupant, Phase};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Method, StatusCode, Version};
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

impl Connection {
    /// What the client is answered in the place of 101, where the connection cannot change to what the handler speaks.
    pub(super) fn refuse_upgrade(&mut self, response: &Response) -> Option<Response> {
        // Nothing new begins on a connection that is to end.
        let refusal = match self.wire.occupant.claim() {
            _ if self.shared.standing.is_draining() => Some(Refusal::DRAINING),
            Some(Claim::Evicted | Claim::Outrun) => Some(Refusal::NO_SEAT),
            claim => claim.map(|_| Refusal::HEAD_TIMEOUT),
        };
        if let Some(refusal) = refusal {
            return Some(self.refuse(refusal));
        }
        let request = &self.exchange.request;
        let protocols = response.headers().get_all(UPGRADE);
        let names = protocols.iter().map(HeaderValue::as_bytes).flat_map(members);
        let mut names = names.filter(|name| !name.is_empty()).peekable();
        // Another protocol begins where the request ends.
        let is_whole = self.unread == Unread::Nothing || request.head.framing == Framing::Length(0);
        if is_whole && names.peek().is_some() && asks_for(request, names) {
            return None;
        }
        let mut refused = Response::problem(StatusCode::UPGRADE_REQUIRED);
        refused.headers_mut().extend(protocols.iter().map(|protocol| (UPGRADE, protocol.clone())));
        Some(refused)
    }

    /// Lets `speak` have the connection, until it returns.
    pub(super) fn upgrade(&mut self, speak: Box<dyn FnOnce(Upgraded) + Send>) -> End {
        let unread = self.exchange.request.input.message().get(self.message_len..).unwrap_or_default();
        let lifeline = self.wire.stream.lifeline();
        let watched = Watched {
            occupant: self.wire.occupant.clone(),
            clock: self.wire.clock.clone(),
            max_silence: Upgraded::MAX_SILENCE,
        };
        self.wire.enter(Phase::Upgraded, watched.max_silence);
        let watched = Arc::new(Mutex::new(Some(watched)));
        let spoken = Spoken { stream: self.wire.lend(), watched: watched.clone() };
        let upgraded = Upgraded::new(Box::new(spoken), unread.to_vec());
        if catch_unwind(AssertUnwindSafe(|| speak(upgraded))).is_err() {
            self.shared.monitor.note_panic();
            log::error!("request {}: the upgraded protocol panicked", self.exchange.request.id());
        }
        // Whoever has a handle still has no seat any more, and nobody would see what he does.
        watched.lock().take();
        if Arc::strong_count(&watched) > 1
            && let Some(lifeline) = lifeline
        {
            lifeline.cut(Cut::Both);
        }
        let reason = match self.wire.occupant.claim() {
            Some(Claim::Overdue) => CloseReason::IdleTimeout,
            Some(Claim::Shutdown | Claim::DrainDeadline) => CloseReason::Shutdown,
            _ => CloseReason::Upgraded,
        };
        reason.into()
    }
}

/// Whether the client may be answered with 101 (RFC 9110 §7.8): by GET, in HTTP/1.1, and having asked for whatever is spoken
/// then.
fn asks_for<'p>(request: &Request, mut protocols: impl Iterator<Item = &'p [u8]>) -> bool {
    let listed = |name: &'static str| request.header_values(name).flat_map(members);
    *request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && listed(CONNECTION.as_str()).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
        && protocols.all(|protocol| listed(UPGRADE.as_str()).any(|wished| is_same(wished, protocol)))
}

/// Whether both are the same protocol: in any case, but of the same version, to the letter.
fn is_same(wished: &[u8], protocol: &[u8]) -> bool {
    let name = |text: &[u8]| text.iter().position(|&byte| byte == b'/').unwrap_or(text.len());
    let ((wished, version), (protocol, spoken)) =
        (wished.split_at(name(wished)), protocol.split_at(name(protocol)));
    wished.eq_ignore_ascii_case(protocol) && version == spoken
}

/// A handle on the connection of another protocol.
struct Spoken {
    stream: Stream,
    /// Shared by all handles; taken away when the seat is left. Held for a few stores, never over a read or a write.
    watched: Arc<Mutex<Option<Watched>>>,
}

/// The connection's line on the board.
struct Watched {
    occupant: Arc<Occupant>,
    clock: Clock,
    max_silence: Duration,
}

impl Spoken {
    fn note_moved(&self, count: usize) {
        if let Some(watched) = &*self.watched.lock() {
            watched.move_on(count);
        }
    }

    fn claim(&self) -> Option<Claim> {
        self.watched.lock().as_ref()?.occupant.claim()
    }
}

/// Whether what is written may wait for its client: unless that has been silent for too long, or all is over.
fn may_wait(watched: &Mutex<Option<Watched>>) -> bool {
    watched.lock().as_ref().is_some_and(|watched| {
        !matches!(watched.occupant.claim(), Some(Claim::Overdue | Claim::DrainDeadline))
    })
}

impl Watched {
    /// Has the silence begin anew.
    fn move_on(&self, count: usize) {
        let now = self.clock.now();
        self.occupant.progress(count, now);
        self.occupant.extend(now.after(self.max_silence));
    }
}

impl Read for Spoken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer);
        match &read {
            Ok(count @ 1..) => self.note_moved(*count),
            // TLS tells an end that the client wished from one it did not: this was ours.
            Err(problem) if problem.kind() == ErrorKind::UnexpectedEof && self.claim().is_some() => {
                return Ok(0);
            }
            _ => {}
        }
        read
    }
}

impl Write for Spoken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let watched = &self.watched;
        let written = persist(&mut self.stream, |stream| stream.write(bytes), |_| may_wait(watched));
        if let Ok(count @ 1..) = written {
            self.note_moved(count);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let watched = &self.watched;
        persist(&mut self.stream, Write::flush, |_| may_wait(watched))
    }
}

impl Transport for Spoken {
    fn try_clone(&self) -> io::Result<Box<dyn Transport>> {
        Ok(Box::new(Spoken { stream: self.stream.try_clone()?, watched: self.watched.clone() }))
    }

    fn set_max_silence(&self, span: Duration) {
        if let Some(watched) = &mut *self.watched.lock() {
            watched.max_silence = span;
            watched.move_on(0);
        }
    }
}
