//! The last in a mix: several speakers together may be louder than full scale, and what comes out never is.
//!
//! What belongs here: a peak limiter that looks ahead. What does not: anything that changes the level of a sound that fits.

use std::collections::VecDeque;

/// Frames that the limiter looks ahead, and is late by: 5 ms.
pub const AHEAD: usize = 240;
/// The same as ticks.
pub const AHEAD_TICKS: u16 = 240;
/// The loudest that comes out: 0.1 dB below full scale.
const CEILING: f32 = 0.988_553;
/// The share of what is missing to full gain that comes back with each frame: nine tenths of it in 230 ms.
const RELEASE: f64 = 1.0 / 4800.0;

/// A gain of 1 in the sum of gains, which is of whole numbers so that nothing is left in it of what has gone out: the same sound is
/// limited in the same way, whatever came long before it.
const FULL: f64 = 1_099_511_627_776.0;

/// Limits one stereo sound. Below the ceiling every sample passes as it is.
#[derive(Debug, Default)]
pub struct Limiter {
    /// The loudest that comes out.
    ceiling: f32,
    /// What came and has not gone out: [`AHEAD`] frames, once it runs.
    waiting: VecDeque<[f32; 2]>,
    /// The least gains that the last frames need, each smaller than those after it, with the frame's number.
    needs: VecDeque<(u64, f64)>,
    /// The gain as it is wanted for each of the last frames; the mean of them is what is applied, so that it never steps.
    /// In shares of [`FULL`].
    wanted: VecDeque<u64>,
    sum: u64,
    last: f64,
    frames: u64,
}

impl Limiter {
    /// A limiter that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::below(CEILING)
    }

    /// The same with another ceiling.
    #[must_use]
    pub fn below(ceiling: f32) -> Self {
        Self { ceiling, last: 1.0, ..Self::default() }
    }

    /// Takes interleaved stereo, and adds what comes out to `out`: the same frames, later by [`AHEAD`].
    pub fn push(&mut self, sound: &[f32], out: &mut Vec<f32>) {
        for frame in sound.as_chunks::<2>().0 {
            // What is no number would stay in the mean for good.
            let frame = frame.map(|sample| if sample.is_finite() { sample } else { 0.0 });
            out.extend(self.frame(frame, frame[0].abs().max(frame[1].abs())).into_iter().flatten());
        }
    }

    /// Takes a frame, and how loud it is held to be; gives the one that comes out.
    pub fn frame(&mut self, frame: [f32; 2], peak: f32) -> Option<[f32; 2]> {
        let gain = self.gain(peak);
        self.waiting.push_back(frame);
        if self.waiting.len() <= AHEAD {
            return None;
        }
        let frame = self.waiting.pop_front()?;
        Some(frame.map(|sample| if gain < 1.0 { sample * gain } else { sample }))
    }

    /// The gain of the frame that comes out when one with this peak goes in.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "gains from 0 to 1")]
    #[expect(clippy::cast_precision_loss, reason = "a sum of so many is below 2^53")]
    fn gain(&mut self, peak: f32) -> f32 {
        let need = if peak > self.ceiling { f64::from(self.ceiling) / f64::from(peak) } else { 1.0 };
        while self.needs.back().is_some_and(|(_, gain)| *gain >= need) {
            self.needs.pop_back();
        }
        self.needs.push_back((self.frames, need));
        while self.needs.front().is_some_and(|(frame, _)| frame + (AHEAD as u64) < self.frames) {
            self.needs.pop_front();
        }
        self.frames += 1;
        let least = self.needs.front().map_or(1.0, |(_, gain)| *gain);
        let back = self.last + (1.0 - self.last) * RELEASE;
        // The last ten-thousandth is not waited for.
        self.last = least.min(if back > 0.9999 { 1.0 } else { back });
        let wanted = (self.last * FULL) as u64;
        self.sum += wanted;
        self.wanted.push_back(wanted);
        if self.wanted.len() > AHEAD
            && let Some(oldest) = self.wanted.pop_front()
        {
            self.sum -= oldest;
        }
        let mean = self.sum as f64 / FULL / self.count();
        // A hair below, so that rounding does not lift a peak over the ceiling.
        if mean < 1.0 { (mean * (1.0 - 1e-6)) as f32 } else { 1.0 }
    }

    fn count(&self) -> f64 {
        u16::try_from(self.wanted.len()).map_or(1.0, f64::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stereo sine of so many frames.
    fn sine(level: f32, hertz: f32, frames: u16) -> Vec<f32> {
        let sample = |at: u16| level * (f32::from(at) * hertz / 48_000.0 * std::f32::consts::TAU).sin();
        (0..frames).flat_map(|at| [sample(at), sample(at)]).collect()
    }

    fn limit(sound: &[f32]) -> Vec<f32> {
        let (mut limiter, mut out) = (Limiter::new(), Vec::new());
        limiter.push(sound, &mut out);
        limiter.push(&[0.0; 2 * AHEAD], &mut out);
        out
    }

    #[test]
    fn what_fits_passes_bit_for_bit_and_in_its_place() {
        let sound = sine(0.98, 440.0, 9600);
        assert_eq!(limit(&sound), sound);
    }

    #[test]
    fn nothing_is_louder_than_the_ceiling_and_the_gain_never_steps() {
        for level in [1.01, 1.5, 4.0, 40.0] {
            let sound = [sine(0.5, 300.0, 4800), sine(level, 300.0, 9600), sine(0.5, 300.0, 48_000)].concat();
            let limited = limit(&sound);
            assert!(limited.iter().all(|sample| sample.abs() <= CEILING), "{level}");
            let mut last = 1.0;
            for (before, after) in sound.iter().zip(&limited).step_by(2) {
                if before.abs() > 0.05 {
                    let gain = after / before;
                    // A few frames around each zero of the sine are not looked at.
                    assert!((gain - last).abs() < 0.09, "{level}: {last} to {gain}");
                    last = gain;
                }
            }
            assert!((last - 1.0).abs() < 0.02, "{level}: the gain comes back: {last}");
        }
    }

    #[test]
    fn what_is_no_number_is_silence_and_hurts_nothing_after_it() {
        let mut sound = sine(0.5, 440.0, 4800);
        sound[100] = f32::NAN;
        sound[201] = f32::INFINITY;
        let limited = limit(&sound);
        assert_eq!((limited[100], limited[201]), (0.0, 0.0));
        assert_eq!(limited[2000..], sound[2000..]);
    }
}
