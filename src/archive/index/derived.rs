//! What the index says of derived files.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::archive::model::{DerivedFile, Edition, RecordingId};

use super::read::Place;
use super::row::{RowExt as _, int};
use crate::media::room::RoomName;

type Done = Result<(), sqlx::Error>;

statements! {
    /// Of those that were last made by recipes of this sum.
    TO_DERIVE = "SELECT derived_recipes, recording, id FROM recordings \
                 WHERE derived_recipes = ? AND recording < ? AND state = 'ended' AND deleting = 0 \
                 ORDER BY recording DESC LIMIT 1",
        ["SEARCH recordings USING INDEX recordings_to_derive (derived_recipes=? AND recording<?)"];
    /// The next greater sum that there is, below that of today. By this index, whatever SQLite guesses: that of states would be walked
    /// through.
    NEXT_TO_DERIVE = "SELECT min(derived_recipes) FROM recordings INDEXED BY recordings_to_derive \
                      WHERE derived_recipes > ? AND derived_recipes < ? AND state = 'ended' AND deleting = 0",
        ["SEARCH recordings USING COVERING INDEX recordings_to_derive (derived_recipes>? AND derived_recipes<?)"];
    MADE = "SELECT recording, folder, derived_recipes FROM recordings \
            WHERE id = ? AND state = 'ended' AND deleting = 0",
        ["SEARCH recordings USING INDEX sqlite_autoindex_recordings_1 (id=?)"];
    FILES = "SELECT file, recipe, bytes, crc, damaged FROM derived WHERE recording = ? ORDER BY file",
        ["SEARCH derived USING PRIMARY KEY (recording=?)"];
    ONE_FILE = "SELECT file, recipe, bytes, crc, damaged FROM derived WHERE recording = ? AND file = ?",
        ["SEARCH derived USING PRIMARY KEY (recording=? AND file=?)"];
    /// Those that someone asked for, of all recordings: they are bounded.
    ASKED = "SELECT id, folder, file, derived.bytes AS bytes FROM derived JOIN recordings USING (recording) \
             WHERE asked = 1 AND deleting = 0",
        ["SCAN derived USING INDEX derived_asked", "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    /// Of a room. In that order, so that it is the first of the room's that has a mix.
    NEWEST_MIXED = "SELECT id FROM recordings INDEXED BY recordings_of_room_in_state_newest_first \
                    CROSS JOIN derived USING (recording) \
                    WHERE room = ? AND state = 'ended' AND deleting = 0 AND file = 'mix.ogg' \
                    ORDER BY started_unix_millis DESC, id DESC LIMIT 1",
        [
            "SEARCH recordings USING INDEX recordings_of_room_in_state_newest_first (room=? AND state=?)",
            "SEARCH derived USING PRIMARY KEY (recording=? AND file=?)"
        ];
    FILE = "INSERT OR REPLACE INTO derived (recording, file, recipe, bytes, crc, damaged, asked) \
            VALUES (?, ?, ?, ?, ?, ?, ?)", [];
    FORGET = "DELETE FROM derived WHERE recording = ? AND file = ?",
        ["SEARCH derived USING PRIMARY KEY (recording=? AND file=?)"];
    CHANGING = "UPDATE derived SET crc = NULL WHERE recording = ? AND file = ?",
        ["SEARCH derived USING PRIMARY KEY (recording=? AND file=?)"];
    /// What is derived from a recording counts for retention, but for what is there because someone asked for it: no recording goes
    /// for that.
    BYTES = "UPDATE recordings SET derived_bytes = \
             (SELECT coalesce(sum(bytes), 0) FROM derived \
              WHERE derived.recording = recordings.recording AND asked = 0) \
             WHERE recording = ?",
        [
            "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH derived USING PRIMARY KEY (recording=?)"
        ];
    ALL_MADE = "UPDATE recordings SET derived_recipes = ? WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    OUTDATED = "UPDATE derived SET recipe = 0 WHERE recording = ?",
        ["SEARCH derived USING PRIMARY KEY (recording=?)"];
    REWORDED = "UPDATE derived SET recipe = 0 WHERE recording = ? AND file = ?",
        ["SEARCH derived USING PRIMARY KEY (recording=? AND file=?)"];
}

/// How far a walk through what is still to be derived has come. It goes on with what was last made by these recipes, from before
/// this row, and then with what was made by newer ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Walked {
    /// The sum of those recipes; 0 is something that was never made, or is no longer right.
    pub recipes: u32,
    pub row: i64,
}

impl Walked {
    /// A walk that begins: with what lacks the most.
    pub const BEGIN: Self = Self { recipes: 0, row: i64::MAX };
}

/// The next recording that has ended and of which something was made by older recipes than those of this sum, or never: those with
/// the oldest first, and of them the newest recording. `None` where there are no more.
pub(in crate::archive) async fn to_derive(
    c: &mut SqliteConnection,
    mut walked: Walked,
    today: u32,
) -> Result<Option<(Walked, RecordingId)>, sqlx::Error> {
    loop {
        let Walked { recipes, row } = walked;
        if let Some(found) = sqlx::query(TO_DERIVE).bind(recipes).bind(row).fetch_optional(&mut *c).await? {
            return Ok(Some((Walked { recipes, row: found.int("recording")? }, found.word("id")?)));
        }
        let next = sqlx::query_scalar(NEXT_TO_DERIVE).bind(recipes).bind(today).fetch_one(&mut *c).await?;
        let Some(recipes) = next else { return Ok(None) };
        walked = Walked { recipes, row: i64::MAX };
    }
}

/// The sum of the recipes with which all was made that is derived from a recording, and where that is; `None` where there
/// is no such recording, or it has not ended.
pub(in crate::archive) async fn made(
    c: &mut SqliteConnection,
    id: RecordingId,
) -> Result<Option<(Place, u32)>, sqlx::Error> {
    let found = sqlx::query(MADE).bind(id.to_string()).fetch_optional(c).await?;
    let read = |row: SqliteRow| {
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
    sqlx::query(FILES).bind(recording).fetch_all(c).await?.iter().map(read).collect()
}

/// One of them, if it is there.
pub(in crate::archive) async fn one_file(
    c: &mut SqliteConnection,
    recording: i64,
    what: Edition,
) -> Result<Option<DerivedFile>, sqlx::Error> {
    let found = sqlx::query(ONE_FILE).bind(recording).bind(what.to_string()).fetch_optional(c).await?;
    found.as_ref().map(read).transpose()
}

fn read(row: &SqliteRow) -> Result<DerivedFile, sqlx::Error> {
    let crc: Option<i64> = row.try_get("crc")?;
    Ok(DerivedFile {
        what: row.word("file")?,
        recipe: row.int("recipe")?,
        bytes: row.int("bytes")?,
        crc: crc.and_then(|crc| u32::try_from(crc).ok()),
        damaged: row.flag("damaged")?,
    })
}

/// The newest recording of a room whose mix is there.
pub(in crate::archive) async fn newest_mixed(
    c: &mut SqliteConnection,
    room: &RoomName,
) -> Result<Option<RecordingId>, sqlx::Error> {
    let found = sqlx::query(NEWEST_MIXED).bind(room.as_str()).fetch_optional(c).await?;
    found.map(|row| row.word("id")).transpose()
}

/// A derived file that is there because someone asked for it, of whichever recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Asked {
    pub id: RecordingId,
    /// The recording's folder, below the folder of all recordings.
    pub folder: String,
    pub what: Edition,
    pub bytes: u64,
}

/// All of those.
pub(in crate::archive) async fn asked(c: &mut SqliteConnection) -> Result<Vec<Asked>, sqlx::Error> {
    let read = |row: &SqliteRow| {
        let folder = row.try_get("folder")?;
        Ok(Asked { id: row.word("id")?, folder, what: row.word("file")?, bytes: row.int("bytes")? })
    };
    sqlx::query(ASKED).fetch_all(c).await?.iter().map(read).collect()
}

/// A derived file, new or in the place of an older one.
pub(in crate::archive) async fn file(c: &mut SqliteConnection, recording: i64, file: &DerivedFile) -> Done {
    let query = sqlx::query(FILE).bind(recording).bind(file.what.to_string()).bind(file.recipe);
    let query = query.bind(int(file.bytes)).bind(file.crc).bind(file.damaged);
    query.bind(file.what.is_asked_for()).execute(&mut *c).await?;
    bytes(c, recording).await
}

/// Forgets a derived file that is gone.
pub(in crate::archive) async fn forget(c: &mut SqliteConnection, recording: i64, what: Edition) -> Done {
    sqlx::query(FORGET).bind(recording).bind(what.to_string()).execute(&mut *c).await?;
    bytes(c, recording).await
}

/// Another file is about to take the name of one that is there: until that is told, the sum of what has the name is not known.
pub(in crate::archive) async fn changing(c: &mut SqliteConnection, recording: i64, what: Edition) -> Done {
    sqlx::query(CHANGING).bind(recording).bind(what.to_string()).execute(c).await.map(drop)
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

/// The same of what holds a recording's words, which are others now.
pub(in crate::archive) async fn reworded(c: &mut SqliteConnection, recording: i64) -> Done {
    all_made(c, recording, 0).await?;
    for file in files(c, recording).await?.iter().filter(|file| file.what.of.has_words()) {
        sqlx::query(REWORDED).bind(recording).bind(file.what.to_string()).execute(&mut *c).await?;
    }
    Ok(())
}
