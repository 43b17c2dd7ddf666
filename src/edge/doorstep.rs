//! Where a client's frames wait between its way into a room and the answer to its handshake.
//!
//! A client joins before it is answered: once its connection is open it misses nothing, whoever speaks next.

use std::cell::RefCell;
use std::rc::Rc;

use super::socket::Socket;
use crate::hub::outbox::{Frame, Outbox};
use crate::media::time::Moment;

/// Frames that wait for a client's socket.
const MOST_WAITING: usize = 1024;

/// The outbox of a client that has no socket yet, and then has one.
#[derive(Default)]
pub struct Doorstep {
    place: RefCell<Place>,
}

enum Place {
    /// The handshake is not answered: what comes waits, up to [`MOST_WAITING`] frames. It takes milliseconds.
    Waiting(Vec<Frame>),
    Open(Rc<Socket>),
}

impl Default for Place {
    fn default() -> Self {
        Self::Waiting(Vec::new())
    }
}

impl Doorstep {
    /// The socket is there: what waited goes first.
    pub fn open(&self, socket: &Rc<Socket>, now: Moment) {
        let place = self.place.replace(Place::Open(Rc::clone(socket)));
        if let Place::Waiting(frames) = place {
            for frame in &frames {
                socket.push(frame, now);
            }
            socket.flush(now);
        }
    }
}

impl Outbox for Doorstep {
    fn push(&self, frame: &Frame, now: Moment) {
        match &mut *self.place.borrow_mut() {
            Place::Waiting(frames) if frames.len() < MOST_WAITING => frames.push(frame.clone()),
            // A client that does not take its answer will not take this either.
            Place::Waiting(_) => {}
            Place::Open(socket) => socket.push(frame, now),
        }
    }

    fn flush(&self, now: Moment) {
        if let Place::Open(socket) = &*self.place.borrow() {
            socket.flush(now);
        }
    }

    fn waiting(&self) -> usize {
        match &*self.place.borrow() {
            Place::Waiting(frames) => frames.iter().map(|frame| frame.bytes.len()).sum(),
            Place::Open(socket) => socket.waiting(),
        }
    }
}
