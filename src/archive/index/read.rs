//! Reading the index.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::archive::extents::{Extent, LONGEST_EXTENT};
use crate::archive::model::{
    Anchor, Attendance, Chat, Gap, Part, Recording, RecordingId, Restart, State, StateKind, Summary, Track,
};
use crate::media::opus;
use crate::media::pcm;
use crate::media::room::ParticipantName;
use crate::media::source::Codec;
use crate::media::time::UnixMillis;
use crate::media::track::{Format, TrackNumber};

use super::row::{RowExt as _, int, undecodable};
use super::write::{Pages, SpoolRow, Stream};
use super::{derived, markers};

/// The columns of [`summary_of`]. The names are those of all tracks, in order: whoever has two stands there twice.
macro_rules! summary_columns {
    () => {
        "recordings.recording, id, room, folder, title, keep, started_unix_millis, ended_unix_millis, state, end_reason, \
         length_ticks, bytes, \
         (SELECT json_group_array(name) FROM (SELECT name FROM tracks AS t WHERE t.recording = recordings.recording \
          ORDER BY track)) AS names, \
         (SELECT published_unix_millis FROM published AS p WHERE p.recording = recordings.recording) AS published"
    };
}
pub(in crate::archive) use summary_columns;

statements! {
    /// What lists show of a recording.
    SUMMARY = concat!("SELECT ", summary_columns!(), " FROM recordings WHERE id = ? AND deleting = 0"),
        [
            "SEARCH recordings USING INDEX sqlite_autoindex_recordings_1 (id=?)",
            "SEARCH t USING PRIMARY KEY (recording=?)",
            "SEARCH p USING INTEGER PRIMARY KEY (rowid=?)"
        ];
    TRACKS = "SELECT track, participant, name FROM tracks WHERE recording = ? ORDER BY track",
        ["SEARCH tracks USING PRIMARY KEY (recording=?)"];
    PARTS = "SELECT * FROM parts WHERE recording = ? ORDER BY track, part",
        ["SEARCH parts USING PRIMARY KEY (recording=?)"];
    GAPS = "SELECT track, at_ticks, length_ticks, cause, filled FROM gaps WHERE recording = ? ORDER BY track, at_ticks, gap",
        ["SEARCH gaps USING INDEX gaps_of_track (recording=?)"];
    ANCHORS = "SELECT track, track_ticks, session_ticks FROM anchors WHERE recording = ? ORDER BY track, track_ticks",
        ["SEARCH anchors USING PRIMARY KEY (recording=?)"];
    RESTARTS = "SELECT track, at_ticks, pre_skip_ticks FROM restarts WHERE recording = ? ORDER BY track, at_ticks",
        ["SEARCH restarts USING PRIMARY KEY (recording=?)"];
    CHAT = "SELECT at_ticks, participant, name, text FROM chat WHERE recording = ? ORDER BY line",
        ["SEARCH chat USING INDEX chat_of_recording (recording=?)"];
    ATTENDANCE = "SELECT participant, name, joined_ticks, left_ticks FROM attendance WHERE recording = ? ORDER BY line",
        ["SEARCH attendance USING INDEX attendance_of_recording (recording=?)"];
    FILES = "SELECT file FROM parts WHERE recording = ? UNION ALL SELECT file FROM spools WHERE recording = ?",
        [
            "SEARCH parts USING COVERING INDEX sqlite_autoindex_parts_2 (recording=?)",
            "SEARCH spools USING PRIMARY KEY (recording=?)"
        ];
    BEING_DELETED = "SELECT recording, folder FROM recordings WHERE deleting = 1 ORDER BY recording",
        ["SCAN recordings USING INDEX recordings_being_deleted"];
    /// Two ways for a recording to be unfinished; what is found both ways comes twice.
    UNFINISHED = "SELECT id FROM recordings WHERE deleting = 0 AND state IN ('live', 'grace', 'pending') UNION ALL \
                  SELECT id FROM parts JOIN recordings USING (recording) WHERE open = 1 AND deleting = 0",
        [
            "SEARCH recordings USING INDEX recordings_in_state_newest_first (state=?)",
            "SCAN parts USING COVERING INDEX parts_open",
            "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"
        ];
    WITH_STALE_SESSION_FILE = "SELECT id FROM recordings WHERE session_file_stale = 1 AND deleting = 0 ORDER BY recording",
        ["SCAN recordings USING INDEX recordings_with_stale_session_file"];
    OPEN_PARTS = "SELECT * FROM parts WHERE recording = ? AND open = 1 ORDER BY track, part",
        ["SEARCH parts USING PRIMARY KEY (recording=?)"];
    EXTENTS = "SELECT begin_byte, bytes, crc FROM extents WHERE recording = ? AND track = ? AND part = ? \
               AND begin_byte > ? AND begin_byte < ? AND begin_byte + bytes > ? ORDER BY begin_byte",
        ["SEARCH extents USING PRIMARY KEY (recording=? AND track=? AND part=? AND begin_byte>? AND begin_byte<?)"];
    SPOOLS = "SELECT * FROM spools WHERE recording = ? ORDER BY file",
        ["SEARCH spools USING PRIMARY KEY (recording=?)"];
    SETTLED_SPOOLS = "SELECT recording, folder, file FROM spools JOIN recordings USING (recording) WHERE settled = 1",
        [
            "SCAN spools USING COVERING INDEX spools_settled",
            "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"
        ];
    /// What `archive/sound.rs` asks for.
    SOUND_OF_TRACK = "SELECT room, title, started_unix_millis, state, folder, name, parts.* FROM recordings \
                      JOIN tracks USING (recording) JOIN parts USING (recording, track) \
                      WHERE id = ? AND deleting = 0 AND track = ? ORDER BY part",
        [
            "SEARCH recordings USING INDEX sqlite_autoindex_recordings_1 (id=?)",
            "SEARCH tracks USING PRIMARY KEY (recording=? AND track=?)",
            "SEARCH parts USING PRIMARY KEY (recording=? AND track=?)"
        ];
    /// What `archive/derived/files.rs` asks for.
    OF_A_DERIVED_FILE = "SELECT recording, room, title, started_unix_millis, state, folder FROM recordings \
                         WHERE id = ? AND deleting = 0",
        ["SEARCH recordings USING INDEX sqlite_autoindex_recordings_1 (id=?)"];
    NAME_OF_TRACK = "SELECT name FROM tracks WHERE recording = ? AND track = ?",
        ["SEARCH tracks USING PRIMARY KEY (recording=? AND track=?)"];
    PAGES = "SELECT track, part, serial, pages FROM parts WHERE recording = ? AND codec = 'opus' ORDER BY track, part",
        ["SEARCH parts USING PRIMARY KEY (recording=?)"];
    ANY_RECORDING = "SELECT 1 FROM recordings LIMIT 1", ["SCAN recordings USING COVERING INDEX recordings_newest_first"];
    SESSION_FILE_STALE = "SELECT session_file_stale FROM recordings WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    /// When the run before one was started.
    LAST_RUN = "SELECT id, started_unix_millis FROM runs WHERE id = (SELECT max(id) FROM runs)",
        ["SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)", "SEARCH runs"];
    /// The next of all recordings, in the order of their rows.
    NEXT = "SELECT id FROM recordings WHERE recording > ? ORDER BY recording LIMIT 1",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid>?)"];
    /// Whether the index answers.
    ANY = "SELECT 1 FROM storage WHERE one = 1",
        ["SEARCH storage USING INTEGER PRIMARY KEY (rowid=?)"];
}

/// Where a recording is: in the index, and in the folder of all recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Place {
    /// Its row.
    pub row: i64,
    /// Its folder, below the folder of all recordings.
    pub folder: String,
}

/// Reads what lists show out of a row with [`summary_columns`].
pub(in crate::archive) fn summary_of(row: &SqliteRow) -> Result<(Place, Summary), sqlx::Error> {
    let place = Place { row: row.int("recording")?, folder: row.try_get("folder")? };
    let names: Vec<ParticipantName> =
        serde_json::from_str(row.try_get("names")?).map_err(|source| undecodable("names", source))?;
    let tracks = u32::try_from(names.len()).map_err(|source| undecodable("names", source))?;
    let mut seen = HashSet::new();
    let people = names.iter().filter(|name| seen.insert(name.as_str())).cloned().collect();
    let summary = Summary {
        id: row.word("id")?,
        room: row.word("room")?,
        title: row.try_get("title")?,
        keep: row.flag("keep")?,
        started: row.millis("started_unix_millis")?,
        ended: row.some_millis("ended_unix_millis")?,
        published: row.some_millis("published")?,
        state: match row.word("state")? {
            StateKind::Live => State::Live,
            StateKind::Grace => State::Grace,
            StateKind::Pending => State::Pending,
            StateKind::Ended => State::Ended(row.word("end_reason")?),
        },
        length: row.ticks("length_ticks")?,
        bytes: row.int("bytes")?,
        people,
        tracks,
    };
    Ok((place, summary))
}

/// A recording as lists show it, unless it is being deleted.
pub(in crate::archive) async fn summary(
    connection: &mut SqliteConnection,
    id: RecordingId,
) -> Result<Option<(Place, Summary)>, sqlx::Error> {
    let row = sqlx::query(SUMMARY).bind(id.to_string()).fetch_optional(connection).await?;
    row.as_ref().map(summary_of).transpose()
}

/// A recording with all that is in it, unless it is being deleted. Give it a transaction, to see one moment.
pub(in crate::archive) async fn recording(
    connection: &mut SqliteConnection,
    id: RecordingId,
) -> Result<Option<(Place, Recording)>, sqlx::Error> {
    let Some((place, summary)) = self::summary(connection, id).await? else { return Ok(None) };
    let tracks = tracks(connection, place.row).await?;
    let chat = chat(connection, place.row).await?;
    let attendance = attendance(connection, place.row).await?;
    let markers = markers::markers(connection, place.row).await?;
    let derived = derived::files(connection, place.row).await?;
    Ok(Some((place, Recording { summary, tracks, chat, attendance, markers, derived })))
}

/// The tracks of a recording. Give it a transaction, to see one moment.
pub(in crate::archive) async fn tracks(
    connection: &mut SqliteConnection,
    recording: i64,
) -> Result<Vec<Track>, sqlx::Error> {
    let mut tracks = Vec::new();
    for row in sqlx::query(TRACKS).bind(recording).fetch_all(&mut *connection).await? {
        tracks.push(Track {
            number: number(&row)?,
            participant: row.word("participant")?,
            name: row.word("name")?,
            parts: Vec::new(),
            gaps: Vec::new(),
            anchors: Vec::new(),
            restarts: Vec::new(),
        });
    }
    for row in sqlx::query(PARTS).bind(recording).fetch_all(&mut *connection).await? {
        track(&mut tracks, &row)?.parts.push(part(&row)?);
    }
    for row in sqlx::query(GAPS).bind(recording).fetch_all(&mut *connection).await? {
        let gap = Gap {
            at: row.ticks("at_ticks")?,
            length: row.ticks("length_ticks")?,
            cause: row.word("cause")?,
            filled: row.flag("filled")?,
        };
        track(&mut tracks, &row)?.gaps.push(gap);
    }
    for row in sqlx::query(ANCHORS).bind(recording).fetch_all(&mut *connection).await? {
        let anchor = Anchor { track: row.ticks("track_ticks")?, session: row.ticks("session_ticks")? };
        track(&mut tracks, &row)?.anchors.push(anchor);
    }
    for row in sqlx::query(RESTARTS).bind(recording).fetch_all(&mut *connection).await? {
        let restart = Restart { at: row.ticks("at_ticks")?, pre_skip: row.int("pre_skip_ticks")? };
        track(&mut tracks, &row)?.restarts.push(restart);
    }
    Ok(tracks)
}

/// The track that a row belongs to; foreign keys promise that it is there.
fn track<'a>(tracks: &'a mut [Track], row: &SqliteRow) -> Result<&'a mut Track, sqlx::Error> {
    let number = number(row)?;
    tracks.iter_mut().find(|track| track.number == number).ok_or(sqlx::Error::RowNotFound)
}

/// The number of the track that a row is or belongs to.
pub(in crate::archive) fn number(row: &SqliteRow) -> Result<TrackNumber, sqlx::Error> {
    row.int("track").map(TrackNumber::new)
}

/// A part, out of a row with all columns.
pub(in crate::archive) fn part(row: &SqliteRow) -> Result<Part, sqlx::Error> {
    Ok(Part {
        number: row.int("part")?,
        file: row.try_get("file")?,
        format: format(row)?,
        source: row.word("source")?,
        start: Anchor { track: row.ticks("start_track_ticks")?, session: row.ticks("start_session_ticks")? },
        length: row.ticks("length_ticks")?,
        bytes: row.int("bytes")?,
        first: row.sequence("first_sequence")?,
        next: row.sequence("next_sequence")?,
        open: row.flag("open")?,
    })
}

fn format(row: &SqliteRow) -> Result<Format, sqlx::Error> {
    match row.word("codec")? {
        Codec::Pcm => {
            let head = pcm::Head::new(row.word("sample")?, row.int("rate_hz")?, row.int("channels")?);
            head.map(Format::Pcm).map_err(|unfit| undecodable("rate_hz", unfit))
        }
        _ => Ok(Format::Opus(opus::Head {
            channels: row.int("channels")?,
            pre_skip: row.int("pre_skip_ticks")?,
            input_rate: row.int("input_rate_hz")?,
            output_gain: row.int("output_gain_q8_db")?,
        })),
    }
}

async fn chat(connection: &mut SqliteConnection, recording: i64) -> Result<Vec<Chat>, sqlx::Error> {
    let rows = sqlx::query(CHAT).bind(recording).fetch_all(connection).await?;
    let line = |row: &SqliteRow| {
        Ok(Chat {
            at: row.ticks("at_ticks")?,
            participant: row.word("participant")?,
            name: row.word("name")?,
            text: row.try_get("text")?,
        })
    };
    rows.iter().map(line).collect()
}

async fn attendance(connection: &mut SqliteConnection, recording: i64) -> Result<Vec<Attendance>, sqlx::Error> {
    let rows = sqlx::query(ATTENDANCE).bind(recording).fetch_all(connection).await?;
    let stay = |row: &SqliteRow| {
        let left = row.try_get::<Option<i64>, _>("left_ticks")?.map(|_| row.ticks("left_ticks")).transpose()?;
        Ok(Attendance {
            participant: row.word("participant")?,
            name: row.word("name")?,
            joined: row.ticks("joined_ticks")?,
            left,
        })
    };
    rows.iter().map(stay).collect()
}

/// The names of a recording's files.
pub(in crate::archive) async fn files(
    connection: &mut SqliteConnection,
    recording: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(FILES).bind(recording).bind(recording).fetch_all(connection).await
}

/// The recordings that someone deleted and whose files may still be there.
pub(in crate::archive) async fn being_deleted(connection: &mut SqliteConnection) -> Result<Vec<Place>, sqlx::Error> {
    let rows = sqlx::query(BEING_DELETED).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(Place { row: row.int("recording")?, folder: row.try_get("folder")? })).collect()
}

/// The recordings that have not ended, or that have a part without its last page.
pub(in crate::archive) async fn unfinished(connection: &mut SqliteConnection) -> Result<Vec<RecordingId>, sqlx::Error> {
    let rows = sqlx::query(UNFINISHED).fetch_all(connection).await?;
    let mut found = rows.iter().map(|row| row.word("id")).collect::<Result<Vec<RecordingId>, _>>()?;
    found.sort();
    found.dedup();
    Ok(found)
}

/// The recordings whose session file may say less than the index.
pub(in crate::archive) async fn with_stale_session_file(
    connection: &mut SqliteConnection,
) -> Result<Vec<RecordingId>, sqlx::Error> {
    sqlx::query(WITH_STALE_SESSION_FILE).fetch_all(connection).await?.iter().map(|row| row.word("id")).collect()
}

/// A part that may lack its last page, as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) struct OpenPart {
    /// Whose.
    pub track: TrackNumber,
    /// What everyone knows of it.
    pub part: Part,
    /// What the writer knows of it.
    pub stream: Stream,
}

/// The parts of a recording that may lack their last page.
pub(in crate::archive) async fn open_parts(
    connection: &mut SqliteConnection,
    recording: i64,
) -> Result<Vec<OpenPart>, sqlx::Error> {
    let rows = sqlx::query(OPEN_PARTS).bind(recording).fetch_all(connection).await?;
    let read = |row: &SqliteRow| {
        let part = part(row)?;
        let pages = match part.format {
            Format::Opus(_) => Some(Pages { serial: row.int("serial")?, count: row.int("pages")? }),
            Format::Pcm(_) => None,
        };
        let stream = Stream { pages, open: row.flag("open")? };
        Ok(OpenPart { track: number(row)?, part, stream })
    };
    rows.iter().map(read).collect()
}

/// The extents of all parts of a recording that are WAV, in order.
pub(in crate::archive) async fn all_extents(
    connection: &mut SqliteConnection,
    row: i64,
    recording: &Recording,
) -> Result<BTreeMap<(TrackNumber, u32), Vec<Extent>>, sqlx::Error> {
    let mut all = BTreeMap::new();
    let summed = |part: &Part| matches!(part.format, Format::Pcm(_)) && !part.open;
    for (track, part) in recording.parts().filter(|(_, part)| summed(part)) {
        let of_part = extents(connection, row, track.number, part.number, 0..u64::MAX).await?;
        all.insert((track.number, part.number), of_part);
    }
    Ok(all)
}

/// The extents of a part that hold any of these bytes, in order.
pub(in crate::archive) async fn extents(
    connection: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    part: u32,
    bytes: Range<u64>,
) -> Result<Vec<Extent>, sqlx::Error> {
    let query = sqlx::query(EXTENTS).bind(recording).bind(track.get()).bind(part);
    // None that begins earlier is long enough.
    let earliest = bytes.start.saturating_sub(LONGEST_EXTENT);
    let query = query.bind(int(earliest)).bind(int(bytes.end)).bind(int(bytes.start));
    let rows = query.fetch_all(connection).await?;
    let read =
        |row: &SqliteRow| Ok(Extent { begin: row.int("begin_byte")?, bytes: row.int("bytes")?, crc: row.int("crc")? });
    rows.iter().map(read).collect()
}

/// What the writer knows of a recording's Ogg parts.
pub(in crate::archive) async fn pages(
    connection: &mut SqliteConnection,
    recording: i64,
) -> Result<Vec<((TrackNumber, u32), Pages)>, sqlx::Error> {
    let rows = sqlx::query(PAGES).bind(recording).fetch_all(connection).await?;
    let read = |row: &SqliteRow| {
        let pages = Pages { serial: row.int("serial")?, count: row.int("pages")? };
        Ok(((number(row)?, row.int("part")?), pages))
    };
    rows.iter().map(read).collect()
}

/// The last run that the index knows, and when it was started; `None` before the first.
pub(in crate::archive) async fn last_run(
    connection: &mut SqliteConnection,
) -> Result<Option<(i64, UnixMillis)>, sqlx::Error> {
    let row = sqlx::query(LAST_RUN).fetch_optional(connection).await?;
    row.map(|row| Ok((row.try_get("id")?, row.millis("started_unix_millis")?))).transpose()
}

/// The recording with the next row, unless it is being deleted.
pub(in crate::archive) async fn next(
    connection: &mut SqliteConnection,
    row: i64,
) -> Result<Option<(Place, Recording)>, sqlx::Error> {
    let id = sqlx::query(NEXT).bind(row).fetch_optional(&mut *connection).await?;
    match id {
        Some(row) => recording(connection, row.word("id")?).await,
        None => Ok(None),
    }
}

/// Whether the index names no recording.
pub(in crate::archive) async fn is_empty(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let found = sqlx::query(ANY_RECORDING).fetch_optional(connection).await?;
    Ok(found.is_none())
}

/// Whether a recording's session file may say less than the index.
pub(in crate::archive) async fn session_file_is_stale(
    connection: &mut SqliteConnection,
    recording: i64,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query_scalar(SESSION_FILE_STALE);
    query.bind(recording).fetch_one(connection).await.map(|stale: i64| stale != 0)
}

/// The spools of a recording, with their tracks.
pub(in crate::archive) async fn spools(
    connection: &mut SqliteConnection,
    recording: i64,
) -> Result<Vec<(TrackNumber, SpoolRow)>, sqlx::Error> {
    let rows = sqlx::query(SPOOLS).bind(recording).fetch_all(connection).await?;
    let read = |row: &SqliteRow| {
        let spool = SpoolRow {
            part: row.int("part")?,
            file: row.try_get("file")?,
            pause: row.ticks("pause_ticks")?,
            bytes: row.int("bytes")?,
            next: row.sequence("next_sequence")?,
            settled: row.flag("settled")?,
            crc: row.try_get("crc")?,
        };
        Ok((number(row)?, spool))
    };
    let mut spools = rows.iter().map(read).collect::<Result<Vec<_>, sqlx::Error>>()?;
    spools.sort_by_key(|(track, spool)| (*track, spool.part));
    Ok(spools)
}

/// The spools of all recordings whose part holds them by now, with where their recording is.
pub(in crate::archive) async fn settled_spools(
    connection: &mut SqliteConnection,
) -> Result<Vec<(Place, String)>, sqlx::Error> {
    let rows = sqlx::query(SETTLED_SPOOLS).fetch_all(connection).await?;
    let read = |row: &SqliteRow| {
        let place = Place { row: row.int("recording")?, folder: row.try_get("folder")? };
        Ok((place, row.try_get("file")?))
    };
    rows.iter().map(read).collect()
}
