//! What ffmpeg sends, for each kind of sound that it can make.

use std::process::{Command, Stdio};

use bytes::Bytes;
use futures_util::future::join_all;

use super::proof::{Kept, Sound};
use crate::helpers::Hub;

/// Seconds of each sound: what a room takes at once, and a bit that it does not.
const SECONDS: u32 = 6;
/// The edges of messages mean nothing.
const MESSAGE: usize = 10_007;

/// Two tones on two sides, or one on one, as loud as this: root mean square, full scale being 1.
const TONES: [&str; 2] = ["0.4*sin(2*PI*440*t)", "0.4*sin(2*PI*440*t)|0.4*sin(2*PI*554*t)"];
const LOUDNESS: f64 = 0.4 * std::f64::consts::FRAC_1_SQRT_2;

/// Runs ffmpeg, which must find no error.
fn ffmpeg(arguments: &[&str], input: Option<&[u8]>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-guess_layout_max", "0"]);
    if let Some(bytes) = input {
        std::fs::write(&file, bytes).unwrap();
        command.arg("-i").arg(&file);
    }
    let run = command.args(arguments).stdin(Stdio::null()).output().expect("tests/run installs ffmpeg");
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "{arguments:?}: {said}");
    run.stdout
}

/// A kind of sound that ffmpeg makes: its name, what it is for the hub, its rate and channels, a packet's length in ticks,
/// and ffmpeg's words for it.
struct Kind {
    name: &'static str,
    source: &'static str,
    rate: u32,
    channels: u8,
    packet: u64,
    words: &'static [&'static str],
    /// What the publisher adds to the query.
    query: &'static str,
}

const fn kind(
    name: &'static str,
    source: &'static str,
    (rate, channels): (u32, u8),
    packet: u64,
    words: &'static [&'static str],
) -> Kind {
    Kind { name, source, rate, channels, packet, words, query: "" }
}

/// Of fragments, as they are streamed.
const MP4: &str = "frag_keyframe+empty_moov+default_base_moof";

fn kinds() -> Vec<Kind> {
    vec![
        kind("wav-s16", "pcm", (44_100, 2), 0, &["-c:a", "pcm_s16le", "-f", "wav"]),
        kind("wav-s24", "pcm", (96_000, 1), 0, &["-c:a", "pcm_s24le", "-f", "wav"]),
        kind("wav-s32", "pcm", (8_000, 2), 0, &["-c:a", "pcm_s32le", "-f", "wav"]),
        kind("wav-f32", "pcm", (48_000, 2), 0, &["-c:a", "pcm_f32le", "-f", "wav"]),
        kind("wav-f32-192k", "pcm", (192_000, 1), 0, &["-c:a", "pcm_f32le", "-f", "wav"]),
        Kind {
            query: "&format=s24le&rate=22050&channels=2",
            ..kind("raw-s24", "pcm", (22_050, 2), 0, &["-c:a", "pcm_s24le", "-f", "s24le"])
        },
        kind("matroska-pcm", "pcm", (48_000, 2), 0, &["-c:a", "pcm_s16le", "-f", "matroska"]),
        kind("flac", "flac", (44_100, 2), 0, &["-c:a", "flac", "-sample_fmt", "s16", "-f", "flac"]),
        kind("flac-24", "flac", (96_000, 1), 0, &["-c:a", "flac", "-sample_fmt", "s32", "-f", "flac"]),
        kind("ogg-flac", "flac", (44_100, 2), 0, &["-c:a", "flac", "-sample_fmt", "s16", "-f", "ogg"]),
        kind("matroska-flac", "flac", (48_000, 1), 0, &["-c:a", "flac", "-sample_fmt", "s16", "-f", "matroska"]),
        kind("ogg-vorbis", "vorbis", (44_100, 2), 2048, &["-c:a", "libvorbis", "-f", "ogg"]),
        kind("webm-vorbis", "vorbis", (48_000, 2), 2048, &["-c:a", "libvorbis", "-f", "webm"]),
        Kind {
            query: "&format=mp3",
            ..kind("mp3", "mp3", (44_100, 2), 3 * 1254, &["-c:a", "libmp3lame", "-f", "mp3"])
        },
        kind("matroska-mp3", "mp3", (48_000, 1), 3 * 1152, &["-c:a", "libmp3lame", "-f", "matroska"]),
        kind(
            "mp4-aac",
            "aac",
            (44_100, 2),
            2 * 1115,
            &["-c:a", "aac", "-movflags", MP4, "-frag_duration", "500000", "-f", "mp4"],
        ),
        kind(
            "mp4-opus",
            "opus",
            (48_000, 2),
            960,
            &["-c:a", "libopus", "-movflags", MP4, "-frag_duration", "500000", "-f", "mp4"],
        ),
        kind("ogg-opus", "opus", (48_000, 1), 960, &["-c:a", "libopus", "-f", "ogg"]),
        kind("webm-opus", "opus", (48_000, 2), 960, &["-c:a", "libopus", "-f", "webm"]),
    ]
}

impl Kind {
    fn make(&self) -> Sound {
        let tones = TONES[usize::from(self.channels) - 1];
        let source = format!("aevalsrc={tones}:d={SECONDS}:s={}", self.rate);
        let stream = ffmpeg(&[&["-f", "lavfi", "-i", &source][..], self.words, &["-"]].concat(), None);
        let kept = match self.source {
            "pcm" | "flac" => Kept::Pcm(self.samples(&stream)),
            "opus" => Kept::Opus(self.packets(&stream)),
            _ => Kept::Anew(LOUDNESS),
        };
        let frame = self.sample().map_or(1, |(_, bytes)| bytes * usize::from(self.channels));
        // Raw samples are whole frames in each message.
        let messages = stream.chunks(MESSAGE / frame * frame).map(Bytes::copy_from_slice).collect();
        Sound {
            name: self.name.to_owned(),
            query: self.query.to_owned(),
            messages,
            source: self.source,
            kept,
            channels: self.channels,
            ticks: u64::from(SECONDS) * 48_000,
            packet: self.packet,
        }
    }

    /// Of raw samples, ffmpeg's word for them and their bytes.
    fn sample(&self) -> Option<(&'static str, usize)> {
        self.query.contains("s24le").then_some(("s24le", 3))
    }

    /// The samples as they are to be kept, as ffmpeg reads them.
    fn samples(&self, stream: &[u8]) -> Vec<u8> {
        let words = self.words.join(" ");
        let sample = match (words.contains("sample_fmt s32"), words.split_once("pcm_")) {
            (true, _) => "s24le",
            (false, Some((_, rest))) => rest.split(' ').next().unwrap(),
            (false, None) => "s16le",
        };
        if self.sample().is_some() {
            return stream.to_vec();
        }
        let codec = format!("pcm_{sample}");
        ffmpeg(&["-c:a", &codec, "-f", sample, "-"], Some(stream))
    }

    /// The packets as they are to be kept, as ffmpeg copies them into Ogg.
    fn packets(&self, stream: &[u8]) -> Vec<Bytes> {
        let ogg = ffmpeg(&["-c:a", "copy", "-f", "ogg", "-"], Some(stream));
        crate::helpers::judge::ogg_packets(&ogg).into_iter().map(Bytes::from).collect()
    }
}

/// Publishes the kinds that are this for the hub, each in a room of its own.
async fn prove(source: &str) {
    let hub = Hub::start();
    let kinds = kinds().into_iter().filter(|kind| kind.source == source);
    join_all(kinds.map(|kind| kind.make().prove(&hub))).await;
}

#[tokio::test]
async fn samples_of_every_kind_are_kept_as_they_came() {
    prove("pcm").await;
}

#[tokio::test]
async fn flac_is_kept_as_the_samples_that_it_stands_for() {
    prove("flac").await;
}

#[tokio::test]
async fn opus_in_every_container_is_kept_packet_by_packet() {
    prove("opus").await;
}

#[tokio::test]
async fn vorbis_is_heard_as_loud_and_as_long_as_it_was() {
    prove("vorbis").await;
}

#[tokio::test]
async fn mp3_is_heard_as_loud_and_as_long_as_it_was() {
    prove("mp3").await;
}

#[tokio::test]
async fn aac_is_heard_as_loud_and_as_long_as_it_was() {
    prove("aac").await;
}

/// One sound of each kind that is made here.
pub fn one_of_each() -> Vec<Sound> {
    kinds().iter().map(Kind::make).collect()
}
