//! The names that people give: of rooms, and of themselves.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a room: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`. Safe as a folder's name and in a URL as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomName(String);

impl RoomName {
    /// The longest name, in characters.
    pub const MAX: usize = 64;

    /// The room of a client that names none.
    #[must_use]
    pub fn lobby() -> Self {
        Self("lobby".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoomName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if first && rest && text.len() <= Self::MAX { Ok(Self(text.to_owned())) } else { Err(NameError::Room) }
    }
}

impl TryFrom<String> for RoomName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<RoomName> for String {
    fn from(name: RoomName) -> Self {
        name.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a participant calls themselves: any text of 1 to 64 characters, trimmed, without control characters. It never
/// becomes a path as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParticipantName(String);

impl ParticipantName {
    /// The longest name, in characters.
    pub const MAX: usize = 64;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ParticipantName {
    /// The name of one who gives none.
    #[must_use]
    pub fn nobody() -> Self {
        Self("Guest".to_owned())
    }
}

impl FromStr for ParticipantName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(NameError::Participant) }
    }
}

impl TryFrom<String> for ParticipantName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ParticipantName> for String {
    fn from(name: ParticipantName) -> Self {
        name.0
    }
}

impl fmt::Display for ParticipantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name outside its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the name of a room.
    #[error("a room's name is 1 to 64 letters, digits, hyphens and underscores, and begins with a letter or digit")]
    Room,
    /// Not the name of a participant.
    #[error("a participant's name is 1 to 64 characters without control characters")]
    Participant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_name_is_what_the_grammar_says() {
        for good in ["a", "Studio-1", "0_", &"x".repeat(64)] {
            assert!(good.parse::<RoomName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "a b", "ä", "a/b", "..", "a.b", &"x".repeat(65)] {
            assert_eq!(bad.parse::<RoomName>(), Err(NameError::Room), "{bad}");
        }
    }

    #[test]
    fn a_participant_name_is_trimmed_and_has_no_control_characters() {
        assert_eq!("  Ann Ü ".parse::<ParticipantName>().unwrap().as_str(), "Ann Ü");
        assert!("ä".repeat(64).parse::<ParticipantName>().is_ok());
        for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
            assert_eq!(bad.parse::<ParticipantName>(), Err(NameError::Participant), "{bad:?}");
        }
    }
}
