//! Flipped bits: found wherever they are, at start-up and by a check, and what is not damaged is kept.

use std::collections::{HashMap, HashSet};
use std::fs;

use proptest::prelude::*;

use crate::archive::check::{self, Told};
use crate::archive::index::read;
use crate::archive::model::Recording;
use crate::archive::session_file::SessionFile;
use crate::archive::verify::{self, Damage};
use crate::container::ogg::Salvager;

use super::crash::everything;
use super::pcm::{blocks, pcm_part};
use super::recovery::copy_all;
use super::*;

/// What is damaged in the parts of a recording, by the name of the file.
pub(super) async fn damage(rig: &Rig, recording: &Recording, folder: &Path) -> Vec<(String, Damage)> {
    let mut connection = rig.archive.readers().acquire().await.unwrap();
    let id = recording.summary.id;
    let (place, _) = read::summary(&mut connection, id).await.unwrap().unwrap();
    let mut all = Vec::new();
    for (track, part) in recording.tracks.iter().flat_map(|track| track.parts.iter().map(move |part| (track, part))) {
        let file = std::fs::File::open(folder.join(&part.file)).unwrap();
        let tell = |damage| all.push((part.file.clone(), damage));
        match &part.format {
            Format::Opus(_) => {
                let query = "SELECT serial, pages FROM parts WHERE recording = ? AND track = ? AND part = ?";
                let query = sqlx::query_as(query).bind(place.row).bind(track.number.get()).bind(part.number);
                let (serial, pages): (u32, u32) = query.fetch_one(&mut *connection).await.unwrap();
                let written = verify::Ogg {
                    bytes: part.bytes,
                    serial,
                    pages: Some(pages),
                    length: Some(part.length),
                    ended: !part.open,
                };
                verify::ogg(file, &written, tell).unwrap();
            }
            Format::Pcm(head) => {
                let extents = read::extents(&mut connection, place.row, track.number, part.number, 0..u64::MAX).await;
                let (head, extents) = (*head, &extents.unwrap());
                let written = verify::Wav { bytes: part.bytes, head, extents, ended: !part.open };
                verify::wav(file, &written, tell).unwrap();
            }
        }
    }
    all
}

/// What a crash left of a recording that has two parts of Opus, one of them with a spool beside it, and one of PCM.
async fn crashed(folder: &Path) {
    let mut rig = Rig::open(folder).await;
    let writer = rig.begin(id(1));
    for (track, begin) in [(ONE, part(ONE, 1)), (TWO, part(TWO, 1)), (THREE, pcm_part(THREE, 1))] {
        writer.begin_part(begin);
        for round in 0..6 {
            match track {
                THREE => writer.append(track, blocks(round * 10..(round + 1) * 10)),
                _ => writer.append(track, packets(round * 10..(round + 1) * 10)),
            }
            rig.round().await;
        }
    }
    for round in 6..10 {
        writer.spool(ONE, Ticks::from_millis(1500), packets(round * 10..(round + 1) * 10));
        rig.round().await;
    }
    rig.close().await;
    drop(writer);
}

/// The packets of a part that can be heard, whatever has become of the rest, and whether there is a rest.
fn salvaged(bytes: &[u8]) -> (Vec<u64>, bool) {
    let mut salvager = Salvager::new();
    salvager.push(bytes);
    salvager.finish();
    let mut numbers = Vec::new();
    while let Some(packet) = salvager.pull() {
        numbers.extend(packet.data.get(1..9).map(|number| u64::from_be_bytes(number.try_into().unwrap())));
    }
    (numbers, salvager.damaged())
}

/// Flips bits of files that a crash left, starts, and looks whether each is found, and nothing else is lost.
async fn flipped(folder: &Path, flips: &[(usize, prop::sample::Index, u8)]) {
    const FILES: [&str; 4] = ["01-ann.ogg", "01-ann.late", "02-ben.ogg", "03-ben.wav"];
    let here = only_folder(folder);
    let mut changed = HashMap::new();
    for (file, at, bit) in flips {
        let path = here.join(FILES[*file]);
        let (whole, bytes) = changed.entry(*file).or_insert_with(|| {
            let bytes = fs::read(&path).unwrap();
            (bytes.clone(), bytes)
        });
        let at = at.index(whole.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, &*bytes).unwrap();
    }
    changed.retain(|_, (whole, bytes)| whole != bytes);
    let rig = Rig::open(folder).await;
    let [started] = &rig.recovered.recordings[..] else { panic!("{:?}", rig.recovered) };
    assert_eq!(started.trouble, None);
    let recording = rig.archive.recording(id(1)).await.unwrap().unwrap();
    let found = damage(&rig, &recording, &here).await;
    // What is wrong with the spool is known before it is silence in its part, as is what is wrong with the end of samples.
    assert!(started.damaged > 0 || !changed.contains_key(&1), "{started:?}");
    for (file, name) in [(0, FILES[0]), (2, FILES[2]), (3, FILES[3])] {
        let told: Vec<_> = found.iter().filter(|(other, _)| other == name).map(|(_, damage)| damage).collect();
        let bytes = fs::read(here.join(name)).unwrap();
        let different = changed.get(&file).map(|(whole, flipped)| {
            // The header of a WAV file is made right by start-up.
            let from = if file == 3 { 44 } else { 0 };
            (from..whole.len()).filter(|&at| whole[at] != flipped[at]).collect::<Vec<_>>()
        });
        let different = different.unwrap_or_default();
        assert_eq!(told.is_empty(), different.is_empty(), "{name}: {told:?}, {different:?}");
        assert!(
            different.iter().all(|at| told.iter().any(|one| one.bytes.contains(&(*at as u64)))),
            "{name}: {told:?}"
        );
        if file != 3 {
            let (numbers, lost) = salvaged(&bytes);
            let pages = different.iter().map(|at| at / 900).collect::<HashSet<_>>().len();
            let spooled = changed.get(&1).filter(|_| file == 0).map_or(0, |(whole, flipped)| {
                (0..whole.len()).filter(|&at| whole[at] != flipped[at]).map(|at| at / 900).collect::<HashSet<_>>().len()
            });
            let all = if file == 0 { 100 } else { 60 };
            // A page has ten packets; where 900 bytes end is not where a page does.
            assert!(numbers.len() + 20 * (pages + spooled) >= all, "{name}: {numbers:?}");
            assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]) && lost != different.is_empty());
        }
    }
}

#[test]
fn flipped_bits_of_parts_and_spools_are_found_and_the_rest_is_kept() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = scratch();
    runtime.block_on(crashed(dir.path()));
    let flip = (0..4_usize, any::<prop::sample::Index>(), 0..8_u8);
    let cases = ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(cases, |(flips in prop::collection::vec(flip, 1..5))| {
        let copy = scratch();
        copy_all(dir.path(), copy.path());
        runtime.block_on(flipped(copy.path(), &flips));
    });
}

#[tokio::test]
async fn a_page_of_a_spool_that_says_a_wrong_length_hides_no_good_ones() {
    let dir = scratch();
    crashed(dir.path()).await;
    let whole = fs::read(only_folder(dir.path()).join("01-ann.late")).unwrap();
    let pages: Vec<_> = (0..whole.len() - 4).filter(|&at| &whole[at..at + 4] == b"OggS").collect();
    assert_eq!(pages.len(), 6);
    for (lost, at) in (0..).zip(&pages[2..]) {
        let copy = scratch();
        copy_all(dir.path(), copy.path());
        let here = only_folder(copy.path());
        let mut flipped = whole.clone();
        flipped[at + 26] ^= 0x80;
        fs::write(here.join("01-ann.late"), flipped).unwrap();
        let rig = Rig::open(copy.path()).await;
        assert_eq!(rig.recovered.recordings[0].damaged, 1);
        let heard = hear(&fs::read(here.join("01-ann.ogg")).unwrap());
        let gone = 60 + lost * 10..70 + lost * 10;
        assert_eq!(heard.numbers, (0..100).filter(|number| !gone.contains(number)).collect::<Vec<_>>());
        // What is lost is silence, but for the end, of which nothing tells how long it was.
        let silence = Ticks::from_millis(if lost == 3 { 1500 } else { 1700 });
        assert_eq!(heard.silence, silence);
    }
}

#[tokio::test]
async fn a_flipped_bit_of_a_wav_spool_is_found_and_start_up_says_so() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(pcm_part(THREE, 1));
    writer.append(THREE, blocks(0..10));
    rig.round().await;
    for round in 1..4 {
        writer.spool(THREE, Ticks::from_millis(1500), blocks(round * 10..(round + 1) * 10));
        rig.round().await;
    }
    let place = read::summary(&mut rig.archive.readers().acquire().await.unwrap(), id(1)).await.unwrap().unwrap().0;
    let spools = read::spools(&mut rig.archive.readers().acquire().await.unwrap(), place.row).await.unwrap();
    rig.close().await;
    drop(writer);
    let [(THREE, spool)] = &spools[..] else { panic!("{spools:?}") };
    let Format::Pcm(head) = pcm_part(THREE, 1).format else { panic!("samples") };
    // It says where it begins: after 200 ms and a pause of 1500.
    assert_eq!(spool.file, "03-ben.81600.late");
    let whole = fs::read(only_folder(dir.path()).join(&spool.file)).unwrap();
    assert_eq!(whole.len() as u64, spool.bytes);
    for flip in [None, Some(3), Some(44), Some(whole.len() / 2), Some(whole.len() - 1)] {
        let copy = scratch();
        copy_all(dir.path(), copy.path());
        let mut bytes = whole.clone();
        flip.into_iter().for_each(|at| bytes[at] ^= 0x10);
        fs::write(only_folder(copy.path()).join(&spool.file), &bytes).unwrap();
        let mut found = Vec::new();
        verify::wav_spool(&bytes[..], spool.bytes, head, spool.crc.unwrap(), |damage| found.push(damage)).unwrap();
        let at = flip.map(|at| at as u64);
        assert_eq!(found.len(), at.iter().len(), "{flip:?}: {found:?}");
        assert!(at.is_none_or(|at| found[0].bytes.contains(&at)), "{flip:?}: {found:?}");
        let rig = Rig::open(copy.path()).await;
        // Of its header nothing is read.
        let samples = at.is_some_and(|at| at >= 44);
        assert_eq!(rig.recovered.recordings[0].damaged, u32::from(samples), "{flip:?}");
    }
}

/// What a check finds, a line each.
async fn found(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut tell = |told: Told<'_>| {
        if let Told::Found(difference) = told {
            found.push(difference.to_string());
        }
    };
    check::check(root, &mut tell).await.unwrap();
    found
}

/// Whether one of these lines names the byte of the file.
fn is_named(found: &[String], file: &str, at: u64) -> bool {
    let place = |line: &String| {
        let (_, place) = line.split_once(&format!("/{file} bytes "))?;
        let (begin, rest) = place.split_once(" to ")?;
        Some(begin.parse::<u64>().ok()?..rest.split_once(':')?.0.parse().ok()?)
    };
    found.iter().filter_map(place).any(|bytes| bytes.contains(&at))
}

#[test]
fn any_flipped_bit_of_what_was_recorded_or_made_of_it_is_named_by_a_check_with_its_file_and_place() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = scratch();
    let root = dir.path();
    runtime.block_on(async {
        let mut rig = Rig::open(root).await;
        let writer = rig.begin(id(1));
        everything(&mut rig, writer).await;
        let mut maker = rig.maker(root, Box::new(Disk));
        rig.ask(maker.visit(id(1))).await.unwrap();
        maker.readers.close().await;
        rig.close().await;
        assert_eq!(found(root).await, Vec::<String>::new());
    });
    let here = only_folder(root);
    let derived = listing(&here.join("derived")).into_iter().map(|name| format!("derived/{name}"));
    let files: Vec<_> = listing(&here).into_iter().filter(|name| name != "derived").chain(derived).collect();
    assert_eq!(files.len(), 5 + 1 + 3 + 2 * 3, "parts, session file, what is made of all and of each track: {files:?}");
    let said = SessionFile::read(&fs::read(here.join("session.json")).unwrap()).unwrap();
    let cases = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let flips = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..8_u8);
    proptest!(cases, |((file, at, bit) in flips)| {
        let file = &files[file.index(files.len())];
        let whole = fs::read(here.join(file)).unwrap();
        let (at, mut flipped) = (at.index(whole.len()), whole.clone());
        flipped[at] ^= 1 << bit;
        fs::write(here.join(file), &flipped).unwrap();
        let found = runtime.block_on(found(root));
        fs::write(here.join(file), whole).unwrap();
        prop_assert!(found.iter().all(|line| line.contains(&format!("/{file} "))), "{file}: {found:?}");
        if file == "session.json" {
            // Where it says the same in other bytes, nothing is lost.
            let same = SessionFile::read(&flipped).is_ok_and(|flipped| said.is_said_by(&flipped));
            prop_assert!(same || found.len() == 1, "byte {at}: {found:?}");
        } else {
            prop_assert!(is_named(&found, file, at as u64), "{file}, byte {at}: {found:?}");
        }
    });
}
