//! Extents: the checksums that WAV parts lack. The sound of a part is told in the index piece by piece, each with its CRC-32, so
//! that a flipped bit is seen.
//!
//! What belongs here: where extents begin and end, and their sums. What does not: the index, files.

use std::fmt;
use std::ops::Range;

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

/// An extent grows, round by round, until it has about so many bytes; then the next begins.
pub(super) const LONGEST_EXTENT: u64 = 256 * 1024;

/// CRC-32 as in Ethernet, gzip and PNG (ISO 3309), sixteen bytes at a time.
static SUM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// A piece of a WAV part's sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where it begins, in bytes of the file.
    pub begin: u64,
    /// Whole frames, at most [`LONGEST_EXTENT`].
    pub bytes: u64,
    /// CRC-32 of them.
    pub crc: u32,
}

impl Extent {
    /// An extent of these bytes.
    pub fn of(begin: u64, bytes: &[u8]) -> Self {
        Self { begin, bytes: bytes.len() as u64, crc: SUM.checksum(bytes) }
    }

    /// Its bytes' places in the file.
    pub const fn range(&self) -> Range<u64> {
        self.begin..self.begin.saturating_add(self.bytes)
    }

    /// Whether these are the bytes that were written.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.bytes && SUM.checksum(bytes) == self.crc
    }
}

/// The sum of all bytes so far.
#[derive(Clone)]
pub(super) struct Sum(Digest<'static, u32, Table<16>>);

impl Sum {
    /// That of nothing.
    pub fn new() -> Self {
        Self(SUM.digest())
    }

    /// Takes more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// CRC-32 of all of it.
    pub fn crc(&self) -> u32 {
        self.0.clone().finalize()
    }
}

impl fmt::Debug for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sum").field(&self.crc()).finish()
    }
}

/// The extents of a part that is being written.
#[derive(Debug)]
pub(super) struct Extents {
    /// A frame is never in two.
    longest: u64,
    begin: u64,
    bytes: u64,
    sum: Sum,
    /// Those that are full and not in the index yet.
    full: Vec<Extent>,
    /// Whether the one that grows is not in the index as it is.
    grown: bool,
}

impl Extents {
    /// Extents of frames of so many bytes, the first of which begins at this byte of the file.
    pub fn begin(at: u64, frame_bytes: u64) -> Self {
        let longest = LONGEST_EXTENT / frame_bytes * frame_bytes;
        Self { longest, begin: at, bytes: 0, sum: Sum::new(), full: Vec::new(), grown: false }
    }

    /// Takes whole frames that go on where the last ones ended.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.longest - self.bytes).unwrap_or(usize::MAX);
            let (here, after) = bytes.split_at(room.min(bytes.len()));
            self.sum.push(here);
            self.bytes += here.len() as u64;
            self.grown = true;
            bytes = after;
            if self.bytes == self.longest {
                self.full.push(self.open());
                (self.begin, self.bytes) = (self.begin + self.bytes, 0);
                (self.sum, self.grown) = (Sum::new(), false);
            }
        }
    }

    fn open(&self) -> Extent {
        Extent { begin: self.begin, bytes: self.bytes, crc: self.sum.crc() }
    }

    /// Those that the index does not have as they are.
    pub fn news(&self) -> impl Iterator<Item = Extent> {
        self.full.iter().copied().chain(self.grown.then(|| self.open()))
    }

    /// Those that are full, which are given once.
    pub fn full(&mut self) -> impl Iterator<Item = Extent> {
        self.full.drain(..)
    }

    /// The index has them all.
    pub fn indexed(&mut self) {
        self.full.clear();
        self.grown = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_lie_one_behind_the_other_whole_frames_each_and_sum_what_is_in_them() {
        let all: Vec<u8> = (0..700_000_u32).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let all = &all[..700_000 / 6 * 6];
        let mut extents = Extents::begin(68, 6);
        let mut known = std::collections::BTreeMap::new();
        for round in all.chunks(6 * 10_007) {
            extents.push(round);
            known.extend(extents.news().map(|extent| (extent.begin, extent)));
            extents.indexed();
            assert_eq!(extents.news().count(), 0);
        }
        let mut at = 68;
        for extent in known.values() {
            assert_eq!((extent.begin, extent.bytes % 6), (at, 0));
            let inside = usize::try_from(extent.begin - 68).unwrap()..usize::try_from(extent.range().end - 68).unwrap();
            assert!(extent.holds(&all[inside.clone()]) && *extent == Extent::of(extent.begin, &all[inside.clone()]));
            let mut flipped = all[inside].to_vec();
            flipped[100] ^= 4;
            assert!(!extent.holds(&flipped) && !extent.holds(&flipped[1..]));
            at = extent.range().end;
        }
        assert_eq!((at, known.len()), (68 + all.len() as u64, 3));
    }
}
