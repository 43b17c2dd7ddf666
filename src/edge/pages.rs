//! The browser's side: `/`, `/rooms/{room}`, `/recordings/{id}` and what they load from `/client/`, served from the
//! binary.
//!
//! What belongs here: which address is which file, its media type, its caching, the rules that a page lives under. What
//! does not: anything that is not the same for everyone. A page asks the API for the rest.
//!
//! An address that is none of these is left to the App's other services and to its default one, by guards; so is another
//! method, and an upgrade. The order in which services are registered does not matter.

use actix_web::guard::GuardContext;
use actix_web::http::header::{self, EntityTag, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};

use super::rest;
use crate::archive::model::RecordingId;
use crate::media::room::RoomName;

#[derive(rust_embed::RustEmbed)]
#[folder = "src/client"]
struct Client;

/// What a page may do: load and connect to its own origin only, run no code but our files, be framed by nobody
/// (Content Security Policy Level 3). `'self'` covers WebSockets of the same host; a `MediaSource` is played as a `blob:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; \
                      media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Where a file of the client lies.
const ASSETS: &str = "/client/";

/// Serves the pages in an App.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/{path:.*}").guard(is_page).to(serve));
}

/// An answer of ours: a file, and whether it is what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    file: String,
    status: StatusCode,
}

/// Which file an address (as it came, percent-encoded) is. `html` says that the client would rather read a page than a
/// problem in JSON; then a wrong name of a room or recording is one too, which says what to do.
fn page(path: &str, html: bool) -> Option<Page> {
    let (file, status) = if path == "/" {
        ("index.html", StatusCode::OK)
    } else if let Some(name) = below(path, "/rooms/") {
        ("room.html", named(name.parse::<RoomName>().is_ok(), html)?)
    } else if let Some(id) = below(path, "/recordings/") {
        // Whether there is such a recording the page asks the API.
        ("recording.html", named(id.parse::<RecordingId>().is_ok(), html)?)
    } else {
        let file = path.strip_prefix(ASSETS)?;
        let asset = [".js", ".css", ".svg"].iter().any(|ending| file.ends_with(ending));
        (Some(file).filter(|file| asset && !file.contains('/'))?, StatusCode::OK)
    };
    Client::get(file).map(|_| Page { file: file.to_owned(), status })
}

/// What stands directly below a folder in an address.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder).filter(|name| !name.contains('/'))
}

/// The status of a page whose name can or cannot be one; none, where a problem says it better.
fn named(can_be: bool, html: bool) -> Option<StatusCode> {
    match (can_be, html) {
        (true, _) => Some(StatusCode::OK),
        (false, true) => Some(StatusCode::NOT_FOUND),
        (false, false) => None,
    }
}

/// Whether a request is ours.
fn is_page(context: &GuardContext<'_>) -> bool {
    let head = context.head();
    let read = matches!(head.method, Method::GET | Method::HEAD);
    let upgrade = head.headers.contains_key(header::UPGRADE);
    read && !upgrade && page(head.uri.path(), wants_html(&head.headers)).is_some()
}

/// Whether a client names HTML among what it accepts, as browsers do when they go to an address.
fn wants_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

/// Answers with the file, or 304 where the client has it already (RFC 9110 §13.1.2).
async fn serve(request: HttpRequest) -> HttpResponse {
    let found = page(request.path(), wants_html(request.headers()));
    let Some((page, file)) = found.and_then(|page| Client::get(&page.file).map(|file| (page, file))) else {
        return HttpResponse::NotFound().finish();
    };
    let tag = EntityTag::new_strong(hex(&file.metadata.sha256_hash()));
    let mut response = HttpResponse::build(page.status);
    response
        .insert_header(header::ETag(tag.clone()))
        // A browser asks each time, and is told in a hundred bytes that nothing has changed.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY));
    if let Some(room) = below(request.path(), "/rooms/").filter(|_| page.status.is_success()) {
        let feed = format!("</rooms/{room}/feed.xml>; rel=\"alternate\"; type=\"application/rss+xml\"");
        response.insert_header((header::LINK, feed));
    }
    if page.status.is_success() && rest::is_known(&request, &tag) {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    let kind = mime_guess::from_path(&page.file).first_or_octet_stream();
    response.content_type(format!("{kind}; charset=utf-8")).body(file.data.into_owned())
}

/// The first 16 bytes as hexadecimal digits: enough to tell files apart.
fn hex(hash: &[u8; 32]) -> String {
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    use actix_web::{App, HttpResponse, dev::ServiceResponse, http::header, web};

    use super::*;

    /// Asks an App that has the pages and, like the hub's, a default service and another service.
    async fn ask(request: TestRequest) -> ServiceResponse {
        let app = init_service(
            App::new()
                .configure(configure)
                .route("/api/v1/rooms", web::get().to(async || "rooms"))
                .route("/", web::get().to(async || "socket"))
                .default_service(web::to(async || HttpResponse::ImATeapot().finish())),
        )
        .await;
        call_service(&app, request.to_request()).await
    }

    fn value(response: &ServiceResponse, name: header::HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[actix::test]
    async fn pages_and_what_they_load_have_their_media_types() {
        for (path, kind) in [
            ("/", "text/html; charset=utf-8"),
            ("/rooms/studio-1", "text/html; charset=utf-8"),
            ("/recordings/01936f2e-5d2c-7cc1-9a3e-2f1b4c5d6e7f", "text/html; charset=utf-8"),
            ("/client/room.js", "text/javascript; charset=utf-8"),
            ("/client/style.css", "text/css; charset=utf-8"),
            ("/client/icon.svg", "image/svg+xml; charset=utf-8"),
        ] {
            let response = ask(TestRequest::get().uri(path)).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(value(&response, header::CONTENT_TYPE), kind, "{path}");
            assert_eq!(value(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
            assert!(value(&response, header::CONTENT_SECURITY_POLICY).contains("default-src 'none'"), "{path}");
            assert!(!read_body(response).await.is_empty(), "{path}");
        }
    }

    #[actix::test]
    async fn every_file_that_a_page_or_module_names_is_served() {
        let mut named = 0;
        for file in Client::iter() {
            let text = String::from_utf8(Client::get(&file).unwrap().data.into_owned()).unwrap();
            let quoted = text.split(['"', '\'']);
            for name in quoted.filter_map(|word| word.strip_prefix("./").or_else(|| word.strip_prefix("/client/"))) {
                assert!(page(&format!("/client/{name}"), false).is_some(), "{file} names {name}");
                named += 1;
            }
        }
        assert!(named > 10, "only {named} names were found");
    }

    #[actix::test]
    async fn what_a_browser_has_already_is_not_sent_again() {
        let first = ask(TestRequest::get().uri("/client/room.js")).await;
        let tag = value(&first, header::ETAG).to_owned();
        assert_eq!(value(&first, header::CACHE_CONTROL), "no-cache");
        let again =
            ask(TestRequest::get().uri("/client/room.js").insert_header((header::IF_NONE_MATCH, tag.clone()))).await;
        assert_eq!(again.status(), 304);
        assert_eq!(value(&again, header::ETAG), tag);
        assert!(read_body(again).await.is_empty());
        let other = ask(TestRequest::get().uri("/").insert_header((header::IF_NONE_MATCH, tag))).await;
        assert_eq!(other.status(), 200);
    }

    #[actix::test]
    async fn a_wrong_room_or_recording_is_a_page_for_browsers_and_left_to_the_app_for_others() {
        let html = (header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");
        let rooms = ["/rooms/a%20b", "/rooms/-a", "/rooms/%C3%A4", "/rooms/"];
        let recordings = ["/recordings/1", "/recordings/6ba7b810-9dad-11d1-80b4-00c04fd430c8", "/recordings/"];
        for path in rooms.into_iter().chain(recordings) {
            let response = ask(TestRequest::get().uri(path).insert_header(html.clone())).await;
            assert_eq!(response.status(), 404, "{path}");
            assert_eq!(value(&response, header::CONTENT_TYPE), "text/html; charset=utf-8");
            assert_eq!(ask(TestRequest::get().uri(path)).await.status(), 418, "{path}");
        }
    }

    #[actix::test]
    async fn whatever_is_no_page_is_left_to_the_app() {
        for path in [
            "/nothing",
            "/client/",
            "/client/nothing.js",
            "/client/index.html",
            "/client/package.json",
            "/client/../Cargo.toml",
            "/client/%2e%2e/lib.rs",
            "/rooms/a/ws",
            "/recordings/01936f2e-5d2c-7cc1-9a3e-2f1b4c5d6e7f/ws",
            "//",
        ] {
            assert_eq!(ask(TestRequest::get().uri(path)).await.status(), 418, "{path}");
        }
        assert_eq!(ask(TestRequest::post().uri("/client/room.js")).await.status(), 418);
        assert_eq!(read_body(ask(TestRequest::get().uri("/api/v1/rooms")).await).await, "rooms");
    }

    #[actix::test]
    async fn an_upgrade_at_the_root_is_left_to_the_lobby_socket() {
        let upgrade = TestRequest::get().uri("/").insert_header((header::UPGRADE, "websocket"));
        assert_eq!(read_body(ask(upgrade).await).await, "socket");
    }
}
