//! A part of a track that is being written, and the spool beside one.
//!
//! What belongs here: what the index is told of them, and how one goes on in another file. What does not: which of them
//! takes a packet (`track.rs`).

use crate::archive::index::write::{SpoolRow, Stream};
use crate::archive::model::{self, Anchor, Gap};
use crate::archive::store::Store;
use crate::media::packet::{Packet, Sequence};
use crate::media::source::Codec;
use crate::media::time::Ticks;
use crate::media::track::Format;

use super::log::{Log, Piece, Unfit};
use super::manage;
use super::trouble::{Fault, Misuse};

/// A part.
#[derive(Debug)]
pub(super) struct Part {
    pub number: u32,
    pub format: Format,
    pub source: Codec,
    pub start: Anchor,
    /// Of its stream, where it is Ogg.
    pub serial: u32,
    pub first: Sequence,
    pub next: Sequence,
    pub log: Log,
    /// What is left of gaps after silence, less than 2.5 ms.
    pub carry: Ticks,
    /// The number of the first packet that the index does not know.
    fresh: Option<Sequence>,
    durable: Durable,
}

/// How far the index knows a part.
#[derive(Clone, Copy, Debug)]
struct Durable {
    next: Sequence,
    carry: Ticks,
}

/// What came after a silence, until it is told which kind of silence that was.
#[derive(Debug)]
pub(super) struct Spool {
    pub part: u32,
    pub pause: Ticks,
    /// The number of its first packet, and the number after its last.
    pub first: Sequence,
    pub next: Sequence,
    pub log: Log,
    durable_next: Sequence,
}

/// A spool that its part holds by now, or another spool, while the index does not know it.
#[derive(Debug)]
pub(super) struct Settled {
    pub spool: Spool,
    /// The gap before it, if it was a pause.
    pub gap: Option<Gap>,
}

impl Part {
    /// A part whose first packet has this number.
    pub const fn begin(
        number: u32,
        (format, source): (Format, Codec),
        start: Anchor,
        serial: u32,
        first: Sequence,
        log: Log,
    ) -> Self {
        let durable = Durable { next: first, carry: Ticks::ZERO };
        let carry = Ticks::ZERO;
        Self { number, format, source, start, serial, first, next: first, log, carry, fresh: None, durable }
    }

    pub fn push(&mut self, packet: &Packet) -> Result<(), Misuse> {
        push(&mut self.log, packet)?;
        self.fresh.get_or_insert(packet.sequence);
        self.next = packet.sequence.next();
        Ok(())
    }

    /// Appends what a spool or another part held.
    pub fn push_all(&mut self, pieces: &[Piece], first: Sequence, next: Sequence) -> Result<(), Misuse> {
        self.log.push_all(pieces).map_err(|Unfit| Misuse::Unfit(self.log.file.clone()))?;
        self.fresh.get_or_insert(first);
        self.next = next;
        Ok(())
    }

    /// Silence at its end, or in the log of the spool that it waits for.
    pub fn push_silence(&mut self, length: Ticks, spool: Option<&mut Spool>) -> Result<(), Misuse> {
        let log = spool.map_or(&mut self.log, |spool| &mut spool.log);
        let length = length.saturating_add(self.carry);
        self.carry = log.push_silence(length).map_err(|Unfit| Misuse::Unfit(log.file.clone()))?;
        Ok(())
    }

    /// Where it ends on the track's count.
    pub fn end(&self) -> Ticks {
        self.start.track.saturating_add(self.log.length())
    }

    /// The number of the first packet that the index does not know, where there is one.
    pub fn fresh(&self) -> Sequence {
        self.fresh.unwrap_or(self.next)
    }

    /// Ends it where it is durable; gives what came since. A file that the index does not name goes altogether.
    pub fn take_back(&mut self, store: &mut dyn Store) -> Vec<Piece> {
        let pieces = if self.log.kept() {
            self.log.take_back(store)
        } else {
            discard(&self.log, store);
            self.log.rewind()
        };
        self.forget();
        pieces
    }

    /// Ends it where it is durable, and behind that what a spool holds that is durable.
    pub fn end_with(&mut self, spool: Option<&mut Settled>, store: &mut dyn Store) -> Result<Option<Gap>, Fault> {
        self.log.rewind();
        self.forget();
        self.log.cut(store)?;
        let mut told = None;
        if let Some(Settled { spool, gap }) = spool {
            spool.rewind();
            let pieces = spool.pieces(store)?;
            if let Some(gap) = gap {
                let at = self.end().saturating_add(self.carry);
                self.push_silence(gap.length, None)?;
                told = Some(Gap { at, ..*gap });
            }
            self.push_all(&pieces, spool.first, spool.next)?;
        }
        self.log.finish(store)?;
        Ok(told)
    }

    /// The index says of it what it said, and the next start ends it.
    pub fn leave(&mut self) {
        self.log.rewind();
        self.log.dirty = false;
        self.forget();
    }

    fn forget(&mut self) {
        let Durable { next, carry } = self.durable;
        (self.next, self.carry, self.fresh) = (next, carry, None);
    }

    /// The index says all of it.
    pub fn indexed(&mut self) {
        self.log.indexed();
        self.fresh = None;
        self.durable = Durable { next: self.next, carry: self.carry };
    }

    pub fn row(&self) -> model::Part {
        model::Part {
            number: self.number,
            file: self.log.file.clone(),
            format: self.format.clone(),
            source: self.source,
            start: self.start,
            length: self.log.length(),
            bytes: self.log.bytes(),
            first: self.first,
            next: self.next,
            open: self.log.open(),
        }
    }

    pub const fn stream(&self) -> Stream {
        Stream { pages: self.log.pages(), open: self.log.open() }
    }
}

impl Spool {
    /// A spool for this part, whose first packet has this number.
    pub const fn begin(part: u32, pause: Ticks, first: Sequence, log: Log) -> Self {
        Self { part, pause, first, next: first, log, durable_next: first }
    }

    pub fn push(&mut self, packet: &Packet) -> Result<(), Misuse> {
        push(&mut self.log, packet)?;
        self.next = packet.sequence.next();
        Ok(())
    }

    /// All that is in it.
    pub fn pieces(&self, store: &mut dyn Store) -> Result<Vec<Piece>, Fault> {
        let pieces = self.log.pieces(store)?;
        Ok(pieces.ok_or_else(|| Misuse::Spool(self.log.file.clone()))?)
    }

    /// Forgets what is not durable.
    fn rewind(&mut self) {
        self.log.rewind();
        self.next = self.durable_next;
    }

    /// The index says all of it.
    pub fn indexed(&mut self) {
        self.log.indexed();
        self.durable_next = self.next;
    }

    pub fn row(&self, settled: bool) -> SpoolRow {
        let bytes = self.log.bytes();
        let (file, crc) = (self.log.file.clone(), self.log.crc());
        SpoolRow { part: self.part, file, pause: self.pause, bytes, next: self.next, settled, crc }
    }
}

fn push(log: &mut Log, packet: &Packet) -> Result<(), Misuse> {
    log.push(&packet.data, packet.duration).map_err(|Unfit| Misuse::Unfit(log.file.clone()))
}

/// Unlinks a file that the index does not name, where there is one. Where the disk does not do that, it stays, and nobody
/// looks at it.
pub(super) fn discard(log: &Log, store: &mut dyn Store) {
    if let Some(path) = log.path()
        && let Err(trouble) = manage::remove_if_there(store, path)
    {
        tracing::warn!("a file that nothing names stays: {trouble}");
    }
}
