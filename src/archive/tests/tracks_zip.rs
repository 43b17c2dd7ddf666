//! `tracks.zip`: the same sample at the same time in all of its files, in the mix and in the session; the same bytes whenever it is
//! made.

use std::fs;
use std::io::Read as _;

use crate::archive::Found;
use crate::archive::model::{Container, Derived, Edit, Edition};

use super::mix::{CLICKS, decode, heard, make, path, record};
use super::*;

/// The files in an archive, with their names, in order.
fn unzip(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(fs::File::open(archive).unwrap()).unwrap();
    let count = archive.len();
    let read = |index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.name().unwrap().into_owned(), bytes)
    };
    (0..count).map(read).collect()
}

fn edit(fields: &[(&str, &str)]) -> Edition {
    let edit = fields.iter().fold(Edit::WHOLE, |edit, (key, value)| edit.with(key, value).unwrap());
    Edition { of: Derived::TracksZip, edit }
}

#[tokio::test]
async fn every_file_of_the_archive_has_the_same_sample_at_the_same_time_and_together_they_are_the_mix() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    let (mix, alone) = (Derived::Mix(Container::Wav), Derived::Track(TWO, Container::Wav));
    let cut = edit(&[("from", "0.9"), ("tracks", "2")]);
    make(&mut rig, dir.path(), &[mix.into(), alone.into(), Derived::TracksZip.into(), cut]).await;
    let entries = unzip(&path(dir.path(), Derived::TracksZip));
    let names: Vec<_> = entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["01 Ann.wav", "02 Ben.wav", "labels.txt", "session.json", "session.rpp"]);
    let unpacked = dir.path().join("unpacked.wav");
    let sounds = [0, 1].map(|entry: usize| {
        fs::write(&unpacked, &entries[entry].1).unwrap();
        decode(&unpacked, 0)
    });
    // All are as long as the session, and together they are the mix, which nothing limits here.
    let length = usize::try_from(rig.archive.recording(id(1)).await.unwrap().unwrap().summary.length.get()).unwrap();
    let mixed = decode(&path(dir.path(), mix), 0);
    assert_eq!(sounds.each_ref().map(Vec::len), [length; 2]);
    assert_eq!(mixed.len(), length);
    for (at, together) in mixed.iter().enumerate() {
        let apart = sounds[0][at] + sounds[1][at];
        assert!((together - apart).abs() < 2.0 / 32_768.0, "{at}: {together} and {apart}");
    }
    let expected: Vec<usize> = CLICKS.iter().map(|at| usize::try_from(at * 48 + 12).unwrap()).collect();
    assert_eq!(heard(&sounds[0]), expected);
    // Ben's own file, with silence before it: he begins half a second late, and his encoder's delay is thrown away.
    assert!(sounds[1] == [vec![0.0; 24_000 + 120], decode(&path(dir.path(), alone), 0)].concat());
    // A cut of some tracks is that slice of the same files.
    let entries = unzip(&path(dir.path(), cut));
    assert_eq!(entries[0].0, "02 Ben.wav");
    fs::write(&unpacked, &entries[0].1).unwrap();
    assert!(decode(&unpacked, 0) == sounds[1][43_200..]);
    // The clicks are no speech.
    assert_eq!((entries[1].0.as_str(), entries[1].1.len()), ("labels.txt", 0));
}

#[tokio::test]
async fn made_again_it_is_the_same_and_the_index_has_its_sum() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    make(&mut rig, dir.path(), &[Derived::TracksZip]).await;
    let file = path(dir.path(), Derived::TracksZip);
    let first = fs::read(&file).unwrap();
    let made = rig.archive.recording(id(1)).await.unwrap().unwrap().derived;
    let made = made.iter().find(|file| file.what == Derived::TracksZip).unwrap();
    assert_eq!((made.bytes, made.crc), (first.len() as u64, Some(crc32fast::hash(&first))));
    fs::remove_file(&file).unwrap();
    assert!(matches!(rig.archive.derived(id(1), Derived::TracksZip).await, Ok(Found::Making(_))));
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(fs::read(&file).unwrap() == first);
    // What is read from the front on, as from a pipe, has each entry's length and sum in front of it, too.
    let (mut rest, mut entries) = (&first[..], 0);
    while rest.starts_with(b"PK\x03\x04") {
        let number = |at: usize, bytes: usize| {
            rest[at..at + bytes].iter().rev().fold(0, |number, byte| number * 256 + usize::from(*byte))
        };
        let (flags, sum, bytes) = (number(6, 2), number(14, 4), number(18, 4));
        assert_eq!(flags & 8, 0, "nothing about it comes behind it");
        let begin = 30 + number(26, 2) + number(28, 2);
        assert_eq!(crc32fast::hash(&rest[begin..begin + bytes]), u32::try_from(sum).unwrap());
        rest = &rest[begin + bytes..];
        entries += 1;
    }
    assert_eq!(entries, 5);
}

#[tokio::test]
async fn whoever_asks_for_it_gets_only_what_it_can_be() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    for (fields, sentence) in [
        (&[("loudness", "-16")][..], "loudness cannot be chosen of tracks.zip"),
        (&[("tracks", "3")], "no track 3"),
        (&[("from", "5")], "behind the end"),
        (&[("from", "2"), ("to", "2")], "empty"),
    ] {
        let error = rig.archive.derived(id(1), edit(fields)).await.unwrap_err();
        assert!(error.to_string().contains(sentence), "{error}");
    }
    // Deleted while it waits to be made, it is not made.
    let archive = rig.archive.clone();
    assert!(matches!(archive.derived(id(1), Derived::TracksZip).await, Ok(Found::Making(_))));
    rig.ask(archive.delete(id(1))).await.unwrap();
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(matches!(archive.derived(id(1), Derived::TracksZip).await, Err(crate::archive::Error::NotFound)));
    assert!(listing(&dir.path().join("studio")).is_empty());
}
