//! The codecs, in times real time: `cargo bench --bench codec`.
//!
//! Prints one table. Its last rows are how many publishers of each kind one core carries, as far as codec work goes: what a
//! transcoder does in one second of one thread's CPU time, in seconds of sound. Time is the thread's own, so that others on the
//! machine disturb it little; each figure is the best of several runs. A share of the name given as an argument
//! selects rows. The coded sound is ffmpeg's.

#![forbid(unsafe_code)]

use std::hint::black_box;

use bytes::Bytes;
use roomtone::media;
use roomtone::media::codec::resample::Resampler;
use roomtone::media::codec::transcode::Transcoder;
use roomtone::media::codec::{MONO_BITS, STEREO_BITS, decoder, encoder};
use roomtone::media::packet::SourcePacket;
use roomtone::media::pcm::{Head, Sample};
use roomtone::media::source::{Codec, Source};
use roomtone::media::time::Ticks;
use roomtone::media::track::Format;

#[path = "../tests/captures/coded.rs"]
mod coded;

/// Sound of each row.
const SECONDS: u32 = 10;
/// Runs of each row, of which the best counts.
const RUNS: usize = 7;

fn main() {
    // Cargo adds `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    println!("times real time, by CPU time of one thread; load {}", load());
    for (name, work) in rows() {
        if name.contains(&wanted) {
            let mut work = work();
            let best = (0..RUNS).map(|_| seconds_of(&mut work)).fold(f64::INFINITY, f64::min);
            println!("{name:<56} {:>6.0}", f64::from(SECONDS) / best);
        }
    }
    println!("load {}", load());
}

/// What a row does, [`SECONDS`] of it.
type Work = Box<dyn FnMut()>;

fn rows() -> Vec<(String, Box<dyn Fn() -> Work>)> {
    let mut rows: Vec<(String, Box<dyn Fn() -> Work>)> = Vec::new();
    for channels in [1, 2] {
        rows.push((format!("encode Opus, {}", kind(channels)), Box::new(move || encode(channels))));
        rows.push((format!("decode Opus, {}", kind(channels)), Box::new(move || decode_opus(channels))));
    }
    for rate in [8_000, 44_100, 96_000, 192_000, 44_099] {
        for channels in [1, 2] {
            let name = format!("resample {rate} Hz, {}", kind(channels));
            rows.push((name, Box::new(move || resample(rate, channels))));
        }
    }
    for (rate, channels) in [(48_000, 1), (44_100, 1), (48_000, 2), (44_100, 2), (192_000, 2)] {
        for sample in [Sample::S16, Sample::F32] {
            let head = Head::new(sample, rate, channels).expect("a head");
            rows.push((format!("publish PCM, {head}"), Box::new(move || publish_pcm(head))));
        }
    }
    for codec in [Codec::Flac, Codec::Aac, Codec::Vorbis, Codec::Mp3] {
        for (rate, channels) in [(48_000, 1), (44_100, 2)] {
            let name = format!("publish {codec}, {rate} Hz, {}", kind(channels));
            rows.push((name, Box::new(move || publish(codec, rate, channels))));
        }
    }
    rows
}

fn kind(channels: u8) -> &'static str {
    if channels == 1 { "1 channel" } else { "2 channels" }
}

/// CPU seconds of this thread that it takes.
fn seconds_of(work: &mut Work) -> f64 {
    let before = cpu_nanos();
    work();
    std::time::Duration::from_nanos(cpu_nanos() - before).as_secs_f64()
}

fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds")
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// The test sound as samples of 4 bytes.
fn sound(rate: u32, channels: u8) -> Vec<f32> {
    let bytes = coded::ffmpeg(&coded::sound(rate, channels, SECONDS), &["-f", "f32le"]);
    bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
}

fn opus_packets(channels: u8) -> Vec<Bytes> {
    let bits = if channels == 1 { MONO_BITS } else { STEREO_BITS };
    let mut encoder = encoder(channels, bits).expect("an encoder");
    let sound = sound(48_000, channels);
    sound.chunks(960 * usize::from(channels)).map(|block| encoder.encode(block).expect("a packet")).collect()
}

fn encode(channels: u8) -> Work {
    let bits = if channels == 1 { MONO_BITS } else { STEREO_BITS };
    let mut encoder = encoder(channels, bits).expect("an encoder");
    let sound = sound(48_000, channels);
    Box::new(move || {
        for block in sound.chunks(960 * usize::from(channels)) {
            black_box(encoder.encode(black_box(block)).expect("a packet"));
        }
    })
}

fn decode_opus(channels: u8) -> Work {
    let packets = opus_packets(channels);
    let head = media::opus::Head { channels, pre_skip: 0, input_rate: 48_000, output_gain: 0 };
    let mut decoder = decoder(&Format::Opus(head)).expect("a decoder");
    Box::new(move || {
        for packet in &packets {
            black_box(decoder.decode(black_box(packet)).expect("sound"));
        }
    })
}

fn resample(rate: u32, channels: u8) -> Work {
    let sound = sound(rate, channels);
    let head = Head::new(Sample::F32, rate, channels.into()).expect("a head");
    let mut resampler = Resampler::new(head).expect("a resampler");
    let mut out = Vec::new();
    Box::new(move || {
        for block in sound.chunks(rate as usize / 50 * usize::from(channels)) {
            resampler.push(black_box(block));
            out.clear();
            resampler.pull(resampler.owed(), &mut out).expect("sound");
            black_box(&out);
        }
    })
}

/// Messages of 100 ms.
fn publish_pcm(head: Head) -> Work {
    let word = head.sample().word();
    let bytes = Bytes::from(coded::ffmpeg(&coded::sound(head.rate(), head.channels(), SECONDS), &["-f", word]));
    let message = head.rate() as usize / 10 * head.frame_bytes();
    let packets = (0..bytes.len()).step_by(message).map(|at| bytes.slice(at..bytes.len().min(at + message)));
    transcode(Source::Pcm(head), packets.collect())
}

fn publish(codec: Codec, rate: u32, channels: u8) -> Work {
    let (source, packets) = coded::packets(codec, rate, channels, &coded::file(codec, rate, channels, SECONDS, 16));
    transcode(Source::Coded(source), packets)
}

fn transcode(source: Source, packets: Vec<Bytes>) -> Work {
    let mut transcoder = Transcoder::new(&source).expect("a transcoder");
    let mut out = Vec::new();
    Box::new(move || {
        for data in &packets {
            let packet = SourcePacket { time: Ticks::ZERO, duration: Ticks::ZERO, data: data.clone(), heard: None };
            transcoder.push(black_box(packet), &mut out).expect("good packets");
        }
        black_box(&out);
        out.clear();
    })
}
