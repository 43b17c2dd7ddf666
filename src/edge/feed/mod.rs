//! A room's podcast feed: `/rooms/{room}/feed.xml`.
//!
//! What belongs here: which recordings are in it, under which address, when it has changed. What does not: how it is written (`rss`).
//! Only what someone published is in it; of a room without that, and of one that nobody knows, it is a feed without an episode.

mod rss;

use actix_web::http::header::{self, EntityTag};
use actix_web::{HttpRequest, HttpResponse, web};

use super::problem::Problem;
use super::{Edge, Here, rest};
use crate::media::room::RoomName;

/// The address.
pub fn configure(config: &mut web::ServiceConfig) {
    let feed = web::resource("/rooms/{room}/feed.xml").route(web::get().to(feed)).route(web::head().to(feed));
    config.service(rest::only(feed, "GET, HEAD"));
}

/// The feed, or 304 where the client has it already (RFC 9110 §13.1.2). It has no date of its own: one that was withdrawn changes it,
/// and leaves none.
async fn feed(request: HttpRequest, edge: Here, room: web::Path<String>) -> Result<HttpResponse, Problem> {
    let room: RoomName = room.parse()?;
    let episodes = edge.archive.episodes(&room).await?;
    let body = rss::feed(&base(&request, &edge), &room, &episodes);
    let tag = EntityTag::new_strong(format!("{:016x}", SUM.checksum(body.as_bytes())));
    let known = rest::is_known(&request, &tag);
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header(header::ETag(tag)).insert_header((header::CACHE_CONTROL, "no-cache"));
    // Players in other pages read it, too.
    response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    if known {
        return Ok(response.finish());
    }
    Ok(response.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff")).content_type(rss::MEDIA_TYPE).body(body))
}

/// What tells one feed from another.
const SUM: crc::Crc<u64> = crc::Crc::<u64>::new(&crc::CRC_64_XZ);

/// Where the hub is for the world, without a slash at its end: as it was told, or as the client came to it, through a proxy or not.
fn base(request: &HttpRequest, edge: &Edge) -> String {
    edge.public_url.clone().unwrap_or_else(|| {
        let connection = request.connection_info();
        format!("{}://{}", connection.scheme(), connection.host())
    })
}
