//! A WebSocket frame as a client sends it. The benchmark of the fan-out takes this file in too.

/// The bit of a message's last frame (RFC 6455 §5.2).
pub const LAST: u8 = 0x80;

/// A frame with this first byte, masked with zeroes, which costs the hub the same.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => frame.push(0x80 | short),
        (_, Ok(medium)) => {
            frame.push(0x80 | 126);
            frame.extend(medium.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}
