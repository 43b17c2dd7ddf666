//! A stream that begins anew in mid-stream: the same head goes on in its part, another one begins a new part of the same track.

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;

use super::ffmpeg::{Kind, Tones, kind_of};
use super::layouts::{LAYOUTS, assert_heard};
use super::proof::{Kept, OVER, Sound, listen_plain, listen_v1, samples};
use crate::helpers::judge::ogg_packets;
use crate::helpers::{Client, Hub};

/// What a part holds, of those that are kept as they came.
fn assert_part(name: &str, file: &[u8], kept: &Kept) {
    match kept {
        Kept::Opus(sent) => {
            let sent = [&sent[..], sent].concat();
            assert!(ogg_packets(file) == sent, "{name}: not {} packets", sent.len());
        }
        Kept::Pcm(sent) => assert!(samples(name, file) == sent.repeat(2), "{name}: other samples"),
        Kept::Anew(_) => {}
    }
}

/// A kind of sound, a second long, and the same with another head.
fn change((name, rate, channels): (&str, u32, u8)) -> (Sound, Sound) {
    let kind = Kind { seconds: 1, ..kind_of(name) };
    (kind.make(&Tones::of(440.0, 0.4)), Kind { rate, channels, ..kind }.make(&Tones::of(660.0, 0.4)))
}

/// Publishes the one twice, and then twice the other, on one connection.
async fn assert_goes_on(hub: &Hub, (one, other): (Sound, Sound)) {
    let name = one.name.clone();
    let streams = [&one, &one, &other, &other];
    let all = streams.map(|sound| sound.messages.concat()).concat();
    let messages: Vec<Bytes> = all.chunks(4999).map(Bytes::copy_from_slice).collect();
    let room = format!("/rooms/{name}/ws");
    let mut plain = Vec::new();
    for layout in LAYOUTS {
        plain.push(listen_plain(Client::plain(hub, &format!("{room}?publish=false{layout}")).await));
    }
    let heard = listen_v1(Client::v1(hub, &format!("{room}?publish=false")).await.0);
    let kept = listen_v1(Client::v1(hub, &format!("{room}?publish=false&pcm=yes")).await.0);
    let mut speaker = Client::plain(hub, &format!("{room}?name=Ann{}", one.query)).await;
    let whole = Sound { messages, ticks: 4 * 48_000, kept: one.kept.clone(), ..one };
    whole.say(&mut speaker).await;
    speaker.close().await;
    let recording = hub.ended(&name).await;
    Client::plain(hub, &room).await.say(OVER).await;
    let (heard, kept) = (heard.await.unwrap(), kept.await.unwrap());
    let plain: Vec<Vec<Bytes>> = join_all(plain).await.into_iter().map(Result::unwrap).collect();

    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 1, "{recording:#}");
    assert_eq!(tracks[0]["gaps"], Value::Array(Vec::new()), "{recording:#}");
    let parts = tracks[0]["parts"].as_array().unwrap();
    assert_eq!((parts.len(), heard.len(), kept.len()), (2, 2, 2), "{recording:#}");
    for (index, sound) in [&whole, &other].into_iter().enumerate() {
        let (part, kept) = (&parts[index], &kept[index]);
        assert_part(&name, &hub.bytes(part["href"].as_str().unwrap()).await, &sound.kept);
        assert_eq!(part["source"], sound.source);
        let seconds = part["duration"].as_f64().unwrap();
        let most = 2.0 * (sound.packet + 960) as f64 / 48_000.0;
        assert!((seconds - 2.0).abs() <= most, "{name}: {seconds} s");
        match &sound.kept {
            Kept::Opus(sent) => assert!(kept.packets == [&sent[..], sent].concat(), "{name}"),
            Kept::Pcm(sent) => assert!(kept.packets.concat() == sent.repeat(2), "{name}"),
            Kept::Anew(_) => {}
        }
    }
    let judged = tokio::task::spawn_blocking(move || {
        for (layout, messages) in LAYOUTS.into_iter().zip(plain) {
            assert_heard(&name, layout, &messages, &heard, &[]);
        }
    });
    judged.await.unwrap();
}

#[tokio::test]
async fn another_head_begins_a_part_of_the_same_track_and_the_same_head_goes_on() {
    let hub = Hub::start();
    let changes = [
        ("ogg-opus", 48_000, 2),
        ("webm-opus", 48_000, 1),
        ("mp4-opus", 48_000, 1),
        ("flac", 48_000, 2),
        ("ogg-flac", 44_100, 1),
        ("matroska-pcm", 44_100, 1),
        ("mp4-aac", 48_000, 2),
        ("ogg-vorbis", 44_100, 1),
    ];
    let sounds: Vec<_> = changes.map(change).into();
    stream::iter(sounds).for_each_concurrent(4, |sounds| assert_goes_on(&hub, sounds)).await;
}
