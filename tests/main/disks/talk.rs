//! One who talks without end and one who listens: what each of them was told, and when.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use roomtone::media::packet::Sequence;
use roomtone::media::time::Ticks;
use roomtone::wire::packets::{self, Flags, Message};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

use crate::helpers::hub::PATIENCE;
use crate::helpers::{Client, Hub};

const PACKET: Duration = Duration::from_millis(20);

/// What has happened so far.
#[derive(Default)]
pub struct Seen {
    /// When each packet was sent.
    sent: Vec<Instant>,
    /// When each was heard; none is left out.
    heard: Vec<Instant>,
    /// The packets that were said to be durable.
    pub durable: BTreeSet<u64>,
    /// Whether what is said is recorded, and why not, as the listener was told.
    pub healths: Vec<(Instant, bool, String)>,
    /// The recordings, as the listener was told.
    pub recordings: Vec<String>,
}

impl Seen {
    /// How long packets took that were sent in this time, the quickest first.
    pub fn delays(&self, from: Instant, until: Instant) -> Vec<Duration> {
        let sent = self.sent.iter().zip(&self.heard).filter(|(sent, _)| **sent >= from && **sent < until);
        let mut delays: Vec<_> = sent.map(|(sent, heard)| *heard - *sent).collect();
        delays.sort();
        delays
    }

    /// How many packets were sent.
    pub fn count(&self) -> usize {
        self.sent.len()
    }
}

/// Says how long packets took: half of them, all but a hundredth, the last.
pub fn tell(what: &str, delays: &[Duration]) {
    let at = |part: usize| delays[(delays.len() - 1) * part / 100];
    eprintln!("{what}: {} packets; p50 {:?}, p99 {:?}, the last {:?}", delays.len(), at(50), at(99), at(100));
}

pub struct Talk {
    seen: Arc<Mutex<Seen>>,
    enough: CancellationToken,
    talking: JoinHandle<()>,
    listening: JoinHandle<()>,
}

impl Talk {
    /// Ann begins to talk in the room `talk`, and another to listen.
    pub async fn begin(hub: &Hub) -> Self {
        let (mut listener, _) = Client::v1(hub, "/rooms/talk/ws?publish=false").await;
        let (mut speaker, _) = Client::v1(hub, "/rooms/talk/ws?name=Ann").await;
        let opus = json!({ "codec": "opus", "channels": 1 });
        speaker.say(json!({ "type": "publish", "track": 0, "source": "packets", "format": opus })).await;
        let (seen, enough) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new());
        let (shared, ended) = (Arc::clone(&seen), enough.clone());
        let talking = tokio::spawn(async move { talk(speaker, &shared, &ended).await });
        let shared = Arc::clone(&seen);
        let listening = tokio::spawn(async move {
            while let Ok(message) = listener.next().await {
                hear(&message, &mut shared.lock().unwrap());
            }
        });
        Self { seen, enough, talking, listening }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Waits until something has happened.
    pub async fn until(&self, what: &str, happened: impl Fn(&Seen) -> bool) {
        let wait = async {
            while !happened(&self.seen()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// Ann stops, and goes when all that she said was heard; nothing of it was left out.
    pub async fn end(self, hub: Hub) -> (Seen, Hub) {
        self.enough.cancel();
        let Self { seen, talking, listening, .. } = self;
        talking.await.unwrap();
        let is_heard = || {
            let seen = seen.lock().unwrap();
            seen.heard.len() == seen.sent.len()
        };
        let all = async {
            while !is_heard() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("the listener hears every packet");
        assert!(!listening.is_finished(), "who listens is not sent away");
        listening.abort();
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        (seen, hub)
    }
}

/// A packet that says its number: CELT, 20 ms, mono, one frame.
fn packet(number: u64) -> Bytes {
    [&[0xF8][..], &number.to_be_bytes(), &[0x55; 80]].concat().into()
}

/// The number that a packet says.
pub fn number(packet: &[u8]) -> Option<u64> {
    packet.get(1..9).map(|number| u64::from_be_bytes(number.try_into().unwrap()))
}

/// A packet every 20 ms; what the hub says of them is kept.
async fn talk(mut speaker: Client, seen: &Mutex<Seen>, enough: &CancellationToken) {
    let mut due = tokio::time::Instant::now();
    while !enough.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep_until(due) => {
                due += PACKET;
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.sent.push(Instant::now());
                    seen.sent.len() as u64 - 1
                };
                let mut message = BytesMut::new();
                let (first, time) = (Sequence::new(number), Ticks::new(number * 960));
                packets::write(&mut message, 0, Flags::default(), first, time, [&packet(number)[..]].into_iter());
                speaker.send(message.freeze()).await;
            }
            told = speaker.next() => acknowledged(&told.expect("who talks is not sent away"), seen),
        }
    }
    // What is durable by now is told with the next sync; who has gone would not hear it.
    let last = seen.lock().unwrap().count() as u64 - 1;
    let told = async {
        while !seen.lock().unwrap().durable.contains(&last) {
            acknowledged(&speaker.next().await.expect("who talks is not sent away"), seen);
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), told).await;
    speaker.say(json!({ "type": "unpublish", "track": 0 })).await;
    speaker.close().await;
}

fn acknowledged(message: &tungstenite::Message, seen: &Mutex<Seen>) {
    let tungstenite::Message::Text(text) = message else { return };
    let notice: Value = serde_json::from_str(text).unwrap();
    if notice["type"] == "durable" {
        let durable = &mut seen.lock().unwrap().durable;
        durable.extend(0..notice["next"].as_u64().unwrap());
        for range in notice["ranges"].as_array().into_iter().flatten() {
            durable.extend(range[0].as_u64().unwrap()..range[1].as_u64().unwrap());
        }
    }
}

fn hear(message: &tungstenite::Message, seen: &mut Seen) {
    match message {
        tungstenite::Message::Binary(bytes) => {
            let Message::Packets { packets, .. } = packets::read(bytes).unwrap() else {
                panic!("downwards there are only packets")
            };
            for packet in packets {
                assert_eq!(number(&packet), Some(seen.heard.len() as u64), "nothing is left out or comes twice");
                seen.heard.push(Instant::now());
            }
        }
        tungstenite::Message::Text(text) => {
            let notice: Value = serde_json::from_str(text).unwrap();
            match notice["type"].as_str().unwrap() {
                "health" => {
                    let reason = notice["reason"].as_str().unwrap_or_default().to_owned();
                    seen.healths.push((Instant::now(), notice["recording"].as_bool().unwrap(), reason));
                }
                "session" => {
                    seen.recordings.extend(notice["session"]["recording"].as_str().map(str::to_owned));
                }
                "lag" => panic!("the listener lags: {notice}"),
                _ => {}
            }
        }
        other => panic!("{other:?}"),
    }
}
