//! The plain protocol: no subprotocol, what any WebSocket client can do in ten lines.
//!
//! What belongs here: whether a binary message is sound or is relayed. What does not: sockets, rooms, muxing.

use std::time::Duration;

use bytes::Bytes;

use crate::container::sniff::{Sniffed, sniff};
use crate::container::stream::Opening;
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
    /// The client has declared what its binary is: all of it is a stream.
    Declared(Opening),
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
    /// A client who has declared what its binary is, or has not.
    #[must_use]
    pub fn new(declared: Option<Opening>) -> Self {
        declared.map_or_else(Self::default, |opening| Self { state: State::Declared(opening) })
    }

    /// What a binary message that arrived at `now` means.
    pub fn binary(&mut self, message: Bytes, now: Moment) -> Vec<Said> {
        let (held, since) = match &mut self.state {
            State::Stream => return vec![Said::Bytes { local: TRACK, bytes: message }],
            State::Declared(opening) => {
                let opening = *opening;
                return self.open(opening, [message]);
            }
            State::Judging { held, since } => (held, since),
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
                    return said;
                }
                Sniffed::Prefix => return said,
                Sniffed::Kind(kind) => {
                    let bytes = std::mem::take(held);
                    said.extend(self.open(Opening::Sniffed(kind), bytes));
                    return said;
                }
                Sniffed::Other => {
                    // What was held was no beginning; the newest message may be one.
                    let last = held.pop();
                    said.extend(held.drain(..).map(Said::Relay));
                    match last {
                        Some(last) if !said.is_empty() => {
                            held.push(last);
                            *since = now;
                        }
                        Some(last) => {
                            said.push(Said::Relay(last));
                            return said;
                        }
                        None => return said,
                    }
                }
            }
        }
    }

    /// A stream begins with these messages.
    fn open(&mut self, opening: Opening, messages: impl IntoIterator<Item = Bytes>) -> Vec<Said> {
        self.state = State::Stream;
        let mut said = vec![Said::OpenContainer { local: TRACK, opening: Some(opening), announced: false }];
        said.extend(messages.into_iter().map(|bytes| Said::Bytes { local: TRACK, bytes }));
        said
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
            State::Declared(_) | State::Stream => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: &[Said]) -> Vec<String> {
        let word = |said: &Said| match said {
            Said::OpenContainer { opening: Some(opening), announced: false, .. } => format!("open {opening}"),
            Said::Bytes { bytes, .. } => format!("bytes {bytes:?}"),
            Said::Relay(bytes) => format!("relay {bytes:?}"),
            other => panic!("{other:?}"),
        };
        said.iter().map(word).collect()
    }

    fn hear(plain: &mut Plain, message: &'static [u8]) -> Vec<String> {
        words(&plain.binary(Bytes::from_static(message), Moment::START))
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
        assert_eq!(opened, ["open WebM", "bytes b\"\\x1a\"", "bytes b\"E\\xdf\"", "bytes b\"\\xa3rest\""]);
        assert_eq!(plain.deadline(), None);
        assert_eq!(hear(&mut plain, b"OggS"), ["bytes b\"OggS\""], "once a stream is open all binary belongs to it");
    }

    #[test]
    fn a_false_beginning_is_relayed_and_the_next_message_is_judged_by_itself() {
        let mut plain = Plain::default();
        assert!(hear(&mut plain, b"\x1A").is_empty());
        assert_eq!(hear(&mut plain, b"\x1A\x45\xDF\xA3")[..2], ["relay b\"\\x1a\"", "open WebM"]);
        let mut plain = Plain::default();
        assert!(hear(&mut plain, b"\x1A").is_empty());
        assert_eq!(words(&plain.expire()), ["relay b\"\\x1a\""]);
        assert_eq!(plain.deadline(), None);
    }

    #[test]
    fn what_comes_behind_a_false_beginning_has_its_own_time() {
        let mut plain = Plain::default();
        let late = Moment::START.after(HELD * 19 / 20);
        assert!(hear(&mut plain, b"\x1A").is_empty());
        assert_eq!(words(&plain.binary(Bytes::from_static(b"\x1A\x45"), late)), ["relay b\"\\x1a\""]);
        assert_eq!(plain.deadline(), Some(late.after(HELD)));
    }

    #[test]
    fn every_container_that_is_known_opens_a_stream() {
        for (first, kind) in [
            (&b"\x1A\x45\xDF\xA3"[..], "open WebM"),
            (b"OggS\0\x02", "open Ogg"),
            (b"RIFF\xFF\xFF\xFF\xFFWAVE", "open WAV"),
            (b"fLaC\0\0\0\x22", "open FLAC"),
            (b"\0\0\0\x18ftypiso5", "open MP4"),
        ] {
            assert_eq!(hear(&mut Plain::default(), first)[0], kind);
        }
    }

    #[test]
    fn what_is_declared_is_never_judged() {
        let mut plain = Plain::new(Some(Opening::Mp3));
        assert_eq!(plain.deadline(), None);
        assert_eq!(hear(&mut plain, b"\x1A\x45\xDF\xA3"), ["open MP3", "bytes b\"\\x1aE\\xdf\\xa3\""]);
        assert_eq!(hear(&mut plain, b"A"), ["bytes b\"A\""]);
        assert!(plain.expire().is_empty());
    }
}
