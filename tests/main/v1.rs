//! `roomtone.v1`, through the running hub.

use bytes::{Bytes, BytesMut};
use roomtone::media::opus;
use roomtone::media::packet::Sequence;
use roomtone::media::time::Ticks;
use roomtone::wire::packets::{self, Flags, Message};
use serde_json::{Value, json};

use crate::helpers::capture::{assert_same, data, heard};
use crate::helpers::judge::ogg_packets;
use crate::helpers::{Capture, Client, Hub};

fn names(people: &Value) -> Vec<&str> {
    people.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

/// A message of kind 1.
fn numbered(track: u16, first: u64, time: u64, packets: &[Bytes]) -> Bytes {
    let mut message = BytesMut::new();
    let data = packets.iter().map(|packet| &packet[..]);
    packets::write(&mut message, track, Flags::default(), Sequence::new(first), Ticks::new(time), data);
    message.freeze()
}

#[tokio::test]
async fn those_who_may_speak_are_named_and_those_who_listen_are_counted() {
    let hub = Hub::start();
    let (mut ann, welcome) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    assert_eq!(welcome["participant"]["name"], "Ann");
    assert_eq!(welcome["room"], "talk");
    assert_eq!((welcome["participants"].as_array().unwrap().len(), &welcome["session"]), (0, &Value::Null));
    let (ben, welcome) = Client::v1(&hub, "/rooms/talk/ws?name=%20Ben%20").await;
    assert_eq!(names(&welcome["participants"]), ["Ann"]);
    let joined = ann.notice().await;
    assert_eq!((&joined["type"], &joined["participant"]["name"]), (&json!("joined"), &json!("Ben")));
    let (_eve, welcome) = Client::v1(&hub, "/rooms/talk/ws?name=Eve&publish=false").await;
    assert_eq!(welcome["listeners"], 0);
    assert_eq!(ann.notice().await, json!({ "type": "listeners", "count": 1 }));
    let room = hub.json("/api/v1/rooms/talk").await;
    assert_eq!((room["participants"].as_array().unwrap().len(), &room["listeners"]), (2, &json!(1)));
    ben.close().await;
    let left = ann.notice().await;
    assert_eq!((&left["type"], &left["participant"]), (&json!("left"), &joined["participant"]["id"]));
}

#[tokio::test]
async fn a_track_is_announced_heard_muted_and_ended() {
    let hub = Hub::start();
    let (mut ann, welcome) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let (mut ben, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ben").await;
    let capture = Capture::new("firefox-webm-opus-ctx44100");
    ann.publish_container(5).await;
    let published = ann.notice_of("published").await;
    assert_eq!(published, json!({ "type": "published", "track": 5, "number": 1 }));
    for message in capture.messages() {
        ann.send_container(5, &message).await;
    }
    let track = ben.notice_of("track").await;
    assert_eq!((&track["track"], &track["participant"]), (&json!(1), &welcome["participant"]["id"]));
    assert_eq!((&track["format"]["codec"], &track["format"]["input_rate"]), (&json!("opus"), &json!(44_100)));
    let session = ben.notice_of("session").await;
    assert!(session["session"]["recording"].is_string());
    let sent = data(&capture.packets());
    let mut all = Vec::new();
    while all.len() < sent.len() {
        let Message::Packets { packets, .. } = ben.packets().await else { panic!("downwards there are only packets") };
        all.extend(packets);
    }
    assert_same(&all, &sent);
    ann.say(json!({ "type": "mute", "track": 5, "muted": true })).await;
    assert_eq!(ben.notice_of("muted").await, json!({ "type": "muted", "track": 1, "muted": true }));
    let (_, welcome) = Client::v1(&hub, "/rooms/talk/ws").await;
    assert_eq!(welcome["tracks"][0]["muted"], true, "a muted track is a live track");
    ann.say(json!({ "type": "unpublish", "track": 5 })).await;
    assert_eq!(ben.notice_of("track_ended").await, json!({ "type": "track_ended", "track": 1 }));
    assert_eq!(ben.notice_of("session").await, json!({ "type": "session", "session": null }));
}

#[tokio::test]
async fn acknowledgements_say_what_is_here_and_what_is_on_disk() {
    let hub = Hub::start();
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let capture = Capture::new("chromium-webm-opus-mic");
    let count = capture.packets().len() as u64;
    ann.publish_container(1).await;
    for message in capture.messages() {
        ann.send_container(1, &message).await;
    }
    let (mut received, mut durable) = (0, 0);
    // What is received is told ten times a second, what is durable after each sync: either may come last.
    while received < count || durable < count {
        let notice = ann.notice().await;
        let next = notice["next"].as_u64();
        match notice["type"].as_str().unwrap() {
            "received" => {
                assert!(next.unwrap() > received);
                received = next.unwrap();
            }
            "durable" => {
                assert!(next.unwrap() > durable);
                durable = next.unwrap();
                let list = hub.json("/api/v1/recordings").await;
                let id = list["recordings"][0]["id"].as_str().unwrap();
                let file = hub.bytes(&format!("/api/v1/recordings/{id}/tracks/1.ogg")).await;
                assert!(ogg_packets(&file).len() as u64 >= durable, "what is durable can be downloaded");
            }
            _ => {}
        }
    }
    assert_eq!((received, durable), (count, count));
}

#[tokio::test]
async fn packets_that_the_publisher_numbers_keep_their_numbers_and_come_once() {
    let hub = Hub::start();
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let (mut ben, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ben").await;
    let mut plain = Client::plain(&hub, "/rooms/talk/ws?preroll=0").await;
    let format = json!({ "codec": "opus", "channels": 1, "pre_skip": 312, "input_rate": 48_000 });
    ann.say(json!({ "type": "publish", "track": 2, "source": "packets", "format": format })).await;
    let sent = data(&Capture::new("firefox-webm-opus-ctx44100").packets())[..60].to_vec();
    // From 1000 on; packets 20 to 29 come twice, and 40 to 49 never.
    for (from, to) in [(0, 30), (20, 40), (50, 60)] {
        let time = 7_000_000 + from as u64 * 960;
        ann.send(numbered(2, 1000 + from as u64, time, &sent[from..to])).await;
    }
    let mut numbers = Vec::new();
    let mut all = Vec::new();
    while all.len() < 50 {
        let Message::Packets { first, packets, .. } = ben.packets().await else { panic!("packets") };
        numbers.extend((0..packets.len() as u64).map(|packet| first.get() + packet));
        all.extend(packets);
    }
    let expected: Vec<u64> = (1000..1040).chain(1050..1060).collect();
    assert_eq!(numbers, expected);
    let expected: Vec<Bytes> = sent[..40].iter().chain(&sent[50..]).cloned().collect();
    assert_same(&all, &expected);
    loop {
        let durable = ann.notice_of("durable").await;
        assert!(durable["next"].as_u64().unwrap() <= 1040, "a hole is never acknowledged");
        if durable["ranges"] == json!([[1050, 1060]]) {
            break;
        }
    }
    let mut heard_by_plain = Vec::new();
    while heard_by_plain.len() < 40 {
        heard_by_plain.extend(heard(&plain.binary().await));
    }
    assert_same(&heard_by_plain[..40], &expected[..40]);
}

#[tokio::test]
async fn times_downwards_are_the_sessions_and_a_gap_is_marked() {
    let hub = Hub::start();
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let (mut ben, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ben").await;
    let format = json!({ "codec": "opus", "channels": 2 });
    ann.say(json!({ "type": "publish", "track": 0, "source": "packets", "format": format })).await;
    let packet = [Bytes::from_static(opus::SILENCE_20_MS.0)];
    ann.send(numbered(0, 0, 5000, &packet)).await;
    ann.send(numbered(0, 1, 5960, &packet)).await;
    // A second is missing.
    ann.send(numbered(0, 2, 6920 + 48_000, &packet)).await;
    let mut times = Vec::new();
    while times.len() < 3 {
        let Message::Packets { time, flags, .. } = ben.packets().await else { panic!("packets") };
        times.push((time.get(), flags.discontinuity));
    }
    assert_eq!(times, [(0, false), (960, false), (1920 + 48_000, true)]);
}

#[tokio::test]
async fn chat_reaches_everyone_else_in_both_protocols() {
    let hub = Hub::start();
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let mut plain = Client::plain(&hub, "/rooms/talk/ws?name=Ben").await;
    let (mut eve, _) = Client::v1(&hub, "/rooms/talk/ws?name=Eve&publish=false").await;
    ann.say(json!({ "type": "chat", "text": "hello" })).await;
    assert_eq!(plain.text().await, "hello");
    let told = eve.notice_of("chat").await;
    assert_eq!((&told["participant"]["name"], &told["text"]), (&json!("Ann"), &json!("hello")));
    plain.say("hi").await;
    let told = ann.notice_of("chat").await;
    assert_eq!((&told["participant"]["name"], &told["text"]), (&json!("Ben"), &json!("hi")));
    ann.say(json!({ "type": "ping", "time": 17 })).await;
    let pong = ann.notice().await;
    assert_eq!(
        pong,
        json!({ "type": "pong", "time": 17, "session_ticks": null }),
        "and no chat of one's own before it"
    );
}

#[tokio::test]
async fn one_connection_publishes_several_tracks() {
    let hub = Hub::start();
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let (mut ben, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ben").await;
    let captures = [Capture::new("chromium-webm-opus-100ms"), Capture::new("chromium-webm-opus-mic")];
    for (track, capture) in (0..).zip(&captures) {
        ann.publish_container(track).await;
        for message in capture.messages() {
            ann.send_container(track, &message).await;
        }
    }
    let sent: Vec<Vec<Bytes>> = captures.iter().map(|capture| data(&capture.packets())).collect();
    let mut all = [Vec::new(), Vec::new()];
    while all[0].len() < sent[0].len() || all[1].len() < sent[1].len() {
        let Message::Packets { track, packets, .. } = ben.packets().await else { panic!("packets") };
        all[usize::from(track) - 1].extend(packets);
    }
    assert_same(&all[0], &sent[0]);
    assert_same(&all[1], &sent[1]);
    ann.close().await;
    let recording = hub.ended("talk").await;
    for (track, sent) in recording["tracks"].as_array().unwrap().iter().zip(&sent) {
        let kept = ogg_packets(&hub.bytes(track["files"]["ogg"].as_str().unwrap()).await);
        assert_same(&kept.into_iter().map(Bytes::from).collect::<Vec<_>>(), sent);
    }
}
