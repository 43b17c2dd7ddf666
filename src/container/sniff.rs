//! Which container a stream of bytes begins with, told by its first bytes.
//!
//! What belongs here: magic numbers. What does not: whether the rest of the stream keeps what they promise.

use std::fmt;

/// A container that we know by its first bytes; not all of them are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// WebM or Matroska: the ID of an EBML header, `1A 45 DF A3` (RFC 8794 §11.2.1).
    WebM,
    /// Ogg: `OggS` (RFC 3533 §6).
    Ogg,
    /// MP4: a box of type `ftyp` (ISO/IEC 14496-12 §4.3).
    Mp4,
    /// WAV: `RIFF`, or `RF64` and `BW64` where it may be longer than 4 GiB (EBU Tech 3306 §3, ITU-R BS.2088).
    Wav,
    /// FLAC: `fLaC` (RFC 9639 §6).
    Flac,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebM => "WebM",
            Self::Ogg => "Ogg",
            Self::Mp4 => "MP4",
            Self::Wav => "WAV",
            Self::Flac => "FLAC",
        })
    }
}

/// What the first bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sniffed {
    /// They open a stream of this kind.
    Kind(Kind),
    /// They may become one: the next byte may decide it. Never said of 8 bytes or more.
    Prefix,
    /// They open none, whatever follows.
    Other,
}

/// Tells the container that `bytes` begin.
///
/// No bytes at all are a prefix: everything may follow, and holding them costs nothing. The magic numbers but one stand
/// at the start, so one byte decides most messages. `ftyp` stands behind the size of its box, which a prefix is only believed
/// for where it is the size that a `ftyp` can have: 8 bytes to 64 KiB. So bytes that are none of ours are called so at the
/// first byte that differs.
#[must_use]
pub fn sniff(bytes: &[u8]) -> Sniffed {
    const MAGIC: [(&[u8; 4], Kind); 6] = [
        (&[0x1A, 0x45, 0xDF, 0xA3], Kind::WebM),
        (b"OggS", Kind::Ogg),
        (b"RIFF", Kind::Wav),
        (b"RF64", Kind::Wav),
        (b"BW64", Kind::Wav),
        (b"fLaC", Kind::Flac),
    ];
    if let Some((_, kind)) = MAGIC.into_iter().find(|(magic, _)| bytes.starts_with(*magic)) {
        return Sniffed::Kind(kind);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Sniffed::Kind(Kind::Mp4);
    }
    if MAGIC.into_iter().any(|(magic, _)| magic.starts_with(bytes)) || may_become_mp4(bytes) {
        return Sniffed::Prefix;
    }
    Sniffed::Other
}

/// Whether fewer than 8 bytes can be the start of a `ftyp` box.
fn may_become_mp4(bytes: &[u8]) -> bool {
    let plausible_size = match bytes {
        [] | [0] | [0, 0] | [0, 0, _] => true,
        [0, 0, high, low, ..] => u16::from_be_bytes([*high, *low]) >= 8,
        _ => false,
    };
    plausible_size && b"ftyp".starts_with(bytes.get(4..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENINGS: [(&[u8], Kind); 7] = [
        (&[0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42, 0x86, 0x81], Kind::WebM),
        (b"OggS\0\x02\0\0", Kind::Ogg),
        (b"\0\0\0\x1Cftypiso5", Kind::Mp4),
        (b"RIFF\0\0\0\0WAVE", Kind::Wav),
        (b"RF64\xFF\xFF\xFF\xFFWAVE", Kind::Wav),
        (b"BW64\xFF\xFF\xFF\xFFWAVE", Kind::Wav),
        (b"fLaC\0\0\0\x22", Kind::Flac),
    ];

    #[test]
    fn every_opening_is_a_prefix_until_it_is_a_kind() {
        for (opening, kind) in OPENINGS {
            let magic = if kind == Kind::Mp4 { 8 } else { 4 };
            for length in 0..=opening.len() {
                let expected = if length < magic { Sniffed::Prefix } else { Sniffed::Kind(kind) };
                assert_eq!(sniff(&opening[..length]), expected, "{kind:?}, {length} bytes");
            }
        }
    }

    #[test]
    fn what_cannot_become_a_container_is_other_at_once() {
        for bytes in [&[65_u8; 1024][..], &[65], b"Og ", b"OggT", b"fLaX", b"RIFX", &[0x1A, 0x45, 0xDF, 0xA4]] {
            assert_eq!(sniff(bytes), Sniffed::Other, "{bytes:?}");
        }
        // Sizes that no ftyp has, another box, and silence as PCM.
        for bytes in [&[0, 0, 0, 7][..], &[0, 1], &[1], b"\0\0\0\x20m", b"\0\0\0\x20moov", &[0; 8], &[0; 480]] {
            assert_eq!(sniff(bytes), Sniffed::Other, "{bytes:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_other_stays_other_and_a_kind_stays_a_kind(
            bytes in proptest::collection::vec(proptest::prop_oneof![
                proptest::num::u8::ANY,
                proptest::sample::select(b"\0\x1A\x45\xDF\xA3OggSRIFFfLaCtyp".to_vec()),
            ], 0..16)
        ) {
            let verdicts: Vec<Sniffed> = (0..=bytes.len()).map(|length| sniff(&bytes[..length])).collect();
            for pair in verdicts.windows(2) {
                // `ftyp` behind an implausible size is known once it is whole, not before.
                if pair[0] != Sniffed::Prefix && pair[1] != Sniffed::Kind(Kind::Mp4) {
                    proptest::prop_assert_eq!(pair[0], pair[1]);
                }
            }
            proptest::prop_assert!(bytes.len() < 8 || verdicts[bytes.len()] != Sniffed::Prefix);
        }
    }
}
