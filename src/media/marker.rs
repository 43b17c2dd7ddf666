//! Markers: places in a session that people want to find again. In its files they are chapters.
//!
//! What belongs here: what a marker is called, what may be written on it, what a chapter is. What does not: where it is kept (`archive`), when one may be
//! set (`hub::room`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::time::Ticks;

/// The most markers of a recording: one every twenty seconds of three hours, and not more chapters than the 999 that Ogg counts.
pub const MOST_MARKERS: usize = 500;

/// The ID of a marker: a UUID, which no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MarkerId(Uuid);

impl MarkerId {
    /// The ID that these random bytes make.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid())
    }
}

impl fmt::Display for MarkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MarkerId {
    type Err = NoMarkerId;

    fn from_str(text: &str) -> Result<Self, NoMarkerId> {
        Uuid::try_parse(text).map(Self).map_err(|_| NoMarkerId)
    }
}

/// A text that is no marker's ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a marker's ID is a UUID")]
pub struct NoMarkerId;

/// What is written on a marker: at most 200 characters, trimmed, without control characters. It may be empty: a place is worth marking
/// before there are words for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MarkerText(String);

impl MarkerText {
    /// The longest text, in characters.
    pub const MAX: usize = 200;

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for MarkerText {
    type Err = BadMarkerText;

    fn from_str(text: &str) -> Result<Self, BadMarkerText> {
        let text = text.trim();
        let fits = text.chars().count() <= Self::MAX && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(BadMarkerText) }
    }
}

impl TryFrom<String> for MarkerText {
    type Error = BadMarkerText;

    fn try_from(text: String) -> Result<Self, BadMarkerText> {
        text.parse()
    }
}

impl From<MarkerText> for String {
    fn from(text: MarkerText) -> Self {
        text.0
    }
}

impl fmt::Display for MarkerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that cannot stand on a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a marker's text is at most {} characters without control characters", MarkerText::MAX)]
pub struct BadMarkerText;

/// A piece of a file, from its start to that of the next, or to the file's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Where it begins, from the file's own start.
    pub start: Ticks,
    /// What it is called.
    pub title: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_trimmed_bounded_and_may_be_empty() {
        assert_eq!("  The news \u{1F399} ".parse::<MarkerText>().unwrap().as_str(), "The news \u{1F399}");
        assert!(" ".parse::<MarkerText>().unwrap().is_empty());
        assert!("ä".repeat(200).parse::<MarkerText>().is_ok());
        for bad in ["ä".repeat(201), "a\nb".to_owned(), "\u{0}".to_owned()] {
            assert_eq!(bad.parse::<MarkerText>(), Err(BadMarkerText), "{bad:?}");
        }
    }

    #[test]
    fn an_id_is_a_uuid_in_any_letters_and_written_in_one_way() {
        let id = MarkerId::new([7; 16]);
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!("7".parse::<MarkerId>(), Err(NoMarkerId));
    }
}
