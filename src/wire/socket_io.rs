//! Socket.IO 5: what its packets say, and the events that the hub sends (`socketio/socket.io-protocol`, revision 5).
//!
//! What belongs here: packets to values and back, by `socketioxide-core` and its parser, and the names of events. What does
//! not: what an event does (`edge::socket_io`), who gets one (`hub`).
//!
//! There is one namespace, `/`. A binary event is a text with a placeholder for each attachment, and the attachments
//! behind it, each a message of its own; here both are one frame's bytes, so that they are made once and written
//! together.

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::Value as Json;
use socketioxide_core::packet::{Packet, PacketData};
use socketioxide_core::parser::{Parse as _, ParseConfig, ParseError, ParserState};
use socketioxide_core::{Str, Value};
use socketioxide_parser_common::CommonParser;
use uuid::Uuid;

use super::frame;
use super::v1::Participant;

/// The one namespace.
pub const NAMESPACE: &str = "/";

/// Sound, or any other binary: both ways.
pub const CHUNK: &str = "chunk";
/// A line of chat: both ways.
pub const CHAT: &str = "chat";
/// Asks for a recording.
pub const PLAY: &str = "play";
/// A recording.
const AUDIO_FILE: &str = "audio file";
/// Someone who may speak came.
const JOINED: &str = "joined";
/// Someone who could speak went.
const LEFT: &str = "left";
/// Something went wrong; where the session has to end for it, this comes before.
const ERROR: &str = "error";

/// The most attachments of one event.
pub const MOST_ATTACHMENTS: usize = 256;
/// What an event must not be called: these are the library's own.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// What a client says.
#[derive(Clone, Debug, PartialEq)]
pub enum FromClient {
    /// Comes into a namespace.
    Connect {
        /// Which.
        namespace: String,
    },
    /// Leaves one.
    Disconnect {
        /// Which.
        namespace: String,
    },
    /// Says something.
    Event(Event),
    /// Acknowledges an event of ours, which none asks for.
    Acknowledgement,
}

/// An event of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// In which namespace.
    pub namespace: String,
    /// What it is called.
    pub name: String,
    /// Its arguments, with placeholders where attachments were.
    pub arguments: Vec<Json>,
    /// Its attachments, in order, wherever in the arguments they were.
    pub attachments: Vec<Bytes>,
    /// The number with which it wants to be acknowledged.
    pub acknowledge: Option<i64>,
}

/// Why a message of a client is none.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no packet, or an attachment that belongs to none.
    #[error("a packet cannot be read: {0}")]
    Packet(#[from] ParseError),
    /// Its data are no event: a list whose first entry is the name.
    #[error("an event is a list that begins with its name, which is none of the library's own")]
    NoEvent,
    /// What it connects with is no object.
    #[error("what a client connects with is an object")]
    NoObject,
    /// The attachments are not those that the event speaks of.
    #[error("the event speaks of {placeholders} attachments and has {attachments}")]
    Attachments {
        /// How many it speaks of.
        placeholders: usize,
        /// How many it has.
        attachments: usize,
    },
}

impl Error {
    /// Whether it is more than an event may have, and nothing else is wrong with it.
    #[must_use]
    pub const fn is_too_large(&self) -> bool {
        matches!(self, Self::Packet(ParseError::TooManyAttachments { .. } | ParseError::AttachmentsTooHeavy { .. }))
    }
}

/// Puts a client's messages together: an event comes in as many as it has attachments, and one more. Holds one event
/// whose attachments have not all come, and no more of them than `most` bytes.
#[derive(Debug)]
pub struct Decoder {
    state: ParserState,
    config: ParseConfig,
}

impl Decoder {
    /// For events whose attachments have at most `most` bytes together.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let config = ParseConfig {
            max_incoming_binary_buf_size: most,
            max_incoming_binaries: MOST_ATTACHMENTS,
            ..ParseConfig::default()
        };
        Self { state: ParserState::default(), config }
    }

    /// A text message, without the Engine.IO type.
    ///
    /// # Errors
    /// Where it is no packet.
    pub fn text(&self, text: &str) -> Result<Option<FromClient>, Error> {
        read(CommonParser.decode_str(&self.config, &self.state, Str::copy_from_slice(text)))
    }

    /// A binary message.
    ///
    /// # Errors
    /// Where none is awaited.
    pub fn binary(&self, bytes: Bytes) -> Result<Option<FromClient>, Error> {
        read(CommonParser.decode_bin(&self.config, &self.state, bytes))
    }
}

fn read(packet: Result<Packet, ParseError>) -> Result<Option<FromClient>, Error> {
    let Packet { inner, ns } = match packet {
        Ok(packet) => packet,
        // The rest is on its way.
        Err(ParseError::NeedsMoreBinaryData) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // What stands behind a question mark was for other versions.
    let namespace = ns.split('?').next().unwrap_or_default().to_owned();
    Ok(Some(match inner {
        PacketData::Connect(data) => match data.as_ref().and_then(Value::as_str) {
            Some(data) if !matches!(serde_json::from_str(data), Ok(Json::Object(_))) => return Err(Error::NoObject),
            _ => FromClient::Connect { namespace },
        },
        PacketData::Disconnect => FromClient::Disconnect { namespace },
        // What looks like a place for an attachment is anything else where none are announced.
        PacketData::Event(data, acknowledge) => FromClient::Event(event(namespace, data, acknowledge)?),
        PacketData::BinaryEvent(data, acknowledge) => {
            let event = event(namespace, data, acknowledge)?;
            let (placeholders, attachments) = (event.arguments.iter().map(placeholders).sum(), event.attachments.len());
            if placeholders != attachments {
                return Err(Error::Attachments { placeholders, attachments });
            }
            FromClient::Event(event)
        }
        PacketData::EventAck(..) | PacketData::BinaryAck(..) => FromClient::Acknowledgement,
        PacketData::ConnectError(_) => return Err(ParseError::InvalidPacketType.into()),
    }))
}

fn event(namespace: String, data: Value, acknowledge: Option<i64>) -> Result<Event, Error> {
    let Value::Str(text, attachments) = data else { return Err(Error::NoEvent) };
    let Ok(Json::Array(list)) = serde_json::from_str(&text) else { return Err(Error::NoEvent) };
    let mut list = list.into_iter();
    let name = match list.next() {
        Some(Json::String(name)) => name,
        // The library allows it.
        Some(Json::Number(name)) => name.to_string(),
        _ => return Err(Error::NoEvent),
    };
    if RESERVED.contains(&name.as_str()) {
        return Err(Error::NoEvent);
    }
    let arguments: Vec<Json> = list.collect();
    let attachments: Vec<Bytes> = attachments.into_iter().flatten().collect();
    Ok(Event { namespace, name, arguments, attachments, acknowledge })
}

/// How many attachments a value speaks of. It is no deeper than what read it allows.
fn placeholders(value: &Json) -> usize {
    match value {
        Json::Object(object) if object.get("_placeholder") == Some(&Json::Bool(true)) => 1,
        Json::Object(object) => object.values().map(placeholders).sum(),
        Json::Array(list) => list.iter().map(placeholders).sum(),
        _ => 0,
    }
}

/// The client is in the namespace, under this ID: the one by which others know it there.
#[must_use]
pub fn connected(sid: Uuid) -> Bytes {
    #[derive(Serialize)]
    struct Connected {
        sid: Uuid,
    }
    let data = CommonParser.encode_default(&Connected { sid }).ok();
    packet(Packet::connect(NAMESPACE, data))
}

/// The client is not, and why.
#[must_use]
pub fn not_connected(namespace: &str, message: &str) -> Bytes {
    packet(Packet::connect_error(namespace.to_owned(), message))
}

/// The client is not in the namespace any more.
#[must_use]
pub fn disconnected() -> Bytes {
    packet(Packet::disconnect(NAMESPACE))
}

/// Answers an event.
#[must_use]
pub fn acknowledgement(number: i64, answer: &Json) -> Bytes {
    packet(Packet::ack(NAMESPACE, value(&(answer,), None), number))
}

/// Another's sound, or what else they sent: the event, and behind it the message that `framed` is already.
#[must_use]
pub fn chunk(from: &Participant, framed: &[u8]) -> Bytes {
    with_attachment(CHUNK, (Bytes::new(), Who::of(from)), framed)
}

/// What someone said.
#[must_use]
pub fn chat(from: &Participant, text: &str) -> Bytes {
    event_of(CHAT, &(text, Who::of(from)))
}

/// Someone who may speak came.
#[must_use]
pub fn joined(who: &Participant) -> Bytes {
    event_of(JOINED, &(Who::of(who),))
}

/// Someone who could speak went.
#[must_use]
pub fn left(who: &Participant) -> Bytes {
    event_of(LEFT, &(Who::of(who),))
}

/// Something went wrong: the code as in a close of a WebSocket, and a sentence.
#[must_use]
pub fn error(code: u16, message: &str) -> Bytes {
    #[derive(Serialize)]
    struct Wrong<'a> {
        code: u16,
        message: &'a str,
    }
    event_of(ERROR, &(Wrong { code, message },))
}

/// A recording, from somewhere on, `seconds` long.
#[must_use]
pub fn audio_file(recording: Uuid, seconds: f64, file: &[u8]) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct AudioFile {
        audio: bool,
        audio_buffer: Bytes,
        recording: Uuid,
        seconds: f64,
    }
    let told = AudioFile { audio: true, audio_buffer: Bytes::new(), recording, seconds };
    // The file is copied once: it may be long.
    let text = event_of(AUDIO_FILE, &(told,));
    let header = frame::binary_header(file.len());
    [&text[..], &header, file].concat().into()
}

/// Someone, as events tell of them.
#[derive(Serialize)]
struct Who<'a> {
    participant: Uuid,
    name: &'a str,
}

impl<'a> Who<'a> {
    fn of(Participant { id, name }: &'a Participant) -> Self {
        Self { participant: *id, name: name.as_str() }
    }
}

fn event_of(name: &str, arguments: &impl Serialize) -> Bytes {
    packet(Packet::event(NAMESPACE, value(arguments, Some(name))))
}

/// An event whose arguments hold the place of one attachment, which follows as the frame that it is.
fn with_attachment(name: &str, arguments: impl Serialize, framed: &[u8]) -> Bytes {
    let text = event_of(name, &arguments);
    let mut bytes = BytesMut::with_capacity(text.len() + framed.len());
    bytes.extend_from_slice(&text);
    bytes.extend_from_slice(framed);
    bytes.freeze()
}

fn value(arguments: &impl Serialize, event: Option<&str>) -> Value {
    // Text, numbers and what was JSON before: nothing that has no JSON.
    CommonParser.encode_value(arguments, event).expect("what we say is JSON")
}

/// A packet as the text message that it is in Engine.IO.
fn packet(packet: Packet) -> Bytes {
    let Value::Str(text, _) = CommonParser.encode(packet) else { return Bytes::new() };
    frame::text(&format!("4{text}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(frames: Bytes) -> String {
        let mut messages = frame::messages(frames);
        let Some(frame::Framed::Text(text)) = messages.next() else { panic!("text first") };
        String::from_utf8(text.to_vec()).unwrap()
    }

    fn ann() -> Participant {
        Participant { id: Uuid::from_u128(7), name: "Ann \"é\"".parse().unwrap() }
    }

    fn decoder() -> Decoder {
        Decoder::new(1000)
    }

    #[test]
    fn what_the_hub_says_is_as_the_protocol_shows() {
        let who = r#"{"participant":"00000000-0000-0000-0000-000000000007","name":"Ann \"é\""}"#;
        assert_eq!(text(chat(&ann(), "hi")), format!(r#"42["chat","hi",{who}]"#));
        assert_eq!(text(joined(&ann())), format!(r#"42["joined",{who}]"#));
        assert_eq!(text(left(&ann())), format!(r#"42["left",{who}]"#));
        assert_eq!(text(error(1009, "too large")), r#"42["error",{"code":1009,"message":"too large"}]"#);
        assert_eq!(text(disconnected()), "41");
        assert_eq!(text(not_connected("/admin", "no")), r#"44/admin,{"message":"no"}"#);
        assert_eq!(text(acknowledgement(12, &json!({ "ok": true }))), r#"4312[{"ok":true}]"#);
        let sid = Uuid::from_u128(7);
        assert_eq!(text(connected(sid)), format!(r#"40{{"sid":"{sid}"}}"#));
    }

    #[test]
    fn an_event_and_its_attachment_are_one_frame() {
        let sound = chunk(&ann(), &frame::binary(b"sound"));
        let messages: Vec<_> = frame::messages(sound.clone()).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[1], frame::Framed::Binary(Bytes::from_static(b"sound")));
        assert!(text(sound).starts_with(r#"451-["chunk",{"_placeholder":true,"num":0},{"participant":"#));
        let file = audio_file(Uuid::from_u128(1), 1.5, b"OggS");
        let told = r#"451-["audio file",{"audio":true,"audioBuffer":{"_placeholder":true,"num":0},"recording":"00000000-0000-0000-0000-000000000001","seconds":1.5}]"#;
        assert_eq!(text(file), told);
    }

    #[test]
    fn a_client_is_understood() {
        let one = |text: &str| decoder().text(text).unwrap().unwrap();
        assert_eq!(one("0"), FromClient::Connect { namespace: "/".into() });
        assert_eq!(one(r#"0/admin,{"token":1}"#), FromClient::Connect { namespace: "/admin".into() });
        assert_eq!(one("1"), FromClient::Disconnect { namespace: "/".into() });
        assert_eq!(one(r#"312["x"]"#), FromClient::Acknowledgement);
        let FromClient::Event(event) = one(r#"27["chat","a\u00e9","b"]"#) else { panic!() };
        assert_eq!((event.name.as_str(), event.acknowledge), ("chat", Some(7)));
        assert_eq!(event.arguments, [json!("aé"), json!("b")]);
        let FromClient::Event(event) = one(r#"2[1,{"_placeholder":true,"num":0}]"#) else { panic!() };
        assert_eq!((event.name.as_str(), event.attachments.len(), event.arguments.len()), ("1", 0, 1));
    }

    #[test]
    fn attachments_come_in_order_wherever_they_were() {
        let decoder = decoder();
        let text = r#"52-["chunk",{"deep":[{"_placeholder":true,"num":0}]},{"_placeholder":true,"num":1}]"#;
        assert_eq!(decoder.text(text).unwrap(), None);
        assert_eq!(decoder.binary(Bytes::from_static(b"a")).unwrap(), None);
        let Some(FromClient::Event(event)) = decoder.binary(Bytes::from_static(b"b")).unwrap() else { panic!() };
        assert_eq!(event.attachments, ["a", "b"]);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for bad in [
            "",
            "x",
            "7",
            "9[]",
            "2",
            "2{}",
            "2[]",
            "2[null]",
            "2[\"disconnect\"]",
            "2[\"a\"",
            "0{",
            "0[]",
            "3[]",
            "4{}",
            "5[]",
            "5-[]",
            "5x-[\"a\"]",
            "599999999999999999999-[\"a\"]",
            "5257-[\"a\"]",
            "51-",
            "50-[\"a\",{\"_placeholder\":true,\"num\":0}]",
        ] {
            let read = decoder();
            let text = read.text(bad);
            let after = match text {
                Ok(None) => read.binary(Bytes::new()).map(|_| ()),
                other => other.map(|_| ()),
            };
            assert!(after.is_err(), "{bad:?}");
        }
        assert!(decoder().binary(Bytes::new()).is_err(), "no event awaits it");
        assert!(decoder().text(&format!("2[\"a\",{}1{}]", "[".repeat(500), "]".repeat(500))).is_err());
        let heavy = decoder();
        assert!(heavy.text(r#"51-["chunk",{"_placeholder":true,"num":0}]"#).unwrap().is_none());
        assert!(heavy.binary(Bytes::from(vec![0; 1001])).is_err());
        let interrupted = decoder();
        assert!(interrupted.text(r#"51-["chunk",{"_placeholder":true,"num":0}]"#).unwrap().is_none());
        assert!(interrupted.text("2[\"chat\",\"x\"]").is_err());
    }

    proptest! {
        #[test]
        fn an_event_of_ours_is_one_for_a_client_too(said in ".{0,80}") {
            let told = text(chat(&ann(), &said));
            let Some(FromClient::Event(event)) = decoder().text(&told[1..]).unwrap() else { panic!() };
            prop_assert_eq!(&event.arguments[0], &json!(said));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            for kind in ["", "0", "1", "2", "3", "4", "51-", "6", "61-/a,"] {
                let decoder = decoder();
                let _ = decoder.text(&format!("{kind}{text}"));
                let _ = decoder.binary(Bytes::from(bytes.clone()));
            }
        }
    }
}
