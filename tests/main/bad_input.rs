//! Messages, names and requests that are none: each gets its clear error, and nobody else notices.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::helpers::raw::{BINARY, CONTINUATION, LAST, TEXT};
use crate::helpers::{Capture, Client, Hub, Raw, Witness};

const MIB: usize = 1024 * 1024;

/// A message of `roomtone.v1` with this header and this behind it.
fn binary(kind: u8, track: u16, first: u64, time: u64, rest: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &track.to_be_bytes(), &first.to_be_bytes(), &time.to_be_bytes(), rest].concat()
}

fn publish_packets(track: u16) -> Value {
    json!({ "type": "publish", "track": track, "source": "packets", "format": { "codec": "opus", "channels": 1 } })
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_header() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let too_long = vec![b'a'; MIB + 1];
    for kind in [TEXT, BINARY] {
        let mut whole = Raw::join(&hub, "/rooms/talk/ws").await;
        // The hub need not wait for what it will not take.
        let _ = whole.send(LAST | kind, &too_long).await;
        let (code, reason) = whole.closed().await.unwrap();
        assert!(code == 1009 && reason.contains("1048576"), "{code} {reason}");

        let mut parts = Raw::join(&hub, "/rooms/talk/ws").await;
        parts.send(kind, &too_long[..MIB / 2]).await.unwrap();
        parts.send(CONTINUATION, &too_long[..MIB / 2]).await.unwrap();
        let _ = parts.send(LAST | CONTINUATION, b"a").await;
        assert_eq!(parts.closed().await.unwrap().0, 1009);
    }
    witness.noticed_nothing().await;
}

#[tokio::test]
async fn a_message_at_the_limit_reaches_the_others() {
    let hub = Hub::start();
    let mut ann = Client::plain(&hub, "/rooms/talk/ws").await;
    let mut ben = Client::plain(&hub, "/rooms/talk/ws").await;
    ann.send(vec![b'a'; MIB]).await;
    assert_eq!(ben.binary().await.len(), MIB);
    ann.say("a".repeat(MIB)).await;
    assert_eq!(ben.text().await.len(), MIB);
    ben.say("goes on").await;
    assert_eq!(ann.text().await, "goes on");
}

#[tokio::test]
async fn what_is_no_message_of_the_protocol_is_told_and_then_closed() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    for bad in ["hello", "", "[]", "{}", "{\"type\":7}", "{\"type\":\"publish\",\"track\":1", &"[".repeat(100_000)] {
        let (mut client, _) = Client::v1(&hub, "/rooms/talk/ws").await;
        client.say(bad).await;
        let error = client.notice_of("error").await;
        assert_eq!(error["code"], "broken_json", "{bad:.20}");
        let (code, reason) = client.closed().await.unwrap();
        assert_eq!(code, 1007);
        assert!(error["message"].as_str().unwrap().starts_with(&reason), "{reason} {error}");
    }
    let silence: &[u8] = &[0, 3, 0xF8, 0xFF, 0xFE];
    let cases: [(Vec<u8>, u16, &str); 14] = [
        (vec![], 1007, "broken_message"),
        (vec![1; 19], 1007, "broken_message"),
        (binary(0, 1, 0, 0, silence), 1007, "broken_message"),
        (binary(3, 1, 0, 0, silence), 1007, "broken_message"),
        (binary(1, 1, 0, 0, &[]), 1007, "broken_message"),
        (binary(1, 1, 0, 0, &[0]), 1007, "broken_message"),
        (binary(1, 1, 0, 0, &[0xFF, 0xFF, 0]), 1007, "broken_message"),
        (binary(1, 1, 0, 0, &[silence, &[0, 9, 1]].concat()), 1007, "broken_message"),
        (binary(1, 1, 0, 0, &[0, 0]), 1007, "broken_packet"),
        (binary(1, 1, 0, 0, &[0, 2, 0xFB, 0x00]), 1007, "broken_packet"),
        (binary(1, 1, 0, 0, &[silence, &[0, 2, 0xFB, 0xFF]].concat()), 1007, "broken_packet"),
        (binary(2, 1, 0, 0, b"container"), 1008, "not_allowed"),
        (binary(1, 2, 0, 0, silence), 1008, "not_allowed"),
        (binary(2, 2, 0, 0, b"container"), 1008, "not_allowed"),
    ];
    for (message, code, word) in cases {
        let (mut client, _) = Client::v1(&hub, "/rooms/talk/ws").await;
        client.say(publish_packets(1)).await;
        client.send(message.clone()).await;
        let error = client.notice_of("error").await;
        assert_eq!(error["code"], word, "{message:?}: {error}");
        let (closed, reason) = client.closed().await.unwrap();
        assert!(closed == code && !reason.is_empty(), "{message:?}: {closed} {reason}");
    }
    witness.noticed_nothing().await;
}

#[tokio::test]
async fn who_only_listens_and_who_wants_too_much_is_told_the_rule() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let (mut listener, _) = Client::v1(&hub, "/rooms/talk/ws?publish=false").await;
    listener.publish_container(1).await;
    assert_eq!(listener.notice_of("error").await["code"], "not_allowed");
    let (code, reason) = listener.closed().await.unwrap();
    assert!(code == 1008 && reason.contains("publish=false"), "{code} {reason}");

    let mut plain = Client::plain(&hub, "/rooms/talk/ws?publish=false").await;
    plain.send(Capture::new("chromium-webm-opus-100ms").whole()).await;
    let (code, reason) = plain.closed().await.unwrap();
    assert!(code == 1008 && reason.contains("publish=false"), "{code} {reason}");

    let (mut greedy, _) = Client::v1(&hub, "/rooms/talk/ws").await;
    for track in 1..=17 {
        greedy.publish_container(track).await;
    }
    assert_eq!(greedy.notice_of("error").await["code"], "not_allowed");
    let (code, reason) = greedy.closed().await.unwrap();
    assert!(code == 1008 && reason.contains("16"), "{code} {reason}");

    let (mut twice, _) = Client::v1(&hub, "/rooms/talk/ws").await;
    twice.publish_container(5).await;
    twice.say(publish_packets(5)).await;
    assert_eq!(twice.closed().await.unwrap().0, 1008);
    witness.noticed_nothing().await;
}

#[tokio::test]
async fn numbers_and_times_at_their_ends_harm_nobody() {
    let hub = Arc::new(Hub::start());
    let witness = Witness::begin(&hub, "talk").await;
    let silence: &[u8] = &[0, 3, 0xF8, 0xFF, 0xFE];
    for room in ["talk", "other"] {
        let (mut client, _) = Client::v1(&hub, &format!("/rooms/{room}/ws")).await;
        client.say(publish_packets(65_535)).await;
        let wild = [(0, 0), (u64::MAX - 1, u64::MAX), (u64::MAX, 0), (0, u64::MAX / 2), (1 << 63, 1)];
        for (first, time) in wild {
            client.send(binary(1, 65_535, first, time, &silence.repeat(3))).await;
        }
        client.say(json!({ "type": "ping", "time": u64::MAX })).await;
        assert_eq!(client.notice_of("pong").await["time"], u64::MAX);
        client.close().await;
    }
    assert_eq!(hub.ended("other").await["end_reason"], "finished");
    witness.noticed_nothing().await;
}

/// A problem's status and code, and the whole of it.
async fn problem(response: reqwest::Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert!(!body["detail"].as_str().unwrap().is_empty(), "{body}");
    (status, body["code"].as_str().unwrap().to_owned(), body)
}

#[tokio::test]
async fn an_address_that_is_none_is_a_problem_before_the_upgrade() {
    let hub = Hub::start();
    let long = "a".repeat(65);
    let cases = [
        (format!("/rooms/{long}/ws"), 400, "invalid_name"),
        ("/rooms/-a/ws".into(), 400, "invalid_name"),
        ("/rooms/a.b/ws".into(), 400, "invalid_name"),
        ("/rooms/a%20b/ws".into(), 400, "invalid_name"),
        ("/rooms/..%2F..%2Fetc/ws".into(), 400, "invalid_name"),
        ("/rooms/%00/ws".into(), 400, "invalid_name"),
        (format!("/rooms/a/ws?name={long}"), 400, "invalid_name"),
        ("/rooms/a/ws?name=%07".into(), 400, "invalid_name"),
        ("/rooms/a/ws?name=%FF".into(), 400, "invalid_query"),
        ("/rooms/a/ws?name=a&name=b".into(), 400, "invalid_query"),
        ("/rooms/a/ws?publish=perhaps".into(), 400, "invalid_query"),
        ("/rooms/a/ws?format=f64le".into(), 400, "invalid_query"),
        ("/rooms/a/ws?format=f32le&rate=0".into(), 400, "invalid_query"),
        ("/rooms/a/ws?format=f32le&rate=1e9".into(), 400, "invalid_query"),
        ("/rooms/a/ws?format=s16le&channels=9".into(), 400, "invalid_query"),
        ("/rooms/a/ws?rate=44100".into(), 400, "invalid_query"),
        ("/rooms/a/ws?pcm=perhaps".into(), 400, "invalid_query"),
        ("/rooms/a/ws?as=mp3".into(), 400, "invalid_query"),
        ("/rooms/a/ws?as=wav&mix=no".into(), 400, "not_supported"),
        ("/?as=wav&mix=no".into(), 400, "not_supported"),
        ("/rooms/a/ws?as=gif".into(), 400, "invalid_query"),
        ("/rooms/a/ws?from=start".into(), 400, "not_supported"),
        ("/rooms//ws".into(), 404, "not_found"),
        ("/rooms/a/b/ws".into(), 404, "not_found"),
    ];
    let client = reqwest::Client::new();
    for (path, status, code) in cases {
        let request = client.get(hub.url(&path)).header("connection", "upgrade").header("upgrade", "websocket");
        let request = request.header("sec-websocket-version", "13");
        let response = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").send().await.unwrap();
        let (told, word, body) = problem(response).await;
        assert_eq!((told, word.as_str()), (status, code), "{path}: {body}");
    }
    let listed = hub.json("/api/v1/rooms").await;
    assert_eq!(listed["rooms"], json!([]), "nobody came in");
}

#[tokio::test]
async fn a_recording_that_is_none_and_a_range_behind_the_end_are_problems() {
    let hub = Hub::start();
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws").await;
    speaker.send(Capture::new("chromium-webm-opus-100ms").whole()).await;
    speaker.close().await;
    let recording = hub.ended("talk").await;
    let file = recording["tracks"][0]["files"]["ogg"].as_str().unwrap();
    let length = hub.bytes(file).await.len();
    let client = reqwest::Client::new();
    for range in [format!("bytes={length}-"), format!("bytes={}-", u64::MAX), "bytes=-0".to_owned()] {
        let response = client.get(hub.url(file)).header("range", &range).send().await.unwrap();
        assert_eq!(response.headers()["content-range"], format!("bytes */{length}"), "{range}");
        let (status, code, _) = problem(response).await;
        assert_eq!((status, code.as_str()), (416, "range_not_satisfiable"), "{range}");
    }
    let id = recording["id"].as_str().unwrap();
    for (path, status, code) in [
        ("/api/v1/recordings/1".to_owned(), 400, "invalid_id"),
        ("/api/v1/recordings/..%2F..%2Findex.sqlite3".to_owned(), 400, "invalid_id"),
        ("/api/v1/recordings/0192f3a1-0000-7000-8000-000000000000".to_owned(), 404, "recording_not_found"),
        ("/api/v1/recordings/1/tracks/1.ogg".to_owned(), 400, "invalid_id"),
        (format!("/api/v1/recordings/{id}/tracks/2.ogg"), 404, "recording_not_found"),
        (format!("/api/v1/recordings/{id}/tracks/0.ogg"), 404, "recording_not_found"),
        (format!("/api/v1/recordings/{id}/tracks/65536.ogg"), 404, "recording_not_found"),
        (format!("/api/v1/recordings/{id}/tracks/-1.ogg"), 404, "recording_not_found"),
        ("/api/v1/recordings?limit=0".to_owned(), 400, "invalid_query"),
        ("/api/v1/recordings?limit=99999999999".to_owned(), 400, "invalid_query"),
        ("/api/v1/recordings?cursor=nonsense".to_owned(), 400, "invalid_query"),
        ("/api/v1/recordings?room=..%2F..".to_owned(), 400, "invalid_name"),
        ("/api/v1/recordings?from=yesterday".to_owned(), 400, "invalid_query"),
        ("/api/v1/rooms/a.b".to_owned(), 400, "invalid_name"),
    ] {
        let (told, word, body) = problem(hub.get(&path).await).await;
        assert_eq!((told, word.as_str()), (status, code), "{path}: {body}");
    }
}
