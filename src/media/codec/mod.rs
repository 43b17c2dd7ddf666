//! The codecs: packets to sound and back.
//!
//! What belongs here: one trait for each direction, and the libraries behind it, so that nothing else names them; what
//! publishers send, made into what a track keeps. What does not: containers, what the sound is then used for, pre-skip
//! (whoever plays a stream from its start drops it).
//!
//! A decoder is given what a publisher sent, so it is given everything: it must neither panic nor grow, and what it
//! refuses costs that packet alone.

mod opus;
pub mod transcode;

use super::opus::PacketError;
use super::track::Format;

/// Decodes the packets of one track, in order. What it has heard so far shapes what comes next: about 100 ms after a gap
/// or a start in the middle it has settled.
pub trait Decoder: Send {
    /// How many channels the sound has, interleaved.
    fn channels(&self) -> u8;

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
        Format::Pcm(head) => Err(DecodeError::Refused(format!("{head}: not read yet"))),
    }
}

/// Why a packet cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It breaks the packet's own rules.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The library does not take it; its words.
    #[error("the decoder refuses it: {0}")]
    Refused(String),
    /// The library fell over it.
    #[error("the decoder cannot stand it")]
    Fell,
}
