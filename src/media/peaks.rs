//! Peaks: how far sound swings, pixel by pixel, for whoever draws it.
//!
//! What belongs here: samples to pairs of least and greatest. What does not: how the pairs are written down, where the
//! sound comes from.

use super::time::Ticks;

/// The shortest that a pixel is: 10 ms.
pub const SHORTEST_PIXEL: Ticks = Ticks::from_millis(10);
/// The most pixels that a picture has.
pub const MOST_PIXELS: u64 = 8000;

/// The peaks of a sound of known length, from time 0 on. Where no sound was put there is silence.
///
/// Memory is two bytes a pixel, and at most [`MOST_PIXELS`] of them.
#[derive(Clone, Debug)]
pub struct Peaks {
    pixel: u64,
    /// The least and the greatest; the least above the greatest where there was no sound.
    pixels: Vec<(i8, i8)>,
}

impl Peaks {
    /// Peaks of so much silence: pixels of at least [`SHORTEST_PIXEL`], as long as it takes to need no more than
    /// [`MOST_PIXELS`].
    #[must_use]
    pub fn new(length: Ticks) -> Self {
        let pixel = length.get().div_ceil(MOST_PIXELS).max(SHORTEST_PIXEL.get());
        let pixels = usize::try_from(length.get().div_ceil(pixel)).expect("at most MOST_PIXELS");
        Self { pixel, pixels: vec![(i8::MAX, i8::MIN); pixels] }
    }

    /// Puts sound at a time: interleaved samples at 48 kHz, full scale being 1. What lies past the end is dropped. The
    /// channels are not mixed, which can cancel them: each counts.
    pub fn put(&mut self, at: Ticks, channels: u8, samples: &[f32]) {
        let mut at = at.get();
        let mut rest = samples;
        while let Some(pixel) = usize::try_from(at / self.pixel).ok().and_then(|index| self.pixels.get_mut(index))
            && !rest.is_empty()
        {
            let ticks = self.pixel - at % self.pixel;
            let count = usize::try_from(ticks).unwrap_or(usize::MAX).saturating_mul(channels.into());
            let (here, after) = rest.split_at(count.min(rest.len()));
            let (least, greatest) =
                here.iter().fold((f32::MAX, f32::MIN), |(least, most), &sample| (least.min(sample), most.max(sample)));
            *pixel = (pixel.0.min(eight_bits(least)), pixel.1.max(eight_bits(greatest)));
            rest = after;
            at += ticks;
        }
    }

    /// How many ticks a pixel is.
    #[must_use]
    pub const fn ticks_per_pixel(&self) -> u64 {
        self.pixel
    }

    /// The least and the greatest of each pixel, full scale being -128 to 127; 0 and 0 where there was no sound.
    pub fn pixels(&self) -> impl ExactSizeIterator<Item = (i8, i8)> {
        self.pixels.iter().map(|&(least, greatest)| if least > greatest { (0, 0) } else { (least, greatest) })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from a float is held at the ends of an i8")]
fn eight_bits(sample: f32) -> i8 {
    (sample * 128.0).round() as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_at_most_8000_pixels_of_at_least_10_ms() {
        let of = |seconds| {
            let peaks = Peaks::new(Ticks::from_secs(seconds));
            (peaks.ticks_per_pixel(), peaks.pixels().len())
        };
        assert_eq!(of(0), (480, 0));
        assert_eq!(of(1), (480, 100));
        assert_eq!(of(80), (480, 8000));
        assert_eq!(of(160), (960, 8000));
        assert_eq!(Peaks::new(Ticks::new(80 * 48_000 + 1)).pixels().len(), 7984);
        assert!(Peaks::new(Ticks::MAX).pixels().len() <= 8000);
    }

    #[test]
    fn sound_is_where_it_was_put_and_silence_elsewhere() {
        let mut peaks = Peaks::new(Ticks::from_millis(50));
        // From the middle of the second pixel to the end of the third.
        peaks.put(Ticks::from_millis(15), 1, &[0.5; 720]);
        peaks.put(Ticks::from_millis(20), 1, &[-1.0; 1]);
        assert_eq!(peaks.pixels().collect::<Vec<_>>(), [(0, 0), (64, 64), (-128, 64), (0, 0), (0, 0)]);
        // What goes past the end is dropped.
        peaks.put(Ticks::from_millis(45), 1, &[1.5; 4800]);
        peaks.put(Ticks::from_secs(9), 1, &[1.0; 10]);
        assert_eq!(peaks.pixels().last(), Some((127, 127)));
    }

    #[test]
    fn channels_that_cancel_each_other_are_seen() {
        let mut peaks = Peaks::new(Ticks::from_millis(10));
        peaks.put(Ticks::ZERO, 2, &[0.25, -0.25].repeat(480));
        assert_eq!(peaks.pixels().collect::<Vec<_>>(), [(-32, 32)]);
    }
}
