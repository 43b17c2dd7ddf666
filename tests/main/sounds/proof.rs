//! What must become of a sound that is published, whatever kind it is.

use bytes::Bytes;
use roomtone::container::stream::{Event, Opening, demuxer};
use roomtone::media::codec::decoder;
use roomtone::media::source::Source;
use roomtone::media::time::Ticks;
use roomtone::media::track::Format;
use roomtone::media::{opus, pcm};
use roomtone::wire::packets::Message;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite;

use crate::helpers::capture::{assert_same, heard};
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

    /// Publishes it at once, listens in every way meanwhile, and proves what became of it.
    pub async fn prove(self, hub: &Hub) {
        let room = format!("/rooms/{}/ws", self.name);
        let plain = listen_plain(Client::plain(hub, &format!("{room}?publish=false")).await);
        let v1 = listen_v1(Client::v1(hub, &format!("{room}?publish=false")).await.0);
        let kept = listen_v1(Client::v1(hub, &format!("{room}?publish=false&pcm=yes")).await.0);
        let mut speaker = Client::plain(hub, &format!("{room}?name=Ann{}", self.query)).await;
        for message in &self.messages {
            speaker.send(message.clone()).await;
        }
        speaker.close().await;
        let recording = hub.ended(&self.name).await;
        let mut last = Client::plain(hub, &room).await;
        last.say(OVER).await;
        self.was_heard_plainly(&plain.await.unwrap());
        let v1 = v1.await.unwrap();
        assert_eq!(v1.len(), 1, "{}", self.name);
        self.was_heard(&v1[0]);
        let kept = kept.await.unwrap();
        self.was_heard_as_kept(&kept[0]);
        let [track] = &recording["tracks"].as_array().unwrap()[..] else { panic!("one track: {recording:#}") };
        self.was_recorded(hub, track).await;
    }

    fn was_heard_plainly(&self, messages: &[Bytes]) {
        let mut all: Vec<Bytes> = messages.iter().flat_map(|message| heard(message)).collect();
        if let Kept::Opus(sent) = &self.kept {
            // A lone packet before a gap or at the end has silence for company.
            all.retain(|packet| sent.contains(packet));
            assert_same(&all, sent);
        }
        self.assert_long(all.iter().map(|packet| opus::duration(packet).unwrap().get()).sum(), "heard plainly");
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
        let head = opus::Head { channels: self.channels, pre_skip: 0, input_rate: 0, output_gain: 0 };
        let heard = self::loudness(&Format::Opus(head), &track.packets);
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

/// Everything plain until the last word.
fn listen_plain(mut client: Client) -> JoinHandle<Vec<Bytes>> {
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

/// What was heard of a track.
pub struct Heard {
    /// The notice.
    pub told: Value,
    /// Its packets.
    pub packets: Vec<Bytes>,
}

/// The tracks in the order in which they came, until the last word.
pub fn listen_v1(mut client: Client) -> JoinHandle<Vec<Heard>> {
    tokio::spawn(async move {
        let mut tracks: Vec<(u64, Heard)> = Vec::new();
        loop {
            match client.next_without_patience().await.unwrap() {
                tungstenite::Message::Binary(bytes) => {
                    let Message::Packets { track, first, packets, .. } = roomtone::wire::packets::read(&bytes).unwrap()
                    else {
                        panic!("downwards there are only packets")
                    };
                    // The newest of this number: it is given again once a track has ended.
                    let of = tracks.iter_mut().rev().find(|(number, _)| *number == u64::from(track)).unwrap();
                    assert_eq!(first.get(), of.1.packets.len() as u64, "nothing was skipped");
                    of.1.packets.extend(packets);
                }
                tungstenite::Message::Text(text) => {
                    let told: Value = serde_json::from_str(&text).unwrap();
                    match told["type"].as_str().unwrap() {
                        "track" => {
                            tracks.push((told["track"].as_u64().unwrap(), Heard { told, packets: Vec::new() }));
                        }
                        "chat" if told["text"] == OVER => {
                            return tracks.into_iter().map(|(_, heard)| heard).collect();
                        }
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
fn samples(name: &str, file: &[u8]) -> Vec<u8> {
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
