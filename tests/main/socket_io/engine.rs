//! Engine.IO 4: "Handshake", "Message", "Heartbeat", "Close".

use std::time::Duration;

use serde_json::json;

use super::client::{self, Polling, get};
use super::{POLLING, SOCKET};
use crate::helpers::{Client, Hub};

#[tokio::test]
async fn a_session_opens_over_either_transport() {
    let hub = Hub::start();
    let polling = Polling::open(&hub, "").await;
    let opened = |open: &serde_json::Value, upgrades| {
        assert_eq!(open["upgrades"], upgrades);
        assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&json!(25_000), &json!(20_000)));
        assert_eq!(open["maxPayload"], json!(1_000_000));
        assert!(!open["sid"].as_str().unwrap().is_empty());
    };
    opened(&polling.open, json!(["websocket"]));
    let mut socket = Client::plain(&hub, SOCKET).await;
    let open = socket.text().await;
    opened(&serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap(), json!([]));
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_with_the_protocols_number() {
    let hub = Hub::start();
    for (query, code) in [
        ("transport=polling", 5),
        ("transport=polling&EIO=abc", 5),
        ("transport=polling&EIO=3", 5),
        ("EIO=4", 0),
        ("EIO=4&transport=abc", 0),
        ("EIO=4&transport=websocket", 3),
        ("EIO=4&transport=polling&sid=abc", 1),
        ("EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA", 1),
    ] {
        let (status, body) = get(&hub, &format!("/socket.io/?{query}")).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{query}: {body}");
    }
    let http = reqwest::Client::new();
    for request in [http.post(hub.url(POLLING)), http.put(hub.url(POLLING)), http.delete(hub.url(POLLING))] {
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
    for query in ["EIO=abc&transport=websocket", "transport=websocket", "EIO=4&transport=abc", "EIO=4"] {
        assert!(Client::open(&hub, &format!("/socket.io/?{query}"), None).await.is_err(), "{query}");
    }
    let unknown = format!("{SOCKET}&sid=AAAAAAAAAAAAAAAA");
    assert!(Client::open(&hub, &unknown, None).await.is_err());
}

#[tokio::test]
async fn packets_come_and_go_in_payloads() {
    let hub = Hub::start();
    let client = Polling::open(&hub, "&room=payloads").await;
    client.say("40").await;
    let (status, body) = client.poll().await;
    assert_eq!(status, 200);
    assert!(body.starts_with("40{"), "{body}");
    // Two events, one of them with binary, in one payload; both are acknowledged in one.
    let binary = r#"451-1["chunk",{"_placeholder":true,"num":0}]"#;
    client.say(format!("420[\"chat\",\"a\"]\u{1e}{binary}\u{1e}bAQIDBA==")).await;
    let (_, body) = client.poll().await;
    assert_eq!(body, "430[{\"ok\":true}]\u{1e}431[{\"ok\":true}]");
}

#[tokio::test]
async fn what_is_no_payload_ends_the_session() {
    let hub = Hub::start();
    for bad in ["abc", "", "4\u{1e}", "b~", "4a\u{1e}x"] {
        let client = Polling::open(&hub, "").await;
        assert_eq!(client.post(bad).await.0, 400, "{bad:?}");
        assert_eq!(client.poll().await.0, 400, "{bad:?}");
    }
    let client = Polling::open(&hub, "").await;
    assert_eq!(client.post(vec![b'4', 0xFF, 0xFE]).await.0, 400);
    let mut socket = client::open(&hub, "").await;
    socket.say("abc").await;
    assert_eq!(socket.closed().await.unwrap().0, 1007);
}

#[tokio::test]
async fn one_poll_at_a_time() {
    let hub = Hub::start();
    let client = Polling::open(&hub, "").await;
    let (first, second) = tokio::join!(client.poll(), client.poll());
    let (ended, refused) = if first.0 == 200 { (first, second) } else { (second, first) };
    assert_eq!(ended, (200, "1".to_owned()), "the session is closed");
    assert_eq!(refused.0, 400);
    assert_eq!(client.poll().await.0, 400);
}

#[tokio::test]
async fn who_gives_up_a_poll_has_given_up_the_session() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "&room=given-up").await;
    assert_eq!(hub.json("/api/v1/rooms").await["rooms"].as_array().unwrap().len(), 1);
    client.poll_and_go().await;
    // Not by another poll, which would end it too; and long before a ping is missed.
    hub.until("/api/v1/rooms", |rooms| rooms["rooms"].as_array().unwrap().is_empty()).await;
    assert_eq!(client.poll().await.0, 400);
}

#[tokio::test]
async fn a_client_that_answers_its_pings_stays() {
    let hub = Hub::start_with(&["--socketio-ping-interval-ms", "200"]);
    let polling = Polling::join(&hub, "").await;
    let mut socket = client::join(&hub, "").await;
    for _ in 0..3 {
        assert_eq!(polling.packet("2").await, "2");
        polling.say("3").await;
        while socket.text().await != "2" {}
        socket.say("3").await;
    }
    socket.say(r#"427["chat","still here"]"#).await;
    assert_eq!(client::packet(&mut socket, "437").await, r#"437[{"ok":true}]"#);
}

#[tokio::test]
async fn one_that_does_not_answer_is_gone() {
    let hub = Hub::start_with(&["--socketio-ping-interval-ms", "200", "--socketio-ping-timeout-ms", "200"]);
    // Nobody polls this one, so that it never hears of the ping.
    let polling = Polling::join(&hub, "&room=silent").await;
    let mut socket = client::join(&hub, "&room=gone").await;
    let (code, reason) = socket.closed().await.unwrap();
    assert_eq!((code, reason.as_str()), (1008, "no answer to a ping"));
    hub.until("/api/v1/rooms", |rooms| rooms["rooms"].as_array().unwrap().is_empty()).await;
    assert_eq!(polling.poll().await.0, 400);
}

#[tokio::test]
async fn a_client_closes_its_session() {
    let hub = Hub::start();
    let client = Polling::open(&hub, "").await;
    let close = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.post("1").await
    };
    let (poll, _) = tokio::join!(client.poll(), close);
    assert_eq!(poll, (200, "6".to_owned()), "the poll that waits says nothing");
    assert_eq!(client.poll().await.0, 400);
    let mut socket = client::open(&hub, "").await;
    socket.say("1").await;
    assert_eq!(socket.closed().await.unwrap().0, 1000);
}

#[tokio::test]
async fn who_never_comes_in_does_not_stay() {
    let hub = Hub::start_with(&["--socketio-ping-interval-ms", "300", "--socketio-ping-timeout-ms", "300"]);
    let never = client::open(&hub, "").await;
    let mut not_any_more = client::join(&hub, "").await;
    not_any_more.say("41").await;
    for mut socket in [never, not_any_more] {
        loop {
            match socket.next().await {
                // It may be closed already.
                Ok(message) if message.to_text().is_ok_and(|text| text == "2") => drop(socket.try_say("3").await),
                Ok(_) => {}
                Err(closed) => break assert_eq!(closed.unwrap().0, 1008),
            }
        }
    }
}

#[tokio::test]
async fn who_never_comes_back_after_its_handshake_holds_no_place_for_long() {
    // No ping would be missed for twenty minutes.
    let slow = ["--socketio-ping-interval-ms", "600000", "--socketio-ping-timeout-ms", "600000"];
    let hub = Hub::start_with(&[&slow[..], &["--max-connections", "1"]].concat());
    let _silent = Polling::open(&hub, "").await;
    assert_eq!(get(&hub, POLLING).await.0, 503);
    let again = async { while get(&hub, POLLING).await.0 != 200 {} };
    tokio::time::timeout(crate::helpers::hub::PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn what_comes_by_requests_is_nothing_to_a_session_over_a_socket() {
    let hub = Hub::start();
    let mut socket = Client::plain(&hub, SOCKET).await;
    let open: serde_json::Value = serde_json::from_str(&socket.text().await[1..]).unwrap();
    let address = hub.url(&format!("{POLLING}&sid={}", open["sid"].as_str().unwrap()));
    socket.say("40").await;
    assert!(socket.text().await.starts_with("40{"));
    for body in ["no payload".to_owned(), "x".repeat(4 * 1024 * 1024), "40".to_owned()] {
        let answer = reqwest::Client::new().post(&address).body(body).send().await.unwrap();
        assert!([200, 400].contains(&answer.status().as_u16()));
    }
    for _ in 0..2 {
        assert_eq!(reqwest::get(&address).await.unwrap().status(), 400);
    }
    socket.say(r#"427["chat","still here"]"#).await;
    assert_eq!(client::packet(&mut socket, "437").await, r#"437[{"ok":true}]"#);
}

#[tokio::test]
async fn the_hub_stops_and_says_so() {
    let hub = Hub::start();
    let polling = Polling::join(&hub, "").await;
    let mut socket = client::join(&hub, "").await;
    // The poll waits already: nobody is let in any more.
    let stop = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        hub.signal("TERM");
        socket.closed().await
    };
    let (poll, closed) = tokio::join!(polling.packet("1"), stop);
    assert_eq!((poll.as_str(), closed.unwrap().0), ("1", 1001));
    let (status, _) = hub.stop_is_awaited();
    assert!(status.success());
}
