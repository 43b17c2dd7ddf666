//! A recording's mix, or a span of it, in memory: what a client is given that cannot be handed a file.
//!
//! What belongs here: finding and reading the file. What does not: which pages are taken (`container::ogg`), who wants them.

use std::io::{self, Read};

use super::derived::Found;
use super::handle::Archive;
use super::model::{Container, Derived, RecordingId, Summary, Track};
use super::{Error, index, names};
use crate::container::ogg::{Excerpt, Most};
use crate::media::room::RoomName;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// How much is read at a time.
const STEP: usize = 64 * 1024;

/// A span of a mix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpted {
    /// Ogg Opus, whole by itself.
    pub ogg: Vec<u8>,
    /// How long it sounds.
    pub sound: Ticks,
}

impl Archive {
    /// The newest recording of a room whose mix is there.
    ///
    /// # Errors
    /// Where the index cannot be read.
    pub async fn newest_mixed(&self, room: &RoomName) -> Result<Option<RecordingId>, Error> {
        let mut connection = self.readers().acquire().await?;
        Ok(index::derived::newest_mixed(&mut connection, room).await?)
    }

    /// A recording's mix from so far behind the session's start on, no more of it than `most`. Where the mix is not there it is
    /// made next, and [`Error::Making`] says so. [`Error::NotThere`] where it has nothing at that time.
    ///
    /// # Errors
    /// As [`Archive::derived`], and these.
    pub async fn excerpt(&self, id: RecordingId, from: Ticks, most: Most) -> Result<Excerpted, Error> {
        let mut download = match self.derived(id, Derived::Mix(Container::Ogg)).await? {
            Found::Made(download) => download,
            Found::Making(_) => return Err(Error::Making),
        };
        let path = download.path.clone();
        let read = move || {
            let cut = cut(&mut download.file, from, most);
            // Retention leaves it alone until then.
            drop(download.in_use);
            cut
        };
        let cut = tokio::task::spawn_blocking(read).await.map_err(|_| Error::Closed)?;
        cut.map_err(|source| Error::File { path, source })?.ok_or(Error::NotThere)
    }
}

impl Archive {
    /// The first part of the first track of a recording that was kept as Opus, as far as it is durable, no more of it than `most`.
    /// Nothing is made for it. [`Error::NotThere`] where there is none yet.
    ///
    /// # Errors
    /// Where there is no such recording, or the index or the file cannot be read; and this.
    pub async fn excerpt_so_far(&self, id: RecordingId, most: Most) -> Result<Excerpted, Error> {
        let recording = self.recording(id).await?.ok_or(Error::NotFound)?;
        let is_opus = |track: &&Track| track.parts.first().is_some_and(|part| matches!(part.format, Format::Opus(_)));
        let track = recording.tracks.iter().find(is_opus).ok_or(Error::NotThere)?;
        let Some(first) = track.parts.first() else { return Err(Error::NotThere) };
        let Summary { room, started, .. } = &recording.summary;
        let path = self.folder().join(names::folder(room, *started, id)).join(&first.file);
        let sound = self.track_sound(id, track.number).await?;
        let Some(part) = sound.parts.into_iter().next() else { return Err(Error::NotThere) };
        let read = move || cut(&mut part.file.take(part.bytes), Ticks::ZERO, most);
        let cut = tokio::task::spawn_blocking(read).await.map_err(|_| Error::Closed)?;
        cut.map_err(|source| Error::File { path, source })?.ok_or(Error::NotThere)
    }
}

fn cut(file: &mut impl Read, from: Ticks, most: Most) -> io::Result<Option<Excerpted>> {
    let mut excerpt = Excerpt::new(from, most);
    let mut bytes = vec![0; STEP];
    while !excerpt.is_full() {
        match file.read(&mut bytes)? {
            0 => break,
            length => excerpt.push(&bytes[..length]),
        }
    }
    Ok(excerpt.finish().map(|(ogg, sound)| Excerpted { ogg, sound }))
}
