//! The recorder: one actor for each session; a subscriber of the room like any other, except that it never loses a packet
//! without recording a gap.
//!
//! What belongs here: the hand-over between room and archive. What does not: how much may wait (`queue.rs`), what becomes of an
//! entry (`ledger.rs`), whose clock it is told by (`origin.rs`), files (the archive).

mod ledger;
mod origin;
mod queue;

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, Message, Recipient};
use uuid::Uuid;

use self::ledger::{Ledger, Write};
use self::origin::Origin;
use self::queue::{InFlight, Sent};
pub use self::queue::{LONGEST_WAIT, MOST_BYTES};
use super::clock::Step;
use crate::archive::model::{Attendance, Chat, EndReason, Marker, RecordingId, State};
use crate::archive::{Archive, Event, NewRecording, RecordingWriter};
use crate::media::packet::{Packet, Sequence};
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

/// Entries that may wait for the recorder's turn. It hands them on without waiting, so they are few.
const MAILBOX: usize = 4096;

/// Whose a track of a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The connection.
    pub participant: Uuid,
    /// What they call themselves.
    pub name: ParticipantName,
    /// The publisher's own number for the track.
    pub local: u16,
}

/// A recording of a session that begins: its first, or another after one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The recording.
    pub id: RecordingId,
    /// When it begins.
    pub started: UnixMillis,
    /// Where the session's clock is then.
    pub zero: Ticks,
}

/// What the archive says of the session's recording.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct Archived {
    /// Of which recording.
    pub recording: Uuid,
    /// What.
    pub event: Event,
}

/// What a room tells its recorder, in order.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum Entry {
    /// Packets of a track.
    Sound {
        /// Its number in the recording.
        track: TrackNumber,
        /// Whose it is.
        owner: Arc<Owner>,
        /// How the packets are encoded.
        format: Format,
        /// What their publisher sent.
        source: Codec,
        /// Whether an encoder started (again) with the first.
        restarted: bool,
        /// What the clock says of them: one [`Step::Packet`] for each, and what else is to be said.
        steps: Vec<Step>,
        /// The packets.
        packets: Vec<Packet>,
    },
    /// What the clock says without a packet.
    Steps {
        /// The track's number in the recording.
        track: TrackNumber,
        /// What it says.
        steps: Vec<Step>,
    },
    /// A track has ended.
    EndTrack {
        /// Its number in the recording.
        track: TrackNumber,
    },
    /// Someone said something.
    Chat(Chat),
    /// Someone set a marker.
    Mark(Marker),
    /// Someone who may speak came.
    Joined(Attendance),
    /// Someone of them went, at this place on the session's clock.
    Left(Uuid, Ticks),
    /// The session's life went on.
    State(State),
    /// The session has ended.
    Finish(EndReason, UnixMillis),
}

/// A room's end of the queue to its recorder.
#[derive(Debug)]
pub struct Link {
    recorder: Addr<Recorder>,
    in_flight: InFlight,
}

/// Packets that the recorder did not take: its queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// The track's number in the recording.
    pub track: TrackNumber,
    /// The first of them.
    pub begin: Sequence,
    /// The number after the last.
    pub end: Sequence,
}

impl Link {
    /// Starts a session's recorder on this thread. What the archive says goes to `room`.
    #[must_use]
    pub fn start(archive: &Archive, room_name: RoomName, session: NewSession, room: Recipient<Archived>) -> Self {
        let in_flight = InFlight::default();
        let waiting = in_flight.bytes();
        let recording = session.id.uuid();
        let events = Box::new(move |event: Event| {
            if let Event::Durable { bytes, .. } = event {
                waiting.release(bytes);
            }
            // One for each track and round: control, not media.
            room.do_send(Archived { recording, event });
        });
        let new = NewRecording { id: session.id, room: room_name, started: session.started };
        let recorder = Recorder { hand: Hand::new(archive.begin(new, events), session.zero) }.start();
        Self { recorder, in_flight }
    }

    /// Hands an entry to the recorder.
    ///
    /// # Errors
    /// Where it carries sound and too much of that waits already. What is not sound is always taken.
    pub fn send(&mut self, entry: Entry) -> Result<(), Full> {
        let Entry::Sound { track, packets, .. } = &entry else {
            self.recorder.do_send(entry);
            return Ok(());
        };
        let (Some(first), Some(last)) = (packets.first(), packets.last()) else { return Ok(()) };
        let full = Full { track: *track, begin: first.sequence, end: last.sequence.next() };
        let bytes: usize = packets.iter().map(|packet| packet.data.len()).sum();
        let sound = packets.iter().fold(Ticks::ZERO, |sum, packet| sum.saturating_add(packet.duration));
        let sent = Sent { track: *track, end: full.end, bytes, sound };
        let recorder = &self.recorder;
        if self.in_flight.send(sent, || recorder.try_send(entry).is_ok()) { Ok(()) } else { Err(full) }
    }

    /// Whether far less waits than may: where sound was lost, it is not any more, of no track.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.in_flight.is_clear()
    }

    /// What waits for the recorder, also after the link is gone.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        Waiter(self.recorder.clone())
    }

    /// Packets of a track are durable: they wait no longer.
    pub fn durable(&mut self, track: TrackNumber, next: Sequence) {
        self.in_flight.durable(track, next);
    }
}

/// The actor.
pub struct Recorder {
    hand: Hand,
}

/// What writes a session's entries down: the recorder without its mailbox.
#[derive(Debug)]
pub(super) struct Hand {
    origin: Origin,
    ledger: Ledger,
    /// None once the recording has ended.
    writer: Option<RecordingWriter>,
}

impl Hand {
    /// One for a recording that begins here on the session's clock.
    pub(super) fn new(writer: RecordingWriter, zero: Ticks) -> Self {
        Self { origin: Origin::new(zero), ledger: Ledger::default(), writer: Some(writer) }
    }

    /// Hands an entry on to the archive.
    pub(super) fn take(&mut self, entry: Entry) {
        let Some(writer) = &self.writer else { return };
        match self.origin.tell(entry) {
            Entry::Chat(chat) => writer.chat(chat),
            Entry::Mark(marker) => writer.mark(marker),
            Entry::Joined(stay) => writer.joined(stay),
            Entry::Left(participant, at) => writer.left(participant, at),
            Entry::State(state) => writer.state(state),
            Entry::Finish(reason, at) => {
                if let Some(writer) = self.writer.take() {
                    writer.end(reason, at);
                }
            }
            sound => {
                if let Some((track, writes)) = self.ledger.take(sound) {
                    for write in writes {
                        carry_out(writer, track, write);
                    }
                }
            }
        }
    }
}

impl Actor for Recorder {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

/// Waits for a recorder.
pub struct Waiter(Addr<Recorder>);

impl Waiter {
    /// Resolves when the recorder has handed on everything that it was sent so far.
    pub async fn handed_on(self) {
        // A recorder that is gone has nothing left.
        let _ = self.0.send(HandedOn).await;
    }
}

/// Answered behind everything that was sent before.
#[derive(Message)]
#[rtype(result = "()")]
struct HandedOn;

impl Handler<HandedOn> for Recorder {
    type Result = ();

    fn handle(&mut self, HandedOn: HandedOn, _: &mut Self::Context) {}
}

impl Handler<Entry> for Recorder {
    type Result = ();

    fn handle(&mut self, entry: Entry, _: &mut Self::Context) {
        self.hand.take(entry);
    }
}

fn carry_out(writer: &RecordingWriter, track: TrackNumber, write: Write) {
    match write {
        Write::BeginPart(part) => writer.begin_part(part),
        Write::Append(packets) => writer.append(track, packets),
        Write::Gap(gap) => writer.gap(track, gap),
        Write::Anchor(anchor) => writer.anchor(track, anchor),
        Write::Restart(restart) => writer.restart(track, restart),
        Write::Spool(pause, packets) => writer.spool(track, pause, packets),
        Write::Settle(gap) => writer.settle(track, gap),
        Write::EndPart => writer.end_part(track),
    }
}
