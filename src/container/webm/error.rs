//! Why a stream cannot be demuxed, and where.

use super::ebml::Id;
use crate::container::{aac, flac, vorbis};
use crate::media::opus;
use crate::media::pcm::Unfit;

/// Why a stream cannot be demuxed any further. Malformed and unsupported are different things: the first is the sender's
/// fault, the second our limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no WebM.
    #[error("broken WebM at byte {offset}{}: {what}", within(*element))]
    Malformed {
        /// Byte from the first byte that was pushed.
        offset: u64,
        /// The element that is broken, where that is known.
        element: Option<Id>,
        /// What is wrong with it.
        what: Malformed,
    },
    /// The bytes are fine, and more than we read.
    #[error("unsupported WebM at byte {offset}{}: {what}", within(*element))]
    Unsupported {
        /// Byte from the first byte that was pushed.
        offset: u64,
        /// The element that says so, where it is one.
        element: Option<Id>,
        /// What is not supported, and what is.
        what: Unsupported,
    },
    /// The bytes may be fine, and are more than we hold or read through.
    #[error("WebM past a limit at byte {offset}{}: {size} bytes, at most {limit} are read {what}", within(*element))]
    Limit {
        /// Byte from the first byte that was pushed.
        offset: u64,
        /// The element that is too long.
        element: Option<Id>,
        /// What the limit is for.
        what: Limit,
        /// Bytes announced.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

fn within(element: Option<Id>) -> String {
    element.map_or_else(String::new, |id| format!(" ({id})"))
}

/// What is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another byte than an element's ID begins with.
    #[error("no element's ID begins with {0:#04X} (RFC 8794 §5)")]
    Id(u8),
    /// A size of more than 8 bytes.
    #[error("a size is longer than 8 bytes (RFC 8794 §6)")]
    SizeLength,
    /// Another element than an EBML header where a stream begins.
    #[error("a stream begins with an EBML header (RFC 8794 §4)")]
    NoHeader,
    /// A size left open where it must be known.
    #[error("only Segment and Cluster may be of unknown size (RFC 8794 §6.2)")]
    UnknownSize,
    /// A child that ends after its parent, or whose header does.
    #[error("it does not end within its {parent} (RFC 8794 §6.1)")]
    PastParent {
        /// The parent.
        parent: Id,
    },
    /// An element where it must not stand.
    #[error("it does not belong in {parent} (RFC 9559 §5)")]
    Misplaced {
        /// Where it stands.
        parent: Id,
    },
    /// A number of more than 8 bytes.
    #[error("a number of {0} bytes, at most 8 are allowed (RFC 8794 §7.2)")]
    NumberLength(usize),
    /// A mandatory element is not there.
    #[error("it has no {0} (RFC 9559 §5.1)")]
    Missing(Id),
    /// A zero where there must be none.
    #[error("it is zero (RFC 9559 §5.1)")]
    Zero,
    /// A block before its Cluster's time.
    #[error("a block comes before its Cluster's Timestamp (RFC 9559 §5.1.3.1)")]
    NoTimestamp,
    /// A block that ends in its header, or whose track has no number.
    #[error("a block of {0} bytes has no whole header (RFC 9559 §10.1)")]
    BlockLength(usize),
    /// Laced frames whose sizes do not add up.
    #[error("the laced frames are longer than their block, or do not share it evenly (RFC 9559 §10.3)")]
    Lacing,
    /// The head of an Opus track is none.
    #[error(transparent)]
    Head(opus::HeadError),
    /// A frame is no Opus packet.
    #[error(transparent)]
    Packet(opus::PacketError),
    /// A frame of nothing.
    #[error("a frame is empty")]
    Empty,
    /// Plain samples that are cut off.
    #[error("a block of {block} bytes of PCM is not whole frames of {frame} bytes")]
    Samples {
        /// Bytes of the block.
        block: usize,
        /// Bytes of a frame.
        frame: usize,
    },
    /// What describes a FLAC track does not.
    #[error("it does not begin with \"fLaC\" and a STREAMINFO (RFC 9639 §8.2)")]
    StreamInfo,
    /// A frame is no FLAC.
    #[error("a frame has no FLAC frame's header (RFC 9639 §9.1)")]
    FlacFrame,
    /// The headers of a Vorbis track, or a frame of it.
    #[error(transparent)]
    Vorbis(vorbis::Error),
    /// The config of an AAC track.
    #[error(transparent)]
    Aac(aac::Error),
    /// A frame is no MP3.
    #[error("a frame has no header of MPEG audio layer III with a stated bitrate (ISO/IEC 11172-3 §2.4.1.3)")]
    Mp3Frame,
    /// A frame of MP3 at another rate than its track.
    #[error("a frame of MP3 is of {frame} Hz, its track of {track} Hz")]
    Mp3Rate {
        /// What the frame says, in Hz.
        frame: u32,
        /// What the track says, in Hz.
        track: u32,
    },
    /// A float that is neither of 4 nor of 8 bytes, or no rate.
    #[error("it is no rate in a float of 4 or 8 bytes (RFC 8794 §7.3)")]
    Rate,
}

/// What is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Another kind of EBML document.
    #[error("a document of type {0:?}; accepted are \"webm\" and \"matroska\"")]
    DocType(String),
    /// A later version than we can read.
    #[error("it asks for {asked}; accepted is up to {accepted}")]
    Version {
        /// What the stream asks of its reader.
        asked: u64,
        /// What we are.
        accepted: u64,
    },
    /// No audio track at all.
    #[error("no audio track; accepted are Opus, PCM, FLAC, Vorbis, AAC-LC and MP3, mono or stereo")]
    NoAudio,
    /// Audio, but of no codec that we read.
    #[error("the audio is {0:?}; accepted are Opus, PCM, FLAC, Vorbis, AAC-LC and MP3, mono or stereo")]
    Codec(String),
    /// An Opus head that we cannot carry.
    #[error(transparent)]
    Head(opus::HeadError),
    /// A rate or channels that are not accepted.
    #[error(transparent)]
    Sound(Unfit),
    /// Plain samples of another size.
    #[error("{0} of {1} bits; accepted are 8, 16, 24 and 32 bits, and 32 of floats")]
    Bits(String, u64),
    /// FLAC that is not accepted.
    #[error("FLAC: {0}")]
    Flac(flac::Unsupported),
    /// Vorbis that is not accepted.
    #[error(transparent)]
    Vorbis(vorbis::Error),
    /// AAC that is not accepted.
    #[error(transparent)]
    Aac(aac::Error),
    /// Compressed or encrypted frames.
    #[error("the track's frames are compressed or encrypted; accepted are frames as the encoder gave them")]
    Encoded,
}

/// What a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// One element that is collected whole before the first Cluster.
    #[error("of an element that describes the stream")]
    HeadElement,
    /// Everything before the first Cluster.
    #[error("before the first Cluster")]
    Head,
    /// One block of sound.
    #[error("of a block of sound")]
    Block,
    /// One element that is passed over.
    #[error("of an element that is passed over")]
    Skipped,
}
