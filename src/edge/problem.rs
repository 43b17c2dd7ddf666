//! Every error that HTTP tells: problem+json (RFC 9457), from one table.
//!
//! What belongs here: status, stable code and title of each kind of error. What does not: the sentences, which the errors
//! bring along.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;

use super::socket;
use crate::archive::model::{BadEdit, NotAnId};
use crate::archive::{self, BadCursor, BadLimit, BadSearch, NotMade};
use crate::hub::connection::Refusal;
use crate::hub::room::Unmarked;
use crate::media::marker::{BadMarkerText, NoMarkerId};
use crate::media::pcm::Unfit;
use crate::media::room::NameError;
use crate::media::time::NotATime;

/// What went wrong, in kinds that a program can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is at this address.
    NotFound,
    /// No room of this name is live.
    RoomNotFound,
    /// There is no such recording, or track of it.
    RecordingNotFound,
    /// The track is kept otherwise, and there is another address for it.
    OtherFormat,
    /// This address knows other methods.
    MethodNotAllowed,
    /// A room's or participant's name that is none.
    InvalidName,
    /// A recording's ID that is none.
    InvalidId,
    /// A parameter of the query that cannot be.
    InvalidQuery,
    /// A choice of a recording's sound that cannot be, or that the recording does not have.
    InvalidEdit,
    /// A body that is not what it should be.
    InvalidBody,
    /// Something that this version does not do.
    NotSupported,
    /// A request for a WebSocket that is none.
    InvalidHandshake,
    /// The recording has not ended.
    RecordingLive,
    /// Nothing is being recorded in the room.
    NoSession,
    /// The recording has no such marker.
    MarkerNotFound,
    /// The recording has as many markers as it may.
    TooManyMarkers,
    /// As many rooms are set otherwise than by default as may be.
    TooManyRooms,
    /// Something that is derived from a recording could not be made.
    NotMade,
    /// A range that begins behind the end.
    RangeNotSatisfiable,
    /// Too many connections.
    TooManyConnections,
    /// The hub stops.
    Stopping,
    /// Index or disk cannot be used.
    NotReady,
    /// There is no space.
    DiskFull,
    /// The hub's own fault.
    Internal,
}

impl Kind {
    /// The table: status, stable code, title.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Nothing is here"),
            Self::RoomNotFound => (StatusCode::NOT_FOUND, "room_not_found", "No such room is live"),
            Self::RecordingNotFound => (StatusCode::NOT_FOUND, "recording_not_found", "No such recording"),
            Self::OtherFormat => (StatusCode::NOT_FOUND, "other_format", "Kept in another format"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed"),
            Self::InvalidName => (StatusCode::BAD_REQUEST, "invalid_name", "Not a name"),
            Self::InvalidId => (StatusCode::BAD_REQUEST, "invalid_id", "Not a recording's ID"),
            Self::InvalidQuery => (StatusCode::BAD_REQUEST, "invalid_query", "A parameter cannot be"),
            Self::InvalidEdit => (StatusCode::BAD_REQUEST, "invalid_edit", "Nothing that can be chosen of it"),
            Self::InvalidBody => (StatusCode::BAD_REQUEST, "invalid_body", "The body cannot be read"),
            Self::NotSupported => (StatusCode::BAD_REQUEST, "not_supported", "Not supported"),
            Self::InvalidHandshake => (StatusCode::BAD_REQUEST, "invalid_handshake", "Not a WebSocket handshake"),
            Self::RecordingLive => (StatusCode::CONFLICT, "recording_live", "The recording has not ended"),
            Self::NoSession => (StatusCode::CONFLICT, "no_session", "Nothing is being recorded"),
            Self::MarkerNotFound => (StatusCode::NOT_FOUND, "marker_not_found", "No such marker"),
            Self::TooManyMarkers => (StatusCode::CONFLICT, "too_many_markers", "Too many markers"),
            Self::TooManyRooms => (StatusCode::CONFLICT, "too_many_rooms", "Too many rooms are set"),
            Self::NotMade => (StatusCode::SERVICE_UNAVAILABLE, "not_made", "It could not be made"),
            Self::RangeNotSatisfiable => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", "The range begins behind the end")
            }
            Self::TooManyConnections => {
                (StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", "Too many connections")
            }
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping", "The hub stops"),
            Self::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk_full", "The disk is full"),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready", "Index or disk cannot be used"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The hub's own fault"),
        }
    }
}

/// An error as HTTP tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    header: Option<(header::HeaderName, String)>,
}

impl Problem {
    /// A problem with a sentence for people.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), header: None }
    }

    /// The same with a header that the status asks for.
    #[must_use]
    pub fn with(self, name: header::HeaderName, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// Something that went wrong on our side: logged whole, told in one sentence.
    #[must_use]
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!("{error}");
        Self::new(Kind::Internal, "Something went wrong in the hub. Its log says what.")
    }
}

/// An error's words as a sentence: they are made to stand behind others.
fn sentence(error: &impl fmt::Display) -> String {
    let mut words = error.to_string();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !words.ends_with(['.', '!', '?']) {
        words.push('.');
    }
    words
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.row().0
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let (status, code, title) = self.kind.row();
        let body = json!({
            "type": "about:blank", "title": title, "status": status.as_u16(), "detail": self.detail, "code": code,
        });
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), value.as_str()));
        }
        response.body(body.to_string())
    }
}

impl From<archive::Error> for Problem {
    fn from(error: archive::Error) -> Self {
        match error {
            archive::Error::NotFound => {
                Self::new(Kind::RecordingNotFound, "There is no such recording, or no such track of it.")
            }
            archive::Error::Live => {
                Self::new(Kind::RecordingLive, "The recording is still being made. Ask again when it has ended.")
            }
            archive::Error::Edit(error) => error.into(),
            archive::Error::NotMade(why) => {
                let kind = match why {
                    NotMade::Full { .. } => Kind::DiskFull,
                    NotMade::Failed => Kind::NotMade,
                };
                let detail = format!("It could not be made: {why}. Asked for again, it is tried again.");
                Self::new(kind, detail).with(header::RETRY_AFTER, "60")
            }
            archive::Error::Making => {
                Self::new(Kind::NotMade, "It is not made yet. Ask again in a moment.").with(header::RETRY_AFTER, "1")
            }
            error @ archive::Error::TooManyRooms => Self::new(Kind::TooManyRooms, sentence(&error)),
            archive::Error::NotThere => Self::new(Kind::InvalidQuery, "The recording has no sound there."),
            archive::Error::NoMarker => Self::new(Kind::MarkerNotFound, "The recording has no such marker."),
            error @ archive::Error::TooManyMarkers => Self::new(Kind::TooManyMarkers, sentence(&error)),
            error @ archive::Error::PastEnd => Self::new(Kind::InvalidBody, sentence(&error)),
            archive::Error::Full { .. } => Self::new(Kind::DiskFull, "What is left is held for ending recordings."),
            archive::Error::Closed => Self::new(Kind::Stopping, "The hub stops."),
            error => Self::internal(&error),
        }
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::new(Kind::InvalidName, sentence(&error))
    }
}

impl From<NotAnId> for Problem {
    fn from(error: NotAnId) -> Self {
        Self::new(Kind::InvalidId, sentence(&error))
    }
}

impl From<NoMarkerId> for Problem {
    fn from(error: NoMarkerId) -> Self {
        Self::new(Kind::InvalidId, sentence(&error))
    }
}

impl From<BadMarkerText> for Problem {
    fn from(error: BadMarkerText) -> Self {
        Self::new(Kind::InvalidBody, sentence(&error))
    }
}

impl From<Unmarked> for Problem {
    fn from(unmarked: Unmarked) -> Self {
        let kind = match unmarked {
            Unmarked::NoSession => Kind::NoSession,
            Unmarked::TooMany => Kind::TooManyMarkers,
            Unmarked::BeforeStart | Unmarked::PastEdge | Unmarked::Text(_) => Kind::InvalidBody,
        };
        Self::new(kind, sentence(&unmarked))
    }
}

impl From<NotATime> for Problem {
    fn from(error: NotATime) -> Self {
        Self::new(Kind::InvalidQuery, sentence(&error))
    }
}

impl From<Unfit> for Problem {
    fn from(error: Unfit) -> Self {
        Self::new(Kind::InvalidQuery, sentence(&error))
    }
}

impl From<BadEdit> for Problem {
    fn from(error: BadEdit) -> Self {
        Self::new(Kind::InvalidEdit, sentence(&error))
    }
}

impl From<BadCursor> for Problem {
    fn from(error: BadCursor) -> Self {
        Self::new(Kind::InvalidQuery, sentence(&error))
    }
}

impl From<BadSearch> for Problem {
    fn from(error: BadSearch) -> Self {
        Self::new(Kind::InvalidQuery, error.to_string())
    }
}

impl From<BadLimit> for Problem {
    fn from(error: BadLimit) -> Self {
        Self::new(Kind::InvalidQuery, sentence(&error))
    }
}

impl From<&QueryPayloadError> for Problem {
    fn from(error: &QueryPayloadError) -> Self {
        Self::new(Kind::InvalidQuery, sentence(error))
    }
}

impl From<actix::MailboxError> for Problem {
    fn from(_: actix::MailboxError) -> Self {
        Self::new(Kind::Stopping, "The hub stops.")
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(Kind::Stopping, sentence(&refusal))
    }
}

impl From<socket::Refused> for Problem {
    fn from(refused: socket::Refused) -> Self {
        let kind = match refused {
            socket::Refused::Handshake(_) | socket::Refused::NoSocket => Kind::InvalidHandshake,
            socket::Refused::Full => Kind::TooManyConnections,
        };
        Self::new(kind, sentence(&refused))
    }
}

/// A body that cannot be read.
pub fn body(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    Problem::new(Kind::InvalidBody, sentence(&error)).into()
}

/// A path that cannot be read.
pub fn path(error: PathError, _: &HttpRequest) -> actix_web::Error {
    Problem::new(Kind::NotFound, sentence(&error)).into()
}

/// What is at no address of ours.
pub async fn not_found(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(Kind::NotFound, format!("There is nothing at {}.", request.path())))
}

/// An address that knows other methods, which are `allowed`.
#[must_use]
pub fn not_allowed(request: &HttpRequest, allowed: &str) -> Problem {
    let detail = format!("{} is not for {}; it knows {allowed}.", request.path(), request.method());
    Problem::new(Kind::MethodNotAllowed, detail).with(header::ALLOW, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parser_says_is_told_in_a_whole_sentence() {
        let problems: [(Problem, &str); 4] = [
            (NotAnId.into(), "A recording's ID is a UUID of version 7."),
            (socket::Refused::Full.into(), "The hub has too many connections."),
            (
                crate::media::time::UnixMillis::from_rfc3339("soon").unwrap_err().into(),
                "\"soon\" is not an RFC 3339 time.",
            ),
            (
                "-".parse::<crate::media::room::RoomName>().unwrap_err().into(),
                "A room's name is 1 to 64 letters, digits, hyphens and underscores, and begins with a letter or digit.",
            ),
        ];
        for (problem, told) in problems {
            assert_eq!(problem.to_string(), told);
        }
    }

    #[test]
    fn too_many_rooms_are_no_fault_of_the_body() {
        assert_eq!(Problem::from(archive::Error::TooManyRooms).status_code(), StatusCode::CONFLICT);
    }
}
