//! `audio file`: what a client is greeted with, and what it asks for.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::SOCKET;
use super::client::{self, Polling, arguments};
use crate::helpers::judge::{decode_bytes, probe};
use crate::helpers::raw::{BINARY, LAST, Raw, TEXT};
use crate::helpers::shelf::Shelf;
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
            tokio::time::sleep(Duration::from_millis(50)).await;
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

    // The first answer may hold it already, behind the namespace.
    let polling = Polling::open(&hub, "&room=studio").await;
    polling.say("40").await;
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
async fn who_asks_for_a_recording_as_it_comes_gets_the_greeting_too() {
    let hub = Hub::start();
    let (id, length) = record(&hub, "both").await;
    let mut socket = client::join(&hub, "&room=both").await;
    socket.say(format!("42{}", json!(["play", id, 1]))).await;
    let mut lengths = [audio_file(&mut socket).await, audio_file(&mut socket).await].map(|(_, ogg)| seconds(&ogg));
    lengths.sort_by(f64::total_cmp);
    assert!((lengths[0] - (length - 1.0)).abs() < 0.1 && (lengths[1] - length).abs() < 0.1, "{lengths:?} {length}");
}

/// The next frame that the hub sends: its first byte and its payload, taken slowly; but not what may be on its way to us when
/// the hub has nothing more to send, or a busy machine would need longer for that than for a ping.
async fn slowly(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let (first, length) = (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap());
    let length = match length {
        126 => u64::from(stream.read_u16().await.unwrap()),
        127 => stream.read_u64().await.unwrap(),
        short => u64::from(short),
    };
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    let last = payload.len().saturating_sub(512 * 1024);
    let (slow, fast) = payload.split_at_mut(last);
    for piece in slow.chunks_mut(16 * 1024) {
        stream.read_exact(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    stream.read_exact(fast).await.unwrap();
    (first, payload)
}

#[tokio::test]
async fn who_takes_longer_for_a_recording_than_for_a_ping_stays() {
    let shelf = Shelf::new().await;
    let id = shelf.record("long", 1, 4).await;
    let hub = shelf.hub(&["--socketio-ping-interval-ms", "200", "--socketio-ping-timeout-ms", "2000"]).await;
    let path = format!("/api/v1/recordings/{id}/mix.ogg");
    while hub.get(&path).await.status() != 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut client = Raw::join(&hub, &format!("{SOCKET}&room=long")).await;
    SockRef::from(&client.stream).set_recv_buffer_size(128 * 1024).unwrap();
    client.send(LAST | TEXT, b"40").await.unwrap();
    let mut came = Vec::new();
    let file = loop {
        let (first, payload) = slowly(&mut client.stream).await;
        if first == LAST | BINARY {
            break payload;
        }
        came.push(payload);
    };
    assert!(file.len() > 2 * 1024 * 1024, "{} bytes are taken too fast to tell", file.len());
    assert!(came[came.len() - 1].starts_with(b"451-[\"audio file\""));
    assert_eq!(came[came.len() - 2], b"2", "a ping goes before it");
    for said in [&b"3"[..], b"427[\"chat\",\"still here\"]"] {
        client.send(LAST | TEXT, said).await.unwrap();
    }
    while !slowly(&mut client.stream).await.1.starts_with(b"437") {}
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
