//! The packets of the mix that was made (`mix.ogg`): what else holds the mix is made of them, so that it is encoded once. So it is
//! with a track that was levelled.
//!
//! What belongs here: reading them. What does not: how the mix is made.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::PathBuf;

use super::recipe::{Origin, Stopped, Work};
use super::sound::Heard;
use crate::archive::model::Edition;
use crate::archive::store::Store;
use crate::container::ogg::{Demuxer, Event};
use crate::media::opus;
use crate::media::time::Ticks;

/// How much is read at a time.
const READ: usize = 64 * 1024;

/// Reads the mix. Holds what a [`Demuxer`] holds and twice [`READ`].
pub(super) struct Mixed {
    file: Box<dyn Read>,
    path: PathBuf,
    demuxer: Demuxer,
    head: opus::Head,
    waiting: VecDeque<Heard>,
    /// Where the packets that were read end.
    end: Ticks,
    ended: bool,
}

impl Mixed {
    /// Opens an edition of the mix, or of a track, which must have been made.
    pub fn open(store: &mut dyn Store, origin: &Origin, what: Edition) -> Result<Self, Stopped> {
        let path = origin.made(what);
        let wrong = |source| Stopped::file(&path, source);
        let (file, _) = store.read(&path, 0).map_err(wrong)?;
        let head = opus::Head { channels: 1, pre_skip: 0, input_rate: 0, output_gain: 0 };
        let (waiting, end) = (VecDeque::new(), Ticks::ZERO);
        let demuxer = Demuxer::new();
        let mut mixed = Self { file, path: path.clone(), demuxer, head, waiting, end, ended: false };
        mixed.fill().map_err(wrong)?;
        Ok(mixed)
    }

    /// What a decoder is told.
    pub const fn head(&self) -> opus::Head {
        self.head
    }

    /// When the next packet begins, the pre-skip counted in; `None` at the end.
    pub fn next_at(&self) -> Option<Ticks> {
        self.waiting.front().map(|packet| packet.time)
    }

    /// The next packet; `None` at the end.
    pub fn next(&mut self, work: &Work) -> Result<Option<Heard>, Stopped> {
        work.done(0)?;
        let next = self.waiting.pop_front();
        if self.waiting.is_empty() {
            self.fill().map_err(|source| Stopped::file(&self.path, source))?;
        }
        Ok(next)
    }

    /// Reads on until the next packet, or the end, is known.
    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; READ];
        while self.waiting.is_empty() && !self.ended {
            let read = self.file.read(&mut buffer)?;
            self.ended = read == 0;
            self.demuxer.push(&buffer[..read]);
            // It is our own: whatever is wrong with it was not so when it was made.
            while let Some(event) = self.demuxer.pull().map_err(io::Error::other)? {
                match event {
                    Event::Head(head) => self.head = head,
                    Event::Packet(packet) => {
                        // Counted: the last page ends before its last packet does.
                        let (at, time) = (self.end, self.end);
                        self.end = self.end.saturating_add(packet.duration);
                        self.waiting.push_back(Heard {
                            part: 0,
                            at,
                            time,
                            duration: packet.duration,
                            data: packet.data,
                        });
                    }
                    Event::Tags(_) | Event::End(_) => {}
                }
            }
        }
        Ok(())
    }
}
