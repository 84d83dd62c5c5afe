//! A connection's stream and its line on the board: everything that can block goes through here.

use super::shared::Shared;
use crate::clock::{Clock, Tick};
use crate::config::Config;
use crate::error::CloseReason;
use crate::monitor::metrics::Meter;
use crate::net::Stream;
use crate::sync::Arc;
use crate::threads::{Claim, Occupant, Phase};
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::time::Duration;

/// Bytes handed to the kernel at once. A blocking write returns when all of them are taken, so this is also how often
/// the board hears that an answer moves.
const BLOCK: usize = 128 << 10;
/// The same for a file. After a few blocks that are taken fast they grow, up to the large one, and after one that is not they are
/// small: the kernel waits for the client several times in one block, each time for as long as a write may.
const LARGE_BLOCK: usize = 256 << 10;
const A_FEW: usize = 4;
const SMALL_BLOCK: usize = 16 << 10;
const FAST: Duration = Duration::from_millis(2);
/// Bytes of an answer that its client may read without anybody hearing of it: the kernel says in steps that there is room, and
/// TLS takes as much at once.
const UNHEARD: u64 = 64 << 10;

/// A stream, who sits there, and how slow its client may read.
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) occupant: Arc<Occupant>,
    pub(super) clock: Clock,
    /// What is counted of this connection.
    pub(super) meter: Meter,
    write_timeout: Duration,
    handler_timeout: Duration,
    min_rate: Option<u64>,
    /// The answer at hand: when it is due, and how much of it is out.
    write_deadline: Tick,
    written: u64,
    /// Whether what there is no room for is not written.
    haste: bool,
    /// Whether it must end with a reset if it is not whole.
    pub(super) resets: bool,
    /// What had been claimed when it began: another claim is one on it.
    claimed: Option<Claim>,
    /// When something was last heard or said: the latest moment that is known without asking the clock.
    moment: Tick,
}

impl Wire {
    pub(super) fn new(stream: Stream, occupant: Occupant, shared: &Shared, config: &Config) -> Self {
        let mut wire = Wire {
            stream,
            meter: shared.counts.meter(occupant.number()),
            occupant: Arc::new(occupant),
            clock: shared.clock.clone(),
            write_timeout: Duration::ZERO,
            handler_timeout: Duration::ZERO,
            min_rate: None,
            write_deadline: Tick::NEVER,
            written: 0,
            haste: false,
            resets: false,
            claimed: None,
            moment: Tick::default(),
        };
        wire.obey(config);
        wire
    }

    /// From the next answer on its client may read, and its reader work, as slowly as `config` permits.
    pub(super) fn obey(&mut self, config: &Config) {
        self.write_timeout = config.write_timeout;
        self.handler_timeout = config.handler_timeout;
        self.min_rate = config.min_rate;
    }

    /// Begins `phase` now, to be over in `span`.
    pub(super) fn enter(&mut self, phase: Phase, span: Duration) -> Tick {
        self.moment = self.clock.now();
        self.enter_at_once(phase, span)
    }

    /// Begins `phase` at the latest moment that is known, where nothing has been waited for since.
    pub(super) fn enter_at_once(&self, phase: Phase, span: Duration) -> Tick {
        self.occupant.enter(phase, self.moment.after(span), self.moment);
        self.moment
    }

    /// Begins to wait for a body, to be over in `span`, and no slower than the minimum rate there is now.
    pub(super) fn enter_body(&mut self, span: Duration) {
        self.occupant.keep_to(self.min_rate);
        self.enter(Phase::Body, span);
    }

    /// Asks the clock.
    pub(super) fn now(&mut self) -> Tick {
        self.moment = self.clock.now();
        self.moment
    }

    /// Waits for bytes. Zero means that no more will come: the client said so, or the board did.
    pub(super) fn receive(&mut self, room: &mut [u8]) -> Result<usize, CloseReason> {
        match retry(|| self.stream.read(room)) {
            // TLS tells an end that the client wished from one it did not: this was ours.
            Err(problem) if problem.kind() == ErrorKind::UnexpectedEof && self.occupant.claim().is_some() => {
                Ok(0)
            }
            // Last words do not wait, and neither does what is read after them.
            Err(problem) if problem.kind() == ErrorKind::WouldBlock && self.haste => Ok(0),
            Err(_) => Err(CloseReason::Broken),
            Ok(count) => {
                self.meter.note_received(count);
                Ok(count)
            }
        }
    }

    /// Tells the board that a body moves.
    pub(super) fn note_received(&mut self, count: usize) {
        self.moment = self.clock.now();
        self.occupant.receive(count, self.min_rate, self.moment);
    }

    /// Begins an answer; says when.
    pub(super) fn begin_answer(&mut self) -> Tick {
        let now = self.now();
        self.written = 0;
        self.write_deadline = now.after(self.write_timeout);
        let claim = self.occupant.enter(Phase::Writing, self.write_deadline, now);
        self.claimed = claim;
        if claim.is_some_and(Claim::leaves_last_words) {
            self.haste = self.stream.set_nonblocking();
        }
        now
    }

    /// Bytes of the answer at hand that were handed to the system.
    pub(super) fn sent(&self) -> u64 {
        self.written
    }

    /// Whether the answer at hand must end with a reset unless it is whole: where its end is that of the connection
    /// (RFC 9112 §8).
    pub(super) fn reset_at_end(&mut self, yes: bool) {
        self.resets = yes;
        self.stream.reset_at_end(yes);
    }

    /// Writes all of `bytes`; with `more`, others follow at once and may share a packet with the last of them.
    pub(super) fn send(&mut self, bytes: &[u8], more: bool) -> Result<(), CloseReason> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.resets && self.occupant.claim() != self.claimed {
                return self.judge(Ok(0)).map(drop);
            }
            let block = &rest[..rest.len().min(BLOCK)];
            let sent = self
                .put(|stream| if more { stream.write_with_more_to_come(block) } else { stream.write(block) });
            let count = self.judge(sent)?;
            rest = &rest[count..];
            // An answer that leaves in one piece is over before anybody could ask how it is going.
            let in_one_piece = self.written == 0 && rest.is_empty();
            self.written += count as u64;
            if !in_one_piece {
                self.note_sent(count);
            }
        }
        if more { Ok(()) } else { self.flush() }
    }

    /// Writes a head and its body: if there is room for both, in one piece, and without copying either.
    pub(super) fn send_both(&mut self, head: &[u8], body: &[u8]) -> Result<(), CloseReason> {
        let first = &body[..body.len().min(BLOCK)];
        let sent = self.put(|stream| stream.write_vectored(&[IoSlice::new(head), IoSlice::new(first)]));
        let count = self.judge(sent)?;
        self.written += count as u64;
        if count == head.len() + body.len() {
            return self.flush();
        }
        self.note_sent(count);
        if let Some(rest) = head.get(count..) {
            self.send(rest, !body.is_empty())?;
        }
        self.send(body.get(count.saturating_sub(head.len())..).unwrap_or_default(), false)
    }

    /// Sends `len` bytes of `file` from `offset` on.
    pub(super) fn send_file(&mut self, file: &File, mut offset: u64, len: u64) -> Result<(), CloseReason> {
        // No file has what lies beyond.
        let end = offset.checked_add(len).ok_or(CloseReason::AnswerFailed)?;
        let mut copied = Vec::new();
        let (mut block, mut fast, mut far) = (BLOCK, 0, false);
        while offset < end {
            let count = usize::try_from(end - offset).unwrap_or(block).min(block);
            let began = self.moment;
            let sent = self.put(|stream| stream.send_file(file, &mut offset, count, &mut copied));
            // Zero is the file's end, before the length that was promised: the client must see that it is cut short.
            match sent {
                Ok(0) => return Err(CloseReason::AnswerFailed),
                sent => {
                    let count = self.judge(sent)?;
                    self.written += count as u64;
                    self.note_sent(count);
                    fast = if self.moment.since(began) < FAST { fast + 1 } else { 0 };
                    block = match fast {
                        0 => SMALL_BLOCK,
                        1..A_FEW => block,
                        _ => LARGE_BLOCK.min(2 * block),
                    };
                    if (block == LARGE_BLOCK) != far {
                        far = !far;
                        self.stream.run_ahead(far);
                    }
                }
            }
        }
        if far {
            self.stream.run_ahead(false);
        }
        self.flush()
    }

    /// Sockets hold nothing back; other streams may.
    fn flush(&mut self) -> Result<(), CloseReason> {
        self.put(Write::flush).map_err(|_| CloseReason::Broken)
    }

    /// Writes something. Where all of an answer is encrypted already, only the socket knows how much of it is out.
    fn put<R>(&mut self, attempt: impl FnMut(&mut Stream) -> io::Result<R>) -> io::Result<R> {
        let Wire { stream, occupant, clock, moment, haste, claimed, .. } = self;
        let mut taken = stream.taken();
        persist(stream, attempt, |stream| {
            *moment = clock.now();
            if stream.taken() > taken {
                taken = stream.taken();
                occupant.progress(0, *moment);
            }
            // What is to end with a reset is not woken by being cut.
            !*haste && occupant.claim() == *claimed
        })
    }

    /// Runs `produce`, which makes more of the answer: its time is not the client's, but a handler's, and has a handler's
    /// bound.
    pub(super) fn pause_answer<R>(&mut self, produce: impl FnOnce() -> R) -> R {
        let began = self.clock.now();
        self.occupant.enter(Phase::Handling, began.after(self.handler_timeout), began);
        let produced = produce();
        self.moment = self.clock.now();
        self.write_deadline = self.write_deadline.after(self.moment.since(began));
        self.occupant.enter(Phase::Writing, self.answer_deadline(), self.moment);
        produced
    }

    /// Takes the stream away, to be given back or not.
    pub(super) fn lend(&mut self) -> Stream {
        std::mem::replace(&mut self.stream, Stream::other(io::empty()))
    }

    fn judge(&self, sent: io::Result<usize>) -> Result<usize, CloseReason> {
        match (sent, self.occupant.claim()) {
            (Ok(count), _) if count > 0 => Ok(count),
            (_, Some(Claim::Overdue | Claim::TooSlow)) => Err(CloseReason::WriteTimeout),
            (_, Some(Claim::Evicted)) => Err(CloseReason::Evicted),
            (_, Some(Claim::Shutdown | Claim::DrainDeadline)) => Err(CloseReason::Shutdown),
            // Evicted, and then its reader went to work.
            (_, Some(Claim::Outrun)) if self.claimed != Some(Claim::Outrun) => Err(CloseReason::Evicted),
            (_, Some(Claim::Outrun) | None) => Err(CloseReason::Broken),
        }
    }

    fn note_sent(&mut self, count: usize) {
        self.moment = self.clock.now();
        self.occupant.progress(count, self.moment);
        self.occupant.extend(self.answer_deadline());
    }

    /// When the answer is due: its bytes buy the time they take at the minimum rate, but no pause that is longer than an answer
    /// may take without them. Without a rate, whatever moves buys all the time.
    fn answer_deadline(&self) -> Tick {
        let paused = self.moment.after(self.write_timeout);
        let Some(rate) = self.min_rate else { return paused.max(self.write_deadline) };
        let bought = |bytes: u64| Duration::from_millis(bytes.saturating_mul(1000) / rate);
        self.write_deadline.after(bought(self.written)).min(paused.after(bought(UNHEARD)))
    }
}

/// Does it again for as long as the socket has no room, which it says several times a second, and `waits` wants to wait.
pub(super) fn persist<R>(
    stream: &mut Stream,
    mut attempt: impl FnMut(&mut Stream) -> io::Result<R>,
    mut waits: impl FnMut(&Stream) -> bool,
) -> io::Result<R> {
    loop {
        match retry(|| attempt(stream)) {
            Err(problem)
                if problem.kind() == ErrorKind::WouldBlock && stream.is_socket() && waits(stream) => {}
            done => return done,
        }
    }
}

/// Does it again for as long as a signal interrupts it.
pub(super) fn retry<R>(mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match attempt() {
            Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
