//! Opus packets that become the pages of an Ogg file (RFC 7845).

use std::io;

use crate::archive::index::write::Pages;
use crate::archive::store::{Handle, Store};
use crate::container::ogg::{Demuxer, Event, PartMuxer};
use crate::media::opus;
use crate::media::time::Ticks;

use super::Piece;

/// The header of a page with all lacing values that it may have, and of one with none (RFC 3533 §6).
const LARGEST_HEADER: usize = 27 + 255 + 27;

/// Pages, written and not written.
#[derive(Debug)]
pub(super) struct Ogg {
    serial: u32,
    /// `None` once the last page is made.
    muxer: Option<PartMuxer>,
    /// Whole pages that are not written yet.
    out: Vec<u8>,
    /// Ticks pushed.
    length: Ticks,
    /// Pages made.
    pages: u32,
    /// Bytes written.
    bytes: u64,
    durable: Durable,
}

/// How far the index knows a file.
#[derive(Clone, Copy, Debug, Default)]
struct Durable {
    length: Ticks,
    pages: u32,
    bytes: u64,
}

impl Ogg {
    pub fn begin(serial: u32, head: opus::Head, tags: &[(String, String)]) -> Self {
        let (muxer, out) = PartMuxer::begin(serial, head, tags);
        let pages = muxer.next_page();
        Self { serial, muxer: Some(muxer), out, length: Ticks::ZERO, pages, bytes: 0, durable: Durable::default() }
    }

    pub fn push(&mut self, packet: &[u8], duration: Ticks) {
        let Some(muxer) = &mut self.muxer else { return };
        muxer.push(packet, duration);
        self.length = Ticks::new(muxer.granule());
    }

    /// Appends coded silence; gives what is left of the length, less than 2.5 ms.
    pub fn push_silence(&mut self, length: Ticks) -> Ticks {
        let (packets, rest) = opus::silence(length);
        for (packet, duration) in packets {
            self.push(packet, duration);
        }
        rest
    }

    /// The packets of a file, of whole pages only.
    pub fn read(file: &[u8]) -> Option<Vec<Piece>> {
        let mut pieces = Vec::new();
        if file.is_empty() {
            return Some(pieces);
        }
        let mut demuxer = Demuxer::new();
        demuxer.push(file);
        while let Some(event) = demuxer.pull().ok()? {
            if let Event::Packet(packet) = event {
                pieces.push(Piece::Sound { data: packet.data, duration: packet.duration });
            }
        }
        demuxer.end().ok().map(|_| pieces)
    }

    /// The index says all of it.
    pub const fn indexed(&mut self) {
        self.durable = Durable { length: self.length, pages: self.pages, bytes: self.bytes };
    }

    /// Forgets what the index does not say.
    pub fn rewind(&mut self) {
        let Durable { length, pages, bytes } = self.durable;
        self.muxer = Some(PartMuxer::resume(self.serial, pages, length.get()));
        self.out.clear();
        (self.length, self.pages, self.bytes) = (length, pages, bytes);
    }

    /// Nothing comes any more, not even a last page.
    pub fn leave(&mut self) {
        self.muxer = None;
        self.out.clear();
    }

    pub const fn durable_bytes(&self) -> u64 {
        self.durable.bytes
    }

    /// Bytes that are to be written, the last page's among them.
    pub fn waiting(&self) -> u64 {
        let muxed = self.muxer.as_ref().map_or(0, |muxer| muxer.waiting() + LARGEST_HEADER);
        (self.out.len() + muxed) as u64
    }

    pub fn end(&mut self) {
        if let Some(mut muxer) = self.muxer.take() {
            self.out.extend(muxer.take());
            self.pages = muxer.next_page() + 1;
            self.out.extend(muxer.finish());
        }
    }

    pub const fn open(&self) -> bool {
        self.muxer.is_some()
    }

    pub const fn length(&self) -> Ticks {
        self.length
    }

    pub const fn pages(&self) -> Pages {
        Pages { serial: self.serial, count: self.pages }
    }

    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the page in progress and writes all pages; says whether there were any.
    pub fn write(&mut self, store: &mut dyn Store, handle: &mut Handle) -> io::Result<bool> {
        self.take();
        if self.out.is_empty() {
            return Ok(false);
        }
        store.append(handle, &self.out)?;
        self.bytes += self.out.len() as u64;
        self.out.clear();
        Ok(true)
    }

    fn take(&mut self) {
        if let Some(muxer) = &mut self.muxer {
            self.out.extend(muxer.take());
            self.pages = muxer.next_page();
        }
    }
}
