//! Starting and stopping.

use std::sync::Arc;

use tempfile::TempDir;

use crate::helpers::hub::Ended;
use crate::helpers::{Capture, Client, Hub};

fn assert_one_sentence(ended: &Ended, words: &[&str]) {
    assert!(!ended.status.success());
    assert_eq!(ended.errors.trim().lines().count(), 1, "one sentence: {}", ended.errors);
    for word in words {
        assert!(ended.errors.contains(word), "{word} in {}", ended.errors);
    }
    assert!(!ended.errors.contains("panicked"));
}

#[test]
fn a_taken_port_is_one_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let ended = Hub::refuses(&folder.path().join("recordings"), &["--listen", &address]);
    assert_one_sentence(&ended, &[&address, "another program"]);
    assert!(!folder.path().join("recordings").exists(), "nothing is left behind");
}

#[test]
fn a_folder_that_another_process_holds_is_one_sentence_that_names_it() {
    let hub = Hub::start();
    assert_one_sentence(&Hub::refuses(&hub.recordings(), &[]), &["held", "process"]);
}

#[test]
fn a_folder_that_cannot_be_is_one_sentence() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    assert_one_sentence(&Hub::refuses(&file.join("recordings"), &[]), &["file"]);
    assert_one_sentence(&Hub::refuses(&file, &[]), &["file"]);
}

#[test]
fn an_option_that_cannot_be_is_refused() {
    let folder = TempDir::new().unwrap();
    assert_one_sentence(&Hub::refuses(folder.path(), &["--workers", "0"]), &["worker"]);
    assert_one_sentence(&Hub::refuses(folder.path(), &["--listen", "8080"]), &["host and a port"]);
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "lisen = 'nowhere'").unwrap();
    let ended = Hub::refuses(folder.path(), &["--config", config.to_str().unwrap()]);
    assert!(!ended.status.success() && ended.errors.contains("lisen"), "{}", ended.errors);
}

#[tokio::test]
async fn a_stop_finishes_the_recording_and_says_goodbye() {
    for signal in ["TERM", "INT"] {
        let hub = Hub::start();
        let capture = Capture::new("chromium-webm-opus-100ms");
        let mut listener = Client::plain(&hub, "/rooms/talk/ws").await;
        let (mut v1, _) = Client::v1(&hub, "/rooms/talk/ws").await;
        let mut speaker = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
        for message in capture.messages() {
            speaker.send(message).await;
        }
        listener.binary().await;
        hub.signal(signal);
        assert_eq!(listener.closed().await.map(|(code, _)| code), Some(1001));
        assert_eq!(v1.closed().await.map(|(code, _)| code), Some(1001));
        assert_eq!(speaker.closed().await.map(|(code, _)| code), Some(1001));
        let (status, folder) = hub.stop_is_awaited();
        assert_eq!(status.code(), Some(0));

        let hub = Hub::start_in(folder, &[]);
        let recording = hub.ended("talk").await;
        assert_eq!(recording["end_reason"], "stopped");
        assert_eq!(recording["tracks"][0]["name"], "Ann");
    }
}

#[tokio::test]
async fn what_a_kill_left_open_is_ended_by_the_next_start_and_nothing_acknowledged_is_missing() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-mic");
    let (mut speaker, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    speaker.publish_container(1).await;
    for message in capture.messages() {
        speaker.send_container(1, &message).await;
    }
    let durable = speaker.notice_of("durable").await["next"].as_u64().unwrap();
    assert!(durable > 0);
    let folder = hub.kill();
    let hub = Hub::start_in(Arc::clone(&folder), &[]);
    let recording = hub.ended("talk").await;
    assert_eq!(recording["end_reason"], "crashed");
    let path = recording["tracks"][0]["files"]["ogg"].as_str().unwrap().to_owned();
    let file = hub.bytes(&path).await;
    let kept = crate::helpers::judge::ogg_packets(&file);
    assert!(kept.len() as u64 >= durable, "{} packets of {durable}", kept.len());
    let sent: Vec<Vec<u8>> = capture.packets().iter().map(|packet| packet.data.to_vec()).collect();
    assert_eq!(kept, sent[..kept.len()]);
    crate::helpers::judge::decode_bytes(&file);
}
