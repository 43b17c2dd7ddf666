//! Derived files on disk: written so that each is there whole or not at all, and found again for a download.
//!
//! What belongs here: the order of what the disk is asked. What does not: what is in the files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use sqlx::{Row as _, SqliteConnection};

use super::edition;
use super::recipe::{SPARED, Stopped, Work};
use super::sum::Sum;
use crate::archive::foreign;
use crate::archive::handle::Error;
use crate::archive::index;
use crate::archive::index::derived::Asked;
use crate::archive::index::row::RowExt as _;
use crate::archive::model::{DerivedFile, Edition, RecordingId, StateKind};
use crate::archive::names;
use crate::archive::retention::InUse;
use crate::archive::store::{Handle, Store};
use crate::archive::writer::remove_if_there;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::UnixMillis;

/// How many bytes are written between two syncs: so that a sync never takes long, neither ours nor that of a part.
pub(in crate::archive) const BETWEEN_SYNCS: usize = 4 * 1024 * 1024;
/// How much is read at a time.
const READ: usize = 256 * 1024;

/// A file that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub bytes: u64,
    pub crc: u32,
}

/// Where the bytes of a file go while it is made, and the disk on which lies what it is made of: a file in `derived/`, or
/// whatever someone has it written to.
pub(in crate::archive) trait Sink {
    /// Told before the first byte: so many will come, or about so many.
    fn expect(&mut self, most: u64) -> Result<(), Stopped>;
    /// Writes on.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Stopped>;
    /// Writes over what was written, from byte `at` on and not past its end. Where the file goes into a stream, that cannot be.
    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> Result<(), Stopped>;
    /// The disk, for what is read meanwhile.
    fn store(&mut self) -> &mut dyn Store;
}

/// A derived file that is being written, under another name.
pub(super) struct NewFile<'a> {
    store: &'a mut dyn Store,
    handle: Handle,
    sum: Sum,
    unsynced: usize,
}

impl NewFile<'_> {
    /// Writes a file; gives how many bytes it has, their sum, and what `fill` gives. Where that fails, nothing of it stays.
    pub fn write<T>(
        store: &mut dyn Store,
        folder: &Path,
        what: Edition,
        fill: impl FnOnce(&mut dyn Sink) -> Result<T, Stopped>,
    ) -> Result<(Written, T), Stopped> {
        let derived = folder.join(names::DERIVED);
        match store.create_folder(&derived) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Stopped::file(&derived, source));
            }
            // Also where it is there: who made it may have been killed before it was durable.
            _ => store.sync_folder(folder).map_err(|source| Stopped::file(folder, source))?,
        }
        let name = names::derived(what);
        let (path, next) = (derived.join(&name), derived.join(name + names::NEXT));
        // What a crash left of the last time.
        remove_if_there(store, &next)?;
        let written = Self::fill(store, &next, fill).and_then(|written| {
            store.rename(&next, &path).map_err(|source| Stopped::file(&next, source))?;
            store.sync_folder(&derived).map_err(|source| Stopped::file(&derived, source))?;
            Ok(written)
        });
        if written.is_err()
            && let Err(trouble) = remove_if_there(store, &next)
        {
            tracing::warn!("what was begun cannot be removed: {trouble}");
        }
        written
    }

    fn fill<T>(
        store: &mut dyn Store,
        path: &Path,
        fill: impl FnOnce(&mut dyn Sink) -> Result<T, Stopped>,
    ) -> Result<(Written, T), Stopped> {
        let handle = store.create(path).map_err(|source| Stopped::file(path, source))?;
        let mut file = NewFile { store, handle, sum: Sum::default(), unsynced: 0 };
        let filled = fill(&mut file)?;
        file.sync()?;
        Ok((Written { bytes: file.sum.length(), crc: file.sum.get() }, filled))
    }

    /// Syncs, and asks what is free by now: others write meanwhile, and what is held for ending recordings is not for this.
    fn sync(&mut self) -> Result<(), Stopped> {
        let bytes = std::mem::take(&mut self.unsynced) as u64;
        self.store.sync(&self.handle).map_err(|source| Stopped::file(&self.handle.path, source))?;
        match self.spare(0) {
            Err(Stopped::Full { .. }) => Err(Stopped::Full { bytes }),
            spared => spared,
        }
    }

    /// Fails where so many bytes more would leave too little.
    fn spare(&mut self, bytes: u64) -> Result<(), Stopped> {
        let path = &self.handle.path;
        let free = self.store.free(path.parent().unwrap_or(path)).map_err(|source| Stopped::file(path, source))?;
        if free < bytes.saturating_add(SPARED) { Err(Stopped::Full { bytes }) } else { Ok(()) }
    }
}

impl Sink for NewFile<'_> {
    fn expect(&mut self, most: u64) -> Result<(), Stopped> {
        self.spare(most)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let appended = self.store.append(&mut self.handle, bytes);
        appended.map_err(|source| Stopped::file(&self.handle.path, source))?;
        self.sum.add(bytes);
        self.unsynced += bytes.len();
        if self.unsynced >= BETWEEN_SYNCS { self.sync() } else { Ok(()) }
    }

    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> Result<(), Stopped> {
        let wrong = |source| Stopped::file(&self.handle.path, source);
        let mut before = vec![0; bytes.len()];
        let read = self.store.read(&self.handle.path, at).and_then(|(mut file, _)| file.read_exact(&mut before));
        read.map_err(wrong)?;
        let written = self.store.overwrite(&mut self.handle, at, bytes);
        written.map_err(|source| Stopped::file(&self.handle.path, source))?;
        self.sum.change(at, &before, bytes);
        self.unsynced += bytes.len();
        Ok(())
    }

    fn store(&mut self) -> &mut dyn Store {
        self.store
    }
}

/// Removes what crashes left in a recording's folder of derived files, and what has another name by now, but for what is being
/// made.
pub(super) fn sweep(store: &mut dyn Store, folder: &Path, is_made: impl Fn(Edition) -> bool) -> Result<(), Stopped> {
    let derived = folder.join(names::DERIVED);
    let there = match store.list(&derived) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Stopped::file(&derived, source)),
    };
    let left = |name: &&String| {
        let next = name.strip_suffix(names::NEXT).is_some_and(|file| !file.parse::<Edition>().is_ok_and(&is_made));
        next || names::was_derived(name)
    };
    for name in there.iter().filter(left) {
        remove_if_there(store, &derived.join(name))?;
    }
    Ok(())
}

/// How many bytes a derived file has; `None` where it is not there.
pub(super) fn length(store: &mut dyn Store, folder: &Path, what: Edition) -> Result<Option<u64>, Stopped> {
    let path = folder.join(names::DERIVED).join(names::derived(what));
    match store.read(&path, 0) {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Stopped::file(&path, source)),
    }
}

/// Removes a derived file, if it is there.
pub(super) fn remove(store: &mut dyn Store, folder: &Path, what: Edition) -> Result<(), Stopped> {
    Ok(remove_if_there(store, &folder.join(names::DERIVED).join(names::derived(what)))?)
}

/// Whether a derived file that is there is not what was made: one that is as long, but has another sum.
pub(super) fn is_damaged(
    store: &mut dyn Store,
    folder: &Path,
    file: &DerivedFile,
    work: &Work,
) -> Result<bool, Stopped> {
    let Some(crc) = file.crc else { return Ok(false) };
    let path = folder.join(names::DERIVED).join(names::derived(file.what));
    let (mut from, _) = store.read(&path, 0).map_err(|source| Stopped::file(&path, source))?;
    Ok(sum_of(&mut *from, &path, work)? != crc)
}

/// The CRC-32 of a file from where it stands on.
pub(in crate::archive) fn sum_of(from: &mut dyn Read, path: &Path, work: &Work) -> Result<u32, Stopped> {
    let (mut sum, mut buffer) = (Sum::default(), vec![0; READ]);
    loop {
        match from.read(&mut buffer).map_err(|source| Stopped::file(path, source))? {
            0 => return Ok(sum.get()),
            read => {
                sum.add(&buffer[..read]);
                work.done(read as u64)?;
            }
        }
    }
}

/// Puts those first that were not asked for for longest, as the disk has it; what it says nothing of before all.
pub(in crate::archive) fn longest_unused_first(root: &Path, mut files: Vec<Asked>) -> Vec<Asked> {
    files.sort_by_cached_key(|file| {
        let path = root.join(&file.folder).join(names::DERIVED).join(names::derived(file.what));
        std::fs::metadata(path).and_then(|metadata| metadata.accessed()).unwrap_or(SystemTime::UNIX_EPOCH)
    });
    files
}

/// Notes that a file is used now: whatever the disk is told of accesses otherwise, this is kept.
fn use_now(file: &File) {
    let at = |nanos| Timespec { tv_sec: 0, tv_nsec: nanos };
    let times = Timestamps { last_access: at(UTIME_NOW), last_modification: at(UTIME_OMIT) };
    if let Err(error) = futimens(file, &times) {
        tracing::debug!("when a derived file was used is not noted: {error}");
    }
}

/// A derived file, open. It never changes: a newer one takes its name. Deleting the recording takes nothing away from
/// whoever holds this.
#[derive(Debug)]
pub struct Download {
    /// Which file it is.
    pub what: Edition,
    /// Where the recording was made.
    pub room: RoomName,
    /// What it is called, once someone has named it.
    pub title: Option<String>,
    /// Whose track it is of, where it is of one.
    pub name: Option<ParticipantName>,
    /// When the session's clock was at zero.
    pub started: UnixMillis,
    /// The file.
    pub file: File,
    /// Where it is, for whoever cannot read it.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// When it was made, by the disk's own word, in nanoseconds since 1970.
    pub made_unix_nanos: u128,
    /// Retention leaves the recording alone as long as this lives.
    pub in_use: InUse,
    /// CRC-32 of it: made again it has the same. Not known of one that an older hub made.
    pub crc: Option<u32>,
}

/// What there is of a derived file.
#[derive(Debug)]
pub enum Found {
    /// The file.
    Made(Box<Download>),
    /// It is not there yet, but it is being made or will be: so far that has come, from 0 to 1.
    Making(f64),
}

/// What the index says of a derived file of a recording that has ended.
pub(in crate::archive) struct Indexed {
    /// Which it is: one that was asked for otherwise may be the same.
    pub what: Edition,
    room: RoomName,
    title: Option<String>,
    name: Option<ParticipantName>,
    started: UnixMillis,
    /// Where it is and what the index says of it, if it was made.
    made: Option<(PathBuf, DerivedFile)>,
}

/// Looks a derived file up.
pub(in crate::archive) async fn find(
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
    what: Edition,
) -> Result<Indexed, Error> {
    let row = sqlx::query(index::read::OF_A_DERIVED_FILE).bind(id.to_string()).fetch_optional(&mut *connection).await?;
    let row = row.ok_or(Error::NotFound)?;
    let recording = row.int("recording")?;
    let name = match what.of.track() {
        None => None,
        Some(track) => {
            let query = sqlx::query(index::read::NAME_OF_TRACK);
            let row = query.bind(recording).bind(track.get()).fetch_optional(&mut *connection).await?;
            Some(row.ok_or(Error::NotFound)?.word("name")?)
        }
    };
    if row.word::<StateKind>("state")? != StateKind::Ended {
        return Err(Error::Live);
    }
    let what = if what.edit.is_whole() {
        what
    } else {
        let (_, recording) = index::read::recording(connection, id).await?.ok_or(Error::NotFound)?;
        edition::of(what, &recording)?
    };
    let made = index::derived::one_file(connection, recording, what).await?;
    let folder = root.join(row.try_get::<&str, _>("folder")?).join(names::DERIVED);
    Ok(Indexed {
        room: row.word("room")?,
        title: row.try_get("title")?,
        name,
        started: row.millis("started_unix_millis")?,
        made: made.map(|file| (folder.join(names::derived(what)), file)),
        what,
    })
}

impl Indexed {
    /// Opens it; `None` where it was not made, or someone has removed it or left something else in its place. What is made unasked is
    /// there until a newer one is; what was asked for is only there as today's recipe and the words of now have it, since nothing
    /// makes it again before someone asks.
    pub fn open(self, in_use: InUse) -> Result<Option<Download>, Error> {
        let Some((path, DerivedFile { recipe, bytes, crc, .. })) = self.made else { return Ok(None) };
        if self.what.is_asked_for() && recipe != self.what.of.recipe() {
            return Ok(None);
        }
        let wrong = |source| Error::File { path: path.clone(), source };
        let file = match foreign::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(wrong(source)),
        };
        let metadata = file.metadata().map_err(wrong)?;
        if metadata.len() != bytes {
            return Ok(None);
        }
        if self.what.is_asked_for() {
            use_now(&file);
        }
        let made = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Ok(Some(Download {
            what: self.what,
            room: self.room,
            title: self.title,
            name: self.name,
            started: self.started,
            file,
            path,
            bytes,
            made_unix_nanos: made.unwrap_or_default().as_nanos(),
            in_use,
            crc,
        }))
    }
}
