//! The hub is killed while samples come in.

use std::path::Path;

use bytes::BytesMut;
use roomtone::media::packet::Sequence;
use roomtone::media::time::Ticks;
use roomtone::wire::packets::{self, Flags};
use serde_json::json;

use super::ffmpeg::ffmpeg;
use crate::helpers::{Client, Hub};

/// 20 ms at 48 kHz, 16 bits, mono.
const BLOCK: usize = 1920;
/// 20 ms at 44.1 kHz, 24 bits, stereo.
const RAW: usize = 882 * 6;

/// Samples of which no two blocks are alike.
fn samples(bytes: usize, seed: u64) -> Vec<u8> {
    let noise = (seed..).flat_map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    noise.take(bytes).collect()
}

/// The file of a track, in the folder of the room's only recording.
fn file(recordings: &Path, begin: &str) -> Vec<u8> {
    let recording = std::fs::read_dir(recordings.join("talk")).unwrap().next().unwrap().unwrap().path();
    let files = std::fs::read_dir(recording).unwrap().map(|entry| entry.unwrap().path());
    let mut found = files.filter(|file| file.file_name().unwrap().to_str().unwrap().starts_with(begin));
    std::fs::read(found.next().unwrap()).unwrap()
}

/// A WAV file plays, and holds what was sent: at least `durable` bytes of it.
fn assert_whole(file: &[u8], sample: &str, sent: &[u8], durable: usize) {
    let played = ffmpeg(&["-c:a", &format!("pcm_{sample}"), "-f", sample, "-"], Some(file));
    assert!(played.len() >= durable, "{} bytes play, {durable} were durable", played.len());
    assert!(sent.starts_with(&played), "{} bytes play that were not sent so", played.len());
}

#[tokio::test]
async fn a_hub_that_is_killed_keeps_every_sample_that_it_said_was_durable_and_its_files_play() {
    let hub = Hub::start();
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let (blocks, raw) = (samples(500 * BLOCK, 1), samples(500 * RAW, 77));
    let pcm = |sample: &str, rate: u32, channels: u8| json!({ "codec": "pcm", "sample": sample, "rate": rate, "channels": channels });
    for (track, source, format) in [(0, "packets", pcm("s16le", 48_000, 1)), (1, "container", pcm("s24le", 44_100, 2))]
    {
        ann.say(json!({ "type": "publish", "track": track, "source": source, "format": format })).await;
    }
    let mut durable = [0, 0];
    let mut sent = 0_usize;
    // Until more than two seconds of both are durable, and the last that was said of each came while it went on talking.
    while durable.iter().any(|next| *next < 100) {
        assert!(sent < 500, "{durable:?} of {sent} blocks are durable");
        for _ in 0..10 {
            let mut message = BytesMut::new();
            let block = &blocks[sent * BLOCK..][..BLOCK];
            let (first, time) = (Sequence::new(sent as u64), Ticks::new(sent as u64 * 960));
            packets::write(&mut message, 0, Flags::default(), first, time, [block].into_iter());
            ann.send(message.freeze()).await;
            ann.send_container(1, &raw[sent * RAW..][..RAW]).await;
            sent += 1;
        }
        let told = ann.notice_of("durable").await;
        durable[usize::try_from(told["track"].as_u64().unwrap()).unwrap()] =
            usize::try_from(told["next"].as_u64().unwrap()).unwrap();
    }
    let recordings = hub.recordings();
    let folder = hub.kill();
    // As it was left: whoever takes the disk elsewhere has it too.
    let (first, second) = (durable[0] * BLOCK, durable[1] * RAW);
    assert_whole(&file(&recordings, "01-"), "s16le", &blocks, first);
    assert_whole(&file(&recordings, "02-"), "s24le", &raw, second);
    let hub = Hub::start_in(folder, &[]);
    let recording = hub.ended("talk").await;
    assert_eq!(recording["end_reason"], "crashed");
    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 2);
    for track in tracks {
        let file = hub.bytes(track["files"]["wav"].as_str().unwrap()).await;
        if track["rate"] == 48_000 {
            assert_whole(&file, "s16le", &blocks, first);
        } else {
            assert_whole(&file, "s24le", &raw, second);
        }
        assert_eq!(track["gaps"], json!([]));
    }
}
