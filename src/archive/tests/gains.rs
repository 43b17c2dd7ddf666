//! A track whose publisher began again with another output gain: it is as loud in every file as it was meant to be.

use std::fs;

use crate::archive::model::{Container, Derived, EndReason};
use crate::container::stream::Demux;
use crate::container::webm;

use super::mix::{decode, make, path};
use super::render::{anchor, level, opus_tone, pcm_part, plain, samples};
use super::*;

const HERTZ: f64 = 440.0;

/// 12 dB less, in 1/256 dB.
const QUIETER: i16 = -12 * 256;
/// The same as a share.
const QUARTER: f64 = 0.251;

/// Ann in Opus, two seconds with each of these gains, one after another; and then in plain samples, where she is to.
async fn record(folder: &Path, gains: &[i16], plainly: bool) -> Rig {
    let mut rig = Rig::open(folder).await;
    let writer = rig.begin(id(1));
    let mut begun = (1, 0);
    for output_gain in gains {
        let (number, first) = begun;
        let format = Format::Opus(opus::Head { output_gain: *output_gain, ..HEAD });
        let start = anchor(first * 20, first * 20);
        writer.begin_part(NewPart { format, start, first: Sequence::new(first), ..part(ONE, number) });
        writer.append(ONE, opus_tone(first..first + 100, HERTZ, 0.5));
        writer.end_part(ONE);
        begun = (number + 1, first + 100);
    }
    if plainly {
        let (number, first) = begun;
        let (head, start) = (plain(48_000, 1), anchor(first * 20, first * 20));
        writer.begin_part(NewPart { first: Sequence::new(first), ..pcm_part(ONE, number, head, start) });
        writer.append(ONE, samples(head, first..first + 100, HERTZ, 0.5));
    }
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 8000));
    rig.round().await;
    rig
}

#[tokio::test]
async fn parts_of_different_gains_are_as_loud_as_they_were_meant_in_every_file() {
    let dir = scratch();
    let mut rig = record(dir.path(), &[QUIETER, 0], true).await;
    let of_ann = Container::ALL.map(|container| Derived::Track(ONE, container));
    let asked = of_ann.into_iter().filter(|what| *what != Derived::Track(ONE, Container::WebM)).collect::<Vec<_>>();
    make(&mut rig, dir.path(), &asked).await;
    for (what, stream) in of_ann.into_iter().map(|what| (what, 0)).chain([(Derived::Session, 1)]) {
        let sound = decode(&path(dir.path(), what), stream);
        for (second, loud) in [(1, 0.5 * QUARTER), (3, 0.5), (5, 0.5)] {
            // Half a second of the middle of each part.
            let heard = level(&sound[second * 48_000 - 12_000..second * 48_000 + 12_000], HERTZ);
            assert!((heard - loud).abs() < 0.02, "{what}, second {second}: {heard}, {loud} expected");
        }
    }
}

#[tokio::test]
async fn where_all_parts_have_the_same_gain_no_packet_is_touched() {
    let dir = scratch();
    let mut rig = record(dir.path(), &[QUIETER, QUIETER], false).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let mut demuxer = webm::Demuxer::new();
    demuxer.push(&fs::read(path(dir.path(), Derived::Track(ONE, Container::WebM))).unwrap());
    let (mut heads, mut packets) = (Vec::new(), Vec::new());
    while let Some(event) = demuxer.pull().unwrap() {
        match event {
            webm::Event::Packet(packet) => packets.push(packet.data),
            webm::Event::Head(head) => heads.push(head),
            _ => {}
        }
    }
    let head = opus::Head { output_gain: QUIETER, ..HEAD };
    assert_eq!(heads, [crate::media::source::Source::Opus(head)]);
    let kept = [opus_tone(0..100, HERTZ, 0.5), opus_tone(100..200, HERTZ, 0.5)].concat();
    assert!(packets == kept.into_iter().map(|packet| packet.data).collect::<Vec<_>>());
}
