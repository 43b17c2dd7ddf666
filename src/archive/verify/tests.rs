use proptest::prelude::*;

use super::*;
use crate::container::ogg::PartMuxer;
use crate::media::pcm::Sample;

const SERIAL: u32 = 7;

/// A part of so many packets, a page for every eleven, one of which is too long for a page; and what the index says of it.
fn part(count: u64) -> (Vec<u8>, Ogg) {
    let head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
    let (mut muxer, mut file) = PartMuxer::begin(SERIAL, head, &[]);
    // Code 3, 48 frames of 1275 bytes and padding.
    let long = [&[0xE3, 0x70][..], &[255; 100], &[0], &vec![0; 48 * 1275 + 100 * 254]].concat();
    for number in 0..count {
        let packet = [&[0xF8][..], &number.to_be_bytes(), &[0x55; 80]].concat();
        muxer.push(&packet, Ticks::from_millis(20));
        if number == 20 {
            muxer.push(&long, opus::duration(&long).unwrap());
        }
        if number % 11 == 10 {
            file.extend(muxer.take());
        }
    }
    file.extend(muxer.take());
    let (pages, length) = (muxer.next_page() + 1, Ticks::new(muxer.granule()));
    file.extend(muxer.finish());
    let bytes = file.len() as u64;
    (file, Ogg { bytes, serial: SERIAL, pages: Some(pages), length: Some(length), ended: true })
}

fn ogg_damage(file: &[u8], written: &Ogg) -> Vec<Damage> {
    let mut all = Vec::new();
    ogg(file, written, |damage| all.push(damage)).unwrap();
    all
}

fn head() -> pcm::Head {
    pcm::Head::new(Sample::S24, 44_100, 2).unwrap()
}

/// A WAV part of extents of so many frames, and their sums.
fn samples(extents: &[usize]) -> (Vec<u8>, Vec<Extent>) {
    let frames: usize = extents.iter().sum();
    let mut file = header_for(head(), frames as u64 * 6);
    let mut sums = Vec::new();
    for (number, frames) in extents.iter().enumerate() {
        let sound: Vec<u8> = (0..frames * 6).map(|at| u8::try_from((at * 31 + number) % 251).unwrap()).collect();
        sums.push(Extent::of(file.len() as u64, &sound));
        file.extend(sound);
    }
    (file, sums)
}

fn wav_damage(file: &[u8], bytes: u64, extents: &[Extent], ended: bool) -> Vec<Damage> {
    let mut all = Vec::new();
    wav(file, &Wav { bytes, head: head(), extents, ended }, |damage| all.push(damage)).unwrap();
    all
}

#[test]
fn what_was_written_is_found_good() {
    for count in [0, 1, 10, 11, 100] {
        let (file, written) = part(count);
        assert_eq!(ogg_damage(&file, &written), []);
        // A spool, and a part that grows: the index knows of less than there is.
        let spool = Ogg { pages: None, length: None, ended: false, ..written };
        assert_eq!(ogg_damage(&[&file[..], b"more"].concat(), &spool), []);
    }
    for extents in [&[][..], &[1], &[43_690, 43_690, 700]] {
        let (file, sums) = samples(extents);
        assert_eq!(wav_damage(&file, file.len() as u64, &sums, true), []);
        // The next round has written more, and its header.
        let (mut more, _) = samples(&[&[10][..], extents].concat());
        more[68..file.len()].copy_from_slice(&file[68..]);
        assert_eq!(wav_damage(&more, file.len() as u64, &sums, false), []);
    }
}

#[test]
fn a_flipped_bit_at_any_byte_of_a_part_is_found_on_its_page() {
    let (file, written) = part(60);
    let mut reader = PageReader::new();
    reader.push(&file);
    let pages: Vec<_> = std::iter::from_fn(|| reader.pull().unwrap()).map(|page| page.offset..page.end()).collect();
    for at in (0..file.len() as u64).filter(|at| at % 101 == 0 || *at < 2000 || at + 2000 > file.len() as u64) {
        let mut flipped = file.clone();
        flipped[usize::try_from(at).unwrap()] ^= 1 << (at % 8);
        let page = pages.iter().find(|page| page.contains(&at)).unwrap();
        let found = ogg_damage(&flipped, &written);
        assert!(matches!(&found[..], [Damage { bytes, wrong: Wrong::Page(_) }] if bytes == page), "{at}: {found:?}");
    }
}

#[test]
fn a_flipped_bit_at_any_byte_of_a_wav_part_is_found_in_its_extent() {
    let (file, sums) = samples(&[300, 200, 7]);
    for at in 0..file.len() {
        let mut flipped = file.clone();
        flipped[at] ^= 1 << (at % 8);
        let found = wav_damage(&flipped, file.len() as u64, &sums, true);
        let expected = match sums.iter().find(|extent| extent.range().contains(&(at as u64))) {
            Some(extent) => Damage { bytes: extent.range(), wrong: Wrong::Samples },
            None => Damage { bytes: 0..68, wrong: Wrong::Header },
        };
        assert_eq!(found, [expected], "{at}");
        // Also while it is being written.
        assert_eq!(wav_damage(&flipped, file.len() as u64, &sums, false).len(), 1, "{at}");
    }
}

#[test]
fn a_part_that_is_cut_off_or_goes_on_is_told() {
    let (file, written) = part(60);
    for cut in (0..file.len()).step_by(53) {
        let found = ogg_damage(&file[..cut], &written);
        assert_eq!(found.last(), Some(&Damage { bytes: cut as u64..written.bytes, wrong: Wrong::CutOff }));
    }
    let more = [&file[..], b"more"].concat();
    let behind = Damage { bytes: written.bytes..written.bytes + 4, wrong: Wrong::More };
    assert_eq!(ogg_damage(&more, &written), [behind]);
    let (file, sums) = samples(&[300, 200, 7]);
    let bytes = file.len() as u64;
    for cut in 0..file.len() {
        let found = wav_damage(&file[..cut], bytes, &sums, true);
        assert_eq!(found, [Damage { bytes: cut as u64..bytes, wrong: Wrong::CutOff }]);
    }
    let more = [&file[..], b"more"].concat();
    assert_eq!(wav_damage(&more, bytes, &sums, true), [Damage { bytes: bytes..bytes + 4, wrong: Wrong::More }]);
}

#[test]
fn good_pages_that_are_not_those_of_the_part_are_told() {
    let (file, written) = part(40);
    let mut reader = PageReader::new();
    reader.push(&file);
    let pages: Vec<_> = std::iter::from_fn(|| reader.pull().unwrap()).collect();
    let bytes =
        |page: &Page| file[usize::try_from(page.offset).unwrap()..usize::try_from(page.end()).unwrap()].to_vec();
    let wrong = |pages: &[Vec<u8>]| -> Vec<Wrong> {
        let file = pages.concat();
        let written = Ogg { bytes: file.len() as u64, ..written };
        ogg_damage(&file, &written).into_iter().map(|damage| damage.wrong).collect()
    };
    let all: Vec<_> = pages.iter().map(bytes).collect();
    assert_eq!(wrong(&all), []);
    let without = |index: usize| [&all[..index], &all[index + 1..]].concat();
    assert_eq!(wrong(&without(2)), [Wrong::Order { found: 3, written: 2 }]);
    let last = all.len() - 1;
    let short = u32::try_from(last).unwrap();
    assert_eq!(wrong(&without(last)), [Wrong::NoEnd, Wrong::Pages { found: short, written: short + 1 }]);
    let twice = [&all[..4], &all[2..]].concat();
    assert_eq!(wrong(&twice), [Wrong::Order { found: 2, written: 4 }]);
    let other = Ogg { serial: 8, ..written };
    let found = ogg_damage(&file, &other);
    assert_eq!(found.len(), all.len());
    assert!(found.iter().all(|damage| matches!(damage.wrong, Wrong::Stream { found: 7, written: 8 })));
    let longer = Ogg { length: Some(Ticks::new(5)), pages: Some(77), ..written };
    let found: Vec<_> = ogg_damage(&file, &longer).into_iter().map(|damage| damage.wrong).collect();
    let length = written.length.unwrap().get();
    let expected = [Wrong::Pages { found: short + 1, written: 77 }, Wrong::Length { found: length, written: 5 }];
    assert_eq!(found, expected);
}

#[test]
fn samples_without_a_sum_are_told() {
    let (file, sums) = samples(&[300, 200, 7]);
    let bytes = file.len() as u64;
    for missing in 0..3 {
        let mut some = sums.clone();
        let gone = some.remove(missing);
        let expected = Damage { bytes: gone.range(), wrong: Wrong::Unsummed };
        assert_eq!(wav_damage(&file, bytes, &some, true), [expected]);
    }
}

proptest! {
    #[test]
    fn flipped_bits_and_cuts_are_found_wherever_they_are(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (mut file, written) = part(40);
        let (mut sound, sums) = samples(&[300, 200, 7]);
        let bytes = sound.len() as u64;
        let (whole, plain) = (file.clone(), sound.clone());
        for (at, bit) in &flips {
            let (here, there) = (at.index(file.len()), at.index(sound.len()));
            file[here] ^= 1 << bit;
            sound[there] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
            sound.truncate(cut.index(sound.len()));
        }
        let (found, heard) = (ogg_damage(&file, &written), wav_damage(&sound, bytes, &sums, true));
        prop_assert_eq!(found.is_empty(), file == whole);
        prop_assert_eq!(heard.is_empty(), sound == plain);
        for all in [&found, &heard] {
            prop_assert!(all.windows(2).all(|pair| pair[0].bytes.end <= pair[1].bytes.start), "in order: {all:?}");
        }
    }

    #[test]
    fn any_bytes_are_looked_through(file in prop::collection::vec(any::<u8>(), 0..3000), bytes in 0..4000_u64) {
        let written = Ogg { bytes, serial: SERIAL, pages: Some(3), length: Some(Ticks::new(9)), ended: true };
        prop_assert!(!ogg_damage(&file, &written).is_empty());
        wav_damage(&file, bytes, &[Extent { begin: 68, bytes: 600, crc: 0 }], true);
    }
}
