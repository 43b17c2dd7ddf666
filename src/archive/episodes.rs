//! Episodes: the recordings of a room that someone published, as its feed lists them.

use super::handle::{Archive, Error};
use super::index::markers;
use super::model::{Summary, chapters};
use crate::media::marker::Chapter;
use crate::media::room::RoomName;
use crate::media::time::Ticks;

/// The most episodes of a room that are listed: the last to be published.
pub const MOST_EPISODES: u32 = 100;

/// A recording that is published and can be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// What lists show of it.
    pub summary: Summary,
    /// Its chapters.
    pub chapters: Vec<Chapter>,
    /// How long its mix in Ogg is, in bytes.
    pub bytes: u64,
}

impl Archive {
    /// The episodes of a room, the last to be published first; at most [`MOST_EPISODES`]. A recording whose mix is still to be made is
    /// none yet.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub async fn episodes(&self, room: &RoomName) -> Result<Vec<Episode>, Error> {
        let mut transaction = self.readers().begin().await?;
        let mut episodes = Vec::new();
        for (place, summary, bytes) in markers::episodes(&mut transaction, room, MOST_EPISODES).await? {
            let markers = markers::markers(&mut transaction, place.row).await?;
            let chapters = chapters(summary.name(), &markers, Ticks::ZERO..summary.length);
            episodes.push(Episode { summary, chapters, bytes });
        }
        Ok(episodes)
    }
}
