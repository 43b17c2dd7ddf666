//! The text messages of the subprotocol `roomtone.v1`: JSON objects with a `type`.
//!
//! Unknown types and fields are ignored, in both directions, so that either side may learn new words first. Times are
//! seconds as numbers, or ticks of 48 kHz where the name says so. The README's table of messages is held against this
//! file by a test.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::media::marker::{MarkerId, MarkerText};
use crate::media::packet::Sequence;
use crate::media::pcm;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

/// The subprotocol's name in `Sec-WebSocket-Protocol`.
pub const PROTOCOL: &str = "roomtone.v1";

/// What a client says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromClient {
    /// Announces a track of this connection, before its first bytes.
    Publish {
        /// The publisher's own number for it, used in the header of its binary messages.
        track: u16,
        /// What the binary messages will carry.
        #[serde(flatten)]
        source: Source,
    },
    /// Ends a track of this connection; the number may be used again.
    Unpublish {
        /// The publisher's number.
        track: u16,
    },
    /// Says that a track is muted, or not; it stays live.
    Mute {
        /// The publisher's number.
        track: u16,
        /// Whether it is.
        muted: bool,
    },
    /// A line of chat for everyone in the room.
    Chat {
        /// The line.
        text: String,
    },
    /// Sets a marker in the recording of the room.
    Marker {
        /// What is written on it; empty for nothing.
        text: String,
        /// Where, in seconds from the recording's start; now, where it is absent.
        #[serde(default)]
        at: Option<f64>,
    },
    /// Asks for a [`Notice::Pong`].
    Ping {
        /// Returned as it is: the client's own time.
        time: u64,
    },
    /// In a replay: go on from there.
    Seek {
        /// Seconds from the session's start.
        at: f64,
    },
    /// In a replay: stop there.
    Pause,
    /// In a replay: go on; from the start, where it has ended.
    Play,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// What a publisher's binary messages carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Source {
    /// Messages of kind 2: the bytes of a stream.
    Container {
        /// What the bytes are, where their first ones do not tell: plain samples, or MP3.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<PublishedFormat>,
    },
    /// Messages of kind 1: packets of this format.
    Packets {
        /// How they are encoded.
        format: PublishedFormat,
    },
}

/// The format that a publisher declares. Opus with what OpusHead would say (RFC 7845 §5.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "codec", rename_all = "lowercase")]
pub enum PublishedFormat {
    /// Opus: packets only.
    Opus {
        /// 1 or 2.
        channels: u8,
        /// Ticks of 48 kHz to throw away at the start.
        #[serde(default)]
        pre_skip: u16,
        /// The sound's rate before it was encoded, in Hz; 0 is unknown.
        #[serde(default)]
        input_rate: u32,
    },
    /// Plain samples, channels interleaved: as packets of 10, 20, 40 or 60 ms, or as bytes of whole frames.
    Pcm {
        /// How a sample is written: `s16le`, `s24le`, `s32le` or `f32le`.
        sample: String,
        /// Frames in a second, in Hz.
        rate: u32,
        /// 1 or 2.
        channels: u32,
    },
    /// MP3: bytes only.
    Mp3,
}

/// Someone in a room who may speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// One connection, one ID.
    pub id: Uuid,
    /// What they call themselves.
    pub name: ParticipantName,
}

/// A live track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Its number on every connection of the room while it is live.
    pub track: TrackNumber,
    /// Whose it is.
    pub participant: Uuid,
    /// How its packets are encoded for those who hear it: always Opus.
    pub format: Format,
    /// The plain samples that are kept of it, where they are: what a client gets that asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcm: Option<pcm::Head>,
    /// What its publisher sends.
    pub source: Codec,
    /// Whether its publisher says that it is muted.
    pub muted: bool,
}

impl Track {
    /// A track whose packets are kept in this format.
    #[must_use]
    pub fn new(track: TrackNumber, participant: Uuid, format: &Format, source: Codec, muted: bool) -> Self {
        let pcm = if let Format::Pcm(head) = format { Some(*head) } else { None };
        Self { track, participant, format: Format::Opus(format.heard()), pcm, source, muted }
    }
}

/// The recording that a room is making.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The recording's ID.
    pub recording: Uuid,
    /// How long it runs already, in seconds.
    pub elapsed: f64,
}

/// A marker of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    /// Its ID.
    pub id: MarkerId,
    /// Where, in seconds from the recording's start.
    pub at: f64,
    /// Who set it; null where nobody said.
    pub name: Option<ParticipantName>,
    /// What is written on it.
    pub text: MarkerText,
}

/// What a replay does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Replaying {
    /// It plays, in real time.
    Playing,
    /// It waits for the client.
    Paused,
    /// It is at the end.
    Ended,
}

/// Who and what is in a session at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// Who is there and may speak.
    pub participants: Vec<Participant>,
    /// The tracks that are live.
    pub tracks: Vec<Track>,
}

/// What the hub says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Notice {
    /// The first message on every connection.
    Welcome {
        /// Who this client is.
        participant: Participant,
        /// Where it is.
        room: RoomName,
        /// Who else is here and may speak. Those who only listen are counted, not named.
        participants: Vec<Participant>,
        /// How many only listen.
        listeners: usize,
        /// The tracks that are live.
        tracks: Vec<Track>,
        /// The recording in progress, if there is one.
        session: Option<Session>,
    },
    /// Someone who may speak came.
    Joined {
        /// Who.
        participant: Participant,
    },
    /// Someone who could speak went.
    Left {
        /// Who.
        participant: Uuid,
    },
    /// How many only listen; sent when it has changed, at most once a second.
    Listeners {
        /// The count.
        count: usize,
    },
    /// A track is live, or its format has changed. Its packets follow.
    Track {
        /// Which.
        #[serde(flatten)]
        track: Track,
    },
    /// A track has ended.
    TrackEnded {
        /// Its number, which another track may get from now on.
        track: TrackNumber,
    },
    /// A track was muted, or not any more.
    Muted {
        /// Which.
        track: TrackNumber,
        /// Whether it is.
        muted: bool,
    },
    /// A session began (the recording's ID), or ended (none).
    Session {
        /// The recording in progress, if there is one.
        session: Option<Session>,
    },
    /// A line of chat.
    Chat {
        /// Who said it.
        participant: Participant,
        /// What.
        text: String,
    },
    /// A marker was set; also to whom set it.
    Marker {
        /// Which.
        #[serde(flatten)]
        marker: Marker,
    },
    /// To a publisher: its own track is known to the room under this number.
    Published {
        /// The publisher's number.
        track: u16,
        /// The room's number.
        number: TrackNumber,
    },
    /// To a publisher, every 100 ms where it has changed: the hub has these packets.
    Received {
        /// The publisher's number of the track.
        track: u16,
        /// All packets below this number.
        next: Sequence,
        /// And these, from the first number up to before the second: packets that came behind a hole.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ranges: Vec<(Sequence, Sequence)>,
    },
    /// To a publisher, after each sync: these packets survive a power cut.
    Durable {
        /// The publisher's number of the track.
        track: u16,
        /// All packets below this number.
        next: Sequence,
        /// And these, from the first number up to before the second: packets that came behind a hole.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ranges: Vec<(Sequence, Sequence)>,
    },
    /// To a listener who was too slow: sound was skipped, to the live edge.
    Lag {
        /// How much sound was skipped, in ticks, summed over the tracks.
        skipped_ticks: Ticks,
        /// How many messages.
        messages: u64,
    },
    /// The recording's health has changed.
    Health {
        /// Whether what is said now is being recorded.
        recording: bool,
        /// A sentence, where it is not.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Where a replay is: after the welcome, after each command and at its end. All packets behind it belong to its place.
    Replay {
        /// Whether it plays.
        state: Replaying,
        /// Where, in seconds from the session's start.
        at: f64,
        /// How long the recording is, in seconds: as far as it goes by now, where it is still being made.
        duration: f64,
        /// Who and what is there then. Plain clients are not told.
        #[serde(flatten, skip_serializing_if = "Option::is_none")]
        present: Option<Present>,
        /// How many seeks the hub has taken on this connection.
        seek: u64,
    },
    /// Something of a stream is left out, and why. The connection goes on.
    Warning {
        /// A stable word.
        code: String,
        /// A sentence.
        message: String,
    },
    /// What the client did wrong. The connection closes after it, with the same sentence as its reason.
    Error {
        /// A stable word.
        code: String,
        /// A sentence.
        message: String,
    },
    /// Answers a ping.
    Pong {
        /// What the ping carried.
        time: u64,
        /// Where the session's clock is, in ticks, if there is a session.
        session_ticks: Option<Ticks>,
    },
}

impl Notice {
    /// The message as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Maps with string keys, numbers and strings only: serialising cannot fail.
        serde_json::to_string(self).expect("a notice has no maps with other keys than strings")
    }
}

impl FromClient {
    /// Reads a text message.
    ///
    /// # Errors
    /// Where the text is not a JSON object with a `type`, or a known type lacks a field.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}
