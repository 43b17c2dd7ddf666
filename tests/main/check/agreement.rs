//! Index and disk: what a check finds, and what a repair mends.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{Shelf, all_of, assert_agrees, assert_finds, folder, repaired, run};
use crate::helpers::agreement::all_is_made;
use crate::helpers::hub::PATIENCE;
use crate::helpers::{Capture, Client, Hub};

/// Turns a bit over.
fn flip(file: &Path, at: u64) {
    let opened = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    opened.read_exact_at(&mut byte, at).unwrap();
    opened.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

fn append(file: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(file).unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_check_of_what_is_whole_agrees_and_changes_nothing() {
    let shelf = Shelf::new().await;
    shelf.rich(1, "talk").await;
    shelf.small(2, "other").await;
    let (_kept, recordings) = shelf.close().await;
    let before = all_of(&recordings);
    assert_agrees(&recordings);
    assert!(all_of(&recordings) == before, "a check writes nothing");
    let ran = run(&recordings, &["check"]);
    assert!(ran.out.contains("2 recordings") && ran.errors.contains("2 recordings"), "{ran:?}");
    let ran = repaired(&recordings);
    assert!(ran.out.contains("nothing was to be mended"), "{}", ran.out);
}

#[tokio::test]
async fn every_difference_is_named_with_its_file_and_its_place() {
    let shelf = Shelf::new().await;
    shelf.rich(1, "talk").await;
    for minute in 2..9 {
        shelf.small(minute, "other").await;
    }
    let (_kept, recordings) = shelf.close().await;
    let rich = folder(&recordings, 1, "talk");
    let small = |minute| folder(&recordings, minute, "other");
    flip(&rich.join("01-nn-o-neil.ogg"), 900);
    flip(&rich.join("02-ben.wav"), 300_000);
    fs::remove_file(rich.join("01-nn-o-neil.2.ogg")).unwrap();
    fs::remove_file(rich.join("session.json")).unwrap();
    fs::remove_dir_all(small(2)).unwrap();
    let part = small(3).join("01-ann.ogg");
    let bytes = fs::metadata(&part).unwrap().len();
    OpenOptions::new().write(true).open(&part).unwrap().set_len(bytes - 100).unwrap();
    append(&small(4).join("01-ann.ogg"), b"more");
    fs::write(small(5).join("session.json"), "{").unwrap();
    let said = fs::read_to_string(small(6).join("session.json")).unwrap();
    fs::write(small(6).join("session.json"), said.replace("Ann", "Eve")).unwrap();
    fs::write(small(7).join("session.json.next"), "half").unwrap();
    fs::write(small(8).join("01-ann.late"), "is it sound?").unwrap();
    fs::create_dir(recordings.join("lone")).unwrap();
    fs::create_dir(folder(&recordings, 9, "lone")).unwrap();
    let [cut_off, more] = [format!("bytes {} to {bytes}", bytes - 100), format!("bytes {bytes} to {}", bytes + 4)];
    let wanted = [
        ["talk/20261122T092900Z", "01-nn-o-neil.ogg bytes"],
        // The extents of 24 bits and two channels are 43690 frames long.
        ["02-ben.wav", "bytes 262208 to "],
        ["01-nn-o-neil.2.ogg", "is missing"],
        ["talk/", "session.json is missing"],
        ["other/20261122T093000Z", "is missing"],
        ["01-ann.ogg", &cut_off],
        ["01-ann.ogg", &more],
        ["session.json", "that can be understood"],
        ["session.json", "something else than the index"],
        ["session.json.next", "never finished"],
        ["01-ann.late", "is not in the index"],
        ["lone/", "never finished"],
    ];
    // What a cut takes with it may be told as more than one thing.
    let ran = run(&recordings, &["check"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    for words in &wanted {
        assert!(ran.out.lines().any(|line| words.iter().all(|word| line.contains(word))), "{words:?} in {}", ran.out);
    }
    let before = all_of(&recordings);
    let sound = |path: &Path| path.extension().is_some_and(|kind| kind == "ogg" || kind == "wav" || kind == "late");
    let ran = run(&recordings, &["check", "--repair"]);
    assert_eq!(ran.status, Some(1), "sound that is gone cannot be mended: {ran:?}");
    for words in [["session.json", "written again"], ["session.json.next", "removed"], ["lone/", "removed"]] {
        let mended = |line: &str| line.starts_with("mended: ") && words.iter().all(|word| line.contains(word));
        assert!(ran.out.lines().any(mended), "{words:?} in {}", ran.out);
    }
    let after = all_of(&recordings);
    for (path, bytes) in before.iter().filter(|(path, _)| sound(path)) {
        assert!(after.get(path) == Some(bytes), "{} is as it was", path.display());
    }
    let ran = run(&recordings, &["check"]);
    for mended in ["session.json", ".next", "lone"] {
        assert!(!ran.out.contains(mended), "{}", ran.out);
    }
    assert_eq!(ran.status, Some(1));
}

#[tokio::test]
async fn what_is_derived_is_forgotten_where_it_is_not_as_it_was_and_made_again() {
    let shelf = Shelf::new().await;
    shelf.small(1, "talk").await;
    let (kept, recordings) = shelf.close().await;
    let address = format!("/api/v1/recordings/{}", super::id(1));
    let made = async |hub: &Hub| hub.until(&address, all_is_made).await;
    let stopped = async |hub: Hub| {
        hub.signal("TERM");
        hub.stop_is_awaited()
    };
    let hub = Hub::start_in(Arc::clone(&kept), &[]);
    let before = made(&hub).await;
    stopped(hub).await;
    assert_agrees(&recordings);
    let derived = folder(&recordings, 1, "talk").join("derived");
    fs::remove_file(derived.join("session.webm")).unwrap();
    append(&derived.join("track-1.webm"), b"more");
    flip(&derived.join("mix.ogg"), 900);
    flip(&derived.join("waveform.peaks"), 20);
    fs::write(derived.join("waveform-1.peaks.next"), "half").unwrap();
    assert_finds(
        &recordings,
        &[
            ["session.webm", "is missing"],
            ["track-1.webm", "bytes, and the index says"],
            ["derived/mix.ogg bytes 0 to ", "not what was made"],
            ["derived/waveform.peaks bytes 0 to ", "not what was made"],
            ["waveform-1.peaks.next", "never"],
        ],
    );
    let ran = repaired(&recordings);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("mended: ")).count(), 5, "{}", ran.out);
    assert_agrees(&recordings);
    let hub = Hub::start_in(Arc::clone(&kept), &[]);
    assert_eq!(made(&hub).await, before);
    stopped(hub).await;
    assert_agrees(&recordings);
}

#[tokio::test]
async fn a_header_of_samples_that_is_wrong_is_made_right() {
    let shelf = Shelf::new().await;
    shelf.rich(1, "talk").await;
    let (_kept, recordings) = shelf.close().await;
    let before = all_of(&recordings);
    let file = folder(&recordings, 1, "talk").join("02-ben.wav");
    flip(&file, 41);
    assert_finds(&recordings, &[["02-ben.wav", "header"]]);
    repaired(&recordings);
    assert!(fs::read(&file).unwrap() == before[&file]);
    assert_agrees(&recordings);
}

/// Sends a capture over and over, in real time as the hub takes it.
fn talking(mut speaker: Client) -> JoinHandle<()> {
    tokio::spawn(async move {
        for message in Capture::new("chromium-webm-opus").messages().iter().cycle() {
            if speaker.try_send(message.clone()).await.is_err() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
}

#[tokio::test]
async fn a_check_beside_a_hub_that_records_finds_nothing_that_is_not_so() {
    let hub = Hub::start();
    let ann = talking(Client::plain(&hub, "/rooms/talk/ws?name=Ann").await);
    let ben = talking(Client::plain(&hub, "/rooms/other/ws?name=Ben&format=s16le").await);
    hub.until("/api/v1/recordings", |list| list["recordings"].as_array().unwrap().len() == 2).await;
    for _ in 0..10 {
        // Others come and go, so that recordings begin, end and are derived from meanwhile.
        let mut guest = Client::plain(&hub, "/rooms/guests/ws?name=Guest").await;
        for message in Capture::new("chromium-webm-opus-100ms").messages() {
            guest.send(message).await;
        }
        let recordings = hub.recordings();
        let checked = tokio::task::spawn_blocking(move || run(&recordings, &["check"])).await.unwrap();
        assert_eq!(checked.status, Some(0), "{checked:?}");
        guest.close().await;
    }
    ann.abort();
    ben.abort();
}

#[tokio::test]
async fn what_a_kill_left_is_told_as_such_and_ended_by_a_repair() {
    let hub = Hub::start();
    let ann = talking(Client::plain(&hub, "/rooms/talk/ws?name=Ann").await);
    hub.until("/api/v1/recordings", |list| list["recordings"][0]["duration"].as_f64().is_some_and(|long| long > 1.0))
        .await;
    let recordings = hub.recordings();
    let _kept = hub.kill();
    ann.abort();
    let ran = run(&recordings, &["check"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.out.contains("has not ended, and no hub runs"), "{}", ran.out);
    let ran = repaired(&recordings);
    assert!(ran.out.contains("brought to an end"), "{}", ran.out);
    assert_agrees(&recordings);
    let listed = run(&recordings, &["list"]);
    assert!(listed.out.contains("crashed"), "{}", listed.out);
}

#[tokio::test]
async fn what_a_kill_left_before_the_index_named_it_does_not_stay() {
    let kills = [
        "create-folder write/folder 2 kill-after",
        "create part 1 kill-after",
        "append part 1 kill-after",
        "sync part 1 kill-after",
        "create session 1 kill-after",
        "append session 2 kill",
    ];
    let fallen = kills.map(async |kill| {
        let rules = tempfile::NamedTempFile::new().unwrap();
        fs::write(rules.path(), kill).unwrap();
        let hub = Hub::start_with(&["--faults", rules.path().to_str().unwrap()]);
        let mut ann = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
        for message in Capture::new("chromium-webm-opus-100ms").messages() {
            if ann.try_send(message).await.is_err() {
                break;
            }
        }
        // It falls while it hears this, or when she goes.
        ann.vanish();
        let recordings = hub.recordings();
        let falls = async {
            while reqwest::get(hub.url("/healthz")).await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, falls).await.unwrap_or_else(|_| panic!("{kill}: it goes on"));
        let (status, kept) = hub.stop_is_awaited();
        assert!(!status.success(), "{kill}");
        let hub = Hub::start_in(Arc::clone(&kept), &[]);
        hub.signal("TERM");
        hub.stop_is_awaited();
        let ran = run(&recordings, &["check"]);
        assert_eq!(ran.status, Some(0), "{kill}: {ran:?}");
        let sound = all_of(&recordings).keys().any(|path| path.extension().is_some_and(|kind| kind == "ogg"));
        assert_eq!(
            sound,
            !kill.contains("folder") && !kill.starts_with("create part"),
            "{kill}: {}",
            run(&recordings, &["list"]).out
        );
    });
    futures_util::future::join_all(fallen).await;
}
