//! Plain samples: bytes to numbers, and blocks to sound at 48 kHz.
//!
//! What belongs here: reading samples, whatever bytes they are. What does not: making blocks (`blocks`), files.

use super::resample::Resampler;
use super::{DecodeError, Decoder};
use crate::media::pcm::{Head, Sample};
use crate::media::time::Ticks;

/// Adds the samples that these bytes are to `sound`, full scale being 1; floats may go beyond. What is no number is silence.
/// Bytes after the last whole sample are left out.
pub fn read(sample: Sample, bytes: &[u8], sound: &mut Vec<f32>) {
    match sample {
        Sample::S16 => {
            sound.extend(bytes.as_chunks().0.iter().map(|two| f32::from(i16::from_le_bytes(*two)) / 32_768.0))
        }
        Sample::S24 => {
            sound.extend(bytes.as_chunks().0.iter().map(|&[a, b, c]| whole(i32::from_le_bytes([0, a, b, c]))))
        }
        Sample::S32 => sound.extend(bytes.as_chunks().0.iter().map(|four| whole(i32::from_le_bytes(*four)))),
        Sample::F32 => sound.extend(bytes.as_chunks().0.iter().map(|four| finite(f32::from_le_bytes(*four)))),
    }
}

/// A sample of 32 bits.
#[expect(clippy::cast_precision_loss, reason = "24 bits are exact, and what is finer than that nobody hears")]
pub fn whole(sample: i32) -> f32 {
    sample as f32 / 2_147_483_648.0
}

/// Silence for what is no number.
pub const fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

/// Decodes blocks of plain samples to sound at 48 kHz: as long as its blocks, counted from all frames that it was given.
///
/// It holds what its resampler holds, and the sound of one block.
pub struct PcmDecoder {
    head: Head,
    resampler: Resampler,
    samples: Vec<f32>,
    sound: Vec<f32>,
}

impl PcmDecoder {
    pub fn new(head: Head) -> Result<Self, DecodeError> {
        Ok(Self { head, resampler: Resampler::new(head)?, samples: Vec::new(), sound: Vec::new() })
    }
}

impl Decoder for PcmDecoder {
    fn channels(&self) -> u8 {
        self.head.channels()
    }

    fn delay(&self) -> Ticks {
        self.resampler.delay()
    }

    fn decode(&mut self, packet: &[u8]) -> Result<&[f32], DecodeError> {
        whole_frames(self.head, packet)?;
        self.samples.clear();
        read(self.head.sample(), packet, &mut self.samples);
        self.resampler.push(&self.samples);
        self.sound.clear();
        self.resampler.pull(self.resampler.owed(), &mut self.sound)?;
        Ok(&self.sound)
    }
}

/// How many frames these bytes are.
pub fn whole_frames(head: Head, bytes: &[u8]) -> Result<u64, DecodeError> {
    let frame = head.frame_bytes();
    if bytes.len().is_multiple_of(frame) {
        Ok((bytes.len() / frame) as u64)
    } else {
        Err(DecodeError::Frames { bytes: bytes.len(), frame })
    }
}
