//! Socket.IO 5: "Connection to a namespace", "Sending and receiving data", "Acknowledgement", "Disconnection".

use serde_json::json;

use super::client::{self, Polling, arguments};
use crate::helpers::Hub;

#[tokio::test]
async fn the_main_namespace_takes_everyone_in() {
    let hub = Hub::start();
    for connect in ["40", "40{}", "40{\"token\":\"123\"}", "40/,", "40/?a=b,"] {
        let mut socket = client::open(&hub, "").await;
        socket.say(connect).await;
        let answer = socket.text().await;
        let data = arguments(&answer.replace("40{", "40[{").replace('}', "}]"));
        assert!(!data[0]["sid"].as_str().unwrap().is_empty(), "{connect}: {answer}");
    }
}

#[tokio::test]
async fn there_is_no_other_namespace() {
    let hub = Hub::start();
    let mut socket = client::open(&hub, "").await;
    socket.say("40/random,").await;
    assert_eq!(socket.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
    socket.say("40/random?foo=bar,{}").await;
    assert_eq!(socket.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
    // What is said there is said to nobody, and the main one is still open.
    socket.say(r#"42/random,1["chat","hello"]"#).await;
    socket.say("40").await;
    assert!(socket.text().await.starts_with("40{"));
}

#[tokio::test]
async fn a_query_that_cannot_be_is_told_by_the_connection() {
    let hub = Hub::start();
    for (query, word) in
        [("&room=a%20b", "room's name"), ("&name=%0A", "participant's name"), ("&publish=maybe", "publish")]
    {
        let mut socket = client::open(&hub, query).await;
        socket.say("40").await;
        let answer = socket.text().await;
        assert!(answer.starts_with("44{\"message\":") && answer.contains(word), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_packet_ends_the_session_with_a_reason() {
    let hub = Hub::start();
    for bad in
        ["4abc", "4", "49", "42{}", "42abc[\"chat\",\"x\"]", "42[null]", "42[\"disconnect\"]", "45-[]", "43[]", "40[]"]
    {
        let mut socket = client::join(&hub, "").await;
        socket.say(bad).await;
        let error = client::packet(&mut socket, "42[\"error\"").await;
        assert_eq!(arguments(&error)[1]["code"], 1007, "{bad}: {error}");
        assert_eq!(socket.text().await, "41", "{bad}");
        assert_eq!(socket.closed().await.unwrap().0, 1007, "{bad}");
    }
    let mut socket = client::join(&hub, "").await;
    socket.send(vec![1, 2, 3]).await;
    assert_eq!(socket.closed().await.unwrap().0, 1007, "an attachment of nothing");
    // Before it is in, too; and over long-polling.
    let mut socket = client::open(&hub, "").await;
    socket.say("4abc").await;
    assert_eq!(socket.closed().await.unwrap().0, 1007);
    let polling = Polling::join(&hub, "").await;
    polling.say("4abc").await;
    let (_, last) = polling.poll().await;
    let packets: Vec<_> = last.split('\u{1e}').collect();
    assert!(packets[0].starts_with("42[\"error\",{\"code\":1007"), "{packets:?}");
    assert_eq!(packets[1..], ["41"]);
    assert_eq!(polling.poll().await, (200, "1".to_owned()), "not before the reason is read");
    assert_eq!(polling.poll().await.0, 400);
}

#[tokio::test]
async fn every_event_is_acknowledged_that_asks_for_it() {
    let hub = Hub::start();
    let mut socket = client::join(&hub, "&room=acks").await;
    socket.say(r#"42["chat","nobody asks"]"#).await;
    socket.say(r#"4212["chat","somebody does"]"#).await;
    assert_eq!(socket.text().await, r#"4312[{"ok":true}]"#);
    socket.say(r#"452-456["chunk",{"a":[{"_placeholder":true,"num":0}],"b":{"_placeholder":true,"num":1}}]"#).await;
    socket.send(vec![1, 2, 3]).await;
    socket.send(vec![4, 5, 6]).await;
    assert_eq!(socket.text().await, r#"43456[{"ok":true}]"#);
    for (event, word) in [
        (r#"4213["chat"]"#, "text"),
        (r#"4213["chat",1]"#, "text"),
        (r#"4213["chunk","no binary"]"#, "binary"),
        (r#"4213["play","nonsense"]"#, "ID"),
        (r#"4213["dance"]"#, "dance"),
        (r#"4213[1]"#, "\"1\""),
        (r#"4213["chat",{"_placeholder":true,"num":0}]"#, "text"),
    ] {
        socket.say(event).await;
        let answer = arguments(&socket.text().await);
        assert_eq!(answer[0]["ok"], json!(false), "{event}");
        assert!(answer[0]["error"].as_str().unwrap().contains(word), "{event}: {answer}");
    }
}

#[tokio::test]
async fn acknowledgements_that_nobody_asked_for_and_what_is_said_elsewhere_change_nothing() {
    let hub = Hub::start();
    let mut socket = client::join(&hub, "&room=calm").await;
    socket.say(r#"431["what"]"#).await;
    socket.say(r#"461-2[{"_placeholder":true,"num":0}]"#).await;
    socket.send(vec![1, 2, 3]).await;
    socket.say("41/random,").await;
    socket.say(r#"42/random,["chat","there"]"#).await;
    socket.say(r#"427["chat","still here"]"#).await;
    assert_eq!(socket.text().await, r#"437[{"ok":true}]"#);
}

#[tokio::test]
async fn who_has_left_the_namespace_is_asked_whether_it_is_there_as_before() {
    let hub = Hub::start_with(&["--socketio-ping-interval-ms", "200"]);
    let mut socket = client::join(&hub, "").await;
    socket.say("41").await;
    for _ in 0..2 {
        assert_eq!(socket.text().await, "2");
        socket.say("3").await;
    }
}

#[tokio::test]
async fn who_leaves_the_namespace_is_not_in_the_room_and_may_come_back() {
    let hub = Hub::start();
    let mut ann = client::join(&hub, "&room=leaving&name=Ann").await;
    let mut ben = client::join(&hub, "&room=leaving&name=Ben").await;
    assert!(client::packet(&mut ann, "42[\"joined\"").await.contains("Ben"));
    ben.say("41").await;
    assert!(client::packet(&mut ann, "42[\"left\"").await.contains("Ben"));
    ben.say(r#"42["chat","from nowhere"]"#).await;
    ben.say("40").await;
    assert!(client::packet(&mut ann, "42[\"joined\"").await.contains("Ben"));
    ben.say(r#"42["chat","from here"]"#).await;
    let said = arguments(&client::packet(&mut ann, "42[\"chat\"").await);
    assert_eq!((&said[1], &said[2]["name"]), (&json!("from here"), &json!("Ben")));
}
