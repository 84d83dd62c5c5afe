//! The Date field, made once a second.

use crate::clock::{Clock, Tick};
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SECOND: Duration = Duration::from_secs(1);

/// The date in the one form HTTP sends (RFC 9110 §5.6.7), kept for as long as its second lasts.
#[derive(Debug, Default)]
pub(super) struct DateCache {
    /// When the second is over, on the clock that is read anyway.
    over: Tick,
    text: [u8; 29],
}

impl DateCache {
    /// The date at the moment `now` of `clock`.
    pub(super) fn at(&mut self, now: Tick, clock: &Clock) -> &[u8; 29] {
        if now >= self.over {
            let date = clock.date();
            let into = date.duration_since(UNIX_EPOCH).map_or(0, |span| span.subsec_nanos());
            self.over = now.after(SECOND.saturating_sub(Duration::from_nanos(into.into())));
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
