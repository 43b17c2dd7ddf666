-- Files that a round is about to create, written down before it does. The round's transaction takes out those that the index names
-- by then; what a fall leaves here was told to nobody, and start-up removes it.
CREATE TABLE begun (
    -- The recording's folder, below the folder of all recordings; the recording itself may not be in the index yet.
    folder TEXT NOT NULL CHECK (folder <> ''),
    -- The file's name in that folder.
    file TEXT NOT NULL CHECK (file <> ''),
    PRIMARY KEY (folder, file)
) STRICT, WITHOUT ROWID;
