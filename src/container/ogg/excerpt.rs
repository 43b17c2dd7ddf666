//! A span of an Ogg Opus file as a file of its own: page by page, so that nothing is encoded or even split anew.
//!
//! What belongs here: which pages, and what has to stand in them then. What does not: files, and who wants the span.
//!
//! The span begins where it is told to, to the sample, since the pre-skip hides what its first page has before that; that
//! page is far enough ahead for a decoder to settle (RFC 7845 §4.6). It ends with a page, as its parts do.

use super::page::{Page, PageReader};
use crate::media::opus;
use crate::media::time::Ticks;

/// What a decoder needs before the first sample that counts: 80 ms (RFC 7845 §4.6).
const SETTLE: u64 = 3840;

/// What an excerpt has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Sound.
    pub sound: Ticks,
    /// Bytes, the head and the last page not counted.
    pub bytes: usize,
}

/// Cuts an excerpt out of a file: push bytes from the file's start on until it is full or the file ends, then finish. It
/// reads one stream with one head, and holds what it has cut and one page.
#[derive(Debug)]
pub struct Excerpt {
    from: Ticks,
    most: Most,
    reader: PageReader,
    head: Option<opus::Head>,
    tags: Vec<Page>,
    /// Granule position, in the file, at which the next page begins.
    granule: u64,
    /// The same for the first page that was taken.
    begin: Option<u64>,
    pages: Vec<Page>,
    bytes: usize,
    full: bool,
}

impl Excerpt {
    /// From so far behind the start of the file's sound.
    #[must_use]
    pub fn new(from: Ticks, most: Most) -> Self {
        let (reader, head) = (PageReader::new(), None);
        let (tags, pages) = (Vec::new(), Vec::new());
        Self { from, most, reader, head, tags, granule: 0, begin: None, pages, bytes: 0, full: false }
    }

    /// Takes the next bytes of the file. What is no page any more ends it.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.full {
            return;
        }
        self.reader.push(bytes);
        loop {
            match self.reader.pull() {
                Ok(Some(page)) => self.take(page),
                Ok(None) => return,
                Err(_) => self.full = true,
            }
            if self.full {
                return;
            }
        }
    }

    /// Whether no more bytes are needed.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.full
    }

    fn take(&mut self, page: Page) {
        let Some(head) = self.head else {
            match opus::Head::parse(&page.body) {
                Ok(head) if page.first => self.head = Some(head),
                _ => self.full = true,
            }
            return;
        };
        // The tags may take several pages, none of which has sound.
        if self.granule == 0 && page.granule.is_none_or(|granule| granule == 0) && !page.last {
            return self.tags.push(page);
        }
        let Some(end) = page.granule.filter(|end| *end > self.granule) else { return };
        let begin = std::mem::replace(&mut self.granule, end);
        let first = u64::from(head.pre_skip).saturating_add(self.from.get());
        if self.begin.is_none() && end <= first.saturating_sub(SETTLE) {
            return;
        }
        let length = page.length();
        let sound = end.saturating_sub(first);
        if !self.pages.is_empty() && (self.bytes + length > self.most.bytes || sound > self.most.sound.get()) {
            self.full = true;
            return;
        }
        self.begin.get_or_insert(begin);
        self.bytes += length;
        self.pages.push(page);
    }

    /// The excerpt and how long it sounds; none where the file has nothing there.
    #[must_use]
    pub fn finish(self) -> Option<(Vec<u8>, Ticks)> {
        let (mut head, begin) = (self.head?, self.begin?);
        let first = u64::from(head.pre_skip).saturating_add(self.from.get());
        let end = self.pages.last()?.granule?;
        let sound = end.checked_sub(first).filter(|sound| *sound > 0)?;
        head.pre_skip = u16::try_from(first - begin.min(first)).ok()?;
        let serial = self.pages.first()?.serial;
        let mut bytes = Vec::with_capacity(self.bytes + 1024);
        let mut sequence = 0;
        let mut put = |page: Page| {
            Page { sequence, serial, ..page }.write(&mut bytes);
            sequence += 1;
        };
        let body = head.to_bytes().to_vec();
        let lacing = vec![u8::try_from(body.len()).ok()?];
        put(Page { first: true, granule: Some(0), lacing, body, ..Page::default() });
        self.tags.into_iter().for_each(&mut put);
        let ended = self.pages.last()?.last;
        for page in self.pages {
            let granule = page.granule.map(|granule| granule - begin);
            put(Page { granule, ..page });
        }
        if !ended {
            // A page of no packets, as a part ends.
            put(Page { last: true, granule: None, ..Page::default() });
        }
        Some((bytes, Ticks::new(sound)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::judge::{self, made};

    /// A file of `secs` seconds whose level rises with time, encoded by ffmpeg.
    fn file(secs: u32) -> Vec<u8> {
        let source = format!("aevalsrc=t/{secs}*sin(2*PI*440*t):d={secs}:s=48000");
        made(
            &source,
            &["-t", &secs.to_string(), "-c:a", "libopus", "-b:a", "32k", "-page_duration", "1000000", "-f", "ogg"],
        )
    }

    fn cut(file: &[u8], from: Ticks, most: Most) -> Option<(Vec<u8>, Ticks)> {
        let mut excerpt = Excerpt::new(from, most);
        for piece in file.chunks(1000) {
            excerpt.push(piece);
        }
        excerpt.finish()
    }

    const ALL: Most = Most { sound: Ticks::from_secs(600), bytes: usize::MAX };

    #[test]
    fn an_excerpt_begins_at_its_sample_and_decodes_quietly() {
        let file = file(6);
        let whole = judge::decode_quietly(&file);
        for from in [0, 1, 48_000, 131_072, 200_000] {
            let (bytes, sound) = cut(&file, Ticks::new(from), ALL).unwrap();
            let samples = judge::decode_quietly(&bytes);
            let from = usize::try_from(from).unwrap();
            let expected = &whole[from..];
            assert!(samples.len().abs_diff(expected.len()) <= 960, "{from}: {} {}", samples.len(), expected.len());
            assert!(sound.get().abs_diff(expected.len() as u64) <= 960, "{from}");
            // A decoder that begins elsewhere settles within the pre-roll.
            let error = samples.iter().zip(expected).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
            assert!(error < 0.01, "{from}: {error}");
        }
    }

    #[test]
    fn an_excerpt_has_no_more_than_it_may() {
        let file = file(6);
        let (short, sound) = cut(&file, Ticks::ZERO, Most { sound: Ticks::from_secs(3), ..ALL }).unwrap();
        assert!(sound <= Ticks::from_secs(3) && sound >= Ticks::from_millis(1900), "{sound:?}");
        assert!(judge::decode_quietly(&short).len() >= 90_000);
        let bytes = file.len() / 2;
        let (small, _) = cut(&file, Ticks::ZERO, Most { bytes, ..ALL }).unwrap();
        assert!(small.len() <= bytes + 1024);
        let mut excerpt = Excerpt::new(Ticks::ZERO, Most { bytes, ..ALL });
        excerpt.push(&file);
        assert!(excerpt.is_full());
    }

    #[test]
    fn where_there_is_nothing_there_is_no_excerpt() {
        let file = file(2);
        assert!(cut(&file, Ticks::from_secs(2), ALL).is_none());
        assert!(cut(&file, Ticks::new(u64::MAX), ALL).is_none());
        assert!(cut(b"RIFF", Ticks::ZERO, ALL).is_none());
        assert!(cut(&[], Ticks::ZERO, ALL).is_none());
        let (torn, _) = cut(&file[..file.len() - 10], Ticks::ZERO, ALL).unwrap();
        assert!(!judge::decode_quietly(&torn).is_empty(), "what is whole of it");
    }
}
