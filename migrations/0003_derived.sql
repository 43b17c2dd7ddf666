-- What is made out of recordings that have ended: files in `<recording>/derived/` that can always be made again.

-- The sum of the recipes with which all of it was made; recipes only grow, so a smaller sum is older. 0 is: something is
-- still to be made.
ALTER TABLE recordings ADD COLUMN derived_recipes INTEGER NOT NULL DEFAULT 0 CHECK (derived_recipes >= 0);

-- One derived file. It is there, whole and durable, before its row is.
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
