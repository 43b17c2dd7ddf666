//! Why a FLAC stream cannot be read, and where.

use std::fmt;

use super::METADATA_LIMIT;
use crate::media::pcm;

/// What a FLAC stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// The first four bytes.
    Marker,
    /// A metadata block, by its type (RFC 9639 §8.1).
    Metadata(u8),
    /// A frame.
    Frame,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Marker => f.write_str("the marker \"fLaC\""),
            Self::Metadata(0) => f.write_str("STREAMINFO"),
            Self::Metadata(kind) => write!(f, "a metadata block of type {kind}"),
            Self::Frame => f.write_str("a frame"),
        }
    }
}

/// Why a stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no FLAC.
    #[error("broken FLAC at byte {offset} ({element}): {what}")]
    Malformed {
        /// Where the element begins, in bytes from the first that was pushed.
        offset: u64,
        /// The element that is broken, or is expected there.
        element: Element,
        /// What is wrong with it.
        what: Malformed,
    },
    /// The bytes are fine, and more than we read.
    #[error("unsupported FLAC at byte {offset} (STREAMINFO): {what}")]
    Unsupported {
        /// Where STREAMINFO begins, in bytes from the first that was pushed.
        offset: u64,
        /// What is not supported, and what is.
        what: Unsupported,
    },
    /// The bytes may be fine, and are more than we read through.
    #[error("FLAC past a limit at byte {offset} ({element}): more than {METADATA_LIMIT} bytes before the first frame")]
    Limit {
        /// Where the element begins, in bytes from the first that was pushed.
        offset: u64,
        /// The element that is too much.
        element: Element,
    },
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Something else than the marker.
    #[error("a stream begins with it (RFC 9639 §6)")]
    NoMarker,
    /// Another metadata block than STREAMINFO is the first.
    #[error("STREAMINFO comes first, and once (RFC 9639 §8.2)")]
    NoStreamInfo,
    /// STREAMINFO of another length, or with numbers that no stream has.
    #[error("it is not 34 bytes that a stream can have (RFC 9639 §8.2)")]
    StreamInfo,
    /// A metadata block of the type that none has.
    #[error("no metadata block has this type (RFC 9639 §8.1)")]
    Type,
    /// Something else than a frame's header.
    #[error("no header of a frame that fits STREAMINFO begins here (RFC 9639 §9.1)")]
    NoFrame,
    /// A frame that does not end.
    #[error("it is not followed by another within {0} bytes, or its checksum is wrong (RFC 9639 §9.3)")]
    NoEnd(usize),
}

/// What is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Samples of more bits than we keep.
    #[error("samples of {0} bits are not accepted, only 4 to 24")]
    Bits(u8),
    /// Too many channels, or a rate out of bounds.
    #[error(transparent)]
    Unfit(#[from] pcm::Unfit),
}
