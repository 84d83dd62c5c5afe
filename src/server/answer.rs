//! The one door: every response of a connection is sealed, framed and written here.

use super::connection::{Connection, End};
use super::incoming::Unread;
use crate::error::{CloseReason, Refusal};
use crate::http1::encode::{self, Length, Persistence};
use crate::message::{Content, Part, Request, Response};
use bytes::Bytes;
use http::{Method, StatusCode, Version};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of a body that are copied behind the head, to leave in the same send. More than these go out by themselves.
const WITH_HEAD: usize = 16 << 10;
/// Bytes of a body in memory past which the board is told of them.
const REMARKABLE: usize = 128 << 10;
/// Bytes of memory kept from one answer to the next: enough for a head and a little body.
const KEPT: usize = 1 << 10;
/// Room for a head of a usual length.
const HEAD: usize = 512;
/// Bytes asked of a reader at once, and so the largest chunk.
const CHUNK: usize = 8 << 10;

impl Connection {
    /// Answers the request at hand. An error is the end of the connection, for whatever reason.
    pub(super) fn answer(&mut self, mut response: Response) -> Result<(), End> {
        if response.status().is_informational() && response.upgrade.is_none() {
            log::error!("request {}: a handler answered with an interim status", self.exchange.request.id());
            response = Response::problem(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if response.upgrade.is_some()
            && let Some(refused) = self.refuse_upgrade(&response)
        {
            response = refused;
        }
        self.policy.seal(&self.exchange, &mut response);
        let request = &self.exchange.request;
        let content = content_of(&mut response);
        let length = length_of(&response, &content, request);
        let keep = self.keeps(&response, length);
        let persistence = match (&response.upgrade, keep, request.version()) {
            (Some(_), ..) => Persistence::Upgrade,
            (_, false, _) => Persistence::Close,
            (_, true, Version::HTTP_10) => Persistence::KeepAlive,
            (_, true, _) => Persistence::Implied,
        };
        let (content_type, fields) = response.fields();
        let began = self.wire.begin_answer();
        self.out.clear();
        self.out.reserve(HEAD);
        encode::head(
            &mut self.out,
            &encode::Outgoing {
                status: response.status(),
                content_type,
                fields,
                length,
                persistence,
                date: self.date.at(began, &self.wire.clock),
                request_id: request.id().0,
                standing: response.standing.as_deref(),
            },
        );
        let (head_len, status) = (self.out.len(), response.status());
        let has_body = *request.method() != Method::HEAD && length != Length::None;
        let written = self.write(if has_body { content } else { Content::Empty }, length);
        // While nothing of it is out, the client can be told. What it is told then is in memory, and cannot fail like that.
        if written == Err(CloseReason::AnswerFailed) && self.wire.sent() == 0 {
            let refused = self.refuse(Refusal::ANSWER_FAILED);
            return self.answer(refused);
        }
        self.take_note(status, began, head_len);
        // Most of its life a connection is idle, and what one keeps then a thousand keep.
        if self.out.capacity() > KEPT {
            self.out = Vec::new();
        }
        written?;
        if let Some(handler) = response.upgrade.take() {
            return Err(self.upgrade(handler.0));
        }
        if keep { Ok(()) } else { Err(self.last_answer_given()) }
    }

    /// Whether there will be another request.
    fn keeps(&self, response: &Response, length: Length) -> bool {
        let refused = self.exchange.refusal;
        // Who was refused has had its share.
        let has_share = || refused.is_some() || self.served + 1 >= self.policy.config.fair_share;
        let others_wait = || self.shared.lobby.waiting() > 0 && has_share();
        self.exchange.request.head.persistent
            && !response.close
            && !refused.is_some_and(|refusal| refusal.close)
            && length != Length::UntilClose
            && self.can_reach_next()
            && self.wire.occupant.claim().is_none()
            && !self.shared.standing.is_draining()
            && !others_wait()
    }

    /// The connection ends with the answer just written. Unless its client wanted that and has nothing more to say, input
    /// may be on its way that would destroy the answer. Over TLS there is always more to say: that it is the end.
    fn last_answer_given(&self) -> End {
        let refusal = self.exchange.refusal;
        let request = &self.exchange.request;
        let all_read = self.unread == Unread::Nothing && request.input.message().len() == self.message_len;
        let wished_by_client = !request.head.persistent && !refusal.is_some_and(|refusal| refusal.close);
        let reason = match refusal {
            Some(refusal) if refusal.close => CloseReason::Refused(refusal.reason),
            _ if self.shared.standing.is_draining() => CloseReason::Shutdown,
            _ => CloseReason::Finished,
        };
        End { reason, linger: self.wire.stream.is_tls() || !(all_read && wished_by_client) }
    }

    fn write(&mut self, content: Content, length: Length) -> Result<(), CloseReason> {
        match content {
            Content::Empty | Content::Problem => self.flush(false),
            Content::Bytes(bytes) => self.write_bytes(&bytes),
            Content::File { file, offset, len } => self.write_file(&file, offset, len),
            Content::Parts { file, parts, .. } => self.write_parts(&file, &parts),
            Content::Reader { reader, len: Some(len) } => self.write_sized(reader, len),
            Content::Reader { reader, len: None } if length == Length::UntilClose => {
                self.write_to_end(reader)
            }
            Content::Reader { reader, len: None } => self.write_chunks(reader),
        }
    }

    fn write_bytes(&mut self, bytes: &Bytes) -> Result<(), CloseReason> {
        // Others may take the pieces one at a time, and make a packet of each.
        if bytes.len() <= WITH_HEAD && !self.wire.stream.is_socket() {
            self.out.extend_from_slice(bytes);
            return self.flush(false);
        }
        // Memory that is there for this client alone, for as long as it takes to read it.
        let held = if bytes.len() > REMARKABLE && bytes.is_unique() { bytes.len() } else { 0 };
        if held > 0 {
            self.wire.occupant.hold(held, self.exchange.client().as_u64());
        }
        let sent = self.wire.send_both(&self.out, bytes);
        if held > 0 {
            self.wire.occupant.hold(0, 0);
        }
        self.out.clear();
        sent
    }

    /// A small file leaves with the head; of a large one the head waits in the kernel for its first bytes.
    fn write_file(&mut self, file: &File, offset: u64, len: u64) -> Result<(), CloseReason> {
        if len > WITH_HEAD as u64 {
            self.flush(true)?;
            return self.wire.send_file(file, offset, len);
        }
        self.append(file, offset, len as usize)?;
        self.flush(false)
    }

    /// What is small gathers behind the head; of what is large the kernel waits for the next part.
    fn write_parts(&mut self, file: &File, parts: &[Part]) -> Result<(), CloseReason> {
        let mut parts = parts.iter().filter(|part| part.len() > 0).peekable();
        while let Some(part) = parts.next() {
            if self.out.len() as u64 + part.len() > WITH_HEAD as u64 {
                self.flush(true)?;
            }
            let is_large = part.len() > WITH_HEAD as u64;
            match part {
                Part::Bytes(bytes) if is_large => self.wire.send(bytes, parts.peek().is_some())?,
                Part::File { offset, len } if is_large => self.wire.send_file(file, *offset, *len)?,
                Part::Bytes(bytes) => self.out.extend_from_slice(bytes),
                Part::File { offset, len } => self.append(file, *offset, *len as usize)?,
            }
        }
        self.flush(false)
    }

    /// Puts bytes of a file behind what has been encoded.
    fn append(&mut self, file: &File, offset: u64, len: usize) -> Result<(), CloseReason> {
        let start = self.out.len();
        self.out.resize(start + len, 0);
        file.read_exact_at(&mut self.out[start..], offset).map_err(|problem| {
            log::warn!("request {}: the file of its answer failed: {problem}", self.exchange.request.id());
            CloseReason::AnswerFailed
        })
    }

    fn write_sized(&mut self, mut reader: Box<dyn Read + Send>, mut left: u64) -> Result<(), CloseReason> {
        let mut block = vec![0; CHUNK];
        while left > 0 {
            let wanted = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = self.pull(&mut *reader, &mut block[..wanted])?;
            if count == 0 {
                let id = self.exchange.request.id();
                log::warn!("request {id}: the reader of its answer ended {left} bytes early");
                return Err(CloseReason::AnswerFailed);
            }
            self.out.extend_from_slice(&block[..count]);
            self.flush(false)?;
            left -= count as u64;
        }
        self.flush(false)
    }

    fn write_chunks(&mut self, mut reader: Box<dyn Read + Send>) -> Result<(), CloseReason> {
        let mut block = vec![0; CHUNK];
        loop {
            let count = self.pull(&mut *reader, &mut block)?;
            if count == 0 {
                encode::last_chunk(&mut self.out, None);
                return self.flush(false);
            }
            encode::chunk(&mut self.out, &block[..count]);
            self.flush(false)?;
        }
    }

    /// The end of the connection is that of the body.
    fn write_to_end(&mut self, reader: Box<dyn Read + Send>) -> Result<(), CloseReason> {
        self.wire.reset_at_end(true);
        let written = self.write_pieces(reader);
        // Of what nothing is out the client is told.
        if written.is_ok() || self.wire.sent() == 0 {
            self.wire.reset_at_end(false);
        }
        written
    }

    fn write_pieces(&mut self, mut reader: Box<dyn Read + Send>) -> Result<(), CloseReason> {
        let mut block = vec![0; CHUNK];
        loop {
            let count = self.pull(&mut *reader, &mut block)?;
            self.out.extend_from_slice(&block[..count]);
            self.flush(false)?;
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// Asks the reader of a body for more. Once the head is out, an error, or a panic, can only end the connection: the client
    /// sees that the body is incomplete.
    fn pull(&mut self, reader: &mut dyn Read, block: &mut [u8]) -> Result<usize, CloseReason> {
        let pulled = self.wire.pause_answer(|| {
            loop {
                match catch_unwind(AssertUnwindSafe(|| reader.read(block))) {
                    Ok(Err(problem)) if problem.kind() == ErrorKind::Interrupted => {}
                    done => return done,
                }
            }
        });
        let id = self.exchange.request.id();
        match pulled {
            Ok(Ok(count)) => Ok(count.min(block.len())),
            Ok(Err(problem)) => {
                log::warn!("request {id}: the reader of its answer failed: {problem}");
                Err(CloseReason::AnswerFailed)
            }
            Err(_) => {
                self.shared.monitor.note_panic();
                log::error!("request {id}: the reader of its answer panicked");
                Err(CloseReason::AnswerFailed)
            }
        }
    }

    /// Sends what has been encoded.
    fn flush(&mut self, more: bool) -> Result<(), CloseReason> {
        let sent = self.wire.send(&self.out, more);
        self.out.clear();
        self.out.shrink_to(WITH_HEAD);
        sent
    }
}

/// The body as it would answer GET. 205 has none (RFC 9110 §15.3.6).
fn content_of(response: &mut Response) -> Content {
    let content = response.take_body().into_content();
    match response.status() {
        StatusCode::RESET_CONTENT => Content::Empty,
        _ => content,
    }
}

/// How the length of the body is told (RFC 9112 §6).
fn length_of(response: &Response, content: &Content, request: &Request) -> Length {
    match (response.status(), content) {
        (status, _) if status.is_informational() => Length::None,
        (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED, _) => Length::None,
        (_, Content::Empty | Content::Problem) => Length::Known(0),
        (_, Content::Bytes(bytes)) => Length::Known(bytes.len() as u64),
        (
            _,
            Content::File { len, .. } | Content::Parts { len, .. } | Content::Reader { len: Some(len), .. },
        ) => Length::Known(*len),
        (_, Content::Reader { len: None, .. }) if request.version() == Version::HTTP_10 => Length::UntilClose,
        (_, Content::Reader { len: None, .. }) => Length::Chunked,
    }
}
