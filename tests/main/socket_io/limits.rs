//! What a client may not, and what pages of other origins may.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{self, Polling, arguments};
use super::{POLLING, SOCKET};
use crate::helpers::hub::PATIENCE;
use crate::helpers::{Client, Hub};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_with_a_reason() {
    let hub = Hub::start();
    let mut socket = client::join(&hub, "").await;
    socket.say(r#"451-["chunk",{"_placeholder":true,"num":0}]"#).await;
    // It is refused by its header, so that its end may find the connection closed.
    let _ = socket.try_send(vec![65; MIB + 1]).await;
    let error = arguments(&client::packet(&mut socket, "42[\"error\"").await);
    assert_eq!(error[1]["code"], 1009);
    assert_eq!(socket.text().await, "41");
    assert_eq!(socket.closed().await.unwrap().0, 1009);

    let polling = Polling::join(&hub, "").await;
    for body in [format!("4{}", "x".repeat(MIB + 1)), "x".repeat(3 * MIB)] {
        let polling = Polling::join(&hub, "").await;
        polling.say(body).await;
        let (_, last) = polling.poll().await;
        assert!(last.starts_with("42[\"error\",{\"code\":1009"), "{last}");
        assert!(last.ends_with("\u{1e}41"), "{last}");
        assert_eq!(polling.poll().await, (200, "1".to_owned()), "not before the reason is read");
        assert_eq!(polling.poll().await.0, 400);
    }
    // One at the limit is not, though it is longer in base64.
    let bytes = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![65; MIB]);
    polling.say(format!("451-5[\"chunk\",{{\"_placeholder\":true,\"num\":0}}]\u{1e}b{bytes}")).await;
    assert_eq!(polling.packet("435").await, r#"435[{"ok":true}]"#);
}

#[tokio::test]
async fn packets_of_a_request_are_counted_and_too_many_are_told() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "").await;
    client.say(vec!["3"; 4096].join("\u{1e}")).await;
    client.say(vec!["3"; 4097].join("\u{1e}")).await;
    let (_, last) = client.poll().await;
    assert!(last.starts_with("42[\"error\",{\"code\":1009") && last.contains("4096"), "{last}");
    assert!(last.ends_with("\u{1e}41"), "{last}");
    assert_eq!(client.poll().await, (200, "1".to_owned()));
}

#[tokio::test]
async fn attachments_of_an_event_are_bounded_together() {
    let hub = Hub::start();
    let mut heavy = client::join(&hub, "").await;
    heavy.say(r#"452-["chunk",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    heavy.send(vec![65; MIB - 10]).await;
    heavy.send(vec![65; 20]).await;
    let mut many = client::join(&hub, "").await;
    many.say(r#"45257-["chunk",{"_placeholder":true,"num":0}]"#).await;
    for mut socket in [heavy, many] {
        let error = arguments(&client::packet(&mut socket, "42[\"error\"").await);
        assert_eq!(error[1]["code"], 1009);
        assert_eq!(socket.text().await, "41");
        assert_eq!(socket.closed().await.unwrap().0, 1009);
    }
}

#[tokio::test]
async fn a_request_that_is_not_even_read_ends_the_session_with_a_reason() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "").await;
    let address = hub.url(&format!("{POLLING}&sid={}", client.sid));
    let post = async { reqwest::Client::new().post(address).body("x".repeat(48 * MIB)).send().await };
    let (sent, (_, last)) = tokio::join!(post, client.poll());
    // The connection may be closed over what is still on its way.
    assert!(sent.is_err() || sent.unwrap().status() == 413);
    assert!(last.starts_with("42[\"error\",{\"code\":1009"), "{last}");
}

#[tokio::test]
async fn one_request_brings_packets_at_a_time() {
    let hub = Hub::start();
    let client = Polling::join(&hub, "").await;
    let mut unfinished = TcpStream::connect(&hub.address).await.unwrap();
    let head = format!("POST {POLLING}&sid={} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n4", client.sid);
    unfinished.write_all(head.as_bytes()).await.unwrap();
    // Until the hub has seen the first.
    let overlap = async { while client.post("3").await.0 == 200 {} };
    tokio::time::timeout(PATIENCE, overlap).await.unwrap();
    assert_eq!(client.poll().await.0, 400, "the session is over");
    let mut answer = vec![0; 12];
    unfinished.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 400", "and nobody waits for the rest");
}

#[tokio::test]
async fn who_leaves_and_comes_back_does_so_once_a_second() {
    let hub = Hub::start();
    let mut ben = client::join(&hub, "&room=revolving&name=Ben").await;
    let begun = Instant::now();
    let mut ann = client::join(&hub, "&room=revolving&name=Ann").await;
    for _ in 0..3 {
        ann.say("41").await;
        ann.say("40").await;
    }
    for _ in 0..4 {
        assert!(client::packet(&mut ben, "42[\"joined\"").await.contains("Ann"));
    }
    assert!(begun.elapsed() >= Duration::from_millis(2_900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn sessions_are_counted_with_connections() {
    let hub = Hub::start_with(&["--max-connections", "2"]);
    let one = Polling::join(&hub, "").await;
    let _two = Client::plain(&hub, "/").await;
    let (status, body) = client::get(&hub, POLLING).await;
    assert_eq!(status, 503, "{body}");
    assert!(Client::open(&hub, SOCKET, None).await.is_err());
    one.post("1").await;
    let again = async { while client::get(&hub, POLLING).await.0 != 200 {} };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn pages_of_other_origins_may_read_only_where_they_are_listed() {
    let ask = async |hub: &Hub, method: reqwest::Method, origin: &str| -> (u16, HeaderMap) {
        let request = reqwest::Client::new().request(method, hub.url(POLLING)).header("origin", origin);
        let answer = request.header("access-control-request-headers", "x-mine").send().await.unwrap();
        (answer.status().as_u16(), answer.headers().clone())
    };
    let get = reqwest::Method::GET;
    let closed = Hub::start();
    let (status, headers) = ask(&closed, get.clone(), "https://good.example").await;
    assert!(status == 200 && !headers.contains_key("access-control-allow-origin"));

    let hub = Hub::start_with(&["--allow-origin", "https://good.example", "--allow-origin", "http://localhost:3000"]);
    for origin in ["https://good.example", "http://localhost:3000"] {
        let (_, headers) = ask(&hub, get.clone(), origin).await;
        assert_eq!(headers["access-control-allow-origin"], origin);
        assert_eq!(headers["access-control-allow-credentials"], "true");
        assert_eq!(headers["vary"], "Origin");
        let (status, headers) = ask(&hub, reqwest::Method::OPTIONS, origin).await;
        assert_eq!(status, 204);
        assert_eq!(headers["access-control-allow-methods"], "GET, POST");
        assert_eq!(headers["access-control-allow-headers"], "x-mine");
    }
    let (_, headers) = ask(&hub, get.clone(), "https://evil.example").await;
    assert!(!headers.contains_key("access-control-allow-origin"));
    let (_, headers) = ask(&hub, reqwest::Method::OPTIONS, "https://evil.example").await;
    assert!(!headers.contains_key("access-control-allow-methods"));
    // A refusal can be read too, or a page would not know why.
    let refused = reqwest::Client::new().get(hub.url("/socket.io/")).header("origin", "https://good.example");
    assert_eq!(refused.send().await.unwrap().headers()["access-control-allow-origin"], "https://good.example");
}

#[tokio::test]
async fn the_clients_script_is_ours_where_there_is_one_and_else_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.js");
    std::fs::write(&file, "// the client").unwrap();
    let hub = Hub::start_with(&["--socketio-client", file.to_str().unwrap()]);
    for name in ["socket.io.js", "socket.io.min.js"] {
        let answer = hub.get(&format!("/socket.io/{name}")).await;
        assert_eq!(answer.headers()["content-type"], "text/javascript; charset=utf-8");
        assert_eq!(answer.text().await.unwrap(), "// the client");
    }
    assert_eq!(hub.get("/socket.io/socket.io.js.map").await.status(), 404);
    let hub = Hub::start();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(hub.url("/socket.io/socket.io.js")).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "https://cdn.socket.io/4.8.1/socket.io.min.js");
    let missing = Hub::refuses(folder.path(), &["--socketio-client", "/nowhere/client.js"]);
    assert!(!missing.status.success() && missing.errors.contains("/nowhere/client.js"), "{}", missing.errors);
}
