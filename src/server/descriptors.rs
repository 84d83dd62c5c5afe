//! How many descriptors a server may want at once.

use super::acceptor::HEADROOM;
use super::refuse::MAX_FAREWELLS;
use crate::config::Config;

/// A connection and the file that is on its way to it.
const SEAT: usize = 2;
/// What handlers open besides: a directory, a compressed file, a connection of their own.
const REQUEST: usize = 2;
/// A socket, what wakes who waits at it, the spare one, and the next connection.
const LISTENER: usize = 5;

/// Descriptors that a server with as many listeners has open at once, at most, handlers that want many left aside.
pub(crate) fn descriptors(config: &Config, listeners: usize) -> usize {
    let seats = config.max_connections + config.max_stand_ins;
    seats * SEAT
        + config.max_waiting
        + MAX_FAREWELLS
        + config.max_in_flight * REQUEST
        + listeners * (LISTENER + HEADROOM)
}
