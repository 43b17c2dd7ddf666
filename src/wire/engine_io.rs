//! Engine.IO 4: the packets below Socket.IO, as WebSocket messages and as payloads of long-polling
//! (`socketio/engine.io-protocol`, revision 4).
//!
//! What belongs here: bytes to packets and back, by the codecs of `engineioxide-core`. What does not: sessions, their
//! transports and their heartbeat (`edge::socket_io`).
//!
//! Over a WebSocket a packet is a text message that begins with its type, or a binary message without one. A payload
//! is such texts with [`SEPARATOR`] between them; binary is base64 there, behind a `b`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use engineioxide_core::ProtocolVersion;
pub use engineioxide_core::{OpenPacket, Packet, PacketParseError, Sid, TransportType};

use super::frame::{self, Framed};

/// The version of the protocol, as the query's `EIO` has it.
pub const VERSION: &str = "4";

/// What stands between the packets of a payload.
pub const SEPARATOR: u8 = 0x1E;

/// A packet that has only a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bare {
    /// Ends the session.
    Close,
    /// Asks whether the client is there.
    Ping,
    /// Says nothing: ends a poll, so that the client may upgrade.
    Noop,
}

impl Bare {
    /// The packet as a WebSocket frame, which is what waits in every outbox.
    #[must_use]
    pub fn frame(self) -> Bytes {
        frame::text(match self {
            Self::Close => "1",
            Self::Ping => "2",
            Self::Noop => "6",
        })
    }
}

/// The answer to a client's probe of a WebSocket, as a frame.
#[must_use]
pub fn probed() -> Bytes {
    frame::text("3probe")
}

/// What a session begins with, as a frame.
#[must_use]
pub fn open(open: &OpenPacket) -> Bytes {
    // Numbers and words: nothing that has no JSON.
    frame::text(&format!("0{}", serde_json::to_string(open).expect("it is JSON")))
}

/// The packet of a WebSocket's text message.
///
/// # Errors
/// Where it is none.
pub fn packet(text: &str) -> Result<Packet, PacketParseError> {
    Packet::parse(ProtocolVersion::V4, text.to_owned())
}

/// Why a payload is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadPayload {
    /// It is not text.
    #[error("the payload is not UTF-8")]
    NotText,
    /// It has more packets than it may.
    #[error("the payload has more than {0} packets")]
    TooMany(usize),
    /// Something in it is no packet.
    #[error("packet {number} of the payload is none: {error}")]
    NoPacket {
        /// Which one, from 1.
        number: usize,
        /// Why.
        error: PacketParseError,
    },
}

/// The packets of a payload, at most `most` of them.
///
/// # Errors
/// Where something in it is no packet, or there are more.
pub fn payload(body: &[u8], most: usize) -> Result<Vec<Packet>, BadPayload> {
    let text = std::str::from_utf8(body).map_err(|_| BadPayload::NotText)?;
    let mut packets = Vec::new();
    for (index, text) in text.split(char::from(SEPARATOR)).enumerate() {
        if index == most {
            return Err(BadPayload::TooMany(most));
        }
        packets.push(packet(text).map_err(|error| BadPayload::NoPacket { number: index + 1, error })?);
    }
    Ok(packets)
}

/// A payload of what these frames carry, in pieces that are made as they are written: a long attachment is never there
/// twice.
#[derive(Debug, Default)]
pub struct Payload {
    pieces: Vec<Piece>,
    /// How many bytes it has.
    pub length: u64,
}

#[derive(Debug)]
enum Piece {
    Text(Bytes),
    Base64(Bytes),
}

/// How much of an attachment is encoded at a time: whole groups of three bytes.
const AT_ONCE: usize = 48 * 1024;

impl Payload {
    /// Of frames that were made by [`frame`].
    #[must_use]
    pub fn of(frames: impl IntoIterator<Item = Bytes>) -> Self {
        let mut payload = Self::default();
        for message in frames.into_iter().flat_map(frame::messages) {
            if !payload.pieces.is_empty() {
                payload.put(Piece::Text(Bytes::from_static(&[SEPARATOR])));
            }
            match message {
                Framed::Text(text) => payload.put(Piece::Text(text)),
                Framed::Binary(bytes) => {
                    payload.put(Piece::Text(Bytes::from_static(b"b")));
                    payload.put(Piece::Base64(bytes));
                }
            }
        }
        payload
    }

    fn put(&mut self, piece: Piece) {
        self.length += match &piece {
            Piece::Text(text) => text.len() as u64,
            Piece::Base64(bytes) => (bytes.len() as u64).div_ceil(3) * 4,
        };
        self.pieces.push(piece);
    }

    /// Its bytes, piece by piece.
    pub fn into_pieces(self) -> impl Iterator<Item = Bytes> {
        self.pieces.into_iter().flat_map(|piece| {
            let (bytes, step) = match &piece {
                Piece::Text(text) => (text.clone(), usize::MAX),
                Piece::Base64(bytes) => (bytes.clone(), AT_ONCE),
            };
            let is_text = matches!(piece, Piece::Text(_));
            let mut left = bytes;
            std::iter::from_fn(move || {
                if left.is_empty() {
                    return None;
                }
                let next = left.split_to(left.len().min(step));
                Some(if is_text { next } else { Bytes::from(STANDARD.encode(next)) })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn written(frames: impl IntoIterator<Item = Bytes>) -> String {
        let payload = Payload::of(frames);
        let length = payload.length;
        let text: Vec<u8> = payload.into_pieces().flat_map(Vec::from).collect();
        assert_eq!(text.len() as u64, length);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_payload_is_what_the_protocol_shows() {
        let frames = [frame::text("4hello"), Bare::Ping.frame(), frame::text("4world")];
        assert_eq!(written(frames), "4hello\x1e2\x1e4world");
        let binary = [[frame::text("4€"), frame::binary(&[1, 2, 3, 4])].concat().into()];
        assert_eq!(written(binary), "4€\x1ebAQIDBA==");
        assert_eq!(written([]), "");
    }

    #[test]
    fn packets_are_what_the_protocol_shows() {
        let packets = payload("4hello\x1e2\x1e4world\x1ebAQIDBA==".as_bytes(), 4).unwrap();
        let expected = [
            Packet::Message("hello".into()),
            Packet::Ping,
            Packet::Message("world".into()),
            Packet::Binary(Bytes::from_static(&[1, 2, 3, 4])),
        ];
        assert_eq!(packets, expected);
        assert_eq!(packet("2probe").unwrap(), Packet::PingUpgrade);
        for bad in ["", "abc", "4\x1e", "4a\x1e\x1e4b", "b=", "b*", "é"] {
            assert!(payload(bad.as_bytes(), 9).is_err(), "{bad:?}");
        }
        assert!(matches!(payload(b"2\x1e2\x1e2", 2), Err(BadPayload::TooMany(2))));
        assert!(matches!(payload(&[b'4', 0xFF], 2), Err(BadPayload::NotText)));
    }

    #[test]
    fn a_session_begins_with_what_the_protocol_shows() {
        let sid = Sid::new();
        let (ping_interval, ping_timeout) = (Duration::from_secs(25), Duration::from_secs(20));
        let upgrades = [TransportType::Websocket].into_iter().collect();
        let open = super::open(&OpenPacket { sid, upgrades, ping_interval, ping_timeout, max_payload: 9 });
        let frame::Framed::Text(text) = frame::messages(open).next().unwrap() else { panic!("text") };
        let json: serde_json::Value = serde_json::from_slice(text.strip_prefix(b"0").unwrap()).unwrap();
        assert_eq!(json["sid"], sid.as_str());
        assert_eq!(
            (&json["pingInterval"], &json["pingTimeout"], &json["maxPayload"]),
            (&25_000.into(), &20_000.into(), &9.into())
        );
        assert_eq!(json["upgrades"], serde_json::json!(["websocket"]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(messages in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200)), 1..9)) {
            let frames = messages.iter().map(|(text, bytes)| match text {
                true => frame::text(&format!("4{}", String::from_utf8_lossy(bytes).replace('\x1e', ""))),
                false => frame::binary(bytes),
            });
            let packets = payload(written(frames).as_bytes(), 9).unwrap();
            for (packet, (text, bytes)) in packets.into_iter().zip(&messages) {
                match packet {
                    Packet::Message(read) => prop_assert_eq!(read.as_str(), String::from_utf8_lossy(bytes).replace('\x1e', "")),
                    Packet::Binary(read) => prop_assert!(!text && read == bytes[..]),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = payload(&bytes, 20);
        }
    }
}
