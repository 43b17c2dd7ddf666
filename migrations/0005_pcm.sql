-- Tracks of plain samples, and what publishers used. SQLite cannot change a CHECK, so `parts` is built anew, and `spools`
-- with it: dropping `parts` would take its children along. Renaming a table renames it in those that refer to it.

CREATE TABLE parts_of_two_kinds (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    -- Its place among the track's parts.
    part INTEGER NOT NULL CHECK (part BETWEEN 1 AND 4294967295),
    -- The file's name in the recording's folder.
    file TEXT NOT NULL CHECK (file <> ''),
    -- What the file holds: Ogg Opus, or WAV.
    codec TEXT NOT NULL CHECK (codec IN ('opus', 'pcm')),
    -- What its publisher used.
    source TEXT NOT NULL CHECK (source IN ('opus', 'pcm', 'flac', 'aac', 'vorbis', 'mp3')),
    channels INTEGER NOT NULL CHECK (channels BETWEEN 1 AND 2),
    -- The rest of Opus's head (RFC 7845, section 5.1).
    pre_skip_ticks INTEGER CHECK (pre_skip_ticks BETWEEN 0 AND 65535)
        CHECK ((pre_skip_ticks IS NOT NULL) = (codec = 'opus')),
    -- The rate before it was encoded; 0 is unknown.
    input_rate_hz INTEGER CHECK (input_rate_hz BETWEEN 0 AND 4294967295)
        CHECK ((input_rate_hz IS NOT NULL) = (codec = 'opus')),
    -- In 1/256 dB.
    output_gain_q8_db INTEGER CHECK (output_gain_q8_db BETWEEN -32768 AND 32767)
        CHECK ((output_gain_q8_db IS NOT NULL) = (codec = 'opus')),
    -- The rest of PCM's head: how a sample is written, and frames in a second.
    sample TEXT CHECK (sample IN ('s16le', 's24le', 's32le', 'f32le'))
        CHECK ((sample IS NOT NULL) = (codec = 'pcm')),
    rate_hz INTEGER CHECK (rate_hz BETWEEN 8000 AND 192000)
        CHECK ((rate_hz IS NOT NULL) = (codec = 'pcm')),
    -- Where it begins, on the track's count and on the session's clock.
    start_track_ticks INTEGER NOT NULL CHECK (start_track_ticks >= 0),
    start_session_ticks INTEGER NOT NULL CHECK (start_session_ticks >= 0),
    -- How long it is, packets and silence: the granule position of its last durable page, or its durable frames, counted.
    length_ticks INTEGER NOT NULL CHECK (length_ticks >= 0),
    -- Durable bytes of the file: always whole pages, or the header and whole frames.
    bytes INTEGER NOT NULL CHECK (bytes >= 0),
    -- Durable Ogg pages.
    pages INTEGER CHECK (pages BETWEEN 0 AND 4294967295) CHECK ((pages IS NOT NULL) = (codec = 'opus')),
    -- The serial number of its Ogg stream.
    serial INTEGER CHECK (serial BETWEEN 0 AND 4294967295) CHECK ((serial IS NOT NULL) = (codec = 'opus')),
    -- The number of its first packet, and the number after its last durable one.
    first_sequence INTEGER NOT NULL CHECK (first_sequence >= 0),
    next_sequence INTEGER NOT NULL CHECK (next_sequence >= first_sequence),
    -- Whether more may come. Where a crash leaves a 1, start-up ends the part.
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    PRIMARY KEY (recording, track, part),
    UNIQUE (recording, file),
    FOREIGN KEY (recording, track) REFERENCES tracks (recording, track) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO parts_of_two_kinds
SELECT recording, track, part, file, codec, 'opus', channels, pre_skip_ticks, input_rate_hz, output_gain_q8_db, NULL, NULL,
    start_track_ticks, start_session_ticks, length_ticks, bytes, pages, serial, first_sequence, next_sequence, open
FROM parts;

CREATE TABLE spools_of_two_kinds (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
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
    PRIMARY KEY (recording, file),
    FOREIGN KEY (recording, track, part) REFERENCES parts_of_two_kinds (recording, track, part) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO spools_of_two_kinds
SELECT recording, track, part, file, pause_ticks, bytes, next_sequence, settled FROM spools;

DROP TABLE spools;
DROP TABLE parts;
ALTER TABLE parts_of_two_kinds RENAME TO parts;
ALTER TABLE spools_of_two_kinds RENAME TO spools;

-- What start-up looks for.
CREATE INDEX parts_open ON parts (recording) WHERE open = 1;

-- The sound of WAV parts, which has no checksums of its own, piece by piece: one behind the other, without a byte between.
CREATE TABLE extents (
    recording INTEGER NOT NULL,
    track INTEGER NOT NULL,
    part INTEGER NOT NULL,
    -- Where it begins, in bytes of the file; the first behind the header.
    begin_byte INTEGER NOT NULL CHECK (begin_byte >= 44),
    -- Durable bytes, always whole frames: the last one of a part grows up to 256 KiB, then the next begins.
    bytes INTEGER NOT NULL CHECK (bytes BETWEEN 1 AND 262144),
    -- CRC-32 of them (ISO 3309, as in Ethernet, gzip and PNG).
    crc INTEGER NOT NULL CHECK (crc BETWEEN 0 AND 4294967295),
    PRIMARY KEY (recording, track, part, begin_byte),
    FOREIGN KEY (recording, track, part) REFERENCES parts (recording, track, part) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
