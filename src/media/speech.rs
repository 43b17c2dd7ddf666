//! Speech: when somebody speaks, told from how loud their sound is.
//!
//! What belongs here: samples to runs of speech. What does not: who it is, how the runs are written down, what the page
//! shows of a live level.
//!
//! Loudness is the root mean square of blocks of 50 ms, in whole decibels below full scale. What is 10 dB above the track's own
//! noise is loud; its noise is what a tenth of its blocks stay below, those left out that are as good as digital silence. A
//! track that is never quiet has no noise to be told, and one without any noise would have every breath as speech: so the
//! threshold is held between −55 and −35 dB.

use std::ops::Range;

use super::time::Ticks;

/// How long a block is.
const BLOCK: Ticks = Ticks::from_millis(50);
/// A block as quiet as this many decibels below full scale is silence.
const SILENT: u8 = 100;
/// So many decibels above the noise is loud.
const ABOVE_NOISE: u8 = 10;
/// The threshold, in decibels below full scale, is held between these.
const THRESHOLD: Range<u8> = 35..55;
/// The noise is what one block in so many stays below.
const NOISE_SHARE: usize = 10;
/// A shorter pause is one between words, in blocks: 600 ms.
const PAUSE: usize = 12;
/// A shorter sound is a click or a knock, in blocks: 100 ms.
const SHORTEST: usize = 2;
/// So many blocks before and behind it belong to a run: soft beginnings and ends.
const MARGIN: usize = 2;
/// What a power is multiplied with to be a decibel less.
const DECIBEL: f64 = 0.794_328_234_724_281_5;

/// Listens to a sound from its beginning to its end. Memory is a byte for each 50 ms: 1.7 MB a day.
#[derive(Clone, Debug)]
pub struct Speech {
    channels: usize,
    /// What was heard of the block that is not whole yet: the sum of the squares, and of how many samples.
    square: f64,
    samples: usize,
    /// How far each block is below full scale, in decibels, up to [`SILENT`].
    levels: Vec<u8>,
}

impl Speech {
    /// Listens to a sound of so many channels, at 48 kHz.
    #[must_use]
    pub fn new(channels: u8) -> Self {
        Self { channels: usize::from(channels.max(1)), square: 0.0, samples: 0, levels: Vec::new() }
    }

    /// Hears what comes next: interleaved samples, full scale being 1.
    pub fn hear(&mut self, samples: &[f32]) {
        let whole = usize::try_from(BLOCK.get()).unwrap_or(usize::MAX) * self.channels;
        let mut rest = samples;
        while !rest.is_empty() {
            let (here, after) = rest.split_at(rest.len().min(whole - self.samples));
            self.square += here.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
            self.samples += here.len();
            rest = after;
            if self.samples == whole {
                self.close();
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    fn close(&mut self) {
        let power = self.square / self.samples as f64;
        self.levels.push(decibels_below(power));
        (self.square, self.samples) = (0.0, 0);
    }

    /// When there was speech: in order, none touching another, none past the end.
    #[must_use]
    pub fn runs(mut self) -> Vec<Range<Ticks>> {
        let last = Ticks::new((self.samples / self.channels) as u64);
        let end = Ticks::new(BLOCK.get() * self.levels.len() as u64).saturating_add(last);
        if self.samples > 0 {
            self.close();
        }
        let threshold = threshold(&self.levels);
        let mut runs: Vec<Range<usize>> = Vec::new();
        for (block, _) in self.levels.iter().enumerate().filter(|(_, level)| **level < threshold) {
            match runs.last_mut() {
                Some(run) if block - run.end < PAUSE => run.end = block + 1,
                _ => runs.push(block..block + 1),
            }
        }
        let long = runs.into_iter().filter(|run| run.len() >= SHORTEST);
        let at = |block: usize| Ticks::new(BLOCK.get().saturating_mul(block as u64)).min(end);
        long.map(|run| at(run.start.saturating_sub(MARGIN))..at(run.end + MARGIN)).collect()
    }
}

/// How far a power is below that of full scale, in whole decibels. Counted rather than computed, so that it is the same
/// everywhere.
fn decibels_below(power: f64) -> u8 {
    let mut level = 0;
    let mut least = DECIBEL;
    while level < SILENT && power < least {
        level += 1;
        least *= DECIBEL;
    }
    level
}

/// Less than this is loud.
fn threshold(levels: &[u8]) -> u8 {
    let mut of_level = [0_usize; SILENT as usize];
    for level in levels {
        if let Some(count) = of_level.get_mut(usize::from(*level)) {
            *count += 1;
        }
    }
    let share = of_level.iter().sum::<usize>() / NOISE_SHARE;
    // From the quietest on.
    let mut passed = 0;
    let noise = (0..SILENT).rev().find(|level| {
        passed += of_level[usize::from(*level)];
        passed > share
    });
    noise.unwrap_or(SILENT).saturating_sub(ABOVE_NOISE).clamp(THRESHOLD.start, THRESHOLD.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sound of so many milliseconds whose level is so many decibels below full scale: a square wave, which is its own
    /// root mean square.
    fn sound(millis: usize, below: i32) -> Vec<f32> {
        let loud = 10.0_f32.powf(f32::from(i16::try_from(-below).unwrap()) / 20.0);
        (0..millis * 48).map(|at| if at / 24 % 2 == 0 { loud } else { -loud }).collect()
    }

    fn runs(sounds: &[(usize, i32)]) -> Vec<(u64, u64)> {
        let whole: Vec<f32> = sounds.iter().flat_map(|(millis, below)| sound(*millis, *below)).collect();
        let mut speech = Speech::new(1);
        // In pieces that are no blocks.
        whole.chunks(777).for_each(|piece| speech.hear(piece));
        speech.runs().into_iter().map(|run| (run.start.as_millis(), run.end.as_millis())).collect()
    }

    #[test]
    fn words_are_one_run_and_sentences_are_several() {
        let noise = (2000, 70);
        let sentence = [(400, 20), (300, 70), (500, 25)];
        let said = [&[noise][..], &sentence, &[noise], &sentence, &[noise]].concat();
        assert_eq!(runs(&said), [(1900, 3300), (5100, 6500)]);
    }

    #[test]
    fn what_is_loud_in_a_quiet_room_is_noise_in_a_loud_one() {
        assert_eq!(runs(&[(3000, 75), (1000, 48), (3000, 75)]), [(2900, 4100)]);
        assert_eq!(runs(&[(3000, 50), (1000, 48), (3000, 50)]), []);
        assert_eq!(runs(&[(3000, 50), (1000, 30), (3000, 50)]), [(2900, 4100)]);
    }

    #[test]
    fn who_never_pauses_speaks_all_the_time_and_silence_says_nothing() {
        assert_eq!(runs(&[(5000, 12)]), [(0, 5000)]);
        assert_eq!(runs(&[(5000, 200)]), []);
        assert_eq!(runs(&[]), []);
        // Digital silence between words is no noise floor.
        assert_eq!(runs(&[(9000, 200), (1000, 30), (9000, 200)]), [(8900, 10_100)]);
    }

    #[test]
    fn a_click_is_no_speech_and_no_run_goes_past_the_end() {
        assert_eq!(runs(&[(2000, 80), (20, 3), (2000, 80)]), []);
        assert_eq!(runs(&[(2000, 80), (1010, 20)]), [(1900, 3010)]);
    }

    #[test]
    fn either_channel_counts() {
        let mut speech = Speech::new(2);
        speech.hear(&[0.25, 0.0].repeat(48_000));
        assert_eq!(speech.runs(), [Ticks::ZERO..Ticks::from_secs(1)]);
    }

    #[test]
    fn decibels_are_counted_from_full_scale() {
        for (power, below) in [(4.0, 0), (1.0, 0), (0.5, 3), (0.1, 9), (0.099, 10), (1e-5, 49), (0.0, 100)] {
            assert_eq!(decibels_below(power), below, "{power}");
        }
    }
}
