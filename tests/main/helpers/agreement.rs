//! Whether a hub's folder and what it tells of its recordings are the same.
//!
//! This is the one place that says so for the tests that break things: by what REST tells, and by `roomtone check`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use roomtone::archive::session_file::SessionFile;
use serde_json::{Value, json};

use super::Hub;
use super::hub::PATIENCE;

/// What differs between a hub's folder and what it tells, one line for each thing, once all that is derived is made. Its
/// recordings must have ended.
pub async fn differences(hub: &Hub) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = differences_now(hub).await;
        // What is made again has its old file beside it meanwhile.
        let in_the_making = !found.is_empty() && found.iter().all(|line| line.contains("/derived/"));
        if found.is_empty() {
            return checked(&hub.recordings());
        }
        if !in_the_making || Instant::now() > deadline {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What `roomtone check` says, where it finds anything.
fn checked(recordings: &Path) -> Vec<String> {
    let check = Command::new(env!("CARGO_BIN_EXE_roomtone")).arg("check").arg("--recordings").arg(recordings).output();
    let check = check.unwrap();
    if check.status.success() {
        return Vec::new();
    }
    let said = [check.stdout, check.stderr].concat();
    [format!("check: {}", check.status)]
        .into_iter()
        .chain(String::from_utf8_lossy(&said).lines().map(str::to_owned))
        .collect()
}

async fn differences_now(hub: &Hub) -> Vec<String> {
    let mut told = BTreeMap::new();
    let mut path = "/api/v1/recordings".to_owned();
    loop {
        let page = hub.json(&path).await;
        for recording in page["recordings"].as_array().unwrap() {
            let id = recording["id"].as_str().unwrap().to_owned();
            let made = hub.until(&format!("/api/v1/recordings/{id}"), all_is_made).await;
            told.insert(id, made);
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/recordings?cursor={next}");
    }
    let root = hub.recordings();
    let mut differences = Vec::new();
    for name in names(&root) {
        if root.join(&name).is_dir() {
            for folder in names(&root.join(&name)) {
                differences.extend(compare(&root.join(&name).join(folder), &name, &mut told));
            }
        } else if ![".lock", "index.sqlite3", "index.sqlite3-wal", "index.sqlite3-shm"].contains(&name.as_str()) {
            differences.push(format!("{name} is nothing of ours"));
        }
    }
    differences.extend(told.into_keys().map(|id| format!("{id} has no folder")));
    differences
}

/// Whether everything is there that is derived from a recording unasked, and nothing is being made any more.
pub fn all_is_made(recording: &Value) -> bool {
    let (files, tracks) = (&recording["files"], recording["tracks"].as_array().unwrap());
    let of_all = [&files["session"], &files["mix"]["ogg"]];
    let made = of_all.iter().all(|file| file["bytes"].is_u64()) && files["waveform"]["made"] == true;
    made && recording["making"] == json!([]) && tracks.iter().all(|track| track["sizes"]["webm"].is_u64())
}

/// What differs between a recording's folder and what is told of it, which is taken out of `told`.
fn compare(folder: &Path, room: &str, told: &mut BTreeMap<String, Value>) -> Vec<String> {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let id = name.split_once('-').map_or(name, |(_, id)| id);
    let Some(recording) = told.remove(id) else {
        return vec![format!("{room}/{name} is of no recording: {:?}", names(folder))];
    };
    let mut differences = Vec::new();
    let file = fs::read(folder.join("session.json")).map_err(|error| error.to_string());
    let session = match file.and_then(|file| SessionFile::read(&file).map_err(|error| error.to_string())) {
        Ok(session) => session,
        Err(error) => return vec![format!("{room}/{name}/session.json: {error}")],
    };
    let end = session.end.map(|end| serde_json::to_value(end.reason).unwrap()).unwrap_or_default();
    let of_file = (session.id.to_string(), session.room.to_string(), session.title.map(Value::String), end);
    let title = Some(recording["title"].clone()).filter(Value::is_string);
    let of_index =
        (id.to_owned(), recording["room"].as_str().unwrap().to_owned(), title, recording["end_reason"].clone());
    if of_file != of_index || room != of_file.1 {
        differences.push(format!("{room}/{name}/session.json says {of_file:?}, the index {of_index:?}"));
    }
    // What should be there, by the paths below the folder.
    let mut files = BTreeMap::from([("session.json".to_owned(), None)]);
    let tracks = recording["tracks"].as_array().unwrap();
    if tracks.len() != session.tracks.len() {
        differences.push(format!("{room}/{name}/session.json has {} tracks of {}", session.tracks.len(), tracks.len()));
    }
    for (track, of_file) in tracks.iter().zip(session.tracks) {
        let parts = track["parts"].as_array().unwrap();
        let of_file: Vec<_> = of_file.parts.into_iter().map(|part| part.file).collect();
        if parts.len() != of_file.len() {
            differences.push(format!("{room}/{name}/session.json has the parts {of_file:?}, the index {parts:?}"));
        }
        files.extend(of_file.into_iter().zip(parts).map(|(file, part)| (file, part["bytes"].as_u64())));
        let number = &track["number"];
        files.insert(format!("derived/track-{number}.webm"), track["sizes"]["webm"].as_u64());
        files.insert(format!("derived/waveform-{number}.peaks"), None);
    }
    let of_all = &recording["files"];
    files.insert("derived/waveform.peaks".to_owned(), None);
    for (name, file) in [("session.webm", &of_all["session"]), ("mix.ogg", &of_all["mix"]["ogg"])] {
        files.insert(format!("derived/{name}"), file["bytes"].as_u64());
    }
    for file in below(folder) {
        let length = fs::metadata(folder.join(&file)).unwrap().len();
        match files.remove(&file) {
            None => differences.push(format!("{room}/{name}/{file} is in no index")),
            Some(Some(bytes)) if bytes != length => {
                differences.push(format!("{room}/{name}/{file} has {length} bytes, by the index {bytes}"));
            }
            Some(_) => {}
        }
    }
    differences.extend(files.into_keys().map(|file| format!("{room}/{name}/{file} is missing")));
    differences
}

/// The files below a folder, by their paths from there.
fn below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for name in names(folder) {
        let path: PathBuf = folder.join(&name);
        if path.is_dir() {
            files.extend(below(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            files.push(name);
        }
    }
    files
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
