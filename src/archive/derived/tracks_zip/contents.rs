//! What is in `tracks.zip`, as its texts tell it: which file is whose, and what happened when, counted from where the files
//! begin.
//!
//! What belongs here: names that are safe wherever the archive is unpacked, and times. What does not: how a text is written
//! (`labels`, `reaper`, `session`).

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;

use crate::archive::model::{Chat, Marker, Recording, Track};
use crate::media::pcm::Sample;
use crate::media::time::Ticks;

/// What is in the archive.
pub(super) struct Contents<'a> {
    pub recording: &'a Recording,
    /// What of the session's clock the files hold.
    pub span: Range<Ticks>,
    /// The tracks' files, in the order of their numbers.
    pub files: Vec<TrackFile<'a>>,
}

/// The file of a track.
pub(super) struct TrackFile<'a> {
    pub track: &'a Track,
    pub name: String,
    pub channels: u8,
    pub sample: Sample,
    /// When there is speech, from the file's beginning.
    pub speech: Vec<Range<Ticks>>,
}

impl<'a> Contents<'a> {
    /// What the archive is called.
    pub fn title(&self) -> &'a str {
        let summary = &self.recording.summary;
        summary.title.as_deref().unwrap_or(summary.room.as_str())
    }

    /// How long each file is.
    pub fn length(&self) -> Ticks {
        self.span.end.saturating_sub(self.span.start)
    }

    /// Where a moment of the session's clock is in the files; none where it is cut off. What came when the sound had ended
    /// belongs to its end, if that is in the files.
    pub fn at(&self, time: Ticks) -> Option<Ticks> {
        let to_the_end = self.span.end >= self.recording.summary.length;
        let within = time < self.span.end || to_the_end;
        time.checked_sub(self.span.start).filter(|_| within)
    }

    /// A line of chat as one text.
    pub fn wrote(line: &Chat) -> String {
        format!("{} wrote: {}", line.name, line.text)
    }

    /// What was said in writing, with its time in the files.
    pub fn chat(&self) -> impl Iterator<Item = (Ticks, &'a Chat)> {
        self.recording.chat.iter().filter_map(|line| Some((self.at(line.at)?, line)))
    }

    /// What was marked, with its time in the files.
    pub fn markers(&self) -> impl Iterator<Item = (Ticks, &'a Marker)> {
        self.recording.markers.iter().filter_map(|marker| Some((self.at(marker.at)?, marker)))
    }
}

/// How much of a name there is in a file's, in bytes: file systems allow 255 for all of it, and a letter may have four.
const LONGEST: usize = 200;

/// The name of a track's file: `01 Ann.wav`. The number makes it unique, and sorts.
pub(super) fn file_name(track: &Track) -> String {
    let name = harmless(track.name.as_str());
    let number = track.number.get();
    if name.is_empty() { format!("{number:02}.wav") } else { format!("{number:02} {name}.wav") }
}

/// What of a name any file system takes, and nobody is misled by: no separators, no wildcards, nothing that turns the
/// direction of writing; composed, since names that only look the same are two names for some systems.
fn harmless(name: &str) -> String {
    let kept = |char: char| match char {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => Some('_'),
        // Zero width and direction (Unicode UAX #9 §2).
        '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' => None,
        char if char.is_control() => None,
        char => Some(char),
    };
    let name: String = name.nfc().filter_map(kept).collect();
    let name = &name[..name.floor_char_boundary(LONGEST)];
    // Windows drops dots and blanks at a name's end.
    name.trim_end_matches(['.', ' ']).trim_start().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::archive::model::{EndReason, RecordingId, State, Summary};
    use crate::media::marker::MarkerId;
    use crate::media::time::UnixMillis;
    use crate::media::track::TrackNumber;

    pub fn track(number: u16, name: &str) -> Track {
        Track {
            number: TrackNumber::new(number),
            participant: Uuid::nil(),
            name: name.parse().unwrap(),
            parts: Vec::new(),
            gaps: Vec::new(),
            anchors: Vec::new(),
            restarts: Vec::new(),
        }
    }

    /// Ann and Ben, who speak one after the other for ten seconds; Ann writes something in the middle, and Ben when the sound
    /// has ended.
    pub fn recording() -> Recording {
        let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z").unwrap();
        let chat = |millis, name: &str, text: &str| Chat {
            at: Ticks::from_millis(millis),
            participant: Uuid::nil(),
            name: name.parse().unwrap(),
            text: text.to_owned(),
        };
        Recording {
            summary: Summary {
                id: RecordingId::new(started, [7; 10]),
                room: "studio".parse().unwrap(),
                title: Some("The \"first\" one".to_owned()),
                keep: false,
                published: None,
                started,
                ended: Some(started),
                state: State::Ended(EndReason::Finished),
                length: Ticks::from_secs(10),
                bytes: 0,
                people: Vec::new(),
                tracks: 2,
            },
            tracks: vec![track(1, "Ann"), track(2, "Ben")],
            chat: vec![chat(5250, "Ann", "a\tlink:\nhttps://example.org"), chat(11_000, "Ben", "bye")],
            attendance: Vec::new(),
            markers: vec![Marker {
                id: MarkerId::new([1; 16]),
                at: Ticks::from_millis(5500),
                name: None,
                text: "The \"news\"".parse().unwrap(),
            }],
            derived: Vec::new(),
        }
    }

    /// What is in the archive of a span of seconds of [`recording`].
    pub fn contents(recording: &Recording, span: Range<u64>) -> Contents<'_> {
        let seconds = |span: Range<u64>| Ticks::from_secs(span.start)..Ticks::from_secs(span.end);
        let file = |(track, speech): (_, Range<u64>)| TrackFile {
            track,
            name: file_name(track),
            channels: 1,
            sample: Sample::S16,
            speech: vec![seconds(speech)],
        };
        let files = recording.tracks.iter().zip([0..4, 4..6]).map(file).collect();
        Contents { recording, span: seconds(span), files }
    }

    #[test]
    fn a_files_name_is_readable_and_stays_where_it_is_unpacked() {
        for (number, name, expected) in [
            (1, "Ann", "01 Ann.wav"),
            (12, "Zoë 名前", "12 Zoë 名前.wav"),
            (100, "O'Neil & Söhne", "100 O'Neil & Söhne.wav"),
            (2, "../../etc/passwd", "02 .._.._etc_passwd.wav"),
            (3, "C:\\x", "03 C__x.wav"),
            (4, "...", "04.wav"),
            (5, "a\u{202E}gpj.exe", "05 agpj.exe.wav"),
            (6, "Zoe\u{308}", "06 Zoë.wav"),
            (7, "dot. ", "07 dot.wav"),
            (8, "a\u{061C}b", "08 ab.wav"),
        ] {
            assert_eq!(file_name(&track(number, name)), expected);
        }
    }

    #[test]
    fn a_cut_moves_what_happened_and_leaves_out_what_did_not() {
        let recording = recording();
        let times = |span| contents(&recording, span).chat().map(|(at, _)| at.as_millis()).collect::<Vec<_>>();
        assert_eq!(times(0..10), [5250, 11_000]);
        assert_eq!(times(5..10), [250, 6000]);
        assert_eq!(times(0..6), [5250]);
        assert!(times(6..9).is_empty());
    }

    proptest! {
        #[test]
        fn no_name_becomes_a_path(name in "\\PC{1,64}") {
            prop_assume!(name.parse::<crate::media::room::ParticipantName>().is_ok());
            let file = file_name(&track(1, &name));
            prop_assert!(file.starts_with("01") && file.ends_with(".wav"));
            prop_assert!(!file.contains(['/', '\\', ':', '\0', '\n']));
            prop_assert!(file.len() <= 255);
        }
    }
}
