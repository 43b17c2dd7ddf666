//! The recipes: what is to be derived from a recording, by which version, and the making of one file.
//!
//! What belongs here: the list of files, their versions, how work is stopped and how far it is. What does not: when
//! something is made, and the index.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::files::NewFile;
use super::mixdown::{self, Mixdown};
use super::peaks;
use super::sound::Sums;
use super::webm::{self, webm};
use crate::archive::model::{Container, Derived, DerivedFile, Recording, Track};
use crate::archive::store::Store;
use crate::archive::writer::Trouble;
use crate::media::time::Ticks;
use crate::media::track::TrackNumber;

/// How much of the disk a derived file must leave: for what is being recorded.
pub const SPARED: u64 = 256 * 1024 * 1024;

impl Derived {
    /// The version of its recipe. Whoever changes what a file holds counts this up, and all such files are made again.
    pub(in crate::archive) const fn recipe(self) -> u32 {
        match self {
            Self::Session | Self::Track(_, Container::WebM) => 2,
            Self::Mix(_) | Self::Track(..) => 1,
            Self::Waveform(_) | Self::MixWaveform => 1,
        }
    }
}

/// The mix that the others are made of.
pub(super) const MIX: Derived = Derived::Mix(Container::Ogg);

/// The sum of all recipes for what is made unasked: grows when any of them does.
pub(in crate::archive) const RECIPES: u32 = {
    let one = TrackNumber::new(1);
    Derived::Session.recipe()
        + Derived::Track(one, Container::WebM).recipe()
        + Derived::Waveform(one).recipe()
        + MIX.recipe()
        + Derived::MixWaveform.recipe()
};

/// What is to be derived from a recording unasked: first what takes seconds, then what takes decoding, then what takes encoding.
pub(super) fn wanted(recording: &Recording) -> impl Iterator<Item = Derived> {
    let numbers = || recording.tracks.iter().map(|track| track.number);
    let webm = numbers().map(|track| Derived::Track(track, Container::WebM));
    webm.chain(numbers().map(Derived::Waveform)).chain([MIX, Derived::Session, Derived::MixWaveform])
}

/// Whether a file is made of the mix.
pub(super) const fn is_of_mix(what: Derived) -> bool {
    matches!(what, Derived::Session | Derived::MixWaveform | Derived::Mix(Container::WebM))
}

/// What is to be made of a recording in which some files are there, in this order: what was asked for, then what is wanted, each
/// after what it is made of.
pub(super) fn missing(recording: &Recording, asked: &[Derived], there: impl Fn(Derived) -> bool) -> Vec<Derived> {
    let mut missing = Vec::new();
    for what in asked.iter().copied().chain(wanted(recording)) {
        for one in is_of_mix(what).then_some(MIX).filter(|_| !there(what)).into_iter().chain([what]) {
            if !there(one) && !missing.contains(&one) {
                missing.push(one);
            }
        }
    }
    missing
}

/// How often the parts are read for a file.
const fn passes(what: Derived) -> u64 {
    match what {
        Derived::Session | Derived::Track(_, Container::WebM) => webm::PASSES,
        Derived::Waveform(_) | Derived::Mix(Container::Ogg | Container::Wav) | Derived::Track(..) => 1,
        // They are made of the mix, not of the parts.
        Derived::Mix(Container::WebM) | Derived::MixWaveform => 0,
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
    /// The reason for whoever asks from outside, whom paths are none of the business.
    pub fn reason(&self) -> String {
        match self {
            Self::Trouble(_) => "the disk or the index failed, and the log says how".to_owned(),
            Self::Told | Self::Full { .. } => self.to_string(),
        }
    }

    pub fn file(path: &Path, source: io::Error) -> Self {
        Self::Trouble(Trouble::file(path, source))
    }
}

/// How far the making of a recording's files is, and whether it is to go on: shared by who makes and who waits.
#[derive(Debug, Default)]
pub(in crate::archive) struct Work {
    stop: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

impl Work {
    /// Begins anew: whoever told to stop before, did not mean this.
    pub fn begin(&self) {
        self.stop.store(false, Ordering::Relaxed);
        self.expect(0);
    }

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

    /// How far it is, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share for people to see")]
    pub fn progress(&self) -> f64 {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        if total == 0 { 0.0 } else { (done as f64 / total as f64).min(1.0) }
    }
}

/// How many bytes are read to make these files.
pub(super) fn cost(recording: &Recording, files: &[Derived]) -> u64 {
    let bytes = |what: &Derived| -> u64 {
        let of = |track: &&Track| what.track().is_none_or(|number| track.number == number);
        let read: u64 = recording.tracks.iter().filter(of).flat_map(|track| &track.parts).map(|part| part.bytes).sum();
        read.saturating_mul(passes(*what))
    };
    files.iter().map(bytes).sum()
}

/// Makes one file, whole and durable, in the place of whatever was there.
pub(super) fn make(
    store: &mut dyn Store,
    folder: &Path,
    (recording, sums): (&Recording, &Sums),
    what: Derived,
    work: &Work,
) -> Result<DerivedFile, Stopped> {
    let all = || recording.tracks.iter().collect::<Vec<_>>();
    let mixdown = |tracks: Vec<_>, span| Mixdown { folder, recording, sums, tracks, span, what };
    let of = |number| recording.tracks.iter().find(|track| track.number == number).ok_or(Stopped::Told);
    let whole = Ticks::ZERO..recording.summary.length;
    let (written, damaged) = match what {
        Derived::Waveform(number) => {
            let (json, damaged) = peaks::waveform(store, folder, of(number)?, sums, recording.summary.length, work)?;
            (NewFile::write(store, folder, what, json.len() as u64, |file| file.append(&json))?, damaged)
        }
        Derived::MixWaveform => {
            let (json, damaged) = peaks::of_mix(store, folder, recording.summary.length, work)?;
            (NewFile::write(store, folder, what, json.len() as u64, |file| file.append(&json))?, damaged)
        }
        Derived::Mix(Container::Ogg) => mixdown(all(), whole).ogg(store, work)?,
        Derived::Mix(Container::Wav) => mixdown(all(), whole).wav(store, work)?,
        Derived::Mix(Container::WebM) => webm(store, folder, recording, (&[], sums), (what, Ticks::ZERO), work)?,
        Derived::Session => webm(store, folder, recording, (&all(), sums), (what, Ticks::ZERO), work)?,
        Derived::Track(number, Container::WebM) => {
            let track = of(number)?;
            // A player throws the pre-skip away before time 0: the first block is at its own start.
            webm(store, folder, recording, (&[track], sums), (what, mixdown::span(track).start), work)?
        }
        Derived::Track(number, container) => {
            let track = of(number)?;
            let mixdown = mixdown(vec![track], mixdown::span(track));
            if container == Container::Ogg { mixdown.ogg(store, work)? } else { mixdown.wav(store, work)? }
        }
    };
    Ok(DerivedFile { what, recipe: what.recipe(), bytes: written.bytes, crc: Some(written.crc), damaged })
}
