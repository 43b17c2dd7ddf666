//! Too much of everything: sound faster than time, clients that come and go, that never read, that never begin. Memory is
//! bounded, and nobody else notices.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use roomtone::container::webm::mux;
use socket2::SockRef;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::helpers::judge::ogg_packets;
use crate::helpers::made::{HEAD, webm};
use crate::helpers::raw::{BINARY, LAST, TEXT, frame};
use crate::helpers::{Capture, Client, Hub, Raw, Witness};

const MIB: u64 = 1024 * 1024;

/// Sends what TCP takes within some seconds; gives how many bytes that were.
async fn pour(hub: &Hub, path: &str, bytes: &[u8]) -> (Raw, usize) {
    let mut client = Raw::join(hub, path).await;
    let end = Instant::now() + Duration::from_secs(4);
    let mut sent = 0;
    for piece in bytes.chunks(64 * 1024) {
        if tokio::time::timeout_at(end, client.send(LAST | BINARY, piece)).await.is_err() {
            break;
        }
        sent += piece.len();
    }
    (client, sent)
}

#[tokio::test]
async fn an_hour_in_three_seconds_is_slowed_down_and_not_buffered() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let before = hub.memory();
    // At 128 kbit/s: 58 MB.
    let hour = webm(Duration::from_secs(3600), 320);
    let (_client, sent) = pour(&hub, "/rooms/talk/ws?name=Flood", &hour).await;
    // What the kernel's buffers hold on both sides, and what the hub had read.
    assert!(sent < hour.len() / 2, "{sent} of {} bytes", hour.len());
    let cost = hub.memory().saturating_sub(before);
    assert!(cost < 64 * MIB, "{cost} bytes");
    witness.noticed_nothing().await;
}

#[tokio::test]
async fn a_message_of_a_million_packets_costs_no_more_than_its_bytes() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    // A head, and blocks of 256 laced packets of one byte.
    let mut stream = mux::continuing(HEAD, &[]);
    stream.extend([0x1F, 0x43, 0xB6, 0x75, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xE7, 0x81, 0]);
    let block = [&[0xA3, 0x41, 0x05, 0x81, 0, 0, 0x84, 0xFF][..], &[0xF8; 256]].concat();
    while stream.len() + block.len() <= 1024 * 1024 {
        stream.extend(&block);
    }
    let before = hub.memory();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = Client::plain(&hub, "/rooms/talk/ws").await;
        client.send(stream.clone()).await;
        clients.push(client);
    }
    witness.noticed_nothing().await;
    let cost = hub.memory().saturating_sub(before);
    assert!(cost < 64 * MIB, "{cost} bytes");
}

#[tokio::test]
async fn text_and_binary_without_end_are_slowed_down_and_send_nobody_away() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let mut listener = Client::plain(&hub, "/rooms/talk/ws?publish=false").await;
    let before = hub.memory();
    let flood = async |first: u8, length: usize, count: usize| {
        let mut client = Raw::join(&hub, "/rooms/talk/ws").await;
        let message = frame(first, &vec![b'a'; length]);
        let flooding = async {
            for _ in 0..count {
                client.stream.write_all(&message).await.unwrap();
            }
        };
        // Nobody takes it all in so short a time.
        assert!(timeout(Duration::from_secs(3), flooding).await.is_err());
        client
    };
    let (mut nervous, _) = Client::v1(&hub, "/rooms/talk/ws?name=Nervous").await;
    nervous.publish_container(1).await;
    nervous.send_container(1, &webm(Duration::from_millis(40), 100)).await;
    for number in 0..5000 {
        let muted = number % 2 == 0;
        nervous.say(serde_json::json!({ "type": "mute", "track": 1, "muted": muted })).await;
    }
    let floods = async {
        tokio::join!(
            flood(LAST | TEXT, 1, 10_000_000),
            flood(LAST | TEXT, 16_000, 100_000),
            flood(LAST | BINARY, 0, 10_000_000),
            flood(LAST | BINARY, 1024 * 1024, 1000),
        )
    };
    let listening = async {
        loop {
            listener.next().await.expect("who listens is not sent away");
        }
    };
    tokio::select! {
        clients = floods => drop(clients),
        () = listening => {}
    }
    let cost = hub.memory().saturating_sub(before);
    assert!(cost < 64 * MIB, "{cost} bytes");
    witness.noticed_nothing().await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_bounded_and_sent_away() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let before = hub.memory();
    let mut deaf = Vec::new();
    for _ in 0..20 {
        deaf.push(Raw::join(&hub, "/rooms/talk/ws?publish=false").await);
    }
    let mut loud = Client::plain(&hub, "/rooms/talk/ws?name=Loud").await;
    let mut said = 0;
    // Text is never skipped, so it tells soonest.
    loop {
        loud.say("a".repeat(256 * 1024)).await;
        said += 1;
        let room = hub.json("/api/v1/rooms/talk").await;
        if room["listeners"] == 1 {
            break;
        }
        assert!(said < 100, "{room}");
    }
    let cost = hub.memory().saturating_sub(before);
    assert!(cost < 64 * MIB, "{cost} bytes");
    let (code, reason) = deaf[0].closed().await.unwrap_or((1008, "too slow".into()));
    assert!(code == 1008 && reason.contains("too slow"), "{code} {reason}");
    witness.noticed_nothing().await;
}

#[tokio::test]
async fn thousands_that_come_and_go_leave_nothing_behind() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let rounds = async |round: usize| {
        for number in 0..250 {
            let path =
                if number % 2 == 0 { "/rooms/talk/ws".to_owned() } else { format!("/rooms/r{round}-{number}/ws") };
            match number % 3 {
                0 => Client::plain(&hub, &path).await.close().await,
                1 => Client::v1(&hub, &path).await.0.vanish(),
                _ => drop(Raw::join(&hub, &path).await),
            }
        }
    };
    rounds(0).await;
    let before = hub.memory();
    tokio::join!(rounds(1), rounds(2), rounds(3), rounds(4), rounds(5), rounds(6), rounds(7), rounds(8));
    witness.noticed_nothing().await;
    hub.until("/api/v1/rooms", |list| list["rooms"] == serde_json::json!([])).await;
    let cost = hub.memory().saturating_sub(before);
    assert!(cost < 32 * MIB, "{cost} bytes");
}

#[tokio::test]
async fn handshakes_that_never_end_keep_nobody_out() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let before = hub.memory();
    let mut halves = Vec::new();
    for number in 0..500 {
        let mut stream = TcpStream::connect(&hub.address).await.unwrap();
        let half = "GET /rooms/talk/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
        stream.write_all(&half.as_bytes()[..number % half.len()]).await.unwrap();
        halves.push(stream);
    }
    // A head without end is refused, and not held.
    let mut endless = TcpStream::connect(&hub.address).await.unwrap();
    let _ = endless.write_all(b"GET / HTTP/1.1\r\n").await;
    for _ in 0..10_000 {
        if endless.write_all(&[b"X-A: ".as_slice(), &[b'a'; 1000], b"\r\n"].concat()).await.is_err() {
            break;
        }
    }
    let mut client = Client::plain(&hub, "/rooms/talk/ws").await;
    client.say("in").await;
    let cost = hub.memory().saturating_sub(before);
    assert!(cost < 32 * MIB, "{cost} bytes");
    witness.noticed_nothing().await;
}

/// How a connection ends, after everything was sent.
#[derive(Clone, Copy, Debug)]
enum End {
    /// A close frame, whose answer is awaited.
    Close,
    /// A close frame, and no waiting.
    CloseAndGo,
    /// The stream is ended without a close frame.
    Fin,
    /// The same, and only half: the client still reads.
    HalfFin,
    /// It breaks off, with RST.
    Rst,
}

#[tokio::test]
async fn what_was_sent_before_a_connection_ended_is_kept_to_the_last_packet() {
    let hub = Arc::new(Hub::start());
    // Eight seconds are three more than the hub takes at once: it is pacing when the end comes.
    let short: (Bytes, usize) = (Capture::new("chromium-webm-opus-100ms").whole().into(), 0);
    let long: (Bytes, usize) = (webm(Duration::from_secs(8), 100).into(), 1);
    let ends = [End::Close, End::CloseAndGo, End::Fin, End::HalfFin, End::Rst];
    let all =
        ends.into_iter().flat_map(|end| [(end, short.clone()), (end, long.clone())]).map(|(end, (stream, long))| {
            let hub = Arc::clone(&hub);
            async move {
                let room = format!("{end:?}-{long}");
                let mut client = Raw::join(&hub, &format!("/rooms/{room}/ws")).await;
                for message in stream.chunks(10_000) {
                    client.send(LAST | BINARY, message).await.unwrap();
                }
                let close = async |client: &mut Raw| client.send(LAST | 8, &1000_u16.to_be_bytes()).await.unwrap();
                match end {
                    End::Close => {
                        close(&mut client).await;
                        assert_eq!(client.closed().await.unwrap().0, 1000);
                    }
                    End::CloseAndGo => {
                        close(&mut client).await;
                        client.stream.shutdown().await.unwrap();
                        drop(client);
                    }
                    End::Fin => drop(client),
                    End::HalfFin => {
                        client.stream.shutdown().await.unwrap();
                        client.closed().await;
                    }
                    End::Rst => {
                        // Neither stream is more than the hub's system holds for a socket, so all of it is there by now.
                        SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
                        drop(client);
                    }
                }
                let recording = hub.ended(&room).await;
                let file = hub.bytes(recording["tracks"][0]["files"]["ogg"].as_str().unwrap()).await;
                let sent: Vec<_> =
                    crate::helpers::capture::demux(&stream).1.iter().map(|one| one.data.to_vec()).collect();
                let kept = ogg_packets(&file);
                assert!(kept == sent, "{room}: {} packets of {}", kept.len(), sent.len());
                assert_eq!(recording["tracks"][0]["gaps"], serde_json::json!([]), "{room}");
            }
        });
    futures_util::future::join_all(all).await;
}
