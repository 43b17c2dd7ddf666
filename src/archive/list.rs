//! Lists of recordings, newest first, a page at a time.
//!
//! A page begins after the key (start, ID) of the last recording of the one before, so that neither new recordings nor
//! deleted ones move it, and every page costs the same.

use std::fmt;
use std::str::FromStr;

use sqlx::SqliteConnection;

use super::index::read::{summary_columns, summary_of};
use super::model::{RecordingId, StateKind, Summary};
use super::search::Search;
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

/// Which recordings to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only those of this room.
    pub room: Option<RoomName>,
    /// Only those that started at this time or later.
    pub from: Option<UnixMillis>,
    /// Only those that started before this time.
    pub to: Option<UnixMillis>,
    /// Only those in this state.
    pub state: Option<StateKind>,
    /// Only those in which this is found.
    pub search: Option<Search>,
    /// How many at most.
    pub limit: Limit,
    /// Where the page before this one ended.
    pub cursor: Option<Cursor>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The recordings, newest first; of those that started in one millisecond, the larger ID first.
    pub recordings: Vec<Summary>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// How many recordings a page has at most: 1 to 200, by default 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The most that a page may have.
    pub const MAX: u16 = 200;

    /// A limit.
    ///
    /// # Errors
    /// Where it is not 1 to 200.
    pub fn new(limit: u16) -> Result<Self, BadLimit> {
        if (1..=Self::MAX).contains(&limit) { Ok(Self(limit)) } else { Err(BadLimit) }
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl FromStr for Limit {
    type Err = BadLimit;

    fn from_str(text: &str) -> Result<Self, BadLimit> {
        text.parse().map_err(|_| BadLimit).and_then(Self::new)
    }
}

/// A limit that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a limit is a number from 1 to 200")]
pub struct BadLimit;

/// A place between two recordings of a list. As text it means nothing to anyone else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    started: UnixMillis,
    id: RecordingId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.started.get(), self.id.uuid().simple())
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let hexadecimal = text.len() == 48 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let (started, id) = if hexadecimal { text.split_at(16) } else { return Err(BadCursor) };
        let started = u64::from_str_radix(started, 16).map_err(|_| BadCursor)?.cast_signed();
        Ok(Self { started: UnixMillis::new(started), id: id.parse().map_err(|_| BadCursor)? })
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is none that a list of recordings gave")]
pub struct BadCursor;

/// A list with a condition of its own, and the index whose first columns that is about: the row value is the upper end
/// of a range of what follows. The index is named since SQLite guesses, and guessed wrong for a room and a state.
macro_rules! list {
    ($index:literal, $($condition:literal),+) => {
        concat!(
            "SELECT ",
            summary_columns!(),
            " FROM recordings INDEXED BY ",
            $index,
            " WHERE ",
            $($condition,)+
            "(started_unix_millis, id) < (?, ?) AND started_unix_millis >= ? AND deleting = 0 \
             ORDER BY started_unix_millis DESC, id DESC LIMIT ?"
        )
    };
}

/// The same for what is searched: [`super::search::MOST_WORDS`] words, each to be found. A walk, which reads only the index of what it
/// passes by; to seek first what a room or a state leaves would read each row.
macro_rules! search {
    ($condition:literal) => {
        list!(
            "recordings_searched_newest_first",
            "instr(search, ?) > 0 AND instr(search, ?) > 0 AND instr(search, ?) > 0 AND instr(search, ?) > 0 AND \
             instr(search, ?) > 0 AND instr(search, ?) > 0 AND instr(search, ?) > 0 AND instr(search, ?) > 0 AND ",
            $condition
        )
    };
}

/// The statement for a query with or without words to search, a room and a state.
pub(super) const fn statement(search: bool, room: bool, state: bool) -> &'static str {
    match (search, room, state) {
        (false, false, false) => list!("recordings_newest_first", ""),
        (false, true, false) => list!("recordings_of_room_newest_first", "room = ? AND "),
        (false, false, true) => list!("recordings_in_state_newest_first", "state = ? AND "),
        (false, true, true) => list!("recordings_of_room_in_state_newest_first", "room = ? AND state = ? AND "),
        (true, false, false) => search!(""),
        (true, true, false) => search!("room = ? AND "),
        (true, false, true) => search!("state = ? AND "),
        (true, true, true) => search!("room = ? AND state = ? AND "),
    }
}

/// Reads a page.
pub(super) async fn page(connection: &mut SqliteConnection, query: &ListQuery) -> Result<Page, sqlx::Error> {
    let mut select = sqlx::query(statement(query.search.is_some(), query.room.is_some(), query.state.is_some()));
    for word in query.search.iter().flat_map(Search::padded) {
        select = select.bind(word);
    }
    if let Some(room) = &query.room {
        select = select.bind(room.as_str());
    }
    if let Some(state) = query.state {
        select = select.bind(state.word());
    }
    // Nothing sorts before the empty ID, and no time is at the end of i64.
    let until = query.to.map_or((i64::MAX, String::new()), |to| (to.get(), String::new()));
    let after = query.cursor.map_or((i64::MAX, String::new()), |cursor| (cursor.started.get(), cursor.id.to_string()));
    let (started, id) = until.min(after);
    let from = query.from.map_or(i64::MIN, UnixMillis::get);
    // One more than asked for tells whether there is another page.
    let limit = usize::from(query.limit.0);
    let rows =
        select.bind(started).bind(id).bind(from).bind(i64::from(query.limit.0) + 1).fetch_all(connection).await?;
    let mut recordings = Vec::with_capacity(rows.len());
    for row in rows.iter().take(limit) {
        recordings.push(summary_of(row)?.1);
    }
    let last = recordings.last().map(|last| Cursor { started: last.started, id: last.id });
    Ok(Page { next: last.filter(|_| rows.len() > limit), recordings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_what_it_wrote_and_nothing_else() {
        for started in [0, -1, 1_700_000_000_000, i64::MIN] {
            let cursor =
                Cursor { started: UnixMillis::new(started), id: RecordingId::new(UnixMillis::new(7), [9; 10]) };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        let id = RecordingId::new(UnixMillis::new(7), [0xAB; 10]);
        let good = Cursor { started: UnixMillis::new(1), id }.to_string();
        let (upper, signed) = (good.to_uppercase(), format!("+{}", &good[1..]));
        for bad in ["", "50", &good[1..], &upper, &signed, &"é".repeat(24), &"0".repeat(48)] {
            assert_eq!(bad.parse::<Cursor>(), Err(BadCursor), "{bad}");
        }
    }

    #[test]
    fn a_limit_is_1_to_200() {
        assert_eq!("200".parse(), Limit::new(200));
        for bad in ["0", "201", "-1", "many", "99999999"] {
            assert_eq!(bad.parse::<Limit>(), Err(BadLimit), "{bad}");
        }
    }
}
