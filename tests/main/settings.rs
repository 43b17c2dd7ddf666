//! What someone has set of a room, through the running hub.

use reqwest::Client as Http;
use serde_json::{Value, json};

use crate::helpers::{Capture, Client, Hub};

async fn set(hub: &Hub, room: &str, wanted: Value) -> (u16, Value) {
    let request = Http::new().patch(hub.url(&format!("/api/v1/rooms/{room}/settings"))).json(&wanted);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn speak(speaker: &mut Client) {
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        speaker.send(message).await;
    }
}

#[tokio::test]
async fn a_room_has_settings_whether_anybody_is_in_it_or_not() {
    let hub = Hub::start();
    let path = "/api/v1/rooms/studio/settings";
    assert_eq!(hub.json(path).await, json!({ "record": true, "greet": "last-recording" }));
    let silent = json!({ "record": false, "greet": "last-recording" });
    assert_eq!(set(&hub, "studio", json!({ "record": false })).await, (200, silent));
    let both = json!({ "record": false, "greet": "none" });
    assert_eq!(set(&hub, "studio", json!({ "greet": "none" })).await, (200, both.clone()));
    assert_eq!(hub.json(path).await, both);
    for bad in [json!({ "greet": "loudly" }), json!({ "record": "no" }), json!({ "recrod": false }), json!([])] {
        let (status, problem) = set(&hub, "studio", bad).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_body")));
    }
    assert_eq!(set(&hub, "no.name", json!({})).await.0, 400);
    let deleted = Http::new().delete(hub.url(path)).send().await.unwrap();
    assert_eq!((deleted.status().as_u16(), &deleted.headers()["allow"]), (405, &"GET, HEAD, PATCH".parse().unwrap()));
}

#[tokio::test]
async fn a_room_that_is_not_recorded_plays_on_and_says_so() {
    let hub = Hub::start();
    set(&hub, "quiet", json!({ "record": false })).await;
    let (mut listener, _) = Client::v1(&hub, "/rooms/quiet/ws?publish=false").await;
    let mut speaker = Client::plain(&hub, "/rooms/quiet/ws?name=Ann").await;
    speak(&mut speaker).await;
    let told = listener.notice_of("health").await;
    assert_eq!((&told["recording"], &told["reason"]), (&json!(false), &json!("This room is not recorded.")));
    listener.packets().await;
    speaker.close().await;
    hub.until("/api/v1/rooms/quiet", |room| room["tracks"].as_array().unwrap().is_empty()).await;
    assert_eq!(hub.json("/api/v1/recordings?room=quiet").await["recordings"], json!([]));
}

#[tokio::test]
async fn a_recording_ends_when_it_is_not_wanted_any_more_and_another_begins_when_it_is() {
    let hub = Hub::start_with(&["--grace-seconds", "600"]);
    let (mut listener, _) = Client::v1(&hub, "/rooms/mind/ws?publish=false").await;
    let mut speaker = Client::plain(&hub, "/rooms/mind/ws?name=Ann").await;
    speak(&mut speaker).await;
    while listener.notice_of("session").await["session"].is_null() {}
    set(&hub, "mind", json!({ "record": false })).await;
    // It is looked at when sound comes, and ten times a second while somebody speaks.
    while listener.notice_of("health").await["recording"] != json!(false) {}
    let ended = hub.ended("mind").await;
    assert_eq!(ended["end_reason"], "finished");
    set(&hub, "mind", json!({ "record": true })).await;
    let mut other = Client::plain(&hub, "/rooms/mind/ws?name=Ben").await;
    speak(&mut other).await;
    while listener.notice_of("health").await["recording"] != json!(true) {}
    hub.until("/api/v1/recordings?room=mind", |list| list["recordings"].as_array().unwrap().len() == 2).await;
}
