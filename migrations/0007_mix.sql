-- Mixes, and tracks in another form than theirs. A derived file is known by its name from now on, so that no CHECK has to be
-- changed for the next kind; SQLite cannot, so the table is built anew.

CREATE TABLE derived_by_name (
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

INSERT INTO derived_by_name
SELECT recording,
    CASE kind
        WHEN 'session' THEN 'session.webm'
        WHEN 'track' THEN 'track-' || track || '.webm'
        ELSE 'waveform-' || track || '.json'
    END,
    recipe, bytes, NULL, damaged, 0
FROM derived;

DROP TABLE derived;
ALTER TABLE derived_by_name RENAME TO derived;

-- Those that may go.
CREATE INDEX derived_asked ON derived (recording) WHERE asked = 1;
