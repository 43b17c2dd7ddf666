//! The column that a search looks through, kept in step with what it is made of.

use sqlx::{Connection as _, SqliteConnection};

use crate::archive::model::RecordingId;
use crate::archive::search;

use super::read;
use super::row::RowExt as _;

statements! {
    REFRESH = "UPDATE recordings SET search = ? WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    UNKNOWN = "SELECT id FROM recordings WHERE search IS NULL AND deleting = 0",
        ["SCAN recordings USING INDEX recordings_without_search"];
}

/// Says again what a search looks through, after a title, or whose tracks there are, has changed. In the transaction that
/// changed it.
pub(in crate::archive) async fn refresh(c: &mut SqliteConnection, id: RecordingId) -> Result<(), sqlx::Error> {
    let Some((place, summary)) = read::summary(c, id).await? else { return Ok(()) };
    let query = sqlx::query(REFRESH);
    query.bind(search::text_of(&summary)).bind(place.row).execute(c).await.map(drop)
}

/// Fills it where it is not known: after an upgrade, or in an index that was made anew. Once, at start-up.
pub(in crate::archive) async fn fill(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(UNKNOWN).fetch_all(&mut *connection).await?;
    if rows.is_empty() {
        return Ok(());
    }
    tracing::info!(recordings = rows.len(), "making what a search looks through");
    let mut transaction = connection.begin().await?;
    for row in &rows {
        refresh(&mut transaction, row.word("id")?).await?;
    }
    transaction.commit().await
}
