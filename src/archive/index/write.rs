//! Writing the index. Every function is one statement; what must hold together is the caller's transaction.

use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::archive::extents::Extent;
use crate::archive::model::{Anchor, Attendance, Chat, EndReason, Gap, Part, RecordingId, Restart, State};
use crate::media::packet::Sequence;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

use super::row::int;

type Done = Result<(), sqlx::Error>;

statements! {
    /// What is there already is not written, so that the probe changes something, and changes it back.
    TOUCH = "UPDATE runs SET pid = pid + ? WHERE id = ?", ["SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)"];
    RUN = "INSERT INTO runs (started_unix_millis, pid, version) VALUES (?, ?, ?)", [];
    RECORDING = "INSERT INTO recordings (id, run, room, folder, started_unix_millis, state) \
                 VALUES (?, ?, ?, ?, ?, 'live')",
        [
            "SEARCH published USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH markers USING PRIMARY KEY (recording=?)",
            "SEARCH derived USING PRIMARY KEY (recording=?)",
            "SEARCH attendance USING COVERING INDEX attendance_of_recording (recording=?)",
            "SEARCH chat USING COVERING INDEX chat_of_recording (recording=?)",
            "SEARCH tracks USING PRIMARY KEY (recording=?)"
        ];
    LENGTH = "UPDATE recordings SET length_ticks = ?, \
              bytes = (SELECT coalesce(sum(bytes), 0) FROM parts WHERE parts.recording = recordings.recording) \
              WHERE recording = ?",
        [
            "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH parts USING PRIMARY KEY (recording=?)"
        ];
    STATE = "UPDATE recordings SET state = ? WHERE recording = ? AND state <> 'ended'",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    END = "UPDATE recordings SET state = 'ended', end_reason = ?, ended_unix_millis = ? \
           WHERE recording = ? AND state <> 'ended'",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    TRACK = "INSERT INTO tracks (recording, track, participant, name) VALUES (?, ?, ?, ?)", [];
    PART = "INSERT INTO parts (recording, track, part, file, codec, source, channels, pre_skip_ticks, input_rate_hz, \
            output_gain_q8_db, sample, rate_hz, start_track_ticks, start_session_ticks, length_ticks, bytes, pages, \
            serial, first_sequence, next_sequence, open) \
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
            ON CONFLICT (recording, track, part) DO UPDATE SET length_ticks = excluded.length_ticks, \
            bytes = excluded.bytes, pages = excluded.pages, next_sequence = excluded.next_sequence, \
            open = excluded.open", [];
    EXTENT = "INSERT INTO extents (recording, track, part, begin_byte, bytes, crc) VALUES (?, ?, ?, ?, ?, ?) \
              ON CONFLICT DO UPDATE SET bytes = excluded.bytes, crc = excluded.crc", [];
    FORGET_EXTENTS = "DELETE FROM extents WHERE recording = ? AND track = ? AND part = ? AND begin_byte + bytes > ?",
        ["SEARCH extents USING PRIMARY KEY (recording=? AND track=? AND part=?)"];
    SPOOL = "INSERT INTO spools (recording, track, part, file, pause_ticks, bytes, next_sequence, settled, crc) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (recording, file) DO UPDATE SET bytes = excluded.bytes, \
             next_sequence = excluded.next_sequence, settled = excluded.settled, crc = excluded.crc", [];
    FORGET_SPOOL = "DELETE FROM spools WHERE recording = ? AND file = ? AND settled = 1",
        ["SEARCH spools USING PRIMARY KEY (recording=? AND file=?)"];
    GAP = "INSERT INTO gaps (recording, track, at_ticks, length_ticks, cause, filled) VALUES (?, ?, ?, ?, ?, ?)", [];
    ANCHOR = "INSERT OR REPLACE INTO anchors (recording, track, track_ticks, session_ticks) VALUES (?, ?, ?, ?)", [];
    RESTART = "INSERT OR REPLACE INTO restarts (recording, track, at_ticks, pre_skip_ticks) VALUES (?, ?, ?, ?)", [];
    CHAT = "INSERT INTO chat (recording, at_ticks, participant, name, text) VALUES (?, ?, ?, ?, ?)", [];
    JOINED = "INSERT INTO attendance (recording, participant, name, joined_ticks, left_ticks) VALUES (?, ?, ?, ?, ?)", [];
    LEFT = "UPDATE attendance SET left_ticks = max(joined_ticks, ?) \
            WHERE recording = ? AND participant = ? AND left_ticks IS NULL",
        ["SEARCH attendance USING INDEX attendance_of_those_present (recording=? AND participant=?)"];
    TITLE = "UPDATE recordings SET title = ? WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    KEEP = "UPDATE recordings SET keep = ? WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    SESSION_FILE_STALE = "UPDATE recordings SET session_file_stale = ? WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    DELETING = "UPDATE recordings SET deleting = 1 WHERE recording = ?",
        ["SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)"];
    FORGET = "DELETE FROM recordings WHERE recording = ? AND deleting = 1",
        [
            "SEARCH recordings USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH published USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH markers USING PRIMARY KEY (recording=?)",
            "SEARCH derived USING PRIMARY KEY (recording=?)",
            "SEARCH attendance USING COVERING INDEX attendance_of_recording (recording=?)",
            "SEARCH chat USING COVERING INDEX chat_of_recording (recording=?)",
            "SEARCH tracks USING PRIMARY KEY (recording=?)"
        ];
}

/// What only the writer and start-up know of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Stream {
    /// Its pages, where it is Ogg.
    pub pages: Option<Pages>,
    /// Whether more may come.
    pub open: bool,
}

/// What only the writer and start-up know of an Ogg part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) struct Pages {
    /// The serial number of its stream.
    pub serial: u32,
    /// How many are durable.
    pub count: u32,
}

/// A spool beside a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::archive) struct SpoolRow {
    /// The part that it waits for.
    pub part: u32,
    /// The file's name in the recording's folder.
    pub file: String,
    /// How long the silence before it was, should it turn out a pause.
    pub pause: Ticks,
    /// Durable bytes.
    pub bytes: u64,
    /// The number after its last durable packet.
    pub next: Sequence,
    /// Whether the part holds all of it already.
    pub settled: bool,
    /// CRC-32 of its samples, where it is WAV.
    pub crc: Option<u32>,
}

/// A start of the hub; gives the number of the run.
pub(in crate::archive) async fn run(
    c: &mut SqliteConnection,
    started: UnixMillis,
    pid: u32,
) -> Result<i64, sqlx::Error> {
    sqlx::query(RUN)
        .bind(started.get())
        .bind(pid)
        .bind(env!("CARGO_PKG_VERSION"))
        .execute(c)
        .await
        .map(|inserted| inserted.last_insert_rowid())
}

/// Changes what matters to nobody, by 1 and then by -1 in one transaction: shows whether the index can be written.
pub(in crate::archive) async fn touch(c: &mut SqliteConnection, run: i64, by: i64) -> Done {
    sqlx::query(TOUCH).bind(by).bind(run).execute(c).await.map(drop)
}

/// A new recording; gives its row.
pub(in crate::archive) async fn recording(
    c: &mut SqliteConnection,
    run: i64,
    id: RecordingId,
    room: &RoomName,
    folder: &str,
    started: UnixMillis,
) -> Result<i64, sqlx::Error> {
    let query =
        sqlx::query(RECORDING).bind(id.to_string()).bind(run).bind(room.as_str()).bind(folder).bind(started.get());
    query.execute(c).await.map(|inserted| inserted.last_insert_rowid())
}

/// How long a recording is by now; its bytes are those of its parts.
pub(in crate::archive) async fn length(c: &mut SqliteConnection, recording: i64, length: Ticks) -> Done {
    sqlx::query(LENGTH).bind(int(length.get())).bind(recording).execute(c).await.map(drop)
}

/// Where a recording is in its life, while it has not ended.
pub(in crate::archive) async fn state(c: &mut SqliteConnection, recording: i64, state: State) -> Done {
    sqlx::query(STATE).bind(state.word()).bind(recording).execute(c).await.map(drop)
}

/// A recording's end, unless it has one.
pub(in crate::archive) async fn end(
    c: &mut SqliteConnection,
    recording: i64,
    reason: EndReason,
    at: UnixMillis,
) -> Done {
    sqlx::query(END).bind(reason.word()).bind(at.get()).bind(recording).execute(c).await.map(drop)
}

/// A new track.
pub(in crate::archive) async fn track(
    c: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    participant: Uuid,
    name: &ParticipantName,
) -> Done {
    let query = sqlx::query(TRACK);
    let query = query.bind(recording).bind(track.get()).bind(participant.to_string()).bind(name.as_str());
    query.execute(c).await.map(drop)
}

/// A part, new or grown.
pub(in crate::archive) async fn part(
    c: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    part: &Part,
    stream: Stream,
) -> Done {
    let (opus, pcm, channels) = match &part.format {
        Format::Opus(head) => (Some(head), None, head.channels),
        Format::Pcm(head) => (None, Some(head), head.channels()),
    };
    sqlx::query(PART)
        .bind(recording)
        .bind(track.get())
        .bind(part.number)
        .bind(&part.file)
        .bind(part.format.codec().word())
        .bind(part.source.word())
        .bind(channels)
        .bind(opus.map(|head| head.pre_skip))
        .bind(opus.map(|head| head.input_rate))
        .bind(opus.map(|head| head.output_gain))
        .bind(pcm.map(|head| head.sample().word()))
        .bind(pcm.map(|head| head.rate()))
        .bind(int(part.start.track.get()))
        .bind(int(part.start.session.get()))
        .bind(int(part.length.get()))
        .bind(int(part.bytes))
        .bind(stream.pages.map(|pages| pages.count))
        .bind(stream.pages.map(|pages| pages.serial))
        .bind(int(part.first.get()))
        .bind(int(part.next.get()))
        .bind(stream.open)
        .execute(c)
        .await
        .map(drop)
}

/// An extent of a part, new or grown.
pub(in crate::archive) async fn extent(
    c: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    part: u32,
    extent: Extent,
) -> Done {
    let query = sqlx::query(EXTENT).bind(recording).bind(track.get()).bind(part);
    query.bind(int(extent.begin)).bind(int(extent.bytes)).bind(extent.crc).execute(c).await.map(drop)
}

/// Forgets the extents of a part that end behind this byte.
pub(in crate::archive) async fn forget_extents(
    c: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    part: u32,
    behind: u64,
) -> Done {
    let query = sqlx::query(FORGET_EXTENTS).bind(recording).bind(track.get()).bind(part).bind(int(behind));
    query.execute(c).await.map(drop)
}

/// A spool, new, grown or settled.
pub(in crate::archive) async fn spool(
    c: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    spool: &SpoolRow,
) -> Done {
    sqlx::query(SPOOL)
        .bind(recording)
        .bind(track.get())
        .bind(spool.part)
        .bind(&spool.file)
        .bind(int(spool.pause.get()))
        .bind(int(spool.bytes))
        .bind(int(spool.next.get()))
        .bind(spool.settled)
        .bind(spool.crc)
        .execute(c)
        .await
        .map(drop)
}

/// Forgets a spool whose file is gone.
pub(in crate::archive) async fn forget_spool(c: &mut SqliteConnection, recording: i64, file: &str) -> Done {
    sqlx::query(FORGET_SPOOL).bind(recording).bind(file).execute(c).await.map(drop)
}

/// A gap in a track.
pub(in crate::archive) async fn gap(c: &mut SqliteConnection, recording: i64, track: TrackNumber, gap: &Gap) -> Done {
    let query = sqlx::query(GAP).bind(recording).bind(track.get());
    let query = query.bind(int(gap.at.get())).bind(int(gap.length.get())).bind(gap.cause.word()).bind(gap.filled);
    query.execute(c).await.map(drop)
}

/// An anchor of a track; the last one at a place counts.
pub(in crate::archive) async fn anchor(
    c: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    anchor: Anchor,
) -> Done {
    let query = sqlx::query(ANCHOR).bind(recording).bind(track.get());
    query.bind(int(anchor.track.get())).bind(int(anchor.session.get())).execute(c).await.map(drop)
}

/// An encoder that started again; the last one at a place counts.
pub(in crate::archive) async fn restart(
    c: &mut SqliteConnection,
    recording: i64,
    track: TrackNumber,
    restart: Restart,
) -> Done {
    let query = sqlx::query(RESTART).bind(recording).bind(track.get());
    query.bind(int(restart.at.get())).bind(restart.pre_skip).execute(c).await.map(drop)
}

/// A line of chat.
pub(in crate::archive) async fn chat(c: &mut SqliteConnection, recording: i64, chat: &Chat) -> Done {
    let query = sqlx::query(CHAT).bind(recording).bind(int(chat.at.get())).bind(chat.participant.to_string());
    query.bind(chat.name.as_str()).bind(&chat.text).execute(c).await.map(drop)
}

/// Someone who might speak, and came.
pub(in crate::archive) async fn joined(c: &mut SqliteConnection, recording: i64, stay: &Attendance) -> Done {
    let query = sqlx::query(JOINED).bind(recording).bind(stay.participant.to_string()).bind(stay.name.as_str());
    query
        .bind(int(stay.joined.get()))
        .bind(stay.left.map(|left| int(left.max(stay.joined).get())))
        .execute(c)
        .await
        .map(drop)
}

/// Someone who was there went.
pub(in crate::archive) async fn left(c: &mut SqliteConnection, recording: i64, participant: Uuid, at: Ticks) -> Done {
    sqlx::query(LEFT).bind(int(at.get())).bind(recording).bind(participant.to_string()).execute(c).await.map(drop)
}

/// What people call a recording; `None` takes the title away.
pub(in crate::archive) async fn title(c: &mut SqliteConnection, recording: i64, title: Option<&str>) -> Done {
    let query = sqlx::query(TITLE);
    query.bind(title).bind(recording).execute(c).await.map(drop)
}

/// Whether retention leaves a recording alone.
pub(in crate::archive) async fn keep(c: &mut SqliteConnection, recording: i64, keep: bool) -> Done {
    sqlx::query(KEEP).bind(keep).bind(recording).execute(c).await.map(drop)
}

/// Says whether a recording's session file may say less than the index.
pub(in crate::archive) async fn session_file_stale(c: &mut SqliteConnection, recording: i64, stale: bool) -> Done {
    let query = sqlx::query(SESSION_FILE_STALE);
    query.bind(stale).bind(recording).execute(c).await.map(drop)
}

/// Marks a recording as one whose files are about to go.
pub(in crate::archive) async fn deleting(c: &mut SqliteConnection, recording: i64) -> Done {
    sqlx::query(DELETING).bind(recording).execute(c).await.map(drop)
}

/// Drops a recording whose files are gone, with all that the index says of it.
pub(in crate::archive) async fn forget(c: &mut SqliteConnection, recording: i64) -> Done {
    sqlx::query(FORGET).bind(recording).execute(c).await.map(drop)
}
