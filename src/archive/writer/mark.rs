//! Markers that people set, change and take away in recordings, apart from those that a room hands on with its sound.

use sqlx::Connection as _;

use super::recording::Recording;
use super::round::Writer;
use super::space::RESERVE;
use crate::archive::handle::{Error, MarkerChange};
use crate::archive::index::{derived, markers, read, write};
use crate::archive::model::{Marker, RecordingId};
use crate::media::marker::MOST_MARKERS;

impl Writer {
    /// Changes one marker of a recording, and gives what it is then, or was.
    pub(super) async fn mark(&mut self, id: RecordingId, change: MarkerChange) -> Result<Marker, Error> {
        if self.recordings.get(&id).is_some_and(Recording::has_markers) {
            // What a room told of is to be found.
            self.round().await;
        }
        self.trust_index().await?;
        if let Ok(free) = self.store.free(&self.root)
            && free < RESERVE
        {
            return Err(Error::Full { free });
        }
        let (place, summary) = read::summary(&mut self.connection, id).await?.ok_or(Error::NotFound)?;
        let there = markers::markers(&mut self.connection, place.row).await?;
        let find = |id| there.iter().find(|marker| marker.id == id).cloned().ok_or(Error::NoMarker);
        let (before, after) = match change {
            MarkerChange::Set(_) if there.len() >= MOST_MARKERS => return Err(Error::TooManyMarkers),
            MarkerChange::Set(marker) => (None, Some(marker)),
            MarkerChange::Edit { id, at, text } => {
                let before = find(id)?;
                let (at, text) = (at.unwrap_or(before.at), text.unwrap_or_else(|| before.text.clone()));
                (Some(before.clone()), Some(Marker { at, text, ..before }))
            }
            MarkerChange::Remove(id) => (Some(find(id)?), None),
        };
        let moved = after.as_ref().filter(|after| before.as_ref().is_none_or(|before| before.at != after.at));
        if moved.is_some_and(|moved| moved.at > summary.length) {
            return Err(Error::PastEnd);
        }
        let mut transaction = self.connection.begin().await?;
        if let Some(before) = &before {
            markers::unmark(&mut transaction, place.row, before.id).await?;
        }
        if let Some(after) = &after {
            markers::mark(&mut transaction, place.row, after).await?;
        }
        // Markers are chapters in what is derived.
        derived::reworded(&mut transaction, place.row).await?;
        write::session_file_stale(&mut transaction, place.row, true).await?;
        transaction.commit().await?;
        self.store.committed();
        if summary.state.end_reason().is_some() {
            self.orders.ask(id);
        }
        self.refresh_session_file(id).await;
        after.or(before).ok_or(Error::NoMarker)
    }
}
