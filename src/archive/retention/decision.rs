//! What is decided: which of the recordings that may go do go, and by which limit. A plain value: the time, the sizes and the
//! list, page by page, are passed in.

use super::{Limits, Reason, Space};
use crate::archive::model::RecordingId;
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A recording that may go: it has ended, and nobody has marked it `keep`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub id: RecordingId,
    /// Where it was made.
    pub room: RoomName,
    /// When it ended.
    pub ended: UnixMillis,
    /// Bytes of its parts and of what is derived from them.
    pub bytes: u64,
}

/// Which list is read: always the oldest end first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The recordings of one room, which have so many bytes too many. Before all others: what goes here may be enough there.
    Room {
        /// How many bytes are still to go.
        over: u64,
    },
    /// All recordings.
    All,
}

/// What goes of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The places in the page of those that go, and why.
    pub go: Vec<(usize, Reason)>,
    /// Whether something of the next page might go as well.
    pub more: bool,
}

/// A decision in the making: what is decided is taken for gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    limits: Limits,
    now: UnixMillis,
    /// Bytes of all recordings.
    bytes: u64,
    /// Bytes of the disk that are free.
    free: u64,
}

impl Decision {
    /// A decision by these limits at this time, with so many bytes in all recordings and so much space.
    pub const fn new(limits: Limits, now: UnixMillis, bytes: u64, space: Space) -> Self {
        Self { limits, now, bytes, free: space.free }
    }

    /// The list of a room that has so many bytes, if those are too many.
    pub fn room(&self, bytes: u64) -> Option<Scope> {
        let over = bytes.saturating_sub(self.limits.max_room_bytes?);
        (over > 0).then_some(Scope::Room { over })
    }

    /// Takes what goes of the next page of a list. `in_use` says what somebody reads just now, which stays.
    pub fn take(&mut self, scope: &mut Scope, page: &[Candidate], in_use: impl Fn(RecordingId) -> bool) -> Taken {
        let mut taken = Taken { go: Vec::new(), more: !page.is_empty() };
        for (place, candidate) in page.iter().enumerate() {
            // The next is younger, and nothing is smaller without this one going: where it stays, so do all after it.
            let Some(reason) = self.judge(*scope, candidate) else {
                taken.more = false;
                break;
            };
            if in_use(candidate.id) {
                continue;
            }
            taken.go.push((place, reason));
            self.bytes = self.bytes.saturating_sub(candidate.bytes);
            self.free = self.free.saturating_add(candidate.bytes);
            if let Scope::Room { over } = scope {
                *over = over.saturating_sub(candidate.bytes);
            }
        }
        taken
    }

    /// The limits that are still passed, though everything went that may: of all recordings, or of a room's.
    pub fn unmet(&self, scope: Scope) -> Vec<Reason> {
        let passed = |reason: &Reason| match (reason, scope) {
            // What is too old and stays is in use, and goes when it no longer is.
            (Reason::MaxDays, _) => false,
            (Reason::MaxRoomBytes, Scope::Room { over }) => over > 0,
            (Reason::MaxBytes, Scope::All) => self.is_over(),
            (Reason::MinFreeBytes, Scope::All) => self.is_short(),
            _ => false,
        };
        Reason::ALL.into_iter().filter(passed).collect()
    }

    fn judge(&self, scope: Scope, candidate: &Candidate) -> Option<Reason> {
        if self.is_old(candidate) {
            return Some(Reason::MaxDays);
        }
        match scope {
            Scope::Room { over } => (over > 0).then_some(Reason::MaxRoomBytes),
            Scope::All if self.is_over() => Some(Reason::MaxBytes),
            Scope::All => self.is_short().then_some(Reason::MinFreeBytes),
        }
    }

    fn is_old(&self, candidate: &Candidate) -> bool {
        self.limits.max_days.is_some_and(|days| expires(candidate.ended, days) <= self.now)
    }

    fn is_over(&self) -> bool {
        self.limits.max_bytes.is_some_and(|most| self.bytes > most)
    }

    fn is_short(&self) -> bool {
        self.limits.min_free_bytes.is_some_and(|least| self.free < least)
    }
}

/// When a recording that ended then is old.
pub fn expires(ended: UnixMillis, days: u32) -> UnixMillis {
    UnixMillis::new(ended.get().saturating_add(i64::from(days) * DAY))
}

#[cfg(test)]
mod tests;
