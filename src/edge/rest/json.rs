//! A recording as JSON: durations and places in seconds, times in RFC 3339.

use serde::Serialize;
use uuid::Uuid;

use super::tracks;
use crate::archive::kept::Kept;
use crate::archive::model::{self, Container, Derived, DerivedFile, Edition, EndReason, GapCause, RecordingId};
use crate::container::wav;
use crate::media::marker::{MarkerId, MarkerText};
use crate::media::pcm;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};
use crate::wire::v1;

/// A recording as lists show it.
#[derive(Debug, Serialize)]
pub struct Summary {
    #[serde(flatten)]
    head: Head,
    /// How many.
    tracks: u32,
}

/// A recording with all that is in it.
#[derive(Debug, Serialize)]
pub struct Recording {
    #[serde(flatten)]
    head: Head,
    tracks: Vec<Track>,
    chat: Vec<Chat>,
    attendance: Vec<Attendance>,
    markers: Vec<Marker>,
    files: RecordingFiles,
    /// What is being made of it, or waits for that.
    making: Vec<Making>,
}

/// A file that someone waits for, or that is made unasked.
#[derive(Debug, Serialize)]
struct Making {
    href: String,
    /// From 0 to 1.
    progress: f64,
}

/// The files of all tracks together.
#[derive(Debug, Serialize)]
struct RecordingFiles {
    session: Made,
    mix: Mix,
    /// Every track as WAV, for an editor.
    tracks: Made,
    waveform: Waveform,
}

/// The peaks of the mix: so far, while the recording is made.
#[derive(Debug, Serialize)]
struct Waveform {
    href: String,
    /// The same as a binary file.
    dat: String,
    /// Whether they are kept in a file by now.
    made: bool,
}

/// The mix.
#[derive(Debug, Serialize)]
struct Mix {
    ogg: Made,
    webm: Made,
    wav: Made,
    flac: Made,
}

/// A derived file.
#[derive(Debug, Serialize)]
struct Made {
    href: String,
    /// Null until it is made.
    bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Head {
    id: RecordingId,
    room: RoomName,
    title: Option<String>,
    keep: bool,
    /// Whether it is in its room's feed, and since when.
    published: bool,
    published_at: Option<UnixMillis>,
    started: UnixMillis,
    ended: Option<UnixMillis>,
    state: &'static str,
    end_reason: Option<EndReason>,
    duration: f64,
    bytes: u64,
    people: Vec<ParticipantName>,
}

#[derive(Debug, Serialize)]
struct Track {
    number: TrackNumber,
    participant: Uuid,
    name: ParticipantName,
    /// From the session's start.
    start: f64,
    duration: f64,
    bytes: u64,
    /// How its first part is kept.
    #[serde(flatten)]
    format: Option<Format>,
    /// What its publisher used at first.
    source: Option<Codec>,
    parts: Vec<Part>,
    gaps: Vec<Gap>,
    /// Which of its files is what is kept; null where its parts are of several kinds.
    kept: Option<&'static str>,
    files: Files,
    sizes: Sizes,
    /// Whether some of it could not be read when its files were made: they go without that.
    damaged: bool,
}

#[derive(Debug, Serialize)]
struct Part {
    number: u32,
    #[serde(flatten)]
    format: Format,
    /// What its publisher used.
    source: Codec,
    /// The part alone, as it is kept.
    href: String,
    start: f64,
    duration: f64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Gap {
    /// From the session's start.
    at: f64,
    duration: f64,
    cause: GapCause,
}

#[derive(Debug, Serialize)]
struct Files {
    /// All parts, where they are Opus; else made of them.
    ogg: String,
    /// All parts, where they are plain samples of one head; else made of them.
    wav: String,
    webm: String,
    flac: String,
    waveform: String,
    /// The same as a binary file.
    waveform_dat: String,
}

/// In bytes; null until it is made.
#[derive(Debug, Serialize)]
struct Sizes {
    ogg: Option<u64>,
    wav: Option<u64>,
    webm: Option<u64>,
    flac: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Chat {
    at: f64,
    participant: Uuid,
    name: ParticipantName,
    text: String,
}

#[derive(Debug, Serialize)]
struct Attendance {
    participant: Uuid,
    name: ParticipantName,
    joined: f64,
    /// Null for those who stayed to the end.
    left: Option<f64>,
}

/// A marker.
#[derive(Debug, Serialize)]
pub struct Marker {
    id: MarkerId,
    /// From the recording's start.
    at: f64,
    /// Who set it; null where nobody said.
    name: Option<ParticipantName>,
    text: MarkerText,
}

impl Marker {
    /// Its ID.
    pub const fn id(&self) -> MarkerId {
        self.id
    }
}

impl From<model::Summary> for Summary {
    fn from(summary: model::Summary) -> Self {
        Self { tracks: summary.tracks, head: summary.into() }
    }
}

impl From<model::Summary> for Head {
    fn from(summary: model::Summary) -> Self {
        Self {
            id: summary.id,
            room: summary.room,
            title: summary.title,
            keep: summary.keep,
            published: summary.published.is_some(),
            published_at: summary.published,
            started: summary.started,
            ended: summary.ended,
            state: summary.state.word(),
            end_reason: summary.state.end_reason(),
            duration: summary.length.as_secs_f64(),
            bytes: summary.bytes,
            people: summary.people,
        }
    }
}

impl Recording {
    /// A recording, and what is being made of it.
    pub fn new(recording: model::Recording, making: Vec<(Edition, f64)>) -> Self {
        let id = recording.summary.id;
        let made = recording.derived;
        Self {
            head: recording.summary.into(),
            tracks: recording.tracks.into_iter().map(|track| Track::new(id, track, &made)).collect(),
            files: RecordingFiles {
                session: Made::new(id, Derived::Session, &made),
                mix: Mix {
                    ogg: Made::new(id, Derived::Mix(Container::Ogg), &made),
                    webm: Made::new(id, Derived::Mix(Container::WebM), &made),
                    wav: Made::new(id, Derived::Mix(Container::Wav), &made),
                    flac: Made::new(id, Derived::Mix(Container::Flac), &made),
                },
                tracks: Made::new(id, Derived::TracksZip, &made),
                waveform: Waveform {
                    href: format!("/api/v1/recordings/{id}/waveform.json"),
                    dat: format!("/api/v1/recordings/{id}/waveform.dat"),
                    made: size(&made, Derived::MixWaveform).is_some(),
                },
            },
            chat: recording.chat.into_iter().map(Chat::from).collect(),
            attendance: recording.attendance.into_iter().map(Attendance::from).collect(),
            markers: recording.markers.into_iter().map(Marker::from).collect(),
            making: making.into_iter().map(|(what, progress)| Making { href: href(id, what), progress }).collect(),
        }
    }
}

impl Made {
    fn new(id: RecordingId, what: Derived, made: &[DerivedFile]) -> Self {
        Self { href: href(id, what.into()), bytes: size(made, what) }
    }
}

/// The address of a derived file.
fn href(id: RecordingId, what: Edition) -> String {
    let file = match what.of {
        Derived::Track(number, container) => format!("tracks/{number}.{}", container.extension()),
        Derived::Waveform(number) => format!("tracks/{number}/waveform.json"),
        // Of all tracks together it ends with the file's name.
        of => of.to_string(),
    };
    let chosen: Vec<_> = what.edit.fields().map(|(key, value)| format!("{key}={value}")).collect();
    let query = if chosen.is_empty() { String::new() } else { format!("?{}", chosen.join("&")) };
    format!("/api/v1/recordings/{id}/{file}{query}")
}

fn size(made: &[DerivedFile], what: Derived) -> Option<u64> {
    made.iter().find(|file| file.what == what).map(|file| file.bytes)
}

impl Track {
    fn new(id: RecordingId, track: model::Track, made: &[DerivedFile]) -> Self {
        let start = track.parts.first().map(|part| part.start.session).unwrap_or_default();
        let end = track.parts.last().map(|part| part.start.session.saturating_add(part.length)).unwrap_or_default();
        let gaps = track.gaps.iter().map(|gap| Gap {
            at: track.session(gap.at).as_secs_f64(),
            duration: gap.length.as_secs_f64(),
            cause: gap.cause,
        });
        let address = tracks::address(id, track.number);
        let bytes = track.parts.iter().map(|part| part.bytes).sum();
        let kept = Kept::of(track.parts.iter().map(|part| &part.format));
        let of = |container| size(made, Derived::Track(track.number, container));
        let sizes = Sizes {
            ogg: if kept == Kept::Ogg { Some(bytes) } else { of(Container::Ogg) },
            wav: match kept {
                Kept::Wav(head) => Some(wav_bytes(head, &track.parts)),
                Kept::Ogg | Kept::Apart => of(Container::Wav),
            },
            webm: of(Container::WebM),
            flac: of(Container::Flac),
        };
        Self {
            number: track.number,
            participant: track.participant,
            start: start.as_secs_f64(),
            duration: end.saturating_sub(start).as_secs_f64(),
            bytes,
            format: track.parts.first().map(|part| part.format.clone()),
            source: track.parts.first().map(|part| part.source),
            gaps: gaps.collect(),
            files: Files {
                ogg: format!("{address}.ogg"),
                wav: format!("{address}.wav"),
                webm: format!("{address}.webm"),
                flac: format!("{address}.flac"),
                waveform: format!("{address}/waveform.json"),
                waveform_dat: format!("{address}/waveform.dat"),
            },
            kept: kept.container().map(Container::extension),
            sizes,
            damaged: made.iter().any(|file| file.damaged && file.what.of.track() == Some(track.number)),
            parts: track.parts.into_iter().map(|part| Part::new(&address, part)).collect(),
            name: track.name,
        }
    }
}

/// How long the file of all these parts is: one header and all samples.
fn wav_bytes(head: pcm::Head, parts: &[model::Part]) -> u64 {
    let begin = wav::data_offset(head);
    let samples = parts.iter().map(|part| part.bytes.saturating_sub(begin)).sum();
    wav::header_for(head, samples).len() as u64 + samples
}

impl Part {
    fn new(address: &str, part: model::Part) -> Self {
        let extension = Kept::of([&part.format]).container().map_or("", Container::extension);
        Self {
            number: part.number,
            href: format!("{address}.{extension}?part={}", part.number),
            source: part.source,
            format: part.format,
            start: part.start.session.as_secs_f64(),
            duration: part.length.as_secs_f64(),
            bytes: part.bytes,
        }
    }
}

impl From<model::Chat> for Chat {
    fn from(chat: model::Chat) -> Self {
        Self { at: chat.at.as_secs_f64(), participant: chat.participant, name: chat.name, text: chat.text }
    }
}

impl From<model::Marker> for Marker {
    fn from(model::Marker { id, at, name, text }: model::Marker) -> Self {
        Self { id, at: at.as_secs_f64(), name, text }
    }
}

impl From<v1::Marker> for Marker {
    fn from(v1::Marker { id, at, name, text }: v1::Marker) -> Self {
        Self { id, at, name, text }
    }
}

impl From<model::Attendance> for Attendance {
    fn from(stay: model::Attendance) -> Self {
        let model::Attendance { participant, name, joined, left } = stay;
        Self { participant, name, joined: joined.as_secs_f64(), left: left.map(Ticks::as_secs_f64) }
    }
}
