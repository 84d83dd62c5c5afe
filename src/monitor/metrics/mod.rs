//! Counts of what a server does, cheap enough to be on the way of every request.
//!
//! The article counts in dictionaries that every thread writes without a lock, by addresses and methods that anybody can
//! make up. Here each seat has counters of its own, which nobody but the thread on that seat writes: to
//! count a request is a handful of plain stores to memory that no other core is using. They are summed up when somebody
//! asks. What can be told apart is bounded, whatever clients send: methods that are not well known are `other`.

#[cfg(feature = "metrics")]
mod exposition;
mod histogram;
mod keys;
mod seats;

#[cfg(feature = "metrics")]
pub use exposition::{Family, Sample, TextFormat, Value, expose};
pub use histogram::{BOUNDS_MICROS, Buckets};
pub use seats::Totals;

use histogram::Histogram;
pub(crate) use keys::Key;
use keys::Reasons;
pub(crate) use seats::{Answered, Common, Meter, SeatCounts, sum};
