//! Where a client's frames wait between its way into a room and the answer to its handshake.
//!
//! A client joins before it is answered: once its connection is open it misses nothing, whoever speaks next.

use std::cell::{Cell, RefCell};

use super::socket::Socket;
use crate::hub::outbox::{Frame, Outbox};
use crate::media::time::Moment;

/// Frames that wait for a client's socket. It takes milliseconds; a client that does not take its answer will not take
/// more than this either.
const MOST_WAITING: usize = 1024;

/// The outbox of a client that has no socket yet.
#[derive(Default)]
pub struct Doorstep {
    waiting: RefCell<Vec<Frame>>,
    failed: Cell<bool>,
}

impl Doorstep {
    /// The socket is there: what waited goes first. From here on it stands in the doorstep's place.
    pub fn leave(&self, socket: &Socket, now: Moment) {
        for frame in self.waiting.take() {
            socket.push(&frame, now);
        }
        socket.flush(now);
        if self.failed.get() {
            socket.fail();
        }
    }
}

impl Outbox for Doorstep {
    fn push(&self, frame: &Frame, _now: Moment) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < MOST_WAITING {
            waiting.push(frame.clone());
        }
    }

    fn flush(&self, _now: Moment) {}

    fn fail(&self) {
        self.failed.set(true);
    }

    fn waiting(&self) -> usize {
        self.waiting.borrow().iter().map(|frame| frame.bytes.len()).sum()
    }
}
