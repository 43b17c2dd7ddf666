-- Places in recordings that people want to find again, and which recordings the world may hear.
--
-- Units are in the names, as in 0006. A time lies in the years 0 to 9999.

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

-- A row for each recording that someone published; without one it is in no feed.
CREATE TABLE published (
    -- Which.
    recording INTEGER PRIMARY KEY REFERENCES recordings (recording) ON DELETE CASCADE,
    -- When.
    published_unix_millis INTEGER NOT NULL
        CHECK (published_unix_millis BETWEEN -62167219200000 AND 253402300799999)
) STRICT;

-- A feed walks this from the newest on, through those of all rooms: few are published, of all that there are.
CREATE INDEX published_newest_first ON published (published_unix_millis DESC, recording DESC);
