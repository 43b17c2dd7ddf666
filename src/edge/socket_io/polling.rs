//! Long-polling: what waits until the client asks for it, and the lock that has it ask once at a time.
//!
//! What belongs here: which poll is answered when, and with what. What does not: HTTP, and when the session ends.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::super::socket::Socket;
use super::{MOST_POLLED, MOST_POLLED_BYTES};
use crate::hub::outbox::{Bounds, Cargo, Frame, Outbox, Pushed, Queue};
use crate::media::time::Moment;
use crate::wire::engine_io::Bare;

/// Who asks for what waits.
pub(super) type Poll = oneshot::Sender<Vec<Bytes>>;

/// A client of long-polling, as the fan-out sees it. Once it has a WebSocket, everything is passed on to that.
pub(super) struct Polling {
    state: RefCell<State>,
    bounds: Bounds,
    /// Told where the session has to end.
    wake: Rc<Notify>,
}

struct State {
    queue: Queue,
    poll: Option<Poll>,
    phase: Phase,
    trouble: Option<Trouble>,
}

enum Phase {
    Open,
    /// The client tries a WebSocket: no poll may wait, so that it can leave.
    Probed,
    /// What waits is the last of the session.
    Ending,
    /// The last of it is told.
    Over,
    Upgraded(Rc<Socket>),
}

/// Why the session has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The client is further behind than the policy bears.
    TooSlow,
    /// The room has fallen.
    Fallen,
}

/// A second poll while the first waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap;

impl Polling {
    pub fn new(bounds: Bounds, wake: Rc<Notify>) -> Rc<Self> {
        let state = State { queue: Queue::default(), poll: None, phase: Phase::Open, trouble: None };
        Rc::new(Self { state: RefCell::new(state), bounds, wake })
    }

    /// The client asks. Where it is upgraded or over the poll is dropped.
    pub fn poll(&self, poll: Poll, now: Moment) -> Result<(), Overlap> {
        let mut state = self.state.borrow_mut();
        match state.phase {
            Phase::Upgraded(_) | Phase::Over => return Ok(()),
            Phase::Open | Phase::Probed | Phase::Ending => {}
        }
        if state.poll.is_some() {
            return Err(Overlap);
        }
        state.poll = Some(poll);
        self.answer(&mut state, now);
        Ok(())
    }

    /// Answers the poll that waits, where there is something to say.
    fn answer(&self, state: &mut State, now: Moment) {
        if state.poll.is_none() {
            return;
        }
        let frames = match state.phase {
            _ if !state.queue.is_empty() => state.queue.take(MOST_POLLED, MOST_POLLED_BYTES, now),
            Phase::Probed => vec![Bare::Noop.frame()],
            // Not together with the last word, over which the client would close before it has read that.
            Phase::Ending => {
                state.phase = Phase::Over;
                self.wake.notify_one();
                vec![Bare::Close.frame()]
            }
            Phase::Open | Phase::Over | Phase::Upgraded(_) => return,
        };
        if let Some(poll) = state.poll.take() {
            // Whoever asked and is gone has given the poll up, and the session ends by that.
            let _ = poll.send(frames);
        }
    }

    /// The client has probed a WebSocket and will leave; or it will not, after all.
    pub fn probed(&self, probed: bool, now: Moment) {
        let mut state = self.state.borrow_mut();
        match (&state.phase, probed) {
            (Phase::Open, true) => state.phase = Phase::Probed,
            (Phase::Probed, false) => state.phase = Phase::Open,
            _ => {}
        }
        self.answer(&mut state, now);
    }

    /// The client has left for this socket: what waits goes there, and what comes.
    pub fn leave(&self, socket: &Rc<Socket>, now: Moment) {
        let mut state = self.state.borrow_mut();
        state.phase = Phase::Upgraded(Rc::clone(socket));
        end_poll(&mut state, Bare::Noop);
        for frame in std::mem::take(&mut state.queue).into_frames() {
            socket.push(&frame, now);
        }
        socket.flush(now);
    }

    /// These are the last frames; the session is over when the client has them.
    pub fn finish(&self, last: impl IntoIterator<Item = Bytes>, now: Moment) {
        let mut state = self.state.borrow_mut();
        for bytes in last {
            state.queue.finish(Frame { bytes, cargo: Cargo::Kept }, now);
        }
        state.phase = Phase::Ending;
        self.answer(&mut state, now);
    }

    /// Nothing more will be said, but this to whoever waits for it.
    pub fn end(&self, last: Bare) {
        let mut state = self.state.borrow_mut();
        if !matches!(state.phase, Phase::Upgraded(_)) {
            state.phase = Phase::Over;
        }
        state.queue = Queue::default();
        end_poll(&mut state, last);
    }

    /// Whether nothing that the client says counts any more.
    pub fn is_ending(&self) -> bool {
        matches!(self.state.borrow().phase, Phase::Ending | Phase::Over)
    }

    /// Whether the client has been told the last.
    pub fn is_over(&self) -> bool {
        matches!(self.state.borrow().phase, Phase::Over)
    }

    /// Why the session has to end, where it has to.
    pub fn trouble(&self) -> Option<Trouble> {
        self.state.borrow_mut().trouble.take()
    }

    fn trouble_is(&self, state: &mut State, trouble: Trouble) {
        state.trouble.get_or_insert(trouble);
        self.wake.notify_one();
    }
}

fn end_poll(state: &mut State, last: Bare) {
    if let Some(poll) = state.poll.take() {
        let _ = poll.send(vec![last.frame()]);
    }
}

impl Outbox for Polling {
    fn push(&self, frame: &Frame, now: Moment) {
        let mut state = self.state.borrow_mut();
        match &state.phase {
            Phase::Upgraded(socket) => socket.push(frame, now),
            Phase::Open | Phase::Probed => {
                if state.queue.push(frame.clone(), now, &self.bounds) == Pushed::TooSlow {
                    self.trouble_is(&mut state, Trouble::TooSlow);
                }
            }
            Phase::Ending | Phase::Over => {}
        }
    }

    fn flush(&self, now: Moment) {
        let mut state = self.state.borrow_mut();
        match &state.phase {
            Phase::Upgraded(socket) => socket.flush(now),
            _ => self.answer(&mut state, now),
        }
    }

    fn waiting(&self) -> usize {
        let state = self.state.borrow();
        match &state.phase {
            Phase::Upgraded(socket) => socket.waiting(),
            _ => state.queue.bytes(),
        }
    }

    fn fail(&self) {
        let mut state = self.state.borrow_mut();
        match &state.phase {
            Phase::Upgraded(socket) => socket.fail(),
            _ => self.trouble_is(&mut state, Trouble::Fallen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::START;

    fn polling() -> Rc<Polling> {
        Polling::new(Bounds::default(), Rc::default())
    }

    fn say(polling: &Polling, bytes: &'static [u8]) {
        polling.push(&Frame { bytes: Bytes::from_static(bytes), cargo: Cargo::Kept }, NOW);
        polling.flush(NOW);
    }

    #[test]
    fn a_poll_waits_for_something_and_gets_all_that_there_is() {
        let polling = polling();
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert!(answer.try_recv().is_err());
        say(&polling, b"one");
        assert_eq!(answer.try_recv().unwrap(), ["one"]);
        say(&polling, b"two");
        say(&polling, b"three");
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert_eq!(answer.try_recv().unwrap(), ["two", "three"]);
    }

    #[test]
    fn one_poll_waits_at_a_time() {
        let polling = polling();
        let (poll, _answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        let (poll, _other) = oneshot::channel();
        assert_eq!(polling.poll(poll, NOW), Err(Overlap));
    }

    #[test]
    fn who_probes_a_socket_waits_for_no_poll() {
        let polling = polling();
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        polling.probed(true, NOW);
        assert_eq!(answer.try_recv().unwrap(), [Bare::Noop.frame()]);
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert_eq!(answer.try_recv().unwrap(), [Bare::Noop.frame()]);
        polling.probed(false, NOW);
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert!(answer.try_recv().is_err());
    }

    #[test]
    fn the_last_word_is_told_before_the_session_is_over() {
        let polling = polling();
        polling.finish([Bytes::from_static(b"why")], NOW);
        say(&polling, b"not any more");
        for last in [Bytes::from_static(b"why"), Bare::Close.frame()] {
            assert!(!polling.is_over());
            let (poll, mut answer) = oneshot::channel();
            polling.poll(poll, NOW).unwrap();
            assert_eq!(answer.try_recv().unwrap(), [last]);
        }
        assert!(polling.is_over());
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert_eq!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn an_answer_is_bounded_in_frames_and_bytes() {
        let polling = polling();
        for _ in 0..MOST_POLLED + 1 {
            say(&polling, b"x");
        }
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert_eq!(answer.try_recv().unwrap().len(), MOST_POLLED);
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert_eq!(answer.try_recv().unwrap().len(), 1);
    }
}
