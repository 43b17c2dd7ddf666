//! One recording: what the index says of it, held against its folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection};

use super::difference::{Damage, Difference, What};
use super::walk;
use crate::archive::extents::Extent;
use crate::archive::foreign::{self, Kind};
use crate::archive::index::read::{self, Place};
use crate::archive::index::write::{Pages, SpoolRow};
use crate::archive::model::{DerivedFile, Part, Recording, RecordingId, Track};
use crate::archive::names::{self, Holds};
use crate::archive::session_file::{self, SessionFile};
use crate::archive::verify::{self, Wrong};
use crate::media::track::{Format, TrackNumber};

/// The longest session file that is read, in bytes: a day of chat is far below.
const LONGEST_SESSION_FILE: u64 = 256 * 1024 * 1024;

/// All that the index says of a recording, from one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Known {
    pub place: Place,
    pub recording: Recording,
    spools: Vec<(TrackNumber, SpoolRow)>,
    pages: BTreeMap<(TrackNumber, u32), Pages>,
    extents: BTreeMap<(TrackNumber, u32), Vec<Extent>>,
    /// Its session file may say less.
    stale: bool,
}

impl Known {
    /// Reads it; `None` where there is none, or someone has deleted it.
    pub async fn read(connection: &mut SqliteConnection, id: RecordingId) -> Result<Option<Self>, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let Some((place, recording)) = read::recording(&mut transaction, id).await? else { return Ok(None) };
        let spools = read::spools(&mut transaction, place.row).await?;
        let pages = read::pages(&mut transaction, place.row).await?.into_iter().collect();
        let stale = read::session_file_is_stale(&mut transaction, place.row).await?;
        let extents = read::all_extents(&mut transaction, place.row, &recording).await?;
        Ok(Some(Self { place, recording, spools, pages, extents, stale }))
    }
}

/// Holds a recording against its folder, and gives what is different. `running`: whether a hub may be writing, which leaves things
/// about that are in the making. Each file's bytes are told as they are read.
pub(in crate::archive) fn compare(
    root: &Path,
    known: &Known,
    running: bool,
    read: &mut dyn FnMut(u64),
) -> Vec<Difference> {
    let mut compare = Compare { root, known, running, read, found: Vec::new() };
    compare.all();
    compare.found
}

struct Compare<'a> {
    root: &'a Path,
    known: &'a Known,
    running: bool,
    read: &'a mut dyn FnMut(u64),
    found: Vec<Difference>,
}

impl Compare<'_> {
    fn tell(&mut self, below: impl AsRef<Path>, what: What) {
        let folder = Path::new(&self.known.place.folder);
        let below = below.as_ref();
        let path = if below.as_os_str().is_empty() { folder.to_owned() } else { folder.join(below) };
        self.found.push(Difference::new(path, Some(self.known.recording.summary.id), what));
    }

    fn all(&mut self) {
        let known = self.known;
        let summary = &known.recording.summary;
        if known.place.folder != names::folder(&summary.room, summary.started, summary.id) {
            let what = Difference::new(&known.place.folder, Some(summary.id), What::NoNameOfOurs);
            return self.found.push(what);
        }
        if summary.state.end_reason().is_none() && !self.running {
            self.tell("", What::Unfinished);
        }
        let folder = self.root.join(&known.place.folder);
        let mut entries = match walk::entries(&folder) {
            Ok(entries) => entries,
            Err(error) => return self.tell("", wrong(&error)),
        };
        for (track, part) in known.recording.parts() {
            if let Some(file) =
                self.take(&mut entries, &folder, &part.file, Holds::Part(part.number, part.format.codec()))
            {
                self.part(file, track, part);
            }
        }
        for (track, spool) in &known.spools {
            if spool.settled {
                // Its part holds it: it may be gone or not.
                entries.remove(&spool.file);
            } else if let Some(file) = self.take(&mut entries, &folder, &spool.file, Holds::Spool) {
                self.spool(file, *track, spool);
            }
        }
        self.session_file(&mut entries, &folder);
        self.derived(&mut entries, &folder);
        for (name, kind) in entries {
            let left = match (kind, names::track_file(&name).map(|file| file.holds)) {
                (Kind::File, Some(Holds::Part(..) | Holds::Spool)) => What::NotIndexed,
                (Kind::File, None) if name == names::SESSION_NEXT => What::Leftover,
                (Kind::File, None) if name.starts_with(names::SESSION_ASIDE) => continue,
                (kind, _) => What::Foreign(kind),
            };
            // What is in the making is named by the index when it is made.
            if !self.running || matches!(left, What::Foreign(_)) {
                self.tell(name, left);
            }
        }
    }

    /// Opens a file that the index names.
    fn take(&mut self, entries: &mut BTreeMap<String, Kind>, folder: &Path, name: &str, holds: Holds) -> Option<File> {
        let there = entries.remove(name);
        if names::track_file(name).is_none_or(|file| file.holds != holds) {
            self.tell(name, What::NoNameOfOurs);
            return None;
        }
        match there {
            None => self.tell(name, What::Missing),
            Some(Kind::File) => match foreign::open(&folder.join(name)) {
                Ok(file) => return Some(file),
                Err(error) => self.tell(name, wrong(&error)),
            },
            Some(kind) => self.tell(name, What::Foreign(kind)),
        }
        None
    }

    fn part(&mut self, file: File, track: &Track, part: &Part) {
        let key = (track.number, part.number);
        let ended = !part.open;
        match &part.format {
            Format::Opus(_) => {
                let pages = self.known.pages.get(&key).copied().unwrap_or(Pages { serial: 0, count: 0 });
                let (count, length) = (Some(pages.count), Some(part.length));
                let written = verify::Ogg { bytes: part.bytes, serial: pages.serial, pages: count, length, ended };
                self.look(&part.file, |read, tell| verify::ogg(Counted { file, read }, &written, tell));
            }
            Format::Pcm(head) => {
                let known = self.known;
                let extents = known.extents.get(&key).map_or(&[][..], Vec::as_slice);
                let written = verify::Wav { bytes: part.bytes, head: *head, extents, ended };
                self.look(&part.file, |read, tell| verify::wav(Counted { file, read }, &written, tell));
            }
        }
    }

    fn spool(&mut self, file: File, track: TrackNumber, spool: &SpoolRow) {
        let part = self.known.recording.parts().find(|(of, part)| of.number == track && part.number == spool.part);
        match (part.map(|(_, part)| &part.format), spool.crc) {
            (Some(Format::Opus(_)), _) => {
                let serial = self.known.pages.get(&(track, spool.part)).map_or(0, |pages| pages.serial);
                let written = verify::Ogg { bytes: spool.bytes, serial, pages: None, length: None, ended: false };
                self.look(&spool.file, |read, tell| verify::ogg(Counted { file, read }, &written, tell));
            }
            (Some(Format::Pcm(head)), Some(crc)) => {
                self.look(&spool.file, |read, tell| {
                    verify::wav_spool(Counted { file, read }, spool.bytes, *head, crc, tell)
                });
            }
            // From before there were sums of its samples.
            (Some(Format::Pcm(_)), None) | (None, _) => match file.metadata() {
                Ok(metadata) if metadata.len() < spool.bytes => {
                    self.tell(&spool.file, What::Length { found: metadata.len(), indexed: spool.bytes });
                }
                Ok(_) => {}
                Err(error) => self.tell(&spool.file, wrong(&error)),
            },
        }
    }

    /// Looks through a file.
    fn look(
        &mut self,
        name: impl AsRef<Path>,
        verify: impl FnOnce(&mut dyn FnMut(u64), &mut dyn FnMut(verify::Damage)) -> io::Result<()>,
    ) {
        let mut damaged = Vec::new();
        let looked = verify(self.read, &mut |damage| damaged.push(damage));
        let over = self.known.recording.summary.state.end_reason().is_some();
        for damage in damaged {
            // A part that ended by a fault may be followed by what was not durable, until the recording is brought to its end.
            if over || damage.wrong != Wrong::More {
                self.tell(&name, What::Damaged(Damage(damage)));
            }
        }
        if let Err(error) = looked {
            self.tell(&name, wrong(&error));
        }
    }

    fn session_file(&mut self, entries: &mut BTreeMap<String, Kind>, folder: &Path) {
        let there = entries.remove(names::SESSION);
        if self.known.stale && (self.running || self.known.recording.summary.state.end_reason().is_none()) {
            // It is about to be replaced, by the hub or by the start that ends the recording.
            return;
        }
        let what = match there {
            None => What::Missing,
            Some(Kind::File) => match session_file(folder) {
                Ok(file) if self.said().is_said_by(&file) => return,
                Ok(_) => What::SaysOtherwise,
                Err(what) => what,
            },
            Some(kind) => What::Foreign(kind),
        };
        self.tell(names::SESSION, what);
    }

    fn said(&self) -> SessionFile {
        SessionFile::of(&self.known.recording).with_sums(&self.known.extents)
    }

    fn derived(&mut self, entries: &mut BTreeMap<String, Kind>, folder: &Path) {
        let below = |name: &str| -> PathBuf { Path::new(names::DERIVED).join(name) };
        let folder = folder.join(names::DERIVED);
        let mut made = match entries.remove(names::DERIVED) {
            None => BTreeMap::new(),
            Some(Kind::Folder) => match walk::entries(&folder) {
                Ok(made) => made,
                Err(error) => return self.tell(names::DERIVED, wrong(&error)),
            },
            Some(kind) => return self.tell(names::DERIVED, What::Foreign(kind)),
        };
        for file in &self.known.recording.derived {
            let name = names::derived(file.what);
            match made.remove(&name) {
                None => self.tell(below(&name), What::Missing),
                Some(Kind::File) => self.made(&below(&name), &folder.join(&name), file),
                Some(kind) => self.tell(below(&name), What::Foreign(kind)),
            }
        }
        for (name, kind) in made {
            match kind {
                // One that the index does not name yet, or not any more: it is made again in its place.
                Kind::File if names::is_derived(&name) && !name.ends_with(names::NEXT) => {}
                Kind::File if names::is_derived(&name) && self.running => {}
                Kind::File if names::is_derived(&name) => self.tell(below(&name), What::Leftover),
                kind => self.tell(below(&name), What::Foreign(kind)),
            }
        }
    }

    /// One that the index says was made, which is a file: how long it is, and its sum.
    fn made(&mut self, below: &Path, path: &Path, made: &DerivedFile) {
        let opened = foreign::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match (opened, made.crc) {
            (Ok((found, _)), _) if found != made.bytes => {
                self.tell(below, What::Length { found, indexed: made.bytes });
            }
            (Ok((_, file)), Some(crc)) => {
                self.look(below, |read, tell| verify::made(Counted { file, read }, made.bytes, crc, tell));
            }
            // From before there were sums, or a newer one is about to take its name.
            (Ok(_), None) => {}
            (Err(error), _) => self.tell(below, wrong(&error)),
        }
    }
}

/// Reads a recording's session file.
pub(in crate::archive) fn session_file(folder: &Path) -> Result<SessionFile, What> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        foreign::open(&folder.join(names::SESSION))?.take(LONGEST_SESSION_FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| wrong(&error))?;
    SessionFile::read(&bytes).map_err(|error: session_file::Error| What::NotUnderstood(error.to_string()))
}

/// What it says of a place that it cannot be read.
fn wrong(error: &io::Error) -> What {
    let foreign = error.get_ref().and_then(|inner| inner.downcast_ref::<foreign::Foreign>());
    match foreign {
        Some(foreign) => What::Foreign(foreign.kind),
        None if error.kind() == io::ErrorKind::NotFound => What::Missing,
        None => What::Unreadable(error.to_string()),
    }
}

/// A file whose bytes are told as they are read.
struct Counted<'a> {
    file: File,
    read: &'a mut dyn FnMut(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.read)(count as u64);
        Ok(count)
    }
}
