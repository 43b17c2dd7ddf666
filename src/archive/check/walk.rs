//! A walk through the folder of all recordings: what stands in it, told apart by its name and its kind, and never followed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::foreign::{self, Kind};
use crate::archive::lock;
use crate::archive::model::RecordingId;
use crate::archive::names;
use crate::media::room::RoomName;

/// What stands in the folder of all recordings, or in a room's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) enum Found {
    /// A folder that is called as a recording's.
    Recording(RecordingId),
    /// A file of ours that nothing needs.
    Leftover,
    /// Something that is not ours.
    Foreign(Kind),
    /// It cannot be listed.
    Unreadable(String),
}

/// Walks through the folder of all recordings, and tells what is found, each with its path below it. What is as it should be is
/// not told: the index, the lock, the folders of rooms.
pub(in crate::archive) fn walk(root: &Path, tell: &mut dyn FnMut(PathBuf, Found)) -> io::Result<()> {
    for (name, kind) in entries(root)? {
        match (kind, name.as_str()) {
            (Kind::File, lock::FILE) => {}
            (Kind::File, ours) if is_index(ours) => {}
            (Kind::File, names::PROBE) => tell(name.into(), Found::Leftover),
            (Kind::Folder, room) if room.parse::<RoomName>().is_ok() => self::room(root, room, tell),
            (kind, _) => tell(name.into(), Found::Foreign(kind)),
        }
    }
    Ok(())
}

fn room(root: &Path, room: &str, tell: &mut dyn FnMut(PathBuf, Found)) {
    let listed = match entries(&root.join(room)) {
        Ok(listed) => listed,
        Err(error) => return tell(room.into(), Found::Unreadable(error.to_string())),
    };
    for (name, kind) in listed {
        let path = Path::new(room).join(&name);
        match (kind, names::recording(&name)) {
            (Kind::Folder, Some(id)) => tell(path, Found::Recording(id)),
            _ => tell(path, Found::Foreign(kind)),
        }
    }
}

/// Whether this is a file of the index, or of one that was set aside.
fn is_index(name: &str) -> bool {
    let beside = |suffix| name.strip_suffix(suffix).is_some_and(|index| index == names::INDEX);
    name == names::INDEX || ["-wal", "-shm", "-journal"].into_iter().any(beside) || name.starts_with(names::INDEX_ASIDE)
}

/// What is in a folder, by name. A name that is no UTF-8 is told as well as it can be: no name of ours is like it.
pub(in crate::archive) fn entries(folder: &Path) -> io::Result<BTreeMap<String, Kind>> {
    foreign::expect(folder, Kind::Folder)?;
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // Gone since: whoever removed it knows why.
        if let Some((kind, _)) = foreign::look(&entry.path())? {
            entries.insert(entry.file_name().to_string_lossy().into_owned(), kind);
        }
    }
    Ok(entries)
}

/// Whether a recording's folder holds anything that a recording can be made from. What stayed of one that was deleted is none: it is not
/// known to be ours.
pub(in crate::archive) fn holds_recording(folder: &Path) -> bool {
    let is_part = |name: &str| matches!(names::track_file(name).map(|file| file.holds), Some(names::Holds::Part(..)));
    let ours = |(name, kind): (&String, &Kind)| *kind == Kind::File && (name == names::SESSION || is_part(name));
    entries(folder).is_ok_and(|entries| !entries.contains_key(names::DELETED) && entries.iter().any(ours))
}

/// Whether there is nothing in a folder.
pub(in crate::archive) fn is_empty(folder: &Path) -> bool {
    entries(folder).is_ok_and(|entries| entries.is_empty())
}

/// Whether there is any recording in the folder of all.
pub(in crate::archive) fn any_recording(root: &Path) -> bool {
    let mut any = false;
    let looked = walk(root, &mut |path, found| {
        any = any || (matches!(found, Found::Recording(_)) && holds_recording(&root.join(path)));
    });
    looked.is_ok() && any
}
