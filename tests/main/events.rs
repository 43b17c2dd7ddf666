//! `/api/v1/events`, through the running hub.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::helpers::{Capture, Client, Hub};

/// One who watches, and the state that came first.
async fn watch(hub: &Hub) -> (Client, Value) {
    let mut watcher = Client::open(hub, "/api/v1/events", None).await.unwrap();
    let state = watcher.notice().await;
    assert_eq!(state["type"], "state");
    (watcher, state)
}

/// The next event of this type that is as wanted; others before it are passed over.
async fn until(watcher: &mut Client, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = watcher.notice_of(kind).await;
        if wanted(&event) {
            return event;
        }
    }
}

fn names(room: &Value) -> Vec<&str> {
    room["participants"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn who_comes_talks_mutes_and_leaves_is_told_as_it_happens() {
    let hub = Hub::start();
    let (mut watcher, state) = watch(&hub).await;
    assert_eq!(state, json!({ "type": "state", "rooms": [] }));
    let (mut ann, welcome) = Client::v1(&hub, "/rooms/studio/ws?name=Ann").await;
    let come = watcher.notice().await;
    assert_eq!(come, json!({ "type": "room", "room": hub.json("/api/v1/rooms/studio").await }));
    assert_eq!(names(&come["room"]), ["Ann"]);

    ann.publish_container(1).await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        ann.send_container(1, &message).await;
    }
    let talks = until(&mut watcher, "room", |event| event["room"]["tracks"][0]["muted"] == false).await;
    assert_eq!(talks["room"]["tracks"][0]["participant"], welcome["participant"]["id"]);
    assert!(talks["room"]["session"]["recording"].is_string());
    ann.say(json!({ "type": "mute", "track": 1, "muted": true })).await;
    until(&mut watcher, "room", |event| event["room"]["tracks"][0]["muted"] == true).await;

    let listener = Client::plain(&hub, "/rooms/studio/ws?publish=false").await;
    until(&mut watcher, "room", |event| event["room"]["listeners"] == 1).await;
    let (_late, state) = watch(&hub).await;
    let mut room = hub.json("/api/v1/rooms/studio").await;
    let elapsed = |room: &mut Value| room["session"]["elapsed"].take().as_f64().unwrap();
    let (mut told, now) = (state["rooms"][0].clone(), elapsed(&mut room));
    let then = elapsed(&mut told);
    assert!(then <= now && now - then < 30.0, "a state made of old news has the time of now: {then} and {now}");
    assert_eq!(told, room);

    ann.close().await;
    let left = until(&mut watcher, "room", |event| names(&event["room"]).is_empty()).await;
    assert_eq!((&left["room"]["listeners"], &left["room"]["tracks"]), (&json!(1), &json!([])));
    listener.close().await;
    assert_eq!(watcher.notice_of("room_gone").await, json!({ "type": "room_gone", "name": "studio" }));
    // Its session has not ended by now, which makes it no live room.
    assert_eq!(watch(&hub).await.1["rooms"], json!([]));
}

#[tokio::test]
async fn what_changes_quickly_is_told_a_few_times_a_second() {
    let hub = Hub::start();
    let (mut watcher, _) = watch(&hub).await;
    let began = std::time::Instant::now();
    for _ in 0..200 {
        Client::plain(&hub, "/rooms/studio/ws?publish=false").await.close().await;
    }
    let (last, _) = Client::v1(&hub, "/rooms/studio/ws?name=Last").await;
    let mut told = 0;
    while names(&until(&mut watcher, "room", |_| true).await["room"]).is_empty() {
        told += 1;
    }
    let most = began.elapsed().as_millis() / 250 + 2;
    assert!(told <= most, "{told} times, where {most} is the most");
    last.close().await;
}

#[tokio::test]
async fn a_recording_is_told_when_it_begins_ends_is_renamed_and_deleted() {
    let hub = Hub::start();
    let (mut watcher, _) = watch(&hub).await;
    let mut ann = Client::plain(&hub, "/rooms/studio/ws?name=Ann").await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        ann.send(message).await;
    }
    let began = watcher.notice_of("recording").await["recording"].clone();
    assert_eq!(
        (&began["state"], &began["room"], &began["people"]),
        (&json!("live"), &json!("studio"), &json!(["Ann"]))
    );
    ann.close().await;
    let ended = until(&mut watcher, "recording", |event| event["recording"]["state"] == "ended").await;
    let list = hub.json("/api/v1/recordings").await;
    assert_eq!(ended["recording"], list["recordings"][0], "an event has what the list has");
    assert!(ended["recording"]["duration"].as_f64().unwrap() > 0.5);
    assert_eq!(ended["recording"]["id"], began["id"]);

    let address = hub.url(&format!("/api/v1/recordings/{}", began["id"].as_str().unwrap()));
    let client = reqwest::Client::new();
    client.patch(&address).json(&json!({ "title": "Früh um acht" })).send().await.unwrap().error_for_status().unwrap();
    assert_eq!(watcher.notice_of("recording").await["recording"]["title"], "Früh um acht");
    client.delete(&address).send().await.unwrap().error_for_status().unwrap();
    assert_eq!(watcher.notice_of("recording_deleted").await, json!({ "type": "recording_deleted", "id": began["id"] }));
}

/// Changes that are more than wait for one who watches (256), and many more than its system and the hub's hold.
const ROUNDS: usize = 5;
const ROOMS: usize = 100;

/// Watches until each room of a round was told in an event of this type.
async fn all_told(watcher: &mut Client, kind: &str, round: usize) {
    let mut left: HashSet<_> = (0..ROOMS).map(|number| format!("r{round}-{number}")).collect();
    while !left.is_empty() {
        let event = watcher.notice_of(kind).await;
        left.remove(event.pointer("/room/name").unwrap_or(&event["name"]).as_str().unwrap());
    }
}

#[tokio::test]
async fn one_who_reads_nothing_holds_up_nobody_and_begins_anew_when_it_reads() {
    let hub = Hub::start();
    let mut stalled = Client::narrow(&hub, "/api/v1/events").await;
    assert_eq!(stalled.notice().await["type"], "state");
    let (mut watcher, _) = watch(&hub).await;
    // A guest's name may be long: 64 letters of four bytes each.
    let name = "%F0%9D%84%9E".repeat(64);
    for round in 0..ROUNDS {
        let addresses = (0..ROOMS).map(|number| format!("/rooms/r{round}-{number}/ws?name={name}"));
        let guests = join_all(addresses.map(async |address| Client::plain(&hub, &address).await)).await;
        all_told(&mut watcher, "room", round).await;
        join_all(guests.into_iter().map(Client::close)).await;
        all_told(&mut watcher, "room_gone", round).await;
    }
    let (_last, _) = Client::v1(&hub, "/rooms/last/ws?name=Last").await;
    let mut begun_anew = false;
    loop {
        let event = stalled.notice().await;
        begun_anew |= event["type"] == "state";
        let mut rooms = event["rooms"].as_array().into_iter().flatten().chain(event.get("room"));
        if rooms.any(|room| room["name"] == "last") {
            break;
        }
    }
    assert!(begun_anew, "it fell behind, and was told nothing anew");
}

#[tokio::test]
async fn a_hub_that_stops_says_so() {
    let hub = Hub::start();
    let (mut watcher, _) = watch(&hub).await;
    let (_ann, _) = Client::v1(&hub, "/rooms/studio/ws?name=Ann").await;
    hub.signal("TERM");
    let (code, reason) = watcher.closed().await.unwrap();
    assert_eq!((code, reason.as_str()), (1001, "the hub stops"));
    assert!(hub.stop_is_awaited().0.success());
}

#[tokio::test]
async fn events_are_for_websockets_and_count_as_connections() {
    let hub = Hub::start_with(&["--max-connections", "1"]);
    let response = hub.get("/api/v1/events").await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "invalid_handshake");
    let response = reqwest::Client::new().post(hub.url("/api/v1/events")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["allow"].to_str().unwrap()), (405, "GET"));
    let (watcher, _) = watch(&hub).await;
    assert!(Client::open(&hub, "/api/v1/events", None).await.err().unwrap().to_string().contains("503"));
    assert!(Client::open(&hub, "/rooms/studio/ws", None).await.err().unwrap().to_string().contains("503"));
    watcher.close().await;
    while Client::open(&hub, "/api/v1/events", None).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
