-- An index of version 4, as a hub left it that was killed: a recording that has ended, and one with two spools.
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'recordings','2026-11-22 16:31:13',1,X'2062D299CC7A2F448B288D92B9E1457B8F42D7E54D8F043D146EAC156785528D6D3C29AE2CE5261D90998516725768AA',8958004);
INSERT INTO "_sqlx_migrations" VALUES(2,'attendance','2026-11-22 16:31:13',1,X'DB43B476440751D0AF2C11A1BB7F0036E501C3E0678619CA8E8B55A9B1E29B48F27766108A923D8E70632ACE81FF2538',189274);
INSERT INTO "_sqlx_migrations" VALUES(3,'derived','2026-11-22 16:31:13',1,X'6B6E46FBD76BB40E8A1299E0698BE8604CE1709B802F06172B86C68712FDAF92A7F79402A5DBD0D42D17F70919736A9E',472590);
INSERT INTO "_sqlx_migrations" VALUES(4,'search','2026-11-22 16:31:13',1,X'E8E46FDB7194F5EC3BD7D004B72FD8FC8C3DC1980B06E9FD3F609A1DC4729E33A4EA5A321101CDD3AAD1980E724294BC',3001304);
CREATE TABLE anchors (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    track_ticks INTEGER NOT NULL CHECK (track_ticks >= 0),
    session_ticks INTEGER NOT NULL CHECK (session_ticks >= 0),
    PRIMARY KEY (recording, track, track_ticks),
    FOREIGN KEY (recording, track) REFERENCES tracks (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TABLE attendance (
    -- In the order in which they came.
    line INTEGER PRIMARY KEY,
    recording INTEGER NOT NULL REFERENCES recordings (recording) ON DELETE CASCADE,
    -- Who: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- When they came, on the session's clock; 0 for those who were there when the session began.
    joined_ticks INTEGER NOT NULL CHECK (joined_ticks >= 0),
    -- When they went; none for those who were there when the recording ended, or the hub fell.
    left_ticks INTEGER CHECK (left_ticks >= joined_ticks)
) STRICT;
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
CREATE TABLE derived (
    recording INTEGER NOT NULL REFERENCES recordings (recording) ON DELETE CASCADE,
    -- All tracks in one WebM; one track as WebM; the peaks of a track.
    kind TEXT NOT NULL CHECK (kind IN ('session', 'track', 'waveform')),
    -- Which track; 0 for all of them.
    track INTEGER NOT NULL CHECK (track BETWEEN 0 AND 65535) CHECK ((track = 0) = (kind = 'session')),
    -- The recipe that it was made by; 0 is one that is no longer right.
    recipe INTEGER NOT NULL CHECK (recipe >= 0),
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- Whether some of the recording's sound could not be read when it was made.
    damaged INTEGER NOT NULL CHECK (damaged IN (0, 1)),
    PRIMARY KEY (recording, kind, track)
) STRICT, WITHOUT ROWID;
INSERT INTO "derived" VALUES(1,'session',0,1,4321,0);
INSERT INTO "derived" VALUES(1,'track',1,1,1234,1);
INSERT INTO "derived" VALUES(1,'waveform',1,0,99,0);
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
INSERT INTO "gaps" VALUES(1,1,1,4800,4807,'jump',1);
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
INSERT INTO "parts" VALUES(1,1,1,'01-ann.ogg','opus',1,312,48000,0,0,0,9600,709,4,16777472,0,5,0);
INSERT INTO "parts" VALUES(1,1,2,'01-ann.2.ogg','opus',1,312,48000,0,4320000,4320480,3840,599,4,16777475,5,9,0);
INSERT INTO "parts" VALUES(2,1,1,'01-ann.ogg','opus',1,312,48000,0,0,0,2880,482,3,33751555,0,3,1);
INSERT INTO "parts" VALUES(2,2,1,'02-ben.ogg','opus',1,312,48000,0,0,0,2880,482,3,33554947,0,3,1);
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
, derived_recipes INTEGER NOT NULL DEFAULT 0 CHECK (derived_recipes >= 0), search TEXT) STRICT;
INSERT INTO "recordings" VALUES(1,'01a20295-7900-7101-8101-010101010101',1,'studio','studio/20261122T092800Z-01a20295-7900-7101-8101-010101010101',NULL,0,1795339680000,1795339771000,'ended','finished',4324320,1308,0,0,0,'studio
ann');
INSERT INTO "recordings" VALUES(2,'01a20295-7900-7202-8202-020202020202',1,'studio','studio/20261122T092800Z-01a20295-7900-7202-8202-020202020202',NULL,0,1795339680000,NULL,'live',NULL,2880,964,0,0,0,'studio
ann
ben');
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
CREATE TABLE runs (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    -- When it started, by its own clock.
    started_unix_millis INTEGER NOT NULL,
    -- Its process ID, as its log and the lock file say it.
    pid INTEGER NOT NULL CHECK (pid >= 0),
    -- The program's version.
    version TEXT NOT NULL CHECK (version <> '')
) STRICT;
INSERT INTO "runs" VALUES(1,1795339680000,29234,'0.1.0');
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
INSERT INTO "spools" VALUES(2,1,1,'01-ann.late',72000,402,6,0);
INSERT INTO "spools" VALUES(2,2,1,'02-ben.late',81600,492,7,0);
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
INSERT INTO "tracks" VALUES(1,1,'00000000-0000-0000-0000-000000000001','Ann');
INSERT INTO "tracks" VALUES(2,1,'00000000-0000-0000-0000-000000000001','Ann');
INSERT INTO "tracks" VALUES(2,2,'00000000-0000-0000-0000-000000000002','Ben');
CREATE INDEX recordings_newest_first ON recordings (started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_newest_first ON recordings (room, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_in_state_newest_first ON recordings (state, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_in_state_newest_first ON recordings (room, state, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_being_deleted ON recordings (recording) WHERE deleting = 1;
CREATE INDEX recordings_with_stale_session_file ON recordings (recording) WHERE session_file_stale = 1;
CREATE INDEX parts_open ON parts (recording) WHERE open = 1;
CREATE INDEX gaps_of_track ON gaps (recording, track, at_ticks);
CREATE INDEX chat_of_recording ON chat (recording, line);
CREATE INDEX attendance_of_recording ON attendance (recording, line);
CREATE INDEX attendance_of_those_present ON attendance (recording, participant) WHERE left_ticks IS NULL;
CREATE INDEX recordings_searched_newest_first
    ON recordings (started_unix_millis DESC, id DESC, room, state, deleting, search);
CREATE INDEX recordings_without_search ON recordings (recording) WHERE search IS NULL;
COMMIT;
