//! An index that is lost, and recordings that the index does not know: made anew from what they say of themselves.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::time::Ticks;
use roomtone::media::track::Format;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Shelf, assert_agrees, assert_finds, folder, id, repaired, run};
use crate::helpers::agreement::all_is_made;
use crate::helpers::judge::ogg_packets;
use crate::helpers::{Capture, Client, Hub};

/// All that REST says of all recordings, once everything is derived from them; and the hub is stopped.
async fn told(kept: &Arc<TempDir>) -> (Value, Vec<Value>) {
    let hub = Hub::start_in(Arc::clone(kept), &[]);
    let list = hub.json("/api/v1/recordings?limit=200").await;
    let mut all = Vec::new();
    for recording in list["recordings"].as_array().unwrap() {
        let address = format!("/api/v1/recordings/{}", recording["id"].as_str().unwrap());
        all.push(hub.until(&address, all_is_made).await);
    }
    hub.signal("TERM");
    hub.stop_is_awaited();
    (list, all)
}

/// Removes the index and what belongs to it.
fn lose(recordings: &Path) {
    for file in ["index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"] {
        let _ = fs::remove_file(recordings.join(file));
    }
}

/// A shelf with all that there is on one.
async fn full() -> (Arc<TempDir>, std::path::PathBuf) {
    let shelf = Shelf::new().await;
    shelf.rich(1, "talk").await;
    shelf.small(4, "talk").await;
    shelf.rich(5, "studio").await;
    shelf.close().await
}

#[tokio::test]
async fn a_lost_index_is_made_anew_and_rest_says_the_same_as_before() {
    let (kept, recordings) = full().await;
    // And one that a hub has made, and one that a kill has ended.
    let hub = Hub::start_in(Arc::clone(&kept), &[]);
    let mut speaker = Client::plain(&hub, "/rooms/live/ws?name=Zo%C3%AB").await;
    for message in Capture::new("firefox-webm-opus").messages() {
        speaker.send(message).await;
    }
    speaker.say("a word").await;
    speaker.close().await;
    hub.ended("live").await;
    let (mut eve, _) = Client::v1(&hub, "/rooms/killed/ws?name=Eve").await;
    eve.publish_container(1).await;
    for message in Capture::new("chromium-webm-opus-mic").messages() {
        eve.send_container(1, &message).await;
    }
    eve.notice_of("durable").await;
    hub.kill();

    let before = told(&kept).await;
    assert_agrees(&recordings);
    assert_eq!(before.1.len(), 5);
    lose(&recordings);
    let found = run(&recordings, &["check"]);
    assert_eq!(found.status, Some(1), "{found:?}");
    for words in ["index.sqlite3 is missing, and there are recordings", "5 differences", "talk/", "is not in the index"]
    {
        assert!(found.out.contains(words) || words == "5 differences", "{words} in {}", found.out);
    }
    let ran = repaired(&recordings);
    assert_eq!(ran.out.matches("was put into the index from what it says of itself").count(), 5, "{}", ran.out);
    assert_agrees(&recordings);
    let after = told(&kept).await;
    assert_eq!(after.0, before.0);
    assert_eq!(after.1, before.1);
    assert_agrees(&recordings);
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_set_aside_and_made_anew() {
    let (kept, recordings) = full().await;
    let before = told(&kept).await;
    let index = recordings.join("index.sqlite3");
    let whole = fs::read(&index).unwrap();
    let mut torn = whole.clone();
    let middle = torn.len() / 2;
    torn[4096..middle].fill(0xAA);
    for (broken, aside) in [(b"no index at all, but a text that is long enough".repeat(100), 1), (torn, 2)] {
        lose(&recordings);
        fs::write(&index, &broken).unwrap();
        let found = run(&recordings, &["check"]);
        assert_eq!(found.status, Some(1), "{found:?}");
        assert!(found.out.contains("index.sqlite3 "), "{}", found.out);
        let ran = repaired(&recordings);
        assert!(ran.out.contains("could not be used") && ran.out.contains("is now called"), "{}", ran.out);
        let kept_aside = fs::read_dir(&recordings).unwrap().map(|entry| entry.unwrap().path());
        let kept_aside: Vec<_> = kept_aside
            .filter(|path| {
                path.to_str().unwrap().rsplit_once("sqlite3.damaged-").is_some_and(|(_, at)| at.ends_with('Z'))
            })
            .collect();
        assert_eq!(kept_aside.len(), aside, "{kept_aside:?}");
        assert!(kept_aside.iter().any(|path| fs::read(path).unwrap() == broken), "nothing of it is lost");
        assert_agrees(&recordings);
        assert_eq!(told(&kept).await, before);
    }
}

#[tokio::test]
async fn a_hub_without_its_index_says_which_command_brings_it_back() {
    let (kept, recordings) = full().await;
    lose(&recordings);
    let mut serve = Command::new(env!("CARGO_BIN_EXE_roomtone"));
    serve.args(["--listen", "127.0.0.1:0", "--recordings"]).arg(&recordings);
    let mut child = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = log.into_iter().find(|line| line.contains("check --repair")).expect("it says so");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.contains("WARN") && line.contains(recordings.to_str().unwrap()), "{line}");
    let hub = Hub::start_in(Arc::clone(&kept), &[]);
    // What is recorded meanwhile is not lost either.
    let mut speaker = Client::plain(&hub, "/rooms/new/ws?name=Ann").await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        speaker.send(message).await;
    }
    speaker.close().await;
    hub.ended("new").await;
    hub.signal("TERM");
    hub.stop_is_awaited();
    repaired(&recordings);
    assert_agrees(&recordings);
    assert_eq!(told(&kept).await.1.len(), 4);
}

#[tokio::test]
async fn a_recording_that_was_open_when_hub_and_index_were_lost_keeps_all_that_was_durable() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-mic");
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    ann.publish_container(1).await;
    for message in capture.messages() {
        ann.send_container(1, &message).await;
    }
    let durable = ann.notice_of("durable").await["next"].as_u64().unwrap();
    let recordings = hub.recordings();
    let kept = hub.kill();
    lose(&recordings);
    repaired(&recordings);
    assert_agrees(&recordings);
    let hub = Hub::start_in(kept, &[]);
    let recording = hub.ended("talk").await;
    assert_eq!((&recording["end_reason"], &recording["people"]), (&json!("crashed"), &json!(["Ann"])));
    let file = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
    assert!(ogg_packets(&file).len() as u64 >= durable);
}

#[tokio::test]
async fn what_waited_beside_a_part_when_hub_and_index_were_lost_is_kept_at_its_place() {
    let shelf = Shelf::new().await;
    let open = shelf.begin(1, "talk");
    open.part(super::ONE, 1, "Ann", Format::Opus(super::HEAD), [0, 0], 0);
    open.sound(super::ONE, 0, 100);
    open.durable(100);
    let capture = Capture::new("firefox-webm-opus").packets();
    let packet = |number: u64| Packet {
        sequence: Sequence::new(number),
        time: Ticks::new(number * 960),
        duration: Ticks::new(960),
        data: capture[usize::try_from(number).unwrap()].data.clone(),
        heard: None,
    };
    open.writer.spool(super::ONE, Ticks::from_millis(1500), (100..150).map(packet).collect());
    open.durable(150);
    // What a kill would leave now.
    let kept = Arc::new(TempDir::new().unwrap());
    let (from, recordings) = (shelf.folder.path().join("recordings"), kept.path().join("recordings"));
    for (path, bytes) in super::all_of(&from) {
        let to = recordings.join(path.strip_prefix(&from).unwrap());
        if path.is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
    }
    drop(open);
    shelf.close().await;
    let spool = folder(&recordings, 1, "talk").join("01-ann.late");
    assert!(spool.exists());
    lose(&recordings);
    let ran = repaired(&recordings);
    assert!(ran.out.contains("became a part of its recording"), "{}", ran.out);
    assert_agrees(&recordings);
    assert!(!spool.exists());
    let (_, told) = told(&kept).await;
    let track = &told[0]["tracks"][0];
    assert_eq!(track["parts"].as_array().unwrap().len(), 2, "{track:#}");
    assert_eq!((&track["parts"][1]["start"], &track["parts"][1]["duration"]), (&json!(3.5), &json!(1.0)), "{track:#}");
    assert_eq!((&track["gaps"][0]["at"], &track["gaps"][0]["duration"]), (&json!(2.0), &json!(1.5)), "{track:#}");
    assert_eq!(told[0]["duration"], json!(4.5));
    let hub = Hub::start_in(kept, &[]);
    for (part, count) in track["parts"].as_array().unwrap().iter().zip([100, 50]) {
        assert_eq!(ogg_packets(&hub.bytes(part["href"].as_str().unwrap()).await).len(), count);
    }
}

#[tokio::test]
async fn a_recording_without_session_file_is_what_its_parts_tell() {
    let (kept, recordings) = full().await;
    let (_, before) = told(&kept).await;
    lose(&recordings);
    let rich = folder(&recordings, 1, "talk");
    fs::remove_file(rich.join("session.json")).unwrap();
    fs::write(folder(&recordings, 4, "talk").join("session.json"), "{ \"version\": 1, \"id\"").unwrap();
    let ran = repaired(&recordings);
    assert_eq!(ran.out.matches("from what its parts tell").count(), 2, "{}", ran.out);
    assert!(ran.out.contains("session.json could not be used"), "{}", ran.out);
    assert_agrees(&recordings);
    let (_, after) = told(&kept).await;
    let of = |all: &[Value], minute: i64| {
        let id = id(minute).to_string();
        all.iter().find(|recording| recording["id"] == id).unwrap().clone()
    };
    let (was, is) = (of(&before, 1), of(&after, 1));
    for same in ["room", "started", "bytes"] {
        assert_eq!(is[same], was[same], "{same}");
    }
    assert_eq!((&is["keep"], &is["title"], &is["end_reason"]), (&json!(true), &Value::Null, &json!("crashed")));
    // Ogg has tags; of samples there is what is left of the name, and they begin at the start.
    assert_eq!(is["people"], json!(["Änn O'Neil", "ben"]));
    for same in ["start", "duration", "bytes", "participant", "channels", "pre_skip", "source", "parts"] {
        assert_eq!(is["tracks"][0][same], was["tracks"][0][same], "{same}");
    }
    for same in ["duration", "bytes", "sample", "rate", "channels"] {
        assert_eq!(is["tracks"][1][same], was["tracks"][1][same], "{same}");
    }
    assert_eq!(of(&after, 5), of(&before, 5));
}

#[tokio::test]
async fn a_recording_that_someone_put_there_is_put_into_the_index_and_a_copy_is_not() {
    let (_kept, recordings) = full().await;
    let other = Shelf::new().await;
    other.small(9, "guest").await;
    let (_other, from) = other.close().await;
    fs::create_dir(recordings.join("guest")).unwrap();
    let (there, here) = (folder(&from, 9, "guest"), folder(&recordings, 9, "guest"));
    fs::rename(there, &here).unwrap();
    let copy =
        recordings.join("guest").join(here.file_name().unwrap().to_str().unwrap().replace("20261122", "20251122"));
    fs::create_dir(&copy).unwrap();
    fs::copy(here.join("01-ann.ogg"), copy.join("01-ann.ogg")).unwrap();
    fs::copy(here.join("session.json"), copy.join("session.json")).unwrap();
    assert_finds(&recordings, &[["guest/2026", "is not in the index"], ["guest/2025", "is not in the index"]]);
    let ran = run(&recordings, &["check", "--repair"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_finds(&recordings, &[["guest/2025", "another folder of the recording"]]);
    assert!(run(&recordings, &["list"]).out.contains(&id(9).to_string()));
}

#[tokio::test]
async fn a_session_file_that_names_what_is_elsewhere_is_not_believed() {
    let (_kept, recordings) = full().await;
    lose(&recordings);
    let path = folder(&recordings, 4, "talk").join("session.json");
    let said = fs::read_to_string(&path).unwrap();
    let elsewhere = recordings.parent().unwrap().join("01-ann.ogg");
    fs::write(&elsewhere, "precious").unwrap();
    for hostile in ["../../../01-ann.ogg", elsewhere.to_str().unwrap(), "session.json", "02-ann.ogg"] {
        fs::write(&path, said.replace("01-ann.ogg", hostile)).unwrap();
        let ran = repaired(&recordings);
        assert!(ran.out.contains("from what its parts tell") && !ran.out.contains("precious"), "{}", ran.out);
        assert_agrees(&recordings);
        assert_eq!(fs::read(&elsewhere).unwrap(), b"precious");
        lose(&recordings);
    }
}

#[tokio::test]
async fn damage_to_samples_from_before_an_index_was_lost_is_still_seen() {
    let shelf = Shelf::new().await;
    shelf.rich(1, "talk").await;
    let (_kept, recordings) = shelf.close().await;
    let part = folder(&recordings, 1, "talk").join("02-ben.wav");
    let whole = fs::read(&part).unwrap();
    for damaged in [[&whole[..300_000], &[whole[300_000] ^ 1], &whole[300_001..]].concat(), whole[..300_000].to_vec()] {
        fs::write(&part, damaged).unwrap();
        lose(&recordings);
        let ran = run(&recordings, &["check", "--repair"]);
        assert_eq!(ran.status, Some(1), "sound that is gone cannot be mended: {ran:?}");
        // The extents of 24 bits and two channels are 43690 frames long.
        let ran = run(&recordings, &["check"]);
        let named = ran.out.lines().any(|line| line.contains("02-ben.wav bytes ") && !line.contains("bytes 0 "));
        assert!(ran.status == Some(1) && named, "{}", ran.out);
    }
}

#[tokio::test]
async fn a_recording_that_was_deleted_does_not_come_back_by_samples_that_stayed_in_its_folder() {
    let shelf = Shelf::new().await;
    shelf.rich(1, "talk").await;
    shelf.small(2, "talk").await;
    let (_kept, recordings) = shelf.close().await;
    let deleted = folder(&recordings, 1, "talk");
    // As a power loss leaves it: no index names it, and it does not say whose it is.
    let left = deleted.join("03-eve.wav");
    fs::copy(deleted.join("02-ben.wav"), &left).unwrap();
    let (one, two) = (id(1).to_string(), id(2).to_string());
    assert_eq!(run(&recordings, &["delete", &one]).status, Some(0));
    assert!(left.exists() && !deleted.join("02-ben.wav").exists() && !deleted.join("session.json").exists());
    for loses in [false, true] {
        if loses {
            lose(&recordings);
        }
        let ran = run(&recordings, &["check", "--repair"]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert_finds(&recordings, &[[&one, "is a folder that is not ours"]]);
        let listed = run(&recordings, &["list"]).out;
        assert!(!listed.contains(&one) && listed.contains(&two), "{listed}");
    }
    assert!(left.exists(), "it may be someone's");
    fs::remove_file(deleted.join("deleted.txt")).unwrap();
    repaired(&recordings);
    assert!(run(&recordings, &["list"]).out.contains(&one), "whoever wants it has it");
}
