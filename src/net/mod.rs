//! Sockets: what is listened on, and what is read and written.

mod listener;
mod stream;

pub use listener::{Address, Listener};
pub use stream::Stream;
