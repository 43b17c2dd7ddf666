//! Peaks as a file in `derived/`.
//!
//! What belongs here: its layout. What does not: what is made of it for those who ask (`edge`).
//!
//! All numbers are little-endian: eight bytes that say what it is; then in eight bytes each how many ticks a pixel is, how many
//! pixels the session has, and the number of the first pixel that is there; then the least and the greatest of each, a byte
//! each. Only what lies between a track's first sound and its last is there: of a session of many short tracks the files would
//! be long rows of zeros.

use std::io::{self, Read};

use crate::media::peaks::{MOST_PIXELS, Peaks, Pixel, pixel_for};
use crate::media::time::Ticks;

/// What the file begins with.
const MAGIC: [u8; 8] = *b"peaks v1";
/// Bytes before the first pixel.
const HEADER: usize = 32;

/// What a file of peaks says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many ticks a pixel is.
    pub pixel: u64,
    /// How many pixels the session has.
    pub count: u64,
    /// The number of the first that is there.
    pub first: u64,
}

impl Head {
    /// Where a pixel stands in the file: a byte.
    pub fn place(&self, number: u64) -> u64 {
        HEADER as u64 + 2 * number.saturating_sub(self.first)
    }
}

/// How long a file of peaks is at most in a session of this length.
pub fn most(length: Ticks) -> u64 {
    HEADER as u64 + 2 * length.get().div_ceil(pixel_for(length, MOST_PIXELS))
}

/// The file of a track's peaks in a session of this length; of the peaks of all tracks where `of_all`.
pub fn write(peaks: Peaks, of_all: bool, length: Ticks) -> Vec<u8> {
    let peaks = peaks.with_pixels_of(pixel_for(length, MOST_PIXELS));
    let count = length.get().div_ceil(peaks.ticks_per_pixel());
    let (first, end) = if of_all { (0, count) } else { (peaks.first(), peaks.first() + peaks.pixels().len() as u64) };
    let (first, end) = (first.min(count), end.min(count));
    let head = [peaks.ticks_per_pixel(), count, first].map(u64::to_le_bytes).concat();
    let pairs = peaks.among(first..end).map(Pixel::pair);
    let pairs = pairs.flat_map(|(least, greatest)| [least.cast_unsigned(), greatest.cast_unsigned()]);
    MAGIC.into_iter().chain(head).chain(pairs).collect()
}

/// Reads what a file says of itself; it stands at its first byte.
pub fn read_head(file: &mut impl Read) -> io::Result<Head> {
    let mut bytes = [0; HEADER];
    file.read_exact(&mut bytes)?;
    let (magic, numbers) = bytes.split_at(MAGIC.len());
    let mut numbers = numbers.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
    match (magic == MAGIC, numbers.next(), numbers.next(), numbers.next()) {
        (true, Some(pixel @ 1..), Some(count), Some(first)) if count <= MOST_PIXELS && first <= count => {
            Ok(Head { pixel, count, first })
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no file of peaks")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_what_lies_between_the_first_sound_and_the_last() {
        let mut peaks = Peaks::default();
        peaks.put(Ticks::from_millis(30), 1, &[0.5; 960]);
        let length = Ticks::from_millis(1001);
        let file = write(peaks.clone(), false, length);
        assert_eq!(read_head(&mut &file[..]).unwrap(), Head { pixel: 480, count: 101, first: 3 });
        assert_eq!(file[32..], [64, 64, 64, 64]);
        let file = write(peaks.clone(), true, length);
        assert_eq!((read_head(&mut &file[..]).unwrap().first, file.len()), (0, 32 + 202));
        assert_eq!(file.len() as u64, most(length));
        // What lies behind the session's end is left out.
        let file = write(peaks, false, Ticks::from_millis(40));
        let head = read_head(&mut &file[..]).unwrap();
        assert_eq!((head.count, head.place(3), file.len()), (4, 32, 34));
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        let file = write(Peaks::default(), false, Ticks::from_secs(1));
        assert!(read_head(&mut &file[..]).is_ok());
        for bad in
            [&file[..31], &b"{}"[..], &[&b"peaks v2"[..], &file[8..]].concat(), &[&file[..8], &[0xFF; 24]].concat()]
        {
            assert!(read_head(&mut &bad[..]).is_err());
        }
    }
}
