//! Files and folders that a crash left before the index named them: whoever fell was in the middle of a round. Nothing in them was
//! told to be durable.
//!
//! Start-up, which trusts its index, removes such a file of a recording, unless the session file names it: then the index is older
//! than what it speaks of, and a repair is asked for. A recording's folder that was begun becomes a recording as far as there are
//! whole pages in it; samples have nobody to vouch for them. A repair trusts nobody, and removes no sound: what says itself where
//! it belongs becomes a part of its recording.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use sqlx::{Connection as _, SqliteConnection};

use super::measure::{self, Measured};
use super::rebuild;
use super::salvage::{self, Said};
use crate::archive::check::{Indexed, What, folder_of, session_file, walk};
use crate::archive::foreign::{self, Kind};
use crate::archive::handle::Error;
use crate::archive::index::{derived, read, write};
use crate::archive::model::{Anchor, Gap, GapCause, Part, Pins, Recording, RecordingId, Track};
use crate::archive::names::{self, Holds, TrackFile};
use crate::archive::store::Store;
use crate::archive::writer::Trouble;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::Format;

/// How much earlier than by our clock a folder may seem to have been changed, and how much earlier than its hub a session may have
/// begun: what its first message holds was said before, up to 3 s.
const SLACK: Duration = Duration::from_secs(5);

/// What became of something: where, and what was done.
pub(in crate::archive) type Taken = (PathBuf, &'static str);

const PART: &str = "was not in the index, and became a part of its recording";
const RECORDING: &str = "was not in the index, and became a recording";
const NOTHING: &str = "was begun by who fell, held no sound that anyone vouches for, and was removed";
const BEGUN: &str = "was begun by who fell, and was removed: nothing in it was told to be durable";

/// Puts in order what the last run had begun and the index does not name.
pub(in crate::archive) async fn sweep(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    run: i64,
) -> Result<Vec<Taken>, Error> {
    let mut taken = Vec::new();
    for id in read::unfinished(connection).await? {
        taken.extend(sweep_recording(store, connection, root, id).await?);
    }
    if let Some(since) = read::started_before(connection, run).await? {
        for (id, room, path) in begun(root, since) {
            if folder_of(connection, id, &path).await? == Indexed::No {
                taken.extend(of_folder(store, connection, root, run, (id, &room, &path)).await?);
            }
        }
    }
    Ok(taken)
}

/// Removes what was begun in a recording's folder.
async fn sweep_recording(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
) -> Result<Vec<Taken>, Error> {
    let Some((place, _)) = read::summary(connection, id).await? else { return Ok(Vec::new()) };
    let folder = root.join(&place.folder);
    let indexed = read::files(connection, place.row).await?;
    let said = match session_file(&folder) {
        Ok(file) => file.tracks,
        // It has none yet: its first round is not over.
        Err(What::Missing) => Vec::new(),
        Err(_) => return Ok(Vec::new()),
    };
    let named = |name: &String| said.iter().flat_map(|track| &track.parts).any(|part| part.file == *name);
    let mut taken = Vec::new();
    // A folder that is not there is for a check to name.
    for (name, kind) in walk::entries(&folder).unwrap_or_default() {
        let ours = kind == Kind::File && names::track_file(&name).is_some();
        if ours && !indexed.contains(&name) && !named(&name) {
            let path = folder.join(&name);
            store.remove(&path).map_err(|source| trouble(&path, source))?;
            taken.push((Path::new(&place.folder).join(name), BEGUN));
        }
    }
    if !taken.is_empty() {
        // Before the recording has ended by the index: nobody would look for them again.
        store.sync_folder(&folder).map_err(|source| trouble(&folder, source))?;
    }
    Ok(taken)
}

/// A file of a recording that the index does not name.
struct Stray {
    name: String,
    file: TrackFile,
    said: Said,
    measured: Measured,
}

/// Takes in what is in a recording's folder and not in the index, where it says itself where it belongs; removes what is empty.
pub(in crate::archive) async fn of_recording(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
) -> Result<Vec<Taken>, Error> {
    let Some((place, recording)) = read::recording(connection, id).await? else { return Ok(Vec::new()) };
    let folder = root.join(&place.folder);
    let indexed = read::files(connection, place.row).await?;
    let mut taken = Vec::new();
    for (name, kind) in walk::entries(&folder).unwrap_or_default() {
        let Some(file) = names::track_file(&name).filter(|_| kind == Kind::File && !indexed.contains(&name)) else {
            continue;
        };
        let below = Path::new(&place.folder).join(&name);
        let of_track = recording.tracks.iter().find(|track| track.number == file.track);
        match look(&folder, name, file, of_track) {
            Ok(Look::Sound(stray)) if stray.said.imprint.is_none() => {}
            Ok(Look::Unknown) => {}
            Ok(Look::Sound(stray)) => {
                let path = adopt(store, connection, &folder, place.row, &recording, *stray).await?;
                taken.push((Path::new(&place.folder).join(path), PART));
            }
            Ok(Look::Nothing) => {
                store.remove(&root.join(&below)).map_err(|source| trouble(&root.join(&below), source))?;
                taken.push((below, NOTHING));
            }
            Err(error) => tracing::warn!("{}: {error}", below.display()),
        }
    }
    Ok(taken)
}

/// What a file holds.
enum Look {
    /// A part, or a spool.
    Sound(Box<Stray>),
    /// Nothing, or nothing but what a part begins with.
    Nothing,
    /// It has the name of ours, and does not say what it is.
    Unknown,
}

/// Looks at what a file holds.
fn look(folder: &Path, name: String, file: TrackFile, track: Option<&Track>) -> io::Result<Look> {
    let path = folder.join(&name);
    // A spool holds what its part does.
    let of_track = track.and_then(|track| track.parts.last()).map(|part| part.format.codec());
    let codec = match file.holds {
        Holds::Part(_, codec) => Some(codec),
        Holds::Spool => of_track,
    };
    let said = codec.map(|codec| salvage::said(foreign::open(&path)?, codec)).transpose()?.flatten();
    let Some(said) = said else {
        let empty = foreign::look(&path)?.is_none_or(|(_, bytes)| bytes == 0);
        return Ok(if empty { Look::Nothing } else { Look::Unknown });
    };
    let measured = match said.format {
        Format::Opus(_) => measure::ogg(foreign::open(&path)?, 0)?,
        Format::Pcm(head) => measure::wav(foreign::open(&path)?, head, false)?,
    };
    if measured.length == Ticks::ZERO {
        return Ok(Look::Nothing);
    }
    Ok(Look::Sound(Box::new(Stray { name, file, said, measured })))
}

/// Makes a file a part of its recording; gives what it is called then.
async fn adopt(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    folder: &Path,
    row: i64,
    recording: &Recording,
    stray: Stray,
) -> Result<String, Error> {
    let Stray { mut name, file, said, measured } = stray;
    let track = recording.tracks.iter().find(|track| track.number == file.track);
    let whose = said.name.clone().or_else(|| file.slug.parse().ok()).unwrap_or_else(ParticipantName::nobody);
    let whose = track.map_or(whose, |track| track.name.clone());
    let before = track.and_then(|track| track.parts.last());
    let mut number = before.map_or(1, |part| part.number.saturating_add(1));
    match file.holds {
        Holds::Part(of_name, _) => number = of_name,
        Holds::Spool => {
            let codec = said.format.codec();
            while foreign::look(&folder.join(names::part(file.track, &whose, number, codec)))
                .map_err(|source| trouble(folder, source))?
                .is_some()
            {
                number += 1;
            }
            let part = names::part(file.track, &whose, number, codec);
            let renamed = store.rename(&folder.join(&name), &folder.join(&part));
            renamed.and_then(|()| store.sync_folder(folder)).map_err(|source| trouble(folder, source))?;
            name = part;
        }
    }
    make_durable(store, folder, &name)?;
    let end = before.map_or(Ticks::ZERO, |part| part.start.track.saturating_add(length(folder, part)));
    let at = said.imprint.map_or(end, |imprint| imprint.start.track);
    let on_session = track.map_or(at, |track| Pins::of(track).session(at));
    let start = match (said.imprint, file.holds) {
        (Some(imprint), Holds::Part(..)) => imprint.start,
        (_, Holds::Part(..) | Holds::Spool) => Anchor { track: at, session: on_session },
    };
    let first = said.imprint.map_or(before.map_or_else(Default::default, |part| part.next), |imprint| imprint.first);
    let part = Part {
        number,
        file: name.clone(),
        source: said.imprint.map_or(said.format.codec(), |imprint| imprint.source),
        format: said.format,
        start,
        length: measured.length,
        bytes: measured.bytes,
        first,
        next: first.after(measured.packets),
        open: measured.stream.open,
    };
    let mut c = connection.begin().await?;
    if track.is_none() {
        let participant =
            said.imprint.map_or_else(|| salvage::nobody(recording.summary.id, file.track), |i| i.participant);
        write::track(&mut c, row, file.track, participant, &whose).await?;
    }
    write::part(&mut c, row, file.track, &part, measured.stream).await?;
    for extent in measured.extents {
        write::extent(&mut c, row, file.track, number, extent).await?;
    }
    if let Some(silence) = start.track.checked_sub(end).filter(|silence| before.is_some() && *silence > Ticks::ZERO) {
        let gap = Gap { at: end, length: silence, cause: GapCause::Pause, filled: false };
        write::gap(&mut c, row, file.track, &gap).await?;
    }
    let until = start.session.saturating_add(part.length);
    write::length(&mut c, row, until.max(recording.summary.length)).await?;
    write::session_file_stale(&mut c, row, true).await?;
    derived::outdated(&mut c, row).await?;
    c.commit().await?;
    store.committed();
    Ok(name)
}

/// Makes a file and its name durable, before the index names it: who wrote it may have been killed before that.
fn make_durable(store: &mut dyn Store, folder: &Path, name: &str) -> Result<(), Error> {
    let path = folder.join(name);
    let synced = store.open(&path).and_then(|handle| store.sync(&handle));
    synced.and_then(|()| store.sync_folder(folder)).map_err(|source| trouble(&path, source))
}

/// How long a part is: of one that had not ended, by its file.
fn length(folder: &Path, part: &Part) -> Ticks {
    let measured = || match part.format {
        Format::Opus(_) if part.open => measure::ogg(foreign::open(&folder.join(&part.file)).ok()?, 0).ok(),
        Format::Opus(_) | Format::Pcm(_) => None,
    };
    measured().map_or(part.length, |measured| measured.length.max(part.length))
}

/// The folders of recordings that were begun since then.
fn begun(root: &Path, since: UnixMillis) -> Vec<(RecordingId, RoomName, PathBuf)> {
    let since = Duration::from_millis(u64::try_from(since.get()).unwrap_or(0)).saturating_sub(SLACK);
    let changed = UNIX_EPOCH + since;
    let since = UnixMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let mut found = Vec::new();
    for (name, kind) in walk::entries(root).unwrap_or_default() {
        let (Kind::Folder, Ok(room)) = (kind, name.parse::<RoomName>()) else { continue };
        let folder = root.join(&name);
        if fs::metadata(&folder).and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified < changed) {
            continue;
        }
        for (folder, kind) in walk::entries(&folder).unwrap_or_default() {
            let id = names::recording(&folder).filter(|id| kind == Kind::Folder && id.started() >= since);
            found.extend(id.map(|id| (id, room.clone(), Path::new(&name).join(folder))));
        }
    }
    found
}

/// Takes in a recording's folder that the index does not name. What anyone but a hub in its first round can have left there is for a
/// check to name.
async fn of_folder(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    run: i64,
    (id, room, path): (RecordingId, &RoomName, &Path),
) -> Result<Vec<Taken>, Error> {
    let folder = root.join(path);
    let wrong = |source| trouble(&folder, source);
    let entries = walk::entries(&folder).map_err(wrong)?;
    let is_part = |name: &str| matches!(names::track_file(name).map(|file| file.holds), Some(Holds::Part(..)));
    if names::folder(room, id.started(), id) != path.to_string_lossy()
        || !entries.iter().all(|(name, kind)| *kind == Kind::File && is_part(name))
    {
        return Ok(Vec::new());
    }
    let mut taken = Vec::new();
    for name in entries.into_keys() {
        let Some(file) = names::track_file(&name) else { continue };
        let vouched = matches!(file.holds, Holds::Part(_, Codec::Opus));
        if !vouched || !matches!(look(&folder, name.clone(), file, None).map_err(wrong)?, Look::Sound(_)) {
            store.remove(&folder.join(&name)).map_err(wrong)?;
            taken.push((path.join(name), NOTHING));
        }
    }
    match salvage::session_file(&folder, id, room).map_err(wrong)? {
        Some(mut file) => {
            file.keep = false;
            for part in file.tracks.iter().flat_map(|track| &track.parts) {
                make_durable(store, &folder, &part.file)?;
            }
            let mut rooms = folder.parent().into_iter().chain([root]);
            rooms.try_for_each(|folder| store.sync_folder(folder)).map_err(wrong)?;
            rebuild::insert(connection, run, root, path, &file).await?;
            store.committed();
            taken.push((path.to_owned(), RECORDING));
        }
        None => {
            store.remove_folder(&folder).map_err(wrong)?;
            taken.push((path.to_owned(), NOTHING));
        }
    }
    Ok(taken)
}

fn trouble(path: &Path, source: io::Error) -> Error {
    Trouble::file(path, source).into()
}
