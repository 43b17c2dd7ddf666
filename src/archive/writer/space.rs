//! How much of the disk is whose: the reserve, and what a round may take.
//!
//! What belongs here: plain decisions about bytes. What does not: asking the disk.
//!
//! 16 MiB are held in reserve for ending what is open: last pages, headers, the index, session files. They are held by
//! asking: before each round the writer asks the disk what is free, and a recording whose sound would not leave the reserve
//! whole ends there, with what is durable of it. The maker asks as often, and leaves far more (`derived`). A file that
//! is made beforehand and let go of when it is needed was weighed, and is no better: on a disk that compresses, or copies on write,
//! it holds nothing; it is a foreign body in every backup; and what it frees on a full disk the program that filled it takes first.
//! What asking cannot do is to keep other programs off. Where one of them is quicker than the next round, a write is
//! refused halfway: the file is cut back to what is durable, which frees what its last page needs.

/// What is held for ending what is open, in bytes.
pub(in crate::archive) const RESERVE: u64 = 16 * 1024 * 1024;

/// What is to be free before anything is begun again after a disk was full: as much as the reserve once more, so that what begins
/// does not end at once.
pub(super) const ROOM: u64 = 2 * RESERVE;

/// What a round costs beside sound, in bytes: pages of the index, and of its log.
pub(super) const BESIDE: u64 = 64 * 1024;

/// The most that a recording which ends may take of the reserve with its last sound, in bytes. What is more ends it as any other.
const LAST_SOUND: u64 = 1024 * 1024;

/// What the recordings of one round may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    /// Bytes that are free.
    pub free: u64,
}

impl Budget {
    /// Whether a recording may write so many bytes; those are then taken. One that is `ending` may take them of the reserve, as
    /// long as they are few.
    pub const fn take(&mut self, wanted: u64, ending: bool) -> bool {
        let of_reserve = ending && wanted <= LAST_SOUND + BESIDE;
        let held = if of_reserve { 0 } else { RESERVE };
        let enough = self.free >= wanted.saturating_add(held);
        if enough {
            self.free -= wanted;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn sound_never_takes_of_the_reserve_and_an_end_may() {
        let mut budget = Budget { free: 20 * MIB };
        assert!(budget.take(3 * MIB, false));
        assert!(!budget.take(2 * MIB, false), "the recordings of one round share what is free");
        assert!(budget.take(MIB, false));
        assert_eq!(budget.free, RESERVE);
        assert!(!budget.take(1, false));
        assert!(budget.take(MIB, true) && !budget.take(2 * MIB, true), "a minute of sound is no last page");
        assert_eq!(budget.free, 15 * MIB);
        assert!(!Budget { free: 0 }.take(1, true));
    }
}
