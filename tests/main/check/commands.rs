//! The commands themselves: what they print, what they exit with, and who is refused.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::{Shelf, assert_agrees, folder, id, repaired, run};
use crate::helpers::{Capture, Client, Hub};

#[tokio::test]
async fn a_list_is_a_table_newest_first_or_json_and_of_a_room_where_that_is_asked() {
    let shelf = Shelf::new().await;
    shelf.small(1, "talk").await;
    shelf.rich(2, "studio").await;
    shelf.small(3, "talk").await;
    let (kept, recordings) = shelf.close().await;
    let listed = |words: &[&str]| {
        let ran = run(&recordings, words);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran.out
    };
    let table = listed(&["list"]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    for word in ["ID", "STARTED", "ROOM", "LENGTH", "SIZE", "STATE", "TITLE"] {
        assert!(lines[0].contains(word), "{table}");
    }
    for (line, minute) in lines[1..].iter().zip([3, 2, 1]) {
        assert!(line.starts_with(&id(minute).to_string()), "{table}");
    }
    for word in ["2026-11-22 09:30:00", "studio", "0:01:08", "MiB", "stopped", "A \"rich\" one"] {
        assert!(lines[2].contains(word), "{word} in {table}");
    }
    assert_eq!(listed(&["list", "--room", "studio"]).lines().count(), 2);
    assert_eq!(listed(&["list", "--room", "nobody"]).trim(), "There are no recordings.");
    let json = listed(&["list", "--json"]);
    let told: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let hub = Hub::start_in(kept, &[]);
    let list = hub.json("/api/v1/recordings").await;
    assert_eq!(list["recordings"].as_array().unwrap(), &told, "as REST has it");
    // Beside a hub, too.
    assert_eq!(listed(&["list"]), table);
}

#[tokio::test]
async fn a_recording_is_deleted_without_a_hub_and_beside_one_it_is_said_how() {
    let shelf = Shelf::new().await;
    shelf.small(1, "talk").await;
    shelf.small(2, "talk").await;
    let (kept, recordings) = shelf.close().await;
    let one = id(1).to_string();
    let hub = Hub::start_in(kept, &[]);
    let refused = run(&recordings, &["delete", &one]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert_eq!(refused.errors.trim().lines().count(), 1, "one sentence: {}", refused.errors);
    for word in ["held by process", "curl -X DELETE", &format!("/api/v1/recordings/{one}")] {
        assert!(refused.errors.contains(word), "{word} in {}", refused.errors);
    }
    assert!(folder(&recordings, 1, "talk").exists());
    hub.signal("TERM");
    let _kept = hub.stop_is_awaited();

    let deleted = run(&recordings, &["delete", &one]);
    assert_eq!((deleted.status, deleted.out.trim()), (Some(0), format!("{one} is deleted.").as_str()), "{deleted:?}");
    assert!(!folder(&recordings, 1, "talk").exists() && folder(&recordings, 2, "talk").exists());
    assert_agrees(&recordings);
    let again = run(&recordings, &["delete", &one]);
    assert_eq!(again.status, Some(1), "{again:?}");
    assert!(again.errors.contains("no recording"), "{}", again.errors);
}

#[test]
fn what_is_asked_wrongly_or_of_no_recordings_exits_with_2_and_says_why_and_makes_nothing() {
    let dir = TempDir::new().unwrap();
    let none = dir.path().join("none");
    let one = id(1).to_string();
    for words in [&["check"][..], &["check", "--repair"], &["list"], &["delete", &one]] {
        let ran = run(&none, words);
        assert_eq!(ran.status, Some(2), "{words:?}: {ran:?}");
        assert!(ran.errors.contains("there are no recordings"), "{}", ran.errors);
        assert!(!none.exists());
    }
    for words in [&["list"][..], &["delete", &one]] {
        let ran = run(dir.path(), words);
        assert_eq!(ran.status, Some(2), "{words:?}: {ran:?}");
        assert!(ran.errors.contains("check --repair"), "{}", ran.errors);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(run(dir.path(), &["check"]).status, Some(0), "nothing agrees with nothing");
    for words in [&["check", "--mend"][..], &["delete"], &["delete", "../.."], &["list", "--room", "../x"]] {
        assert_eq!(run(dir.path(), words).status, Some(2), "{words:?}");
    }
    for words in [&["check", "--help"][..], &["list", "--help"], &["delete", "--help"]] {
        let ran = run(dir.path(), words);
        assert!(ran.status == Some(0) && ran.out.contains("Exit status"), "{ran:?}");
    }
}

#[tokio::test]
async fn one_process_writes_and_a_lock_that_a_kill_left_is_free() {
    let hub = Hub::start();
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        speaker.send(message).await;
    }
    hub.until("/api/v1/recordings", |list| list["recordings"][0]["bytes"].as_u64() > Some(0)).await;
    let recordings = hub.recordings();
    let refused = run(&recordings, &["check", "--repair"]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.errors.contains("held by process") && refused.errors.lines().count() == 1, "{}", refused.errors);
    assert!(!Hub::refuses(&recordings, &[]).status.success());
    let lock = fs::read_to_string(recordings.join(".lock")).unwrap();
    let kept = hub.kill();
    assert_eq!(fs::read_to_string(recordings.join(".lock")).unwrap(), lock, "the file is still there");
    repaired(&recordings);
    let hub = Hub::start_in(kept, &[]);
    let kept = hub.kill();
    let hub = Hub::start_in(kept, &[]);
    assert_eq!(hub.ended("talk").await["end_reason"], "crashed");
}
