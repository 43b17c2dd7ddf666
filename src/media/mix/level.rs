//! A sound made louder or softer, and held below a true peak: what a reader of loudness asks of what is published.
//!
//! What belongs here: the gain, and a limiter that looks between the samples (ITU-R BS.1770-5, annex 2). What does not: how loud a
//! sound is, and which gain that asks for.

use super::interpolate::{REACH, TAPS, weights};
use super::limiter::{AHEAD, Limiter};

/// Frames that come out later than they went in.
pub const LATE: usize = AHEAD + REACH as usize;
/// The loudest true peak, in dB below full scale (EBU R 128).
pub const TRUE_PEAK: f64 = -1.0;
/// What the limiter aims at, a little below: -1.2 dB. Between the places that are looked at a peak can be that much higher.
const CEILING: f32 = 0.870_964;
/// The frame of [`TAPS`] that the peak is looked for beside.
const MIDDLE: usize = TAPS - 1 - REACH as usize;

/// Levels one stereo sound.
#[derive(Debug)]
pub struct Leveller {
    gain: f32,
    limiter: Limiter,
    /// The last frames of each channel, the newest last.
    recent: [[f32; TAPS]; 2],
    /// The weights of three places between two frames.
    between: [[f32; TAPS]; 3],
    /// How many frames are still to come out that were never put in.
    empty: usize,
}

impl Leveller {
    /// One that makes a sound so many times as loud.
    #[must_use]
    pub fn new(gain: f32) -> Self {
        let between = [0.25, 0.5, 0.75].map(weights);
        let limiter = Limiter::below(CEILING);
        Self { gain, limiter, recent: [[0.0; TAPS]; 2], between, empty: REACH.into() }
    }

    /// Takes interleaved stereo, and adds what comes out to `out`: the same frames, later by [`LATE`].
    pub fn push(&mut self, sound: &[f32], out: &mut Vec<f32>) {
        for frame in sound.as_chunks::<2>().0 {
            for (recent, sample) in self.recent.iter_mut().zip(frame) {
                recent.rotate_left(1);
                // What is no number would be heard in all places around it.
                recent[TAPS - 1] = if sample.is_finite() { sample * self.gain } else { 0.0 };
            }
            let peak = self.recent.iter().map(|recent| self.peak(recent)).fold(0.0, f32::max);
            let frame = self.limiter.frame(self.recent.map(|recent| recent[MIDDLE]), peak);
            match frame {
                Some(_) if self.empty > 0 => self.empty -= 1,
                frame => out.extend(frame.into_iter().flatten()),
            }
        }
    }

    /// The highest at the middle frame and between it and the next.
    fn peak(&self, recent: &[f32; TAPS]) -> f32 {
        let at =
            |weights: &[f32; TAPS]| recent.iter().zip(weights).map(|(one, weight)| one * weight).sum::<f32>().abs();
        self.between.iter().map(at).fold(recent[MIDDLE].abs(), f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(gain: f32, sound: &[f32]) -> Vec<f32> {
        let (mut leveller, mut out) = (Leveller::new(gain), Vec::new());
        leveller.push(sound, &mut out);
        leveller.push(&[0.0; 2 * LATE], &mut out);
        out
    }

    #[test]
    fn what_stays_below_the_ceiling_is_only_louder_and_in_its_place() {
        let sound: Vec<f32> = (0..9600_u16).map(|at| (f32::from(at) * 0.05).sin() * 0.1).collect();
        let twice: Vec<f32> = sound.iter().map(|sample| sample * 2.0).collect();
        assert_eq!(level(2.0, &sound), twice);
    }

    #[test]
    fn a_peak_between_samples_is_held_down_too() {
        // A quarter of the rate, sampled beside its peaks: those are 3 dB above every sample.
        let sound: Vec<f32> = (0..9600_u16).flat_map(|at| [[0.7, 0.7, -0.7, -0.7][usize::from(at % 4)]; 2]).collect();
        let out = level(1.0, &sound);
        assert_eq!(out.len(), sound.len());
        let highest = out[2000..16_000].iter().fold(0.0_f32, |highest, sample| highest.max(sample.abs()));
        assert!(highest < 0.63 && highest > 0.58, "{highest}");
    }
}
