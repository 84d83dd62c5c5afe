//! One at a time begins to listen in a folder.
//!
//! Until a Unix socket listens it looks like one that was left behind, and whoever begins there at the same time would remove it.
//! A lock on the folder itself leaves no file of its own, and ends with who holds it, however that ends.

use crate::sync::sleep;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// How often it is tried, and the pause after each time: a second in all, where to begin takes a millisecond.
const TRIES: u32 = 200;
const PAUSE: Duration = Duration::from_millis(5);

/// The turn of who begins to listen on `path`, for as long as it is held. Where the lock cannot be had one begins without:
/// whoever can read the folder could hold it for ever.
pub(super) fn take(path: &Path) -> Option<OwnedFd> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(folder, flags, Mode::empty()).ok()?;
    for _ in 0..TRIES {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(folder),
            Err(Errno::WOULDBLOCK | Errno::INTR) => sleep(PAUSE),
            Err(_) => return None,
        }
    }
    None
}
