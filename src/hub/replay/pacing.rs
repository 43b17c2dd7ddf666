//! When a replay sends what: a plain struct that is given the time, and says what is to be done next.
//!
//! What belongs here: where the replay is, how far ahead it sends, what a command changes. What does not: packets, files,
//! and who waits.
//!
//! The sound is sent [`LEAD`] ahead of real time, so that a listener has something to wait with, in turns of [`TURN`]. A
//! listener who does not take what is sent is sent no more: the replay waits, and goes on where it stopped. Nothing is
//! skipped. Of several seeks that wait only the last is carried out.

use std::time::Duration;

use crate::hub::rendition::MESSAGE;
use crate::media::time::{Moment, Ticks};
use crate::wire::v1::Replaying;

/// How far ahead of real time sound is sent.
pub const LEAD: Ticks = Ticks::from_secs(1);
/// How much is sent at a time: a plain message. Each send costs about the same, however much is in it.
pub const TURN: Ticks = MESSAGE;
/// With more bytes than these waiting for its socket a listener is sent no more.
pub const MOST_WAITING: usize = 16 * 1024;
/// How often such a listener is looked at.
const HELD: Duration = Duration::from_millis(100);
/// How often a recording that is still being made is looked at where all of it was sent.
const EDGE: Duration = Duration::from_millis(500);

/// How long a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Nothing will be added.
    Final(Ticks),
    /// So far; more may come.
    SoFar(Ticks),
}

impl Extent {
    /// The length.
    #[must_use]
    pub const fn length(self) -> Ticks {
        match self {
            Self::Final(length) | Self::SoFar(length) => length,
        }
    }
}

/// What a client wants of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Go on from there.
    Seek(Ticks),
    /// Stop there.
    Pause,
    /// Go on; from the start, where it has ended.
    Play,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing before a command comes.
    Nothing,
    /// Nothing for so long.
    Wait(Duration),
    /// Nothing for so long, and then the recording is to be looked at again: all that was known of it was sent.
    Look(Duration),
    /// Forget what was read, and go on from there; then tell where the replay is.
    Move(Ticks),
    /// Tell where the replay is.
    Tell,
    /// Send everything before this that was not sent; then say so with [`Pacing::sent`].
    Send(Ticks),
    /// It is at the end: send what is left, and tell.
    End,
}

/// Where a replay is.
#[derive(Clone, Debug)]
pub struct Pacing {
    play: Play,
    /// Everything before this was sent.
    sent: Ticks,
    /// Where to go.
    wanted: Option<Ticks>,
    /// Whether the client is to be told.
    tell: bool,
    seeks: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Play {
    /// It was at `from` at `since`, and runs.
    Playing { from: Ticks, since: Moment },
    /// It stands.
    Paused(Ticks),
    /// All of it was played.
    Ended,
}

impl Pacing {
    /// A replay that begins at `at`.
    #[must_use]
    pub const fn new(at: Ticks) -> Self {
        Self { play: Play::Ended, sent: at, wanted: Some(at), tell: false, seeks: 0 }
    }

    /// Takes a command.
    pub fn command(&mut self, command: Command, now: Moment, extent: Extent) {
        match command {
            Command::Seek(at) => {
                self.seeks += 1;
                self.wanted = Some(at);
            }
            Command::Pause => {
                if let Play::Playing { .. } = self.play {
                    self.play = Play::Paused(self.position(now, extent));
                } else if self.wanted.is_some() {
                    // It is on its way out of the end.
                    self.play = Play::Paused(extent.length());
                }
                self.tell = true;
            }
            Command::Play => {
                if !matches!(self.play, Play::Playing { .. }) {
                    let from = self.wanted.unwrap_or_else(|| self.position(now, extent));
                    if Self::is_end(from, extent) {
                        self.wanted = Some(Ticks::ZERO);
                    }
                    self.play = Play::Playing { from, since: now };
                }
                self.tell = true;
            }
        }
    }

    /// What is to be done next, where so many bytes wait for the listener's socket.
    pub fn next(&mut self, now: Moment, extent: Extent, waiting: usize) -> Next {
        if waiting > MOST_WAITING {
            return Next::Wait(HELD);
        }
        if let Some(wanted) = self.wanted.take() {
            let at = wanted.min(extent.length());
            self.play = match self.play {
                Play::Paused(_) => Play::Paused(at),
                Play::Playing { .. } | Play::Ended if Self::is_end(at, extent) => Play::Ended,
                Play::Playing { .. } | Play::Ended => Play::Playing { from: at, since: now },
            };
            self.sent = at;
            self.tell = false;
            return Next::Move(at);
        }
        if std::mem::take(&mut self.tell) {
            return Next::Tell;
        }
        let Play::Playing { from, since } = self.play else { return Next::Nothing };
        let mut at = from.saturating_add(Ticks::from_duration(now.since(since)));
        let length = extent.length();
        if self.sent >= length {
            return match extent {
                Extent::Final(_) if at >= length => {
                    self.play = Play::Ended;
                    Next::End
                }
                Extent::Final(_) => Next::Wait(wait(length.saturating_sub(at))),
                Extent::SoFar(_) => Next::Look(EDGE),
            };
        }
        if at > self.sent {
            // The listener has run dry, by our fault or by theirs: it goes on where it stopped.
            at = self.sent;
            self.play = Play::Playing { from: at, since: now };
        }
        let until = at.saturating_add(LEAD).min(length);
        if until >= self.sent.saturating_add(TURN) || (until == length && until > self.sent) {
            Next::Send(until)
        } else {
            let due = self.sent.saturating_add(TURN).min(length);
            Next::Wait(wait(due.saturating_sub(at.saturating_add(LEAD))))
        }
    }

    /// Everything before this was sent.
    pub fn sent(&mut self, until: Ticks) {
        self.sent = until;
    }

    /// What the listener hears by now.
    #[must_use]
    pub fn position(&self, now: Moment, extent: Extent) -> Ticks {
        match self.play {
            Play::Playing { from, since } => from.saturating_add(Ticks::from_duration(now.since(since))).min(self.sent),
            Play::Paused(at) => at,
            Play::Ended => extent.length(),
        }
    }

    /// What the replay does.
    #[must_use]
    pub const fn state(&self) -> Replaying {
        match self.play {
            Play::Playing { .. } => Replaying::Playing,
            Play::Paused(_) => Replaying::Paused,
            Play::Ended => Replaying::Ended,
        }
    }

    /// How many seeks were taken.
    #[must_use]
    pub const fn seeks(&self) -> u64 {
        self.seeks
    }

    fn is_end(at: Ticks, extent: Extent) -> bool {
        matches!(extent, Extent::Final(length) if at >= length)
    }
}

/// So long that the ticks have passed when it is over.
fn wait(ticks: Ticks) -> Duration {
    ticks.as_duration() + Duration::from_millis(1)
}
