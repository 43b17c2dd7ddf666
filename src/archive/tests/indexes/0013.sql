-- An index of version 13, as a hub could leave it that was killed: a recording with all that there is of one, one that is live
-- with two spools, one that a crash ended, and one whose deletion was begun. Made once, and never changed again.
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'recordings','2026-11-22 16:31:13',1,X'2062D299CC7A2F448B288D92B9E1457B8F42D7E54D8F043D146EAC156785528D6D3C29AE2CE5261D90998516725768AA',1000);
INSERT INTO "_sqlx_migrations" VALUES(2,'attendance','2026-11-22 16:31:13',1,X'DB43B476440751D0AF2C11A1BB7F0036E501C3E0678619CA8E8B55A9B1E29B48F27766108A923D8E70632ACE81FF2538',1000);
INSERT INTO "_sqlx_migrations" VALUES(3,'derived','2026-11-22 16:31:13',1,X'6B6E46FBD76BB40E8A1299E0698BE8604CE1709B802F06172B86C68712FDAF92A7F79402A5DBD0D42D17F70919736A9E',1000);
INSERT INTO "_sqlx_migrations" VALUES(4,'search','2026-11-22 16:31:13',1,X'E8E46FDB7194F5EC3BD7D004B72FD8FC8C3DC1980B06E9FD3F609A1DC4729E33A4EA5A321101CDD3AAD1980E724294BC',1000);
INSERT INTO "_sqlx_migrations" VALUES(5,'pcm','2026-11-22 16:31:13',1,X'98F1431575D07C8BB644CD5636DB6ED3203B9207C9810AB1F89A3D6CDECF156FBD8722BF1E48E51B485019C409AB31DD',1000);
INSERT INTO "_sqlx_migrations" VALUES(6,'shelf','2026-11-22 16:31:13',1,X'F42C0E83F00D7E937C849FB3DD9F72DE220D81138D5CF2E81CDD2E5FD719CC28D67D0B37CD624D1355F0859FB9319D42',1000);
INSERT INTO "_sqlx_migrations" VALUES(7,'mix','2026-11-22 21:23:20',1,X'92804C2F3EC9F58BA082F2EC82C84E6EF8B788E75426B26E24797F329DB456E0653E3D60E49778E04BCE1674422FA124',0);
INSERT INTO "_sqlx_migrations" VALUES(11,'peaks','2026-11-30 16:30:00',1,X'F8A64D64D6F1FD7DA98F3A903C1472494D5D547E6DEA19E278C9AFF2FFF19142AB8EA9012A6CD07C06058B8148AEFE66',0);
INSERT INTO "_sqlx_migrations" VALUES(12,'markers','2026-11-30 17:25:00',1,X'58F3B1B91E16670835D6EE2F8D8E502080972EC604ED6EF7911543C38ADED14696997B1404C504600CE91CDB13EF5D0E',0);
INSERT INTO "_sqlx_migrations" VALUES(13,'derive','2026-11-30 17:25:13',1,X'01EBB013B4E5C520154E92BE58B3D29E0395F813F7AC976D2676F52DA4DA7165B4C84E039931738A82F607A4EA6BBBBB',0);
CREATE TABLE "anchors" (
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- The place on the track's count.
    track_ticks INTEGER NOT NULL CHECK (track_ticks >= 0),
    -- The place on the session's clock.
    session_ticks INTEGER NOT NULL CHECK (session_ticks >= 0),
    PRIMARY KEY (recording, track, track_ticks),
    FOREIGN KEY (recording, track) REFERENCES "tracks" (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO "anchors" VALUES(1,1,2400,2881);
INSERT INTO "anchors" VALUES(1,1,7200,7684);
CREATE TABLE "attendance" (
    -- In the order in which they came.
    line INTEGER PRIMARY KEY CHECK (line >= 1),
    -- In which recording.
    recording INTEGER NOT NULL REFERENCES "recordings" (recording) ON DELETE CASCADE,
    -- Who: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- When they came, on the session's clock; 0 for those who were there when the session began.
    joined_ticks INTEGER NOT NULL CHECK (joined_ticks >= 0),
    -- When they went; none for those who were there when the recording ended, or the hub fell.
    left_ticks INTEGER CHECK (left_ticks >= joined_ticks)
) STRICT;
INSERT INTO "attendance" VALUES(1,1,'00000000-0000-0000-0000-000000000001','Ann',0,4560000);
INSERT INTO "attendance" VALUES(2,1,'00000000-0000-0000-0000-000000000009','Eve',100,NULL);
INSERT INTO "attendance" VALUES(3,2,'00000000-0000-0000-0000-000000000002','Ben',0,NULL);
CREATE TABLE "chat" (
    -- In the order in which they were said.
    line INTEGER PRIMARY KEY CHECK (line >= 1),
    -- In which recording.
    recording INTEGER NOT NULL REFERENCES "recordings" (recording) ON DELETE CASCADE,
    -- When, on the session's clock.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- Who: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- What they said: no more than a message holds.
    text TEXT NOT NULL CHECK (length(text) <= 1048576)
) STRICT;
INSERT INTO "chat" VALUES(1,1,500,'00000000-0000-0000-0000-000000000001','Ann','Good morning, 名前');
INSERT INTO "chat" VALUES(2,2,0,'00000000-0000-0000-0000-000000000002','Ben','hello');
INSERT INTO "chat" VALUES(3,1,900,'00000000-0000-0000-0000-000000000002','Zoë','it''s late; "really"');
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
INSERT INTO "deletions" VALUES(1,1795339680000,'max_days','01a20295-7900-7009-8009-000000000009','studio','Gone',1795253280000,99);
CREATE TABLE "derived" (
    -- From which recording.
    recording INTEGER NOT NULL REFERENCES recordings (recording) ON DELETE CASCADE,
    -- The file's name in `<recording>/derived/`, which says what it is.
    file TEXT NOT NULL CHECK (file <> ''),
    -- The recipe that it was made by; 0 is one that is no longer right.
    recipe INTEGER NOT NULL CHECK (recipe BETWEEN 0 AND 4294967295),
    -- How long it is.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- CRC-32 of it (ISO 3309): made again it is the same. Not known of those from before.
    crc INTEGER CHECK (crc BETWEEN 0 AND 4294967295),
    -- Whether some of the recording's sound could not be read when it was made.
    damaged INTEGER NOT NULL CHECK (damaged IN (0, 1)),
    -- Whether it was made because someone asked for it, and goes when others need its place.
    asked INTEGER NOT NULL CHECK (asked IN (0, 1)),
    PRIMARY KEY (recording, file)
) STRICT, WITHOUT ROWID;
INSERT INTO "derived" VALUES(1,'session.webm',3,7000,NULL,0,0);
INSERT INTO "derived" VALUES(1,'track-1.webm',2,1000,NULL,0,0);
CREATE TABLE "extents" (
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
    FOREIGN KEY (recording, track, part) REFERENCES "parts" (recording, track, part) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO "extents" VALUES(1,3,1,44,300,4294967295);
INSERT INTO "extents" VALUES(1,3,1,344,138,7);
CREATE TABLE "gaps" (
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
    FOREIGN KEY (recording, track) REFERENCES "tracks" (recording, track) ON DELETE CASCADE
) STRICT;
INSERT INTO "gaps" VALUES(1,1,1,4800,4807,'jump',1);
INSERT INTO "gaps" VALUES(2,1,1,9600,4320000,'pause',0);
INSERT INTO "gaps" VALUES(5,1,2,2400,1200,'overload',1);
CREATE TABLE "parts" (
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
    FOREIGN KEY (recording, track) REFERENCES "tracks" (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO "parts" VALUES(1,1,1,'01-ann.ogg','opus','opus',1,312,48000,0,NULL,NULL,0,480,9600,482,4,4000000001,0,5,0);
INSERT INTO "parts" VALUES(1,1,2,'01-ann.2.ogg','opus','opus',1,312,48000,0,NULL,NULL,4329600,4330080,4800,482,4,4000000002,5,10,0);
INSERT INTO "parts" VALUES(1,2,1,'02-zo.ogg','opus','opus',1,312,48000,0,NULL,NULL,0,960,4800,482,4,4000000001,0,5,0);
INSERT INTO "parts" VALUES(1,3,1,'03-ann.wav','pcm','flac',2,NULL,NULL,NULL,'s24le',44100,0,1440,4800,482,NULL,NULL,0,5,0);
INSERT INTO "parts" VALUES(2,1,1,'01-ann.ogg','opus','opus',1,312,48000,0,NULL,NULL,0,0,4800,482,3,4000000001,0,3,1);
INSERT INTO "parts" VALUES(2,2,1,'02-ben.ogg','opus','opus',1,312,48000,0,NULL,NULL,0,480,4800,482,3,4000000001,0,3,1);
INSERT INTO "parts" VALUES(3,1,1,'01-ann.ogg','opus','opus',1,312,48000,0,NULL,NULL,0,0,4800,482,4,4000000001,0,5,0);
INSERT INTO "parts" VALUES(4,1,1,'01-ann.ogg','opus','opus',1,312,48000,0,NULL,NULL,0,0,4800,482,4,4000000001,0,5,0);
CREATE TABLE "recordings" (
    -- What the other tables call it.
    recording INTEGER PRIMARY KEY CHECK (recording >= 1),
    -- What everyone else calls it: a UUID of version 7, in small letters, with hyphens.
    id TEXT NOT NULL UNIQUE CHECK (length(id) = 36),
    -- The run of the hub that made it.
    run INTEGER NOT NULL REFERENCES "runs" (id),
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
INSERT INTO "recordings" VALUES(1,'01a20295-7900-7001-8001-000000000001',1,'studio','studio/20261122T092801Z-01a20295-7900-7001-8001-000000000001','The first, Früh',1,1795339681000,1795339776000,'ended','finished',4560000,1928,8000,0,0,5,'the first, fruh
studio
ann
zoe');
INSERT INTO "recordings" VALUES(2,'01a20295-7900-7002-8002-000000000002',1,'studio','studio/20261122T092802Z-01a20295-7900-7002-8002-000000000002',NULL,0,1795339682000,NULL,'live',NULL,96480,964,0,1,0,0,NULL);
INSERT INTO "recordings" VALUES(3,'01a20295-7900-7003-8003-000000000003',1,'newsroom','newsroom/20261122T092803Z-01a20295-7900-7003-8003-000000000003',NULL,0,1795339683000,1795339683100,'ended','crashed',4800,482,0,0,0,0,NULL);
INSERT INTO "recordings" VALUES(4,'01a20295-7900-7004-8004-000000000004',1,'newsroom','newsroom/20261122T092804Z-01a20295-7900-7004-8004-000000000004',NULL,0,1795339684000,1795339684100,'ended','disk_full',4800,482,0,0,1,0,NULL);
CREATE TABLE "restarts" (
    -- Of which recording.
    recording INTEGER NOT NULL,
    -- Of which of its tracks.
    track INTEGER NOT NULL,
    -- Where, on the track's count.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- Sound of the new encoder that it meant to be thrown away, and that stays.
    pre_skip_ticks INTEGER NOT NULL CHECK (pre_skip_ticks BETWEEN 0 AND 65535),
    PRIMARY KEY (recording, track, at_ticks),
    FOREIGN KEY (recording, track) REFERENCES "tracks" (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO "restarts" VALUES(1,2,1920,312);
CREATE TABLE room_storage (
    -- Whose.
    room TEXT PRIMARY KEY CHECK (length(room) BETWEEN 1 AND 64),
    -- How many recordings there are of it.
    recordings INTEGER NOT NULL CHECK (recordings >= 1),
    -- Bytes of their parts and of what is derived from them.
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO "room_storage" VALUES('studio',2,10892);
INSERT INTO "room_storage" VALUES('newsroom',2,964);
CREATE TABLE "runs" (
    -- In the order of the starts.
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    -- When it started, by its own clock.
    started_unix_millis INTEGER NOT NULL CHECK (started_unix_millis BETWEEN -62167219200000 AND 253402300799999),
    -- Its process ID, as its log and the lock file say it.
    pid INTEGER NOT NULL CHECK (pid BETWEEN 0 AND 4294967295),
    -- The program's version.
    version TEXT NOT NULL CHECK (version <> '')
) STRICT;
INSERT INTO "runs" VALUES(1,1795339679000,4711,'0.1.0');
CREATE TABLE "spools" (
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
    FOREIGN KEY (recording, track, part) REFERENCES "parts" (recording, track, part) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO "spools" VALUES(2,1,1,'01-ann.late',72000,402,6,0,NULL);
INSERT INTO "spools" VALUES(2,2,1,'02-ben.late',81600,492,7,1,NULL);
CREATE TABLE storage (
    -- There is one.
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- How many recordings there are.
    recordings INTEGER NOT NULL CHECK (recordings >= 0),
    -- Bytes of their parts and of what is derived from them.
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;
INSERT INTO "storage" VALUES(1,4,11856);
CREATE TABLE "tracks" (
    -- Of which recording.
    recording INTEGER NOT NULL REFERENCES "recordings" (recording) ON DELETE CASCADE,
    -- In the order of the first packets.
    track INTEGER NOT NULL CHECK (track BETWEEN 1 AND 65535),
    -- Whose it is: the UUID of one connection.
    participant TEXT NOT NULL CHECK (length(participant) = 36),
    -- What they called themselves.
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    PRIMARY KEY (recording, track)
) STRICT, WITHOUT ROWID;
INSERT INTO "tracks" VALUES(1,1,'00000000-0000-0000-0000-000000000001','Ann');
INSERT INTO "tracks" VALUES(1,2,'00000000-0000-0000-0000-000000000002','Zoë');
INSERT INTO "tracks" VALUES(1,3,'00000000-0000-0000-0000-000000000003','Ann');
INSERT INTO "tracks" VALUES(2,1,'00000000-0000-0000-0000-000000000001','Ann');
INSERT INTO "tracks" VALUES(2,2,'00000000-0000-0000-0000-000000000002','Ben');
INSERT INTO "tracks" VALUES(3,1,'00000000-0000-0000-0000-000000000001','Ann');
INSERT INTO "tracks" VALUES(4,1,'00000000-0000-0000-0000-000000000001','Ann');
CREATE INDEX recordings_newest_first ON recordings (started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_newest_first ON recordings (room, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_in_state_newest_first ON recordings (state, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_of_room_in_state_newest_first ON recordings (room, state, started_unix_millis DESC, id DESC);
CREATE INDEX recordings_searched_newest_first
    ON recordings (started_unix_millis DESC, id DESC, room, state, deleting, search);
CREATE INDEX recordings_to_go_oldest_first ON recordings (ended_unix_millis, id, room, bytes, derived_bytes)
    WHERE state = 'ended' AND keep = 0 AND deleting = 0;
CREATE INDEX recordings_of_room_to_go_oldest_first ON recordings (room, ended_unix_millis, id, bytes, derived_bytes)
    WHERE state = 'ended' AND keep = 0 AND deleting = 0;
CREATE INDEX recordings_being_deleted ON recordings (recording) WHERE deleting = 1;
CREATE INDEX recordings_with_stale_session_file ON recordings (recording) WHERE session_file_stale = 1;
CREATE INDEX recordings_without_search ON recordings (recording) WHERE search IS NULL;
CREATE INDEX parts_open ON parts (recording) WHERE open = 1;
CREATE INDEX spools_settled ON spools (recording) WHERE settled = 1;
CREATE INDEX gaps_of_track ON gaps (recording, track, at_ticks);
CREATE INDEX chat_of_recording ON chat (recording, line);
CREATE INDEX attendance_of_recording ON attendance (recording, line);
CREATE INDEX attendance_of_those_present ON attendance (recording, participant) WHERE left_ticks IS NULL;
CREATE INDEX room_storage_largest_first ON room_storage (bytes DESC, room DESC, recordings);
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
CREATE INDEX derived_asked ON derived (recording) WHERE asked = 1;
CREATE TABLE markers (
    -- In which recording.
    recording INTEGER NOT NULL REFERENCES recordings (recording) ON DELETE CASCADE,
    -- Where, on the session's clock. May lie past the end of the sound: in a session that was still on.
    at_ticks INTEGER NOT NULL CHECK (at_ticks >= 0),
    -- What everyone calls it: a UUID, in small letters, with hyphens.
    id TEXT NOT NULL CHECK (length(id) = 36),
    -- What those who set it called themselves; NULL where nobody said.
    name TEXT CHECK (length(name) BETWEEN 1 AND 64),
    -- What is written on it; often nothing.
    text TEXT NOT NULL CHECK (length(text) <= 200),
    PRIMARY KEY (recording, at_ticks, id)
) STRICT, WITHOUT ROWID;
INSERT INTO "markers" VALUES(1,4800,'07070707-0707-4707-8707-070707070707','Ann','It''s the news, 名前');
INSERT INTO "markers" VALUES(1,0,'09090909-0909-4909-8909-090909090909',NULL,'');
CREATE TABLE published (
    -- Which.
    recording INTEGER PRIMARY KEY REFERENCES recordings (recording) ON DELETE CASCADE,
    -- When.
    published_unix_millis INTEGER NOT NULL
        CHECK (published_unix_millis BETWEEN -62167219200000 AND 253402300799999)
) STRICT;
INSERT INTO "published" VALUES(1,1795339800000);
CREATE INDEX published_newest_first ON published (published_unix_millis DESC, recording DESC);
CREATE INDEX recordings_to_derive ON recordings (derived_recipes, recording) WHERE state = 'ended' AND deleting = 0;
COMMIT;
