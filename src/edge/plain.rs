//! The plain protocol: no subprotocol, what any WebSocket client can do in ten lines.
//!
//! What belongs here: whether a binary message is sound or is relayed. What does not: sockets, rooms, muxing.

use std::time::Duration;

use bytes::Bytes;

use super::close::Close;
use crate::container::sniff::{Kind, Sniffed, sniff};
use crate::hub::connection::Said;
use crate::media::time::Moment;

/// How long the beginning of what may be a stream is held.
const HELD: Duration = Duration::from_secs(1);
/// How many messages are held at most: empty ones decide nothing, however many come.
const MOST_HELD: usize = 64;
/// The one track of a plain publisher.
const TRACK: u16 = 0;

/// What a plain client's binary messages are, so far.
#[derive(Debug)]
pub struct Plain {
    state: State,
}

#[derive(Debug)]
enum State {
    /// No stream is open: each message is judged by itself, but the beginning of one may come in several.
    Judging {
        /// Messages that together may begin a stream.
        held: Vec<Bytes>,
        /// When the first of them came.
        since: Moment,
    },
    /// A stream is open: all binary belongs to it.
    Stream,
}

impl Default for Plain {
    fn default() -> Self {
        Self { state: State::Judging { held: Vec::new(), since: Moment::START } }
    }
}

impl Plain {
    /// What a binary message that arrived at `now` means.
    ///
    /// # Errors
    /// Where it begins a stream of a kind that is not accepted.
    pub fn binary(&mut self, message: Bytes, now: Moment) -> Result<Vec<Said>, Close> {
        let State::Judging { held, since } = &mut self.state else {
            return Ok(vec![Said::Bytes { local: TRACK, bytes: message }]);
        };
        if held.is_empty() {
            *since = now;
        }
        held.push(message);
        let mut said = Vec::new();
        loop {
            match sniff(&held.concat()) {
                Sniffed::Prefix if held.len() > MOST_HELD => {
                    said.extend(held.drain(..).map(Said::Relay));
                    return Ok(said);
                }
                Sniffed::Prefix => return Ok(said),
                Sniffed::Kind(Kind::WebM) => {
                    let bytes = std::mem::take(held);
                    self.state = State::Stream;
                    said.push(Said::OpenContainer { local: TRACK, announced: false });
                    said.extend(bytes.into_iter().map(|bytes| Said::Bytes { local: TRACK, bytes }));
                    return Ok(said);
                }
                Sniffed::Kind(kind) => {
                    return Err(Close::not_accepted(format!("{} is not accepted, send WebM with Opus", name(kind))));
                }
                Sniffed::Other => {
                    // What was held was no beginning; the newest message may be one.
                    let last = held.pop();
                    said.extend(held.drain(..).map(Said::Relay));
                    match last {
                        Some(last) if !said.is_empty() => held.push(last),
                        Some(last) => {
                            said.push(Said::Relay(last));
                            return Ok(said);
                        }
                        None => return Ok(said),
                    }
                }
            }
        }
    }

    /// When [`Self::expire`] is due, if nothing comes until then.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Judging { held, since } if !held.is_empty() => Some(since.after(HELD)),
            _ => None,
        }
    }

    /// What was held is no stream: it is relayed as it came.
    pub fn expire(&mut self) -> Vec<Said> {
        match &mut self.state {
            State::Judging { held, .. } => held.drain(..).map(Said::Relay).collect(),
            State::Stream => Vec::new(),
        }
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::WebM => "WebM",
        Kind::Ogg => "Ogg",
        Kind::Mp4 => "MP4",
        Kind::Wav => "WAV",
        Kind::Flac => "FLAC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: &[Said]) -> Vec<String> {
        let word = |said: &Said| match said {
            Said::OpenContainer { .. } => "open".to_owned(),
            Said::Bytes { bytes, .. } => format!("bytes {bytes:?}"),
            Said::Relay(bytes) => format!("relay {bytes:?}"),
            other => panic!("{other:?}"),
        };
        said.iter().map(word).collect()
    }

    fn hear(plain: &mut Plain, message: &'static [u8]) -> Vec<String> {
        words(&plain.binary(Bytes::from_static(message), Moment::START).unwrap())
    }

    #[test]
    fn what_is_no_sound_is_relayed_message_by_message() {
        let mut plain = Plain::default();
        assert_eq!(hear(&mut plain, b"Asdfasdfasdfasdf"), ["relay b\"Asdfasdfasdfasdf\""]);
        assert_eq!(hear(&mut plain, b"A"), ["relay b\"A\""]);
    }

    #[test]
    fn empty_messages_without_end_are_not_held() {
        let mut plain = Plain::default();
        hear(&mut plain, b"\x1A");
        let said: usize = (0..10_000).map(|_| hear(&mut plain, b"").len()).sum();
        assert!(said >= 10_000 - MOST_HELD, "{said}");
    }

    #[test]
    fn a_stream_that_begins_in_pieces_is_put_together() {
        let mut plain = Plain::default();
        assert!(hear(&mut plain, b"\x1A").is_empty());
        assert!(plain.deadline().is_some());
        assert!(hear(&mut plain, b"\x45\xDF").is_empty());
        let opened = hear(&mut plain, b"\xA3rest");
        assert_eq!(opened, ["open", "bytes b\"\\x1a\"", "bytes b\"E\\xdf\"", "bytes b\"\\xa3rest\""]);
        assert_eq!(plain.deadline(), None);
        assert_eq!(hear(&mut plain, b"OggS"), ["bytes b\"OggS\""], "once a stream is open all binary belongs to it");
    }

    #[test]
    fn a_false_beginning_is_relayed_and_the_next_message_is_judged_by_itself() {
        let mut plain = Plain::default();
        assert!(hear(&mut plain, b"\x1A").is_empty());
        assert_eq!(hear(&mut plain, b"\x1A\x45\xDF\xA3")[..2], ["relay b\"\\x1a\"", "open"]);
        let mut plain = Plain::default();
        assert!(hear(&mut plain, b"\x1A").is_empty());
        assert_eq!(words(&plain.expire()), ["relay b\"\\x1a\""]);
        assert_eq!(plain.deadline(), None);
    }

    #[test]
    fn other_containers_are_refused_and_never_relayed() {
        for first in [&b"OggS\0\x02"[..], b"RIFF\xFF\xFF\xFF\xFFWAVE", b"fLaC\0\0\0\x22", b"\0\0\0\x18ftypiso5"] {
            let close = Plain::default().binary(Bytes::from_static(first), Moment::START).unwrap_err();
            assert_eq!(close.code, 1003);
            assert!(close.reason.contains("WebM with Opus"), "{}", close.reason);
        }
    }
}
