//! `audio file`: a recording that a client is greeted with, or asks for.
//!
//! What belongs here: which one, how much of it, and that those who come together share it. What does not: how it is cut out of
//! the mix, which is made when a session ends and not here.
//!
//! The memory of all that is on its way is bounded ([`MOST_BYTES`]): whoever would need more waits until others have theirs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use crate::archive::model::RecordingId;
use crate::archive::{self, Archive, Excerpted};
use crate::container::ogg::Most;
use crate::media::time::Ticks;
use crate::wire::socket_io;

/// The most of a recording that a client is given at a time.
const MOST: Most = Most { sound: Ticks::from_secs(10 * 60), bytes: 10 * 1000 * 1000 };
/// The most bytes of recordings that are in memory, in KiB: two dozen whole ones.
const MOST_BYTES: usize = 256 * 1024;
/// How many are kept for those who come next.
const KEPT: usize = 4;

/// A recording's file, once the first who wants it has read it.
type Shared = Arc<OnceCell<AudioFile>>;

/// The recordings that are on their way.
#[derive(Debug)]
pub struct Files {
    room: Arc<Semaphore>,
    /// The newest last.
    kept: Mutex<Vec<(RecordingId, Shared)>>,
}

impl Default for Files {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(MOST_BYTES)), kept: Mutex::default() }
    }
}

/// An event with a recording.
#[derive(Clone, Debug)]
pub(super) struct AudioFile {
    /// The event as a frame.
    pub frame: Bytes,
    /// How long the sound is.
    pub seconds: f64,
}

/// Bytes, and the place that is taken for them until the last who holds them is gone.
struct Held {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Files {
    /// The event with a recording, from so far behind its start on.
    ///
    /// # Errors
    /// Where there is none, or it is not made yet.
    pub(super) async fn get(
        &self,
        archive: &Archive,
        id: RecordingId,
        from: Ticks,
    ) -> Result<AudioFile, archive::Error> {
        if from != Ticks::ZERO {
            return self.read(archive, id, from).await;
        }
        let shared = self.shared(id);
        if shared.initialized() && archive.recording(id).await?.is_none() {
            // It has been deleted since.
            self.kept().retain(|(of, _)| *of != id);
            return Err(archive::Error::NotFound);
        }
        // Of many who come at once one reads, and whoever wants another recording does not wait for it.
        shared.get_or_try_init(|| self.read(archive, id, from)).await.cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(RecordingId, Shared)>> {
        // Nothing that is done under the lock leaves it half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self, id: RecordingId) -> Shared {
        let mut kept = self.kept();
        if let Some((_, shared)) = kept.iter().find(|(of, _)| *of == id) {
            return Arc::clone(shared);
        }
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        let shared = Shared::default();
        kept.push((id, Arc::clone(&shared)));
        shared
    }

    /// The event with what there is so far of a recording that is being made.
    ///
    /// # Errors
    /// Where there is nothing.
    pub(super) async fn so_far(&self, archive: &Archive, id: RecordingId) -> Result<AudioFile, archive::Error> {
        let place = self.place().await?;
        Ok(event(id, archive.excerpt_so_far(id, MOST).await?, place))
    }

    async fn read(&self, archive: &Archive, id: RecordingId, from: Ticks) -> Result<AudioFile, archive::Error> {
        let place = self.place().await?;
        Ok(event(id, archive.excerpt(id, from, MOST).await?, place))
    }

    /// Waits for room for one more, which is there twice while the event is made of what was read.
    async fn place(&self) -> Result<OwnedSemaphorePermit, archive::Error> {
        let most = u32::try_from(2 * (MOST.bytes / 1024 + 64)).unwrap_or(u32::MAX);
        let place = Arc::clone(&self.room).acquire_many_owned(most).await;
        place.map_err(|_| archive::Error::Closed)
    }
}

fn event(id: RecordingId, cut: Excerpted, mut place: OwnedSemaphorePermit) -> AudioFile {
    let seconds = cut.sound.as_secs_f64();
    let bytes = socket_io::audio_file(id.uuid(), seconds, &cut.ogg);
    drop(cut);
    // What is not needed is others'.
    let needed = bytes.len().div_ceil(1024);
    drop(place.split(place.num_permits().saturating_sub(needed)));
    AudioFile { frame: Bytes::from_owner(Held { bytes, _place: place }), seconds }
}
