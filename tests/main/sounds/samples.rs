//! Plain samples as they are kept: `pcm=yes`, in a room and in a replay.

use bytes::Bytes;
use roomtone::media::packet::Sequence;
use roomtone::media::pcm::{Head, Sample};
use roomtone::wire::packets::Message;
use serde_json::json;

use crate::helpers::{Client, Hub};

/// Samples of which no two blocks are alike.
fn samples(head: Head, frames: usize) -> Vec<u8> {
    let noise = (0_u64..).flat_map(|at| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    noise.take(frames * head.frame_bytes()).collect()
}

/// Hears a track's blocks to its end, and checks that each is the one of its number and lies at its time. Gives the number of the first.
async fn assert_blocks(ear: &mut Client, head: Head, sent: &[u8]) -> u64 {
    let (frame, rate) = (head.frame_bytes(), u64::from(head.rate()));
    let frames = (sent.len() / frame) as u64;
    // Block i holds the frames from round(i * rate / 50) on.
    let edge = |block: u64| frames.min((block * rate + 25) / 50);
    let mut begin = None;
    let mut next = 0;
    while edge(next) < frames {
        let Message::Packets { first, time, packets, .. } = ear.packets().await else { panic!("packets") };
        next = begin.map_or(first.get(), |_| next);
        begin = begin.or(Some(next));
        assert_eq!((first, time.get()), (Sequence::new(next), (edge(next) * 48_000 + rate / 2) / rate));
        for block in packets {
            let at = |block: u64| usize::try_from(edge(block)).unwrap() * frame;
            assert!(block == sent[at(next)..at(next + 1)], "block {next} has {} bytes", block.len());
            next += 1;
        }
    }
    begin.unwrap()
}

async fn assert_room_and_replay(hub: &Hub, room: &str, head: Head) {
    // One block is short.
    let frames = usize::try_from(head.rate()).unwrap() * 3 / 2 + 7;
    let sent = samples(head, frames);
    let mut ear = Client::v1(hub, &format!("/rooms/{room}/ws?publish=false&pcm=yes")).await.0;
    let (mut ann, _) = Client::v1(hub, &format!("/rooms/{room}/ws?name=Ann")).await;
    let format =
        json!({ "codec": "pcm", "sample": head.sample().word(), "rate": head.rate(), "channels": head.channels() });
    ann.say(json!({ "type": "publish", "track": 9, "source": "container", "format": format.clone() })).await;
    for piece in sent.chunks(1013 * head.frame_bytes()) {
        ann.send_container(9, piece).await;
    }
    ann.say(json!({ "type": "unpublish", "track": 9 })).await;
    let told = ear.notice_of("track").await;
    assert_eq!((&told["pcm"]["sample"], &told["pcm"]["rate"]), (&format["sample"], &format["rate"]), "{told}");
    assert_eq!(assert_blocks(&mut ear, head, &sent).await, 0);
    ann.close().await;
    let recording = hub.ended(room).await;
    let address = format!("/recordings/{}/ws?pcm=yes", recording["id"].as_str().unwrap());
    let (mut replay, welcome) = Client::v1(hub, &address).await;
    assert_eq!(welcome["tracks"][0]["pcm"]["sample"], format["sample"], "{welcome}");
    assert_eq!(assert_blocks(&mut replay, head, &sent).await, 0);
    // From somewhere else it is the same blocks, and those before it in which a decoder would settle.
    let mut later = Client::v1(hub, &format!("{address}&from=0.5")).await.0;
    let first = assert_blocks(&mut later, head, &sent).await;
    assert!((15..=25).contains(&first), "{first}");
    // Who does not ask for them hears Opus.
    let mut other = Client::v1(hub, &address.replace("pcm=yes", "pcm=no")).await.0;
    let Message::Packets { packets, .. } = other.packets().await else { panic!("packets") };
    let lengths: Vec<_> =
        packets.iter().map(|packet: &Bytes| roomtone::media::opus::duration(packet).unwrap().get()).collect();
    assert!(lengths.iter().all(|length| *length == 960), "{lengths:?}");
}

#[tokio::test]
async fn who_asks_for_samples_gets_each_block_as_it_was_sent_live_and_replayed() {
    let hub = Hub::start();
    // Of the last an outbox does not hold a second.
    for (room, sample, rate, channels) in
        [("s16", Sample::S16, 44_100, 2), ("s24", Sample::S24, 11_025, 1), ("s32", Sample::S32, 96_000, 2)]
    {
        assert_room_and_replay(&hub, room, Head::new(sample, rate, channels).unwrap()).await;
    }
}
