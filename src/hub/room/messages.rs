//! What others say to a room, and what it answers.

use actix::{Addr, Message};
use bytes::Bytes;
use serde::Serialize;

use super::super::fanout::{Fanout, MemberId, Reads};
use crate::archive::model::RecordingId;
use crate::media::marker::{BadMarkerText, MOST_MARKERS, MarkerText};
use crate::media::packet::{Sequence, SourcePacket};
use crate::media::room::RoomName;
use crate::media::source::Codec;
use crate::media::time::{Moment, Ticks};
use crate::media::track::Format;
use crate::wire::v1::{Marker, Participant, Session, Track};

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// May publish, and is announced.
    Speaker,
    /// Only listens, and is counted.
    Listener,
}

/// Takes a member in. Its place in the fan-out is registered before.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Join {
    /// Who.
    pub participant: Participant,
    /// What they may do.
    pub role: Role,
    /// What they read.
    pub reads: Reads,
    /// The fan-out of their thread.
    pub fanout: Addr<Fanout>,
}

/// Lets a member go; its tracks end.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Leave {
    /// Who.
    pub member: MemberId,
}

/// Announces a track before its first packet.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), Refused>")]
pub struct Announce {
    /// Whose.
    pub member: MemberId,
    /// The publisher's own number.
    pub local: u16,
}

/// Packets of a member's track, in order. Answered with how much more sound may come now.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<i64, Refused>")]
pub struct Publish {
    /// Whose.
    pub member: MemberId,
    /// The publisher's own number for the track. One that was not announced begins with its first packet, and ends by
    /// silence too.
    pub local: u16,
    /// How the packets are encoded.
    pub format: Format,
    /// What their publisher sent.
    pub source: Codec,
    /// Whether an encoder started (again) with the first of them.
    pub restarted: bool,
    /// The number of the first, where the publisher numbers them.
    pub first: Option<Sequence>,
    /// The packets.
    pub packets: Vec<SourcePacket>,
    /// When they arrived.
    pub arrived: Moment,
}

/// Ends a track.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Unpublish {
    /// Whose.
    pub member: MemberId,
    /// The publisher's own number.
    pub local: u16,
}

/// A track is muted, or not any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Mute {
    /// Whose.
    pub member: MemberId,
    /// The publisher's own number.
    pub local: u16,
    /// Whether it is.
    pub muted: bool,
}

/// A line of chat.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Say {
    /// Who says it.
    pub member: MemberId,
    /// What.
    pub text: String,
}

/// Sets a marker in the recording that the room is making, which is told with it. Everyone hears of it, and it is in the recording
/// with the next sync.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<(RecordingId, Marker), Unmarked>")]
pub struct Mark {
    /// Who sets it; nobody, where it comes from outside of the room.
    pub by: Option<MemberId>,
    /// In which recording it is meant to be; in the one that is being made, where it is none.
    pub recording: Option<RecordingId>,
    /// What is written on it.
    pub text: MarkerText,
    /// Where, from the recording's start; now, where it is none.
    pub at: Option<Ticks>,
}

/// Why a marker is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmarked {
    /// Nothing is recorded now, or not in the recording that was meant.
    #[error("nothing is being recorded here")]
    NoSession,
    /// It is to stand before the recording.
    #[error("a marker stands behind the recording's start")]
    BeforeStart,
    /// It is to stand in the future.
    #[error("the session has not come there yet")]
    PastEdge,
    /// Past [`MOST_MARKERS`].
    #[error("a recording has at most {MOST_MARKERS} markers")]
    TooMany,
    /// Its text cannot be.
    #[error(transparent)]
    Text(#[from] BadMarkerText),
}

/// A binary message that is no sound, for the other plain members.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Relay {
    /// Who sends it.
    pub member: MemberId,
    /// The message.
    pub bytes: Bytes,
}

/// Asks for the place of the session's clock.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Ping {
    /// Who asks.
    pub member: MemberId,
    /// Returned as it is.
    pub time: u64,
}

/// Asks what is going on in the room.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Description")]
pub struct Describe;

/// What is going on in a room.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The room's name.
    pub name: RoomName,
    /// Who is here and may speak.
    pub participants: Vec<Participant>,
    /// How many only listen.
    pub listeners: usize,
    /// The live tracks.
    pub tracks: Vec<Track>,
    /// The recording in progress.
    pub session: Option<Session>,
}

impl Description {
    /// Whether nobody is in the room: then it is not live, though its session may not have ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.participants.is_empty() && self.listeners == 0
    }

    /// The same `later`, where nothing has changed but the time.
    #[must_use]
    pub fn after(&self, later: std::time::Duration) -> Self {
        let mut description = self.clone();
        if let Some(session) = &mut description.session {
            session.elapsed += later.as_secs_f64();
        }
        description
    }
}

/// The hub stops, or nobody is here any more: the session ends at once, and then the room.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Close;

/// Makes the room fall, as a fault of ours would.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Fall;

/// Why a room does not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The member is not, or no longer, in the room.
    #[error("this connection is not in the room any more")]
    NotHere,
    /// The member only listens.
    #[error("this connection only listens (publish=false)")]
    OnlyListens,
    /// The number is in use.
    #[error("track {0} is published already")]
    Published(u16),
    /// Past [`super::MOST_TRACKS`].
    #[error("a connection publishes at most {} tracks", super::MOST_TRACKS)]
    TooManyTracks,
    /// Past [`super::MOST_RECORDED`].
    #[error("a session has at most {} tracks; it ends when nobody speaks for a while", super::MOST_RECORDED)]
    SessionFull,
    /// Past [`super::MOST_CHANGES`].
    #[error("the tracks of a session change their kind of sound at most {} times", super::MOST_CHANGES)]
    TooManyChanges,
}
