//! What real browsers sent.

use bytes::Bytes;
use futures_util::future::join_all;
use roomtone::container::sniff::{Kind, Sniffed, sniff};
use roomtone::container::stream::Opening;
use roomtone::media::pcm;

use super::proof::Sound;
use crate::helpers::files::root;
use crate::helpers::{Capture, Hub};

/// All of them.
fn all() -> Vec<Sound> {
    let folders = std::fs::read_dir(root().join("tests/captures")).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|folder| folder.path().is_dir());
    let mut names: Vec<String> = folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
    names.sort();
    let sound = |name: &String| {
        let messages: Vec<Bytes> = Capture::new(name).messages();
        if name.ends_with("-f32") {
            let head = pcm::Head::new(pcm::Sample::F32, 48_000, 1).unwrap();
            return Sound::read(name, Opening::Pcm(head), "&format=f32le", messages);
        }
        let Sniffed::Kind(kind) = sniff(&messages.concat()) else { panic!("{name} is of no kind") };
        Sound::read(name, Opening::Sniffed(kind), "", messages)
    };
    names.iter().map(sound).collect()
}

#[tokio::test]
async fn every_capture_is_heard_recorded_and_downloaded_as_it_was_sent() {
    let hub = Hub::start();
    let sounds = all();
    for source in ["opus", "pcm", "aac"] {
        assert!(sounds.iter().any(|sound| sound.source == source), "no capture has {source}");
    }
    join_all(sounds.into_iter().map(|sound| sound.prove(&hub))).await;
}

#[tokio::test]
async fn a_capture_is_the_same_however_its_messages_are_cut() {
    let hub = Hub::start();
    let cut = |mut sound: Sound, size: usize| {
        let whole = Bytes::from(sound.messages.concat());
        sound.messages =
            (0..whole.len()).step_by(size).map(|at| whole.slice(at..(at + size).min(whole.len()))).collect();
        sound.name = format!("{}-{size}", sound.name);
        sound
    };
    // Raw samples are whole frames in each message; of all others the edges mean nothing.
    let sounds = all().into_iter().filter(|sound| sound.query.is_empty() && sound.messages[0].len() != 1);
    let one_of_each =
        |kind: Kind| move |sound: &Sound| matches!(sniff(&sound.messages.concat()), Sniffed::Kind(of) if of == kind);
    let mut sounds: Vec<Sound> = sounds.collect();
    let mut cuts = Vec::new();
    for (kind, size) in [(Kind::WebM, 977), (Kind::Ogg, 1), (Kind::Mp4, 13)] {
        let at = sounds.iter().position(one_of_each(kind)).unwrap();
        cuts.push(cut(sounds.remove(at), size));
    }
    join_all(cuts.into_iter().map(|sound| sound.prove(&hub))).await;
}
