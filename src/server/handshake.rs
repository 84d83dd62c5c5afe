//! The beginning of a connection that speaks TLS.

use super::connection::{Connection, End};
use super::refuse::PeerName;
use crate::error::{CloseReason, Refusal};
use crate::message::Response;
use crate::net::HandshakeError;
use crate::sync::Arc;
use crate::threads::Phase;
use http::{Method, StatusCode};

/// Told in plain HTTP to who speaks it where TLS is spoken.
const PLAIN_HTTP: &str = "This port speaks HTTPS only. Begin the address with https:// instead of http://\n";

impl Connection {
    /// Speaks TLS' handshake, where the connection has one, under a deadline of its own.
    pub(super) fn shake_hands(&mut self) -> Result<(), End> {
        if !self.wire.stream.is_tls() {
            return Ok(());
        }
        let config = &self.policy.config;
        self.wire.enter(Phase::Handshake, config.handshake_timeout);
        let done = loop {
            match self.wire.stream.handshake() {
                // It has not read yet what it was told; its deadline ends that.
                Err(HandshakeError::Waiting) if self.wire.occupant.claim().is_none() => {}
                done => break done,
            }
        };
        match done {
            Ok(info) => {
                self.wire.occupant.note_agreed();
                self.wire.enter(Phase::Head, config.header_timeout);
                if let Some(info) = &info {
                    let group = info.group.unwrap_or("none");
                    self.shared.monitor.note_handshake(info.version, group, info.resumed);
                }
                let request = &mut self.exchange.request;
                request.secure = info.is_some();
                request.tls = info.map(Arc::new);
                Ok(())
            }
            Err(HandshakeError::PlainHttp { is_head }) => {
                if is_head {
                    self.exchange.request.head.method = Method::HEAD;
                }
                self.shared.monitor.note_handshake_failure("plain_http");
                self.exchange.refusal = Some(Refusal::PLAIN_HTTP);
                self.answer(Response::text(PLAIN_HTTP).with_status(StatusCode::BAD_REQUEST))
            }
            Err(problem) => Err(self.no_handshake(&problem)),
        }
    }

    fn no_handshake(&self, problem: &HandshakeError) -> End {
        self.shared.monitor.note_handshake_failure(match problem {
            HandshakeError::PlainHttp { .. } => "plain_http",
            HandshakeError::Closed => "closed",
            HandshakeError::Broken => "broken",
            HandshakeError::TooLong => "too_long",
            HandshakeError::Refused(_) => "refused",
            HandshakeError::Waiting => "waiting",
        });
        log::debug!("no TLS with {}: {problem}", PeerName(self.exchange.request.peer()));
        match problem {
            HandshakeError::Closed if self.wire.occupant.claim().is_none() => CloseReason::Client.into(),
            // If there is an alert, it says why; it must not be destroyed by what the client has sent meanwhile.
            HandshakeError::Refused(_) => End { reason: CloseReason::Handshake, linger: true },
            _ => CloseReason::Handshake.into(),
        }
    }
}
