//! Retention: which recordings go by themselves, so that others have a place.
//!
//! What belongs here: the limits that a person sets, what is decided by them (`decision`), when that is looked at (`keeper`),
//! which recordings somebody reads just now (`uses`), and what is told of all this (`storage`). What does not: how a recording
//! is deleted (the writer), what takes how much (the index, which keeps the sums).
//!
//! 1. Without a limit nothing goes.
//! 2. The oldest goes first, and a recording is as old as its end. What has not ended, is marked `keep`, or is being
//!    downloaded or replayed, stays, whatever the limit; whoever begins to read it in the very moment in which it goes has its
//!    files open, and keeps them.
//! 3. No more goes than a limit asks for.
//! 4. For what is there because someone asked for it no recording goes: it does not count, and where the disk has too little
//!    free it goes first.
//! 5. What is looked at is bounded: pages of [`index::retention::PAGE`](super::index::retention) rows of an index that has all
//!    that is asked for; the sums are in the index already. A million recordings cost what one does.

mod decision;
mod keeper;
mod storage;
mod uses;

use crate::archive::model::UnknownWord;

pub(super) use decision::Candidate;
pub(super) use storage::Expiry;
pub use storage::{Count, Deleted, Deletion, Next, RoomStorage, Space, Storage};
pub use uses::InUse;
pub(super) use uses::Retention;

/// What a person allows recordings to take. None of them: everything is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many days a recording stays after its end.
    pub max_days: Option<u32>,
    /// How many bytes all recordings have at most: their parts, and what is derived from them without being asked for.
    pub max_bytes: Option<u64>,
    /// The same for the recordings of each room.
    pub max_room_bytes: Option<u64>,
    /// How many bytes of the disk stay free at least.
    pub min_free_bytes: Option<u64>,
}

impl Limits {
    /// Whether there is one that is about all recordings, and not only about those of a room.
    pub(super) const fn on_all(&self) -> bool {
        self.max_days.is_some() || self.max_bytes.is_some() || self.min_free_bytes.is_some()
    }
}

/// The limit by which a recording goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// [`Limits::max_days`].
    MaxDays,
    /// [`Limits::max_room_bytes`].
    MaxRoomBytes,
    /// [`Limits::max_bytes`].
    MaxBytes,
    /// [`Limits::min_free_bytes`].
    MinFreeBytes,
}

impl Reason {
    /// All of them, in the order in which they are asked.
    pub const ALL: [Self; 4] = [Self::MaxDays, Self::MaxRoomBytes, Self::MaxBytes, Self::MinFreeBytes];

    /// The word for it, in the index, in REST and in the options.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::MaxDays => "max_days",
            Self::MaxRoomBytes => "max_room_bytes",
            Self::MaxBytes => "max_bytes",
            Self::MinFreeBytes => "min_free_bytes",
        }
    }
}

impl std::str::FromStr for Reason {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let unknown = || UnknownWord::new("reason for the deletion", text);
        Self::ALL.into_iter().find(|reason| reason.word() == text).ok_or_else(unknown)
    }
}
