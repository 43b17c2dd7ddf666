//! A replay: a room with one listener, whose publisher is the archive. The same renditions, frames and outboxes carry it.
//!
//! What belongs here: the shell that reads pieces, and waits for its turn. What does not: when what is sent (`pacing.rs`), what is
//! read next of a track (`track.rs`), in what it is sent (`sending.rs`, `one_sound.rs`), the words (`telling.rs`), files (the archive),
//! sockets and the words of a protocol (the edge).
//!
//! A replay runs in the task of its listener's socket, and needs no mailbox: nothing of it crosses threads but the pieces
//! that the archive reads for it.

mod one_sound;
mod pacing;
mod sending;
mod telling;
#[cfg(test)]
mod tests;
mod track;

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::LocalBoxFuture;

use self::one_sound::{Mixed, OneSound};
pub use self::pacing::{Command, MOST_WAITING};
use self::pacing::{Extent, Next, Pacing};
use self::sending::{Hears, sounding};
use self::track::TrackReader;
use super::fanout::Reads;
use super::outbox::Outbox;
use super::rendition::{PRE_ROLL, Plain, Rendition};
use super::time::Clock;
use crate::archive::timeline::Happening;
use crate::archive::{self, Archive, OpenRecording, Piece, Wanted};
use crate::media::time::{Moment, Ticks};
use crate::media::track::Format;
use crate::wire::v1::Participant;

/// How long before a place a decoder begins, so that it has converged when it comes there.
const CONVERGENCE: Ticks = Ticks::from_millis(100);
/// The most pieces that are read in one go; what is left is read after them.
const MOST_PIECES: usize = 64;
/// The most bytes of samples that are sent in one go, somewhat: half of what an outbox holds.
const MOST_AT_ONCE: u64 = 256 * 1024;
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
    hears: Hears,
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
    Mixed(Mixed),
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
        let hears = match (reads.each(), reads) {
            (Some(layout), _) => Hears::Each(Rendition::new(layout)),
            (None, Reads::Plain(Plain { layout, .. })) => Hears::One(Box::new(OneSound::new(layout))),
            (None, reads) => Hears::V1 { pcm: reads == Reads::V1Pcm },
        };
        let now = clock.now();
        let (pacing, due) = (Pacing::new(from), Some(now));
        let (readers, told, restated) = (Vec::new(), from, from);
        let replay = Self {
            archive,
            clock,
            recording,
            outbox,
            hears,
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
                    let until = until.min(self.pacing.has_sent().saturating_add(self.at_once()));
                    if self.read(until) {
                        break;
                    }
                    self.send(until, now);
                    self.pacing.sent(until);
                    if self.mix(until) {
                        break;
                    }
                    // What the socket does not take is waited for before more is sent.
                    self.outbox.flush(now);
                }
                Next::End => {
                    self.send_last(now);
                    // What the mix still holds comes before it is said that all of it was heard.
                    if self.mix(self.pacing.has_sent()) {
                        break;
                    }
                    self.tell_place(now);
                }
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
            Done::Mixed(mixed) => self.take_mixed(mixed),
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

    /// Has mixed what there is to mix up to this place; says whether there is.
    fn mix(&mut self, until: Ticks) -> bool {
        let Hears::One(one) = &mut self.hears else { return false };
        let Some(work) = one.work(until) else { return false };
        self.busy = Some(Box::pin(async move { Done::Mixed(work.await) }));
        true
    }

    fn take_mixed(&mut self, mixed: Mixed) {
        let (now, at) = (self.clock.now(), self.pacing.has_sent());
        let Hears::One(one) = &mut self.hears else { return };
        let all = sounding(&self.recording, &self.readers);
        for frame in one.take(mixed, &all, now, at) {
            sending::push(&*self.outbox, frame, now);
        }
        self.outbox.flush(now);
        if self.told == Ticks::MAX {
            // That was the end of it.
            self.tell_place(now);
        }
    }

    /// Forgets what was read, and goes on from there.
    fn move_to(&mut self, at: Ticks) {
        let lead = match &mut self.hears {
            Hears::V1 { .. } => CONVERGENCE,
            Hears::Each(rendition) => {
                rendition.move_to(at);
                PRE_ROLL
            }
            Hears::One(one) => {
                one.move_to(at);
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

    /// How much is sent before it is asked what of it waits. Nothing of a replay is skipped, so that too much of it would end the
    /// connection, and a second of samples may be more than an outbox holds.
    fn at_once(&self) -> Ticks {
        let bytes_a_second = |reader: &TrackReader| {
            let parts = self.recording.recording.tracks[reader.track].parts.iter();
            let of = |format: &Format| match format {
                Format::Pcm(head) => u64::from(head.rate()) * head.frame_bytes() as u64,
                Format::Opus(_) => 0,
            };
            parts.map(|part| of(&part.format)).max().unwrap_or_default()
        };
        let all: u64 = if matches!(self.hears, Hears::V1 { pcm: true }) {
            self.readers.iter().map(bytes_a_second).sum()
        } else {
            0
        };
        let ticks = (MOST_AT_ONCE * Ticks::PER_SECOND).checked_div(all);
        ticks.map_or(Ticks::MAX, |ticks| Ticks::new(ticks.max(1)))
    }
}

/// Whether something is told that happens at or after a place. Who came and what began by then was restated there; what was
/// said was not.
fn is_told(restated: Ticks, (at, happening): (Ticks, Happening)) -> bool {
    at > restated || (at == restated && matches!(happening, Happening::Chat(_)))
}
