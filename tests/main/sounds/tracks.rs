//! Several tracks of one participant, each of another kind; and what is refused.

use bytes::{Bytes, BytesMut};
use roomtone::container::sniff::Kind;
use roomtone::container::stream::Opening;
use roomtone::media::packet::Sequence;
use roomtone::media::pcm::{Head, Sample};
use roomtone::media::time::Ticks;
use roomtone::wire::packets;
use serde_json::{Value, json};

use super::proof::{Heard, Kept, OVER, Sound, listen_v1};
use crate::helpers::capture::{assert_same, data};
use crate::helpers::judge::ogg_packets;
use crate::helpers::{Capture, Client, Hub};

/// Samples of 16 bits, none like those near it, but few of the loudest.
fn samples(frames: usize) -> Vec<u8> {
    (0..frames).flat_map(|frame| i16::try_from((frame * 7919) % 20_011).unwrap().to_le_bytes()).collect()
}

/// A message of packets that are numbered and timed.
fn numbered(track: u16, first: u64, time: u64, blocks: &[&[u8]]) -> Bytes {
    let mut message = BytesMut::new();
    let flags = packets::Flags::default();
    packets::write(&mut message, track, flags, Sequence::new(first), Ticks::new(time), blocks.iter().copied());
    message.freeze()
}

fn of(tracks: &[Heard], number: &Value) -> usize {
    tracks.iter().position(|track| track.told["track"] == *number).unwrap()
}

#[tokio::test]
async fn one_participant_publishes_tracks_of_many_kinds_at_once() {
    let hub = Hub::start();
    let listener = listen_v1(Client::v1(&hub, "/rooms/talk/ws?publish=false").await.0);
    let keeper = listen_v1(Client::v1(&hub, "/rooms/talk/ws?publish=false&pcm=yes").await.0);
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let capture = Capture::new("chromium-webm-opus-100ms");
    let recorded = Capture::new("chromium-webm-pcm");
    let webm = Sound::read("pcm", Opening::Sniffed(Kind::WebM), "", recorded.messages());
    let Kept::Pcm(floats) = webm.kept.clone() else { panic!("samples") };
    // Not a whole number of blocks: the rest is not lost when the track ends.
    let declared = samples(44_100 + 123);
    let blocks = samples(96_000);
    ann.publish_container(1).await;
    ann.publish_container(2).await;
    let pcm = json!({ "codec": "pcm", "sample": "s16le", "rate": 44_100, "channels": 1 });
    ann.say(json!({ "type": "publish", "track": 3, "source": "container", "format": pcm })).await;
    let pcm = json!({ "codec": "pcm", "sample": "s16le", "rate": 96_000, "channels": 1 });
    ann.say(json!({ "type": "publish", "track": 4, "source": "packets", "format": pcm })).await;
    let mut numbers = Vec::new();
    for track in 1..=4 {
        let published = ann.notice_of("published").await;
        assert_eq!(published["track"], track);
        numbers.push(published["number"].clone());
    }
    let (opus, matroska) = (capture.messages(), recorded.messages());
    let pieces: Vec<&[u8]> = declared.chunks(4410).collect();
    let lengths = [960, 1920, 3840, 5760];
    let (mut rest, mut sent, mut time) = (&blocks[..], 0, 0);
    for turn in 0..opus.len().max(matroska.len()).max(pieces.len()).max(40) {
        if let Some(message) = opus.get(turn) {
            ann.send_container(1, message).await;
        }
        if let Some(message) = matroska.get(turn) {
            ann.send_container(2, message).await;
        }
        if let Some(piece) = pieces.get(turn) {
            ann.send_container(3, piece).await;
        }
        if !rest.is_empty() {
            // 10, 20, 40 and 60 ms by turns, two in a message.
            let frames = lengths[turn % 4];
            let (block, after) = rest.split_at((frames * 2).min(rest.len()));
            let (next, after) = after.split_at((frames * 2).min(after.len()));
            let message: Vec<&[u8]> = [block, next].into_iter().filter(|block| !block.is_empty()).collect();
            ann.send(numbered(4, sent, time, &message)).await;
            sent += message.len() as u64;
            time += message.iter().map(|block| block.len() as u64 / 2 / 2).sum::<u64>();
            rest = after;
        }
    }
    assert!(rest.is_empty());
    ann.say(json!({ "type": "unpublish", "track": 3 })).await;
    // All of a numbered track is acknowledged by its publisher's numbers.
    while {
        let durable = ann.notice_of("durable").await;
        durable["track"] != 4 || durable["next"] != sent
    } {}
    ann.close().await;
    let recording = hub.ended("talk").await;
    Client::v1(&hub, "/rooms/talk/ws").await.0.say(json!({ "type": "chat", "text": OVER })).await;
    let (heard, kept) = (listener.await.unwrap(), keeper.await.unwrap());
    assert_eq!(heard.len(), 4);
    assert_same(&heard[of(&heard, &numbers[0])].packets, &data(&capture.packets()));
    assert_same(&kept[of(&kept, &numbers[0])].packets, &data(&capture.packets()));
    webm.was_heard(&heard[of(&heard, &numbers[1])]);
    for (number, samples) in numbers[1..].iter().zip([&floats, &declared, &blocks]) {
        assert!(kept[of(&kept, number)].packets.concat() == *samples, "track {number}: other samples");
    }
    let packets = &heard[of(&heard, &numbers[3])].packets;
    assert_eq!(packets.len() as u64, sent, "a packet stays a packet");
    for (packet, block) in packets.iter().zip(&kept[of(&kept, &numbers[3])].packets) {
        let ticks = roomtone::media::opus::duration(packet).unwrap().get();
        assert_eq!(ticks, block.len() as u64 / 2 / 2);
    }
    let tracks = recording["tracks"].as_array().unwrap();
    assert_eq!(tracks.len(), 4);
    let sources: Vec<&str> = tracks.iter().map(|track| track["source"].as_str().unwrap()).collect();
    assert_eq!(sources.iter().filter(|source| **source == "pcm").count(), 3);
    for track in tracks {
        let files = &track["files"];
        if track["kept"] == "ogg" {
            let ogg = files["ogg"].as_str().unwrap();
            assert!(ogg_packets(&hub.bytes(ogg).await).len() == capture.packets().len());
            continue;
        }
        let file = hub.bytes(files["wav"].as_str().unwrap()).await;
        let whole = Sound::read("kept", Opening::Sniffed(Kind::Wav), "", vec![file.into()]);
        let Kept::Pcm(kept) = whole.kept else { panic!("samples") };
        assert!([&floats, &declared, &blocks].contains(&&kept), "{track:#}");
    }
}

#[tokio::test]
async fn samples_that_are_not_whole_frames_end_their_own_connection_and_what_came_before_is_kept() {
    let hub = Hub::start();
    let sent = samples(4800 + 7);
    let mut ann = Client::plain(&hub, "/rooms/talk/ws?format=s16le&channels=1").await;
    ann.send(sent.clone()).await;
    ann.send(vec![0; 4801]).await;
    let (code, reason) = ann.closed().await.unwrap();
    assert!(code == 1007 && reason.contains("4801 bytes") && reason.contains("2 bytes"), "{code} {reason}");
    let recording = hub.ended("talk").await;
    let file = hub.bytes(recording["tracks"][0]["files"]["wav"].as_str().unwrap()).await;
    let Kept::Pcm(kept) = Sound::read("kept", Opening::Sniffed(Kind::Wav), "", vec![file.into()]).kept else {
        panic!("samples")
    };
    assert!(kept == sent, "{} bytes of {}", kept.len(), sent.len());
}

#[tokio::test]
async fn what_is_declared_and_does_not_fit_is_refused_with_what_does() {
    let hub = Hub::start();
    let pcm = |sample: &str, rate: i64, channels: u32| json!({ "codec": "pcm", "sample": sample, "rate": rate, "channels": channels });
    for (source, format, code, says) in [
        ("packets", pcm("f32le", 0, 1), 1003, "8000 to 192000"),
        ("container", pcm("f32le", 48_000, 9), 1003, "1 or 2"),
        ("container", pcm("f64le", 48_000, 1), 1003, "s16le"),
        ("packets", json!({ "codec": "mp3" }), 1003, "as bytes"),
        ("container", json!({ "codec": "opus", "channels": 1 }), 1003, "packets"),
        ("packets", pcm("f32le", -1, 1), 1007, "type"),
        ("packets", json!({ "codec": "speex" }), 1007, "speex"),
    ] {
        let (mut client, _) = Client::v1(&hub, "/rooms/talk/ws").await;
        client.say(json!({ "type": "publish", "track": 1, "source": source, "format": format })).await;
        let error = client.notice_of("error").await;
        assert!(error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(client.closed().await.unwrap().0, code);
    }
    // A block that no Opus packet is as long as, and one that is cut.
    let head = Head::new(Sample::S16, 48_000, 1).unwrap();
    for (bytes, says) in [(2 * 1440, "1440 frames"), (2 * 960 - 1, "1919 bytes")] {
        let (mut client, _) = Client::v1(&hub, "/rooms/talk/ws").await;
        let format = pcm(head.sample().word(), 48_000, 1);
        client.say(json!({ "type": "publish", "track": 1, "source": "packets", "format": format })).await;
        client.send(numbered(1, 0, 0, &[&vec![0; bytes]])).await;
        let error = client.notice_of("error").await;
        assert!(error["code"] == "broken_packet" && error["message"].as_str().unwrap().contains(says), "{error}");
        assert_eq!(client.closed().await.unwrap().0, 1007);
    }
    // Bytes that begin nothing that is known, for a track whose first bytes should tell.
    let (mut client, _) = Client::v1(&hub, "/rooms/talk/ws").await;
    client.publish_container(1).await;
    client.send_container(1, b"Asdf").await;
    let error = client.notice_of("error").await;
    assert!(error["code"] == "not_supported" && error["message"].as_str().unwrap().contains("WebM"), "{error}");
}
