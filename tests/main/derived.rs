//! What is derived from a recording, through the running hub: made, judged by ffmpeg, asked for, broken and made again.

use std::path::Path;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE, RETRY_AFTER};
use serde_json::Value;

use crate::helpers::hub::PATIENCE;
use crate::helpers::judge::run;
use crate::helpers::{Capture, Client, Hub};

/// Runs ffmpeg or ffprobe, which must have nothing to remark; gives what it wrote.
pub(super) fn judge(program: &str, arguments: &[&str]) -> Vec<u8> {
    let (written, said) = run(program, &[&["-v", "warning"], arguments].concat());
    assert_eq!(said, "", "{program} {arguments:?} remarks");
    written
}

/// A sound of ffmpeg's making as WebM, as a browser would send it.
pub(super) fn sound(expression: &str, seconds: u32) -> Vec<u8> {
    let source = format!("aevalsrc={expression}:d={seconds}:s=48000");
    let encoded = ["-c:a", "libopus", "-b:a", "64k", "-f", "webm", "-cluster_time_limit", "200", "-"];
    judge("ffmpeg", &[&["-f", "lavfi", "-i", &source][..], &encoded].concat())
}

/// Says all of a sound in a room.
pub(super) async fn say(speaker: &mut Client, sound: &[u8]) {
    for message in sound.chunks(2000) {
        speaker.send(message.to_vec()).await;
    }
}

/// The recording of a room, once all that is derived from it is there.
pub(super) async fn made(hub: &Hub, room: &str) -> Value {
    let id = hub.ended(room).await["id"].as_str().unwrap().to_owned();
    hub.until(&format!("/api/v1/recordings/{id}"), |recording| {
        let tracks = recording["tracks"].as_array().unwrap();
        recording["files"]["session"]["bytes"].is_u64() && tracks.iter().all(|track| track["sizes"]["webm"].is_u64())
    })
    .await
}

/// Asks for a file until it is made.
pub(super) async fn file(hub: &Hub, path: &str) -> Vec<u8> {
    let asked = async {
        loop {
            let response = hub.get(path).await;
            if response.status() != StatusCode::ACCEPTED {
                assert_eq!(response.status(), StatusCode::OK, "{path}");
                return response.bytes().await.unwrap().to_vec();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{path} is never made"))
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value:#}"))
}

pub(super) fn seconds(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no {key} in {value:#}"))
}

/// What ffprobe says of a file on disk.
fn probe(file: &Path) -> Value {
    let shown = ["-show_streams", "-show_format", "-of", "json"];
    serde_json::from_slice(&judge("ffprobe", &[&shown[..], &[file.to_str().unwrap()]].concat())).unwrap()
}

/// Decodes one stream of a file, from a place on, to mono samples of 48 kHz.
pub(super) fn decode(file: &Path, stream: usize, seek: &[&str]) -> Vec<i16> {
    let map = format!("0:a:{stream}");
    let output = ["-map", &map, "-ac", "1", "-f", "s16le", "-ar", "48000", "-"];
    let bytes = judge("ffmpeg", &[seek, &["-i", file.to_str().unwrap()], &output].concat());
    bytes.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]])).collect()
}

/// The pitch of a tone in Hz, by how often it crosses zero.
fn pitch(samples: &[i16]) -> f64 {
    let crossings = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    crossings as f64 * 48_000.0 / samples.len() as f64
}

/// A tone whose pitch tells the second: 400 Hz in the first, 500 in the next.
const STEPS: &str = "0.5*sin(2*PI*(400+100*floor(t))*t)";

#[tokio::test]
async fn all_tracks_are_in_one_file_that_ffmpeg_takes_without_a_remark() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    let mut zoe = Client::plain(&hub, "/rooms/talk/ws?name=Zo%C3%AB%20%E5%90%8D%E5%89%8D").await;
    say(&mut ann, &sound(STEPS, 6)).await;
    for message in Capture::new("firefox-webm-opus").messages() {
        zoe.send(message).await;
    }
    ann.close().await;
    zoe.close().await;
    let recording = made(&hub, "talk").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.webm");
    let session = file(&hub, text(&recording["files"]["session"], "href")).await;
    assert_eq!(recording["files"]["session"]["bytes"], session.len());
    // A recording's bytes are those of its sound.
    let parts: u64 = recording["tracks"].as_array().unwrap().iter().map(|track| track["bytes"].as_u64().unwrap()).sum();
    assert_eq!(recording["bytes"], parts);
    std::fs::write(&path, &session).unwrap();

    let probed = probe(&path);
    assert_eq!(probed["format"]["tags"]["title"], "talk");
    let duration: f64 = text(&probed["format"], "duration").parse().unwrap();
    assert!((duration - seconds(&recording, "duration")).abs() < 0.02, "{duration}, {recording:#}");
    let streams = probed["streams"].as_array().unwrap();
    let tracks = recording["tracks"].as_array().unwrap();
    // The mix is the first, and the one that plays by default.
    assert_eq!(streams.len(), 1 + tracks.len());
    assert_eq!((&streams[0]["tags"]["title"], &streams[0]["disposition"]["default"]), (&"Mix".into(), &1.into()));
    for (index, (stream, track)) in (1..).zip(streams[1..].iter().zip(tracks)) {
        assert_eq!(stream["codec_name"], "opus");
        assert_eq!(stream["tags"]["title"], track["name"]);
        assert_eq!(stream["disposition"]["default"], 0);
        let start: f64 = text(stream, "start_time").parse().unwrap();
        assert!((start - seconds(track, "start")).abs() < 0.002, "{start}, {track:#}");
        // The sound of the track, all of it.
        let ogg = file(&hub, text(&track["files"], "ogg")).await;
        let ogg_path = folder.path().join("track.ogg");
        std::fs::write(&ogg_path, &ogg).unwrap();
        let expected = decode(&ogg_path, 0, &[]);
        let heard = decode(&path, index, &[]);
        assert!(heard == expected, "{} and {} samples", heard.len(), expected.len());
        // And alone, from its own start on.
        let alone = file(&hub, text(&track["files"], "webm")).await;
        assert_eq!(track["sizes"]["webm"], alone.len());
        assert_eq!(track["sizes"]["ogg"], ogg.len());
        let alone_path = folder.path().join("track.webm");
        std::fs::write(&alone_path, alone).unwrap();
        let probed = probe(&alone_path);
        let start: f64 = text(&probed["format"], "start_time").parse().unwrap();
        assert!(start.abs() < 0.01, "{start}");
        assert_eq!(probed["streams"][0]["tags"]["title"], track["name"]);
        assert!(decode(&alone_path, 0, &[]) == expected);
    }
    // A place is where it should be, by pitch: Ann's second 4.2 to 4.8.
    let ann = tracks.iter().position(|track| track["name"] == "Ann").unwrap();
    let start = seconds(&tracks[ann], "start");
    for second in [0_u32, 2, 4, 5] {
        let at = (start + f64::from(second) + 0.2).to_string();
        let heard = pitch(&decode(&path, ann + 1, &["-ss", &at, "-t", "0.6"]));
        let expected = 400.0 + 100.0 * f64::from(second);
        assert!((heard - expected).abs() < 10.0, "{heard} Hz at {at}, {expected} expected");
    }
}

#[tokio::test]
async fn a_waveform_shows_a_burst_where_and_as_high_as_it_is() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    say(&mut ann, &sound("0.5*sin(2*PI*1000*t)*between(t\\,1\\,1.5)", 3)).await;
    // Another, later: the picture of each begins with the session.
    let mut ben = Client::plain(&hub, "/rooms/talk/ws?name=Ben").await;
    say(&mut ben, &sound("0.25*sin(2*PI*1000*t)", 1)).await;
    // So far it is there before the end.
    let list = hub.until("/api/v1/recordings", |list| list["recordings"][0]["id"].is_string()).await;
    let address = format!("/api/v1/recordings/{}", text(&list["recordings"][0], "id"));
    let seen = |waveform: &Value| waveform["data"].as_array().is_some_and(|data| data.iter().any(|value| *value == 64));
    hub.until(&format!("{address}/tracks/1/waveform.json"), seen).await;
    ann.close().await;
    ben.close().await;
    let recording = made(&hub, "talk").await;
    let length = seconds(&recording, "duration");
    for (track, from, to, height) in [(0, 1.0, 1.5, 64_i64), (1, 0.0, 1.0, 32)] {
        let track = &recording["tracks"][track];
        let waveform: Value = serde_json::from_slice(&file(&hub, text(&track["files"], "waveform")).await).unwrap();
        for (key, value) in [("version", 2), ("channels", 1), ("sample_rate", 48_000), ("bits", 8)] {
            assert_eq!(waveform[key], value, "{key}");
        }
        assert_eq!(waveform["samples_per_pixel"], 480);
        let data: Vec<i64> = waveform["data"].as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect();
        assert_eq!(waveform["length"], (length * 100.0).ceil() as u64);
        assert_eq!(data.len(), 2 * (length * 100.0).ceil() as usize);
        let start = seconds(track, "start");
        for (pixel, peak) in data.chunks(2).enumerate() {
            let at = pixel as f64 / 100.0 - start;
            // What is near an edge may be either; the encoder has its own idea of an edge.
            if at > from + 0.04 && at < to - 0.04 {
                assert!((peak[1] - height).abs() <= 4 && (peak[0] + height).abs() <= 4, "{peak:?} at {at}");
            } else if at < from - 0.04 || at > to + 0.04 {
                assert!(peak[0] >= -3 && peak[1] <= 3, "{peak:?} at {at}");
            }
        }
    }
}

#[tokio::test]
async fn a_waveform_is_as_fine_as_someone_wants_and_a_file_like_any_other() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    say(&mut ann, &sound("0.8*sin(2*PI*300*t)*t/4", 4)).await;
    ann.close().await;
    let recording = made(&hub, "talk").await;
    let files = &recording["tracks"][0]["files"];
    let (json, dat) = (text(files, "waveform"), text(files, "waveform_dat"));
    let json =
        async |query: &str| -> Value { serde_json::from_slice(&file(&hub, &format!("{json}?{query}")).await).unwrap() };
    let pairs = |waveform: &Value| -> Vec<(i64, i64)> {
        let data: Vec<_> = waveform["data"].as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).collect();
        data.chunks(2).map(|pair| (pair[0], pair[1])).collect()
    };
    let fine = pairs(&json("samples_per_pixel=480").await);
    for (merged, samples) in [(2, 960), (8, 3840), (1 << 20, 480 << 20)] {
        let coarse = pairs(&json(&format!("samples_per_pixel={samples}")).await);
        let expected = fine.chunks(merged).map(|pixels| {
            (pixels.iter().map(|pair| pair.0).min().unwrap(), pixels.iter().map(|pair| pair.1).max().unwrap())
        });
        assert_eq!(coarse, expected.collect::<Vec<_>>(), "{samples}");
    }
    let part = json("samples_per_pixel=480&from=1.005&to=2").await;
    assert_eq!((pairs(&part), &part["length"]), (fine[100..200].to_vec(), &100.into()));
    // The binary one says the same.
    let whole = file(&hub, &format!("{dat}?samples_per_pixel=480")).await;
    assert_eq!(whole[..12], [2, 0, 0, 0, 1, 0, 0, 0, 0x80, 0xBB, 0, 0]);
    let said: Vec<_> =
        whole[24..].chunks(2).map(|pair| (pair[0].cast_signed().into(), pair[1].cast_signed().into())).collect();
    assert_eq!(said, fine);
    let http = reqwest::Client::new();
    let ask = async |header: reqwest::header::HeaderName, value: &str| {
        http.get(hub.url(&format!("{dat}?samples_per_pixel=480"))).header(header, value).send().await.unwrap()
    };
    let part = ask(RANGE, "bytes=20-99").await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let tag = part.headers()[ETAG].to_str().unwrap().to_owned();
    assert!(part.bytes().await.unwrap() == whole[20..100]);
    assert_eq!(ask(IF_NONE_MATCH, &tag).await.status(), StatusCode::NOT_MODIFIED);
    for bad in [
        "samples_per_pixel=479",
        "from=4.5",
        "from=2&to=1",
        "from=1&to=5",
        "to=1e300",
        "from=x",
        "from=NaN",
        "samples_per_pixel=-1",
        "tracks=1",
    ] {
        let response = hub.get(&format!("{dat}?{bad}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(response.json::<Value>().await.unwrap()["code"], "invalid_query", "{bad}");
    }
}

#[tokio::test]
async fn what_is_not_made_is_asked_for_again_and_what_is_is_a_file_like_any_other() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    say(&mut ann, &sound(STEPS, 2)).await;
    let list = hub.until("/api/v1/recordings", |list| list["recordings"][0]["id"].is_string()).await;
    let address = format!("/api/v1/recordings/{}", text(&list["recordings"][0], "id"));
    let problem = async |path: &str| {
        let response = hub.get(path).await;
        let status = response.status().as_u16();
        let problem: Value = response.json().await.unwrap();
        (status, text(&problem, "code").to_owned())
    };
    for name in ["session.webm", "mix.ogg", "mix.wav", "tracks/1.webm", "tracks/1.wav"] {
        assert_eq!(problem(&format!("{address}/{name}")).await, (409, "recording_live".to_owned()), "{name}");
    }
    ann.close().await;
    let recording = made(&hub, "talk").await;
    for name in ["tracks/2.webm", "tracks/x.webm", "tracks/0/waveform.json"] {
        assert_eq!(problem(&format!("{address}/{name}")).await, (404, "recording_not_found".to_owned()), "{name}");
    }
    assert_eq!(recording["chat"].as_array().unwrap().len(), 0);

    let session = format!("{address}/session.webm");
    let whole = file(&hub, &session).await;
    // One that is not there says how far it is, and is made.
    let folder = std::fs::read_dir(hub.recordings().join("talk")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(folder.join("derived/session.webm")).unwrap();
    let response = hub.get(&session).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(response.headers()[RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() > 0);
    let told: Value = response.json().await.unwrap();
    assert!((0.0..=1.0).contains(&seconds(&told, "progress")), "{told}");
    assert!(file(&hub, &session).await == whole);
    let response = hub.get(&session).await;
    let headers = response.headers().clone();
    assert_eq!(headers[CONTENT_TYPE], "audio/webm; codecs=opus");
    let name = headers[CONTENT_DISPOSITION].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"talk 20") && name.ends_with(".webm\""), "{name}");
    let http = reqwest::Client::new();
    let ask = async |header: reqwest::header::HeaderName, value: &str| {
        http.get(hub.url(&session)).header(RANGE, "bytes=100-299").header(header, value).send().await.unwrap()
    };
    let tag = headers[ETAG].to_str().unwrap();
    let part = ask(IF_RANGE, tag).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert!(part.bytes().await.unwrap() == whole[100..300]);
    assert_eq!(ask(IF_NONE_MATCH, tag).await.status(), StatusCode::NOT_MODIFIED);
    let length = whole.len();
    for (first, last) in [(0, 0), (0, length - 1), (length / 2, length / 2 + 70_000), (length - 1, length - 1)] {
        let range = format!("bytes={first}-{last}");
        let part = http.get(hub.url(&session)).header(RANGE, range).send().await.unwrap();
        assert!(part.bytes().await.unwrap() == whole[first..=last.min(length - 1)]);
    }
    let head = http.head(hub.url(&session)).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], length.to_string().as_str());

    // Who names a recording finds the name in the file, which is then another.
    http.patch(hub.url(&address)).json(&serde_json::json!({ "title": "Ünder a tree" })).send().await.unwrap();
    let named = async {
        loop {
            let session = file(&hub, &session).await;
            if session.windows(13).any(|bytes| bytes == "Ünder a tree".as_bytes()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, named).await.expect("the file is made again");
    assert_eq!(ask(IF_RANGE, tag).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_mix_is_a_file_in_each_container_with_every_tone_at_its_level() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    let mut ben = Client::plain(&hub, "/rooms/talk/ws?name=Ben").await;
    say(&mut ann, &sound("0.5*sin(2*PI*500*t)", 4)).await;
    say(&mut ben, &sound("0.25*sin(2*PI*700*t)", 4)).await;
    ann.close().await;
    ben.close().await;
    let recording = made(&hub, "talk").await;
    let folder = tempfile::tempdir().unwrap();
    let mix = &recording["files"]["mix"];
    // What is large is made when someone asks for it, and named once it is there.
    assert!(mix["ogg"]["bytes"].is_u64() && mix["wav"]["bytes"].is_null() && mix["webm"]["bytes"].is_null());
    let tracks = recording["tracks"].as_array().unwrap();
    let start = tracks.iter().map(|track| seconds(track, "start")).fold(0.0, f64::max);
    let end = tracks.iter().map(|track| seconds(track, "start") + seconds(track, "duration")).fold(f64::MAX, f64::min);
    let length = (seconds(&recording, "duration") * 48_000.0).round();
    for (container, media_type) in
        [("ogg", "audio/ogg; codecs=opus"), ("webm", "audio/webm; codecs=opus"), ("wav", "audio/wav")]
    {
        let href = text(&mix[container], "href");
        let whole = file(&hub, href).await;
        let response = hub.get(href).await;
        assert_eq!(response.headers()[CONTENT_TYPE], media_type);
        let name = response.headers()[CONTENT_DISPOSITION].to_str().unwrap();
        assert!(name.ends_with(&format!(" mix.{container}\"")), "{name}");
        for range in [0..=0, 40..=90, whole.len() / 2..=whole.len() / 2 + 9999, whole.len() - 1..=whole.len() - 1] {
            let asked = format!("bytes={}-{}", range.start(), range.end());
            let part = reqwest::Client::new().get(hub.url(href)).header(RANGE, asked).send().await.unwrap();
            assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
            assert!(part.bytes().await.unwrap() == whole[range]);
        }
        let path = folder.path().join(container);
        std::fs::write(&path, &whole).unwrap();
        // The header of a WAV file has no place for speakers, on which ffmpeg remarks.
        let seek = ["-guess_layout_max", "0"];
        let sound = decode(&path, 0, if container == "wav" { &seek } else { &[] });
        let most = if container == "webm" { 960.0 } else { 0.0 };
        assert!((0.0..=most).contains(&(sound.len() as f64 - length)), "{container}: {} and {length}", sound.len());
        let tenth = ((start + end) / 2.0 * 48_000.0) as usize;
        let tenth = &sound[tenth..tenth + 4800];
        for (hertz, expected) in [(500.0, 0.5), (700.0, 0.25), (900.0, 0.0)] {
            let heard = level(tenth, hertz);
            assert!((heard - expected).abs() < 0.02, "{container}: {hertz} Hz is at {heard}");
        }
    }
    let waveform: Value =
        serde_json::from_slice(&file(&hub, text(&recording["files"]["waveform"], "href")).await).unwrap();
    let highest = waveform["data"].as_array().unwrap().iter().map(|value| value.as_i64().unwrap()).max();
    assert!((90..=100).contains(&highest.unwrap()), "{highest:?}: 0.75 of 128");
    let after = hub.json(&format!("/api/v1/recordings/{}", text(&recording, "id"))).await;
    assert!(after["files"]["mix"]["wav"]["bytes"].is_u64());
}

/// How loud a tone is: 1 is a sine of full scale.
fn level(samples: &[i16], hertz: f64) -> f64 {
    let (mut cos, mut sin) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let phase = at as f64 * hertz / 48_000.0 * std::f64::consts::TAU;
        cos += f64::from(*sample) / 32_768.0 * phase.cos();
        sin += f64::from(*sample) / 32_768.0 * phase.sin();
    }
    cos.hypot(sin) * 2.0 / samples.len() as f64
}
