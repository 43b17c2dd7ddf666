//! Why a publisher's Ogg cannot be demuxed, and where.

use super::super::page::Torn;
use super::flac;
use crate::container::{flac as native, vorbis};
use crate::media::opus;

/// Why a stream cannot be demuxed any further. Malformed and unsupported are different things: the first is the sender's
/// fault, the second our limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No whole page.
    #[error(transparent)]
    Torn(#[from] Torn),
    /// The pages are whole, and are no Ogg, or what they carry is not what it says.
    #[error("broken Ogg on the page at byte {offset}: {what}")]
    Malformed {
        /// Where the page begins, in bytes from the first that was pushed.
        offset: u64,
        /// What is wrong.
        what: Malformed,
    },
    /// The pages are fine, and more than we read.
    #[error("unsupported Ogg on the page at byte {offset}: {what}")]
    Unsupported {
        /// Where the page begins, in bytes from the first that was pushed.
        offset: u64,
        /// What is not supported, and what is.
        what: Unsupported,
    },
    /// The pages may be fine, and carry more than we hold or read through.
    #[error("Ogg past a limit on the page at byte {offset}: {what}, at most {limit} are read")]
    Limit {
        /// Where the page begins, in bytes from the first that was pushed.
        offset: u64,
        /// What there is too much of.
        what: Limit,
        /// How much is allowed.
        limit: usize,
    },
}

/// What is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another page than a first one where a stream begins.
    #[error("its stream has not begun (RFC 3533 §4)")]
    NoBeginning,
    /// Two streams of one serial.
    #[error("two streams that begin together have the serial number {0} (RFC 3533 §4)")]
    Serial(u32),
    /// The page is not the next of its stream.
    #[error("it is number {found} of its stream, where {expected} follows (RFC 3533 §6)")]
    Order {
        /// The number that follows.
        expected: u32,
        /// The number that it has.
        found: u32,
    },
    /// A page after the last.
    #[error("its stream has ended (RFC 3533 §6)")]
    Ended,
    /// A packet goes on where none was open, or a new one begins where one was.
    #[error("it does not go on with the packet before it (RFC 3533 §5)")]
    Continuation,
    /// A first page with less or more than its head.
    #[error("a first page holds one whole packet, the head of its stream (RFC 3533 §4)")]
    FirstPage,
    /// Packets end on the page, and it does not say where in time.
    #[error("packets end on it, and it has no granule position (RFC 3533 §6)")]
    NoGranule,
    /// Another packet where the comments are expected.
    #[error("the packet is no {0}")]
    Comments(&'static str),
    /// OpusHead.
    #[error(transparent)]
    OpusHead(opus::HeadError),
    /// A packet of Opus.
    #[error(transparent)]
    Opus(#[from] opus::PacketError),
    /// A header or a packet of Vorbis.
    #[error(transparent)]
    Vorbis(vorbis::Error),
    /// A header or a packet of FLAC.
    #[error(transparent)]
    Flac(#[from] flac::Error),
}

/// What is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// No sound that we read.
    #[error("no stream of sound that is read; accepted are Opus, Vorbis and FLAC, mono or stereo")]
    NoAudio,
    /// Sound that we know, and do not read.
    #[error("the sound is {0}; accepted are Opus, Vorbis and FLAC, mono or stereo")]
    Codec(&'static str),
    /// An OpusHead that we cannot carry.
    #[error(transparent)]
    OpusHead(opus::HeadError),
    /// A rate, channels or version of Vorbis.
    #[error(transparent)]
    Vorbis(vorbis::Error),
    /// A rate, channels or bits of FLAC.
    #[error("FLAC: {0}")]
    Flac(native::Unsupported),
    /// Another version of FLAC in Ogg.
    #[error("the mapping of FLAC is of version {0}, only 1 is known (RFC 9639 §10.1)")]
    FlacMapping(u8),
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// A packet that is held, in bytes.
    #[error("a packet of more bytes")]
    Packet,
    /// Comments that are passed over, in bytes.
    #[error("comments of more bytes")]
    Comments,
    /// Streams that begin together.
    #[error("more streams at once")]
    Streams,
}

/// What is wrong, before it is known where.
#[derive(Debug)]
pub(super) enum What {
    Malformed(Malformed),
    Unsupported(Unsupported),
    Limit(Limit, usize),
}

impl What {
    /// The error of a page.
    pub(super) fn at(self, offset: u64) -> Error {
        match self {
            Self::Malformed(what) => Error::Malformed { offset, what },
            Self::Unsupported(what) => Error::Unsupported { offset, what },
            Self::Limit(what, limit) => Error::Limit { offset, what, limit },
        }
    }
}

impl From<opus::HeadError> for What {
    fn from(error: opus::HeadError) -> Self {
        if error.is_unsupported() {
            Self::Unsupported(Unsupported::OpusHead(error))
        } else {
            Self::Malformed(Malformed::OpusHead(error))
        }
    }
}

impl From<vorbis::Error> for What {
    fn from(error: vorbis::Error) -> Self {
        if error.is_unsupported() {
            Self::Unsupported(Unsupported::Vorbis(error))
        } else {
            Self::Malformed(Malformed::Vorbis(error))
        }
    }
}

impl From<flac::Error> for What {
    fn from(error: flac::Error) -> Self {
        Self::Malformed(error.into())
    }
}

impl From<opus::PacketError> for What {
    fn from(error: opus::PacketError) -> Self {
        Self::Malformed(error.into())
    }
}

impl From<native::Unsupported> for What {
    fn from(error: native::Unsupported) -> Self {
        Self::Unsupported(Unsupported::Flac(error))
    }
}

impl From<Malformed> for What {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

impl From<Unsupported> for What {
    fn from(what: Unsupported) -> Self {
        Self::Unsupported(what)
    }
}
