//! Downloads as files that stay what they are: any range is that slice of the whole, and goes on where it was, whatever came between.
//!
//! `ROOMTONE_SEED` draws other ranges.

use std::fs;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::helpers::Hub;
use crate::helpers::agreement::all_is_made;
use crate::helpers::hub::PATIENCE;
use crate::helpers::random::{Random, seed};
use crate::helpers::shelf::{Shelf, names};

/// How many ranges of each file are asked for in each round.
const RANGES: usize = 70;

/// What someone chose, beside all that the recording names.
const CHOSEN: [&str; 8] = [
    "mix.flac?from=1.5&to=5.25",
    "mix.ogg?loudness=-20",
    "session.webm?tracks=1,3",
    "tracks.zip?tracks=2,3&from=2",
    "tracks/1.webm?from=0.5&to=3.123",
    "tracks/3.wav?to=4.5",
    "waveform.json?samples_per_pixel=480&from=1&to=3",
    "tracks/2/waveform.dat?samples_per_pixel=960",
];

/// A download, whole, as it was at first.
struct Download {
    path: String,
    tag: String,
    whole: Vec<u8>,
}

/// Whatever of a recording has an address.
fn addresses(told: &Value, all: &mut Vec<String>) {
    match told {
        Value::String(text) if text.starts_with("/api/v1/recordings/") => all.push(text.clone()),
        Value::Array(several) => several.iter().for_each(|one| addresses(one, all)),
        Value::Object(fields) => fields.values().for_each(|one| addresses(one, all)),
        _ => {}
    }
}

/// The whole and its tag, once it is made.
async fn download(hub: &Hub, path: &str) -> Download {
    let asked = async {
        loop {
            let response = hub.get(path).await;
            match response.status() {
                StatusCode::OK => return response,
                StatusCode::ACCEPTED => tokio::time::sleep(Duration::from_millis(20)).await,
                other => panic!("{path}: {other}"),
            }
        }
    };
    let response = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{path} is never made"));
    let tag = response.headers()[ETAG].to_str().unwrap().to_owned();
    Download { path: path.to_owned(), tag, whole: response.bytes().await.unwrap().to_vec() }
}

/// A range as it is asked for, and which bytes that are of a file of so many.
fn range(random: &mut Random, bytes: usize) -> (String, Range<usize>) {
    let first = random.below(bytes);
    let left = bytes - first;
    // Some are long: most of the time a few bytes tell as much.
    let most = [1, 500, 70_000, bytes][random.below(4)];
    let length = 1 + random.below(most.min(left));
    match random.below(6) {
        0 => (format!("bytes={first}-{first}"), first..first + 1),
        1 => (format!("bytes=-{length}"), bytes - length..bytes),
        2 => (format!("bytes={}-", bytes - length), bytes - length..bytes),
        // Past the end it ends there.
        3 => (format!("bytes={}-{}", bytes - length, bytes + random.below(bytes)), bytes - length..bytes),
        _ => (format!("bytes={first}-{}", first + length - 1), first..first + length),
    }
}

impl Download {
    async fn ask(&self, client: &Client, hub: &Hub, range: &str, tag: Option<&str>) -> Response {
        let asked = client.get(hub.url(&self.path)).header(RANGE, range);
        let asked = tag.into_iter().fold(asked, |asked, tag| asked.header(IF_RANGE, tag));
        asked.send().await.unwrap()
    }

    /// It is what it was, whole and piece by piece.
    async fn is_as_it_was(&self, client: &Client, hub: &Hub, random: &mut Random) {
        let Self { path, tag, whole } = self;
        let now = download(hub, path).await;
        assert_eq!(now.tag, *tag, "{path}");
        assert!(now.whole == *whole, "{path}: {} bytes, and {} before", now.whole.len(), whole.len());
        for at in 0..RANGES {
            let (asked, slice) = range(random, whole.len());
            // With the tag of the very first, as whoever goes on with what was broken off.
            let response = self.ask(client, hub, &asked, (at % 2 == 0).then_some(tag)).await;
            assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{path}: {asked}");
            let told = format!("bytes {}-{}/{}", slice.start, slice.end - 1, whole.len());
            assert_eq!(response.headers()[CONTENT_RANGE], told.as_str(), "{path}: {asked}");
            assert_eq!(response.headers()[ETAG], tag.as_str(), "{path}: {asked}");
            assert!(response.bytes().await.unwrap() == whole[slice], "{path}: {asked}");
        }
        let behind = self.ask(client, hub, &format!("bytes={}-", whole.len()), Some(tag)).await;
        assert_eq!(behind.status(), StatusCode::RANGE_NOT_SATISFIABLE, "{path}");
        // Of another file nobody gets a piece.
        let other = self.ask(client, hub, "bytes=1-2", Some("\"another\"")).await;
        assert_eq!(other.status(), StatusCode::OK, "{path}");
        assert!(other.bytes().await.unwrap() == *whole, "{path}");
        for (condition, status) in [(IF_NONE_MATCH, StatusCode::NOT_MODIFIED), (IF_MATCH, StatusCode::OK)] {
            let known = client.head(hub.url(path)).header(&condition, tag).send().await.unwrap();
            assert_eq!(known.status(), status, "{path}: {condition}");
        }
    }
}

/// Looks at all of them.
async fn all_are_as_they_were(downloads: &[Download], hub: &Hub, random: &mut Random) {
    let client = Client::new();
    for download in downloads {
        download.is_as_it_was(&client, hub, random).await;
    }
}

fn stopped(hub: Hub) -> Arc<TempDir> {
    hub.signal("TERM");
    let (status, folder) = hub.stop_is_awaited();
    assert!(status.success());
    folder
}

#[tokio::test]
async fn every_download_is_the_same_file_over_a_restart_an_eviction_and_the_loss_of_all_that_was_derived() {
    let seed = seed();
    println!("ROOMTONE_SEED={seed}");
    let mut random = Random::new(seed);
    let shelf = Shelf::new().await;
    // Two tracks of Opus and one of plain samples, each in two parts.
    let address = format!("/api/v1/recordings/{}", shelf.record_in_parts("talk", 6).await);
    let hub = shelf.hub(&[]).await;
    let mut paths: Vec<_> = CHOSEN.iter().map(|chosen| format!("{address}/{chosen}")).collect();
    addresses(&hub.until(&address, all_is_made).await, &mut paths);
    // Four mixes, two waveforms, two archives; of each track four files, two waveforms and two parts; what was chosen.
    assert_eq!(paths.len(), 4 + 2 + 2 + 3 * (4 + 2 + 2) + CHOSEN.len(), "{paths:#?}");
    let folder = hub.recordings().join("talk");
    let derived = folder.join(&names(&folder)[0]).join("derived");
    let unasked = names(&derived);
    let mut downloads = Vec::new();
    for path in &paths {
        downloads.push(download(&hub, path).await);
    }
    let asked = names(&derived);
    assert!(asked.len() > unasked.len() + 12, "{asked:?}");
    all_are_as_they_were(&downloads, &hub, &mut random).await;

    let hub = Hub::start_in(stopped(hub), &[]);
    all_are_as_they_were(&downloads, &hub, &mut random).await;

    // A disk that has never enough free: all goes that someone asked for, and no recording that is to be kept.
    let keep = Client::new().patch(hub.url(&address)).json(&json!({ "keep": true })).send().await.unwrap();
    assert_eq!(keep.status(), StatusCode::OK);
    let hub = Hub::start_in(stopped(hub), &["--min-free-bytes", "1000000 TB"]);
    hub.until("/api/v1/storage", |storage| storage["unmet"] == json!(["min_free_bytes"])).await;
    assert_eq!(names(&derived), unasked);
    let hub = Hub::start_in(stopped(hub), &[]);
    all_are_as_they_were(&downloads, &hub, &mut random).await;
    assert_eq!(names(&derived), asked);

    // Someone clears up by hand.
    let folder = stopped(hub);
    fs::remove_dir_all(&derived).unwrap();
    let hub = Hub::start_in(folder, &[]);
    all_are_as_they_were(&downloads, &hub, &mut random).await;
}
