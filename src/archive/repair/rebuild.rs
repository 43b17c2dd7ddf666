//! A recording's part of the index, made anew out of its session file and its parts.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::measure::{self, Measured};
use super::salvage;
use crate::archive::check::{What, session_file};
use crate::archive::foreign;
use crate::archive::index::{markers, search, write};
use crate::archive::model::{Anchor, Attendance, Chat, Gap, Marker, Part, RecordingId, Restart};
use crate::archive::names::{self, Holds};
use crate::archive::session_file::{self as file, SessionFile};
use crate::archive::writer::serial;
use crate::container::wav::data_offset;
use crate::media::room::RoomName;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// Where a recording came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From what it says of itself.
    SessionFile,
    /// From what its parts tell.
    Parts,
}

/// What stands in a recording's folder, as a session file says it.
pub(super) struct Found {
    pub file: SessionFile,
    pub origin: Origin,
    /// Whether there is a session file that says nothing, and has to make room.
    pub aside: bool,
}

/// Finds out what is in a folder that the index does not name.
///
/// # Errors
/// Why no recording can be made from it.
pub(super) fn find(root: &Path, path: &Path, id: RecordingId) -> Result<Found, What> {
    let unreadable = |error: std::io::Error| What::Unreadable(error.to_string());
    let room = path.parent().and_then(Path::to_str).and_then(|room| room.parse::<RoomName>().ok());
    let Some(room) = room else { return Err(What::NotIndexed) };
    let folder = root.join(path);
    let aside = match session_file(&folder) {
        Ok(file) if fits(&file, path, id) => return Ok(Found { file, origin: Origin::SessionFile, aside: false }),
        Ok(_) => true,
        Err(What::NotUnderstood(_)) => true,
        Err(What::Missing) => false,
        Err(what) => return Err(what),
    };
    if Path::new(&names::folder(&room, id.started(), id)) != path {
        return Err(What::NotIndexed);
    }
    let file = salvage::session_file(&folder, id, &room).map_err(unreadable)?.ok_or(What::NotIndexed)?;
    Ok(Found { file, origin: Origin::Parts, aside })
}

/// Whether a session file is of this folder, and names only names of ours.
fn fits(file: &SessionFile, path: &Path, id: RecordingId) -> bool {
    let mut names = BTreeSet::new();
    let ours = |(track, part): (&file::Track, &file::Part)| {
        let holds = Holds::Part(part.number, part.format.codec());
        let said = names::track_file(&part.file);
        said.is_some_and(|said| said.track == track.number && said.holds == holds) && names.insert(part.file.clone())
    };
    let numbers: BTreeSet<_> = file.tracks.iter().map(|track| track.number).collect();
    let all = file.tracks.iter().flat_map(|track| track.parts.iter().map(move |part| (track, part))).all(ours);
    let places: BTreeSet<_> = file.markers.iter().map(|marker| (marker.at_ticks, marker.id)).collect();
    all && places.len() == file.markers.len()
        && numbers.len() == file.tracks.len()
        && file.id == id
        && Path::new(&names::folder(&file.room, file.started, id)) == path
}

/// Puts a recording into the index, in one transaction. What had not ended is left open, for start-up to end.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    run: i64,
    root: &Path,
    path: &Path,
    file: &SessionFile,
) -> Result<Ticks, sqlx::Error> {
    let folder = root.join(path);
    let mut c = connection.begin().await?;
    let row = write::recording(&mut c, run, file.id, &file.room, &path.to_string_lossy(), file.started).await?;
    write::title(&mut c, row, file.title.as_deref().filter(|title| !title.is_empty())).await?;
    write::keep(&mut c, row, file.keep).await?;
    let mut end = Ticks::ZERO;
    for track in &file.tracks {
        write::track(&mut c, row, track.number, track.participant, &track.name).await?;
        for part in &track.parts {
            let measured = measured(&folder, file, track, part);
            let packets = part.next_sequence.unwrap_or(part.first_sequence.after(measured.packets));
            let told = Part {
                number: part.number,
                file: part.file.clone(),
                format: part.format.clone(),
                source: part.source,
                start: part.start.into(),
                length: measured.length,
                bytes: measured.bytes,
                first: part.first_sequence,
                next: packets.max(part.first_sequence),
                open: measured.stream.open,
            };
            end = end.max(end_of(track, &told));
            write::part(&mut c, row, track.number, &told, measured.stream).await?;
            for extent in measured.extents {
                write::extent(&mut c, row, track.number, part.number, extent).await?;
            }
        }
        for &file::Gap { at_ticks, length_ticks, cause, filled } in &track.gaps {
            write::gap(&mut c, row, track.number, &Gap { at: at_ticks, length: length_ticks, cause, filled }).await?;
        }
        for &anchor in &track.anchors {
            write::anchor(&mut c, row, track.number, anchor.into()).await?;
        }
        for &file::Restart { at_ticks, pre_skip_ticks } in &track.restarts {
            let restart = Restart { at: at_ticks, pre_skip: pre_skip_ticks };
            write::restart(&mut c, row, track.number, restart).await?;
        }
    }
    for line in &file.chat {
        let file::Chat { at_ticks, participant, name, text } = line.clone();
        write::chat(&mut c, row, &Chat { at: at_ticks, participant, name, text }).await?;
    }
    for stay in &file.attendance {
        let file::Attendance { participant, name, joined_ticks, left_ticks } = stay.clone();
        let stay = Attendance { participant, name, joined: joined_ticks, left: left_ticks };
        write::joined(&mut c, row, &stay).await?;
    }
    for marker in &file.markers {
        let file::Marker { id, at_ticks, name, text } = marker.clone();
        markers::mark(&mut c, row, &Marker { id, at: at_ticks, name, text }).await?;
    }
    markers::publish(&mut c, row, file.published).await?;
    let length = file.end.and_then(|end| end.length_ticks).unwrap_or(end);
    write::length(&mut c, row, length).await?;
    if let Some(file::End { at, reason, .. }) = file.end {
        write::end(&mut c, row, reason, at).await?;
    }
    search::refresh(&mut c, file.id).await?;
    c.commit().await?;
    Ok(length)
}

/// What a part's file holds. One that is not there, or is not ours, holds nothing, or what its sums say: a check names it.
fn measured(folder: &Path, file: &SessionFile, track: &file::Track, part: &file::Part) -> Measured {
    let path = folder.join(&part.file);
    if let Format::Pcm(head) = part.format
        && let Some(extents) = part.extents(data_offset(head))
    {
        // What was written, whatever is there: damage from before is seen.
        let data: u64 = extents.iter().map(|extent| extent.bytes).sum();
        let length = head.ticks(data / head.frame_bytes() as u64);
        return Measured { bytes: data_offset(head) + data, length, extents, ..Measured::nothing(None) };
    }
    let serial = serial(file.id, track.number, part.number);
    let opened = foreign::open(&path);
    let measured = match part.format {
        Format::Opus(_) => opened.and_then(|file| measure::ogg(file, serial)),
        Format::Pcm(head) => opened.and_then(|sound| measure::wav(sound, head, file.end.is_some())),
    };
    measured.unwrap_or_else(|error| {
        tracing::warn!("{}: {error}", path.display());
        Measured::nothing(matches!(part.format, Format::Opus(_)).then_some(serial))
    })
}

/// Where a part ends on the session's clock.
fn end_of(track: &file::Track, part: &Part) -> Ticks {
    let end = part.start.track.saturating_add(part.length);
    let mut anchors = track.anchors.iter().copied().map(Anchor::from);
    let before = anchors.rfind(|anchor| anchor.track >= part.start.track && anchor.track <= end);
    let pinned = before.unwrap_or(part.start);
    pinned.session.saturating_add(end.saturating_sub(pinned.track))
}

impl From<file::Anchor> for Anchor {
    fn from(file::Anchor { track_ticks, session_ticks }: file::Anchor) -> Self {
        Self { track: track_ticks, session: session_ticks }
    }
}
