//! Whoever joins late hears at once, and from then on nothing is lost or repeated.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use roomtone::media::opus;
use roomtone::media::time::Ticks;
use roomtone::wire::packets::Message;

use crate::helpers::capture::{assert_same, data, heard};
use crate::helpers::judge::{decode_bytes, probe};
use crate::helpers::{Capture, Client, Hub};

/// Publishes a capture while someone joins before every third message, and gives what each of them heard, up to the last
/// packet that was sent.
async fn talk<C, J, L>(capture: &Capture, hub: &Hub, join: impl Fn() -> J, listen: impl Fn(C) -> L) -> Vec<L::Output>
where
    J: Future<Output = C>,
    L: Future,
{
    let mut speaker = Client::plain(hub, "/rooms/talk/ws").await;
    let mut listeners = Vec::new();
    for (number, message) in capture.messages().into_iter().enumerate() {
        if number % 3 == 0 {
            listeners.push(join().await);
        }
        speaker.send(message).await;
        if number % 3 == 2 {
            // In step with the sound, so that the next to join is late: the hub takes it in no faster than it plays.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    speaker.close().await;
    join_all(listeners.into_iter().map(listen)).await
}

#[tokio::test]
async fn late_joiner_decodes_its_first_message() {
    let hub = Hub::start();
    let capture = Capture::new("firefox-webm-opus-ctx44100");
    let sent = data(&capture.packets());
    for path in ["/rooms/talk/ws?publish=false", "/rooms/talk/ws?preroll=0&publish=false"] {
        let listened = talk(
            &capture,
            &hub,
            || Client::plain(&hub, path),
            async |mut listener| {
                let mut all = Vec::new();
                let mut ended = false;
                let mut first = None;
                // The sound ends with its publisher, who leaves the room then: the last message comes before that is told.
                while !ended {
                    let message = listener.binary().await;
                    all.extend(heard(&message));
                    first.get_or_insert(message);
                    ended = all.ends_with(&sent[sent.len() - 1..]) || all.ends_with(&SILENCE);
                }
                (first.unwrap(), all)
            },
        )
        .await;
        let mut begins = Vec::new();
        for (first, mut all) in listened {
            let packets = heard(&first);
            let (codec, channels, _) = probe(&first);
            assert_eq!(codec, "opus");
            let ticks: u64 = packets.iter().map(|packet| opus::duration(packet).unwrap().get()).sum();
            assert_eq!(decode_bytes(&first).len() as u64, ticks * u64::from(channels), "nothing but what is heard");
            if all.ends_with(&SILENCE) {
                all.pop();
            }
            begins.push(sent.len() - all.len());
            assert_same(&sent[sent.len() - all.len()..], &all);
        }
        assert_eq!(begins[0], 0, "who was there from the start heard all of it");
        assert!(begins.is_sorted() && *begins.last().unwrap() > 0, "{begins:?}");
    }
}

/// What keeps a lone last packet company.
const SILENCE: [Bytes; 1] = [Bytes::from_static(opus::SILENCE_20_MS.0)];

#[tokio::test]
async fn late_joiner_of_v1_is_told_the_track_and_misses_no_packet_after_its_first() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus");
    let sent = data(&capture.packets());
    let count = sent.len() as u64;
    let listened = talk(
        &capture,
        &hub,
        || Client::v1(&hub, "/rooms/talk/ws?publish=false"),
        async |(mut listener, welcome)| {
            let mut all = Vec::new();
            let (mut begin, mut next, mut end) = (None, None, None);
            while next != Some(count) {
                let Message::Packets { track, first, time, packets, flags } = listener.packets().await else {
                    panic!("downwards there are only packets")
                };
                assert_eq!(track, 1);
                assert!(next.is_none_or(|next| next == first.get()), "{first:?} after {next:?}");
                assert!(end.is_none_or(|end| time == end) && !flags.discontinuity);
                begin.get_or_insert(usize::try_from(first.get()).unwrap());
                next = Some(first.after(packets.len() as u64).get());
                let end_of = |time: Ticks, packet| time.saturating_add(opus::duration(packet).unwrap());
                end = Some(packets.iter().fold(time, |time, packet| end_of(time, packet)));
                all.extend(packets);
            }
            (welcome, begin.unwrap(), all)
        },
    )
    .await;
    let begins: Vec<usize> = listened.iter().map(|(_, begin, _)| *begin).collect();
    assert_eq!(begins[0], 0);
    assert!(begins.is_sorted() && *begins.last().unwrap() > 0, "{begins:?}");
    for (_, begin, all) in &listened {
        assert_same(&sent[*begin..], all);
    }
    let (welcome, ..) = listened.last().unwrap();
    assert_eq!(welcome["tracks"][0]["format"]["codec"], "opus");
    assert!(welcome["session"]["elapsed"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn one_who_joins_between_two_sounds_hears_the_second() {
    let hub = Hub::start();
    let capture = Capture::new("chromium-webm-opus-100ms");
    for _ in 0..2 {
        let mut listener = Client::plain(&hub, "/rooms/talk/ws").await;
        let mut speaker = Client::plain(&hub, "/rooms/talk/ws").await;
        for message in capture.messages() {
            speaker.send(message).await;
        }
        assert_same(&heard(&listener.binary().await), &data(&capture.packets())[..4]);
        speaker.vanish();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
