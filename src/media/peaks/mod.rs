//! Peaks: how far sound swings, pixel by pixel, for whoever draws it.
//!
//! What belongs here: sound to pairs of least and greatest, as it comes; fine pairs to coarse ones; the peaks of what several
//! tracks are together (`sum`); which of them someone gets (`picture`). What does not: how the pairs are written down, where the sound comes from.
//!
//! A pixel begins at a multiple of its length on the session's clock, and lasts 10 ms or so many times twice as long. So two fine
//! ones are a coarse one, and a picture is the same whether all of its sound was there at once or came bit by bit.

mod picture;
mod sum;

use std::iter;
use std::ops::Range;

use super::time::Ticks;

pub use picture::{BadPicture, Length, Picture, Wanted};
pub use sum::Sum;

/// How long the finest pixel is: 10 ms.
pub const FINEST: Ticks = Ticks::from_millis(10);
/// The most pixels that a picture has, of the finest that there are of it: 10 ms each up to nearly three hours, 160 ms for a day.
pub const MOST_PIXELS: u64 = 1 << 20;

/// The finest pixel, in ticks, of which a session of this length has no more than so many.
#[must_use]
pub fn pixel_for(length: Ticks, most: u64) -> u64 {
    let enough = |pixel: &u64| length.get().div_ceil(*pixel) <= most.max(1);
    iter::successors(Some(FINEST.get()), |pixel| pixel.checked_mul(2)).find(enough).unwrap_or(u64::MAX)
}

/// How far sound swings in a pixel, full scale being -128 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixel {
    /// The least sample; above the greatest where there was no sound.
    least: i8,
    greatest: i8,
}

impl Pixel {
    /// No sound at all.
    pub const NONE: Self = Self { least: i8::MAX, greatest: i8::MIN };

    /// A pixel as it was written down.
    #[must_use]
    pub const fn new(least: i8, greatest: i8) -> Self {
        Self { least, greatest }
    }

    /// Both at once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), greatest: self.greatest.max(other.greatest) }
    }

    /// The least and the greatest; 0 and 0 where there was no sound.
    #[must_use]
    pub const fn pair(self) -> (i8, i8) {
        if self.least > self.greatest { (0, 0) } else { (self.least, self.greatest) }
    }
}

/// The peaks of sound on the session's clock. Where no sound was put there is silence.
///
/// It holds two bytes for each pixel from the first sound to the last, and they are never more than [`MOST_PIXELS`] from the
/// session's start: where they would be, they become half as many, each twice as long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peaks {
    /// How many ticks a pixel is.
    pixel: u64,
    /// The number of the first pixel that is held, from the session's start.
    first: u64,
    pixels: Vec<Pixel>,
}

impl Default for Peaks {
    fn default() -> Self {
        Self { pixel: FINEST.get(), first: 0, pixels: Vec::new() }
    }
}

impl Peaks {
    /// How many ticks a pixel is.
    #[must_use]
    pub const fn ticks_per_pixel(&self) -> u64 {
        self.pixel
    }

    /// The number of the first pixel that is held, from the session's start: those before it are silent.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// Those that are held.
    #[must_use]
    pub fn pixels(&self) -> &[Pixel] {
        &self.pixels
    }

    /// The pixel of this number, from the session's start.
    #[must_use]
    pub fn at(&self, number: u64) -> Pixel {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.pixels.get(index)).copied().unwrap_or(Pixel::NONE)
    }

    /// Puts sound at a time: interleaved samples at 48 kHz, full scale being 1. The channels are not mixed, which can cancel
    /// them: each counts.
    pub fn put(&mut self, at: Ticks, channels: u8, samples: &[f32]) {
        let channels = usize::from(channels.max(1));
        let frames = (samples.len() / channels) as u64;
        if frames == 0 {
            return;
        }
        let (mut at, end) = (at.get(), at.get().saturating_add(frames));
        self.hold(at, end);
        let mut rest = samples;
        while at < end {
            let ticks = (self.pixel - at % self.pixel).min(end - at);
            let count = usize::try_from(ticks).unwrap_or(usize::MAX).saturating_mul(channels);
            let (here, after) = rest.split_at(count.min(rest.len()));
            let (mut least, mut greatest) = (f32::MAX, f32::MIN);
            for &sample in here {
                if sample < least {
                    least = sample;
                }
                if sample > greatest {
                    greatest = sample;
                }
            }
            self.swing(at, least, greatest);
            rest = after;
            at += ticks;
        }
    }

    /// Has the sound of the pixel at a time, which is held, swing as far as this.
    fn swing(&mut self, at: u64, least: f32, greatest: f32) {
        let index = usize::try_from(at / self.pixel - self.first).unwrap_or(usize::MAX);
        if let Some(pixel) = self.pixels.get_mut(index) {
            *pixel = pixel.and(Pixel::new(eight_bits(least), eight_bits(greatest)));
        }
    }

    /// Makes place for what is between two times.
    fn hold(&mut self, begin: u64, end: u64) {
        while end.div_ceil(self.pixel) > MOST_PIXELS {
            self.coarsen();
        }
        let (first, end) = (begin / self.pixel, end.div_ceil(self.pixel));
        let none = |count: u64| iter::repeat_n(Pixel::NONE, usize::try_from(count).unwrap_or(0));
        if self.pixels.is_empty() {
            self.first = first;
        } else if first < self.first {
            self.pixels.splice(..0, none(self.first - first));
            self.first = first;
        }
        self.pixels.extend(none(end.saturating_sub(self.first + self.pixels.len() as u64)));
    }

    /// Makes the pixels twice as long.
    fn coarsen(&mut self) {
        let lonely = usize::from(!self.first.is_multiple_of(2)).min(self.pixels.len());
        let (alone, pairs) = self.pixels.split_at(lonely);
        let merged = pairs.chunks(2).map(|pair| pair.iter().copied().fold(Pixel::NONE, Pixel::and));
        self.pixels = alone.iter().copied().chain(merged).collect();
        self.first /= 2;
        self.pixel = self.pixel.saturating_mul(2);
    }

    /// The same with pixels of at least so many ticks.
    #[must_use]
    pub fn with_pixels_of(mut self, ticks: u64) -> Self {
        while self.pixel < ticks {
            self.coarsen();
        }
        self
    }

    /// The pixels of these numbers, from the session's start.
    pub fn among(&self, numbers: Range<u64>) -> impl Iterator<Item = Pixel> {
        numbers.map(|number| self.at(number))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from a float is held at the ends of an i8")]
fn eight_bits(sample: f32) -> i8 {
    (sample * 128.0).round() as i8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(peaks: &Peaks, count: u64) -> Vec<(i8, i8)> {
        peaks.among(0..count).map(Pixel::pair).collect()
    }

    #[test]
    fn pixels_are_as_fine_as_the_length_lets_them_be() {
        let of = |seconds| pixel_for(Ticks::from_secs(seconds), MOST_PIXELS);
        assert_eq!((of(0), of(1), of(10_485), of(10_486)), (480, 480, 480, 960));
        assert_eq!(of(24 * 3600), 7680);
        assert_eq!(pixel_for(Ticks::from_secs(80), 8000), 480);
        assert_eq!(pixel_for(Ticks::new(80 * 48_000 + 1), 8000), 960);
        assert!(u64::MAX / pixel_for(Ticks::MAX, MOST_PIXELS) <= MOST_PIXELS);
    }

    #[test]
    fn sound_is_where_it_was_put_and_silence_elsewhere() {
        let mut peaks = Peaks::default();
        // From the middle of the second pixel to the end of the third.
        peaks.put(Ticks::from_millis(15), 1, &[0.5; 720]);
        peaks.put(Ticks::from_millis(20), 1, &[-1.0; 1]);
        assert_eq!(pairs(&peaks, 5), [(0, 0), (64, 64), (-128, 64), (0, 0), (0, 0)]);
        assert_eq!((peaks.first(), peaks.pixels().len()), (1, 2), "nothing is held of silence around it");
        // What is louder than full scale is full scale; what comes late has its place too.
        peaks.put(Ticks::from_millis(45), 1, &[1.5; 240]);
        peaks.put(Ticks::ZERO, 1, &[0.25]);
        assert_eq!(pairs(&peaks, 6), [(32, 32), (64, 64), (-128, 64), (0, 0), (127, 127), (0, 0)]);
    }

    #[test]
    fn channels_that_cancel_each_other_are_seen() {
        let mut peaks = Peaks::default();
        peaks.put(Ticks::ZERO, 2, &[0.25, -0.25].repeat(480));
        assert_eq!(pairs(&peaks, 2), [(-32, 32), (0, 0)]);
    }

    #[test]
    fn a_picture_never_has_more_pixels_than_it_may() {
        let mut peaks = Peaks::default();
        peaks.put(Ticks::from_secs(3), 1, &[0.5; 480]);
        peaks.put(Ticks::from_secs(24 * 3600), 1, &[0.25; 480]);
        assert_eq!(peaks.ticks_per_pixel(), 7680);
        assert_eq!(peaks.at(3 * 48_000 / 7680).pair(), (64, 64));
        assert_eq!(peaks.at(24 * 3600 * 48_000 / 7680).pair(), (32, 32));
        peaks.put(Ticks::MAX, 1, &[1.0; 480]);
        assert!(peaks.pixels().len() as u64 <= MOST_PIXELS);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_picture_is_the_same_however_its_sound_came(
            starts in prop::collection::vec(0..200_000_u64, 1..8),
            samples in prop::collection::vec(-1.0_f32..1.0, 1..3000),
            step in 1..700_usize,
            times in 0..5_u32,
        ) {
            let (mut whole, mut parts) = (Peaks::default(), Peaks::default());
            for &start in &starts {
                whole.put(Ticks::new(start), 1, &samples);
            }
            for &start in starts.iter().rev() {
                for (index, piece) in samples.chunks(step).enumerate() {
                    parts.put(Ticks::new(start + (index * step) as u64), 1, piece);
                }
            }
            let pixel = FINEST.get() << times;
            prop_assert_eq!(whole.clone().with_pixels_of(pixel), parts.with_pixels_of(pixel));
            // And a coarse one holds what the fine ones hold.
            let coarse = whole.clone().with_pixels_of(pixel);
            for number in 0..=200_000 / pixel {
                let fine = whole.among(number << times..(number + 1) << times).fold(Pixel::NONE, Pixel::and);
                prop_assert_eq!(coarse.at(number), fine);
            }
        }
    }
}
