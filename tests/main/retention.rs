//! Retention through the running hub: by its options, while recordings are made, downloaded and kept.

use reqwest::header::CONTENT_TYPE;
use roomtone::media::time::UnixMillis;
use serde_json::{Value, json};

use crate::helpers::shelf::{Shelf, names, now};
use crate::helpers::slow::Slow;
use crate::helpers::{Capture, Client, Hub};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn days_ago(days: i64) -> UnixMillis {
    UnixMillis::new(now().get() - days * DAY)
}

/// The IDs of a list, the newest first.
fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

async fn keep(hub: &Hub, id: &str, keep: bool) {
    let request = reqwest::Client::new().patch(hub.url(&format!("/api/v1/recordings/{id}")));
    let body = json!({ "keep": keep }).to_string();
    let answer = request.header(CONTENT_TYPE, "application/json").body(body).send().await.unwrap();
    assert!(answer.status().is_success());
}

#[tokio::test]
async fn without_limits_everything_is_kept_and_the_storage_says_what_there_is() {
    let shelf = Shelf::new().await;
    let old = shelf.record_at("talk", 1, 1, days_ago(10_000)).await.to_string();
    let new = shelf.record("studio", 2, 1).await.to_string();
    let hub = shelf.hub(&[]).await;
    hub.until(&format!("/api/v1/recordings/{new}"), |one| one["tracks"][1]["sizes"]["webm"].is_u64()).await;
    let storage = hub
        .until("/api/v1/storage", |storage| {
            storage["rooms"][0]["room"] == "studio" && storage["deleted"]["since"].is_string()
        })
        .await;
    let list = hub.json("/api/v1/recordings").await;
    assert_eq!(ids(&list["recordings"]), [&*new, &*old]);
    assert_eq!(storage["recordings"], 2);
    let nothing = json!({ "max_days": null, "max_bytes": null, "max_room_bytes": null, "min_free_bytes": null });
    assert_eq!((&storage["limits"], &storage["next"], &storage["unmet"]), (&nothing, &json!([]), &json!([])));
    assert!(storage["free"].as_u64() <= storage["capacity"].as_u64() && storage["low"].is_boolean());
    let none = json!({ "recordings": 0, "bytes": 0 });
    let reasons = json!({ "max_days": none, "max_room_bytes": none, "max_bytes": none, "min_free_bytes": none });
    assert_eq!((&storage["deleted"]["reasons"], &storage["deleted"]["latest"]), (&reasons, &json!([])));
    // The bytes are those of the files.
    let on_disk = |room: &str| -> u64 {
        let mut folders = vec![hub.recordings().join(room)];
        let mut bytes = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false if entry.file_name() == "session.json" => {}
                    false => bytes += entry.metadata().unwrap().len(),
                }
            }
        }
        bytes
    };
    for (index, room) in ["studio", "talk"].into_iter().enumerate() {
        // The other is made after the newest.
        let of_room = |storage: &Value| storage["rooms"][index].clone();
        let made = |storage: &Value| of_room(storage)["bytes"] == on_disk(room);
        let storage = hub.until("/api/v1/storage", made).await;
        assert_eq!((&of_room(&storage)["room"], &of_room(&storage)["recordings"]), (&json!(room), &json!(1)));
    }
    let storage = hub.json("/api/v1/storage").await;
    assert_eq!(storage["bytes"], on_disk("studio") + on_disk("talk"));
}

#[tokio::test]
async fn the_oldest_go_when_a_recording_ends_and_what_is_kept_live_or_downloaded_stays() {
    let shelf = Shelf::new().await;
    let mut old = Vec::new();
    for days in (10..15).rev() {
        // One is long: more than can be on its way to who downloads it.
        let minutes = if days == 13 { 20 } else { 2 };
        old.push(shelf.record_at("talk", 1, minutes, days_ago(days)).await.to_string());
    }
    // Room for all of these and nothing more: none has its files yet, so that is measured by a hub without limits.
    let hub = shelf.hub(&[]).await;
    for id in &old {
        hub.until(&format!("/api/v1/recordings/{id}"), |one| one["tracks"][0]["sizes"]["webm"].is_u64()).await;
    }
    let all_made = |storage: &Value| {
        // When the last is counted, nothing grows any more.
        const DERIVED: [&str; 5] = ["mix.ogg", "session.webm", "track-1.webm", "waveform-1.peaks", "waveform.peaks"];
        let derived = old.len() * DERIVED.len();
        let there: usize = names(&hub.recordings().join("talk"))
            .iter()
            .map(|folder| names(&hub.recordings().join("talk").join(folder).join("derived")).len())
            .sum();
        there == derived && storage["recordings"] == 5
    };
    hub.until("/api/v1/storage", all_made).await;
    keep(&hub, &old[0], true).await;
    hub.signal("TERM");
    let (status, folder) = hub.stop_is_awaited();
    assert!(status.success());
    let hub = Hub::start_in(folder, &[]);
    let bytes = hub.json("/api/v1/storage").await["bytes"].as_u64().unwrap();
    hub.signal("TERM");
    let (_, folder) = hub.stop_is_awaited();

    let hub = Hub::start_in(folder, &["--max-bytes", &bytes.to_string()]);
    let storage = hub.json("/api/v1/storage").await;
    assert_eq!(ids(&storage["next"]), old[1..].iter().map(String::as_str).collect::<Vec<_>>(), "kept: it is not next");
    // The next oldest is being downloaded: slowly, so that it still is when the time has come.
    let slow = Slow::begin(&hub, &format!("/api/v1/recordings/{}/tracks/1.ogg", old[1]), None).await;
    let mut speaker = Client::plain(&hub, "/rooms/live/ws?name=Ann").await;
    for message in Capture::new("chromium-webm-opus-mic").messages() {
        speaker.send(message).await;
    }
    let live = hub.until("/api/v1/recordings?room=live", |list| list["recordings"][0]["id"].is_string()).await;
    let live = live["recordings"][0]["id"].as_str().unwrap().to_owned();
    speaker.close().await;
    hub.ended("live").await;
    let storage = hub.until("/api/v1/storage", |storage| storage["deleted"]["recordings"] == 1).await;
    let [gone] = &storage["deleted"]["latest"].as_array().unwrap()[..] else { panic!("{storage:#}") };
    assert_eq!((gone["id"].as_str(), gone["reason"].as_str()), (Some(&*old[2]), Some("max_bytes")));
    assert_eq!((&gone["room"], &gone["title"]), (&json!("talk"), &Value::Null));
    assert_eq!(storage["deleted"]["reasons"]["max_bytes"]["bytes"], gone["bytes"]);
    assert_eq!(hub.get(&format!("/api/v1/recordings/{}", old[2])).await.status(), 404);
    assert!(storage["bytes"].as_u64().unwrap() <= bytes);
    let list = hub.json("/api/v1/recordings").await;
    assert_eq!(ids(&list["recordings"]), [&live, &old[4], &old[3], &old[1], &old[0]]);
    slow.end().await;
    assert_eq!(storage["deleted"]["since"].as_str().map(str::len), Some("2026-11-22T09:28:00.000Z".len()));

    // It is remembered what went; it is counted anew.
    hub.signal("TERM");
    let (_, folder) = hub.stop_is_awaited();
    let hub = Hub::start_in(folder, &["--max-room-bytes", "1TB"]);
    let storage = hub.json("/api/v1/storage").await;
    assert_eq!((&storage["deleted"]["recordings"], &storage["deleted"]["latest"][0]), (&json!(0), gone));
    assert_eq!(storage["rooms"][0]["next"], old[1], "{storage:#}");
}

#[tokio::test]
async fn days_are_looked_after_at_the_start_and_a_mark_is_taken_away_with_effect() {
    let shelf = Shelf::new().await;
    let kept = shelf.record_at("talk", 1, 1, days_ago(31)).await.to_string();
    let old = shelf.record_at("talk", 1, 1, days_ago(30)).await.to_string();
    let young = shelf.record_at("talk", 1, 1, days_ago(29)).await.to_string();
    let hub = shelf.hub(&[]).await;
    keep(&hub, &kept, true).await;
    hub.signal("TERM");
    let (_, folder) = hub.stop_is_awaited();
    let hub = Hub::start_in(folder, &["--max-days", "30"]);
    let storage = hub.until("/api/v1/storage", |storage| storage["deleted"]["recordings"] == 1).await;
    assert_eq!(storage["deleted"]["latest"][0]["id"], *old);
    assert_eq!(ids(&hub.json("/api/v1/recordings").await["recordings"]), [&*young, &*kept]);
    assert!(storage["next"][0]["expires"].is_string());
    keep(&hub, &kept, false).await;
    hub.until("/api/v1/storage", |storage| storage["deleted"]["recordings"] == 2).await;
    assert_eq!(ids(&hub.json("/api/v1/recordings").await["recordings"]), [&*young]);
    assert_eq!(names(&hub.recordings().join("talk")).len(), 1);
}

#[tokio::test]
async fn a_disk_that_is_too_full_costs_the_oldest_and_is_told() {
    let shelf = Shelf::new().await;
    let id = shelf.record_at("talk", 1, 1, days_ago(3)).await.to_string();
    // More than any disk has.
    let hub = shelf.hub(&["--min-free-bytes", "1000000 TB"]).await;
    let storage = hub.until("/api/v1/storage", |storage| storage["unmet"] == json!(["min_free_bytes"])).await;
    assert_eq!(storage["deleted"]["latest"][0]["id"], *id);
    assert_eq!(storage["deleted"]["latest"][0]["reason"], "min_free_bytes");
    assert_eq!(storage["recordings"], 0);
}

#[test]
fn limits_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (option, value) in
        [("--max-days", "0"), ("--max-days", "1.5"), ("--max-bytes", "much"), ("--min-free-bytes", "0 GB")]
    {
        let refused = Hub::refuses(folder.path(), &[option, value]);
        assert!(!refused.status.success() && !refused.errors.is_empty(), "{option} {value}");
    }
}
