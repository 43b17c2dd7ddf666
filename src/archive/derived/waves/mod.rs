//! The peaks of recordings for those who draw them, gathered while the recordings are made, so that the waveform of three hours
//! is there when they end; and so far, before.
//!
//! What belongs here: which recordings are followed, by a thread of their own, and handing what was gathered to the maker and to
//! those who ask. What does not: the formats that players read (`container::audiowaveform`).
//!
//! The thread (`follower`) reads what is durable, by the index, as every reader does. Nothing waits for it, and nothing that
//! serves or records knows of it: it is as nice as the maker, and where it cannot keep up, what is missing is gathered at the end.
//! A recording costs it a 600th of its length for each track.
//!
//! What is gathered is kept in memory: 720 KB for each hour of a track, at most 2 MiB, and at most 16 MB for each recording that is
//! made, and for each of [`MOST_ENDED`] that have ended.
//! It is not precious: what a crash takes, or whatever else is missing, the maker gathers out of the parts, and the files are the
//! same (`gathering` says why).

mod file;
mod follow;
mod follower;
mod found;
mod gathering;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tokio::sync::{Notify, watch};

use super::files::Sink;
use super::recipe::{Origin, Stopped, Work};
use crate::archive::model::RecordingId;
use crate::media::track::TrackNumber;

#[cfg(test)]
pub(in crate::archive) use follower::Follower;
pub(in crate::archive) use follower::follower;
pub use found::{FoundPeaks, FoundWaveform, Waveform};
pub(in crate::archive) use found::{file_of, find, open};
use gathering::{Gathering, Snapshot};

/// How many recordings are held that nobody follows any more, until the maker has made their files.
const MOST_ENDED: usize = 16;

/// What was gathered: shared by who follows, who makes files and who asks.
#[derive(Debug)]
pub(in crate::archive) struct Waves {
    all: Mutex<All>,
    work: Work,
    wake: Notify,
    gone: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct All {
    gathered: BTreeMap<RecordingId, Shared>,
    /// Those that are being made.
    followed: Vec<RecordingId>,
}

/// What was gathered of a recording. Whoever finds it locked is told that it is being gathered.
type Shared = Arc<Mutex<Gathering>>;

impl Default for Waves {
    fn default() -> Self {
        Self { all: Mutex::default(), work: Work::default(), wake: Notify::new(), gone: watch::Sender::new(true) }
    }
}

fn lock(gathering: &Mutex<Gathering>) -> MutexGuard<'_, Gathering> {
    gathering.lock().unwrap_or_else(|fell| anew(gathering, fell))
}

/// The same, where nobody is at it just now.
fn try_lock(gathering: &Mutex<Gathering>) -> Option<MutexGuard<'_, Gathering>> {
    match gathering.try_lock() {
        Ok(gathering) => Some(gathering),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Poisoned(fell)) => Some(anew(gathering, fell)),
    }
}

/// Whoever fell over it left it half done: it begins anew.
fn anew<'a>(
    gathering: &'a Mutex<Gathering>,
    fell: PoisonError<MutexGuard<'a, Gathering>>,
) -> MutexGuard<'a, Gathering> {
    gathering.clear_poison();
    let mut half = fell.into_inner();
    *half = Gathering::default();
    half
}

impl All {
    /// Keeps what is followed, and the newest of what has ended; this one in any case.
    fn bound(&mut self, one: Option<RecordingId>) {
        let Self { gathered, followed } = self;
        let ended = gathered.keys().rev().filter(|id| !followed.contains(id) && Some(**id) != one);
        let too_many: Vec<_> = ended.skip(MOST_ENDED).copied().collect();
        gathered.retain(|id, _| !too_many.contains(id));
    }
}

impl Waves {
    fn all(&self) -> MutexGuard<'_, All> {
        // Nothing that is done under the lock leaves it half done.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is gathered of a recording; nothing at first.
    pub(in crate::archive) fn of(&self, id: RecordingId) -> Shared {
        let mut all = self.all();
        let gathering = Arc::clone(all.gathered.entry(id).or_default());
        all.bound(Some(id));
        gathering
    }

    /// The same, if anything is.
    fn find(&self, id: RecordingId) -> Option<Shared> {
        self.all().gathered.get(&id).cloned()
    }

    /// Of how many recordings something is held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.all().gathered.len()
    }

    /// Nobody needs what was gathered of a recording any more: it is in files, or cannot be, or the recording goes.
    pub fn forget(&self, id: RecordingId) {
        self.all().gathered.remove(&id);
    }

    /// These are followed from now on.
    fn follow(&self, followed: &[RecordingId]) {
        let mut all = self.all();
        followed.clone_into(&mut all.followed);
        all.bound(None);
    }

    /// Makes the file of a track's peaks, or of those of all tracks, of a recording that has ended; says whether some of it could
    /// not be read. What was not gathered yet is gathered now.
    pub fn file(
        &self,
        origin: &Origin,
        track: Option<TrackNumber>,
        sink: &mut dyn Sink,
        work: &Work,
    ) -> Result<bool, Stopped> {
        let Origin { folder, recording, sums, .. } = origin;
        // Before anything is read for it.
        sink.expect(file::most(recording.summary.length))?;
        let gathering = self.of(recording.summary.id);
        let mut gathering = lock(&gathering);
        gathering.finish(sink.store(), Snapshot { folder, tracks: &recording.tracks, sums, ended: true }, work)?;
        let (peaks, damaged) = match track {
            Some(number) => gathering.track(number).ok_or(Stopped::Told)?,
            None => gathering.all(),
        };
        drop(gathering);
        let file = file::write(peaks, track.is_none(), recording.summary.length);
        sink.append(&file)?;
        Ok(damaged)
    }

    /// Tells the follower to stop: within one small step.
    pub fn stop(&self) {
        self.work.stop();
        self.wake.notify_one();
    }

    /// Somebody follows from now on.
    pub fn begin(&self) {
        self.gone.send_replace(false);
    }

    /// Nobody follows any more.
    pub fn end(&self) {
        self.gone.send_replace(true);
    }

    /// Resolves when nobody follows any more.
    pub async fn stopped(&self) {
        let _ = self.gone.subscribe().wait_for(|gone| *gone).await;
    }
}
