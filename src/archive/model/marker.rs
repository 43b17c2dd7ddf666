//! Markers of a recording: places that people want to find again.

use crate::media::marker::{MarkerId, MarkerText};
use crate::media::room::ParticipantName;
use crate::media::time::Ticks;

/// A place in a recording that someone marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Its ID.
    pub id: MarkerId,
    /// Where, from the session's start.
    pub at: Ticks,
    /// Who set it, where they said so: over REST nobody does.
    pub name: Option<ParticipantName>,
    /// What is written on it.
    pub text: MarkerText,
}
