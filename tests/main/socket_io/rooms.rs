//! A room with clients of Socket.IO in it, and others: they hear each other.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::client::{self, Polling, arguments};
use crate::helpers::capture::{data, heard};
use crate::helpers::judge::decode_each;
use crate::helpers::made::{number_of, webm};
use crate::helpers::{Capture, Client, Hub};

/// What says that a chunk follows.
const CHUNK: &str = r#"451-["chunk",{"_placeholder":true,"num":0}]"#;

/// The next chunk, and who sent it.
async fn chunk(client: &mut Client) -> (Bytes, serde_json::Value) {
    let event = client::packet(client, "451-[\"chunk\"").await;
    (client.binary().await, arguments(&event)[2].clone())
}

/// The packets of a capture, sent as chunks over a socket.
async fn speak(client: &mut Client, capture: &Capture) {
    for message in capture.messages() {
        client.say(CHUNK).await;
        client.send(message).await;
    }
}

/// Hears chunks until they hold so many packets; each decodes on its own.
async fn hear(client: &mut Client, packets: usize, name: &str) -> Vec<Bytes> {
    let (mut chunks, mut samples, mut all) = (Vec::new(), Vec::new(), Vec::new());
    while all.len() < packets {
        let (bytes, who) = chunk(client).await;
        assert_eq!(who["name"], name);
        let here = heard(&bytes);
        samples.push(here.len() * 2880);
        all.extend(here);
        chunks.push(bytes);
    }
    // When all have come: who hears goes on hearing, and ffmpeg takes a while.
    let decoded = tokio::task::spawn_blocking(move || decode_each(&chunks)).await.unwrap();
    let decoded: Vec<_> = decoded.iter().map(Vec::len).collect();
    assert_eq!(decoded, samples, "each decodes on its own");
    all.truncate(packets);
    all
}

/// Polls once, and answers a ping; gives the packets of the chunks that came: each attachment follows its event.
async fn poll_chunks(polling: &Polling) -> Vec<Bytes> {
    let (status, body) = polling.poll().await;
    assert_eq!(status, 200, "{body}");
    let parts: Vec<&str> = body.split('\u{1e}').collect();
    let mut packets = Vec::new();
    for at in 0..parts.len() {
        if parts[at] == "2" {
            polling.say("3").await;
        }
        let Some(text) = parts[at].strip_prefix('b') else { continue };
        assert!(parts[at - 1].starts_with("451-[\"chunk\""), "{}", parts[at - 1]);
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
        packets.extend(heard(&Bytes::from(bytes)));
    }
    packets
}

/// Polls until chunks hold so many packets.
async fn poll_packets(polling: Polling, count: usize) -> Vec<Bytes> {
    let mut packets = Vec::new();
    while packets.len() < count {
        packets.extend(poll_chunks(&polling).await);
    }
    packets
}

#[tokio::test]
async fn everyone_hears_who_speaks_over_socket_io() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus");
    let sent = data(&capture.packets());
    let mut socket = client::join(&hub, "&room=all&name=Ben").await;
    let mut plain = Client::plain(&hub, "/rooms/all/ws?publish=false").await;
    let (mut v1, _) = Client::v1(&hub, "/rooms/all/ws?publish=false").await;
    let polling = Polling::join(&hub, "&room=all&name=Dan").await;
    // It polls meanwhile, or it would be behind.
    let by_polling = tokio::spawn(poll_packets(polling, sent.len()));
    let mut speaker = client::join(&hub, "&room=all&name=Ann").await;
    speak(&mut speaker, &capture).await;
    speaker.say("41").await;
    assert_eq!(hear(&mut socket, sent.len(), "Ann").await, sent);
    let mut by_plain = Vec::new();
    while by_plain.len() < sent.len() {
        by_plain.extend(heard(&plain.binary().await));
    }
    assert_eq!(by_plain[..sent.len()], sent);
    let mut by_v1 = Vec::new();
    while by_v1.len() < sent.len() {
        if let roomtone::wire::packets::Message::Packets { packets, .. } = v1.packets().await {
            by_v1.extend(packets);
        }
    }
    assert_eq!(by_v1, sent);
    let by_polling = by_polling.await.unwrap();
    assert_eq!(by_polling[..sent.len()], sent);
}

#[tokio::test]
async fn who_speaks_otherwise_is_heard_over_socket_io_under_its_name() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus");
    let sent = data(&capture.packets());
    let mut listener = client::join(&hub, "&room=in&name=Ben&publish=false").await;
    let mut speaker = Client::plain(&hub, "/rooms/in/ws?name=Ann").await;
    assert!(client::packet(&mut listener, "42[\"joined\"").await.contains("Ann"));
    for message in capture.messages() {
        speaker.send(message).await;
    }
    speaker.close().await;
    assert_eq!(hear(&mut listener, sent.len(), "Ann").await, sent);
    assert!(client::packet(&mut listener, "42[\"left\"").await.contains("Ann"));
}

#[tokio::test]
async fn who_asks_too_seldom_misses_what_is_oldest_and_hears_the_rest_up_to_the_live_edge() {
    let hub = Hub::start();
    let polling = Polling::join(&hub, "&room=seldom&name=Dan&publish=false").await;
    let mut listener = Client::plain(&hub, "/rooms/seldom/ws?publish=false").await;
    let mut speaker = Client::plain(&hub, "/rooms/seldom/ws?name=Ann").await;
    // 720 KB, of which 512 may wait.
    let sound = Bytes::from(webm(Duration::from_secs(12), 1200));
    let last = 12 * 50 - 1;
    let speaking = async {
        for begin in (0..sound.len()).step_by(16 * 1024) {
            speaker.send(sound.slice(begin..sound.len().min(begin + 16 * 1024))).await;
        }
    };
    let hearing = async {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&last) {
            numbers.extend(heard(&listener.binary().await).iter().map(|packet| number_of(packet)));
        }
        numbers
    };
    let ((), numbers) = tokio::join!(speaking, hearing);
    assert_eq!(numbers, (0..=last).collect::<Vec<_>>(), "who listens all the time");
    let mut numbers = Vec::new();
    while numbers.last() != Some(&last) {
        numbers.extend(poll_chunks(&polling).await.iter().map(|packet| number_of(packet)));
    }
    let first = numbers[0];
    assert!(first > 0, "everything waited");
    assert_eq!(numbers, (first..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_is_told_that_it_is_in_hears_whatever_comes_next() {
    let hub = Hub::start();
    // So many at once that the hub is not done with one who comes in by the time that the other speaks.
    let pairs = (0..100).map(|number| {
        let (hub, query) = (&hub, format!("&room=pair-{number}&name=Ann"));
        async move {
            let mut ann = client::join(hub, &query).await;
            let mut ben = client::join(hub, &query).await;
            ann.say(r#"42["chat","hello"]"#).await;
            client::packet(&mut ben, "42[\"chat\"").await
        }
    });
    // By long-polling one may ask before one is in.
    let polling = (0..100).map(|number| {
        let (hub, query) = (&hub, format!("&room=polling-{number}&name=Ann"));
        async move {
            let mut ann = client::join(hub, &query).await;
            let ben = Polling::open(hub, &query).await;
            let hears = async {
                let (_, connected) = ben.poll().await;
                assert!(connected.starts_with("40{"), "{connected}");
                ann.say(r#"42["chat","hello"]"#).await;
                ben.packet("42[\"chat\"").await
            };
            tokio::join!(ben.say("40"), hears).1
        }
    });
    let (by_socket, by_polling) =
        tokio::join!(futures_util::future::join_all(pairs), futures_util::future::join_all(polling));
    for said in by_socket.into_iter().chain(by_polling) {
        assert_eq!(arguments(&said)[1], "hello");
    }
}

#[tokio::test]
async fn chat_and_other_binary_reach_everyone_but_their_sender() {
    let hub = Hub::start();
    let mut ann = client::join(&hub, "&room=words&name=Ann").await;
    let mut ben = client::join(&hub, "&room=words&name=Ben").await;
    let mut plain = Client::plain(&hub, "/rooms/words/ws?name=Cid").await;
    let (mut v1, _) = Client::v1(&hub, "/rooms/words/ws?name=Dan").await;
    client::packet(&mut ann, "42[\"joined\"").await;
    ann.say(r#"42["chat","hello \"é\""]"#).await;
    let said = arguments(&client::packet(&mut ben, "42[\"chat\"").await);
    assert_eq!((&said[1], &said[2]["name"]), (&json!("hello \"é\""), &json!("Ann")));
    assert_eq!(plain.text().await, "hello \"é\"");
    let told = v1.notice_of("chat").await;
    assert_eq!((&told["text"], &told["participant"]["id"]), (&json!("hello \"é\""), &said[2]["participant"]));
    // Bytes that are no sound.
    let other = Bytes::from([vec![65], vec![7; 1023]].concat());
    ann.say(CHUNK).await;
    ann.send(other.clone()).await;
    assert_eq!(chunk(&mut ben).await.0, other);
    assert_eq!(plain.binary().await, other);
    plain.send(other.clone()).await;
    let (bytes, who) = chunk(&mut ann).await;
    assert_eq!((bytes, &who["name"]), (other, &json!("Cid")), "and its own it never got");
    plain.say("from plain").await;
    assert_eq!(arguments(&client::packet(&mut ann, "42[\"chat\"").await)[1], "from plain");
}

#[tokio::test]
async fn two_rooms_hear_nothing_of_each_other_and_without_a_name_it_is_the_lobby() {
    let hub = Hub::start();
    let mut one = client::join(&hub, "&room=one&name=Ann").await;
    let mut two = client::join(&hub, "&room=two&name=Ben").await;
    let mut lobby = client::join(&hub, "").await;
    let mut bare = Client::plain(&hub, "/").await;
    one.say(r#"421["chat","in one"]"#).await;
    client::packet(&mut one, "431").await;
    lobby.say(r#"42["chat","in the lobby"]"#).await;
    assert_eq!(bare.text().await, "in the lobby");
    two.say(r#"422["chat","in two"]"#).await;
    match two.next().await {
        Ok(Message::Text(text)) => assert_eq!(text, r#"432[{"ok":true}]"#, "nothing came before"),
        other => panic!("{other:?}"),
    }
    let rooms = hub.json("/api/v1/rooms").await;
    let names: Vec<_> = rooms["rooms"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["lobby", "one", "two"]);
}

#[tokio::test]
async fn a_stream_that_cannot_be_ends_its_own_session_with_the_reason() {
    let hub = Hub::start();
    let mut other = client::join(&hub, "&room=bad&name=Ben").await;
    let mut ann = client::join(&hub, "&room=bad&name=Ann").await;
    for bytes in [&b"\x1A\x45\xDF\xA3"[..], &[0xFF; 64]] {
        ann.say(CHUNK).await;
        ann.send(bytes.to_vec()).await;
    }
    let error = arguments(&client::packet(&mut ann, "42[\"error\"").await);
    assert_eq!(error[1]["code"], 1007, "{error}");
    assert_eq!(ann.text().await, "41");
    assert_eq!(ann.closed().await.unwrap().0, 1007);
    assert!(client::packet(&mut other, "42[\"left\"").await.contains("Ann"));
    let mut only = client::join(&hub, "&room=bad&publish=false").await;
    only.say(CHUNK).await;
    only.send(Capture::new("chromium-webm-opus").messages().remove(0)).await;
    assert_eq!(only.closed().await.unwrap().0, 1008, "who only listens");
}

#[tokio::test]
async fn raw_samples_are_declared_in_the_query() {
    let hub = Hub::start();
    let mut listener = Client::plain(&hub, "/rooms/raw/ws?publish=false&as=wav").await;
    let mut speaker = client::join(&hub, "&room=raw&format=f32le&rate=48000&channels=1").await;
    speaker.say(CHUNK).await;
    speaker.send(vec![0; 4 * 48_000]).await;
    assert_eq!(&listener.binary().await[..4], b"RIFF");
}
