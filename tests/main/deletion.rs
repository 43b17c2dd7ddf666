//! Deletion at any moment: nothing is left behind, and nobody's download breaks.

use std::path::Path;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::RANGE;
use roomtone::wire::packets;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::ear::Ear;
use crate::helpers::hub::PATIENCE;
use crate::helpers::shelf::{Shelf, names};
use crate::helpers::slow::Slow;
use crate::helpers::{Capture, Client, Hub};

async fn delete(hub: &Hub, address: &str) -> StatusCode {
    reqwest::Client::new().delete(hub.url(address)).send().await.unwrap().status()
}

/// Nothing of any recording is left: in the lists, in the sums, on the disk.
async fn nothing_is_left(hub: &Hub, address: &str) {
    assert_eq!(hub.get(address).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(hub.json("/api/v1/recordings").await["recordings"], json!([]));
    let storage = hub.json("/api/v1/storage").await;
    assert_eq!((&storage["recordings"], &storage["bytes"], &storage["rooms"]), (&json!(0), &json!(0), &json!([])));
    let left: Vec<_> = names(&hub.recordings()).into_iter().filter(|name| !is_own(name)).collect();
    assert_eq!(left, [""; 0]);
}

/// What stands beside the recordings.
fn is_own(name: &str) -> bool {
    name == ".lock" || name.starts_with("index.sqlite3")
}

#[tokio::test]
async fn downloads_that_are_under_way_are_complete_and_equal() {
    let shelf = Shelf::new().await;
    let id = shelf.record("talk", 1, 20).await;
    let hub = shelf.hub(&[]).await;
    let address = format!("/api/v1/recordings/{id}");
    let session = format!("{address}/session.webm");
    hub.until(&address, |recording| recording["files"]["session"]["bytes"].is_u64()).await;
    let (track, webm) = (format!("{address}/tracks/1.ogg"), format!("{address}/tracks/1.webm"));
    hub.until(&address, |recording| recording["tracks"][0]["sizes"]["webm"].is_u64()).await;
    let mut downloads = Vec::new();
    for path in [&track, &session, &webm] {
        let whole = hub.bytes(path).await;
        let middle = whole.len() / 3;
        let range = format!("bytes={middle}-");
        downloads.push((Slow::begin(&hub, path, None).await, whole.clone()));
        downloads.push((Slow::begin(&hub, path, Some(&range)).await, whole[middle..].to_vec()));
    }
    assert!(downloads.iter().all(|(_, whole)| whole.len() > 4 << 20), "more than can be on its way");
    assert_eq!(delete(&hub, &address).await, StatusCode::NO_CONTENT);
    nothing_is_left(&hub, &address).await;
    for (download, expected) in downloads {
        let bytes = download.end().await;
        assert!(bytes == expected, "{} bytes of {}", bytes.len(), expected.len());
    }
    // Who comes back for the rest is told the truth.
    let request = reqwest::Client::new().get(hub.url(&track)).header(RANGE, "bytes=5-");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

/// The first message of a replay that has sound.
async fn first_sound(client: &mut Client) -> Bytes {
    loop {
        if let Message::Binary(bytes) = client.next().await.unwrap() {
            return bytes;
        }
    }
}

/// What a replay says up to its end, and how long what comes sounds: the packets of `roomtone.v1`, the samples of plain messages.
async fn played_out(client: &mut Client, length: fn(&Bytes) -> usize) -> (usize, Vec<Value>) {
    let (mut sound, mut notices) = (0, Vec::new());
    loop {
        match client.next().await.unwrap() {
            Message::Binary(bytes) => sound += length(&bytes),
            Message::Text(text) => {
                let notice: Value = serde_json::from_str(&text).unwrap();
                let ended = notice["type"] == "replay" && notice["state"] == "ended";
                notices.push(notice);
                if ended {
                    return (sound, notices);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn replays_in_both_protocols_go_on_to_the_end_through_parts_that_nobody_had_opened() {
    let shelf = Shelf::new().await;
    // Three tracks, each of two parts, one of them of plain samples, whose sums stand in the index.
    let id = shelf.record_in_parts("talk", 6).await;
    let hub = shelf.hub(&[]).await;
    let address = format!("/api/v1/recordings/{id}");
    let replay = format!("/recordings/{id}/ws");
    // Once as it is, to know what comes.
    let (mut v1, _) = Client::v1(&hub, &replay).await;
    let mut plain = Client::plain(&hub, &replay).await;
    let packets = |message: &Bytes| match packets::read(message).unwrap() {
        packets::Message::Packets { packets, .. } => packets.len(),
        packets::Message::Container { .. } => panic!("packets were expected"),
    };
    let samples = |message: &Bytes| Ear::new(true).hear_left(message).len();
    let (expected, notices) = played_out(&mut v1, packets).await;
    let (expected_plain, _) = played_out(&mut plain, samples).await;
    assert!(notices.iter().all(|notice| notice["type"] != "warning"), "{notices:#?}");

    let (mut v1, _) = Client::v1(&hub, &replay).await;
    let mut plain = Client::plain(&hub, &replay).await;
    let first = packets(&first_sound(&mut v1).await);
    let first_plain = samples(&first_sound(&mut plain).await);
    assert_eq!(delete(&hub, &address).await, StatusCode::NO_CONTENT);
    nothing_is_left(&hub, &address).await;
    let (rest, notices) = played_out(&mut v1, packets).await;
    let (rest_plain, notices_plain) = played_out(&mut plain, samples).await;
    assert!(
        notices.iter().chain(&notices_plain).all(|notice| notice["type"] != "warning"),
        "{notices:#?} {notices_plain:#?}"
    );
    assert_eq!((first + rest, first_plain + rest_plain), (expected, expected_plain));
}

#[tokio::test]
async fn of_two_at_once_one_deletes_and_the_other_finds_nothing() {
    let shelf = Shelf::new().await;
    let id = shelf.record("talk", 1, 1).await;
    let hub = shelf.hub(&[]).await;
    let address = format!("/api/v1/recordings/{id}");
    let all = (0..8).map(|_| delete(&hub, &address));
    let mut statuses = futures_util::future::join_all(all).await;
    statuses.sort();
    assert_eq!(statuses[0], StatusCode::NO_CONTENT);
    assert!(statuses[1..].iter().all(|status| *status == StatusCode::NOT_FOUND), "{statuses:?}");
    nothing_is_left(&hub, &address).await;
}

#[tokio::test]
async fn a_recording_goes_in_the_moment_of_its_end_and_not_before() {
    let hub = Hub::start_with(&["--grace-seconds", "0"]);
    let capture = Capture::new("chromium-webm-opus-mic");
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    for message in capture.messages() {
        speaker.send(message).await;
    }
    let list = hub.until("/api/v1/recordings", |list| list["recordings"][0]["id"].is_string()).await;
    let address = format!("/api/v1/recordings/{}", list["recordings"][0]["id"].as_str().unwrap());
    let client = reqwest::Client::new();
    let refused = client.delete(hub.url(&address)).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "recording_live");
    let there = hub.json(&address).await;
    assert_eq!(there["tracks"].as_array().unwrap().len(), 1, "it was refused whole");
    speaker.close().await;
    // Asked again and again, so that it meets the end itself, and the files that are begun then.
    let asked = async {
        loop {
            match delete(&hub, &address).await {
                StatusCode::CONFLICT => {}
                status => return status,
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, asked).await.unwrap(), StatusCode::NO_CONTENT);
    nothing_is_left(&hub, &address).await;
}

#[tokio::test]
async fn a_recording_goes_at_any_place_of_the_making_of_its_files() {
    for begun in ["track-1.webm.next", "waveform-1.peaks.next", "mix.ogg.next", "session.webm.next", "waveform.peaks"] {
        let shelf = Shelf::new().await;
        let id = shelf.record("talk", 1, 10).await;
        let hub = shelf.hub(&[]).await;
        let derived = folder(&hub.recordings()).join("derived");
        let deadline = std::time::Instant::now() + PATIENCE;
        // Where it is already past this one, that is as good a moment.
        let all_made = || names(&derived).iter().any(|name| name == "waveform.peaks");
        while !names(&derived).iter().any(|name| name == begun) && !all_made() {
            assert!(std::time::Instant::now() < deadline, "{begun} is never begun");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let address = format!("/api/v1/recordings/{id}");
        assert_eq!(delete(&hub, &address).await, StatusCode::NO_CONTENT);
        nothing_is_left(&hub, &address).await;
    }
}

#[tokio::test]
async fn what_is_not_ours_stays_in_its_place() {
    let shelf = Shelf::new().await;
    let id = shelf.record("talk", 1, 1).await;
    let hub = shelf.hub(&[]).await;
    let folder = folder(&hub.recordings());
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    assert_eq!(delete(&hub, &format!("/api/v1/recordings/{id}")).await, StatusCode::NO_CONTENT);
    assert_eq!(names(&folder), ["notes.txt"]);
}

/// The folder of the one recording in the room `talk`.
fn folder(recordings: &Path) -> std::path::PathBuf {
    let talk = recordings.join("talk");
    let [one] = &names(&talk)[..] else { panic!("{:?}", names(&talk)) };
    talk.join(one)
}
