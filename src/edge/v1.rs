//! The subprotocol `roomtone.v1`: what a client's messages mean.
//!
//! What belongs here: JSON and binary messages into the hub's words. What does not: what the hub says back, which the
//! room makes once for everyone (`wire::v1`).

use bytes::Bytes;

use super::close::Close;
use super::declared;
use crate::hub::connection::{Said, Warning};
use crate::hub::outbox::{Cargo, Frame, Skipped};
use crate::wire::frame;
use crate::wire::packets::{self, Message};
use crate::wire::v1::{FromClient, Notice, Source};

/// What a text message means; nothing, where its type is of a later version.
///
/// # Errors
/// Where it is no message, or announces what cannot be.
pub fn text(text: &str) -> Result<Option<Said>, Close> {
    Ok(Some(match message(text)? {
        FromClient::Publish { track: local, source: Source::Container { format } } => {
            let opening = format.as_ref().map(declared::bytes).transpose()?;
            Said::OpenContainer { local, opening, announced: true }
        }
        FromClient::Publish { track: local, source: Source::Packets { format } } => {
            Said::OpenPackets { local, format: declared::packets(&format)? }
        }
        FromClient::Unpublish { track: local } => Said::Close { local },
        FromClient::Mute { track: local, muted } => Said::Mute { local, muted },
        FromClient::Chat { text } => Said::Text(text),
        FromClient::Marker { text, at } => Said::Mark { text, at },
        FromClient::Ping { time } => Said::Ping(time),
        // Words for a replay, which a room is not.
        FromClient::Seek { .. } | FromClient::Pause | FromClient::Play | FromClient::Unknown => return Ok(None),
    }))
}

/// A text message, read.
///
/// # Errors
/// Where it is none.
pub fn message(text: &str) -> Result<FromClient, Close> {
    FromClient::from_json(text)
        .map_err(|error| Close::broken("broken_json", format!("a text message is a JSON object with a type: {error}")))
}

/// What a binary message means.
///
/// # Errors
/// Where it is none.
pub fn binary(message: &Bytes) -> Result<Said, Close> {
    Ok(match packets::read(message)? {
        Message::Packets { track: local, first, time, packets, .. } => Said::Packets { local, first, time, packets },
        Message::Container { track: local, bytes } => Said::Bytes { local, bytes },
    })
}

/// What a client hears that has to go.
#[must_use]
pub fn error(close: &Close) -> Frame {
    notice(&Notice::Error { code: close.word.to_owned(), message: close.reason.clone() })
}

/// What a client hears whose stream is carried in part.
#[must_use]
pub fn warning(warning: &Warning) -> Frame {
    let (code, message) = match warning {
        Warning::Ignored(ignored) => ("ignored", ignored.to_string()),
        Warning::Unmarked(unmarked) => ("marker_refused", unmarked.to_string()),
    };
    notice(&Notice::Warning { code: code.to_owned(), message })
}

/// What a listener hears who was too slow.
#[must_use]
pub fn skipped(skipped: Skipped) -> Option<Frame> {
    Some(notice(&Notice::Lag { skipped_ticks: skipped.ticks, messages: skipped.messages }))
}

fn notice(told: &Notice) -> Frame {
    Frame { bytes: frame::text(&told.to_json()), cargo: Cargo::Kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::stream::Opening;
    use crate::media::track::Format;

    #[test]
    fn what_is_no_message_is_refused_with_the_place() {
        for bad in ["", "hello", "[]", "{}", r#"{"type":"publish"}"#, r#"{"type":"mute","track":70000,"muted":true}"#] {
            let close = text(bad).unwrap_err();
            assert_eq!((close.code, close.word), (1007, "broken_json"), "{bad}");
        }
    }

    #[test]
    fn words_of_a_later_version_are_ignored() {
        assert!(text(r#"{"type":"dance","with":"me"}"#).unwrap().is_none());
        assert!(
            matches!(text(r#"{"type":"chat","text":"hi","loud":true}"#), Ok(Some(Said::Text(text))) if text == "hi")
        );
    }

    #[test]
    fn a_track_is_announced_with_its_source() {
        let container = text(r#"{"type":"publish","track":3,"source":"container"}"#);
        assert!(matches!(container, Ok(Some(Said::OpenContainer { local: 3, opening: None, announced: true }))));
        let mp3 = text(r#"{"type":"publish","track":3,"source":"container","format":{"codec":"mp3"}}"#);
        assert!(matches!(mp3, Ok(Some(Said::OpenContainer { opening: Some(Opening::Mp3), .. }))));
        let packets = text(r#"{"type":"publish","track":4,"source":"packets","format":{"codec":"opus","channels":2}}"#);
        let Ok(Some(Said::OpenPackets { local: 4, format: Format::Opus(head) })) = packets else {
            panic!("{packets:?}")
        };
        assert_eq!((head.channels, head.pre_skip), (2, 0));
        let nine = text(r#"{"type":"publish","track":4,"source":"packets","format":{"codec":"opus","channels":9}}"#);
        assert_eq!(nine.unwrap_err().code, 1003);
    }
}
