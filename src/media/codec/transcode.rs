//! What a publisher sends, made into what a track keeps and others hear.
//!
//! What belongs here: one plain struct that is given a source's packets in order and gives the track's. What does not:
//! threads (the hub keeps it away from those that serve), the session's clock.

use super::DecodeError;
use crate::media::packet::SourcePacket;
use crate::media::source::Source;
use crate::media::track::Format;

/// Makes a track's packets out of a source's.
///
/// Opus passes untouched. PCM and FLAC become blocks of PCM at the rate that came, each with the Opus packet that listeners
/// hear beside it. What else there is becomes Opus.
pub struct Transcoder {
    format: Format,
}

impl Transcoder {
    /// A transcoder for a source that begins.
    ///
    /// # Errors
    /// Where no decoder reads it, with a sentence that says so.
    pub fn new(source: &Source) -> Result<Self, DecodeError> {
        match source {
            Source::Opus(head) => Ok(Self { format: Format::Opus(*head) }),
            Source::Pcm(_) | Source::Coded(_) => Err(DecodeError::Refused("not read yet".to_owned())),
        }
    }

    /// How the packets are encoded that it gives.
    #[must_use]
    pub const fn format(&self) -> &Format {
        &self.format
    }

    /// Whether it costs so little that any thread may do it: packets pass untouched.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self.format, Format::Opus(_))
    }

    /// Takes a packet of the source, and adds the track's packets that are whole by now to `out`.
    ///
    /// # Errors
    /// Where the packet cannot be decoded. It costs that packet alone: the next may follow.
    pub fn push(&mut self, packet: SourcePacket, out: &mut Vec<SourcePacket>) -> Result<(), DecodeError> {
        out.push(packet);
        Ok(())
    }

    /// The source ends, or another head follows: what was held is given, however short.
    pub fn finish(&mut self, out: &mut Vec<SourcePacket>) {
        let _ = out;
    }
}
