//! What is chosen of a recording, through the running hub: tracks, a span, a loudness, in every container.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, RANGE};
use serde_json::Value;

use super::derived::{decode, file, made, say, sound, text};
use crate::helpers::judge::{run, takes};
use crate::helpers::shelf::Shelf;
use crate::helpers::{Client, Hub};

/// A pulse of noise twice a second, far louder than what lies between.
const PULSES: &str = "if(lt(mod(t\\,0.5)\\,0.05)\\,0.8*(random(0)*2-1)\\,0.02*sin(2*PI*300*t))";

/// Whatever there is as sound of a recording, of the first of its tracks.
const FILES: [&str; 9] = [
    "mix.ogg",
    "mix.webm",
    "mix.wav",
    "mix.flac",
    "session.webm",
    "tracks/1.ogg",
    "tracks/1.webm",
    "tracks/1.wav",
    "tracks/1.flac",
];

/// Ann and Ben, who have talked for four seconds and gone.
async fn talked(hub: &Hub) -> Value {
    let mut ann = Client::plain(hub, "/rooms/talk/ws?name=Ann").await;
    let mut ben = Client::plain(hub, "/rooms/talk/ws?name=Ben").await;
    say(&mut ann, &sound(PULSES, 4)).await;
    say(&mut ben, &sound("0.1*sin(2*PI*700*t)", 4)).await;
    ann.close().await;
    ben.close().await;
    made(hub, "talk").await
}

/// The integrated loudness and the true peak of a file, as ffmpeg measures them.
fn loudness(path: &std::path::Path) -> (f64, f64) {
    let (_, said) =
        run("ffmpeg", &["-hide_banner", "-i", path.to_str().unwrap(), "-af", "ebur128=peak=true", "-f", "null", "-"]);
    let summary = said.rsplit("Summary:").next().unwrap();
    let number = |key: &str| -> f64 {
        let line =
            summary.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{summary}"));
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    (number("I:"), number("Peak:"))
}

#[tokio::test]
async fn every_container_of_a_choice_is_a_file_that_others_take_without_a_remark() {
    let hub = Hub::start();
    let recording = talked(&hub).await;
    let address = format!("/api/v1/recordings/{}", text(&recording, "id"));
    let folder = tempfile::tempdir().unwrap();
    let chosen = "tracks=1&from=1.25&to=2.75";
    let mut sounds = Vec::new();
    for name in FILES {
        let query = if name.starts_with("tracks") { "from=1.25&to=2.75" } else { chosen };
        let whole = file(&hub, &format!("{address}/{name}?{query}")).await;
        let path = folder.path().join(name.replace('/', "-"));
        std::fs::write(&path, &whole).unwrap();
        let samples = decode(&path, 0, if name.ends_with("wav") { &["-guess_layout_max", "0"] } else { &[] });
        let longer = if name.ends_with("webm") { 960 + 312 } else { 0 };
        assert!((72_000..=72_000 + longer).contains(&samples.len()), "{name}: {}", samples.len());
        takes(&path);
        sounds.push((name, samples));
    }
    // Packed or not, it is the same sound.
    assert!(sounds[2].1 == sounds[3].1 && sounds[7].1 == sounds[8].1);
    let flac = format!("{address}/mix.flac?{chosen}");
    let response = hub.get(&flac).await;
    assert_eq!(response.headers()[CONTENT_TYPE], "audio/flac");
    let name = response.headers()[CONTENT_DISPOSITION].to_str().unwrap().to_owned();
    assert!(name.ends_with("mix tracks 1 from 1.25 to 2.75.flac\""), "{name}");
    // Asked for in other words it is the same file.
    let tag = response.headers()[ETAG].clone();
    let same = hub.get(&format!("{address}/mix.flac?to=2.750&tracks=01&from=1.25")).await;
    assert_eq!((same.status(), &same.headers()[ETAG]), (StatusCode::OK, &tag));
    let all = same.bytes().await.unwrap();
    for first in (0..all.len() - 1).step_by(all.len() / 50) {
        let last = (first * 7 + 1000) % all.len();
        let (first, last) = (first.min(last), first.max(last));
        let asked = reqwest::Client::new().get(hub.url(&flac)).header(RANGE, format!("bytes={first}-{last}"));
        assert!(asked.send().await.unwrap().bytes().await.unwrap() == all[first..=last]);
    }
}

/// Has every file of a recording looked at as it is, uncut.
async fn are_taken(hub: &Hub, address: &str, tracks: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES.iter().chain(&["tracks.zip"]).chain(tracks) {
        let whole = file(hub, &format!("{address}/{name}")).await;
        let path = folder.path().join(name.replace('/', "-"));
        std::fs::write(&path, &whole).unwrap();
        takes(&path);
    }
}

#[tokio::test]
async fn every_file_as_it_is_uncut_is_one_that_others_take_without_a_remark() {
    let hub = Hub::start();
    let recording = talked(&hub).await;
    are_taken(&hub, &format!("/api/v1/recordings/{}", text(&recording, "id")), &[]).await;
    // Of parts, the third track of plain samples.
    let shelf = Shelf::new().await;
    let id = shelf.record_in_parts("talk", 4).await;
    let of_samples = ["tracks/3.ogg", "tracks/3.webm", "tracks/3.wav", "tracks/3.flac"];
    are_taken(&shelf.hub(&[]).await, &format!("/api/v1/recordings/{id}"), &of_samples).await;
}

#[tokio::test]
async fn a_loudness_that_someone_chose_is_what_ffmpeg_measures() {
    let hub = Hub::start();
    let recording = talked(&hub).await;
    let address = format!("/api/v1/recordings/{}", text(&recording, "id"));
    let folder = tempfile::tempdir().unwrap();
    for (name, query, lufs) in [
        // Far below full scale, and so loud that the pulses are limited.
        ("mix.wav", "loudness=-30", -30.0),
        ("mix.flac", "loudness=-16", -16.0),
        ("tracks/1.wav", "loudness=-16&from=0.5&to=3.5", -16.0),
        ("tracks/2.webm", "loudness=-23.5", -23.5),
        ("mix.ogg", "loudness=-16", -16.0),
    ] {
        let whole = file(&hub, &format!("{address}/{name}?{query}")).await;
        let path = folder.path().join(name.replace('/', "-"));
        std::fs::write(&path, &whole).unwrap();
        let (heard, peak) = loudness(&path);
        assert!((heard - lufs).abs() <= 0.5, "{name}?{query}: {heard} LUFS");
        // What an encoder makes of a peak may be higher: most with noise, which this is.
        let most = if name.ends_with("ogg") { 1.0 } else { -1.0 };
        assert!(peak <= most, "{name}?{query}: {peak} dBTP");
    }
}

#[tokio::test]
async fn what_cannot_be_chosen_is_a_problem_and_leaves_nothing() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/live/ws?name=Ann").await;
    say(&mut ann, &sound("0.1*sin(2*PI*700*t)", 2)).await;
    let live = hub.until("/api/v1/recordings?room=live", |list| list["recordings"][0]["id"].is_string()).await;
    let problem = async |path: String| {
        let response = hub.get(&path).await;
        let status = response.status().as_u16();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], status, "{path}");
        (status, text(&problem, "code").to_owned())
    };
    let id = text(&live["recordings"][0], "id").to_owned();
    assert_eq!(problem(format!("/api/v1/recordings/{id}/mix.flac?from=0.5")).await, (409, "recording_live".to_owned()));
    ann.close().await;
    let recording = made(&hub, "live").await;
    let address = format!("/api/v1/recordings/{}", text(&recording, "id"));
    for query in [
        "mix.wav?tracks=2",
        "mix.wav?tracks=",
        "mix.wav?tracks=1,1",
        "mix.wav?tracks=0",
        "mix.wav?track=1",
        "mix.wav?from=99999",
        "mix.wav?from=1&to=1",
        "mix.wav?from=1.5&to=1",
        "mix.wav?from=-1",
        "mix.wav?from=NaN",
        "mix.wav?from=0.0001",
        "mix.wav?from=1&from=1",
        "mix.wav?loudness=1e9",
        "mix.wav?loudness=NaN",
        "mix.wav?loudness=",
        "mix.wav?loudness=-4.9",
        "session.webm?tracks=1,7",
        "tracks/1.wav?tracks=1",
        "tracks/1.ogg?part=1&from=1",
    ] {
        assert_eq!(problem(format!("{address}/{query}")).await, (400, "invalid_edit".to_owned()), "{query}");
    }
    // Peaks have parameters of their own.
    let peaks = format!("{address}/tracks/1/waveform.json?loudness=-16");
    assert_eq!(problem(peaks).await, (400, "invalid_query".to_owned()));
    assert_eq!(problem(format!("{address}/tracks/7.flac?from=1")).await, (404, "recording_not_found".to_owned()));
    let folder = std::fs::read_dir(hub.recordings().join("live")).unwrap().next().unwrap().unwrap().path();
    let there = std::fs::read_dir(folder.join("derived")).unwrap().map(|file| file.unwrap().file_name());
    assert!(there.into_iter().all(|name| !name.to_string_lossy().contains('~')));
    hub.until(&address, |recording| recording["making"] == serde_json::json!([])).await;
}
