-- The index: what is in `recordings/`, kept by one process.
--
-- Units are in the names. A tick is 1/48000 s. A time is in milliseconds since 1970-01-01T00:00:00Z. A 0 is no, a 1 yes.
-- What a row says of a file is durable in that file before the row says it.

-- One row for each start of the hub with this index.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    -- When it started, by its own clock.
    started_unix_millis INTEGER NOT NULL,
    -- Its process ID, as its log and the lock file say it.
    pid INTEGER NOT NULL CHECK (pid >= 0),
    -- The program's version.
    version TEXT NOT NULL CHECK (version <> '')
) STRICT;

CREATE TABLE recordings (
    -- What the other tables call it.
    recording INTEGER PRIMARY KEY,
    -- What everyone else calls it: a UUID of version 7, in small letters, with hyphens.
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
    -- The run of the hub that made it.
    run INTEGER NOT NULL REFERENCES runs (id),
    room TEXT NOT NULL CHECK (length(room) BETWEEN 1 AND 64),
    -- Its folder, below the folder of all recordings: `<room>/<start>-<id>`.
    folder TEXT NOT NULL UNIQUE CHECK (folder <> ''),
    -- What people call it, once someone has named it.
    title TEXT CHECK (title <> ''),
    -- Whether retention leaves it alone.
    keep INTEGER NOT NULL DEFAULT 0 CHECK (keep IN (0, 1)),
    -- When the session's clock was at zero.
    started_unix_millis INTEGER NOT NULL,
    -- When it ended. May be before its start, where someone set the clock back.
    ended_unix_millis INTEGER CHECK ((ended_unix_millis IS NOT NULL) = (state = 'ended')),
    state TEXT NOT NULL CHECK (state IN ('live', 'grace', 'pending', 'ended')),
    end_reason TEXT CHECK (end_reason IN ('finished', 'stopped', 'crashed', 'disk_full', 'io_error'))
        CHECK ((end_reason IS NOT NULL) = (state = 'ended')),
    -- The end of its last durable sound on the session's clock.
    length_ticks INTEGER NOT NULL DEFAULT 0 CHECK (length_ticks >= 0),
    -- Durable bytes of all its parts.
    bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    -- Its session file may say less than this index; start-up writes it again.
    session_file_stale INTEGER NOT NULL DEFAULT 1 CHECK (session_file_stale IN (0, 1)),
    -- Someone deleted it: its files may be gone already, and start-up finishes what was begun.
    deleting INTEGER NOT NULL DEFAULT 0 CHECK (deleting IN (0, 1))
) STRICT;

-- The four lists: all, of a room, in a state, and of a room in a state; each newest first, each a seek and a walk.
CREATE INDEX recordings_newest_first ON recordings (started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_newest_first ON recordings (room, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_in_state_newest_first ON recordings (state, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_in_state_newest_first ON recordings (room, state, started_unix_millis DESC, id DESC);
-- What start-up looks for.
CREATE INDEX recordings_being_deleted ON recordings (recording) WHERE deleting = 1;
CREATE INDEX recordings_with_stale_session_file ON recordings (recording) WHERE session_file_stale = 1;

CREATE TABLE tracks (
    recording INTEGER NOT NULL REFERENCES recordings (recording) ON DELETE CASCADE,
    -- In the order of the first packets.
    track INTEGER NOT NULL CHECK (track BETWEEN 1 AND 65535),
    -- Whose it is: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    PRIMARY KEY (recording, track)
) STRICT, WITHOUT ROWID;

-- One file of a track.
CREATE TABLE parts (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    -- Its place among the track's parts.
    part INTEGER NOT NULL CHECK (part BETWEEN 1 AND 4294967295),
    -- The file's name in the recording's folder.
    file TEXT NOT NULL CHECK (file <> ''),
    codec TEXT NOT NULL CHECK (codec IN ('opus')),
    -- The head of the stream (RFC 7845, section 5.1).
    channels INTEGER NOT NULL CHECK (channels BETWEEN 1 AND 2),
    pre_skip_ticks INTEGER NOT NULL CHECK (pre_skip_ticks BETWEEN 0 AND 65535),
    -- The rate before it was encoded; 0 is unknown.
    input_rate_hz INTEGER NOT NULL CHECK (input_rate_hz BETWEEN 0 AND 4294967295),
    -- In 1/256 dB.
    output_gain_q8_db INTEGER NOT NULL CHECK (output_gain_q8_db BETWEEN -32768 AND 32767),
    -- Where it begins, on the track's count and on the session's clock.
    start_track_ticks INTEGER NOT NULL CHECK (start_track_ticks >= 0),
    start_session_ticks INTEGER NOT NULL CHECK (start_session_ticks >= 0),
    -- How long it is, packets and coded silence; the granule position of its last durable page.
    length_ticks INTEGER NOT NULL CHECK (length_ticks >= 0),
    -- Durable bytes, always whole pages.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- Durable Ogg pages.
    pages INTEGER NOT NULL CHECK (pages BETWEEN 0 AND 4294967295),
    -- The serial number of its Ogg stream.
    serial INTEGER NOT NULL CHECK (serial BETWEEN 0 AND 4294967295),
    -- The number of its first packet, and the number after its last durable one.
    first_sequence INTEGER NOT NULL CHECK (first_sequence >= 0),
    next_sequence INTEGER NOT NULL CHECK (next_sequence >= first_sequence),
    -- Whether its last page is still to come. Where a crash leaves a 1, start-up ends the part.
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    PRIMARY KEY (recording, track, part),
    UNIQUE (recording, file),
    FOREIGN KEY (recording, track) REFERENCES tracks (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What start-up looks for.
CREATE INDEX parts_open ON parts (recording) WHERE open = 1;

-- What came after a silence of more than a second, kept beside its part until it is told whether that was a stall or a pause.
CREATE TABLE spools (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    part INTEGER NOT NULL,
    -- The file's name in the recording's folder.
    file TEXT NOT NULL CHECK (file <> ''),
    -- How long the silence was, should it turn out a pause.
    pause_ticks INTEGER NOT NULL CHECK (pause_ticks >= 0),
    -- Durable bytes, always whole pages.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- The number after its last durable packet.
    next_sequence INTEGER NOT NULL CHECK (next_sequence >= 0),
    -- Whether the part holds all of it already, and the file is only still to be removed.
    settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
    PRIMARY KEY (recording, file),
    FOREIGN KEY (recording, track, part) REFERENCES parts (recording, track, part) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Time in a track for which no packet exists.
CREATE TABLE gaps (
    gap INTEGER PRIMARY KEY,
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    -- Where it begins, on the track's count.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- How long it was; the coded silence for it may be up to 119 ticks shorter or longer.
    length_ticks INTEGER NOT NULL CHECK (length_ticks >= 0),
    cause TEXT NOT NULL CHECK (cause IN ('jump', 'pause', 'overload')),
    -- Whether its part holds coded silence for it.
    filled INTEGER NOT NULL CHECK (filled IN (0, 1)),
    FOREIGN KEY (recording, track) REFERENCES tracks (recording, track) ON DELETE CASCADE
) STRICT;

CREATE INDEX gaps_of_track ON gaps (recording, track, at_ticks);

-- Pairs of places that are the same time, beyond the starts of parts.
CREATE TABLE anchors (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    track_ticks INTEGER NOT NULL CHECK (track_ticks >= 0),
    session_ticks INTEGER NOT NULL CHECK (session_ticks >= 0),
    PRIMARY KEY (recording, track, track_ticks),
    FOREIGN KEY (recording, track) REFERENCES tracks (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Encoders that started again within a part.
CREATE TABLE restarts (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    -- Where, on the track's count.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- Sound of the new encoder that it meant to be thrown away, and that stays.
    pre_skip_ticks INTEGER NOT NULL CHECK (pre_skip_ticks BETWEEN 0 AND 65535),
    PRIMARY KEY (recording, track, at_ticks),
    FOREIGN KEY (recording, track) REFERENCES tracks (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE chat (
    -- In the order in which they were said.
    line INTEGER PRIMARY KEY,
    recording INTEGER NOT NULL REFERENCES recordings (recording) ON DELETE CASCADE,
    -- When, on the session's clock.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- Who: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- What they said.
    text TEXT NOT NULL
) STRICT;

CREATE INDEX chat_of_recording ON chat (recording, line);
