//! Start-up: ends what a crash left open, finishes what was begun: deletions, settled spools, session files. Of sound it cuts
//! what was never told to be durable and cannot be told from a torn end: pages that are not whole, samples that the index has no
//! sum of, and pages behind a spool, which come again from that.
//!
//! Everything here may itself be cut off at any place and is done again at the next start: files first, then one
//! transaction, then what follows from it.

mod ogg;
mod wav;

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::extents::Extent;
use super::handle::Error;
use super::index::derived;
use super::index::read::{self, OpenPart};
use super::index::write::{self, SpoolRow};
use super::model::{EndReason, Gap, Recording, RecordingId, Track};
use super::store::{Phase, Store};
use super::writer::{Trouble, ended, remove_if_there, replace_session_file, unlink};
use crate::media::room::RoomName;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// What start-up did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The recordings that had been left open.
    pub recordings: Vec<RecoveredRecording>,
    /// How many deletions it finished.
    pub deletions: u32,
    /// The index names no recording, as one does that was lost and begun anew, and there are some.
    pub unindexed: bool,
}

/// A recording that had been left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredRecording {
    /// Its ID.
    pub id: RecordingId,
    /// Where it was made.
    pub room: RoomName,
    /// How long it is.
    pub length: Ticks,
    /// Bytes that were cut off the ends of its files: no whole pages, or samples that no sum vouches for.
    pub cut: u64,
    /// How many of its parts, or the spools beside them, end otherwise than they were written: what is wrong in a part stays,
    /// and is told to whoever plays it; what is wrong in a spool has become silence.
    pub damaged: u32,
    /// What could not be put in order, and is tried again at the next start.
    pub trouble: Option<String>,
}

/// Puts in order what the last run left.
pub(super) async fn recover(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
) -> Result<Recovered, Error> {
    let mut recovered = Recovered::default();
    store.phase(Phase::Delete);
    for place in read::being_deleted(connection).await? {
        match unlink(store, connection, root, &place).await {
            Ok(()) => recovered.deletions += 1,
            Err(Trouble::Index(error)) => return Err(error.into()),
            Err(trouble) => tracing::warn!("a deletion cannot be finished: {trouble}"),
        }
    }
    store.phase(Phase::Recover);
    for id in read::unfinished(connection).await? {
        recovered.recordings.extend(recording(store, connection, root, id).await?);
    }
    for (place, file) in read::settled_spools(connection).await? {
        let folder = root.join(&place.folder);
        let removed = remove_if_there(store, &folder.join(&file))
            .and_then(|()| store.sync_folder(&folder).map_err(|source| Trouble::file(&folder, source)));
        match removed {
            Ok(()) => write::forget_spool(connection, place.row, &file).await?,
            Err(trouble) => tracing::warn!("a spool that its part holds cannot be removed: {trouble}"),
        }
    }
    for id in read::with_stale_session_file(connection).await? {
        if let Err(trouble) = replace_session_file(store, connection, root, id).await {
            tracing::warn!(recording = %id, "its session file cannot be written: {trouble}");
        }
    }
    Ok(recovered)
}

/// Ends a recording.
async fn recording(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
) -> Result<Option<RecoveredRecording>, Error> {
    let Some((place, recording)) = read::recording(connection, id).await? else { return Ok(None) };
    let folder = root.join(&place.folder);
    let spools = read::spools(connection, place.row).await?;
    let (mut finished, mut cut, mut damaged, mut trouble) = (Vec::new(), 0, 0, None);
    for open in read::open_parts(connection, place.row).await? {
        let waits =
            |(track, spool): &&(_, SpoolRow)| *track == open.track && spool.part == open.part.number && !spool.settled;
        let spool = spools.iter().find(waits).map(|(_, spool)| spool);
        let extents = match open.part.format {
            Format::Opus(_) => Vec::new(),
            Format::Pcm(_) => read::extents(connection, place.row, open.track, open.part.number, 0..u64::MAX).await?,
        };
        match finish(store, &folder, open, spool, &extents) {
            Ok(part) => {
                cut += part.cut;
                damaged += u32::from(part.damaged);
                finished.push(part);
            }
            Err(error) => {
                tracing::warn!(recording = %id, "a part cannot be finished: {error}");
                trouble = Some(error.to_string());
            }
        }
    }
    let length = length(&recording, &finished);
    let mut transaction = connection.begin().await?;
    for Finished { open, gap, spool, extents, .. } in &finished {
        write::part(&mut transaction, place.row, open.track, &open.part, open.stream).await?;
        if let Some(extents) = extents {
            let number = open.part.number;
            write::forget_extents(&mut transaction, place.row, open.track, number, extents.keep).await?;
            for extent in &extents.new {
                write::extent(&mut transaction, place.row, open.track, number, *extent).await?;
            }
        }
        if let Some(gap) = gap {
            write::gap(&mut transaction, place.row, open.track, gap).await?;
        }
        if let Some(spool) = spool {
            write::spool(&mut transaction, place.row, open.track, &SpoolRow { settled: true, ..spool.clone() }).await?;
        }
    }
    write::length(&mut transaction, place.row, length).await?;
    let summary = recording.summary;
    write::end(&mut transaction, place.row, EndReason::Crashed, ended(summary.started, length)).await?;
    write::session_file_stale(&mut transaction, place.row, true).await?;
    // Its parts may be longer than they were when something was last made out of them.
    derived::outdated(&mut transaction, place.row).await?;
    transaction.commit().await?;
    store.committed();
    Ok(Some(RecoveredRecording { id, room: summary.room, length, cut, damaged, trouble }))
}

/// A part that has its end now.
pub(super) struct Finished {
    pub open: OpenPart,
    /// Bytes that were cut off.
    pub cut: u64,
    /// The gap before what its spool held, and the spool.
    pub gap: Option<Gap>,
    pub spool: Option<SpoolRow>,
    /// What becomes of its extents, where it is WAV.
    pub extents: Option<Resumed>,
    /// Whether its end, or its spool, is not what was written.
    pub damaged: bool,
}

/// What becomes of a part's extents.
pub(super) struct Resumed {
    /// Those that end behind this byte go.
    pub keep: u64,
    /// And these come.
    pub new: Vec<Extent>,
}

/// Cuts a part's torn tail, appends what its spool holds, ends it, syncs it.
pub(super) fn finish(
    store: &mut dyn Store,
    folder: &Path,
    open: OpenPart,
    spool: Option<&SpoolRow>,
    extents: &[Extent],
) -> Result<Finished, Trouble> {
    match (&open.part.format, open.stream.pages) {
        (&Format::Pcm(head), _) => wav::finish(store, folder, open, head, spool, extents),
        (Format::Opus(_), Some(pages)) => ogg::finish(store, folder, open, pages, spool),
        (Format::Opus(_), None) => {
            Err(Trouble::Index(sqlx::Error::ColumnDecode { index: "pages".to_owned(), source: "it is NULL".into() }))
        }
    }
}

/// The end of all sound on the session's clock.
fn length(recording: &Recording, finished: &[Finished]) -> Ticks {
    let ends = finished.iter().filter_map(|Finished { open, .. }| {
        let track: &Track = recording.tracks.iter().find(|track| track.number == open.track)?;
        let end = open.part.start.track.saturating_add(open.part.length);
        let before =
            track.anchors.iter().rev().find(|anchor| anchor.track <= end && anchor.track >= open.part.start.track);
        let pinned = before.copied().unwrap_or(open.part.start);
        Some(pinned.session.saturating_add(end.saturating_sub(pinned.track)))
    });
    ends.fold(recording.summary.length, Ticks::max)
}
