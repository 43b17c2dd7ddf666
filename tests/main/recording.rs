//! What is on disk and what of it is downloaded.

use std::time::Duration;

use futures_util::future::join_all;

use crate::helpers::capture::demux;
use crate::helpers::judge::{decode_bytes, ogg_packets, probe};
use crate::helpers::{Capture, Client, Hub};

/// Publishes a capture at once, and gives the recording of it and the file of its track.
async fn record(hub: &Hub, capture: &Capture, room: &str) -> (serde_json::Value, Vec<u8>) {
    let mut speaker = Client::plain(hub, &format!("/rooms/{room}/ws?name=Ann")).await;
    for message in capture.messages() {
        speaker.send(message).await;
    }
    speaker.close().await;
    let recording = hub.ended(room).await;
    let file = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
    (recording, file)
}

#[tokio::test]
async fn a_track_is_what_was_sent_bit_for_bit() {
    let hub = Hub::start();
    // All at once, since sound takes its time.
    let names = [
        "chromium-webm-opus",
        "chromium-webm-opus-100ms",
        "chromium-webm-opus-mic",
        "chromium-webm-vp8-opus",
        "firefox-webm-opus",
        "firefox-webm-opus-ctx44100",
    ];
    let recorded = names.map(async |name| {
        let capture = Capture::new(name);
        let (recording, file) = record(&hub, &capture, name).await;
        (name, capture, recording, file)
    });
    for (name, capture, recording, file) in join_all(recorded).await {
        let sent: Vec<_> = capture.packets().iter().map(|packet| packet.data.to_vec()).collect();
        let kept = ogg_packets(&file);
        assert!(kept == sent, "{name}: {} packets of {}", kept.len(), sent.len());
        assert_eq!(recording["state"], "ended");
        assert_eq!(recording["end_reason"], "finished");
        assert_eq!(recording["tracks"][0]["gaps"].as_array().unwrap().len(), 0, "{recording:#}");
        let (codec, channels, _) = probe(&file);
        assert_eq!(codec, "opus");
        let ticks: u64 = capture.packets().iter().map(|packet| packet.duration.get()).sum();
        let (pre_skip, _) = demux(&capture.whole());
        assert_eq!(decode_bytes(&file).len() as u64, (ticks - pre_skip) * u64::from(channels), "{name}");
        let told = recording["tracks"][0]["duration"].as_f64().unwrap();
        assert!((told - ticks as f64 / 48_000.0).abs() < 0.001);
    }
}

#[tokio::test]
async fn the_decoded_sound_of_a_track_is_the_decoded_sound_of_what_was_sent() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus");
    let (_, file) = record(&hub, &capture, "talk").await;
    let (sent, kept) = (decode_bytes(&capture.whole()), decode_bytes(&file));
    let differ = sent.iter().zip(&kept).position(|(sent, kept)| sent != kept);
    assert!(sent.len() == kept.len() && differ.is_none(), "{} and {} samples, {differ:?}", sent.len(), kept.len());
}

#[tokio::test]
async fn a_recorder_that_starts_again_stays_in_its_part() {
    let hub = Hub::start();
    let capture = Capture::new("firefox-webm-opus-restart");
    let (recording, file) = record(&hub, &capture, "talk").await;
    let sent: Vec<_> = capture.packets().iter().map(|packet| packet.data.to_vec()).collect();
    assert!(ogg_packets(&file) == sent);
    assert_eq!(recording["tracks"].as_array().unwrap().len(), 1);
    assert_eq!(recording["tracks"][0]["parts"].as_array().unwrap().len(), 1);
    probe(&file);
}

#[tokio::test]
async fn a_capture_with_a_gap_is_as_long_as_it_took() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-ctxsuspend");
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    let start = tokio::time::Instant::now();
    for (at, message) in capture.timed() {
        tokio::time::sleep_until(start + at).await;
        speaker.send(message).await;
    }
    speaker.close().await;
    let recording = hub.ended("talk").await;
    let file = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
    let packets = capture.packets();
    let (first, last) = (packets.first().unwrap(), packets.last().unwrap());
    let took = (last.time.get() + last.duration.get() - first.time.get()) as f64 / 48_000.0;
    let channels = probe(&file).1 as usize;
    let decoded = (decode_bytes(&file).len() / channels) as f64 / 48_000.0;
    assert!((decoded - took).abs() < 0.1, "{decoded} s, it took {took} s");
    let gaps = recording["tracks"][0]["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 1, "{recording:#}");
    assert_eq!(gaps[0]["cause"], "jump");
    let gap = gaps[0]["duration"].as_f64().unwrap();
    assert!((2.9..3.1).contains(&gap), "{gap}");
}

#[tokio::test]
async fn a_pause_of_the_publisher_is_filled_and_told() {
    let hub = Hub::start();
    let capture = Capture::new("firefox-webm-opus-ctx44100");
    let messages = capture.messages();
    let (before, after) = messages.split_at(messages.len() / 2);
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws").await;
    let sent = tokio::time::Instant::now();
    for message in before {
        speaker.send(message.clone()).await;
    }
    // Long enough that it cannot be the network: what comes then is late by more than a quarter of a second.
    tokio::time::sleep_until(sent + Duration::from_secs(8)).await;
    for message in after {
        speaker.send(message.clone()).await;
    }
    speaker.close().await;
    let recording = hub.ended("talk").await;
    let gaps = recording["tracks"][0]["gaps"].as_array().unwrap();
    assert_eq!(gaps.len(), 1, "{recording:#}");
    assert_eq!(gaps[0]["cause"], "pause");
    let file = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
    let silence = vec![0xF8, 0xFF, 0xFE];
    let kept: Vec<_> = ogg_packets(&file).into_iter().filter(|packet| *packet != silence && packet.len() > 3).collect();
    let sent: Vec<_> =
        capture.packets().iter().map(|packet| packet.data.to_vec()).filter(|data| data.len() > 3).collect();
    assert!(kept == sent, "{} packets of {}", kept.len(), sent.len());
    let ticks: u64 = capture.packets().iter().map(|packet| packet.duration.get()).sum();
    let expected = ticks as f64 / 48_000.0 + gaps[0]["duration"].as_f64().unwrap();
    let (_, _, duration) = probe(&file);
    assert!((duration - expected).abs() < 0.02, "{duration} s, {expected} s expected");
}

#[tokio::test]
async fn a_track_downloads_while_it_grows_and_each_download_begins_the_next() {
    let hub = Hub::start();
    let capture = Capture::new("firefox-webm-opus");
    let (mut speaker, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    speaker.publish_container(7).await;
    let mut before: Vec<u8> = Vec::new();
    let mut grown = 0;
    let messages = capture.messages();
    for messages in messages.chunks(messages.len().div_ceil(4)) {
        for message in messages {
            speaker.send_container(7, message).await;
        }
        speaker.notice_of("durable").await;
        let list = hub.json("/api/v1/recordings?room=talk&state=live").await;
        let id = list["recordings"][0]["id"].as_str().unwrap();
        let file = hub.bytes(&format!("/api/v1/recordings/{id}/tracks/1.ogg")).await;
        assert!(file.starts_with(&before));
        grown += usize::from(file.len() > before.len());
        decode_bytes(&file);
        before = file;
    }
    assert!(grown >= 2);
}

#[tokio::test]
async fn a_session_waits_for_another_track_and_then_ends() {
    let hub = Hub::start_with(&["--grace-seconds", "3"]);
    let capture = Capture::new("chromium-webm-opus-100ms");
    for name in ["Ann", "Ben"] {
        let mut speaker = Client::plain(&hub, &format!("/rooms/talk/ws?name={name}")).await;
        for message in capture.messages() {
            speaker.send(message).await;
        }
        speaker.say(format!("{name} was here")).await;
        speaker.close().await;
        hub.until("/api/v1/recordings", |list| list["recordings"][0]["state"] == "grace").await;
    }
    let recording = hub.ended("talk").await;
    assert_eq!(recording["people"], serde_json::json!(["Ann", "Ben"]));
    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 2);
    assert!(tracks[1]["start"].as_f64().unwrap() > tracks[0]["start"].as_f64().unwrap());
    let chat: Vec<_> =
        recording["chat"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(chat, ["Ann was here", "Ben was here"]);
}

#[tokio::test]
async fn a_recording_tells_who_was_there() {
    let hub = Hub::start();
    let (eve, _) = Client::v1(&hub, "/rooms/talk/ws?name=Eve").await;
    let (_, _) = Client::v1(&hub, "/rooms/talk/ws?name=Listener&publish=false").await;
    let (mut ann, welcome) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    ann.publish_container(1).await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        ann.send_container(1, &message).await;
    }
    ann.notice_of("durable").await;
    let (ben, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ben").await;
    ben.close().await;
    ann.notice_of("left").await;
    ann.close().await;
    let recording = hub.ended("talk").await;
    let attendance = recording["attendance"].as_array().unwrap();
    let names: Vec<_> = attendance.iter().map(|stay| stay["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ann", "Eve", "Ben"]);
    let [first, stays, came] = &attendance[..] else { panic!("{attendance:?}") };
    assert_eq!(first["participant"], welcome["participant"]["id"]);
    assert_eq!((first["joined"].as_f64(), stays["joined"].as_f64()), (Some(0.0), Some(0.0)));
    assert!(came["joined"].as_f64() > Some(0.0) && came["left"].as_f64() >= came["joined"].as_f64());
    assert!(first["left"].is_f64() && stays["left"].is_null(), "{attendance:?}");
    eve.close().await;
}
