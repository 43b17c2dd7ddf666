//! What the index knows of files that are about to be created.

use sqlx::{Row as _, SqliteConnection};

use super::row::RowExt as _;

/// A file that a round was about to create when the hub fell, or could not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Begun {
    /// The recording's folder, below the folder of all recordings.
    pub folder: String,
    /// The file's name in it.
    pub file: String,
    /// Whether the index names that recording.
    pub recorded: bool,
    /// Whether it names the file.
    pub named: bool,
}

/// Such a file is created next.
pub(in crate::archive) async fn begin(c: &mut SqliteConnection, folder: &str, file: &str) -> Result<(), sqlx::Error> {
    let query = sqlx::query("INSERT OR IGNORE INTO begun (folder, file) VALUES (?, ?)");
    query.bind(folder).bind(file).execute(c).await.map(drop)
}

/// Forgets those that the index names as files of this recording.
pub(in crate::archive) async fn named(
    c: &mut SqliteConnection,
    recording: i64,
    folder: &str,
) -> Result<(), sqlx::Error> {
    let query = "DELETE FROM begun WHERE folder = ? AND file IN (SELECT file FROM parts WHERE recording = ? \
                 UNION ALL SELECT file FROM spools WHERE recording = ?)";
    sqlx::query(query).bind(folder).bind(recording).bind(recording).execute(c).await.map(drop)
}

/// Forgets one.
pub(in crate::archive) async fn forget(c: &mut SqliteConnection, begun: &Begun) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM begun WHERE folder = ? AND file = ?");
    query.bind(&begun.folder).bind(&begun.file).execute(c).await.map(drop)
}

/// All of them.
pub(in crate::archive) async fn all(c: &mut SqliteConnection) -> Result<Vec<Begun>, sqlx::Error> {
    let query = "SELECT begun.folder, begun.file, recordings.recording IS NOT NULL AS recorded, \
                    EXISTS (SELECT 1 FROM parts WHERE parts.recording = recordings.recording AND parts.file = begun.file) \
                    OR EXISTS (SELECT 1 FROM spools WHERE spools.recording = recordings.recording AND spools.file = begun.file) \
                    AS named \
                 FROM begun LEFT JOIN recordings ON recordings.folder = begun.folder ORDER BY begun.folder, begun.file";
    let rows = sqlx::query(query).fetch_all(c).await?;
    let begun = rows.iter().map(|row| {
        let (folder, file) = (row.try_get("folder")?, row.try_get("file")?);
        Ok(Begun { folder, file, recorded: row.flag("recorded")?, named: row.flag("named")? })
    });
    begun.collect()
}
