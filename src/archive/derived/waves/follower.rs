//! The thread that follows the recordings that are being made.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::SqlitePool;
use tokio::sync::broadcast;
use tokio::time::timeout;

use super::super::background;
use super::super::orders::Orders;
use super::super::recipe::Stopped;
use super::super::sound::Sums;
use super::gathering::{Gathering, Snapshot};
use super::{Waves, lock, try_lock};
use crate::archive::handle::Changed;
use crate::archive::index::read;
use crate::archive::model::{RecordingId, StateKind};
use crate::archive::store::Store;
use crate::archive::writer::Trouble;
use crate::media::track::Format;

/// How often the recordings that are being made are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// What the thread runs, until it is told to stop.
pub(in crate::archive) fn follower(
    orders: &Arc<Orders>,
    root: PathBuf,
    store: Box<dyn Store>,
    changed: broadcast::Receiver<Changed>,
) {
    background::run("who gathers peaks", &root.clone(), async |readers| {
        Follower { waves: orders.waves(), root, readers, store, followed: Vec::new() }.run(changed).await;
    });
    orders.waves().end();
}

/// Follows recordings. [`follower`] is the thread around it.
pub(in crate::archive) struct Follower<'a> {
    pub waves: &'a Waves,
    /// The folder of all recordings.
    pub root: PathBuf,
    pub readers: SqlitePool,
    pub store: Box<dyn Store>,
    /// Those that had not ended when they were last looked at.
    pub followed: Vec<RecordingId>,
}

impl Follower<'_> {
    async fn run(mut self, mut changed: broadcast::Receiver<Changed>) {
        while !self.waves.work.stopped() {
            match self.look().await {
                Ok(()) => {}
                Err(Stopped::Told) => return,
                Err(stopped) => tracing::debug!("recordings are not followed just now: {stopped}"),
            }
            let news = async {
                // It does not matter what has changed, nor how often: one looks again, but not at once.
                let _ = changed.recv().await;
            };
            if self.followed.is_empty() {
                tokio::select! { () = news => {}, () = self.waves.wake.notified() => {} }
                changed = changed.resubscribe();
            } else {
                let _ = timeout(EVERY, self.waves.wake.notified()).await;
            }
        }
    }

    /// Reads on in all recordings that are being made, and to the end in those that have ended since the last time.
    pub async fn look(&mut self) -> Result<(), Stopped> {
        let mut connection = self.readers.acquire().await.map_err(Trouble::from)?;
        let live = read::unfinished(&mut connection).await.map_err(Trouble::from)?;
        drop(connection);
        self.waves.follow(&live);
        let before = std::mem::take(&mut self.followed);
        for id in live.iter().chain(before.iter().filter(|id| !live.contains(id))) {
            match self.follow(*id).await? {
                Some(StateKind::Ended) => {}
                Some(_) => self.followed.push(*id),
                None => self.waves.forget(*id),
            }
        }
        self.waves.follow(&self.followed);
        Ok(())
    }

    /// Reads on in a recording; gives where it is in its life, or `None` where it is gone.
    async fn follow(&mut self, id: RecordingId) -> Result<Option<StateKind>, Stopped> {
        let mut transaction = self.readers.begin().await.map_err(Trouble::from)?;
        let found = read::summary(&mut transaction, id).await.map_err(Trouble::from)?;
        let Some((place, summary)) = found else { return Ok(None) };
        let tracks = read::tracks(&mut transaction, place.row).await.map_err(Trouble::from)?;
        let state = summary.state.kind();
        // Of one that has ended the maker may have made the files, and all is done.
        let found = if state == StateKind::Ended { self.waves.find(id) } else { Some(self.waves.of(id)) };
        let Some(gathering) = found else { return Ok(Some(state)) };
        // Of one that has ended the maker may be gathering the rest, for minutes; then there is nothing to do here.
        let lock = || if state == StateKind::Ended { try_lock(&gathering) } else { Some(lock(&gathering)) };
        let mut sums = Sums::new();
        for track in &tracks {
            let Some(next) = lock().map(|gathering| gathering.next_of(track.number)) else { return Ok(Some(state)) };
            let (first, at) = next;
            for (index, part) in track.parts.iter().enumerate().skip(first) {
                if matches!(part.format, Format::Pcm(_)) {
                    let bytes = if index == first { at } else { 0 }..u64::MAX;
                    let of_part = read::extents(&mut transaction, place.row, track.number, part.number, bytes).await;
                    sums.insert((track.number, part.number), of_part.map_err(Trouble::from)?);
                }
            }
        }
        drop(transaction);
        let folder = self.root.join(&place.folder);
        let now = Snapshot { folder: &folder, tracks: &tracks, sums: &sums, ended: state == StateKind::Ended };
        loop {
            // The maker may have come first, and have it all.
            let Some(mut gathering) = lock() else { return Ok(Some(state)) };
            if !gathering.holds(&tracks) {
                tracing::debug!(recording = %id, "what was gathered of its peaks is not so any more");
                *gathering = Gathering::default();
            }
            if !gathering.step(&mut *self.store, now, &self.waves.work)? {
                return Ok(Some(state));
            }
        }
    }
}
