//! Tests of the archive as a whole: the writer driven step by step, without its thread, and the disk under a stand-in.

mod backup;
mod crash;
mod cuts;
mod derived;
mod derived_pcm;
mod disks;
mod export;
mod failing;
mod flipped;
mod full;
mod gains;
mod handle;
mod list;
mod looks;
mod markers;
mod migration;
mod mix;
mod order;
mod pcm;
mod plans;
mod power;
mod recovery;
mod render;
mod retention;
mod search;
mod settings;
mod stand_in;
mod stuck;
mod tags;
mod torn;
mod tracks_zip;
mod waves;
mod writer;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{broadcast, mpsc, watch};
use uuid::Uuid;

use super::derived::Orders;
use super::handle::CHANGES;
use super::lock::Lock;
use super::model::{Anchor, Gap, GapCause, RecordingId};
use super::open::{self, OpenError, Options};
use super::store::{Disk, Store};
use super::writer::{Command, Writer};
use super::{Archive, Event, NewPart, NewRecording, RecordingWriter, Recovered, index, names};
use crate::container::ogg::{Demuxer, Event as OggEvent};
use crate::media::opus;
use crate::media::packet::{Packet, Sequence};
use crate::media::time::{Moment, Ticks, UnixMillis};
use crate::media::track::{Format, TrackNumber};

/// 2026-11-22T09:28:00Z.
const NOW: UnixMillis = UnixMillis::new(1_795_339_680_000);
const ONE: TrackNumber = TrackNumber::new(1);
const TWO: TrackNumber = TrackNumber::new(2);
const THREE: TrackNumber = TrackNumber::new(3);
const HEAD: opus::Head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
/// What a packet of [`packets`] sounds for: 20 ms.
const PACKET: Ticks = Ticks::from_millis(20);

/// What was told, in order.
type Told = Arc<Mutex<Vec<Event>>>;

/// The archive without its thread: commands wait until [`Rig::take`].
struct Rig {
    archive: Archive,
    recovered: Recovered,
    told: Told,
    writer: Writer,
    inbox: mpsc::UnboundedReceiver<Command>,
    orders: Arc<Orders>,
    commands: mpsc::UnboundedSender<Command>,
    _lock: Lock,
}

impl Rig {
    async fn open(folder: &Path) -> Self {
        Self::open_on(folder, Box::new(Disk)).await.unwrap()
    }

    async fn open_on(folder: &Path, store: Box<dyn Store>) -> Result<Self, OpenError> {
        let options = Options { sync_period: Duration::ZERO, ..Options::new(folder.to_owned()) };
        let (orders, changed) = (Arc::new(Orders::default()), broadcast::Sender::new(CHANGES));
        let told = (changed, watch::Sender::default());
        let (writer, lock, recovered) = open::open(&options, NOW, store, orders.clone(), told.clone()).await?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let readers = index::readers(&folder.join(names::INDEX));
        let archive = Archive::new(folder.to_owned(), readers, commands.clone(), orders.clone(), told);
        Ok(Self { archive, recovered, told: Told::default(), writer, inbox, orders, commands, _lock: lock })
    }

    /// Begins a recording in the room `studio`; what it is told goes to `told`.
    fn begin(&self, id: RecordingId) -> RecordingWriter {
        let told = self.told.clone();
        let new = NewRecording { id, room: "studio".parse().unwrap(), started: NOW };
        self.archive.begin(new, Box::new(move |event| told.lock().unwrap().push(event)))
    }

    /// Takes the commands that wait.
    async fn take(&mut self) {
        while let Ok(command) = self.inbox.try_recv() {
            self.writer.handle(command).await;
        }
    }

    /// Takes the commands that wait, then a round.
    async fn round(&mut self) {
        self.take().await;
        self.writer.round().await;
    }

    /// Serves the writer until something that waits for it is done.
    async fn ask<T>(&mut self, asked: impl Future<Output = T>) -> T {
        let mut asked = std::pin::pin!(asked);
        loop {
            tokio::select! {
                answer = &mut asked => return answer,
                Some(command) = self.inbox.recv() => self.writer.handle(command).await,
            }
        }
    }

    /// Lets go of everything, and waits until nobody touches the index any more: a connection that is only dropped is
    /// closed later, by its own thread, which then removes files beside the index.
    async fn close(self) {
        let Self { archive, writer, inbox, .. } = self;
        drop(inbox);
        archive.close().await;
        writer.close().await;
    }

    /// What was told since the last time.
    fn told(&self) -> Vec<Event> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// A recording of one track with so many packets, ended.
    async fn record(&mut self, id: RecordingId, count: u64) {
        let writer = self.begin(id);
        writer.begin_part(part(ONE, 1));
        writer.append(ONE, packets(0..count));
        writer.end(super::model::EndReason::Finished, UnixMillis::new(NOW.get() + 60_000));
        self.round().await;
    }
}

/// A folder that goes with the test. In memory where there is such a thing: a sync is then free, and the stand-in knows
/// better than a disk what was synced.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// An ID that differs by `n`, and sorts by it.
fn id(n: u8) -> RecordingId {
    RecordingId::new(NOW, [n; 10])
}

/// A part of Ann's or Ben's at the start of the session.
fn part(track: TrackNumber, number: u32) -> NewPart {
    let name = if track == ONE { "Ann" } else { "Ben" };
    NewPart {
        track,
        number,
        participant: Uuid::from_u128(u128::from(track.get())),
        name: name.parse().unwrap(),
        source: crate::media::source::Codec::Opus,
        format: Format::Opus(HEAD),
        start: Anchor { track: Ticks::ZERO, session: Ticks::ZERO },
        first: Sequence::ZERO,
    }
}

/// Packets that each say their number: CELT, 20 ms, mono, one frame.
fn packets(numbers: std::ops::Range<u64>) -> Vec<Packet> {
    numbers.map(packet).collect()
}

fn packet(number: u64) -> Packet {
    let data: Vec<u8> = [&[0xF8][..], &number.to_be_bytes(), &[0x55; 80]].concat();
    let sequence = Sequence::new(number);
    Packet { sequence, time: Ticks::new(number * PACKET.get()), duration: PACKET, data: Bytes::from(data), heard: None }
}

const fn gap(at: Ticks, length: Ticks, cause: GapCause) -> Gap {
    Gap { at, length, cause, filled: true }
}

/// A part's file, read to its end, which must be as it should.
struct Heard {
    /// The numbers of the packets of [`packets`], in order, silence left out.
    numbers: Vec<u64>,
    /// How long all of it is.
    length: Ticks,
    /// How much of that is coded silence.
    silence: Ticks,
}

fn hear(bytes: &[u8]) -> Heard {
    let mut demuxer = Demuxer::new();
    demuxer.push(bytes);
    let mut heard = Heard { numbers: Vec::new(), length: Ticks::ZERO, silence: Ticks::ZERO };
    let mut ended = None;
    while let Some(event) = demuxer.pull().unwrap() {
        match event {
            OggEvent::Packet(packet) => {
                heard.length = heard.length.saturating_add(packet.duration);
                match packet.data.get(1..9) {
                    Some(number) => heard.numbers.push(u64::from_be_bytes(number.try_into().unwrap())),
                    None => heard.silence = heard.silence.saturating_add(packet.duration),
                }
            }
            OggEvent::End(granule) => ended = granule,
            OggEvent::Head(head) => assert_eq!(head, HEAD),
            OggEvent::Tags(_) => {}
        }
    }
    assert_eq!(demuxer.end(), Ok(bytes.len() as u64));
    assert_eq!(ended, Some(heard.length.get()), "the last page says how long the part is");
    heard
}

/// The folder of the one recording in the room `studio`.
fn only_folder(root: &Path) -> PathBuf {
    let mut folders = std::fs::read_dir(root.join("studio")).unwrap();
    let folder = folders.next().expect("a recording").unwrap().path();
    assert!(folders.next().is_none());
    folder
}

/// The names in a folder, sorted; none where it is not there.
fn listing(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Runs a tool on a file; gives what it says, on both of its outputs. Where the tool is missing the test fails.
fn tool(program: &str, arguments: &[&str], file: &Path) -> (String, String) {
    let output = Process::new(program).args(arguments).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (said, complained) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{program}: {said}{complained}");
    (said, complained)
}

/// What ffmpeg says when it decodes a file: nothing, if all is well.
fn ffmpeg_complains(file: &Path) -> String {
    let output = Process::new("ffmpeg").args(["-v", "warning", "-i"]).arg(file).args(["-f", "null", "-"]).output();
    String::from_utf8_lossy(&output.expect("ffmpeg is needed").stderr).into_owned()
}
