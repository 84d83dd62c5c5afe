//! Connections that leave HTTP behind: another protocol has them, and the board still sees them.

use super::connection::{Connection, End};
use crate::clock::Clock;
use crate::error::CloseReason;
use crate::message::{Request, Transport, Upgraded};
use crate::net::Stream;
use crate::sync::{Arc, Mutex};
use crate::threads::{Claim, Cut, Occupant, Phase};
use http::header::{CONNECTION, UPGRADE};
use http::{Method, Version};
use std::io::{self, ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

impl Connection {
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

/// Whether the client may be answered with 101 (RFC 9110 §7.8): by GET, in HTTP/1.1, and having asked for it.
pub(super) fn asks_for_upgrade(request: &Request) -> bool {
    let connection = request.header(CONNECTION.as_str()).unwrap_or_default();
    let mut options = connection.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    *request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.header(UPGRADE.as_str()).is_some()
        && options.any(|option| option.eq_ignore_ascii_case(b"upgrade"))
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
        let written = self.stream.write(bytes);
        if let Ok(count @ 1..) = written {
            self.note_moved(count);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
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
