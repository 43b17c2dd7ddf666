//! A copy of all recordings that a person makes, while a hub runs or not: index and files of one moment.
//!
//! What belongs here: the order in which things are copied, and what is made of those that go meanwhile. What does not: what is
//! in the files.
//!
//! No lock is needed, and the hub is not held up, because of what is promised of the index: what it names is durable in files that
//! only grow. So it is copied first (`VACUUM INTO`, a snapshot of one moment), and then, of each file, as many bytes as the copy
//! speaks of. Three things may go in between:
//!
//! - a spool, when its part holds it: those that there are are opened before the snapshot, and kept; where one was missed that
//!   came and went, all of it is begun again;
//! - a recording that is deleted: it goes from the copy, too;
//! - a derived file that is made again: it is missing in the copy, where it is made again.
//!
//! A recording that is being made ends in the copy where it was at that moment: whoever opens the copy finds what a crash would
//! have left.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::foreign;
use super::index::read::{self, Place};
use super::index::{self, derived, write};
use super::model::Recording;
use super::open::{self, OpenError};
use super::session_file::SessionFile;
use super::store::{Disk, Store};
use super::{Error, names};

/// How much is copied at a time.
const STEP: usize = 1024 * 1024;
/// How often the copy is begun again at most.
const ATTEMPTS: u32 = 20;

/// What was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// How many recordings.
    pub recordings: u64,
    /// Bytes of all files but the index.
    pub bytes: u64,
    /// Files that are not there, or shorter than the index says, though nobody deleted their recording.
    pub damaged: Vec<PathBuf>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is in the folder for the copy.
    #[error("{} is not empty; a copy needs a folder of its own", folder.display())]
    NotEmpty {
        /// Which.
        folder: PathBuf,
    },
    /// There are no recordings to be copied.
    #[error("there is no index {}", index.display())]
    NoIndex {
        /// What is missing.
        index: PathBuf,
    },
    /// The copied index cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The index, or a file.
    #[error(transparent)]
    Archive(#[from] Error),
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Archive(Error::Index(error))
    }
}

fn wrong(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::Archive(Error::File { path: path.to_owned(), source })
}

/// Copies all recordings in a folder to another, which is empty or not there.
///
/// # Errors
/// Where there is nothing to be copied, or nothing can be written. What was copied so far stays, and is no copy.
pub async fn backup(recordings: &Path, to: &Path) -> Result<Backup, BackupError> {
    let mut copying = Copying::begin(recordings, to).await?;
    for _ in 0..ATTEMPTS {
        let copy = copying.snapshot().await?;
        if let Some(backup) = copying.fill(copy).await? {
            return Ok(backup);
        }
    }
    let source = io::Error::other("its spools came and went faster than they could be copied");
    Err(BackupError::Archive(Error::File { path: recordings.to_owned(), source }))
}

/// Opens the index that is copied: nothing of it is written, but what a crash left beside it is put in order by SQLite.
async fn source(index: &Path) -> Result<SqliteConnection, sqlx::Error> {
    index::writing(index).create_if_missing(false).connect().await
}

/// A copy in the making.
pub(super) struct Copying<'a> {
    from: &'a Path,
    to: &'a Path,
    source: SqliteConnection,
    /// The spools that there were before the snapshot: they may be removed, and stay.
    held: HashMap<PathBuf, File>,
}

/// What came of copying a file.
enum Copied {
    /// All bytes that the index speaks of.
    Whole(u64),
    /// The file is not there, or shorter.
    Short(u64),
}

impl<'a> Copying<'a> {
    /// Looks whether there is something to be copied, and where to.
    pub async fn begin(from: &'a Path, to: &'a Path) -> Result<Self, BackupError> {
        let index = from.join(names::INDEX);
        if !index.exists() {
            return Err(BackupError::NoIndex { index });
        }
        std::fs::create_dir_all(to).map_err(wrong(to))?;
        if std::fs::read_dir(to).map_err(wrong(to))?.next().is_some() {
            return Err(BackupError::NotEmpty { folder: to.to_owned() });
        }
        Ok(Self { from, to, source: source(&index).await?, held: HashMap::new() })
    }

    /// Copies the index, as it is in one moment, and brings the copy to this version.
    pub async fn snapshot(&mut self) -> Result<SqliteConnection, BackupError> {
        self.hold().await?;
        let copy = self.to.join(names::INDEX);
        // A path may be no UTF-8, which SQLite's are: then SQLite says what is wrong with what is left of it.
        let vacuum = sqlx::query("VACUUM INTO ?").bind(copy.to_string_lossy().into_owned());
        vacuum.execute(&mut self.source).await?;
        Ok(open::connect(&copy).await?)
    }

    /// As if none of the spools had been there before the snapshot.
    #[cfg(test)]
    pub fn forget_spools(&mut self) {
        self.held.clear();
    }

    /// Copies what the copied index names; nothing, and the copy is to be begun again, where a spool is gone.
    pub async fn fill(&mut self, mut copy: SqliteConnection) -> Result<Option<Backup>, BackupError> {
        let Some(done) = self.unfinished(&mut copy).await? else {
            copy.close().await?;
            std::fs::remove_dir_all(self.to).and_then(|()| std::fs::create_dir(self.to)).map_err(wrong(self.to))?;
            return Ok(None);
        };
        let backup = self.ended(&mut copy, done).await?;
        copy.close().await?;
        let index = self.to.join(names::INDEX);
        Disk.open(&index).and_then(|handle| Disk.sync(&handle)).map_err(wrong(&index))?;
        Disk.sync_folder(self.to).map_err(wrong(self.to))?;
        Ok(Some(backup))
    }

    /// Opens the spools that there are. An index of an older version is read with this one's eyes once it is copied; until then
    /// a spool that goes means another attempt.
    async fn hold(&mut self) -> Result<(), BackupError> {
        self.held.clear();
        let Ok(unfinished) = read::unfinished(&mut self.source).await else { return Ok(()) };
        for id in unfinished {
            let Ok(Some((place, _))) = read::summary(&mut self.source, id).await else { continue };
            for (_, spool) in read::spools(&mut self.source, place.row).await.unwrap_or_default() {
                let path = self.from.join(&place.folder).join(spool.file);
                if let Ok(file) = foreign::open(&path) {
                    self.held.insert(path, file);
                }
            }
        }
        Ok(())
    }

    /// Copies what has not ended, first of all, with its spools; nothing, where a spool is gone.
    async fn unfinished(&mut self, copy: &mut SqliteConnection) -> Result<Option<HashMap<i64, Backup>>, BackupError> {
        let mut done = HashMap::new();
        for id in read::unfinished(copy).await? {
            let Some((place, recording)) = read::recording(copy, id).await? else { continue };
            self.folder(&place)?;
            for (_, spool) in read::spools(copy, place.row).await? {
                if spool.settled {
                    write::forget_spool(copy, place.row, &spool.file).await?;
                } else if let Copied::Short(_) = self.copy(&place, &spool.file, spool.bytes)? {
                    return Ok(None);
                }
            }
            let backup = self.recording(copy, &place, recording).await?;
            done.insert(place.row, backup);
        }
        Ok(Some(done))
    }

    /// Copies everything else.
    async fn ended(
        &mut self,
        copy: &mut SqliteConnection,
        mut done: HashMap<i64, Backup>,
    ) -> Result<Backup, BackupError> {
        // Their files are none of the copy's.
        for place in read::being_deleted(copy).await? {
            write::forget(copy, place.row).await?;
        }
        let mut all = Backup::default();
        let mut row = 0;
        while let Some((place, recording)) = read::next(copy, row).await? {
            row = place.row;
            let one = match done.remove(&row) {
                Some(one) => one,
                None => {
                    self.folder(&place)?;
                    self.recording(copy, &place, recording).await?
                }
            };
            all.recordings += one.recordings;
            all.bytes += one.bytes;
            all.damaged.extend(one.damaged);
        }
        Ok(all)
    }

    /// Copies a recording, but for its spools; it goes from the copy where somebody has deleted it meanwhile.
    async fn recording(
        &mut self,
        copy: &mut SqliteConnection,
        place: &Place,
        recording: Recording,
    ) -> Result<Backup, BackupError> {
        let mut backup = Backup { recordings: 1, ..Backup::default() };
        for (_, part) in recording.parts() {
            match self.copy(place, &part.file, part.bytes)? {
                Copied::Whole(bytes) => backup.bytes += bytes,
                Copied::Short(bytes) => {
                    backup.bytes += bytes;
                    backup.damaged.push(self.from.join(&place.folder).join(&part.file));
                }
            }
        }
        if !backup.damaged.is_empty() && read::summary(&mut self.source, recording.summary.id).await?.is_none() {
            write::deleting(copy, place.row).await?;
            write::forget(copy, place.row).await?;
            let folder = self.to.join(&place.folder);
            std::fs::remove_dir_all(&folder).map_err(wrong(&folder))?;
            return Ok(Backup::default());
        }
        let folder = self.to.join(&place.folder);
        if !recording.derived.is_empty() {
            let derived = folder.join(names::DERIVED);
            Disk.create_folder(&derived).map_err(wrong(&derived))?;
        }
        for file in &recording.derived {
            let name = format!("{}/{}", names::DERIVED, names::derived(file.what));
            let path = self.from.join(&place.folder).join(&name);
            // A newer one may be longer, and is not what the index speaks of.
            let same = foreign::open(&path).and_then(|file| file.metadata()).is_ok_and(|it| it.len() == file.bytes);
            match self.copy(place, &name, if same { file.bytes } else { 0 })? {
                Copied::Whole(bytes) if same => backup.bytes += bytes,
                _ => {
                    let path = self.to.join(&place.folder).join(&name);
                    Disk.remove(&path).map_err(wrong(&path))?;
                    derived::forget(copy, place.row, file.what).await?;
                    derived::all_made(copy, place.row, 0).await?;
                }
            }
        }
        // Said anew, so that it says what the copied index does.
        let path = folder.join(names::SESSION);
        let sums = read::all_extents(copy, place.row, &recording).await?;
        let bytes = SessionFile::of(&recording).with_sums(&sums).to_bytes();
        let mut handle = Disk.create(&path).map_err(wrong(&path))?;
        Disk.append(&mut handle, &bytes).and_then(|()| Disk.sync(&handle)).map_err(wrong(&path))?;
        write::session_file_stale(copy, place.row, false).await?;
        Disk.sync_folder(&folder).map_err(wrong(&folder))?;
        Ok(backup)
    }

    /// Makes a recording's folder in the copy.
    fn folder(&self, place: &Place) -> Result<(), BackupError> {
        let folder = self.to.join(&place.folder);
        std::fs::create_dir_all(&folder).map_err(wrong(&folder))?;
        let room = folder.parent().unwrap_or(self.to);
        Disk.sync_folder(room).map_err(wrong(room))
    }

    /// Copies the first bytes of one of a recording's files, and syncs them.
    fn copy(&mut self, place: &Place, name: &str, bytes: u64) -> Result<Copied, BackupError> {
        let (from, to) = (self.from.join(&place.folder).join(name), self.to.join(&place.folder).join(name));
        let mut handle = Disk.create(&to).map_err(wrong(&to))?;
        let opened = match self.held.remove(&from) {
            Some(mut file) => file.seek(SeekFrom::Start(0)).map(|_| file),
            None => foreign::open(&from),
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Copied::Short(0)),
            Err(error) => return Err(wrong(&from)(error)),
        };
        let mut rest = file.take(bytes);
        let mut buffer = vec![0; STEP];
        let mut copied = 0;
        loop {
            match rest.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    Disk.append(&mut handle, &buffer[..count]).map_err(wrong(&to))?;
                    copied += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(wrong(&from)(error)),
            }
        }
        Disk.sync(&handle).map_err(wrong(&to))?;
        Ok(if copied == bytes { Copied::Whole(copied) } else { Copied::Short(copied) })
    }
}
