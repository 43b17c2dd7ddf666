//! Peaks for those who ask: out of the file, or what was gathered so far.
//!
//! What belongs here: where they are, and pixels of any length out of them. What does not: formats, how long a pixel someone wants.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::TryLockError;

use sqlx::SqliteConnection;

use super::super::files;
use super::Waves;
use super::file::{self, Head};
use crate::archive::handle::Error;
use crate::archive::index;
use crate::archive::index::row::RowExt as _;
use crate::archive::model::{Derived, RecordingId, StateKind};
use crate::archive::retention::InUse;
use crate::container::audiowaveform::Layout;
use crate::media::peaks::{Length, MOST_PIXELS, Peaks, Picture, Pixel, pixel_for};
use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

/// How much of a file is read at a time.
const READ: u64 = 64 * 1024;

/// The peaks of a track, or of all tracks together, from the session's start to its end, or so far.
#[derive(Debug)]
pub struct Waveform {
    /// Where the recording was made.
    pub room: RoomName,
    /// What it is called, once someone has named it.
    pub title: Option<String>,
    /// Whose track it is of, where it is of one.
    pub name: Option<ParticipantName>,
    /// When the session's clock was at zero.
    pub started: UnixMillis,
    /// When the file was made, by the disk's own word; of what was gathered so far, when the session's clock was at its end.
    pub modified: UnixMillis,
    /// How long the session is, or is so far.
    pub length: Length,
    /// The peaks themselves.
    pub peaks: FoundPeaks,
    /// Retention leaves the recording alone as long as this lives.
    pub in_use: InUse,
}

/// Peaks that are there, of whatever.
#[derive(Debug)]
pub struct FoundPeaks {
    head: Head,
    pixels: Pixels,
}

#[derive(Debug)]
enum Pixels {
    File(File),
    Memory(Peaks),
}

/// What there is of peaks.
#[derive(Debug)]
pub enum FoundWaveform {
    /// Peaks.
    There(Box<Waveform>),
    /// They are being gathered: so far that has come, from 0 to 1.
    Making(f64),
}

/// What the index says of a recording whose peaks someone wants.
pub(in crate::archive) struct Indexed {
    pub live: bool,
    room: RoomName,
    title: Option<String>,
    name: Option<ParticipantName>,
    started: UnixMillis,
    length: Ticks,
}

/// Looks a recording up, and the track, if it is to be one.
pub(in crate::archive) async fn find(
    connection: &mut SqliteConnection,
    id: RecordingId,
    track: Option<TrackNumber>,
) -> Result<Indexed, Error> {
    let (place, summary) = index::read::summary(connection, id).await?.ok_or(Error::NotFound)?;
    let name = match track {
        None => None,
        Some(track) => {
            let query = sqlx::query(index::read::NAME_OF_TRACK);
            let row = query.bind(place.row).bind(track.get()).fetch_optional(&mut *connection).await?;
            Some(row.ok_or(Error::NotFound)?.word("name")?)
        }
    };
    Ok(Indexed {
        live: summary.state.kind() != StateKind::Ended,
        room: summary.room,
        title: summary.title,
        name,
        started: summary.started,
        length: summary.length,
    })
}

impl Indexed {
    /// What the file says; `None` where it is none of peaks.
    pub fn of_file(self, download: files::Download) -> Option<Waveform> {
        let files::Download { file, made_unix_nanos, in_use, .. } = download;
        let peaks = FoundPeaks::in_file(file).ok()?;
        let modified = UnixMillis::new(i64::try_from(made_unix_nanos / 1_000_000).unwrap_or(i64::MAX));
        Some(self.with(peaks, modified, in_use))
    }

    /// What was gathered so far; `None` while it is being gathered.
    pub fn so_far(
        mut self,
        waves: &Waves,
        id: RecordingId,
        track: Option<TrackNumber>,
        in_use: InUse,
    ) -> Option<Waveform> {
        let gathering = waves.find(id)?;
        let gathering = match gathering.try_lock() {
            Ok(gathering) => gathering,
            Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => return None,
        };
        // At the end they are those of the file, or none.
        if !(self.live || gathering.whole() && gathering.stands()) {
            return None;
        }
        let (peaks, _) = match track {
            Some(track) => gathering.track(track)?,
            None => gathering.all(),
        };
        if self.live {
            self.length = self.length.min(gathering.end());
        }
        drop(gathering);
        let peaks = peaks.with_pixels_of(pixel_for(self.length, MOST_PIXELS));
        let pixel = peaks.ticks_per_pixel();
        let head = Head { pixel, count: self.length.get().div_ceil(pixel), first: peaks.first() };
        let millis = i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX);
        let modified = UnixMillis::new(self.started.get().saturating_add(millis));
        Some(self.with(FoundPeaks { head, pixels: Pixels::Memory(peaks) }, modified, in_use))
    }

    fn with(self, peaks: FoundPeaks, modified: UnixMillis, in_use: InUse) -> Waveform {
        let Self { live, room, title, name, started, length } = self;
        let length = if live { Length::SoFar(length) } else { Length::Whole(length) };
        Waveform { room, title, name, started, modified, length, peaks, in_use }
    }
}

impl FoundPeaks {
    /// Those of a file.
    ///
    /// # Errors
    /// Where it is none of peaks, or cannot be read.
    pub fn in_file(mut file: File) -> io::Result<Self> {
        Ok(Self { head: file::read_head(&mut file)?, pixels: Pixels::File(file) })
    }

    /// These pixels as a file that others draw.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn file(&mut self, picture: &Picture, layout: Layout) -> io::Result<Vec<u8>> {
        Ok(layout.file(picture.pixel, &self.pixels(picture.merged, picture.numbers.clone())?))
    }

    /// How many ticks the finest pixel is that there is.
    #[must_use]
    pub const fn finest(&self) -> u64 {
        self.head.pixel
    }

    /// How many of those the session has.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.head.count
    }

    /// The pixels of these numbers, from the session's start, each made of so many of the finest. What lies beyond the session
    /// is silent.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn pixels(&mut self, of: u64, numbers: Range<u64>) -> io::Result<Vec<(i8, i8)>> {
        let of = of.max(1);
        let count = usize::try_from(numbers.end.saturating_sub(numbers.start)).unwrap_or(usize::MAX);
        let mut merged = vec![Pixel::NONE; count];
        let (begin, end) = (numbers.start.saturating_mul(of), numbers.end.saturating_mul(of).min(self.head.count));
        let mut put = |number: u64, pixel: Pixel| {
            let index = usize::try_from(number / of - numbers.start).unwrap_or(usize::MAX);
            if let Some(place) = merged.get_mut(index) {
                *place = place.and(pixel);
            }
        };
        match &mut self.pixels {
            Pixels::Memory(peaks) => {
                (begin..end).zip(peaks.among(begin..end)).for_each(|(number, pixel)| put(number, pixel))
            }
            Pixels::File(file) => {
                let mut number = begin.max(self.head.first);
                file.seek(SeekFrom::Start(self.head.place(number)))?;
                let mut buffer = Vec::new();
                while number < end {
                    buffer.clear();
                    file.take((2 * (end - number)).min(READ)).read_to_end(&mut buffer)?;
                    for &[least, greatest] in buffer.as_chunks().0 {
                        put(number, Pixel::new(least.cast_signed(), greatest.cast_signed()));
                        number += 1;
                    }
                    if buffer.len() < 2 {
                        // Behind the last sound of the track.
                        break;
                    }
                }
            }
        }
        Ok(merged.into_iter().map(Pixel::pair).collect())
    }
}

/// The derived file that these peaks are in.
pub(in crate::archive) fn file_of(track: Option<TrackNumber>) -> Derived {
    track.map_or(Derived::MixWaveform, Derived::Waveform)
}

/// Opens the file of peaks of a recording that has ended, if it was made and is still there.
pub(in crate::archive) async fn open(
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
    track: Option<TrackNumber>,
    in_use: InUse,
) -> Result<Option<files::Download>, Error> {
    files::find(connection, root, id, file_of(track).into()).await?.open(in_use)
}
