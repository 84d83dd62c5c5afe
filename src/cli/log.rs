//! The log: one record a line, to standard error and to a file at once.
//!
//! ```text
//! 2026-01-31T12:00:00.123Z worker-7 INFO  message
//! ```

use super::Failure;
use crate::clock::Clock;
use crate::sync;
use log::Level;
use std::fmt::{self, Display, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Sends every record of `level` or above to standard error, and to the end of `file` if there is one. A panic is
/// such a record too.
pub(super) fn start(level: Level, file: Option<&Path>) -> Result<(), Failure> {
    let file = file.map(open).transpose()?;
    let clock = Clock::system();
    env_logger::Builder::new()
        .filter_level(level.to_level_filter())
        .target(env_logger::Target::Pipe(Box::new(Tee { file })))
        .format(move |line, record| {
            let thread = sync::current();
            let thread = Escaped(thread.name().unwrap_or("unnamed"));
            let text = record.args().to_string();
            writeln!(line, "{} {thread} {:<5} {}", Utc(clock.date()), record.level(), Escaped(&text))
        })
        .try_init()
        .map_err(|_| Failure::start("a log was started before"))?;
    std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    Ok(())
}

fn open(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().append(true).create(true).open(path).map_err(|error| {
        let path = path.display();
        Failure::start(format!("cannot open the log file '{path}': {error}; choose another with --log-file"))
    })
}

/// Writes to both and fails for neither: a full disk or a closed standard error costs a record, never a request.
struct Tee {
    file: Option<File>,
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        if let Some(file) = &mut self.file {
            let _ = file.write_all(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A text with everything that could forge a line or drive a terminal written as an escape.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reorders =
            |c| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
        for c in self.0.chars() {
            if c.is_control() || reorders(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// A moment as RFC 3339 has it, in UTC and to the millisecond.
struct Utc(SystemTime);

impl Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let milli = since.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// Year, month and day so many days after 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last of its year and months follow one formula; eras of
/// 400 years, from 0000-03-01, are all of one length.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn moments() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_769_860_800_123, "2026-01-31T12:00:00.123Z"),
            (1_798_761_599_000, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Utc(UNIX_EPOCH + Duration::from_millis(millis)).to_string(), shown);
        }
    }

    #[test]
    fn escapes() {
        for (text, shown) in [
            ("plain, ümlaut, 日本", "plain, ümlaut, 日本"),
            ("two\r\nlines", r"two\r\nlines"),
            ("\u{1b}[31mred\0", r"\u{1b}[31mred\u{0}"),
            ("\u{2028}\u{202e}\u{85}", r"\u{2028}\u{202e}\u{85}"),
        ] {
            assert_eq!(Escaped(text).to_string(), shown);
        }
    }
}
