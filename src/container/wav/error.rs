//! Why a WAV stream cannot be read, and where.

use std::fmt;

use crate::media::pcm;

/// The four letters that an element is named by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name(pub [u8; 4]);

impl Name {
    /// Whether it is a name at all: four printable characters.
    pub(super) fn is_one(self) -> bool {
        self.0.iter().all(|byte| matches!(byte, b' '..=b'~'))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no WAV.
    #[error("broken WAV at byte {offset} ({element}): {what}")]
    Malformed {
        /// Where the element begins, in bytes from the first that was pushed.
        offset: u64,
        /// The element that is broken.
        element: Name,
        /// What is wrong with it.
        what: Malformed,
    },
    /// The bytes are fine, and more than we read.
    #[error("unsupported WAV at byte {offset} ({element}): {what}")]
    Unsupported {
        /// Where the element begins, in bytes from the first that was pushed.
        offset: u64,
        /// The element that says so.
        element: Name,
        /// What is not supported, and what is.
        what: Unsupported,
    },
    /// The bytes may be fine, and are more than we hold or read through.
    #[error("WAV past a limit at byte {offset} ({element}): {size} bytes, at most {limit} are read {what}")]
    Limit {
        /// Where the element begins, in bytes from the first that was pushed.
        offset: u64,
        /// The element that is too long.
        element: Name,
        /// What the limit is for.
        what: Limit,
        /// Bytes announced.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another element than `RIFF` where a stream begins.
    #[error("a stream begins with \"RIFF\", \"RF64\" or \"BW64\"")]
    NoHeader,
    /// Not the name of an element.
    #[error("no element has such a name")]
    NoName,
    /// An element that is shorter than what stands in it.
    #[error("it has {size} bytes, at least {least} are needed")]
    TooShort {
        /// Bytes announced.
        size: u32,
        /// Bytes needed.
        least: u32,
    },
    /// Samples before it is said what they are.
    #[error("the samples come before the element \"fmt \", which says what they are")]
    NoFormat,
    /// Samples again.
    #[error("a stream has its samples in one element \"data\"")]
    SecondData,
    /// A frame that is longer or shorter than its samples.
    #[error("a frame is said to have {said} bytes; its samples have {counted}")]
    FrameLength {
        /// The block alignment.
        said: u16,
        /// Channels times bytes of a sample.
        counted: u32,
    },
}

/// What is not supported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Another kind of RIFF.
    #[error("it is {0}; accepted is \"WAVE\"")]
    Form(Name),
    /// RIFX.
    #[error("its numbers are big-endian; accepted is \"RIFF\", \"RF64\" or \"BW64\", which are little-endian")]
    BigEndian,
    /// An encoding other than plain samples.
    #[error("the samples are {name} (format {tag:#06X}); {ACCEPTED}", tag = .0, name = encoding(*.0))]
    Encoding(u16),
    /// Integers of a length that we do not read.
    #[error("the samples are integers of {0} bits; {ACCEPTED}")]
    Integers(u16),
    /// Floating-point numbers of a length that we do not read.
    #[error("the samples are floating-point numbers of {0} bits; {ACCEPTED}")]
    Floats(u16),
    /// Too many channels, or a rate out of bounds.
    #[error(transparent)]
    Unfit(#[from] pcm::Unfit),
}

/// What a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// One element that says what the samples are.
    #[error("of an element that describes the samples")]
    Described,
    /// All that is not samples.
    #[error("between one element of samples and the next")]
    PassedOver,
}

const ACCEPTED: &str = "accepted are plain integers of 8, 16, 24 or 32 bits and floating-point numbers of 32 bits";

/// The encodings that programs may send (RFC 2361, appendix A).
const fn encoding(tag: u16) -> &'static str {
    match tag {
        0x0002 | 0x0011 => "ADPCM",
        0x0006 => "A-law",
        0x0007 => "µ-law",
        0x0031 => "GSM 6.10",
        0x0050 => "MPEG audio",
        0x0055 => "MP3",
        0x00FF | 0x1610 => "AAC",
        0x0160..=0x0163 => "Windows Media Audio",
        0xF1AC => "FLAC",
        _ => "of an encoding that we do not know",
    }
}
