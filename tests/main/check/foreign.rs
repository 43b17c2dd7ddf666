//! What is not ours: named, and neither followed nor overwritten nor removed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Shelf, all_of, assert_agrees, assert_finds, folder, id, run};
use crate::helpers::{Capture, Client, Hub};

/// Files somewhere else, which nobody may touch.
fn elsewhere() -> TempDir {
    let elsewhere = TempDir::new().unwrap();
    for file in ["01-ann.ogg", "session.json", "session.webm", "session.json.next", "precious"] {
        fs::write(elsewhere.path().join(file), "precious").unwrap();
    }
    elsewhere
}

/// Moves what is there away, and puts a link to something in its place.
fn replace(there: &Path, elsewhere: &Path) {
    if there.is_dir() {
        fs::remove_dir_all(there).unwrap();
    } else if there.exists() {
        fs::remove_file(there).unwrap();
    }
    symlink(elsewhere, there).unwrap();
}

/// All commands and a hub, one after another.
async fn everything(kept: &Arc<TempDir>, recordings: &Path, ids: &[i64]) {
    run(recordings, &["check", "--repair"]);
    run(recordings, &["list"]);
    let hub = Hub::start_in(Arc::clone(kept), &[]);
    for room in ["talk", "away"] {
        let mut speaker = Client::plain(&hub, &format!("/rooms/{room}/ws?name=Ann")).await;
        for message in Capture::new("chromium-webm-opus-100ms").messages() {
            speaker.send(message).await;
        }
        speaker.close().await;
    }
    let ended = |list: &Value| {
        let recordings = list["recordings"].as_array().unwrap();
        !recordings.is_empty() && recordings.iter().all(|one| one["state"] == "ended")
    };
    hub.until("/api/v1/recordings?room=talk", ended).await;
    for minute in ids {
        let address = format!("/api/v1/recordings/{}", id(*minute));
        for below in ["", "/tracks/1.ogg", "/tracks/1.webm", "/session.webm"] {
            let bytes = hub.get(&format!("{address}{below}")).await.bytes().await.unwrap();
            assert!(!bytes.starts_with(b"precious"), "{below} shows what is elsewhere");
        }
        let titled = reqwest::Client::new().patch(hub.url(&address)).header("content-type", "application/json");
        let _ = titled.body(json!({ "title": "another" }).to_string()).send().await.unwrap();
    }
    if let Some(minute) = ids.first() {
        reqwest::Client::new().delete(hub.url(&format!("/api/v1/recordings/{}", id(*minute)))).send().await.unwrap();
    }
    hub.signal("TERM");
    hub.stop_is_awaited();
    for minute in ids {
        run(recordings, &["delete", &id(*minute).to_string()]);
    }
    run(recordings, &["check"]);
}

#[tokio::test]
async fn a_link_in_the_place_of_anything_of_ours_is_named_and_left_and_nothing_behind_it_is_touched() {
    let shelf = Shelf::new().await;
    let rooms = ["parts", "files", "derived", "folders", "rooms"];
    for (minute, room) in (1..).zip(rooms) {
        shelf.small(minute, room).await;
    }
    let (kept, recordings) = shelf.close().await;
    // What is derived is there, too.
    let hub = Hub::start_in(Arc::clone(&kept), &[]);
    for minute in 1..=5 {
        let address = format!("/api/v1/recordings/{}", id(minute));
        hub.until(&address, |recording| recording["tracks"][0]["sizes"]["webm"].is_u64()).await;
    }
    hub.signal("TERM");
    hub.stop_is_awaited();

    let elsewhere = elsewhere();
    let outside = elsewhere.path();
    fs::rename(recordings.join("rooms"), outside.join("rooms")).unwrap();
    let links: Vec<PathBuf> = [
        (folder(&recordings, 1, "parts").join("01-ann.ogg"), outside.join("01-ann.ogg")),
        (folder(&recordings, 2, "files").join("session.json"), outside.join("session.json")),
        (folder(&recordings, 2, "files").join("session.json.next"), outside.join("session.json.next")),
        (folder(&recordings, 2, "files").join("derived/session.webm"), outside.join("session.webm")),
        (folder(&recordings, 3, "derived").join("derived"), outside.to_owned()),
        (folder(&recordings, 4, "folders"), outside.to_owned()),
        (recordings.join("rooms"), outside.join("rooms")),
        (recordings.join("away"), outside.to_owned()),
        (recordings.join("loop"), recordings.clone()),
        (recordings.join("nowhere"), outside.join("nowhere")),
    ]
    .map(|(there, elsewhere)| {
        replace(&there, &elsewhere);
        there
    })
    .into();
    let before = all_of(outside);
    let told = |link: &PathBuf| link.strip_prefix(&recordings).unwrap().display().to_string();
    let told: Vec<_> = links.iter().map(told).collect();
    let wanted: Vec<_> = told.iter().map(|link| [link.as_str(), "is a symbolic link that is not ours"]).collect();
    let ran = run(&recordings, &["check"]);
    for words in &wanted {
        assert!(ran.out.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?} in {}", ran.out);
    }
    everything(&kept, &recordings, &[1, 2, 3, 4, 5]).await;
    for link in &links {
        assert!(fs::symlink_metadata(link).is_ok_and(|link| link.is_symlink()), "{} is left", link.display());
    }
    let after = all_of(outside);
    for (path, bytes) in &before {
        assert!(after.get(path) == Some(bytes), "{} is as it was", path.display());
    }
    assert_eq!(after.len(), before.len(), "nothing is made elsewhere");
}

#[tokio::test]
async fn foreign_files_and_folders_are_named_and_left() {
    let shelf = Shelf::new().await;
    shelf.small(1, "talk").await;
    shelf.small(2, "talk").await;
    let (kept, recordings) = shelf.close().await;
    let recording = folder(&recordings, 1, "talk");
    fs::create_dir_all(recording.join("derived")).unwrap();
    let foreign = [
        recordings.join("notes.txt"),
        recordings.join("a b"),
        recordings.join("\u{1b}[31mred"),
        recordings.join("talk/readme"),
        recording.join("my notes.md"),
        recording.join("03-eve.mp3"),
        recording.join("derived/cover.png"),
        recording.join("derived/session.webm.mine"),
    ];
    for file in &foreign {
        fs::write(file, "precious").unwrap();
    }
    let folders = [recordings.join("lost+found"), recordings.join("talk/old"), recording.join("01-ann.late")];
    for folder in &folders {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("inside"), "precious").unwrap();
    }
    let mut wanted: Vec<[&str; 2]> = foreign[..2]
        .iter()
        .chain(&foreign[3..])
        .map(|file| [file.file_name().unwrap().to_str().unwrap(), "is a file that is not ours"])
        .collect();
    wanted.push(["red is a file", "\\u{1b}"]);
    wanted.extend(
        folders.iter().map(|folder| [folder.file_name().unwrap().to_str().unwrap(), "is a folder that is not ours"]),
    );
    assert_finds(&recordings, &wanted);
    everything(&kept, &recordings, &[1]).await;
    for file in &foreign {
        assert!(fs::read(file).is_ok_and(|bytes| bytes == b"precious"), "{} is left", file.display());
    }
    for folder in &folders {
        assert!(fs::read(folder.join("inside")).is_ok_and(|bytes| bytes == b"precious"));
    }
    assert!(
        !recording.join("01-ann.ogg").exists() && !recording.join("session.json").exists(),
        "what was ours is gone"
    );
}

#[tokio::test]
async fn what_stands_in_the_place_of_lock_or_index_is_refused_and_left() {
    for name in [".lock", "index.sqlite3"] {
        let shelf = Shelf::new().await;
        shelf.small(1, "talk").await;
        let (kept, recordings) = shelf.close().await;
        let elsewhere = elsewhere();
        replace(&recordings.join(name), &elsewhere.path().join("precious"));
        let one = id(1).to_string();
        for words in [&["check", "--repair"][..], &["delete", &one]] {
            let ran = run(&recordings, words);
            assert_eq!(ran.status, Some(2), "{name}: {ran:?}");
            assert!(ran.errors.contains("not ours"), "{}", ran.errors);
        }
        let ran = run(&recordings, &["check"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.out.contains(&format!("{name} is a symbolic link that is not ours")), "{}", ran.out);
        let refused = Hub::refuses(&recordings, &[]);
        assert!(!refused.status.success() && refused.errors.contains("not ours"), "{}", refused.errors);
        assert_eq!(fs::read(elsewhere.path().join("precious")).unwrap(), b"precious");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 5);
        drop(kept);
    }
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(".lock"), "my own notes").unwrap();
    let refused = Hub::refuses(dir.path(), &[]);
    assert!(!refused.status.success() && refused.errors.contains("not ours"), "{}", refused.errors);
    assert_eq!(fs::read(dir.path().join(".lock")).unwrap(), b"my own notes");
}

#[tokio::test]
async fn no_name_that_anyone_gives_becomes_a_path() {
    let hub = Hub::start();
    let around = hub.recordings().parent().unwrap().to_owned();
    for room in ["..%2f..%2fup", "%2e%2e", "a%2fb", ".hidden", "talk%00", "%5c..%5c", "-", "con.", "r%C3%A9"] {
        let joined = Client::open(&hub, &format!("/rooms/{room}/ws?name=Ann"), None).await;
        assert!(joined.is_err(), "{room} is no room");
    }
    let names = [
        "..%2F..%2F..%2Fup",
        "%2Fetc%2Fpasswd",
        "..",
        "%5C%5Cserver%5Cshare",
        "CON",
        "a%3Ab%7Cc%3F%2A",
        "%E2%80%AEgpj.exe",
        "~root",
    ];
    let mut speakers = Vec::new();
    for name in names {
        let mut speaker = Client::plain(&hub, &format!("/rooms/talk/ws?name={name}")).await;
        for message in Capture::new("chromium-webm-opus-100ms").messages() {
            speaker.send(message).await;
        }
        speakers.push(speaker);
    }
    hub.until("/api/v1/recordings", |list| list["recordings"][0]["tracks"] == names.len()).await;
    for speaker in speakers {
        speaker.close().await;
    }
    let recording = hub.ended("talk").await;
    assert!(recording["people"].as_array().unwrap().contains(&json!("../../../up")), "{recording:#}");
    let path = format!("/api/v1/recordings/{}", recording["id"].as_str().unwrap());
    let titled = reqwest::Client::new().patch(hub.url(&path)).header("content-type", "application/json");
    titled.body(json!({ "title": "../../../title\u{202e}" }).to_string()).send().await.unwrap();
    for hostile in ["..", "%2e%2e%2f", "..%2f..%2findex.sqlite3", ".lock", "talk", "%00"] {
        for below in ["", "/tracks/1.ogg", "/session.webm"] {
            let status = hub.get(&format!("/api/v1/recordings/{hostile}{below}")).await.status();
            assert!(status.is_client_error(), "{hostile}{below}: {status}");
        }
        let deleted = reqwest::Client::new().delete(hub.url(&format!("/api/v1/recordings/{hostile}"))).send().await;
        assert_ne!(deleted.unwrap().status(), StatusCode::NO_CONTENT);
        assert_eq!(run(&hub.recordings(), &["delete", hostile]).status, Some(2));
    }
    hub.signal("TERM");
    let (_, _kept) = hub.stop_is_awaited();
    let recordings = around.join("recordings");
    assert_eq!(fs::read_dir(&around).unwrap().count(), 1, "nothing but the recordings");
    for path in all_of(&recordings).keys() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        assert!(name.bytes().all(harmless) && !name.contains(".."), "{name}");
    }
    assert_agrees(&recordings);
}

#[tokio::test]
async fn what_someone_made_of_a_part_and_put_beside_it_is_named_and_left_and_the_part_is_as_it_was() {
    let shelf = Shelf::new().await;
    shelf.rich(1, "talk").await;
    let (_kept, recordings) = shelf.close().await;
    let recording = folder(&recordings, 1, "talk");
    let (ogg, wav) =
        (fs::read(recording.join("01-nn-o-neil.ogg")).unwrap(), fs::read(recording.join("02-ben.wav")).unwrap());
    let picture = [b"RIFF".as_slice(), &[0; 4], b"WEBP", &[7; 40_000]].concat();
    let made = [
        ("02-ben-edited.wav", &wav[..wav.len() / 2]),
        ("02-ben.ogg", &ogg),
        ("01-nn-o-neil-cut.ogg", &ogg[..ogg.len() / 2]),
        ("01-nn-o-neil.3.ogg", &ogg[..ogg.len() / 2]),
        ("03-eve.wav", &picture),
    ];
    for (name, bytes) in made {
        fs::write(recording.join(name), bytes).unwrap();
    }
    let before = all_of(&recording);
    let ran = run(&recordings, &["check", "--repair"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(all_of(&recording) == before, "{ran:?}");
    assert_finds(&recordings, &made.map(|(name, _)| [name, "not in the index"]));
}
