//! What a recording is, as the index knows it and as REST tells it.

mod derived;
mod edit;
mod marker;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::media::packet::Sequence;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

pub use derived::{Container, Derived, DerivedFile, Edition, NotDerived};
pub use edit::{BadEdit, Choice, Edit, Loudness, MOST_TRACKS, Time};
pub use marker::{Marker, Words, chapters};

/// The ID of a recording: a UUIDv7, so that IDs sort by their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordingId(Uuid);

impl RecordingId {
    /// The ID of a recording that begins now. `random` makes it unique within the millisecond.
    #[must_use]
    pub fn new(start: UnixMillis, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(u64::try_from(start.get()).unwrap_or(0), &random).into_uuid())
    }

    /// When the recording began, by its ID.
    #[must_use]
    pub fn started(self) -> UnixMillis {
        let [a, b, c, d, e, f, ..] = *self.0.as_bytes();
        UnixMillis::new(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RecordingId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let uuid = Uuid::try_parse(text).map_err(|_| NotAnId)?;
        if uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(NotAnId) }
    }
}

/// A text that is no recording's ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a recording's ID is a UUID of version 7")]
pub struct NotAnId;

/// Where a recording is in its session's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A track is live.
    Live,
    /// No track is live; a new one continues the session.
    Grace,
    /// A publisher that broke off may still hold packets.
    Pending,
    /// Nothing will be added.
    Ended(EndReason),
}

impl State {
    /// The word for it, in the index and in REST.
    #[must_use]
    pub const fn word(self) -> &'static str {
        self.kind().word()
    }

    /// Which of the four it is.
    #[must_use]
    pub const fn kind(self) -> StateKind {
        match self {
            Self::Live => StateKind::Live,
            Self::Grace => StateKind::Grace,
            Self::Pending => StateKind::Pending,
            Self::Ended(_) => StateKind::Ended,
        }
    }

    /// Why it ended, if it has.
    #[must_use]
    pub const fn end_reason(self) -> Option<EndReason> {
        match self {
            Self::Ended(reason) => Some(reason),
            Self::Live | Self::Grace | Self::Pending => None,
        }
    }
}

/// A [`State`] without what it carries, as one asks for it in lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// A track is live.
    Live,
    /// No track is live; a new one continues the session.
    Grace,
    /// A publisher that broke off may still hold packets.
    Pending,
    /// Nothing will be added.
    Ended,
}

impl StateKind {
    /// The word for it, in the index and in REST.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Grace => "grace",
            Self::Pending => "pending",
            Self::Ended => "ended",
        }
    }
}

impl FromStr for StateKind {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Live, Self::Grace, Self::Pending, Self::Ended];
        all.into_iter().find(|kind| kind.word() == text).ok_or(UnknownWord { what: "state", word: text.to_owned() })
    }
}

/// A word that none of an enum's values has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no {what} of a recording")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
}

impl UnknownWord {
    pub(super) fn new(what: &'static str, word: &str) -> Self {
        Self { what, word: word.to_owned() }
    }
}

/// Why a recording ended. Every recording carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Everyone had finished.
    Finished,
    /// The hub was stopped.
    Stopped,
    /// The hub, or the machine, fell.
    Crashed,
    /// No space was left.
    DiskFull,
    /// The disk failed.
    IoError,
}

impl EndReason {
    /// The word for it, in the index and in REST.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Crashed => "crashed",
            Self::DiskFull => "disk_full",
            Self::IoError => "io_error",
        }
    }
}

impl FromStr for EndReason {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Finished, Self::Stopped, Self::Crashed, Self::DiskFull, Self::IoError];
        let unknown = UnknownWord { what: "end reason", word: text.to_owned() };
        all.into_iter().find(|reason| reason.word() == text).ok_or(unknown)
    }
}

/// Why a track has no packet for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The publisher's own time jumped: it left sound out.
    Jump,
    /// The publisher paused.
    Pause,
    /// The recorder's queue was full.
    Overload,
}

impl GapCause {
    /// The word for it, in the index and in REST.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Jump => "jump",
            Self::Pause => "pause",
            Self::Overload => "overload",
        }
    }
}

impl FromStr for GapCause {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let all = [Self::Jump, Self::Pause, Self::Overload];
        let unknown = UnknownWord { what: "gap's cause", word: text.to_owned() };
        all.into_iter().find(|cause| cause.word() == text).ok_or(unknown)
    }
}

/// Time in a track for which no packet exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Where it begins, in ticks of the track.
    pub at: Ticks,
    /// How long it is.
    pub length: Ticks,
    /// Why it is there.
    pub cause: GapCause,
    /// Whether its part holds coded silence for it; else one part ends where it begins, and the next begins where it ends.
    pub filled: bool,
}

/// A pair of places that are the same time: one on a track's own count of ticks, one on the session's clock. Between two
/// anchors the clock runs evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Ticks of the track: packets and gaps, counted from the track's first packet.
    pub track: Ticks,
    /// Ticks from the session's start.
    pub session: Ticks,
}

/// One file of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place among the track's parts, from 1.
    pub number: u32,
    /// The file's name in the recording's folder.
    pub file: String,
    /// How its packets are encoded.
    pub format: Format,
    /// The codec that its publisher used: another than the packets' where they were decoded on the way.
    pub source: Codec,
    /// Where it begins, on the track's count and on the session's clock.
    pub start: Anchor,
    /// How long it is, packets and filled gaps; durable ticks only.
    pub length: Ticks,
    /// Bytes that are durable.
    pub bytes: u64,
    /// The number of its first packet.
    pub first: Sequence,
    /// The number after its last durable packet.
    pub next: Sequence,
    /// Whether more may come: its last page is still to be written.
    pub open: bool,
}

/// An encoder that started again within a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// Where, in ticks of the track.
    pub at: Ticks,
    /// Its pre-skip, which stays in the sound.
    pub pre_skip: u16,
}

/// One participant's stream in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Its number, from 1.
    pub number: TrackNumber,
    /// Whose it is: one connection, one ID.
    pub participant: Uuid,
    /// What they called themselves.
    pub name: ParticipantName,
    /// Its files, in order.
    pub parts: Vec<Part>,
    /// Where it has no packets.
    pub gaps: Vec<Gap>,
    /// Where its clock was pinned to the session's.
    pub anchors: Vec<Anchor>,
    /// Where its encoder started again.
    pub restarts: Vec<Restart>,
}

impl Track {
    /// Where a place on the track's own count lies on the session's clock. Who asks for many places asks its [`Pins`].
    #[must_use]
    pub fn session(&self, at: Ticks) -> Ticks {
        Pins::of(self).session(at)
    }
}

/// A track's count on its session's clock: even between two anchors, one to one before the first and past the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(Vec<Anchor>);

impl Pins {
    /// Those of a track: the starts of its parts, and its anchors.
    #[must_use]
    pub fn of(track: &Track) -> Self {
        let starts = track.parts.iter().map(|part| part.start);
        let mut pins: Vec<Anchor> = starts.chain(track.anchors.iter().copied()).collect();
        pins.sort_by_key(|pin| pin.track);
        Self(pins)
    }

    /// The pins themselves, in the order of the track's count.
    #[must_use]
    pub fn anchors(&self) -> &[Anchor] {
        &self.0
    }

    /// Where a place on the track's own count lies on the session's clock.
    #[must_use]
    pub fn session(&self, at: Ticks) -> Ticks {
        self.other(at, |pin| pin.track, |pin| pin.session)
    }

    /// Where a place on the session's clock lies on the track's own count.
    #[must_use]
    pub fn track(&self, at: Ticks) -> Ticks {
        self.other(at, |pin| pin.session, |pin| pin.track)
    }

    /// A place on one clock, told by the other.
    fn other(&self, at: Ticks, one: impl Fn(&Anchor) -> Ticks, other: impl Fn(&Anchor) -> Ticks) -> Ticks {
        let pins = &self.0;
        let after = pins.partition_point(|pin| one(pin) <= at);
        let Some(before) = after.checked_sub(1).map(|index| &pins[index]) else {
            let Some(first) = pins.first() else { return at };
            return other(first).saturating_sub(one(first).saturating_sub(at));
        };
        let gone = at.saturating_sub(one(before));
        let Some(next) = pins.get(after) else { return other(before).saturating_add(gone) };
        let (whole, told) = (one(next).saturating_sub(one(before)), other(next).saturating_sub(other(before)));
        let part = u128::from(gone.get()) * u128::from(told.get()) / u128::from(whole.get().max(1));
        other(before).saturating_add(Ticks::new(u64::try_from(part).unwrap_or(u64::MAX)))
    }
}

/// A line of chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// When, from the session's start.
    pub at: Ticks,
    /// Who: one connection, one ID.
    pub participant: Uuid,
    /// What they called themselves.
    pub name: ParticipantName,
    /// What they said.
    pub text: String,
}

/// The stay of someone who might speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    /// Who: one connection, one ID.
    pub participant: Uuid,
    /// What they called themselves.
    pub name: ParticipantName,
    /// When they came, from the session's start; zero for those who were there when it began.
    pub joined: Ticks,
    /// When they went; none for those who stayed to the end.
    pub left: Option<Ticks>,
}

/// A recording without what is in it, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its ID.
    pub id: RecordingId,
    /// Where it was made.
    pub room: RoomName,
    /// What it is called, once someone has named it.
    pub title: Option<String>,
    /// Whether retention leaves it alone.
    pub keep: bool,
    /// Since when it is published, where it is.
    pub published: Option<UnixMillis>,
    /// When the session's clock was at zero.
    pub started: UnixMillis,
    /// When it ended, if it has.
    pub ended: Option<UnixMillis>,
    /// Where it is in its life.
    pub state: State,
    /// How long it is: the end of the last durable sound on the session's clock.
    pub length: Ticks,
    /// Bytes of sound that are durable, of all parts.
    pub bytes: u64,
    /// Its tracks' names, in order, each once.
    pub people: Vec<ParticipantName>,
    /// How many tracks it has.
    pub tracks: u32,
}

impl Summary {
    /// What it is called: its room's name, where nobody has named it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.title.as_deref().unwrap_or(self.room.as_str())
    }
}

/// A recording with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What lists show of it.
    pub summary: Summary,
    /// Its tracks, by number.
    pub tracks: Vec<Track>,
    /// Its chat, in order.
    pub chat: Vec<Chat>,
    /// Who was there and might speak, in the order in which they came.
    pub attendance: Vec<Attendance>,
    /// Its markers, in the order of their places.
    pub markers: Vec<Marker>,
    /// What was made out of it, so far.
    pub derived: Vec<DerivedFile>,
}

impl Recording {
    /// Its parts, each with its track, in order.
    pub fn parts(&self) -> impl Iterator<Item = (&Track, &Part)> {
        self.tracks.iter().flat_map(|track| track.parts.iter().map(move |part| (track, part)))
    }
}
