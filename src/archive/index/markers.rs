//! Markers in the index, and which recordings are published.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::archive::model::{Container, Derived, Marker, Summary};
use crate::media::marker::MarkerId;
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

use super::read::{Place, summary_columns, summary_of};
use super::row::{RowExt as _, int};

type Done = Result<(), sqlx::Error>;

statements! {
    MARKERS = "SELECT id, at_ticks, name, text FROM markers WHERE recording = ? ORDER BY at_ticks, id",
        ["SEARCH markers USING PRIMARY KEY (recording=?)"];
    MARK = "INSERT INTO markers (recording, id, at_ticks, name, text) VALUES (?, ?, ?, ?, ?)", [];
    UNMARK = "DELETE FROM markers WHERE recording = ? AND id = ?",
        ["SEARCH markers USING PRIMARY KEY (recording=?)"];
    /// One that is published already stays as it is.
    PUBLISH = "INSERT INTO published (recording, published_unix_millis) VALUES (?, ?) ON CONFLICT DO NOTHING", [];
    /// Only what can be heard: a recording that has ended, whose mix (the file of this name) is there.
    EPISODES = concat!(
        "SELECT ", summary_columns!(), ", (SELECT bytes FROM derived AS d WHERE d.recording = recordings.recording AND file = ?) \
         AS mix_bytes FROM published CROSS JOIN recordings USING (recording) \
         WHERE room = ? AND deleting = 0 AND state = 'ended' AND mix_bytes IS NOT NULL \
         ORDER BY published.published_unix_millis DESC, recording DESC LIMIT ?"
    ),
        [
            "SCAN published USING COVERING INDEX published_newest_first",
            "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH d USING PRIMARY KEY (recording=? AND file=?)",
            "SEARCH t USING PRIMARY KEY (recording=?)",
            "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH d USING PRIMARY KEY (recording=? AND file=?)"
        ];
    WITHDRAW = "DELETE FROM published WHERE recording = ?",
        ["SEARCH published USING INTEGER PRIMARY KEY (rowid=?)"];
}

/// The markers of a recording, in the order of their places.
pub(in crate::archive) async fn markers(c: &mut SqliteConnection, recording: i64) -> Result<Vec<Marker>, sqlx::Error> {
    let marker = |row: &SqliteRow| {
        let name = row.try_get::<Option<&str>, _>("name")?.map(|_| row.word("name")).transpose()?;
        Ok(Marker { id: row.word("id")?, at: row.ticks("at_ticks")?, name, text: row.word("text")? })
    };
    sqlx::query(MARKERS).bind(recording).fetch_all(c).await?.iter().map(marker).collect()
}

/// A new marker.
pub(in crate::archive) async fn mark(c: &mut SqliteConnection, recording: i64, marker: &Marker) -> Done {
    let Marker { id, at, name, text } = marker;
    let query = sqlx::query(MARK).bind(recording).bind(id.to_string()).bind(int(at.get()));
    query.bind(name.as_ref().map(|name| name.as_str())).bind(text.as_str()).execute(c).await.map(drop)
}

/// Takes a marker away.
pub(in crate::archive) async fn unmark(c: &mut SqliteConnection, recording: i64, id: MarkerId) -> Done {
    sqlx::query(UNMARK).bind(recording).bind(id.to_string()).execute(c).await.map(drop)
}

/// A recording is published from this time on, unless it is already; or is not any more.
pub(in crate::archive) async fn publish(c: &mut SqliteConnection, recording: i64, at: Option<UnixMillis>) -> Done {
    let query = match at {
        Some(at) => sqlx::query(PUBLISH).bind(recording).bind(at.get()),
        None => sqlx::query(WITHDRAW).bind(recording),
    };
    query.execute(c).await.map(drop)
}

/// The recordings of a room that are published and can be heard, the last to be published first, each with how long its mix is, in
/// bytes.
pub(in crate::archive) async fn episodes(
    c: &mut SqliteConnection,
    room: &RoomName,
    most: u32,
) -> Result<Vec<(Place, Summary, u64)>, sqlx::Error> {
    let query = sqlx::query(EPISODES).bind(Derived::Mix(Container::Ogg).to_string()).bind(room.as_str()).bind(most);
    let episode = |row: &SqliteRow| {
        let (place, summary) = summary_of(row)?;
        Ok((place, summary, row.int("mix_bytes")?))
    };
    query.fetch_all(c).await?.iter().map(episode).collect()
}
