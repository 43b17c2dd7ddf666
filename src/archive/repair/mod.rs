//! Mending what can be derived: session files from the index, the index from session files and parts, headers from what they
//! stand before; what is derived is forgotten where it is not as it was, and made again by the next hub.
//!
//! What belongs here: what becomes of each difference that a check finds. What does not: finding them
//! ([`check`]), bringing to an end what a crash left (`recovery`, which is done first).
//!
//! It holds the lock. It never removes sound, nor cuts what the index vouches for, nor touches what is not ours. An index or a
//! session file that cannot be read any more is renamed, not removed. What it cannot mend it tells as a check does.
//!
//! A recording whose folder the index does not name is put into it. So an index that is lost is no case of its own: all of them are such
//! recordings then. Rooms, names, times, titles, tracks, gaps, chat and who was there come from the session file; how long sound
//! is is measured anew, but for samples whose checksums the session file tells, once they had ended. Without a session file a recording
//! is what its parts tell (`salvage`), and is marked to be kept; damage to samples from before is not seen any more then.

mod measure;
mod rebuild;
mod salvage;
pub(super) mod strays;

use std::io;
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection};

use self::rebuild::Origin;
use super::check::walk::{self, Found};
use super::check::{self, CheckError, Difference, Indexed, Known, Outcome, Tell, Told, What};
use super::foreign;
use super::index;
use super::index::derived;
use super::index::write;
use super::lock::Lock;
use super::model::RecordingId;
use super::names;
use super::open;
use super::recovery;
use super::rewrite::make_one_of_many_durable;
use super::store::{Disk, Store};
use super::verify::Wrong;
use super::writer::{Trouble, replace_session_file};
use super::{Error, OpenError};
use crate::container::wav::{data_offset, header_for};
use crate::media::time::UnixMillis;
use crate::media::track::Format;

/// Mends what can be mended in a folder of recordings, and tells what was, and what was not.
///
/// # Errors
/// Where another process holds the folder, or it cannot be mended at all.
pub async fn repair(folder: &Path, now: UnixMillis, tell: Tell<'_>) -> Result<Outcome, CheckError> {
    let root = check::resolve(folder)?;
    let _lock: Lock = open::lock(&root, now)?;
    let mut store: Box<dyn Store> = Box::new(Disk);
    let mut outcome = Outcome::default();
    let mut tell = Telling { tell, outcome: &mut outcome };
    let mut connection = index_of(&root, &mut *store, now, &mut tell).await?;
    let run = write::run(&mut connection, now, std::process::id()).await?;
    index::search::fill(&mut connection).await?;
    let mut repair = Repair { root: &root, now, store, connection, run, taken: None, tell };
    let unmended = repair.insert_all().await?;
    repair.recover().await?;
    repair.recordings().await?;
    for difference in &unmended {
        repair.tell.found(difference);
    }
    repair.leftovers()?;
    repair.connection.close().await?;
    Ok(outcome)
}

/// Where what is done goes, and how much of it there is.
struct Telling<'a, 'b> {
    tell: Tell<'a>,
    outcome: &'b mut Outcome,
}

impl Telling<'_, '_> {
    fn found(&mut self, difference: &Difference) {
        self.outcome.differences += 1;
        (self.tell)(Told::Found(difference));
    }

    fn mended(&mut self, path: &Path, what: &str) {
        self.outcome.mended += 1;
        (self.tell)(Told::Mended(path, what));
    }
}

/// Opens the index, brought to this version; one that cannot be read is set aside, and a new one begun.
async fn index_of(
    root: &Path,
    store: &mut dyn Store,
    now: UnixMillis,
    tell: &mut Telling<'_, '_>,
) -> Result<SqliteConnection, CheckError> {
    let path = root.join(names::INDEX);
    let there = foreign::look(&path).map_err(|error| unwritable(root, error))?;
    let why = match check::open(root).await {
        // Of another file than an index, too, nothing is lost.
        Err(CheckError::NoIndex { .. }) if there.is_some_and(|(_, bytes)| bytes > 0) => {
            Some("it is no index of ours".to_owned())
        }
        Err(CheckError::Open(OpenError::Index { source, .. })) if index::is_damaged(&source) => {
            Some(source.to_string())
        }
        // An index that is older, or lacks what only a writer may put in order, is opened as such.
        Ok(_) | Err(CheckError::NoIndex { .. } | CheckError::Older { .. } | CheckError::Open(_)) => None,
        Err(error) => return Err(error),
    };
    if let Some(why) = why {
        set_aside(root, store, now, &why, tell)?;
    }
    let opened = match open::connect(&path).await {
        Ok(mut connection) => {
            let wrong = check::integrity(&mut connection).await?;
            if wrong.is_empty() { Ok(connection) } else { Err((wrong.join("; "), Some(connection))) }
        }
        Err(OpenError::Index { source, .. }) if index::is_damaged(&source) => Err((source.to_string(), None)),
        Err(error) => return Err(error.into()),
    };
    match opened {
        Ok(connection) => Ok(connection),
        Err((why, connection)) => {
            if let Some(connection) = connection {
                // What it says of itself is damaged: whether it closes as it should does not matter any more.
                let _ = connection.close().await;
            }
            set_aside(root, store, now, &why, tell)?;
            Ok(open::connect(&path).await?)
        }
    }
}

/// Renames the index and what belongs to it.
fn set_aside(
    root: &Path,
    store: &mut dyn Store,
    now: UnixMillis,
    why: &str,
    tell: &mut Telling<'_, '_>,
) -> Result<(), CheckError> {
    let aside = free_name(root, names::INDEX_ASIDE, now).map_err(|error| unwritable(root, error))?;
    for suffix in ["-wal", "-shm", ""] {
        let (from, to) = (format!("{}{suffix}", names::INDEX), format!("{aside}{suffix}"));
        match store.rename(&root.join(from), &root.join(to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(root, error)),
            _ => {}
        }
    }
    store.sync_folder(root).map_err(|error| unwritable(root, error))?;
    tell.mended(
        Path::new(names::INDEX),
        &format!("could not be used ({why}) and is now called {aside}; a new one was begun"),
    );
    Ok(())
}

/// A name in a folder that nothing has.
fn free_name(folder: &Path, begin: &str, now: UnixMillis) -> io::Result<String> {
    let mut name = format!("{begin}{}", now.to_compact());
    let mut count = 1;
    while foreign::look(&folder.join(&name))?.is_some() {
        count += 1;
        name = format!("{begin}{}-{count}", now.to_compact());
    }
    Ok(name)
}

fn unwritable(root: &Path, source: io::Error) -> CheckError {
    OpenError::Folder { folder: root.to_owned(), source }.into()
}

struct Repair<'a> {
    root: &'a Path,
    now: UnixMillis,
    store: Box<dyn Store>,
    connection: SqliteConnection,
    /// The number of this run.
    run: i64,
    /// What became of the files of this recording that the index did not name: of all of them, when the first is come to.
    taken: Option<(RecordingId, Vec<strays::Taken>)>,
    tell: Telling<'a, 'a>,
}

impl Repair<'_> {
    /// Puts every recording into the index whose folder it does not name, the oldest first; gives what is none that can be.
    async fn insert_all(&mut self) -> Result<Vec<Difference>, CheckError> {
        let (mut unknown, mut foreign) = (Vec::new(), Vec::new());
        let walked = walk::walk(self.root, &mut |path, found| match found {
            Found::Recording(id) => unknown.push((id, path)),
            Found::Foreign(kind) => foreign.push(Difference::new(path, None, What::Foreign(kind))),
            Found::Unreadable(why) => foreign.push(Difference::new(path, None, What::Unreadable(why))),
            Found::Leftover => {}
        });
        walked.map_err(|error| unwritable(self.root, error))?;
        unknown.sort();
        for (id, path) in unknown {
            match check::folder_of(&mut self.connection, id, &path).await? {
                Indexed::Here => {}
                Indexed::There => foreign.push(Difference::new(path, None, What::Copy(id))),
                Indexed::No if walk::holds_recording(&self.root.join(&path)) => {
                    if let Err(what) = self.insert(id, &path).await? {
                        foreign.push(Difference::new(path, None, what));
                    }
                }
                Indexed::No if walk::is_empty(&self.root.join(&path)) => {
                    let removed = self.store.remove_folder(&self.root.join(&path));
                    removed.map_err(|error| unwritable(self.root, error))?;
                    self.tell.mended(&path, "was an empty folder of ours, and was removed");
                }
                Indexed::No => foreign.push(Difference::new(path, None, What::Foreign(foreign::Kind::Folder))),
            }
        }
        Ok(foreign)
    }

    /// Puts a recording into the index.
    async fn insert(&mut self, id: RecordingId, path: &Path) -> Result<Result<(), What>, CheckError> {
        let found = match rebuild::find(self.root, path, id) {
            Ok(found) => found,
            Err(what) => return Ok(Err(what)),
        };
        if found.aside {
            self.set_session_file_aside(path)?;
        }
        let folder = self.root.join(path);
        for part in found.file.tracks.iter().flat_map(|track| &track.parts) {
            if let Err(error) = make_one_of_many_durable(&mut *self.store, &folder.join(&part.file)) {
                // One that is not there, or cannot be read, is for a check to name.
                tracing::debug!("{error}");
            }
        }
        for folder in folder.parent().into_iter().chain([self.root]) {
            self.store.sync_folder(folder).map_err(|error| unwritable(folder, error))?;
        }
        match rebuild::insert(&mut self.connection, self.run, self.root, path, &found.file).await {
            Ok(length) => {
                let from = match found.origin {
                    Origin::SessionFile => "what it says of itself",
                    Origin::Parts => "what its parts tell, and is marked to be kept",
                };
                let tracks = found.file.tracks.len();
                let what = format!("was put into the index from {from}: {tracks} tracks, {length}");
                self.tell.mended(path, &what);
                Ok(Ok(()))
            }
            // What a session file may say and the index may not.
            Err(sqlx::Error::Database(error)) if error.is_check_violation() => {
                Ok(Err(What::NotUnderstood(error.to_string())))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends what a crash left open, and finishes what was begun.
    async fn recover(&mut self) -> Result<(), CheckError> {
        let recovered = recovery::recover(&mut *self.store, &mut self.connection, self.root).await;
        let recovered = recovered.map_err(|source| OpenError::Recovery { folder: self.root.to_owned(), source })?;
        for recording in &recovered.recordings {
            let path = names::folder(&recording.room, recording.id.started(), recording.id);
            let what = format!("had been left open, and was brought to an end at {}", recording.length);
            self.tell.mended(Path::new(&path), &what);
        }
        if recovered.deletions > 0 {
            let what = format!("{} deletions that had been begun were finished", recovered.deletions);
            self.tell.mended(Path::new(names::INDEX), &what);
        }
        Ok(())
    }

    /// Looks at each recording in the index, and mends it.
    async fn recordings(&mut self) -> Result<(), CheckError> {
        let (recordings, bytes) = check::count(&mut self.connection).await?;
        (self.tell.tell)(Told::Begins { recordings, bytes });
        let mut after = 0;
        loop {
            let page = check::page(&mut self.connection, after).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            for (_, id) in page {
                let Some(known) = Known::read(&mut self.connection, id).await? else { continue };
                let read = &mut |bytes| (self.tell.tell)(Told::Read(bytes));
                for difference in check::compare(self.root, &known, false, read) {
                    match self.mend(&known, &difference).await? {
                        Some(what) => self.tell.mended(&difference.path, what),
                        None => self.tell.found(&difference),
                    }
                }
                self.tell.outcome.recordings += 1;
                (self.tell.tell)(Told::Looked);
            }
        }
    }

    /// Mends a difference of a recording, where that can be; says what was done.
    async fn mend(&mut self, known: &Known, difference: &Difference) -> Result<Option<&'static str>, CheckError> {
        let folder = Path::new(&known.place.folder);
        let Ok(below) = difference.path.strip_prefix(folder) else { return Ok(None) };
        let path = self.root.join(&difference.path);
        let (row, id) = (known.place.row, known.recording.summary.id);
        Ok(match &difference.what {
            What::NotIndexed => {
                if self.taken.as_ref().is_none_or(|(of, _)| *of != id) {
                    let (store, by) = (&mut *self.store, strays::By::Repair);
                    let taken = strays::of_recording(store, &mut self.connection, self.root, id, by).await?;
                    if !taken.is_empty() {
                        recovery::recover(&mut *self.store, &mut self.connection, self.root).await?;
                    }
                    self.taken = Some((id, taken));
                }
                let taken = self.taken.iter().flat_map(|(_, taken)| taken);
                taken.into_iter().find(|(path, _)| *path == difference.path).map(|(_, what)| *what)
            }
            What::Leftover => {
                self.store.remove(&path).map_err(|error| unwritable(self.root, error))?;
                Some("was begun and never finished, and was removed")
            }
            What::Missing | What::SaysOtherwise if below == Path::new(names::SESSION) => {
                self.write_session_file(id).await?;
                Some("was written again from the index")
            }
            What::NotUnderstood(_) if below == Path::new(names::SESSION) => {
                self.set_session_file_aside(folder)?;
                self.write_session_file(id).await?;
                Some("was written again from the index")
            }
            What::Missing | What::Length { .. } | What::Damaged(_) if below.starts_with(names::DERIVED) => {
                let name = below.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let made = known.recording.derived.iter().find(|file| names::derived(file.what) == name);
                let Some(made) = made else { return Ok(None) };
                let mut transaction = self.connection.begin().await?;
                derived::forget(&mut transaction, row, made.what).await?;
                derived::all_made(&mut transaction, row, 0).await?;
                transaction.commit().await?;
                Some("is forgotten, and is made again by the next hub")
            }
            What::Damaged(damage) if damage.is(Wrong::Header) => {
                let part = known.recording.parts().find(|(_, part)| Path::new(&part.file) == below);
                let Some((_, part)) = part else { return Ok(None) };
                let Format::Pcm(head) = part.format else { return Ok(None) };
                let header = header_for(head, part.bytes.saturating_sub(data_offset(head)));
                let mut handle = self.store.open(&path).map_err(|error| unwritable(self.root, error))?;
                let written = self.store.overwrite(&mut handle, 0, &header).and_then(|()| self.store.sync(&handle));
                written.map_err(|error| unwritable(self.root, error))?;
                Some("had a header that did not say what follows it, and has the right one")
            }
            _ => None,
        })
    }

    async fn write_session_file(&mut self, id: RecordingId) -> Result<(), CheckError> {
        let written = replace_session_file(&mut *self.store, &mut self.connection, self.root, id).await;
        written.map_err(|trouble: Trouble| CheckError::Archive(Error::from(trouble)))
    }

    /// Renames a session file that says nothing.
    fn set_session_file_aside(&mut self, folder: &Path) -> Result<(), CheckError> {
        let path = self.root.join(folder);
        let mut rename = || {
            let aside = free_name(&path, names::SESSION_ASIDE, self.now)?;
            self.store.rename(&path.join(names::SESSION), &path.join(&aside))?;
            self.store.sync_folder(&path).map(|()| aside)
        };
        let aside = rename().map_err(|error| unwritable(self.root, error))?;
        let what = format!("could not be used and is now called {aside}");
        self.tell.mended(&folder.join(names::SESSION), &what);
        Ok(())
    }

    /// Removes what a crash left in the folder of all recordings.
    fn leftovers(&mut self) -> Result<(), CheckError> {
        let mut left: Vec<PathBuf> = Vec::new();
        let walked = walk::walk(self.root, &mut |path, found| {
            if found == Found::Leftover {
                left.push(path);
            }
        });
        walked.map_err(|error| unwritable(self.root, error))?;
        for path in left {
            self.store.remove(&self.root.join(&path)).map_err(|error| unwritable(self.root, error))?;
            self.tell.mended(&path, "was begun and never finished, and was removed");
        }
        Ok(())
    }
}
