//! Plain samples through the transcoder: what is kept, what is heard, and when.

use bytes::Bytes;
use proptest::prelude::*;

use super::transcode::{BlockTranscoder, Transcoder};
use super::{DecodeError, Decoder, decoder, pcm};
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::pcm::{Head, Sample};
use crate::media::source::Source;
use crate::media::time::Ticks;
use crate::media::track::Format;

const ODD_RATES: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 37_800, 44_100, 48_000, 96_000, 192_000];

fn head(sample: Sample, rate: u32, channels: u32) -> Head {
    Head::new(sample, rate, channels).unwrap()
}

fn packet(time: Ticks, data: Bytes) -> SourcePacket {
    SourcePacket { time, duration: Ticks::ZERO, data, heard: None }
}

/// A tone of half of full scale, so many frames of it from a frame on.
fn tone(hertz: f64, rate: u32, from: u64, frames: u64) -> Vec<f32> {
    (from..from + frames).map(|at| sine(hertz, seconds(at, rate.into()))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "a sample")]
fn sine(hertz: f64, at: f64) -> f32 {
    ((at * hertz * std::f64::consts::TAU).sin() * 0.5) as f32
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn seconds(count: u64, rate: u64) -> f64 {
    count as f64 / rate as f64
}

fn bytes(sound: &[f32]) -> Bytes {
    sound.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// How far a tone stands above all else that is heard, in dB; and how much later it is than it was sent, in ticks.
fn tone_in(hertz: f64, heard: &[f32], first: u64) -> (f64, f64) {
    let turn = |at: u64| (seconds(at, 48_000) * hertz * std::f64::consts::TAU).sin_cos();
    let (mut sine, mut cosine, mut all, mut count) = (0.0, 0.0, 0.0, 0.0);
    for (at, sample) in (first..).zip(heard) {
        let (sample, (s, c)) = (f64::from(*sample), turn(at));
        sine += sample * s;
        cosine += sample * c;
        all += sample * sample;
        count += 1.0;
    }
    let signal = (sine * sine + cosine * cosine) * 2.0 / count;
    let late = (-cosine).atan2(sine) / std::f64::consts::TAU * 48_000.0 / hertz;
    (10.0 * (signal / (all - signal).max(1e-12)).log10(), late)
}

/// Whether a tone lies so many ticks late, but for whole turns of it.
fn assert_late(hertz: f64, late: f64, delay: Ticks) {
    let turn = 48_000.0 / hertz;
    let differ = (seconds(delay.get(), 1) - late).rem_euclid(turn);
    assert!(differ.min(turn - differ) < 0.6, "{late} of {turn} ticks, not {}", delay.get());
}

/// All that a source of these bytes becomes, pushed in pieces of so many frames.
fn transcoded(head: Head, sound: &Bytes, frames: &[usize]) -> Vec<SourcePacket> {
    let mut transcoder = Transcoder::new(&Source::Pcm(head)).unwrap();
    let (mut at, mut out) = (0, Vec::new());
    for frames in frames.iter().cycle() {
        let end = sound.len().min(at + frames * head.frame_bytes());
        let time = head.ticks((at / head.frame_bytes()) as u64);
        transcoder.push(packet(time, sound.slice(at..end)), &mut out).unwrap();
        at = end;
        if at == sound.len() {
            break;
        }
    }
    transcoder.finish(&mut out);
    out
}

#[test]
fn a_tone_is_heard_as_it_was_sent_at_any_rate() {
    for rate in ODD_RATES {
        let head = head(Sample::F32, rate, 1);
        let transcoder = Transcoder::new(&Source::Pcm(head)).unwrap();
        let delay = transcoder.delay();
        assert!(delay.get() < 480, "{rate} Hz: {delay}");
        let out = transcoded(head, &bytes(&tone(1000.0, rate, 0, rate.into())), &[1000]);
        let mut decoder = decoder(&Format::Opus(transcoder.format().heard())).unwrap();
        let mut sound = Vec::new();
        for packet in &out {
            sound.extend_from_slice(decoder.decode(packet.heard.as_ref().unwrap()).unwrap());
        }
        // 1000 Hz from 100 ms on, up to the last 50 ms: whole turns.
        let (ratio, late) = tone_in(1000.0, &sound[4_800..45_600], 4_800);
        assert_late(1000.0, late, delay);
        assert!(ratio > 30.0, "{rate} Hz: {ratio} dB");
    }
}

#[test]
fn a_tone_is_decoded_as_it_was_sent_at_any_rate() {
    for rate in ODD_RATES {
        let head = head(Sample::F32, rate, 1);
        let mut decoder = pcm::PcmDecoder::new(head).unwrap();
        let mut sound = Vec::new();
        for block in tone(1000.0, rate, 0, rate.into()).chunks(777) {
            sound.extend_from_slice(decoder.decode(&bytes(block)).unwrap());
        }
        assert_eq!(sound.len(), 48_000);
        let (ratio, late) = tone_in(1000.0, &sound[4_800..], 4_800);
        assert_late(1000.0, late, decoder.delay());
        assert!(ratio > 90.0, "{rate} Hz: {ratio} dB");
    }
}

#[test]
fn a_block_begins_when_its_first_sample_was_sent() {
    let head = head(Sample::S16, 48_000, 1);
    let mut transcoder = Transcoder::new(&Source::Pcm(head)).unwrap();
    let mut out = Vec::new();
    // 30 ms at 1 s; then 30 ms that were sent 4 ms too late; then a jump of 10 s.
    for (time, frames) in [(48_000, 1440), (48_000 + 1440 + 192, 1440), (528_000, 1920)] {
        transcoder.push(packet(Ticks::new(time), vec![0; frames * 2].into()), &mut out).unwrap();
    }
    transcoder.finish(&mut out);
    let times: Vec<_> = out.iter().map(|packet| packet.time.get()).collect();
    assert_eq!(times, [48_000, 48_960, 48_000 + 1440 + 192 + 480, 528_000, 528_960]);
}

#[test]
fn what_is_no_number_is_silence_and_the_rest_stays() {
    let head = head(Sample::F32, 48_000, 2);
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -7.0, f32::from_bits(1), 0.25, f32::MIN];
    let sound = bytes(&odd.repeat(480));
    let out = transcoded(head, &sound, &[100]);
    let kept: Vec<u8> = out.iter().flat_map(|packet| packet.data.to_vec()).collect();
    let wanted = [0.0, 0.0, 0.0, 1e30, -7.0, f32::from_bits(1), 0.25, f32::MIN];
    assert_eq!(kept, bytes(&wanted.repeat(480)));
    let mut decoder = decoder(&Format::Pcm(head)).unwrap();
    assert!(decoder.decode(&kept).unwrap().iter().all(|sample| sample.is_finite()));
}

#[test]
fn samples_that_are_not_whole_frames_are_refused_and_cost_nothing_else() {
    let head = head(Sample::S24, 8_000, 2);
    let mut transcoder = Transcoder::new(&Source::Pcm(head)).unwrap();
    let mut out = Vec::new();
    let refused = transcoder.push(packet(Ticks::ZERO, vec![0; 7].into()), &mut out);
    assert_eq!(refused, Err(DecodeError::Frames { bytes: 7, frame: 6 }));
    transcoder.push(packet(Ticks::ZERO, vec![0; 960].into()), &mut out).unwrap();
    assert_eq!(out.len(), 1);
}

#[test]
fn a_packet_that_its_publisher_numbered_keeps_its_edges() {
    let head = head(Sample::F32, 44_100, 2);
    let mut transcoder = BlockTranscoder::new(head).unwrap();
    for millis in [10, 20, 40, 60] {
        let frames = 441 * millis / 10;
        let data = bytes(&tone(440.0, 88_200, 0, frames * 2));
        let given = transcoder.push(packet(Ticks::new(7), data.clone())).unwrap();
        assert_eq!((given.time, given.duration), (Ticks::new(7), Ticks::from_millis(millis)));
        assert_eq!(given.data, data);
        assert_eq!(opus::duration(&given.heard.unwrap()), Ok(given.duration));
    }
    for frames in [0, 440, 442, 1323, 44_100] {
        let refused = transcoder.push(packet(Ticks::ZERO, vec![0; frames * 8].into()));
        assert_eq!(refused, Err(DecodeError::Length { frames: frames as u64, rate: 44_100 }));
    }
    // 10 ms of 22050 Hz are no whole frames.
    let data = Bytes::from(vec![0; 221 * 8]);
    let head = Head::new(Sample::F32, 22_050, 2).unwrap();
    assert!(BlockTranscoder::new(head).unwrap().push(packet(Ticks::ZERO, data)).is_err());
}

#[test]
fn sound_of_odd_rates_does_not_drift_in_an_hour() {
    for rate in [11_025, 22_050, 44_100, 88_200, 96_000, 37_800, 44_099] {
        let head = head(Sample::F32, rate, 1);
        let mut resampler = super::resample::Resampler::new(head).unwrap();
        let second = vec![0.0; rate as usize];
        let mut sound = Vec::new();
        // Unoptimised, the library is slow.
        for _ in 0..if cfg!(debug_assertions) { 20 } else { 3_600 } {
            resampler.push(&second);
            sound.clear();
            resampler.pull(resampler.owed(), &mut sound).unwrap();
            assert_eq!(sound.len(), 48_000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 48 } else { 500 }))]

    #[test]
    fn however_samples_are_cut_they_are_kept_as_they_came(
        sample in prop::sample::select(&Sample::ALL[..3]),
        rate in prop_oneof![prop::sample::select(&ODD_RATES[..]), 8_000..=192_000_u32],
        channels in 1..=2_u32,
        millis in 0..150_u64,
        cuts in prop::collection::vec(1..5_000_usize, 1..8),
        seed in any::<u8>(),
    ) {
        let head = head(sample, rate, channels);
        let frames = usize::try_from(u64::from(rate) * millis / 1000).unwrap();
        let sound: Bytes = (0..frames * head.frame_bytes())
            .map(|at| u8::try_from(at * 31 % 251).unwrap() ^ seed)
            .collect();
        let out = transcoded(head, &sound, &cuts);
        let kept: Vec<u8> = out.iter().flat_map(|packet| packet.data.to_vec()).collect();
        prop_assert_eq!(kept, sound.to_vec());
        let (mut whole, mut time) = (0_u64, 0_u64);
        for (at, packet) in (1_u64..).zip(&out) {
            whole += (packet.data.len() / head.frame_bytes()) as u64;
            // Blocks are in step with 20 ms, but for the last.
            let end = (at * u64::from(rate) * 2 + 50) / 100;
            prop_assert!(whole == end || at == out.len() as u64 && whole < end);
            prop_assert!(packet.time.get().abs_diff(time) <= 2);
            time += packet.duration.get();
            prop_assert_eq!(opus::duration(packet.heard.as_ref().unwrap()), Ok(Ticks::from_millis(20)));
        }
        prop_assert_eq!(time, head.ticks(frames as u64).get());
    }

    #[test]
    fn no_samples_make_the_encoder_panic(
        samples in prop::collection::vec(prop_oneof![any::<f32>(), any::<u32>().prop_map(f32::from_bits), -1.0..1.0_f32], 64),
        channels in 1..=2_u8,
        length in prop::sample::select(&[120, 240, 480, 960, 1920, 2880][..]),
    ) {
        let mut encoder = super::encoder(channels, 96_000).unwrap();
        let sound: Vec<f32> = samples.iter().copied().cycle().take(length * usize::from(channels)).collect();
        for _ in 0..3 {
            let packet = encoder.encode(&sound).unwrap();
            prop_assert_eq!(opus::duration(&packet).unwrap().get(), length as u64);
        }
    }
}
