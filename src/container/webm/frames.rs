//! The headers of FLAC and MP3 frames, as far as they tell how long a frame sounds.
//!
//! What belongs here: a few bytes of each. What does not: finding frames in a stream, which Matroska makes needless.

/// The STREAMINFO of a CodecPrivate that is `fLaC` and metadata blocks, of which it is the first (RFC 9639 §8.1, §8.2).
pub(super) fn stream_info(private: &[u8]) -> Option<&[u8; 34]> {
    let blocks = private.strip_prefix(b"fLaC")?;
    match blocks.split_first_chunk::<4>()? {
        ([0 | 0x80, 0, 0, 34], info) => info.first_chunk(),
        _ => None,
    }
}

/// The rate in Hz, the channels and the bits of a sample that a STREAMINFO tells (RFC 9639 §8.2).
pub(super) fn described(info: &[u8; 34]) -> (u32, u32, u32) {
    let packed = u32::from_be_bytes([info[10], info[11], info[12], info[13]]);
    (packed >> 12, (packed >> 9 & 0b111) + 1, (packed >> 4 & 0b1_1111) + 1)
}

/// The frames that a FLAC frame's header announces, 1 to 65536 (RFC 9639 §9.1); none where it is no header.
pub(super) fn flac(frame: &[u8]) -> Option<u64> {
    let [0xFF, 0xF8 | 0xF9, codes, _, number, ..] = *frame else { return None };
    // The coded number is as long as its first byte says, as in UTF-8.
    let after = match number.leading_ones() {
        0 => 5,
        ones @ 2..=7 => 4 + ones as usize,
        _ => return None,
    };
    let end = frame.get(after..)?;
    match codes >> 4 {
        1 => Some(192),
        code @ 2..=5 => Some(144 << code),
        6 => end.first().map(|last| u64::from(*last) + 1),
        7 => end.first_chunk().map(|last| u64::from(u16::from_be_bytes(*last)) + 1),
        code @ 8.. => Some(1 << code),
        _ => None,
    }
}

/// The rate in Hz and the frames that an MP3 frame's header announces (ISO/IEC 11172-3 §2.4.1.3, 13818-3); none where it is
/// no header of layer III.
pub(super) fn mp3(frame: &[u8]) -> Option<(u32, u64)> {
    let [0xFF, second, third, _, ..] = *frame else { return None };
    // Sync, and layer III.
    if second & 0xE6 != 0xE2 {
        return None;
    }
    let rate = *[44_100, 48_000, 32_000].get(usize::from(third >> 2 & 0b11))?;
    match second >> 3 & 0b11 {
        3 => Some((rate, 1152)),
        2 => Some((rate / 2, 576)),
        // MPEG-2.5, which no standard knows.
        0 => Some((rate / 4, 576)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_size_of_a_flac_frame_is_read_in_every_form() {
        let header = |code: u8, more: &[u8]| flac(&[&[0xFF, 0xF8, code << 4 | 9, 0x18, 0xC2, 0xA9], more].concat());
        let sizes = [192, 576, 1152, 2304, 4608].map(Some);
        assert_eq!([1, 2, 3, 4, 5].map(|code| header(code, &[0])), sizes);
        assert_eq!(header(6, &[0xFF]), Some(256));
        assert_eq!(header(7, &[0xFF, 0xFF]), Some(65_536));
        assert_eq!([8, 12, 15].map(|code| header(code, &[])), [256, 4096, 32_768].map(Some));
        assert_eq!(header(0, &[0; 9]), None);
        assert_eq!((header(6, &[]), header(7, &[1])), (None, None));
        assert_eq!(flac(&[0xFF, 0xF8, 0xC9, 0x18, 0xFF, 0, 0]), None);
    }

    #[test]
    fn the_length_of_an_mp3_frame_is_read_for_each_version() {
        assert_eq!(mp3(&[0xFF, 0xFB, 0x90, 0xC4]), Some((44_100, 1152)));
        assert_eq!(mp3(&[0xFF, 0xF3, 0x94, 0xC4]), Some((24_000, 576)));
        assert_eq!(mp3(&[0xFF, 0xE3, 0x98, 0xC4]), Some((8000, 576)));
        for none in [[0xFF, 0xFD, 0x90, 0], [0xFF, 0xFB, 0x9C, 0], [0xFF, 0xEB, 0x90, 0], [0xFE, 0xFB, 0x90, 0]] {
            assert_eq!(mp3(&none), None, "{none:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_frame_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..20)) {
            let _ = (flac(&bytes), mp3(&bytes), stream_info(&bytes));
        }
    }
}
