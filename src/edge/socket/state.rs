//! How far a connection is, and what waits to be written to it. No IO.

use super::CloseCause;
use crate::hub::outbox::{Frame, Queue, Skipped};
use crate::media::time::Moment;

/// What a protocol says to a listener for whom sound was skipped, if it has a word for that.
pub type OnSkipped = fn(Skipped) -> Option<Frame>;

/// What a protocol says by itself.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// To a listener for whom sound was skipped.
    pub skipped: OnSkipped,
    /// Before we close, with which code and reason.
    pub farewell: fn(u16, &str) -> Option<Frame>,
}

impl From<OnSkipped> for Manners {
    fn from(skipped: OnSkipped) -> Self {
        Self { skipped, farewell: |_, _| None }
    }
}

pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) phase: Phase,
    /// Why the connection ends, once it does.
    pub(super) cause: Option<CloseCause>,
    /// Whether nothing more will be read.
    pub(super) over: bool,
    /// Whether the client was asked whether it is there, and has not said anything since.
    pub(super) asked: bool,
    /// Whether a task waits for the socket to take more.
    pub(super) writing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Frames may be pushed.
    Open,
    /// Our close waits or is sent; the client's is awaited until then.
    Closing { until: Moment, answered: bool },
    /// Nothing can be written any more.
    Mute,
}

impl State {
    /// Nothing more can be written.
    pub(super) fn mute(&mut self) {
        self.queue = Queue::default();
        self.phase = Phase::Mute;
    }

    /// Nothing more will be read. The first cause counts.
    pub(super) fn end(&mut self, cause: CloseCause) -> CloseCause {
        self.over = true;
        *self.cause.get_or_insert(cause)
    }

    pub(super) fn ended(&self) -> Option<CloseCause> {
        if self.over { self.cause } else { None }
    }
}
