//! Why a stream cannot be demuxed, and where.

use super::boxes::Kind;
use crate::container::aac;
use crate::media::opus;

/// Why a stream cannot be demuxed any further. Malformed and unsupported are different things: the first is the sender's
/// fault, the second our limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no MP4.
    #[error("broken MP4 at byte {offset}{}: {what}", within(*element))]
    Malformed {
        /// Byte from the first byte that was pushed.
        offset: u64,
        /// The box that is broken, where that is known.
        element: Option<Kind>,
        /// What is wrong with it.
        what: Malformed,
    },
    /// The bytes are fine, and more than we read.
    #[error("unsupported MP4 at byte {offset}{}: {what}", within(*element))]
    Unsupported {
        /// Byte from the first byte that was pushed.
        offset: u64,
        /// The box that says so, where it is one.
        element: Option<Kind>,
        /// What is not supported, and what is.
        what: Unsupported,
    },
    /// The bytes may be fine, and are more than we hold or read through.
    #[error("MP4 past a limit at byte {offset}{}: {size}, at most {limit} are read {what}", within(*element))]
    Limit {
        /// Byte from the first byte that was pushed.
        offset: u64,
        /// The box that is too long.
        element: Option<Kind>,
        /// What the limit is for.
        what: Limit,
        /// Bytes announced, or samples.
        size: u64,
        /// How many are allowed.
        limit: u64,
    },
}

fn within(element: Option<Kind>) -> String {
    element.map_or_else(String::new, |kind| format!(" ({kind})"))
}

/// What is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A size that does not hold its own header.
    #[error("a box of {0} bytes is shorter than its header (ISO/IEC 14496-12 §4.2)")]
    Size(u64),
    /// Another box than `ftyp` where a stream begins.
    #[error("a stream begins with a ftyp (ISO/IEC 14496-12 §4.3)")]
    NoType,
    /// A size left open where it must be known.
    #[error("a box that goes on to the end of a stream has no end here (ISO/IEC 14496-12 §4.2)")]
    UnknownSize,
    /// A child that ends after its parent, or whose header does.
    #[error("it does not end within its {parent} (ISO/IEC 14496-12 §4.2)")]
    PastParent {
        /// The parent.
        parent: Kind,
    },
    /// A box that ends before its fields do.
    #[error("it ends before its fields do")]
    Short,
    /// A mandatory box is not there.
    #[error("it has no {0}")]
    Missing(Kind),
    /// A fragment before the track is known.
    #[error("a fragment comes before the moov (ISO/IEC 14496-12 §8.8.4)")]
    NoTrack,
    /// A timescale of nothing.
    #[error("the timescale is zero (ISO/IEC 14496-12 §8.4.2)")]
    Timescale,
    /// Samples that lie before their fragment, or over each other.
    #[error("a sample lies at byte {at}, before what stands there (ISO/IEC 14496-12 §8.8.8)")]
    Place {
        /// Byte of the stream; negative before its start.
        at: i128,
    },
    /// A sample that ends after its `mdat`.
    #[error("a sample of {size} bytes at byte {at} does not end within its mdat (ISO/IEC 14496-12 §8.1.1)")]
    PastData {
        /// Byte of the stream.
        at: u64,
        /// Its bytes.
        size: u64,
    },
    /// A descriptor that is none.
    #[error("a descriptor is cut off, or another is due (ISO/IEC 14496-1 §7.2.6)")]
    Descriptor,
    /// The head of an Opus track is none.
    #[error(transparent)]
    Head(opus::HeadError),
    /// The config of an AAC track is none.
    #[error(transparent)]
    Aac(aac::Error),
    /// A sample is no Opus packet.
    #[error(transparent)]
    Packet(opus::PacketError),
    /// A sample of nothing.
    #[error("a sample is empty")]
    Empty,
}

/// What is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A whole file.
    #[error(
        "its samples are found by tables, not in fragments, so it cannot be heard as it comes; accepted is fragmented MP4 \
         (ffmpeg: -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 250000)"
    )]
    Unfragmented,
    /// No audio track at all.
    #[error("no audio track; accepted are Opus and AAC-LC, mono or stereo")]
    NoAudio,
    /// Audio, but of no codec that we read.
    #[error("the audio is {0}; accepted are Opus and AAC-LC (mp4a), mono or stereo")]
    Codec(Kind),
    /// `mp4a`, but not AAC.
    #[error("the audio has the object type {0:#04X} (ISO/IEC 14496-1 §7.2.6.6); accepted are AAC-LC and Opus")]
    ObjectType(u8),
    /// Encrypted samples.
    #[error("the samples are encrypted; accepted are samples as the encoder gave them")]
    Encrypted,
    /// Several kinds of samples in one track, or another layout of their description.
    #[error("a track has one sample entry, of version 0 (ISO/IEC 14496-12 §12.2.3)")]
    SampleEntry,
    /// An Opus head that we cannot carry.
    #[error(transparent)]
    Head(opus::HeadError),
    /// AAC that is not accepted.
    #[error(transparent)]
    Aac(aac::Error),
    /// A run whose place hangs on another track's.
    #[error(
        "the samples' place is counted from another track's; accepted is default-base-is-moof, or base-data-offset"
    )]
    Base,
}

/// What a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// A `moov`.
    #[error("of bytes that describe the stream")]
    Moov,
    /// A `moof`.
    #[error("of bytes that describe a fragment")]
    Moof,
    /// The samples of one fragment.
    #[error("of samples in a fragment; make fragments shorter")]
    Samples,
    /// One sample.
    #[error("of bytes of a sample of sound")]
    Sample,
    /// Everything before the end of the `moov`.
    #[error("of bytes up to the end of the moov")]
    Head,
    /// What is passed over in one piece.
    #[error("of bytes that are passed over")]
    Skipped,
}
