//! What a replay reads of a track of plain samples.

use std::fs;
use std::sync::Arc;

use crate::media::codec;
use crate::media::pcm::{self, Sample};

use super::*;

/// Samples that rise by one each, and none is 0.
fn samples(frames: std::ops::Range<u64>) -> Vec<u8> {
    frames.flat_map(|frame| i16::try_from(frame % 1000 + 1).unwrap().to_le_bytes()).collect()
}

fn begin_of(head: pcm::Head, block: u64) -> u64 {
    (block * u64::from(head.rate()) + 25) / 50
}

struct Recorded {
    folder: TempDir,
    archive: Archive,
    recording: Arc<OpenRecording>,
    head: pcm::Head,
}

impl Recorded {
    /// A recording of one track: so many blocks, of which the last is cut short by so many frames. Where it does not end, it is
    /// being made still.
    async fn new(rate: u32, blocks: u64, short: u64, ended: bool) -> Self {
        let head = pcm::Head::new(Sample::S16, rate, 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (archive, _) = Archive::open(Options::new(folder.path().to_owned()), STARTED).await.unwrap();
        let id = RecordingId::new(STARTED, [7; 10]);
        let (send, mut events) = mpsc::unbounded_channel();
        let new = NewRecording { id, room: "talk".parse().unwrap(), started: STARTED };
        let writer = archive.begin(new, Box::new(move |event| drop(send.send(event))));
        writer.begin_part(NewPart {
            track: TRACK,
            number: 1,
            participant: Uuid::from_u128(1),
            name: "Ann".parse().unwrap(),
            source: crate::media::source::Codec::Pcm,
            format: Format::Pcm(head),
            start: Anchor { track: Ticks::ZERO, session: Ticks::from_millis(250) },
            first: Sequence::new(5),
        });
        let block = |block: u64| {
            let (begin, mut end) = (begin_of(head, block), begin_of(head, block + 1));
            if block + 1 == blocks {
                end -= short;
            }
            let (time, data) = (head.ticks(begin), Bytes::from(samples(begin..end)));
            let duration = head.ticks(end).saturating_sub(time);
            Packet { sequence: Sequence::new(5 + block), time, duration, data, heard: None }
        };
        writer.append(TRACK, (0..blocks).map(block).collect());
        if ended {
            writer.end(EndReason::Finished, STARTED);
            while events.recv().await.unwrap() != Event::Ended {}
        } else {
            events.recv().await.unwrap();
            // Its handle is never dropped: it is being made for as long as this test looks.
            std::mem::forget(writer);
        }
        let recording = archive.open_recording(id, Moment::START).await.unwrap();
        Self { folder, archive, recording, head }
    }

    fn file(&self) -> std::path::PathBuf {
        let room = fs::read_dir(self.folder.path().join("talk")).unwrap().next().unwrap().unwrap();
        room.path().join("01-ann.wav")
    }

    async fn read(&self, from: Ticks, until: Ticks) -> (Vec<Placed>, Vec<Unreadable>) {
        let mut reader = TrackReader::from(&self.recording, 0, from);
        let (mut placed, mut wrong, mut until_now) = (Vec::new(), Vec::new(), from);
        while until_now < until {
            until_now = until_now.saturating_add(pacing::TURN).min(until);
            while let Some(wanted) = reader.wants(&self.recording, until_now) {
                assert!(self.recording.read_ready(&wanted).is_none(), "what is encoded is encoded elsewhere");
                let piece = self.archive.read_pieces(Arc::clone(&self.recording), vec![wanted]).await.remove(0);
                wrong.extend(reader.take(&self.recording, piece).err());
            }
            placed.extend(std::iter::from_fn(|| reader.next(until_now)).map(|(_, one)| one));
        }
        (placed, wrong)
    }

    /// Fails where these are not the part's blocks from this one on up to `end`, in frames.
    fn check(&self, placed: &[Placed], first: u64, end: u64) {
        let packets: Vec<_> = placed.iter().flat_map(|placed| &placed.packets).collect();
        let mut decoder = codec::decoder(&Format::Opus(Format::Pcm(self.head).heard())).unwrap();
        let mut at = begin_of(self.head, first);
        for (number, packet) in (first..).zip(&packets) {
            let until = begin_of(self.head, number + 1).min(end);
            assert_eq!(packet.sequence, Sequence::new(5 + number));
            assert!(packet.data == samples(at..until), "block {number}");
            let begin = self.head.ticks(at);
            assert_eq!(packet.time, begin.saturating_add(Ticks::from_millis(250)));
            assert_eq!(packet.duration, self.head.ticks(until).saturating_sub(begin));
            let heard = decoder.decode(packet.heard.as_ref().unwrap()).unwrap();
            assert_eq!(heard.len(), 960, "20 ms are heard");
            at = until;
        }
        assert_eq!(at, end);
    }
}

#[tokio::test]
async fn blocks_are_played_as_they_were_from_anywhere() {
    for rate in [8_000, 11_025, 44_100, 8_001, 192_000] {
        let recorded = Recorded::new(rate, 200, 7, true).await;
        let end = begin_of(recorded.head, 200) - 7;
        let (placed, wrong) = recorded.read(Ticks::ZERO, Ticks::from_secs(9)).await;
        assert!(wrong.is_empty(), "{wrong:?}");
        recorded.check(&placed, 0, end);
        assert!(placed[0].discontinuity && placed[1..].iter().all(|placed| !placed.discontinuity));
        for from in [251, 777, 1231, 3999, 4249] {
            let from = Ticks::from_millis(from);
            let (placed, wrong) = recorded.read(from, Ticks::from_secs(9)).await;
            assert!(wrong.is_empty(), "{wrong:?}");
            let packet = &placed[0].packets[0];
            assert!(packet.end() > from && packet.time <= from, "{rate}: {:?} from {from:?}", packet.time);
            recorded.check(&placed, packet.sequence.get() - 5, end);
        }
    }
}

#[tokio::test]
async fn what_is_heard_after_a_seek_is_what_is_heard_from_the_start() {
    let recorded = Recorded::new(44_100, 100, 0, true).await;
    let decoded = async |from: u64| {
        let (placed, _) = recorded.read(Ticks::from_millis(from), Ticks::from_secs(3)).await;
        let mut decoder = codec::decoder(&Format::Opus(Format::Pcm(recorded.head).heard())).unwrap();
        let packets: Vec<_> = placed.into_iter().flat_map(|placed| placed.packets).collect();
        let sound: Vec<f32> =
            packets.iter().flat_map(|packet| decoder.decode(packet.opus()).unwrap().to_vec()).collect();
        sound[sound.len() - 48_000..].to_vec()
    };
    let (whole, later) = (decoded(0).await, decoded(1000).await);
    let energy = |sound: &mut dyn Iterator<Item = f32>| sound.map(|sample| f64::from(sample).powi(2)).sum::<f64>();
    let apart = energy(&mut whole.iter().zip(&later).map(|(one, other)| one - other));
    assert!(apart < energy(&mut whole.iter().copied()) / 100.0, "they are 20 dB apart");
}

#[tokio::test]
async fn of_a_part_that_grows_whole_blocks_are_played() {
    let recorded = Recorded::new(11_025, 75, 7, false).await;
    let (placed, wrong) = recorded.read(Ticks::ZERO, Ticks::from_secs(9)).await;
    assert!(wrong.is_empty(), "{wrong:?}");
    recorded.check(&placed, 0, begin_of(recorded.head, 74));
}

#[tokio::test]
async fn samples_that_are_not_what_was_written_are_told_and_those_behind_them_play() {
    let recorded = Recorded::new(44_100, 600, 0, true).await;
    // The second of five extents.
    let mut bytes = fs::read(recorded.file()).unwrap();
    bytes[300_000] ^= 1;
    fs::write(recorded.file(), bytes).unwrap();
    let (placed, wrong) = recorded.read(Ticks::ZERO, Ticks::from_secs(20)).await;
    assert!(matches!(&wrong[..], [Unreadable::Samples { begin }] if *begin == 44 + 256 * 1024), "{wrong:?}");
    let parts: Vec<usize> = (0..placed.len()).filter(|&at| placed[at].discontinuity).collect();
    let [0, behind] = parts[..] else { panic!("{parts:?}") };
    recorded.check(&placed[..behind], 0, 128 * 1024);
    let first = placed[behind].packets[0].sequence.get() - 5;
    assert_eq!(first, (2 * 128 * 1024_u64).div_ceil(882));
    recorded.check(&placed[behind..], first, 600 * 882);
}

#[tokio::test]
async fn a_wav_part_that_is_gone_or_cut_off_is_told() {
    let recorded = Recorded::new(44_100, 600, 0, true).await;
    let bytes = fs::read(recorded.file()).unwrap();
    fs::write(recorded.file(), &bytes[..100_000]).unwrap();
    let (_, wrong) = recorded.read(Ticks::ZERO, Ticks::from_secs(20)).await;
    assert!(matches!(&wrong[..], [Unreadable::File(_)]), "{wrong:?}");
    let recorded = Recorded::new(44_100, 60, 0, true).await;
    fs::remove_file(recorded.file()).unwrap();
    let (placed, wrong) = recorded.read(Ticks::ZERO, Ticks::from_secs(20)).await;
    assert!(matches!(&wrong[..], [Unreadable::File(_)]) && placed.is_empty(), "{wrong:?}");
}
