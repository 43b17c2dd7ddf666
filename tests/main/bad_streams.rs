//! Streams that are not what they say, truncated or hostile: each ends its own connection, and nobody else notices.

use std::sync::Arc;

use bytes::Bytes;

use crate::helpers::judge::{ogg_packets, run};
use crate::helpers::{Capture, Client, Hub, Witness};

const MIB: usize = 1024 * 1024;
/// What one bad stream may cost the hub for good, in bytes. Generous: allocators keep what they had.
const COST: u64 = 16 * 1024 * 1024;

const VOID: u8 = 0xEC;
const CLUSTER: [u8; 4] = [0x1F, 0x43, 0xB6, 0x75];
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];
const TRACKS: [u8; 4] = [0x16, 0x54, 0xAE, 0x6B];

/// An element with a size of eight bytes.
fn element(id: &[u8], data: &[u8]) -> Vec<u8> {
    [announced(id, data.len() as u64), data.to_vec()].concat()
}

/// The beginning of an element that says it has `size` bytes.
fn announced(id: &[u8], size: u64) -> Vec<u8> {
    [id, &(size | 1 << 56).to_be_bytes()].concat()
}

/// Of unknown size.
fn open(id: &[u8]) -> Vec<u8> {
    [id, &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]].concat()
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

/// A real stream up to its first Cluster: EBML header, Segment of unknown size, Info, Tracks.
fn head() -> Vec<u8> {
    let whole = Capture::new("chromium-webm-opus").whole();
    whole[..find(&whole, &CLUSTER)].to_vec()
}

/// The same up to its Tracks.
fn head_without_tracks() -> Vec<u8> {
    let head = head();
    head[..find(&head, &TRACKS)].to_vec()
}

/// A Cluster of unknown size with this time and these blocks of one packet.
fn cluster(time: u64, blocks: &[(i16, &[u8])]) -> Vec<u8> {
    let mut cluster = [open(&CLUSTER), element(&[0xE7], &time.to_be_bytes())].concat();
    for (time, packet) in blocks {
        let data = [&[0x81][..], &time.to_be_bytes(), &[0x80], packet].concat();
        cluster.extend(element(&[0xA3], &data));
    }
    cluster
}

/// Twenty milliseconds of silence.
const SILENCE: &[u8] = &[0xF8, 0xFF, 0xFE];

/// What the hub says to a plain client that sends this, and then waits.
async fn answer(hub: &Hub, path: &str, stream: &[u8]) -> (u16, String) {
    let mut client = Client::plain(hub, path).await;
    for message in stream.chunks(MIB) {
        if client.try_send(message.to_vec()).await.is_err() {
            break;
        }
    }
    client.closed().await.expect("a connection is closed with a code")
}

#[tokio::test]
async fn a_hostile_stream_ends_its_own_connection_with_a_reason_and_costs_nothing() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let before = hub.memory();
    let (head, short) = (head(), head_without_tracks());
    let good = [head.clone(), cluster(0, &[(0, SILENCE)])].concat();
    let nested = |id: &[u8], depth: usize| (0..depth).fold(Vec::new(), |inner, _| element(id, &inner));
    let broken = |name, stream: Vec<u8>, word| (name, stream, 1007, word);
    let cases: [(&str, Vec<u8>, u16, &str); 21] = [
        broken("Tracks of 2^56 bytes", [&short[..], &announced(&TRACKS, (1 << 56) - 2)].concat(), "limit"),
        broken("Void of 2^56 bytes", [&short[..], &announced(&[VOID], (1 << 56) - 2)].concat(), "limit"),
        broken(
            "a block of 2^56 bytes",
            [&good[..], &announced(&[0xA3], (1 << 56) - 2), &[0x81, 0, 0, 0]].concat(),
            "limit",
        ),
        broken(
            "a Timestamp of 2^56 bytes",
            [&head[..], &open(&CLUSTER), &announced(&[0xE7], (1 << 56) - 2)].concat(),
            "limit",
        ),
        broken("an EBML header of 2^56 bytes", announced(&[0x1A, 0x45, 0xDF, 0xA3], (1 << 56) - 2), "limit"),
        broken("an EBML header without end", open(&[0x1A, 0x45, 0xDF, 0xA3]), "unknown size"),
        broken(
            "a gigabyte is announced before the first Cluster",
            [&short[..], &announced(&[VOID], 1 << 30)].concat(),
            "limit",
        ),
        broken(
            "40 MB are sent before the first Cluster",
            [short.clone(), element(&[VOID], &[0; 60_000]).repeat(700)].concat(),
            "limit",
        ),
        broken(
            "40 MB of what nobody knows",
            [short.clone(), element(&[0x4D, 0xAD], &[0; 60_000]).repeat(700)].concat(),
            "limit",
        ),
        broken("a million elements of nothing", [short.clone(), [VOID, 0x80].repeat(1_000_000)].concat(), "limit"),
        broken("EBML headers without end", head[..find(&head, &SEGMENT)].repeat(MIB / 10), "limit"),
        broken("Segments without end", [head.clone(), open(&SEGMENT).repeat(MIB / 8)].concat(), "limit"),
        broken(
            "Segments within a Segment",
            [&short[..find(&short, &SEGMENT)], &nested(&SEGMENT, 4000)].concat(),
            "belong",
        ),
        ("Tracks within Tracks", [&short[..], &nested(&TRACKS, 5000)].concat(), 1003, "no audio"),
        (
            "TrackEntries within each other",
            [&short[..], &element(&TRACKS, &nested(&[0xAE], 5000))].concat(),
            1003,
            "no audio",
        ),
        broken("BlockGroups within each other", [&head[..], &open(&CLUSTER), &nested(&[0xA0], 6000)].concat(), "WebM"),
        broken("garbage after a good start", [&good[..], &[0; 4096]].concat(), "broken WebM at byte"),
        broken("a block without a Cluster", [&head[..], &element(&[0xA3], &[0x81, 0, 0, 0x80, 0xFC])].concat(), "WebM"),
        broken("a Cluster without Tracks", [&short[..], &cluster(0, &[(0, SILENCE)])].concat(), "WebM"),
        broken("an Opus packet that is none", [&head[..], &cluster(0, &[(0, &[0xFB, 0x00])])].concat(), "WebM"),
        broken("garbage instead of the first Cluster", [&head[..], &[0; 16]].concat(), "broken WebM at byte"),
    ];
    for (name, stream, code, word) in cases {
        let (closed, reason) = answer(&hub, "/rooms/talk/ws", &stream).await;
        assert!(closed == code && reason.contains(word), "{name}: {closed} {reason}");
    }
    let cost = hub.memory().saturating_sub(before);
    assert!(cost < COST, "{cost} bytes");
    witness.noticed_nothing().await;
}

/// A second of a tone as ffmpeg makes it.
fn made(words: &[&str]) -> Vec<u8> {
    let tone = ["-v", "error", "-f", "lavfi", "-i", "sine=duration=1"];
    run("ffmpeg", &[&tone[..], words, &["pipe:1"]].concat()).0
}

#[tokio::test]
async fn sound_of_a_kind_that_is_not_accepted_is_refused_and_never_relayed() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let mut listener = Client::plain(&hub, "/rooms/quiet/ws").await;
    let head = head();
    let replaced = |from: &[u8], to: &[u8]| {
        let at = find(&head, from);
        let rest = [cluster(0, &[(0, SILENCE)]), Vec::new()].concat();
        [&head[..at], to, &head[at + from.len()..], &rest].concat()
    };
    let video =
        element(&[0xAE], &[&[0xD7, 0x81, 1, 0x73, 0xC5, 0x81, 1, 0x83, 0x81, 1, 0x86, 0x85][..], b"V_VP8"].concat());
    let cases: [(Vec<u8>, &str); 8] = [
        (replaced(b"A_OPUS", b"A_SPEX"), "A_SPEX"),
        (replaced(b"\x42\x82\x84webm", b"\x42\x82\x84film"), "film"),
        ([head_without_tracks(), element(&TRACKS, &video)].concat(), "no audio track"),
        (made(&["-c:a", "libspeex", "-ar", "16000", "-f", "ogg"]), "Opus, Vorbis and FLAC"),
        (made(&["-c:a", "ac3", "-movflags", "frag_keyframe+empty_moov+delay_moov", "-f", "mp4"]), "MP4"),
        (made(&["-c:a", "pcm_alaw", "-f", "wav"]), "A-law"),
        (made(&["-c:a", "pcm_f64le", "-f", "wav"]), "64 bits"),
        (made(&["-ac", "6", "-c:a", "flac", "-f", "flac"]), "FLAC"),
    ];
    for (stream, word) in cases {
        for room in ["talk", "quiet"] {
            let (code, reason) = answer(&hub, &format!("/rooms/{room}/ws"), &stream).await;
            assert!(code == 1003 && reason.contains(word), "{word}: {code} {reason}");
        }
        // The same in the middle of another's messages, and in pieces.
        let mut client = Client::plain(&hub, "/rooms/quiet/ws").await;
        client.send("Asdfasdfasdfasdf").await;
        assert_eq!(listener.binary().await, "Asdfasdfasdfasdf");
        for byte in &stream[..stream.len().min(8)] {
            let _ = client.try_send(vec![*byte]).await;
        }
        let _ = client.try_send(stream[stream.len().min(8)..].to_vec()).await;
        assert_eq!(client.closed().await.unwrap().0, 1003);
    }
    let mut other = Client::plain(&hub, "/rooms/quiet/ws").await;
    other.say("nothing came before this").await;
    assert_eq!(listener.text().await, "nothing came before this");
    witness.noticed_nothing().await;
    // Nothing was sound: only the witness was recorded.
    let list = hub.json("/api/v1/recordings").await;
    assert_eq!(list["recordings"].as_array().unwrap().len(), 1, "{list:#}");
}

#[tokio::test]
async fn video_beside_sound_is_dropped_and_told_once() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-vp8-opus");
    let (mut speaker, _) = Client::v1(&hub, "/rooms/talk/ws").await;
    speaker.publish_container(3).await;
    for message in capture.messages() {
        speaker.send_container(3, &message).await;
    }
    speaker.say(r#"{"type":"ping","time":1}"#).await;
    let mut warnings = Vec::new();
    loop {
        let notice = speaker.notice().await;
        match notice["type"].as_str().unwrap() {
            "warning" => warnings.push(notice),
            "pong" => break,
            _ => {}
        }
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0]["code"], "ignored");
    assert!(warnings[0]["message"].as_str().unwrap().contains("1 of video"), "{warnings:?}");
}

#[tokio::test]
async fn a_timestamp_of_years_makes_no_sound_of_years() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    for (room, time) in [("long", 1 << 31), ("longer", 1 << 56), ("longest", u64::MAX)] {
        let mut client = Client::plain(&hub, &format!("/rooms/{room}/ws")).await;
        let steady: Vec<_> = (0..25).map(|index| (index * 20, SILENCE)).collect();
        for time in [0, time, 0, time] {
            client.send([head(), cluster(time, &steady)].concat()).await;
            client.send(cluster(time, &steady)).await;
        }
        client.close().await;
        let recording = hub.ended(room).await;
        let duration = recording["tracks"][0]["duration"].as_f64().unwrap();
        assert!((4.0..60.0).contains(&duration), "{room}: {duration} s");
        let file = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
        assert!(file.len() < MIB, "{room}: {} bytes", file.len());
        assert!(ogg_packets(&file).len() >= 200, "{room}");
    }
    witness.noticed_nothing().await;
}

#[tokio::test]
async fn what_came_before_a_stream_broke_is_kept() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "others").await;
    let capture = Capture::new("chromium-webm-opus-100ms");
    let whole = capture.whole();
    let sent: Vec<Vec<u8>> = capture.packets().iter().map(|packet| packet.data.to_vec()).collect();
    // A byte short of its last block, and then garbage where another element is expected.
    let ends: [(&str, Bytes, usize); 2] = [
        ("truncated", whole[..whole.len() - 1].to_vec().into(), sent.len() - 1),
        ("garbage", [&whole[..], &[0; 100]].concat().into(), sent.len()),
    ];
    for (room, stream, packets) in ends {
        let mut client = Client::plain(&hub, &format!("/rooms/{room}/ws")).await;
        client.send(stream).await;
        if room == "garbage" {
            assert_eq!(client.closed().await.unwrap().0, 1007);
        } else {
            client.vanish();
        }
        let recording = hub.ended(room).await;
        let file = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
        assert!(ogg_packets(&file) == sent[..packets], "{room}: {} packets", ogg_packets(&file).len());
    }
    witness.noticed_nothing().await;
}
