//! `audio file`: what a client is greeted with, and what it asks for.

use bytes::Bytes;
use serde_json::{Value, json};

use super::client::{self, Polling, arguments};
use crate::helpers::judge::{decode_bytes, probe};
use crate::helpers::{Capture, Client, Hub};

/// Records a capture in a room, and waits until its mix is there.
async fn record(hub: &Hub, room: &str) -> (String, f64) {
    let mut speaker = Client::plain(hub, &format!("/rooms/{room}/ws?name=Ann")).await;
    for message in Capture::new("chromium-webm-opus").messages() {
        speaker.send(message).await;
    }
    speaker.close().await;
    let recording = hub.ended(room).await;
    let id = recording["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/recordings/{id}/mix.ogg");
    let made = async {
        while hub.get(&path).await.status() != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::helpers::hub::PATIENCE, made).await.unwrap();
    (id, recording["duration"].as_f64().unwrap())
}

/// The recording that comes next, and what is said of it.
async fn audio_file(client: &mut Client) -> (Value, Bytes) {
    let event = client::packet(client, "451-[\"audio file\"").await;
    (arguments(&event)[1].clone(), client.binary().await)
}

fn seconds(ogg: &[u8]) -> f64 {
    let (_, channels, _) = probe(ogg);
    decode_bytes(ogg).len() as f64 / f64::from(channels) / 48_000.0
}

#[tokio::test]
async fn a_room_greets_with_its_last_recording_and_who_was_there_before_gets_the_first() {
    let hub = Hub::start();
    let mut early = client::join(&hub, "&room=studio").await;
    early.say(r#"421["chat","hello"]"#).await;
    assert_eq!(early.text().await, r#"431[{"ok":true}]"#, "nothing came before");
    let (id, length) = record(&hub, "studio").await;

    let mut socket = client::join(&hub, "&room=studio").await;
    let (told, ogg) = audio_file(&mut socket).await;
    assert_eq!((&told["audio"], &told["recording"]), (&json!(true), &json!(id)));
    assert_eq!(told["audioBuffer"], json!({ "_placeholder": true, "num": 0 }));
    assert!((told["seconds"].as_f64().unwrap() - length).abs() < 0.1, "{told} {length}");
    assert!((seconds(&ogg) - length).abs() < 0.1);
    assert_eq!(audio_file(&mut early).await, (told.clone(), ogg));

    let polling = Polling::join(&hub, "&room=studio").await;
    let event = polling.packet("451-[\"audio file\"").await;
    assert_eq!(arguments(&event)[1], told);
    let mut elsewhere = client::join(&hub, "&room=other").await;
    elsewhere.say(r#"422["chat","hello"]"#).await;
    assert_eq!(elsewhere.text().await, r#"432[{"ok":true}]"#);
}

#[tokio::test]
async fn any_recording_is_played_on_demand_from_anywhere() {
    let hub = Hub::start();
    let (id, length) = record(&hub, "shelf").await;
    let mut socket = client::join(&hub, "&room=elsewhere").await;
    for (arguments_of, from) in [
        (json!(["play", { "recording": id, "from": 1.5 }]), 1.5),
        (json!(["play", { "recording": id }]), 0.0),
        (json!(["play", id, 0.25]), 0.25),
        (json!(["play", id]), 0.0),
    ] {
        socket.say(format!("427{arguments_of}")).await;
        let (told, ogg) = audio_file(&mut socket).await;
        assert!((seconds(&ogg) - (length - from)).abs() < 0.1, "{arguments_of}: {} of {length}", seconds(&ogg));
        let answer = arguments(&client::packet(&mut socket, "437").await);
        assert_eq!(answer[0], json!({ "ok": true, "recording": id, "seconds": told["seconds"] }));
    }
    for (arguments_of, word) in [
        (json!(["play", id, 9999]), "no sound"),
        (json!(["play", "01932c07-fbe0-7000-8000-000000000000"]), "no such recording"),
        (json!(["play", "../etc/passwd"]), "ID"),
        (json!(["play", id, -1]), "ID"),
    ] {
        socket.say(format!("427{arguments_of}")).await;
        let answer = arguments(&client::packet(&mut socket, "437").await);
        assert!(answer[0]["error"].as_str().unwrap().contains(word), "{arguments_of}: {answer}");
    }
}

#[tokio::test]
async fn a_room_greets_as_it_is_set() {
    let hub = Hub::start_with(&["--grace-seconds", "1"]);
    let (id, _) = record(&hub, "manners").await;
    let set = async |greet: &str| {
        let path = hub.url("/api/v1/rooms/manners/settings");
        let answer = reqwest::Client::new().patch(path).json(&json!({ "greet": greet })).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    };
    // Neither has anything to say: what comes next is the answer.
    for greet in ["none", "session"] {
        set(greet).await;
        let mut socket = client::join(&hub, "&room=manners").await;
        socket.say(r#"421["play","nonsense"]"#).await;
        assert!(socket.text().await.starts_with("431"), "{greet}");
    }
    let mut speaker = Client::plain(&hub, "/rooms/manners/ws?name=Ann").await;
    for message in Capture::new("chromium-webm-opus").messages() {
        speaker.send(message).await;
    }
    let live = hub.until("/api/v1/recordings?room=manners&state=live", |list| {
        list["recordings"].as_array().unwrap().iter().any(|one| one["bytes"].as_u64().unwrap() > 10_000)
    });
    let live = live.await["recordings"][0]["id"].clone();
    assert_ne!(live, json!(id));
    let mut socket = client::join(&hub, "&room=manners").await;
    let (told, ogg) = audio_file(&mut socket).await;
    assert_eq!(told["recording"], live);
    assert!((seconds(&ogg) - told["seconds"].as_f64().unwrap()).abs() < 0.1);
}
