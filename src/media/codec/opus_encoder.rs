//! Opus by `ropus`, the other way: sound to packets.
//!
//! What belongs here: the library kept at arm's length, and how it is set. What does not: rates other than 48 kHz
//! (`resample`).
//!
//! The library is asked for its low-delay mode: at the rates that music needs it codes in CELT in any mode, and this one
//! is late by 2.5 ms instead of 6.5.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use ropus::{Application, Bitrate, Channels};

use super::EncodeError;
use crate::media::opus;
use crate::media::time::Ticks;

/// The longest packet that the library may give for what we ask of it: three frames of 20 ms, each of the longest that
/// there is (RFC 6716 §3.4, R2), with their lengths.
const LONGEST: usize = 3 * 1275 + 7;

/// Bits a second for one channel: Opus is transparent for most ears and music at about 64 kbit/s for mono; this leaves room
/// for a mix or a recording to be encoded once more.
pub const MONO_BITS: u32 = 96_000;
/// Bits a second for two channels; what they have in common is coded once.
pub const STEREO_BITS: u32 = 160_000;

/// Encodes one stream of Opus at 48 kHz, at a variable rate.
pub struct Encoder {
    channels: u8,
    bits: u32,
    library: ropus::Encoder,
    /// The sound that the library is given: as much as was given, harmless.
    sound: Vec<f32>,
    packet: Box<[u8; LONGEST]>,
}

impl Encoder {
    /// An encoder for one or two channels that gives about so many bits a second (6000 to 510000).
    pub fn new(channels: u8, bits: u32) -> Result<Self, EncodeError> {
        let library = begin(channels, bits)?;
        Ok(Self { channels, bits, library, sound: Vec::new(), packet: Box::new([0; LONGEST]) })
    }
}

impl super::Encoder for Encoder {
    fn channels(&self) -> u8 {
        self.channels
    }

    fn lookahead(&self) -> Ticks {
        Ticks::new(self.library.lookahead().into())
    }

    fn encode(&mut self, sound: &[f32]) -> Result<Bytes, EncodeError> {
        let channels = usize::from(self.channels);
        let frames = sound.len() / channels;
        if !sound.len().is_multiple_of(channels) || ![120, 240, 480, 960, 1920, 2880].contains(&frames) {
            return Err(EncodeError::Length(frames));
        }
        self.sound.clear();
        self.sound.extend(sound.iter().copied().map(harmless));
        let (library, sound, packet) = (&mut self.library, &self.sound, &mut *self.packet);
        // The library's state after a panic may be anything, and is thrown away.
        let encoded = catch_unwind(AssertUnwindSafe(|| library.encode_float(sound, packet)));
        let failed = match encoded {
            Ok(Ok(length)) => {
                let packet = self.packet.get(..length).unwrap_or_default();
                match opus::duration(packet) {
                    Ok(told) if told.get() == frames as u64 => return Ok(Bytes::copy_from_slice(packet)),
                    _ => EncodeError::Refused(format!("it gave {length} bytes for {frames} frames")),
                }
            }
            Ok(Err(error)) => EncodeError::Refused(error.to_string()),
            Err(_) => EncodeError::Fell,
        };
        self.library = begin(self.channels, self.bits)?;
        Err(failed)
    }
}

/// A sample that hurts nobody: what is no number is silence, what is beyond full scale is full scale. So small numbers
/// that a processor is slow with them are silence too.
fn harmless(sample: f32) -> f32 {
    if sample.is_normal() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

fn begin(channels: u8, bits: u32) -> Result<ropus::Encoder, EncodeError> {
    let refused = |error: &dyn std::fmt::Display| EncodeError::Refused(error.to_string());
    let layout = if channels == 1 { Channels::Mono } else { Channels::Stereo };
    let bits = Bitrate::try_bits(bits).map_err(|error| refused(&error))?;
    ropus::Encoder::builder(48_000, layout, Application::RestrictedLowDelay)
        .bitrate(bits)
        .vbr(true)
        .vbr_constraint(true)
        .build()
        .map_err(|error| refused(&error))
}
