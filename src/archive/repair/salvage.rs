//! A recording without a session file, as far as its parts and their names tell: who spoke, in how many parts, and where each
//! begins where its tags say so. What was said as text, who was there, and a title are lost.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use uuid::Uuid;

use super::measure;
use crate::archive::check::walk;
use crate::archive::foreign::{self, Kind};
use crate::archive::imprint::{self, Imprint};
use crate::archive::model::RecordingId;
use crate::archive::names::{self, Holds, TrackFile};
use crate::archive::session_file::{Anchor, Part, SessionFile, Track, VERSION};
use crate::container::ogg::{self, Event};
use crate::container::stream::{Demux as _, Event as StreamEvent};
use crate::container::wav;
use crate::media::packet::Sequence;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::{Codec, Source};
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

/// Where the head and the tags of a part are at the latest, in bytes.
const HEADS: u64 = 512 * 1024;

/// What a part says of itself.
pub(super) struct Said {
    pub format: Format,
    pub name: Option<ParticipantName>,
    pub imprint: Option<Imprint>,
}

/// Makes a session file for a recording out of its folder; `None` where there is no part that says what it is.
pub(super) fn session_file(folder: &Path, id: RecordingId, room: &RoomName) -> io::Result<Option<SessionFile>> {
    let mut parts = BTreeMap::new();
    for (name, kind) in walk::entries(folder)? {
        if let (Kind::File, Some(TrackFile { track, slug, holds: Holds::Part(number, codec), at: _ })) =
            (kind, names::track_file(&name))
        {
            parts.insert((track, number), (name, slug, codec));
        }
    }
    let mut tracks: Vec<Track> = Vec::new();
    for ((number, part), (file, slug, codec)) in parts {
        let path = folder.join(&file);
        let Some(said) = said(foreign::open(&path)?, codec)? else { continue };
        let participant = said.imprint.map_or_else(|| nobody(id, number), |imprint| imprint.participant);
        if tracks.last().is_none_or(|track| track.number != number) {
            let name = said.name.or_else(|| slug.parse().ok()).unwrap_or_else(ParticipantName::nobody);
            let (parts, gaps, anchors, restarts) = Default::default();
            tracks.push(Track { number, participant, name, parts, gaps, anchors, restarts });
        }
        let Some(track) = tracks.last_mut() else { continue };
        // Without a word of its own it begins where the one before it ends.
        let start = match (said.imprint, track.parts.last()) {
            (Some(Imprint { start, .. }), _) => Anchor { track_ticks: start.track, session_ticks: start.session },
            (None, None) => Anchor { track_ticks: Ticks::ZERO, session_ticks: Ticks::ZERO },
            (None, Some(before)) => {
                let length = length(folder, before)?;
                let Anchor { track_ticks, session_ticks } = before.start;
                Anchor {
                    track_ticks: track_ticks.saturating_add(length),
                    session_ticks: session_ticks.saturating_add(length),
                }
            }
        };
        let first_sequence = said.imprint.map_or(Sequence::ZERO, |imprint| imprint.first);
        let source = said.imprint.map_or(codec, |imprint| imprint.source);
        track.parts.push(Part {
            number: part,
            file,
            format: said.format,
            source,
            start,
            first_sequence,
            next_sequence: None,
            sums: Vec::new(),
        });
    }
    let file = SessionFile {
        version: VERSION,
        id,
        room: room.clone(),
        title: None,
        // Nobody can say any more whether someone wanted it kept.
        keep: true,
        started: id.started(),
        end: None,
        tracks,
        chat: Vec::new(),
        attendance: Vec::new(),
        published: None,
        markers: Vec::new(),
    };
    Ok((!file.tracks.is_empty()).then_some(file))
}

/// Reads what a part says of itself; `None` where its head cannot be read.
pub(super) fn said(file: File, codec: Codec) -> io::Result<Option<Said>> {
    let mut bytes = Vec::new();
    file.take(HEADS).read_to_end(&mut bytes)?;
    Ok(if codec == Codec::Pcm { said_by_wav(&bytes) } else { said_by_ogg(&bytes) })
}

fn said_by_ogg(bytes: &[u8]) -> Option<Said> {
    let mut demuxer = ogg::Demuxer::new();
    demuxer.push(bytes);
    let Ok(Some(Event::Head(head))) = demuxer.pull() else { return None };
    let tags = match demuxer.pull() {
        Ok(Some(Event::Tags(tags))) => tags,
        _ => Vec::new(),
    };
    let tag = |wanted: &str| tags.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    Some(Said {
        format: Format::Opus(head),
        name: tag("ARTIST").and_then(|name| name.parse().ok()),
        imprint: tag(imprint::TAG).and_then(|imprint| imprint.parse().ok()),
    })
}

fn said_by_wav(bytes: &[u8]) -> Option<Said> {
    let mut demuxer = wav::Demuxer::new();
    demuxer.push(bytes);
    let Ok(Some(StreamEvent::Head(Source::Pcm(head)))) = demuxer.pull() else { return None };
    Some(Said { format: Format::Pcm(head), name: None, imprint: None })
}

fn length(folder: &Path, part: &Part) -> io::Result<Ticks> {
    let file = foreign::open(&folder.join(&part.file))?;
    let measured = match part.format {
        Format::Opus(_) => measure::ogg(file, 0),
        Format::Pcm(head) => measure::wav(file, head, false),
    };
    measured.map(|measured| measured.length)
}

/// An ID for someone of whom none is known: the same whenever it is asked for.
pub(super) fn nobody(id: RecordingId, track: TrackNumber) -> Uuid {
    let mut bytes = *id.uuid().as_bytes();
    let [a, b] = track.get().to_be_bytes();
    bytes[14] ^= a;
    bytes[15] ^= b;
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
