//! Replays of recordings, through the running hub.

mod life;

use std::path::PathBuf;

use bytes::Bytes;
use roomtone::media::packet::SourcePacket;
use roomtone::wire::packets::Message;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message as Frame};

use crate::helpers::capture::{assert_same, data, demux, heard};
use crate::helpers::judge::{DECODED, decode_bytes, run_on, sixteen_bits};
use crate::helpers::{Capture, Client, Hub};

/// Says a capture in a room, as a track, until all of it is durable.
async fn say(speaker: &mut Client, track: u16, capture: &Capture) {
    speaker.publish_container(track).await;
    for message in capture.messages() {
        speaker.send_container(track, &message).await;
    }
    let count = capture.packets().len() as u64;
    loop {
        let durable = speaker.notice_of("durable").await;
        if durable["track"] == track && durable["next"] == count {
            return;
        }
    }
}

/// Records a capture through a room, and gives the recording once it has ended.
async fn recorded(hub: &Hub, room: &str, capture: &Capture) -> Value {
    let (mut ann, _) = Client::v1(hub, &format!("/rooms/{room}/ws?name=Ann")).await;
    say(&mut ann, 1, capture).await;
    ann.close().await;
    hub.ended(room).await
}

fn address(recording: &Value, query: &str) -> String {
    format!("/recordings/{}/ws?{query}", recording["id"].as_str().unwrap())
}

/// The file of a recording's track.
fn file(hub: &Hub, track: &str) -> PathBuf {
    let room = std::fs::read_dir(hub.recordings().join("talk")).unwrap().next().unwrap().unwrap();
    room.path().join(track)
}

/// A packet of a replay: its track, number and time.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    track: u16,
    number: u64,
    time: u64,
    discontinuity: bool,
    data: Bytes,
}

/// Decodes files that follow one another; ffmpeg notes each that follows the first.
fn decode_joined(bytes: &[u8]) -> Vec<i16> {
    sixteen_bits(&run_on("ffmpeg", &[&["-v", "error", "-xerror", "-i", "-"], &DECODED[..]].concat(), bytes).0)
}

/// What a message carries.
fn carried(message: Message) -> Vec<Heard> {
    let Message::Packets { track, flags, first, time, packets } = message else { panic!("packets") };
    let mut at = time.get();
    let each = packets.into_iter().zip(first.get()..).map(|(data, number)| {
        let duration = roomtone::media::opus::duration(&data).unwrap();
        let discontinuity = flags.discontinuity && number == first.get();
        let heard = Heard { track, number, time: at, discontinuity, data };
        at += duration.get();
        heard
    });
    each.collect()
}

/// What comes up to the next notice that is wanted: packets, other notices, and that one last.
async fn until(client: &mut Client, wanted: impl Fn(&Value) -> bool) -> (Vec<Heard>, Vec<Value>) {
    let (mut sound, mut notices) = (Vec::new(), Vec::new());
    loop {
        match client.next().await.unwrap() {
            Frame::Binary(bytes) => sound.extend(carried(roomtone::wire::packets::read(&bytes).unwrap())),
            Frame::Text(text) => {
                let notice: Value = serde_json::from_str(&text).unwrap();
                let last = wanted(&notice);
                notices.push(notice);
                if last {
                    return (sound, notices);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What a plain listener gets up to the end: binary messages and texts.
async fn until_ended(client: &mut Client) -> (Vec<Bytes>, Vec<String>) {
    let (mut messages, mut texts) = (Vec::new(), Vec::new());
    loop {
        match client.next().await.unwrap() {
            Frame::Binary(message) => messages.push(message),
            Frame::Text(text) => {
                texts.push(text.to_string());
                if serde_json::from_str(&text).is_ok_and(|notice: Value| is_ended(&notice)) {
                    return (messages, texts);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn is_ended(notice: &Value) -> bool {
    notice["type"] == "replay" && notice["state"] == "ended"
}

/// The packets of a capture that a replay from this place carries, as they were recorded: 100 ms of them come before it.
fn expected(capture: &Capture, from: f64) -> Vec<(u64, u64, Bytes)> {
    let from = ((from - 0.1).max(0.0) * 48_000.0) as u64;
    let mut at = 0;
    let placed = (0..).zip(capture.packets()).map(|(number, SourcePacket { duration, data, .. })| {
        at += duration.get();
        (number, at - duration.get(), data)
    });
    let end = |(_, time, data): &(u64, u64, Bytes)| time + roomtone::media::opus::duration(data).unwrap().get();
    placed.filter(|packet| end(packet) > from).collect()
}

fn assert_heard(sound: &[Heard], capture: &Capture, from: f64) {
    let all: Vec<_> = sound.iter().map(|heard| (heard.number, heard.time, heard.data.clone())).collect();
    let expected = expected(capture, from);
    assert_eq!(all.len(), expected.len(), "from {from}");
    for (got, expected) in all.iter().zip(&expected) {
        assert!(got == expected, "from {from}: packet {} at {}, not {} at {}", got.0, got.1, expected.0, expected.1);
    }
    assert!(sound[0].discontinuity && !sound[1..].iter().any(|heard| heard.discontinuity));
}

#[tokio::test]
async fn from_any_place_a_replay_carries_what_was_recorded_with_numbers_and_times() {
    let hub = Hub::start();
    let capture = Capture::new("firefox-webm-opus-ctx44100");
    let recording = recorded(&hub, "talk", &capture).await;
    let duration = recording["duration"].as_f64().unwrap();
    for (query, from) in
        [("", 0.0), ("from=start", 0.0), ("from=0.71", 0.71), ("from=2", 2.0), ("from=-0.5", duration - 0.5)]
    {
        let (mut listener, welcome) = Client::v1(&hub, &address(&recording, query)).await;
        assert_eq!((&welcome["room"], &welcome["listeners"]), (&json!("talk"), &json!(0)));
        assert_eq!(welcome["session"], json!({ "recording": recording["id"], "elapsed": from }));
        assert_eq!((&welcome["tracks"][0]["track"], &welcome["tracks"][0]["muted"]), (&json!(1), &json!(false)));
        let place = listener.notice().await;
        let expected = json!({
            "type": "replay", "state": "playing", "at": from, "duration": duration, "seek": 0,
            "participants": welcome["participants"], "tracks": welcome["tracks"],
        });
        assert_eq!(place, expected);
        if from == 0.0 {
            assert_eq!(place["participants"][0]["name"], "Ann");
        }
        let (sound, notices) = until(&mut listener, is_ended).await;
        assert_heard(&sound, &capture, from);
        let kinds: Vec<_> = notices.iter().map(|notice| notice["type"].as_str().unwrap()).collect();
        // Ann's sound ran ahead of real time, and she left before its end.
        assert_eq!(kinds[kinds.len() - 2..], ["track_ended", "replay"]);
        let end = notices.last().unwrap();
        assert_eq!((&end["at"], &end["tracks"]), (&recording["duration"], &json!([])));
    }
}

#[tokio::test]
async fn places_beyond_the_ends_have_an_answer() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-100ms");
    let recording = recorded(&hub, "talk", &capture).await;
    let duration = recording["duration"].as_f64().unwrap();
    for query in ["from=9999", "from=inf", &format!("from={duration}")] {
        let (mut listener, _) = Client::v1(&hub, &address(&recording, query)).await;
        let place = listener.notice().await;
        assert_eq!((&place["state"], &place["at"]), (&json!("ended"), &recording["duration"]), "{query}");
        // Play begins again.
        listener.say(json!({ "type": "play" })).await;
        let again = listener.notice().await;
        assert_eq!((&again["state"], &again["at"]), (&json!("playing"), &json!(0.0)));
        assert_heard(&until(&mut listener, is_ended).await.0, &capture, 0.0);
    }
    let (mut listener, _) = Client::v1(&hub, &address(&recording, "from=-9999")).await;
    assert_eq!(listener.notice().await["at"], 0.0);

    let code = async |path: String| match Client::open(&hub, &path, Some("roomtone.v1")).await {
        Err(tungstenite::Error::Http(answer)) => {
            let problem: Value = serde_json::from_slice(answer.body().as_ref().unwrap()).unwrap();
            (answer.status().as_u16(), problem["code"].as_str().unwrap().to_owned())
        }
        _ => panic!("{path} is answered"),
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(code(address(&recording, "from=soon")).await, refused(400, "invalid_query"));
    assert_eq!(code(address(&recording, "speed=2")).await, refused(400, "not_supported"));
    assert_eq!(code(address(&recording, "publish=yes")).await, refused(400, "not_supported"));
    assert_eq!(code("/recordings/hello/ws".to_owned()).await, refused(400, "invalid_id"));
    let unknown = json!({ "id": "019a0000-0000-7000-8000-000000000000" });
    assert_eq!(code(address(&unknown, "")).await, refused(404, "recording_not_found"));
    let page = hub.get(&address(&recording, "")).await;
    assert_eq!(page.status(), 400);
    assert_eq!(page.json::<Value>().await.unwrap()["code"], "invalid_handshake");
}

#[tokio::test]
async fn plain_messages_are_what_was_recorded() {
    let hub = Hub::start();
    let capture = Capture::new("firefox-webm-opus-ctx44100");
    let recording = recorded(&hub, "talk", &capture).await;
    let all = data(&capture.packets());
    for (query, from) in [("preroll=0", 0), ("", 0), ("from=1.2&preroll=0", 60), ("from=1.2", 60)] {
        let mut listener = Client::plain(&hub, &address(&recording, query)).await;
        let place: Value = serde_json::from_str(&listener.text().await).unwrap();
        assert_eq!((&place["type"], &place["state"]), (&json!("replay"), &json!("playing")));
        assert!(place.get("participants").is_none() && place.get("tracks").is_none());
        let (messages, _) = until_ended(&mut listener).await;
        let mut packets: Vec<_> = messages.iter().flat_map(|message| heard(message)).collect();
        // A last lone packet has silence for company.
        packets.truncate(all.len() - from);
        assert_same(&packets, &all[from..]);
        if query.contains("preroll") {
            let (_, joined) = demux(&messages.concat());
            let times: Vec<_> = joined.iter().map(|packet| packet.time.as_millis()).collect();
            let running = (0..times.len() as u64).map(|packet| packet * 20 + if from > 0 { times[0] } else { 0 });
            assert_eq!(times, running.collect::<Vec<_>>());
        } else {
            for (index, message) in messages.iter().enumerate() {
                // All but a recording's very first message hide what came before them.
                assert_eq!(demux(message).0 > 0, from > 0 || index > 0);
            }
        }
    }
    // Joined they are to ffmpeg what the recording is, and not told to be stereo, as a sound is that may become a mix.
    let mut listener = Client::plain(&hub, &address(&recording, "preroll=0&mix=no")).await;
    let (messages, _) = until_ended(&mut listener).await;
    let recorded = decode_bytes(&hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await);
    let played: Vec<i16> = decode_joined(&messages.concat());
    let (pre_skip, _) = demux(&capture.whole());
    let skipped = usize::try_from(pre_skip).unwrap();
    assert_eq!(played[skipped..][..recorded.len()], recorded);
}

#[tokio::test]
async fn a_listener_pauses_plays_and_seeks() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-mic");
    let recording = recorded(&hub, "talk", &capture).await;
    let (mut listener, _) = Client::v1(&hub, &address(&recording, "")).await;
    assert_eq!(listener.notice().await["state"], "playing");
    listener.packets().await;
    listener.say(json!({ "type": "pause" })).await;
    let paused = listener.notice_of("replay").await;
    assert_eq!(paused["state"], "paused");
    let at = paused["at"].as_f64().unwrap();
    assert!((0.0..8.0).contains(&at), "{at}");
    // While it is paused a seek shows the place, and no packet comes.
    listener.say(json!({ "type": "seek", "at": 5.0 })).await;
    let place = listener.notice().await;
    assert_eq!((&place["state"], &place["at"], &place["seek"]), (&json!("paused"), &json!(5.0), &json!(1)));
    assert_eq!(place["tracks"][0]["track"], 1);
    listener.say(json!({ "type": "ping", "time": 7 })).await;
    let pong = listener.next().await.unwrap().into_text().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&pong).unwrap(),
        json!({ "type": "pong", "time": 7, "session_ticks": 240_000 })
    );
    listener.say(json!({ "type": "play" })).await;
    assert_eq!(listener.notice().await["state"], "playing");
    assert_heard(&until(&mut listener, is_ended).await.0, &capture, 5.0);
    // After the end a seek back plays on; a negative place is the start.
    listener.say(json!({ "type": "seek", "at": -3 })).await;
    let place = listener.notice().await;
    assert_eq!((&place["state"], &place["at"], &place["seek"]), (&json!("playing"), &json!(0.0), &json!(2)));
    let first = carried(listener.packets().await);
    assert_eq!((first[0].number, first[0].time), (0, 0));
}

#[tokio::test]
async fn of_many_seeks_the_last_counts() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-mic");
    let recording = recorded(&hub, "talk", &capture).await;
    let (mut listener, _) = Client::v1(&hub, &address(&recording, "")).await;
    for seek in 0..500 {
        let at = f64::from(seek * 37 % 70) / 10.0;
        listener.say(json!({ "type": "seek", "at": at })).await;
    }
    listener.say(json!({ "type": "seek", "at": 6.5 })).await;
    let (_, notices) = until(&mut listener, |notice| notice["seek"] == 501).await;
    let told = notices.last().unwrap();
    assert_eq!((&told["at"], &told["state"]), (&json!(6.5), &json!("playing")));
    let counts: Vec<_> = notices.iter().filter_map(|notice| notice["seek"].as_u64()).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    // Everything behind its notice belongs to the last place.
    assert_heard(&until(&mut listener, is_ended).await.0, &capture, 6.5);
}

#[tokio::test]
async fn several_speakers_play_together_with_those_who_came_and_what_was_said() {
    let hub = Hub::start();
    let (one, two) = (Capture::new("firefox-webm-opus-ctx44100"), Capture::new("chromium-webm-opus-100ms"));
    let (mut ann, _) = Client::v1(&hub, "/rooms/talk/ws?name=Ann").await;
    let mut eve = Client::plain(&hub, "/rooms/talk/ws?name=Eve&publish=no").await;
    say(&mut ann, 1, &one).await;
    eve.say("first").await;
    ann.notice_of("chat").await;
    let (mut ben, welcome) = Client::v1(&hub, "/rooms/talk/ws?name=Ben").await;
    let ben_id = welcome["participant"]["id"].clone();
    ben.say(json!({ "type": "chat", "text": "second" })).await;
    ann.notice_of("chat").await;
    say(&mut ben, 1, &two).await;
    ben.close().await;
    ann.notice_of("left").await;
    // Ann speaks again, so that there is sound after Ben has left.
    say(&mut ann, 2, &two).await;
    ann.close().await;
    let recording = hub.ended("talk").await;

    let (mut listener, welcome) = Client::v1(&hub, &address(&recording, "name=Zoe")).await;
    assert_eq!(welcome["participant"]["name"], "Zoe");
    assert_eq!(listener.notice().await["participants"].as_array().unwrap().len(), 1, "who only listened is not named");
    let (sound, notices) = until(&mut listener, is_ended).await;
    let name = |id: &Value| if *id == ben_id { "Ben" } else { "Ann" };
    let told = notices.iter().filter_map(|notice| {
        Some(match notice["type"].as_str().unwrap() {
            "chat" => notice["text"].as_str().unwrap().to_owned(),
            "joined" => format!("{} came", notice["participant"]["name"].as_str().unwrap()),
            "left" => format!("{} went", name(&notice["participant"])),
            "track" => format!("track {} of {}", notice["track"], name(&notice["participant"])),
            _ => return None,
        })
    });
    // What REST tells, in the order of its times, but for what was so at the start.
    let mut expected = Vec::new();
    let list = |what: &str| recording[what].as_array().unwrap().clone();
    expected.extend(list("chat").iter().map(|line| (line["at"].clone(), line["text"].as_str().unwrap().to_owned())));
    for stay in list("attendance") {
        expected.push((stay["joined"].clone(), format!("{} came", name(&stay["participant"]))));
        expected.push((stay["left"].clone(), format!("{} went", name(&stay["participant"]))));
    }
    for track in list("tracks") {
        let word = format!("track {} of {}", track["number"], name(&track["participant"]));
        expected.push((track["start"].clone(), word));
    }
    let duration = recording["duration"].as_f64().unwrap();
    expected.retain(|(at, _)| at.as_f64().is_some_and(|at| at > 0.0 && at < duration));
    expected.sort_by(|one, other| one.0.as_f64().unwrap().total_cmp(&other.0.as_f64().unwrap()));
    let expected: Vec<_> = expected.into_iter().map(|(_, word)| word).collect();
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert!(expected.len() >= 6, "{expected:?}");
    for (track, capture) in [(1, &one), (2, &two), (3, &two)] {
        let of_track: Vec<_> = sound.iter().filter(|heard| heard.track == track).cloned().collect();
        let packets: Vec<_> = of_track.iter().map(|heard| heard.data.clone()).collect();
        assert_same(&packets, &data(&capture.packets()));
        let start = (recording["tracks"][usize::from(track) - 1]["start"].as_f64().unwrap() * 48_000.0).round() as u64;
        assert_eq!((of_track[0].number, of_track[0].time), (0, start));
    }
    // The same in plain: the lines of chat as text, between the sound.
    let mut plain = Client::plain(&hub, &address(&recording, "")).await;
    let (_, texts) = until_ended(&mut plain).await;
    assert_eq!(texts[1..texts.len() - 1], ["first", "second"]);
}

#[tokio::test]
async fn who_says_what_a_replay_does_not_know_is_told() {
    let hub = Hub::start();
    let recording = recorded(&hub, "talk", &Capture::new("chromium-webm-opus-100ms")).await;
    let mut plain = Client::plain(&hub, &address(&recording, "from=9999")).await;
    plain.text().await;
    for word in ["hello", "[]", "{}", r#"{"type":"seek"}"#, r#"{"type":"chat","text":"hello"}"#] {
        plain.say(word).await;
        let warning: Value = serde_json::from_str(&plain.text().await).unwrap();
        assert_eq!((&warning["type"], &warning["code"]), (&json!("warning"), &json!("no_command")), "{word}");
    }
    plain.send(&b"sound"[..]).await;
    assert_eq!(plain.closed().await, Some((1008, "a replay only listens".to_owned())));

    let (mut v1, _) = Client::v1(&hub, &address(&recording, "from=9999")).await;
    v1.notice().await;
    v1.say(json!({ "type": "dance" })).await;
    v1.say(json!({ "type": "chat", "text": "hello" })).await;
    assert_eq!(v1.notice().await["code"], "ignored");
    v1.say(json!({ "type": "seek" })).await;
    assert_eq!(v1.notice_of("error").await["code"], "broken_json");
    assert_eq!(v1.closed().await.unwrap().0, 1007);
    let (mut v1, _) = Client::v1(&hub, &address(&recording, "from=9999")).await;
    v1.publish_container(1).await;
    assert_eq!(v1.notice_of("error").await["code"], "not_allowed");
    assert_eq!(v1.closed().await, Some((1008, "a replay only listens".to_owned())));
}
