//! What is decoded to be kept: AAC, Vorbis, MP3, against ffmpeg's decoding of the same stream.

use bytes::Bytes;

use super::ffmpeg::{Tones, ffmpeg, kinds};
use super::proof::Sound;
use crate::helpers::ear::likeness;
use crate::helpers::{Capture, Hub};

/// What ffmpeg hears in a file, at 48 kHz.
fn heard(file: &[u8]) -> Vec<f32> {
    let samples = ffmpeg(&["-ar", "48000", "-c:a", "pcm_f32le", "-f", "f32le", "-"], Some(file));
    samples.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// What was recorded of a sound is the sound of `stream`, at the same place, as far as encoding it anew leaves it.
async fn assert_recorded(hub: &Hub, sound: Sound, stream: &[u8]) {
    let (name, channels) = (sound.name.clone(), usize::from(sound.channels));
    let recording = sound.prove(hub).await;
    let recorded = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
    let (expected, recorded) = (heard(stream), heard(&recorded));
    // At its ends the one has what the other leaves out.
    let edge = 4800 * channels;
    let missing = expected.len().saturating_sub(recorded.len());
    let (all, worst) = likeness(&expected[edge..expected.len() - edge], &recorded[edge..], edge);
    // A tenth of a second in which a packet is lost, or on another side, or at another place, is 7 dB and less.
    assert!(
        all > 20.0 && worst > 15.0 && missing < edge,
        "{name}: {all} dB, {worst} dB, {missing} samples are missing"
    );
}

/// Publishes the kinds that are this for the hub, each in a room of its own.
async fn assert_all_recorded(source: &str) {
    let hub = Hub::start();
    let kinds = kinds().into_iter().filter(|kind| kind.source == source);
    for kind in kinds {
        let sound = kind.make(&Tones::rising());
        let stream = sound.messages.concat();
        assert_recorded(&hub, sound, &stream).await;
    }
}

#[tokio::test]
async fn vorbis_is_recorded_as_the_sound_that_it_was() {
    assert_all_recorded("vorbis").await;
}

#[tokio::test]
async fn mp3_is_recorded_as_the_sound_that_it_was() {
    assert_all_recorded("mp3").await;
}

#[tokio::test]
async fn aac_is_recorded_as_the_sound_that_it_was() {
    assert_all_recorded("aac").await;
}

#[tokio::test]
async fn what_safari_sends_is_recorded_as_the_sound_that_it_was() {
    let hub = Hub::start();
    let messages: Vec<Bytes> = Capture::new("webkitgtk-mp4-aac").messages();
    let kind = roomtone::container::sniff::Kind::Mp4;
    let sound = Sound::read("safari", roomtone::container::stream::Opening::Sniffed(kind), "", messages);
    let mut stream = sound.messages.concat();
    // The orphan `moof`, which ffmpeg reads as a part of the sound (tests/captures/README.md).
    stream.drain(35_227..35_827);
    assert_recorded(&hub, sound, &stream).await;
}
