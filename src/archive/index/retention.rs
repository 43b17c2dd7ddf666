//! What retention asks: how much there is, what is the oldest that may go, what went.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::archive::model::{RecordingId, Summary};
use crate::archive::retention::{Candidate, Count, Deletion, Expiry, Reason, RoomStorage};
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

use super::row::{RowExt as _, int};

/// How many candidates are read at a time, and how many rooms.
pub(in crate::archive) const PAGE: u32 = 100;
/// How many deletions are remembered.
const REMEMBERED: i64 = 1000;

/// The oldest that may go, behind a key. The condition is that of the index, which is how SQLite knows that it has them all.
macro_rules! oldest {
    ($index:literal, $of_room:literal) => {
        concat!(
            "SELECT id, room, ended_unix_millis, bytes + derived_bytes AS bytes FROM recordings INDEXED BY ",
            $index,
            " WHERE state = 'ended' AND keep = 0 AND deleting = 0 AND ",
            $of_room,
            "(ended_unix_millis, id) > (?, ?) ORDER BY ended_unix_millis, id LIMIT ?"
        )
    };
}

statements! {
    TOTALS = "SELECT recordings, bytes FROM storage WHERE one = 1",
        ["SEARCH storage USING INTEGER PRIMARY KEY (rowid=?)"];
    ROOMS = "SELECT room, recordings, bytes FROM room_storage ORDER BY bytes DESC, room DESC LIMIT ?",
        ["SCAN room_storage USING COVERING INDEX room_storage_largest_first"];
    ROOMS_OVER = "SELECT room, bytes FROM room_storage WHERE bytes > ? AND (bytes, room) < (?, ?) \
                  ORDER BY bytes DESC, room DESC LIMIT ?",
        ["SEARCH room_storage USING COVERING INDEX room_storage_largest_first (bytes>? AND (bytes,room)<(?,?))"];
    OLDEST = oldest!("recordings_to_go_oldest_first", ""),
        ["SEARCH recordings USING INDEX recordings_to_go_oldest_first ((ended_unix_millis,id)>(?,?))"];
    OLDEST_OF_ROOM = oldest!("recordings_of_room_to_go_oldest_first", "room = ? AND "),
        ["SEARCH recordings USING INDEX recordings_of_room_to_go_oldest_first (room=? AND (ended_unix_millis,id)>(?,?))"];
    BYTES = "SELECT bytes + derived_bytes AS bytes FROM recordings WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    DELETION = "INSERT INTO deletions (at_unix_millis, reason, id, room, title, ended_unix_millis, bytes) \
                VALUES (?, ?, ?, ?, ?, ?, ?)", [];
    FORGET_DELETIONS = "DELETE FROM deletions WHERE deletion <= ?",
        ["SEARCH deletions USING INTEGER PRIMARY KEY (rowid<?)"];
    /// By which limit a recording went that is marked for it.
    EXPIRED = "SELECT reason, bytes FROM deletions WHERE id = (SELECT id FROM recordings WHERE recording = ?) \
               ORDER BY deletion DESC LIMIT 1",
        ["SCAN deletions", "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    UNREMOVED = "SELECT id, room, bytes + derived_bytes AS bytes FROM recordings WHERE deleting = 1 ORDER BY recording",
        ["SCAN recordings USING INDEX recordings_being_deleted"];
    DELETIONS = "SELECT at_unix_millis, reason, id, room, title, ended_unix_millis, bytes FROM deletions \
                 ORDER BY deletion DESC LIMIT ?",
        ["SCAN deletions"];
}

/// The last key of a page of candidates.
pub(in crate::archive) type After = Option<(UnixMillis, RecordingId)>;

/// What all recordings take.
pub(in crate::archive) async fn totals(c: &mut SqliteConnection) -> Result<Count, sqlx::Error> {
    count(&sqlx::query(TOTALS).fetch_one(c).await?)
}

fn count(row: &SqliteRow) -> Result<Count, sqlx::Error> {
    Ok(Count { recordings: row.int("recordings")?, bytes: row.int("bytes")? })
}

/// The largest rooms.
pub(in crate::archive) async fn rooms(c: &mut SqliteConnection, most: u32) -> Result<Vec<RoomStorage>, sqlx::Error> {
    let rows = sqlx::query(ROOMS).bind(most).fetch_all(c).await?;
    let room = |row: &SqliteRow| Ok(RoomStorage { room: row.word("room")?, count: count(row)?, next: None });
    rows.iter().map(room).collect()
}

/// The next page of rooms with more bytes than these, the largest first, with their bytes.
pub(in crate::archive) async fn rooms_over(
    c: &mut SqliteConnection,
    bytes: u64,
    after: Option<&(RoomName, u64)>,
) -> Result<Vec<(RoomName, u64)>, sqlx::Error> {
    let (last, room) = after.map_or((i64::MAX, ""), |(room, bytes)| (int(*bytes), room.as_str()));
    let query = sqlx::query(ROOMS_OVER).bind(int(bytes)).bind(last).bind(room).bind(PAGE);
    let rows = query.fetch_all(c).await?;
    rows.iter().map(|row| Ok((row.word("room")?, row.int("bytes")?))).collect()
}

/// The next page of what may go, of all recordings.
pub(in crate::archive) async fn oldest(
    c: &mut SqliteConnection,
    after: After,
    most: u32,
) -> Result<Vec<Candidate>, sqlx::Error> {
    let (ended, id) = key(after);
    let rows = sqlx::query(OLDEST).bind(ended).bind(id).bind(most).fetch_all(c).await?;
    rows.iter().map(candidate).collect()
}

/// The next page of what may go, of a room's recordings.
pub(in crate::archive) async fn oldest_of_room(
    c: &mut SqliteConnection,
    room: &RoomName,
    after: After,
    most: u32,
) -> Result<Vec<Candidate>, sqlx::Error> {
    let (ended, id) = key(after);
    let rows = sqlx::query(OLDEST_OF_ROOM).bind(room.as_str()).bind(ended).bind(id).bind(most).fetch_all(c).await?;
    rows.iter().map(candidate).collect()
}

/// No ID is empty.
fn key(after: After) -> (i64, String) {
    after.map_or((i64::MIN, String::new()), |(ended, id)| (ended.get(), id.to_string()))
}

fn candidate(row: &SqliteRow) -> Result<Candidate, sqlx::Error> {
    Ok(Candidate {
        id: row.word("id")?,
        room: row.word("room")?,
        ended: row.millis("ended_unix_millis")?,
        bytes: row.int("bytes")?,
    })
}

/// Remembers a recording that is to go by a limit, and forgets the oldest of those that went.
pub(in crate::archive) async fn deletion(
    c: &mut SqliteConnection,
    recording: i64,
    summary: &Summary,
    expiry: Expiry,
) -> Result<(), sqlx::Error> {
    let bytes: i64 = sqlx::query_scalar(BYTES).bind(recording).fetch_one(&mut *c).await?;
    let ended = summary.ended.unwrap_or(expiry.at);
    let query = sqlx::query(DELETION).bind(expiry.at.get()).bind(expiry.reason.word());
    let query = query.bind(summary.id.to_string()).bind(summary.room.as_str()).bind(&summary.title);
    let deletion = query.bind(ended.get()).bind(bytes).execute(&mut *c).await?.last_insert_rowid();
    sqlx::query(FORGET_DELETIONS).bind(deletion - REMEMBERED).execute(c).await.map(drop)
}

/// By which limit a recording went that is marked for it, and how many bytes that was to free; `None` where a person deleted it.
pub(in crate::archive) async fn expired(
    c: &mut SqliteConnection,
    recording: i64,
) -> Result<Option<(Reason, u64)>, sqlx::Error> {
    let found = sqlx::query(EXPIRED).bind(recording).fetch_optional(c).await?;
    found.map(|row| Ok((row.word("reason")?, row.int("bytes")?))).transpose()
}

/// A recording that was deleted, and of which the disk still has something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Unremoved {
    pub id: RecordingId,
    pub room: RoomName,
    pub bytes: u64,
}

/// All of those. The sums have them still.
pub(in crate::archive) async fn unremoved(c: &mut SqliteConnection) -> Result<Vec<Unremoved>, sqlx::Error> {
    let rows = sqlx::query(UNREMOVED).fetch_all(c).await?;
    let read =
        |row: &SqliteRow| Ok(Unremoved { id: row.word("id")?, room: row.word("room")?, bytes: row.int("bytes")? });
    rows.iter().map(read).collect()
}

/// The last that went by a limit, or are marked for it, the last first.
pub(in crate::archive) async fn deletions(c: &mut SqliteConnection, most: u32) -> Result<Vec<Deletion>, sqlx::Error> {
    let rows = sqlx::query(DELETIONS).bind(most).fetch_all(c).await?;
    let deletion = |row: &SqliteRow| {
        Ok(Deletion {
            at: row.millis("at_unix_millis")?,
            reason: row.word("reason")?,
            id: row.word("id")?,
            room: row.word("room")?,
            title: row.try_get("title")?,
            ended: row.millis("ended_unix_millis")?,
            bytes: row.int("bytes")?,
        })
    };
    rows.iter().map(deletion).collect()
}
