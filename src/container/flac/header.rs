//! STREAMINFO and the headers of frames.

use crc::{CRC_8_SMBUS, Crc, Table};

use super::error::Unsupported;
use crate::media::pcm::{Head, Sample};

/// CRC-8 of a frame's header (RFC 9639 §9.1.8): polynomial 0x07, from 0.
static CRC_8: Crc<u8, Table<1>> = Crc::<u8, Table<1>>::new(&CRC_8_SMBUS);

/// What every stream begins with (RFC 9639 §6).
pub(super) const MARKER: &[u8; 4] = b"fLaC";

/// The longest header of a frame, in bytes: 4, a number of 7, a block size of 2, a rate of 2, a checksum.
pub(super) const LONGEST_HEADER: usize = 16;

/// What a stream says of itself at its start (RFC 9639 §8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// The most frames of sound in a FLAC frame, 16 to 65535.
    pub most_frames: u16,
    /// Frames in a second, in Hz, 0 to 1048575: 0 says that it is no sound.
    pub rate: u32,
    /// 1 to 8.
    pub channels: u8,
    /// Bits of a sample, 4 to 32.
    pub bits: u8,
}

impl StreamInfo {
    /// Bytes of it.
    pub const BYTES: usize = 34;

    /// Reads it; `None` where its numbers are those of no stream.
    #[must_use]
    pub fn read(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let [_, _, m0, m1, _, _, _, _, _, _, r0, r1, r2, b, ..] = *bytes;
        let info = Self {
            most_frames: u16::from_be_bytes([m0, m1]),
            rate: u32::from_be_bytes([0, r0, r1, r2]) >> 4,
            channels: (r2 >> 1 & 7) + 1,
            bits: ((r2 & 1) << 4 | b >> 4) + 1,
        };
        (info.most_frames >= 16 && info.bits >= 4).then_some(info)
    }

    /// The bytes of it that the marker and the header of the first metadata block precede, as in a native stream (RFC 9639
    /// §6, §8.1) and in what containers tell a decoder; `None` where something else does.
    #[must_use]
    pub fn behind_marker(bytes: &[u8]) -> Option<&[u8; Self::BYTES]> {
        match bytes.strip_prefix(MARKER)?.split_first_chunk::<4>()? {
            // The first bit says that no other block follows.
            ([0 | 0x80, 0, 0, 34], info) => info.first_chunk(),
            _ => None,
        }
    }

    /// The plain samples that the stream stands for: of up to 16 bits as 16, of up to 24 as 24.
    ///
    /// # Errors
    /// Where they have more bits, there are more than 2 channels, or the rate is out of bounds.
    pub fn head(&self) -> Result<Head, Unsupported> {
        let sample = match self.bits {
            ..=16 => Sample::S16,
            17..=24 => Sample::S24,
            bits => return Err(Unsupported::Bits(bits)),
        };
        Ok(Head::new(sample, self.rate, self.channels.into())?)
    }

    /// The longest FLAC frame that an encoder makes of this, in bytes: every sample as it is, which is what encoders fall back
    /// to where nothing is won by coding it (RFC 9639 §9.2.2), and the headers around that.
    #[must_use]
    pub fn longest_frame(&self) -> usize {
        // A side channel has one bit more; a subframe's header is a byte and at most 32 bits of wasted ones.
        let subframe = usize::from(self.most_frames) * usize::from(self.bits + 1) / 8 + 6;
        LONGEST_HEADER + usize::from(self.channels) * subframe + 2
    }
}

/// The header of a frame (RFC 9639 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Frames of sound in the FLAC frame, 1 to 65535.
    pub frames: u16,
    /// In Hz; `None` where STREAMINFO has it.
    rate: Option<u32>,
    channels: u8,
    /// Bits of a sample; `None` where STREAMINFO has it.
    bits: Option<u8>,
    /// Bytes of the header.
    pub bytes: usize,
}

/// The bytes are not the header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoHeader;

impl FrameHeader {
    /// Reads the header that `bytes` begin with; `None` where it goes on behind them. It is at most [`LONGEST_HEADER`] bytes.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, NoHeader> {
        match bytes {
            [] => return Ok(None),
            [0xFF] => return Ok(None),
            [0xFF, 0xF8 | 0xF9, ..] => {}
            _ => return Err(NoHeader),
        }
        let mut rest = Reader { bytes, at: 2 };
        let (Some(sizes), Some(kinds)) = (rest.byte(), rest.byte()) else { return Ok(None) };
        let channels = match kinds >> 4 {
            independent @ 0..=7 => independent + 1,
            8..=10 => 2,
            _ => return Err(NoHeader),
        };
        let bits = match kinds >> 1 & 7 {
            0 => None,
            1 => Some(8),
            2 => Some(12),
            4 => Some(16),
            5 => Some(20),
            6 => Some(24),
            7 => Some(32),
            _ => return Err(NoHeader),
        };
        if kinds & 1 == 1 || sizes >> 4 == 0 || sizes & 15 == 15 {
            return Err(NoHeader);
        }
        let Some(first) = rest.byte() else { return Ok(None) };
        // The number of the frame or of its first sample, coded as UTF-8 codes characters, up to 36 bits (§9.1.5).
        let more = match first.leading_ones() {
            0 => 0,
            ones @ 2..=7 => ones - 1,
            _ => return Err(NoHeader),
        };
        for _ in 0..more {
            match rest.byte() {
                None => return Ok(None),
                Some(byte) if byte >> 6 == 0b10 => {}
                Some(_) => return Err(NoHeader),
            }
        }
        let Some(frames) = rest.frames(sizes >> 4) else { return Ok(None) };
        let Some(rate) = rest.rate(sizes & 15) else { return Ok(None) };
        let bytes = rest.at;
        let Some(checksum) = rest.byte() else { return Ok(None) };
        let frames = u16::try_from(frames).map_err(|_| NoHeader)?;
        if CRC_8.checksum(&rest.bytes[..bytes]) != checksum {
            return Err(NoHeader);
        }
        Ok(Some(Self { frames, rate, channels, bits, bytes: bytes + 1 }))
    }

    /// Whether a frame of a stream that says so can have this header.
    pub fn fits(&self, info: &StreamInfo) -> bool {
        self.frames <= info.most_frames
            && self.rate.is_none_or(|rate| rate == info.rate)
            && self.channels == info.channels
            && self.bits.is_none_or(|bits| bits == info.bits)
    }
}

/// How many frames of sound are in a packet that is a FLAC frame, 1 to 65535; `None` where it is none.
#[must_use]
pub fn frame_frames(packet: &[u8]) -> Option<u16> {
    FrameHeader::read(packet).ok().flatten().map(|header| header.frames)
}

/// Reads a header from its start to its end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at)?;
        self.at += 1;
        Some(*byte)
    }

    fn two_bytes(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// The block size (§9.1.1), whose larger values stand behind the number.
    fn frames(&mut self, code: u8) -> Option<u32> {
        Some(match code {
            1 => 192,
            2..=5 => 144 << code,
            6 => u32::from(self.byte()?) + 1,
            7 => u32::from(self.two_bytes()?) + 1,
            _ => 1 << code,
        })
    }

    /// The rate in Hz (§9.1.2), where STREAMINFO does not have it; other rates stand behind the block size.
    fn rate(&mut self, code: u8) -> Option<Option<u32>> {
        const RATES: [u32; 11] =
            [88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
        Some(match code {
            0 => None,
            12 => Some(u32::from(self.byte()?) * 1000),
            13 => Some(self.two_bytes()?.into()),
            14 => Some(u32::from(self.two_bytes()?) * 10),
            code => RATES.get(usize::from(code) - 1).copied(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of these codes, and what stands behind its number.
    fn header(sizes: u8, kinds: u8, number: &[u8], more: &[u8]) -> Vec<u8> {
        let mut bytes = [&[0xFF, 0xF9, sizes, kinds], number, more].concat();
        bytes.push(CRC_8.checksum(&bytes));
        bytes
    }

    #[test]
    fn only_a_frame_of_the_same_sound_fits() {
        let info = StreamInfo { most_frames: 4096, rate: 44_100, channels: 2, bits: 16 };
        let fits = |sizes, kinds, more: &[u8]| {
            FrameHeader::read(&header(sizes, kinds, &[5], more)).unwrap().unwrap().fits(&info)
        };
        // 4096 frames, 44.1 kHz, two channels in three ways, 16 bits; and what STREAMINFO has.
        for (sizes, kinds) in [(0xC9, 0x18), (0xC0, 0x10), (0xC9, 0x88), (0xC9, 0xA0), (0x19, 0x18)] {
            assert!(fits(sizes, kinds, &[]), "{sizes:#X} {kinds:#X}");
        }
        assert!(fits(0xCD, 0x18, &44_100_u16.to_be_bytes()) && fits(0x79, 0x18, &[0x0F, 0xFF]));
        // Another rate, one channel, three, 24 bits, more frames.
        for (sizes, kinds, more) in
            [(0xCA, 0x18, &[][..]), (0xC9, 0x08, &[]), (0xC9, 0x28, &[]), (0xC9, 0x1C, &[]), (0x79, 0x18, &[0x10, 0])]
        {
            assert!(!fits(sizes, kinds, more), "{sizes:#X} {kinds:#X}");
        }
    }

    #[test]
    fn block_sizes_are_read_in_every_form() {
        let number = [0xF8, 0x80, 0x80, 0x80, 0xBF];
        for (code, more, frames) in [
            (1_u8, &[][..], 192),
            (2, &[], 576),
            (5, &[], 4608),
            (6, &[0], 1),
            (6, &[255], 256),
            (7, &[0xFF, 0xFE], 65_535),
            (8, &[], 256),
            (15, &[], 32_768),
        ] {
            assert_eq!(frame_frames(&header(code << 4 | 9, 0x18, &number, more)), Some(frames), "{code}");
        }
        // 65,536 is too many, and 0 is reserved.
        assert_eq!(frame_frames(&header(0x79, 0x18, &number, &[0xFF, 0xFF])), None);
        assert_eq!(frame_frames(&header(0x09, 0x18, &number, &[])), None);
    }

    #[test]
    fn a_header_is_known_by_its_last_byte_and_not_before() {
        let whole = header(0x7E, 0x18, &[0xFE, 0xBF, 0x80, 0x80, 0x80, 0x80, 0x80], &[1, 0, 0x11, 0x3A]);
        assert_eq!(whole.len(), LONGEST_HEADER);
        for length in 0..whole.len() {
            assert_eq!(FrameHeader::read(&whole[..length]), Ok(None), "{length}");
        }
        let read = FrameHeader::read(&whole).unwrap().unwrap();
        assert_eq!((read.frames, read.rate, read.bytes), (257, Some(44_100), LONGEST_HEADER));
        for bit in 0..128_usize {
            let mut wrong = whole.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(FrameHeader::read(&wrong), Ok(Some(_))), "bit {bit}");
        }
    }
}
