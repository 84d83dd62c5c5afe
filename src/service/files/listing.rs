//! What is in a directory.

use super::path::{Below, is_served};
use super::root::Root;
use crate::message::Request;
use crate::threads::Share;
use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};
use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

/// Entries of a directory that are looked at, hidden ones included. Which they are of a larger one is up to the file
/// system.
pub(super) const MAX_ENTRIES: usize = 5_000;
/// Bytes that listings may take while they are being made, all together: six of as many long names as are listed, or a
/// hundred of a thousand short ones.
pub(super) const MAX_IN_MAKING: usize = 128 << 20;
/// Entries of a listing that do not count there: a small directory can be listed at any time.
const FREE_ENTRIES: usize = 100;
/// Bytes an entry takes until its page is made, besides those for its name.
const ENTRY_BYTES: usize = 512;
/// Bytes for each of its name's: as it is, as it is shown and sorted, and escaped on the page, twice.
const NAME_BYTES: usize = 16;

/// The entries of a directory that are there for clients.
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// Whether there are more than were looked at.
    pub(super) is_cut: bool,
}

pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    /// The name as it is shown: what is no UTF-8 is replaced, and so is what cannot be seen.
    pub(super) shown: String,
    pub(super) is_directory: bool,
    /// In bytes; of directories it means nothing.
    pub(super) size: u64,
    /// When it was last modified, in seconds since 1970.
    pub(super) modified: i64,
}

/// How a listing is sorted. Directories come first in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) key: Key,
    pub(super) descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Name,
    Size,
    Time,
}

impl Key {
    pub(super) const ALL: [Key; 3] = [Key::Name, Key::Size, Key::Time];

    /// Its value in a query.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Key::Name => "name",
            Key::Size => "size",
            Key::Time => "time",
        }
    }
}

impl Order {
    /// As `?sort=name|size|time&order=asc|desc` says; by name, ascending, where it says nothing else.
    pub(super) fn of(request: &Request) -> Order {
        let sort = request.query_value("sort");
        let key = Key::ALL.into_iter().find(|key| Some(key.as_str()) == sort).unwrap_or(Key::Name);
        Order { key, descending: request.query_value("order") == Some("desc") }
    }
}

impl Listing {
    /// Reads `directory`, which was found at `below`; `None` if there is not enough for `share` to draw. What it has drawn is
    /// to be held until the page is made.
    pub(super) fn read(
        root: &Root,
        below: &Below,
        directory: File,
        share: &mut Share,
    ) -> io::Result<Option<Listing>> {
        let mut directory = Dir::new(OwnedFd::from(directory))?;
        let mut listing = Listing { entries: Vec::new(), is_cut: false };
        let mut seen = 0;
        while let Some(found) = directory.read() {
            let found = found?;
            let name = found.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if seen == MAX_ENTRIES {
                listing.is_cut = true;
                break;
            }
            seen += 1;
            if !is_served(name.to_bytes()) {
                continue;
            }
            // What is gone by now, or may not be looked at, is left out.
            let Ok(stat) = statat(directory.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let entry = match FileType::from_raw_mode(stat.st_mode) {
                // What a client would get by its name, if links are followed.
                FileType::Symlink => {
                    let behind = root.look_at(&below.join(name.to_bytes()));
                    behind.ok().map(|stat| Entry::new(name.to_bytes(), &stat))
                }
                FileType::RegularFile | FileType::Directory => Some(Entry::new(name.to_bytes(), &stat)),
                _ => None,
            };
            let Some(entry) = entry else { continue };
            let bytes = ENTRY_BYTES + NAME_BYTES * entry.name.len();
            if listing.entries.len() >= FREE_ENTRIES && !share.draw(bytes) {
                return Ok(None);
            }
            listing.entries.push(entry);
        }
        Ok(Some(listing))
    }

    /// Directories first, then as `order` says, then by name.
    pub(super) fn sort(&mut self, order: Order) {
        // Letters of either case together, as people look for them.
        self.entries.sort_by_cached_key(|entry| (entry.shown.to_lowercase(), entry.name.clone()));
        if order.key == Key::Name && order.descending {
            self.entries.reverse();
        }
        self.entries.sort_by(|a, b| {
            let by_key = match order.key {
                Key::Name => Ordering::Equal,
                Key::Size if a.is_directory => Ordering::Equal,
                Key::Size => a.size.cmp(&b.size),
                Key::Time => a.modified.cmp(&b.modified),
            };
            let by_key = if order.descending { by_key.reverse() } else { by_key };
            b.is_directory.cmp(&a.is_directory).then(by_key)
        });
    }
}

impl Entry {
    fn new(name: &[u8], stat: &Stat) -> Entry {
        Entry {
            name: name.to_vec(),
            shown: show(name),
            is_directory: FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: stat.st_mtime,
        }
    }
}

/// A name as text in which everything can be seen: control characters become their pictures.
pub(super) fn show(name: &[u8]) -> String {
    let picture = |char: char| match u32::from(char) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(char),
        0x7f => '\u{2421}',
        0x80..=0x9f => char::REPLACEMENT_CHARACTER,
        _ => char,
    };
    String::from_utf8_lossy(name).chars().map(picture).collect()
}
