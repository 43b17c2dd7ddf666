//! Tags: what players put around the sound.

/// What begins at some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// A tag of so many bytes.
    Whole(u64),
    /// Perhaps one, when more bytes have come.
    Unclear,
    /// None.
    Nothing,
}

/// The tag that `bytes` begin with. At 32 bytes it is clear whether there is one.
pub(super) fn read(bytes: &[u8]) -> Tag {
    const MARKS: [&[u8]; 3] = [b"ID3", b"APETAGEX", b"TAG+"];
    match bytes {
        [b'I', b'D', b'3', start @ ..] => id3v2(start),
        [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', start @ ..] => ape(start),
        // ID3v1, and its enhanced form, which stands before it.
        [b'T', b'A', b'G', b'+', ..] => Tag::Whole(227),
        [b'T', b'A', b'G', _, ..] => Tag::Whole(128),
        _ if MARKS.iter().any(|mark| mark.starts_with(bytes)) => Tag::Unclear,
        _ => Tag::Nothing,
    }
}

/// ID3v2 §3.1: ten bytes, the last four its length in sevens of bits; and ten more behind it where there is a footer.
fn id3v2(start: &[u8]) -> Tag {
    let &[_, _, flags, l0, l1, l2, l3, ..] = start else { return Tag::Unclear };
    let sevens = [l0, l1, l2, l3];
    if sevens.iter().any(|seven| *seven > 0x7F) {
        return Tag::Nothing;
    }
    let length = sevens.into_iter().fold(0, |length, seven| length << 7 | u64::from(seven));
    Tag::Whole(length + if flags & 0x10 == 0 { 10 } else { 20 })
}

/// APEv2: 32 bytes, of which the length counts what follows a header. A footer alone has its items before it.
fn ape(start: &[u8]) -> Tag {
    let Some(&[_, _, _, _, l0, l1, l2, l3, _, _, _, _, _, _, _, flags, ..]) = start.first_chunk::<24>() else {
        return Tag::Unclear;
    };
    let is_header = flags & 0x20 != 0;
    Tag::Whole(if is_header { 32 + u64::from(u32::from_le_bytes([l0, l1, l2, l3])) } else { 32 })
}
