//! Recordings that are being played: opened once for all who play them, and read in small pieces, away from the threads
//! that serve.
//!
//! What belongs here: which recordings are open, how fresh what is known of them is, and the pieces of their files. What
//! does not: which piece comes next, and what is in it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::blocks::{Blocks, BlocksRead};
use super::extents::Extent;
use super::foreign;
use super::handle::{Archive, Error};
use super::index::read;
use super::model::{Part, Pins, Recording, RecordingId};
use super::retention::InUse;
use super::timeline::Timeline;
use crate::container::ogg::{LONGEST_PAGE, Place, Search, place_after};
use crate::media::time::{Moment, Ticks};
use crate::media::track::{Format, TrackNumber};

/// How many read at a time: one disk does not get faster by more, and each has a thread of its own.
const READERS: usize = 4;
/// How old what is known of a recording that has not ended may be: a round makes more of it durable about as often.
const FRESH: Duration = Duration::from_millis(400);
/// How many files of a recording stay open that nobody reads any more: who plays it may come back to them.
const MOST_FILES: usize = 64;
/// How many files of a recording stay open that is deleted while it is played.
const MOST_HELD: usize = 1024;
/// A piece is about this much sound of its part: as much as a replay sends in a turn.
const PIECE: Ticks = Ticks::from_millis(500);
/// And at least and at most so many bytes.
const SHORTEST_PIECE: u64 = 2 * 1024;
const LONGEST_PIECE: u64 = 16 * 1024;
/// How many bytes behind damage are searched for a good page at a time: the longest page is a quarter of it.
const WINDOW: u64 = 256 * 1024;

/// A recording, opened: all who play it share it.
#[derive(Debug)]
pub struct OpenRecording {
    /// What the index said.
    pub recording: Recording,
    /// What happens in it.
    pub timeline: Timeline,
    /// For each of its tracks, in order, its count on the session's clock.
    pub pins: Vec<Pins>,
    /// When it was read from the index.
    pub known: Moment,
    /// Its row in the index.
    row: i64,
    folder: PathBuf,
    files: Arc<Files>,
    _in_use: InUse,
}

/// The files of a recording that someone reads or has read.
#[derive(Debug, Default)]
struct Files {
    /// By track and part.
    open: Mutex<HashMap<(TrackNumber, u32), Arc<PartFile>>>,
    /// The sums of all WAV parts, once the recording is deleted and the index no longer has them.
    sums: OnceLock<Sums>,
}

/// Extents by track and part.
type Sums = HashMap<(TrackNumber, u32), Vec<Extent>>;

/// A part's file, open. Deleting the recording takes nothing away from whoever holds this.
#[derive(Debug)]
pub struct PartFile {
    file: File,
}

/// A piece of a part that someone wants to read.
#[derive(Debug)]
pub struct Wanted {
    /// Which of the recording's tracks.
    pub track: usize,
    /// Which of its parts.
    pub part: usize,
    /// Its file, where it is open already.
    pub file: Option<Arc<PartFile>>,
    /// From where on.
    pub from: ReadFrom,
}

/// Where a piece begins.
#[derive(Debug)]
pub enum ReadFrom {
    /// At this byte.
    Byte(u64),
    /// Where this place is come upon, in ticks of the part; at the part's start for zero.
    Ticks(Ticks),
    /// Behind what is damaged at this byte.
    Behind(u64),
    /// Where the blocks of a WAV part are.
    Blocks(Box<Blocks>),
}

/// A piece of a part.
#[derive(Debug)]
pub struct Piece {
    /// The part's file.
    pub file: Arc<PartFile>,
    /// What is in it.
    pub content: Content,
}

/// What is in a piece.
#[derive(Debug)]
pub enum Content {
    /// Of an Ogg part: bytes for a demuxer.
    Pages {
        /// Where they begin; the granule position is known where it was searched for.
        place: Place,
        /// None where the file ends, which it should not before the durable bytes do.
        bytes: Vec<u8>,
    },
    /// Of a WAV part: blocks, and what reads the next.
    Blocks(Box<Blocks>, BlocksRead),
}

/// What is known of the recordings that are played.
#[derive(Debug)]
pub(super) struct Opened {
    recordings: Mutex<HashMap<RecordingId, Arc<AsyncMutex<Slot>>>>,
    readers: Arc<Semaphore>,
}

/// One of them; held while it is read from the index, so that nobody reads it twice.
#[derive(Debug, Default)]
struct Slot {
    recording: Weak<OpenRecording>,
}

impl Default for Opened {
    fn default() -> Self {
        Self { recordings: Mutex::default(), readers: Arc::new(Semaphore::new(READERS)) }
    }
}

impl Opened {
    /// Whoever has it open keeps it; whoever comes now asks the index.
    pub fn forget(&self, id: RecordingId) {
        lock(&self.recordings).remove(&id);
    }

    fn slot(&self, id: RecordingId) -> Arc<AsyncMutex<Slot>> {
        let mut recordings = lock(&self.recordings);
        if !recordings.contains_key(&id) {
            // Those that nobody plays any more; what is locked is being opened.
            recordings.retain(|_, slot| slot.try_lock().map_or(true, |slot| slot.recording.strong_count() > 0));
        }
        Arc::clone(recordings.entry(id).or_default())
    }
}

impl Archive {
    /// Opens a recording to be played, or gives it as it is open already: one that has not ended as it was at most
    /// 400 ms before `now`.
    ///
    /// # Errors
    /// Where there is none, or the index cannot be read.
    pub async fn open_recording(&self, id: RecordingId, now: Moment) -> Result<Arc<OpenRecording>, Error> {
        let slot = self.opened().slot(id);
        let mut slot = slot.lock().await;
        let before = slot.recording.upgrade();
        if let Some(open) = &before
            && (open.has_ended() || now.since(open.known) < FRESH)
        {
            return Ok(Arc::clone(open));
        }
        let in_use = self.retention().in_use(id);
        let mut transaction = self.readers().begin().await?;
        let Some((place, recording)) = read::recording(&mut transaction, id).await? else {
            return Err(Error::NotFound);
        };
        let pins: Vec<_> = recording.tracks.iter().map(Pins::of).collect();
        let open = Arc::new(OpenRecording {
            timeline: Timeline::of(&recording, &pins),
            recording,
            pins,
            known: now,
            row: place.row,
            folder: self.folder().join(place.folder),
            files: before.map_or_else(Arc::default, |before| Arc::clone(&before.files)),
            _in_use: in_use,
        });
        slot.recording = Arc::downgrade(&open);
        Ok(open)
    }

    /// Reads pieces of a recording's parts, each for itself, on a thread that may wait for the disk, and that encodes what
    /// has to be.
    pub async fn read_pieces(
        &self,
        recording: Arc<OpenRecording>,
        wanted: Vec<Wanted>,
    ) -> Vec<Result<Piece, io::Error>> {
        let count = wanted.len();
        let failed = |_| (0..count).map(|_| Err(io::Error::other("the reader is gone"))).collect();
        let Ok(permit) = Arc::clone(&self.opened().readers).acquire_owned().await else {
            return failed(());
        };
        let mut summed = Vec::with_capacity(count);
        for wanted in wanted {
            let extents = self.extents(&recording, &wanted).await;
            summed.push((wanted, extents));
        }
        let read = move || {
            let read = |(wanted, extents): (_, Result<Vec<_>, sqlx::Error>)| {
                recording.read(wanted, &extents.map_err(io::Error::other)?)
            };
            let pieces = summed.into_iter().map(read).collect();
            drop(permit);
            pieces
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| failed(()))
    }
}

impl Archive {
    /// The sums of what is read next of a WAV part.
    async fn extents(&self, recording: &OpenRecording, wanted: &Wanted) -> Result<Vec<Extent>, sqlx::Error> {
        let Some(part) = recording.part(wanted.track, wanted.part) else { return Ok(Vec::new()) };
        let grows = recording.grows(part);
        let bytes = match (&wanted.from, &part.format) {
            (ReadFrom::Blocks(blocks), _) => blocks.bytes(part, grows),
            (ReadFrom::Ticks(at), Format::Pcm(head)) => Blocks::begin(*head, *at).bytes(part, grows),
            _ => return Ok(Vec::new()),
        };
        let track = recording.recording.tracks[wanted.track].number;
        if let Some(held) = recording.files.sums.get() {
            let of_part = held.get(&(track, part.number)).map_or(&[][..], Vec::as_slice);
            let within = |extent: &&Extent| extent.begin < bytes.end && extent.range().end > bytes.start;
            return Ok(of_part.iter().filter(within).copied().collect());
        }
        let mut connection = self.readers().acquire().await?;
        read::extents(&mut connection, recording.row, track, part.number, bytes).await
    }
}

impl Archive {
    /// Makes those who play a recording independent of it, since it is about to go: all of its files are opened, and what
    /// the index knows of them is read. Where that fails, it is as if a file were missing, and they are told so.
    pub(super) async fn hold(&self, id: RecordingId) {
        let Some(slot) = lock(&self.opened().recordings).get(&id).map(Arc::clone) else { return };
        let Some(open) = slot.lock().await.recording.upgrade() else { return };
        let mut sums = Sums::new();
        for (track, part) in open.parts().take(MOST_HELD) {
            if matches!(part.format, Format::Pcm(_)) {
                let extents = match self.readers().acquire().await {
                    Ok(mut reader) => read::extents(&mut reader, open.row, track, part.number, 0..u64::MAX).await,
                    Err(error) => Err(error),
                };
                match extents {
                    Ok(extents) => drop(sums.insert((track, part.number), extents)),
                    Err(error) => tracing::warn!(recording = %id, "who plays it cannot go on: {error}"),
                }
            }
        }
        let files = tokio::task::spawn_blocking(move || {
            for (track, part) in open.parts().take(MOST_HELD) {
                if let Err(error) = open.open(track, part) {
                    tracing::warn!(recording = %id, "who plays it cannot go on in {}: {error}", part.file);
                }
            }
            Arc::clone(&open.files)
        });
        if let Ok(files) = files.await {
            let _ = files.sums.set(sums);
        }
    }
}

impl OpenRecording {
    /// All parts, with their tracks.
    fn parts(&self) -> impl Iterator<Item = (TrackNumber, &Part)> {
        self.recording.tracks.iter().flat_map(|track| track.parts.iter().map(|part| (track.number, part)))
    }

    /// Whether nothing will be added.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.recording.summary.state.end_reason().is_some()
    }

    /// Whether more may come to a part.
    #[must_use]
    pub fn grows(&self, part: &Part) -> bool {
        part.open && !self.has_ended()
    }

    /// A part of a track.
    #[must_use]
    pub fn part(&self, track: usize, part: usize) -> Option<&Part> {
        self.recording.tracks.get(track)?.parts.get(part)
    }

    /// Reads a piece of an Ogg part at once, where that is possible without a wait: what was written or read lately, the system still has
    /// in memory, and a thread that may wait would cost more than the reading.
    #[must_use]
    pub fn read_ready(&self, wanted: &Wanted) -> Option<Piece> {
        let (Some(file), &ReadFrom::Byte(offset)) = (&wanted.file, &wanted.from) else { return None };
        let of = self.part(wanted.track, wanted.part)?;
        let length = usize::try_from(piece(of).min(of.bytes.saturating_sub(offset))).ok()?;
        let bytes = ready(&file.file, offset, length)?;
        let content = Content::Pages { place: Place { offset, granule: 0 }, bytes };
        Some(Piece { file: Arc::clone(file), content })
    }

    /// Reads a piece. Waits for the disk.
    fn read(&self, wanted: Wanted, extents: &[Extent]) -> io::Result<Piece> {
        let Wanted { track, part, file, from } = wanted;
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such part");
        let of = self.part(track, part).ok_or_else(missing)?;
        let file = match file {
            Some(file) => file,
            None => self.open(self.recording.tracks[track].number, of)?,
        };
        let blocks = |mut blocks: Box<Blocks>, file: Arc<PartFile>| {
            let read = blocks.read(of, self.grows(of), &file, extents)?;
            Ok(Piece { file, content: Content::Blocks(blocks, read) })
        };
        let place = match from {
            ReadFrom::Blocks(begun) => return blocks(begun, file),
            ReadFrom::Ticks(ticks) if let Format::Pcm(head) = of.format => {
                return blocks(Box::new(Blocks::begin(head, ticks)), file);
            }
            ReadFrom::Byte(offset) => Place { offset, granule: 0 },
            ReadFrom::Ticks(Ticks::ZERO) => Place::default(),
            ReadFrom::Ticks(ticks) => file.find(of.bytes, ticks)?,
            ReadFrom::Behind(offset) => file.behind(of.bytes, offset)?,
        };
        let bytes = file.read(place.offset, piece(of).min(of.bytes.saturating_sub(place.offset)))?;
        Ok(Piece { file, content: Content::Pages { place, bytes } })
    }

    /// Opens a part's file, unless someone has it open.
    fn open(&self, track: TrackNumber, part: &Part) -> io::Result<Arc<PartFile>> {
        let key = (track, part.number);
        if let Some(file) = lock(&self.files.open).get(&key) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(PartFile::open(&self.folder.join(&part.file))?);
        let mut files = lock(&self.files.open);
        if files.len() >= MOST_FILES {
            files.retain(|_, file| Arc::strong_count(file) > 1);
        }
        Ok(Arc::clone(files.entry(key).or_insert(file)))
    }
}

impl PartFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: foreign::open(path)? })
    }

    /// The place from which a demuxer comes upon so many ticks, in a file of so many durable bytes.
    fn find(&self, bytes: u64, ticks: Ticks) -> io::Result<Place> {
        let mut search = Search::new(bytes, ticks.get());
        while let Some((at, length)) = search.wants() {
            let length = u64::try_from(length).unwrap_or(u64::MAX).min(bytes.saturating_sub(at));
            search.take(&self.read(at, length)?);
        }
        Ok(search.place())
    }

    /// The place behind what is damaged at a byte, in a file of so many durable bytes; their end where nothing good follows.
    fn behind(&self, bytes: u64, offset: u64) -> io::Result<Place> {
        let mut begin = offset.saturating_add(1);
        while begin < bytes {
            let read = self.read(begin, WINDOW.min(bytes - begin))?;
            if let Some(place) = place_after(&read, begin) {
                return Ok(place);
            }
            if (read.len() as u64) < WINDOW {
                break;
            }
            // A page may lie across the edge.
            begin += WINDOW - LONGEST_PAGE as u64;
        }
        Ok(Place { offset: bytes, granule: 0 })
    }

    /// So many bytes, fewer where the file ends.
    pub(super) fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut filled = 0;
        while filled < bytes.len() {
            match read_at(&self.file, &mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// So many bytes, if the system has all of them in memory.
#[cfg(target_os = "linux")]
fn ready(file: &File, offset: u64, length: usize) -> Option<Vec<u8>> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut bytes = vec![0; length];
    let read = preadv2(file, &mut [io::IoSliceMut::new(&mut bytes)], offset, ReadWriteFlags::NOWAIT);
    (read == Ok(length)).then_some(bytes)
}

#[cfg(not(target_os = "linux"))]
fn ready(_: &File, _: u64, _: usize) -> Option<Vec<u8>> {
    None
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset)
}

/// How many bytes of a part are read at a time.
fn piece(part: &Part) -> u64 {
    let ticks = part.length.get().max(1);
    let bytes = u128::from(part.bytes) * u128::from(PIECE.get()) / u128::from(ticks);
    u64::try_from(bytes).unwrap_or(LONGEST_PIECE).clamp(SHORTEST_PIECE, LONGEST_PIECE)
}

/// What a thread that panicked left is whole: every change under these locks is one call.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::ogg::PartMuxer;

    #[test]
    fn a_good_page_is_found_however_long_the_damage_before_it_is() {
        let mut muxer = PartMuxer::resume(7, 9, 96_000);
        muxer.push(&[&[0xF8][..], &[0x55; 80]].concat(), Ticks::from_millis(20));
        let page = muxer.take();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        for before in [1, WINDOW - 5, WINDOW, 3 * WINDOW, 1_000_000] {
            let damage = vec![b'O'; usize::try_from(before).unwrap()];
            std::fs::write(&path, [&damage[..], &page, &damage].concat()).unwrap();
            let bytes = std::fs::metadata(&path).unwrap().len();
            let file = PartFile::open(&path).unwrap();
            assert_eq!(file.behind(bytes, 0).unwrap(), Place { offset: before, granule: 96_000 });
            assert_eq!(file.behind(bytes, before).unwrap(), Place { offset: bytes, granule: 0 }, "nothing follows");
        }
    }
}
