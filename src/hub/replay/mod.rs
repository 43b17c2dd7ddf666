//! A replay: a room with one listener, whose publisher is the archive. The same renditions, frames and outboxes carry it.
//!
//! What belongs here: the shell that reads pieces, waits for its turn, and says to the listener what happens. What does
//! not: when what is sent (`pacing.rs`), what is read next of a track (`track.rs`), the words (`telling.rs`), files (the archive), sockets and the
//! words of a protocol (the edge).
//!
//! A replay runs in the task of its listener's socket, and needs no mailbox: nothing of it crosses threads but the pieces
//! that the archive reads for it.

mod pacing;
mod telling;
#[cfg(test)]
mod tests;
mod track;

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

pub use self::pacing::{Command, MOST_WAITING};
use self::pacing::{Extent, Next, Pacing};
use self::telling::told;
use self::track::TrackReader;
use super::fanout::Reads;
use super::outbox::{Cargo, Frame, Outbox};
use super::rendition::{self, PRE_ROLL, Placed, Rendition};
use super::time::Clock;
use crate::archive::timeline::Happening;
use crate::archive::{self, Archive, OpenRecording, Piece, Wanted};
use crate::media::time::{Moment, Ticks};
use crate::media::track::Format;
use crate::wire::v1::{Notice, Participant};

/// How long before a place a decoder begins, so that it has converged when it comes there.
const CONVERGENCE: Ticks = Ticks::from_millis(100);
/// The most pieces that are read in one go; what is left is read after them.
const MOST_PIECES: usize = 64;
/// How far behind the session's clock a replay of a recording stays that is still being made: what is said is durable by
/// then, mostly. What is not is sent late, and not left out.
const SETTLED: Ticks = Ticks::from_millis(1500);

/// A listener who comes to hear a recording.
pub struct Opening {
    /// Which.
    pub recording: archive::model::RecordingId,
    /// From where on.
    pub from: From,
    /// Who.
    pub participant: Participant,
    /// What they read.
    pub reads: Reads,
    /// Where what they read goes.
    pub outbox: Rc<dyn Outbox>,
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// So long after the session's start.
    Start(Ticks),
    /// So long before the recording's end.
    End(Ticks),
}

/// A replay to one listener.
pub struct Replay {
    archive: Archive,
    clock: Clock,
    recording: Arc<OpenRecording>,
    outbox: Rc<dyn Outbox>,
    /// What a plain listener reads; none where `roomtone.v1` is read.
    rendition: Option<Rendition>,
    /// Whether they get tracks of PCM as PCM.
    pcm: bool,
    pacing: Pacing,
    readers: Vec<TrackReader>,
    /// What happens before this was told.
    told: Ticks,
    /// Who and what was there then was restated.
    restated: Ticks,
    /// What happened before that, and was not known then.
    late: Vec<Happening>,
    /// When the index was last asked what there is.
    looked: Moment,
    /// Whether the recording is gone from the index: nothing will be added to it.
    gone: bool,
    /// What is waited for, away from here.
    busy: Option<LocalBoxFuture<'static, Done>>,
    /// When there is something to do; none before a command comes.
    due: Option<Moment>,
}

/// What was waited for.
enum Done {
    Read(Vec<usize>, Vec<io::Result<Piece>>),
    Looked(Result<Arc<OpenRecording>, archive::Error>),
}

impl Replay {
    /// Opens a recording for a listener, who is welcomed.
    ///
    /// # Errors
    /// Where there is no such recording, or the index cannot be read.
    pub async fn open(archive: Archive, clock: Clock, opening: Opening) -> Result<Self, archive::Error> {
        let Opening { recording, from, participant, reads, outbox } = opening;
        let recording = archive.open_recording(recording, clock.now()).await?;
        let length = recording.recording.summary.length;
        let from = match from {
            From::Start(at) => at.min(length),
            From::End(before) => length.saturating_sub(before),
        };
        let rendition = match reads {
            Reads::V1 | Reads::V1Pcm => None,
            // A replay gives each speaker's own messages: what is mixed of a recording is in its files.
            Reads::Plain(plain) => Some(Rendition::new(plain.layout)),
        };
        let now = clock.now();
        let (pacing, due) = (Pacing::new(from), Some(now));
        let (readers, told, restated) = (Vec::new(), from, from);
        let replay = Self {
            archive,
            clock,
            recording,
            outbox,
            rendition,
            pcm: reads == Reads::V1Pcm,
            pacing,
            readers,
            told,
            restated,
            late: Vec::new(),
            looked: now,
            gone: false,
            busy: None,
            due,
        };
        replay.welcome(participant, from);
        Ok(replay)
    }

    /// From here on the listener is spoken to through this.
    pub fn speak_to(&mut self, outbox: Rc<dyn Outbox>) {
        self.outbox = outbox;
    }

    /// Takes a command. What it changes happens in the next turn.
    pub fn command(&mut self, command: Command) {
        let now = self.clock.now();
        self.pacing.command(command, now, self.extent());
        self.due = Some(now);
    }

    /// Where the replay is, on the session's clock.
    #[must_use]
    pub fn position(&self) -> Ticks {
        self.pacing.position(self.clock.now(), self.extent())
    }

    /// Waits until there is something to do, and does it; to be called again and again. Nothing is lost where the wait is
    /// given up.
    pub async fn turn(&mut self) {
        if let Some(busy) = &mut self.busy {
            let done = busy.await;
            self.busy = None;
            self.take(done);
        } else {
            match self.due {
                Some(due) => tokio::time::sleep(due.since(self.clock.now())).await,
                None => std::future::pending().await,
            }
        }
        self.step();
    }

    /// Does what is due.
    fn step(&mut self) {
        let now = self.clock.now();
        loop {
            match self.pacing.next(now, self.extent(), self.outbox.waiting()) {
                Next::Nothing => {
                    self.due = None;
                    break;
                }
                Next::Wait(duration) => {
                    self.due = Some(now.after(duration));
                    break;
                }
                Next::Look(duration) => {
                    let due = self.looked.after(duration);
                    if due <= now {
                        self.look(now);
                    } else {
                        self.due = Some(due);
                    }
                    break;
                }
                Next::Move(at) => self.move_to(at),
                Next::Tell => self.tell_place(now),
                Next::Send(until) => {
                    self.begin_tracks(until);
                    if self.read(until) {
                        break;
                    }
                    self.send(until, now);
                    self.pacing.sent(until);
                }
                Next::End => self.end(now),
            }
        }
        self.outbox.flush(now);
    }

    fn extent(&self) -> Extent {
        let summary = &self.recording.recording.summary;
        if self.gone || self.recording.has_ended() {
            return Extent::Final(summary.length);
        }
        let since = self.clock.wall().get().saturating_sub(summary.started.get());
        let clock = Ticks::from_millis(u64::try_from(since).unwrap_or(0));
        Extent::SoFar(summary.length.min(clock.saturating_sub(SETTLED)))
    }

    /// Asks the index what there is by now.
    fn look(&mut self, now: Moment) {
        self.looked = now;
        let (archive, id) = (self.archive.clone(), self.recording.recording.summary.id);
        self.busy = Some(Box::pin(async move { Done::Looked(archive.open_recording(id, now).await) }));
    }

    /// Reads what is missing of what comes before `until`; says whether anything is.
    fn read(&mut self, until: Ticks) -> bool {
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut whose = Vec::new();
        for index in 0..self.readers.len() {
            while wanted.len() < MOST_PIECES
                && let Some(piece) = self.readers[index].wants(&self.recording, until)
            {
                match self.recording.read_ready(&piece) {
                    Some(piece) => self.take_piece(index, Ok(piece)),
                    None => {
                        whose.push(index);
                        wanted.push(piece);
                        break;
                    }
                }
            }
        }
        if wanted.is_empty() {
            return false;
        }
        let (archive, recording) = (self.archive.clone(), Arc::clone(&self.recording));
        self.busy = Some(Box::pin(async move { Done::Read(whose, archive.read_pieces(recording, wanted).await) }));
        true
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Read(whose, pieces) => {
                whose.into_iter().zip(pieces).for_each(|(index, piece)| self.take_piece(index, piece));
            }
            Done::Looked(Ok(recording)) => {
                let news = recording.timeline.news(&self.recording.timeline, self.told);
                let late = news.filter(|happening| is_told(self.restated, *happening));
                self.late.extend(late.map(|(_, happening)| happening));
                self.recording = recording;
            }
            Done::Looked(Err(archive::Error::NotFound)) => self.gone = true,
            Done::Looked(Err(error)) => {
                tracing::warn!("a recording that is played cannot be looked up: {error}");
            }
        }
    }

    fn take_piece(&mut self, index: usize, piece: io::Result<Piece>) {
        let reader = &mut self.readers[index];
        if let Err(error) = reader.take(&self.recording, piece) {
            let track = reader.track;
            self.unreadable(track, &error);
        }
    }

    /// Forgets what was read, and goes on from there.
    fn move_to(&mut self, at: Ticks) {
        let lead = match &mut self.rendition {
            None => CONVERGENCE,
            Some(rendition) => {
                rendition.move_to(at);
                PRE_ROLL
            }
        };
        let recording = &self.recording;
        let from = at.saturating_sub(lead);
        self.readers =
            recording.timeline.tracks_at(at).map(|track| TrackReader::from(recording, track, from)).collect();
        (self.told, self.restated) = (at, at);
        self.late.clear();
        self.tell_place(self.clock.now());
    }

    /// Those tracks that begin before `until` are to be read, too.
    fn begin_tracks(&mut self, until: Ticks) {
        let due = self.recording.timeline.between(self.told, until).iter();
        let due = due.filter(|happening| is_told(self.restated, **happening)).map(|(_, happening)| *happening);
        for happening in self.late.iter().copied().chain(due) {
            if let Happening::Track(track, 0) = happening
                && self.readers.iter().all(|reader| reader.track != track)
            {
                self.readers.push(TrackReader::begin(track));
            }
        }
    }

    /// Sends what comes before `until`, happenings in time with the sound.
    fn send(&mut self, until: Ticks, now: Moment) {
        let recording = Arc::clone(&self.recording);
        let is_end = |happening: &Happening| matches!(happening, Happening::TrackEnded(_) | Happening::Left(_));
        let (ends, begins): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late).into_iter().partition(is_end);
        begins.into_iter().for_each(|happening| self.send_happening(happening, now));
        for (at, happening) in recording.timeline.between(self.told, until) {
            self.send_sound(*at, now);
            if is_told(self.restated, (*at, *happening)) {
                self.send_happening(*happening, now);
            }
        }
        self.send_sound(until, now);
        ends.into_iter().for_each(|happening| self.send_happening(happening, now));
        self.told = until;
    }

    fn send_sound(&mut self, until: Ticks, now: Moment) {
        for reader in &mut self.readers {
            while let Some((part, placed)) = reader.next(until) {
                let track = &self.recording.recording.tracks[reader.track];
                let Some(rendition) = &mut self.rendition else {
                    if self.pcm && matches!(track.parts[part].format, Format::Pcm(_)) {
                        rendition::v1_pcm(track.number, &placed).for_each(|frame| push(&*self.outbox, frame, now));
                    } else if let Some(frame) = rendition::v1(track.number, &placed) {
                        push(&*self.outbox, frame, now);
                    }
                    continue;
                };
                // What comes before the place is heard by nobody: it is the first message's pre-roll.
                let Placed { mut packets, discontinuity } = placed;
                let heard = packets.iter().position(|packet| packet.end() > self.restated).unwrap_or(packets.len());
                if discontinuity {
                    reader.recent.clear();
                }
                packets.drain(..heard).for_each(|packet| reader.recent.push(packet));
                if packets.is_empty() {
                    continue;
                }
                let placed = Placed { packets, discontinuity };
                let format = &track.parts[part].format;
                for frame in rendition.push(track.number, format, &reader.recent, &placed, now) {
                    push(&*self.outbox, frame, now);
                }
                placed.packets.into_iter().for_each(|packet| reader.recent.push(packet));
            }
        }
    }

    fn send_happening(&mut self, happening: Happening, now: Moment) {
        let recording = Arc::clone(&self.recording);
        let (tracks, chat) = (&recording.recording.tracks, &recording.recording.chat);
        let person = |index: usize| {
            let stay = &recording.timeline.people[index];
            Participant { id: stay.participant, name: stay.name.clone() }
        };
        match happening {
            Happening::Joined(index) => self.tell_v1(|| Notice::Joined { participant: person(index) }),
            Happening::Left(index) => self.tell_v1(|| Notice::Left { participant: person(index).id }),
            Happening::Track(track, part) => self.tell_v1(|| Notice::Track { track: told(&tracks[track], part) }),
            Happening::Chat(line) => self.say(&chat[line], now),
            Happening::TrackEnded(track) => {
                let number = tracks[track].number;
                self.readers.retain(|reader| reader.track != track);
                if let Some(frame) = self.rendition.as_mut().and_then(|rendition| rendition.end(number)) {
                    push(&*self.outbox, frame, now);
                }
                self.tell_v1(|| Notice::TrackEnded { track: number });
            }
        }
    }

    /// What was said after the last sound, and the last messages of the tracks; then that it is over.
    fn end(&mut self, now: Moment) {
        let recording = Arc::clone(&self.recording);
        let late = std::mem::take(&mut self.late);
        late.into_iter().for_each(|happening| self.send_happening(happening, now));
        for (_, happening) in recording.timeline.between(self.told, Ticks::MAX) {
            if matches!(happening, Happening::Chat(_) | Happening::TrackEnded(_)) {
                self.send_happening(*happening, now);
            }
        }
        self.readers.clear();
        self.told = Ticks::MAX;
        self.tell_place(now);
    }
}

/// Whether something is told that happens at or after a place. Who came and what began by then was restated there; what was
/// said was not.
fn is_told(restated: Ticks, (at, happening): (Ticks, Happening)) -> bool {
    at > restated || (at == restated && matches!(happening, Happening::Chat(_)))
}

/// A replay's sound is never skipped: a listener who is behind is sent no more, which bounds what waits.
fn push(outbox: &dyn Outbox, frame: Frame, now: Moment) {
    outbox.push(&Frame { cargo: Cargo::Kept, ..frame }, now);
}
