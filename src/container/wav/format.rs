//! The element `fmt `: what the samples are.

use super::error::{Malformed, Unsupported};
use crate::media::pcm::{Head, Sample};

/// Bytes of it that every file has, and those of its longer form (WAVEFORMATEXTENSIBLE).
const LEAST: u32 = 16;
const LONGER: u32 = 40;

/// The encodings that are read (RFC 2361, appendix A), and the one that says that the longer form tells it.
const INTEGERS: u16 = 1;
const FLOATS: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// What every encoding's GUID in the longer form ends with, behind the encoding itself.
pub(super) const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

/// How samples are written in a WAV stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// What they become.
    pub head: Head,
    /// They are 8 bits, unsigned, and become 16 bits, signed.
    pub bytes: bool,
}

/// Why a format is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Malformed(Malformed),
    Unsupported(Unsupported),
}

/// An element that is shorter than what is read of it.
pub(super) fn too_short(body: &[u8], least: u32) -> Wrong {
    Wrong::Malformed(Malformed::TooShort { size: u32::try_from(body.len()).unwrap_or(u32::MAX), least })
}

impl Format {
    /// Reads the body of the element, which is 16 bytes or more.
    pub fn read(body: &[u8]) -> Result<Self, Wrong> {
        let [t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, a0, a1, b0, b1, longer @ ..] = body else {
            return Err(too_short(body, LEAST));
        };
        let encoding = u16::from_le_bytes([*t0, *t1]);
        let channels = u16::from_le_bytes([*c0, *c1]);
        let rate = u32::from_le_bytes([*r0, *r1, *r2, *r3]);
        let alignment = u16::from_le_bytes([*a0, *a1]);
        let bits = u16::from_le_bytes([*b0, *b1]);

        let encoding = match (encoding, longer) {
            // Its size, the bits in use, the speakers; then the encoding, in a GUID. Where fewer bits are in use than there
            // are, they stand at the upper end, so they need not be known.
            (EXTENSIBLE, [_, _, _, _, _, _, _, _, e0, e1, tail @ ..]) if tail.starts_with(&GUID_TAIL) => {
                u16::from_le_bytes([*e0, *e1])
            }
            (EXTENSIBLE, longer) if longer.len() < 24 => return Err(too_short(body, LONGER)),
            _ => encoding,
        };
        let (sample, bytes) = match (encoding, bits) {
            (INTEGERS, 8) => (Sample::S16, true),
            (INTEGERS, 16) => (Sample::S16, false),
            (INTEGERS, 24) => (Sample::S24, false),
            (INTEGERS, 32) => (Sample::S32, false),
            (FLOATS, 32) => (Sample::F32, false),
            (INTEGERS, bits) => return Err(Wrong::Unsupported(Unsupported::Integers(bits))),
            (FLOATS, bits) => return Err(Wrong::Unsupported(Unsupported::Floats(bits))),
            (encoding, _) => return Err(Wrong::Unsupported(Unsupported::Encoding(encoding))),
        };
        let head = Head::new(sample, rate, channels.into()).map_err(|unfit| Wrong::Unsupported(unfit.into()))?;
        let counted = u32::from(channels) * u32::from(bits) / 8;
        if u32::from(alignment) != counted {
            return Err(Wrong::Malformed(Malformed::FrameLength { said: alignment, counted }));
        }
        Ok(Self { head, bytes })
    }

    /// Bytes of a frame as it is sent.
    pub const fn frame_bytes(self) -> usize {
        if self.bytes { self.head.channels() as usize } else { self.head.frame_bytes() }
    }

    /// Frames as they are kept.
    pub fn kept(self, frames: &[u8]) -> Vec<u8> {
        if self.bytes {
            // 128 is silence there: with its highest bit turned over a byte is the upper half of 16 bits.
            frames.iter().flat_map(|byte| [0, byte ^ 0x80]).collect()
        } else {
            frames.to_vec()
        }
    }
}
