//! The peaks of what several tracks are together, while their sound comes track by track.
//!
//! What belongs here: adding them, and when a sum is ready. What does not: how loud a mix may be; which sound comes when.
//!
//! Samples are added as whole numbers, so that the sum is the same in whichever order they come, bit for bit.

use std::collections::VecDeque;

use super::Peaks;
use crate::media::time::Ticks;

/// How much later than the newest sound another may come and still be added to it: samples become durable in pieces of up to 16 s.
const LATEST: Ticks = Ticks::from_secs(20);
/// A sample of full scale, as it is added: a thousand tracks of full scale have their place.
const FULL: f32 = 1_048_576.0;

/// Adds sound, of which none is more than [`LATEST`] behind the newest, to peaks.
///
/// It holds what a [`Peaks`] holds, and 20 s of sound: 7.7 MB.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// Where what waits begins.
    begin: u64,
    /// Left and right.
    waiting: VecDeque<[i32; 2]>,
    peaks: Peaks,
    late: bool,
}

impl Sum {
    /// Adds sound at a time, in one channel or two: one is as loud on both sides.
    pub fn put(&mut self, at: Ticks, channels: u8, samples: &[f32]) {
        let channels = usize::from(channels.clamp(1, 2));
        let frames = samples.chunks_exact(channels);
        let newest = at.get().saturating_add(frames.len() as u64);
        self.settle(newest.saturating_sub(LATEST.get()));
        let late = usize::try_from(self.begin.saturating_sub(at.get())).unwrap_or(usize::MAX).min(frames.len());
        if late > 0 {
            // Too late to be added: it is seen by itself.
            self.late = true;
            self.peaks.put(at, u8::try_from(channels).unwrap_or(1), &samples[..late * channels]);
        }
        let from = usize::try_from(at.get().saturating_sub(self.begin)).unwrap_or(0);
        let count = frames.len() - late;
        if self.waiting.len() < from + count {
            self.waiting.resize(from + count, [0; 2]);
        }
        for (sum, frame) in self.waiting.range_mut(from..from + count).zip(frames.skip(late)) {
            let (left, right) = (frame[0], frame[channels - 1]);
            *sum = [sum[0].saturating_add(whole(left)), sum[1].saturating_add(whole(right))];
        }
    }

    /// Nothing comes before this time any more.
    fn settle(&mut self, until: u64) {
        let count = usize::try_from(until.saturating_sub(self.begin)).unwrap_or(usize::MAX).min(self.waiting.len());
        let settled: Vec<f32> = self.waiting.drain(..count).flatten().map(sample).collect();
        self.peaks.put(Ticks::new(self.begin), 2, &settled);
        self.begin = self.begin.saturating_add(count as u64);
        if self.waiting.is_empty() {
            self.begin = self.begin.max(until);
        }
    }

    /// The peaks so far.
    #[must_use]
    pub fn peaks(&self) -> Peaks {
        let mut all = Self { waiting: self.waiting.clone(), peaks: self.peaks.clone(), ..*self };
        all.settle(u64::MAX);
        all.peaks
    }

    /// Whether some sound came too late to be added.
    #[must_use]
    pub const fn late(&self) -> bool {
        self.late
    }
}

/// A sample as a whole number; beyond twice full scale it is held there.
#[expect(clippy::cast_possible_truncation, reason = "it is held far within an i32")]
fn whole(sample: f32) -> i32 {
    (sample.clamp(-2.0, 2.0) * FULL).round() as i32
}

#[expect(clippy::cast_precision_loss, reason = "a sum that is to have eight bits")]
fn sample(sum: i32) -> f32 {
    sum as f32 / FULL
}

#[cfg(test)]
mod tests {
    use super::super::Pixel;
    use super::*;

    const fn secs(seconds: u64) -> Ticks {
        Ticks::from_secs(seconds)
    }

    #[test]
    fn tracks_are_added_whichever_comes_first() {
        let (ann, ben) = ([0.1_f32, 0.7, -0.3].repeat(320), [0.2_f32, -0.1].repeat(480));
        let (mut one, mut other) = (Sum::default(), Sum::default());
        one.put(secs(1), 1, &ann);
        one.put(secs(1), 1, &ben);
        for piece in 0..6 {
            other.put(Ticks::new(48_000 + piece * 160), 1, &ben[usize::try_from(piece).unwrap() * 160..][..160]);
        }
        other.put(secs(1), 1, &ann);
        assert_eq!(one.peaks(), other.peaks());
        assert_eq!(one.peaks().at(100).pair(), (-51, 115), "-0.4 and 0.9");
        assert!(!one.late() && !other.late());
    }

    #[test]
    fn a_side_on_which_they_cancel_hides_nothing_of_the_other() {
        let mut sum = Sum::default();
        sum.put(secs(0), 2, &[0.5, 0.25].repeat(480));
        sum.put(secs(0), 2, &[-0.5, 0.25].repeat(480));
        sum.put(secs(0), 1, &[0.125; 480]);
        assert_eq!(sum.peaks().at(0).pair(), (16, 80));
    }

    #[test]
    fn what_comes_too_late_is_seen_and_told_and_what_comes_in_time_is_added() {
        let mut sum = Sum::default();
        sum.put(secs(0), 1, &[0.25; 480]);
        sum.put(secs(19), 1, &[0.25; 480]);
        sum.put(secs(0), 1, &[0.25; 480]);
        assert!(!sum.late());
        assert_eq!(sum.peaks().at(0).pair(), (64, 64));
        sum.put(secs(21), 1, &[0.25; 480]);
        sum.put(secs(0), 1, &[-0.25; 480]);
        assert!(sum.late());
        assert_eq!(sum.peaks().at(0).pair(), (-32, 64));
        let sounding = |peaks: &Peaks| peaks.pixels().iter().filter(|pixel| **pixel != Pixel::NONE).count();
        assert!(sounding(&sum.peaks()) <= 2101, "no more than the seconds in which there is sound");
    }

    #[test]
    fn what_is_held_is_twenty_seconds_however_far_apart_sound_is() {
        let mut sum = Sum::default();
        for seconds in [0, 3, 8, 3600, 3601, 40_000] {
            sum.put(secs(seconds), 1, &[0.5; 4800]);
            assert!(sum.waiting.len() <= 960_000, "{}", sum.waiting.len());
            assert!(sum.waiting.capacity() <= 2_097_152);
        }
        assert_eq!(sum.peaks().with_pixels_of(7680).at(250_000).pair(), (64, 64));
    }
}
