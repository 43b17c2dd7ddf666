//! Torn files: a part cut at every byte of its last two pages, or extents, is whole again up to the last of them that is.

use std::fs;

use crate::archive::extents::Extent;
use crate::archive::index::read::OpenPart;
use crate::archive::index::write::{Pages, Stream};
use crate::archive::model::Part;
use crate::archive::recovery;
use crate::archive::verify;
use crate::container::ogg::PartMuxer;
use crate::container::wav::{data_offset, header_for};
use crate::media::pcm::{self, Sample};
use crate::media::source::Codec;

use super::*;

const SERIAL: u32 = 7;

/// What the index says of a part that a crash left open.
fn row(format: Format, bytes: u64, length: Ticks, next: u64, pages: Option<Pages>) -> OpenPart {
    let start = Anchor { track: Ticks::ZERO, session: Ticks::ZERO };
    let part = Part {
        number: 1,
        file: "part".to_owned(),
        format,
        source: Codec::Opus,
        start,
        length,
        bytes,
        first: Sequence::ZERO,
        next: Sequence::new(next),
        open: true,
    };
    OpenPart { track: ONE, part, stream: Stream { pages, open: true } }
}

#[test]
fn an_ogg_part_cut_at_any_byte_of_its_last_two_pages_is_whole_up_to_the_last_that_is() {
    let (mut muxer, mut file) = PartMuxer::begin(SERIAL, HEAD, &[]);
    let mut rows = Vec::new();
    for round in 0..5 {
        packets(round * 12..(round + 1) * 12).iter().for_each(|packet| muxer.push(&packet.data, packet.duration));
        file.extend(muxer.take());
        let pages = Pages { serial: SERIAL, count: muxer.next_page() };
        let length = Ticks::new(muxer.granule());
        rows.push(row(Format::Opus(HEAD), file.len() as u64, length, (round + 1) * 12, Some(pages)));
    }
    let dir = scratch();
    let path = dir.path().join("part");
    // The index may know of them, where a disk has forgotten what it had synced; or of none, where the power went.
    for known in [&rows[4], &rows[2]] {
        for cut in rows[2].part.bytes..=file.len() as u64 {
            fs::write(&path, &file[..usize::try_from(cut).unwrap()]).unwrap();
            let finished = recovery::finish(&mut Disk, dir.path(), known.clone(), None, &[]).unwrap();
            let whole = rows.iter().rfind(|row| row.part.bytes <= cut).unwrap();
            let (part, left) = (finished.open.part, fs::read(&path).unwrap());
            let heard = hear(&left);
            assert_eq!(heard.numbers, (0..whole.part.next.get()).collect::<Vec<_>>(), "cut at {cut}");
            assert_eq!((part.next, part.length), (whole.part.next, whole.part.length), "cut at {cut}");
            assert_eq!((part.bytes, finished.cut), (left.len() as u64, cut - whole.part.bytes), "cut at {cut}");
            assert_eq!(finished.damaged, cut < known.part.bytes, "cut at {cut}");
            let Some(Pages { serial, count }) = finished.open.stream.pages else { panic!() };
            let (bytes, pages, length) = (part.bytes, Some(count), Some(part.length));
            let written = verify::Ogg { bytes, serial, pages, length, ended: true };
            verify::ogg(&left[..], &written, |damage| panic!("cut at {cut}: {damage}")).unwrap();
        }
    }
}

#[test]
fn what_is_good_behind_damage_is_not_cut_off_where_a_disk_has_forgotten_the_end() {
    let (mut muxer, mut file) = PartMuxer::begin(SERIAL, HEAD, &[]);
    for round in 0..5 {
        packets(round * 12..(round + 1) * 12).iter().for_each(|packet| muxer.push(&packet.data, packet.duration));
        file.extend(muxer.take());
    }
    let pages = Pages { serial: SERIAL, count: muxer.next_page() };
    let known = row(Format::Opus(HEAD), file.len() as u64, Ticks::new(muxer.granule()), 60, Some(pages));
    let page = (file.len() - 200) / 5;
    let dir = scratch();
    for at in (300..file.len() - 2 * page - 100).step_by(7) {
        let mut flipped = file.clone();
        flipped[at] ^= 0x20;
        flipped.truncate(file.len() - 50);
        fs::write(dir.path().join("part"), &flipped).unwrap();
        let finished = recovery::finish(&mut Disk, dir.path(), known.clone(), None, &[]).unwrap();
        assert_eq!(finished.open.part.length, Ticks::from_millis(4 * 12 * 20), "flipped at {at}");
        assert!(finished.damaged);
        // What is left of it is as it was, but for the end.
        let left = fs::read(dir.path().join("part")).unwrap();
        let kept = flipped.len() - usize::try_from(finished.cut).unwrap();
        assert_eq!(left[..kept], flipped[..kept], "flipped at {at}");
    }
}

#[test]
fn a_wav_part_cut_at_any_byte_of_its_last_two_extents_is_whole_up_to_its_last_frame() {
    let head = pcm::Head::new(Sample::S24, 44_100, 2).unwrap();
    let offset = data_offset(head);
    let sound: Vec<u8> = (0..6 * 500_u32).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
    let file = [header_for(head, sound.len() as u64), sound].concat();
    let mut extents = Vec::new();
    for frames in [200, 180, 120] {
        let begin = extents.last().map_or(offset, |last: &Extent| last.range().end);
        let bytes = &file[usize::try_from(begin).unwrap()..][..frames * 6];
        extents.push(Extent::of(begin, bytes));
    }
    let dir = scratch();
    let path = dir.path().join("part");
    for known in [3, 1] {
        let extents = &extents[..known];
        let bytes = extents[known - 1].range().end;
        let row = row(Format::Pcm(head), bytes, head.ticks((bytes - offset) / 6), 9, None);
        for cut in extents[0].range().end..=file.len() as u64 {
            fs::write(&path, &file[..usize::try_from(cut).unwrap()]).unwrap();
            let finished = recovery::finish(&mut Disk, dir.path(), row.clone(), None, extents).unwrap();
            let (part, left) = (finished.open.part, fs::read(&path).unwrap());
            // Of samples that the index does not know nothing vouches for any.
            let frames = (cut.min(bytes) - offset) / 6;
            let end = usize::try_from(offset + frames * 6).unwrap();
            assert_eq!(left.len(), end, "cut at {cut}");
            assert!(left[68..] == file[68..end], "cut at {cut}");
            assert_eq!((part.bytes, part.length), (end as u64, head.ticks(frames)), "cut at {cut}");
            assert_eq!((finished.cut, finished.damaged), (cut - end as u64, cut < bytes), "cut at {cut}");
            let resumed = finished.extents.unwrap();
            let kept = extents.iter().filter(|extent| extent.range().end <= resumed.keep).copied();
            let now: Vec<_> = kept.chain(resumed.new).collect();
            let written = verify::Wav { bytes: part.bytes, head, extents: &now, ended: true };
            verify::wav(&left[..], &written, |damage| panic!("cut at {cut}: {damage}")).unwrap();
        }
    }
}
