//! A recording's files for whoever wants one outside the folder, while a hub runs or not: what can be downloaded, byte for
//! byte the same.
//!
//! What belongs here: finding what is there already, having the rest made, and telling at the end whether the recording is still
//! there. What does not: how files are made (`derived`), where the bytes go to, how it is shown how far it is.
//!
//! No lock is needed: the index is only read, and nothing is written in the folder. A recording that is deleted meanwhile is told
//! at the end, since what was read by then may lack what had gone.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::SqliteConnection;

use super::check::{self, CheckError};
pub use super::derived::be_nice;
use super::derived::{self, BETWEEN_SYNCS, FoundPeaks, Origin, SPARED, Sink, Stopped, Work};
use super::foreign;
use super::index::read;
use super::kept::Kept;
use super::model::{BadEdit, Container, Derived, DerivedFile, Edition, RecordingId};
use super::names;
use super::store::{Disk, Store};
use crate::container::audiowaveform::Layout;
use crate::media::peaks::{BadPicture, Length, Picture, Wanted};

/// How much is copied at a time.
const STEP: usize = 256 * 1024;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The recordings cannot be looked at.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// There is no such recording.
    #[error("there is no such recording")]
    NoRecording,
    /// It has no such track.
    #[error("the recording has no such track")]
    NoTrack,
    /// It is still being made.
    #[error("the recording is still being made; it can be exported when it has ended")]
    Live,
    /// It went while it was read.
    #[error("the recording was deleted while it was read")]
    Deleted,
    /// It has not what was chosen of it.
    #[error(transparent)]
    Edit(#[from] BadEdit),
    /// It has no such pixels.
    #[error(transparent)]
    Picture(#[from] BadPicture),
    /// Someone told it to stop.
    #[error("told to stop")]
    Told,
    /// Something cannot be read, made or written.
    #[error("{0}")]
    Failed(String),
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Check(error.into())
    }
}

impl From<Stopped> for ExportError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Told => Self::Told,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Where a file goes.
pub enum Output {
    /// A file, from its beginning, with its path; what is made on the way goes into its folder.
    File(File, PathBuf),
    /// A stream; what is made on the way goes where temporary files do.
    Stream(Box<dyn Write + Send>),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(&self.path()).finish()
    }
}

/// Whether a file can go into a stream: it is written from its beginning to its end.
#[must_use]
pub const fn streams(what: Derived) -> bool {
    !matches!(what, Derived::TracksZip | Derived::Mix(Container::Flac) | Derived::Track(_, Container::Flac))
}

/// How far an export is, and a way to stop it.
#[derive(Clone)]
pub struct Progress(Arc<Work>);

impl Progress {
    /// From 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.0.progress()
    }

    /// It ends within one small step, with [`ExportError::Told`].
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many bytes.
    pub bytes: u64,
    /// Whether some of the sound could not be read, and is missing or silent.
    pub damaged: bool,
}

/// An export that is possible.
pub struct Export {
    connection: SqliteConnection,
    root: PathBuf,
    id: RecordingId,
    what: Edition,
    origin: Origin,
    work: Arc<Work>,
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("id", &self.id).field("what", &self.what).finish_non_exhaustive()
    }
}

impl Export {
    /// Looks whether a recording can have this file.
    ///
    /// # Errors
    /// Where it cannot, has not ended, or the index cannot be read.
    pub async fn find(folder: &Path, id: RecordingId, what: Edition) -> Result<Self, ExportError> {
        let root = check::resolve(folder)?;
        let mut connection = check::open(&root).await?;
        let origin = Origin::read(&mut connection, &root, id).await?.ok_or(ExportError::NoRecording)?;
        let recording = &origin.recording;
        if recording.summary.state.end_reason().is_none() {
            return Err(ExportError::Live);
        }
        if what.of.track().is_some_and(|number| recording.tracks.iter().all(|track| track.number != number)) {
            return Err(ExportError::NoTrack);
        }
        let what = derived::edition_of(what, recording)?;
        Ok(Self { connection, root, id, what, origin, work: Arc::default() })
    }

    /// How far it is, for whoever waits.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress(Arc::clone(&self.work))
    }

    /// Writes the file, from where it is, or as it is made. Waits for the disk, and takes as long as it takes.
    ///
    /// # Errors
    /// Where it is told to stop, or something cannot be read, made or written: what was written by then is no whole file.
    pub fn write(&mut self, output: &mut Output) -> Result<Exported, ExportError> {
        if let Some(kept) = self.kept() {
            return self.write_kept(kept, output);
        }
        match self.there(self.what) {
            Some((made, file)) => self.copy_made(&made, file, output),
            None => self.make(output),
        }
    }

    /// Whether the recording is still there, so that nothing of it was missing while it was read.
    ///
    /// # Errors
    /// [`ExportError::Deleted`] where it is not.
    pub async fn is_still_there(&mut self) -> Result<(), ExportError> {
        let found = read::summary(&mut self.connection, self.id).await?;
        found.map(drop).ok_or(ExportError::Deleted)
    }

    /// What the file is as it was kept; none where it is made.
    fn kept(&self) -> Option<Kept> {
        let Derived::Track(number, container) = self.what.of else { return None };
        let track = self.origin.recording.tracks.iter().find(|track| track.number == number)?;
        let kept = Kept::of(track.parts.iter().map(|part| &part.format));
        kept.is(container, &self.what.edit).then_some(kept)
    }

    /// A derived file that is there, of today's recipe and as long as the index knows it.
    fn there(&self, what: Edition) -> Option<(DerivedFile, File)> {
        let derived = &self.origin.recording.derived;
        let made = *derived.iter().find(|file| file.what == what && file.recipe == what.of.recipe())?;
        let file = foreign::open(&self.origin.folder.join(names::DERIVED).join(names::derived(what))).ok()?;
        (file.metadata().ok()?.len() == made.bytes).then_some((made, file))
    }

    /// Writes what someone wants of the peaks, which are the file that was asked for.
    ///
    /// # Errors
    /// As [`Self::write`], and where there are no such pixels.
    pub fn write_picture(
        &mut self,
        wanted: Wanted,
        layout: Layout,
        output: &mut Output,
    ) -> Result<Exported, ExportError> {
        let folder = output.scratch().map_err(|source| Stopped::file(&self.root, source))?;
        let path = folder.path().join(names::derived(self.what));
        let wrong = |source| ExportError::from(Stopped::file(&path, source));
        let whole = File::create_new(&path).map_err(wrong)?;
        let written = self.write(&mut Output::File(whole, path.clone()))?;
        let mut peaks = File::open(&path).and_then(FoundPeaks::in_file).map_err(wrong)?;
        let length = Length::Whole(self.origin.recording.summary.length);
        let picture = Picture::of(wanted, layout.most(), peaks.finest(), length)?;
        let file = peaks.file(&picture, layout).map_err(wrong)?;
        let mut to = To::new(&self.root, output);
        to.append(&file)?;
        to.flush()?;
        Ok(Exported { bytes: to.bytes, damaged: written.damaged })
    }

    fn write_kept(&self, kept: Kept, output: &mut Output) -> Result<Exported, ExportError> {
        let tracks = self.origin.recording.tracks.iter().filter(|track| self.what.of.track() == Some(track.number));
        let mut parts = Vec::new();
        let mut damaged = false;
        for part in tracks.flat_map(|track| &track.parts) {
            let path = self.origin.folder.join(&part.file);
            let opened = foreign::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
            let (there, file) = opened.map_err(|source| Stopped::file(&path, source))?;
            damaged |= there < part.bytes;
            parts.push((file, part.bytes.min(there)));
        }
        let pieces = kept.pieces(parts);
        let bytes = pieces.iter().map(|piece| piece.bytes).sum();
        self.work.expect(bytes);
        let mut to = To::new(&self.root, output);
        to.expect(bytes)?;
        for piece in pieces {
            let mut reader = piece.reader().map_err(|source| Stopped::file(&self.origin.folder, source))?;
            self.copy(&mut *reader, &mut to)?;
        }
        to.flush()?;
        if to.bytes < bytes {
            return Err(ExportError::Failed("the parts became shorter while they were read".to_owned()));
        }
        Ok(Exported { bytes, damaged })
    }

    /// Copies a file that is there; makes it anew where it is not what was made.
    fn copy_made(&mut self, made: &DerivedFile, mut file: File, output: &mut Output) -> Result<Exported, ExportError> {
        self.work.expect(made.bytes.saturating_mul(2));
        if !self.is_as_made(made, &mut file)? {
            return self.make(output);
        }
        let mut to = To::new(&self.root, output);
        to.expect(made.bytes)?;
        self.copy(&mut file, &mut to)?;
        to.flush()?;
        Ok(Exported { bytes: to.bytes, damaged: made.damaged })
    }

    /// Whether a file is what was made; it stands at its beginning then.
    fn is_as_made(&self, made: &DerivedFile, file: &mut File) -> Result<bool, ExportError> {
        let Some(crc) = made.crc else { return Ok(true) };
        let path = self.origin.folder.join(names::DERIVED).join(names::derived(made.what));
        let sum = derived::sum_of(file, &path, &self.work)?;
        file.seek(SeekFrom::Start(0)).map_err(|source| Stopped::file(&path, source))?;
        Ok(sum == crc)
    }

    fn copy(&self, from: &mut dyn Read, to: &mut To<'_>) -> Result<(), ExportError> {
        let mut buffer = vec![0; STEP];
        loop {
            let read = from.read(&mut buffer).map_err(|source| Stopped::file(&self.origin.folder, source))?;
            if read == 0 {
                return Ok(());
            }
            to.append(&buffer[..read])?;
            self.work.done(read as u64)?;
        }
    }

    /// Makes the file, and before it what it is made of, where that is not there.
    fn make(&mut self, output: &mut Output) -> Result<Exported, ExportError> {
        let first = derived::made_of(self.what);
        let mut there = first.and_then(|first| self.there(first));
        if let Some((made, file)) = &mut there
            && !self.is_as_made(made, file)?
        {
            there = None;
        }
        let to_make = first.filter(|_| there.is_none());
        let all: Vec<_> = to_make.into_iter().chain([self.what]).collect();
        self.work.expect(derived::cost(&self.origin.recording, &all));
        let mut damaged = there.is_some_and(|(made, _)| made.damaged);
        let scratch = match to_make {
            Some(first) => {
                let folder = output.scratch().map_err(|source| Stopped::file(&self.root, source))?;
                let path = folder.path().join(names::derived(first));
                let file = File::create_new(&path).map_err(|source| Stopped::file(&path, source))?;
                let mut made = Output::File(file, path);
                damaged |= derived::make(&self.origin, first, &mut To::new(&self.root, &mut made), &self.work)?;
                folder.path().clone_into(&mut self.origin.made);
                Some(folder)
            }
            None => None,
        };
        let mut to = To::new(&self.root, output);
        damaged |= derived::make(&self.origin, self.what, &mut to, &self.work)?;
        to.flush()?;
        drop(scratch);
        Ok(Exported { bytes: to.bytes, damaged })
    }
}

impl Output {
    /// A folder for what is made on the way.
    fn scratch(&self) -> io::Result<tempfile::TempDir> {
        match self {
            Self::File(_, path) => tempfile::tempdir_in(folder_of(path)),
            Self::Stream(_) => tempfile::tempdir(),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::File(_, path) => path,
            Self::Stream(_) => Path::new("standard output"),
        }
    }
}

/// The folder that a file is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// An output as files are made into it.
struct To<'a> {
    /// The folder of all recordings: its disk is not to be filled.
    root: &'a Path,
    output: &'a mut Output,
    disk: Disk,
    bytes: u64,
    /// What was written since the last sync, where it goes to the disk of the recordings.
    unsynced: Option<usize>,
}

impl<'a> To<'a> {
    fn new(root: &'a Path, output: &'a mut Output) -> Self {
        Self { root, output, disk: Disk, bytes: 0, unsynced: None }
    }

    fn wrong(&self, source: io::Error) -> Stopped {
        Stopped::file(self.output.path(), source)
    }

    /// So many bytes more were written. Beside recordings it is synced now and then, so that no sync of a part waits for all of it,
    /// and ends where too little is left for them by now.
    fn spare(&mut self, bytes: usize) -> Result<(), Stopped> {
        let (Output::File(file, path), Some(unsynced)) = (&*self.output, &mut self.unsynced) else { return Ok(()) };
        *unsynced += bytes;
        if *unsynced < BETWEEN_SYNCS {
            return Ok(());
        }
        let bytes = std::mem::take(unsynced) as u64;
        let free = file.sync_data().and_then(|()| self.disk.free(folder_of(path)));
        let free = free.map_err(|source| Stopped::file(path, source))?;
        if free < SPARED { Err(Stopped::Full { bytes }) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        let flushed = match self.output {
            Output::File(file, _) => file.flush(),
            Output::Stream(stream) => stream.flush(),
        };
        flushed.map_err(|source| self.wrong(source))
    }
}

impl Sink for To<'_> {
    /// On the disk of the recordings as much is left as a hub leaves.
    fn expect(&mut self, most: u64) -> Result<(), Stopped> {
        let Output::File(_, path) = &self.output else { return Ok(()) };
        let folder = folder_of(path);
        let look = |disk: &mut Disk| {
            let same = rustix::fs::statvfs(folder)?.f_fsid == rustix::fs::statvfs(self.root)?.f_fsid;
            Ok((same, disk.free(folder)?))
        };
        let (same, free) = look(&mut self.disk).map_err(|source: io::Error| Stopped::file(folder, source))?;
        self.unsynced = same.then_some(0);
        let needed = most.saturating_add(if same { SPARED } else { 0 });
        if free < needed { Err(Stopped::Full { bytes: most }) } else { Ok(()) }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let written = match self.output {
            Output::File(file, _) => file.write_all(bytes),
            Output::Stream(stream) => stream.write_all(bytes),
        };
        written.map_err(|source| self.wrong(source))?;
        self.bytes += bytes.len() as u64;
        self.spare(bytes.len())
    }

    fn overwrite(&mut self, at: u64, bytes: &[u8]) -> Result<(), Stopped> {
        let end = self.bytes;
        let written = match self.output {
            Output::File(file, _) => file
                .seek(SeekFrom::Start(at))
                .and_then(|_| file.write_all(bytes))
                .and_then(|()| file.seek(SeekFrom::Start(end)).map(drop)),
            Output::Stream(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "what has gone cannot be changed")),
        };
        written.map_err(|source| self.wrong(source))
    }

    fn store(&mut self) -> &mut dyn Store {
        &mut self.disk
    }
}
