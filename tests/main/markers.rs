//! Markers, through the running hub: set in a room and in a recording, told, listed, changed, and there after everything else is lost.

use reqwest::{Client as Http, Method, Response};
use serde_json::{Value, json};

use crate::helpers::{Capture, Client, Hub};

async fn ask(hub: &Hub, method: Method, path: &str, body: Value) -> Response {
    Http::new().request(method, hub.url(path)).json(&body).send().await.unwrap()
}

async fn problem(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json::<Value>().await.unwrap()["code"].clone())
}

/// The texts of the markers of a recording, in the order of their places.
fn texts(recording: &Value) -> Vec<&str> {
    recording["markers"].as_array().unwrap().iter().map(|marker| marker["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_marker_is_set_in_a_room_while_it_is_recorded_and_everyone_hears_of_it() {
    let hub = Hub::start();
    let of_room = "/api/v1/rooms/talk/markers";
    assert_eq!(problem(ask(&hub, Method::POST, of_room, json!({})).await).await, (404, json!("room_not_found")));
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let (mut ben, _) = Client::v1(&hub, "/rooms/talk/ws?publish=false").await;
    assert_eq!(problem(ask(&hub, Method::POST, of_room, json!({})).await).await, (409, json!("no_session")));
    ann.say(json!({ "type": "marker", "text": "too early" })).await;
    assert_eq!(ann.notice_of("warning").await["code"], "marker_refused");

    ann.publish_container(0).await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        ann.send_container(0, &message).await;
    }
    let session = ben.notice_of("session").await["session"].clone();
    ann.say(json!({ "type": "marker", "text": " The news " })).await;
    let told = ben.notice_of("marker").await;
    assert_eq!((&told["text"], &told["name"]), (&json!("The news"), &json!("Ann")));
    assert_eq!(ann.notice_of("marker").await["id"], told["id"]);
    ann.say(json!({ "type": "marker", "text": "x".repeat(201) })).await;
    assert_eq!(ann.notice_of("warning").await["code"], "marker_refused");
    ann.say(json!({ "type": "marker", "text": "before everything", "at": -1 })).await;
    let warning = ann.notice_of("warning").await;
    assert_eq!(warning["code"], "marker_refused");
    assert!(warning["message"].as_str().unwrap().contains("start"), "{warning}");

    hub.until("/api/v1/rooms/talk", |room| room["session"]["elapsed"].as_f64() > Some(0.5)).await;
    let set = ask(&hub, Method::POST, of_room, json!({ "at": 0.25 })).await;
    assert_eq!(set.status(), 201);
    let address = set.headers()["location"].to_str().unwrap().to_owned();
    let set: Value = set.json().await.unwrap();
    assert_eq!((&set["at"], &set["text"], &set["name"]), (&json!(0.25), &json!(""), &Value::Null));
    assert_eq!(ben.notice_of("marker").await["id"], set["id"]);
    for body in [json!({ "at": 1e9 }), json!({ "at": -1 }), json!({ "at": 0, "txt": "no such field" })] {
        assert_eq!(problem(ask(&hub, Method::POST, of_room, body).await).await, (400, json!("invalid_body")));
    }

    // In the recording by its ID it is the same while it is being made.
    let id = session["recording"].as_str().unwrap();
    assert_eq!(address, format!("/api/v1/recordings/{id}/markers/{}", set["id"].as_str().unwrap()));
    let of_recording = format!("/api/v1/recordings/{id}/markers");
    hub.until("/api/v1/recordings?room=talk", |list| list["recordings"] != json!([])).await;
    hub.until(&format!("/api/v1/recordings/{id}"), |one| one["markers"].as_array().is_some_and(|all| all.len() == 2))
        .await;
    let set = ask(&hub, Method::POST, &of_recording, json!({ "at": 0.5, "text": "a question" })).await;
    assert_eq!(set.status(), 201);
    let address = set.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(ben.notice_of("marker").await["text"], "a question");
    assert_eq!(ask(&hub, Method::DELETE, &address, Value::Null).await.status(), 204);
    ann.close().await;
    let recording = hub.ended("talk").await;
    // By their places, and which of them was first depends on how quickly the room was told.
    let mut texts = texts(&recording);
    texts.sort();
    assert_eq!(texts, ["", "The news"]);
}

#[tokio::test]
async fn markers_of_a_recording_are_changed_told_in_replays_and_come_back_without_the_index() {
    let hub = Hub::start();
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        speaker.send(message).await;
    }
    speaker.close().await;
    let recording = hub.ended("talk").await;
    let path = format!("/api/v1/recordings/{}", recording["id"].as_str().unwrap());
    let markers = format!("{path}/markers");
    let end = recording["duration"].as_f64().unwrap();
    let mut addresses = Vec::new();
    for (at, text) in [(end, "second"), (0.0, "first"), (end / 2.0, "<b>\"&'</b>")] {
        let set = ask(&hub, Method::POST, &markers, json!({ "at": at, "text": text })).await;
        assert_eq!(set.status(), 201);
        addresses.push(set.headers()["location"].to_str().unwrap().to_owned());
    }
    let edited = ask(&hub, Method::PATCH, &addresses[0], json!({ "at": 0.125, "text": "moved" })).await;
    assert_eq!(edited.json::<Value>().await.unwrap()["at"], 0.125);
    assert_eq!(ask(&hub, Method::DELETE, &addresses[1], Value::Null).await.status(), 204);
    for (method, path, body, expected) in [
        (Method::DELETE, &addresses[1], Value::Null, (404, json!("marker_not_found"))),
        (Method::POST, &markers, json!({ "text": "nowhere" }), (400, json!("invalid_body"))),
        (Method::POST, &markers, json!({ "at": 1e9 }), (400, json!("invalid_body"))),
        (Method::POST, &markers, json!({ "at": 0, "text": "a\nb" }), (400, json!("invalid_body"))),
    ] {
        assert_eq!(problem(ask(&hub, method, path, body).await).await, expected);
    }
    let published = ask(&hub, Method::PATCH, &path, json!({ "published": true })).await.json::<Value>().await.unwrap();
    assert_eq!(published["published"], true);
    assert!(published["published_at"].is_string());
    let texts_now = ["moved", "<b>\"&'</b>"];
    assert_eq!(texts(&published), texts_now);

    let id = recording["id"].as_str().unwrap();
    let (mut replay, _) = Client::v1(&hub, &format!("/recordings/{id}/ws")).await;
    for text in texts_now {
        assert_eq!(replay.notice_of("marker").await["text"], text);
    }
    replay.close().await;

    hub.signal("TERM");
    let (_, folder) = hub.stop_is_awaited();
    let recordings = folder.path().join("recordings");
    for name in ["index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"] {
        let _ = std::fs::remove_file(recordings.join(name));
    }
    let mended = std::process::Command::new(env!("CARGO_BIN_EXE_roomtone"))
        .args(["check", "--repair", "--recordings"])
        .arg(&recordings)
        .output()
        .unwrap();
    assert_eq!(mended.status.code(), Some(0), "{mended:?}");
    let hub = Hub::start_in(folder, &[]);
    let again = hub.json(&path).await;
    for field in ["markers", "published", "published_at"] {
        assert_eq!(again[field], published[field], "{field}");
    }
}
