//! Tracks of plain samples as downloads, and through a replay: a recording that a hub finds in its folder.

use std::sync::{Arc, mpsc};

use bytes::Bytes;
use reqwest::StatusCode;
use roomtone::archive::model::{Anchor, EndReason, RecordingId};
use roomtone::archive::{Archive, Event, NewPart, NewRecording, Options, RecordingWriter};
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::pcm::{Head, Sample};
use roomtone::media::source::Codec;
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use roomtone::wire::packets::Message;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::helpers::hub::PATIENCE;
use crate::helpers::{Client, Hub, judge};

/// Samples of a track that sound like nothing, and of which no two seconds are alike.
fn samples(head: Head, seed: u64, frames: u64) -> Vec<u8> {
    let bytes = usize::try_from(frames).unwrap() * head.frame_bytes();
    let noise = (0_u64..).flat_map(|at| (at * 8 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    noise.take(bytes).collect()
}

/// A part of so many seconds, and its samples where it is of samples.
fn part(writer: &RecordingWriter, track: u16, number: u32, format: Format, seconds: u64) -> Vec<u8> {
    let number_of_track = TrackNumber::new(track);
    let at = Ticks::from_secs(u64::from(number - 1) * 70);
    writer.begin_part(NewPart {
        track: number_of_track,
        number,
        participant: Uuid::from_u128(track.into()),
        name: "Ann".parse().unwrap(),
        source: if let Format::Pcm(_) = format { Codec::Flac } else { Codec::Opus },
        format: format.clone(),
        start: Anchor { track: at, session: at },
        first: Sequence::new(u64::from(number - 1) * 50 * seconds),
    });
    let blocks = seconds * 50;
    let mut all = Vec::new();
    let mut packets = Vec::new();
    for block in 0..blocks {
        let data = match &format {
            Format::Opus(_) => Bytes::from_static(opus::SILENCE_20_MS.0),
            Format::Pcm(head) => {
                let data = samples(*head, block, u64::from(head.rate()) / 50);
                all.extend_from_slice(&data);
                Bytes::from(data)
            }
        };
        let (sequence, time) = (Sequence::new(block), Ticks::new(block * 960));
        packets.push(Packet { sequence, time, duration: Ticks::from_millis(20), data, heard: None });
    }
    writer.append(number_of_track, packets);
    writer.end_part(number_of_track);
    all
}

struct Recorded {
    hub: Hub,
    id: RecordingId,
    /// The samples of each part, by track.
    samples: Vec<Vec<Vec<u8>>>,
}

const MONO: (Sample, u32, u32) = (Sample::S16, 44_100, 1);
const STEREO: (Sample, u32, u32) = (Sample::S24, 48_000, 2);

fn head((sample, rate, channels): (Sample, u32, u32)) -> Head {
    Head::new(sample, rate, channels).unwrap()
}

/// Track 1 is samples in one part, 2 in two, 3 samples and then others, 4 Opus and then samples, 5 Opus.
async fn recorded() -> Recorded {
    let folder = Arc::new(TempDir::new().unwrap());
    let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z").unwrap();
    let (archive, _) = Archive::open(Options::new(folder.path().join("recordings")), started).await.unwrap();
    let id = RecordingId::new(started, [7; 10]);
    let (tell, told) = mpsc::channel();
    let new = NewRecording { id, room: "talk".parse().unwrap(), started };
    let writer = archive.begin(new, Box::new(move |event| drop(tell.send(event))));
    let opus = Format::Opus(opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 });
    let (mono, stereo) = (Format::Pcm(head(MONO)), Format::Pcm(head(STEREO)));
    let tracks = [vec![&mono], vec![&stereo, &stereo], vec![&mono, &stereo], vec![&opus, &mono], vec![&opus]];
    let mut samples = Vec::new();
    for (track, parts) in (1..).zip(tracks) {
        let parts = (1..).zip(parts).map(|(number, format)| part(&writer, track, number, format.clone(), 2));
        samples.push(parts.collect());
    }
    writer.end(EndReason::Finished, started);
    while !matches!(told.recv().unwrap(), Event::Ended) {}
    archive.close().await;
    Recorded { hub: Hub::start_in(folder, &[]), id, samples }
}

impl Recorded {
    fn address(&self, rest: &str) -> String {
        format!("/api/v1/recordings/{}/{rest}", self.id)
    }

    async fn get(&self, rest: &str) -> reqwest::Response {
        self.hub.get(&self.address(rest)).await
    }

    async fn problem(&self, rest: &str) -> Value {
        let response = self.get(rest).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{rest}");
        response.json().await.unwrap()
    }
}

/// The samples of a WAV file, as ffmpeg reads them.
fn read(file: &[u8], format: &str) -> Vec<u8> {
    let (samples, said) = judge::run_on("ffmpeg", &["-v", "error", "-i", "-", "-f", format, "pipe:1"], file);
    assert_eq!(said, "", "ffmpeg finds an error");
    samples
}

#[tokio::test]
async fn a_track_of_samples_downloads_sample_for_sample_whatever_its_parts() {
    let recorded = recorded().await;
    for (rest, format, expected) in [
        ("tracks/1.wav", "s16le", recorded.samples[0].concat()),
        ("tracks/2.wav", "s24le", recorded.samples[1].concat()),
        ("tracks/2.wav?part=2", "s24le", recorded.samples[1][1].clone()),
        ("tracks/3.wav?part=1", "s16le", recorded.samples[2][0].clone()),
        ("tracks/3.wav?part=2", "s24le", recorded.samples[2][1].clone()),
        ("tracks/4.wav?part=2", "s16le", recorded.samples[3][1].clone()),
    ] {
        let response = recorded.get(rest).await;
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"audio/wav".parse().unwrap())
        );
        let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(name.contains("talk 2026-11-22 Ann") && name.contains(".wav"), "{name}");
        let file = response.bytes().await.unwrap();
        assert!(read(&file, format) == expected, "{rest}");
    }
    // Of one part it is the file itself.
    let room = std::fs::read_dir(recorded.hub.recordings().join("talk")).unwrap().next().unwrap().unwrap();
    let file = recorded.get("tracks/1.wav").await.bytes().await.unwrap();
    assert!(std::fs::read(room.path().join("01-ann.wav")).unwrap() == file);
}

#[tokio::test]
async fn any_range_of_a_wav_file_equals_that_slice_and_conditions_hold() {
    let recorded = recorded().await;
    let whole = recorded.get("tracks/2.wav").await.bytes().await.unwrap();
    let client = reqwest::Client::new();
    let url = recorded.hub.url(&recorded.address("tracks/2.wav"));
    // In the header, across its end, across the end of the first part, at the end of all.
    let (begin, first) = (68, recorded.samples[1][0].len());
    for range in [0..=3, 60..=80, begin + first - 5..=begin + first + 5, whole.len() - 3..=whole.len() - 1] {
        let ask = client.get(&url).header("range", format!("bytes={}-{}", range.start(), range.end()));
        let response = ask.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        let told = format!("bytes {}-{}/{}", range.start(), range.end(), whole.len());
        assert_eq!(response.headers()["content-range"], told.as_str());
        assert!(response.bytes().await.unwrap() == whole[range]);
    }
    let head = client.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], whole.len().to_string().as_str());
    let tag = head.headers()["etag"].clone();
    assert_ne!(tag, recorded.get("tracks/2.wav?part=1").await.headers()["etag"]);
    let again = client.get(&url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let behind = client.get(&url).header("range", format!("bytes={}-", whole.len())).send().await.unwrap();
    assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn who_asks_for_a_file_that_there_is_not_is_told_which_there_is() {
    let recorded = recorded().await;
    for (asked, told) in [
        ("tracks/1.ogg?part=1", vec!["tracks/1.wav?part=1.", "tracks/1.ogg", "s16le, 44100 Hz, 1 channel"]),
        ("tracks/5.wav?part=1", vec!["tracks/5.ogg?part=1.", "tracks/5.wav"]),
        ("tracks/4.ogg?part=2", vec!["tracks/4.wav?part=2"]),
        ("tracks/4.wav?part=1", vec!["tracks/4.ogg?part=1"]),
    ] {
        let problem = recorded.problem(asked).await;
        assert_eq!(problem["code"], "other_format", "{asked}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(told.iter().all(|told| detail.contains(told)), "{asked}: {detail}");
    }
    assert_eq!(recorded.problem("tracks/1.wav?part=2").await["code"], "recording_not_found");
    assert_eq!(recorded.problem("tracks/9.wav").await["code"], "recording_not_found");
    assert_eq!(recorded.get("tracks/1.wav?part=x").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(recorded.get("tracks/4.ogg?part=1").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_track_is_made_in_what_it_was_not_kept_in() {
    let recorded = recorded().await;
    for (rest, codec, channels, length) in [
        ("tracks/1.ogg", "opus", 1, 96_000),
        ("tracks/5.wav", "pcm_s16le", 1, 96_000 - 312),
        ("tracks/4.wav", "pcm_s16le", 1, 72 * 48_000 - 312),
        ("tracks/3.ogg", "opus", 2, 72 * 48_000),
    ] {
        assert_eq!(recorded.get(rest).await.status(), StatusCode::ACCEPTED, "{rest}");
        let made = async {
            loop {
                let response = recorded.get(rest).await;
                if response.status() == StatusCode::OK {
                    return response.bytes().await.unwrap();
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let file = tokio::time::timeout(PATIENCE, made).await.unwrap_or_else(|_| panic!("{rest} is never made"));
        assert_eq!(judge::probe(&file).0, codec, "{rest}");
        assert_eq!(read(&file, "s16le").len(), 2 * channels * length, "{rest}");
    }
}

#[tokio::test]
async fn the_recording_names_formats_sources_and_the_files_that_there_are() {
    let recorded = recorded().await;
    let all = recorded.hub.json(&recorded.address("")[..recorded.address("").len() - 1]).await;
    let tracks = all["tracks"].as_array().unwrap();
    for track in tracks {
        let (files, sizes) = (&track["files"], &track["sizes"]);
        assert!(["ogg", "wav", "webm"].into_iter().all(|kind| files[kind].is_string()));
        let kinds: Vec<_> = track["kept"].as_str().into_iter().collect();
        for kind in &kinds {
            let file = recorded.hub.bytes(files[kind].as_str().unwrap()).await;
            assert_eq!(sizes[kind], file.len());
        }
        let expected: &[&str] = match track["number"].as_u64().unwrap() {
            1 | 2 => &["wav"],
            5 => &["ogg"],
            _ => &[],
        };
        assert_eq!(kinds, expected);
        for part in track["parts"].as_array().unwrap() {
            let file = recorded.hub.bytes(part["href"].as_str().unwrap()).await;
            assert_eq!(part["bytes"], file.len());
            assert_eq!(part["source"], if part["codec"] == "pcm" { "flac" } else { "opus" });
        }
    }
    let first = &tracks[0];
    assert_eq!(
        (&first["codec"], &first["sample"], &first["rate"], &first["channels"]),
        (&"pcm".into(), &"s16le".into(), &44_100.into(), &1.into())
    );
    // The session's file holds all of them, as Opus.
    recorded
        .hub
        .until(&recorded.address("")[..recorded.address("").len() - 1], |told| {
            told["files"]["session"]["bytes"].is_u64()
        })
        .await;
    let session = recorded.get("session.webm").await.bytes().await.unwrap();
    assert_eq!(judge::probe(&session).0, "opus");
    assert!((71.9..72.1).contains(&all["duration"].as_f64().unwrap()));
}

#[tokio::test]
async fn a_replay_plays_samples_as_opus_beside_opus() {
    let recorded = recorded().await;
    let (mut ear, _) = Client::v1(&recorded.hub, &format!("/recordings/{}/ws?publish=false", recorded.id)).await;
    let mut next = std::collections::BTreeMap::new();
    while next.len() < 5 || next.values().any(|(_, count)| *count < 50) {
        let Message::Packets { track, first, packets, .. } = ear.packets().await else { panic!() };
        let (number, count) = next.entry(track).or_insert((first.get(), 0));
        assert_eq!(first.get(), *number, "track {track}");
        for packet in &packets {
            assert_eq!(opus::duration(packet), Ok(Ticks::from_millis(20)), "track {track}");
        }
        *number += packets.len() as u64;
        *count += packets.len();
    }
}
