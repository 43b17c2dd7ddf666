//! An answer to a poll while it is written: its request takes it piece by piece, and its session sees how that goes.
//!
//! What belongs here: what is left of it, and when the client last took some. What does not: when a poll is answered
//! (`polling`), HTTP (`requests`).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::media::time::Moment;
use crate::wire::engine_io::Payload;

/// An answer.
pub(super) struct Answer(Mutex<State>);

struct State {
    pieces: Box<dyn Iterator<Item = Bytes> + Send>,
    left: u64,
    /// When a piece was last taken.
    taken: Moment,
    cut: bool,
}

/// The session ended before all of it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session has ended")]
pub(super) struct Cut;

impl Answer {
    /// Of frames, which begin to be written now.
    pub fn of(frames: Vec<Bytes>, now: Moment) -> Arc<Self> {
        let payload = Payload::of(frames);
        let left = payload.length;
        Arc::new(Self(Mutex::new(State { pieces: Box::new(payload.into_pieces()), left, taken: now, cut: false })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes are not taken yet.
    pub fn left(&self) -> u64 {
        self.state().left
    }

    /// When the client last took some of it: a piece is asked for as soon as there is room for it on the way.
    pub fn taken(&self) -> Moment {
        self.state().taken
    }

    /// The next piece; none behind the last.
    ///
    /// # Errors
    /// Where the session has ended.
    pub fn next(&self, now: Moment) -> Result<Option<Bytes>, Cut> {
        let mut state = self.state();
        if state.cut {
            return Err(Cut);
        }
        state.taken = now;
        let next = state.pieces.next();
        state.left -= next.as_ref().map_or(0, |piece| piece.len() as u64);
        Ok(next)
    }

    /// The session has ended: what is left is let go, however long a client that does not read keeps its connection.
    pub fn cut(&self) {
        let mut state = self.state();
        if state.left > 0 {
            state.pieces = Box::new(std::iter::empty());
            (state.left, state.cut) = (0, true);
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("left", &self.left()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame;

    #[test]
    fn an_answer_that_is_cut_holds_nothing_and_one_that_is_whole_is_not_cut() {
        let frames = || vec![frame::text("42"), frame::binary(&[0; 100_000])];
        let answer = Answer::of(frames(), Moment::START);
        let whole = answer.left();
        assert_eq!(answer.next(Moment::START).unwrap().unwrap(), "42");
        assert_eq!(answer.left(), whole - 2);
        answer.cut();
        assert_eq!((answer.left(), answer.next(Moment::START)), (0, Err(Cut)));
        let answer = Answer::of(frames(), Moment::START);
        while answer.left() > 0 {
            answer.next(Moment::START).unwrap();
        }
        answer.cut();
        assert_eq!(answer.next(Moment::START), Ok(None));
    }
}
