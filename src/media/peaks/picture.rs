//! Which pixels of a session someone gets who wants to draw it.
//!
//! What belongs here: how long a pixel is, which they are, and what cannot be asked for. What does not: how they are written down.

use std::ops::Range;
use std::time::Duration;

use super::pixel_for;
use crate::media::time::Ticks;

/// The most pixels where nobody says how long one is.
const OVERVIEW: u64 = 8000;

/// What of a session's peaks someone wants.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wanted {
    /// How long a pixel is, in samples at 48 kHz; so that there are at most 8000, where it does not say.
    pub samples_per_pixel: Option<u64>,
    /// From where on, in seconds from the session's start; from that on, where it does not say.
    pub from: Option<f64>,
    /// To where, in seconds from the session's start; to its end, where it does not say.
    pub to: Option<f64>,
}

/// Why there are no such pixels.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum BadPicture {
    /// Pixels are the finest that there are, or so many times twice as long.
    #[error("Of this recording the samples per pixel are {0}, {twice}, {again} and so on.", twice = .0.saturating_mul(2), again = .0.saturating_mul(4))]
    Pixel(u64),
    /// The layout is not for so many.
    #[error(
        "That would be {count} pixels, and in JSON there are at most {most}: ask for a file that ends with .dat, for more samples per pixel, \
         or for less of the recording by from and to."
    )]
    TooMany {
        /// How many there would be.
        count: u64,
        /// How many there may be.
        most: u64,
    },
    /// The span is none of this recording, whose length in seconds stands beside it.
    #[error("{0} It lasts {1:.3} s.")]
    Span(&'static str, f64),
}

/// The pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// How many ticks one is.
    pub pixel: u64,
    /// How many of the finest that there are make one.
    pub merged: u64,
    /// Their numbers, from the session's start.
    pub numbers: Range<u64>,
}

/// How long a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// From its start to its end.
    Whole(Ticks),
    /// So far: it goes on.
    SoFar(Ticks),
}

impl Length {
    /// The same without a word on whether it goes on.
    const fn ticks(self) -> Ticks {
        match self {
            Self::Whole(ticks) | Self::SoFar(ticks) => ticks,
        }
    }

    /// The latest time that can be named, in seconds: the end, to the next millisecond, as of every other download; and any where it
    /// goes on, since whoever asks may know of more than was gathered.
    #[expect(clippy::cast_precision_loss, reason = "there are fewer milliseconds than a float counts")]
    fn latest(self) -> f64 {
        match self {
            Self::Whole(ticks) => ticks.get().div_ceil(Ticks::from_millis(1).get()) as f64 / 1000.0,
            Self::SoFar(_) => f64::MAX,
        }
    }
}

impl Picture {
    /// The picture of a session of this length, whose finest pixels have so many ticks, of at most so many pixels.
    ///
    /// # Errors
    /// Where there is no such picture.
    pub fn of(wanted: Wanted, most: Option<u64>, finest: u64, length: Length) -> Result<Self, BadPicture> {
        let span = span(wanted, length)?;
        let pixel = match wanted.samples_per_pixel {
            Some(pixel) => pixel,
            None => pixel_for(span.end.saturating_sub(span.start), OVERVIEW).max(finest),
        };
        let merged = pixel / finest.max(1);
        if pixel % finest.max(1) != 0 || !merged.is_power_of_two() || i32::try_from(pixel).is_err() {
            return Err(BadPicture::Pixel(finest));
        }
        let numbers = span.start.get() / pixel..span.end.get().div_ceil(pixel);
        let count = numbers.end.saturating_sub(numbers.start);
        match most {
            Some(most) if count > most => Err(BadPicture::TooMany { count, most }),
            _ => Ok(Self { pixel, merged, numbers }),
        }
    }
}

/// The span that someone wants of a session of this length.
fn span(wanted: Wanted, length: Length) -> Result<Range<Ticks>, BadPicture> {
    let (latest, length) = (length.latest(), length.ticks());
    let end = length.as_secs_f64();
    let ticks = |seconds: f64| Ticks::from_duration(Duration::from_secs_f64(seconds.clamp(0.0, end)));
    let wrong = |detail| Err(BadPicture::Span(detail, end));
    let (from, to) = (wanted.from.unwrap_or(0.0), wanted.to.unwrap_or(end));
    if !from.is_finite() || !to.is_finite() || from < 0.0 {
        return wrong("from and to are seconds from the recording's start.");
    }
    if wanted.from.is_some_and(|from| from >= end) {
        return wrong("from is not in the recording.");
    }
    if wanted.to.is_some_and(|to| to > latest) {
        return wrong("to is not in the recording.");
    }
    if wanted.to.is_some() && to <= from {
        return wrong("to comes after from.");
    }
    Ok(ticks(from)..if wanted.to.is_none_or(|to| to >= end) { length } else { ticks(to) })
}

#[cfg(test)]
mod tests {
    use super::super::MOST_PIXELS;
    use super::*;

    const JSON: Option<u64> = Some(1 << 18);

    fn picture(wanted: Wanted, most: Option<u64>, seconds: u64) -> Result<(u64, Range<u64>), String> {
        let finest = pixel_for(Ticks::from_secs(seconds), MOST_PIXELS);
        let picture = Picture::of(wanted, most, finest, Length::Whole(Ticks::from_secs(seconds)));
        picture.map(|picture| (picture.pixel, picture.numbers)).map_err(|bad| bad.to_string())
    }

    #[test]
    fn a_picture_is_an_overview_unless_someone_looks_closer() {
        let all = Wanted::default();
        assert_eq!(picture(all, JSON, 80), Ok((480, 0..8000)));
        assert_eq!(picture(all, JSON, 3 * 3600), Ok((480 << 8, 0..4219)));
        let close = Wanted { samples_per_pixel: Some(480), ..all };
        assert_eq!(picture(close, None, 1000), Ok((480, 0..100_000)));
        let part = Wanted { from: Some(12.345), to: Some(20.0), ..all };
        assert_eq!(picture(part, JSON, 3600), Ok((480, 1234..2000)));
        assert_eq!(picture(Wanted { to: Some(3600.0), ..part }, JSON, 3600), Ok((480 << 6, 19..5625)));
        assert_eq!(picture(Wanted { to: None, ..all }, JSON, 0), Ok((480, 0..0)));
    }

    #[test]
    fn a_span_ends_with_the_recording_to_the_millisecond_unless_that_goes_on() {
        // 1 s and 2 ticks: to the millisecond that is 1.001 s.
        let ticks = Ticks::new(48_002);
        let of = |to: f64, length| {
            let wanted = Wanted { samples_per_pixel: Some(480), to: Some(to), ..Wanted::default() };
            Picture::of(wanted, JSON, 480, length).map(|picture| picture.numbers)
        };
        assert_eq!(of(1.001, Length::Whole(ticks)), Ok(0..101));
        assert_eq!(of(1.001, Length::SoFar(ticks)), Ok(0..101));
        for late in [1.002, 2.0, 1e300] {
            assert!(matches!(of(late, Length::Whole(ticks)), Err(BadPicture::Span("to is not in the recording.", _))));
            assert_eq!(of(late, Length::SoFar(ticks)), Ok(0..101), "{late}");
        }
    }

    #[test]
    fn what_there_is_not_is_told() {
        let all = Wanted::default();
        for bad in [0, 1, 481, 720, 1440, u64::MAX, 480 << 23] {
            let wanted = Wanted { samples_per_pixel: Some(bad), ..all };
            assert!(picture(wanted, None, 60).unwrap_err().contains("480, 960, 1920"), "{bad}");
        }
        // Of a day there is nothing finer than 160 ms.
        let fine = Wanted { samples_per_pixel: Some(480), ..all };
        assert!(picture(fine, None, 24 * 3600).unwrap_err().contains("7680"));
        assert!(picture(fine, JSON, 2 * 3600).unwrap_err().contains("at most 262144"));
        for (from, to) in
            [(f64::NAN, 1.0), (-1.0, 1.0), (0.0, f64::INFINITY), (60.0, 61.0), (5.0, 60.1), (5.0, 5.0), (6.0, 5.0)]
        {
            assert!(picture(Wanted { from: Some(from), to: Some(to), ..all }, JSON, 60).is_err(), "{from} {to}");
        }
    }
}
