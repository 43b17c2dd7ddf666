//! What must become of a sound that is published, whatever kind it is.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use roomtone::container::stream::{Event, Opening, demuxer};
use roomtone::media::codec::decoder;
use roomtone::media::source::Source;
use roomtone::media::time::Ticks;
use roomtone::media::track::Format;
use roomtone::media::{opus, pcm};
use roomtone::wire::packets::Message;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite;

use super::layouts::{LAYOUTS, assert_heard};
use crate::helpers::capture::assert_same;
use crate::helpers::judge::ogg_packets;
use crate::helpers::{Client, Hub};

/// A sound as it is published, and what it is.
pub struct Sound {
    /// Of the room, and in what a failure says.
    pub name: String,
    /// What its publisher adds to the query, from the `&` on.
    pub query: String,
    pub messages: Vec<Bytes>,
    /// What the hub says that it is.
    pub source: &'static str,
    pub kept: Kept,
    pub channels: u8,
    /// How long it sounds, in ticks.
    pub ticks: u64,
    /// How much that may be off: a packet of the source, in ticks.
    pub packet: u64,
}

/// What is kept of a sound.
#[derive(Clone)]
pub enum Kept {
    /// These packets.
    Opus(Vec<Bytes>),
    /// These samples.
    Pcm(Vec<u8>),
    /// Opus of the hub's making, as loud as this: root mean square, full scale being 1.
    Anew(f64),
}

/// How much earlier than in real time a sound is sent.
const EARLY: Duration = Duration::from_millis(1500);

/// A packet of ours, in ticks.
const OURS: u64 = 960;

impl Sound {
    /// A sound, told by the hub's own demuxer, which is judged elsewhere.
    pub fn read(name: &str, opening: Opening, query: &str, messages: Vec<Bytes>) -> Self {
        let mut demuxer = demuxer(opening);
        let (mut head, mut data, mut ticks, mut packet) = (None, Vec::new(), 0, 0);
        for last in [false, true] {
            if last {
                demuxer.finish();
            } else {
                messages.iter().for_each(|message| demuxer.push(message));
            }
            while let Some(event) = demuxer.pull().unwrap_or_else(|error| panic!("{name}: {error}")) {
                match event {
                    Event::Head(source) => head = Some(source),
                    Event::Packet(one) => {
                        ticks += one.duration.get();
                        packet = packet.max(one.duration.get());
                        data.push(one.data);
                    }
                    Event::Ignored(_) => {}
                }
            }
        }
        let head = head.unwrap_or_else(|| panic!("{name} has no head"));
        let (kept, channels) = match &head {
            Source::Opus(head) => (Kept::Opus(data), head.channels),
            Source::Pcm(head) => (Kept::Pcm(data.concat()), head.channels()),
            Source::Coded(coded) => (Kept::Anew(f64::NAN), coded.channels),
        };
        let source = head.codec().word();
        let (name, query) = (name.to_owned(), query.to_owned());
        Self { name, query, messages, source, kept, channels, ticks, packet }
    }

    fn is_pcm(&self) -> bool {
        matches!(self.kept, Kept::Pcm(_))
    }

    /// Fails where a length is not the sound's.
    pub fn assert_long(&self, ticks: u64, what: &str) {
        let off = ticks.abs_diff(self.ticks);
        assert!(off <= self.packet + OURS, "{}, {what}: {ticks} ticks, not {}", self.name, self.ticks);
    }

    /// Proves these sounds, some at a time: each is listened to in many ways, and nobody may fall behind for that.
    pub async fn prove_all(sounds: impl IntoIterator<Item = Self>, hub: &Hub) {
        stream::iter(sounds).for_each_concurrent(8, async |sound| drop(sound.prove(hub).await)).await;
    }

    /// Sends it in real time, but a second and a half too early: a machine that falters is not heard, and a hub does not have to skip
    /// what it cannot hand on as quickly as it came, which of WAV is much.
    pub async fn say(&self, speaker: &mut Client) {
        let bytes: usize = self.messages.iter().map(Bytes::len).sum();
        let length = Duration::from_micros(self.ticks * 1_000_000 / 48_000);
        let (begin, mut sent) = (Instant::now(), 0);
        for message in &self.messages {
            let due = length.mul_f64(sent as f64 / bytes as f64).saturating_sub(EARLY);
            if begin.elapsed() < due {
                sleep_until(begin + due).await;
            }
            speaker.send(message.clone()).await;
            sent += message.len();
        }
    }

    /// Publishes it, listens in every way meanwhile, and proves what became of it. Gives its recording.
    pub async fn prove(self, hub: &Hub) -> Value {
        let room = format!("/rooms/{}/ws", self.name);
        let mut plain = Vec::new();
        for layout in LAYOUTS {
            plain.push(listen_plain(Client::plain(hub, &format!("{room}?publish=false{layout}")).await));
        }
        let v1 = listen_v1(Client::v1(hub, &format!("{room}?publish=false")).await.0);
        let kept = listen_v1(Client::v1(hub, &format!("{room}?publish=false&pcm=yes")).await.0);
        let mut speaker = Client::plain(hub, &format!("{room}?name=Ann{}", self.query)).await;
        self.say(&mut speaker).await;
        speaker.close().await;
        let recording = hub.ended(&self.name).await;
        let mut last = Client::plain(hub, &room).await;
        last.say(OVER).await;
        let (v1, kept) = (v1.await.unwrap(), kept.await.unwrap());
        let plain: Vec<Vec<Bytes>> = join_all(plain).await.into_iter().map(Result::unwrap).collect();
        let [track] = &recording["tracks"].as_array().unwrap()[..] else { panic!("one track: {recording:#}") };
        self.was_recorded(hub, track).await;
        let gaps = gaps(track);
        // To decode takes its time, and those who are heard beside it go on being heard.
        let judged = tokio::task::spawn_blocking(move || {
            assert_eq!((v1.len(), kept.len()), (1, 1), "{}", self.name);
            self.was_heard(&v1[0]);
            self.was_heard_as_kept(&kept[0]);
            for (layout, messages) in LAYOUTS.into_iter().zip(plain) {
                assert_heard(&self.name, layout, &messages, &v1, &gaps);
            }
        });
        judged.await.unwrap();
        recording
    }

    /// What one who listens by `roomtone.v1` got of it.
    pub fn was_heard(&self, track: &Heard) {
        assert_eq!(track.told["format"]["codec"], "opus", "{}: {}", self.name, track.told);
        assert_eq!(track.told["source"], self.source, "{}: {}", self.name, track.told);
        assert_eq!(track.told["pcm"].is_object(), self.is_pcm(), "{}: {}", self.name, track.told);
        self.assert_long(track.packets.iter().map(|packet| opus::duration(packet).unwrap().get()).sum(), "heard");
        let loudness = match &self.kept {
            Kept::Opus(sent) => return assert_same(&track.packets, sent),
            Kept::Pcm(samples) => loudness(&Format::Pcm(head(&track.told["pcm"])), std::slice::from_ref(samples)),
            Kept::Anew(loudness) => *loudness,
        };
        let heard = self::loudness(&Format::Opus(track.head()), &track.packets);
        let off = 20.0 * (heard / loudness).log10();
        // Not a number where nothing is known of the loudness: then it must be heard at all.
        assert!(off.is_nan() && heard > 0.001 || off.abs() < 1.0, "{}: {heard} of {loudness}", self.name);
    }

    /// What one got of it who asked for samples.
    pub fn was_heard_as_kept(&self, track: &Heard) {
        match &self.kept {
            Kept::Opus(sent) => assert_same(&track.packets, sent),
            Kept::Pcm(samples) => assert!(track.packets.concat() == *samples, "{}: other samples", self.name),
            Kept::Anew(_) => self.was_heard(track),
        }
    }

    /// What the recording has of it.
    pub async fn was_recorded(&self, hub: &Hub, track: &Value) {
        let name = &self.name;
        assert_eq!(track["source"], self.source, "{name}: {track:#}");
        let seconds = |value: &Value| (value.as_f64().unwrap() * 48_000.0).round();
        let gaps: f64 = track["gaps"].as_array().unwrap().iter().map(|gap| seconds(&gap["duration"])).sum();
        let told = seconds(&track["duration"]) - gaps;
        let off = (told - self.ticks as f64).abs();
        assert!(off <= (self.packet + OURS) as f64, "{name}: {told} ticks recorded, not {}", self.ticks);
        match &self.kept {
            Kept::Pcm(samples) => {
                let file = hub.bytes(track["files"]["wav"].as_str().unwrap()).await;
                assert_eq!(gaps, 0.0, "{name}: {track:#}");
                assert!(self::samples(name, &file) == *samples, "{name}: the WAV has other samples");
            }
            Kept::Opus(sent) => {
                let file = hub.bytes(track["files"]["ogg"].as_str().unwrap()).await;
                let mut kept = ogg_packets(&file);
                if gaps > 0.0 {
                    kept.retain(|packet| sent.iter().any(|one| one == packet));
                }
                assert!(kept == *sent, "{name}: {} packets of {}", kept.len(), sent.len());
            }
            Kept::Anew(_) => {
                let file = hub.bytes(track["files"]["ogg"].as_str().unwrap()).await;
                let packets = ogg_packets(&file);
                self.assert_long(packets.iter().map(|packet| opus::duration(packet).unwrap().get()).sum(), "recorded");
            }
        }
    }
}

/// The last word in a room: what comes before it has come.
pub const OVER: &str = "that was all";

/// Where a track's gaps lie from its beginning on, and their lengths, in ticks.
fn gaps(track: &Value) -> Vec<(u64, u64)> {
    // Seconds are told as they are, and the nearest tick is meant.
    let seconds = |value: &Value| Duration::from_secs_f64(value.as_f64().unwrap() + 0.5 / 48_000.0);
    let ticks = |value: &Value| Ticks::from_duration(seconds(value)).get();
    let gap = |gap: &Value| (ticks(&gap["at"]) - ticks(&track["start"]), ticks(&gap["duration"]));
    track["gaps"].as_array().unwrap().iter().map(gap).collect()
}

/// Everything plain until the last word.
pub fn listen_plain(mut client: Client) -> JoinHandle<Vec<Bytes>> {
    tokio::spawn(async move {
        let mut messages = Vec::new();
        loop {
            match client.next_without_patience().await.unwrap() {
                tungstenite::Message::Binary(message) => messages.push(message),
                _ => return messages,
            }
        }
    })
}

/// What was heard of a track, as long as it was of one format.
pub struct Heard {
    /// The notice.
    pub told: Value,
    /// Its packets.
    pub packets: Vec<Bytes>,
}

impl Heard {
    /// The Opus that is heard.
    pub fn head(&self) -> opus::Head {
        let channels = u8::try_from(self.told["format"]["channels"].as_u64().unwrap()).unwrap();
        opus::Head { channels, pre_skip: 0, input_rate: 0, output_gain: 0 }
    }
}

/// The tracks in the order in which they came, until the last word. One that goes on in another format is there again.
pub fn listen_v1(mut client: Client) -> JoinHandle<Vec<Heard>> {
    tokio::spawn(async move {
        let mut tracks: Vec<Heard> = Vec::new();
        // The number of the next packet of each that is live.
        let mut live: HashMap<u64, u64> = HashMap::new();
        loop {
            match client.next_without_patience().await.unwrap() {
                tungstenite::Message::Binary(bytes) => {
                    let Message::Packets { track, first, packets, .. } = roomtone::wire::packets::read(&bytes).unwrap()
                    else {
                        panic!("downwards there are only packets")
                    };
                    let next = live.get_mut(&u64::from(track)).unwrap();
                    assert_eq!(first.get(), *next, "nothing was skipped");
                    *next += packets.len() as u64;
                    // The newest of this number: it is given again once a track has ended.
                    let of = tracks.iter_mut().rev().find(|heard| heard.told["track"] == track).unwrap();
                    of.packets.extend(packets);
                }
                tungstenite::Message::Text(text) => {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    match told["type"].as_str().unwrap() {
                        "track" => {
                            live.entry(told["track"].as_u64().unwrap()).or_default();
                            tracks.push(Heard { told, packets: Vec::new() });
                        }
                        "track_ended" => drop(live.remove(&told["track"].as_u64().unwrap())),
                        "chat" if told["text"] == OVER => return tracks,
                        "lag" => panic!("{told}"),
                        _ => {}
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    })
}

/// A PCM head, as a notice tells it.
fn head(told: &Value) -> pcm::Head {
    serde_json::from_value(told.clone()).unwrap()
}

/// How loud packets are: root mean square, full scale being 1.
pub fn loudness(format: &Format, packets: &[impl AsRef<[u8]>]) -> f64 {
    let mut decoder = decoder(format).unwrap();
    let (mut sum, mut count) = (0.0, 0);
    for packet in packets {
        let mut rest = packet.as_ref();
        // Samples of any length are decoded a packet at a time.
        let most = if let Format::Pcm(head) = format { head.frame_bytes() * block(*head) } else { usize::MAX };
        while !rest.is_empty() {
            let (next, after) = rest.split_at(most.min(rest.len()));
            let sound = decoder.decode(next).unwrap();
            sum += sound.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>();
            count += sound.len();
            rest = after;
        }
    }
    (sum / count as f64).sqrt()
}

/// Frames of 20 ms.
fn block(head: pcm::Head) -> usize {
    usize::try_from(head.frames(Ticks::from_millis(20))).unwrap()
}

/// The samples of a WAV file.
pub fn samples(name: &str, file: &[u8]) -> Vec<u8> {
    let sound = Sound::read(
        name,
        Opening::Sniffed(roomtone::container::sniff::Kind::Wav),
        "",
        vec![Bytes::copy_from_slice(file)],
    );
    match sound.kept {
        Kept::Pcm(samples) => samples,
        _ => panic!("{name}: a WAV holds samples"),
    }
}
