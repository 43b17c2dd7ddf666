//! What the index says of rooms' settings.

use sqlx::SqliteConnection;

use crate::archive::settings::{Greet, Settings};
use crate::media::room::RoomName;

use super::row::RowExt as _;

type Done = Result<(), sqlx::Error>;

statements! {
    /// All of them, in memory from then on: few, since a room that is as by default has none.
    ALL = "SELECT room, record, greet FROM room_settings ORDER BY room LIMIT ?",
        ["SCAN room_settings"];
    SET = "INSERT OR REPLACE INTO room_settings (room, record, greet) VALUES (?, ?, ?)", [];
    UNSET = "DELETE FROM room_settings WHERE room = ?",
        ["SEARCH room_settings USING PRIMARY KEY (room=?)"];
}

/// The rooms that are not as by default, so many at most.
pub(in crate::archive) async fn all(
    c: &mut SqliteConnection,
    most: u32,
) -> Result<Vec<(RoomName, Settings)>, sqlx::Error> {
    let read = |row: &sqlx::sqlite::SqliteRow| {
        let greet: Greet = row.word("greet")?;
        Ok((row.word("room")?, Settings { record: row.flag("record")?, greet }))
    };
    sqlx::query(ALL).bind(most).fetch_all(c).await?.iter().map(read).collect()
}

/// A room is so from now on.
pub(in crate::archive) async fn set(c: &mut SqliteConnection, room: &RoomName, settings: Settings) -> Done {
    if settings == Settings::default() {
        return sqlx::query(UNSET).bind(room.as_str()).execute(c).await.map(drop);
    }
    let query = sqlx::query(SET).bind(room.as_str()).bind(settings.record).bind(settings.greet.to_string());
    query.execute(c).await.map(drop)
}
