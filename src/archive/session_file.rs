//! `session.json`: what a recording says of itself in its own folder, enough to rebuild its part of the index. How long
//! its files are, the files tell; what samples were, which cannot tell themselves, their checksums do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::extents::{Extent, LONGEST_EXTENT};
use super::model::{self, EndReason, GapCause, RecordingId};
use crate::media::marker::{MarkerId, MarkerText};
use crate::media::packet::Sequence;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

/// The version that is written, and the only one there is. A change that an older reader would misunderstand is a new one.
pub const VERSION: u32 = 1;

/// The file. A tick is 1/48000 s; times are RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFile {
    /// [`VERSION`].
    pub version: u32,
    /// The recording's ID.
    pub id: RecordingId,
    /// Where it was made.
    pub room: RoomName,
    /// What it is called, once someone has named it.
    pub title: Option<String>,
    /// Whether retention leaves it alone.
    pub keep: bool,
    /// When the session's clock was at zero.
    pub started: UnixMillis,
    /// When and why it ended, if it has.
    pub end: Option<End>,
    /// Its tracks, by number.
    pub tracks: Vec<Track>,
    /// Its chat, in order.
    pub chat: Vec<Chat>,
    /// Who was there and might speak, in the order in which they came. Files of the first versions do not say.
    #[serde(default)]
    pub attendance: Vec<Attendance>,
    /// Since when it is published, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<UnixMillis>,
    /// Its markers, in the order of their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub markers: Vec<Marker>,
}

/// When and why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub at: UnixMillis,
    /// Why.
    pub reason: EndReason,
    /// How long it is: the end of its last durable sound on the session's clock. Files of the first versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_ticks: Option<Ticks>,
}

/// One participant's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Its number, from 1.
    pub number: TrackNumber,
    /// Whose it is: one connection, one ID.
    pub participant: Uuid,
    /// What they called themselves.
    pub name: ParticipantName,
    /// Its files, in order.
    pub parts: Vec<Part>,
    /// Where it has no packets.
    pub gaps: Vec<Gap>,
    /// Where its clock was pinned to the session's.
    pub anchors: Vec<Anchor>,
    /// Where its encoder started again.
    pub restarts: Vec<Restart>,
}

/// One file of a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its place among the track's parts, from 1.
    pub number: u32,
    /// Its name in this folder.
    pub file: String,
    /// How its packets are encoded.
    pub format: Format,
    /// The codec that its publisher used. Files of the first versions do not say: it was Opus.
    #[serde(default = "opus")]
    pub source: Codec,
    /// Where it begins.
    pub start: Anchor,
    /// The number of its first packet.
    pub first_sequence: Sequence,
    /// The number after its last packet, once nothing more may come. Files of the first versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<Sequence>,
    /// The checksums of its samples, piece by piece, where it is WAV and nothing more may come. Files of the first versions do not
    /// say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<Sums>,
}

/// Pieces of a WAV part that are of the same length, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sums {
    /// How many bytes each of them has.
    pub bytes: u64,
    /// CRC-32 of each (ISO 3309): eight hexadecimal digits, and a space between any two.
    pub crc32: String,
}

/// A pair of places that are the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// On the track's count.
    pub track_ticks: Ticks,
    /// On the session's clock.
    pub session_ticks: Ticks,
}

/// Time in a track for which no packet exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Where it begins, on the track's count.
    pub at_ticks: Ticks,
    /// How long it is.
    pub length_ticks: Ticks,
    /// Why it is there.
    pub cause: GapCause,
    /// Whether its part holds coded silence for it.
    pub filled: bool,
}

/// An encoder that started again within a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Where, on the track's count.
    pub at_ticks: Ticks,
    /// Its pre-skip, which stays in the sound.
    pub pre_skip_ticks: u16,
}

/// A line of chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// When, on the session's clock.
    pub at_ticks: Ticks,
    /// Who: one connection, one ID.
    pub participant: Uuid,
    /// What they called themselves.
    pub name: ParticipantName,
    /// What they said.
    pub text: String,
}

/// The stay of someone who might speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// Who: one connection, one ID.
    pub participant: Uuid,
    /// What they called themselves.
    pub name: ParticipantName,
    /// When they came, on the session's clock.
    pub joined_ticks: Ticks,
    /// When they went, unless they stayed to the end.
    pub left_ticks: Option<Ticks>,
}

/// A place that someone marked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Its ID.
    pub id: MarkerId,
    /// Where, on the session's clock.
    pub at_ticks: Ticks,
    /// Who set it, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ParticipantName>,
    /// What is written on it.
    pub text: MarkerText,
}

const fn opus() -> Codec {
    Codec::Opus
}

/// Why bytes are no session file that this version reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not what it should be; says the line and column.
    #[error("the session file is none: {0}")]
    Json(#[from] serde_json::Error),
    /// Of a version that is not known.
    #[error("the session file is of version {0}, known is {VERSION}")]
    Version(u32),
}

impl SessionFile {
    /// What a recording's file says.
    #[must_use]
    pub fn of(recording: &model::Recording) -> Self {
        // What is derived can be made again: it is not said here.
        let model::Recording { summary, tracks, chat, attendance, markers, derived: _ } = recording;
        let reason = summary.state.end_reason();
        let line = |chat: &model::Chat| {
            let model::Chat { at, participant, name, text } = chat.clone();
            Chat { at_ticks: at, participant, name, text }
        };
        let stay = |stay: &model::Attendance| {
            let model::Attendance { participant, name, joined, left } = stay.clone();
            Attendance { participant, name, joined_ticks: joined, left_ticks: left }
        };
        let marker = |marker: &model::Marker| {
            let model::Marker { id, at, name, text } = marker.clone();
            Marker { id, at_ticks: at, name, text }
        };
        Self {
            version: VERSION,
            id: summary.id,
            room: summary.room.clone(),
            title: summary.title.clone(),
            keep: summary.keep,
            started: summary.started,
            end: summary.ended.zip(reason).map(|(at, reason)| End { at, reason, length_ticks: Some(summary.length) }),
            tracks: tracks.iter().map(Track::of).collect(),
            chat: chat.iter().map(line).collect(),
            attendance: attendance.iter().map(stay).collect(),
            published: summary.published,
            markers: markers.iter().map(marker).collect(),
        }
    }

    /// The same, with the checksums of those parts to which nothing more may come.
    #[must_use]
    pub(super) fn with_sums(mut self, sums: &BTreeMap<(TrackNumber, u32), Vec<Extent>>) -> Self {
        for track in &mut self.tracks {
            for part in track.parts.iter_mut().filter(|part| part.next_sequence.is_some()) {
                part.sums = sums.get(&(track.number, part.number)).map_or_else(Vec::new, |sums| Sums::of(sums));
            }
        }
        self
    }

    /// The file's bytes: indented, for people.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("every key is a string, and every value is plain");
        bytes.push(b'\n');
        bytes
    }

    /// Whether a file of any version says the same as this one does, as far as its version could say it; of checksums, as far as
    /// both say any.
    #[must_use]
    pub fn is_said_by(&self, file: &Self) -> bool {
        let mut file = file.clone();
        if let (Some(end), Some(ours)) = (&mut file.end, &self.end) {
            end.length_ticks = end.length_ticks.or(ours.length_ticks);
        }
        for (track, ours) in file.tracks.iter_mut().zip(&self.tracks) {
            for (part, ours) in track.parts.iter_mut().zip(&ours.parts) {
                part.next_sequence = part.next_sequence.or(ours.next_sequence);
                if part.sums.is_empty() || ours.sums.is_empty() {
                    part.sums.clone_from(&ours.sums);
                }
            }
        }
        file == *self
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Where the bytes are none, or of another version.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        match serde_json::from_slice(bytes)? {
            Versioned { version: VERSION } => Ok(serde_json::from_slice(bytes)?),
            Versioned { version } => Err(Error::Version(version)),
        }
    }
}

impl Track {
    fn of(track: &model::Track) -> Self {
        let part = |part: &model::Part| Part {
            number: part.number,
            file: part.file.clone(),
            format: part.format.clone(),
            source: part.source,
            start: Anchor::of(part.start),
            first_sequence: part.first,
            next_sequence: (!part.open).then_some(part.next),
            sums: Vec::new(),
        };
        let gap = |&model::Gap { at, length, cause, filled }: &model::Gap| Gap {
            at_ticks: at,
            length_ticks: length,
            cause,
            filled,
        };
        let restart =
            |&model::Restart { at, pre_skip }: &model::Restart| Restart { at_ticks: at, pre_skip_ticks: pre_skip };
        Self {
            number: track.number,
            participant: track.participant,
            name: track.name.clone(),
            parts: track.parts.iter().map(part).collect(),
            gaps: track.gaps.iter().map(gap).collect(),
            anchors: track.anchors.iter().copied().map(Anchor::of).collect(),
            restarts: track.restarts.iter().map(restart).collect(),
        }
    }
}

impl Part {
    /// The pieces of a WAV part whose samples begin at this byte, as far as it says them; `None` where it does not, or says what cannot
    /// be.
    pub(super) fn extents(&self, begin: u64) -> Option<Vec<Extent>> {
        let mut extents = Vec::new();
        let mut at = begin;
        for Sums { bytes, crc32 } in &self.sums {
            for sum in crc32.split(' ') {
                let crc = u32::from_str_radix(sum, 16).ok().filter(|crc| format!("{crc:08x}") == sum)?;
                extents.push(Extent { begin: at, bytes: *bytes, crc });
                at = at.checked_add(*bytes).filter(|_| (1..=LONGEST_EXTENT).contains(bytes))?;
            }
        }
        (!extents.is_empty()).then_some(extents)
    }
}

impl Sums {
    fn of(extents: &[Extent]) -> Vec<Self> {
        let alike = extents.chunk_by(|one, next| one.bytes == next.bytes);
        let sums = |extents: &[Extent]| {
            let sums: Vec<_> = extents.iter().map(|extent| format!("{:08x}", extent.crc)).collect();
            Self { bytes: extents[0].bytes, crc32: sums.join(" ") }
        };
        alike.map(sums).collect()
    }
}

impl Anchor {
    const fn of(model::Anchor { track, session }: model::Anchor) -> Self {
        Self { track_ticks: track, session_ticks: session }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_file_of_another_version_is_refused_by_its_version() {
        assert!(matches!(SessionFile::read(br#"{"version":2,"id":7}"#), Err(Error::Version(2))));
        assert!(matches!(SessionFile::read(br#"{"version":1,"id":7}"#), Err(Error::Json(_))));
        assert!(matches!(SessionFile::read(b"{"), Err(Error::Json(_))));
    }

    #[test]
    fn a_file_from_before_attendance_was_kept_still_reads() {
        let old = br#"{"version":1,"id":"019a0000-0000-7000-8000-000000000000","room":"talk","title":null,"keep":false,
            "started":"2026-11-22T09:28:00.000Z","end":null,"tracks":[],"chat":[]}"#;
        assert_eq!(SessionFile::read(old).unwrap().attendance, []);
    }

    #[test]
    fn a_file_that_leaves_out_what_its_version_did_not_know_says_the_same_and_one_that_differs_does_not() {
        let text = r#"{"version":1,"id":"019a0000-0000-7000-8000-000000000000","room":"talk","title":null,"keep":false,
            "started":"2026-11-22T09:28:00.000Z","end":{"at":"2026-11-22T09:29:00.000Z","reason":"finished"},
            "tracks":[],"chat":[]}"#;
        let old = SessionFile::read(text.as_bytes()).unwrap();
        let mut ours = old.clone();
        ours.end = ours.end.map(|end| End { length_ticks: Some(Ticks::from_secs(60)), ..end });
        assert!(ours.is_said_by(&old) && ours.is_said_by(&ours));
        let other = old.end.map(|end| End { length_ticks: Some(Ticks::from_secs(61)), ..end });
        assert!(!ours.is_said_by(&SessionFile { end: other, ..old.clone() }));
        assert!(!ours.is_said_by(&SessionFile { keep: true, ..old }));
    }

    #[test]
    fn the_sums_of_samples_come_back_as_they_were_and_what_cannot_be_is_none() {
        let of = |begin, bytes, crc| Extent { begin, bytes, crc };
        let extents =
            [of(44, 262_144, 0xDEAD_BEEF), of(262_188, 262_144, 7), of(524_332, 10, 0), of(524_342, 9, u32::MAX)];
        let sums = Sums::of(&extents);
        assert_eq!(sums[0], Sums { bytes: 262_144, crc32: "deadbeef 00000007".to_owned() });
        let part = |sums: Vec<Sums>| {
            let text = r#"{"number":1,"file":"a","format":{"codec":"opus","channels":1,"pre_skip":312,"input_rate":48000,
                "output_gain":0},"start":{"track_ticks":0,"session_ticks":0},"first_sequence":0}"#;
            Part { sums, ..serde_json::from_str(text).unwrap() }
        };
        let json = serde_json::to_string(&part(sums)).unwrap();
        assert_eq!(serde_json::from_str::<Part>(&json).unwrap().extents(44), Some(extents.to_vec()));
        for (bytes, crc32) in [
            (0, "00000000"),
            (262_145, "00000000"),
            (4, "0"),
            (4, ""),
            (4, "0000000g"),
            (4, "+0000000"),
            (4, "00000000 "),
        ] {
            assert_eq!(part(vec![Sums { bytes, crc32: crc32.to_owned() }]).extents(44), None, "{bytes} {crc32}");
        }
        assert_eq!(part(Vec::new()).extents(44), None);
    }

    #[test]
    fn a_part_from_before_sources_were_kept_was_opus_and_its_format_is_read_of_either_kind() {
        let part = |format: &str| {
            let part = format!(
                r#"{{"number":1,"file":"a","format":{format},"start":{{"track_ticks":0,"session_ticks":0}},"first_sequence":0}}"#
            );
            serde_json::from_str::<Part>(&part).unwrap()
        };
        let opus = part(r#"{"codec":"opus","channels":1,"pre_skip":312,"input_rate":48000,"output_gain":0}"#);
        assert_eq!((opus.source, opus.format.codec()), (Codec::Opus, Codec::Opus));
        let pcm = part(r#"{"codec":"pcm","sample":"f32le","rate":96000,"channels":2}"#);
        assert_eq!(pcm.format.codec(), Codec::Pcm);
    }
}
