-- What someone has set of a room. A room without a row is as by default; there is none for what is set back to that.

CREATE TABLE room_settings (
    -- Which room.
    room TEXT NOT NULL PRIMARY KEY CHECK (room <> ''),
    -- Whether what is said there is recorded.
    record INTEGER NOT NULL CHECK (record IN (0, 1)),
    -- What a client of Socket.IO is greeted with.
    greet TEXT NOT NULL CHECK (greet IN ('last-recording', 'session', 'none'))
) STRICT, WITHOUT ROWID;
