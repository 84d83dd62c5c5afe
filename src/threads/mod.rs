//! Threads and what keeps them from unravelling: no HTTP here, no sockets.
//!
//! - [`Semaphore`]: so many at once, a bounded queue, nobody waits for ever.
//! - [`Budget`]: bytes drawn by many, given back by drop.
//! - [`Tally`]: how many each key has, with a cap.
//! - [`Latch`]: waits until nobody is here any more.
//! - [`Pool`]: a bounded crew of threads that survive their jobs.
//! - [`Lobby`]: numbered seats, a bounded queue, and seats that pass from hand to hand.
//! - [`Board`]: what every connection does and until when it may; [`enforce`] and [`evict`] read it and end what
//!   overstays or deserves its seat least, and [`reclaim`] what holds memory and does not move.
//! - [`Spool`]: lines on their way to a slow writer, bounded.
//! - [`Table`]: small states by key, bounded, expiring.
//!
//! All of it is built on one façade over locks and atomics, which a model checker can stand behind: `tests/loom/`
//! runs each through every interleaving, `tests/shuttle/` several of them together through many.

mod board;
mod budget;
mod deadlines;
mod eviction;
mod label;
mod latch;
mod lobby;
mod phase;
mod pool;
mod reclaim;
mod semaphore;
mod spool;
mod table;
mod tally;

pub use board::{Board, Cut, Lifeline, Occupant, Tenant, Vacated, View};
pub use budget::{Budget, Share};
pub use deadlines::{Enforced, MAX_PAUSE, MinimumRate, Pace, enforce};
pub use eviction::{evict, evict_suspects, evictable};
pub use label::LABEL_BYTES;
pub use latch::{Hold, Latch};
pub use lobby::{Arrival, Lobby, LobbySettings, Seat};
pub use phase::{Claim, Phase};
pub use pool::{Pool, PoolSettings};
pub use reclaim::{Need, reclaim};
pub use semaphore::{Overflow, Permit, Semaphore};
pub use spool::{Order, Spool};
pub use table::{Entry, Table, TableFull};
pub use tally::{Mark, Tally};
