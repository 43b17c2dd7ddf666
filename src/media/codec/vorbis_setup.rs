//! The setup header of Vorbis, read so far as it asks for memory (Vorbis I §3.2.1, §4.2.4).
//!
//! What belongs here: adding up what its codebooks become. What does not: decoding anything.
//!
//! A codebook of some twenty bytes may stand for 4 million numbers, and a header may have 256 of them. The library bounds
//! each, not all together: so we do, before it reads any.

use symphonia_core::io::{BitReaderRtl, ReadBitsRtl};

use super::DecodeError;
use crate::media::pcm::Unfit;
use crate::media::source::Codec;

/// The most numbers that all codebooks of a stream may become, of 4 bytes: 8 MB. Those of libvorbis become some 100000.
const MOST_NUMBERS: u64 = 2 * 1024 * 1024;
/// Bytes of the identification header, which comes first.
const IDENTIFICATION: usize = 30;
/// Where it tells the channels (Vorbis I §4.2.2).
const CHANNELS: usize = 11;
/// The setup header's type and its signature.
const SETUP: &[u8] = b"\x05vorbis";
/// What each codebook begins with.
const CODEBOOK: u32 = 0x56_43_42;

/// Sees that there are one or two channels, and that the codebooks become no more than [`MOST_NUMBERS`]; that the rest can be read is seen by the library.
///
/// # Errors
/// Where they become more, or cannot be read.
pub fn check(private: &[u8]) -> Result<(), DecodeError> {
    let refused = |why: &str| DecodeError::Head { codec: Codec::Vorbis, why: why.to_owned() };
    if let Some(channels @ (0 | 3..)) = private.get(CHANNELS) {
        return Err(Unfit::Channels((*channels).into()).into());
    }
    let setup = private.get(IDENTIFICATION..).and_then(|rest| rest.strip_prefix(SETUP));
    let setup = setup.ok_or_else(|| refused("no setup header follows the identification header"))?;
    let mut bits = BitReaderRtl::new(setup);
    let numbers = numbers(&mut bits).map_err(|_| refused("a codebook of the setup header cannot be read"))?;
    if numbers > MOST_NUMBERS { Err(refused("the codebooks of the setup header are too large")) } else { Ok(()) }
}

/// The numbers of all codebooks, counted up to where they are too many.
fn numbers(bits: &mut BitReaderRtl<'_>) -> std::io::Result<u64> {
    let mut numbers = 0;
    for _ in 0..=bits.read_bits_leq32(8)? {
        numbers += codebook(bits)?;
        if numbers > MOST_NUMBERS {
            break;
        }
    }
    Ok(numbers)
}

/// Reads one codebook; gives how many numbers it becomes: its codewords, and its vectors.
fn codebook(bits: &mut BitReaderRtl<'_>) -> std::io::Result<u64> {
    if bits.read_bits_leq32(24)? != CODEBOOK {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let dimensions = bits.read_bits_leq32(16)?;
    let entries = bits.read_bits_leq32(24)?;
    if dimensions == 0 {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    // Codewords take a table of twice their number, and their lengths and values on the way to it.
    let mut numbers = u64::from(entries) * 4;
    if numbers > MOST_NUMBERS {
        return Ok(numbers);
    }
    if bits.read_bool()? {
        ordered_lengths(bits, entries)?;
    } else {
        let sparse = bits.read_bool()?;
        for _ in 0..entries {
            if !sparse || bits.read_bool()? {
                bits.ignore_bits(5)?;
            }
        }
    }
    let lookup = bits.read_bits_leq32(4)?;
    if lookup > 0 {
        bits.ignore_bits(64)?;
        let width = bits.read_bits_leq32(4)? + 1;
        bits.ignore_bits(1)?;
        numbers += u64::from(entries) * u64::from(dimensions);
        if numbers > MOST_NUMBERS {
            return Ok(numbers);
        }
        let values = if lookup == 1 { root(entries, dimensions) } else { entries * dimensions };
        for _ in 0..values {
            bits.ignore_bits(width)?;
        }
    }
    Ok(numbers)
}

/// Passes over lengths that are told by how many codewords have each.
fn ordered_lengths(bits: &mut BitReaderRtl<'_>, entries: u32) -> std::io::Result<()> {
    bits.ignore_bits(5)?;
    let mut left = entries;
    // A length is at most 32; each turn is of the next.
    for _ in 0..32 {
        if left == 0 {
            return Ok(());
        }
        let number = bits.read_bits_leq32(u32::BITS - left.leading_zeros())?;
        left = left.checked_sub(number).ok_or(std::io::ErrorKind::InvalidData)?;
    }
    if left == 0 { Ok(()) } else { Err(std::io::ErrorKind::InvalidData.into()) }
}

/// The largest number whose power of `dimensions` is not above `entries` (Vorbis I §9.2.3), as the library finds it: what is
/// passed over here must be what it reads.
#[expect(clippy::cast_precision_loss, reason = "at most 2^24")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 2^24, and not negative")]
fn root(entries: u32, dimensions: u32) -> u32 {
    (entries as f32).powf(1.0 / dimensions as f32).floor() as u32
}
