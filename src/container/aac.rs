//! AAC as its AudioSpecificConfig tells it (ISO/IEC 14496-3 §1.6.2.1): rate and channels, and whether we decode it.
//!
//! What belongs here: the config, which MP4 and Matroska both carry. What does not: the descriptors around it, sound
//! (`media::codec`).

use super::counter::Counter;
use crate::media::pcm::Unfit;

/// Frames of each packet (ISO/IEC 14496-3 §4.5.2.1): with the flag for 960 a config is refused.
pub(in crate::container) const FRAMES: u64 = 1024;

/// Rates by their index (ISO/IEC 14496-3 §1.6.3.4, table 1.18).
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// Object types (ISO/IEC 14496-3 §1.5.1, table 1.17).
const LOW_COMPLEXITY: u32 = 2;
const BAND_REPLICATION: u32 = 5;

/// Reads an AudioSpecificConfig; gives a counter of its rate and channels.
///
/// # Errors
/// Where it is cut off, or says something that is not accepted.
pub(in crate::container) fn parse(config: &[u8]) -> Result<Counter, Error> {
    let mut bits = Bits { bytes: config, at: 0 };
    let object_type = bits.object_type()?;
    if object_type != LOW_COMPLEXITY {
        return Err(Error::ObjectType(object_type));
    }
    let index = bits.number(4)?;
    let rate = match RATES.get(index as usize) {
        Some(rate) => *rate,
        None if index == 15 => bits.number(24)?,
        None => return Err(Error::Rate(index)),
    };
    let channels = match bits.number(4)? {
        0 => return Err(Error::Program),
        // Seven says eight.
        7 => 8,
        channels => channels,
    };
    let counter = Counter::of(rate, channels)?;
    // GASpecificConfig (ISO/IEC 14496-3 §4.4.1).
    if bits.number(1)? == 1 {
        return Err(Error::FrameLength);
    }
    if bits.number(1)? == 1 {
        return Err(Error::CoreCoder);
    }
    bits.number(1)?;
    // Behind it a reader that knows is told of band replication (§1.6.6.1); where nothing stands, there is none.
    if bits.number(11) == Ok(0x2B7) && bits.object_type() == Ok(BAND_REPLICATION) && bits.number(1) == Ok(1) {
        return Err(Error::ObjectType(BAND_REPLICATION));
    }
    Ok(counter)
}

/// Bits from the highest of each byte.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// A number of at most 32 bits.
    fn number(&mut self, bits: usize) -> Result<u32, Error> {
        (0..bits).try_fold(0, |number, _| {
            let byte = self.bytes.get(self.at / 8).ok_or(Error::Short(self.bytes.len()))?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Ok(number << 1 | u32::from(bit))
        })
    }

    fn object_type(&mut self) -> Result<u32, Error> {
        match self.number(5)? {
            31 => Ok(32 + self.number(6)?),
            object_type => Ok(object_type),
        }
    }
}

/// Why an AudioSpecificConfig is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends too early.
    #[error("the AudioSpecificConfig of {0} bytes is cut off (ISO/IEC 14496-3 §1.6.2.1)")]
    Short(usize),
    /// A reserved rate.
    #[error("the AudioSpecificConfig has the reserved rate index {0} (ISO/IEC 14496-3 §1.6.3.4)")]
    Rate(u32),
    /// Not AAC-LC.
    #[error("AAC of object type {0}{name} is not accepted, only AAC-LC (2)", name = name(*.0))]
    ObjectType(u32),
    /// Channels that only the sound itself would tell.
    #[error("AAC whose channels are told by a program config is not accepted, only mono and stereo by their number")]
    Program,
    /// Short frames.
    #[error("AAC in frames of 960 samples is not accepted, only 1024")]
    FrameLength,
    /// Scalable AAC.
    #[error("AAC that depends on a core coder is not accepted, only AAC-LC on its own")]
    CoreCoder,
    /// A rate or channels that are not accepted.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl Error {
    /// Whether all is well, and only not accepted.
    pub(in crate::container) const fn is_unsupported(&self) -> bool {
        !matches!(self, Self::Short(_) | Self::Rate(_))
    }
}

const fn name(object_type: u32) -> &'static str {
    match object_type {
        1 => " (Main)",
        3 => " (SSR)",
        4 => " (LTP)",
        BAND_REPLICATION => " (HE-AAC)",
        23 => " (LD)",
        29 => " (HE-AAC v2)",
        39 => " (ELD)",
        42 => " (USAC)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(config: &[u8]) -> (u32, u8) {
        let counter = parse(config).unwrap();
        (counter.rate(), counter.channels())
    }

    #[test]
    fn the_configs_that_encoders_write_are_read() {
        // WebKitGTK: 44100 Hz, mono. ffmpeg: 48000 Hz, stereo, and that there is no band replication.
        assert_eq!(heard(&[0x12, 0x08]), (44_100, 1));
        assert_eq!(heard(&[0x11, 0x90, 0x56, 0xE5, 0x00]), (48_000, 2));
        // A rate written out: 0b00010_1111, 24 bits of 8000, 0b0001_000.
        assert_eq!(heard(&[0x17, 0x80, 0x0F, 0xA0, 0x08]), (8000, 1));
    }

    #[test]
    fn what_is_not_low_complexity_mono_or_stereo_is_refused_with_a_sentence() {
        let refused = |config: &[u8]| {
            let error = parse(config).unwrap_err();
            assert!(error.is_unsupported(), "{error}");
            error
        };
        assert_eq!(refused(&[0x2B, 0x92, 0x08, 0x00]), Error::ObjectType(5));
        assert_eq!(refused(&[0xEB, 0x8A, 0x08, 0x00]), Error::ObjectType(29));
        assert_eq!(refused(&[0x13, 0x88, 0x56, 0xE5, 0xA0]), Error::ObjectType(5));
        assert_eq!(refused(&[0xF9, 0x48]), Error::ObjectType(42));
        assert_eq!(refused(&[0x12, 0x00]), Error::Program);
        assert_eq!(refused(&[0x12, 0x30]), Error::Unfit(Unfit::Channels(6)));
        assert_eq!(refused(&[0x12, 0x38]), Error::Unfit(Unfit::Channels(8)));
        assert_eq!(refused(&[0x16, 0x08]), Error::Unfit(Unfit::Rate(7350)));
        assert_eq!(refused(&[0x12, 0x0C]), Error::FrameLength);
        assert_eq!(refused(&[0x12, 0x0A]), Error::CoreCoder);
        assert_eq!(Error::ObjectType(5).to_string(), "AAC of object type 5 (HE-AAC) is not accepted, only AAC-LC (2)");
        for broken in [&[][..], &[0x12], &[0x17, 0x80], &[0x16, 0x88]] {
            assert!(!parse(broken).unwrap_err().is_unsupported(), "{broken:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_config_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..16)) {
            let _ = parse(&bytes);
        }
    }
}
