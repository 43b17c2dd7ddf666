//! How far the making of a file is: what is told to whoever asks for one that takes long, and to whoever exports one.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::derived::{file, seconds};
use super::export;
use crate::helpers::Hub;
use crate::helpers::agreement::all_is_made;
use crate::helpers::shelf::Shelf;

#[tokio::test]
async fn who_asks_for_a_file_that_takes_long_is_told_how_far_it_is() {
    let shelf = Shelf::new().await;
    let address = format!("/api/v1/recordings/{}", shelf.record("talk", 2, 2).await);
    let faults = NamedTempFile::new().unwrap();
    let hub = shelf.hub(&["--faults", faults.path().to_str().unwrap()]).await;
    hub.until(&address, all_is_made).await;
    // The disk takes the beginning of the file, and nothing more for as long as the test goes.
    fs::write(faults.path(), "append maker/derived 2 block:600s").unwrap();
    let path = format!("{address}/mix.wav");
    let begun = |told: &Value| seconds(told, "progress") > 0.0;
    let told = hub.until(&path, begun).await;
    assert!(seconds(&told, "progress") < 1.0, "{told}");
    let response = hub.get(&path).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert!(response.headers()[RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() > 0);
    let recording = hub.json(&address).await;
    let making = &recording["making"][0];
    assert_eq!(making["href"], path.as_str(), "{recording:#}");
    assert!((0.0..1.0).contains(&seconds(making, "progress")) && begun(making), "{making}");
    assert_eq!(recording["files"]["mix"]["wav"]["bytes"], Value::Null);

    // Nobody took what was there for the file.
    let hub = Hub::start_in(hub.kill(), &[]);
    let whole = file(&hub, &path).await;
    let recording = hub.until(&address, |recording| recording["making"] == json!([])).await;
    assert_eq!(recording["files"]["mix"]["wav"]["bytes"], whole.len());
}

/// What a line says of how far it is, in percent.
fn percent(line: &str) -> u32 {
    let share = line.strip_prefix("standard output: ").and_then(|rest| rest.strip_suffix(" %"));
    share.and_then(|share| share.parse().ok()).unwrap_or_else(|| panic!("{line:?} says nothing of how far it is"))
}

#[tokio::test]
async fn an_export_tells_a_file_in_plain_lines_how_far_it_is() {
    let shelf = Shelf::new().await;
    let id = shelf.record("talk", 2, 2).await.to_string();
    let hub = shelf.hub(&[]).await;
    let mut command = export::command(&hub.recordings(), &[&id, "--format", "wav", "--output", "-"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Nobody takes the sound, so that there is no end of it before it is told how far it is.
    let first = percent(&lines.next().unwrap().unwrap());
    assert!((1..100).contains(&first), "{first} %");
    let mut sound = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut sound).unwrap();
    let mut last = first;
    for line in lines {
        let now = percent(&line.unwrap());
        assert!((last..=100).contains(&now), "{now} % after {last} %");
        last = now;
    }
    assert!(child.wait().unwrap().success());
    assert!(sound == file(&hub, &format!("/api/v1/recordings/{id}/mix.wav")).await);
}
