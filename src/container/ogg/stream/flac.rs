//! FLAC as Ogg carries it (RFC 9639 §10.1): the first packet, and how long a frame sounds by its header (§9.1).
//!
//! What belongs here: what of a FLAC stream its Ogg demuxer must know. What does not: frames without Ogg, which have no
//! length (`container::flac`), and sound.

use bytes::Bytes;

use super::error::{Unsupported, What};
use crate::media::pcm::{self, Sample};

/// The first packet before STREAMINFO: `7F`, `FLAC`, a version of two bytes, a count of two, `fLaC`, and the header of a
/// metadata block of type 0 and 34 bytes.
const BEFORE_INFO: usize = 17;

/// Bytes of STREAMINFO (RFC 9639 §8.2).
const INFO: usize = 34;

/// What the first packet says: what counts time, and STREAMINFO.
pub(super) fn head(packet: &Bytes) -> Result<(pcm::Head, Bytes), What> {
    let before = packet.first_chunk::<BEFORE_INFO>().ok_or(Error::Short)?;
    if before[5] != 1 {
        return Err(Unsupported::FlacMapping(before[5]).into());
    }
    // The first bit of the block's header says that no other follows.
    if &before[9..13] != b"fLaC" || before[13] & 0x7F != 0 || before[14..] != [0, 0, 34] {
        return Err(Error::NoInfo.into());
    }
    let info = packet.get(BEFORE_INFO..BEFORE_INFO + INFO).ok_or(Error::Short)?;
    // 20 bits of rate, 3 of channels less one.
    let rate = u32::from(info[10]) << 12 | u32::from(info[11]) << 4 | u32::from(info[12] >> 4);
    let channels = u32::from(info[12] >> 1 & 7) + 1;
    Ok((pcm::Head::new(Sample::S16, rate, channels)?, packet.slice(BEFORE_INFO..BEFORE_INFO + INFO)))
}

/// Whether a packet is a frame; a metadata block begins with no such byte, its type 127 being forbidden (RFC 9639 §8.1).
pub(super) fn is_frame(first: u8) -> bool {
    first == 0xFF
}

/// How many samples of each channel a frame has: 1 to 65535.
pub(super) fn frames(frame: &[u8]) -> Result<u64, Error> {
    let [0xFF, 0xF8 | 0xF9, sizes, _, rest @ ..] = frame else { return Err(Error::Sync) };
    // The number of the frame or sample, in as many bytes as its first has ones at the start (§9.1.5).
    let number = match rest.first().ok_or(Error::Short)?.leading_ones() {
        0 => 1,
        ones @ 2..=7 => ones as usize,
        _ => return Err(Error::Number),
    };
    let after = rest.get(number..).ok_or(Error::Short)?;
    let frames = match (sizes >> 4, after) {
        (1, _) => 192,
        (bits @ 2..=5, _) => 144 << bits,
        (bits @ 8..=15, _) => 1 << bits,
        (6, [size, ..]) => u64::from(*size) + 1,
        (7, [0xFF, 0xFF, ..]) | (0, _) => return Err(Error::Block),
        (7, [high, low, ..]) => u64::from(u16::from_be_bytes([*high, *low])) + 1,
        _ => return Err(Error::Short),
    };
    Ok(frames)
}

/// Why a packet is none of FLAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends too early.
    #[error("the FLAC packet ends before what it announces (RFC 9639 §9.1 and §10.1)")]
    Short,
    /// The first packet has no STREAMINFO.
    #[error("the first FLAC packet has no STREAMINFO of 34 bytes (RFC 9639 §10.1)")]
    NoInfo,
    /// No frame begins so.
    #[error("the FLAC packet does not begin as a frame (RFC 9639 §9.1)")]
    Sync,
    /// A number that is none.
    #[error("the number of the FLAC frame is not coded as one (RFC 9639 §9.1.5)")]
    Number,
    /// A block size that must not be.
    #[error("the block size of the FLAC frame is a reserved one (RFC 9639 §9.1.1)")]
    Block,
}
