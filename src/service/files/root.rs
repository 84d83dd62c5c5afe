//! Opening what is below a directory, and nothing else.
//!
//! To join the path of a request to that of a root and to check the result for `..`, as the article does, lets symbolic
//! links lead out of it; and whatever is looked at first, somebody may change before it is opened. Here the kernel resolves
//! the path from a descriptor of the root, and refuses to leave it at any step (`openat2` with `RESOLVE_BENEATH`). Where
//! there is no such call, each step is opened from the last one and no link is followed.
//!
//! What it is is looked at before it is opened: a pipe that is opened, if only to find out that it is one, takes what
//! others write into it, and a device does what it does. Who puts one in a file's place in between has lost that bet.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, fstat, openat, statat};
#[cfg(target_os = "linux")]
use rustix::fs::{ResolveFlags, openat2};
use rustix::io::Errno;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// How often a path is resolved again because something on its way was moved meanwhile.
#[cfg(target_os = "linux")]
const ATTEMPTS: usize = 16;

/// A directory, held open, of which only what lies below it can be opened.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    follow_links: bool,
    /// Whether paths are walked name by name, because there is no `openat2`.
    walks: bool,
}

/// Something below a root, opened for reading.
#[derive(Debug)]
pub enum Opened {
    /// A regular file.
    File(File, Metadata),
    /// A directory.
    Directory(File),
}

/// Why nothing was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// There is no such thing.
    Absent,
    /// There is something, but not for clients: it lies outside the root, behind a link that is not followed, is not
    /// permitted to this process, or is neither a file nor a directory.
    Refused,
    /// Descriptors or memory ran out, or something on the way is being moved again and again.
    Busy,
    /// The file system failed.
    Failed,
}

impl Root {
    /// Opens a directory, links in its own path followed. What is mounted or renamed in its place later is not looked at.
    pub fn open(path: &Path) -> io::Result<Root> {
        let directory = openat(CWD, path, PASSED | OFlags::DIRECTORY, Mode::empty())?;
        // Fails if the directory may not be searched.
        openat(&directory, ".", PASSED | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Root { walks: !has_openat2(directory.as_fd()), directory, follow_links: false })
    }

    /// Whether symbolic links are followed. They lead nowhere but below the root all the same, and nowhere where there is
    /// no `openat2`.
    #[must_use]
    pub fn with_follow_links(mut self, follow: bool) -> Self {
        self.follow_links = follow;
        self
    }

    /// Walks paths name by name even where there is `openat2`.
    #[doc(hidden)]
    #[must_use]
    pub fn walking(mut self) -> Self {
        self.walks = true;
        self
    }

    /// Opens `path`: names with a `/` between them, or nothing for the root itself. Neither pipes nor devices are opened.
    pub fn open_below(&self, path: &[u8]) -> Result<Opened, Miss> {
        let path = if path.is_empty() { b"." } else { path };
        let file = File::from(self.open_served(path)?);
        let metadata = file.metadata().map_err(|_| Miss::Failed)?;
        match metadata.file_type() {
            kind if kind.is_file() => Ok(Opened::File(file, metadata)),
            kind if kind.is_dir() => Ok(Opened::Directory(file)),
            _ => Err(Miss::Refused),
        }
    }

    /// Whether `path` leads to a directory, readable or not.
    pub fn has_directory(&self, path: &[u8]) -> bool {
        self.resolve(path, PASSED | OFlags::DIRECTORY).is_ok()
    }

    /// What `path` leads to, if that is served: looked at and not opened, and so readable or not.
    pub(super) fn look_at(&self, path: &[u8]) -> Result<Stat, Miss> {
        let stat = self.stat(path)?;
        is_served(&stat)?;
        Ok(stat)
    }

    fn open_served(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        // A single name that is no link leads nowhere else: two calls do, where a longer path takes four.
        if self.walks || !(self.follow_links || path.contains(&b'/')) {
            return self.walk(path, |from, name| {
                is_served(&statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?)?;
                openat(from, name, OPENED | OFlags::NOFOLLOW, Mode::empty())
            });
        }
        is_served(&self.stat(path)?)?;
        self.resolve(path, OPENED)
    }

    fn stat(&self, path: &[u8]) -> Result<Stat, Errno> {
        if self.walks {
            return self.walk(path, |from, name| statat(from, name, AtFlags::SYMLINK_NOFOLLOW));
        }
        fstat(self.resolve(path, PASSED)?)
    }

    #[cfg(target_os = "linux")]
    fn resolve(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let walk =
            || self.walk(path, |from, name| openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty()));
        if self.walks {
            return walk();
        }
        let links = if self.follow_links { ResolveFlags::empty() } else { ResolveFlags::NO_SYMLINKS };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | links;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match openat2(&self.directory, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if attempts < ATTEMPTS => {}
                // Forbidden since the root was opened.
                Err(Errno::NOSYS | Errno::PERM) => return walk(),
                done => return done,
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn resolve(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        self.walk(path, |from, name| openat(from, name, flags | OFlags::NOFOLLOW, Mode::empty()))
    }

    /// Goes to the directory `path` ends in, and does with the last name what `end` does. Follows no link on its way, and
    /// so has nothing there that could be exchanged.
    fn walk<T>(
        &self,
        path: &[u8],
        end: impl FnOnce(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let mut names = path.split(|&byte| byte == b'/').peekable();
        let mut here: Option<OwnedFd> = None;
        while let Some(name) = names.next() {
            if name == b".." || name.is_empty() {
                return Err(Errno::XDEV);
            }
            let from = here.as_ref().map_or(self.directory.as_fd(), AsFd::as_fd);
            if names.peek().is_none() {
                return end(from, name);
            }
            let flags = PASSED | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            here = Some(openat(from, name, flags, Mode::empty())?);
        }
        Err(Errno::NOENT)
    }
}

fn is_served(stat: &Stat) -> Result<(), Errno> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Directory => Ok(()),
        _ => Err(Errno::NXIO),
    }
}

/// For what is served. Should it have become something else: a pipe without a writer does not keep us, and a terminal does
/// not become ours.
const OPENED: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// For directories on the way, which need not be readable.
#[cfg(target_os = "linux")]
const PASSED: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const PASSED: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);

#[cfg(target_os = "linux")]
fn has_openat2(directory: BorrowedFd<'_>) -> bool {
    openat2(directory, ".", PASSED, Mode::empty(), ResolveFlags::BENEATH).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn has_openat2(_: BorrowedFd<'_>) -> bool {
    false
}

impl From<Errno> for Miss {
    fn from(problem: Errno) -> Self {
        match problem {
            Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::ILSEQ => Miss::Absent,
            // XDEV is what leads out of the root, LOOP a link; the last three are of sockets and devices.
            Errno::XDEV | Errno::LOOP | Errno::MLINK | Errno::ACCESS | Errno::PERM | Errno::INVAL => {
                Miss::Refused
            }
            Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP => Miss::Refused,
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN | Errno::INTR => Miss::Busy,
            _ => Miss::Failed,
        }
    }
}
