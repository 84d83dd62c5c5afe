//! The Date field, made once a second.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The date in the one form HTTP sends (RFC 9110 §5.6.7), kept for as long as its second lasts.
#[derive(Debug, Default)]
pub(super) struct DateCache {
    second: Option<Duration>,
    text: [u8; 29],
}

impl DateCache {
    pub(super) fn at(&mut self, date: SystemTime) -> &[u8; 29] {
        let second = date.duration_since(UNIX_EPOCH).ok().map(|span| Duration::from_secs(span.as_secs()));
        if second.is_none() || second != self.second {
            self.second = second;
            self.text = imf_fixdate(date);
        }
        &self.text
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub(super) fn imf_fixdate(date: SystemTime) -> [u8; 29] {
    let mut text = [b' '; 29];
    // A clock before 1970 or past the year 9999 has no such form.
    let date = date.clamp(UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(253_402_300_799));
    let _ = write!(&mut text[..], "{}", httpdate::HttpDate::from(date));
    text
}
