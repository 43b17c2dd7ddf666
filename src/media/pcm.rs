//! Sound as plain samples: which kinds there are, and how samples count time.
//!
//! What belongs here: the head of a PCM track, and frames to ticks and back. What does not: files (`container::wav`), rates
//! other than counted (`codec` resamples).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::time::Ticks;

/// The lowest rate that is accepted, in Hz.
pub const LOWEST_RATE: u32 = 8_000;
/// The highest rate that is accepted, in Hz.
pub const HIGHEST_RATE: u32 = 192_000;

/// Blocks in a second: a track of plain samples is kept and sent in packets of 20 ms.
const BLOCKS_IN_A_SECOND: u64 = 50;

/// How a sample is written. All are little-endian, full scale being 1 or the largest integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Sample {
    /// Signed integers of 16 bits.
    #[serde(rename = "s16le")]
    S16,
    /// Signed integers of 24 bits, packed in 3 bytes.
    #[serde(rename = "s24le")]
    S24,
    /// Signed integers of 32 bits.
    #[serde(rename = "s32le")]
    S32,
    /// IEEE 754 numbers of 32 bits.
    #[serde(rename = "f32le")]
    F32,
}

impl Sample {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::S16, Self::S24, Self::S32, Self::F32];

    /// Bytes of one sample.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
        }
    }

    /// The word for it, in queries, in the index and in REST; ffmpeg has the same.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::S16 => "s16le",
            Self::S24 => "s24le",
            Self::S32 => "s32le",
            Self::F32 => "f32le",
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Sample {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        Self::ALL.into_iter().find(|sample| sample.word() == text).ok_or_else(|| Unfit::Sample(text.to_owned()))
    }
}

/// What must be known of plain samples to hear them. Channels are interleaved; one sample of each is a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Declared")]
pub struct Head {
    sample: Sample,
    rate: u32,
    channels: u8,
}

/// A head as someone writes it, who may write anything.
#[derive(Deserialize)]
struct Declared {
    sample: Sample,
    rate: u32,
    channels: u32,
}

impl TryFrom<Declared> for Head {
    type Error = Unfit;

    fn try_from(Declared { sample, rate, channels }: Declared) -> Result<Self, Unfit> {
        Self::new(sample, rate, channels)
    }
}

impl Head {
    /// A head.
    ///
    /// # Errors
    /// Where the rate is not from [`LOWEST_RATE`] to [`HIGHEST_RATE`], or the channels are not one or two.
    pub fn new(sample: Sample, rate: u32, channels: u32) -> Result<Self, Unfit> {
        if !(LOWEST_RATE..=HIGHEST_RATE).contains(&rate) {
            return Err(Unfit::Rate(rate));
        }
        match u8::try_from(channels) {
            Ok(channels @ 1..=2) => Ok(Self { sample, rate, channels }),
            _ => Err(Unfit::Channels(channels)),
        }
    }

    /// How its samples are written.
    #[must_use]
    pub const fn sample(self) -> Sample {
        self.sample
    }

    /// Frames in a second, in Hz: [`LOWEST_RATE`] to [`HIGHEST_RATE`].
    #[must_use]
    pub const fn rate(self) -> u32 {
        self.rate
    }

    /// 1 or 2.
    #[must_use]
    pub const fn channels(self) -> u8 {
        self.channels
    }

    /// Bytes of one frame: 2 to 8.
    #[must_use]
    pub const fn frame_bytes(self) -> usize {
        self.sample.bytes() * self.channels as usize
    }

    /// How long so many frames sound, rounded to the nearest tick, halves up. The length of a whole is counted from its
    /// frames, never summed from rounded lengths.
    #[must_use]
    pub fn ticks(self, frames: u64) -> Ticks {
        let rate = u128::from(self.rate);
        let ticks = (u128::from(frames) * u128::from(Ticks::PER_SECOND) * 2 + rate) / (2 * rate);
        Ticks::new(u64::try_from(ticks).unwrap_or(u64::MAX))
    }

    /// How many frames sound so long, rounded to the nearest, halves up.
    #[must_use]
    pub fn frames(self, length: Ticks) -> u64 {
        let second = u128::from(Ticks::PER_SECOND);
        let frames = (u128::from(length.get()) * u128::from(self.rate) * 2 + second) / (2 * second);
        u64::try_from(frames).unwrap_or(u64::MAX)
    }

    /// The first frame of a block of 20 ms, by its number from 0: the nearest where a block is no whole number of frames,
    /// halves up. A block ends where the next begins, and has 160 to 3840 frames.
    #[must_use]
    pub fn block_begin(self, block: u64) -> u64 {
        let frames = u128::from(block) * u128::from(self.rate) * 2 + u128::from(BLOCKS_IN_A_SECOND);
        u64::try_from(frames / u128::from(2 * BLOCKS_IN_A_SECOND)).unwrap_or(u64::MAX)
    }

    /// The block that begins nearest to a frame.
    #[must_use]
    pub fn block_at(self, frame: u64) -> u64 {
        let rate = u128::from(self.rate);
        let block = (u128::from(frame) * u128::from(BLOCKS_IN_A_SECOND) * 2 + rate) / (2 * rate);
        u64::try_from(block).unwrap_or(u64::MAX)
    }

    /// Every so manyth block, 1 to 50, begins at a frame without rounding.
    #[must_use]
    pub fn even_block(self) -> u64 {
        (1..BLOCKS_IN_A_SECOND)
            .find(|count| (count * u64::from(self.rate)).is_multiple_of(BLOCKS_IN_A_SECOND))
            .unwrap_or(BLOCKS_IN_A_SECOND)
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = if self.channels == 1 { "1 channel" } else { "2 channels" };
        write!(f, "{}, {} Hz, {channels}", self.sample, self.rate)
    }
}

/// Why samples are not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Not a rate that we take.
    #[error("a rate of {0} Hz is not accepted, only {LOWEST_RATE} to {HIGHEST_RATE}")]
    Rate(u32),
    /// Too many channels, or none.
    #[error("{0} channels are not accepted, only 1 or 2")]
    Channels(u32),
    /// Not a kind of sample that we know.
    #[error("samples of the format {0:?} are not accepted, only s16le, s24le, s32le and f32le")]
    Sample(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        for (rate, channels) in [(0, 1), (7_999, 1), (192_001, 2)] {
            assert_eq!(Head::new(Sample::F32, rate, channels), Err(Unfit::Rate(rate)));
        }
        for channels in [0, 3, 9, 258, u32::MAX] {
            assert_eq!(Head::new(Sample::S16, 48_000, channels), Err(Unfit::Channels(channels)));
        }
        assert_eq!("f64le".parse::<Sample>(), Err(Unfit::Sample("f64le".into())));
        for bad in [r#"{"sample":"s16le","rate":0,"channels":1}"#, r#"{"sample":"s16le","rate":8000,"channels":9}"#] {
            assert!(serde_json::from_str::<Head>(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn frames_counted_in_ticks_come_back_up_to_48_khz(rate in 8_000..=48_000_u32, frames in 0..1_u64 << 40) {
            let head = Head::new(Sample::S16, rate, 1).unwrap();
            proptest::prop_assert_eq!(head.frames(head.ticks(frames)), frames);
        }

        #[test]
        fn a_block_begins_at_the_nearest_frame_and_is_found_by_it(rate in 8_000..=192_000_u32, block in 0..1_u64 << 40) {
            let head = Head::new(Sample::S16, rate, 1).unwrap();
            let begin = head.block_begin(block);
            proptest::prop_assert!((begin * 50).abs_diff(block * u64::from(rate)) <= 25);
            proptest::prop_assert_eq!(head.block_at(begin), block);
            let even = block / head.even_block() * head.even_block();
            proptest::prop_assert_eq!(head.block_begin(even) * 50, even * u64::from(rate));
        }

        #[test]
        fn neighbouring_lengths_make_the_whole(rate in 8_000..=192_000_u32, a in 0..1_u64 << 30, b in 0..1_u64 << 30) {
            let head = Head::new(Sample::S16, rate, 2).unwrap();
            let apart = head.ticks(a).saturating_add(head.ticks(b)).get();
            proptest::prop_assert!(apart.abs_diff(head.ticks(a + b).get()) <= 1);
        }
    }
}
