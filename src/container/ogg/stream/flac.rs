//! FLAC as Ogg carries it (RFC 9639 §10.1): the first packet, and which of the others are frames.
//!
//! What belongs here: what of FLAC is Ogg's own. What does not: STREAMINFO and frames (`container::flac`).

use bytes::Bytes;

use super::error::{Unsupported, What};
use crate::container::flac::{StreamInfo, frame_frames};
use crate::media::pcm;

/// What Ogg puts before the start of a native stream: `7F`, `FLAC`, a version of two bytes, a count of two.
const BEFORE_MARKER: usize = 9;

/// What precedes STREAMINFO: that, the marker, and the header of a metadata block.
const BEFORE_INFO: usize = BEFORE_MARKER + 8;

/// What the first packet says: what counts time, and STREAMINFO.
pub(super) fn head(packet: &Bytes) -> Result<(pcm::Head, Bytes), What> {
    let version = *packet.get(5).ok_or(Error::Short)?;
    if version != 1 {
        return Err(Unsupported::FlacMapping(version).into());
    }
    if packet.len() < BEFORE_INFO + StreamInfo::BYTES {
        return Err(Error::Short.into());
    }
    let info = StreamInfo::behind_marker(&packet[BEFORE_MARKER..]).and_then(StreamInfo::read).ok_or(Error::NoInfo)?;
    let sound = info.head()?;
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
