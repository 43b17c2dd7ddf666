//! Peaks as audiowaveform writes them, version 2, for peaks.js, wavesurfer.js and whatever else draws them
//! (<https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md>).
//!
//! What belongs here: the two layouts, binary and JSON, of one channel of eight bits. What does not: which pixels.

use std::io::Write as _;

use crate::media::time::Ticks;

/// What a binary file begins with: version 2.
const VERSION: i32 = 2;
/// Flags: resolution is eight bits.
const EIGHT_BITS: u32 = 1;

/// The most pixels of a JSON file: some 2 MB.
const MOST_OF_JSON: u64 = 1 << 18;

/// The layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Text: `waveform.json`.
    Json,
    /// Binary: `waveform.dat`.
    Dat,
}

impl Layout {
    /// The most pixels that a file has, where there is a bound.
    #[must_use]
    pub const fn most(self) -> Option<u64> {
        match self {
            Self::Json => Some(MOST_OF_JSON),
            Self::Dat => None,
        }
    }

    /// A file of these pixels, each of so many samples at 48 kHz.
    #[must_use]
    pub fn file(self, samples_per_pixel: u64, pixels: &[(i8, i8)]) -> Vec<u8> {
        match self {
            Self::Json => json(samples_per_pixel, pixels),
            Self::Dat => {
                let mut file = header(samples_per_pixel, pixels.len() as u64).unwrap_or_default();
                let bytes =
                    pixels.iter().flat_map(|(least, greatest)| [least, greatest].map(|one| one.cast_unsigned()));
                file.extend(bytes);
                file
            }
        }
    }
}

/// The header of a binary file of so many pixels, each of so many samples at 48 kHz; the least and the greatest of each follow it,
/// a byte each. `None` where the format has no place for such numbers.
#[must_use]
pub fn header(samples_per_pixel: u64, pixels: u64) -> Option<Vec<u8>> {
    let rate = i32::try_from(Ticks::PER_SECOND).ok()?;
    let (samples_per_pixel, pixels) = (i32::try_from(samples_per_pixel).ok()?, u32::try_from(pixels).ok()?);
    let fields = [
        VERSION.to_le_bytes(),
        EIGHT_BITS.to_le_bytes(),
        rate.to_le_bytes(),
        samples_per_pixel.to_le_bytes(),
        pixels.to_le_bytes(),
        1_i32.to_le_bytes(),
    ];
    Some(fields.concat())
}

/// A JSON file of these pixels, each of so many samples at 48 kHz.
#[must_use]
pub fn json(samples_per_pixel: u64, pixels: &[(i8, i8)]) -> Vec<u8> {
    let mut text = Vec::with_capacity(128 + 8 * pixels.len());
    let rate = Ticks::PER_SECOND;
    let head = format!(
        r#"{{"version":2,"channels":1,"sample_rate":{rate},"samples_per_pixel":{samples_per_pixel},"bits":8,"length":{},"data":["#,
        pixels.len()
    );
    text.extend_from_slice(head.as_bytes());
    for (index, (least, greatest)) in pixels.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}{least},{greatest}").expect("a Vec takes all that there is memory for");
    }
    text.extend_from_slice(b"]}");
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_binary_file_begins_with_its_24_bytes() {
        // As audiowaveform 1.10 writes it: version, flags, rate, samples per pixel, length, channels.
        let expected = [[2, 0, 0, 0], [1, 0, 0, 0], [0x80, 0xBB, 0, 0], [0xE0, 1, 0, 0], [3, 0, 0, 0], [1, 0, 0, 0]];
        assert_eq!(header(480, 3), Some(expected.concat()));
        assert_eq!(header(1 << 31, 3), None);
        assert_eq!(header(480, 1 << 32), None);
    }

    #[test]
    fn a_json_file_is_json() {
        let read = |pixels: &[(i8, i8)]| serde_json::from_slice::<Value>(&json(960, pixels)).unwrap();
        let expected = json!({
            "version": 2, "channels": 1, "sample_rate": 48_000, "samples_per_pixel": 960, "bits": 8,
            "length": 2, "data": [-128, 127, 0, 0],
        });
        assert_eq!(read(&[(-128, 127), (0, 0)]), expected);
        assert_eq!(read(&[])["data"], json!([]));
    }
}
