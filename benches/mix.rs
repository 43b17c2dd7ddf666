//! How many times faster than real time tracks are mixed: `cargo bench --bench mix`.
//!
//! The tracks are what Firefox sent, again and again, each a little later than the one before; what is counted is a second of
//! the mix. Decoding, summing, limiting, and encoding are in it; with `drift`, each track is resampled, too.

#[path = "../tests/captures/read.rs"]
mod captures;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use roomtone::container::stream::Demux;
use roomtone::container::webm;
use roomtone::media::mix::{BusId, HEAD, Joint, Mixer, Output};
use roomtone::media::opus::Head;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::time::Ticks;
use roomtone::media::track::TrackNumber;
use uuid::Uuid;

const SECONDS: u64 = 5;

fn main() {
    divan::main();
}

fn packets() -> Vec<Bytes> {
    let mut demuxer = webm::Demuxer::new();
    let mut packets = Vec::new();
    for message in captures::messages("firefox-webm-opus") {
        demuxer.push(&message);
        while let Some(event) = demuxer.pull().expect("a good capture") {
            if let webm::Event::Packet(packet) = event {
                packets.push(packet.data);
            }
        }
    }
    packets
}

fn mix(bencher: Bencher, tracks: u16, output: Output, ppm: u64) {
    let data = packets();
    bencher.counter(ItemsCount::new(SECONDS)).bench_local(|| {
        let mut mixer = Mixer::new();
        mixer.begin(BusId { without: None, output }, Ticks::ZERO, Joint::Free);
        let mut made = 0;
        for number in 0..SECONDS * 50 {
            for track in 0..tracks {
                let time = number * 960 + number * 960 * ppm / 1_000_000 + u64::from(track) * 7;
                let data = data[usize::try_from(number + u64::from(track) * 11).unwrap_or(0) % data.len()].clone();
                let (sequence, time, duration) = (Sequence::new(number), Ticks::new(time), Ticks::new(960));
                let packet = Packet { sequence, time, duration, data, heard: None };
                let head = Head { channels: 1, ..HEAD };
                let owner = Uuid::from_u128(track.into());
                mixer.push(TrackNumber::new(track), owner, head, &[packet], false, time.saturating_add(duration));
            }
            made += mixer.pull(Ticks::new((number + 1) * 960)).len();
        }
        made
    });
}

#[divan::bench(args = [2, 5, 10])]
fn packets_of_tracks(bencher: Bencher, tracks: u16) {
    mix(bencher, tracks, Output::Packets, 0);
}

#[divan::bench(args = [2, 5, 10])]
fn samples_of_tracks(bencher: Bencher, tracks: u16) {
    mix(bencher, tracks, Output::Sound, 0);
}

#[divan::bench(args = [2, 5, 10])]
fn drift(bencher: Bencher, tracks: u16) {
    mix(bencher, tracks, Output::Sound, 200);
}
