//! The muxer of a part: an append-only log of packets, whole up to every page.

use std::mem;

use super::demux::PACKET_LIMIT;
use super::page::Page;
use crate::media::marker::Chapter;
use crate::media::opus;
use crate::media::time::Ticks;

/// The most sound on a page: more delays a reader (RFC 7845 §6 advises the same).
const LONGEST: Ticks = Ticks::from_secs(1);

/// What OpusTags name as the encoder's vendor: without a version, so that what is made again by a newer hub is the same.
const VENDOR: &str = "roomtone";

/// Muxes Opus packets into the Ogg file of one part.
///
/// A page ends when it is taken, at 1 s of sound, or at 255 lacing values (65,025 bytes). So at most one page is held
/// besides the pages that wait to be taken.
#[derive(Clone, Debug)]
pub struct PartMuxer {
    /// The page in progress; its granule is that of the last packet that ends on it.
    page: Page,
    /// Sound that ends on the page in progress.
    sound: Ticks,
    /// Where the last packet ends.
    granule: u64,
    /// Pages that wait to be taken.
    done: Vec<u8>,
}

impl PartMuxer {
    /// Begins a part; gives its first bytes: OpusHead and OpusTags, each ending its page (RFC 7845 §3). `tags` are names and
    /// values of comments (RFC 7845 §5.2); a name has no `=`.
    #[must_use]
    pub fn begin(serial: u32, head: opus::Head, tags: &[(String, String)]) -> (Self, Vec<u8>) {
        let mut muxer = Self::resume(serial, 0, 0);
        muxer.push_head(head, tags);
        let bytes = muxer.take();
        (muxer, bytes)
    }

    /// Goes on with a part whose last page has the number before `next_page` and ends at `granule`: to end what a crash left
    /// open, or to append to it.
    #[must_use]
    pub fn resume(serial: u32, next_page: u32, granule: u64) -> Self {
        let page = Page { serial, sequence: next_page, ..Page::default() };
        Self { page, sound: Ticks::ZERO, granule, done: Vec::new() }
    }

    /// Appends a packet that sounds for `duration`.
    pub fn push(&mut self, packet: &[u8], duration: Ticks) {
        let full = self.page.lacing.len() + packet.len() / 255 + 1 > 255;
        if full || self.sound.saturating_add(duration) > LONGEST {
            self.end_page();
        }
        self.granule = self.granule.saturating_add(duration.get());
        self.sound = self.sound.saturating_add(duration);
        self.append(packet);
    }

    /// Ends the page in progress; gives everything since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        self.end_page();
        mem::take(&mut self.done)
    }

    /// Ends the part; gives everything since the last time, and the last page: of no lacing values, and so with the granule
    /// position that says that no packet ends on it (RFC 3533 §6). With any other opusinfo warns, and an empty packet on it
    /// would make decoders refuse the file.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.end_page();
        self.page.last = true;
        self.page.write(&mut self.done);
        self.done
    }

    /// Ends the part where its sound ends, at a granule position within its last packet (RFC 7845 §4.4); gives everything since
    /// the last time. That packet must not have been taken yet.
    #[must_use]
    pub fn finish_at(mut self, granule: u64) -> Vec<u8> {
        if !self.page.lacing.is_empty() {
            self.page.granule = Some(granule.min(self.granule));
        }
        self.page.last = true;
        self.page.write(&mut self.done);
        self.done
    }

    /// Gives the pages that are whole; the page in progress goes on.
    #[must_use]
    pub fn take_whole(&mut self) -> Vec<u8> {
        mem::take(&mut self.done)
    }

    /// The granule position so far: all ticks pushed, from 0, the pre-skip counted in.
    #[must_use]
    pub const fn granule(&self) -> u64 {
        self.granule
    }

    /// The number of the page in progress: right after [`PartMuxer::take`], how many pages there are.
    #[must_use]
    pub const fn next_page(&self) -> u32 {
        self.page.sequence
    }

    /// Bytes that [`PartMuxer::take`] would give, but for the header of the page in progress.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.done.len() + self.page.body.len()
    }

    /// Appends OpusHead and OpusTags, each ending its page, at granule position 0 wherever the packets are (RFC 7845 §3).
    pub(super) fn push_head(&mut self, head: opus::Head, tags: &[(String, String)]) {
        self.end_page();
        let granule = mem::take(&mut self.granule);
        self.page.first = true;
        self.append(&head.to_bytes());
        self.end_page();
        self.append(&opus_tags(tags));
        self.end_page();
        self.granule = granule;
    }

    /// The next packet begins at this granule position, where it lies ahead: a gap begins a page, which alone can say it.
    pub(super) fn go_on_at(&mut self, granule: u64) {
        if granule > self.granule {
            self.end_page();
            self.granule = granule;
        }
    }

    /// Appends a packet's lacing values and bytes, over as many pages as it takes (RFC 3533 §5).
    fn append(&mut self, packet: &[u8]) {
        let whole = packet.chunks_exact(255);
        let rest = whole.remainder();
        for segment in whole {
            self.append_segment(255, segment);
        }
        let last = u8::try_from(rest.len()).expect("a remainder of 255 is less");
        self.append_segment(last, rest);
        self.page.granule = Some(self.granule);
    }

    fn append_segment(&mut self, lacing: u8, segment: &[u8]) {
        if self.page.lacing.len() == 255 {
            self.end_page();
            self.page.continued = true;
        }
        self.page.lacing.push(lacing);
        self.page.body.extend_from_slice(segment);
    }

    /// Ends the page in progress, where anything is on it.
    fn end_page(&mut self) {
        if self.page.lacing.is_empty() {
            return;
        }
        self.page.write(&mut self.done);
        let Page { serial, sequence, .. } = self.page;
        self.page = Page { serial, sequence: sequence.wrapping_add(1), ..Page::default() };
        self.sound = Ticks::ZERO;
    }
}

/// Chapters as comments, as players read them (Xiph's chapter extension): `CHAPTER001=00:01:02.500`, `CHAPTER001NAME=…`. It
/// counts to 999.
#[must_use]
pub fn chapter_comments(chapters: &[Chapter]) -> Vec<(String, String)> {
    let comments = (1..=999).zip(chapters).flat_map(|(number, Chapter { start, title })| {
        let (millis, key) = (start.as_millis(), format!("CHAPTER{number:03}"));
        let (seconds, minutes, hours) = (millis / 1000, millis / 60_000, millis / 3_600_000);
        let place = format!("{hours:02}:{:02}:{:02}.{:03}", minutes % 60, seconds % 60, millis % 1000);
        [(key.clone(), place), (format!("{key}NAME"), title.clone())]
    });
    comments.collect()
}

/// OpusTags (RFC 7845 §5.2). What would make it longer than a packet that we read is left out, and all behind that.
fn opus_tags(tags: &[(String, String)]) -> Vec<u8> {
    let mut bytes = b"OpusTags".to_vec();
    put_text(&mut bytes, VENDOR);
    let mut left = PACKET_LIMIT - bytes.len() - 4;
    let fits = |(name, value): &&(String, String)| {
        let rest = left.checked_sub(4 + name.len() + 1 + value.len());
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    let count = tags.iter().take_while(fits).count();
    let tags = &tags[..count];
    put_length(&mut bytes, tags.len());
    for (name, value) in tags {
        put_text(&mut bytes, &format!("{name}={value}"));
    }
    bytes
}

fn put_text(to: &mut Vec<u8>, text: &str) {
    put_length(to, text.len());
    to.extend_from_slice(text.as_bytes());
}

fn put_length(to: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("tags are names and titles, far below 4 GiB");
    to.extend_from_slice(&length.to_le_bytes());
}
