//! Opus packets and heads, read without decoding: durations from the TOC byte, the identification header, coded silence.
//!
//! RFC 6716 §3 (the packet), RFC 7845 §5.1 (the identification header), §4.1 (silence for a gap).

use serde::{Deserialize, Serialize};

use super::time::Ticks;

/// The longest sound that one packet may carry: 120 ms (RFC 6716 §3.2.5, requirement R5).
pub const LONGEST_PACKET: Ticks = Ticks::from_millis(120);

/// What a decoder is told before the first packet: OpusHead of channel mapping family 0, version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// 1 or 2 (family 0 knows no more).
    pub channels: u8,
    /// Ticks at 48 kHz that a decoder throws away at the start.
    pub pre_skip: u16,
    /// The rate of the sound before it was encoded, in Hz; information only, Opus time is always 48 kHz. 0 is unknown.
    pub input_rate: u32,
    /// Gain to apply to the decoded sound, in 1/256 dB.
    pub output_gain: i16,
}

impl Head {
    /// Bytes of an OpusHead of family 0.
    pub const LENGTH: usize = 19;

    /// Reads an OpusHead: a WebM CodecPrivate, or the first packet of an Ogg stream.
    ///
    /// # Errors
    /// Where the bytes are none, of a version that we must not read, or of another mapping family than 0.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeadError> {
        let Some(fixed) = bytes.first_chunk::<{ Self::LENGTH }>() else { return Err(HeadError::Short(bytes.len())) };
        if &fixed[..8] != b"OpusHead" {
            return Err(HeadError::Magic);
        }
        // RFC 7845 §5.1: versions 0 to 15 are readable as version 1.
        if fixed[8] > 15 {
            return Err(HeadError::Version(fixed[8]));
        }
        if fixed[18] != 0 {
            return Err(HeadError::Family(fixed[18]));
        }
        let channels = fixed[9];
        if !(1..=2).contains(&channels) {
            return Err(HeadError::Channels(channels));
        }
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([fixed[10], fixed[11]]),
            input_rate: u32::from_le_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]),
            output_gain: i16::from_le_bytes([fixed[16], fixed[17]]),
        })
    }

    /// The head as OpusHead of version 1, family 0.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(b"OpusHead");
        bytes[8] = 1;
        bytes[9] = self.channels;
        bytes[10..12].copy_from_slice(&self.pre_skip.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.input_rate.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.output_gain.to_le_bytes());
        bytes
    }

    /// The same head with another pre-skip.
    #[must_use]
    pub const fn with_pre_skip(self, pre_skip: u16) -> Self {
        Self { pre_skip, ..self }
    }

    /// Whether a stream of the other head goes on in the same part: everything that a decoder must know is the same. The
    /// pre-skip of an encoder that starts again stays in the sound, and is noted.
    #[must_use]
    pub const fn continues(self, other: Self) -> bool {
        self.channels == other.channels && self.input_rate == other.input_rate && self.output_gain == other.output_gain
    }
}

/// Why bytes are no OpusHead that we can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Too few bytes.
    #[error("OpusHead has {0} bytes, it needs 19 (RFC 7845 §5.1)")]
    Short(usize),
    /// Not an OpusHead at all.
    #[error("OpusHead does not begin with its magic (RFC 7845 §5.1)")]
    Magic,
    /// A version with another layout.
    #[error("OpusHead is of version {0}, which is not readable as version 1 (RFC 7845 §5.1)")]
    Version(u8),
    /// Surround and ambisonics.
    #[error("Opus with channel mapping family {0} is not supported, only family 0: mono and stereo (RFC 7845 §5.1.1)")]
    Family(u8),
    /// A count that family 0 does not allow.
    #[error("OpusHead says {0} channels, family 0 has 1 or 2 (RFC 7845 §5.1.1.1)")]
    Channels(u8),
}

impl HeadError {
    /// Whether the head may be well, and is of a kind that is not accepted; else it is broken.
    #[must_use]
    pub const fn is_unsupported(self) -> bool {
        matches!(self, Self::Version(_) | Self::Family(_))
    }
}

/// How long a packet sounds, from its own bytes; the whole layout is checked, so that a decoder will not refuse it.
///
/// # Errors
/// Where the packet breaks one of the requirements R1 to R7 of RFC 6716 §3.4.
pub fn duration(packet: &[u8]) -> Result<Ticks, PacketError> {
    let Some((&toc, body)) = packet.split_first() else { return Err(PacketError::Empty) };
    let frame = frame_length(toc);
    let frames = match toc & 0b11 {
        0 => {
            check_frame(body.len())?;
            1
        }
        1 => {
            if body.len() % 2 != 0 {
                return Err(PacketError::Uneven);
            }
            check_frame(body.len() / 2)?;
            2
        }
        2 => {
            let (first, rest) = frame_size(body)?;
            check_frame(rest.len().checked_sub(first).ok_or(PacketError::Short)?)?;
            2
        }
        _ => code_3(body)?,
    };
    let duration = Ticks::new(frame.get() * frames);
    if duration > LONGEST_PACKET { Err(PacketError::Long(duration)) } else { Ok(duration) }
}

/// The longest frame in bytes, R2.
const LONGEST_FRAME: usize = 1275;

/// The length of each frame in ticks, from the TOC's configuration (RFC 6716 §3.1, table 2).
const fn frame_length(toc: u8) -> Ticks {
    let ticks = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][(config & 3) as usize],
        config @ 12..=15 => [480, 960][(config & 1) as usize],
        config => [120, 240, 480, 960][(config & 3) as usize],
    };
    Ticks::new(ticks)
}

const fn check_frame(length: usize) -> Result<(), PacketError> {
    if length > LONGEST_FRAME { Err(PacketError::Frame(length)) } else { Ok(()) }
}

/// Reads a frame's length of one or two bytes (RFC 6716 §3.2.1).
fn frame_size(bytes: &[u8]) -> Result<(usize, &[u8]), PacketError> {
    match bytes {
        [first @ 0..=251, rest @ ..] => Ok((usize::from(*first), rest)),
        [first, second, rest @ ..] => Ok((usize::from(*first) + 4 * usize::from(*second), rest)),
        _ => Err(PacketError::Short),
    }
}

/// A packet with a count byte (RFC 6716 §3.2.5): gives the number of frames.
fn code_3(body: &[u8]) -> Result<u64, PacketError> {
    let Some((&count_byte, mut rest)) = body.split_first() else { return Err(PacketError::Short) };
    let frames = u64::from(count_byte & 0b0011_1111);
    if frames == 0 {
        return Err(PacketError::NoFrames);
    }
    let mut padding = 0_usize;
    if count_byte & 0b0100_0000 != 0 {
        loop {
            let Some((&byte, after)) = rest.split_first() else { return Err(PacketError::Short) };
            rest = after;
            padding += usize::from(if byte == 255 { 254 } else { byte });
            if byte != 255 {
                break;
            }
        }
    }
    let variable = count_byte & 0b1000_0000 != 0;
    let mut sized = 0_usize;
    if variable {
        for _ in 1..frames {
            let (size, after) = frame_size(rest)?;
            rest = after;
            sized += size;
        }
    }
    let data = rest.len().checked_sub(padding).ok_or(PacketError::Short)?;
    if variable {
        check_frame(data.checked_sub(sized).ok_or(PacketError::Short)?)?;
    } else {
        let frames = usize::try_from(frames).unwrap_or(usize::MAX);
        if data % frames != 0 {
            return Err(PacketError::Uneven);
        }
        check_frame(data / frames)?;
    }
    Ok(frames)
}

/// Why bytes are no Opus packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// R1: a packet has at least its TOC byte.
    #[error("an Opus packet is empty (RFC 6716 §3.4, R1)")]
    Empty,
    /// R2: a frame is at most 1275 bytes.
    #[error("an Opus frame has {0} bytes, at most 1275 are allowed (RFC 6716 §3.4, R2)")]
    Frame(usize),
    /// R3, R6: frames of one size must share the bytes evenly.
    #[error("the frames of an Opus packet do not share its bytes evenly (RFC 6716 §3.4, R3 and R6)")]
    Uneven,
    /// R4, R7: the packet ends before what it announces.
    #[error("an Opus packet ends before what it announces (RFC 6716 §3.4, R4 to R7)")]
    Short,
    /// R5: a count of zero.
    #[error("an Opus packet announces no frames (RFC 6716 §3.4, R5)")]
    NoFrames,
    /// R5: more than 120 ms.
    #[error("an Opus packet sounds for {0}, at most 120 ms are allowed (RFC 6716 §3.4, R5)")]
    Long(Ticks),
}

/// The shortest packet of coded silence: 2.5 ms.
pub const SHORTEST_SILENCE: Ticks = Ticks::new(120);

/// Whether a packet is coded silence as [`silence`] gives it: it may fill a gap, and have no number then.
#[must_use]
pub const fn is_silence(packet: &[u8]) -> bool {
    matches!(packet, [0xF8 | 0xF0 | 0xE8 | 0xE0, 0xFF, 0xFE])
}

/// A packet of coded silence, and how long it sounds.
pub const SILENCE_20_MS: (&[u8], Ticks) = (&[0xF8, 0xFF, 0xFE], Ticks::from_millis(20));

/// Packets of coded silence (CELT, full band) that fill a gap: as many of 20 ms as fit, then shorter ones (RFC 7845 §4.1).
/// What is left, less than 2.5 ms, is the second value: carry it to the next gap.
pub fn silence(length: Ticks) -> (impl Iterator<Item = (&'static [u8], Ticks)>, Ticks) {
    const STEPS: [(&[u8], u64); 4] = [
        (&[0xF8, 0xFF, 0xFE], 960),
        (&[0xF0, 0xFF, 0xFE], 480),
        (&[0xE8, 0xFF, 0xFE], 240),
        (&[0xE0, 0xFF, 0xFE], 120),
    ];
    let rest = Ticks::new(length.get() % SHORTEST_SILENCE.get());
    let mut left = length.get() - rest.get();
    let packets = std::iter::from_fn(move || {
        let (packet, ticks) = STEPS.into_iter().find(|(_, ticks)| *ticks <= left)?;
        left -= ticks;
        Some((packet, Ticks::new(ticks)))
    });
    (packets, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toc_tells_the_duration() {
        let millis = |packet: &[u8]| duration(packet).unwrap().as_millis();
        assert_eq!(millis(&[0xF8, 0xFF, 0xFE]), 20); // CELT FB 20 ms, one frame
        assert_eq!(millis(&[0x7B, 3, 0, 0, 0]), 60); // hybrid FB 20 ms, three empty... of one byte each
        assert_eq!(millis(&[0x18, 1]), 60); // SILK NB 60 ms
        assert_eq!(millis(&[0x19, 1, 1]), 120); // two of them
        assert_eq!(duration(&[0xE0]).unwrap(), Ticks::new(120));
    }

    #[test]
    fn a_packet_that_breaks_a_requirement_is_named() {
        assert_eq!(duration(&[]), Err(PacketError::Empty));
        assert_eq!(duration(&[0xF9, 1]), Err(PacketError::Uneven));
        assert_eq!(duration(&[0xFA]), Err(PacketError::Short));
        assert_eq!(duration(&[0xFA, 9, 1]), Err(PacketError::Short));
        assert_eq!(duration(&[0xFB, 0]), Err(PacketError::NoFrames));
        assert_eq!(duration(&[0x1B, 3, 0, 0, 0]), Err(PacketError::Long(Ticks::from_millis(180))));
        assert_eq!(duration(&[0xFB, 0x43, 255, 255]), Err(PacketError::Short));
        assert_eq!(duration(&vec![0xF8; 1277]), Err(PacketError::Frame(1276)));
    }

    #[test]
    fn a_head_round_trips() {
        let head = Head { channels: 2, pre_skip: 312, input_rate: 44_100, output_gain: -256 };
        assert_eq!(Head::parse(&head.to_bytes()), Ok(head));
        assert!(head.continues(head.with_pre_skip(0)));
        assert!(!head.continues(Head { channels: 1, ..head }));
        let mut surround = head.to_bytes();
        surround[18] = 1;
        assert_eq!(Head::parse(&surround), Err(HeadError::Family(1)));
        assert_eq!(Head::parse(b"OpusHead"), Err(HeadError::Short(8)));
    }

    #[test]
    fn silence_fills_a_gap_but_for_less_than_its_shortest_packet() {
        for length in [0, 119, 120, 959, 2880, 48_000 * 60, 144_123] {
            let (packets, rest) = silence(Ticks::new(length));
            let filled: u64 = packets
                .map(|(packet, ticks)| {
                    assert_eq!(duration(packet), Ok(ticks));
                    ticks.get()
                })
                .sum();
            assert_eq!(filled + rest.get(), length);
            assert!(rest < SHORTEST_SILENCE);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_toc_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            if let Ok(ticks) = duration(&bytes) {
                proptest::prop_assert!(ticks <= LONGEST_PACKET && ticks > Ticks::ZERO);
            }
        }
    }
}
