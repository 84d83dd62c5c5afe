//! Memory, descriptors and threads: how many the process has, how much memory it may have, and what follows.
//!
//! The article asks `psutil` for them in a loop and logs a warning in every round past a fixed gigabyte, whatever the
//! container it runs in permits; nothing else happens until the kernel kills it. Here a thread of the server's reads
//! three files four times a second, and nothing is asked on the way of a request. The limit is the smaller of the
//! configured one and 80 % of the control group's. Past it the server gives up one thing after the other: what its tables
//! hold for nobody, idle connections, connections that stall, and at last new ones, until memory is back well below the limit.

use crate::clock::Tick;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How often the server looks.
pub const EVERY: Duration = Duration::from_millis(250);
/// How long each step is given to help before the next is taken.
const STEP: Duration = Duration::from_secs(1);
/// Of a control group's limit, in percent: past that the kernel is about to kill.
const OF_GROUP: u64 = 80;
/// Of the limit, in percent: below that all is well again.
const WELL_BELOW: u64 = 90;
/// More than this is how control groups of the first version say "no limit".
const NO_LIMIT: u64 = 1 << 60;

/// What the process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory that are its own or shared, and not swapped out: the resident set.
    pub memory: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// What this process has now; `None` where there is no `/proc` to tell.
    pub fn now() -> Option<Usage> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let (memory, threads) = parse_status(&status)?;
        Some(Usage { memory, descriptors: descriptors().unwrap_or(0), threads })
    }
}

/// Memory in bytes and threads, of a `/proc/PID/status`.
pub fn parse_status(status: &str) -> Option<(u64, u64)> {
    let number = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    Some((number("VmRSS:")?.checked_mul(1024)?, number("Threads:")?))
}

fn descriptors() -> Option<u64> {
    // Since Linux 6.2 the size of the folder is their number; before that it is zero, and they have to be counted.
    match fs::metadata("/proc/self/fd").ok()?.size() {
        // One of those counted is the one that counts.
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as u64),
        count => Some(count),
    }
}

/// How much memory the process may have: the smaller of `configured` and 80 % of its control group's limit, as the system
/// whose root is `root` has it. `None` if `configured` is.
pub fn limit(configured: Option<u64>, root: &Path) -> Option<u64> {
    let of_group = group_limit(root).map(|bytes| bytes / 100 * OF_GROUP);
    configured.map(|bytes| of_group.map_or(bytes, |of_group| bytes.min(of_group)))
}

/// The smallest memory limit of the control groups this process is in, of either version.
pub fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    groups.lines().filter_map(|line| group_limit_of(root, line)).min()
}

/// Of one line `number:controllers:path`; in the second version number and controllers are `0` and nothing.
fn group_limit_of(root: &Path, line: &str) -> Option<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, group) = (parts.next()?, parts.next()?);
    let (mount, file) = match controllers {
        "" => ("sys/fs/cgroup", "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        }
        _ => return None,
    };
    let mount = root.join(mount);
    // A group is bound by the groups above it too. In a container its path may be that of the host, which is not there:
    // the mount itself is the container's group then, and it is the last one asked.
    let mut folder = mount.join(group.trim_start_matches('/'));
    let mut smallest = None;
    while folder.starts_with(&mount) {
        let limit = fs::read_to_string(folder.join(file)).ok();
        let limit = limit.and_then(|text| text.trim().parse().ok()).filter(|bytes| *bytes < NO_LIMIT);
        smallest = smallest.into_iter().chain(limit).min();
        if !folder.pop() {
            break;
        }
    }
    smallest
}

/// What is given up for memory. Each step includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Nothing: there is enough.
    #[default]
    Well,
    /// What tables hold for nobody.
    Sweep,
    /// Connections between requests.
    CloseIdle,
    /// Connections whose clients keep others waiting: bodies of which nothing comes, answers that nobody reads.
    CloseStalled,
    /// New connections.
    Refuse,
}

/// Decides how far to go, sample by sample.
///
/// ```
/// use selvedge::clock::Tick;
/// use selvedge::monitor::resources::{Pressure, Step};
///
/// let mut pressure = Pressure::new(1000);
/// let at = |seconds: u64| Tick::from_micros(seconds * 1_000_000);
/// assert_eq!(pressure.observe(1000, at(0)), Step::Well);
/// assert_eq!(pressure.observe(1001, at(1)), Step::Sweep);
/// assert_eq!(pressure.observe(1001, at(2)), Step::CloseIdle);
/// assert_eq!(pressure.observe(950, at(9)), Step::CloseIdle, "no further below the limit, and no less near it");
/// assert_eq!(pressure.observe(899, at(10)), Step::Well);
/// ```
#[derive(Clone, Debug)]
pub struct Pressure {
    limit: u64,
    step: Step,
    /// When the step was taken.
    since: Tick,
}

impl Pressure {
    /// All is well until there are more than `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Pressure { limit, step: Step::Well, since: Tick::default() }
    }

    /// The limit.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How far to go when the process has `memory` bytes at `now`.
    pub fn observe(&mut self, memory: u64, now: Tick) -> Step {
        let next = match self.step {
            Step::Well => Step::Sweep,
            Step::Sweep => Step::CloseIdle,
            Step::CloseIdle => Step::CloseStalled,
            Step::CloseStalled | Step::Refuse => Step::Refuse,
        };
        if memory > self.limit && (self.step == Step::Well || now.since(self.since) >= STEP) {
            self.go(next, now);
        } else if u128::from(memory) * 100 < u128::from(self.limit) * u128::from(WELL_BELOW) {
            self.go(Step::Well, now);
        }
        self.step
    }

    fn go(&mut self, step: Step, now: Tick) {
        if step != self.step {
            (self.step, self.since) = (step, now);
        }
    }
}
