//! Boxes, and the fields that they are made of, from bytes (ISO/IEC 14496-12 §4.2).
//!
//! What belongs here: sizes, types, big-endian numbers. What does not: what a box means.

use std::fmt;

use super::error::{Error, Malformed};

/// The type of a box: four bytes, most often letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub(super) [u8; 4]);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match str::from_utf8(&self.0) {
            Ok(text) if self.0.iter().all(u8::is_ascii_graphic) => f.write_str(text),
            _ => write!(f, "box {:08X}", u32::from_be_bytes(self.0)),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands before a box's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    /// Bytes of contents; `None` where they go on to the end of the stream.
    pub size: Option<u64>,
    /// Bytes of the header itself: 8 or 16.
    pub length: usize,
}

/// Reads the header at the start of `bytes`, which stand at `offset` in the stream; `None` where it is not whole yet.
pub(super) fn header(bytes: &[u8], offset: u64) -> Result<Option<Header>, Error> {
    let Some((&[a, b, c, d, e, f, g, h], rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let kind = Kind([e, f, g, h]);
    let (size, length) = match u32::from_be_bytes([a, b, c, d]) {
        0 => return Ok(Some(Header { kind, size: None, length: 8 })),
        1 => match rest.first_chunk() {
            Some(large) => (u64::from_be_bytes(*large), 16),
            None => return Ok(None),
        },
        size => (size.into(), 8),
    };
    match size.checked_sub(length as u64) {
        Some(size) => Ok(Some(Header { kind, size: Some(size), length })),
        None => Err(Error::Malformed { offset, element: Some(kind), what: Malformed::Size(size) }),
    }
}

/// A box that is whole in memory.
#[derive(Clone, Copy)]
pub(super) struct Whole<'a> {
    pub kind: Kind,
    /// Where its contents begin in the stream.
    pub offset: u64,
    pub data: &'a [u8],
}

impl<'a> Whole<'a> {
    /// The boxes in it.
    pub fn children(&self) -> Children<'a> {
        self.fields().children()
    }

    /// The one child of this kind.
    pub fn child(&self, kind: &[u8; 4]) -> Result<Whole<'a>, Error> {
        for child in self.children() {
            let child = child?;
            if child.kind.0 == *kind {
                return Ok(child);
            }
        }
        Err(self.malformed(Malformed::Missing(Kind(*kind))))
    }

    /// The fields in it.
    pub const fn fields(&self) -> Fields<'a> {
        Fields { kind: self.kind, offset: self.offset, rest: self.data }
    }

    /// The fields of a full box (§4.2.2), with its version and its flags.
    pub fn full(&self) -> Result<(u8, u32, Fields<'a>), Error> {
        let mut fields = self.fields();
        let word = fields.u32()?;
        let [version, ..] = word.to_be_bytes();
        Ok((version, word & 0xFF_FFFF, fields))
    }

    /// An error in this box.
    pub fn malformed(&self, what: Malformed) -> Error {
        Error::Malformed { offset: self.offset, element: Some(self.kind), what }
    }
}

/// Fields of a box, read one by one.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    /// The box.
    pub kind: Kind,
    /// Where the rest begins in the stream.
    pub offset: u64,
    pub rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], Error> {
        let (field, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed(Malformed::Short))?;
        self.rest = rest;
        self.offset += BYTES as u64;
        Ok(*field)
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(u8::from_be_bytes(self.take()?))
    }

    pub fn u16(&mut self) -> Result<u16, Error> {
        Ok(u16::from_be_bytes(self.take()?))
    }

    pub fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    pub fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    /// Four letters.
    pub fn kind(&mut self) -> Result<Kind, Error> {
        Ok(Kind(self.take()?))
    }

    /// So many bytes.
    pub fn bytes(&mut self, bytes: usize) -> Result<&'a [u8], Error> {
        let (bytes, rest) = self.rest.split_at_checked(bytes).ok_or_else(|| self.malformed(Malformed::Short))?;
        self.rest = rest;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }

    /// The boxes in the rest.
    pub const fn children(self) -> Children<'a> {
        Children { fields: self }
    }

    /// An error at the next field.
    pub const fn malformed(&self, what: Malformed) -> Error {
        Error::Malformed { offset: self.offset, element: Some(self.kind), what }
    }
}

/// The boxes in a box that is whole in memory. Ends after the first error.
pub(super) struct Children<'a> {
    fields: Fields<'a>,
}

impl<'a> Children<'a> {
    fn read(&mut self) -> Result<Whole<'a>, Error> {
        let (offset, parent) = (self.fields.offset, self.fields.kind);
        let past = |element| Error::Malformed { offset, element, what: Malformed::PastParent { parent } };
        let header = header(self.fields.rest, offset)?.ok_or_else(|| past(None))?;
        let contents = &self.fields.rest[header.length..];
        let size = header.size.map_or(Some(contents.len()), |size| usize::try_from(size).ok());
        let Some(data) = size.and_then(|size| contents.get(..size)) else { return Err(past(Some(header.kind))) };
        let child = Whole { kind: header.kind, offset: offset + header.length as u64, data };
        self.fields.rest = &contents[data.len()..];
        self.fields.offset = child.offset + data.len() as u64;
        Ok(child)
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Whole<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // Fewer than 8 bytes are no box: QuickTime ends lists of boxes with a zero of 4 bytes.
        if self.fields.rest.is_empty() || self.fields.rest == [0; 4] {
            return None;
        }
        let child = self.read();
        if child.is_err() {
            self.fields.rest = &[];
        }
        Some(child)
    }
}
