//! The writer: one thread of the process that writes every recording, and the only one that writes the index.
//!
//! What belongs here: what the hub tells about a recording, in memory until a round makes it durable, and the round.
//! What does not: when a session ends, whether a silence was a stall or a pause, how much may wait (the hub bounds what
//! is in flight, by what [`Event::Durable`] gives back).
//!
//! A round, for everything that is waiting, in this order:
//!
//! 1. new folders and files are created, the bytes written, every file synced, every folder with a new name in it synced;
//! 2. one transaction of the index says so;
//! 3. spools that their part now holds are unlinked; the session file is replaced where something but sound changed;
//! 4. the events go out.
//!
//! What the disk refuses:
//!
//! - **A part or a spool** (create, write, sync, its folder's sync) ends where it was durable before, and all that came since is
//!   written to another file in the same round: nothing is lost where the disk takes that one. A sync that failed is never asked for again:
//!   what it was about is taken out of the file. After some files in a row, or very many in all, the recording ends with `io_error`.
//! - **No space**, asked for before each round (`space`) or met in it: the recording ends with `disk_full`, where it is
//!   durable; its parts get their last pages from the reserve.
//! - **A session file, a spool that is to go**: done in the next round. No sound waits for it, and nobody's acknowledgement.
//! - **The index**: the recording ends with `io_error` or `disk_full`, and nothing of that round is ever told to be durable. The files are
//!   left as they are, since a commit that failed may be there after a crash.
//!
//! From then on the writer looks every second whether the disk is well again (`health`); the hub begins another recording
//! then. A disk that hangs holds up this thread and nothing else: what is told meanwhile waits in the channel, which the hub bounds.

mod health;
mod log;
mod manage;
mod mark;
mod part;
mod recording;
mod round;
mod space;
mod thread;
mod track;
mod trouble;

use std::fmt;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::handle::{Change, Error, MarkerChange};
use super::index::derived::Asked;
use super::model::{
    Anchor, Attendance, Chat, DerivedFile, Edition, EndReason, Gap, Marker, RecordingId, Restart, State, Summary, Words,
};
use super::retention::{Expiry, Reason, Space};
use crate::archive::settings::Settings;
use crate::media::packet::{Packet, Sequence};
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

pub use health::Health;
pub(super) use log::{Unfit, Wav, pause_gap, serial};
pub(super) use manage::{remove_if_there, replace_session_file, unlink};
pub(super) use recording::ended;
pub(super) use round::Writer;
pub(super) use space::RESERVE;
pub(super) use thread::shell;
pub(super) use trouble::Trouble;

/// A recording that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecording {
    /// Its ID, which no other has.
    pub id: RecordingId,
    /// Where it is made.
    pub room: RoomName,
    /// When the session's clock was at zero.
    pub started: UnixMillis,
}

/// A part that begins: its track's first, or the next after one that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPart {
    /// The track's number in the recording, from 1.
    pub track: TrackNumber,
    /// Its place among the track's parts, from 1. Where parts before it had to go on in other files, it gets a higher one.
    pub number: u32,
    /// Whose track it is; of a track's later parts this is not looked at.
    pub participant: Uuid,
    /// What they call themselves; of a track's later parts this is not looked at.
    pub name: ParticipantName,
    /// How its packets are encoded.
    pub format: Format,
    /// The codec that its publisher used.
    pub source: Codec,
    /// Where it begins, on the track's count and on the session's clock.
    pub start: Anchor,
    /// The number of its first packet.
    pub first: Sequence,
}

/// What the writer tells of a recording, on its own thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Packets are durable: file and index are synced.
    Durable {
        /// Of which track.
        track: TrackNumber,
        /// The number after the last of them.
        next: Sequence,
        /// How many bytes of packets became so since the last time.
        bytes: usize,
    },
    /// The recording has ended, by a disk that is full or broken. What is not durable by now never will be. The last
    /// event; whatever else is sent to it is discarded.
    Failed {
        /// [`EndReason::DiskFull`] or [`EndReason::IoError`].
        reason: EndReason,
        /// What happened, for the log.
        message: String,
    },
    /// The recording has ended as it was told to, and is complete. The last event.
    Ended,
}

/// Where the events of a recording go. Called on the writer's thread: it must only hand on.
pub type Events = Box<dyn Fn(Event) + Send>;

/// The way to write one recording: each method is a message to the writer's thread, in order, and returns at once.
/// Nothing waits here; what is in flight is bounded by the hub. A recording whose handle is dropped before [`Self::end`]
/// ends as `crashed`.
#[derive(Debug)]
pub struct RecordingWriter {
    id: RecordingId,
    commands: mpsc::UnboundedSender<Command>,
    ended: bool,
}

impl RecordingWriter {
    pub(super) fn new(new: NewRecording, events: Events, commands: mpsc::UnboundedSender<Command>) -> Self {
        let writer = Self { id: new.id, commands, ended: false };
        writer.send(Command::Begin { new, events });
        writer
    }

    /// The recording's ID.
    #[must_use]
    pub const fn id(&self) -> RecordingId {
        self.id
    }

    /// Begins a part, and with a track's first part the track. The track's part before it must have ended.
    pub fn begin_part(&self, part: NewPart) {
        self.step(Step::BeginPart(part));
    }

    /// Packets for the track's part, at its end; for its spool, while one is open.
    pub fn append(&self, track: TrackNumber, packets: Vec<Packet>) {
        self.step(Step::Append(track, packets));
    }

    /// Time without packets at the end of the track. Where it is `filled`, the part gets silence: coded
    /// (RFC 7845 §4.1), what is left of it, less than 2.5 ms, coming with the part's next gap; or plain, to the nearest frame.
    pub fn gap(&self, track: TrackNumber, gap: Gap) {
        self.step(Step::Gap(track, gap));
    }

    /// Pins the track's clock to the session's.
    pub fn anchor(&self, track: TrackNumber, anchor: Anchor) {
        self.step(Step::Anchor(track, anchor));
    }

    /// Notes that the track's encoder started again within its part.
    pub fn restart(&self, track: TrackNumber, restart: Restart) {
        self.step(Step::Restart(track, restart));
    }

    /// Packets that came after a silence, while it is open whether that was a stall or a pause. They become durable
    /// beside the part. `at_pause` is how long the gap is if it turns out a pause; the spool's first call sets it.
    pub fn spool(&self, track: TrackNumber, at_pause: Ticks, packets: Vec<Packet>) {
        self.step(Step::Spool(track, at_pause, packets));
    }

    /// It is told: the spool's packets go to the end of the part, after the gap if it was a pause.
    pub fn settle(&self, track: TrackNumber, gap: Option<Gap>) {
        self.step(Step::Settle(track, gap));
    }

    /// Ends the track's part, Ogg with its last page. A spool that is still open is settled as a pause.
    pub fn end_part(&self, track: TrackNumber) {
        self.step(Step::EndPart(track));
    }

    /// A line of chat. What is said before the recording's first part is kept with it.
    pub fn chat(&self, chat: Chat) {
        self.step(Step::Chat(chat));
    }

    /// A marker. One that is set before the recording's first part is kept with it.
    pub fn mark(&self, marker: Marker) {
        self.step(Step::Mark(marker));
    }

    /// Someone who may speak came. Who came before the recording's first part is kept with it.
    pub fn joined(&self, stay: Attendance) {
        self.step(Step::Joined(stay));
    }

    /// Someone who was told to have come went, at this place on the session's clock.
    pub fn left(&self, participant: Uuid, at: Ticks) {
        self.step(Step::Left(participant, at));
    }

    /// Where the session is in its life. An end is told by [`Self::end`]; here it is ignored.
    pub fn state(&self, state: State) {
        self.step(Step::State(state));
    }

    /// Ends the recording: its parts get their last pages, and [`Event::Ended`] comes when all of it is durable.
    pub fn end(mut self, reason: EndReason, at: UnixMillis) {
        self.ended = true;
        self.step(Step::End(reason, at));
    }

    fn step(&self, step: Step) {
        self.send(Command::Step(self.id, step));
    }

    /// A thread that is gone takes nothing any more, and tells nobody that anything is durable: the truth.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl Drop for RecordingWriter {
    fn drop(&mut self) {
        if !self.ended {
            self.step(Step::Dropped);
        }
    }
}

/// What the writer's thread is told.
pub(super) enum Command {
    /// A recording begins.
    Begin {
        /// Which.
        new: NewRecording,
        /// Where its events go.
        events: Events,
    },
    /// A recording goes on.
    Step(RecordingId, Step),
    /// Someone changes a recording.
    Change {
        /// Which.
        id: RecordingId,
        /// What of it.
        change: Change,
        /// What it is then.
        reply: Reply<Summary>,
    },
    /// Someone changes a marker of a recording.
    Mark {
        /// Which recording.
        id: RecordingId,
        /// What of it.
        change: MarkerChange,
        /// What the marker is then, or was.
        reply: Reply<Marker>,
    },
    /// Someone deletes a recording.
    Delete {
        /// Which.
        id: RecordingId,
        /// By which limit, where it was no person.
        expiry: Option<Expiry>,
        /// When it is gone.
        reply: Reply<()>,
    },
    /// Deletions are to be finished that could not be.
    FinishDeletions {
        /// Which of them are finished that a limit asked for, when that was tried.
        reply: Reply<Vec<(Reason, u64)>>,
    },
    /// Someone sets something of a room.
    Settings {
        /// Which.
        room: RoomName,
        /// What is set of it from then on.
        settings: Settings,
        /// When the index says it.
        reply: Reply<()>,
    },
    /// Someone asks how much of the disk is free.
    Space {
        /// How much.
        reply: Reply<Space>,
    },
    /// What is there because someone asked for it is to go, for the place that it takes.
    Evict {
        /// Which.
        file: Asked,
        /// When it is gone.
        reply: Reply<()>,
    },
    /// The maker tells of what is derived from a recording.
    Derived {
        /// Which.
        id: RecordingId,
        /// What it tells.
        news: DerivedNews,
        /// When the index says it.
        reply: Reply<()>,
    },
    /// Someone asks whether the disk can be written.
    Probe {
        /// Whether it can.
        reply: Reply<()>,
    },
    /// The hub stops.
    Close {
        /// When the thread has nothing left to do.
        reply: Reply<()>,
    },
}

/// What the maker tells. Words are those that it worked with: where they are others by now, the index says that all is to be
/// made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DerivedNews {
    /// A file is there, and durable.
    Made(DerivedFile, Words),
    /// All files are there, by recipes of this sum.
    All(u32, Words),
    /// Another file is about to take the name of this one.
    Changing(Edition),
    /// A file is not there any more, or not as it was.
    Gone(Edition),
}

/// Where an answer goes. Who has stopped waiting for it does not hear it.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin { new, .. } => f.debug_tuple("Begin").field(new).finish(),
            Self::Step(id, step) => f.debug_tuple("Step").field(id).field(step).finish(),
            Self::Change { id, change, .. } => f.debug_tuple("Change").field(id).field(change).finish(),
            Self::Mark { id, change, .. } => f.debug_tuple("Mark").field(id).field(change).finish(),
            Self::Delete { id, expiry, .. } => f.debug_tuple("Delete").field(id).field(expiry).finish(),
            Self::FinishDeletions { .. } => f.write_str("FinishDeletions"),
            Self::Settings { room, settings, .. } => f.debug_tuple("Settings").field(room).field(settings).finish(),
            Self::Space { .. } => f.write_str("Space"),
            Self::Evict { file, .. } => f.debug_tuple("Evict").field(file).finish(),
            Self::Derived { id, news, .. } => f.debug_tuple("Derived").field(id).field(news).finish(),
            Self::Probe { .. } => f.write_str("Probe"),
            Self::Close { .. } => f.write_str("Close"),
        }
    }
}

/// How a recording goes on; each is a method of [`RecordingWriter`].
#[derive(Debug)]
pub(super) enum Step {
    BeginPart(NewPart),
    Append(TrackNumber, Vec<Packet>),
    Gap(TrackNumber, Gap),
    Anchor(TrackNumber, Anchor),
    Restart(TrackNumber, Restart),
    Spool(TrackNumber, Ticks, Vec<Packet>),
    Settle(TrackNumber, Option<Gap>),
    EndPart(TrackNumber),
    Chat(Chat),
    Mark(Marker),
    Joined(Attendance),
    Left(Uuid, Ticks),
    State(State),
    End(EndReason, UnixMillis),
    Dropped,
}
