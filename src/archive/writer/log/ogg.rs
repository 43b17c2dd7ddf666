//! Opus packets that become the pages of an Ogg file (RFC 7845).

use std::io;

use crate::archive::index::write::Pages;
use crate::archive::store::{Handle, Store};
use crate::container::ogg::{Demuxer, Event, PartMuxer};
use crate::media::opus;
use crate::media::time::Ticks;

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
}

impl Ogg {
    pub fn begin(serial: u32, head: opus::Head, tags: &[(String, String)]) -> Self {
        let (muxer, out) = PartMuxer::begin(serial, head, tags);
        let pages = muxer.next_page();
        Self { serial, muxer: Some(muxer), out, length: Ticks::ZERO, pages, bytes: 0 }
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

    /// Appends the packets of a spool: those in its file, and those that are not written yet.
    pub fn unspool(&mut self, written: Vec<u8>, mut spool: Self) -> Option<()> {
        spool.take();
        let mut demuxer = Demuxer::new();
        demuxer.push(&written);
        drop(written);
        demuxer.push(&spool.out);
        while let Some(event) = demuxer.pull().ok()? {
            if let Event::Packet(packet) = event {
                self.push(&packet.data, packet.duration);
            }
        }
        demuxer.end().ok().map(drop)
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
