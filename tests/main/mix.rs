//! One sound out of several speakers, through the running hub.

use std::f64::consts::TAU;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use roomtone::container::webm;
use roomtone::media::codec;
use roomtone::media::opus::Head;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::time::Ticks;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::helpers::ear::{Ear, level};
use crate::helpers::judge::{decode_bytes, probe};
use crate::helpers::{Client, Hub};

const HEAD: Head = Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 };
/// What a speaker sends in one message, and how often.
const PACKETS: u64 = 5;
const MESSAGE: Duration = Duration::from_millis(100);

/// A plain client that says a tone.
struct Speaker {
    client: Client,
    encoder: Box<dyn codec::Encoder>,
    hertz: f64,
    said: u64,
}

impl Speaker {
    async fn join(hub: &Hub, hertz: f64) -> Self {
        let client = Client::plain(hub, "/rooms/talk/ws?name=speaker").await;
        Self { client, encoder: codec::encoder(1, codec::MONO_BITS).unwrap(), hertz, said: 0 }
    }

    fn packet(&mut self) -> Packet {
        let first = self.said * 960;
        #[expect(clippy::cast_possible_truncation, reason = "a sample of at most 1")]
        let sample = |tick: u64| (0.25 * (tick as f64 * self.hertz / 48_000.0 * TAU).sin()) as f32;
        let data = self.encoder.encode(&(first..first + 960).map(sample).collect::<Vec<_>>()).unwrap();
        let (sequence, duration) = (Sequence::new(self.said), Ticks::from_millis(20));
        self.said += 1;
        Packet { sequence, time: Ticks::new(first), duration, data, heard: None }
    }

    /// Says the next message: a Cluster, and the head before the first.
    async fn say(&mut self) {
        let first = self.said == 0;
        let packets: Vec<Packet> = (0..PACKETS).map(|_| self.packet()).collect();
        let file = webm::mux::continuing(HEAD, &packets);
        let cluster = file.windows(4).position(|bytes| bytes == [0x1F, 0x43, 0xB6, 0x75]).unwrap();
        self.client.send(file[if first { 0 } else { cluster }..].to_vec()).await;
    }
}

/// What one who joins at an address hears, until the connection is over.
async fn listen(mut client: Client) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while let Ok(message) = client.next_without_patience().await {
        if let Message::Binary(bytes) = message {
            messages.push(bytes);
        }
    }
    messages
}

/// The first messages that one hears.
async fn listen_to(mut client: Client, messages: usize) -> Vec<Bytes> {
    let mut heard = Vec::new();
    while heard.len() < messages {
        heard.push(client.binary().await);
    }
    heard
}

/// Stops the hub when everything is said: with it end the connections.
async fn stop(hub: Hub) {
    hub.ended("talk").await;
    hub.signal("TERM");
    tokio::task::spawn_blocking(move || drop(hub.stop_is_awaited())).await.unwrap();
}

/// The greatest bend between three samples. A step of the sound is one of its own size; tones of these levels bend by less
/// than 0.004, and what coding leaves beside them by a little more.
fn bend(sound: &[f32]) -> f32 {
    sound.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).fold(0.0, f32::max)
}

/// The levels of some tones in each tenth of a second.
fn levels(sound: &[f32], tones: &[f64]) -> Vec<Vec<f64>> {
    sound.chunks_exact(4800).map(|part| tones.iter().map(|tone| level(part, *tone)).collect()).collect()
}

fn is_there(level: f64) -> bool {
    (0.23..0.27).contains(&level)
}

/// How many messages the first speaker says, and beside which of them the second one speaks.
const MESSAGES: usize = 45;
const OTHERS: Range<usize> = 12..26;
/// What queries ask for each layout.
const LAYOUTS: [&str; 4] = ["", "&preroll=0", "&as=ogg", "&as=wav"];

/// Looks whether a listener heard both speakers as one sound, at their own levels, without a click.
fn is_of_two(path: &str, messages: &[Bytes]) {
    let mut ear = Ear::new(path.is_empty());
    let sound: Vec<f32> = messages.iter().flat_map(|message| ear.hear_left(message)).collect();
    let parts = levels(&sound, &[400.0, 600.0]);
    let bend = bend(&sound[960..sound.len() - 2000]);
    println!("{path}: {} messages, {} parts, bend {bend}", messages.len(), parts.len());
    let whole = sound.len() as f64 / 48_000.0;
    assert!((whole - 4.5).abs() < 0.1, "{path}: {whole} s");
    // Its first and its last tenth begin and end somewhere.
    let ann = parts[1..parts.len() - 1].iter().all(|part| is_there(part[0]));
    assert!(ann, "{path}: {parts:?}");
    let both = parts.iter().filter(|part| is_there(part[1])).count();
    assert!((10..=14).contains(&both), "{path}: {both} tenths of the second tone");
    let neither = parts.iter().filter(|part| part[1] < 0.01).count();
    assert!(neither + both + 3 >= parts.len(), "{path}: {parts:?}");
    assert!(bend < 0.02, "{path}");
}

#[tokio::test]
async fn two_speakers_are_one_sound_in_every_layout_and_nothing_clicks() {
    let hub = Hub::start();
    let mut listeners = Vec::new();
    for path in LAYOUTS {
        let client = Client::plain(&hub, &format!("/rooms/talk/ws?publish=false{path}")).await;
        listeners.push((path, tokio::spawn(listen(client))));
    }
    let mut ann = Speaker::join(&hub, 400.0).await;
    let mut ben = Some(Speaker::join(&hub, 600.0).await);
    let mut time = tokio::time::interval(MESSAGE);
    let mut late = Vec::new();
    for message in 0..MESSAGES {
        time.tick().await;
        ann.say().await;
        if OTHERS.contains(&message) {
            ben.as_mut().unwrap().say().await;
        }
        if message == 20 {
            for path in LAYOUTS {
                let client = Client::plain(&hub, &format!("/rooms/talk/ws?publish=false{path}")).await;
                late.push((path, tokio::spawn(listen(client))));
            }
        }
        if message == OTHERS.end {
            ben.take().unwrap().client.close().await;
        }
    }
    ann.client.close().await;
    stop(hub).await;
    for (path, listener) in listeners {
        is_of_two(path, &listener.await.unwrap());
    }
    for (path, listener) in late {
        let first = listener.await.unwrap().swap_remove(0);
        if path != "&as=wav" {
            assert_eq!(probe(&first).0, "opus");
        }
        let left: Vec<f32> = if path == "&as=wav" {
            Ear::new(true).hear_left(&first)
        } else {
            decode_bytes(&first).iter().step_by(2).map(|sample| f32::from(*sample) / 32_768.0).collect()
        };
        assert_eq!(left.len(), 11_520, "{path}");
        let (one, other) = (level(&left[4800..9600], 400.0), level(&left[4800..9600], 600.0));
        assert!(is_there(one) && is_there(other), "{path}: {one} {other}");
    }
}

#[tokio::test]
async fn a_replay_is_one_sound_in_every_layout_and_so_it_is_after_a_seek() {
    let hub = Hub::start();
    let mut ann = Speaker::join(&hub, 400.0).await;
    let mut ben = Speaker::join(&hub, 600.0).await;
    let mut time = tokio::time::interval(MESSAGE);
    for message in 0..MESSAGES {
        time.tick().await;
        ann.say().await;
        if OTHERS.contains(&message) {
            ben.say().await;
        }
        if message == OTHERS.end {
            ben.client.vanish();
            ben = Speaker::join(&hub, 600.0).await;
        }
    }
    ann.client.close().await;
    ben.client.close().await;
    let recording = hub.ended("talk").await;
    let address = format!("/recordings/{}/ws?", recording["id"].as_str().unwrap());
    let mut listeners = Vec::new();
    for path in LAYOUTS {
        let client = Client::plain(&hub, &format!("{address}{path}")).await;
        listeners.push((path, tokio::spawn(to_the_end(client))));
    }
    for (path, listener) in listeners {
        is_of_two(path, &listener.await.unwrap());
    }
    // From within the second's part on, both are heard from the first message on.
    let mut client = Client::plain(&hub, &format!("{address}as=wav&from=1.9")).await;
    assert_eq!(replay_says(&client.text().await), "playing");
    let first = client.binary().await;
    let left = Ear::new(true).hear_left(&first);
    assert!([400.0, 600.0].iter().all(|tone| is_there(level(&left[4800..9600], *tone))));
    client.say(r#"{"type":"seek","at":3.5}"#).await;
    while !matches!(client.next().await.unwrap(), Message::Text(text) if replay_says(&text) == "playing") {}
    let heard = to_the_end(client).await;
    let sound: Vec<f32> = heard.iter().flat_map(|message| Ear::new(true).hear_left(message)).collect();
    assert!((sound.len() as f64 / 48_000.0 - 1.0).abs() < 0.1, "{}", sound.len());
    let parts = levels(&sound, &[400.0, 600.0]);
    assert!(parts[1..parts.len() - 1].iter().all(|part| is_there(part[0]) && part[1] < 0.01), "{parts:?}");
}

/// What a replay says of itself.
fn replay_says(text: &str) -> String {
    let said: Value = serde_json::from_str(text).unwrap();
    said["state"].as_str().unwrap_or_default().to_owned()
}

/// All sound of a replay, to its end.
async fn to_the_end(mut client: Client) -> Vec<Bytes> {
    let mut messages = Vec::new();
    loop {
        match client.next().await.unwrap() {
            Message::Binary(bytes) => messages.push(bytes),
            Message::Text(text) if replay_says(&text) == "ended" => return messages,
            _ => {}
        }
    }
}

#[tokio::test]
async fn three_speakers_each_hear_the_two_others_and_one_who_listens_hears_all() {
    let hub = Hub::start();
    const TONES: [f64; 3] = [400.0, 600.0, 1000.0];
    let all = tokio::spawn(listen_to(Client::plain(&hub, "/rooms/talk/ws?publish=false").await, 8));
    let mut speakers = Vec::new();
    for hertz in TONES {
        speakers.push(Speaker::join(&hub, hertz).await);
    }
    let mut time = tokio::time::interval(MESSAGE);
    for _ in 0..25 {
        time.tick().await;
        for speaker in &mut speakers {
            speaker.say().await;
        }
    }
    let heard = |messages: Vec<Bytes>| {
        let mut ear = Ear::new(true);
        let sound: Vec<f32> = messages.iter().flat_map(|message| ear.hear_left(message)).collect();
        let parts = levels(&sound, &TONES);
        parts[5..parts.len().min(20)].to_vec()
    };
    let listeners: Vec<_> = speakers.into_iter().map(|speaker| tokio::spawn(listen_to(speaker.client, 8))).collect();
    for (own, listener) in listeners.into_iter().enumerate() {
        let parts = heard(listener.await.unwrap());
        assert!(parts.len() >= 10);
        for part in parts {
            for (tone, level) in part.iter().enumerate() {
                assert!(if tone == own { *level < 0.01 } else { is_there(*level) }, "{own}: {part:?}");
            }
        }
    }
    let parts = heard(all.await.unwrap());
    assert!(parts.iter().flatten().all(|level| is_there(*level)), "{parts:?}");
}
