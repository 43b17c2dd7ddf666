//! `/socket.io/socket.io.js`: the client's script, for pages that load it from their server.
//!
//! What belongs here: where the script is. What does not: the script, of which there is no copy here: it is the file that
//! the option names, or the pinned version on the project's public network.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::Here;
use super::super::problem::{self, Problem};

/// Where the project serves it.
const PUBLIC: &str = "https://cdn.socket.io/4.8.1/";
/// The scripts, and which file of the project each is.
const SCRIPTS: [(&str, &str); 3] = [
    ("socket.io.js", "socket.io.min.js"),
    ("socket.io.min.js", "socket.io.min.js"),
    ("socket.io.esm.min.js", "socket.io.esm.min.js"),
];

/// The addresses.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    config.service(web::resource("/socket.io/{file}").route(web::get().to(script)).route(web::head().to(script)));
}

async fn script(request: HttpRequest, edge: Here, file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let Some((name, public)) = SCRIPTS.into_iter().find(|(name, _)| *name == file.as_str()) else {
        return problem::not_found(request).await;
    };
    // A module is another file than a script.
    match &edge.socket_io.options.script {
        Some(script) if !name.contains(".esm.") => Ok(HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/javascript; charset=utf-8"))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(script.clone())),
        _ => Ok(HttpResponse::Found().insert_header((header::LOCATION, format!("{PUBLIC}{public}"))).finish()),
    }
}
