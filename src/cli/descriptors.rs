//! Descriptors: room for every connection in the limit on open files, and none of ours for others.
//!
//! The limit most systems start with, 1024, is for programs that use `select`; the hard limit is what the system
//! really permits, and raising the soft one up to it needs no privilege.

use super::listeners::Listeners;
use crate::config::Config;
use crate::server::{admin_descriptors, descriptors};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are neither a client's nor a listener's: standard streams, logs, directories, what a certificate or a list of
/// users is read from, the alert command, and what was open at the start.
const OWN: usize = 128;
/// The first descriptor that is not standard input, output or error.
const FIRST: i32 = 3;

/// Keeps what was open when the program was started from the programs that it starts: sockets that were passed, and what
/// somebody forgot to close.
pub(super) fn keep_to_ourselves() {
    close_fds::set_fds_cloexec(FIRST, &[]);
}

/// Raises the soft limit on open files as far as it is needed and the hard limit permits. What is still missing is
/// said in a line.
pub(super) fn raise(config: &Config, listeners: &Listeners) -> Option<String> {
    let needed = needed(config, listeners) as u64;
    // `None` is the system's word for no limit.
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    let limit = getrlimit(Resource::Nofile);
    if enough(limit.current) {
        return None;
    }
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    // Whether it was raised is read back: some systems have a bound of their own beside the hard limit.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    match getrlimit(Resource::Nofile).current {
        Some(current) if current < needed => Some(format!(
            "{current} open files are permitted and {needed} may be needed; raise it with ulimit -n {needed}, \
             or lower --max-connections"
        )),
        _ => None,
    }
}

/// How many may be open at once.
fn needed(config: &Config, listeners: &Listeners) -> usize {
    let serving = listeners.main.len() + listeners.redirect.iter().len();
    let admin = if listeners.admin.is_some() { admin_descriptors() } else { 0 };
    OWN + descriptors(config, serving) + admin
}
