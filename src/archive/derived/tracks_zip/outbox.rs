//! What the writer of the archive has written, until it is handed on: so that it needs no file.
//!
//! What belongs here: bytes at the end, and bytes over others. What does not: where they go to.

use std::cell::RefCell;
use std::io::{self, Seek, SeekFrom, Write};
use std::rc::Rc;

/// Takes what is written, at its end or over what it took before; whoever has the other handle empties it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox(Rc<RefCell<Waiting>>);

/// What waits to be handed on.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Where the next byte goes.
    at: u64,
    /// How many bytes were handed on.
    gone: u64,
    /// What comes behind them.
    pub behind: Vec<u8>,
    /// What goes over them: where, and what.
    pub over: Vec<(u64, Vec<u8>)>,
}

impl Outbox {
    /// Takes out what waits. What goes over other bytes goes over those that were handed on before.
    pub fn empty(&self) -> Waiting {
        let mut waiting = self.0.borrow_mut();
        let end = waiting.end();
        let next = Waiting { at: waiting.at, gone: end, ..Waiting::default() };
        std::mem::replace(&mut waiting, next)
    }
}

impl Waiting {
    fn end(&self) -> u64 {
        self.gone + self.behind.len() as u64
    }

    /// Writes a piece that lies on one side of what was handed on; gives its length.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let piece = match self.gone.checked_sub(self.at).filter(|before| *before > 0) {
            Some(before) => {
                let piece = &bytes[..bytes.len().min(usize::try_from(before).unwrap_or(usize::MAX))];
                self.over.push((self.at, piece.to_vec()));
                piece
            }
            None => {
                let from = usize::try_from(self.at - self.gone).unwrap_or(usize::MAX).min(self.behind.len());
                let over = bytes.len().min(self.behind.len() - from);
                self.behind[from..from + over].copy_from_slice(&bytes[..over]);
                self.behind.extend_from_slice(&bytes[over..]);
                bytes
            }
        };
        self.at += piece.len() as u64;
        piece.len()
    }
}

impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.0.borrow_mut().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Outbox {
    /// Goes to a place, at the farthest behind the last byte.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut waiting = self.0.borrow_mut();
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => waiting.end().checked_add_signed(by),
            SeekFrom::Current(by) => waiting.at.checked_add_signed(by),
        };
        let within = at.filter(|at| *at <= waiting.end());
        waiting.at = within.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is nothing there"))?;
        Ok(waiting.at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Does to a file what was asked of an outbox.
    fn hand_on(waiting: &Waiting, file: &mut Vec<u8>) {
        file.extend_from_slice(&waiting.behind);
        for (at, bytes) in &waiting.over {
            let at = usize::try_from(*at).unwrap();
            file[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    proptest! {
        #[test]
        fn what_is_handed_on_whenever_is_what_was_written(
            steps in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..40), any::<bool>(), any::<bool>()), 1..40),
        ) {
            let mut outbox = Outbox::default();
            let mut expected = io::Cursor::new(Vec::new());
            let mut file = Vec::new();
            for (at, bytes, moves, empties) in steps {
                let at = if moves { at.index(expected.get_ref().len() + 1) } else { expected.get_ref().len() } as u64;
                expected.seek(SeekFrom::Start(at)).unwrap();
                prop_assert_eq!(outbox.seek(SeekFrom::Start(at)).unwrap(), at);
                expected.write_all(&bytes).unwrap();
                outbox.write_all(&bytes).unwrap();
                prop_assert_eq!(outbox.stream_position().unwrap(), expected.position());
                if empties {
                    hand_on(&outbox.empty(), &mut file);
                }
            }
            hand_on(&outbox.empty(), &mut file);
            prop_assert_eq!(outbox.seek(SeekFrom::End(0)).unwrap(), file.len() as u64);
            prop_assert!(outbox.seek(SeekFrom::End(1)).is_err());
            prop_assert_eq!(&file, expected.get_ref());
        }
    }
}
