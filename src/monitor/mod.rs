//! What is counted.

mod counters;

pub use counters::{Counters, Monitor, Presence};
