//! The codecs: packets to sound and back.
//!
//! What belongs here: one trait for each direction, and the libraries behind it, so that nothing else names them; what
//! publishers send, made into what a track keeps. What does not: containers, what the sound is then used for, pre-skip
//! (whoever plays a stream from its start drops it).
//!
//! A decoder is given what a publisher sent, so it is given everything: it must neither panic nor grow, and what it
//! refuses costs that packet alone.

mod blocks;
mod coded;
mod heard;
#[cfg(test)]
#[path = "../../../tests/captures/coded.rs"]
mod judge;
mod opus;
mod opus_encoder;
mod pcm;
pub mod resample;
#[cfg(test)]
mod tests;
pub mod transcode;
mod vorbis_setup;

use bytes::Bytes;

use super::opus::PacketError;
use super::pcm::Unfit;
use super::source::Codec;
use super::time::Ticks;
use super::track::Format;

pub use opus_encoder::{MONO_BITS, STEREO_BITS};

/// Decodes the packets of one track, in order. What it has heard so far shapes what comes next: about 100 ms after a gap
/// or a start in the middle it has settled.
pub trait Decoder: Send {
    /// How many channels the sound has, interleaved.
    fn channels(&self) -> u8;

    /// How much later than it was sent sound comes out, apart from what an Opus head's pre-skip tells: where samples are
    /// resampled, at most 4.5 ms.
    fn delay(&self) -> Ticks {
        Ticks::ZERO
    }

    /// Decodes a packet to samples at 48 kHz, full scale being 1: as many for each channel as the packet has ticks.
    ///
    /// # Errors
    /// Where it is none. The next packet is decoded as if nothing had come before.
    fn decode(&mut self, packet: &[u8]) -> Result<&[f32], DecodeError>;
}

/// A decoder for packets of this format.
///
/// # Errors
/// Where the library refuses the format, which it does for none that we can carry.
pub fn decoder(format: &Format) -> Result<Box<dyn Decoder>, DecodeError> {
    match format {
        Format::Opus(head) => Ok(Box::new(opus::Decoder::new(*head)?)),
        Format::Pcm(head) => Ok(Box::new(pcm::PcmDecoder::new(*head)?)),
    }
}

/// Why a packet cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It breaks the packet's own rules.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// Plain samples that are not whole frames.
    #[error("{bytes} bytes of samples are not whole frames of {frame} bytes")]
    Frames {
        /// Bytes that came.
        bytes: usize,
        /// Bytes of a frame.
        frame: usize,
    },
    /// A packet of plain samples whose length no Opus packet has.
    #[error("a packet of {frames} frames at {rate} Hz is not 10, 20, 40 or 60 ms")]
    Length {
        /// Frames that came.
        frames: u64,
        /// Frames in a second.
        rate: u32,
    },
    /// What the codec's own head tells is nothing that we keep.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A head that no decoder here reads.
    #[error("this {codec} is not read ({why}); {}", what_is_read(*codec))]
    Head {
        /// Its codec.
        codec: Codec,
        /// The library's words.
        why: String,
    },
    /// Whole numbers of more bits than we keep.
    #[error("flac of {0} bits is not accepted, only 4 to 24")]
    Bits(u32),
    /// A FLAC frame that is none, or is of other channels or bits than its stream.
    #[error("a frame of flac is none, or is not what STREAMINFO says (RFC 9639 §9.1)")]
    Frame,
    /// A packet of other sound than the head told.
    #[error("a packet is of {channels} channels at {rate} Hz, which its stream is not")]
    Changed {
        /// Frames in a second.
        rate: u32,
        /// Channels.
        channels: usize,
    },
    /// What listeners hear of it could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It could not be resampled.
    #[error(transparent)]
    Resample(#[from] ResampleError),
    /// The library does not take it; its words.
    #[error("the decoder refuses it: {0}")]
    Refused(String),
    /// The library fell over it.
    #[error("the decoder cannot stand it")]
    Fell,
}

const fn what_is_read(codec: Codec) -> &'static str {
    match codec {
        Codec::Aac => "AAC-LC with frames of 1024 in one or two channels is",
        Codec::Flac => "FLAC with STREAMINFO in one or two channels is",
        Codec::Mp3 => "MPEG-1 and MPEG-2 layer III is",
        Codec::Vorbis => "Vorbis I in one or two channels is",
        Codec::Opus | Codec::Pcm => "it has a decoder of its own",
    }
}

/// Encodes sound at 48 kHz to the packets of one track, in order.
pub trait Encoder: Send {
    /// How many channels the sound has, interleaved: 1 or 2.
    fn channels(&self) -> u8;

    /// How much later than it went in sound comes out of a decoder: an Opus head's pre-skip tells it.
    fn lookahead(&self) -> Ticks;

    /// Encodes samples, full scale being 1, to a packet of 2.5, 5, 10, 20, 40 or 60 ms. Whatever samples: what is no number
    /// is silence, what is beyond full scale is full scale.
    ///
    /// # Errors
    /// Where the sound is of another length; or the library fails, and then the next packet is encoded as if nothing had
    /// come before.
    fn encode(&mut self, sound: &[f32]) -> Result<Bytes, EncodeError>;
}

/// An encoder to Opus for one or two channels, at about so many bits a second (6000 to 510000): [`MONO_BITS`] or
/// [`STEREO_BITS`] for sound that may be music.
///
/// # Errors
/// Where the library refuses, which it does for nothing that is allowed here.
pub fn encoder(channels: u8, bits: u32) -> Result<Box<dyn Encoder>, EncodeError> {
    Ok(Box::new(opus_encoder::Encoder::new(channels, bits)?))
}

/// Why sound cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A length that no packet has; in frames.
    #[error("{0} frames at 48 kHz are no length of an Opus packet (RFC 6716 §2.1.4)")]
    Length(usize),
    /// The library does not take it; its words.
    #[error("the encoder refuses it: {0}")]
    Refused(String),
    /// The library fell over it.
    #[error("the encoder cannot stand it")]
    Fell,
}

/// Why sound cannot be resampled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    /// More at a time than this machine can count.
    #[error("so much sound at a time cannot be resampled")]
    Long,
    /// The library does not take it; its words.
    #[error("the resampler refuses it: {0}")]
    Refused(String),
}

impl ResampleError {
    fn library(error: impl std::fmt::Display) -> Self {
        Self::Refused(error.to_string())
    }
}
