//! The life of one connection.

use super::date::DateCache;
use super::incoming::{BLOCK, Unread};
use super::policy::Policy;
use super::shared::{Guest, Shared};
use super::wire::Wire;
use crate::clock::Tick;
use crate::error::{CloseReason, Refusal};
use crate::guard::{Exchange, Guard};
use crate::http1::{Decoder, Framing, Parser, Status};
use crate::message::{ClientKey, Incoming, Response};
use crate::monitor::{Presence, SavedHits};
use crate::service::Plan;
use crate::sync::Arc;
use crate::threads::{Claim, Mark, Occupant, Permit, Phase, Tenant, Vacated};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Room for what is still missing of a head; small enough that what a fresh buffer has is enough.
const ROOM: usize = 512;

/// A connection that has a seat: a value of its own, which a thread runs.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    /// What holds for the request at hand.
    pub(super) policy: Arc<Policy>,
    /// How often it had been replaced when it was taken.
    renewals: u64,
    pub(super) wire: Wire,
    /// The request at hand, and with it the bytes that have arrived.
    pub(super) exchange: Exchange,
    pub(super) parser: Parser,
    pub(super) out: Vec<u8>,
    pub(super) date: DateCache,
    /// Requests answered.
    pub(super) served: u64,
    /// Bytes at the beginning of the buffer that belong to the request at hand.
    pub(super) message_len: usize,
    /// Bytes of the last request, with a body that was kept.
    pub(super) last_size: usize,
    /// What of the request at hand has not been read.
    pub(super) unread: Unread,
    /// Answers that have not been counted for the alerts.
    pub(super) saved_hits: SavedHits,
    /// What counts this connection, for as long as it lives.
    counted: (Mark<ClientKey>, Presence),
}

/// Why a request was not handled.
pub(super) enum Stop {
    /// It is answered with a refusal.
    Refuse(Refusal),
    /// It is not answered: nobody is there, or nothing was asked.
    Close(CloseReason),
}

/// How a connection ends.
pub(super) struct End {
    pub(super) reason: CloseReason,
    /// Whether something may still be coming in, which must not destroy the answer that is going out.
    pub(super) linger: bool,
}

impl Connection {
    /// Sits down on a seat of the board.
    pub(super) fn sit(shared: &Arc<Shared>, seat: usize, guest: Guest, now: Tick) -> Self {
        let Guest { stream, peer, arrived, mark } = guest;
        let client = *mark.key();
        let tenant = Tenant { peer, client: client.as_u64(), lifeline: stream.lifeline() };
        let (renewals, policy) = (shared.renewals(), shared.policy());
        let deadline = arrived.after(policy.config.header_timeout);
        let occupant = shared.board.sit(seat, tenant, arrived, deadline);
        // That he had to wait for a seat is not held against him.
        occupant.enter(Phase::Head, deadline, now);
        Connection {
            wire: Wire::new(stream, occupant, shared, &policy.config),
            exchange: Exchange::new(shared.blank_request(peer, client)),
            parser: Parser::new(policy.limits()),
            out: Vec::new(),
            date: DateCache::default(),
            served: 0,
            message_len: 0,
            last_size: 0,
            unread: Unread::Nothing,
            saved_hits: SavedHits::default(),
            counted: (mark, shared.monitor.arrive()),
            shared: shared.clone(),
            policy,
            renewals,
        }
    }

    /// Serves requests until the connection ends.
    pub(super) fn serve(&mut self) -> End {
        if let Err(end) = self.shake_hands() {
            return end;
        }
        loop {
            if let Err(end) = self.serve_one() {
                return end;
            }
        }
    }

    /// One request: read, guarded, handled, answered.
    fn serve_one(&mut self) -> Result<(), End> {
        let response = match self.read_head().and_then(|()| self.respond()) {
            Ok(response) => response,
            Err(Stop::Refuse(refusal)) => self.refuse(refusal),
            Err(Stop::Close(reason)) => return Err(End { reason, linger: false }),
        };
        self.answer(response)?;
        self.discard_body()?;
        self.next_message();
        Ok(())
    }

    /// Reads until a head is complete. Between requests the connection is idle until something of the next one is here.
    fn read_head(&mut self) -> Result<(), Stop> {
        // What holds now holds for the next request, also where that came before the last answer could leave.
        self.take_newest_policy();
        // The first request's head began when the connection arrived.
        let mut phase = (self.served == 0).then_some(Phase::Head);
        loop {
            let config = &self.policy.config;
            let request = &mut self.exchange.request;
            match self.parser.parse(request.input.message(), &mut request.head) {
                Ok(Status::Complete) => return Ok(()),
                Ok(Status::Partial) => {}
                Err(refusal) => return Err(Stop::Refuse(refusal)),
            }
            let started = self.parser.started();
            if started && phase != Some(Phase::Head) {
                self.wire.enter(Phase::Head, config.header_timeout);
                phase = Some(Phase::Head);
            } else if phase.is_none() {
                request.input.fit(self.last_size);
                // The answer has just been given, and what was in the way is read.
                self.wire.enter_at_once(Phase::Idle, config.keep_alive);
                phase = Some(Phase::Idle);
            }
            // A socket that was cut is asked once more: what came before is there to be read, and nothing blocks.
            let cut = self.wire.occupant.claim().filter(|_| !self.wire.stream.is_socket());
            if cut.is_some() {
                return Err(head_cut_short(cut, started));
            }
            // There is room: the parser refuses a head before it fills the buffer.
            let Some(room) = request.input.room(ROOM, config.max_head + BLOCK) else {
                return Err(Stop::Refuse(Refusal::HEAD_TOO_LARGE));
            };
            let count = self.wire.receive(room).map_err(Stop::Close)?;
            if count == 0 {
                return Err(head_cut_short(self.wire.occupant.claim(), started));
            }
            request.input.filled(count);
            self.take_newest_policy();
        }
    }

    /// A complete head to a response: guards, body, permit, handler.
    fn respond(&mut self) -> Result<Response, Stop> {
        self.exchange.now = self.wire.now();
        let request = &self.exchange.request;
        let head = &request.head;
        self.wire
            .occupant
            .note_request(head.method.as_str().as_bytes(), head.path.of(request.input.message()));
        (self.message_len, self.last_size) = (head.len, head.len);
        let has_body = head.framing != Framing::None;
        self.unread = if has_body { Unread::Body } else { Unread::Nothing };
        // Who asks, and whether over TLS, is known before the handler is asked, and before all who count.
        self.policy.identity.admit(&mut self.exchange)?;
        let (handler, request) = (&self.policy.handler, &self.exchange.request);
        let plan = catch_unwind(AssertUnwindSafe(|| handler.plan(request)));
        self.exchange.plan = plan.map_err(|_| self.panicked("the plan of a handler"))?;
        if self.policy.guards.may_wait() {
            self.wire.enter(Phase::Handling, self.policy.config.handler_timeout);
        }
        self.policy.guards.admit(&mut self.exchange)?;
        if self.policy.guards.may_wait() {
            self.wire.now();
        }
        let plan = self.exchange.plan;
        let max_body = plan.max_body.unwrap_or(self.policy.config.max_body);
        let decoder = Decoder::new(self.exchange.request.head.framing, max_body, &self.policy.limits())?;
        if has_body && !plan.streams {
            self.read_body(decoder, max_body)?;
            return self.handle(plan, None);
        }
        self.handle(plan, has_body.then_some(decoder))
    }

    /// Waits for the permit and runs the handler; `streamed` is the body it reads itself.
    fn handle(&mut self, plan: Plan, streamed: Option<Decoder>) -> Result<Response, Stop> {
        let permit = if plan.instant { None } else { Some(self.acquire_permit()?) };
        self.wire.enter_at_once(Phase::Handling, self.policy.config.handler_timeout);
        let permit = match streamed {
            Some(decoder) => {
                self.lend_body(decoder, permit);
                None
            }
            None => permit,
        };
        let (handler, request) = (&self.policy.handler, &mut self.exchange.request);
        // What the handler shares with others is its own to keep whole; the request is dropped after a panic.
        let response = catch_unwind(AssertUnwindSafe(|| handler.handle(request)));
        drop(permit);
        self.take_body_back()?;
        response.map_err(|_| self.panicked("the handler"))
    }

    fn panicked(&self, what: &str) -> Stop {
        self.shared.monitor.note_panic();
        log::error!("request {}: {what} panicked", self.exchange.request.id());
        Stop::Refuse(Refusal::PANIC)
    }

    fn acquire_permit(&mut self) -> Result<Permit, Stop> {
        if let Some(permit) = self.shared.in_flight.try_acquire() {
            self.wire.meter.note_unqueued();
            return Ok(permit);
        }
        let span = self.policy.config.queue_wait;
        let began = self.wire.enter(Phase::Waiting, span);
        let waited = self.shared.in_flight.acquire(self.shared.clock.instant(began.after(span)));
        let waited_for = self.wire.now().since(began);
        self.wire.meter.note_queued(waited_for);
        waited.map_err(|_| Stop::Refuse(Refusal::OVERLOADED))
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) -> Response {
        let request = &mut self.exchange.request;
        request.incoming = Incoming::None;
        self.wire.occupant.hold(0, 0);
        log::debug!("request {}: {} ({})", request.id(), refusal.reason, refusal.status.as_u16());
        self.exchange.refusal = Some(refusal);
        Response::problem(refusal.status)
    }

    /// Makes way for the next request, of which some may have arrived already.
    fn next_message(&mut self) {
        let request = &mut self.exchange.request;
        request.clear();
        request.input.advance(self.message_len);
        request.id = self.shared.ids.next();
        (self.exchange.refusal, self.exchange.plan) = (None, Plan::default());
        self.parser.reset();
        self.served = self.wire.occupant.count_request();
    }

    fn take_newest_policy(&mut self) {
        if self.shared.renewals() != self.renewals {
            self.renew();
        }
    }

    /// Takes the policy that has replaced the one of before.
    #[cold]
    fn renew(&mut self) {
        (self.renewals, self.policy) = (self.shared.renewals(), self.shared.policy());
        self.parser = Parser::new(self.policy.limits());
        self.wire.obey(&self.policy.config);
    }

    /// Gives up the seat, and leaves to others what has to be waited for.
    pub(super) fn leave(self, end: &End) -> (CloseReason, Option<Vacated>) {
        let Connection { shared, wire, counted, mut saved_hits, .. } = self;
        shared.alerts.settle(&mut saved_hits, shared.clock.now());
        let claim = wire.occupant.claim();
        let reason = if claim == Some(Claim::Evicted) { CloseReason::Evicted } else { end.reason };
        let Wire { mut stream, occupant, resets, .. } = wire;
        if resets || end.reason == CloseReason::AnswerFailed {
            stream.break_off();
        }
        let vacated = Arc::into_inner(occupant).map(Occupant::leave);
        if end.linger {
            // Whatever claimed it cut its reading, except for what cut all.
            let deaf = claim.is_some_and(|claim| claim != Claim::DrainDeadline);
            shared.farewells.bid(&shared.clock, stream, deaf, Some(counted.0));
        }
        (reason, vacated)
    }
}

/// Why a head will not be completed: silently if nothing of it was there, with 408 if it took too long.
fn head_cut_short(claim: Option<Claim>, started: bool) -> Stop {
    match claim {
        None if started => Stop::Close(CloseReason::Broken),
        None => Stop::Close(CloseReason::Client),
        Some(Claim::Shutdown) if started => Stop::Refuse(Refusal::DRAINING),
        Some(Claim::Evicted | Claim::Outrun) if started => Stop::Refuse(Refusal::HEAD_EVICTED),
        Some(Claim::Overdue | Claim::TooSlow) if started => Stop::Refuse(Refusal::HEAD_TIMEOUT),
        Some(claim) => Stop::Close(idle_cut_short(claim)),
    }
}

/// Why a connection between requests has to go.
pub(super) fn idle_cut_short(claim: Claim) -> CloseReason {
    match claim {
        Claim::Shutdown | Claim::DrainDeadline => CloseReason::Shutdown,
        Claim::Evicted | Claim::Outrun => CloseReason::Evicted,
        Claim::Overdue | Claim::TooSlow => CloseReason::IdleTimeout,
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refuse(refusal)
    }
}

impl From<CloseReason> for End {
    fn from(reason: CloseReason) -> Self {
        End { reason, linger: false }
    }
}
