//! A session of several tracks during which the hub may fall at any moment: what was sent, and how much of it must be there
//! afterwards.
//!
//! Ann publishes Opus and samples by `roomtone.v1`, and is told what is durable. Ben and Cem publish by the plain protocol, and are
//! told nothing. But Ann hears them: what she had heard before she sent a packet that turned out durable was in the recorder's
//! hands before that packet, and a round makes durable all that came before it. So nothing here is measured by a clock.
//!
//! In the middle Cem and one of Ann's tracks are silent for more than a second: his was a stall, hers a pause, and while that is
//! open there are spools.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use roomtone::media::packet::Sequence;
use roomtone::media::time::Ticks;
use roomtone::wire::packets::{self, Flags};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::helpers::capture::data;
use crate::helpers::{Capture, Client, Hub};

/// How often Ann speaks, and how many packets of 20 ms she sends each time on each track.
const TURN: Duration = Duration::from_millis(60);
const PACKETS: usize = 3;
const TURNS: usize = 54;
/// The turns in which Ann's Opus and Cem are silent.
const SILENCE: std::ops::Range<usize> = 10..30;
/// How long a session takes, about.
pub const LENGTH: Duration = Duration::from_millis(54 * 60);
/// A moment in it at which there are spools, if the hub keeps up.
pub const SPOOLS: Duration = Duration::from_millis(36 * 60);

/// Bytes of 20 ms: Ann's are 16 bits, mono; Cem's 24 bits, stereo; both at 48 kHz.
const ANN: usize = 960 * 2;
const CEM: usize = 960 * 6;

/// The tracks, as they stand in [`Sent`].
const ANN_OPUS: usize = 0;
const ANN_PCM: usize = 1;
const BEN: usize = 2;
const CEM_PCM: usize = 3;

/// What was sent of a track, and what must be there of it.
pub struct Track {
    pub name: &'static str,
    pub codec: &'static str,
    /// Packets or blocks of 20 ms, as they are to be kept; more than were sent.
    pub packets: &'static [Bytes],
    /// So many of them must be there.
    pub durable: usize,
}

/// What was sent in a session.
pub struct Sent {
    pub tracks: [Track; 4],
    /// When Ann sent each block of her samples.
    pub at: Vec<Instant>,
    /// Whether everybody said goodbye.
    pub ended: bool,
}

/// What is sent: the same in each session.
struct Material {
    opus: Vec<Bytes>,
    ann: Vec<Bytes>,
    ben: Vec<Bytes>,
    messages: Vec<(Duration, Bytes)>,
    cem: Vec<Bytes>,
}

fn material() -> &'static Material {
    static MATERIAL: OnceLock<Material> = OnceLock::new();
    MATERIAL.get_or_init(|| {
        let capture = Capture::new("firefox-webm-opus");
        let blocks = TURNS * PACKETS;
        Material {
            opus: data(&Capture::new("firefox-webm-opus-ctx44100").packets()),
            ann: samples(1, ANN, blocks),
            ben: data(&capture.packets()),
            messages: capture.timed(),
            cem: samples(2, CEM, blocks),
        }
    })
}

/// Blocks of which no two are alike, without a sample of silence.
fn samples(seed: u64, bytes: usize, blocks: usize) -> Vec<Bytes> {
    let noise =
        (seed << 32..).flat_map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 0x0101_0101_0101_0101).to_le_bytes());
    let all: Bytes = noise.take(bytes * blocks).collect();
    (0..blocks).map(|block| all.slice(block * bytes..(block + 1) * bytes)).collect()
}

/// Goes through a session as far as the hub lives; `ending` is called when all of Ann's sound is durable, before she ends her tracks.
pub async fn session(hub: &Hub, room: &str, ending: impl FnOnce()) -> Sent {
    let (ann, (), ()) = tokio::join!(ann(hub, room, ending), ben(hub, room), cem(hub, room));
    let Material { opus, ann: samples, ben, cem, .. } = material();
    let all: [(_, _, &'static [Bytes]); 4] =
        [("Ann", "opus", opus), ("Ann", "pcm", samples), ("Ben", "opus", ben), ("Cem", "pcm", cem)];
    let mut durable = ann.durable.iter();
    let tracks = all.map(|(name, codec, packets)| {
        let durable = *durable.next().expect("as many");
        Track { name, codec, packets, durable }
    });
    Sent { tracks, at: ann.at, ended: ann.ended }
}

/// What Ann was told and has heard.
#[derive(Default)]
struct Ann {
    /// How many packets she sent on each of her tracks.
    sent: [usize; 2],
    at: Vec<Instant>,
    /// Her own ID, and whose each track is that she hears.
    id: Value,
    theirs: HashMap<u16, usize>,
    /// How many packets she has heard of Ben and Cem.
    heard: [usize; 2],
    /// After each of her turns: how many samples she had sent, and what she had heard before.
    turns: Vec<(usize, [usize; 2])>,
    durable: [usize; 4],
    ended: bool,
}

async fn ann(hub: &Hub, room: &str, ending: impl FnOnce()) -> Ann {
    let mut ann = Ann::default();
    let path = format!("/rooms/{room}/ws?name=Ann&pcm=yes");
    // The hub may be gone at any time, and what was told by then is what counts.
    let _ = ann.speak(hub, &path, ending).await;
    ann
}

impl Ann {
    async fn speak(&mut self, hub: &Hub, path: &str, ending: impl FnOnce()) -> Result<(), tungstenite::Error> {
        let mut client = Client::open(hub, path, Some("roomtone.v1")).await?;
        let opus = json!({ "codec": "opus", "channels": 1, "pre_skip": 312, "input_rate": 48_000 });
        let pcm = json!({ "codec": "pcm", "sample": "s16le", "rate": 48_000, "channels": 1 });
        for (track, format) in [(ANN_OPUS, opus), (ANN_PCM, pcm)] {
            client.try_say(json!({ "type": "publish", "track": track, "source": "packets", "format": format })).await?;
        }
        let mut clock = tokio::time::interval(TURN);
        let mut turn = 0;
        while turn < TURNS || self.durable[..2] != self.sent {
            tokio::select! {
                _ = clock.tick(), if turn < TURNS => {
                    if !SILENCE.contains(&turn) {
                        self.send(&mut client, ANN_OPUS, &material().opus).await?;
                    }
                    let heard = self.heard;
                    self.send(&mut client, ANN_PCM, &material().ann).await?;
                    self.turns.push((self.sent[ANN_PCM], heard));
                    turn += 1;
                }
                message = client.next_without_patience() => match message {
                    Ok(message) => self.hear(&message),
                    Err(_) => return Ok(()),
                },
            }
        }
        ending();
        self.ended = true;
        for track in [ANN_OPUS, ANN_PCM] {
            client.try_say(json!({ "type": "unpublish", "track": track })).await?;
        }
        client.leave().await;
        Ok(())
    }

    async fn send(&mut self, client: &mut Client, track: usize, all: &[Bytes]) -> Result<(), tungstenite::Error> {
        let first = self.sent[track];
        let packets = &all[first..first + PACKETS];
        let mut message = BytesMut::new();
        let (number, time) = (Sequence::new(first as u64), Ticks::new(first as u64 * 960));
        let packets = packets.iter().map(|packet| &packet[..]);
        packets::write(&mut message, u16::try_from(track).unwrap(), Flags::default(), number, time, packets);
        if track == ANN_PCM {
            self.at.extend([Instant::now(); PACKETS]);
        }
        self.sent[track] += PACKETS;
        client.try_send(message.freeze()).await
    }

    fn hear(&mut self, message: &Message) {
        match message {
            Message::Binary(bytes) => {
                let packets::Message::Packets { track, first, packets, .. } = packets::read(bytes).unwrap() else {
                    panic!("downwards there are only packets")
                };
                if let Some(&of) = self.theirs.get(&track) {
                    self.heard[of - BEN] = usize::try_from(first.get()).unwrap() + packets.len();
                }
            }
            Message::Text(text) => {
                let notice: Value = serde_json::from_str(text).unwrap();
                match notice["type"].as_str().unwrap() {
                    "welcome" => {
                        self.id = notice["participant"]["id"].clone();
                        notice["tracks"].as_array().unwrap().iter().for_each(|track| self.meet(track));
                    }
                    "track" => self.meet(&notice),
                    "durable" => self.durable(&notice),
                    _ => {}
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn meet(&mut self, track: &Value) {
        if track["participant"] != self.id {
            let number = u16::try_from(track["track"].as_u64().unwrap()).unwrap();
            self.theirs.insert(number, if track["pcm"].is_object() { CEM_PCM } else { BEN });
        }
    }

    fn durable(&mut self, notice: &Value) {
        let number = |key: &str| usize::try_from(notice[key].as_u64().unwrap()).unwrap();
        let (track, next) = (number("track"), number("next"));
        self.durable[track] = next;
        if track == ANN_PCM
            && let Some((_, heard)) = self.turns.iter().rev().find(|(sent, _)| *sent <= next)
        {
            self.durable[BEN..].copy_from_slice(heard);
        }
    }
}

/// Joins by the plain protocol, if the hub is still there.
async fn join(hub: &Hub, path: &str) -> Option<Client> {
    match Client::open(hub, path, None).await {
        Err(tungstenite::Error::Http(refused)) => panic!("{path} is refused: {refused:?}"),
        joined => joined.ok(),
    }
}

/// Sends what Firefox sent, when it did.
async fn ben(hub: &Hub, room: &str) {
    let Some(mut ben) = join(hub, &format!("/rooms/{room}/ws?name=Ben&preroll=0&mix=no")).await else { return };
    let start = tokio::time::Instant::now();
    for (at, message) in material().messages.iter().take_while(|(at, _)| *at <= LENGTH) {
        tokio::time::sleep_until(start + *at).await;
        if ben.try_send(message.clone()).await.is_err() {
            return;
        }
    }
    ben.leave().await;
}

/// Sends samples as any program would; what was held back during the silence comes in two bursts.
async fn cem(hub: &Hub, room: &str) {
    let path = format!("/rooms/{room}/ws?name=Cem&format=s24le&rate=48000&channels=2&preroll=0&mix=no");
    let Some(mut cem) = join(hub, &path).await else { return };
    let mut clock = tokio::time::interval(TURN);
    let mut sent = 0;
    for turn in 0..TURNS {
        clock.tick().await;
        let until = match turn {
            _ if SILENCE.contains(&turn) => sent,
            _ if turn < SILENCE.end + 8 => sent + PACKETS + if turn == SILENCE.end { SILENCE.len() } else { 0 },
            _ => (turn + 1) * PACKETS,
        };
        if until > sent && cem.try_send(material().cem[sent..until].concat()).await.is_err() {
            return;
        }
        sent = until;
    }
    cem.leave().await;
}
