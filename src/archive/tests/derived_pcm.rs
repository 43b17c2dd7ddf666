//! What is derived from tracks of plain samples.

use std::fs;

use crate::archive::FoundWaveform;
use crate::archive::model::EndReason;
use crate::container::stream::Demux;
use crate::container::webm;
use crate::media::codec;
use crate::media::pcm::{self, Sample};
use crate::media::source::Codec;

use super::derived::files;
use super::*;

fn head() -> pcm::Head {
    pcm::Head::new(Sample::S24, 44_100, 2).unwrap()
}

/// Blocks of a tone, left at a half and right at a quarter of full scale.
fn tone(numbers: std::ops::Range<u64>) -> Vec<Packet> {
    let block = |number: u64| {
        let mut data = Vec::new();
        for frame in number * 882..(number + 1) * 882 {
            let phase = std::f64::consts::TAU * 440.0 * f64::from(u32::try_from(frame).unwrap()) / 44_100.0;
            for level in [0.5, 0.25] {
                #[expect(clippy::cast_possible_truncation, reason = "a sample of 24 bits")]
                let sample = (phase.sin() * level * 8_388_607.0) as i32;
                data.extend_from_slice(&sample.to_le_bytes()[..3]);
            }
        }
        let (time, sequence) = (Ticks::new(number * 960), Sequence::new(number));
        Packet { sequence, time, duration: PACKET, data: data.into(), heard: None }
    };
    numbers.map(block).collect()
}

/// Records Ann in plain samples, in two parts that are apart, with a gap and a clock that drifts, and Ben in Opus beside her.
async fn record(folder: &Path) -> Rig {
    let mut rig = Rig::open(folder).await;
    let millis = Ticks::from_millis;
    let format = Format::Pcm(head());
    let pcm = |number| NewPart { format: format.clone(), source: Codec::Pcm, ..part(ONE, number) };
    let writer = rig.begin(id(1));
    writer.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(50) }, ..pcm(1) });
    writer.append(ONE, tone(0..300));
    writer.gap(ONE, gap(millis(6000), millis(500), GapCause::Jump));
    writer.append(ONE, tone(300..500));
    writer.anchor(ONE, Anchor { track: millis(10_500), session: millis(10_555) });
    writer.end_part(ONE);
    let start = Anchor { track: millis(90_000), session: millis(90_055) };
    writer.begin_part(NewPart { start, first: Sequence::new(500), ..pcm(2) });
    writer.append(ONE, tone(500..600));
    writer.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(3000) }, ..part(TWO, 1) });
    writer.append(TWO, packets(0..100));
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 92_000));
    rig.round().await;
    rig
}

/// The packets of a WebM file's first track, with their times.
fn packets_of(file: &[u8]) -> Vec<(Ticks, Bytes)> {
    let mut demuxer = webm::Demuxer::new();
    demuxer.push(file);
    let mut packets = Vec::new();
    while let Some(event) = demuxer.pull().unwrap() {
        if let webm::Event::Packet(packet) = event {
            packets.push((packet.time, packet.data));
        }
    }
    packets
}

#[tokio::test]
async fn tracks_of_samples_are_opus_in_webm_where_the_sessions_clock_has_them() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let made = files(dir.path());
    for (name, zero) in [("track-1.webm", Ticks::from_millis(50))] {
        let packets = packets_of(&made[name]);
        let mut decoder = codec::decoder(&Format::Opus(Format::Pcm(head()).heard())).unwrap();
        let (mut sounding, mut quiet) = (0, 0);
        for (block, (time, data)) in packets.iter().enumerate() {
            let sound = decoder.decode(data).unwrap();
            let peak = sound.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            // On the track's own count: 20 ms each, the gap's silence in it; then 79.5 s of nothing up to the second part.
            let on_track = match block as u64 {
                block @ ..525 => block * 960,
                block => 90_000 * 48 + block.saturating_sub(packets.len() as u64 - 100) * 960,
            };
            if block < 525 || block >= packets.len() - 100 {
                let expected = recording.tracks[0].session(Ticks::new(on_track)).saturating_sub(zero);
                assert!(time.signed_since(expected).abs() <= 24, "{name}: {block} at {time}, {expected} expected");
            }
            let loud = (2..299).contains(&block) || (327..524).contains(&block) || block > packets.len() - 99;
            sounding += u32::from(loud && (0.4..0.6).contains(&peak));
            quiet += u32::from((303..324).contains(&block) && peak < 0.01);
        }
        assert_eq!((sounding, quiet), (297 + 197 + 98, 21), "{name}");
        let folder = only_folder(dir.path()).join("derived");
        assert_eq!(tool("ffprobe", &["-v", "warning"], &folder.join(name)).1, "");
    }
    // Made again it is the same, bit for bit.
    fs::remove_dir_all(only_folder(dir.path()).join("derived")).unwrap();
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(files(dir.path()) == made);
    assert!(rig.derived(id(1)).await.iter().all(|file| !file.damaged));
}

#[tokio::test]
async fn a_waveform_of_samples_shows_them_as_loud_as_they_are() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let FoundWaveform::There(mut waveform) = rig.archive.waveform(id(1), Some(ONE)).await.unwrap() else { panic!() };
    let pixels = waveform.peaks.pixels(1, 0..waveform.peaks.count()).unwrap();
    let greatest = |millis: u64| pixels[usize::try_from(millis * 48 / waveform.peaks.finest()).unwrap()].1;
    for (at, expected) in
        [(1000, 63..=65), (5900, 63..=65), (6300, 0..=0), (9000, 63..=65), (50_000, 0..=0), (91_000, 63..=65)]
    {
        assert!(expected.contains(&greatest(at)), "{} at {at} ms", greatest(at));
    }
}

#[tokio::test]
async fn samples_that_are_not_what_was_written_are_left_out_and_told_of() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let whole = packets_of(&files(dir.path())["track-1.webm"]);
    let file = only_folder(dir.path()).join("01-ann.wav");
    let mut bytes = fs::read(&file).unwrap();
    // The second extent: a second of the ten.
    bytes[300_000] ^= 1;
    fs::write(&file, &bytes).unwrap();
    fs::remove_dir_all(only_folder(dir.path()).join("derived")).unwrap();
    rig.derive(dir.path(), id(1)).await.unwrap();
    for file in rig.derived(id(1)).await {
        let of_ben = file.what.of.track() == Some(TWO);
        assert_eq!(file.damaged, !of_ben, "{:?}", file.what);
    }
    let made = files(dir.path());
    let damaged = packets_of(&made["track-1.webm"]);
    let silent = |packets: &[(Ticks, Bytes)], from: u64, until: u64| {
        let inside = |time: &Ticks| (from..until).contains(&time.as_millis());
        packets.iter().filter(|(time, data)| inside(time) && data.len() == 3).count()
    };
    // An extent is 990 ms: 48 whole packets of silence fit in.
    assert!((46..=50).contains(&silent(&damaged, 900, 2100)), "{}", silent(&damaged, 900, 2100));
    assert_eq!(silent(&whole, 900, 2100), 0);
    assert_eq!(damaged.last().unwrap().0, whole.last().unwrap().0, "what comes after has its place");
    assert!(fs::read(&file).unwrap() == bytes, "a recording's own files are only read");
}
