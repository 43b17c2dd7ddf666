//! Engine.IO 4: "Upgrade".

use std::cell::Cell;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::Message;

use super::SOCKET;
use super::client::{self, Polling};
use crate::helpers::capture::heard;
use crate::helpers::made::{number_of, webm};
use crate::helpers::{Client, Hub};

/// Probes a WebSocket for a session of long-polling.
async fn probe(hub: &Hub, client: &Polling) -> Client {
    let mut socket = Client::plain(hub, &format!("{SOCKET}&sid={}", client.sid)).await;
    socket.say("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket
}

async fn upgrade(hub: &Hub, client: &Polling) -> Client {
    let mut socket = probe(hub, client).await;
    socket.say("5").await;
    socket
}

#[tokio::test]
async fn a_session_moves_to_a_socket_and_nothing_is_lost_on_the_way() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "&room=moves&name=Ann").await;
    let other = Polling::join(&hub, "&room=moves&name=Ben").await;
    assert!(client.packet("42[\"joined\"").await.contains("Ben"));
    let mut socket = probe(&hub, &client).await;
    // A poll that waits ends, and what is said from now on waits for the socket, since nobody polls.
    assert_eq!(client.poll().await, (200, "6".to_owned()));
    other.say(r#"42["chat","on the way"]"#).await;
    socket.say("5").await;
    assert!(client::packet(&mut socket, "42[\"chat\"").await.contains("on the way"));
    other.say(r#"42["chat","there"]"#).await;
    assert!(client::packet(&mut socket, "42[\"chat\"").await.contains("there"));
    socket.say(r#"42["chat","and back"]"#).await;
    assert!(other.packet("42[\"chat\"").await.contains("and back"));
    socket.close().await;
    assert!(other.packet("42[\"left\"").await.contains("Ann"));
}

#[tokio::test]
async fn a_poll_that_waits_is_ended_by_the_probe() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "").await;
    let (poll, _socket) = tokio::join!(client.poll(), probe(&hub, &client));
    assert_eq!(poll, (200, "6".to_owned()));
}

#[tokio::test]
async fn who_upgrades_does_not_wait_for_the_room_to_take_long_sound() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "&room=long&name=Ann").await;
    let mut listener = Client::plain(&hub, "/rooms/long/ws?publish=false").await;
    // The room takes five seconds at once, and the rest as it sounds.
    let last = 12 * 50 - 1;
    let sound = STANDARD.encode(webm(Duration::from_secs(12), 100));
    let chunk = format!("451-[\"chunk\",{{\"_placeholder\":true,\"num\":0}}]\u{1e}b{sound}");
    let (heard_so_far, mut numbers) = (Cell::new(0), Vec::new());
    let hearing = async {
        while numbers.last() != Some(&last) {
            let Ok(Message::Binary(message)) = listener.next().await else { continue };
            numbers.extend(heard(&message).iter().map(|packet| number_of(packet)));
            heard_so_far.set(numbers.len());
        }
    };
    let moving = async {
        let probing = async {
            // When it is under way.
            while heard_so_far.get() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            probe(&hub, &client).await
        };
        let ((), mut socket) = tokio::join!(client.say(chunk), probing);
        let then = heard_so_far.get();
        assert!(then < 11 * 50, "the request was answered when {then} packets of 600 were heard");
        socket.say("5").await;
        socket.say(r#"421["chat","behind it"]"#).await;
        assert_eq!(client::packet(&mut socket, "431").await, r#"431[{"ok":true}]"#);
    };
    tokio::join!(hearing, moving);
    assert_eq!(numbers, (0..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_is_refused_while_it_upgrades_is_told_over_the_socket_and_gone() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "&room=refused").await;
    let mut socket = probe(&hub, &client).await;
    client.say("4abc").await;
    socket.say("5").await;
    assert!(socket.text().await.starts_with("42[\"error\",{\"code\":1007"));
    assert_eq!(socket.text().await, "41");
    assert_eq!(socket.closed().await.unwrap().0, 1007);
    hub.until("/api/v1/rooms", |rooms| rooms["rooms"].as_array().unwrap().is_empty()).await;
}

#[tokio::test]
async fn after_the_upgrade_there_is_no_other_way() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "").await;
    let mut socket = upgrade(&hub, &client).await;
    socket.say(r#"421["chat","here"]"#).await;
    assert_eq!(client::packet(&mut socket, "431").await, r#"431[{"ok":true}]"#);
    assert_eq!(client.poll().await.0, 400);
    assert_eq!(client.post("40").await.0, 400);
    let mut second = Client::plain(&hub, &format!("{SOCKET}&sid={}", client.sid)).await;
    assert!(second.closed().await.is_some());
    socket.say(r#"422["chat","still"]"#).await;
    assert_eq!(client::packet(&mut socket, "432").await, r#"432[{"ok":true}]"#);
}

#[tokio::test]
async fn one_socket_is_tried_at_a_time() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "").await;
    let mut first = probe(&hub, &client).await;
    let mut second = Client::plain(&hub, &format!("{SOCKET}&sid={}", client.sid)).await;
    assert_eq!(second.closed().await.unwrap().0, 1008);
    first.say("5").await;
    first.say(r#"426["chat","by the first"]"#).await;
    assert_eq!(client::packet(&mut first, "436").await, r#"436[{"ok":true}]"#);
}

#[tokio::test]
async fn a_probe_that_fails_leaves_the_session_as_it_was() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "&room=stays").await;
    let mut socket = probe(&hub, &client).await;
    socket.say("4what").await;
    socket.closed().await;
    client.say(r#"423["chat","still polling"]"#).await;
    assert_eq!(client.packet("433").await, r#"433[{"ok":true}]"#);
    let vanishing = probe(&hub, &client).await;
    vanishing.vanish();
    client.say(r#"424["chat","still polling"]"#).await;
    assert_eq!(client.packet("434").await, r#"434[{"ok":true}]"#);
    let mut socket = upgrade(&hub, &client).await;
    socket.say(r#"425["chat","at last"]"#).await;
    assert_eq!(client::packet(&mut socket, "435").await, r#"435[{"ok":true}]"#);
}
