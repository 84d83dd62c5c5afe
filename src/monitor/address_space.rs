//! Address space, where somebody has limited it (`ulimit -v`): what must stay free of it for the process to live.
//!
//! A thread takes all of its stack's addresses at once, and is refused if there are no more. A small allocation that is
//! refused ends the process. So threads and bodies, which can be refused, leave something over for everything else.

use std::fs;

/// Of the limit, one part in so many is for bodies.
const FOR_BODIES: u64 = 16;
/// What is kept for all small allocations: one part of the limit in so many, up to this many bytes.
const KEPT: u64 = 6;
const MOST_KEPT: u64 = 16 << 20;
/// What the allocator of glibc takes at once for threads that have to wait for each other, where it can be had: a *heap*, on machines
/// of 64 bits. It does so whenever a thread allocates, so what is left must be enough with it, or too little for it.
const HEAP: u64 = 64 << 20;
/// Threads there may be in any case: with fewer nobody is served. Where heaps have taken all there is, they have room in them.
const FEW: u64 = 16;

/// A limit on the addresses of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AddressSpace {
    limit: u64,
}

impl AddressSpace {
    /// The limit of this process; `None` if there is none, or no `/proc` to tell.
    pub(crate) fn limited() -> Option<Self> {
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
        // The soft limit; without one this is a word.
        let limit = line.split_ascii_whitespace().next()?.parse().ok()?;
        Some(AddressSpace { limit })
    }

    /// Bytes that all bodies together may have.
    pub(crate) fn for_bodies(self) -> u64 {
        self.limit / FOR_BODIES
    }

    /// Whether another `bytes` can be had without touching what is kept.
    pub(crate) fn has_room(self, bytes: u64) -> bool {
        let Some([used, threads]) = used_and_threads() else { return true };
        let left = self.limit.saturating_sub(used).saturating_sub(bytes);
        let kept = self.for_bodies() + (self.limit / KEPT).min(MOST_KEPT);
        threads < FEW || (left >= kept && !(HEAP..HEAP + kept).contains(&left))
    }
}

/// Bytes of addresses that are taken, and threads there are.
fn used_and_threads() -> Option<[u64; 2]> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let number = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    Some([number("VmSize:")?.checked_mul(1024)?, number("Threads:")?])
}
