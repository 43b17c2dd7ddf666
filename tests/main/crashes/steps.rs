//! SIGKILL at each step of what the hub does to the disk, before and after it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use tempfile::TempDir;

use super::Place;
use super::aftermath::Known;
use super::session::{SPOOLS, Sent, session};
use crate::helpers::Hub;

/// How many hubs fall beside each other.
const LANES: usize = 6;

/// While people talk: creating, appending, syncing, naming in the index, spooling and settling.
const TALKING: [&str; 33] = [
    "create-folder write/folder 1",
    "create-folder write/folder 2",
    "sync-folder write/folder 2",
    "sync-folder write/folder 3",
    "sync-folder write/folder 4",
    "create part 1",
    "create part 2",
    "create part 4",
    "append part 1",
    "append part 2",
    "append part 4",
    "append part 30",
    "overwrite part 1",
    "overwrite part 9",
    "sync part 1",
    "sync part 4",
    "sync part 15",
    "commit any 1",
    "commit any 2",
    "commit any 7",
    "create session 1",
    "append session 1",
    "sync session 1",
    "rename session 1",
    "rename session 2",
    "create spool 1",
    "create spool 2",
    "append spool 1",
    "append spool 5",
    "sync spool 1",
    "read spool 1",
    "remove spool 1",
    "remove spool 2",
];

/// When everybody leaves: the last pages.
const ENDING: [&str; 6] =
    ["append part 1", "sync part 1", "commit any 1", "commit any 2", "create session 1", "rename session 1"];

/// When files are made of a recording.
const MAKING: [&str; 12] = [
    "create-folder maker/folder 1",
    "sync-folder maker/folder 1",
    "sync-folder maker/folder 3",
    "create maker/derived 1",
    "create maker/derived 4",
    "append maker/derived 1",
    "append maker/derived 9",
    "sync maker/derived 1",
    "rename maker/derived 1",
    "rename maker/derived 9",
    "commit any 2",
    "commit any 4",
];

/// When a recording is deleted.
const DELETING: [&str; 12] = [
    "commit any 1",
    "remove delete/part 1",
    "remove delete/part 4",
    "list delete/folder 1",
    "remove delete/derived 1",
    "remove delete/derived 9",
    "remove-folder delete/folder 1",
    "remove delete/session 1",
    "remove delete/session 2",
    "remove-folder delete/folder 2",
    "sync-folder delete/folder 1",
    "commit delete/any 1",
];

/// When a hub starts that fell while there were spools.
const RECOVERING: [&str; 18] = [
    "open recover/part 1",
    "open recover/part 3",
    "read recover/part 1",
    "truncate recover/part 1",
    "read recover/spool 1",
    "read recover/spool 2",
    "append recover/part 1",
    "append recover/part 4",
    "overwrite recover/part 1",
    "sync recover/part 1",
    "sync recover/part 4",
    "commit recover/any 1",
    "remove recover/spool 1",
    "remove recover/spool 2",
    "sync-folder recover/folder 1",
    "create recover/session 1",
    "append recover/session 1",
    "rename recover/session 1",
];

/// When a hub starts that fell before the index named what it had written: how it fell, and the steps of what its next start does with
/// that. They are one after another, so whoever is killed after one has left what who is killed before the next has.
const TAKING_IN: [(&str, &[&str]); 3] = [
    // A spool becomes a part.
    (
        "sync write/spool 1 kill",
        &[
            "rename recover/part 1 kill",
            "sync-folder recover/folder 1 kill",
            "open recover/part 1 kill",
            "overwrite recover/part 1 kill",
            "sync recover/part 1 kill",
            "sync-folder recover/folder 2 kill",
            "commit recover/any 1 kill",
            "commit recover/any 1 kill-after",
        ],
    ),
    // A folder becomes a recording.
    (
        "sync-folder write/folder 3 kill",
        &[
            "open recover/part 1 kill",
            "overwrite recover/part 1 kill",
            "sync recover/part 1 kill",
            "sync-folder recover/folder 1 kill",
            "sync-folder recover/folder 3 kill",
            "commit recover/any 1 kill",
            "commit recover/any 1 kill-after",
        ],
    ),
    // Nothing was in it yet.
    (
        "create part 1 kill-after",
        &[
            "remove recover/part 1 kill",
            "remove-folder recover/folder 1 kill",
            "remove-folder recover/folder 1 kill-after",
        ],
    ),
];

/// Each of these rules, with a kill before and one after it.
fn kills(rules: &[&str]) -> Vec<String> {
    rules.iter().flat_map(|rule| ["kill", "kill-after"].map(|kill| format!("{rule} {kill}"))).collect()
}

/// Does all of these, some beside each other, and fails with all that went wrong.
fn each(rules: Vec<String>, fall: impl AsyncFn(String) + Sync) {
    let (left, wrong) = (Mutex::new(rules), Mutex::new(Vec::new()));
    let next = || left.lock().unwrap().pop();
    std::thread::scope(|threads| {
        for _ in 0..LANES {
            threads.spawn(|| {
                while let Some(rule) = next() {
                    let fallen = catch_unwind(AssertUnwindSafe(|| block_on(fall(rule.clone()))));
                    if let Err(panic) = fallen {
                        let said = panic.downcast_ref::<String>().cloned();
                        let said = said
                            .or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned()))
                            .unwrap_or_default();
                        wrong.lock().unwrap().push(format!("{rule}: {said}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Starts again without faults, and looks.
async fn look(place: &Place, sent: &Sent, fell: Instant) {
    place.mend();
    let hub = place.start();
    Known::default().look(&hub, "talk", sent, fell).await;
}

/// Copies a folder that a hub has left.
fn copy(from: &Place) -> Place {
    let folder = TempDir::new().unwrap();
    let copied = Command::new("cp").arg("-a").arg(from.folder.path().join("recordings")).arg(folder.path()).status();
    assert!(copied.unwrap().success());
    Place::at(folder)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_hub_that_is_killed_at_any_step_of_writing_keeps_what_it_promised() {
    each(kills(&TALKING), async |rule| {
        let place = Place::new();
        let hub = place.start();
        place.order(&rule);
        let sent = session(&hub, "talk", || {}).await;
        hub.fall_is_awaited().await;
        look(&place, &sent, Instant::now()).await;
    });
}

#[test]
fn a_hub_that_is_killed_at_any_step_of_ending_a_recording_keeps_what_it_promised() {
    each(kills(&ENDING), async |rule| {
        let place = Place::new();
        let hub = place.start();
        let sent = session(&hub, "talk", || place.order(&rule)).await;
        hub.fall_is_awaited().await;
        look(&place, &sent, Instant::now()).await;
    });
}

#[test]
fn a_hub_that_is_killed_at_any_step_of_making_files_makes_them_at_its_next_start() {
    let before = Place::new();
    let sent = block_on(async {
        let hub = before.start();
        let sent = session(&hub, "talk", || before.order("any maker/any 1 kill")).await;
        hub.fall_is_awaited().await;
        sent
    });
    each(kills(&MAKING), async |rule| {
        let place = copy(&before);
        place.order(&rule);
        Hub::start_and_fall(&place.folder, &place.options()).await;
        look(&place, &sent, Instant::now()).await;
    });
}

#[test]
fn a_hub_that_is_killed_at_any_step_of_a_deletion_finishes_it_and_leaves_nothing_behind() {
    let before = Place::new();
    let sent = block_on(async {
        let hub = before.start();
        let sent = session(&hub, "talk", || {}).await;
        assert!(sent.tracks.iter().all(|track| track.durable > 0), "whoever is not heard proves nothing");
        hub.ended("talk").await;
        Known::default().look(&hub, "talk", &sent, Instant::now()).await;
        hub.signal("TERM");
        hub.stop_is_awaited();
        sent
    });
    each(kills(&DELETING), async |rule| {
        let place = copy(&before);
        let hub = place.start();
        let mut known = Known::default();
        let found = known.look(&hub, "talk", &sent, Instant::now()).await.expect("it is there");
        place.order(&rule);
        known.delete(&hub, &found.id).await;
        hub.fall_is_awaited().await;
        place.mend();
        let hub = place.start();
        // Marked in the index before the first file goes: so it goes whatever comes.
        let there = hub.get(&format!("/api/v1/recordings/{}", found.id)).await;
        assert_eq!(there.status(), reqwest::StatusCode::NOT_FOUND, "{rule}");
        known.look_again(&hub, "talk").await;
    });
}

#[test]
fn a_hub_that_is_killed_at_any_step_of_its_start_after_a_fall_loses_nothing() {
    let before = Place::new();
    let sent = block_on(async {
        let hub = before.start();
        // Everything is written by then, and of that round nothing is in the index.
        let ordered = async {
            tokio::time::sleep(SPOOLS).await;
            before.order("sync write/spool 1 kill");
        };
        let (sent, ()) = tokio::join!(session(&hub, "talk", || {}), ordered);
        hub.fall_is_awaited().await;
        sent
    });
    each(kills(&RECOVERING), async |rule| {
        let place = copy(&before);
        place.order(&rule);
        Hub::start_and_fall(&place.folder, &place.options()).await;
        look(&place, &sent, Instant::now()).await;
    });
}

#[test]
fn a_hub_that_is_killed_at_any_step_of_taking_in_what_no_index_names_takes_in_the_same_at_its_next_start() {
    for (left, rules) in TAKING_IN {
        let before = Place::new();
        let known = block_on(async {
            let hub = before.start();
            before.order(left);
            let sent = session(&hub, "talk", || {}).await;
            hub.fall_is_awaited().await;
            before.mend();
            // What comes of it where nobody is killed.
            let (undisturbed, mut known) = (copy(&before), Known::default());
            let found = known.look(&undisturbed.start(), "talk", &sent, Instant::now()).await;
            assert_eq!(found.is_some(), !left.starts_with("create"), "{left}");
            known
        });
        each(rules.iter().map(|rule| (*rule).to_owned()).collect(), async |rule| {
            let place = copy(&before);
            place.order(&rule);
            Hub::start_and_fall(&place.folder, &place.options()).await;
            place.mend();
            known.clone().look_again(&place.start(), "talk").await;
        });
    }
}
