//! The headers of frames (ISO/IEC 11172-3 §2.4.2.3, ISO/IEC 13818-3 §2.4.2.3).

use super::error::Unsupported;

/// Bytes of a header.
pub(super) const BYTES: usize = 4;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    /// Bytes of the whole frame: 24 to 1441, which is 320 kbit/s at 32 kHz, or 160 at 8 kHz, and a byte of padding.
    pub length: usize,
    /// Two bytes of checksum follow the header.
    checked: bool,
}

/// What stays the same from frame to frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::container) struct Kind {
    version: Version,
    /// In Hz: 8000 to 48000.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
    TwoAndAHalf,
}

/// What four bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The header of a frame of ours.
    Header(Header),
    /// The header of a frame of MPEG audio that is not read.
    Unsupported(Unsupported),
    /// No header.
    Nothing,
}

impl Header {
    /// Reads the four bytes of a header.
    pub fn read(bytes: [u8; BYTES]) -> Read {
        /// kbit/s of layer III by their index, of version 1 and of the others.
        const RATES: [[u32; 15]; 2] = [
            [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
            [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        ];
        let [first, second, third, fourth] = bytes;
        let version = match second >> 3 & 3 {
            0 => Version::TwoAndAHalf,
            2 => Version::Two,
            3 => Version::One,
            _ => return Read::Nothing,
        };
        let (layer, bitrate) = (second >> 1 & 3, usize::from(third >> 4));
        let hz = match third >> 2 & 3 {
            0 => 44_100,
            1 => 48_000,
            2 => 32_000,
            _ => return Read::Nothing,
        };
        // The last emphasis is reserved.
        if first != 0xFF || second >> 5 != 7 || layer == 0 || bitrate == 15 || fourth & 3 == 2 {
            return Read::Nothing;
        }
        match layer {
            1 => {}
            2 => return Read::Unsupported(Unsupported::LayerTwo),
            _ => return Read::Unsupported(Unsupported::LayerOne),
        }
        let rate = match version {
            Version::One => hz,
            Version::Two => hz / 2,
            Version::TwoAndAHalf => hz / 4,
        };
        let (bits, slots) = match version {
            Version::One => (RATES[0][bitrate] * 1000, 144),
            Version::Two | Version::TwoAndAHalf => (RATES[1][bitrate] * 1000, 72),
        };
        if bits == 0 {
            return Read::Unsupported(Unsupported::FreeFormat);
        }
        let length = slots * bits / rate + u32::from(third >> 1 & 1);
        let length = usize::try_from(length).expect("at most 1441 bytes");
        let channels = if fourth >> 6 == 3 { 1 } else { 2 };
        Read::Header(Self { kind: Kind { version, rate, channels }, length, checked: second & 1 == 0 })
    }

    /// Whether the frame holds no sound, but tells players how long the file is and where to seek: the first of a file often
    /// is such a one, by LAME (`Xing`, `Info`) or by Fraunhofer (`VBRI`). To a decoder it is silence, and no publisher's.
    pub fn is_table(&self, frame: &[u8]) -> bool {
        let side = match (self.kind.version, self.kind.channels) {
            (Version::One, 1) => 17,
            (Version::One, _) => 32,
            (_, 1) => 9,
            (_, _) => 17,
        };
        let from = BYTES + if self.checked { 2 } else { 0 };
        let stands = |at: usize, marks: &[&[u8]]| marks.iter().any(|mark| frame.get(at..at + 4) == Some(*mark));
        let silent = frame.get(from..from + side).is_some_and(|side| side.iter().all(|byte| *byte == 0));
        silent && (stands(from + side, &[b"Xing", b"Info"]) || stands(BYTES + 32, &[b"VBRI"]))
    }
}

impl Kind {
    /// Frames of sound in an MP3 frame (one sample of each channel is a frame of sound).
    pub const fn frames(self) -> u64 {
        match self.version {
            Version::One => 1152,
            Version::Two | Version::TwoAndAHalf => 576,
        }
    }
}

/// The kind of the stream that a packet is a frame of; `None` where it does not begin as a frame that we read.
pub(in crate::container) fn kind(packet: &[u8]) -> Option<Kind> {
    match Header::read(*packet.first_chunk()?) {
        Read::Header(header) => Some(header.kind),
        Read::Unsupported(_) | Read::Nothing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::pcm::{Head, Sample};

    #[test]
    fn every_length_and_rate_is_within_its_bounds() {
        let mut lengths = Vec::new();
        for bits in 0..=0xFFFF_FFFF_u32 >> 11 {
            let header =
                [0xFF, 0xE0 | (bits >> 16).to_le_bytes()[0], (bits >> 8).to_le_bytes()[0], bits.to_le_bytes()[0]];
            if let Read::Header(header) = Header::read(header) {
                assert!(Head::new(Sample::S16, header.kind.rate, header.kind.channels.into()).is_ok());
                lengths.push(header.length);
            }
        }
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&24), Some(&1441)));
    }

    #[test]
    fn the_kind_of_a_packet_is_read_for_each_version() {
        let read = |packet: &[u8]| kind(packet).map(|kind| (kind.rate, kind.channels, kind.frames()));
        assert_eq!(read(&[0xFF, 0xFB, 0x90, 0xC4, 7]), Some((44_100, 1, 1152)));
        assert_eq!(read(&[0xFF, 0xF3, 0x94, 0x44]), Some((24_000, 2, 576)));
        assert_eq!(read(&[0xFF, 0xE3, 0x98, 0xC4]), Some((8000, 1, 576)));
        for none in [&[0xFF, 0xFB, 0x90][..], &[0xFF, 0xFD, 0x90, 0], &[0xFF, 0xFB, 0x9C, 0], &[0xFE, 0xFB, 0x90, 0]] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }
}
