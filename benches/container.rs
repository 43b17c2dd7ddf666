//! Demuxing and muxing, in bytes of container and in packets a second: `cargo bench --bench container`.
//!
//! The input is what two browsers sent (`tests/captures`): Chromium's packets are 60 ms, Firefox's 20 ms. Where no browser
//! sends a codec it is what ffmpeg writes.

#[path = "../tests/captures/read.rs"]
mod captures;

use std::process::Command;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use roomtone::container::sniff::Kind;
use roomtone::container::stream::{Demux, Event, Opening, demuxer};
use roomtone::container::{ogg, webm};
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::pcm;
use roomtone::media::source::Source;
use roomtone::media::time::Ticks;

const CAPTURES: [&str; 3] = ["chromium-webm-opus", "firefox-webm-opus", "chromium-webm-vp8-opus"];

fn main() {
    divan::main();
}

/// Demuxes messages as they came; gives the head and the packets, one after another.
fn demux(messages: &[Vec<u8>]) -> (Option<opus::Head>, Vec<Packet>) {
    let mut demuxer = webm::Demuxer::new();
    let mut head = None;
    let mut packets: Vec<Packet> = Vec::new();
    for message in messages {
        demuxer.push(message);
        while let Some(event) = demuxer.pull().expect("a good capture") {
            match event {
                webm::Event::Head(Source::Opus(found)) => head = Some(found),
                webm::Event::Packet(source) => packets.push(Packet {
                    sequence: Sequence::new(packets.len() as u64),
                    time: packets.last().map_or(Ticks::ZERO, Packet::end),
                    duration: source.duration,
                    data: source.data,
                    heard: None,
                }),
                _ => {}
            }
        }
    }
    (head, packets)
}

fn packets(capture: &str) -> (opus::Head, Vec<Packet>) {
    let (head, packets) = demux(&captures::messages(capture));
    (head.expect("a head"), packets)
}

/// Bytes of sound, without any container.
fn sound(packets: &[Packet]) -> BytesCount {
    BytesCount::new(packets.iter().map(|packet| packet.data.len()).sum::<usize>())
}

/// A part of these packets, synced each 25.
fn part(head: opus::Head, packets: &[Packet]) -> Vec<u8> {
    let (mut muxer, mut file) = ogg::PartMuxer::begin(1, head, &[]);
    for packets in packets.chunks(25) {
        for packet in packets {
            muxer.push(&packet.data, packet.duration);
        }
        file.extend(muxer.take());
    }
    file.extend(muxer.finish());
    file
}

#[divan::bench(args = CAPTURES)]
fn webm_demux(bencher: Bencher, capture: &str) {
    let messages = captures::messages(capture);
    let bytes = messages.iter().map(Vec::len).sum::<usize>();
    let count = demux(&messages).1.len();
    bencher.counter(BytesCount::new(bytes)).counter(ItemsCount::new(count)).bench(|| demux(black_box(&messages)));
}

/// Demuxes a stream that comes in messages; gives how many packets it had.
fn count(opening: Opening, messages: &[&[u8]]) -> usize {
    let mut demuxer = demuxer(opening);
    let mut packets = 0;
    for message in messages {
        demuxer.push(message);
        while let Some(event) = demuxer.pull().expect("a good stream") {
            packets += usize::from(matches!(black_box(event), Event::Packet(_)));
        }
    }
    packets
}

fn bench_demux(bencher: Bencher, opening: Opening, messages: &[&[u8]]) {
    let bytes = messages.iter().map(|message| message.len()).sum::<usize>();
    let packets = count(opening, messages);
    bencher
        .counter(BytesCount::new(bytes))
        .counter(ItemsCount::new(packets))
        .bench(|| count(opening, black_box(messages)));
}

#[divan::bench(args = ["chromium-mp4-opus", "webkitgtk-mp4-aac"])]
fn mp4_demux(bencher: Bencher, capture: &str) {
    let messages = captures::messages(capture);
    bench_demux(bencher, Opening::Sniffed(Kind::Mp4), &messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

/// Stereo at 48 kHz, as ffmpeg writes it into a pipe, in messages of 4 KiB.
#[divan::bench(args = ["pcm_s16le", "pcm_s24be", "pcm_f32le", "flac", "libvorbis", "aac", "libmp3lame", "libopus"])]
fn matroska_demux(bencher: Bencher, codec: &str) {
    bench_demux(bencher, Opening::Sniffed(Kind::WebM), &noise(codec, "matroska").chunks(4096).collect::<Vec<_>>());
}

/// Stereo at 48 kHz, as ffmpeg writes it into a pipe.
fn noise(codec: &str, format: &str) -> Vec<u8> {
    let source = "anoisesrc=r=48000:d=20:a=0.3";
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-ac", "2", "-c:a", codec, "-f", format, "pipe:1"])
        .output()
        .expect("ffmpeg makes the input");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The same, in the formats that programs stream without Matroska; samples without any are whole frames.
#[divan::bench(args = ["pcm_s16le wav", "pcm_f32le wav", "pcm_u8 wav", "pcm_s16le s16le", "flac flac", "libmp3lame mp3"])]
fn bare_demux(bencher: Bencher, made: &str) {
    let (codec, format) = made.split_once(' ').expect("a codec and a format");
    let opening = match format {
        "wav" => Opening::Sniffed(Kind::Wav),
        "flac" => Opening::Sniffed(Kind::Flac),
        "mp3" => Opening::Mp3,
        _ => Opening::Pcm(pcm::Head::new(pcm::Sample::S16, 48_000, 2).expect("a head")),
    };
    bench_demux(bencher, opening, &noise(codec, format).chunks(4096).collect::<Vec<_>>());
}

/// Messages of 240 ms with as much pre-roll.
#[divan::bench(args = CAPTURES[..2].iter())]
fn webm_self_contained(bencher: Bencher, capture: &&str) {
    let (head, packets) = packets(capture);
    let count = usize::try_from(240 / packets[0].duration.as_millis()).expect("a small number");
    bencher.counter(sound(&packets)).counter(ItemsCount::new(packets.len())).bench(|| {
        let mut pre_roll: &[Packet] = &[];
        for packets in black_box(&packets).chunks(count) {
            black_box(webm::mux::self_contained(head, pre_roll, packets));
            pre_roll = packets;
        }
    });
}

#[divan::bench(args = CAPTURES[..2].iter())]
fn webm_continuing(bencher: Bencher, capture: &&str) {
    let (head, packets) = packets(capture);
    let count = usize::try_from(240 / packets[0].duration.as_millis()).expect("a small number");
    bencher.counter(sound(&packets)).counter(ItemsCount::new(packets.len())).bench(|| {
        for packets in black_box(&packets).chunks(count) {
            black_box(webm::mux::continuing(head, packets));
        }
    });
}

#[divan::bench(args = CAPTURES[..2].iter())]
fn ogg_mux(bencher: Bencher, capture: &&str) {
    let (head, packets) = packets(capture);
    bencher.counter(sound(&packets)).counter(ItemsCount::new(packets.len())).bench(|| part(head, black_box(&packets)));
}

/// What recovery does: every page's checksum, no packets.
#[divan::bench(args = CAPTURES[..2].iter())]
fn ogg_pages(bencher: Bencher, capture: &&str) {
    let (head, packets) = packets(capture);
    let file = part(head, &packets);
    bencher.counter(BytesCount::new(file.len())).counter(ItemsCount::new(packets.len())).bench(|| {
        let mut reader = ogg::PageReader::new();
        for bytes in black_box(&file).chunks(64 * 1024) {
            reader.push(bytes);
            while let Some(page) = reader.pull().expect("a good part") {
                black_box(page);
            }
        }
        reader.end()
    });
}

/// What a publisher sends as Ogg, as its messages came.
#[divan::bench]
fn ogg_stream(bencher: Bencher) {
    let messages = captures::messages("firefox-ogg-opus");
    let bytes = messages.iter().map(Vec::len).sum::<usize>();
    let demux = |messages: &[Vec<u8>]| {
        let mut demuxer = ogg::stream::Demuxer::new();
        let mut packets = 0_usize;
        for message in messages {
            demuxer.push(message);
            while let Some(event) = demuxer.pull().expect("a good capture") {
                packets += usize::from(matches!(black_box(event), Event::Packet(_)));
            }
        }
        packets
    };
    let count = demux(&messages);
    bencher.counter(BytesCount::new(bytes)).counter(ItemsCount::new(count)).bench(|| demux(black_box(&messages)));
}

/// Messages of 240 ms for plain listeners of Ogg.
#[divan::bench(args = CAPTURES[..2].iter())]
fn ogg_messages(bencher: Bencher, capture: &&str) {
    let (head, packets) = packets(capture);
    let count = usize::try_from(240 / packets[0].duration.as_millis()).expect("a small number");
    bencher.counter(sound(&packets)).counter(ItemsCount::new(packets.len())).bench(|| {
        let mut messages = ogg::live::Messages::new(1, head);
        for packets in black_box(&packets).chunks(count) {
            black_box(messages.message(packets));
        }
    });
}

#[divan::bench(args = CAPTURES[..2].iter())]
fn ogg_demux(bencher: Bencher, capture: &&str) {
    let (head, packets) = packets(capture);
    let file = part(head, &packets);
    bencher.counter(BytesCount::new(file.len())).counter(ItemsCount::new(packets.len())).bench(|| {
        let mut demuxer = ogg::Demuxer::new();
        for bytes in black_box(&file).chunks(64 * 1024) {
            demuxer.push(bytes);
            while let Some(event) = demuxer.pull().expect("a good part") {
                black_box(event);
            }
        }
    });
}
