//! What listeners hear of plain samples: one Opus packet for each block.
//!
//! What belongs here: samples to Opus, resampled, and never out of step with the blocks. What does not: the blocks
//! themselves (`blocks`).

use bytes::Bytes;

use super::opus_encoder::{MONO_BITS, STEREO_BITS};
use super::resample::Resampler;
use super::{DecodeError, EncodeError, Encoder, encoder};
use crate::media::opus;
use crate::media::pcm::Head;
use crate::media::time::Ticks;

/// Encodes the sound of one track for its listeners.
///
/// It holds the samples that were pushed and are in no packet yet, and what its encoder and its resampler hold: some 100 KB.
pub struct Heard {
    resampler: Resampler,
    encoder: Box<dyn Encoder>,
    sound: Vec<f32>,
}

impl Heard {
    /// For sound of this rate and so many channels.
    pub fn new(head: Head) -> Result<Self, DecodeError> {
        let bits = if head.channels() == 1 { MONO_BITS } else { STEREO_BITS };
        let (resampler, encoder) = (Resampler::new(head)?, encoder(head.channels(), bits)?);
        Ok(Self { resampler, encoder, sound: Vec::new() })
    }

    /// How much later than it was sent sound is heard: 2.5 ms of the encoder, and at most 4.5 ms of the resampler.
    pub fn delay(&self) -> Ticks {
        self.resampler.delay().saturating_add(self.encoder.lookahead())
    }

    /// Takes the next samples, full scale being 1.
    pub fn push(&mut self, sound: &[f32]) {
        self.resampler.push(sound);
    }

    /// How much of what was pushed is in no packet yet.
    pub fn owed(&self) -> Ticks {
        self.resampler.owed()
    }

    /// The next packet, so long exactly: 10, 20, 40 or 60 ms. Where less was pushed, silence follows it; where the encoder
    /// fails, all of it is silence.
    pub fn packet(&mut self, length: Ticks) -> Bytes {
        self.sound.clear();
        let encoded = match self.resampler.pull(length, &mut self.sound) {
            Ok(()) => self.encoder.encode(&self.sound),
            Err(error) => Err(EncodeError::Refused(error.to_string())),
        };
        encoded.unwrap_or_else(|_| silence(length))
    }
}

/// One packet of coded silence of 10 ms, or of any number of 20 ms up to 60 (RFC 6716 §3.2).
fn silence(length: Ticks) -> Bytes {
    let (frame, frame_length) = opus::SILENCE_20_MS;
    let frames = length.get() / frame_length.get();
    match u8::try_from(frames) {
        // Code 3, all frames of one size; each is the frame without its TOC.
        Ok(frames @ 2..=3) => {
            let body = frame[1..].repeat(frames.into());
            [&[frame[0] | 3, frames], &*body].concat().into()
        }
        _ => opus::silence(length).0.next().map_or_else(Bytes::new, |(packet, _)| Bytes::from_static(packet)),
    }
}
