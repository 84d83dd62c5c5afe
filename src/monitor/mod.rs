//! What is counted, watched and recorded.
//!
//! - [`Monitor`]: counts, for the health page and the record.
//! - [`metrics`]: the counts of every seat, their sum, and the texts that Prometheus reads.
//! - [`Alerts`]: who asks too often, told once a minute, to the log, a program, or code of yours.
//! - [`Heartbeat`]: whether the threads a server cannot do without are alive.
//! - [`resources`]: memory, descriptors and threads, and what is done when memory runs out.
//! - [`AccessLog`]: a line for every answer.
//! - [`Journal`]: a log that nobody who serves ever waits for.

mod access_log;
mod address_space;
#[cfg(feature = "cli")]
mod alert_command;
mod alerts;
mod counters;
mod handshakes;
mod heartbeat;
mod hitters;
mod incidents;
mod journal;
pub mod metrics;
pub mod resources;
mod standing;

pub use access_log::{Access, AccessLog, LogFormat};
pub(crate) use address_space::AddressSpace;
#[cfg(feature = "cli")]
pub use alert_command::AlertCommand;
pub use alerts::{Alert, AlertSink, Alerts};
pub use counters::{Counters, Monitor, Presence};
pub use handshakes::Agreed;
pub use heartbeat::{Heartbeat, Pulse};
pub use hitters::{HitKind, Hitters, SavedHits};
pub use incidents::Incident;
pub use journal::{Journal, Outlet};
pub(crate) use standing::Standing;
