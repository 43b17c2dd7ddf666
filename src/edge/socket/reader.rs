//! Bytes of a client to WebSocket messages (RFC 6455 §5). No IO.

use actix_codec::Decoder as _;
use actix_http::ws::{Codec, Frame, Item, ProtocolError};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    Text(ByteString),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// Nothing may follow. The code, where there is one.
    Close(Option<u16>),
}

/// What a client did wrong: the code and the reason to close with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: u16,
    pub(super) reason: String,
}

/// Push bytes until empty, pull events until none. Holds no buffer while there is nothing to hold, and never more than
/// one message at its limit and what one read brought.
#[derive(Debug)]
pub(super) struct Reader {
    bytes: BytesMut,
    codec: Codec,
    limit: usize,
    joined: Option<Joined>,
}

#[derive(Debug)]
struct Joined {
    text: bool,
    bytes: BytesMut,
}

/// The largest payload of a control frame (RFC 6455 §5.5).
const CONTROL: u64 = 125;

impl Reader {
    /// For messages of at most `limit` bytes, however many frames they come in. `early` was read already.
    pub(super) fn new(early: BytesMut, limit: usize) -> Self {
        let bytes = if early.is_empty() { BytesMut::new() } else { early };
        Self { bytes, codec: Codec::new().max_size(limit), limit, joined: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn next(&mut self) -> Result<Option<Event>, Violation> {
        loop {
            if self.bytes.is_empty() {
                self.bytes = BytesMut::new();
                return Ok(None);
            }
            // The codec refuses a frame that is too large only once all of it has come.
            self.check_announced()?;
            let Some(frame) = self.codec.decode(&mut self.bytes).map_err(|error| violation(&error))? else {
                return Ok(None);
            };
            let event = match frame {
                Frame::Text(bytes) => text(bytes)?,
                Frame::Binary(bytes) => Event::Binary(bytes),
                Frame::Ping(bytes) => Event::Ping(bytes),
                Frame::Pong(_) => Event::Pong,
                Frame::Close(reason) => Event::Close(reason.map(|reason| reason.code.into())),
                Frame::Continuation(item) => match self.join(item)? {
                    Some(event) => event,
                    None => continue,
                },
            };
            return Ok(Some(event));
        }
    }

    /// Looks at the length in the next frame's header (RFC 6455 §5.2), as far as it has come.
    fn check_announced(&self) -> Result<(), Violation> {
        let length = match self.bytes[..] {
            [_, second, ..] if second & 0x7F < 126 => u64::from(second & 0x7F),
            [_, second, a, b, ..] if second & 0x7F == 126 => u64::from(u16::from_be_bytes([a, b])),
            [_, _, a, b, c, d, e, f, g, h, ..] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => return Ok(()),
        };
        if self.bytes[0] & 0x08 != 0 {
            return if length <= CONTROL { Ok(()) } else { Err(protocol("a control frame is longer than 125 bytes")) };
        }
        let joined = self.joined.as_ref().map_or(0, |joined| joined.bytes.len());
        let left = self.limit - joined.min(self.limit);
        if length <= left as u64 {
            return Ok(());
        }
        Err(Violation { code: 1009, reason: format!("a message is larger than {} bytes", self.limit) })
    }

    fn join(&mut self, item: Item) -> Result<Option<Event>, Violation> {
        let (bytes, last) = match item {
            Item::FirstText(bytes) => {
                self.joined = Some(Joined { text: true, bytes: BytesMut::new() });
                (bytes, false)
            }
            Item::FirstBinary(bytes) => {
                self.joined = Some(Joined { text: false, bytes: BytesMut::new() });
                (bytes, false)
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        let Some(joined) = &mut self.joined else {
            return Err(protocol("a message is continued that has not begun"));
        };
        joined.bytes.extend_from_slice(&bytes);
        if !last {
            return Ok(None);
        }
        let joined = self.joined.take();
        joined
            .map(|Joined { text: is_text, bytes }| {
                let bytes = bytes.freeze();
                if is_text { text(bytes) } else { Ok(Event::Binary(bytes)) }
            })
            .transpose()
    }
}

fn text(bytes: Bytes) -> Result<Event, Violation> {
    let text = ByteString::try_from(bytes);
    text.map(Event::Text).map_err(|_| Violation { code: 1007, reason: "a text message is not UTF-8".to_owned() })
}

fn protocol(reason: &str) -> Violation {
    Violation { code: 1002, reason: reason.to_owned() }
}

fn violation(error: &ProtocolError) -> Violation {
    match error {
        ProtocolError::UnmaskedFrame => protocol("a frame is not masked"),
        ProtocolError::Io(error) => protocol(&format!("a frame cannot be read: {error}")),
        error => protocol(&format!("a frame cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame, with the length in the shortest form.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame = vec![first];
        let length = payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..=125), _) => frame.push(0x80 | short),
            (_, Ok(medium)) => {
                frame.push(0x80 | 126);
                frame.extend(medium.to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn reader() -> Reader {
        Reader::new(BytesMut::new(), 1000)
    }

    fn events(reader: &mut Reader) -> Result<Vec<Event>, Violation> {
        std::iter::from_fn(|| reader.next().transpose()).collect()
    }

    fn said() -> (Vec<u8>, Vec<Event>) {
        let bytes = [
            frame(0x81, b"text"),
            frame(0x02, b"bi"),
            frame(0x89, b"ping"),
            frame(0x00, b"na"),
            frame(0x80, b"ry"),
            frame(0x82, &[9; 1000]),
            frame(0x8A, b""),
            frame(0x88, &[0x0F, 0xA0]),
        ]
        .concat();
        let events = vec![
            Event::Text("text".into()),
            Event::Ping(Bytes::from_static(b"ping")),
            Event::Binary(Bytes::from_static(b"binary")),
            Event::Binary(Bytes::from_static(&[9; 1000])),
            Event::Pong,
            Event::Close(Some(4000)),
        ];
        (bytes, events)
    }

    #[test]
    fn messages_are_the_same_however_their_bytes_come() {
        let (bytes, expected) = said();
        for size in [1, 2, 3, 7, 100, 10_000] {
            let mut reader = reader();
            let mut got = Vec::new();
            for piece in bytes.chunks(size) {
                reader.push(piece);
                got.extend(events(&mut reader).unwrap());
            }
            assert_eq!(got, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn nothing_is_held_between_messages() {
        let mut reader = reader();
        reader.push(&said().0);
        events(&mut reader).unwrap();
        assert_eq!(reader.bytes.capacity(), 0);
        assert!(reader.joined.is_none());
    }

    #[test]
    fn what_is_too_large_is_refused_by_its_header() {
        let mut whole = reader();
        whole.push(&[0x82, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(whole.next().unwrap_err().code, 1009);

        let mut joined = reader();
        joined.push(&frame(0x02, &[0; 900]));
        joined.push(&frame(0x00, &[0; 101])[..4]);
        assert_eq!(joined.next().unwrap_err().code, 1009);

        let mut control = reader();
        control.push(&[0x89, 0xFE, 0x00, 0x7E]);
        assert_eq!(control.next().unwrap_err().code, 1002);
    }

    #[test]
    fn every_violation_has_its_code_and_a_reason() {
        let cases: [(&[u8], u16); 8] = [
            (&[0x81, 1, b'a'], 1002),
            (&frame(0x83, b""), 1002),
            (&frame(0xC1, b"compressed"), 1002),
            (&frame(0x80, b"no beginning"), 1002),
            (&[frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
            (&frame(0x09, b"a control frame in parts"), 1002),
            (&frame(0x81, &[0xFF]), 1007),
            (&[frame(0x01, &[0xC3]), frame(0x80, &[0x28])].concat(), 1007),
        ];
        for (bytes, code) in cases {
            let mut reader = reader();
            reader.push(bytes);
            let violation = events(&mut reader).unwrap_err();
            assert_eq!(violation.code, code, "{bytes:?}");
            assert!(!violation.reason.is_empty() && violation.reason.len() <= 123, "{violation:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..200)) {
            let mut reader = Reader::new(BytesMut::from(&bytes[..]), 100);
            let _ = events(&mut reader);
        }
    }
}
