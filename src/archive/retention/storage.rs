//! What is told of the disk and of what recordings take of it.

use super::Limits;
use super::Reason;
use super::decision::expires;
use crate::archive::handle::{Archive, Error};
use crate::archive::index::retention as index;
use crate::archive::model::RecordingId;
use crate::archive::writer::Command;
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

/// Below so many hundredths of the disk free, someone should know.
const LOW_PERCENT: u128 = 5;
/// How many rooms, the largest first, and how many deletions, the last first, are told.
const MOST_TOLD: u32 = 100;
/// How many of those that go next are told.
const MOST_NEXT: u32 = 10;

/// The disk that the recordings are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that are free to us.
    pub free: u64,
    /// Bytes that it has.
    pub capacity: u64,
}

impl Space {
    /// Whether less than a twentieth of it is free.
    #[must_use]
    pub fn is_low(&self) -> bool {
        u128::from(self.free) * 100 < u128::from(self.capacity) * LOW_PERCENT
    }
}

/// How many recordings, and their bytes: of parts and of what is derived from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub recordings: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What recordings take, what they may, and what went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// All recordings, those that have not ended included.
    pub all: Count,
    /// The disk.
    pub space: Space,
    /// What a person allows.
    pub limits: Limits,
    /// The limits that are passed, though everything went that may.
    pub unmet: Vec<Reason>,
    /// The hundred largest rooms, the largest first.
    pub rooms: Vec<RoomStorage>,
    /// What was deleted, by a limit or a person, and the disk would not remove yet. It takes its place in all these sums still.
    pub unremoved: Count,
    /// What goes first when a limit on all recordings is passed, the oldest first; nothing where there is no such limit.
    pub next: Vec<Next>,
    /// What retention deleted.
    pub deleted: Deleted,
}

/// What the recordings of a room take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomStorage {
    /// Whose.
    pub room: RoomName,
    /// How much.
    pub count: Count,
    /// What goes first when the room's limit is passed, if there is one.
    pub next: Option<RecordingId>,
}

/// A recording that goes before others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Which.
    pub id: RecordingId,
    /// Where it was made.
    pub room: RoomName,
    /// When it ended.
    pub ended: UnixMillis,
    /// Its bytes.
    pub bytes: u64,
    /// When it goes at the latest, where days are limited.
    pub expires: Option<UnixMillis>,
}

/// What retention deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Since when it is counted: the start of the hub. None, where nobody looks after it.
    pub since: Option<UnixMillis>,
    /// How much went by which limit since then.
    pub by: Vec<(Reason, Count)>,
    /// The last hundred, also of earlier runs, the last first.
    pub latest: Vec<Deletion>,
}

/// A recording that is to go by a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Expiry {
    /// By which.
    pub reason: Reason,
    /// When that was decided.
    pub at: UnixMillis,
}

/// A recording that went by a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// When.
    pub at: UnixMillis,
    /// By which limit.
    pub reason: Reason,
    /// Which it was.
    pub id: RecordingId,
    /// Where it was made.
    pub room: RoomName,
    /// What it was called, if someone had named it.
    pub title: Option<String>,
    /// When it had ended.
    pub ended: UnixMillis,
    /// Its bytes.
    pub bytes: u64,
}

impl Archive {
    /// What recordings take, what they may, and what went. The disk is asked: one that hangs does not answer, so put a
    /// deadline on it.
    ///
    /// # Errors
    /// Where the index or the disk cannot be read.
    pub async fn storage(&self) -> Result<Storage, Error> {
        let space = self.space().await?;
        let (limits, unmet, mut deleted) = self.retention().told();
        // All of it from one moment.
        let mut transaction = self.readers().begin().await?;
        let all = index::totals(&mut transaction).await?;
        let mut rooms = index::rooms(&mut transaction, MOST_TOLD).await?;
        if limits.max_room_bytes.is_some() {
            for room in &mut rooms {
                let first = index::oldest_of_room(&mut transaction, &room.room, None, 1).await?;
                room.next = first.first().map(|candidate| candidate.id);
            }
        }
        let next = if limits.on_all() { index::oldest(&mut transaction, None, MOST_NEXT).await? } else { Vec::new() };
        let next = next.into_iter().map(|candidate| Next {
            id: candidate.id,
            room: candidate.room,
            ended: candidate.ended,
            bytes: candidate.bytes,
            expires: limits.max_days.map(|days| expires(candidate.ended, days)),
        });
        let waiting = index::unremoved(&mut transaction).await?;
        deleted.latest = index::deletions(&mut transaction, MOST_TOLD).await?;
        deleted.latest.retain(|gone| waiting.iter().all(|one| one.id != gone.id));
        let unremoved = Count { recordings: waiting.len() as u64, bytes: waiting.iter().map(|one| one.bytes).sum() };
        Ok(Storage { all, space, limits, unmet, rooms, unremoved, next: next.collect(), deleted })
    }

    /// The disk that the recordings are on.
    pub(super) async fn space(&self) -> Result<Space, Error> {
        self.ask(|reply| Command::Space { reply }).await
    }
}
