//! The sound of recordings, as mixes are made of it: every sample in its place.

use std::fs;
use std::ops::Range;

use proptest::prelude::*;

use crate::archive::derived::{Render, Sums, Work};
use crate::archive::index::read;
use crate::archive::model::{EndReason, Recording};
use crate::media::codec;
use crate::media::pcm::{self, Sample};
use crate::media::source::Codec;

use super::*;

/// A recording that has ended, to be rendered.
pub(super) struct Ended {
    pub folder: PathBuf,
    pub recording: Recording,
    pub sums: Sums,
}

impl Ended {
    /// What is in a folder that holds one recording.
    pub async fn of(rig: &Rig, root: &Path) -> Self {
        let (_, recording) = {
            let mut connection = rig.archive.readers().acquire().await.unwrap();
            read::recording(&mut connection, id(1)).await.unwrap().unwrap()
        };
        let mut connection = rig.archive.readers().acquire().await.unwrap();
        let mut sums = Sums::new();
        let (place, _) = read::summary(&mut connection, id(1)).await.unwrap().unwrap();
        for track in &recording.tracks {
            for part in &track.parts {
                let all = read::extents(&mut connection, place.row, track.number, part.number, 0..u64::MAX).await;
                sums.insert((track.number, part.number), all.unwrap());
            }
        }
        Self { folder: only_folder(root), recording, sums }
    }

    /// Some tracks over a span, in blocks of so many frames: the sound, whether it is damaged, and how much is missing.
    fn render(&self, tracks: &[u16], span: Range<u64>, block: u64) -> (Vec<f32>, bool, Ticks) {
        let tracks: Vec<_> =
            self.recording.tracks.iter().filter(|track| tracks.contains(&track.number.get())).collect();
        let span = Ticks::new(span.start)..Ticks::new(span.end);
        let mut render = Render::new(&self.folder, &tracks, &self.sums, span);
        let mut all = Vec::new();
        loop {
            let sound = render.next(&mut Disk, &Work::default(), block).unwrap();
            if sound.is_empty() {
                return (all, render.damaged(), render.missing());
            }
            all.extend_from_slice(sound);
            assert!(all.len().is_multiple_of(render.channels().into()));
        }
    }

    fn length(&self) -> u64 {
        self.recording.summary.length.get()
    }
}

fn sine(hertz: f64, level: f64, rate: u32, at: u64) -> f64 {
    let at = f64::from(u32::try_from(at).unwrap());
    (at * hertz / f64::from(rate) * std::f64::consts::TAU).sin() * level
}

/// Blocks of 20 ms of a tone in plain samples of 16 bits.
pub(super) fn samples(head: pcm::Head, numbers: Range<u64>, hertz: f64, level: f64) -> Vec<Packet> {
    let block = |number: u64| {
        let (begin, end) = (head.block_begin(number), head.block_begin(number + 1));
        let mut data = Vec::new();
        for frame in begin..end {
            #[expect(clippy::cast_possible_truncation, reason = "a sample of 16 bits")]
            let sample = (sine(hertz, level, head.rate(), frame) * 32_768.0).round() as i16;
            (0..head.channels()).for_each(|_| data.extend(sample.to_le_bytes()));
        }
        let (time, sequence) = (head.ticks(begin), Sequence::new(number));
        let duration = head.ticks(end).saturating_sub(time);
        Packet { sequence, time, duration, data: data.into(), heard: None }
    };
    numbers.map(block).collect()
}

/// Packets of 20 ms of a tone as Opus, in one channel.
pub(super) fn opus_tone(numbers: Range<u64>, hertz: f64, level: f64) -> Vec<Packet> {
    let mut encoder = codec::encoder(1, codec::MONO_BITS).unwrap();
    let packet = |number: u64| {
        #[expect(clippy::cast_possible_truncation, reason = "a sample")]
        let sound: Vec<f32> =
            (number * 960..number * 960 + 960).map(|at| sine(hertz, level, 48_000, at) as f32).collect();
        let (time, sequence) = (Ticks::new(number * 960), Sequence::new(number));
        Packet { sequence, time, duration: PACKET, data: encoder.encode(&sound).unwrap(), heard: None }
    };
    numbers.map(packet).collect()
}

pub(super) fn plain(rate: u32, channels: u32) -> pcm::Head {
    pcm::Head::new(Sample::S16, rate, channels).unwrap()
}

pub(super) fn pcm_part(track: TrackNumber, number: u32, head: pcm::Head, start: Anchor) -> NewPart {
    NewPart { format: Format::Pcm(head), source: Codec::Pcm, start, ..part(track, number) }
}

pub(super) fn anchor(track: u64, session: u64) -> Anchor {
    Anchor { track: Ticks::from_millis(track), session: Ticks::from_millis(session) }
}

/// Ann in plain samples of 44.1 kHz with a gap and a second part that goes on, and a third much later, Ben in Opus with a clock
/// that drifts, in two parts; Eve in stereo at 48 kHz, who neither drifts nor is resampled.
pub(super) async fn record(folder: &Path) -> Rig {
    let mut rig = Rig::open(folder).await;
    let millis = Ticks::from_millis;
    let writer = rig.begin(id(1));
    let head = plain(44_100, 1);
    writer.begin_part(pcm_part(ONE, 1, head, anchor(0, 50)));
    writer.append(ONE, samples(head, 0..100, 440.0, 0.5));
    writer.gap(ONE, gap(millis(2000), millis(333), GapCause::Jump));
    writer.append(ONE, samples(head, 100..150, 440.0, 0.5));
    writer.end_part(ONE);
    writer.begin_part(NewPart { first: Sequence::new(150), ..pcm_part(ONE, 2, head, anchor(3333, 3383)) });
    writer.append(ONE, samples(head, 150..200, 440.0, 0.5));
    writer.end_part(ONE);
    writer.begin_part(NewPart { first: Sequence::new(200), ..pcm_part(ONE, 3, head, anchor(8000, 8051)) });
    writer.append(ONE, samples(head, 200..250, 440.0, 0.5));

    let tone = opus_tone(0..300, 700.0, 0.25);
    writer.begin_part(NewPart { start: anchor(0, 1000), ..part(TWO, 1) });
    writer.append(TWO, tone[..250].to_vec());
    writer.anchor(TWO, anchor(4000, 5002));
    writer.end_part(TWO);
    writer.begin_part(NewPart { start: anchor(5000, 6003), first: Sequence::new(250), ..part(TWO, 2) });
    writer.append(TWO, tone[250..].to_vec());

    let head = plain(48_000, 2);
    writer.begin_part(pcm_part(THREE, 1, head, anchor(0, 500)));
    writer.append(THREE, samples(head, 0..100, 1000.0, 0.125));
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 10_000));
    rig.round().await;
    rig
}

/// How loud a tone is in one channel: 1 is a sine of full scale.
pub(super) fn level(sound: &[f32], hertz: f64) -> f64 {
    let (mut cos, mut sin) = (0.0, 0.0);
    for (at, sample) in (0_u32..).zip(sound) {
        let phase = f64::from(at) * hertz / 48_000.0 * std::f64::consts::TAU;
        cos += f64::from(*sample) * phase.cos();
        sin += f64::from(*sample) * phase.sin();
    }
    cos.hypot(sin) * 2.0 / f64::from(u32::try_from(sound.len()).unwrap())
}

fn left(sound: &[f32]) -> Vec<f32> {
    sound.iter().step_by(2).copied().collect()
}

#[tokio::test]
async fn samples_that_do_not_drift_are_where_and_what_they_were() {
    let dir = scratch();
    let rig = record(dir.path()).await;
    let ended = Ended::of(&rig, dir.path()).await;
    let (sound, damaged, missing) = ended.render(&[3], 0..ended.length(), 4800);
    assert_eq!((damaged, missing, sound.len() as u64), (false, Ticks::ZERO, 2 * ended.length()));
    for (at, frame) in sound.chunks(2).enumerate() {
        let expected = match (at as u64).checked_sub(24_000) {
            // It ends in the middle of a swing.
            Some(95_760..96_000) => continue,
            #[expect(clippy::cast_possible_truncation, reason = "whole numbers of 16 bits")]
            Some(frame @ ..95_760) => (sine(1000.0, 0.125, 48_000, frame) * 32_768.0).round() as f32 / 32_768.0,
            _ => 0.0,
        };
        assert_eq!(frame, [expected; 2], "{at}");
    }
}

#[tokio::test]
async fn every_track_is_in_the_sum_at_its_own_level_and_nowhere_is_a_click() {
    let dir = scratch();
    let rig = record(dir.path()).await;
    let ended = Ended::of(&rig, dir.path()).await;
    let (sum, damaged, missing) = ended.render(&[1, 2, 3], 0..ended.length(), 1000);
    assert_eq!((damaged, missing), (false, Ticks::ZERO));
    let all = left(&sum);
    // A tenth of a second in which all three sound.
    let second = &all[57_600..62_400];
    for (hertz, expected) in [(440.0, 0.5), (700.0, 0.25), (1000.0, 0.125)] {
        assert!((level(second, hertz) - expected).abs() < 0.01, "{hertz} Hz: {}", level(second, hertz));
    }
    let alone: Vec<Vec<f32>> = [1, 2, 3].map(|track| ended.render(&[track], 0..ended.length(), 7777).0).into();
    for (at, sample) in all.iter().enumerate() {
        assert!((sample - (alone[0][at] + alone[1][at] + alone[2][2 * at])).abs() < 1e-6);
    }
    // The steepest of a tone is its level times its pitch; what clicks is steeper.
    for (sound, hertz, level) in [(&alone[0], 440.0, 0.5), (&alone[1], 700.0, 0.25)] {
        let steepest = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        let of_tone = hertz / 48_000.0 * std::f32::consts::TAU * level;
        assert!(steepest < of_tone * 1.1, "{hertz} Hz: {steepest}, {of_tone}");
    }
    // The gap is silent, and so is what lies between the parts; where one part goes on from another it sounds on.
    let silent =
        |millis: Range<usize>| alone[0][millis.start * 48..millis.end * 48].iter().all(|sample| *sample == 0.0);
    assert!(silent(0..50) && silent(2060..2370) && silent(4390..8050));
    assert!((level(&alone[0][3300 * 48..3500 * 48], 440.0) - 0.5).abs() < 0.005);
    // Ann's tone is where her clock says, resampled: no later than what is filtered out of it.
    let crossing = alone[0][50 * 48 + 500..].windows(2).position(|pair| pair[0] < 0.0 && pair[1] >= 0.0).unwrap() + 501;
    let periods = f64::from(u32::try_from(crossing).unwrap()) * 440.0 / 48_000.0;
    assert!((periods - periods.round()).abs() < 0.01, "{periods}");
}

#[tokio::test]
async fn any_span_in_any_blocks_is_that_slice_of_the_whole() {
    let dir = scratch();
    let rig = record(dir.path()).await;
    let ended = Ended::of(&rig, dir.path()).await;
    let choices: [&[u16]; 4] = [&[1], &[2], &[3], &[1, 2, 3]];
    let wholes = choices.map(|tracks| ended.render(tracks, 0..ended.length(), 48_000).0);
    let cases = ProptestConfig::with_cases(60);
    proptest!(cases, |(choice in 0..4_usize, from in any::<prop::sample::Index>(), length in 1..100_000_u64, block in 1..9000_u64)| {
        let from = from.index(usize::try_from(ended.length()).unwrap()) as u64;
        let to = ended.length().min(from + length);
        let block = block.max((to - from) / 300);
        let (sound, _, _) = ended.render(choices[choice], from..to, block);
        let whole = &wholes[choice];
        let channels = whole.len() as u64 / ended.length();
        let slice = &whole[usize::try_from(from * channels).unwrap()..usize::try_from(to * channels).unwrap()];
        prop_assert!(sound == slice, "tracks {:?} from {} to {} by {}", choices[choice], from, to, block);
    });
}

#[tokio::test]
async fn a_clock_that_drifts_is_followed_to_a_sample() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    let head = plain(48_000, 1);
    writer.begin_part(pcm_part(ONE, 1, head, anchor(0, 100)));
    // A swing as long as a dozen samples, once a second by its own clock, which is 500 ppm slow.
    let mut blocks = samples(head, 0..1000, 0.0, 0.0);
    for second in 1..20_usize {
        let mut data = vec![0; 1920];
        for at in 0..12_u16 {
            let sample = i16::try_from(16_000 * u32::from(at.min(12 - at)) / 6).unwrap();
            data[960 + usize::from(at) * 2..][..2].copy_from_slice(&sample.to_le_bytes());
        }
        blocks[second * 50].data = data.into();
    }
    writer.append(ONE, blocks);
    writer.anchor(ONE, anchor(10_000, 10_105));
    writer.anchor(ONE, anchor(20_000, 20_110));
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 20_000));
    rig.round().await;
    let ended = Ended::of(&rig, dir.path()).await;
    let (sound, ..) = ended.render(&[1], 0..ended.length(), 5000);
    for second in 1..20_u64 {
        let expected = 4800 + second * 48_024 + 480 + 6;
        let near = usize::try_from(expected - 100).unwrap()..usize::try_from(expected + 100).unwrap();
        let (peak, _) = sound[near].iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1)).unwrap();
        assert!(peak.abs_diff(100) <= 1, "second {second}: {peak}");
    }
}

#[tokio::test]
async fn what_is_damaged_is_silence_without_a_click_and_counted() {
    let dir = scratch();
    let rig = record(dir.path()).await;
    let ended = Ended::of(&rig, dir.path()).await;
    let (whole, ..) = ended.render(&[1], 0..ended.length(), 4800);
    let path = ended.folder.join(&ended.recording.tracks[0].parts[1].file);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::remove_file(ended.folder.join(&ended.recording.tracks[1].parts[0].file)).unwrap();
    let (sound, damaged, missing) = ended.render(&[1], 0..ended.length(), 4800);
    // The part is one extent.
    assert_eq!((damaged, missing), (true, Ticks::from_secs(1)));
    let second = 3383 * 48..4384 * 48;
    assert!(sound[second.clone()].iter().all(|sample| sample.abs() < 0.0001));
    assert!(sound[..second.start - 260] == whole[..second.start - 260] && sound[second.end..] == whole[second.end..]);
    let steepest = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(steepest < 0.032, "{steepest}");
    let (sound, damaged, missing) = ended.render(&[2], 0..ended.length(), 4800);
    assert_eq!((damaged, missing), (true, Ticks::from_secs(5)));
    assert!(
        sound[..6000 * 48].iter().all(|sample| *sample == 0.0)
            && sound[6100 * 48..6900 * 48].iter().any(|sample| *sample > 0.2)
    );
}
