//! What a replay makes of parts with flipped bits: what is damaged is left out and told, and all else plays.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::container::ogg::PageReader;

/// The pages of a part: where each ends, and the last packet's number on it, counted from the part's first.
fn pages(bytes: &[u8]) -> Vec<(u64, u64)> {
    let mut reader = PageReader::new();
    reader.push(bytes);
    let pages = std::iter::from_fn(|| reader.pull().unwrap());
    pages.map(|page| (page.end(), page.granule.unwrap_or_default() / PACKET.get())).collect()
}

/// The numbers of the packets that are on pages with a byte that is not as it was.
fn lost(whole: &[u8], flipped: &[u8], first: u64) -> Vec<u64> {
    let (mut begin, mut before, mut lost) = (0, 0, Vec::new());
    for (end, last) in pages(whole) {
        let here = begin..usize::try_from(end).unwrap();
        begin = here.end;
        if whole[here.clone()] != flipped[here] {
            lost.extend(first + before..first + last.max(before));
        }
        before = last.max(before);
    }
    lost
}

#[test]
fn what_is_damaged_is_told_and_all_else_plays_wherever_bits_are_flipped() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = runtime.block_on(Rig::new());
    let files = rig.files();
    let whole: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let flip = (0..2_usize, any::<prop::sample::Index>(), 0..8_u8);
    let cases = ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(cases, |(flips in prop::collection::vec(flip, 1..6), from in prop::option::of(0..75_000_u64))| {
        let mut flipped = whole.clone();
        for (file, at, bit) in flips {
            let at = at.index(whole[file].len());
            flipped[file][at] ^= 1 << bit;
        }
        let lost: Vec<u64> =
            [0, 500].into_iter().enumerate().flat_map(|(file, first)| lost(&whole[file], &flipped[file], first)).collect();
        for (file, bytes) in files.iter().zip(&flipped) {
            fs::write(file, bytes).unwrap();
        }
        let from = Ticks::from_millis(from.unwrap_or(0));
        let (placed, wrong) = runtime.block_on(rig.read(from, Ticks::from_secs(80)));
        let packets: Vec<_> = placed.iter().flat_map(|placed| &placed.packets).collect();
        let heard: Vec<_> = packets.iter().map(|packet| packet.sequence.get()).collect();
        let there = |number: &u64| place(*number).saturating_add(PACKET) > from && !lost.contains(number);
        prop_assert_eq!(heard, (0..750).filter(there).collect::<Vec<_>>());
        for read in packets {
            let number = read.sequence.get();
            prop_assert_eq!((&read.data, read.time), (&packet(number).data, place(number)));
        }
        // Where it was left out, it was told.
        let heard_of = lost.iter().any(|number| place(*number).saturating_add(PACKET) > from);
        prop_assert!(!wrong.is_empty() || !heard_of);
        prop_assert!(wrong.iter().all(|wrong| matches!(wrong, Unreadable::Damaged { .. })), "{wrong:?}");
    });
}

#[tokio::test]
async fn damage_longer_than_any_page_is_passed_over() {
    let rig = Rig::new().await;
    let path = &rig.files()[0];
    let whole = fs::read(path).unwrap();
    // As a disk that has lost most of a file: its start and its last second are there.
    let pages = pages(&whole);
    let behind = usize::try_from(pages[pages.len() - 3].0).unwrap();
    let file = [&whole[..200], &vec![0; behind - 200], &whole[behind..]].concat();
    fs::write(path, file).unwrap();
    let (placed, wrong) = rig.read(Ticks::ZERO, Ticks::from_secs(80)).await;
    assert!(matches!(&wrong[..], [Unreadable::Damaged { .. }]), "{wrong:?}");
    let heard: Vec<_> = placed.iter().flat_map(|placed| &placed.packets).map(|packet| packet.sequence.get()).collect();
    assert_eq!(heard, (450..750).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_that_says_a_wrong_length_hides_no_good_ones() {
    let rig = Rig::new().await;
    let path = &rig.files()[0];
    let whole = fs::read(path).unwrap();
    let mut begin = 0;
    for (end, _) in pages(&whole) {
        let mut file = whole.clone();
        // How many lacing values it has: the demuxer waits for a page that is longer than the rest of the file.
        file[begin + 26] ^= 0x80;
        begin = usize::try_from(end).unwrap();
        fs::write(path, &file).unwrap();
        let (placed, wrong) = rig.read(Ticks::ZERO, Ticks::from_secs(80)).await;
        assert!(matches!(&wrong[..], [Unreadable::Damaged { .. }]), "{wrong:?}");
        let packets = placed.iter().flat_map(|placed| &placed.packets);
        let heard: Vec<_> = packets.map(|packet| packet.sequence.get()).collect();
        let lost = lost(&whole, &file, 0);
        assert_eq!(heard, (0..750).filter(|number| !lost.contains(number)).collect::<Vec<_>>());
    }
}
