//! Last words: answers without a worker, and the wait for a client to have read them.
//!
//! Closing a socket that has unread input resets the connection, and the reset destroys the answer on its way
//! (RFC 9112 §9.6). So whoever closes early says that it will write no more, and reads on, for a bounded time and number
//! of bytes, until the client has closed too. No worker waits for that: one thread does it for all, on sockets that do
//! not block.

use super::shared::Shared;
use crate::clock::{Clock, Tick};
use crate::error::Refusal;
use crate::guard::Exchange;
use crate::http1::encode;
use crate::message::{ClientKey, Response};
use crate::net::{HandshakeError, Stream};
use crate::sync::{Arc, Builder, Receiver, RecvTimeoutError, Sender, bounded, sleep};
use crate::threads::{Hold, Latch, Mark, Permit, Semaphore};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Connections whose end is being waited for, at most; more are closed at once.
pub(super) const MAX_FAREWELLS: usize = 1024;
/// TLS handshakes spoken at once with who is refused; others are reset. A handshake costs more than all else a refusal
/// does, and this many are a few percent of a processor.
const MAX_HANDSHAKES: usize = 32;
/// Of either, the part for connections that are not counted by client, such as those past what one client may hold: one that
/// opens thousands must not keep the answers of all others from arriving.
const UNCOUNTED: usize = 2;
/// How long a client may take to read its answer and close.
const MAX_LINGER: Duration = Duration::from_secs(2);
/// How long at least, where others need its descriptor.
const MIN_LINGER: Duration = Duration::from_millis(50);
/// How long for one whose reading side was cut: its end cannot be seen.
const DEAF_LINGER: Duration = Duration::from_millis(500);
/// Bytes read and thrown away meanwhile.
const MAX_DRAINED: usize = 256 << 10;
/// How often the sockets are looked at.
const ROUND: Duration = Duration::from_millis(25);
/// A wait without an end that matters.
const FOREVER: Duration = Duration::from_secs(3600);
/// Address space for the thread's stack.
const STACK: usize = 128 << 10;

/// Where connections go that only wait for their end.
pub(super) struct Farewells {
    bids: Sender<Bid>,
    /// Held by everyone whose end is being waited for.
    present: Latch,
    /// Taken by everyone who is refused and has still to agree on TLS.
    handshakes: Arc<Semaphore>,
    /// The same for who is not counted, besides.
    uncounted_handshakes: Arc<Semaphore>,
    /// Taken by everyone who is not counted.
    uncounted: Arc<Semaphore>,
}

/// The right to agree on TLS in order to be refused, and for who is not counted a second one.
type Handshake = (Permit, Option<Permit>);

/// What the thread is asked to do.
enum Bid {
    /// To wait with somebody.
    Stay(Farewell),
    /// To let go who has been here longest.
    MakeWay,
}

/// A connection that is to end.
struct Parting {
    stream: Stream,
    words: Vec<u8>,
    handshake: Option<Handshake>,
    deaf: bool,
    /// What counts it, for as long as it is here.
    mark: Option<Mark<ClientKey>>,
}

/// A connection to which the last words have been written, or are to be.
struct Farewell {
    stream: Stream,
    /// What has not been written yet.
    words: Vec<u8>,
    since: Tick,
    deadline: Tick,
    drained: usize,
    /// Whether nothing that comes in can be read.
    deaf: bool,
    /// Held until TLS has been agreed on, before which nothing can be said.
    handshake: Option<Handshake>,
    finished: bool,
    _hold: Hold,
    _uncounted: Option<Permit>,
    _mark: Option<Mark<ClientKey>>,
}

impl Farewells {
    /// The queue, and the thread's work to be run by [`spawn`].
    pub(super) fn new(clock: &Clock) -> (Self, FarewellThread) {
        let (bids, asked) = bounded(MAX_FAREWELLS);
        (
            Farewells {
                bids,
                present: Latch::new(),
                handshakes: Arc::new(Semaphore::new(MAX_HANDSHAKES, 0)),
                uncounted_handshakes: Arc::new(Semaphore::new(MAX_HANDSHAKES / UNCOUNTED, 0)),
                uncounted: Arc::new(Semaphore::new(MAX_FAREWELLS / UNCOUNTED, 0)),
            },
            FarewellThread { asked, clock: clock.clone(), waiting: Vec::new() },
        )
    }

    /// Refuses a connection that has no worker.
    pub(super) fn refuse(
        &self,
        shared: &Shared,
        stream: Stream,
        peer: Option<SocketAddr>,
        refusal: Refusal,
        mark: Option<Mark<ClientKey>>,
    ) {
        log::debug!("refused {}: {}", PeerName(peer), refusal.reason);
        let handshake = if stream.is_tls() { self.may_shake_hands(mark.is_some()) } else { None };
        if stream.is_tls() && handshake.is_none() {
            shared.monitor.note_refusal(refusal, peer.into(), 0);
            shared.monitor.note_reset();
            return stream.reset();
        }
        let words = last_words(shared, peer, stream.is_tls(), refusal);
        shared.monitor.note_refusal(refusal, peer.into(), words.len());
        self.part(&shared.clock, Parting { stream, words, handshake, deaf: false, mark });
    }

    /// Waits for the client to have read what was written and to close, and closes. `deaf` is a stream whose reading side
    /// was cut; `mark` is what counts the connection, for as long as it is here.
    pub(super) fn bid(&self, clock: &Clock, stream: Stream, deaf: bool, mark: Option<Mark<ClientKey>>) {
        self.part(clock, Parting { stream, words: Vec::new(), handshake: None, deaf, mark });
    }

    fn may_shake_hands(&self, counted: bool) -> Option<Handshake> {
        let besides = if counted { None } else { Some(self.uncounted_handshakes.try_acquire()?) };
        Some((self.handshakes.try_acquire()?, besides))
    }

    /// Says the words and waits.
    fn part(&self, clock: &Clock, parting: Parting) {
        let Parting { mut stream, words, handshake, deaf, mark } = parting;
        if !stream.set_nonblocking() {
            // Nobody can wait for such a stream but who brought it.
            let _ = stream.write_all(&words).and_then(|()| stream.finish_writing());
            return;
        }
        let uncounted = if mark.is_none() { self.uncounted.try_acquire() } else { None };
        let hold = self.present.hold();
        // Those count who are still to be taken in: each has a descriptor.
        let may_wait = (mark.is_some() || uncounted.is_some()) && self.present.holds() <= MAX_FAREWELLS;
        let since = clock.now();
        let deadline = since.after(if deaf { DEAF_LINGER } else { MAX_LINGER });
        let mut farewell = Farewell {
            handshake,
            stream,
            words,
            since,
            deadline,
            drained: 0,
            deaf,
            finished: false,
            _hold: hold,
            _uncounted: uncounted,
            _mark: mark,
        };
        // What can be written is written now; only the waiting is left to the thread. If it has too many to wait for, or
        // is gone, the connection just closes.
        if (farewell.handshake.is_some() || farewell.write()) && may_wait {
            let _ = self.bids.try_send(Bid::Stay(farewell));
        }
    }

    /// Has who has been here longest go now, if he has had time to read his answer.
    pub(super) fn make_way(&self) {
        if self.present.holds() > 0 {
            let _ = self.bids.try_send(Bid::MakeWay);
        }
    }

    /// Waits until everybody has gone; nobody stays longer than [`MAX_LINGER`].
    pub(super) fn wait_until_gone(&self, clock: &Clock, deadline: Tick) -> bool {
        self.present.wait_until_open(clock.instant(deadline.min(clock.now().after(MAX_LINGER))))
    }
}

/// The thread that waits with all who have been bidden farewell.
pub(super) struct FarewellThread {
    asked: Receiver<Bid>,
    clock: Clock,
    waiting: Vec<Farewell>,
}

impl FarewellThread {
    /// Starts it. It ends when every [`Farewells`] is gone and nobody is left to wait for.
    pub(super) fn spawn(mut self, shared: &Shared) -> io::Result<()> {
        Builder::new()
            .name(shared.thread_name("farewell"))
            .stack_size(STACK)
            .spawn(move || self.run())
            .map(drop)
    }

    fn run(&mut self) {
        while self.take_in() {
            let now = self.clock.now();
            // A bug that one of them has found must not end this for all others.
            let goes_on = |farewell: &mut Farewell| catch_unwind(AssertUnwindSafe(|| farewell.go_on()));
            self.waiting.retain_mut(|farewell| farewell.deadline > now && goes_on(farewell).unwrap_or(false));
        }
    }

    /// Takes in who is sent until the next round is due, or, with nobody here, until somebody is; false when all is over.
    fn take_in(&mut self) -> bool {
        let due = self.clock.now().after(ROUND);
        loop {
            let patience = if self.waiting.is_empty() { FOREVER } else { due.since(self.clock.now()) };
            match self.asked.recv_timeout(patience) {
                Ok(Bid::Stay(farewell)) => self.waiting.push(farewell),
                Ok(Bid::MakeWay) => self.let_one_go(),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) if self.waiting.is_empty() => return false,
                Err(RecvTimeoutError::Disconnected) => {
                    sleep(due.since(self.clock.now()));
                    return true;
                }
            }
        }
    }

    fn let_one_go(&mut self) {
        let now = self.clock.now();
        // They have come one after the other.
        if self.waiting.first().is_some_and(|eldest| now.since(eldest.since) > MIN_LINGER) {
            self.waiting.remove(0);
        }
    }
}

impl Farewell {
    /// Whether there is anything left to wait for.
    fn go_on(&mut self) -> bool {
        if self.handshake.is_some() {
            match self.stream.handshake() {
                Ok(_) => {}
                Err(HandshakeError::Waiting) => return true,
                // It has been told something else, or nothing.
                Err(HandshakeError::Refused(_)) => self.words.clear(),
                Err(_) => return false,
            }
            self.handshake = None;
        }
        self.write() && self.drain()
    }

    fn write(&mut self) -> bool {
        while !self.words.is_empty() {
            match self.stream.write(&self.words) {
                Ok(0) => return false,
                Ok(count) => drop(self.words.drain(..count)),
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(problem) => return problem.kind() == ErrorKind::WouldBlock,
            }
        }
        if !self.finished {
            // With its reading side cut, whatever still comes in would be answered with a reset once the writing side is
            // closed too: that one stays half open until its time is up.
            let finished = if self.deaf { self.stream.say_end() } else { self.stream.finish_writing() };
            match finished {
                // The words have still to leave.
                Err(problem) => return problem.kind() == ErrorKind::WouldBlock,
                Ok(()) => self.finished = true,
            }
        }
        true
    }

    fn drain(&mut self) -> bool {
        let mut block = [0; 8192];
        while self.drained < MAX_DRAINED {
            match self.stream.discard(&mut block) {
                Ok(0) => return self.deaf,
                Ok(count) => self.drained += count,
                Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
                Err(problem) => return problem.kind() == ErrorKind::WouldBlock,
            }
        }
        false
    }
}

/// A whole answer for somebody whose request has not been read.
fn last_words(shared: &Shared, peer: Option<SocketAddr>, secure: bool, refusal: Refusal) -> Vec<u8> {
    let mut exchange = Exchange::new(shared.blank_request(peer, peer.into()));
    exchange.request.secure = secure;
    exchange.refusal = Some(refusal);
    let mut response = Response::problem(refusal.status);
    shared.policy().seal(&exchange, &mut response);
    let mut words = Vec::new();
    let (content_type, fields) = response.fields();
    let text = response.body().bytes().unwrap_or_default();
    encode::head(
        &mut words,
        &encode::Outgoing {
            status: response.status(),
            content_type,
            fields,
            length: encode::Length::Known(text.len() as u64),
            persistence: encode::Persistence::Close,
            date: &super::date::imf_fixdate(shared.clock.date()),
            request_id: exchange.request.id().0,
            standing: response.standing.as_deref(),
        },
    );
    words.extend_from_slice(text);
    shared.note_turned_away(&exchange.request, refusal, text.len());
    words
}

/// A peer, for the log.
pub(super) struct PeerName(pub(super) Option<SocketAddr>);

impl std::fmt::Display for PeerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(peer) => peer.fmt(f),
            None => f.write_str("a local client"),
        }
    }
}
