//! What is derived from recordings, where something comes between: a kill, a stop, a hand in the folder, damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use roomtone::archive::model::{Anchor, EndReason, RecordingId};
use roomtone::archive::{Archive, Event, NewPart, NewRecording, Options};
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::helpers::agreement::all_is_made;
use crate::helpers::hub::PATIENCE;
use crate::helpers::{Capture, Hub};

const TRACKS: u16 = 3;

/// Writes a recording of some minutes into a hub's folder, as a hub would have. To make all of its files takes a second or so for
/// two minutes: where something is to happen before, it is longer.
async fn record(minutes: u64) -> (Arc<TempDir>, String) {
    let folder = Arc::new(TempDir::new().unwrap());
    let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z").unwrap();
    let (archive, _) = Archive::open(Options::new(folder.path().join("recordings")), started).await.unwrap();
    let id = RecordingId::new(started, [7; 10]);
    let (tell, told) = mpsc::channel();
    let new = NewRecording { id, room: "talk".parse().unwrap(), started };
    let writer = archive.begin(new, Box::new(move |event| drop(tell.send(event))));
    let head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
    let capture = Capture::new("firefox-webm-opus").packets();
    for number in 1..=TRACKS {
        let track = TrackNumber::new(number);
        let start = Anchor { track: Ticks::ZERO, session: Ticks::from_secs(number.into()) };
        let (participant, name, format) = (Uuid::nil(), "Ann".parse().unwrap(), Format::Opus(head));
        writer.begin_part(NewPart {
            track,
            number: 1,
            participant,
            name,
            source: format.codec(),
            format,
            start,
            first: Sequence::ZERO,
        });
        let mut packets = Vec::new();
        let mut time = Ticks::ZERO;
        for source in capture.iter().cycle() {
            if time >= Ticks::from_secs(minutes * 60) {
                break;
            }
            let (duration, data) = (source.duration, source.data.clone());
            packets.push(Packet { sequence: Sequence::new(packets.len() as u64), time, duration, data, heard: None });
            time = time.saturating_add(duration);
        }
        writer.append(track, packets);
    }
    writer.end(EndReason::Finished, started);
    while !matches!(told.recv().unwrap(), Event::Ended) {}
    archive.close().await;
    (folder, format!("/api/v1/recordings/{id}"))
}

/// The folder of what is derived from the one recording of the room `talk`.
fn derived(folder: &TempDir) -> PathBuf {
    let mut recordings = fs::read_dir(folder.path().join("recordings/talk")).unwrap();
    recordings.next().unwrap().unwrap().path().join("derived")
}

/// The names in a folder, if there is one.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until a file is being written, or has been: a small one is written in no time.
async fn begun(folder: &Path, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !names(folder).iter().any(|there| there.strip_suffix(".next").unwrap_or(there) == name) {
        assert!(Instant::now() < deadline, "{name} is never begun: {:?}", names(folder));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The recording, once all that is derived from it is there.
async fn made(hub: &Hub, address: &str) -> Value {
    hub.until(address, all_is_made).await
}

const ALL: [&str; 9] = [
    "mix.ogg",
    "session.webm",
    "track-1.webm",
    "track-2.webm",
    "track-3.webm",
    "waveform-1.peaks",
    "waveform-2.peaks",
    "waveform-3.peaks",
    "waveform.peaks",
];

/// The bytes of all files.
fn all(folder: &Path) -> Vec<Vec<u8>> {
    assert_eq!(names(folder), ALL);
    ALL.iter().map(|name| fs::read(folder.join(name)).unwrap()).collect()
}

#[tokio::test]
async fn a_hub_that_is_killed_while_it_makes_files_leaves_none_half_and_makes_them_at_its_next_start() {
    let (folder, address) = record(2).await;
    let derived = derived(&folder);
    let hub = Hub::start_in(folder, &[]);
    made(&hub, &address).await;
    let whole = all(&derived);
    let mut folder = hub.kill();
    for name in ["session.webm", "track-2.webm", "waveform-1.peaks"] {
        fs::remove_dir_all(&derived).unwrap();
        let hub = Hub::start_in(folder, &[]);
        // A start looks at nothing that is there by the index: whoever asks for one of them has all of them made.
        assert_eq!(hub.get(&format!("{address}/session.webm")).await.status(), StatusCode::ACCEPTED);
        // Whether a file is hit half is luck. What counts is what is there afterwards.
        begun(&derived, name).await;
        folder = hub.kill();
        // What has its own name is whole.
        for (name, whole) in ALL.iter().zip(&whole) {
            assert!(fs::read(derived.join(name)).map_or(true, |bytes| bytes == *whole), "{name} is half");
        }
        let hub = Hub::start_in(folder, &[]);
        made(&hub, &address).await;
        assert!(all(&derived) == whole);
        folder = hub.kill();
    }
}

#[tokio::test]
async fn a_hub_that_is_told_to_stop_while_it_makes_files_does_and_leaves_nothing_half() {
    let (folder, address) = record(3).await;
    let derived = derived(&folder);
    fs::remove_dir_all(&derived).unwrap_or_default();
    let hub = Hub::start_in(folder, &[]);
    begun(&derived, "track-1.webm").await;
    hub.signal("TERM");
    let (status, folder) = hub.stop_is_awaited();
    assert!(status.success());
    assert!(names(&derived).iter().all(|name| ALL.contains(&name.as_str())), "{:?}", names(&derived));
    assert!(names(&derived).len() < ALL.len(), "it stopped in the middle");
    let hub = Hub::start_in(folder, &[]);
    made(&hub, &address).await;
    all(&derived);
}

#[tokio::test]
async fn a_recording_is_deleted_while_files_are_made_of_it() {
    let (folder, address) = record(60).await;
    let derived = derived(&folder);
    fs::remove_dir_all(&derived).unwrap_or_default();
    let hub = Hub::start_in(folder, &[]);
    begun(&derived, "track-1.webm").await;
    let deleted = reqwest::Client::new().delete(hub.url(&address)).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    assert_eq!(names(&hub.recordings().join("talk")), Vec::<String>::new());
    assert_eq!(hub.get(&format!("{address}/session.webm")).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_someone_removed_or_damaged_is_made_again_when_any_of_it_is_asked_for() {
    let (folder, address) = record(1).await;
    let derived = derived(&folder);
    let hub = Hub::start_in(folder, &[]);
    made(&hub, &address).await;
    let whole = all(&derived);
    let folder = hub.kill();
    fs::remove_file(derived.join("session.webm")).unwrap();
    fs::write(derived.join("waveform-2.peaks"), "{}").unwrap();
    let hub = Hub::start_in(folder, &[]);
    let again = async || {
        let deadline = Instant::now() + PATIENCE;
        while names(&derived) != ALL || all(&derived) != whole {
            assert!(Instant::now() < deadline, "{:?}", names(&derived));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Not at a start, which looks at nothing that is there by the index; but all at once then.
    assert_eq!(hub.get(&format!("{address}/tracks/2/waveform.json")).await.status(), StatusCode::ACCEPTED);
    again().await;
    fs::remove_file(derived.join("track-3.webm")).unwrap();
    assert_eq!(hub.get(&format!("{address}/tracks/3.webm")).await.status(), StatusCode::ACCEPTED);
    again().await;

    // A part that is damaged, and one that is gone: the others are as they were, and it is told.
    let folder = hub.kill();
    let recording = derived.parent().unwrap();
    let part = recording.join("02-ann.ogg");
    let mut bytes = fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3].copy_from_slice(b"???");
    fs::write(&part, bytes).unwrap();
    fs::remove_file(recording.join("03-ann.ogg")).unwrap();
    fs::remove_dir_all(&derived).unwrap();
    let hub = Hub::start_in(folder, &[]);
    assert_eq!(hub.get(&format!("{address}/session.webm")).await.status(), StatusCode::ACCEPTED);
    // The index knows the files of before until the maker has looked.
    hub.until(&address, |told| told["tracks"][1]["damaged"] == true && told["tracks"][2]["damaged"] == true).await;
    let told = made(&hub, &address).await;
    assert_eq!(told["tracks"][0]["damaged"], false);
    let now = all(&derived);
    assert!(now[2] == whole[2] && now[5] == whole[5], "of the first track nothing is missing");
    assert!(now[3].len() > whole[3].len() - 20_000 && now[3].len() < whole[3].len());
}
