//! The names of folders and files: made from IDs, times and numbers, and from what is harmless of a participant's name.

use std::str::FromStr;

use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

use super::model::{Edition, RecordingId};

/// The index, in the folder of all recordings.
pub(super) const INDEX: &str = "index.sqlite3";
/// What of the index is not in its file yet.
pub(super) const INDEX_LOG: &str = "index.sqlite3-wal";
/// What a recording says of itself, in its folder.
pub(super) const SESSION: &str = "session.json";
/// The next session file, until it takes the place of the one before.
pub(super) const SESSION_NEXT: &str = "session.json.next";
/// The folder for what is derived, in a recording's folder.
pub(super) const DERIVED: &str = "derived";

/// The file that is created and removed to see whether the disk takes it, in the folder of all recordings.
pub(super) const PROBE: &str = ".probe";
/// What the name of a derived file ends with until it takes the place of the one before.
pub(super) const NEXT: &str = ".next";

/// What an index is called that was set aside because it could not be read any more, with the time behind it.
pub(super) const INDEX_ASIDE: &str = "index.sqlite3.damaged-";
/// The same for a session file.
pub(super) const SESSION_ASIDE: &str = "session.json.damaged-";

/// What says of a recording's folder that it was deleted, where something stays in it that looks like a part and does not say whose it
/// is.
pub(super) const DELETED: &str = "deleted.txt";

/// The longest slug, in characters.
const LONGEST_SLUG: usize = 32;

/// The folder of a recording, below the folder of all recordings. A room's name is safe as it is.
pub(super) fn folder(room: &RoomName, started: UnixMillis, id: RecordingId) -> String {
    format!("{room}/{}-{id}", started.to_compact())
}

/// The file of a part: `01-ann.ogg` or `01-ann.wav`, and from its second part on `01-ann.2.ogg`.
pub(super) fn part(track: TrackNumber, name: &ParticipantName, part: u32, codec: Codec) -> String {
    let stem = stem(track, name);
    let kind = if codec == Codec::Pcm { "wav" } else { "ogg" };
    if part == 1 { format!("{stem}.{kind}") } else { format!("{stem}.{part}.{kind}") }
}

/// The spool beside a track's parts: `01-ann.late`, and from the track's second on `01-ann.late.2`. One of samples, which cannot say
/// so themselves, says where on the track's count it begins if the silence before it was a pause: `01-ann.72000.late`.
pub(super) fn spool(track: TrackNumber, name: &ParticipantName, nth: u32, at: Option<Ticks>) -> String {
    let stem = stem(track, name);
    let stem = at.map_or_else(|| stem.clone(), |at| format!("{stem}.{}", at.get()));
    if nth == 1 { format!("{stem}.late") } else { format!("{stem}.late.{nth}") }
}

/// A derived file, in its folder.
pub(super) fn derived(what: impl Into<Edition>) -> String {
    what.into().to_string()
}

/// Whether a derived file has this name, or will have it when it is whole, or had it once.
pub(super) fn is_derived(name: &str) -> bool {
    name.strip_suffix(NEXT).unwrap_or(name).parse::<Edition>().is_ok() || was_derived(name)
}

/// Whether this is what a derived file was called before it was made in another form: peaks were JSON.
pub(super) fn was_derived(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(|stem| format!("{stem}.peaks").parse::<Edition>().is_ok())
}

/// What the name of a file of a track says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrackFile {
    /// Which track.
    pub track: TrackNumber,
    /// What is left of its participant's name.
    pub slug: String,
    /// What is in it.
    pub holds: Holds,
    /// Where on the track's count it begins, where its name says so.
    pub at: Option<Ticks>,
}

/// What is in a file of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// A part, by its number.
    Part(u32, Codec),
    /// What waits for a part.
    Spool,
}

/// Reads the name of a part or a spool; `None` where it is that of neither.
pub(super) fn track_file(name: &str) -> Option<TrackFile> {
    let (track, rest) = name.split_once('-')?;
    let track = TrackNumber::new(count(track.strip_prefix('0').unwrap_or(track))?);
    let pieces: Vec<_> = rest.split('.').collect();
    let (slug, rest) = pieces.split_first()?;
    let (at, rest) = match rest {
        [at, rest @ ..] if rest.first() == Some(&"late") => (Some(Ticks::new(count(at)?)), rest),
        rest => (None, rest),
    };
    let holds = match rest {
        ["late"] => Holds::Spool,
        ["late", nth] if count::<u32>(nth)? > 1 => Holds::Spool,
        [kind] => Holds::Part(1, codec(kind)?),
        [number, kind] if count::<u32>(number)? > 1 => Holds::Part(count(number)?, codec(kind)?),
        _ => return None,
    };
    let file = TrackFile { track, slug: (*slug).to_owned(), holds, at };
    (file.slug == self::slug(slug) && file.stem() == name.split('.').next()?).then_some(file)
}

/// Whether a file's name has what is left of this participant's.
pub(super) fn is_of(file: &TrackFile, name: &ParticipantName) -> bool {
    file.slug == slug(name.as_str())
}

impl TrackFile {
    fn stem(&self) -> String {
        format!("{:02}-{}", self.track.get(), self.slug)
    }
}

fn codec(kind: &str) -> Option<Codec> {
    match kind {
        "ogg" => Some(Codec::Opus),
        "wav" => Some(Codec::Pcm),
        _ => None,
    }
}

/// Reads the name of a recording's folder in its room's; `None` where it is none.
pub(super) fn recording(name: &str) -> Option<RecordingId> {
    let (start, id) = name.split_once('-')?;
    let id: RecordingId = id.parse().ok()?;
    (is_compact(start) && name == format!("{start}-{id}")).then_some(id)
}

/// Whether this is a time as the names of folders have it.
fn is_compact(start: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match start.as_bytes() {
        [date @ .., b'T', _, _, _, _, _, _, b'Z'] if date.len() == 8 => digits(&start[..8]) && digits(&start[9..15]),
        _ => false,
    }
}

/// Reads a number from 1 as it is written in names: without a plus, and without zeros before it.
fn count<N: FromStr + ToString + Default + PartialEq>(text: &str) -> Option<N> {
    let number: N = text.parse().ok()?;
    (number != N::default() && number.to_string() == text).then_some(number)
}

fn stem(track: TrackNumber, name: &ParticipantName) -> String {
    format!("{:02}-{}", track.get(), slug(name.as_str()))
}

/// What a file name keeps of a name: ASCII letters and digits in small letters, with a hyphen for each run of anything
/// else between them; `track` where that leaves nothing.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    let mut between = false;
    for letter in name.chars() {
        if !letter.is_ascii_alphanumeric() {
            between = !slug.is_empty();
            continue;
        }
        if slug.len() + usize::from(between) >= LONGEST_SLUG {
            break;
        }
        if between {
            slug.push('-');
            between = false;
        }
        slug.push(letter.to_ascii_lowercase());
    }
    if slug.is_empty() { "track".to_owned() } else { slug }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::archive::model::{Container, Derived};

    #[test]
    fn a_slug_is_what_is_harmless_of_a_name() {
        for (name, expected) in [
            ("Ann", "ann"),
            ("  Dr. Ben  O'Neil ", "dr-ben-o-neil"),
            ("../../etc/passwd", "etc-passwd"),
            ("Ünal", "nal"),
            ("名前", "track"),
            ("-", "track"),
            ("a".repeat(64).as_str(), "a".repeat(32).as_str()),
        ] {
            assert_eq!(slug(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_tracks_first_files_have_the_short_names() {
        let (ann, one) = ("Ann".parse().unwrap(), TrackNumber::new(1));
        assert_eq!(part(one, &ann, 1, Codec::Opus), "01-ann.ogg");
        assert_eq!(part(one, &ann, 2, Codec::Opus), "01-ann.2.ogg");
        assert_eq!(part(one, &ann, 2, Codec::Pcm), "01-ann.2.wav");
        assert_eq!(spool(one, &ann, 1, None), "01-ann.late");
        assert_eq!(spool(TrackNumber::new(123), &ann, 2, None), "123-ann.late.2");
        assert_eq!(spool(one, &ann, 2, Some(Ticks::from_secs(2))), "01-ann.96000.late.2");
    }

    #[test]
    fn the_names_of_our_files_are_known_again_and_no_others() {
        let ann: ParticipantName = "Ann 2".parse().unwrap();
        for track in [1, 9, 10, 99, 100, 65_535] {
            let track = TrackNumber::new(track);
            let late = Some(Ticks::MAX);
            for (name, holds, at) in [
                (part(track, &ann, 1, Codec::Opus), Holds::Part(1, Codec::Opus), None),
                (part(track, &ann, 12, Codec::Pcm), Holds::Part(12, Codec::Pcm), None),
                (spool(track, &ann, 1, None), Holds::Spool, None),
                (spool(track, &ann, 3, None), Holds::Spool, None),
                (spool(track, &ann, 1, late), Holds::Spool, late),
                (spool(track, &ann, 3, late), Holds::Spool, late),
            ] {
                assert_eq!(track_file(&name), Some(TrackFile { track, slug: "ann-2".to_owned(), holds, at }), "{name}");
            }
            for what in [Derived::Session, Derived::Track(track, Container::Wav), Derived::Waveform(track)] {
                assert!(is_derived(&derived(what)) && is_derived(&(derived(what) + NEXT)));
            }
        }
        for (name, was) in
            [("waveform-2.json", true), ("waveform.json", true), ("waveform-02.json", false), ("mix.json", false)]
        {
            assert_eq!((was_derived(name), is_derived(name)), (was, was), "{name}");
        }
        let id = RecordingId::new(UnixMillis::new(1_795_339_680_123), [7; 10]);
        let folder = folder(&RoomName::lobby(), UnixMillis::new(1_795_339_680_123), id);
        assert_eq!(recording(folder.strip_prefix("lobby/").unwrap()), Some(id));
        for none in [
            "1-ann.ogg",
            "001-ann.ogg",
            "00-ann.ogg",
            "01-Ann.ogg",
            "01-.ogg",
            "01-ann.1.ogg",
            "01-ann.mp3",
            "01-ann.02.ogg",
        ] {
            assert_eq!(track_file(none), None, "{none}");
        }
        for none in [
            "01-ann.ogg.next",
            "01-ann.late.1",
            "01-ann.07.late",
            "01-ann.7.late.1",
            "01-ann.7.8.late",
            "01-a/b.ogg",
            "../01-ann.ogg",
            "70000-ann.ogg",
            "session.json",
            "",
        ] {
            assert_eq!(track_file(none), None, "{none}");
        }
        for none in [
            "track-0.webm",
            "track-01.webm",
            "track-.webm",
            "session.json",
            "waveform-1.webm",
            "session.webm.next.next",
        ] {
            assert!(!is_derived(none), "{none}");
        }
        for none in ["notes", "20261122T092800Z", "20261122T092800Z-", "2026-11-22", "20261122T092800Z-../x"] {
            assert_eq!(recording(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_name_becomes_a_path(name in "\\PC{0,80}") {
            let slug = slug(&name);
            prop_assert!(!slug.is_empty() && slug.len() <= LONGEST_SLUG);
            prop_assert!(slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(!slug.starts_with('-') && !slug.ends_with('-'));
        }
    }
}
