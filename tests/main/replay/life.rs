//! What becomes of a replay when its recording goes on, goes away or is damaged, and when the hub stops.

use serde_json::json;
use tokio_tungstenite::tungstenite;

use super::{address, assert_heard, carried, file, is_ended, recorded, say, until, until_ended};
use crate::helpers::capture::{assert_same, data};
use crate::helpers::{Capture, Client, Hub};

#[tokio::test]
async fn a_file_that_is_missing_or_damaged_is_told_and_the_other_track_plays() {
    let hub = Hub::start();
    let capture = Capture::new("firefox-webm-opus-ctx44100");
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let (mut ben, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ben").await;
    tokio::join!(say(&mut ann, 1, &capture), say(&mut ben, 1, &capture));
    ann.close().await;
    ben.close().await;
    let recording = hub.ended("talk").await;
    let second = recording["tracks"][1]["name"].as_str().unwrap().to_lowercase();
    let path = file(&hub, &format!("02-{second}.ogg"));
    let whole = std::fs::read(&path).unwrap();

    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damage in [Some(flipped), Some(whole[..whole.len() / 2].to_vec()), Some(b"OggS".to_vec()), None] {
        match &damage {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let (mut listener, _) = Client::v1(&hub, &address(&recording, "")).await;
        let mut plain = Client::plain(&hub, &address(&recording, "")).await;
        let (sound, notices) = until(&mut listener, is_ended).await;
        let warnings: Vec<_> = notices.iter().filter(|notice| notice["type"] == "warning").collect();
        assert_eq!(warnings.len(), 1, "{notices:#?}");
        assert_eq!(warnings[0]["code"], "track_unreadable");
        assert!(warnings[0]["message"].as_str().unwrap().starts_with("Track 2 ("), "{}", warnings[0]["message"]);
        let of = |track| {
            sound.iter().filter(|heard| heard.track == track).map(|heard| heard.data.clone()).collect::<Vec<_>>()
        };
        assert_same(&of(1), &data(&capture.packets()));
        assert!(of(2).len() < capture.packets().len());
        let (_, texts) = until_ended(&mut plain).await;
        assert_eq!(texts.iter().filter(|text| text.contains("track_unreadable")).count(), 1, "{texts:?}");
    }
}

#[tokio::test]
async fn a_recording_that_is_still_being_made_goes_on_and_ends_with_it() {
    let hub = Hub::start();
    let (one, two) = (Capture::new("firefox-webm-opus-ctx44100"), Capture::new("chromium-webm-opus-100ms"));
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    say(&mut ann, 1, &one).await;
    let live = hub.json("/api/v1/recordings?room=talk").await["recordings"][0].clone();
    assert_eq!(live["state"], "live");
    let (mut listener, _) = Client::v1(&hub, &address(&live, "")).await;
    // What lies beyond what there is is the live edge, and no end.
    let (mut at_the_edge, welcome) = Client::v1(&hub, &address(&live, "from=9999")).await;
    assert_eq!(at_the_edge.notice().await["state"], "playing");
    assert_eq!(welcome["tracks"].as_array().unwrap().len(), 1, "a track that may go on is live");
    let sent = data(&one.packets());
    let mut all = Vec::new();
    while all.len() < sent.len() {
        all.extend(carried(listener.packets().await).into_iter().map(|heard| heard.data));
    }
    assert_same(&all, &sent);
    say(&mut ann, 2, &two).await;
    ann.close().await;
    let (sound, notices) = until(&mut listener, is_ended).await;
    let packets: Vec<_> = sound.iter().filter(|heard| heard.track == 2).map(|heard| heard.data.clone()).collect();
    assert_same(&packets, &data(&two.packets()));
    assert!(notices.iter().any(|notice| notice["type"] == "track" && notice["track"] == 2));
    let (sound, _) = until(&mut at_the_edge, is_ended).await;
    assert_same(
        &sound.into_iter().filter(|heard| heard.track == 2).map(|heard| heard.data).collect::<Vec<_>>(),
        &packets,
    );
    let recording = hub.ended("talk").await;
    assert_eq!(notices.last().unwrap()["duration"], recording["duration"]);
}

#[tokio::test]
async fn a_replay_outlives_its_recording_and_no_room_knows_of_it() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-mic");
    let recording = recorded(&hub, "talk", &capture).await;
    let (mut listener, _) = Client::v1(&hub, &address(&recording, "")).await;
    listener.packets().await;
    hub.until("/api/v1/rooms", |rooms| rooms["rooms"] == json!([])).await;
    let client = reqwest::Client::new();
    let part = file(&hub, "01-ann.ogg");
    let gone = client.delete(hub.url(&format!("/api/v1/recordings/{}", recording["id"].as_str().unwrap())));
    assert_eq!(gone.send().await.unwrap().status(), 204);
    assert!(!part.exists());
    listener.say(json!({ "type": "seek", "at": 6.9 })).await;
    let (_, notices) = until(&mut listener, |notice| notice["type"] == "replay").await;
    assert_eq!(notices[0]["at"], 6.9);
    assert_heard(&until(&mut listener, is_ended).await.0, &capture, 6.9);
    let refused = Client::open(&hub, &address(&recording, ""), None).await.err();
    assert!(matches!(refused, Some(tungstenite::Error::Http(answer)) if answer.status() == 404));
}

#[tokio::test]
async fn replays_are_connections_as_others_are_and_a_stop_closes_them() {
    let hub = Hub::start_with(&["--max-connections", "2"]);
    let recording = recorded(&hub, "talk", &Capture::new("chromium-webm-opus-mic")).await;
    let (mut playing, _) = Client::v1(&hub, &address(&recording, "")).await;
    let mut paused = Client::plain(&hub, &address(&recording, "")).await;
    paused.say(json!({ "type": "pause" })).await;
    let refused = Client::open(&hub, &address(&recording, ""), None).await.err();
    assert!(matches!(refused, Some(tungstenite::Error::Http(answer)) if answer.status() == 503));
    hub.signal("TERM");
    for client in [&mut playing, &mut paused] {
        assert_eq!(client.closed().await.unwrap().0, 1001);
    }
    assert!(hub.stop_is_awaited().0.success());
}
