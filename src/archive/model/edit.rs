//! What someone chose of a recording for a file that is made of it: tracks, a span, a loudness.
//!
//! What belongs here: the bounds, and how an edit is written: in an address as `tracks=1,3&from=12.345&to=60&loudness=-16`, in a
//! file's name with `~` in the place of `&`. What does not: whether a recording has such tracks, and what is made of them.

use std::fmt;
use std::str::FromStr;

use crate::media::time::Ticks;
use crate::media::track::TrackNumber;

/// How many tracks can be named: so many that the longest name of a file has not more than 255 bytes, which is what file
/// systems allow.
pub const MOST_TRACKS: usize = 30;
/// The latest time that can be named, in ms: some eleven days.
const LATEST_MILLIS: u64 = 999_999_999;

/// What someone chose of a recording. Where nothing was chosen it is the whole, as it was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Edit {
    /// Only these tracks; all of them, where none is named.
    pub tracks: Option<Choice>,
    /// The sound begins here; where the whole file does, if it does not say.
    pub from: Option<Time>,
    /// It ends here; where the whole file does, if it does not say.
    pub to: Option<Time>,
    /// It is levelled to this.
    pub loudness: Option<Loudness>,
}

impl Edit {
    /// Nothing was chosen.
    pub const WHOLE: Self = Self { tracks: None, from: None, to: None, loudness: None };

    /// Reads one more thing that was chosen.
    ///
    /// # Errors
    /// Where the value cannot be, the key is none of `tracks`, `from`, `to` and `loudness`, or was read before.
    pub fn with(mut self, key: &str, value: &str) -> Result<Self, BadEdit> {
        if self.fields().any(|(known, _)| known == key) {
            return Err(BadEdit::Again(key.to_owned()));
        }
        match key {
            "tracks" => self.tracks = Some(value.parse()?),
            "from" => self.from = Some(value.parse()?),
            "to" => self.to = Some(value.parse()?),
            "loudness" => self.loudness = Some(value.parse()?),
            _ => return Err(BadEdit::Key(key.to_owned())),
        }
        Ok(self)
    }

    /// What was chosen, as keys and values.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, String)> {
        let tracks = self.tracks.map(|tracks| ("tracks", tracks.to_string()));
        let from = self.from.map(|time| ("from", time.to_string()));
        let to = self.to.map(|time| ("to", time.to_string()));
        let loudness = self.loudness.map(|loudness| ("loudness", loudness.to_string()));
        [tracks, from, to, loudness].into_iter().flatten()
    }

    /// Whether it is the whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::WHOLE
    }
}

/// Some tracks, at most [`MOST_TRACKS`], by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// By number, and zeros behind them: no track has that.
    numbers: [u16; MOST_TRACKS],
}

impl Choice {
    /// The tracks of these numbers, in any order.
    ///
    /// # Errors
    /// Where there are none or too many, or one of them twice.
    pub fn new(tracks: impl IntoIterator<Item = TrackNumber>) -> Result<Self, BadEdit> {
        let mut sorted: Vec<_> = tracks.into_iter().take(MOST_TRACKS + 1).collect();
        sorted.sort_unstable();
        if sorted.len() > MOST_TRACKS {
            return Err(BadEdit::TooMany);
        }
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BadEdit::Twice(pair[0]));
        }
        if sorted.first().is_none_or(|first| first.get() == 0) {
            return Err(BadEdit::Tracks(String::new()));
        }
        let mut numbers = [0; MOST_TRACKS];
        numbers.iter_mut().zip(sorted).for_each(|(number, track)| *number = track.get());
        Ok(Self { numbers })
    }

    /// Their numbers, in order.
    pub fn numbers(&self) -> impl Iterator<Item = TrackNumber> {
        self.numbers.into_iter().take_while(|number| *number > 0).map(TrackNumber::new)
    }

    /// Whether a track is one of them.
    #[must_use]
    pub fn has(&self, track: TrackNumber) -> bool {
        self.numbers().any(|number| number == track)
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, number) in self.numbers().enumerate() {
            write!(f, "{}{number}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Choice {
    type Err = BadEdit;

    fn from_str(text: &str) -> Result<Self, BadEdit> {
        let bad = || BadEdit::Tracks(text.to_owned());
        let number = |number: &str| decimal(number, 0).and_then(|number| u16::try_from(number).ok());
        let numbers: Option<Vec<_>> = text.split(',').take(MOST_TRACKS + 1).map(number).collect();
        let numbers = numbers.filter(|numbers| !numbers.contains(&0)).ok_or_else(bad)?;
        Self::new(numbers.into_iter().map(TrackNumber::new))
    }
}

/// A time on the session's clock, to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    millis: u64,
}

impl Time {
    /// So many milliseconds from the session's start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self { millis }
    }

    /// The same as ticks.
    #[must_use]
    pub const fn ticks(self) -> Ticks {
        Ticks::from_millis(self.millis)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, i64::try_from(self.millis).unwrap_or(i64::MAX), 3)
    }
}

impl FromStr for Time {
    type Err = BadEdit;

    fn from_str(text: &str) -> Result<Self, BadEdit> {
        let millis = decimal(text, 3).and_then(|millis| u64::try_from(millis).ok());
        let millis = millis.filter(|millis| *millis <= LATEST_MILLIS && !text.starts_with('-'));
        Ok(Self { millis: millis.ok_or_else(|| BadEdit::Time(text.to_owned()))? })
    }
}

/// An integrated loudness (EBU R 128), from -36 to -5 LUFS in steps of a tenth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loudness {
    /// Tenths of a LUFS.
    tenths: i16,
}

impl Loudness {
    /// The least, in tenths of a LUFS.
    const LEAST: i16 = -360;
    /// The greatest.
    const GREATEST: i16 = -50;

    /// In LUFS.
    #[must_use]
    pub fn lufs(self) -> f64 {
        f64::from(self.tenths) / 10.0
    }
}

impl fmt::Display for Loudness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.tenths.into(), 1)
    }
}

impl FromStr for Loudness {
    type Err = BadEdit;

    fn from_str(text: &str) -> Result<Self, BadEdit> {
        let tenths = decimal(text, 1).and_then(|tenths| i16::try_from(tenths).ok());
        let tenths = tenths.filter(|tenths| (Self::LEAST..=Self::GREATEST).contains(tenths));
        Ok(Self { tenths: tenths.ok_or_else(|| BadEdit::Loudness(text.to_owned()))? })
    }
}

/// A number with at most so many digits behind its point, as so many times ten to that power; `None` where it is none.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let (sign, number) = text.strip_prefix('-').map_or((1, text), |number| (-1, number));
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !digits(whole) || !digits(rest) || rest.len() > places.max(1) || (places == 0 && number.contains('.')) {
        return None;
    }
    let all: i64 = format!("{whole}{rest:0<places$}").parse().ok()?;
    Some(sign * if places == 0 { all / 10 } else { all })
}

/// Writes such a number, without zeros at its end.
fn write_decimal(f: &mut fmt::Formatter<'_>, number: i64, places: u32) -> fmt::Result {
    let one = 10_i64.pow(places);
    let (sign, whole, rest) = (if number < 0 { "-" } else { "" }, number.abs() / one, number.abs() % one);
    let places = usize::try_from(places).unwrap_or(0);
    let rest = format!("{rest:0places$}");
    match rest.trim_end_matches('0') {
        "" => write!(f, "{sign}{whole}"),
        rest => write!(f, "{sign}{whole}.{rest}"),
    }
}

/// An edit that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEdit {
    /// A key that is none.
    #[error("{0:?} is nothing that can be chosen: that is tracks, from, to and loudness")]
    Key(String),
    /// A key that was read before.
    #[error("{0} is chosen twice")]
    Again(String),
    /// No list of tracks.
    #[error("{0:?} is no list of tracks, which is numbers from 1 with commas between them, such as 1,3")]
    Tracks(String),
    /// One track twice.
    #[error("track {0} is named twice")]
    Twice(TrackNumber),
    /// More tracks than can be named.
    #[error("at most {MOST_TRACKS} tracks can be named")]
    TooMany,
    /// No time.
    #[error("{0:?} is no time, which is seconds from the session's start, at most to the millisecond, such as 12.345")]
    Time(String),
    /// No loudness, or one beyond the bounds.
    #[error("{0:?} is no loudness, which is in LUFS from -36 to -5, at most to a tenth, such as -16")]
    Loudness(String),
    /// A track that the recording does not have.
    #[error("the recording has no track {0}")]
    NoTrack(TrackNumber),
    /// A time behind the recording's end.
    #[error("{0} s is behind the end: the recording is {1} s long")]
    Outside(Time, Time),
    /// Nothing lies between the two.
    #[error("the span from {0} to {1} s is empty")]
    Empty(Time, Time),
    /// Too little sound is left to be levelled.
    #[error("less than 0.4 s has no loudness")]
    TooShort,
    /// The file does not take this.
    #[error("{0} cannot be chosen of {1}")]
    NotOf(&'static str, String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Edit, BadEdit> {
        let fields = text.split('&').map(|field| field.split_once('=').unwrap());
        fields.into_iter().try_fold(Edit::WHOLE, |edit, (key, value)| edit.with(key, value))
    }

    fn written(edit: &Edit) -> String {
        edit.fields().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
    }

    #[test]
    fn an_edit_is_written_in_one_way_however_it_was_asked_for() {
        for (asked, one) in [
            ("tracks=3,1", "tracks=1,3"),
            ("tracks=01", "tracks=1"),
            ("to=60.000&from=012.50", "from=12.5&to=60"),
            ("from=0.001", "from=0.001"),
            ("loudness=-16.0", "loudness=-16"),
            ("loudness=-5&tracks=65535&to=7", "tracks=65535&to=7&loudness=-5"),
            ("loudness=-23.5", "loudness=-23.5"),
        ] {
            let edit = read(asked).unwrap();
            assert_eq!(written(&edit), one, "{asked}");
            assert_eq!(read(one), Ok(edit), "{asked}");
            assert!(!edit.is_whole());
        }
    }

    #[test]
    fn what_cannot_be_is_told_apart() {
        let bad = |text: &str| read(text).unwrap_err();
        for tracks in ["", "0", "1,", ",1", "1;2", "a", "-1", "1.0", "65536", "1,,2", " 1"] {
            assert_eq!(bad(&format!("tracks={tracks}")), BadEdit::Tracks(tracks.to_owned()));
        }
        assert_eq!(bad("tracks=2,1,2"), BadEdit::Twice(TrackNumber::new(2)));
        let many: Vec<_> = (1..=31).map(|number| number.to_string()).collect();
        assert_eq!(bad(&format!("tracks={}", many.join(","))), BadEdit::TooMany);
        assert!(read(&format!("tracks={}", many[1..].join(","))).is_ok());
        for time in
            ["", "-1", "-0", "1.2345", "1e3", "NaN", "inf", ".5", "1.", "1,5", "+1", "1000000", "9".repeat(40).as_str()]
        {
            assert_eq!(bad(&format!("from={time}")), BadEdit::Time(time.to_owned()));
        }
        for loudness in
            ["", "-4.9", "-36.1", "16", "1e9", "-1e1", "NaN", "-inf", "-16.55", "0", "-99999999999999999999"]
        {
            assert_eq!(bad(&format!("loudness={loudness}")), BadEdit::Loudness(loudness.to_owned()));
        }
        assert_eq!(bad("speed=2"), BadEdit::Key("speed".to_owned()));
        assert_eq!(bad("from=1&to=2&from=1"), BadEdit::Again("from".to_owned()));
    }
}
