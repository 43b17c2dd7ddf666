//! WebSocket frames as bytes, from the server's side: made once, shared by every listener (RFC 6455 §5.2).
//!
//! Reading frames is `actix_http::ws::Codec`'s; only what is fanned out is made here.

use bytes::{BufMut, Bytes, BytesMut};

/// A whole unmasked text message in one frame.
#[must_use]
pub fn text(payload: &str) -> Bytes {
    message(0x1, payload.as_bytes())
}

/// A whole unmasked binary message in one frame.
#[must_use]
pub fn binary(payload: &[u8]) -> Bytes {
    message(0x2, payload)
}

/// What stands before a binary message of that length.
#[must_use]
pub fn binary_header(length: usize) -> Bytes {
    let mut header = BytesMut::with_capacity(HEADER);
    put_header(&mut header, 0x2, length);
    header.freeze()
}

/// A ping; its payload is empty.
#[must_use]
pub fn ping() -> Bytes {
    message(0x9, &[])
}

/// A pong that answers a ping. The payload of a control frame is at most 125 bytes; what is past that is cut.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    message(0xA, &payload[..payload.len().min(125)])
}

/// A close with its code and reason; the reason is cut to 123 bytes at a character's edge.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut payload = Vec::with_capacity(2 + reason.len());
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(123)]);
    message(0x8, &payload)
}

/// A message as one of our frames carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framed {
    /// Text.
    Text(Bytes),
    /// Binary.
    Binary(Bytes),
}

/// The messages in bytes that were made here: for a client that has no WebSocket yet. Control frames are left out.
pub fn messages(mut frames: Bytes) -> impl Iterator<Item = Framed> {
    std::iter::from_fn(move || {
        loop {
            let opcode = frames.first()? & 0x0F;
            let (header, length) = match *frames.get(1..)? {
                [126, a, b, ..] => (4, u64::from(u16::from_be_bytes([a, b]))),
                [127, a, b, c, d, e, f, g, h, ..] => (10, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
                [short, ..] => (2, u64::from(short)),
                [] => return None,
            };
            let end = usize::try_from(length).ok()?.checked_add(header).filter(|end| *end <= frames.len())?;
            let payload = frames.split_to(end).slice(header..);
            match opcode {
                0x1 => return Some(Framed::Text(payload)),
                0x2 => return Some(Framed::Binary(payload)),
                _ => {}
            }
        }
    })
}

fn message(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEADER + payload.len());
    put_header(&mut frame, opcode, payload.len());
    frame.put_slice(payload);
    frame.freeze()
}

/// The longest header.
const HEADER: usize = 10;

fn put_header(frame: &mut BytesMut, opcode: u8, length: usize) {
    frame.put_u8(0x80 | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => frame.put_u8(short),
        (_, Ok(medium)) => {
            frame.put_u8(126);
            frame.put_u16(medium);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_one_three_or_nine_bytes() {
        assert_eq!(&binary(&[7; 125])[..3], &[0x82, 125, 7]);
        assert_eq!(&binary(&[7; 126])[..5], &[0x82, 126, 0, 126, 7]);
        assert_eq!(&binary(&vec![7; 65_536])[..11], &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
        assert_eq!(&text("é")[..], &[0x81, 2, 0xC3, 0xA9]);
    }

    #[test]
    fn messages_come_out_of_frames_as_they_went_in_and_nothing_else_is_taken_for_one() {
        let (long, longer) = (vec![7; 300], vec![8; 70_000]);
        let frames = [text("é"), binary(b""), ping(), binary(&long), close(1000, "end"), binary(&longer)].concat();
        let expected = [
            Framed::Text("é".into()),
            Framed::Binary(Bytes::new()),
            Framed::Binary(long.into()),
            Framed::Binary(longer.into()),
        ];
        assert_eq!(messages(frames.clone().into()).collect::<Vec<_>>(), expected);
        assert_eq!(messages(frames[..frames.len() - 1].to_vec().into()).count(), 3);
        assert_eq!(messages(Bytes::from_static(&[0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255])).count(), 0);
    }

    #[test]
    fn a_close_reason_is_cut_at_a_characters_edge() {
        let frame = close(1007, &"é".repeat(100));
        assert_eq!(&frame[..4], &[0x88, 124, 0x03, 0xEF]);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
