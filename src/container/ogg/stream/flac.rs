//! FLAC as Ogg carries it (RFC 9639 §10.1): the first packet, and which of the others are frames.
//!
//! What belongs here: what of FLAC is Ogg's own. What does not: STREAMINFO and frames (`container::flac`).

use bytes::Bytes;

use super::error::{Unsupported, What};
use crate::container::flac::{StreamInfo, frame_frames};
use crate::media::pcm;

/// The first packet before STREAMINFO: `7F`, `FLAC`, a version of two bytes, a count of two, `fLaC`, and the header of a
/// metadata block of type 0 and 34 bytes.
const BEFORE_INFO: usize = 17;

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
    let info = packet[BEFORE_INFO..].first_chunk().ok_or(Error::Short)?;
    let sound = StreamInfo::read(info).ok_or(Error::NoInfo)?.head()?;
    Ok((sound, packet.slice(BEFORE_INFO..BEFORE_INFO + StreamInfo::BYTES)))
}

/// Whether a packet is a frame; a metadata block begins with no such byte, its type 127 being forbidden (RFC 9639 §8.1).
pub(super) fn is_frame(first: u8) -> bool {
    first == 0xFF
}

/// How many samples of each channel a frame has: 1 to 65535.
pub(super) fn frames(frame: &[u8]) -> Result<u64, Error> {
    frame_frames(frame).map(u64::from).ok_or(Error::Frame)
}

/// Why a packet is none of FLAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The first packet ends too early.
    #[error("the first FLAC packet ends before what it announces (RFC 9639 §10.1)")]
    Short,
    /// The first packet has no STREAMINFO.
    #[error("the first FLAC packet has no good STREAMINFO (RFC 9639 §8.2 and §10.1)")]
    NoInfo,
    /// A frame whose header is none.
    #[error("the FLAC packet does not begin as a frame (RFC 9639 §9.1)")]
    Frame,
}
