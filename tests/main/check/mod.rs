//! The commands that look after recordings, in the real binary: `check`, `check --repair`, `list`, `delete`.

mod agreement;
mod commands;
mod foreign;
mod lost;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};

use roomtone::archive::model::{Anchor, Attendance, Chat, EndReason, Gap, GapCause, Marker, RecordingId, Restart};
use roomtone::archive::{Archive, Change, Event, NewPart, NewRecording, Options, RecordingWriter};
use roomtone::media::marker::MarkerId;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::source::Codec;
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use roomtone::media::{opus, pcm};
use tempfile::TempDir;
use uuid::Uuid;

use crate::helpers::Capture;

const HEAD: opus::Head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
const ONE: TrackNumber = TrackNumber::new(1);
const TWO: TrackNumber = TrackNumber::new(2);

/// What a command came to.
#[derive(Debug)]
struct Ran {
    status: Option<i32>,
    out: String,
    errors: String,
}

/// Runs a command on a folder of recordings.
fn run(recordings: &Path, words: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomtone"));
    let output = command.args(words).arg("--recordings").arg(recordings).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code(), out: text(output.stdout), errors: text(output.stderr) }
}

/// Fails unless a check finds what it should: a line for each of these, which has these words, and no other.
fn assert_finds(recordings: &Path, wanted: &[[&str; 2]]) {
    let ran = run(recordings, &["check"]);
    let lines: Vec<_> = ran.out.lines().collect();
    let (_, found) = lines.split_last().unwrap_or_else(|| panic!("it says nothing: {}", ran.errors));
    for words in wanted {
        assert!(found.iter().any(|line| words.iter().all(|word| line.contains(word))), "{words:?} in {}", ran.out);
    }
    assert_eq!(found.len(), wanted.len(), "{}", ran.out);
    assert_eq!(ran.status, Some(i32::from(!wanted.is_empty())), "{ran:?}");
    assert!(!ran.errors.contains("panicked"), "{}", ran.errors);
}

/// Fails unless index and disk agree.
fn assert_agrees(recordings: &Path) {
    assert_finds(recordings, &[]);
}

/// Repairs, and gives what was said.
fn repaired(recordings: &Path) -> Ran {
    let ran = run(recordings, &["check", "--repair"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran
}

/// Everything in a folder and below it: a file's bytes, where a link leads, nothing for a folder. Followed is nothing.
fn all_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_symlink() {
            all.insert(path.clone(), fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
        } else if kind.is_dir() {
            all.extend(all_of(&path));
            all.insert(path, Vec::new());
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
    all
}

/// A folder of recordings that the test's own process writes, as a hub would.
struct Shelf {
    folder: Arc<TempDir>,
    archive: Archive,
}

fn started(minute: i64) -> UnixMillis {
    UnixMillis::new(UnixMillis::from_rfc3339("2026-11-22T09:28:00.123Z").unwrap().get() + minute * 60_000)
}

fn id(minute: i64) -> RecordingId {
    RecordingId::new(started(minute), [7; 10])
}

fn pcm_head(sample: pcm::Sample, rate: u32, channels: u32) -> pcm::Head {
    pcm::Head::new(sample, rate, channels).unwrap()
}

/// A recording that is being written.
struct Writing {
    writer: RecordingWriter,
    told: mpsc::Receiver<Event>,
}

impl Shelf {
    async fn new() -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let (archive, _) = Archive::open(Options::new(folder.path().join("recordings")), started(0)).await.unwrap();
        Self { folder, archive }
    }

    fn begin(&self, minute: i64, room: &str) -> Writing {
        let (tell, told) = mpsc::channel();
        let new = NewRecording { id: id(minute), room: room.parse().unwrap(), started: started(minute) };
        Writing { writer: self.archive.begin(new, Box::new(move |event| drop(tell.send(event)))), told }
    }

    /// A small recording of one track.
    async fn small(&self, minute: i64, room: &str) {
        let small = self.begin(minute, room);
        small.part(ONE, 1, "Ann", Format::Opus(HEAD), [0, 0], 0);
        small.sound(ONE, 0, 100);
        small.end(EndReason::Finished, started(minute));
    }

    /// A recording with all that there is in one.
    async fn rich(&self, minute: i64, room: &str) {
        let rich = self.begin(minute, room);
        let ticks = Ticks::from_millis;
        let (ann, ben) = (participant(ONE), participant(TWO));
        let stay = |participant, name: &str, joined, left: Option<u64>| Attendance {
            participant,
            name: name.parse().unwrap(),
            joined: ticks(joined),
            left: left.map(ticks),
        };
        rich.writer.joined(stay(ann, "Änn O'Neil", 0, None));
        rich.writer.joined(stay(ben, "../Ben", 500, None));
        rich.part(ONE, 1, "Änn O'Neil", Format::Opus(HEAD), [0, 0], 0);
        rich.sound(ONE, 0, 250);
        rich.writer.gap(ONE, gap(5000, 1503, GapCause::Pause, true));
        rich.sound(ONE, 250, 300);
        rich.writer.restart(ONE, Restart { at: ticks(6503), pre_skip: 312 });
        rich.writer.anchor(ONE, Anchor { track: ticks(6000), session: ticks(6001) });
        rich.writer.anchor(ONE, Anchor { track: ticks(7503), session: ticks(7505) });
        rich.writer.end_part(ONE);
        rich.writer.gap(ONE, gap(7503, 61_000, GapCause::Jump, false));
        rich.part(ONE, 2, "Änn O'Neil", Format::Opus(opus::Head { channels: 2, ..HEAD }), [68_503, 68_507], 300);
        rich.sound(ONE, 300, 310);
        rich.part(TWO, 1, "../Ben", Format::Pcm(pcm_head(pcm::Sample::S24, 44_100, 2)), [0, 700], 0);
        rich.samples(TWO, 882 * 6, 400);
        rich.writer.left(ben, ticks(9000));
        let said = |at, text: &str| Chat {
            at: ticks(at),
            participant: ann,
            name: "Änn O'Neil".parse().unwrap(),
            text: text.to_owned(),
        };
        rich.writer.chat(said(100, "hello\nthere"));
        rich.writer.chat(said(9100, "\u{1f600}"));
        let mark = |random, at, name: Option<&str>, text: &str| Marker {
            id: MarkerId::new([random; 16]),
            at: ticks(at),
            name: name.map(|name| name.parse().unwrap()),
            text: text.parse().unwrap(),
        };
        rich.writer.mark(mark(1, 6001, Some("Änn O'Neil"), "The \"news\""));
        rich.writer.mark(mark(2, 0, None, ""));
        rich.end(EndReason::Stopped, started(minute + 2));
        let change = Change {
            title: Some(Some("A \"rich\" one".to_owned())),
            keep: Some(true),
            published: Some(Some(started(3))),
        };
        self.archive.change(id(minute), change).await.unwrap();
    }

    /// Lets go of the folder.
    async fn close(self) -> (Arc<TempDir>, PathBuf) {
        self.archive.close().await;
        let recordings = self.folder.path().join("recordings");
        (self.folder, recordings)
    }
}

fn gap(at: u64, length: u64, cause: GapCause, filled: bool) -> Gap {
    Gap { at: Ticks::from_millis(at), length: Ticks::from_millis(length), cause, filled }
}

fn participant(track: TrackNumber) -> Uuid {
    Uuid::from_u128(u128::from(track.get()))
}

impl Writing {
    /// Begins a part at these milliseconds of the track and of the session.
    fn part(&self, track: TrackNumber, number: u32, name: &str, format: Format, [at, session]: [u64; 2], first: u64) {
        self.writer.begin_part(NewPart {
            track,
            number,
            participant: participant(track),
            name: name.parse().unwrap(),
            source: if format.codec() == Codec::Pcm { Codec::Flac } else { Codec::Opus },
            format,
            start: Anchor { track: Ticks::from_millis(at), session: Ticks::from_millis(session) },
            first: Sequence::new(first),
        });
    }

    /// Packets of Opus, of these numbers.
    fn sound(&self, track: TrackNumber, from: u64, until: u64) {
        let capture = Capture::new("firefox-webm-opus").packets();
        let packet = |number: u64| {
            let source = &capture[usize::try_from(number).unwrap() % capture.len()];
            let (time, duration, data) = (Ticks::new(number * 960), source.duration, source.data.clone());
            Packet { sequence: Sequence::new(number), time, duration, data, heard: None }
        };
        self.writer.append(track, (from..until).map(packet).collect());
    }

    /// So many blocks of 20 ms, each of so many bytes.
    fn samples(&self, track: TrackNumber, bytes: usize, count: u64) {
        let packet = |number: u64| {
            let data: Vec<u8> = (0..bytes).map(|at| (at as u64 * 7 + number).to_le_bytes()[0]).collect();
            let time = Ticks::new(number * 960);
            Packet { sequence: Sequence::new(number), time, duration: Ticks::new(960), data: data.into(), heard: None }
        };
        self.writer.append(track, (0..count).map(packet).collect());
    }

    /// Waits until all packets before this one are durable.
    fn durable(&self, until: u64) {
        while !matches!(self.told.recv().unwrap(), Event::Durable { next, .. } if next.get() >= until) {}
    }

    fn end(self, reason: EndReason, at: UnixMillis) {
        self.writer.end(reason, at);
        while !matches!(self.told.recv().unwrap(), Event::Ended) {}
    }
}

/// The folder of a recording.
fn folder(recordings: &Path, minute: i64, room: &str) -> PathBuf {
    recordings.join(room).join(format!("{}-{}", started(minute).to_compact(), id(minute)))
}
