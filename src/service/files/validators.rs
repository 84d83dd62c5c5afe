//! What tells one version of a representation from another (RFC 9110 §8.8).

use http::HeaderValue;
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a file has to be left alone before its times tell its versions apart: file systems keep time in steps, of
/// two seconds where they are coarsest, and a file may be changed twice within one of them.
const SETTLED: u64 = 2;
/// Bytes of the longest tag of a file: five numbers, a coding and what is around them.
const MAX_FILE_TAG: usize = 112;
/// The first second HTTP has no date for: the year 10000.
const END_OF_TIME: u64 = 253_402_300_800;

/// An entity tag (§8.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag {
    /// As it is sent.
    text: String,
    weak: bool,
}

/// When a representation last changed (§8.8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modified {
    /// In seconds since 1970; never later than the answer.
    pub seconds: u64,
    /// Whether that second is over for long enough, and the time of the last change, for the representation to be the only
    /// one of it (§8.8.2.2).
    pub strong: bool,
}

/// The validators of a representation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// For the field `ETag`.
    pub tag: Option<EntityTag>,
    /// For the field `Last-Modified`.
    pub modified: Option<Modified>,
}

impl EntityTag {
    /// A tag of characters that one can have: visible ASCII but for the double quote.
    ///
    /// ```
    /// use selvedge::service::files::validators::EntityTag;
    ///
    /// assert_eq!(EntityTag::new("abc", true).as_str(), "W/\"abc\"");
    /// ```
    pub fn new(opaque: &str, weak: bool) -> Self {
        let text = if weak { format!("W/\"{opaque}\"") } else { format!("\"{opaque}\"") };
        EntityTag { text, weak }
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it may stay the same while bytes change.
    pub fn is_weak(&self) -> bool {
        self.weak
    }

    /// Whether this is the tag `theirs`, as it was sent, and both are strong (§8.8.3.2).
    pub fn is_strongly(&self, theirs: &[u8]) -> bool {
        !self.weak && self.text.as_bytes() == theirs
    }

    /// Whether this is the tag `theirs`, as it was sent, weak or not (§8.8.3.2).
    pub fn is_weakly(&self, theirs: &[u8]) -> bool {
        self.opaque() == theirs.strip_prefix(b"W/").unwrap_or(theirs)
    }

    /// With its quotes.
    fn opaque(&self) -> &[u8] {
        self.text.strip_prefix("W/").unwrap_or(&self.text).as_bytes()
    }
}

impl Validators {
    /// Those of a file, as it is sent at `now` under the content coding `coding`.
    ///
    /// The tag is made of the file's size, its time and its change time, to the nanosecond. So it changes with its content,
    /// its name, owner and mode: whatever is done to a file moves its change time, which nobody can set back. It says
    /// nothing of where on which disk the file is, and is the same after a restart. It is strong once the file has been left
    /// alone for two seconds, by its change time too; before that it is weak, and another one, since a change might not
    /// show.
    ///
    /// The date is that of the content, which `cp -p`, `rsync -t` and builds that can be repeated set back: two versions may
    /// have the same. It is strong only if the file has not been changed since.
    pub fn of_file(metadata: &Metadata, now: SystemTime, coding: &str) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let last = metadata.mtime().max(metadata.ctime());
        let settled = last.saturating_add_unsigned(SETTLED) < now.try_into().unwrap_or(i64::MAX);
        let is_original = metadata.ctime() <= metadata.mtime();
        // Device and inode number are not in it: they are nobody's business, and a hash without a secret can be undone by
        // trying. They would tell apart no more than two files made in one step of the file system's clock, of one size, whose
        // directories are exchanged.
        let mut text = String::with_capacity(MAX_FILE_TAG);
        text.push_str(if settled { "\"" } else { "W/\"" });
        let (time, change) = (metadata.mtime().cast_unsigned(), metadata.ctime().cast_unsigned());
        let (time_nsec, change_nsec) =
            (metadata.mtime_nsec().cast_unsigned(), metadata.ctime_nsec().cast_unsigned());
        let numbers =
            [("", time), (".", time_nsec), ("-", metadata.size()), ("-", change), (".", change_nsec)];
        for (before, number) in numbers {
            text.push_str(before);
            push_hex(&mut text, number);
        }
        if !coding.is_empty() {
            text.push('-');
            text.push_str(coding);
        }
        text.push_str(if settled { "\"" } else { "-new\"" });
        let seconds = u64::try_from(metadata.mtime()).ok().filter(|&seconds| seconds < END_OF_TIME);
        let modified =
            seconds.map(|seconds| Modified { seconds: seconds.min(now), strong: settled && is_original });
        Validators { tag: Some(EntityTag { text, weak: !settled }), modified }
    }

    /// The same with a weak tag, for what is made of the file anew each time.
    #[must_use]
    pub fn weakened(mut self) -> Self {
        if let Some(tag) = self.tag.as_mut().filter(|tag| !tag.weak) {
            tag.text.insert_str(0, "W/");
            tag.weak = true;
        }
        self
    }

    /// Those of something made for each answer, which a hash of its bytes tells from what it was before.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut state = DefaultHasher::new();
        state.write(bytes);
        let opaque = format!("{:x}-{:016x}", bytes.len(), state.finish());
        Validators { tag: Some(EntityTag::new(&opaque, true)), modified: None }
    }
}

/// Hexadecimal, as `{:x}` has it, which for five numbers takes a fifth of all that is run for a file outside of the kernel.
fn push_hex(text: &mut String, number: u64) {
    let digits = 16 - number.leading_zeros() / 4;
    for digit in (0..digits.max(1)).rev() {
        text.push(char::from(b"0123456789abcdef"[(number >> (4 * digit) & 0xf) as usize]));
    }
}

impl Modified {
    pub(super) fn to_value(self) -> Option<HeaderValue> {
        let seconds = self.seconds.min(END_OF_TIME - 1);
        let date = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
        HeaderValue::from_str(&httpdate::fmt_http_date(date)).ok()
    }
}
