//! A session's life, as plain functions: `live -> grace -> pending -> ended(reason)`.
//!
//! What belongs here: when a session and its tracks go from one state to the next. What does not: who measures the time,
//! who writes it down.

use std::time::Duration;

use crate::archive::model::{EndReason, State};
use crate::media::time::Moment;

/// How long the states last.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long a session without a live track waits for a new one.
    pub grace: Duration,
    /// How long it waits for a publisher that broke off and may still hold packets.
    pub pending: Duration,
    /// How long a track stays live whose publisher broke off and may resume.
    pub reconnect: Duration,
    /// How long a track stays live that cannot be ended by a message, without a packet.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(10),
            pending: Duration::from_secs(600),
            reconnect: Duration::from_secs(15),
            silence: Duration::from_secs(60),
        }
    }
}

/// Where a session is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// A track is live.
    Live,
    /// No track is live since this moment; a new one continues the session.
    Grace(Moment),
    /// No track is live, and a publisher that broke off may still hold packets, since this moment.
    Pending(Moment),
    /// Nothing will be added.
    Ended(EndReason),
}

/// What of a session's tracks decides about its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// How many tracks are live, those that are reconnecting among them.
    pub live: usize,
    /// Whether a publisher that broke off may still resume.
    pub resumable: bool,
}

impl Life {
    /// The state at `now`.
    #[must_use]
    pub fn at(self, now: Moment, census: Census, patience: &Patience) -> Self {
        match self {
            Self::Ended(reason) => Self::Ended(reason),
            _ if census.live > 0 => Self::Live,
            Self::Live => Self::Grace(now),
            Self::Grace(since) if now.since(since) >= patience.grace => {
                if census.resumable {
                    Self::Pending(now)
                } else {
                    Self::Ended(EndReason::Finished)
                }
            }
            Self::Pending(since) if now.since(since) >= patience.pending || !census.resumable => {
                Self::Ended(EndReason::Finished)
            }
            waiting => waiting,
        }
    }

    /// The state once the hub stops or has fallen: over at once, unless someone may resume.
    #[must_use]
    pub const fn cut(self, now: Moment, census: Census, reason: EndReason) -> Self {
        match self {
            Self::Ended(reason) => Self::Ended(reason),
            Self::Pending(since) if census.resumable => Self::Pending(since),
            _ if census.resumable => Self::Pending(now),
            _ => Self::Ended(reason),
        }
    }

    /// The state as the index keeps it.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Live => State::Live,
            Self::Grace(_) => State::Grace,
            Self::Pending(_) => State::Pending,
            Self::Ended(reason) => State::Ended(reason),
        }
    }
}

/// Where a track is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackLife {
    /// Its publisher is here.
    Live,
    /// Its publisher broke off at this moment, and may resume it.
    Reconnecting(Moment),
    /// Nothing more comes.
    Ended,
}

/// How a track ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// When its publisher says so.
    ByMessage,
    /// With its connection, or after [`Patience::silence`] without a packet.
    BySilence,
}

impl TrackLife {
    /// The state at `now`, where the last packet (or the announcement) came at `heard`.
    #[must_use]
    pub fn at(self, now: Moment, heard: Moment, ends: Ends, patience: &Patience) -> Self {
        match (self, ends) {
            (Self::Live, Ends::BySilence) if now.since(heard) >= patience.silence => Self::Ended,
            (Self::Reconnecting(since), _) if now.since(since) >= patience.reconnect => Self::Ended,
            (life, _) => life,
        }
    }

    /// The state once its connection is lost.
    #[must_use]
    pub const fn lost(self, now: Moment, resumable: bool) -> Self {
        match self {
            Self::Live if resumable => Self::Reconnecting(now),
            Self::Reconnecting(since) if resumable => Self::Reconnecting(since),
            _ => Self::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        grace: Duration::from_secs(10),
        pending: Duration::from_secs(600),
        reconnect: Duration::from_secs(15),
        silence: Duration::from_secs(60),
    };
    const TALKING: Census = Census { live: 1, resumable: false };
    const NOBODY: Census = Census { live: 0, resumable: false };
    const BROKEN_OFF: Census = Census { live: 0, resumable: true };

    fn at(secs: u64) -> Moment {
        Moment::START.after(Duration::from_secs(secs))
    }

    #[test]
    fn a_session_waits_ten_seconds_for_a_new_track() {
        let grace = Life::Live.at(at(100), NOBODY, &PATIENCE);
        assert_eq!(grace, Life::Grace(at(100)));
        assert_eq!(grace.at(at(109), NOBODY, &PATIENCE), grace);
        assert_eq!(grace.at(at(109), TALKING, &PATIENCE), Life::Live);
        assert_eq!(grace.at(at(110), NOBODY, &PATIENCE), Life::Ended(EndReason::Finished));
    }

    #[test]
    fn it_waits_ten_minutes_for_a_publisher_that_may_hold_packets() {
        let pending = Life::Grace(at(100)).at(at(110), BROKEN_OFF, &PATIENCE);
        assert_eq!(pending, Life::Pending(at(110)));
        assert_eq!(pending.at(at(700), TALKING, &PATIENCE), Life::Live);
        assert_eq!(pending.at(at(709), BROKEN_OFF, &PATIENCE), pending);
        assert_eq!(pending.at(at(710), BROKEN_OFF, &PATIENCE), Life::Ended(EndReason::Finished));
        assert_eq!(pending.at(at(200), NOBODY, &PATIENCE), Life::Ended(EndReason::Finished));
    }

    #[test]
    fn what_has_ended_stays_ended() {
        let ended = Life::Ended(EndReason::DiskFull);
        assert_eq!(ended.at(at(1), TALKING, &PATIENCE), ended);
        assert_eq!(ended.cut(at(1), BROKEN_OFF, EndReason::Stopped), ended);
    }

    #[test]
    fn a_stop_ends_it_at_once_unless_someone_may_resume() {
        for life in [Life::Live, Life::Grace(at(1)), Life::Pending(at(1))] {
            assert_eq!(life.cut(at(2), NOBODY, EndReason::Stopped), Life::Ended(EndReason::Stopped));
        }
        assert_eq!(Life::Live.cut(at(2), BROKEN_OFF, EndReason::Crashed), Life::Pending(at(2)));
        assert_eq!(Life::Pending(at(1)).cut(at(2), BROKEN_OFF, EndReason::Crashed), Life::Pending(at(1)));
    }

    #[test]
    fn a_track_that_may_be_resumed_stays_live_for_fifteen_seconds() {
        let track = TrackLife::Live.lost(at(10), true);
        assert_eq!(track, TrackLife::Reconnecting(at(10)));
        assert_eq!(track.at(at(24), at(0), Ends::ByMessage, &PATIENCE), track);
        assert_eq!(track.at(at(25), at(0), Ends::ByMessage, &PATIENCE), TrackLife::Ended);
        assert_eq!(TrackLife::Live.lost(at(10), false), TrackLife::Ended);
    }

    #[test]
    fn only_a_track_that_no_message_can_end_ends_by_silence() {
        assert_eq!(TrackLife::Live.at(at(60), at(0), Ends::BySilence, &PATIENCE), TrackLife::Ended);
        assert_eq!(TrackLife::Live.at(at(59), at(0), Ends::BySilence, &PATIENCE), TrackLife::Live);
        assert_eq!(TrackLife::Live.at(at(600), at(0), Ends::ByMessage, &PATIENCE), TrackLife::Live);
    }
}
