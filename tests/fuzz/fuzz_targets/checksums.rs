//! Checksums that are right, so that what is behind them is reached.

/// Puts the checksums of Ogg pages right (RFC 3533 §6).
pub fn put_right_ogg(bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(rest) = bytes.get_mut(from..) {
        let Some(&count) = rest.get(26) else { break };
        let Some(lacing) = rest.get(27..27 + usize::from(count)) else { break };
        let length = 27 + lacing.len() + lacing.iter().map(|&value| usize::from(value)).sum::<usize>();
        let Some(page) = rest.get_mut(..length) else { break };
        page[..4].copy_from_slice(b"OggS");
        page[22..26].fill(0);
        let crc = page.iter().fold(0_u32, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 })
        });
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        from += length;
    }
}
