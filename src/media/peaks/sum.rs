//! The peaks of what several tracks are together, while their sound comes track by track.
//!
//! What belongs here: adding them, and when a sum is ready. What does not: how loud a mix may be; which sound comes when.
//!
//! Samples are added as whole numbers, so that the sum is the same in whichever order they come, bit for bit.

use super::Peaks;
use crate::media::time::Ticks;

/// How much later than the newest sound another may come and still be added to it: samples become durable in pieces of up to 16 s.
const LATEST: Ticks = Ticks::from_secs(20);
/// How many sums that are done with are kept before they go: so that the others are moved seldom.
const SLACK: usize = 192_000;
/// A sample of full scale, as it is added: four thousand tracks of twice full scale have their place.
const FULL: f32 = 262_144.0;

/// Adds sound, of which none is more than `LATEST` behind the newest, to peaks.
///
/// It holds what a [`Peaks`] holds, and 20 s of sound: at most 8 MB, or 16 MB where it has two channels.
#[derive(Clone, Debug)]
pub struct Sum {
    /// One until a track comes that has two.
    channels: usize,
    /// Where what waits begins.
    begin: u64,
    /// The sums, interleaved.
    sums: Vec<i32>,
    /// So many of them are done with.
    done: usize,
    peaks: Peaks,
    late: bool,
}

impl Default for Sum {
    fn default() -> Self {
        Self { channels: 1, begin: 0, sums: Vec::new(), done: 0, peaks: Peaks::default(), late: false }
    }
}

impl Sum {
    /// Adds sound at a time, in one channel or two: one is as loud on both sides.
    pub fn put(&mut self, at: Ticks, channels: u8, samples: &[f32]) {
        let channels = usize::from(channels.clamp(1, 2));
        let frames = samples.len() / channels;
        self.settle(at.get().saturating_add(frames as u64).saturating_sub(LATEST.get()));
        let late = usize::try_from(self.begin.saturating_sub(at.get())).unwrap_or(usize::MAX).min(frames);
        let (too_late, samples) = samples.split_at(late * channels);
        if late > 0 {
            // Too late to be added: it is seen by itself.
            self.late = true;
            self.peaks.put(at, u8::try_from(channels).unwrap_or(1), too_late);
        }
        if channels > self.channels {
            self.widen();
        }
        let from = usize::try_from(at.get().saturating_sub(self.begin)).unwrap_or(0);
        let mut place = self.done + from * self.channels;
        let end = place + (frames - late) * self.channels;
        if self.sums.len() < end {
            self.sums.resize(end, 0);
        }
        let both = channels < self.channels;
        for &sample in samples {
            let whole = whole(sample);
            self.sums[place] = self.sums[place].wrapping_add(whole);
            place += 1;
            if both {
                self.sums[place] = self.sums[place].wrapping_add(whole);
                place += 1;
            }
        }
    }

    /// What was one channel is on both sides from now on.
    fn widen(&mut self) {
        self.sums.drain(..self.done);
        self.done = 0;
        self.sums = self.sums.iter().flat_map(|sum| [*sum; 2]).collect();
        self.channels = 2;
    }

    /// Nothing comes before this time any more.
    fn settle(&mut self, until: u64) {
        while self.begin < until {
            let waiting = ((self.sums.len() - self.done) / self.channels) as u64;
            if waiting == 0 {
                self.begin = until;
                break;
            }
            let here = self.peaks.ticks_per_pixel() - self.begin % self.peaks.ticks_per_pixel();
            let ticks = here.min(until - self.begin).min(waiting);
            let end = self.done + usize::try_from(ticks).unwrap_or(0) * self.channels;
            let (mut least, mut greatest) = (i32::MAX, i32::MIN);
            for &sum in &self.sums[self.done..end] {
                if sum < least {
                    least = sum;
                }
                if sum > greatest {
                    greatest = sum;
                }
            }
            self.peaks.hold(self.begin, self.begin + ticks);
            self.peaks.swing(self.begin, sample(least), sample(greatest));
            self.done = end;
            self.begin += ticks;
        }
        if self.done >= SLACK {
            self.sums.drain(..self.done);
            self.done = 0;
        }
    }

    /// The peaks so far.
    #[must_use]
    pub fn peaks(&self) -> Peaks {
        let mut all = self.clone();
        let end = self.begin + ((self.sums.len() - self.done) / self.channels) as u64;
        all.settle(end);
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
    let sample = sample * FULL;
    if sample >= 2.0 * FULL {
        return (2.0 * FULL) as i32;
    }
    if sample <= -2.0 * FULL {
        return (-2.0 * FULL) as i32;
    }
    sample as i32
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
            let waiting = sum.sums.len() - sum.done;
            assert!(waiting <= 960_000, "{waiting}");
            assert!(sum.sums.capacity() <= 4 * 1_048_576, "{}", sum.sums.capacity());
        }
        assert_eq!(sum.peaks().with_pixels_of(7680).at(250_000).pair(), (64, 64));
    }
}
