//! Markers in the index, and which recordings are published.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::archive::model::Marker;
use crate::media::marker::MarkerId;
use crate::media::time::UnixMillis;

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
