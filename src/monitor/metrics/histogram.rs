//! How often something took how long, in buckets of fixed bounds.

use crate::sync::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets in microseconds, themselves included; one more takes what is longer. Two decades below
/// a millisecond, because that is where a healthy server answers, and up to the longest a client waits.
pub const BOUNDS_MICROS: [u64; 18] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000,
];
const BUCKETS: usize = BOUNDS_MICROS.len() + 1;

/// A histogram with any number of writers.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// Microseconds in all.
    sum: AtomicU64,
}

/// What a histogram holds at one moment, or what several do together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    /// How many there are in each bucket, not in those below it.
    pub counts: [u64; BUCKETS],
    /// All of their times together, in microseconds.
    pub sum_micros: u64,
}

impl Histogram {
    /// Notes a span. Whoever else does it at the same time is noted too.
    pub(crate) fn note(&self, span: Duration) {
        let micros = micros(span);
        self.buckets[bucket_of(micros)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
    }

    /// The same for the only one who ever writes here: without the price of sharing.
    pub(super) fn note_alone(&self, span: Duration) {
        let micros = micros(span);
        add_alone(&self.buckets[bucket_of(micros)], 1);
        add_alone(&self.sum, micros);
    }

    pub(super) fn add(&self, others: &Buckets) {
        for (bucket, count) in self.buckets.iter().zip(others.counts) {
            bucket.fetch_add(count, Ordering::Relaxed);
        }
        self.sum.fetch_add(others.sum_micros, Ordering::Relaxed);
    }

    pub(crate) fn add_to(&self, total: &mut Buckets) {
        for (sum, bucket) in total.counts.iter_mut().zip(&self.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        total.sum_micros = total.sum_micros.saturating_add(self.sum.load(Ordering::Relaxed));
    }
}

impl Buckets {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds what is in `others`.
    pub fn add(&mut self, others: &Buckets) {
        for (count, other) in self.counts.iter_mut().zip(others.counts) {
            *count = count.saturating_add(other);
        }
        self.sum_micros = self.sum_micros.saturating_add(others.sum_micros);
    }

    /// What has come since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Buckets) -> Buckets {
        let mut news = self.clone();
        for (count, before) in news.counts.iter_mut().zip(earlier.counts) {
            *count = count.saturating_sub(before);
        }
        news.sum_micros = news.sum_micros.saturating_sub(earlier.sum_micros);
        news
    }

    /// The time that `percent` of them took at most, in microseconds, as well as buckets can tell: within the bucket it falls
    /// into they are taken to be spread evenly, or, where what all took together rules that out, more densely towards one
    /// of its bounds. What always takes a moment longer than 100 ms is then not taken for 200. `None` if there are none.
    pub fn quantile(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        // More than sixty-four bits, for a moment.
        let rank = (u128::from(count) * u128::from(percent)).div_ceil(100).max(1);
        let mut below = 0;
        for (number, in_bucket) in self.counts.iter().enumerate() {
            let Some(upper) = BOUNDS_MICROS.get(number) else { break };
            let next = below + u128::from(*in_bucket);
            if next >= rank {
                let share = (float(rank - below) - 0.5) / float(*in_bucket);
                let height = self.height(number);
                let part = 1.0 - (1.0 - share).powf(height / (1.0 - height));
                let lower = lower(number);
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                // It is within the bucket.
                return Some(lower + (part * float(upper - lower)) as u64);
            }
            below = next;
        }
        (count > 0).then_some(BOUNDS_MICROS[BUCKETS - 2])
    }

    /// How high the times in a bucket lie within it on average, from 0 to 1: in its middle, unless those in the others, by their
    /// bounds, leave more or less than that of what all took together.
    fn height(&self, number: usize) -> f64 {
        let (mut least, mut most) = (0.0, 0.0);
        for (other, count) in self.counts.iter().enumerate().filter(|(other, _)| *other != number) {
            least += float(*count) * float(lower(other));
            most += match BOUNDS_MICROS.get(other) {
                Some(upper) => float(*count) * float(*upper),
                None if *count > 0 => f64::INFINITY,
                None => 0.0,
            };
        }
        let (count, sum) = (float(self.counts[number]), float(self.sum_micros));
        let (lower, upper) = (float(lower(number)), float(BOUNDS_MICROS[number]));
        let mean = (f64::midpoint(lower, upper) * count).clamp(sum - most, sum - least) / count;
        ((mean - lower) / (upper - lower)).clamp(0.0, 1.0)
    }
}

/// What is longer than all in the bucket below.
fn lower(bucket: usize) -> u64 {
    bucket.checked_sub(1).map_or(0, |below| BOUNDS_MICROS[below])
}

/// For an estimate it is exact enough.
#[allow(clippy::cast_precision_loss)]
fn float(number: impl Into<u128>) -> f64 {
    number.into() as f64
}

/// Adds to a counter that nobody else writes.
pub(super) fn add_alone(cell: &AtomicU64, count: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn bucket_of(micros: u64) -> usize {
    // Most are in the first few.
    BOUNDS_MICROS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS_MICROS.len())
}
