//! What real browsers sent: `tests/captures`.

use std::time::Duration;

use bytes::Bytes;
use roomtone::container::stream::Demux;
use roomtone::container::webm::{Demuxer, Event};
use roomtone::media::packet::SourcePacket;
use serde_json::Value;

use super::captures;
use super::files::root;

pub struct Capture {
    name: String,
}

impl Capture {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// Its messages, edges and all.
    pub fn messages(&self) -> Vec<Bytes> {
        captures::messages(&self.name).into_iter().map(Bytes::from).collect()
    }

    /// Its messages, and when each arrived.
    pub fn timed(&self) -> Vec<(Duration, Bytes)> {
        let events =
            std::fs::read_to_string(root().join("tests/captures").join(&self.name).join("events.jsonl")).unwrap();
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let arrivals = events.filter(|event| event.get("chunk").is_some());
        let arrivals = arrivals.map(|event| Duration::from_millis(event["t"].as_u64().unwrap()));
        arrivals.zip(self.messages()).collect()
    }

    /// All of it as one file.
    pub fn whole(&self) -> Vec<u8> {
        self.messages().concat()
    }

    /// Its packets.
    pub fn packets(&self) -> Vec<SourcePacket> {
        demux(&self.messages().concat()).1
    }
}

/// What a WebM file holds: its pre-skip in ticks, and its packets.
pub fn demux(file: &[u8]) -> (u64, Vec<SourcePacket>) {
    let mut demuxer = Demuxer::new();
    let (mut pre_skip, mut packets) = (0, Vec::new());
    for piece in file.chunks(64 * 1024) {
        demuxer.push(piece);
        while let Some(event) = demuxer.pull().unwrap() {
            match event {
                Event::Head(roomtone::media::source::Source::Opus(head)) => pre_skip = u64::from(head.pre_skip),
                Event::Packet(packet) => packets.push(packet),
                _ => {}
            }
        }
    }
    (pre_skip, packets)
}

/// What of a plain message is heard: its packets behind the pre-roll.
pub fn heard(message: &[u8]) -> Vec<Bytes> {
    let (mut skip, packets) = demux(message);
    let mut heard = Vec::new();
    for packet in packets {
        match skip.checked_sub(packet.duration.get()) {
            Some(rest) if skip > 0 => skip = rest,
            _ => heard.push(packet.data),
        }
    }
    assert_eq!(skip, 0, "the pre-roll is whole packets");
    heard
}

/// The bytes of packets.
pub fn data(packets: &[SourcePacket]) -> Vec<Bytes> {
    packets.iter().map(|packet| packet.data.clone()).collect()
}

/// Fails where two lists of packets differ, and says where.
pub fn assert_same(left: &[Bytes], right: &[Bytes]) {
    let differ = left.iter().zip(right).position(|(left, right)| left != right);
    assert!(
        differ.is_none() && left.len() == right.len(),
        "{} and {} packets, differing first at {differ:?}",
        left.len(),
        right.len()
    );
}
