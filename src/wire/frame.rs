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

fn message(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(0x80 | opcode);
    let length = payload.len();
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
    frame.put_slice(payload);
    frame.freeze()
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
    fn a_close_reason_is_cut_at_a_characters_edge() {
        let frame = close(1007, &"é".repeat(100));
        assert_eq!(&frame[..4], &[0x88, 124, 0x03, 0xEF]);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
