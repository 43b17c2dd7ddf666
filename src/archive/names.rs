//! The names of folders and files: made from IDs, times and numbers, and from what is harmless of a participant's name.

use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::UnixMillis;
use crate::media::track::TrackNumber;

use super::model::{Derived, RecordingId};

/// The index, in the folder of all recordings.
pub(super) const INDEX: &str = "index.sqlite3";
/// What a recording says of itself, in its folder.
pub(super) const SESSION: &str = "session.json";
/// The next session file, until it takes the place of the one before.
pub(super) const SESSION_NEXT: &str = "session.json.next";
/// The folder for what is derived, in a recording's folder.
pub(super) const DERIVED: &str = "derived";

/// What the name of a derived file ends with until it takes the place of the one before.
pub(super) const NEXT: &str = ".next";

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

/// The spool beside a track's parts: `01-ann.late`, and from the track's second on `01-ann.late.2`.
pub(super) fn spool(track: TrackNumber, name: &ParticipantName, nth: u32) -> String {
    let stem = stem(track, name);
    if nth == 1 { format!("{stem}.late") } else { format!("{stem}.late.{nth}") }
}

/// A derived file, in its folder.
pub(super) fn derived(what: Derived) -> String {
    what.to_string()
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
        assert_eq!(spool(one, &ann, 1), "01-ann.late");
        assert_eq!(spool(TrackNumber::new(123), &ann, 2), "123-ann.late.2");
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
