//! The heartbeat: the hub asks, the client answers, and one who does not is gone (Engine.IO 4, "Heartbeat").
//!
//! What belongs here: when. What does not: how it is asked. Time is passed in.

use std::time::Duration;

use crate::media::time::Moment;

/// A session's heartbeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The client is asked then.
    Quiet(Moment),
    /// It was asked, and has until then.
    Asked(Moment),
    /// Nothing more is asked, and the session ends then at the latest.
    Ending(Moment),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Rest,
    /// To ask the client.
    Ask,
    /// The end: it has not answered.
    Dead,
}

impl Heartbeat {
    pub fn begin(now: Moment, interval: Duration, timeout: Duration) -> Self {
        Self { interval, timeout, state: State::Quiet(now.after(interval)) }
    }

    /// When [`Self::beat`] has something to say.
    pub const fn due(&self) -> Moment {
        match self.state {
            State::Quiet(at) | State::Asked(at) | State::Ending(at) => at,
        }
    }

    /// What is due by now. A client whose silence is not its own has the whole time to answer anew: we may not be reading
    /// what it sends, or it may still be taking what was sent before it was asked.
    pub fn beat(&mut self, now: Moment, silence_is_its_own: bool) -> Beat {
        match self.state {
            State::Quiet(at) if now >= at => {
                self.ask(now);
                Beat::Ask
            }
            State::Asked(at) if now >= at && !silence_is_its_own => {
                self.state = State::Asked(now.after(self.timeout));
                Beat::Rest
            }
            State::Asked(at) | State::Ending(at) if now >= at => {
                // Whoever hears this ends the session, which may take a moment.
                self.end(now);
                Beat::Dead
            }
            State::Quiet(_) | State::Asked(_) | State::Ending(_) => Beat::Rest,
        }
    }

    /// Whether to ask the client now, ahead of time: not where it is asked already, or is not asked any more.
    pub fn ask(&mut self, now: Moment) -> bool {
        let is_quiet = matches!(self.state, State::Quiet(_));
        if is_quiet {
            self.state = State::Asked(now.after(self.timeout));
        }
        is_quiet
    }

    /// The client has answered.
    pub fn answered(&mut self, now: Moment) {
        if !matches!(self.state, State::Ending(_)) {
            self.state = State::Quiet(now.after(self.interval));
        }
    }

    /// The session ends as soon as the client has heard the last of it, or when it has had as long for that as for an answer.
    pub fn end(&mut self, now: Moment) {
        self.state = State::Ending(now.after(self.timeout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::START.after(Duration::from_secs(secs))
    }

    fn heartbeat() -> Heartbeat {
        Heartbeat::begin(at(0), Duration::from_secs(25), Duration::from_secs(20))
    }

    #[test]
    fn who_answers_is_asked_again_after_the_interval() {
        let mut heartbeat = heartbeat();
        for round in 0..3 {
            let asked = at(25 + round * 30);
            assert_eq!(heartbeat.due(), asked);
            assert_eq!(heartbeat.beat(at(24 + round * 30), true), Beat::Rest);
            assert_eq!(heartbeat.beat(asked, true), Beat::Ask);
            assert_eq!(heartbeat.beat(at(44 + round * 30), true), Beat::Rest);
            heartbeat.answered(at(30 + round * 30));
        }
    }

    #[test]
    fn who_does_not_answer_is_gone_unless_nobody_listened() {
        let mut deaf = heartbeat();
        assert_eq!(deaf.beat(at(25), true), Beat::Ask);
        assert_eq!(deaf.beat(at(45), true), Beat::Dead);
        let mut unheard = heartbeat();
        assert_eq!(unheard.beat(at(25), true), Beat::Ask);
        assert_eq!(unheard.beat(at(45), false), Beat::Rest);
        assert_eq!(unheard.due(), at(65));
        assert_eq!(unheard.beat(at(65), true), Beat::Dead);
    }

    #[test]
    fn a_session_that_ends_is_not_kept_by_an_answer() {
        let mut heartbeat = heartbeat();
        heartbeat.end(at(3));
        heartbeat.answered(at(4));
        assert_eq!(heartbeat.beat(at(22), true), Beat::Rest);
        assert_eq!(heartbeat.beat(at(23), false), Beat::Dead);
        assert!(!heartbeat.ask(at(23)));
    }

    #[test]
    fn after_the_end_nothing_is_due_at_once() {
        let mut dead = heartbeat();
        dead.beat(at(25), true);
        assert_eq!(dead.beat(at(45), true), Beat::Dead);
        assert_eq!(dead.due(), at(65), "or its task would not rest until the session is over");
    }

    #[test]
    fn a_client_may_be_asked_ahead_of_time_but_not_twice() {
        let mut heartbeat = heartbeat();
        assert!(heartbeat.ask(at(5)));
        assert!(!heartbeat.ask(at(6)));
        assert_eq!(heartbeat.due(), at(25));
        heartbeat.answered(at(10));
        assert_eq!(heartbeat.due(), at(35));
    }
}
