//! Long-polling: what waits until the client asks for it, and the lock that has it ask once at a time.
//!
//! What belongs here: which poll is answered when, and with what. What does not: HTTP, and when the session ends.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::super::socket::Socket;
use super::answer::Answer;
use super::{MOST_POLLED, MOST_POLLED_BYTES};
use crate::hub::outbox::{Bounds, Cargo, Frame, Outbox, Pushed, Queue};
use crate::media::time::Moment;
use crate::wire::engine_io::Bare;

/// Who asks for what waits.
pub(super) type Poll = oneshot::Sender<Arc<Answer>>;

/// A client of long-polling, as the fan-out sees it. Once it has a WebSocket, everything is passed on to that.
pub(super) struct Polling {
    state: RefCell<State>,
    bounds: Bounds,
    /// Told where the session has to end.
    wake: Rc<Notify>,
    /// Told where the client tries a WebSocket.
    probing: Notify,
}

struct State {
    queue: Queue,
    poll: Option<Poll>,
    /// The last answer, while it is being written.
    writing: Weak<Answer>,
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

/// A second poll while the first waits, or its answer is not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overlap;

impl Polling {
    pub fn new(bounds: Bounds, wake: Rc<Notify>) -> Rc<Self> {
        let state =
            State { queue: Queue::default(), poll: None, writing: Weak::new(), phase: Phase::Open, trouble: None };
        Rc::new(Self { state: RefCell::new(state), bounds, wake, probing: Notify::new() })
    }

    /// The client asks. Where it is upgraded or over the poll is dropped.
    pub fn poll(&self, poll: Poll, now: Moment) -> Result<(), Overlap> {
        let mut state = self.state.borrow_mut();
        match state.phase {
            Phase::Upgraded(_) | Phase::Over => return Ok(()),
            Phase::Open | Phase::Probed | Phase::Ending => {}
        }
        if state.poll.is_some() || state.writing.upgrade().is_some_and(|answer| answer.left() > 0) {
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
        state.tell(frames, now);
    }

    /// The client has probed a WebSocket and will leave; or it will not, after all.
    pub fn probed(&self, probed: bool, now: Moment) {
        let mut state = self.state.borrow_mut();
        match (&state.phase, probed) {
            (Phase::Open, true) => {
                state.phase = Phase::Probed;
                self.probing.notify_waiters();
            }
            (Phase::Probed, false) => state.phase = Phase::Open,
            _ => {}
        }
        self.answer(&mut state, now);
    }

    /// Resolves when the client tries a WebSocket: it waits for all answers then, before it leaves.
    pub async fn tried(&self) {
        loop {
            let tried = self.probing.notified();
            if matches!(self.state.borrow().phase, Phase::Probed | Phase::Upgraded(_)) {
                return;
            }
            tried.await;
        }
    }

    /// The client has left for this socket: what waits goes there, and what comes.
    pub fn leave(&self, socket: &Rc<Socket>, now: Moment) {
        let mut state = self.state.borrow_mut();
        state.phase = Phase::Upgraded(Rc::clone(socket));
        state.tell(vec![Bare::Noop.frame()], now);
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
    pub fn end(&self, last: Bare, now: Moment) {
        let mut state = self.state.borrow_mut();
        if !matches!(state.phase, Phase::Upgraded(_)) {
            state.phase = Phase::Over;
        }
        state.queue = Queue::default();
        if let Some(answer) = state.writing.upgrade() {
            answer.cut();
        }
        state.tell(vec![last.frame()], now);
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

impl State {
    /// Answers the poll, where one waits.
    fn tell(&mut self, frames: Vec<Bytes>, now: Moment) {
        if let Some(poll) = self.poll.take() {
            let answer = Answer::of(frames, now);
            self.writing = Arc::downgrade(&answer);
            // Whoever asked and is gone has given the poll up, and the session ends by that.
            let _ = poll.send(answer);
        }
    }
}

impl Outbox for Polling {
    fn push(&self, frame: &Frame, now: Moment) {
        let mut state = self.state.borrow_mut();
        match &state.phase {
            Phase::Upgraded(socket) => socket.push(frame, now),
            Phase::Open | Phase::Probed => {
                if state.writing.strong_count() > 0 {
                    // Who still reads an answer cannot ask for the next.
                    state.queue.catch_up(now);
                }
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
            _ => {
                let writing = state.writing.upgrade().map_or(0, |answer| answer.left());
                state.queue.bytes().saturating_add(usize::try_from(writing).unwrap_or(usize::MAX))
            }
        }
    }

    fn taking(&self) -> Option<Moment> {
        let state = self.state.borrow();
        match &state.phase {
            Phase::Upgraded(socket) => socket.taking(),
            _ => state.writing.upgrade().map(|answer| answer.taken()),
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
    use std::time::Duration;

    use super::*;
    use crate::wire::frame;

    const NOW: Moment = Moment::START;

    fn polling() -> Rc<Polling> {
        Polling::new(Bounds::default(), Rc::default())
    }

    fn say(polling: &Polling, text: &str) {
        polling.push(&Frame { bytes: frame::text(text), cargo: Cargo::Kept }, NOW);
        polling.flush(NOW);
    }

    /// The rest of an answer.
    fn read(answer: &Answer) -> String {
        let pieces = std::iter::from_fn(|| answer.next(NOW).unwrap());
        String::from_utf8(pieces.flatten().collect()).unwrap()
    }

    /// What a poll is answered at once; none, where it waits.
    fn poll(polling: &Polling) -> Option<String> {
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        answer.try_recv().ok().map(|answer| read(&answer))
    }

    #[test]
    fn a_poll_waits_for_something_and_gets_all_that_there_is() {
        let polling = polling();
        let (first, mut answer) = oneshot::channel();
        polling.poll(first, NOW).unwrap();
        assert!(answer.try_recv().is_err());
        say(&polling, "one");
        assert_eq!(read(&answer.try_recv().unwrap()), "one");
        say(&polling, "two");
        say(&polling, "three");
        assert_eq!(poll(&polling).unwrap(), "two\u{1e}three");
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
        let (first, mut answer) = oneshot::channel();
        polling.poll(first, NOW).unwrap();
        polling.probed(true, NOW);
        assert_eq!(read(&answer.try_recv().unwrap()), "6");
        assert_eq!(poll(&polling).unwrap(), "6");
        polling.probed(false, NOW);
        assert_eq!(poll(&polling), None);
    }

    #[test]
    fn the_last_word_is_told_before_the_session_is_over() {
        let polling = polling();
        polling.finish([frame::text("why")], NOW);
        say(&polling, "not any more");
        for last in ["why", "1"] {
            assert!(!polling.is_over());
            assert_eq!(poll(&polling).unwrap(), last);
        }
        assert!(polling.is_over());
        let (poll, mut answer) = oneshot::channel();
        polling.poll(poll, NOW).unwrap();
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    }

    #[test]
    fn an_answer_is_bounded_in_frames_and_bytes() {
        let polling = polling();
        for _ in 0..MOST_POLLED + 1 {
            say(&polling, "x");
        }
        let packets = |text: String| text.split('\u{1e}').count();
        assert_eq!(packets(poll(&polling).unwrap()), MOST_POLLED);
        assert_eq!(packets(poll(&polling).unwrap()), 1);
    }

    #[test]
    fn who_still_reads_an_answer_is_not_behind_and_one_who_does_not_ask_is() {
        let polling = polling();
        let (first, mut answer) = oneshot::channel();
        polling.poll(first, NOW).unwrap();
        polling.push(&Frame { bytes: frame::binary(&[0; 1_000_000]), cargo: Cargo::File }, NOW);
        polling.flush(NOW);
        let answer = answer.try_recv().unwrap();
        let at = |secs| NOW.after(Duration::from_secs(secs));
        let push = |secs| polling.push(&Frame { bytes: frame::text("x"), cargo: Cargo::Kept }, at(secs));
        for secs in [1, 31, 62, 100] {
            push(secs);
            assert_eq!(polling.trouble(), None, "after {secs} s");
        }
        assert!(polling.waiting() > 1_333_000, "what is being written waits too");
        assert_eq!(polling.taking(), Some(NOW));
        answer.next(at(101)).unwrap();
        assert_eq!(polling.taking(), Some(at(101)));
        drop(answer);
        assert_eq!(polling.taking(), None);
        push(130);
        assert_eq!(polling.trouble(), None);
        push(131);
        assert_eq!(polling.trouble(), Some(Trouble::TooSlow));
    }

    #[test]
    fn no_poll_comes_before_the_last_answer_is_taken() {
        let polling = polling();
        say(&polling, "one");
        let (first, mut answer) = oneshot::channel();
        polling.poll(first, NOW).unwrap();
        let answer = answer.try_recv().unwrap();
        assert_eq!(polling.poll(oneshot::channel().0, NOW), Err(Overlap));
        assert_eq!(read(&answer), "one");
        assert_eq!(polling.poll(oneshot::channel().0, NOW), Ok(()), "though its request may still be there");
    }

    #[test]
    fn the_end_lets_go_of_an_answer_that_is_not_read() {
        let polling = polling();
        let (first, mut answer) = oneshot::channel();
        polling.poll(first, NOW).unwrap();
        say(&polling, "a long answer");
        let answer = answer.try_recv().unwrap();
        polling.end(Bare::Close, NOW);
        assert!(answer.next(NOW).is_err());
    }
}
