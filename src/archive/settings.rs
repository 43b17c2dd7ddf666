//! What someone has set of a room: whether it is recorded, and what it greets with.
//!
//! What belongs here: the settings, and that all who ask get the same. What does not: what they do (the hub and the edge).
//!
//! They stand in the index alone, since they belong to no recording; an index that is made anew out of the recordings has none
//! of them, and every room is as by default then.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::Error;
use super::handle::Archive;
use super::index;
use super::writer::Command;
use crate::media::room::RoomName;

/// The most rooms that may be other than by default: what is kept in memory of them is bounded.
pub const MOST_ROOMS: u32 = 100_000;

/// What is set of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Whether what is said there is recorded.
    pub record: bool,
    /// What a client of Socket.IO is greeted with.
    pub greet: Greet,
}

impl Default for Settings {
    fn default() -> Self {
        Self { record: true, greet: Greet::LastRecording }
    }
}

/// What a client of Socket.IO is greeted with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Greet {
    /// The room's newest recording that has ended.
    #[default]
    LastRecording,
    /// The session that is going on: its first track, as far as that is durable.
    Session,
    /// Nothing.
    None,
}

impl Greet {
    const ALL: [Self; 3] = [Self::LastRecording, Self::Session, Self::None];
}

impl fmt::Display for Greet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastRecording => "last-recording",
            Self::Session => "session",
            Self::None => "none",
        })
    }
}

impl FromStr for Greet {
    type Err = NoGreeting;

    fn from_str(word: &str) -> Result<Self, NoGreeting> {
        Self::ALL.into_iter().find(|one| one.to_string() == word).ok_or(NoGreeting)
    }
}

/// A word for no greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a room greets with last-recording, session or none")]
pub struct NoGreeting;

/// What someone sets; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Whether the room is recorded.
    pub record: Option<bool>,
    /// What it greets with.
    pub greet: Option<Greet>,
}

/// The settings of all rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    known: RwLock<HashMap<RoomName, Settings>>,
    /// One is set at a time, so that memory and index agree.
    setting: Mutex<()>,
}

impl Rooms {
    fn get(&self, room: &RoomName) -> Settings {
        // Nothing that is done under the lock leaves it half done.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(room).copied().unwrap_or_default()
    }

    fn put(&self, room: RoomName, settings: Settings) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if settings == Settings::default() {
            known.remove(&room);
        } else {
            known.insert(room, settings);
        }
    }

    fn are_too_many(&self, room: &RoomName) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.len() >= MOST_ROOMS as usize && !known.contains_key(room)
    }
}

impl Archive {
    /// Reads what is set of all rooms.
    pub(super) async fn read_settings(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.readers().acquire().await?;
        for (room, settings) in index::settings::all(&mut connection, MOST_ROOMS).await? {
            self.rooms().put(room, settings);
        }
        Ok(())
    }

    /// What is set of a room. Asks no disk.
    #[must_use]
    pub fn settings(&self, room: &RoomName) -> Settings {
        self.rooms().get(room)
    }

    /// Sets something of a room, and gives all that is set of it then; it is durable.
    ///
    /// # Errors
    /// Where the index cannot be written; [`Error::TooManyRooms`] where too many are set already.
    pub async fn set(&self, room: &RoomName, wanted: Wanted) -> Result<Settings, Error> {
        // To its end, also where nobody waits for it any more: the index and memory would say different things.
        let (archive, room) = (self.clone(), room.clone());
        let setting = tokio::spawn(async move { archive.set_to_the_end(room, wanted).await });
        setting.await.map_err(|_| Error::Closed)?
    }

    async fn set_to_the_end(&self, room: RoomName, wanted: Wanted) -> Result<Settings, Error> {
        let rooms = self.rooms();
        let _one_at_a_time = rooms.setting.lock().await;
        let before = rooms.get(&room);
        let settings =
            Settings { record: wanted.record.unwrap_or(before.record), greet: wanted.greet.unwrap_or(before.greet) };
        if settings != before {
            if rooms.are_too_many(&room) {
                return Err(Error::TooManyRooms);
            }
            let name = room.clone();
            self.ask(|reply| Command::Settings { room: name, settings, reply }).await?;
            rooms.put(room, settings);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_one_word_everywhere() {
        for greet in Greet::ALL {
            assert_eq!(greet.to_string().parse(), Ok(greet));
            assert_eq!(serde_json::to_value(greet).unwrap(), greet.to_string());
        }
        assert_eq!("".parse::<Greet>(), Err(NoGreeting));
    }

    #[test]
    fn a_room_as_by_default_takes_no_memory() {
        let (rooms, room): (Rooms, RoomName) = (Rooms::default(), "a".parse().unwrap());
        let silent = Settings { record: false, ..Settings::default() };
        rooms.put(room.clone(), silent);
        assert_eq!(rooms.get(&room), silent);
        rooms.put(room.clone(), Settings::default());
        assert_eq!(rooms.get(&room), Settings::default());
        assert!(rooms.known.read().unwrap().is_empty());
    }
}
