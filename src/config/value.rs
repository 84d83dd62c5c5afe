//! How a limit is written and read: counts, sizes, times, rates, and `off`.
//!
//! Every message ends with what is permitted, so that one failed attempt is enough. Zero is an ordinary number with
//! no second meaning: where a limit can be absent, that is spelt `off`.

use super::Rate;
use std::time::Duration;

pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;
/// Times are counted in milliseconds.
pub(super) const SECOND: u64 = 1000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;

/// A way to write values of `T`: `parse(show(value))` is the value, if it is within the bounds.
pub(super) trait Kind<T> {
    /// The value `text` stands for, or what is wrong with it and what would be right.
    fn parse(&self, text: &str) -> Result<T, String>;
    /// The value as it is written.
    fn show(&self, value: T) -> String;
}

/// A whole number.
pub(super) struct Count {
    /// How help and usage call such a value; so for every kind.
    pub(super) value_name: &'static str,
    number: Number,
}

/// A size in bytes, with binary units.
pub(super) struct Bytes {
    pub(super) value_name: &'static str,
    number: Number,
}

/// A length of time, always with a unit.
pub(super) struct Time {
    pub(super) value_name: &'static str,
    number: Number,
}

/// So many in a length of time.
pub(super) struct PerTime {
    count: Number,
    span: Number,
}

/// Any of these, or `off`.
pub(super) struct Off<K> {
    pub(super) value_name: &'static str,
    kind: K,
}

pub(super) const fn count(from: u64, to: u64) -> Count {
    Count { value_name: "N", number: Number { what: "a whole number", units: &[("", 1, true)], from, to } }
}

pub(super) const fn bytes(from: u64, to: u64) -> Bytes {
    let what = "a size; write 512, 256KiB, 1MiB or 1GiB";
    Bytes { value_name: "SIZE", number: Number { what, units: SIZES, from, to } }
}

pub(super) const fn time(from: u64, to: u64) -> Time {
    let what = "a time; write 10s or 500ms (ms, s, m, h)";
    Time { value_name: "TIME", number: Number { what, units: TIMES, from, to } }
}

/// Reads a length of time that is no limit of the server's: from a millisecond to an hour.
#[cfg(feature = "cli")]
pub(crate) fn read_time(text: &str) -> Result<Duration, String> {
    time(1, HOUR).parse(text)
}

/// From one to `most`, in a time from `from` to `to`.
pub(super) const fn per_time(most: u64, from: u64, to: u64) -> PerTime {
    PerTime { count: count(1, most).number, span: time(from, to).number }
}

impl Count {
    pub(super) const fn or_off(self) -> Off<Count> {
        Off { value_name: "N|off", kind: self }
    }
}

impl Bytes {
    pub(super) const fn or_off(self) -> Off<Bytes> {
        Off { value_name: "SIZE|off", kind: self }
    }
}

impl PerTime {
    pub(super) const fn or_off(self) -> Off<PerTime> {
        Off { value_name: "N/TIME|off", kind: self }
    }
}

impl<T: TryFrom<u64> + TryInto<u64>> Kind<T> for Count {
    fn parse(&self, text: &str) -> Result<T, String> {
        self.number.parse(text)
    }
    fn show(&self, value: T) -> String {
        self.number.show(value)
    }
}

impl<T: TryFrom<u64> + TryInto<u64>> Kind<T> for Bytes {
    fn parse(&self, text: &str) -> Result<T, String> {
        self.number.parse(text)
    }
    fn show(&self, value: T) -> String {
        self.number.show(value)
    }
}

impl Kind<Duration> for Time {
    fn parse(&self, text: &str) -> Result<Duration, String> {
        self.number.parse(text).map(Duration::from_millis)
    }
    fn show(&self, value: Duration) -> String {
        self.number.show(value.as_millis())
    }
}

impl Kind<Rate> for PerTime {
    fn parse(&self, text: &str) -> Result<Rate, String> {
        let Some((count, span)) = text.split_once('/') else {
            return Err(format!("'{text}' is not a rate; write 30/60s; {}", self.permitted()));
        };
        let rate =
            |_| format!("'{text}' is not a rate within the bounds; write 30/60s; {}", self.permitted());
        Ok(Rate {
            count: self.count.parse(count).map_err(rate)?,
            span: Duration::from_millis(self.span.parse(span).map_err(rate)?),
        })
    }
    fn show(&self, value: Rate) -> String {
        format!("{}/{}", self.count.show(value.count), self.span.show(value.span.as_millis()))
    }
}

impl PerTime {
    fn permitted(&self) -> String {
        let [fewest, most] = [self.count.from, self.count.to];
        format!(
            "permitted: {fewest} to {most} in {} to {}",
            self.span.show(self.span.from),
            self.span.show(self.span.to)
        )
    }
}

impl<T, K: Kind<T>> Kind<Option<T>> for Off<K> {
    fn parse(&self, text: &str) -> Result<Option<T>, String> {
        match text {
            "off" => Ok(None),
            _ => self.kind.parse(text).map(Some).map_err(|problem| problem + ", or off"),
        }
    }
    fn show(&self, value: Option<T>) -> String {
        value.map_or_else(|| "off".into(), |value| self.kind.show(value))
    }
}

/// What it is called, how many of the smallest it is, and whether values are shown in it.
type Unit = (&'static str, u64, bool);

/// Largest first; the last is the smallest.
const SIZES: &[Unit] =
    &[("GiB", GIB, true), ("MiB", MIB, true), ("KiB", KIB, true), ("B", 1, false), ("", 1, true)];
/// Minutes are read but not shown: `30/60s` and `90s` are how such limits are spoken of.
const TIMES: &[Unit] = &[("h", HOUR, true), ("m", MINUTE, false), ("s", SECOND, true), ("ms", 1, true)];

/// A whole number with a unit, within bounds.
struct Number {
    what: &'static str,
    units: &'static [Unit],
    from: u64,
    to: u64,
}

impl Number {
    fn parse<T: TryFrom<u64>>(&self, text: &str) -> Result<T, String> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let size = self.units.iter().find(|(name, ..)| *name == unit).map(|(_, size, _)| *size);
        let Some(size) = size.filter(|_| !digits.is_empty()) else {
            return Err(format!("'{text}' is not {}; {}", self.what, self.permitted()));
        };
        // A number too long for its type is out of bounds like any other.
        let value = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(size));
        value
            .filter(|value| (self.from..=self.to).contains(value))
            .and_then(|value| T::try_from(value).ok())
            .ok_or_else(|| format!("{text} is out of bounds; {}", self.permitted()))
    }

    fn show<T: TryInto<u64>>(&self, value: T) -> String {
        let value = value.try_into().unwrap_or(u64::MAX);
        let exact = |(_, size, shown): &&Unit| *shown && *size <= value && value % size == 0;
        let (unit, size) =
            self.units.iter().find(exact).or(self.units.last()).map_or(("", 1), |unit| (unit.0, unit.1));
        format!("{}{unit}", value / size)
    }

    fn permitted(&self) -> String {
        format!("permitted: {} to {}", self.show(self.from), self.show(self.to))
    }
}
