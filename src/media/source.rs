//! How sound comes to the hub: as it is sent, before it becomes what a track keeps.
//!
//! What belongs here: the codecs that publishers use, with what their decoders must be told. What does not: decoding
//! (`codec`), containers.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::opus;
use super::pcm;
use super::time::Ticks;
use super::track::Format;

/// A codec that publishers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Opus (RFC 6716): kept untouched.
    Opus,
    /// Plain samples: kept untouched.
    Pcm,
    /// FLAC (RFC 9639): kept as the plain samples that it stands for.
    Flac,
    /// AAC-LC (ISO/IEC 14496-3): decoded, and kept as Opus.
    Aac,
    /// Vorbis I: decoded, and kept as Opus.
    Vorbis,
    /// MP3 (ISO/IEC 11172-3 and 13818-3, layer III): decoded, and kept as Opus.
    Mp3,
}

impl Codec {
    const ALL: [Self; 6] = [Self::Opus, Self::Pcm, Self::Flac, Self::Aac, Self::Vorbis, Self::Mp3];

    /// The word for it, in the index and in REST.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Pcm => "pcm",
            Self::Flac => "flac",
            Self::Aac => "aac",
            Self::Vorbis => "vorbis",
            Self::Mp3 => "mp3",
        }
    }

    /// How late its sound is when it arrives, by what its encoders and decoders do and no container tells: so many frames at
    /// the source's rate. What we keep untouched says it itself.
    const fn late_frames(self) -> u64 {
        match self {
            Self::Opus | Self::Pcm | Self::Flac | Self::Vorbis => 0,
            // The overlap of its transform, which every encoder begins with.
            Self::Aac => 1024,
            // A decoder's 529, and the 576 of most encoders.
            Self::Mp3 => 1105,
        }
    }

    /// How late the sound of a track that is kept in this `format` is, for having come in this codec: the clock places it so
    /// much earlier.
    #[must_use]
    pub fn late(self, format: &Format) -> Ticks {
        match (self, format) {
            (Self::Aac | Self::Vorbis | Self::Mp3, Format::Opus(head)) => {
                let rate = u64::from(head.input_rate).max(1);
                let theirs = Ticks::new(self.late_frames() * Ticks::PER_SECOND / rate);
                // What encoding it anew adds stands in the head.
                theirs.saturating_add(Ticks::new(head.pre_skip.into()))
            }
            _ => Ticks::ZERO,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(text: &str) -> Result<Self, UnknownCodec> {
        Self::ALL.into_iter().find(|codec| codec.word() == text).ok_or_else(|| UnknownCodec(text.to_owned()))
    }
}

/// A word that no codec has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no codec that we know")]
pub struct UnknownCodec(String);

/// A publisher's sound, with what a decoder must be told before the first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Opus packets.
    Opus(opus::Head),
    /// Blocks of whole frames, of any length.
    Pcm(pcm::Head),
    /// Packets that have to be decoded.
    Coded(Coded),
}

/// Sound that has to be decoded before anyone can keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// Never [`Codec::Opus`] or [`Codec::Pcm`].
    pub codec: Codec,
    /// Frames in a second, in Hz, as the container says: 8000 to 192000.
    pub rate: u32,
    /// As the container says: 1 or 2.
    pub channels: u8,
    /// What the codec's decoder must be told: FLAC the 34 bytes of STREAMINFO (RFC 9639 §8.2), AAC the
    /// AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), Vorbis the identification header and the setup header, one after
    /// the other (as symphonia's decoder wants them), MP3 nothing.
    pub private: Bytes,
}

impl Source {
    /// Its codec.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        match self {
            Self::Opus(_) => Codec::Opus,
            Self::Pcm(_) => Codec::Pcm,
            Self::Coded(coded) => coded.codec,
        }
    }
}
