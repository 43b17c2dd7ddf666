//! The sound of a track as a download: its parts, as far as they are durable.

use std::fs::File;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sqlx::{Row as _, SqliteConnection};

use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::UnixMillis;
use crate::media::track::{Format, TrackNumber};

use super::foreign;
use super::handle::Error;
use super::index::read;
use super::index::row::RowExt as _;
use super::model::{Part, RecordingId, StateKind};
use super::retention::InUse;

/// A track's parts, open. Those of Ogg are one file, one after another: where there are several, a chained stream (RFC 3533 §4).
/// Those of WAV have a header each.
/// Deleting the recording takes nothing away from whoever holds this.
#[derive(Debug)]
pub struct TrackSound {
    /// Where the recording was made.
    pub room: RoomName,
    /// What it is called, once someone has named it.
    pub title: Option<String>,
    /// Whose track it is.
    pub name: ParticipantName,
    /// When the session's clock was at zero.
    pub started: UnixMillis,
    /// The files, in order.
    pub parts: Vec<PartSound>,
    /// Bytes of all parts together.
    pub bytes: u64,
    /// When a part was last written to, by the disk's own word.
    pub modified: UnixMillis,
    /// Whether more may come: the recording has not ended.
    pub grows: bool,
    /// Retention leaves the recording alone as long as this lives.
    pub in_use: Option<InUse>,
}

/// A part, open for reading.
#[derive(Debug)]
pub struct PartSound {
    /// Its place among the track's parts, from 1.
    pub number: u32,
    /// The file. What lies past `bytes` is not durable and means nothing.
    pub file: File,
    /// Durable bytes.
    pub bytes: u64,
    /// How its packets are encoded.
    pub format: Format,
}

/// What the index says of a track's sound.
pub(super) struct Found {
    room: RoomName,
    title: Option<String>,
    name: ParticipantName,
    started: UnixMillis,
    grows: bool,
    /// The recording's folder, below the folder of all recordings.
    folder: String,
    parts: Vec<Part>,
}

/// Looks a track up. Every track has a part.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    id: RecordingId,
    track: TrackNumber,
) -> Result<Option<Found>, sqlx::Error> {
    let rows = sqlx::query(read::SOUND_OF_TRACK).bind(id.to_string()).bind(track.get()).fetch_all(connection).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        room: first.word("room")?,
        title: first.try_get("title")?,
        name: first.word("name")?,
        started: first.millis("started_unix_millis")?,
        grows: first.word::<StateKind>("state")? != StateKind::Ended,
        folder: first.try_get("folder")?,
        parts: rows.iter().map(read::part).collect::<Result<_, _>>()?,
    }))
}

/// Opens what was found, below the folder of all recordings.
pub(super) fn open(root: &Path, found: Found, in_use: InUse) -> Result<TrackSound, Error> {
    let mut parts = Vec::with_capacity(found.parts.len());
    let mut modified = found.started;
    for part in found.parts {
        let path = root.join(&found.folder).join(&part.file);
        let opened = foreign::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|source| Error::File { path: path.clone(), source })?;
        let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let millis = since.and_then(|since| i64::try_from(since.as_millis()).ok());
        modified = modified.max(millis.map_or(found.started, UnixMillis::new));
        // A file that someone cut is served as far as it goes.
        let bytes = part.bytes.min(metadata.len());
        parts.push(PartSound { number: part.number, file, bytes, format: part.format });
    }
    Ok(TrackSound {
        room: found.room,
        title: found.title,
        name: found.name,
        started: found.started,
        bytes: parts.iter().map(|part| part.bytes).sum(),
        parts,
        modified,
        grows: found.grows,
        in_use: Some(in_use),
    })
}
