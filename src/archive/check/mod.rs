//! Whether index and disk are what they should be: every difference is named, and nothing is written.
//!
//! What belongs here: looking. What does not: mending ([`repair`](super::repair)), and how it is shown.
//!
//! It takes no lock, and looks also while a hub runs. What is live grows meanwhile: so the index is read first, and of a file no more
//! than that names. What is different then is looked at again, until the index says the same before and after; and what a
//! hub has always about it in the making, such as a file that is to be renamed, is only told where no hub runs.

mod difference;
mod recording;
pub(super) mod walk;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use self::walk::Found;
use super::foreign::{self, Foreign, Kind};
use super::index::row::RowExt as _;
use super::index::{self, read};
use super::lock;
use super::model::RecordingId;
use super::names;
use super::{Error, OpenError};
use crate::media::time::UnixMillis;

pub use difference::{Damage, Difference, What, printable};
pub(super) use recording::{Known, compare, session_file};

/// How often a recording that changes while it is looked at is looked at again.
const LOOKS: usize = 4;
/// How many recordings are asked for at a time.
const PAGE: u32 = 500;

/// What is told on the way.
#[derive(Debug)]
pub enum Told<'a> {
    /// There are so many recordings in the index, with so many bytes to read.
    Begins {
        /// How many.
        recordings: u64,
        /// Of all their parts, and of what was made of them and has a checksum.
        bytes: u64,
    },
    /// So many bytes more were read.
    Read(u64),
    /// A recording is done with.
    Looked,
    /// Something is different.
    Found(&'a Difference),
    /// Something was mended: where, and what was done.
    Mended(&'a Path, &'a str),
}

/// Where what is told goes.
pub type Tell<'a> = &'a mut dyn FnMut(Told<'_>);

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Recordings that were looked at.
    pub recordings: u64,
    /// Differences that are there.
    pub differences: u64,
    /// What was mended.
    pub mended: u64,
}

/// Why index and disk cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is no such folder.
    #[error("there are no recordings in {}: {source}", folder.display())]
    Folder {
        /// The folder of all recordings.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no index.
    #[error("there is no index in {}; if there are recordings, roomtone check --repair makes it out of them", folder.display())]
    NoIndex {
        /// The folder of all recordings.
        folder: PathBuf,
    },
    /// The index is of an older version.
    #[error("the index {} was made by an older version of roomtone; start roomtone once, or roomtone check --repair, and it is brought to this one", index.display())]
    Older {
        /// The index.
        index: PathBuf,
    },
    /// The folder or the index cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something cannot be done.
    #[error(transparent)]
    Archive(#[from] Error),
}

impl From<sqlx::Error> for CheckError {
    fn from(error: sqlx::Error) -> Self {
        Self::Archive(error.into())
    }
}

/// Looks at all recordings in a folder.
///
/// # Errors
/// Where it cannot be looked at; what is different is no error.
pub async fn check(folder: &Path, tell: Tell<'_>) -> Result<Outcome, CheckError> {
    let root = resolve(folder)?;
    let running = running(&root)?;
    let mut check = Check { root: &root, running, since: None, tell, outcome: Outcome::default() };
    check.all().await?;
    Ok(check.outcome)
}

/// The folder without the links that lead to it.
pub(super) fn resolve(folder: &Path) -> Result<PathBuf, CheckError> {
    let there = foreign::resolve(folder).and_then(|root| foreign::expect(&root, Kind::Folder).map(|()| root));
    there.map_err(|source| CheckError::Folder { folder: folder.to_owned(), source })
}

/// Whether a hub may be writing.
fn running(root: &Path) -> Result<bool, CheckError> {
    match lock::held(root) {
        Ok(holder) => Ok(holder.is_some()),
        // What stands there is told as what it is; no hub can hold that.
        Err(error) if Foreign::is(&error) => Ok(false),
        Err(source) => Err(CheckError::Folder { folder: root.to_owned(), source }),
    }
}

/// Opens an index to be looked at, and sees that it is of this version.
pub(super) async fn open(root: &Path) -> Result<SqliteConnection, CheckError> {
    let index = root.join(names::INDEX);
    let unusable = |source| CheckError::Open(OpenError::Index { index: index.clone(), source });
    match foreign::expect(&index, Kind::File).and_then(|()| foreign::look(&index)) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(CheckError::NoIndex { folder: root.to_owned() }),
        Err(error) => return Err(unusable(sqlx::Error::Io(error))),
    }
    let waits = foreign::look(&root.join(names::INDEX_LOG));
    let waits = waits.map_err(|error| unusable(sqlx::Error::Io(error)))?.is_some_and(|(_, bytes)| bytes > 0);
    let alone = !waits && !running(root)?;
    let mut connection = index::reading(&index, alone).connect().await.map_err(unusable)?;
    let query = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    let begun: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await.map_err(unusable)?;
    if begun == 0 {
        return Err(CheckError::NoIndex { folder: root.to_owned() });
    }
    let query = "SELECT max(version) FROM _sqlx_migrations WHERE success = 1";
    let version: Option<i64> = sqlx::query_scalar(query).fetch_one(&mut connection).await.map_err(unusable)?;
    match version.cmp(&index::MIGRATIONS.iter().map(|migration| migration.version).max()) {
        Ordering::Less => Err(CheckError::Older { index }),
        Ordering::Equal => Ok(connection),
        Ordering::Greater => Err(OpenError::Newer { index }.into()),
    }
}

struct Check<'a> {
    root: &'a Path,
    running: bool,
    /// When the hub that runs was started.
    since: Option<UnixMillis>,
    tell: Tell<'a>,
    outcome: Outcome,
}

impl Check<'_> {
    fn found(&mut self, difference: &Difference) {
        self.outcome.differences += 1;
        (self.tell)(Told::Found(difference));
    }

    async fn all(&mut self) -> Result<(), CheckError> {
        let mut connection = match open(self.root).await {
            Ok(connection) => connection,
            Err(CheckError::NoIndex { .. }) => {
                if walk::any_recording(self.root) {
                    self.found(&Difference::new(names::INDEX, None, What::NoIndex));
                }
                return self.walk(None).await;
            }
            Err(CheckError::Open(OpenError::Index { source, .. })) if is_none(&source) => {
                let what = index_wrong(&source);
                self.found(&Difference::new(names::INDEX, None, what));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for wrong in integrity(&mut connection).await? {
            self.found(&Difference::new(names::INDEX, None, What::Index(wrong)));
        }
        if self.running {
            let query = "SELECT max(started_unix_millis) AS since FROM runs";
            self.since =
                sqlx::query(query).fetch_optional(&mut connection).await?.and_then(|row| row.millis("since").ok());
        }
        self.recordings(&mut connection).await?;
        self.walk(Some(&mut connection)).await?;
        connection.close().await?;
        Ok(())
    }

    /// Each recording in the index.
    async fn recordings(&mut self, connection: &mut SqliteConnection) -> Result<(), CheckError> {
        let (recordings, bytes) = count(connection).await?;
        (self.tell)(Told::Begins { recordings, bytes });
        if !self.running {
            for place in read::being_deleted(connection).await? {
                self.found(&Difference::new(&place.folder, None, What::BeingDeleted));
            }
        }
        let mut after = 0;
        loop {
            let page = page(connection, after).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (_, id) in page {
                for difference in self.recording(connection, id).await? {
                    self.found(&difference);
                }
                self.outcome.recordings += 1;
                (self.tell)(Told::Looked);
            }
        }
    }

    /// One of them: looked at again where it has changed in the meantime.
    async fn recording(
        &mut self,
        connection: &mut SqliteConnection,
        id: RecordingId,
    ) -> Result<Vec<Difference>, CheckError> {
        let mut found = Vec::new();
        for look in 0..LOOKS {
            let Some(known) = Known::read(connection, id).await? else { return Ok(Vec::new()) };
            let now = compare(self.root, &known, self.running, &mut |bytes| (self.tell)(Told::Read(bytes)));
            // What is not there any more was only in the making.
            found =
                if look == 0 { now } else { now.into_iter().filter(|difference| found.contains(difference)).collect() };
            if found.is_empty() || !self.running {
                break;
            }
            if look > 0 && Known::read(connection, id).await?.is_some_and(|after| after == known) {
                break;
            }
        }
        Ok(found)
    }

    /// What is on disk and not in the index.
    async fn walk(&mut self, mut connection: Option<&mut SqliteConnection>) -> Result<(), CheckError> {
        let mut all = Vec::new();
        let walked = walk::walk(self.root, &mut |path, found| all.push((path, found)));
        walked.map_err(|source| CheckError::Folder { folder: self.root.to_owned(), source })?;
        for (path, found) in all {
            let what = match found {
                Found::Foreign(kind) => What::Foreign(kind),
                Found::Unreadable(why) => What::Unreadable(why),
                Found::Leftover if self.running => continue,
                Found::Leftover => What::Leftover,
                Found::Recording(id) => {
                    let indexed = match connection.as_deref_mut() {
                        Some(connection) => folder_of(connection, id, &path).await?,
                        None => Indexed::No,
                    };
                    match indexed {
                        Indexed::Here => continue,
                        // It is named when its first sound is durable.
                        Indexed::No if self.since.is_some_and(|since| id.started() >= since) => continue,
                        Indexed::There => What::Copy(id),
                        Indexed::No if walk::holds_recording(&self.root.join(&path)) => What::NotIndexed,
                        Indexed::No if walk::is_empty(&self.root.join(&path)) => What::Leftover,
                        Indexed::No => What::Foreign(Kind::Folder),
                    }
                }
            };
            self.found(&Difference::new(path, None, what));
        }
        Ok(())
    }
}

/// Where the index has a recording's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indexed {
    /// Where it is.
    Here,
    /// Somewhere else.
    There,
    /// Nowhere.
    No,
}

pub(super) async fn folder_of(
    connection: &mut SqliteConnection,
    id: RecordingId,
    path: &Path,
) -> Result<Indexed, sqlx::Error> {
    let query = "SELECT folder FROM recordings WHERE id = ?";
    let found = sqlx::query(query).bind(id.to_string()).fetch_optional(connection).await?;
    let Some(row) = found else { return Ok(Indexed::No) };
    let folder: &str = row.try_get("folder")?;
    Ok(if Path::new(folder) == path { Indexed::Here } else { Indexed::There })
}

/// How many recordings there are in the index, and how many bytes of them are read.
pub(super) async fn count(connection: &mut SqliteConnection) -> Result<(u64, u64), sqlx::Error> {
    let query = "SELECT count(*) AS recordings, coalesce(sum(bytes), 0) + \
                     (SELECT coalesce(sum(derived.bytes), 0) FROM derived JOIN recordings USING (recording) \
                      WHERE crc IS NOT NULL AND deleting = 0) AS bytes \
                 FROM recordings WHERE deleting = 0";
    let row = sqlx::query(query).fetch_one(connection).await?;
    Ok((row.int("recordings")?, row.int("bytes")?))
}

/// The next recordings in the index, behind this row.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    after: i64,
) -> Result<Vec<(i64, RecordingId)>, sqlx::Error> {
    let query = "SELECT recording, id FROM recordings WHERE recording > ? AND deleting = 0 ORDER BY recording LIMIT ?";
    let rows = sqlx::query(query).bind(after).bind(PAGE).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.int("recording")?, row.word("id")?))).collect()
}

/// What SQLite finds wrong with the index.
pub(super) async fn integrity(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut wrong = Vec::new();
    match sqlx::query_scalar::<_, String>("PRAGMA quick_check").fetch_all(&mut *connection).await {
        Ok(said) => {
            wrong.extend(said.into_iter().filter(|said| said != "ok").map(|said| format!("is damaged: {said}")))
        }
        Err(error) if index::is_damaged(&error) => wrong.push(format!("is damaged: {error}")),
        Err(error) => return Err(error),
    }
    if wrong.is_empty() {
        for row in sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await? {
            let (table, parent): (String, String) = (row.try_get("table")?, row.try_get("parent")?);
            wrong.push(format!("has a row of {table} that belongs to no row of {parent}"));
        }
    }
    Ok(wrong)
}

/// Whether this says that there is no index in the index's place.
pub(super) fn is_none(error: &sqlx::Error) -> bool {
    index::is_damaged(error) || matches!(error, sqlx::Error::Io(error) if Foreign::is(error))
}

fn index_wrong(error: &sqlx::Error) -> What {
    match error {
        sqlx::Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Foreign>()) {
            Some(foreign) => What::Foreign(foreign.kind),
            None => What::Unreadable(error.to_string()),
        },
        error => What::Index(format!("is no index any more: {error}")),
    }
}
