//! Disks that are full, slow or failing, under the running hub: what was said to be durable is there, and nobody in the room hears
//! anything of it.
//!
//! How long packets took is printed (`--nocapture`), beside those of the same run from before the fault. What is asserted of it
//! is only that nothing is left out, and that nobody waited for the disk.

mod small;
mod start;
mod talk;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use self::small::Small;
use self::talk::{Seen, Talk, number, tell};
use crate::helpers::Hub;
use crate::helpers::judge::ogg_packets;

const MIB: u64 = 1024 * 1024;

/// A hub whose disk does what stands in a file.
struct Faulty {
    faults: PathBuf,
    hub: Hub,
}

impl Faulty {
    fn start() -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let faults = folder.path().join("faults");
        std::fs::write(&faults, "").unwrap();
        let hub = Hub::start_in(folder, &["--faults", faults.to_str().unwrap()]);
        Self { faults, hub }
    }

    fn rules(&self, rules: &str) {
        std::fs::write(&self.faults, rules).unwrap();
    }
}

/// All recordings of the room once they have ended, the oldest first.
async fn ended(hub: &Hub) -> Vec<Value> {
    let path = "/api/v1/recordings?room=talk";
    let all = |list: &Value| {
        let all = list["recordings"].as_array().unwrap().clone();
        all.iter().all(|one| one["state"] == "ended") && !all.is_empty()
    };
    let list = hub.until(path, all).await;
    let mut recordings = Vec::new();
    for one in list["recordings"].as_array().unwrap().iter().rev() {
        recordings.push(hub.json(&format!("/api/v1/recordings/{}", one["id"].as_str().unwrap())).await);
    }
    recordings
}

/// The numbers of the packets in the files of a recording's one track, in order. Each file must be whole.
fn kept(hub: &Hub, recording: &Value) -> Vec<u64> {
    let folder = std::fs::read_dir(hub.recordings().join("talk")).unwrap().map(|entry| entry.unwrap().path());
    let id = recording["id"].as_str().unwrap();
    let folder = folder.into_iter().find(|folder| folder.to_str().unwrap().ends_with(id)).unwrap();
    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 1, "{recording:#}");
    let mut numbers = Vec::new();
    for part in tracks[0]["parts"].as_array().unwrap() {
        let part = part["number"].as_u64().unwrap();
        let name = if part == 1 { "01-ann.ogg".to_owned() } else { format!("01-ann.{part}.ogg") };
        let file = std::fs::read(folder.join(&name)).unwrap();
        assert_eq!(file[file.len() - 22] & 4, 4, "{name} has its last page");
        numbers.extend(ogg_packets(&file).iter().filter_map(|packet| number(packet)));
    }
    assert!(numbers.is_sorted_by(|one, other| one < other), "in order, and each once");
    numbers
}

/// Nothing was said to be durable that is not there.
fn assert_durable(seen: &Seen, kept: &[u64]) {
    let kept: BTreeSet<_> = kept.iter().copied().collect();
    let lost: Vec<_> = seen.durable.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} that were durable are lost: {lost:?}", lost.len(), seen.durable.len());
}

async fn is_ready(hub: &Hub) -> (u16, Value) {
    let answer = hub.get("/readyz").await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_full_disk_ends_the_recording_whole_and_when_it_has_room_again_the_next_begins() {
    let small = Small::new();
    let hub = small.hub();
    let talk = Talk::begin(&hub).await;
    talk.until("packets are durable", |seen| seen.durable.len() > 100).await;
    assert_eq!(is_ready(&hub).await.0, 200);

    // The next round would take of the reserve.
    small.fill(16 * MIB);
    let full = Instant::now();
    let free = small.free();
    talk.until("the room is told", |seen| !seen.healths.is_empty()).await;
    let (told, recording, reason) = talk.seen().healths[0].clone();
    assert!(!recording && reason.contains("full"), "{reason}");
    eprintln!("the room was told {:?} after the disk was full", told - full);
    let (status, problem) = is_ready(&hub).await;
    assert_eq!(status, 503);
    assert!(problem["detail"].as_str().unwrap().contains("full"), "{problem}");
    let first = ended(&hub).await.remove(0);
    assert_eq!(first["end_reason"], "disk_full");
    let durable = talk.seen().durable.len() as u64;
    let before = talk.seen().count();
    talk.until("the room plays on", |seen| seen.count() > before + 100).await;
    if let (Some(free), Some(left)) = (free, small.free()) {
        eprintln!("{} bytes of the reserve were used", (16 * MIB).saturating_sub(left));
        assert!(left + MIB > free, "{left} of {free} bytes are left");
    }
    assert_eq!(talk.seen().recordings.len(), 1);

    small.empty();
    let room = Instant::now();
    talk.until("it is recorded again", |seen| seen.healths.len() > 1).await;
    eprintln!("the next recording began {:?} after there was room", talk.seen().healths[1].0 - room);
    let again = talk.seen().count() as u64;
    talk.until("what is said now is durable", |seen| seen.durable.iter().any(|number| *number > again)).await;
    assert_eq!(is_ready(&hub).await.0, 200);
    let (seen, hub) = talk.end(hub).await;
    assert_eq!(seen.healths.iter().map(|health| health.1).collect::<Vec<_>>(), [false, true]);
    let recordings = ended(&hub).await;
    assert_eq!(recordings.iter().map(|one| one["id"].as_str().unwrap()).collect::<Vec<_>>(), seen.recordings);
    let [first, second] = &recordings[..] else { panic!("{recordings:#?}") };
    assert_eq!((&first["end_reason"], &second["end_reason"]), (&"disk_full".into(), &"finished".into()));

    let (one, two) = (kept(&hub, first), kept(&hub, second));
    assert_eq!(one, (0..one.len() as u64).collect::<Vec<_>>());
    assert_eq!(one.len() as u64, durable, "whole up to there, and no more");
    assert!(two[0] > one.len() as u64 && two.len() as u64 == two[two.len() - 1] - two[0] + 1, "{:?}", two.first());
    assert_eq!(two.last(), Some(&(seen.count() as u64 - 1)));
    assert_durable(&seen, &[one, two].concat());
    // It has a clock of its own, and its date.
    let start = second["tracks"][0]["start"].as_f64().unwrap();
    assert!(start < 3.0, "the track begins {start} s after its recording");
    assert!(second["started"].as_str() > first["ended"].as_str(), "{second:#}");
}

#[tokio::test]
async fn a_disk_that_hangs_for_ten_seconds_costs_nothing_and_nobody_hears_of_it() {
    let Faulty { faults, hub } = Faulty::start();
    let talk = Talk::begin(&hub).await;
    let begun = Instant::now();
    talk.until("packets are durable", |seen| seen.durable.len() > 400).await;
    let hangs = Instant::now();
    std::fs::write(&faults, "sync part 1 block:10s").unwrap();
    let held = talk.seen().durable.len();
    talk.until("it hangs", |seen| seen.count() > held + 400).await;
    talk.until("it goes on", |seen| seen.durable.len() > held + 400).await;
    let went_on = Instant::now();
    assert!(went_on - hangs > Duration::from_secs(9), "it did not hang");
    let (seen, hub) = talk.end(hub).await;
    let (before, meanwhile) = (seen.delays(begun, hangs), seen.delays(hangs, went_on));
    tell("before", &before);
    tell("while the disk hung", &meanwhile);
    assert!(*meanwhile.last().unwrap() < Duration::from_secs(5), "somebody waited for the disk");
    assert_eq!(seen.healths, []);
    let recordings = ended(&hub).await;
    assert_eq!(recordings[0]["tracks"][0]["gaps"], serde_json::json!([]));
    assert_eq!(kept(&hub, &recordings[0]), (0..seen.count() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_disk_that_hangs_for_more_than_a_minute_costs_the_rest_as_a_gap_with_its_cause() {
    let faulty = Faulty::start();
    let talk = Talk::begin(&faulty.hub).await;
    let begun = Instant::now();
    talk.until("packets are durable", |seen| seen.durable.len() > 200).await;
    let memory = faulty.hub.memory();
    let hangs = Instant::now();
    faulty.rules("sync part 1 block:70s");
    talk.until("the room is told", |seen| !seen.healths.is_empty()).await;
    let (told, recording, reason) = talk.seen().healths[0].clone();
    assert!(!recording && reason.contains("keep up"), "{reason}");
    eprintln!("the room was told {:?} after the disk hung", told - hangs);
    let cost = faulty.hub.memory().saturating_sub(memory);
    eprintln!("a minute that waits costs {} KiB", cost / 1024);
    assert!(cost < 64 * MIB, "{cost} bytes");
    talk.until("it goes on", |seen| seen.healths.len() > 1).await;
    let went_on = Instant::now();
    let again = talk.seen().count() as u64;
    talk.until("what is said now is durable", |seen| seen.durable.iter().any(|number| *number > again)).await;
    let (seen, hub) = talk.end(faulty.hub).await;
    tell("before", &seen.delays(begun, hangs));
    let meanwhile = seen.delays(hangs, went_on);
    tell("while the disk hung", &meanwhile);
    assert!(*meanwhile.last().unwrap() < Duration::from_secs(5), "somebody waited for the disk");
    let recordings = ended(&hub).await;
    let gaps = recordings[0]["tracks"][0]["gaps"].as_array().unwrap();
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!(gap["cause"], "overload");
    let kept = kept(&hub, &recordings[0]);
    let lost = (seen.count() - kept.len()) as f64 * 0.02;
    let told = gap["duration"].as_f64().unwrap();
    assert!((lost - told).abs() < 0.05 && lost > 5.0, "{lost} s are lost, {told} s are told");
    assert_durable(&seen, &kept);
}

#[tokio::test]
async fn a_sync_or_a_write_that_fails_costs_no_packet_and_nobody_hears_of_it() {
    let faulty = Faulty::start();
    let talk = Talk::begin(&faulty.hub).await;
    let begun = Instant::now();
    for (rule, durable) in [("sync part 1 eio", 50), ("append part 1 eio", 150), ("rename session * eio", 250)] {
        talk.until("packets are durable", |seen| seen.durable.len() > durable).await;
        faulty.rules(rule);
    }
    talk.until("packets are durable", |seen| seen.durable.len() > 350).await;
    faulty.rules("create part 1 eio\nsync part 2 eio");
    talk.until("packets are durable", |seen| seen.durable.len() > 450).await;
    faulty.rules("");
    talk.until("packets are durable", |seen| seen.durable.len() > 500).await;
    let (seen, hub) = talk.end(faulty.hub).await;
    tell("with a failing disk", &seen.delays(begun, Instant::now()));
    assert_eq!(seen.healths, []);
    let recordings = ended(&hub).await;
    let [recording] = &recordings[..] else { panic!("{recordings:#?}") };
    assert_eq!(recording["end_reason"], "finished");
    assert!(recording["tracks"][0]["parts"].as_array().unwrap().len() >= 3, "{recording:#}");
    assert_eq!(recording["tracks"][0]["gaps"], serde_json::json!([]));
    assert_eq!(kept(&hub, recording), (0..seen.count() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_disk_that_takes_no_file_ends_the_recording_and_when_it_does_again_the_next_begins() {
    let faulty = Faulty::start();
    let talk = Talk::begin(&faulty.hub).await;
    talk.until("packets are durable", |seen| seen.durable.len() > 50).await;
    faulty.rules("sync part * eio\nsync probe * eio");
    talk.until("the room is told", |seen| !seen.healths.is_empty()).await;
    let (_, recording, reason) = talk.seen().healths[0].clone();
    assert!(!recording && reason.contains("failed"), "{reason}");
    assert_eq!(is_ready(&faulty.hub).await.0, 503);
    let before = talk.seen().count();
    talk.until("the room plays on", |seen| seen.count() > before + 50).await;
    faulty.rules("");
    talk.until("it is recorded again", |seen| seen.healths.len() > 1).await;
    let again = talk.seen().count() as u64;
    talk.until("what is said now is durable", |seen| seen.durable.iter().any(|number| *number > again)).await;
    let (seen, hub) = talk.end(faulty.hub).await;
    let recordings = ended(&hub).await;
    let [first, second] = &recordings[..] else { panic!("{recordings:#?}") };
    assert_eq!((&first["end_reason"], &second["end_reason"]), (&"io_error".into(), &"finished".into()));
    // The first has no last page: the disk took none. The next start writes it.
    let one = hub.bytes(&format!("/api/v1/recordings/{}/tracks/1.ogg", first["id"].as_str().unwrap())).await;
    let one: Vec<u64> = ogg_packets(&one).iter().filter_map(|packet| number(packet)).collect();
    assert_eq!(one, (0..one.len() as u64).collect::<Vec<_>>());
    assert_durable(&seen, &[one, kept(&hub, second)].concat());
}

#[tokio::test]
async fn an_index_that_cannot_be_written_ends_the_recording_and_nothing_of_that_was_said_to_be_durable() {
    let hub = Hub::start();
    let talk = Talk::begin(&hub).await;
    talk.until("packets are durable", |seen| seen.durable.len() > 50).await;
    // SQLite's log can grow no further, nor begin again while somebody reads an older state of the index: writing it fails, and
    // writing the parts does not, which are far smaller.
    let options = SqliteConnectOptions::new().filename(hub.recordings().join("index.sqlite3")).read_only(true);
    let mut reader = options.connect().await.unwrap();
    let mut state = reader.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM recordings").execute(&mut *state).await.unwrap();
    let log = || std::fs::metadata(hub.recordings().join("index.sqlite3-wal")).unwrap().len();
    let limit = log();
    hub.limit_files(Some(limit));
    talk.until("the room is told", |seen| !seen.healths.is_empty()).await;
    let (_, recording, reason) = talk.seen().healths[0].clone();
    assert!(!recording && reason.contains("failed"), "{reason}");
    assert_eq!(is_ready(&hub).await.0, 503);
    let durable = talk.seen().durable.clone();
    let before = talk.seen().count();
    talk.until("the room plays on", |seen| seen.count() > before + 100).await;
    assert_eq!(talk.seen().durable, durable, "nothing is durable that the index does not say");
    assert!(log() <= limit);
    // What is there can be read and played meanwhile.
    let list = hub.json("/api/v1/recordings?room=talk").await;
    let first = list["recordings"][0]["id"].as_str().unwrap().to_owned();
    let one = hub.bytes(&format!("/api/v1/recordings/{first}/tracks/1.ogg")).await;
    assert!(!ogg_packets(&one).is_empty());

    hub.limit_files(None);
    drop(state);
    drop(reader);
    talk.until("it is recorded again", |seen| seen.healths.len() > 1).await;
    let again = talk.seen().count() as u64;
    talk.until("what is said now is durable", |seen| seen.durable.iter().any(|number| *number > again)).await;
    assert_eq!(is_ready(&hub).await.0, 200);
    let (seen, hub) = talk.end(hub).await;
    let recordings = ended(&hub).await;
    let [first, second] = &recordings[..] else { panic!("{recordings:#?}") };
    assert_eq!((&first["end_reason"], &second["end_reason"]), (&"io_error".into(), &"finished".into()));
    // What it wrote and could not say is cut off, or said, by the next start: either is right.
    let one = hub.bytes(&format!("/api/v1/recordings/{}/tracks/1.ogg", first["id"].as_str().unwrap())).await;
    let one: Vec<u64> = ogg_packets(&one).iter().filter_map(|packet| number(packet)).collect();
    assert_durable(&seen, &[one, kept(&hub, second)].concat());
}
