//! The bodies of requests, on their way in.

use super::connection::{Connection, End, Stop, idle_cut_short};
use super::memory::Held;
use super::policy::Policy;
use super::shared::Shared;
use super::wire::{persist, retry};
use crate::clock::{Clock, Tick};
use crate::error::{CloseReason, Refusal};
use crate::http1::{Buffer, CONTINUE, Decoder, Framing};
use crate::message::{Incoming, Source};
use crate::monitor::metrics::Meter;
use crate::net::Stream;
use crate::sync::Arc;
use crate::threads::{Claim, Occupant, Pace, Permit, Phase};
use http::HeaderMap;
use std::any::Any;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

/// Bytes of a body read at once.
pub(super) const BLOCK: usize = 8 << 10;
/// A body nobody wanted is read and thrown away if it is no longer than this; past it the connection closes, which costs
/// both sides less.
const MAX_DISCARDED: u64 = 64 << 10;

/// What of a request has not been read when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Nothing,
    /// All of its body.
    Body,
    /// A part of it: the handler began to read and stopped.
    RestOfBody,
}

impl Connection {
    /// Reads a whole body into memory.
    pub(super) fn read_body(&mut self, mut decoder: Decoder, max_body: u64) -> Result<(), Stop> {
        let most = match self.exchange.request.head.framing {
            Framing::Length(length) => length.min(max_body),
            Framing::Chunked | Framing::None => max_body,
        };
        let mut held = Held::new(&self.shared, self.exchange.client(), most);
        let keep = |shared: &Shared, occupant: &Occupant, data: &[u8]| held.store(data, shared, occupant);
        self.receive_body(&mut decoder, Phase::Body, keep)?;
        let trailers = decoder.trailers();
        let Held { bytes, share, .. } = held;
        self.last_size += bytes.len();
        self.exchange.request.incoming = Incoming::Buffered { bytes, trailers, _share: share };
        Ok(())
    }

    /// After an answer: gets a body out of the way that nobody has read, and that is small enough to. Whoever sends it has all he
    /// asked for, and so is between requests: others may have his seat.
    pub(super) fn discard_body(&mut self) -> Result<(), End> {
        if self.unread == Unread::Nothing {
            return Ok(());
        }
        let framing = self.exchange.request.head.framing;
        let decoder = Decoder::new(framing, MAX_DISCARDED, &self.policy.limits());
        let discarded = decoder
            .map_err(Stop::from)
            .and_then(|mut decoder| self.receive_body(&mut decoder, Phase::Idle, |_, _, _| Ok(())));
        discarded.map_err(|stop| match (self.wire.occupant.claim(), stop) {
            (_, Stop::Close(reason)) => reason.into(),
            (None, Stop::Refuse(refusal)) => {
                End { reason: CloseReason::Refused(refusal.reason), linger: true }
            }
            (Some(claim), Stop::Refuse(_)) => End { reason: idle_cut_short(claim), linger: true },
        })
    }

    /// Whether the next request can be reached: nothing of this one is in the way, or little enough to be thrown away.
    pub(super) fn can_reach_next(&self) -> bool {
        let head = &self.exchange.request.head;
        match self.unread {
            Unread::Nothing => true,
            // Who waits for 100 Continue may send the body all the same or leave it out: nobody could tell.
            Unread::Body => {
                matches!(head.framing, Framing::Length(len) if len <= MAX_DISCARDED) && !head.expects_continue
            }
            Unread::RestOfBody => false,
        }
    }

    /// Hands the body at hand to `take`, piece by piece, to its end; while it is waited for the connection is in `phase`.
    fn receive_body(
        &mut self,
        decoder: &mut Decoder,
        phase: Phase,
        mut take: impl FnMut(&Shared, &Occupant, &[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Stop> {
        let request = &mut self.exchange.request;
        let head_len = request.head.len;
        let mut at = head_len;
        let mut waiting = false;
        loop {
            while !decoder.is_done() {
                let input = request.input.message().get(at..).unwrap_or_default();
                let step = decoder.decode(input)?;
                let data = input.get(step.data.clone()).unwrap_or_default();
                take(&self.shared, &self.wire.occupant, data).map_err(|refusal| {
                    // What it holds may have been taken back while it asked for more.
                    let claim = self.wire.occupant.claim().filter(|claim| !claim.spares_a_body());
                    claim.map_or(Stop::Refuse(refusal), body_cut_short)
                })?;
                at += step.consumed;
                if step.consumed == 0 {
                    break;
                }
            }
            if decoder.is_done() {
                self.message_len = at;
                self.unread = Unread::Nothing;
                return Ok(());
            }
            // All that has come is decoded; the head stays.
            request.input.truncate(head_len);
            at = head_len;
            if !waiting {
                waiting = true;
                if request.head.expects_continue {
                    // It waits for room like any answer, and what ends a body would not wake it.
                    self.wire.begin_answer();
                    self.wire.send(CONTINUE, false).map_err(Stop::Close)?;
                }
                if phase == Phase::Body {
                    self.wire.enter_body(self.policy.config.body_timeout);
                } else {
                    self.wire.enter(phase, self.policy.config.keep_alive);
                }
            }
            let wanted = decoder.left().map_or(BLOCK, |left| left.min(BLOCK as u64) as usize);
            let Some(room) = request.input.room(wanted, head_len + BLOCK) else {
                return Err(Refusal::BODY_INCOMPLETE.into());
            };
            let count = self.wire.receive(room).map_err(Stop::Close)?;
            request.input.filled(count);
            self.wire.note_received(count);
            match self.wire.occupant.claim() {
                Some(claim) if count == 0 || !claim.spares_a_body() => return Err(body_cut_short(claim)),
                None if count == 0 => return Err(Refusal::BODY_INCOMPLETE.into()),
                _ => {}
            }
        }
    }

    /// Lets the handler read the body itself: the stream is lent to the request until the handler returns.
    pub(super) fn lend_body(&mut self, decoder: Decoder, permit: Option<Permit>) {
        let request = &mut self.exchange.request;
        let mut input = Buffer::new();
        input.extend(request.input.message().get(request.head.len..).unwrap_or_default());
        request.input.truncate(request.head.len);
        let stream = self.wire.lend();
        let deadline = self.wire.clock.now().after(self.policy.config.body_timeout);
        request.incoming = Incoming::Streamed(Box::new(Loan {
            stream,
            input,
            decoder,
            deadline,
            waited: Duration::ZERO,
            pace: Pace::default(),
            permit,
            shared: self.shared.clone(),
            policy: self.policy.clone(),
            occupant: self.wire.occupant.clone(),
            meter: self.wire.meter.clone(),
            clock: self.wire.clock.clone(),
            continue_due: request.head.expects_continue,
            trailers: None,
            touched: false,
            failed: false,
            refused: None,
        }));
    }

    /// Takes the stream back, if it was lent.
    pub(super) fn take_body_back(&mut self) -> Result<(), Stop> {
        let request = &mut self.exchange.request;
        if matches!(request.incoming, Incoming::None) {
            return Ok(());
        }
        // The memory is given back before the answer is written: a slow reader has no part in the budget.
        let Incoming::Streamed(source) = std::mem::take(&mut request.incoming) else {
            self.wire.occupant.hold(0, 0);
            return Ok(());
        };
        let Ok(loan) = source.into_any().downcast::<Loan>() else {
            return Err(Stop::Close(CloseReason::Broken));
        };
        let Loan { stream, input, decoder, touched, failed, refused, .. } = *loan;
        self.wire.stream = stream;
        self.unread = match touched {
            false => Unread::Body,
            true if failed || !decoder.is_done() => Unread::RestOfBody,
            true => Unread::Nothing,
        };
        // Whatever was read past the body is the beginning of the next request.
        request.input.extend(input.message());
        // Whatever the handler made of it: a body that was refused has no other answer.
        refused.map_or(Ok(()), |refusal| Err(Stop::Refuse(refusal)))
    }
}

/// A body that the handler reads, with all that belongs to the connection it comes from.
struct Loan {
    stream: Stream,
    /// What has arrived and has not been decoded.
    input: Buffer,
    decoder: Decoder,
    deadline: Tick,
    /// How long the client has been waited for, and what came: what the minimum rate is about.
    waited: Duration,
    pace: Pace,
    /// Given back while the client is waited for.
    permit: Option<Permit>,
    shared: Arc<Shared>,
    policy: Arc<Policy>,
    occupant: Arc<Occupant>,
    meter: Meter,
    clock: Clock,
    continue_due: bool,
    trailers: Option<HeaderMap>,
    touched: bool,
    failed: bool,
    /// Why no more of the body is to be had, if the client is to be told.
    refused: Option<Refusal>,
}

impl Read for Loan {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.touched = true;
        if self.failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let read = self.read_decoded(buffer);
        self.failed = read.is_err();
        read
    }
}

impl Loan {
    fn read_decoded(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.decoder.is_done() && !buffer.is_empty() {
            let input = self.input.message();
            // No more than fits is decoded, so that nothing decoded has to be kept.
            let input = &input[..input.len().min(buffer.len())];
            let step = match self.decoder.decode(input) {
                Ok(step) => step,
                Err(refusal) => return Err(self.refuse(refusal, io::ErrorKind::InvalidData)),
            };
            let count = step.data.len();
            buffer[..count].copy_from_slice(&input[step.data]);
            self.input.advance(step.consumed);
            if count > 0 {
                return Ok(count);
            }
            if step.consumed == 0 && !self.decoder.is_done() {
                self.receive()?;
            }
        }
        if self.trailers.is_none() {
            self.trailers = self.decoder.trailers();
        }
        Ok(0)
    }

    /// What the handler is told, beside what the client will be.
    fn refuse(&mut self, refusal: Refusal, kind: io::ErrorKind) -> io::Error {
        self.refused = Some(refusal);
        io::Error::new(kind, refusal.reason)
    }

    /// Waits for more to arrive; the permit is somebody else's meanwhile.
    fn receive(&mut self) -> io::Result<()> {
        let had_permit = self.permit.take().is_some();
        let received = self.wait_for_more();
        let permitted = !had_permit || self.acquire_permit_again();
        let now = self.clock.now();
        self.occupant.enter(Phase::Handling, now.after(self.policy.config.handler_timeout), now);
        received?;
        if permitted { Ok(()) } else { Err(self.refuse(Refusal::OVERLOADED, io::ErrorKind::TimedOut)) }
    }

    fn wait_for_more(&mut self) -> io::Result<()> {
        let began = self.clock.now();
        let since = began.before(self.waited);
        if std::mem::take(&mut self.continue_due) {
            // It waits for room like any answer, and what ends a body would not wake it.
            self.occupant.enter(Phase::Writing, self.deadline, began);
            let waits = |_: &Stream| self.occupant.claim().is_none();
            let mut rest = CONTINUE;
            while !rest.is_empty() {
                let sent = persist(&mut self.stream, |stream| stream.write(rest), waits)?;
                rest = rest.get(sent..).filter(|_| sent > 0).ok_or(ErrorKind::WriteZero)?;
            }
            persist(&mut self.stream, Write::flush, waits)?;
        }
        self.occupant.keep_to(self.policy.config.min_rate);
        self.occupant.resume(Phase::Body, self.deadline, since, self.pace, began);
        let room = self.input.room(BLOCK, BLOCK).ok_or(io::ErrorKind::OutOfMemory)?;
        let count = match retry(|| self.stream.read(room)) {
            // Over TLS, an end nobody may have wished. The body is incomplete either way.
            Err(problem) if problem.kind() == ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        self.input.filled(count);
        self.meter.note_received(count);
        let now = self.clock.now();
        self.waited = now.since(since);
        self.pace = self.pace.after(count, self.waited, self.policy.config.min_rate);
        match self.occupant.claim() {
            Some(claim) if count == 0 || !claim.spares_a_body() => {
                let evicted = matches!(claim, Claim::Evicted | Claim::Outrun);
                let refusal = if evicted { Refusal::BODY_EVICTED } else { Refusal::BODY_TIMEOUT };
                return Err(self.refuse(refusal, io::ErrorKind::TimedOut));
            }
            _ => {}
        }
        if count == 0 {
            return Err(self.refuse(Refusal::BODY_INCOMPLETE, io::ErrorKind::UnexpectedEof));
        }
        Ok(())
    }

    /// Waits for a permit to go on with; false if there was none in time. The handler goes on all the same, to be told: so it holds
    /// one more than there are, and others wait until that has been made good.
    fn acquire_permit_again(&mut self) -> bool {
        let now = self.clock.now();
        let deadline = now.after(self.policy.config.queue_wait);
        self.occupant.enter(Phase::Waiting, deadline, now);
        let waited = self.shared.in_flight.acquire(self.shared.clock.instant(deadline));
        self.meter.note_queued(self.clock.now().since(now));
        let in_time = waited.is_ok();
        self.permit = Some(waited.unwrap_or_else(|_| self.shared.in_flight.overdraw()));
        in_time
    }
}

impl Source for Loan {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }
}

fn body_cut_short(claim: Claim) -> Stop {
    match claim {
        Claim::Overdue | Claim::TooSlow => Stop::Refuse(Refusal::BODY_TIMEOUT),
        Claim::Evicted | Claim::Outrun => Stop::Refuse(Refusal::BODY_EVICTED),
        Claim::Shutdown => Stop::Refuse(Refusal::DRAINING),
        Claim::DrainDeadline => Stop::Close(CloseReason::Shutdown),
    }
}
