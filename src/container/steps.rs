//! How a demuxer goes on: in steps through the bytes that have come, until there is something to tell or nothing left to read.
//!
//! What belongs here: what all demuxers share that read an [`Input`]. What does not: what any one of them reads.

use super::input::Input;
use super::stream::{self, Demux, Event};

/// How far a step came.
pub(super) enum Step {
    /// To something that is told.
    Event(Event),
    /// On.
    Done,
    /// Nowhere, until more bytes come.
    NeedsMore,
}

/// A demuxer that goes on in steps.
pub(super) trait Steps: Send {
    /// Why its stream cannot be read any further.
    type Error: Clone + Into<stream::Error>;

    /// Reads, enters or passes over one thing of the stream, once what was to be passed over has been.
    fn step(&mut self) -> Result<Step, Self::Error>;

    /// What has come.
    fn input(&self) -> &Input;

    /// What has come, and the place of the error that ended the stream.
    fn end(&mut self) -> (&mut Input, &mut Option<Self::Error>);
}

impl<S: Steps> Demux for S {
    fn push(&mut self, bytes: &[u8]) {
        if let (input, None) = self.end() {
            input.push(bytes);
        }
    }

    fn pull(&mut self) -> Result<Option<Event>, stream::Error> {
        if let (_, Some(error)) = self.end() {
            return Err(error.clone().into());
        }
        loop {
            let step = if self.end().0.skip() { self.step() } else { Ok(Step::NeedsMore) };
            match step {
                Ok(Step::Event(event)) => return Ok(Some(event)),
                Ok(Step::Done) => {}
                Ok(Step::NeedsMore) => {
                    self.end().0.compact();
                    return Ok(None);
                }
                Err(error) => {
                    let (input, failed) = self.end();
                    *input = Input::default();
                    *failed = Some(error.clone());
                    return Err(error.into());
                }
            }
        }
    }

    fn finish(&mut self) {
        self.end().0.finish();
    }

    fn held(&self) -> usize {
        self.input().bytes().len()
    }
}
