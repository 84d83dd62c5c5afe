//! Records: lines of a log that hold what somebody else wrote.
//!
//! The article prints paths, methods and user agents as they came. So a client that sends `%0a` to a program which
//! decodes it, a carriage return in a field, or an escape sequence writes lines of its own into the log, hides others,
//! or drives the terminal of whoever reads it (CWE-117). Here a record is one line whatever is in it: control
//! characters, quotes, backslashes, line separators, and the marks that turn the direction of writing are escaped, and so
//! are bytes that are no UTF-8. Two different texts never become the same; but in JSON a byte that is no UTF-8 and the
//! four characters that stand for it do ([`push_json`]).
//!
//! ```
//! use selvedge::record::Escaped;
//!
//! let forged = b"GET / \r\n127.0.0.1 - - \x1b[2K \xff";
//! assert_eq!(Escaped(forged).to_string(), r"GET / \r\n127.0.0.1 - - \u{1b}[2K \xff");
//! ```

use std::fmt::{self, Display};
use std::time::{SystemTime, UNIX_EPOCH};

/// A text, of which nothing needs to be known, as it is shown in a line: `\n`, `\u{1b}`, `\xff`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a, T: AsRef<[u8]> + ?Sized>(pub &'a T);

impl<T: AsRef<[u8]> + ?Sized> Display for Escaped<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        escape(self.0.as_ref(), Form::Text, &mut |piece| {
            if result.is_ok() {
                result = f.write_str(piece);
            }
        });
        result
    }
}

/// Appends what [`Escaped`] shows.
pub fn push_escaped(line: &mut Vec<u8>, text: &[u8]) {
    escape(text, Form::Text, &mut |piece| line.extend_from_slice(piece.as_bytes()));
}

/// Appends a JSON string, quotes included, that is safe in a line and on a terminal. A byte that is no UTF-8 becomes the
/// four characters `\xff`, for which a text that has them can be mistaken: JSON has no place for such bytes, and every text
/// that is UTF-8 is to be read from it as it was.
pub fn push_json(line: &mut Vec<u8>, text: &[u8]) {
    line.push(b'"');
    escape(text, Form::Json, &mut |piece| line.extend_from_slice(piece.as_bytes()));
    line.push(b'"');
}

/// How what cannot stand for itself is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// Hands `text` to `emit`, piece by piece.
fn escape(text: &[u8], form: Form, emit: &mut impl FnMut(&str)) {
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid();
        let mut plain = 0;
        // In UTF-8 no byte below 0x80 is part of another character, and what is escaped above it starts with 0xc2 or
        // 0xe2: all others are passed over byte by byte.
        let mut at = 0;
        while let Some(found) = valid.as_bytes()[at..].iter().position(|&byte| is_suspect(byte)) {
            at += found;
            let Some(c) = valid[at..].chars().next() else { break };
            let next = at + c.len_utf8();
            if is_unsafe(c) {
                emit(&valid[plain..at]);
                escape_char(c, form, emit);
                plain = next;
            }
            at = next;
        }
        emit(&valid[plain..]);
        for byte in chunk.invalid() {
            emit(if form == Form::Json { r"\\x" } else { r"\x" });
            emit(hex_digit(byte >> 4));
            emit(hex_digit(byte & 15));
        }
    }
}

/// Whether a character that is escaped may begin with this byte.
fn is_suspect(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | 0x7f | 0xc2 | 0xd8 | 0xe2)
}

/// Whether a character ends a line, drives a terminal, turns the direction of writing, or is one that escapes are
/// written with.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '"' | '\\' | '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape_char(c: char, form: Form, emit: &mut impl FnMut(&str)) {
    match (c, form) {
        ('\n', _) => emit(r"\n"),
        ('\r', _) => emit(r"\r"),
        ('\t', _) => emit(r"\t"),
        ('"', _) => emit(r#"\""#),
        ('\\', _) => emit(r"\\"),
        (_, Form::Text) => c.escape_unicode().for_each(|c| emit(c.encode_utf8(&mut [0; 4]))),
        (_, Form::Json) => {
            emit(r"\u");
            // None of them is beyond the first 65,536.
            for shift in [12, 8, 4, 0] {
                emit(hex_digit((u32::from(c) >> shift) as u8 & 15));
            }
        }
    }
}

fn hex_digit(value: u8) -> &'static str {
    let at = usize::from(value & 15);
    &"0123456789abcdef"[at..=at]
}

/// A moment as RFC 3339 has it, in UTC and to the millisecond: `2026-01-31T12:00:00.123Z`.
#[derive(Clone, Copy, Debug)]
pub struct Utc(pub SystemTime);

impl Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { year, month, day, hour, minute, second, milli } = Moment::from(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// Appends a moment as [`Utc`] shows it, without the detour through a formatter.
pub fn push_utc(line: &mut Vec<u8>, at: SystemTime) {
    let Moment { year, month, day, hour, minute, second, milli } = Moment::from(at);
    for (number, width, after) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (hour, 2, b':'),
        (minute, 2, b':'),
        (second, 2, b'.'),
        (u64::from(milli), 3, b'Z'),
    ] {
        push_number(line, number, width);
        line.push(after);
    }
}

/// Appends a number in at least so many digits.
pub fn push_number(line: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let (mut start, mut rest) = (digits.len(), number);
    while rest > 0 {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    line.extend_from_slice(&digits[start.min(digits.len() - width.clamp(1, 20))..]);
}

/// Appends a moment as access logs have it, in UTC: `31/Jan/2026:12:00:00 +0000`.
pub fn push_clf(line: &mut Vec<u8>, at: SystemTime) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Moment { year, month, day, hour, minute, second, .. } = Moment::from(at);
    let month = MONTHS.get((month as usize).wrapping_sub(1)).copied().unwrap_or_default();
    push_number(line, day, 2);
    line.push(b'/');
    line.extend_from_slice(month.as_bytes());
    line.push(b'/');
    for (number, width, after) in [(year, 4, b':'), (hour, 2, b':'), (minute, 2, b':'), (second, 2, b' ')] {
        push_number(line, number, width);
        line.push(after);
    }
    line.extend_from_slice(b"+0000");
}

struct Moment {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    milli: u32,
}

impl From<SystemTime> for Moment {
    fn from(at: SystemTime) -> Self {
        // A clock before 1970 is set wrong.
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        Moment { year, month, day, hour, minute, second, milli: since.subsec_millis() }
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
