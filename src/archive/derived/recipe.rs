//! The recipes: what is to be derived from a recording, by which version, and the making of one file.
//!
//! What belongs here: the list of files, their versions, how work is stopped and how far it is. What does not: when
//! something is made, and the index.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::files::NewFile;
use super::peaks;
use super::sound::Sums;
use super::webm::{self, webm};
use crate::archive::model::{Derived, DerivedFile, Recording, Track};
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
            Self::Session | Self::Track(_) => 1,
            Self::Waveform(_) => 1,
        }
    }
}

/// The sum of all recipes: grows when any of them does.
pub(in crate::archive) const RECIPES: u32 = {
    let one = TrackNumber::new(1);
    Derived::Session.recipe() + Derived::Track(one).recipe() + Derived::Waveform(one).recipe()
};

/// What is to be derived from a recording: first what takes seconds, then what takes decoding, then what one can do without.
pub(super) fn wanted(recording: &Recording) -> impl Iterator<Item = Derived> {
    let numbers = || recording.tracks.iter().map(|track| track.number);
    [Derived::Session].into_iter().chain(numbers().map(Derived::Waveform)).chain(numbers().map(Derived::Track))
}

/// How often the parts are read for a file.
const fn passes(what: Derived) -> u64 {
    match what {
        Derived::Session | Derived::Track(_) => webm::PASSES,
        Derived::Waveform(_) => 1,
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
pub(super) struct Work {
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
        let of = |track: &&Track| match *what {
            Derived::Session => true,
            Derived::Track(number) | Derived::Waveform(number) => track.number == number,
        };
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
    let of = |number| recording.tracks.iter().find(|track| track.number == number).ok_or(Stopped::Told);
    let (bytes, damaged) = match what {
        Derived::Waveform(number) => {
            let (json, damaged) = peaks::waveform(store, folder, of(number)?, sums, recording.summary.length, work)?;
            (NewFile::write(store, folder, what, json.len() as u64, |file| file.append(&json))?, damaged)
        }
        Derived::Session => {
            let tracks: Vec<_> = recording.tracks.iter().collect();
            webm(store, folder, recording, (&tracks, sums), (what, Ticks::ZERO), work)?
        }
        Derived::Track(number) => {
            let track = of(number)?;
            // A player throws the pre-skip away before time 0: the first block is at its own start.
            let Some(first) = track.parts.first() else { return Err(Stopped::Told) };
            let head = first.format.heard();
            let zero = first.start.session.saturating_add(Ticks::new(head.pre_skip.into()));
            webm(store, folder, recording, (&[track], sums), (what, zero), work)?
        }
    };
    Ok(DerivedFile { what, recipe: what.recipe(), bytes, damaged })
}
