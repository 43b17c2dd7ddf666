//! What a track is, apart from its packets.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::opus;

/// How a track's packets are encoded, with what a decoder must be told before the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "codec", rename_all = "lowercase")]
pub enum Format {
    /// Opus packets (RFC 6716), with the head that containers carry (RFC 7845 §5.1).
    Opus(opus::Head),
}

/// The number of a track in a room while it is live, the same on every connection; and, in a recording, its number from
/// 1 in the order of the first packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackNumber(u16);

impl TrackNumber {
    /// A number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TrackNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
