-- Who was there and might speak, whether they did or not.
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

CREATE INDEX attendance_of_recording ON attendance (recording, line);
-- Whom a leave is written to.
CREATE INDEX attendance_of_those_present ON attendance (recording, participant) WHERE left_ticks IS NULL;
