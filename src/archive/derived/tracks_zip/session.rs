//! `session.json`: what a person or a script wants to know of the files beside it.
//!
//! What belongs here: words and numbers as REST has them. What does not: what would rebuild a recording, which is in the
//! `session.json` of its own folder.
//!
//! Times are in seconds from where the files begin; `from` says where on the session's clock that is.

use std::ops::Range;

use serde::Serialize;

use super::contents::{Contents, TrackFile};
use crate::archive::model::{EndReason, GapCause, RecordingId};
use crate::media::room::{ParticipantName, RoomName};
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

#[derive(Debug, Serialize)]
struct Session<'a> {
    recording: RecordingId,
    room: &'a RoomName,
    title: Option<&'a str>,
    /// When the session's clock was at zero.
    started: UnixMillis,
    /// Where on the session's clock the files begin.
    from: f64,
    /// How long each file is.
    duration: f64,
    end_reason: Option<EndReason>,
    tracks: Vec<Track<'a>>,
    chat: Vec<Chat<'a>>,
    markers: Vec<Marker<'a>>,
    attendance: Vec<Attendance<'a>>,
}

#[derive(Debug, Serialize)]
struct Track<'a> {
    number: TrackNumber,
    name: &'a ParticipantName,
    file: &'a str,
    rate: u64,
    channels: u8,
    bits: usize,
    /// When there is speech: beginnings and ends.
    speech: Vec<[f64; 2]>,
    gaps: Vec<Gap>,
}

#[derive(Debug, Serialize)]
struct Gap {
    at: f64,
    duration: f64,
    cause: GapCause,
}

#[derive(Debug, Serialize)]
struct Chat<'a> {
    at: f64,
    name: &'a ParticipantName,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct Marker<'a> {
    at: f64,
    /// Null where nobody said who set it.
    name: Option<&'a ParticipantName>,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct Attendance<'a> {
    name: &'a ParticipantName,
    joined: f64,
    /// Null for those who stayed to the end.
    left: Option<f64>,
}

/// The file.
pub fn session(contents: &Contents<'_>) -> Vec<u8> {
    let Contents { recording, span, files } = contents;
    let summary = &recording.summary;
    let stays = recording.attendance.iter().filter_map(|stay| {
        // Who came before the files begin is there from their beginning on; who went before is not in them.
        let left = stay.left.map(|left| left.checked_sub(span.start)).map_or(Some(None), |left| left.map(Some))?;
        let joined = contents.at(stay.joined.max(span.start))?;
        let left = left.filter(|_| stay.left.is_some_and(|left| contents.at(left).is_some()));
        Some(Attendance { name: &stay.name, joined: joined.as_secs_f64(), left: left.map(Ticks::as_secs_f64) })
    });
    let session = Session {
        recording: summary.id,
        room: &summary.room,
        title: summary.title.as_deref(),
        started: summary.started,
        from: span.start.as_secs_f64(),
        duration: contents.length().as_secs_f64(),
        end_reason: summary.state.end_reason(),
        tracks: files.iter().map(|file| track(file, span)).collect(),
        chat: contents
            .chat()
            .map(|(at, line)| Chat { at: at.as_secs_f64(), name: &line.name, text: &line.text })
            .collect(),
        markers: contents
            .markers()
            .map(|(at, marker)| Marker { at: at.as_secs_f64(), name: marker.name.as_ref(), text: marker.text.as_str() })
            .collect(),
        attendance: stays.collect(),
    };
    let mut json =
        serde_json::to_vec_pretty(&session).expect("every key is a string, and every value a number or a text");
    json.push(b'\n');
    json
}

fn track<'a>(file: &'a TrackFile<'a>, span: &Range<Ticks>) -> Track<'a> {
    let gaps = file.track.gaps.iter().filter_map(|gap| {
        let from = file.track.session(gap.at);
        let to = from.saturating_add(gap.length).min(span.end);
        let from = from.max(span.start);
        let length = to.checked_sub(from).filter(|length| *length > Ticks::ZERO)?;
        let at = from.saturating_sub(span.start);
        Some(Gap { at: at.as_secs_f64(), duration: length.as_secs_f64(), cause: gap.cause })
    });
    Track {
        number: file.track.number,
        name: &file.track.name,
        file: &file.name,
        rate: Ticks::PER_SECOND,
        channels: file.channels,
        bits: file.sample.bytes() * 8,
        speech: file.speech.iter().map(|run| [run.start.as_secs_f64(), run.end.as_secs_f64()]).collect(),
        gaps: gaps.collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::contents::tests::{contents, recording};
    use super::*;
    use crate::archive::model::{Attendance, Gap};

    #[test]
    fn it_says_what_is_in_the_files_and_when_from_their_beginning_on() {
        let mut recording = recording();
        let millis = Ticks::from_millis;
        let gap = |at, length| Gap { at: millis(at), length: millis(length), cause: GapCause::Pause, filled: true };
        recording.tracks[0].gaps = vec![gap(1000, 500), gap(4500, 1000), gap(9500, 700)];
        let stay = |name: &str, joined, left: Option<u64>| Attendance {
            participant: uuid::Uuid::nil(),
            name: name.parse().unwrap(),
            joined: millis(joined),
            left: left.map(millis),
        };
        recording.attendance = vec![
            stay("Ann", 0, None),
            stay("Ben", 6000, Some(7000)),
            stay("Eve", 1000, Some(2000)),
            stay("Kim", 0, Some(9500)),
        ];
        let told: Value = serde_json::from_slice(&session(&contents(&recording, 5..9))).unwrap();
        assert_eq!(told["started"], "2026-11-22T09:28:00.000Z");
        assert_eq!((&told["room"], &told["title"]), (&json!("studio"), &json!("The \"first\" one")));
        assert_eq!(
            (&told["from"], &told["duration"], &told["end_reason"]),
            (&json!(5.0), &json!(4.0), &json!("finished"))
        );
        let ann = &told["tracks"][0];
        assert_eq!((&ann["number"], &ann["name"], &ann["file"]), (&json!(1), &json!("Ann"), &json!("01 Ann.wav")));
        assert_eq!((&ann["rate"], &ann["channels"], &ann["bits"]), (&json!(48_000), &json!(1), &json!(16)));
        assert_eq!(ann["speech"], json!([[0.0, 4.0]]));
        assert_eq!(ann["gaps"], json!([{ "at": 0.0, "duration": 0.5, "cause": "pause" }]));
        assert_eq!(told["chat"], json!([{ "at": 0.25, "name": "Ann", "text": "a\tlink:\nhttps://example.org" }]));
        let stays = json!([
            { "name": "Ann", "joined": 0.0, "left": null },
            { "name": "Ben", "joined": 1.0, "left": 2.0 },
            { "name": "Kim", "joined": 0.0, "left": null },
        ]);
        assert_eq!(told["attendance"], stays);
    }
}
