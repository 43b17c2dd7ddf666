//! What the index says of derived files.

use sqlx::{Row as _, SqliteConnection};

use crate::archive::model::{Derived, DerivedFile, RecordingId};
use crate::media::track::TrackNumber;

use super::read::{Place, number};
use super::row::{RowExt as _, int, undecodable};

type Done = Result<(), sqlx::Error>;

statements! {
    /// By the row, whatever SQLite guesses: the index of states would be sorted for each step.
    ENDED_BEFORE = "SELECT recording, id FROM recordings NOT INDEXED \
                    WHERE recording < ? AND state = 'ended' AND deleting = 0 ORDER BY recording DESC LIMIT 1",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid<?)"];
    MADE = "SELECT recording, folder, derived_recipes FROM recordings \
            WHERE id = ? AND state = 'ended' AND deleting = 0",
        ["SEARCH recordings USING INDEX sqlite_autoindex_recordings_1 (id=?)"];
    FILES = "SELECT kind, track, recipe, bytes, damaged FROM derived WHERE recording = ? ORDER BY kind, track",
        ["SEARCH derived USING PRIMARY KEY (recording=?)"];
    FILE = "INSERT OR REPLACE INTO derived (recording, kind, track, recipe, bytes, damaged) VALUES (?, ?, ?, ?, ?, ?)", [];
    FORGET = "DELETE FROM derived WHERE recording = ? AND kind = ? AND track = ?",
        ["SEARCH derived USING PRIMARY KEY (recording=? AND kind=? AND track=?)"];
    /// What is derived from a recording counts for retention.
    BYTES = "UPDATE recordings SET derived_bytes = \
             (SELECT coalesce(sum(bytes), 0) FROM derived WHERE derived.recording = recordings.recording) \
             WHERE recording = ?",
        [
            "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH derived USING PRIMARY KEY (recording=?)"
        ];
    ALL_MADE = "UPDATE recordings SET derived_recipes = ? WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    OUTDATED = "UPDATE derived SET recipe = 0 WHERE recording = ?",
        ["SEARCH derived USING PRIMARY KEY (recording=?)"];
}

/// A recording that has ended, as the maker passes it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Passed {
    pub row: i64,
    pub id: RecordingId,
}

/// The newest recording that has ended, of those with a row before this one.
pub(in crate::archive) async fn ended_before(
    c: &mut SqliteConnection,
    row: i64,
) -> Result<Option<Passed>, sqlx::Error> {
    let found = sqlx::query(ENDED_BEFORE).bind(row).fetch_optional(c).await?;
    found.map(|row| Ok(Passed { row: row.int("recording")?, id: row.word("id")? })).transpose()
}

/// The sum of the recipes with which all was made that is derived from a recording, and where that is; `None` where there
/// is no such recording, or it has not ended.
pub(in crate::archive) async fn made(
    c: &mut SqliteConnection,
    id: RecordingId,
) -> Result<Option<(Place, u32)>, sqlx::Error> {
    let found = sqlx::query(MADE).bind(id.to_string()).fetch_optional(c).await?;
    let read = |row: sqlx::sqlite::SqliteRow| {
        let place = Place { row: row.int("recording")?, folder: row.try_get("folder")? };
        Ok((place, row.int("derived_recipes")?))
    };
    found.map(read).transpose()
}

/// The derived files of a recording.
pub(in crate::archive) async fn files(
    c: &mut SqliteConnection,
    recording: i64,
) -> Result<Vec<DerivedFile>, sqlx::Error> {
    let mut files = Vec::new();
    for row in sqlx::query(FILES).bind(recording).fetch_all(c).await? {
        let kind: &str = row.try_get("kind")?;
        let what = match kind {
            "session" => Derived::Session,
            "track" => Derived::Track(number(&row)?),
            "waveform" => Derived::Waveform(number(&row)?),
            other => return Err(undecodable("kind", std::io::Error::other(other.to_owned()))),
        };
        files.push(DerivedFile {
            what,
            recipe: row.int("recipe")?,
            bytes: row.int("bytes")?,
            damaged: row.flag("damaged")?,
        });
    }
    Ok(files)
}

const fn key(what: Derived) -> (&'static str, TrackNumber) {
    match what {
        Derived::Session => ("session", TrackNumber::new(0)),
        Derived::Track(track) => ("track", track),
        Derived::Waveform(track) => ("waveform", track),
    }
}

/// A derived file, new or in the place of an older one.
pub(in crate::archive) async fn file(c: &mut SqliteConnection, recording: i64, file: &DerivedFile) -> Done {
    let (kind, track) = key(file.what);
    let query = sqlx::query(FILE).bind(recording).bind(kind).bind(track.get());
    query.bind(file.recipe).bind(int(file.bytes)).bind(file.damaged).execute(&mut *c).await?;
    bytes(c, recording).await
}

/// Forgets a derived file that is gone.
pub(in crate::archive) async fn forget(c: &mut SqliteConnection, recording: i64, what: Derived) -> Done {
    let (kind, track) = key(what);
    let query = sqlx::query(FORGET);
    query.bind(recording).bind(kind).bind(track.get()).execute(&mut *c).await?;
    bytes(c, recording).await
}

async fn bytes(c: &mut SqliteConnection, recording: i64) -> Done {
    sqlx::query(BYTES).bind(recording).execute(c).await.map(drop)
}

/// All that is derived from a recording was made with recipes of this sum.
pub(in crate::archive) async fn all_made(c: &mut SqliteConnection, recording: i64, recipes: u32) -> Done {
    let query = sqlx::query(ALL_MADE);
    query.bind(recipes).bind(recording).execute(c).await.map(drop)
}

/// What is derived from a recording is no longer right: it is to be made again. What there is stays until then.
pub(in crate::archive) async fn outdated(c: &mut SqliteConnection, recording: i64) -> Done {
    all_made(c, recording, 0).await?;
    sqlx::query(OUTDATED).bind(recording).execute(c).await.map(drop)
}
