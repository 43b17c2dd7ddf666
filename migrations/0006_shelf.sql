-- What retention asks for, and a unit, a range and a word on every column. SQLite can change neither a CHECK nor a comment, so
-- every table is built anew, as 0005 did it: the new ones with what they hold, those with references last; then the old ones go,
-- those with references first; then the new ones take their names, and with them every reference to them.
--
-- Units are in the names. A tick is 1/48000 s. A time is in milliseconds since 1970-01-01T00:00:00Z and lies in the years 0 to
-- 9999, which is what RFC 3339 can write. A 0 is no, a 1 yes. What a row says of a file is durable in that file before the row
-- says it. Where a range is narrower than it was, what an older version let in is put on its edge.

-- One row for each start of the hub with this index.
CREATE TABLE runs_commented (
    -- In the order of the starts.
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    -- When it started, by its own clock.
    started_unix_millis INTEGER NOT NULL CHECK (started_unix_millis BETWEEN -62167219200000 AND 253402300799999),
    -- Its process ID, as its log and the lock file say it.
    pid INTEGER NOT NULL CHECK (pid BETWEEN 0 AND 4294967295),
    -- The program's version.
    version TEXT NOT NULL CHECK (version <> '')
) STRICT;

INSERT INTO runs_commented
SELECT id, max(min(started_unix_millis, 253402300799999), -62167219200000), min(pid, 4294967295), version FROM runs;

CREATE TABLE recordings_commented (
    -- What the other tables call it.
    recording INTEGER PRIMARY KEY CHECK (recording >= 1),
    -- What everyone else calls it: a UUID of version 7, in small letters, with hyphens.
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
    -- The run of the hub that made it.
    run INTEGER NOT NULL REFERENCES runs_commented (id),
    -- Where it was made.
    room TEXT NOT NULL CHECK (length(room) BETWEEN 1 AND 64),
    -- Its folder, below the folder of all recordings: `<room>/<start>-<id>`.
    folder TEXT NOT NULL UNIQUE CHECK (folder <> ''),
    -- What people call it, once someone has named it.
    title TEXT CHECK (title <> ''),
    -- Whether retention leaves it alone.
    keep INTEGER NOT NULL DEFAULT 0 CHECK (keep IN (0, 1)),
    -- When the session's clock was at zero.
    started_unix_millis INTEGER NOT NULL CHECK (started_unix_millis BETWEEN -62167219200000 AND 253402300799999),
    -- When it ended. May be before its start, where someone set the clock back.
    ended_unix_millis INTEGER CHECK (ended_unix_millis BETWEEN -62167219200000 AND 253402300799999)
        CHECK ((ended_unix_millis IS NOT NULL) = (state = 'ended')),
    -- Where it is in its session's life.
    state TEXT NOT NULL CHECK (state IN ('live', 'grace', 'pending', 'ended')),
    -- Why it ended.
    end_reason TEXT CHECK (end_reason IN ('finished', 'stopped', 'crashed', 'disk_full', 'io_error'))
        CHECK ((end_reason IS NOT NULL) = (state = 'ended')),
    -- The end of its last durable sound on the session's clock.
    length_ticks INTEGER NOT NULL DEFAULT 0 CHECK (length_ticks >= 0),
    -- Durable bytes of all its parts.
    bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    -- Bytes of all files that are derived from it.
    derived_bytes INTEGER NOT NULL DEFAULT 0 CHECK (derived_bytes >= 0),
    -- Its session file may say less than this index; start-up writes it again.
    session_file_stale INTEGER NOT NULL DEFAULT 1 CHECK (session_file_stale IN (0, 1)),
    -- It is to go: its files may be gone already, and start-up finishes what was begun.
    deleting INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1)),
    -- The sum of the recipes with which all was made that is derived from it; recipes only grow, so a smaller sum is older. 0
    -- is: something is still to be made.
    derived_recipes INTEGER NOT NULL DEFAULT 0 CHECK (derived_recipes BETWEEN 0 AND 4294967295),
    -- What a search looks through: its title, room and people, folded (`src/archive/search.rs`), one to a line. NULL is not
    -- known yet: start-up fills it. Whoever changes how it is folded sets all of it to NULL.
    search TEXT CHECK (search <> '')
) STRICT;

INSERT INTO recordings_commented
SELECT recording, id, run, room, folder, title, keep, max(min(started_unix_millis, 253402300799999), -62167219200000),
    max(min(ended_unix_millis, 253402300799999), -62167219200000), state, end_reason, length_ticks, bytes,
    (SELECT coalesce(sum(derived.bytes), 0) FROM derived WHERE derived.recording = recordings.recording), session_file_stale,
    deleting, min(derived_recipes, 4294967295), nullif(search, '')
FROM recordings;

CREATE TABLE tracks_commented (
    -- Of which recording.
    recording INTEGER NOT NULL REFERENCES recordings_commented (recording) ON DELETE CASCADE,
    -- In the order of the first packets.
    track INTEGER NOT NULL CHECK (track BETWEEN 1 AND 65535),
    -- Whose it is: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    PRIMARY KEY (recording, track)
) STRICT, WITHOUT ROWID;

INSERT INTO tracks_commented SELECT recording, track, participant, name FROM tracks;

-- One file of a track.
CREATE TABLE parts_commented (
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- Its place among the track's parts.
    part INTEGER NOT NULL CHECK (part BETWEEN 1 AND 4294967295),
    -- The file's name in the recording's folder.
    file TEXT NOT NULL CHECK (file <> ''),
    -- What the file holds: Ogg Opus, or WAV.
    codec TEXT NOT NULL CHECK (codec IN ('opus', 'pcm')),
    -- What its publisher used.
    source TEXT NOT NULL CHECK (source IN ('opus', 'pcm', 'flac', 'aac', 'vorbis', 'mp3')),
    -- How many samples there are of a moment.
    channels INTEGER NOT NULL CHECK (channels BETWEEN 1 AND 2),
    -- What of Opus is thrown away at its start (RFC 7845, section 5.1).
    pre_skip_ticks INTEGER CHECK (pre_skip_ticks BETWEEN 0 AND 65535)
        CHECK ((pre_skip_ticks IS NOT NULL) = (codec = 'opus')),
    -- The rate before it was encoded; 0 is unknown.
    input_rate_hz INTEGER CHECK (input_rate_hz BETWEEN 0 AND 4294967295)
        CHECK ((input_rate_hz IS NOT NULL) = (codec = 'opus')),
    -- In 1/256 dB.
    output_gain_q8_db INTEGER CHECK (output_gain_q8_db BETWEEN -32768 AND 32767)
        CHECK ((output_gain_q8_db IS NOT NULL) = (codec = 'opus')),
    -- How a sample of PCM is written.
    sample TEXT CHECK (sample IN ('s16le', 's24le', 's32le', 'f32le'))
        CHECK ((sample IS NOT NULL) = (codec = 'pcm')),
    -- Frames of PCM in a second.
    rate_hz INTEGER CHECK (rate_hz BETWEEN 8000 AND 192000)
        CHECK ((rate_hz IS NOT NULL) = (codec = 'pcm')),
    -- Where it begins, on the track's count.
    start_track_ticks INTEGER NOT NULL CHECK (start_track_ticks >= 0),
    -- Where it begins, on the session's clock.
    start_session_ticks INTEGER NOT NULL CHECK (start_session_ticks >= 0),
    -- How long it is, packets and silence: the granule position of its last durable page, or its durable frames, counted.
    length_ticks INTEGER NOT NULL CHECK (length_ticks >= 0),
    -- Durable bytes of the file: always whole pages, or the header and whole frames.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- Durable Ogg pages.
    pages INTEGER CHECK (pages BETWEEN 0 AND 4294967295) CHECK ((pages IS NOT NULL) = (codec = 'opus')),
    -- The serial number of its Ogg stream.
    serial INTEGER CHECK (serial BETWEEN 0 AND 4294967295) CHECK ((serial IS NOT NULL) = (codec = 'opus')),
    -- The number of its first packet.
    first_sequence INTEGER NOT NULL CHECK (first_sequence >= 0),
    -- The number after its last durable packet.
    next_sequence INTEGER NOT NULL CHECK (next_sequence >= first_sequence),
    -- Whether more may come. Where a crash leaves a 1, start-up ends the part.
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    PRIMARY KEY (recording, track, part),
    UNIQUE (recording, file),
    FOREIGN KEY (recording, track) REFERENCES tracks_commented (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO parts_commented
SELECT recording, track, part, file, codec, source, channels, pre_skip_ticks, input_rate_hz, output_gain_q8_db, sample, rate_hz,
    start_track_ticks, start_session_ticks, length_ticks, bytes, pages, serial, first_sequence, next_sequence, open
FROM parts;

-- What came after a silence of more than a second, kept beside its part until it is told whether that was a stall or a pause.
CREATE TABLE spools_commented (
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- The part that it waits for.
    part INTEGER NOT NULL,
    -- The file's name in the recording's folder. It holds what its part holds.
    file TEXT NOT NULL CHECK (file <> ''),
    -- How long the silence was, should it turn out a pause.
    pause_ticks INTEGER NOT NULL CHECK (pause_ticks >= 0),
    -- Durable bytes: always whole pages, or the header and whole frames.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- The number after its last durable packet.
    next_sequence INTEGER NOT NULL CHECK (next_sequence >= 0),
    -- Whether the part holds all of it already, and the file is only still to be removed.
    settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
    -- CRC-32 of its durable samples, where it is WAV; NULL where it is Ogg, whose pages have their own, or from before this.
    crc INTEGER CHECK (crc BETWEEN 0 AND 4294967295),
    PRIMARY KEY (recording, file),
    FOREIGN KEY (recording, track, part) REFERENCES parts_commented (recording, track, part) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO spools_commented
SELECT recording, track, part, file, pause_ticks, bytes, next_sequence, settled, NULL FROM spools;

-- The sound of WAV parts, which has no checksums of its own, piece by piece: one behind the other, without a byte between.
CREATE TABLE extents_commented (
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- Of which of the track's parts.
    part INTEGER NOT NULL,
    -- Where it begins, in bytes of the file; the first behind the header.
    begin_byte INTEGER NOT NULL CHECK (begin_byte >= 44),
    -- Durable bytes, always whole frames: the last one of a part grows up to 256 KiB, then the next begins.
    bytes INTEGER NOT NULL CHECK (bytes BETWEEN 1 AND 262144),
    -- CRC-32 of them (ISO 3309, as in Ethernet, gzip and PNG).
    crc INTEGER NOT NULL CHECK (crc BETWEEN 0 AND 4294967295),
    PRIMARY KEY (recording, track, part, begin_byte),
    FOREIGN KEY (recording, track, part) REFERENCES parts_commented (recording, track, part) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO extents_commented SELECT recording, track, part, begin_byte, bytes, crc FROM extents;

-- Time in a track for which no packet exists.
CREATE TABLE gaps_commented (
    -- In the order in which they were found.
    gap INTEGER PRIMARY KEY CHECK (gap >= 1),
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- Where it begins, on the track's count.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- How long it was; the coded silence for it may be up to 119 ticks shorter or longer.
    length_ticks INTEGER NOT NULL CHECK (length_ticks >= 0),
    -- Why: the publisher left sound out, or paused, or the recorder's queue was full.
    cause TEXT NOT NULL CHECK (cause IN ('jump', 'pause', 'overload')),
    -- Whether its part holds silence for it.
    filled INTEGER NOT NULL CHECK (filled IN (0, 1)),
    FOREIGN KEY (recording, track) REFERENCES tracks_commented (recording, track) ON DELETE CASCADE
) STRICT;

INSERT INTO gaps_commented SELECT gap, recording, track, at_ticks, length_ticks, cause, filled FROM gaps;

-- Pairs of places that are the same time, beyond the starts of parts.
CREATE TABLE anchors_commented (
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- The place on the track's count.
    track_ticks INTEGER NOT NULL CHECK (track_ticks >= 0),
    -- The place on the session's clock.
    session_ticks INTEGER NOT NULL CHECK (session_ticks >= 0),
    PRIMARY KEY (recording, track, track_ticks),
    FOREIGN KEY (recording, track) REFERENCES tracks_commented (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO anchors_commented SELECT recording, track, track_ticks, session_ticks FROM anchors;

-- Encoders that started again within a part.
CREATE TABLE restarts_commented (
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- Where, on the track's count.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- Sound of the new encoder that it meant to be thrown away, and that stays.
    pre_skip_ticks INTEGER NOT NULL CHECK (pre_skip_ticks BETWEEN 0 AND 65535),
    PRIMARY KEY (recording, track, at_ticks),
    FOREIGN KEY (recording, track) REFERENCES tracks_commented (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO restarts_commented SELECT recording, track, at_ticks, pre_skip_ticks FROM restarts;

CREATE TABLE chat_commented (
    -- In the order in which they were said.
    line INTEGER PRIMARY KEY CHECK (line >= 1),
    -- In which recording.
    recording INTEGER NOT NULL REFERENCES recordings_commented (recording) ON DELETE CASCADE,
    -- When, on the session's clock.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- Who: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- What they said: no more than a message holds.
    text TEXT NOT NULL CHECK (length(text) <= 1048576)
) STRICT;

INSERT INTO chat_commented SELECT line, recording, at_ticks, participant, name, substr(text, 1, 1048576) FROM chat;

-- Who was there and might speak, whether they did or not.
CREATE TABLE attendance_commented (
    -- In the order in which they came.
    line INTEGER PRIMARY KEY CHECK (line >= 1),
    -- In which recording.
    recording INTEGER NOT NULL REFERENCES recordings_commented (recording) ON DELETE CASCADE,
    -- Who: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- When they came, on the session's clock; 0 for those who were there when the session began.
    joined_ticks INTEGER NOT NULL CHECK (joined_ticks >= 0),
    -- When they went; none for those who were there when the recording ended, or the hub fell.
    left_ticks INTEGER CHECK (left_ticks >= joined_ticks)
) STRICT;

INSERT INTO attendance_commented SELECT line, recording, participant, name, joined_ticks, left_ticks FROM attendance;

-- One derived file. It is there, whole and durable, before its row is.
CREATE TABLE derived_commented (
    -- From which recording.
    recording INTEGER NOT NULL REFERENCES recordings_commented (recording) ON DELETE CASCADE,
    -- All tracks in one WebM; one track as WebM; the peaks of a track.
    kind TEXT NOT NULL CHECK (kind IN ('session', 'track', 'waveform')),
    -- Which track; 0 for all of them.
    track INTEGER NOT NULL CHECK (track BETWEEN 0 AND 65535) CHECK ((track = 0) = (kind = 'session')),
    -- The recipe that it was made by; 0 is one that is no longer right.
    recipe INTEGER NOT NULL CHECK (recipe BETWEEN 0 AND 4294967295),
    -- How long it is.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- Whether some of the recording's sound could not be read when it was made.
    damaged INTEGER NOT NULL CHECK (damaged IN (0, 1)),
    PRIMARY KEY (recording, kind, track)
) STRICT, WITHOUT ROWID;

INSERT INTO derived_commented SELECT recording, kind, track, min(recipe, 4294967295), bytes, damaged FROM derived;

DROP TABLE derived;
DROP TABLE attendance;
DROP TABLE chat;
DROP TABLE restarts;
DROP TABLE anchors;
DROP TABLE gaps;
DROP TABLE extents;
DROP TABLE spools;
DROP TABLE parts;
DROP TABLE tracks;
DROP TABLE recordings;
DROP TABLE runs;
ALTER TABLE runs_commented RENAME TO runs;
ALTER TABLE recordings_commented RENAME TO recordings;
ALTER TABLE tracks_commented RENAME TO tracks;
ALTER TABLE parts_commented RENAME TO parts;
ALTER TABLE spools_commented RENAME TO spools;
ALTER TABLE extents_commented RENAME TO extents;
ALTER TABLE gaps_commented RENAME TO gaps;
ALTER TABLE anchors_commented RENAME TO anchors;
ALTER TABLE restarts_commented RENAME TO restarts;
ALTER TABLE chat_commented RENAME TO chat;
ALTER TABLE attendance_commented RENAME TO attendance;
ALTER TABLE derived_commented RENAME TO derived;

-- The four lists: all, of a room, in a state, and of a room in a state; each newest first, each a seek and a walk.
CREATE INDEX recordings_newest_first ON recordings (started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_newest_first ON recordings (room, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_in_state_newest_first ON recordings (state, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_in_state_newest_first ON recordings (room, state, started_unix_millis DESC, id DESC);
-- A search walks this from the newest on and reads nothing else of what it passes by, so that the whole of it costs
-- milliseconds: a text of any length and script is found anywhere in a word, which no index of words or trigrams does.
CREATE INDEX recordings_searched_newest_first
    ON recordings (started_unix_millis DESC, id DESC, room, state, deleting, search);
-- What retention walks through, all or those of a room, the oldest end first; it reads nothing else.
CREATE INDEX recordings_to_go_oldest_first ON recordings (ended_unix_millis, id, room, bytes, derived_bytes)
    WHERE state = 'ended' AND keep = 0 AND deleting = 0;
CREATE INDEX recordings_of_room_to_go_oldest_first ON recordings (room, ended_unix_millis, id, bytes, derived_bytes)
    WHERE state = 'ended' AND keep = 0 AND deleting = 0;
-- What start-up looks for.
CREATE INDEX recordings_being_deleted ON recordings (recording) WHERE deleting = 1;
CREATE INDEX recordings_with_stale_session_file ON recordings (recording) WHERE session_file_stale = 1;
CREATE INDEX recordings_without_search ON recordings (recording) WHERE search IS NULL;
CREATE INDEX parts_open ON parts (recording) WHERE open = 1;
CREATE INDEX spools_settled ON spools (recording) WHERE settled = 1;
-- What belongs to a recording and is not in its order by its key.
CREATE INDEX gaps_of_track ON gaps (recording, track, at_ticks);
CREATE INDEX chat_of_recording ON chat (recording, line);
CREATE INDEX attendance_of_recording ON attendance (recording, line);
-- Whom a leave is written to.
CREATE INDEX attendance_of_those_present ON attendance (recording, participant) WHERE left_ticks IS NULL;

-- What the recordings of a room take, those that are being deleted included. Kept by the triggers below and by nobody else.
CREATE TABLE room_storage (
    -- Whose.
    room TEXT PRIMARY KEY CHECK (length(room) BETWEEN 1 AND 64),
    -- How many recordings there are of it.
    recordings INTEGER NOT NULL CHECK (recordings >= 1),
    -- Bytes of their parts and of what is derived from them.
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX room_storage_largest_first ON room_storage (bytes DESC, room DESC, recordings);

-- What all recordings take: one row, kept by the same triggers.
CREATE TABLE storage (
    -- There is one.
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- How many recordings there are.
    recordings INTEGER NOT NULL CHECK (recordings >= 0),
    -- Bytes of their parts and of what is derived from them.
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;

INSERT INTO room_storage SELECT room, count(*), sum(bytes + derived_bytes) FROM recordings GROUP BY room;
INSERT INTO storage SELECT 1, count(*), coalesce(sum(bytes + derived_bytes), 0) FROM recordings;

CREATE TRIGGER storage_of_a_new_recording AFTER INSERT ON recordings BEGIN
    INSERT INTO room_storage VALUES (new.room, 1, new.bytes + new.derived_bytes)
        ON CONFLICT (room) DO UPDATE SET recordings = recordings + 1, bytes = bytes + excluded.bytes;
    UPDATE storage SET recordings = recordings + 1, bytes = bytes + new.bytes + new.derived_bytes;
END;

CREATE TRIGGER storage_of_a_recording_that_grew AFTER UPDATE OF bytes, derived_bytes ON recordings
    WHEN new.bytes + new.derived_bytes <> old.bytes + old.derived_bytes BEGIN
    UPDATE room_storage SET bytes = bytes + new.bytes + new.derived_bytes - old.bytes - old.derived_bytes
        WHERE room = new.room;
    UPDATE storage SET bytes = bytes + new.bytes + new.derived_bytes - old.bytes - old.derived_bytes;
END;

CREATE TRIGGER storage_of_a_recording_that_went AFTER DELETE ON recordings BEGIN
    DELETE FROM room_storage WHERE room = old.room AND recordings = 1;
    UPDATE room_storage SET recordings = recordings - 1, bytes = bytes - old.bytes - old.derived_bytes WHERE room = old.room;
    UPDATE storage SET recordings = recordings - 1, bytes = bytes - old.bytes - old.derived_bytes;
END;

-- What retention has deleted: the last thousand.
CREATE TABLE deletions (
    -- In the order in which they went.
    deletion INTEGER PRIMARY KEY CHECK (deletion >= 1),
    -- When it was marked.
    at_unix_millis INTEGER NOT NULL CHECK (at_unix_millis BETWEEN -62167219200000 AND 253402300799999),
    -- The setting that asked for it.
    reason TEXT NOT NULL CHECK (reason IN ('max_days', 'max_room_bytes', 'max_bytes', 'min_free_bytes')),
    -- The recording's ID.
    id TEXT NOT NULL CHECK (length(id) = 36),
    -- Where it was made.
    room TEXT NOT NULL CHECK (length(room) BETWEEN 1 AND 64),
    -- What people called it.
    title TEXT CHECK (title <> ''),
    -- When it had ended.
    ended_unix_millis INTEGER NOT NULL CHECK (ended_unix_millis BETWEEN -62167219200000 AND 253402300799999),
    -- Bytes of its parts and of what was derived from them.
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;
