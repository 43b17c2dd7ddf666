//! Recordings that a hub finds when it starts: written into its folder as a hub would have, in no time.

use std::path::Path;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use roomtone::archive::model::{Anchor, EndReason, RecordingId};
use roomtone::archive::{Archive, Event, NewPart, NewRecording, Options, RecordingWriter};
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::pcm;
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Capture, Hub};

/// A folder of recordings that no hub has yet.
pub struct Shelf {
    folder: Arc<TempDir>,
    archive: Archive,
    begun: std::cell::Cell<u8>,
}

const OPUS: opus::Head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };

impl Shelf {
    pub async fn new() -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let options = Options::new(folder.path().join("recordings"));
        let (archive, _) = Archive::open(options, now()).await.unwrap();
        Self { folder, archive, begun: std::cell::Cell::new(0) }
    }

    /// A hub with these recordings.
    pub async fn hub(self, options: &[&str]) -> Hub {
        self.archive.close().await;
        Hub::start_in(self.folder, options)
    }

    /// A recording of some tracks of so many minutes, of this day.
    pub async fn record(&self, room: &str, tracks: u16, minutes: u64) -> RecordingId {
        self.record_at(room, tracks, minutes, now()).await
    }

    /// The same, which began then and took no time by the wall's clock.
    pub async fn record_at(&self, room: &str, tracks: u16, minutes: u64, started: UnixMillis) -> RecordingId {
        let (id, writer, told) = self.begin(room, started);
        for track in 1..=tracks {
            writer.begin_part(part(track, 1, Format::Opus(OPUS), Ticks::ZERO, 0));
            writer.append(TrackNumber::new(track), spoken(minutes * 60, 0));
        }
        end(writer, &told, started);
        id
    }

    /// A recording of three tracks of so many seconds, the third of plain samples, each in two parts.
    pub async fn record_in_parts(&self, room: &str, seconds: u64) -> RecordingId {
        let (id, writer, told) = self.begin(room, now());
        let head = pcm::Head::new(pcm::Sample::S16, 48_000, 1).unwrap();
        for track in 1..=3 {
            let number = TrackNumber::new(track);
            let mut at = (Ticks::ZERO, 0);
            for nth in 1..=2 {
                let (format, packets) = match track {
                    3 => (Format::Pcm(head), samples(seconds / 2, at.1)),
                    _ => (Format::Opus(OPUS), spoken(seconds / 2, at.1)),
                };
                writer.begin_part(part(track, nth, format, at.0, at.1));
                let length: u64 = packets.iter().map(|packet| packet.duration.get()).sum();
                at = (at.0.saturating_add(Ticks::new(length)), at.1 + packets.len() as u64);
                writer.append(number, packets);
                writer.end_part(number);
            }
        }
        end(writer, &told, now());
        id
    }

    fn begin(&self, room: &str, started: UnixMillis) -> (RecordingId, RecordingWriter, mpsc::Receiver<Event>) {
        self.begun.set(self.begun.get() + 1);
        let id = RecordingId::new(started, [self.begun.get(); 10]);
        let (tell, told) = mpsc::channel();
        let new = NewRecording { id, room: room.parse().unwrap(), started };
        (id, self.archive.begin(new, Box::new(move |event| drop(tell.send(event)))), told)
    }
}

fn end(writer: RecordingWriter, told: &mpsc::Receiver<Event>, at: UnixMillis) {
    writer.end(EndReason::Finished, at);
    while !matches!(told.recv().unwrap(), Event::Ended) {}
}

/// The hour of the test.
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis::new(i64::try_from(since.as_millis()).unwrap())
}

fn part(track: u16, number: u32, format: Format, at: Ticks, first: u64) -> NewPart {
    NewPart {
        track: TrackNumber::new(track),
        number,
        participant: Uuid::from_u128(track.into()),
        name: "Ann".parse().unwrap(),
        source: format.codec(),
        format,
        start: Anchor { track: at, session: at },
        first: Sequence::new(first),
    }
}

/// What a browser encoded, over and over.
fn spoken(seconds: u64, first: u64) -> Vec<Packet> {
    let capture = Capture::new("firefox-webm-opus").packets();
    let all = capture.iter().cycle().map(|packet| (packet.duration, packet.data.clone()));
    packets(all, seconds, first)
}

/// A saw of plain samples.
fn samples(seconds: u64, first: u64) -> Vec<Packet> {
    let block: Vec<u8> = (0..960_i16).flat_map(|n| (n * 10).to_le_bytes()).collect();
    packets(std::iter::repeat((Ticks::from_millis(20), Bytes::from(block))), seconds, first)
}

fn packets(all: impl Iterator<Item = (Ticks, Bytes)>, seconds: u64, first: u64) -> Vec<Packet> {
    let mut time = Ticks::ZERO;
    let mut packets = Vec::new();
    for (number, (duration, data)) in (first..).zip(all) {
        if time >= Ticks::from_secs(seconds) {
            break;
        }
        packets.push(Packet { sequence: Sequence::new(number), time, duration, data, heard: None });
        time = time.saturating_add(duration);
    }
    packets
}

/// The names in a folder, sorted, if there is one.
pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
