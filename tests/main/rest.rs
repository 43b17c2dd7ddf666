//! REST, through the running hub.

use reqwest::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Client as Http, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::helpers::{Capture, Client, Hub};

/// Makes an ended recording in a room, and gives it.
async fn record(hub: &Hub, room: &str) -> Value {
    let mut speaker = Client::plain(hub, &format!("/rooms/{room}/ws?name=Zo%C3%AB")).await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        speaker.send(message).await;
    }
    speaker.close().await;
    hub.ended(room).await
}

async fn ask(hub: &Hub, method: Method, path: &str, headers: &[(reqwest::header::HeaderName, &str)]) -> Response {
    let mut request = Http::new().request(method, hub.url(path));
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.send().await.unwrap()
}

async fn assert_problem(response: Response, status: StatusCode, code: &str) {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], code);
    assert_eq!(problem["status"], status.as_u16());
    assert!(problem["title"].is_string() && problem["detail"].is_string() && problem["type"].is_string());
}

#[tokio::test]
async fn every_error_is_a_problem_with_a_code() {
    let hub = Hub::start();
    let none = "01932c07-fbe0-7000-8000-000000000000";
    for (method, path, status, code) in [
        (Method::GET, "/nowhere".to_owned(), 404, "not_found"),
        (Method::GET, "/api/v1/nowhere".to_owned(), 404, "not_found"),
        (Method::POST, "/api/v1/nowhere".to_owned(), 404, "not_found"),
        (Method::DELETE, "/api/v1/rooms".to_owned(), 405, "method_not_allowed"),
        (Method::PUT, format!("/api/v1/recordings/{none}"), 405, "method_not_allowed"),
        (Method::POST, "/healthz".to_owned(), 405, "method_not_allowed"),
        (Method::GET, "/api/v1/rooms/nobody".to_owned(), 404, "room_not_found"),
        (Method::GET, "/api/v1/rooms/no.name".to_owned(), 400, "invalid_name"),
        (Method::GET, "/api/v1/recordings/none".to_owned(), 400, "invalid_id"),
        (Method::DELETE, format!("/api/v1/recordings/{none}/markers/1"), 400, "invalid_id"),
        (Method::DELETE, format!("/api/v1/recordings/{none}/markers/{none}"), 404, "recording_not_found"),
        (Method::GET, format!("/api/v1/recordings/{none}/markers"), 405, "method_not_allowed"),
        (Method::GET, format!("/api/v1/recordings/{none}"), 404, "recording_not_found"),
        (Method::DELETE, format!("/api/v1/recordings/{none}"), 404, "recording_not_found"),
        (Method::GET, format!("/api/v1/recordings/{none}/tracks/1.ogg"), 404, "recording_not_found"),
        (Method::GET, format!("/api/v1/recordings/{none}/tracks/x.ogg"), 404, "recording_not_found"),
        (Method::GET, "/api/v1/recordings?limit=0".to_owned(), 400, "invalid_query"),
        (Method::GET, "/api/v1/recordings?limit=many".to_owned(), 400, "invalid_query"),
        (Method::GET, "/api/v1/recordings?cursor=zzz".to_owned(), 400, "invalid_query"),
        (Method::GET, "/api/v1/recordings?state=asleep".to_owned(), 400, "invalid_query"),
        (Method::GET, "/api/v1/recordings?from=yesterday".to_owned(), 400, "invalid_query"),
        (Method::GET, "/api/v1/recordings?room=a.b".to_owned(), 400, "invalid_name"),
        (Method::GET, "/rooms/talk/ws".to_owned(), 400, "invalid_handshake"),
    ] {
        let response = ask(&hub, method, &path, &[]).await;
        assert_problem(response, StatusCode::from_u16(status).unwrap(), code).await;
    }
    let response = ask(&hub, Method::POST, "/api/v1/rooms", &[]).await;
    assert_eq!(response.headers()[ALLOW], "GET, HEAD");
}

#[tokio::test]
async fn it_is_alive_and_ready() {
    let hub = Hub::start();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(&hub, Method::GET, path, &[]).await.status(), 200);
        assert_eq!(ask(&hub, Method::HEAD, path, &[]).await.status(), 200);
    }
}

#[tokio::test]
async fn a_room_is_live_while_someone_is_in_it() {
    let hub = Hub::start();
    assert_eq!(hub.json("/api/v1/rooms").await, json!({ "rooms": [] }));
    let mut speaker = Client::plain(&hub, "/rooms/talk/ws?name=Ann").await;
    let _listener = Client::plain(&hub, "/rooms/another/ws?publish=false").await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        speaker.send(message).await;
    }
    let rooms = hub.until("/api/v1/rooms", |rooms| rooms["rooms"][1]["tracks"][0]["track"] == 1).await;
    assert_eq!(rooms["rooms"][0]["name"], "another");
    assert_eq!((&rooms["rooms"][0]["listeners"], &rooms["rooms"][0]["session"]), (&json!(1), &Value::Null));
    let room = hub.json("/api/v1/rooms/talk").await;
    assert_eq!(room["participants"][0]["name"], "Ann");
    assert_eq!(room["tracks"][0]["participant"], room["participants"][0]["id"]);
    assert!(room["session"]["recording"].is_string() && room["session"]["elapsed"].is_number());
    speaker.close().await;
    hub.until("/api/v1/rooms", |rooms| rooms["rooms"].as_array().unwrap().len() == 1).await;
}

#[tokio::test]
async fn a_list_is_paged_newest_first_and_filtered() {
    let hub = Hub::start();
    let mut ids = Vec::new();
    for room in ["one", "two", "three"] {
        ids.push(record(&hub, room).await["id"].clone());
    }
    ids.reverse();
    let mut paged = Vec::new();
    let mut path = "/api/v1/recordings?limit=2".to_owned();
    loop {
        let page = hub.json(&path).await;
        paged.extend(page["recordings"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/recordings?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, ids);
    let of = async |query: &str| -> Vec<Value> {
        let list = hub.json(&format!("/api/v1/recordings?{query}")).await;
        list["recordings"].as_array().unwrap().iter().map(|one| one["room"].clone()).collect()
    };
    assert_eq!(of("room=two").await, ["two"]);
    assert_eq!(of("state=ended").await.len(), 3);
    assert_eq!(of("state=live").await.len(), 0);
    assert_eq!(of("to=2000-01-01T00:00:00Z").await.len(), 0);
    assert_eq!(of("from=2000-01-01").await.len(), 3);
    assert_eq!(of("search=TWO").await, ["two"]);
    assert_eq!(of("search=zoe&limit=1").await, ["three"]);
    assert_eq!(of("search=tw+zo%C3%AB").await, ["two"]);
    assert_eq!(of("search=two&room=one").await.len(), 0);
    for nothing in ["", "%20", "+"] {
        assert_eq!(of(&format!("search={nothing}")).await.len(), 3);
    }
    for hostile in ["%22", "%27%20OR%20%271%27=%271", "%25", "*", "%00", "%F0%9F%91%A9"] {
        assert_eq!(of(&format!("search={hostile}")).await.len(), 0, "{hostile}");
    }
    let long = hub.get(&format!("/api/v1/recordings?search={}", "x".repeat(10 * 1024))).await;
    assert_problem(long, StatusCode::BAD_REQUEST, "invalid_query").await;
    let no_text = hub.get("/api/v1/recordings?search=%FF").await;
    assert_problem(no_text, StatusCode::BAD_REQUEST, "invalid_query").await;
}

#[tokio::test]
async fn any_range_of_a_download_is_that_slice_of_the_whole() {
    let hub = Hub::start();
    let recording = record(&hub, "talk").await;
    let path = recording["tracks"][0]["files"]["ogg"].as_str().unwrap();
    let response = hub.get(path).await;
    let headers = response.headers().clone();
    let whole = response.bytes().await.unwrap();
    assert_eq!(headers[CONTENT_TYPE], "audio/ogg; codecs=opus");
    assert_eq!(headers[ACCEPT_RANGES], "bytes");
    let name = headers[CONTENT_DISPOSITION].to_str().unwrap();
    assert!(name.starts_with("attachment; filename=\"talk 20") && name.contains("filename*=UTF-8''talk%20"), "{name}");

    let head = ask(&hub, Method::HEAD, path, &[]).await;
    assert_eq!(head.headers()[CONTENT_LENGTH], whole.len().to_string().as_str());
    assert_eq!((head.status(), &head.headers()[ETAG]), (StatusCode::OK, &headers[ETAG]));
    assert!(head.bytes().await.unwrap().is_empty());

    let length = whole.len();
    for (first, last) in [(0, 0), (0, length - 1), (1, 4095), (4000, 4200), (length - 1, length - 1)] {
        let response = ask(&hub, Method::GET, path, &[(RANGE, &format!("bytes={first}-{last}"))]).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(response.headers()[CONTENT_RANGE], format!("bytes {first}-{last}/{length}").as_str());
        assert!(response.bytes().await.unwrap() == whole[first..=last]);
    }
    let response = ask(&hub, Method::GET, path, &[(RANGE, &format!("bytes={length}-"))]).await;
    assert_eq!(response.headers()[CONTENT_RANGE], format!("bytes */{length}").as_str());
    assert_problem(response, StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable").await;

    let tag = headers[ETAG].to_str().unwrap();
    let same = ask(&hub, Method::GET, path, &[(IF_NONE_MATCH, tag)]).await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    let date = headers[LAST_MODIFIED].to_str().unwrap();
    for (condition, status) in [(tag, 206), (date, 206), ("\"other\"", 200)] {
        let response = ask(&hub, Method::GET, path, &[(RANGE, "bytes=0-9"), (IF_RANGE, condition)]).await;
        assert_eq!(response.status(), status, "{condition}");
    }
}

#[tokio::test]
async fn a_recording_is_named_kept_and_deleted_but_not_while_it_is_made() {
    let hub = Hub::start();
    let recording = record(&hub, "talk").await;
    let path = format!("/api/v1/recordings/{}", recording["id"].as_str().unwrap());
    let patch = async |body: Value| {
        let request = Http::new().patch(hub.url(&path)).header(CONTENT_TYPE, "application/json");
        request.body(body.to_string()).send().await.unwrap()
    };
    let changed: Value = patch(json!({ "title": "A talk", "keep": true })).await.json().await.unwrap();
    assert_eq!((&changed["title"], &changed["keep"]), (&json!("A talk"), &json!(true)));
    let changed: Value = patch(json!({ "title": null })).await.json().await.unwrap();
    assert_eq!((&changed["title"], &changed["keep"]), (&Value::Null, &json!(true)));
    assert_problem(patch(json!({ "title": "x".repeat(201) })).await, StatusCode::BAD_REQUEST, "invalid_body").await;
    assert_problem(patch(json!({ "keep": "yes" })).await, StatusCode::BAD_REQUEST, "invalid_body").await;
    assert_eq!(hub.json(&path).await["keep"], true);

    let mut speaker = Client::plain(&hub, "/rooms/live/ws").await;
    for message in Capture::new("chromium-webm-opus-100ms").messages() {
        speaker.send(message).await;
    }
    let list = hub.until("/api/v1/recordings?room=live", |list| list["recordings"][0]["id"].is_string()).await;
    let live = format!("/api/v1/recordings/{}", list["recordings"][0]["id"].as_str().unwrap());
    assert_problem(ask(&hub, Method::DELETE, &live, &[]).await, StatusCode::CONFLICT, "recording_live").await;

    assert_eq!(ask(&hub, Method::DELETE, &path, &[]).await.status(), StatusCode::NO_CONTENT);
    assert_problem(ask(&hub, Method::GET, &path, &[]).await, StatusCode::NOT_FOUND, "recording_not_found").await;
    assert_eq!(std::fs::read_dir(hub.recordings().join("talk")).map_or(0, Iterator::count), 0, "gone from the disk");
}
