//! When a client's last requests were admitted, in a space that does not grow.

use crate::clock::Tick;
use crate::config::Rate;
use crate::threads::Entry;
use std::time::Duration;

/// Times that are kept of a client.
const TIMES: usize = 32;

/// Spans are counted in units of which a window has as many as fit in so many bits: then the age of no time that is still kept
/// runs over 32.
const SPAN_BITS: u32 = 30;

/// What the windows of all clients have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) rate: Rate,
    /// Admissions that share a time, the last one's: one, up to [`TIMES`] in a window.
    group: u32,
    /// A unit of time is two to this power of microseconds.
    shift: u32,
    /// Units in the span, rounded up.
    span: u32,
}

/// The last admissions of one client.
#[derive(Debug)]
pub(super) struct Window {
    /// When the last of them falls out.
    expires: Tick,
    /// Until when there is no room for another one; in the past if there is.
    full_until: Tick,
    /// A ring: when each group's last one was admitted, in units.
    times: [u32; TIMES],
    oldest: u8,
    groups: u8,
    /// Admissions in the newest group; the others are complete.
    in_newest: u32,
}

impl Shape {
    pub(super) fn new(rate: Rate) -> Self {
        let micros = u64::try_from(rate.span.as_micros()).unwrap_or(u64::MAX);
        let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(SPAN_BITS);
        let span = micros.div_ceil(1 << shift) as u32;
        Shape { rate, group: rate.count.div_ceil(TIMES as u32).max(1), shift, span }
    }

    /// The number of a moment's unit, or of the one after it if it has begun: nobody's time is up too early.
    fn unit(&self, at: Tick) -> u32 {
        at.as_micros().div_ceil(1 << self.shift) as u32
    }

    /// How many units of the span are left at `now` to what was admitted in unit `time`.
    fn left(&self, time: u32, now: Tick) -> u64 {
        // A time can be a little ahead, and then more than the span is left: a unit that has begun counts as the next, and
        // threads do not arrive in the order of their moments.
        let age = ((now.as_micros() >> self.shift) as u32).wrapping_sub(time).cast_signed();
        (i64::from(self.span) - i64::from(age)).max(0).cast_unsigned()
    }

    /// The moment at which nothing is left any more to what was admitted in unit `time`.
    fn end(&self, time: u32, now: Tick) -> Tick {
        let unit = (now.as_micros() >> self.shift) + self.left(time, now);
        Tick::from_micros(unit.saturating_mul(1 << self.shift))
    }
}

impl Window {
    pub(super) fn new() -> Self {
        let never = Tick::default();
        Window { expires: never, full_until: never, times: [0; TIMES], oldest: 0, groups: 0, in_newest: 0 }
    }

    /// Counts an admission at `now`, or says how long there is no room for it.
    pub(super) fn admit(&mut self, shape: &Shape, now: Tick) -> Result<(), Duration> {
        if self.full_until > now {
            return Err(self.full_until.since(now));
        }
        if shape.rate.count == 0 {
            return Err(shape.rate.span);
        }
        while self.groups > 0 && shape.left(self.times[self.place(0)], now) == 0 {
            self.oldest = self.place(1) as u8;
            self.groups -= 1;
        }
        if self.groups == 0 || self.in_newest == shape.group {
            self.groups += 1;
            self.in_newest = 0;
        }
        let (newest, time) = (self.place(self.groups - 1), shape.unit(now));
        let before = if self.in_newest == 0 { time } else { self.times[newest] };
        let latest = [time, before].into_iter().max_by_key(|&time| shape.left(time, now));
        self.times[newest] = latest.unwrap_or(time);
        self.in_newest += 1;
        self.expires = self.expires.max(now.after(shape.rate.span));
        if u32::from(self.groups - 1) * shape.group + self.in_newest >= shape.rate.count {
            self.full_until = shape.end(self.times[self.place(0)], now);
        }
        Ok(())
    }

    /// When there is room again, if there is none at `now`.
    pub(super) fn full_until(&self, now: Tick) -> Option<Tick> {
        (self.full_until > now).then_some(self.full_until)
    }

    /// Where in the ring the time of a group stands; the oldest has number 0.
    fn place(&self, group: u8) -> usize {
        usize::from(self.oldest + group) % TIMES
    }
}

impl Entry for Window {
    fn expires(&self) -> Tick {
        self.expires
    }

    fn is_protected(&self, now: Tick) -> bool {
        self.full_until > now
    }
}
