//! Time, in three kinds that never mix: ticks of sound, moments of the hub's monotonic clock, and wall-clock times.
//!
//! Nothing here reads a clock: times are passed in.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of sound, or a place on a timeline counted from its start, in ticks of 48 kHz (the Opus clock, RFC 7845 §4).
///
/// Arithmetic is checked or saturating, never wrapping: 2^64 ticks are twelve million years, so only hostile input
/// ever gets near the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticks(u64);

impl Ticks {
    /// Ticks in a second.
    pub const PER_SECOND: u64 = 48_000;
    /// No sound at all, or the start of a timeline.
    pub const ZERO: Self = Self(0);
    /// The largest value, where saturating arithmetic ends.
    pub const MAX: Self = Self(u64::MAX);

    /// A count of ticks.
    #[must_use]
    pub const fn new(ticks: u64) -> Self {
        Self(ticks)
    }

    /// The count of ticks.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// A whole number of milliseconds: exactly 48 ticks each.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(Self::PER_SECOND / 1000))
    }

    /// A whole number of seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(Self::PER_SECOND))
    }

    /// A duration, rounded down to a whole tick.
    #[must_use]
    pub fn from_duration(duration: Duration) -> Self {
        let ticks = duration.as_nanos().saturating_mul(u128::from(Self::PER_SECOND)) / 1_000_000_000;
        Self(u64::try_from(ticks).unwrap_or(u64::MAX))
    }

    /// Seconds that people or programs name, to the nearest tick; held at zero and at [`Ticks::MAX`]. What is no number is zero.
    #[must_use]
    pub fn from_secs_f64(seconds: f64) -> Self {
        let half_a_tick = Duration::from_nanos(500_000_000 / Self::PER_SECOND);
        let held = Duration::try_from_secs_f64(seconds.max(0.0));
        held.map_or(Self::MAX, |held| Self::from_duration(held.saturating_add(half_a_tick)))
    }

    /// Milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / (Self::PER_SECOND / 1000)
    }

    /// Seconds, for people and for JSON.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ticks, which are six thousand years")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / Self::PER_SECOND as f64
    }

    /// The same length as a [`Duration`], rounded down to a nanosecond.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        let nanos = u128::from(self.0) * 1_000_000_000 / u128::from(Self::PER_SECOND);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The sum, or `None` past the end of time.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, or `None` where `other` is later.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// The sum, held at [`Ticks::MAX`].
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, held at zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Moved by a signed number of ticks, held at zero and at [`Ticks::MAX`].
    #[must_use]
    pub const fn saturating_add_signed(self, ticks: i64) -> Self {
        Self(self.0.saturating_add_signed(ticks))
    }

    /// How far this is after `other`, in ticks; negative where it is before. Held at the ends of `i64`.
    #[must_use]
    pub fn signed_since(self, other: Self) -> i64 {
        let difference = i128::from(self.0) - i128::from(other.0);
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}

/// A moment of the hub's monotonic clock, in microseconds since the process started. Never goes back, says nothing of
/// the date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// When the process started.
    pub const START: Self = Self(0);

    /// A moment, given as the time since the process started.
    #[must_use]
    pub fn since_start(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    /// How long after `earlier` this is; zero where it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment that much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The moment that much earlier, but not before the process started.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// A wall-clock time in milliseconds since 1970-01-01T00:00:00Z, without leap seconds. For people, for file names and
/// for the index; never for measuring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(i64);

impl UnixMillis {
    /// A time, from the count.
    #[must_use]
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-22T09:28:00.000Z`. Held at the ends of the years that RFC 3339 can say.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        self.timestamp().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    }

    /// As mail and feeds write it (RFC 5322 §3.3, in UTC): `Sun, 22 Nov 2026 09:28:00 +0000`.
    #[must_use]
    pub fn to_rfc2822(self) -> String {
        self.timestamp().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
    }

    /// A name for a folder that sorts by time and is legal on every file system: `20261122T092800Z`.
    #[must_use]
    pub fn to_compact(self) -> String {
        self.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    /// Reads RFC 3339 with any offset, or a date alone (midnight UTC).
    ///
    /// # Errors
    /// Where the text is neither.
    pub fn from_rfc3339(text: &str) -> Result<Self, NotATime> {
        let timestamp = text.parse::<jiff::Timestamp>().or_else(|_| {
            let date = text.parse::<jiff::civil::Date>()?;
            Ok::<_, jiff::Error>(date.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
        });
        timestamp.map(|timestamp| Self(timestamp.as_millisecond())).map_err(|_| NotATime(text.to_owned()))
    }

    fn timestamp(self) -> jiff::Timestamp {
        // Years past 9999 cannot be written in RFC 3339; jiff's own range ends there.
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_rfc3339(&text).map_err(serde::de::Error::custom)
    }
}

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an RFC 3339 time")]
pub struct NotATime(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millisecond_is_exactly_48_ticks() {
        assert_eq!(Ticks::from_millis(1), Ticks::new(48));
        assert_eq!(Ticks::from_millis(u64::MAX), Ticks::MAX);
        assert_eq!(Ticks::from_duration(Duration::from_millis(60)), Ticks::new(2880));
        assert_eq!(Ticks::new(2880).as_duration(), Duration::from_millis(60));
    }

    #[test]
    fn differences_are_signed_and_held() {
        assert_eq!(Ticks::new(3).signed_since(Ticks::new(5)), -2);
        assert_eq!(Ticks::MAX.signed_since(Ticks::ZERO), i64::MAX);
        assert_eq!(Ticks::new(3).saturating_add_signed(-5), Ticks::ZERO);
    }

    #[test]
    fn wall_clock_times_are_rfc_3339_in_utc() {
        let time = UnixMillis::from_rfc3339("2026-11-22T10:28:00.5+01:00").unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-22T09:28:00.500Z");
        assert_eq!(time.to_compact(), "20261122T092800Z");
        assert_eq!(UnixMillis::from_rfc3339("2026-11-22").unwrap().to_rfc3339(), "2026-11-22T00:00:00.000Z");
        assert!(UnixMillis::from_rfc3339("yesterday").is_err());
        assert_eq!(UnixMillis::new(i64::MAX).to_rfc3339().len(), 24);
    }
}
