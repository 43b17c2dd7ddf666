//! SimpleBlock and Block: the track they belong to, their time, their frames (RFC 9559 §10).

use super::ebml::{self, Child};
use super::error::{Error, Malformed};

/// The longest header of a block: a track number of 8 bytes, the time, the flags.
pub(super) const LONGEST_HEADER: usize = 11;

/// A block's data, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// Its time, relative to its Cluster's, in the Segment's units.
    pub relative: i16,
    /// The frames: one, or where it is laced 1 to 256.
    pub frames: Vec<&'a [u8]>,
}

/// The number of the track that a block is of, from its first bytes.
pub(super) fn track(data: &[u8]) -> Option<u64> {
    ebml::vint(data).map(|number| number.value)
}

/// Takes a whole block apart.
pub(super) fn read<'a>(block: &Child<'a>) -> Result<Block<'a>, Error> {
    let short = || block.malformed(Malformed::BlockLength(block.data.len()));
    let number = ebml::vint(block.data).ok_or_else(short)?;
    let [high, low, flags, rest @ ..] = &block.data[number.length..] else { return Err(short()) };
    let frames = frames(*flags, rest).ok_or_else(|| block.malformed(Malformed::Lacing))?;
    Ok(Block { relative: i16::from_be_bytes([*high, *low]), frames })
}

/// The frames of a block with these flags, `None` where their sizes do not add up.
fn frames(flags: u8, data: &[u8]) -> Option<Vec<&[u8]>> {
    let lacing = (flags >> 1) & 0b11;
    if lacing == 0 {
        return Some(vec![data]);
    }
    let (&last, data) = data.split_first()?;
    let count = usize::from(last) + 1;
    match lacing {
        1 => xiph(count, data),
        2 => (data.len() % count == 0 && !data.is_empty()).then(|| data.chunks(data.len() / count).collect()),
        _ => ebml_lacing(count, data),
    }
}

/// Xiph lacing: each size but the last is a run of 255 and a byte below (RFC 9559 §10.3.2).
fn xiph(count: usize, mut data: &[u8]) -> Option<Vec<&[u8]>> {
    let mut sizes = Vec::with_capacity(count);
    for _ in 1..count {
        let mut size = 0;
        loop {
            let (&byte, rest) = data.split_first()?;
            data = rest;
            size += usize::from(byte);
            if byte != 255 {
                break;
            }
        }
        sizes.push(size);
    }
    cut(&sizes, data)
}

/// EBML lacing: the first size, then differences to the size before, all but the last (RFC 9559 §10.3.3).
fn ebml_lacing(count: usize, mut data: &[u8]) -> Option<Vec<&[u8]>> {
    let mut sizes: Vec<usize> = Vec::with_capacity(count);
    let mut size: i64 = 0;
    for index in 1..count {
        let number = ebml::vint(data)?;
        data = &data[number.length..];
        // At most 2^56, so nothing here overflows.
        let value = i64::try_from(number.value).ok()?;
        let bias = if index == 1 { 0 } else { (1 << (7 * number.length - 1)) - 1 };
        size = size.checked_add(value - bias)?;
        sizes.push(usize::try_from(size).ok()?);
    }
    cut(&sizes, data)
}

/// Cuts `data` into frames of these sizes, and one more of the rest.
fn cut<'a>(sizes: &[usize], mut data: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    let mut frames = Vec::with_capacity(sizes.len() + 1);
    for &size in sizes {
        let (frame, rest) = data.split_at_checked(size)?;
        frames.push(frame);
        data = rest;
    }
    frames.push(data);
    Some(frames)
}

#[cfg(test)]
mod tests {
    use super::super::ebml::Id;
    use super::*;

    fn block(data: &[u8]) -> Result<Block<'_>, Error> {
        read(&Child { id: Id::SIMPLE_BLOCK, offset: 50, data })
    }

    fn lengths(data: &[u8]) -> Vec<usize> {
        block(data).unwrap().frames.iter().map(|frame| frame.len()).collect()
    }

    #[test]
    fn a_block_has_a_track_a_signed_time_and_a_frame() {
        let data = [0x82, 0xFF, 0xFE, 0x00, 7, 8, 9];
        assert_eq!(track(&data), Some(2));
        assert_eq!(block(&data), Ok(Block { relative: -2, frames: vec![&[7, 8, 9]] }));
        assert_eq!(track(&[0x40, 0x81, 0, 0, 0]), Some(129));
    }

    // The examples of RFC 9559 §10.3: frames of 800, 500 and 1000 bytes.

    #[test]
    fn xiph_lacing_is_read_as_in_the_rfc() {
        let mut data = vec![0x81, 0, 0, 0x02, 2, 0xFF, 0xFF, 0xFF, 0x23, 0xFF, 0xF5];
        data.resize(data.len() + 2300, 1);
        assert_eq!(lengths(&data), [800, 500, 1000]);
    }

    #[test]
    fn ebml_lacing_is_read_as_in_the_rfc() {
        let mut data = vec![0x81, 0, 0, 0x06, 2, 0x43, 0x20, 0x5E, 0xD3];
        data.resize(data.len() + 2300, 1);
        assert_eq!(lengths(&data), [800, 500, 1000]);
    }

    #[test]
    fn fixed_lacing_shares_evenly() {
        assert_eq!(lengths(&[0x81, 0, 0, 0x04, 2, 1, 1, 2, 2, 3, 3]), [2, 2, 2]);
        assert_eq!(block(&[0x81, 0, 0, 0x04, 2, 1, 1, 2, 2]).unwrap_err(), lacing());
    }

    #[test]
    fn sizes_that_do_not_add_up_are_refused() {
        for data in [
            &[0x81, 0, 0, 0x02][..],
            &[0x81, 0, 0, 0x02, 1, 9, 1, 1],
            &[0x81, 0, 0, 0x02, 1, 255],
            &[0x81, 0, 0, 0x04, 1],
            &[0x81, 0, 0, 0x06, 1, 0x89, 1],
            &[0x81, 0, 0, 0x06, 2, 0x81, 0x80, 1, 1],
            &[0x81, 0, 0, 0x06, 1, 0, 1],
        ] {
            assert_eq!(block(data).unwrap_err(), lacing(), "{data:?}");
        }
        for data in [&[][..], &[0x81], &[0x81, 0, 0], &[0, 0, 0, 0]] {
            let what = Malformed::BlockLength(data.len());
            assert_eq!(
                block(data).unwrap_err(),
                Error::Malformed { offset: 50, element: Some(Id::SIMPLE_BLOCK), what }
            );
        }
    }

    fn lacing() -> Error {
        Error::Malformed { offset: 50, element: Some(Id::SIMPLE_BLOCK), what: Malformed::Lacing }
    }
}
