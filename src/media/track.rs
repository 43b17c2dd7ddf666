//! What a track is, apart from its packets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::source::Codec;
use super::{opus, pcm};

/// How a track's packets are encoded, with what a decoder must be told before the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "codec", rename_all = "lowercase")]
pub enum Format {
    /// Opus packets (RFC 6716), with the head that containers carry (RFC 7845 §5.1).
    Opus(opus::Head),
    /// Blocks of plain samples. Beside each goes the Opus packet that listeners hear of it.
    Pcm(pcm::Head),
}

impl Format {
    /// Whether packets of the `next` format go on in a part of this one.
    #[must_use]
    pub fn continues(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Opus(open), Self::Opus(next)) => open.continues(*next),
            (Self::Pcm(open), Self::Pcm(next)) => open == next,
            (Self::Opus(_), Self::Pcm(_)) | (Self::Pcm(_), Self::Opus(_)) => false,
        }
    }

    /// The Opus that listeners hear: the packets themselves, or those that go beside PCM ([`Packet::heard`]).
    ///
    /// [`Packet::heard`]: super::packet::Packet::heard
    #[must_use]
    pub fn heard(&self) -> opus::Head {
        match self {
            Self::Opus(head) => *head,
            Self::Pcm(head) => {
                opus::Head { channels: head.channels(), pre_skip: 0, input_rate: head.rate(), output_gain: 0 }
            }
        }
    }

    /// Its codec.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        match self {
            Self::Opus(_) => Codec::Opus,
            Self::Pcm(_) => Codec::Pcm,
        }
    }
}

/// The number of a track in a room while it is live, the same on every connection; and, in a recording, its number from
/// 1 in the order of the first packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackNumber(u16);

impl TrackNumber {
    /// A number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TrackNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
