//! The recipes: what is to be derived from a recording, by which version, and the making of one file.
//!
//! What belongs here: the list of files, their versions, how work is stopped and how far it is. What does not: when
//! something is made, and the index.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::SqliteConnection;

use super::edition;
use super::files::Sink;
use super::loudness;
use super::mixdown::Mixdown;
use super::sound::Sums;
use super::tracks_zip::tracks_zip;
use super::waves::Waves;
use super::webm::{self, webm};
use crate::archive::handle::NotMade;
use crate::archive::index::read;
use crate::archive::model::{Container, Derived, Edition, Recording, RecordingId};
use crate::archive::names;
use crate::archive::writer::Trouble;
use crate::media::track::{Format, TrackNumber};

/// How much of the disk a derived file must leave: for what is being recorded.
pub const SPARED: u64 = 256 * 1024 * 1024;

impl Derived {
    /// The version of its recipe. Whoever changes what a file holds counts this up, and all such files are made again.
    pub(in crate::archive) const fn recipe(self) -> u32 {
        match self {
            Self::Session => 6,
            Self::Track(_, Container::WebM) => 5,
            Self::Mix(Container::Ogg | Container::WebM) => 4,
            Self::Mix(Container::Wav) | Self::Track(_, Container::Ogg) | Self::TracksZip => 3,
            Self::Mix(Container::Flac) | Self::Track(_, Container::Wav) | Self::Waveform(_) | Self::MixWaveform => 2,
            Self::Track(_, Container::Flac) => 1,
        }
    }
}

/// The mix that the others are made of.
pub(in crate::archive) const MIX: Derived = Derived::Mix(Container::Ogg);

/// The sum of all recipes for what is made unasked: grows when any of them does.
pub(in crate::archive) const RECIPES: u32 = {
    let one = TrackNumber::new(1);
    Derived::Session.recipe()
        + Derived::Track(one, Container::WebM).recipe()
        + Derived::Waveform(one).recipe()
        + MIX.recipe()
        + Derived::MixWaveform.recipe()
};

/// What is to be derived from a recording unasked: first what takes seconds, then what takes decoding, if it was not gathered on the
/// way, then what takes encoding.
pub(super) fn wanted(recording: &Recording) -> impl Iterator<Item = Derived> {
    let numbers = || recording.tracks.iter().map(|track| track.number);
    let webm = numbers().map(|track| Derived::Track(track, Container::WebM));
    let waveforms = numbers().map(Derived::Waveform).chain([Derived::MixWaveform]);
    webm.chain(waveforms).chain([MIX, Derived::Session])
}

/// What an edition is made of, where that is not the parts alone: another that must be there before.
pub(in crate::archive) fn made_of(edition: Edition) -> Option<Edition> {
    let of = match edition.of {
        Derived::Session | Derived::Mix(Container::WebM) => MIX,
        // What is levelled is encoded again, once.
        Derived::Track(number, Container::WebM) if edition.edit.loudness.is_some() => {
            Derived::Track(number, Container::Ogg)
        }
        _ => return None,
    };
    Some(Edition { of, ..edition })
}

/// What is to be made for a file where some are there: what it is made of, if that is missing, and it.
pub(super) fn missing(what: Edition, there: impl Fn(Edition) -> bool) -> Vec<Edition> {
    if there(what) {
        return Vec::new();
    }
    made_of(what).filter(|of| !there(*of)).into_iter().chain([what]).collect()
}

/// How often the parts are read for a file, at most.
fn passes(what: Edition) -> u64 {
    match what.of {
        Derived::Session => webm::PASSES,
        Derived::Track(_, Container::WebM) if made_of(what).is_none() => webm::PASSES,
        // They are made of what was made, not of the parts.
        Derived::Track(_, Container::WebM) | Derived::Mix(Container::WebM) => 0,
        Derived::Mix(_) | Derived::Track(..) if what.edit.loudness.is_some() => 1 + loudness::PASSES,
        Derived::Mix(_) | Derived::Track(..) | Derived::TracksZip => 1,
        // The first that is made gathers those of all tracks.
        Derived::Waveform(_) | Derived::MixWaveform => 0,
    }
}

/// Why a file was not made.
#[derive(Debug, thiserror::Error)]
pub(in crate::archive) enum Stopped {
    /// It is not wanted any more: the hub stops, or the recording is being deleted.
    #[error("told to stop")]
    Told,
    /// Something is wrong with the disk or the index.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// There is too little room.
    #[error("{bytes} bytes would leave too little of the disk for recordings")]
    Full {
        /// What it would take.
        bytes: u64,
    },
}

impl Stopped {
    /// The reason for whoever asks from outside; none where it is not wanted any more.
    pub const fn why(&self) -> Option<NotMade> {
        match self {
            Self::Told => None,
            Self::Trouble(_) => Some(NotMade::Failed),
            Self::Full { bytes } => Some(NotMade::Full { bytes: *bytes }),
        }
    }

    pub fn file(path: &Path, source: io::Error) -> Self {
        Self::Trouble(Trouble::file(path, source))
    }
}

/// How far the making of a file is, and whether it is to go on: shared by who makes and who waits.
#[derive(Debug, Default)]
pub(in crate::archive) struct Work {
    stop: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

impl Work {
    /// So many bytes are to be read, all in all.
    pub fn expect(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// So many bytes more are done with. Asked between any two reads, so that nobody waits long for the answer.
    pub fn done(&self, bytes: u64) -> Result<(), Stopped> {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        if self.stop.load(Ordering::Relaxed) { Err(Stopped::Told) } else { Ok(()) }
    }

    /// Tells whoever works to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it is to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How far it is, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share for people to see")]
    pub fn progress(&self) -> f64 {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) }
    }
}

/// How many bytes are read to make these files.
pub(in crate::archive) fn cost(recording: &Recording, files: &[Edition]) -> u64 {
    let bytes = |what: &Edition| -> u64 {
        let parts = edition::tracks(*what, recording).into_iter().flat_map(|track| &track.parts);
        let read: u64 = parts.map(|part| part.bytes).sum();
        read.saturating_mul(passes(*what))
    };
    let peaks = files.iter().any(|what| what.of.is_peaks());
    let gathered = recording.parts().filter(|_| peaks).map(|(_, part)| part.bytes).sum::<u64>();
    files.iter().map(bytes).sum::<u64>().saturating_add(gathered)
}

/// What files are made of: a recording as the index knows it, its own files, and what was made of them before.
#[derive(Debug)]
pub(in crate::archive) struct Origin {
    /// The recording's folder.
    pub folder: PathBuf,
    /// The folder in which are the files that others are made of ([`made_of`]), under their own names.
    pub made: PathBuf,
    /// The recording.
    pub recording: Recording,
    /// The sums of its WAV parts.
    pub sums: Sums,
    /// What was gathered of its peaks on the way.
    pub waves: Arc<Waves>,
}

impl Origin {
    /// Reads what the index says of a recording; `None` where there is none. What others are made of is in its own `derived/`.
    pub async fn read(c: &mut SqliteConnection, root: &Path, id: RecordingId) -> Result<Option<Self>, sqlx::Error> {
        let Some((place, recording)) = read::recording(c, id).await? else { return Ok(None) };
        let mut sums = Sums::new();
        for (track, part) in recording.parts() {
            if matches!(part.format, Format::Pcm(_)) {
                let of_part = read::extents(c, place.row, track.number, part.number, 0..u64::MAX).await?;
                sums.insert((track.number, part.number), of_part);
            }
        }
        let folder = root.join(&place.folder);
        let made = folder.join(names::DERIVED);
        Ok(Some(Self { folder, made, recording, sums, waves: Arc::default() }))
    }

    /// Where one of the files is that others are made of.
    pub(super) fn made(&self, edition: Edition) -> PathBuf {
        self.made.join(names::derived(edition))
    }
}

/// Makes one file, whole; says whether some of the sound could not be read. What it is made of ([`made_of`]) must be there.
pub(in crate::archive) fn make(
    origin: &Origin,
    what: Edition,
    sink: &mut dyn Sink,
    work: &Work,
) -> Result<bool, Stopped> {
    let mixdown = || Mixdown::new(origin, what);
    match what.of {
        Derived::Waveform(_) | Derived::MixWaveform => origin.waves.file(origin, what.of.track(), sink, work),
        Derived::Mix(Container::Ogg) | Derived::Track(_, Container::Ogg) => mixdown().ogg(sink, work),
        Derived::Mix(Container::Wav) | Derived::Track(_, Container::Wav) => mixdown().wav(sink, work, &mut |_| {}),
        Derived::Mix(Container::Flac) | Derived::Track(_, Container::Flac) => mixdown().flac(sink, work),
        Derived::Session | Derived::Mix(Container::WebM) | Derived::Track(_, Container::WebM) => {
            webm(origin, what, sink, work)
        }
        Derived::TracksZip => tracks_zip(origin, what, sink, work),
    }
}
