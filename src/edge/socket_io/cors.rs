//! Which pages of other origins may read what is answered at `/socket.io/` (Fetch Standard, "CORS protocol").
//!
//! What belongs here: an allow-list, and the headers that say it. What does not: WebSockets, which browsers do not hold to
//! this: that of Socket.IO is as open as that of a room.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

/// How long a browser may remember what a preflight was answered, in seconds.
const REMEMBERED: &str = "600";

/// Whether pages of this origin may read answers.
fn is_allowed(origin: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|one| one == "*" || one.eq_ignore_ascii_case(origin))
}

/// The origin of a request that may read the answer.
fn origin<'a>(request: &'a HttpRequest, allowed: &[String]) -> Option<&'a HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    is_allowed(origin.to_str().ok()?, allowed).then_some(origin)
}

/// Puts the headers on an answer.
pub(super) fn mark(request: &HttpRequest, response: &mut HttpResponse, allowed: &[String]) {
    if allowed.is_empty() {
        return;
    }
    let origin = origin(request, allowed).cloned();
    let headers = response.headers_mut();
    // A cache must not give one origin's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
}

/// The answer to a preflight, but for what [`mark`] adds.
pub(super) fn preflight(request: &HttpRequest, allowed: &[String]) -> HttpResponse {
    let mut response = HttpResponse::NoContent();
    response.insert_header((header::ALLOW, "GET, POST, OPTIONS"));
    if origin(request, allowed).is_some() {
        let asked = HeaderName::from_static("access-control-request-headers");
        let headers = request.headers().get(asked).cloned();
        response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"));
        response.insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED));
        if let Some(headers) = headers {
            response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, headers));
        }
    }
    response.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_allowed() {
        let listed = ["https://example.org".to_owned()];
        assert!(is_allowed("https://example.org", &listed));
        for other in ["http://example.org", "https://example.org:8443", "https://example.org.evil.net", "null", ""] {
            assert!(!is_allowed(other, &listed), "{other}");
        }
        assert!(is_allowed("null", &["*".to_owned()]));
        assert!(!is_allowed("https://example.org", &[]));
    }
}
