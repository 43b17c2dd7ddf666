//! What a publisher sends, made into what a track keeps and others hear.
//!
//! What belongs here: one plain struct that is given a source's packets in order and gives the track's. What does not:
//! threads (the hub keeps it away from those that serve), the session's clock.

use super::DecodeError;
use super::blocks::Blocks;
use crate::media::packet::SourcePacket;
use crate::media::source::Source;
use crate::media::time::Ticks;
use crate::media::track::Format;

pub use super::blocks::{BlockTranscoder, length};

/// Makes a track's packets out of a source's.
///
/// Opus passes untouched. PCM and FLAC become blocks of PCM at the rate that came, each with the Opus packet that listeners
/// hear beside it, 7.1 ms later at most. What else there is becomes Opus.
///
/// A packet's time is that of the source's packet that holds its first sample, and what lies between: jumps and wobbling of
/// the source's times are left to the session's clock.
pub struct Transcoder {
    format: Format,
    way: Way,
}

enum Way {
    Untouched,
    Blocks(Box<Blocks>),
}

impl Transcoder {
    /// A transcoder for a source that begins.
    ///
    /// # Errors
    /// Where no decoder reads it, with a sentence that says so.
    pub fn new(source: &Source) -> Result<Self, DecodeError> {
        let (format, way) = match source {
            Source::Opus(head) => (Format::Opus(*head), Way::Untouched),
            Source::Pcm(head) => (Format::Pcm(*head), Way::Blocks(Box::new(Blocks::new(*head)?))),
            Source::Coded(coded) => return Err(DecodeError::Refused(format!("{}: not read yet", coded.codec))),
        };
        Ok(Self { format, way })
    }

    /// How the packets are encoded that it gives.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Whether it costs so little that any thread may do it: packets pass untouched.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self.way, Way::Untouched)
    }

    /// How much later than it was sent sound is heard: 2.5 ms of the encoder, and at most 4.5 ms of the resampler. Nothing for
    /// Opus.
    #[must_use]
    pub fn delay(&self) -> Ticks {
        match &self.way {
            Way::Untouched => Ticks::ZERO,
            Way::Blocks(blocks) => blocks.delay(),
        }
    }

    /// Takes a packet of the source, and adds the track's packets that are whole by now to `out`.
    ///
    /// # Errors
    /// Where the packet cannot be decoded. It costs that packet alone: the next may follow.
    pub fn push(&mut self, packet: SourcePacket, out: &mut Vec<SourcePacket>) -> Result<(), DecodeError> {
        match &mut self.way {
            Way::Untouched => out.push(packet),
            Way::Blocks(blocks) => blocks.push(packet.time, &packet.data, out)?,
        }
        Ok(())
    }

    /// The source ends, or another head follows: what was held is given, however short.
    pub fn finish(&mut self, out: &mut Vec<SourcePacket>) {
        match &mut self.way {
            Way::Untouched => {}
            Way::Blocks(blocks) => blocks.finish(out),
        }
    }
}
