//! What happened in the last minutes, second by second.

use crate::clock::Tick;
use crate::error::Refusal;
use crate::guard::Census;
use crate::message::ClientKey;
use crate::monitor::metrics::{Buckets, Totals};
use crate::server::shared::Shared;
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// How often a sample is taken.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Samples that are kept: three minutes.
pub(super) const KEPT: usize = 180;
/// Events that are kept.
const EVENTS: usize = 96;
/// Kinds of event that one sample adds at most.
const EVENTS_A_SECOND: usize = 24;
/// Clients that are listed as the busiest.
const BUSIEST: usize = 10;
/// Over how many samples percentiles are taken: one second of a quiet server is too few.
const SPREAD: usize = 3;

/// What one second brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    /// The sample's number, from 1 on.
    pub(super) number: u64,
    /// Requests that were answered and not refused.
    pub(super) served: u64,
    /// Refusals of any kind.
    pub(super) refused: u64,
    /// Refusals for want of a seat.
    pub(super) turned_away: u64,
    /// Refusals for want of a handler.
    pub(super) overloaded: u64,
    /// Refusals by limits on rates.
    pub(super) limited: u64,
    pub(super) evicted: u64,
    /// In microseconds; zero if nothing was answered.
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) seats: u64,
    pub(super) in_flight: u64,
    duration: Buckets,
}

/// Something that befell somebody.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The number of the sample it came with.
    pub(super) number: u64,
    pub(super) at: SystemTime,
    pub(super) what: &'static str,
    pub(super) client: Option<ClientKey>,
    pub(super) count: u64,
}

/// Made by one thread, once a second; read by all who watch.
#[derive(Default)]
pub(super) struct History {
    pub(super) seconds: VecDeque<Second>,
    pub(super) events: VecDeque<Event>,
    pub(super) busiest: Vec<(ClientKey, u32)>,
    pub(super) census: Census,
    totals: Option<Totals>,
    stuck: u64,
    sampled: Tick,
}

/// What a sample is made from; gathered without holding up who reads.
pub(super) struct Gathered {
    totals: Totals,
    incidents: Vec<crate::monitor::Incident>,
    busiest: Vec<(ClientKey, u32)>,
    census: Census,
    stuck: u64,
    seats: usize,
    in_flight: usize,
    now: Tick,
    at: SystemTime,
}

impl Gathered {
    pub(super) fn of(shared: &Shared) -> Gathered {
        let now = shared.clock.now();
        Gathered {
            totals: shared.monitor.totals(),
            incidents: shared.monitor.take_incidents(),
            busiest: shared.alerts.busiest(BUSIEST, now),
            census: shared.policy().guards.census(now),
            stuck: shared.monitor.stuck_handlers(),
            seats: shared.lobby.taken(),
            in_flight: shared.in_flight.in_use(),
            now,
            at: shared.clock.date(),
        }
    }
}

impl History {
    /// Adds a sample. The first only says from where to count.
    pub(super) fn add(&mut self, gathered: Gathered) {
        let Gathered { totals, incidents, busiest, census, stuck, seats, in_flight, now, at } = gathered;
        let span = now.since(self.sampled);
        if let Some(before) = &self.totals {
            let number = self.seconds.back().map_or(1, |last| last.number + 1);
            let news = News { before, after: &totals };
            let duration = totals.duration.since(&before.duration);
            let mut second = Second {
                number,
                refused: totals.refused().saturating_sub(before.refused()),
                turned_away: news.refused(&[
                    Refusal::NO_SEAT,
                    Refusal::TOO_MANY_CONNECTIONS,
                    Refusal::NO_DESCRIPTOR,
                ]),
                overloaded: news.refused(&[Refusal::OVERLOADED]),
                limited: news.refused(&[Refusal::TOO_MANY_REQUESTS, Refusal::THROTTLED]),
                evicted: totals.closed("evicted").saturating_sub(before.closed("evicted")),
                seats: seats as u64,
                in_flight: in_flight as u64,
                served: duration.count(),
                duration,
                ..Second::default()
            };
            let mut events = news.refusals();
            // Who it befell says more than that it befell somebody; only the rest is told without a name.
            for incident in &incidents {
                if let Some((_, count)) = events.iter_mut().find(|(what, _)| *what == incident.what) {
                    *count = count.saturating_sub(incident.count);
                }
            }
            // Who loses a seat in the middle of a message is told so by a refusal: that it was taken back is told already.
            let twice = [Refusal::HEAD_EVICTED, Refusal::BODY_EVICTED].map(|refusal| refusal.reason);
            events.retain(|(what, _)| !twice.contains(what));
            events.push(("handler found stuck", stuck.saturating_sub(self.stuck)));
            let named = incidents.iter().map(|it| (it.what, it.client, it.count));
            let events = events.into_iter().map(|(what, count)| (what, None, count));
            for (what, client, count) in named.chain(events).filter(|it| it.2 > 0).take(EVENTS_A_SECOND) {
                self.events.push_back(Event { number, at, what, client, count });
            }
            second.per_second(span);
            self.seconds.push_back(second);
            self.find_percentiles();
        }
        while self.seconds.len() > KEPT {
            self.seconds.pop_front();
        }
        while self.events.len() > EVENTS {
            self.events.pop_front();
        }
        (self.totals, self.stuck, self.sampled) = (Some(totals), stuck, now);
        (self.busiest, self.census) = (busiest, census);
    }

    /// What was lately, for a sentence that should not change with every second.
    pub(super) fn lately(&self) -> Second {
        let mut lately = Second::default();
        for second in self.seconds.iter().rev().take(SPREAD) {
            lately.turned_away = lately.turned_away.max(second.turned_away);
            lately.overloaded = lately.overloaded.max(second.overloaded);
            lately.limited = lately.limited.max(second.limited);
            lately.evicted = lately.evicted.max(second.evicted);
        }
        lately
    }

    fn find_percentiles(&mut self) {
        let mut together = Buckets::default();
        for second in self.seconds.iter().rev().take(SPREAD) {
            together.add(&second.duration);
        }
        if let Some(last) = self.seconds.back_mut() {
            last.p50 = together.quantile(50).unwrap_or(0);
            last.p99 = together.quantile(99).unwrap_or(0);
        }
    }
}

impl Second {
    /// A sampler that was held up has samples of more than a second.
    fn per_second(&mut self, span: Duration) {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
        let counts = [
            &mut self.served,
            &mut self.refused,
            &mut self.turned_away,
            &mut self.overloaded,
            &mut self.limited,
            &mut self.evicted,
        ];
        for count in counts {
            *count = count.saturating_mul(1000).div_ceil(millis);
        }
    }
}

struct News<'a> {
    before: &'a Totals,
    after: &'a Totals,
}

impl News<'_> {
    /// Refusals for one of these reasons.
    fn refused(&self, refusals: &[Refusal]) -> u64 {
        let wanted = |what: &str| refusals.iter().any(|refusal| refusal.reason == what);
        self.refusals().into_iter().filter(|(what, _)| wanted(what)).map(|(_, count)| count).sum()
    }

    /// How many more there are for which reason.
    fn refusals(&self) -> Vec<(&'static str, u64)> {
        // Reasons are only ever added, at the end.
        let before = self.before.refusals.iter().map(|(_, count)| *count).chain(std::iter::repeat(0));
        let pairs = self.after.refusals.iter().zip(before);
        pairs.map(|((what, count), before)| (*what, count.saturating_sub(before))).collect()
    }
}
