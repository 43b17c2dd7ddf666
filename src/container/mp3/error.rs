//! Why an MP3 stream cannot be read, and where.

use std::fmt;

use super::{GARBAGE_LIMIT, PASSED_LIMIT};

/// What an MP3 stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// A frame.
    Frame,
    /// A tag.
    Tag,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame => "a frame",
            Self::Tag => "a tag",
        })
    }
}

/// Why a stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no MP3.
    #[error("broken MP3 at byte {offset} (a frame): {what}")]
    Malformed {
        /// Where a frame was expected, in bytes from the first that was pushed.
        offset: u64,
        /// What is wrong.
        what: Malformed,
    },
    /// The bytes are fine, and another kind of MPEG audio than we read.
    #[error(
        "unsupported MPEG audio at byte {offset} (a frame): {what}; accepted is layer III (MP3) of a stated bitrate"
    )]
    Unsupported {
        /// Where the frame begins, in bytes from the first that was pushed.
        offset: u64,
        /// What is not supported.
        what: Unsupported,
    },
    /// The bytes may be fine, and are more than we read through.
    #[error("MP3 past a limit at byte {offset} ({element}): more than {PASSED_LIMIT} bytes without sound")]
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
    /// Something else than frames and tags.
    #[error("none begins here, nor within {GARBAGE_LIMIT} bytes (ISO/IEC 11172-3 §2.4.1.2)")]
    NoFrame,
}

/// What is not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Layer I.
    #[error("it is layer I")]
    LayerOne,
    /// Layer II.
    #[error("it is layer II (MP2)")]
    LayerTwo,
    /// A frame that does not tell its length.
    #[error("its bitrate is not stated (free format)")]
    FreeFormat,
}
