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
/// How much is sent at a time: two plain messages. A send costs about the same, however much is in it.
pub const TURN: Ticks = MESSAGE.saturating_add(MESSAGE);
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

    /// All up to here was sent just now.
    pub fn sent(&mut self, until: Ticks) {
        self.sent = until;
    }

    /// Everything before this was sent.
    pub const fn has_sent(&self) -> Ticks {
        self.sent
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

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Extent = Extent::Final(Ticks::from_secs(3600));

    fn at(millis: u64) -> Moment {
        Moment::START.after(Duration::from_millis(10_000 + millis))
    }

    fn secs(secs: u64) -> Ticks {
        Ticks::from_secs(secs)
    }

    /// Everything that is to be done at a time, up to the wait.
    fn all(pacing: &mut Pacing, millis: u64, extent: Extent) -> Vec<Next> {
        let mut all = Vec::new();
        loop {
            match pacing.next(at(millis), extent, 0) {
                Next::Nothing | Next::Wait(_) | Next::Look(_) => return all,
                next => {
                    if let Next::Send(until) = next {
                        pacing.sent(until);
                    }
                    all.push(next);
                    assert!(all.len() < 10, "{all:?}");
                }
            }
        }
    }

    fn playing(from: u64, extent: Extent) -> Pacing {
        let mut pacing = Pacing::new(secs(from));
        assert_eq!(all(&mut pacing, 0, extent)[0], Next::Move(secs(from).min(extent.length())));
        pacing
    }

    #[test]
    fn it_sends_a_second_at_once_and_then_keeps_real_time() {
        let mut pacing = Pacing::new(secs(60));
        assert_eq!(all(&mut pacing, 0, HOUR), [Next::Move(secs(60)), Next::Send(secs(61))]);
        let (mut sent, mut sends) = (secs(61), 0);
        for millis in 0..10_000 {
            for next in all(&mut pacing, millis, HOUR) {
                let Next::Send(until) = next else { panic!("{next:?}") };
                assert!(until > sent && until <= secs(61).saturating_add(Ticks::from_millis(millis)));
                (sent, sends) = (until, sends + 1);
            }
        }
        assert!(secs(71).saturating_sub(sent) <= TURN, "{sent}");
        assert_eq!(sends, 10_000 / 480);
    }

    #[test]
    fn it_wakes_when_a_turn_is_due_and_not_before() {
        let mut pacing = playing(0, HOUR);
        let Next::Wait(wait) = pacing.next(at(0), HOUR, 0) else { panic!("a wait") };
        assert_eq!(wait, Duration::from_millis(481));
        assert!(matches!(pacing.next(at(479), HOUR, 0), Next::Wait(_)));
        assert!(matches!(pacing.next(at(481), HOUR, 0), Next::Send(_)));
    }

    #[test]
    fn a_listener_who_takes_nothing_is_sent_nothing_and_misses_nothing() {
        let mut pacing = playing(0, HOUR);
        for millis in [300, 5000, 20_000] {
            assert_eq!(pacing.next(at(millis), HOUR, MOST_WAITING + 1), Next::Wait(HELD));
        }
        // A second was sent; it goes on there.
        assert_eq!(pacing.position(at(20_000), HOUR), secs(1));
        assert_eq!(all(&mut pacing, 20_000, HOUR), [Next::Send(secs(2))]);
        assert_eq!(pacing.position(at(20_500), HOUR), Ticks::from_millis(1500));
    }

    #[test]
    fn of_many_seeks_the_last_is_carried_out_and_all_are_counted() {
        let mut pacing = playing(0, HOUR);
        for second in 1..=100 {
            pacing.command(Command::Seek(secs(second)), at(100), HOUR);
        }
        assert_eq!(all(&mut pacing, 100, HOUR), [Next::Move(secs(100)), Next::Send(secs(101))]);
        assert_eq!((pacing.seeks(), pacing.position(at(100), HOUR)), (100, secs(100)));
        pacing.command(Command::Seek(secs(7)), at(200), HOUR);
        assert_eq!(pacing.next(at(200), HOUR, MOST_WAITING + 1), Next::Wait(HELD), "it waits for a slow listener, too");
        assert_eq!(pacing.next(at(300), HOUR, 0), Next::Move(secs(7)));
    }

    #[test]
    fn a_pause_stands_and_play_goes_on_without_a_word_lost_or_said_twice() {
        let mut pacing = playing(0, HOUR);
        assert_eq!(all(&mut pacing, 500, HOUR), [Next::Send(Ticks::from_millis(1500))]);
        pacing.command(Command::Pause, at(600), HOUR);
        assert_eq!(all(&mut pacing, 600, HOUR), [Next::Tell]);
        assert_eq!((pacing.state(), pacing.next(at(60_000), HOUR, 0)), (Replaying::Paused, Next::Nothing));
        assert_eq!(pacing.position(at(60_000), HOUR), Ticks::from_millis(600));
        pacing.command(Command::Play, at(70_000), HOUR);
        assert_eq!(all(&mut pacing, 70_000, HOUR), [Next::Tell], "it is 900 ms ahead still");
        assert_eq!(all(&mut pacing, 70_380, HOUR), [Next::Send(Ticks::from_millis(1980))]);
    }

    #[test]
    fn a_seek_while_paused_shows_the_place_and_stays_paused() {
        let mut pacing = playing(0, HOUR);
        pacing.command(Command::Pause, at(500), HOUR);
        pacing.command(Command::Seek(secs(50)), at(500), HOUR);
        assert_eq!(all(&mut pacing, 500, HOUR), [Next::Move(secs(50))], "one word is enough for both");
        assert_eq!((pacing.state(), pacing.position(at(900), HOUR)), (Replaying::Paused, secs(50)));
        pacing.command(Command::Play, at(1000), HOUR);
        assert_eq!(all(&mut pacing, 1000, HOUR), [Next::Tell, Next::Send(secs(51))]);
    }

    #[test]
    fn it_is_over_when_the_last_sound_was_heard_and_play_begins_again() {
        let mut pacing = Pacing::new(secs(3599));
        assert_eq!(all(&mut pacing, 0, HOUR), [Next::Move(secs(3599)), Next::Send(secs(3600))]);
        assert!(matches!(pacing.next(at(500), HOUR, 0), Next::Wait(wait) if wait > Duration::from_millis(499)));
        assert_eq!(all(&mut pacing, 1000, HOUR), [Next::End]);
        assert_eq!((pacing.state(), pacing.position(at(9000), HOUR)), (Replaying::Ended, secs(3600)));
        pacing.command(Command::Play, at(9000), HOUR);
        assert_eq!(all(&mut pacing, 9000, HOUR), [Next::Move(Ticks::ZERO), Next::Send(secs(1))]);
        assert_eq!((pacing.state(), pacing.seeks()), (Replaying::Playing, 0));
    }

    #[test]
    fn past_the_end_is_the_end_at_once_and_a_seek_back_plays() {
        for from in [3600, 9999] {
            let mut pacing = Pacing::new(secs(from));
            assert_eq!(all(&mut pacing, 0, HOUR), [Next::Move(secs(3600))]);
            assert_eq!(pacing.state(), Replaying::Ended);
            pacing.command(Command::Seek(secs(10)), at(1), HOUR);
            assert_eq!(all(&mut pacing, 1, HOUR), [Next::Move(secs(10)), Next::Send(secs(11))]);
        }
        let mut pacing = playing(0, HOUR);
        pacing.command(Command::Pause, at(10), HOUR);
        pacing.command(Command::Seek(secs(4000)), at(10), HOUR);
        all(&mut pacing, 10, HOUR);
        assert_eq!((pacing.state(), pacing.position(at(10), HOUR)), (Replaying::Paused, secs(3600)));
        pacing.command(Command::Play, at(20), HOUR);
        assert_eq!(all(&mut pacing, 20, HOUR)[0], Next::Move(Ticks::ZERO));
    }

    #[test]
    fn it_goes_on_with_a_recording_that_grows_and_ends_with_it() {
        let mut pacing = playing(60, Extent::SoFar(secs(10)));
        assert_eq!((pacing.state(), pacing.position(at(0), Extent::SoFar(secs(10)))), (Replaying::Playing, secs(10)));
        assert_eq!(pacing.next(at(5000), Extent::SoFar(secs(10)), 0), Next::Look(EDGE));
        let grown = Extent::SoFar(Ticks::from_millis(10_500));
        assert_eq!(all(&mut pacing, 5000, grown), [Next::Send(grown.length())]);
        assert_eq!(pacing.position(at(5100), grown), Ticks::from_millis(10_100));
        assert_eq!(pacing.next(at(9000), grown, 0), Next::Look(EDGE), "it does not run away from the edge");
        let ended = Extent::Final(grown.length());
        assert_eq!(all(&mut pacing, 9000, ended), [Next::End]);
    }

    #[test]
    fn an_empty_recording_is_over_at_once() {
        let mut pacing = Pacing::new(Ticks::ZERO);
        let empty = Extent::Final(Ticks::ZERO);
        assert_eq!(all(&mut pacing, 0, empty), [Next::Move(Ticks::ZERO)]);
        pacing.command(Command::Play, at(0), empty);
        assert_eq!(all(&mut pacing, 0, empty), [Next::Move(Ticks::ZERO)]);
        assert_eq!(pacing.state(), Replaying::Ended);
    }
}
