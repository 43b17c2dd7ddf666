//! What must be there once a hub has fallen and started again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roomtone::container::ogg::{Demuxer, Event};
use roomtone::container::wav::header_for;
use roomtone::media::pcm::{Head, Sample};
use serde_json::{Value, json};

use super::session::{Sent, Track};
use crate::helpers::agreement::differences;
use crate::helpers::judge::run;
use crate::helpers::{Client, Hub};

/// What is known of the recordings in a hub's folder, by their IDs.
#[derive(Clone, Default)]
pub struct Known {
    recordings: BTreeMap<String, Kept>,
}

/// A recording that was looked at.
#[derive(Clone)]
pub struct Kept {
    pub title: Option<String>,
    /// Whether someone has asked for its deletion, and was not answered.
    pub deleting: bool,
    /// What its parts hold, by their addresses.
    parts: BTreeMap<String, u64>,
}

/// What was found of a session.
pub struct Found {
    pub id: String,
    /// The addresses of what is made out of it and sounds.
    derived: Vec<String>,
    /// How long before the fall the first block of Ann's samples was sent that is not there, if one is not.
    pub lost: Option<Duration>,
}

impl Known {
    /// Looks at all that a hub's folder holds after a fall, and at what it holds of the session in which it fell.
    pub async fn look(&mut self, hub: &Hub, room: &str, sent: &Sent, fell: Instant) -> Option<Found> {
        let found = look_at(hub, room, sent, fell).await;
        if let Some(found) = &found {
            let recording = hub.json(&address(&found.id)).await;
            let parts = contents(hub, &recording).await;
            self.recordings.insert(found.id.clone(), Kept { title: None, deleting: false, parts });
        }
        self.look_again(hub, room).await;
        if let Some(found) = &found {
            // All of them are made by now.
            let mut files = Vec::new();
            for address in &found.derived {
                files.push(hub.bytes(address).await);
            }
            plays(&files);
        }
        found
    }

    /// The same, without a session.
    pub async fn look_again(&mut self, hub: &Hub, room: &str) {
        self.nothing_else_has_changed(hub).await;
        begins_anew(hub, room).await;
        assert_eq!(differences(hub).await, Vec::<String>::new(), "{room}: index and disk differ");
    }

    async fn nothing_else_has_changed(&mut self, hub: &Hub) {
        let mut gone = Vec::new();
        for (id, kept) in &mut self.recordings {
            let response = hub.get(&address(id)).await;
            if response.status() == reqwest::StatusCode::NOT_FOUND {
                assert!(kept.deleting, "{id} is gone, and nobody has deleted it");
                gone.push(id.clone());
                continue;
            }
            let recording: Value = response.json().await.unwrap();
            assert_eq!(recording["title"].as_str(), kept.title.as_deref(), "{id}");
            assert_eq!(contents(hub, &recording).await, kept.parts, "{id}");
            // Who was not answered may ask again.
            kept.deleting = false;
        }
        self.recordings.retain(|id, _| !gone.contains(id));
    }

    pub fn ids(&self) -> Vec<String> {
        self.recordings.keys().cloned().collect()
    }

    /// Has a recording deleted; the answer may never come.
    pub async fn delete(&mut self, hub: &Hub, id: &str) {
        self.recordings.get_mut(id).unwrap().deleting = true;
        if let Ok(response) = reqwest::Client::new().delete(hub.url(&address(id))).send().await {
            assert_eq!(response.status(), reqwest::StatusCode::NO_CONTENT);
            self.recordings.remove(id);
        }
    }

    /// Gives a recording another title. Where the answer never comes it has either, and the hub is asked which.
    pub async fn entitle(&mut self, hub: &Hub, id: &str, title: &str) -> Option<(String, String)> {
        let change = reqwest::Client::new().patch(hub.url(&address(id))).json(&json!({ "title": title })).send().await;
        match change {
            Ok(response) => {
                assert_eq!(response.status(), reqwest::StatusCode::OK);
                self.recordings.get_mut(id).unwrap().title = Some(title.to_owned());
                None
            }
            Err(_) => Some((id.to_owned(), title.to_owned())),
        }
    }

    /// Takes up the title that a recording has, where that was not answered.
    pub async fn take_up(&mut self, hub: &Hub, (id, title): (String, String)) {
        let response = hub.get(&address(&id)).await;
        // Its deletion may have been begun, too.
        if response.status().is_success() && response.json::<Value>().await.unwrap()["title"] == title.as_str() {
            self.recordings.get_mut(&id).unwrap().title = Some(title);
        }
    }
}

fn address(id: &str) -> String {
    format!("/api/v1/recordings/{id}")
}

/// What the parts of a recording hold.
async fn contents(hub: &Hub, recording: &Value) -> BTreeMap<String, u64> {
    let mut contents = BTreeMap::new();
    for part in recording["tracks"].as_array().unwrap().iter().flat_map(|track| track["parts"].as_array().unwrap()) {
        let address = part["href"].as_str().unwrap();
        let mut hasher = DefaultHasher::new();
        hub.bytes(address).await.hash(&mut hasher);
        contents.insert(address.to_owned(), hasher.finish());
    }
    contents
}

/// Looks whether what is there of a session is what must be.
async fn look_at(hub: &Hub, room: &str, sent: &Sent, fell: Instant) -> Option<Found> {
    let list = hub.json(&format!("/api/v1/recordings?room={room}")).await;
    let recordings = list["recordings"].as_array().unwrap();
    assert!(recordings.len() <= 1, "{list:#}");
    let Some(recording) = recordings.first() else {
        assert!(sent.tracks.iter().all(|track| track.durable == 0), "{room}: the recording is lost");
        return None;
    };
    let id = recording["id"].as_str().unwrap();
    let recording = hub.json(&address(id)).await;
    assert_eq!(recording["state"], "ended", "{room}");
    let reason = recording["end_reason"].as_str().unwrap();
    assert!(reason == "crashed" || (reason == "finished" && sent.ended), "{room} ended as {reason}");
    let (mut lost, mut playable, mut derived) = (None, Vec::new(), Vec::new());
    let told = recording["tracks"].as_array().unwrap();
    for track in &sent.tracks {
        let is_it = |told: &&Value| told["name"] == track.name && told["codec"] == track.codec;
        let before = playable.len();
        let told = told.iter().find(is_it);
        let kept = match told {
            Some(told) => kept(hub, told, track, &mut playable).await,
            None => 0,
        };
        if let Some(told) = told.filter(|_| playable.len() > before) {
            derived.push(told["files"]["webm"].as_str().unwrap().to_owned());
        }
        let (name, codec) = (track.name, track.codec);
        assert!(
            kept >= track.durable,
            "{room}: {kept} packets of {name}'s {codec} are there, {} were durable",
            track.durable
        );
        if (name, codec) == ("Ann", "pcm") {
            lost = sent.at.get(kept).map(|at| fell.saturating_duration_since(*at));
        }
    }
    if !playable.is_empty() {
        derived.push(recording["files"]["session"]["href"].as_str().unwrap().to_owned());
    }
    plays(&playable);
    Some(Found { id: id.to_owned(), derived, lost })
}

/// How many of a track's packets are kept. They are those that were sent, in order, with nothing but silence between them.
async fn kept(hub: &Hub, told: &Value, track: &Track, playable: &mut Vec<Vec<u8>>) -> usize {
    let mut sent = track.packets.iter().peekable();
    let (mut kept, mut frames) = (0, 0);
    for part in told["parts"].as_array().unwrap() {
        let file = hub.bytes(part["href"].as_str().unwrap()).await;
        assert_eq!(part["bytes"], file.len());
        let ticks = if track.codec == "pcm" {
            let (all, ticks) = samples(&file, told, track, frames);
            frames = all;
            kept = all / track.packets[0].len();
            ticks
        } else {
            let (packets, ticks) = opus(&file);
            for packet in packets {
                // What is as short as silence may be either.
                while packet.len() > 3 && sent.next_if(|sent| sent.len() <= 3).is_some() {
                    kept += 1;
                }
                if packet.len() > 3 {
                    assert!(sent.next() == Some(&packet.into()), "packet {kept} of {} is another", track.name);
                    kept += 1;
                }
            }
            ticks
        };
        let told = part["duration"].as_f64().unwrap();
        assert!((told - ticks as f64 / 48_000.0).abs() < 0.001, "{told} s are told, there are {ticks} ticks");
        if ticks > 0 {
            playable.push(file);
        }
    }
    while track.codec == "opus" && sent.next_if(|sent| sent.len() <= 3).is_some() {
        kept += 1;
    }
    kept
}

/// The packets of a part, which must be whole to its last page, and how long they are.
fn opus(file: &[u8]) -> (Vec<Vec<u8>>, u64) {
    let mut demuxer = Demuxer::new();
    demuxer.push(file);
    let (mut packets, mut ticks, mut end) = (Vec::new(), 0, None);
    while let Some(event) = demuxer.pull().unwrap() {
        match event {
            Event::Packet(packet) => {
                ticks += packet.duration.get();
                packets.push(packet.data.to_vec());
            }
            Event::End(granule) => end = granule,
            Event::Head(_) | Event::Tags(_) => {}
        }
    }
    assert_eq!((demuxer.end(), end), (Ok(file.len() as u64), Some(ticks)), "the last page says how long the part is");
    (packets, ticks)
}

/// How many bytes of what was sent there are at the end of a part, where there were `next` before it, and how long the part is. Between
/// the frames that were sent there is only silence.
fn samples(file: &[u8], told: &Value, track: &Track, mut next: usize) -> (usize, u64) {
    let number = |key: &str| u32::try_from(told[key].as_u64().unwrap()).unwrap();
    let sample: Sample = told["sample"].as_str().unwrap().parse().unwrap();
    let head = Head::new(sample, number("rate"), number("channels")).unwrap();
    let begin = header_for(head, 0).len();
    let data = &file[begin..];
    assert!(file[..begin] == header_for(head, data.len() as u64), "the header says how long the part is");
    let frame = head.frame_bytes();
    let sent = track.packets.concat();
    for (at, kept) in data.chunks(frame).enumerate() {
        if sent[next..].starts_with(kept) {
            next += frame;
        } else {
            assert!(kept.iter().all(|byte| *byte == 0), "frame {at} of {} is another", track.name);
        }
    }
    (next, head.ticks((data.len() / frame) as u64).get())
}

/// ffmpeg plays all of these, without a remark.
fn plays(files: &[Vec<u8>]) {
    if files.is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut arguments: Vec<String> = ["-v", "warning", "-xerror"].map(str::to_owned).to_vec();
    for (number, file) in files.iter().enumerate() {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, file).unwrap();
        arguments.extend(["-i".to_owned(), path.to_str().unwrap().to_owned()]);
    }
    for number in 0..files.len() {
        arguments.extend(["-map".to_owned(), format!("{number}:a")]);
    }
    arguments.extend(["-f", "null", "-"].map(str::to_owned));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    // What a WAV file does not say is no fault of it.
    let said = run("ffmpeg", &arguments).1;
    let remarks: Vec<_> = said.lines().filter(|line| !line.starts_with("Guessed Channel Layout")).collect();
    assert_eq!(remarks, Vec::<&str>::new(), "ffmpeg remarks");
}

/// A new session begins in the same room, is recorded, and ends.
async fn begins_anew(hub: &Hub, room: &str) {
    static ROOMS: AtomicUsize = AtomicUsize::new(0);
    let room = format!("{room}-anew-{}", ROOMS.fetch_add(1, Ordering::Relaxed));
    let (mut ann, _) = Client::v1(hub, &format!("/rooms/{room}/ws?name=Ann")).await;
    let format = json!({ "codec": "pcm", "sample": "s16le", "rate": 8_000, "channels": 1 });
    ann.say(json!({ "type": "publish", "track": 0, "source": "container", "format": format })).await;
    ann.send_container(0, &[1; 320 * 10]).await;
    while ann.notice_of("durable").await["next"] != 10 {}
    ann.leave().await;
    let recording = hub.ended(&room).await;
    assert_eq!(recording["end_reason"], "finished");
}
