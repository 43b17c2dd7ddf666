//! What Firefox sent as Ogg, through the demuxer, judged by what ffmpeg finds in the same bytes (`tests/captures`).

use proptest::prelude::*;

use super::tests::demux;
use super::*;
use crate::container::judge::{self, Capture};
use crate::container::ogg;
use crate::container::testing::{are_the_same_bytes, is_the_same_in_pieces, packets, pieces, sizes};
use crate::media::opus;
use crate::media::source::Source;
use crate::media::time::Ticks;

const NAME: &str = "firefox-ogg-opus";

#[test]
fn the_packets_are_those_that_ffmpeg_finds() {
    let capture = Capture::read(NAME);
    let (events, error) = demux(capture.messages());
    assert_eq!(error, None);
    let head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
    assert_eq!(events[0], Event::Head(Source::Opus(head)));
    let found = packets(&events);
    let golden = capture.packets();
    assert_eq!(events.len(), 1 + golden.len());
    are_the_same_bytes(NAME, &found, &golden);
    for (index, (found, golden)) in found.iter().zip(&golden).enumerate() {
        // ffprobe takes the pre-skip off.
        assert_eq!(found.time.signed_since(Ticks::new(312)), golden.pts, "packet {index}");
        assert_eq!(found.duration, Ticks::from_millis(20), "packet {index}");
    }
}

#[test]
fn the_packets_are_the_same_in_pieces_of_every_size_to_4_kib() {
    let capture = Capture::read(NAME);
    let whole = capture.joined();
    assert!(demux([whole.as_slice()]) == demux(capture.messages()), "in messages");
    is_the_same_in_pieces(Demuxer::new, &whole, 1..=4096, ogg::LONGEST_PAGE + PACKET_LIMIT);
}

#[test]
fn ffprobe_finds_here_what_it_found_when_the_capture_was_taken() {
    let capture = Capture::read(NAME);
    assert_eq!(judge::probe(&capture.joined()), capture.packets());
}

#[test]
fn a_capture_cut_off_anywhere_gives_what_came_before() {
    let whole = Capture::read(NAME).joined();
    let (all, _) = demux([whole.as_slice()]);
    for cut in (0..whole.len()).step_by(101) {
        let (events, error) = demux([&whole[..cut]]);
        assert_eq!(error, None, "cut at {cut}");
        assert!(all.starts_with(&events), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_ends_the_stream_at_its_page() {
    let whole = Capture::read(NAME).joined();
    let whole = &whole[..20_000];
    let (all, _) = demux([whole]);
    let mut reader = PageReader::new();
    reader.push(whole);
    let mut ends = vec![0];
    while let Some(page) = reader.pull().unwrap() {
        ends.push(page.end());
    }
    for at in (0..usize::try_from(*ends.last().unwrap()).unwrap()).step_by(61) {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1 << (at % 8);
        let (events, error) = demux([flipped.as_slice()]);
        let Some(Error::Torn(torn)) = error else { panic!("byte {at}: {error:?}") };
        assert_eq!(Some(&torn.offset), ends.iter().rfind(|&&end| end <= at as u64), "byte {at}");
        assert!(all.starts_with(&events) && all.len() > events.len(), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_packets_are_the_same_in_pieces_of_any_sizes(
        sizes in sizes(),
    ) {
        let whole = Capture::read(NAME).joined();
        prop_assert!(demux(pieces(&whole, &sizes)) == demux([whole.as_slice()]));
    }
}
