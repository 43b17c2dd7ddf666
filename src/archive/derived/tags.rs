//! What a file that is made of a recording says of itself: title, room, date, people, chapters.
//!
//! What belongs here: plain functions of a recording and what of it the file is, so that a cut has the chapters of its span. What does not: the layout of a container. What is kept as it was recorded is never rewritten: it says
//! what was known when it began.

use super::edition;
use crate::archive::model::{Edition, Recording};
use crate::container::ogg::chapter_comments;
use crate::container::webm::file::Info;
use crate::media::marker::Chapter;
use crate::media::time::UnixMillis;

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tags<'a> {
    title: &'a str,
    room: &'a str,
    /// When its first sound was.
    date: UnixMillis,
    /// Who is heard, each once.
    people: Vec<&'a str>,
    chapters: Vec<Chapter>,
}

impl<'a> Tags<'a> {
    /// Those of an edition.
    pub fn of(recording: &'a Recording, what: Edition) -> Self {
        let (tracks, span) = (edition::tracks(what, recording), edition::span(what, recording));
        let summary = &recording.summary;
        let mut people: Vec<&str> = Vec::new();
        for name in tracks.iter().map(|track| track.name.as_str()) {
            if !people.contains(&name) {
                people.push(name);
            }
        }
        let millis = i64::try_from(span.start.as_millis()).unwrap_or(i64::MAX);
        Self {
            title: summary.name(),
            room: summary.room.as_str(),
            date: UnixMillis::new(summary.started.get().saturating_add(millis)),
            people,
            chapters: recording.chapters(span),
        }
    }

    /// As comments of Ogg and FLAC (RFC 7845 §5.2; the field names of Vorbis).
    pub fn comments(&self) -> Vec<(String, String)> {
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let date = self.date.to_rfc3339();
        let mut comments = vec![tag("TITLE", self.title), tag("ALBUM", self.room), tag("DATE", &date)];
        comments.extend(self.people.iter().map(|name| tag("ARTIST", name)));
        comments.extend(chapter_comments(&self.chapters));
        comments
    }

    /// As WebM has them.
    pub fn info(&self) -> Info<'_> {
        let Self { title, room, date, people, chapters } = self;
        Info { title, date: *date, people, collection: room, chapters }
    }
}
