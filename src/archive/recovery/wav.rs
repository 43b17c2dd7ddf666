//! WAV parts at start-up: samples have no checksums of their own, so that what counts is what the index says, and its last
//! extent's sum tells whether that is there.

use std::io::{self, Read as _};
use std::path::Path;

use super::{Finished, Resumed};
use crate::archive::extents::{Extent, Sum};
use crate::archive::index::read::OpenPart;
use crate::archive::index::write::{SpoolRow, Stream};
use crate::archive::store::Store;
use crate::archive::writer::{Trouble, Unfit, Wav, pause_gap};
use crate::container::wav::{data_offset, header_for};
use crate::media::pcm;
use crate::media::time::Ticks;

/// Cuts a part to what the index says, appends what its spool holds, makes its header right, syncs it.
pub(super) fn finish(
    store: &mut dyn Store,
    folder: &Path,
    mut open: OpenPart,
    head: pcm::Head,
    spool: Option<&SpoolRow>,
    extents: &[Extent],
) -> Result<Finished, Trouble> {
    let path = folder.join(&open.part.file);
    let wrong = |source| Trouble::file(&path, source);
    let mut handle = store.open(&path).map_err(wrong)?;
    let (_, there) = store.read(&path, 0).map_err(wrong)?;
    if there < open.part.bytes {
        tracing::error!(file = %path.display(), "has {there} bytes of {} that were durable", open.part.bytes);
    }
    let data = samples(head, there.min(open.part.bytes));
    let end = data_offset(head) + data;
    let (mut resumed, mut damaged) = check(store, &path, end, extents).map_err(wrong)?;
    if there > end {
        store.truncate(&mut handle, end).map_err(wrong)?;
    }
    // Also where nothing is appended: a crash may have left the header of another round.
    store.overwrite(&mut handle, 0, &header_for(head, data)).map_err(wrong)?;
    let mut wav = Wav::resume(head, data);
    let mut gap = None;
    if let Some(spool) = spool {
        gap = Some(pause_gap(open.part.start.track.saturating_add(wav.length()), spool.pause));
        let (sound, whole) = spooled(store, &folder.join(&spool.file), head, spool)?;
        damaged |= !whole;
        let appended = wav.push_silence(spool.pause).and_then(|()| wav.push(&sound, Ticks::ZERO));
        appended.map_err(|Unfit| wrong(io::Error::from(io::ErrorKind::FileTooLarge)))?;
        wav.write(store, &mut handle).map_err(wrong)?;
        open.part.next = spool.next;
    }
    store.sync(&handle).map_err(wrong)?;
    resumed.new.extend(wav.extents().news());
    open.part.length = wav.length();
    open.part.bytes = wav.bytes();
    open.stream = Stream { pages: None, open: false };
    Ok(Finished { open, cut: there.saturating_sub(end), gap, spool: spool.cloned(), extents: Some(resumed), damaged })
}

/// How many bytes of samples a file of so many bytes has, in whole frames.
fn samples(head: pcm::Head, bytes: u64) -> u64 {
    let frame = head.frame_bytes() as u64;
    bytes.saturating_sub(data_offset(head)) / frame * frame
}

/// Looks whether the last extent of a part that ends at this byte is what was written. Where the file ends within one, there is
/// no telling: it gets the sum of what is there, and counts as damaged.
fn check(store: &mut dyn Store, path: &Path, end: u64, extents: &[Extent]) -> io::Result<(Resumed, bool)> {
    let mut read = |begin: u64, end: u64| -> io::Result<Vec<u8>> {
        let (file, _) = store.read(path, begin)?;
        let mut bytes = Vec::new();
        file.take(end - begin).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let whole = extents.partition_point(|extent| extent.range().end <= end);
    let (kept, cut) = extents.split_at(whole);
    let mut new = Vec::new();
    if let Some(cut) = cut.first().filter(|cut| cut.begin < end) {
        new.push(Extent::of(cut.begin, &read(cut.begin, end)?));
    }
    let damaged = match kept.last() {
        Some(last) => !last.holds(&read(last.begin, last.range().end)?),
        None => false,
    };
    if damaged {
        tracing::error!(file = %path.display(), "does not end as it was written");
    }
    Ok((Resumed { keep: end, new }, damaged || !cut.is_empty()))
}

/// The samples of a spool, as far as the index says, and in whole frames; and whether they are what was written.
fn spooled(store: &mut dyn Store, path: &Path, head: pcm::Head, spool: &SpoolRow) -> Result<(Vec<u8>, bool), Trouble> {
    let wrong = |source| Trouble::file(path, source);
    let (file, there) = store.read(path, data_offset(head)).map_err(wrong)?;
    if there < spool.bytes {
        tracing::error!(file = %path.display(), "has {there} bytes of {} that were durable", spool.bytes);
    }
    let mut sound = Vec::new();
    file.take(samples(head, there.min(spool.bytes))).read_to_end(&mut sound).map_err(wrong)?;
    let mut sum = Sum::new();
    sum.push(&sound);
    let whole = spool.crc.is_none_or(|crc| crc == sum.crc());
    if !whole {
        tracing::error!(file = %path.display(), "does not hold what was written to it");
    }
    Ok((sound, whole))
}
