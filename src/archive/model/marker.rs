//! Markers of a recording: places that people want to find again, and the chapters that they are in its files.

use std::ops::Range;

use super::Recording;
use crate::media::marker::{Chapter, MarkerId, MarkerText};
use crate::media::room::ParticipantName;
use crate::media::time::Ticks;

/// A place in a recording that someone marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Its ID.
    pub id: MarkerId,
    /// Where, from the session's start.
    pub at: Ticks,
    /// Who set it, where they said so: over REST nobody does.
    pub name: Option<ParticipantName>,
    /// What is written on it.
    pub text: MarkerText,
}

impl Marker {
    /// What it is called where it needs a name.
    #[must_use]
    pub fn title(&self) -> &str {
        if self.text.is_empty() { "Marker" } else { self.text.as_str() }
    }
}

/// What of a recording's words stands in the files that are made of it. Where it is another by now, they are to be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What it is called.
    pub title: Option<String>,
    /// What is marked in it.
    pub markers: Vec<Marker>,
}

impl Recording {
    /// What of its words stands in the files that are made of it.
    #[must_use]
    pub fn words(&self) -> Words {
        Words { title: self.summary.title.clone(), markers: self.markers.clone() }
    }

    /// The chapters of a span of it: see [`chapters`].
    #[must_use]
    pub fn chapters(&self, span: Range<Ticks>) -> Vec<Chapter> {
        chapters(self.summary.name(), &self.markers, span)
    }
}

/// What markers of a recording of this name are in a file of a span of the session's clock, told by the file's own time: one chapter for
/// each. Where anything is marked, the first begins at the span's start, with what was marked last before it, or with the recording's
/// name.
#[must_use]
pub fn chapters(name: &str, markers: &[Marker], span: Range<Ticks>) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = Vec::new();
    for (number, marker) in (1..).zip(markers).take_while(|(_, marker)| marker.at < span.end) {
        let start = marker.at.saturating_sub(span.start);
        let title = if marker.text.is_empty() { format!("Chapter {number}") } else { marker.text.to_string() };
        // Of those that begin together only the last goes on.
        chapters.pop_if(|last| last.start == start);
        chapters.push(Chapter { start, title });
    }
    if chapters.first().is_some_and(|first| first.start > Ticks::ZERO) {
        chapters.insert(0, Chapter { start: Ticks::ZERO, title: name.to_owned() });
    }
    chapters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::model::{EndReason, RecordingId, State, Summary};
    use crate::media::time::UnixMillis;

    fn secs(secs: u64) -> Ticks {
        Ticks::from_secs(secs)
    }

    fn recording(markers: &[(u64, &str)]) -> Recording {
        let started = UnixMillis::new(1);
        let marker = |(n, (at, text)): (u8, &(u64, &str))| Marker {
            id: MarkerId::new([n; 16]),
            at: secs(*at),
            name: None,
            text: text.parse().unwrap(),
        };
        let summary = Summary {
            id: RecordingId::new(started, [0; 10]),
            room: "talk".parse().unwrap(),
            title: None,
            keep: false,
            published: None,
            started,
            ended: Some(started),
            state: State::Ended(EndReason::Finished),
            length: secs(100),
            bytes: 0,
            people: Vec::new(),
            tracks: 0,
        };
        let markers = (1..).zip(markers).map(marker).collect();
        Recording {
            summary,
            tracks: Vec::new(),
            chat: Vec::new(),
            attendance: Vec::new(),
            markers,
            derived: Vec::new(),
        }
    }

    fn chapters(markers: &[(u64, &str)], span: Range<u64>) -> Vec<(u64, String)> {
        let chapters = recording(markers).chapters(secs(span.start)..secs(span.end));
        chapters.into_iter().map(|chapter| (chapter.start.as_millis() / 1000, chapter.title)).collect()
    }

    #[test]
    fn a_file_has_a_chapter_for_each_marker_and_one_before_the_first() {
        let named = |at, title: &str| (at, title.to_owned());
        assert_eq!(chapters(&[], 0..100), []);
        assert_eq!(chapters(&[(0, "Hello"), (9, "")], 0..100), [named(0, "Hello"), named(9, "Chapter 2")]);
        assert_eq!(chapters(&[(9, "News")], 0..100), [named(0, "talk"), named(9, "News")]);
        assert_eq!(
            chapters(&[(9, "News"), (9, "Sports"), (100, "late")], 0..100),
            [named(0, "talk"), named(9, "Sports")]
        );
    }

    #[test]
    fn a_cut_has_the_chapters_of_its_span_told_by_its_own_time() {
        let named = |at, title: &str| (at, title.to_owned());
        let markers = [(5, "one"), (9, "two"), (20, "three"), (30, "four")];
        assert_eq!(chapters(&markers, 10..30), [named(0, "two"), named(10, "three")]);
        assert_eq!(chapters(&markers, 9..25), [named(0, "two"), named(11, "three")]);
        assert_eq!(chapters(&markers, 2..6), [named(0, "talk"), named(3, "one")]);
        assert_eq!(chapters(&markers, 0..4), []);
        assert_eq!(chapters(&markers, 40..50), [named(0, "four")]);
    }
}
