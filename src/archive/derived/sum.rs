//! The sum of a file that is made: CRC-32 as that of extents (CRC-32/ISO-HDLC), also where bytes are written over.
//!
//! What belongs here: sums. What does not: the bytes themselves, which nobody keeps.
//!
//! A CRC is linear: where bytes become others, that of the file changes by something that depends on nothing but the two and how
//! many bytes come behind them. So a header that is filled in at the end costs no second look at what follows it.

use crc32fast::Hasher;

/// Sums bytes up, one after another.
#[derive(Clone, Debug, Default)]
pub(in crate::archive) struct Sum {
    sum: Hasher,
    length: u64,
    /// What was written over, each with the place behind it.
    changes: Vec<(u64, u32)>,
}

impl Sum {
    /// More bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// From byte `at` on there is something else than before; as many bytes, and none past the last.
    pub fn change(&mut self, at: u64, before: &[u8], now: &[u8]) {
        debug_assert!(before.len() == now.len() && at + now.len() as u64 <= self.length);
        self.changes.push((at + now.len() as u64, crc32fast::hash(before) ^ crc32fast::hash(now)));
    }

    /// How many bytes there were.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The sum of all bytes, as they are now.
    pub fn get(&self) -> u32 {
        self.changes.iter().fold(self.sum.clone().finalize(), |sum, (behind, change)| {
            let mut change = Hasher::new_with_initial(*change);
            change.combine(&Hasher::new_with_initial_len(0, self.length - behind));
            sum ^ change.finalize()
        })
    }
}

#[cfg(test)]
mod tests {
    use crc::{CRC_32_ISO_HDLC, Crc};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_that_of_the_bytes_as_they_are_at_last(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..20), 0..8_usize), 0..8),
        ) {
            let (mut sum, mut bytes) = (Sum::default(), Vec::new());
            for (number, piece) in pieces.iter().enumerate() {
                sum.add(piece);
                bytes.extend_from_slice(piece);
                for (at, now, _) in changes.iter().filter(|(.., after)| *after == number) {
                    if now.len() > bytes.len() {
                        continue;
                    }
                    let at = at.index(bytes.len() - now.len() + 1);
                    sum.change(at as u64, &bytes[at..at + now.len()], now);
                    bytes[at..at + now.len()].copy_from_slice(now);
                }
            }
            let expected = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(&bytes);
            prop_assert_eq!((sum.get(), sum.length()), (expected, bytes.len() as u64));
        }
    }
}
