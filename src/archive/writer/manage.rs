//! What is done to a recording apart from its sound: its session file, changes that people make, deletion.

use std::io::{self, Read as _};
use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::DerivedNews;
use super::round::Writer;
use super::space::RESERVE;
use super::trouble::Trouble;
use crate::archive::check::walk;
use crate::archive::foreign::{self, Foreign};
use crate::archive::handle::{Change, Changed, Error};
use crate::archive::imprint::{self, LONGEST_HEAD};
use crate::archive::index::{self, derived, markers, read, retention, search, write};
use crate::archive::model::{Container, Derived, Edition, RecordingId, Summary, Words};
use crate::archive::names;
use crate::archive::retention::{Expiry, Reason, Space};
use crate::archive::session_file::SessionFile;
use crate::archive::settings::Settings;
use crate::archive::store::{Phase, Store};
use crate::media::room::RoomName;

/// What stands in the file that says that a recording was deleted.
const DELETED: &[u8] =
    b"This recording was deleted. What else is here does not say that it is a part of it, and was left.\n\
    Whoever wants it in the index removes this file and runs roomtone check --repair.\n";

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::File { path, source } => Self::File { path, source },
            Trouble::Index(source) => Self::Index(source),
        }
    }
}

impl Writer {
    pub(super) async fn change(&mut self, id: RecordingId, change: Change) -> Result<Summary, Error> {
        self.trust_index().await?;
        // A title can wait; what is held for ending recordings is not for it.
        if let Ok(free) = self.store.free(&self.root)
            && free < RESERVE
        {
            return Err(Error::Full { free });
        }
        let (place, before) = read::summary(&mut self.connection, id).await?.ok_or(Error::NotFound)?;
        let mut transaction = self.connection.begin().await?;
        let mut outdated = false;
        if let Some(title) = change.title {
            let title = title.as_deref().map(str::trim).filter(|title| !title.is_empty());
            write::title(&mut transaction, place.row, title).await?;
            search::refresh(&mut transaction, id).await?;
            outdated = before.title.as_deref() != title;
        }
        if outdated {
            // The title stands in what is derived.
            derived::reworded(&mut transaction, place.row).await?;
        }
        if let Some(keep) = change.keep {
            write::keep(&mut transaction, place.row, keep).await?;
        }
        if let Some(published) = change.published {
            markers::publish(&mut transaction, place.row, published).await?;
        }
        write::session_file_stale(&mut transaction, place.row, true).await?;
        transaction.commit().await?;
        self.store.committed();
        if outdated {
            self.orders.ask(id);
        }
        self.tell_changed(id).await;
        self.refresh_session_file(id).await;
        let (_, summary) = read::summary(&mut self.connection, id).await?.ok_or(Error::NotFound)?;
        Ok(summary)
    }

    /// Writes the session file of a recording whose words have changed. What the disk refuses is done by the next start, since the
    /// index, which has the change, says that the file is stale: whoever asked for the change would else ask for it twice.
    pub(super) async fn refresh_session_file(&mut self, id: RecordingId) {
        let replaced = replace_session_file(&mut *self.store, &mut self.connection, &self.root, id).await;
        if let Err(trouble) = replaced {
            tracing::warn!(recording = %id, "its session file is left to the next start: {trouble}");
        }
    }

    pub(super) async fn delete(&mut self, id: RecordingId, expiry: Option<Expiry>) -> Result<(), Error> {
        self.trust_index().await?;
        let (place, summary) = read::summary(&mut self.connection, id).await?.ok_or(Error::NotFound)?;
        if summary.state.end_reason().is_none() || self.recordings.contains_key(&id) {
            return Err(Error::Live);
        }
        if expiry.is_some() && summary.keep {
            return Err(Error::Kept);
        }
        let mut transaction = self.connection.begin().await?;
        write::deleting(&mut transaction, place.row).await?;
        if let Some(expiry) = expiry {
            retention::deletion(&mut transaction, place.row, &summary, expiry).await?;
        }
        transaction.commit().await?;
        self.store.committed();
        self.tell(Changed::Deleted(id));
        self.store.phase(Phase::Delete);
        let unlinked = unlink(&mut *self.store, &mut self.connection, &self.root, &place).await;
        self.store.phase(Phase::Write);
        Ok(unlinked?)
    }

    /// Goes on with deletions that failed on the way; gives of those that are finished now by which limit, and how many bytes that was
    /// to free, but for those that a person asked for.
    pub(super) async fn finish_deletions(&mut self) -> Result<Vec<(Reason, u64)>, Error> {
        let mut finished = Vec::new();
        for place in read::being_deleted(&mut self.connection).await? {
            let expired = retention::expired(&mut self.connection, place.row).await?;
            self.store.phase(Phase::Delete);
            let unlinked = unlink(&mut *self.store, &mut self.connection, &self.root, &place).await;
            self.store.phase(Phase::Write);
            match unlinked {
                Ok(()) => {
                    tracing::info!(folder = place.folder, "a deletion is finished");
                    finished.extend(expired);
                }
                Err(Trouble::Index(error)) => return Err(error.into()),
                Err(trouble) => tracing::warn!("a deletion cannot be finished: {trouble}"),
            }
        }
        Ok(finished)
    }

    /// Says in the index what is set of a room.
    pub(super) async fn settings(&mut self, room: &RoomName, settings: Settings) -> Result<(), Error> {
        self.trust_index().await?;
        // It can wait; what is held for ending recordings is not for it.
        if let Ok(free) = self.store.free(&self.root)
            && free < RESERVE
        {
            return Err(Error::Full { free });
        }
        index::settings::set(&mut self.connection, room, settings).await?;
        self.store.committed();
        Ok(())
    }

    /// How much of the disk is free.
    pub(super) fn space(&mut self) -> Result<Space, Error> {
        let wrong = |source| Error::File { path: self.root.clone(), source };
        let free = self.store.free(&self.root).map_err(wrong)?;
        Ok(Space { free, capacity: self.store.capacity(&self.root).map_err(wrong)? })
    }

    /// Removes a file that is there because someone asked for it, for the place that it takes, unless a maker needs it just now.
    pub(super) async fn evict(&mut self, file: &derived::Asked) -> Result<(), Error> {
        self.trust_index().await?;
        if self.orders.is_needed(file.id, file.what) {
            return Ok(());
        }
        let (place, _) = read::summary(&mut self.connection, file.id).await?.ok_or(Error::NotFound)?;
        let folder = self.root.join(&file.folder).join(names::DERIVED);
        // First, or it would name what is not there.
        derived::forget(&mut self.connection, place.row, file.what).await?;
        self.store.committed();
        remove_if_there(&mut *self.store, &folder.join(names::derived(file.what)))?;
        Ok(there(&folder, self.store.sync_folder(&folder)).map(drop)?)
    }

    /// Says in the index what the maker has made.
    pub(super) async fn derived(&mut self, id: RecordingId, news: DerivedNews) -> Result<(), Error> {
        self.trust_index().await?;
        let (place, summary) = read::summary(&mut self.connection, id).await?.ok_or(Error::NotFound)?;
        let markers = markers::markers(&mut self.connection, place.row).await?;
        let now = Words { title: summary.title, markers };
        let mut transaction = self.connection.begin().await?;
        let mut mixed = false;
        match news {
            DerivedNews::Made(mut file, words) => {
                mixed = file.what == Edition::from(Derived::Mix(Container::Ogg));
                if words != now && file.what.of.has_words() {
                    file.recipe = 0;
                }
                derived::file(&mut transaction, place.row, &file).await?;
            }
            DerivedNews::All(recipes, words) => {
                let recipes = if words == now { recipes } else { 0 };
                derived::all_made(&mut transaction, place.row, recipes).await?;
            }
            DerivedNews::Gone(what) => {
                derived::forget(&mut transaction, place.row, what).await?;
                // What was asked for is made again when someone asks.
                if !what.is_asked_for() {
                    derived::all_made(&mut transaction, place.row, 0).await?;
                }
            }
            DerivedNews::Changing(what) => derived::changing(&mut transaction, place.row, what).await?,
        }
        transaction.commit().await?;
        self.store.committed();
        if mixed {
            self.tell(Changed::Mixed(id, summary.room));
        }
        Ok(())
    }
}

/// Writes what the index says of a recording into its folder, at once in the place of what was there. Whoever changed the
/// index has marked the file as stale in the same transaction; here it no longer is.
pub(in crate::archive) async fn replace_session_file(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
) -> Result<(), Trouble> {
    let Some((place, recording)) = read::recording(connection, id).await? else { return Ok(()) };
    let sums = read::all_extents(connection, place.row, &recording).await?;
    let bytes = SessionFile::of(&recording).with_sums(&sums).to_bytes();
    let folder = root.join(&place.folder);
    let (next, path) = (folder.join(names::SESSION_NEXT), folder.join(names::SESSION));
    // What a crash left of the last time.
    remove_if_there(store, &next)?;
    let wrong = |source| Trouble::file(&next, source);
    let mut handle = store.create(&next).map_err(wrong)?;
    store.append(&mut handle, &bytes).map_err(wrong)?;
    store.sync(&handle).map_err(wrong)?;
    store.rename(&next, &path).map_err(wrong)?;
    store.sync_folder(&folder).map_err(|source| Trouble::file(&folder, source))?;
    Ok(write::session_file_stale(connection, place.row, false).await?)
}

/// Removes what is ours of a recording that is marked for it, then its row. What is not ours stays, and its folder with
/// it. Goes on where it was interrupted.
pub(in crate::archive) async fn unlink(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    place: &read::Place,
) -> Result<(), Trouble> {
    let folder = root.join(&place.folder);
    for file in read::files(connection, place.row).await? {
        remove_ours(store, &folder.join(file))?;
    }
    let derived = folder.join(names::DERIVED);
    let made = ours(&derived, store.list(&derived))?.unwrap_or_default();
    for file in made.iter().filter(|name| names::is_derived(name)) {
        remove_ours(store, &derived.join(file))?;
    }
    ours(&derived, store.remove_folder(&derived))?;
    remove_ours(store, &folder.join(names::SESSION))?;
    remove_ours(store, &folder.join(names::SESSION_NEXT))?;
    let left = ours(&folder, store.list(&folder))?.unwrap_or_default();
    for file in left.iter().filter(|name| name.starts_with(names::SESSION_ASIDE)) {
        remove_ours(store, &folder.join(file))?;
    }
    // What a crash left of it before the index named it, and what the disk did not remove.
    for file in left.iter().filter(|name| names::track_file(name).is_some()) {
        if is_sound_of_ours(&folder.join(file)) {
            remove_ours(store, &folder.join(file))?;
        }
    }
    if walk::holds_recording(&folder) {
        say_deleted(store, &folder)?;
    }
    match store.remove_folder(&folder) {
        Err(error) if stays(&error) => {
            tracing::warn!(folder = %folder.display(), "stays: {error}");
            ours(&folder, store.sync_folder(&folder))?;
        }
        removed => {
            there(&folder, removed)?;
            if let Some(room) = folder.parent() {
                there(room, store.sync_folder(room))?;
                leave(store, root, room)?;
            }
        }
    }
    write::forget(connection, place.row).await?;
    store.committed();
    Ok(())
}

/// Says in a recording's folder that it was deleted, so that no repair makes a recording of what stays there.
fn say_deleted(store: &mut dyn Store, folder: &Path) -> Result<(), Trouble> {
    let path = folder.join(names::DELETED);
    let written = match store.create(&path) {
        Ok(mut handle) => store.append(&mut handle, DELETED).and_then(|()| store.sync(&handle)),
        // That it is there is what counts. Its folder is synced as one that stays.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    written.map_err(|source| Trouble::file(&path, source))
}

/// Whether a file says that it is a part of ours, or the spool of one. Samples do not say whose they are.
fn is_sound_of_ours(path: &Path) -> bool {
    let mut bytes = Vec::new();
    let read = foreign::open(path).and_then(|file| file.take(LONGEST_HEAD).read_to_end(&mut bytes));
    read.is_ok() && imprint::is_in(&bytes)
}

/// Removes a room's folder with its last recording. One that is not empty stays, and one that is no folder is not ours.
fn leave(store: &mut dyn Store, root: &Path, room: &Path) -> Result<(), Trouble> {
    match store.remove_folder(room) {
        Ok(()) => there(root, store.sync_folder(root)).map(drop),
        Err(error) => {
            if !stays(&error) && error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(folder = %room.display(), "stays: {error}");
            }
            Ok(())
        }
    }
}

/// Unlinks a file that may be gone already, unless what stands in its place is not ours.
fn remove_ours(store: &mut dyn Store, path: &Path) -> Result<(), Trouble> {
    ours(path, store.remove(path)).map(drop)
}

/// What came of something that is no error where something that is not ours stands in the place, or is in the folder.
fn ours<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>, Trouble> {
    match result {
        Err(error) if stays(&error) => {
            tracing::warn!("{}: stays: {error}", path.display());
            Ok(None)
        }
        result => there(path, result),
    }
}

/// Whether something was not removed since it is not ours, or since something in it is not.
fn stays(error: &io::Error) -> bool {
    Foreign::is(error) || error.kind() == io::ErrorKind::DirectoryNotEmpty
}

/// Unlinks a file that may be gone already.
pub(in crate::archive) fn remove_if_there(store: &mut dyn Store, path: &Path) -> Result<(), Trouble> {
    there(path, store.remove(path)).map(drop)
}

/// What came of something that is no error where the file or folder is not there.
fn there<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>, Trouble> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Trouble::file(path, source)),
    }
}
