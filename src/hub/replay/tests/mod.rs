//! What a replay reads of a track, from a recording on disk.

mod flipped;
mod pcm;

use std::cell::{Cell, RefCell};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::track::{TrackReader, Unreadable};
use super::*;
use crate::archive::model::{Anchor, Attendance, EndReason, RecordingId};
use crate::archive::{Content, Event, NewPart, NewRecording, Options};
use crate::hub::outbox::{Cargo, Frame};
use crate::hub::rendition::Placed;
use crate::media::opus::Head;
use crate::media::packet::{Packet, Sequence};
use crate::media::time::UnixMillis;
use crate::media::track::{Format, TrackNumber};
use crate::wire::packets::{self, Message};
use crate::wire::v1::{self, Notice};

const STARTED: UnixMillis = UnixMillis::new(1_795_339_680_000);
const TRACK: TrackNumber = TrackNumber::new(1);
/// What every packet sounds for.
const PACKET: Ticks = Ticks::from_millis(20);

/// A recording of one track: ten seconds at the session's start, then, a minute later, five seconds in another format, with
/// a clock that is 4 ms late at their end.
struct Rig {
    folder: TempDir,
    archive: Archive,
    recording: Arc<OpenRecording>,
}

impl Rig {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (archive, _) = Archive::open(Options::new(folder.path().to_owned()), STARTED).await.unwrap();
        let id = RecordingId::new(STARTED, [7; 10]);
        let (send, mut events) = mpsc::unbounded_channel();
        let new = NewRecording { id, room: "talk".parse().unwrap(), started: STARTED };
        let writer = archive.begin(new, Box::new(move |event| drop(send.send(event))));
        for (participant, millis) in [(1, 0), (2, 500)] {
            let (participant, name) = (Uuid::from_u128(participant), "Ann".parse().unwrap());
            writer.joined(Attendance { participant, name, joined: Ticks::from_millis(millis), left: None });
        }
        for (number, second, first, count, channels) in [(1, 0, 0, 500, 1), (2, 70, 500, 250, 2)] {
            writer.begin_part(NewPart {
                track: TRACK,
                number,
                participant: Uuid::from_u128(1),
                name: "Ann".parse().unwrap(),
                source: crate::media::source::Codec::Opus,
                format: Format::Opus(Head { channels, pre_skip: 312, input_rate: 48_000, output_gain: 0 }),
                start: Anchor { track: Ticks::from_secs(second), session: Ticks::from_secs(second) },
                first: Sequence::new(first),
            });
            writer.append(TRACK, (first..first + count).map(packet).collect());
            if number == 2 {
                let anchor = Anchor { track: Ticks::from_secs(75), session: Ticks::from_millis(75_004) };
                writer.anchor(TRACK, anchor);
            }
            writer.end_part(TRACK);
        }
        writer.end(EndReason::Finished, STARTED);
        while events.recv().await.unwrap() != Event::Ended {}
        let recording = archive.open_recording(id, Moment::START).await.unwrap();
        Self { folder, archive, recording }
    }

    /// The files of the recording, in order.
    fn files(&self) -> Vec<std::path::PathBuf> {
        let room = std::fs::read_dir(self.folder.path().join("talk")).unwrap().next().unwrap().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(room.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "ogg"));
        files.sort_by_key(|file| !file.to_string_lossy().ends_with(".2.ogg"));
        files.reverse();
        files
    }

    /// What is read of the track from one place on up to another, and what went wrong.
    async fn read(&self, from: Ticks, until: Ticks) -> (Vec<Placed>, Vec<Unreadable>) {
        let mut reader = TrackReader::from(&self.recording, 0, from);
        let (mut placed, mut wrong, mut until_now) = (Vec::new(), Vec::new(), from);
        while until_now < until {
            until_now = until_now.saturating_add(pacing::TURN).min(until);
            while let Some(wanted) = reader.wants(&self.recording, until_now) {
                let piece = self.archive.read_pieces(Arc::clone(&self.recording), vec![wanted]).await.remove(0);
                if let Ok(Piece { content: Content::Pages { bytes, .. }, .. }) = &piece {
                    assert!(bytes.len() <= 16 * 1024);
                }
                wrong.extend(reader.take(&self.recording, piece).err());
            }
            while let Some((_, one)) = reader.next(until_now) {
                placed.push(one);
            }
        }
        (placed, wrong)
    }
}

/// A listener's socket that takes nothing, or all.
#[derive(Default)]
struct Ear {
    frames: RefCell<Vec<Bytes>>,
    waiting: Cell<usize>,
}

impl Outbox for Ear {
    fn push(&self, frame: &Frame, _: Moment) {
        assert!(matches!(frame.cargo, Cargo::Kept | Cargo::Text), "nothing of a replay may be skipped");
        self.frames.borrow_mut().push(frame.bytes.clone());
    }

    fn flush(&self, _: Moment) {}

    fn waiting(&self) -> usize {
        self.waiting.get()
    }

    fn fail(&self) {}
}

impl Ear {
    /// The numbers of the packets that came.
    fn packets(&self) -> Vec<u64> {
        let mut numbers = Vec::new();
        for frame in self.frames.borrow().iter().filter(|frame| frame[0] == 0x82) {
            let header = if frame[1] == 126 { 4 } else { 2 };
            let Ok(Message::Packets { first, packets, .. }) = packets::read(&frame.slice(header..)) else { panic!() };
            numbers.extend((first.get()..).take(packets.len()));
        }
        numbers
    }

    /// The last notice.
    fn notice(&self) -> Notice {
        let frames = self.frames.borrow();
        let frame = frames.iter().rfind(|frame| frame[0] == 0x81).unwrap();
        let begin = frame.iter().position(|byte| *byte == b'{').unwrap();
        serde_json::from_slice(&frame[begin..]).unwrap()
    }
}

impl Rig {
    async fn replay(&self) -> (Replay, Rc<Ear>) {
        let ear = Rc::<Ear>::default();
        let opening = Opening {
            recording: self.recording.recording.summary.id,
            from: From::Start(Ticks::ZERO),
            participant: Participant { id: Uuid::from_u128(9), name: "Zoe".parse().unwrap() },
            reads: Reads::V1,
            outbox: Rc::clone(&ear) as Rc<dyn Outbox>,
        };
        (Replay::open(self.archive.clone(), Clock::start(), opening).await.unwrap(), ear)
    }
}

#[tokio::test]
async fn a_listener_who_takes_nothing_is_sent_nothing_and_misses_nothing() {
    let rig = Rig::new().await;
    let (mut replay, ear) = rig.replay().await;
    while ear.packets().len() < 50 {
        replay.turn().await;
    }
    ear.waiting.set(MOST_WAITING + 1);
    replay.command(Command::Pause);
    let before = ear.frames.borrow().len();
    for _ in 0..5 {
        replay.turn().await;
    }
    assert_eq!(ear.frames.borrow().len(), before, "not even an answer");
    ear.waiting.set(0);
    replay.turn().await;
    assert!(matches!(ear.notice(), Notice::Replay { state: v1::Replaying::Paused, .. }));
    replay.command(Command::Play);
    while ear.packets().len() < 100 {
        replay.turn().await;
    }
    let heard = ear.packets();
    assert_eq!(heard, (0..heard.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_pause_restates_is_what_was_told() {
    let rig = Rig::new().await;
    let (mut replay, ear) = rig.replay().await;
    while ear.packets().len() < 50 {
        replay.turn().await;
    }
    assert!(matches!(ear.notice(), Notice::Joined { participant } if participant.id.as_u128() == 2));
    replay.command(Command::Pause);
    replay.turn().await;
    let Notice::Replay { present: Some(present), .. } = ear.notice() else { panic!("{:?}", ear.notice()) };
    let here: Vec<_> = present.participants.iter().map(|one| one.id.as_u128()).collect();
    assert_eq!((here, present.tracks.len()), (vec![1, 2], 1));
}

fn packet(number: u64) -> Packet {
    let data = [&[0xF8][..], &number.to_be_bytes(), &[0x55; 80]].concat();
    Packet {
        sequence: Sequence::new(number),
        time: Ticks::ZERO,
        duration: PACKET,
        data: Bytes::from(data),
        heard: None,
    }
}

/// Where the packet of that number begins on the session's clock.
fn place(number: u64) -> Ticks {
    let at = Ticks::from_millis(20 * number);
    match number.checked_sub(500) {
        None => at,
        // 4 ms over five seconds.
        Some(later) => Ticks::from_secs(70).saturating_add(Ticks::new(960 * later + 960 * later * 4 / 5000)),
    }
}

fn check(placed: &[Placed], from: Ticks) {
    let first = (0..).find(|&number| place(number).saturating_add(PACKET) > from).unwrap();
    let packets: Vec<_> = placed.iter().flat_map(|placed| &placed.packets).collect();
    assert_eq!(packets.len() as u64, 750 - first, "from {from}");
    for (packet, number) in packets.into_iter().zip(first..) {
        assert_eq!(packet.data, super::tests::packet(number).data, "from {from}");
        assert_eq!((packet.sequence.get(), packet.time, packet.duration), (number, place(number), PACKET));
    }
    let breaks: Vec<_> =
        placed.iter().filter(|placed| placed.discontinuity).map(|placed| placed.packets[0].sequence.get()).collect();
    assert_eq!(breaks, if first < 500 { vec![first, 500] } else { vec![first] });
}

#[tokio::test]
async fn from_any_place_the_packets_are_those_of_the_recording_with_their_numbers_and_times() {
    let rig = Rig::new().await;
    assert_eq!(rig.recording.recording.summary.length, Ticks::from_millis(75_004));
    let edges = [0, 1, 959, 960, 9_990 * 48, 10_000 * 48, 30_000 * 48, 70_000 * 48 - 1, 70_000 * 48, 74_990 * 48];
    let places = edges.into_iter().chain((0..76).map(|second| second * 48_000 + 12_345));
    for from in places.map(Ticks::new).filter(|from| *from < Ticks::from_millis(75_004)) {
        let (placed, wrong) = rig.read(from, Ticks::from_secs(80)).await;
        assert!(wrong.is_empty(), "{wrong:?}");
        check(&placed, from);
    }
}

#[tokio::test]
async fn no_more_is_read_than_is_needed() {
    let rig = Rig::new().await;
    let mut reader = TrackReader::from(&rig.recording, 0, Ticks::ZERO);
    let mut bytes = 0;
    while let Some(wanted) = reader.wants(&rig.recording, Ticks::from_secs(1)) {
        let piece = rig.archive.read_pieces(Arc::clone(&rig.recording), vec![wanted]).await.remove(0).unwrap();
        let Content::Pages { bytes: read, .. } = &piece.content else { panic!() };
        bytes += read.len();
        reader.take(&rig.recording, Ok(piece)).unwrap();
    }
    // A second is 50 packets of 89 bytes.
    assert!(bytes < 4 * 50 * 90, "{bytes} bytes");
}

#[tokio::test]
async fn a_part_that_is_gone_is_told_and_the_next_one_plays() {
    let rig = Rig::new().await;
    std::fs::remove_file(&rig.files()[0]).unwrap();
    let (placed, wrong) = rig.read(Ticks::ZERO, Ticks::from_secs(80)).await;
    assert!(matches!(&wrong[..], [Unreadable::File(_)]), "{wrong:?}");
    check(&placed, Ticks::from_secs(20));
}

#[tokio::test]
async fn a_part_that_is_cut_off_plays_as_far_as_it_goes() {
    let rig = Rig::new().await;
    let file = std::fs::OpenOptions::new().write(true).open(&rig.files()[1]).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let (placed, wrong) = rig.read(Ticks::from_secs(60), Ticks::from_secs(80)).await;
    assert!(matches!(&wrong[..], [Unreadable::CutOff]), "{wrong:?}");
    let count: usize = placed.iter().map(|placed| placed.packets.len()).sum();
    assert!((75..=125).contains(&count), "{count}");
}

#[tokio::test]
async fn behind_damage_a_part_goes_on() {
    let rig = Rig::new().await;
    let path = &rig.files()[0];
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 10].fill(0xAA);
    std::fs::write(path, bytes).unwrap();
    let (placed, wrong) = rig.read(Ticks::ZERO, Ticks::from_secs(80)).await;
    assert!(matches!(&wrong[..], [Unreadable::Damaged { .. }]), "{wrong:?}");
    let packets: Vec<_> = placed.iter().flat_map(|placed| &placed.packets).collect();
    // Of ten pages of a second one is lost.
    assert_eq!(packets.len(), 750 - 50);
    for read in packets {
        let number = read.sequence.get();
        assert_eq!((&read.data, read.time), (&packet(number).data, place(number)));
    }
}
