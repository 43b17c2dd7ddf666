//! The plain protocol, through the running hub.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;

use crate::helpers::capture::{assert_same, data, demux, heard};
use crate::helpers::judge::{DECODED, decode_bytes, probe, run_on};
use crate::helpers::{Capture, Client, Hub};

/// Publishes a capture and gives what a listener gets of it until its publisher is gone.
async fn listen_to(capture: &str, path: &str) -> (Capture, Vec<Bytes>) {
    let hub = Hub::start();
    let capture = Capture::new(capture);
    let mut listener = Client::plain(&hub, path).await;
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    for message in capture.messages() {
        speaker.send(message).await;
    }
    speaker.say("that was all").await;
    speaker.close().await;
    let mut messages = Vec::new();
    let mut said = false;
    let packets = capture.packets().len();
    let mut count = 0;
    while !said || count < packets {
        match listener.next().await.unwrap() {
            tokio_tungstenite::tungstenite::Message::Binary(message) => {
                count += heard(&message).len();
                messages.push(message);
            }
            _ => said = true,
        }
    }
    (capture, messages)
}

#[tokio::test]
async fn every_message_decodes_on_its_own_and_together_they_are_the_sound() {
    let (capture, messages) = listen_to("chromium-webm-opus", "/rooms/talk/ws").await;
    let sent = data(&capture.packets());
    // A last lone packet has silence for company.
    let mut all: Vec<Bytes> = messages.iter().flat_map(|message| heard(message)).collect();
    all.truncate(sent.len());
    assert_same(&all, &sent);
    for message in &messages {
        let (codec, channels, duration) = probe(message);
        assert_eq!(codec, "opus");
        let played = decode_bytes(message).len();
        let channels = usize::try_from(channels).unwrap();
        let packets = heard(message).len();
        assert_eq!(played, packets * 2880 * channels, "of {packets} packets");
        assert!((duration - 0.06 * packets as f64).abs() < 0.002, "{duration} s for {packets} packets");
    }
}

#[tokio::test]
async fn messages_without_pre_roll_decode_whole_when_they_are_joined() {
    let names = ["chromium-webm-opus", "firefox-webm-opus"];
    let heard = names.map(|name| listen_to(name, "/rooms/talk/ws?preroll=0"));
    for (name, (capture, messages)) in names.into_iter().zip(join_all(heard).await) {
        let joined = messages.concat();
        let (samples, said) = run_on("ffmpeg", &[&["-v", "warning", "-i", "-"], &DECODED[..]].concat(), &joined);
        // ffmpeg notes the Segments that follow the first, and reads on.
        let known = "Found unknown-length element with ID 0x18538067";
        assert!(said.lines().all(|line| line.contains(known)), "{said}");
        let channels = usize::try_from(probe(&messages[0]).1).unwrap();
        let ticks: u64 = capture.packets().iter().map(|packet| packet.duration.get()).sum();
        let decoded = samples.len() / 2 / channels;
        let missing = ticks.abs_diff(decoded as u64);
        assert!(missing <= 960, "{name}: {decoded} samples of {ticks}");
        for message in &messages {
            probe(message);
            assert_eq!(demux(message).0, 0, "no pre-skip");
            assert!(demux(message).1.len() >= 2, "a message of one packet fails in browsers");
        }
    }
}

#[tokio::test]
async fn text_and_other_binary_are_relayed_verbatim_and_never_to_their_sender() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/talk/ws").await;
    let mut ben = Client::plain(&hub, "/rooms/talk/ws?preroll=0").await;
    let mut elsewhere = Client::plain(&hub, "/rooms/other/ws").await;
    let mut message = vec![0; 1024];
    message[0] = 65;
    ann.send(message.clone()).await;
    ann.say("hello").await;
    assert_eq!(ben.binary().await, message);
    assert_eq!(ben.text().await, "hello");
    ben.say("to you").await;
    assert_eq!(ann.text().await, "to you", "and nothing of one's own before it");
    // A lone byte may begin a stream: it is held, and relayed when nothing follows.
    ann.send(vec![0x1A]).await;
    assert_eq!(ben.binary().await, vec![0x1A]);
    let mut other = Client::plain(&hub, "/rooms/other/ws").await;
    other.say("here").await;
    assert_eq!(elsewhere.text().await, "here", "and nothing from another room before it");
}

#[tokio::test]
async fn a_client_that_knows_only_a_host_name_is_in_the_lobby() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/").await;
    let mut ben = Client::plain(&hub, "/rooms/lobby/ws").await;
    ann.say("hello").await;
    assert_eq!(ben.text().await, "hello");
}

#[tokio::test]
async fn two_speakers_each_hear_the_other_and_not_themselves() {
    let hub = Hub::start();
    let (one, other) = (Capture::new("chromium-webm-opus-100ms"), Capture::new("firefox-webm-opus-ctx44100"));
    let mut ann = Client::plain(&hub, "/rooms/talk/ws?mix=no&name=Ann").await;
    let mut ben = Client::plain(&hub, "/rooms/talk/ws?name=Ben").await;
    let mut third = Client::plain(&hub, "/rooms/talk/ws?mix=no&publish=false").await;
    // Both send without a pause: they are held to real time by the hub, and read meanwhile.
    let (sent_one, sent_other) = (one.messages(), other.messages());
    let longest = sent_one.len().max(sent_other.len());
    for index in 0..longest {
        if let Some(message) = sent_one.get(index) {
            ann.send(message.clone()).await;
        }
        if let Some(message) = sent_other.get(index) {
            ben.send(message.clone()).await;
        }
    }
    let (packets_one, packets_other) = (data(&one.packets()), data(&other.packets()));
    // A last lone packet waits for another, or for the track's end.
    let but_one = |packets: &[Bytes]| packets[..packets.len() - 1].to_vec();
    assert_same(&hear(&mut ann, packets_other.len() - 1).await, &but_one(&packets_other));
    assert_same(&hear(&mut ben, packets_one.len() - 1).await, &but_one(&packets_one));
    ann.close().await;
    ben.close().await;
    let both = hear(&mut third, packets_one.len() + packets_other.len()).await;
    let of = |packets: &[Bytes]| both.iter().filter(|packet| packets.contains(packet)).count();
    assert_eq!(of(&packets_one), packets_one.len());
    assert_eq!(of(&packets_other), packets_other.len());
}

#[tokio::test]
async fn what_is_sent_at_once_is_heard_no_more_than_two_seconds_ahead_of_real_time() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus");
    let mut listener = Client::plain(&hub, "/rooms/talk/ws?publish=false").await;
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws").await;
    let begin = Instant::now();
    for message in capture.messages() {
        speaker.send(message).await;
    }
    // A track begins up to three seconds before its first message, and each message of it holds four packets of 60 ms.
    let most = |elapsed: Duration| elapsed + Duration::from_secs(3 + 2);
    let mut sound = Duration::ZERO;
    while sound < Duration::from_secs(8) {
        sound += Duration::from_millis(60) * u32::try_from(heard(&listener.binary().await).len()).unwrap();
        assert!(sound <= most(begin.elapsed()), "{sound:?} after {:?}", begin.elapsed());
    }
}

/// Hears so many packets. What comes behind them in the last message is the silence that keeps a lone packet company.
async fn hear(client: &mut Client, packets: usize) -> Vec<Bytes> {
    let mut all = Vec::new();
    while all.len() < packets {
        all.extend(heard(&client.binary().await));
    }
    all.truncate(packets);
    all
}
