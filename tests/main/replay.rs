//! Replays of recordings, through the running hub.

use roomtone::wire::packets::Message;
use serde_json::{Value, json};

use crate::helpers::capture::{assert_same, data};
use crate::helpers::{Capture, Client, Hub};

/// Records a capture through a room, and gives the recording once it has ended.
async fn recorded(hub: &Hub, room: &str, capture: &Capture) -> Value {
    let (mut ann, _) = Client::v1(hub, &format!("/rooms/{room}/ws?name=Ann")).await;
    ann.publish_container(1).await;
    for message in capture.messages() {
        ann.send_container(1, &message).await;
    }
    let count = capture.packets().len() as u64;
    while ann.notice_of("durable").await["next"] != count {}
    ann.close().await;
    hub.ended(room).await
}

fn address(recording: &Value, query: &str) -> String {
    format!("/recordings/{}/ws?{query}", recording["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_replay_carries_what_was_recorded() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-100ms");
    let recording = recorded(&hub, "talk", &capture).await;
    let (mut listener, welcome) = Client::v1(&hub, &address(&recording, "")).await;
    assert_eq!(welcome["room"], "talk");
    let place = listener.notice().await;
    assert_eq!((&place["type"], &place["state"], &place["at"]), (&json!("replay"), &json!("playing"), &json!(0.0)));
    let sent = data(&capture.packets());
    let mut all = Vec::new();
    while all.len() < sent.len() {
        let Message::Packets { packets, .. } = listener.packets().await else { panic!("packets") };
        all.extend(packets);
    }
    assert_same(&all, &sent);
    let end = listener.notice_of("replay").await;
    assert_eq!((&end["state"], &end["at"]), (&json!("ended"), &recording["duration"]));
}
