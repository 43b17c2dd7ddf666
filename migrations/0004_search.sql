-- What a search looks through: title, room and people of a recording, folded (`src/archive/search.rs`), one to a line.
-- NULL is not known yet: start-up fills it. Whoever changes how it is folded sets all of it to NULL.
ALTER TABLE recordings ADD COLUMN search TEXT;

-- A search walks this from the newest on and reads nothing else of what it passes by, so that the whole of it costs
-- milliseconds: a text of any length and script is found anywhere in a word, which no index of words or trigrams does.
CREATE INDEX recordings_searched_newest_first
    ON recordings (started_unix_millis DESC, id DESC, room, state, deleting, search);
-- What start-up looks for.
CREATE INDEX recordings_without_search ON recordings (recording) WHERE search IS NULL;
