//! Ogg parts at start-up: each page has its own checksum, so that all that is whole counts, also what the index does not know
//! yet.

use std::io::{self, Read as _};
use std::path::Path;

use bytes::Bytes;

use super::Finished;
use crate::archive::index::read::OpenPart;
use crate::archive::index::write::{Pages, SpoolRow, Stream};
use crate::archive::rewrite::rewrite;
use crate::archive::store::Store;
use crate::archive::writer::{Trouble, pause_gap};
use crate::container::ogg::{Page, PageReader, PartMuxer, Salvager};
use crate::media::opus;
use crate::media::packet::Sequence;
use crate::media::time::Ticks;

/// Cuts a part's torn tail, appends what its spool holds, gives it its last page, syncs it.
pub(super) fn finish(
    store: &mut dyn Store,
    folder: &Path,
    mut open: OpenPart,
    pages: Pages,
    spool: Option<&SpoolRow>,
) -> Result<Finished, Trouble> {
    let path = folder.join(&open.part.file);
    let wrong = |source| Trouble::file(&path, source);
    let mut handle = store.open(&path).map_err(wrong)?;
    // What a part has beyond the index while it has a spool is no more than a copy of that: the transaction that named
    // the spool spoke of the part, too. So it goes, and comes again.
    let spooled = spool.map(|spool| Spooled::read(store, &folder.join(&spool.file), spool)).transpose()?;
    let (_, there) = store.read(&path, 0).map_err(wrong)?;
    let mut damaged = there < open.part.bytes;
    if damaged {
        tracing::error!(file = %path.display(), "has {there} bytes of {} that were durable", open.part.bytes);
    }
    let tail = if spooled.is_some() && !damaged {
        Tail::indexed(&open, pages)
    } else {
        Tail::read(store, &path, &open, pages).map_err(wrong)?
    };
    if tail.bytes != there {
        store.truncate(&mut handle, tail.bytes).map_err(wrong)?;
    }
    // What the index does not know may be from before a sync that failed.
    rewrite(store, &mut handle, open.part.bytes..tail.bytes).map_err(wrong)?;
    let mut muxer = PartMuxer::resume(pages.serial, tail.pages, tail.length.get());
    let mut gap = None;
    if let (Some(spool), Some(Spooled { packets, damaged: in_spool })) = (spool, spooled) {
        damaged |= in_spool;
        gap = Some(pause_gap(open.part.start.track.saturating_add(tail.length), spool.pause));
        for (packet, duration) in opus::silence(spool.pause).0 {
            muxer.push(packet, duration);
        }
        for (packet, duration) in &packets {
            muxer.push(packet, *duration);
        }
    }
    let mut bytes = muxer.take();
    open.part.length = Ticks::new(muxer.granule());
    let mut count = muxer.next_page();
    open.part.next = spool.map_or(tail.next, |spool| spool.next);
    if !tail.last {
        bytes.extend(muxer.finish());
        count += 1;
    }
    store.append(&mut handle, &bytes).map_err(wrong)?;
    store.sync(&handle).map_err(wrong)?;
    open.part.bytes = tail.bytes + bytes.len() as u64;
    open.stream = Stream { pages: Some(Pages { count, ..pages }), open: false };
    Ok(Finished { open, cut: there.saturating_sub(tail.bytes), gap, spool: spool.cloned(), extents: None, damaged })
}

/// How far a part goes, by the index or by what stands in the file beyond that.
#[derive(Clone, Copy, Debug)]
struct Tail {
    bytes: u64,
    pages: u32,
    length: Ticks,
    next: Sequence,
    /// Whether the last page is the stream's last.
    last: bool,
}

impl Tail {
    fn indexed(open: &OpenPart, pages: Pages) -> Self {
        let part = &open.part;
        Self { bytes: part.bytes, pages: pages.count, length: part.length, next: part.next, last: false }
    }

    /// Reads on from where the index ends, up to the last whole page that ends with a whole packet. A file that is shorter
    /// than the index says, which only a disk that forgets can make, is read from its start, past whatever is damaged in it.
    fn read(store: &mut dyn Store, path: &Path, open: &OpenPart, of: Pages) -> io::Result<Self> {
        let mut tail = Self::indexed(open, of);
        let (_, there) = store.read(path, 0)?;
        let short = there < tail.bytes;
        if short {
            tail = Self { bytes: 0, pages: 0, length: Ticks::ZERO, next: open.part.first, last: false };
        }
        let begin = tail;
        let (mut file, _) = store.read(path, begin.bytes)?;
        let mut pages = PageReader::new();
        let mut reached = begin;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = file.read(&mut buffer)?;
            pages.push(&buffer[..read]);
            loop {
                match pages.pull() {
                    Ok(Some(page)) => {
                        let follows = page.sequence == reached.pages || (short && page.sequence > reached.pages);
                        if follows && page.serial == of.serial && !reached.last {
                            reached.count(&page, begin.bytes);
                            if page.lacing.last().is_none_or(|&lacing| lacing < 255) {
                                tail = reached;
                            }
                        } else if !short {
                            return Ok(tail);
                        }
                    }
                    Ok(None) if read > 0 || pages.end().is_ok() => break,
                    // What was durable behind damage is durable still.
                    Ok(None) | Err(_) if short => drop(pages.skip()),
                    // Damage is where the good part ends, like the end of the file.
                    Ok(None) | Err(_) => return Ok(tail),
                }
            }
            if read == 0 {
                return Ok(tail);
            }
        }
    }

    /// Counts a page in. A packet of coded silence is not counted: it may be one that fills a gap, and has no number then.
    /// So a number that this gives may be too low, and a publisher that asks sends a packet again; never too high.
    fn count(&mut self, page: &Page, begin: u64) {
        self.bytes = begin + page.offset + page.length() as u64;
        // The first two pages are the head and the tags (RFC 7845 §3).
        if page.sequence >= 2 {
            let packets = page.pieces().filter(|piece| piece.ends && !opus::is_silence(piece.data)).count();
            self.next = self.next.after(packets as u64);
        }
        self.pages = page.sequence + 1;
        self.length = page.granule.map_or(self.length, Ticks::new);
        self.last = page.last;
    }
}

/// What is in a spool.
struct Spooled {
    /// Its packets with their durations, and coded silence in the place of those that are damaged.
    packets: Vec<(Bytes, Ticks)>,
    damaged: bool,
}

impl Spooled {
    /// Reads what the index says of it, past whatever is damaged there, and what whole pages follow.
    fn read(store: &mut dyn Store, path: &Path, spool: &SpoolRow) -> Result<Self, Trouble> {
        let mut all = Vec::new();
        let read = store.read(path, 0).and_then(|(mut file, _)| file.read_to_end(&mut all));
        read.map_err(|source| Trouble::file(path, source))?;
        let durable = usize::try_from(spool.bytes).unwrap_or(usize::MAX).min(all.len());
        let (durable, more) = all.split_at(durable);
        let mut spooled = Self { packets: Vec::new(), damaged: (durable.len() as u64) < spool.bytes };
        let (mut salvager, mut end) = (Salvager::new(), Ticks::ZERO);
        salvager.push(durable);
        salvager.finish();
        spooled.take(&mut salvager, &mut end);
        let mut pages = PageReader::new();
        pages.push(more);
        while let Ok(Some(page)) = pages.pull() {
            let here = usize::try_from(page.offset).unwrap_or(0)..usize::try_from(page.end()).unwrap_or(0);
            salvager.push(&more[here]);
        }
        spooled.take(&mut salvager, &mut end);
        spooled.damaged |= salvager.damaged();
        if spooled.damaged {
            tracing::error!(file = %path.display(), "is damaged: some of it is silence now");
        }
        Ok(spooled)
    }

    fn take(&mut self, salvager: &mut Salvager, end: &mut Ticks) {
        while let Some(packet) = salvager.pull() {
            let (silence, _) = opus::silence(packet.time.saturating_sub(*end));
            self.packets.extend(silence.map(|(data, duration)| (Bytes::from_static(data), duration)));
            *end = packet.time.saturating_add(packet.duration);
            self.packets.push((packet.data, packet.duration));
        }
    }
}
