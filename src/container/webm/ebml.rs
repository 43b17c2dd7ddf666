//! EBML: elements, and the variable-size integers that they are made of, to and from bytes.
//!
//! What belongs here: RFC 8794, as far as Matroska needs it. What does not: what an element means.

use std::fmt;

use super::error::{Error, Malformed};

/// An element's ID as it stands in the stream, with its marker bit: 1 to 4 bytes (RFC 8794 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(pub(super) u32);

macro_rules! elements {
    ($($constant:ident = $id:literal, $name:literal;)*) => {
        /// The elements that we read or write, by the names of RFC 8794 §11 and RFC 9559 §5.
        impl Id {
            $(pub(super) const $constant: Self = Self($id);)*

            /// The element's name in its specification, where it is one that we know.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($id => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

elements! {
    EBML = 0x1A45_DFA3, "EBML";
    EBML_VERSION = 0x4286, "EBMLVersion";
    EBML_READ_VERSION = 0x42F7, "EBMLReadVersion";
    EBML_MAX_ID_LENGTH = 0x42F2, "EBMLMaxIDLength";
    EBML_MAX_SIZE_LENGTH = 0x42F3, "EBMLMaxSizeLength";
    DOC_TYPE = 0x4282, "DocType";
    DOC_TYPE_VERSION = 0x4287, "DocTypeVersion";
    DOC_TYPE_READ_VERSION = 0x4285, "DocTypeReadVersion";
    VOID = 0xEC, "Void";
    CRC_32 = 0xBF, "CRC-32";
    SEGMENT = 0x1853_8067, "Segment";
    SEEK_HEAD = 0x114D_9B74, "SeekHead";
    SEEK = 0x4DBB, "Seek";
    SEEK_ID = 0x53AB, "SeekID";
    SEEK_POSITION = 0x53AC, "SeekPosition";
    INFO = 0x1549_A966, "Info";
    TIMESTAMP_SCALE = 0x2A_D7B1, "TimestampScale";
    DURATION = 0x4489, "Duration";
    DATE_UTC = 0x4461, "DateUTC";
    TITLE = 0x7BA9, "Title";
    MUXING_APP = 0x4D80, "MuxingApp";
    WRITING_APP = 0x5741, "WritingApp";
    TRACKS = 0x1654_AE6B, "Tracks";
    TRACK_ENTRY = 0xAE, "TrackEntry";
    TRACK_NUMBER = 0xD7, "TrackNumber";
    TRACK_UID = 0x73C5, "TrackUID";
    TRACK_TYPE = 0x83, "TrackType";
    FLAG_DEFAULT = 0x88, "FlagDefault";
    FLAG_LACING = 0x9C, "FlagLacing";
    NAME = 0x536E, "Name";
    LANGUAGE = 0x22_B59C, "Language";
    CODEC_ID = 0x86, "CodecID";
    CODEC_PRIVATE = 0x63A2, "CodecPrivate";
    CODEC_DELAY = 0x56AA, "CodecDelay";
    SEEK_PRE_ROLL = 0x56BB, "SeekPreRoll";
    CONTENT_ENCODINGS = 0x6D80, "ContentEncodings";
    AUDIO = 0xE1, "Audio";
    SAMPLING_FREQUENCY = 0xB5, "SamplingFrequency";
    CHANNELS = 0x9F, "Channels";
    BIT_DEPTH = 0x6264, "BitDepth";
    CLUSTER = 0x1F43_B675, "Cluster";
    TIMESTAMP = 0xE7, "Timestamp";
    SIMPLE_BLOCK = 0xA3, "SimpleBlock";
    BLOCK_GROUP = 0xA0, "BlockGroup";
    BLOCK = 0xA1, "Block";
    ENCRYPTED_BLOCK = 0xAF, "EncryptedBlock";
    CUES = 0x1C53_BB6B, "Cues";
    CUE_POINT = 0xBB, "CuePoint";
    CUE_TIME = 0xB3, "CueTime";
    CUE_TRACK_POSITIONS = 0xB7, "CueTrackPositions";
    CUE_TRACK = 0xF7, "CueTrack";
    CUE_CLUSTER_POSITION = 0xF1, "CueClusterPosition";
    CUE_RELATIVE_POSITION = 0xF0, "CueRelativePosition";
    TAGS = 0x1254_C367, "Tags";
    TAG = 0x7373, "Tag";
    TARGETS = 0x63C0, "Targets";
    TARGET_TYPE_VALUE = 0x68CA, "TargetTypeValue";
    TARGET_TYPE = 0x63CA, "TargetType";
    SIMPLE_TAG = 0x67C8, "SimpleTag";
    TAG_NAME = 0x45A3, "TagName";
    TAG_LANGUAGE = 0x447A, "TagLanguage";
    TAG_STRING = 0x4487, "TagString";
    CHAPTERS = 0x1043_A770, "Chapters";
    EDITION_ENTRY = 0x45B9, "EditionEntry";
    CHAPTER_ATOM = 0xB6, "ChapterAtom";
    CHAPTER_UID = 0x73C4, "ChapterUID";
    CHAPTER_TIME_START = 0x91, "ChapterTimeStart";
    CHAPTER_TIME_END = 0x92, "ChapterTimeEnd";
    CHAPTER_DISPLAY = 0x80, "ChapterDisplay";
    CHAP_STRING = 0x85, "ChapString";
    CHAP_LANGUAGE = 0x437C, "ChapLanguage";
    ATTACHMENTS = 0x1941_A469, "Attachments";
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "element {:X}", self.0),
        }
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The size of an element whose size its writer does not know, in 8 bytes.
pub(super) const UNKNOWN_SIZE: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// What stands before an element's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub id: Id,
    /// Bytes of data, `None` for a size that the writer did not know (RFC 8794 §6.2).
    pub size: Option<u64>,
    /// Bytes of the header itself, 2 to 12.
    pub length: usize,
}

/// Reads the header at the start of `bytes`, which stand at `offset` in the stream; `None` where it is not whole yet.
pub(super) fn header(bytes: &[u8], offset: u64) -> Result<Option<Header>, Error> {
    let malformed = |id, what| Err(Error::Malformed { offset, element: id, what });
    let Some(&first) = bytes.first() else { return Ok(None) };
    let id_length = first.leading_zeros() as usize + 1;
    if id_length > 4 {
        return malformed(None, Malformed::Id(first));
    }
    let Some((id_bytes, rest)) = bytes.split_at_checked(id_length) else { return Ok(None) };
    let id = Id(id_bytes.iter().fold(0, |id, &byte| id << 8 | u32::from(byte)));
    let Some(size) = vint(rest) else {
        return match rest.first() {
            Some(0) => malformed(Some(id), Malformed::SizeLength),
            _ => Ok(None),
        };
    };
    let length = id_length + size.length;
    Ok(Some(Header { id, size: (!size.all_ones()).then_some(size.value), length }))
}

/// A variable-size integer without its marker bit (RFC 8794 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vint {
    /// At most 2^56 - 1.
    pub value: u64,
    /// Bytes, 1 to 8.
    pub length: usize,
}

impl Vint {
    /// The reserved value with all data bits set.
    pub const fn all_ones(self) -> bool {
        self.value == (1 << (7 * self.length)) - 1
    }
}

/// Reads the variable-size integer at the start of `bytes`; `None` where it is not whole, or begins with a zero byte and
/// so is longer than 8 bytes.
pub(super) fn vint(bytes: &[u8]) -> Option<Vint> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let all = bytes.get(..length)?.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    // The marker is the bit above 7 data bits a byte.
    Some(Vint { value: all & ((1 << (7 * length)) - 1), length })
}

/// The children of a master element that is whole in memory. Ends after the first error.
pub(super) struct Children<'a> {
    rest: &'a [u8],
    offset: u64,
    parent: Id,
}

/// One child, with its data.
#[derive(Clone, Copy)]
pub(super) struct Child<'a> {
    pub id: Id,
    /// Where its data begin in the stream.
    pub offset: u64,
    pub data: &'a [u8],
}

impl<'a> Children<'a> {
    /// The children in `data`, which stand at `offset` in the stream and are the whole of `parent`.
    pub fn new(parent: Id, data: &'a [u8], offset: u64) -> Self {
        Self { rest: data, offset, parent }
    }

    fn read(&mut self) -> Result<Child<'a>, Error> {
        let past_parent = |element| Error::Malformed {
            offset: self.offset,
            element,
            what: Malformed::PastParent { parent: self.parent },
        };
        let header = header(self.rest, self.offset)?.ok_or_else(|| past_parent(None))?;
        let Some(size) = header.size else {
            let what = Malformed::UnknownSize;
            return Err(Error::Malformed { offset: self.offset, element: Some(header.id), what });
        };
        let whole = usize::try_from(size).ok().and_then(|size| self.rest[header.length..].get(..size));
        let data = whole.ok_or_else(|| past_parent(Some(header.id)))?;
        let offset = self.offset + header.length as u64;
        self.rest = &self.rest[header.length + data.len()..];
        self.offset = offset + data.len() as u64;
        Ok(Child { id: header.id, offset, data })
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Child<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let child = self.read();
        if child.is_err() {
            self.rest = &[];
        }
        Some(child)
    }
}

impl<'a> Child<'a> {
    /// An unsigned integer of 0 to 8 bytes (RFC 8794 §7.2).
    pub fn unsigned(&self) -> Result<u64, Error> {
        if self.data.len() > 8 {
            return Err(self.malformed(Malformed::NumberLength(self.data.len())));
        }
        Ok(self.data.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// A float of 0, 4 or 8 bytes (RFC 8794 §7.3); `None` where it is longer or shorter.
    pub fn float(&self) -> Option<f64> {
        match *self.data {
            [] => Some(0.0),
            [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
            [a, b, c, d, e, f, g, h] => Some(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
            _ => None,
        }
    }

    /// A string, up to its first zero byte (RFC 8794 §7.4); what is not UTF-8 in it is replaced, and what is past 64
    /// characters cut, since it is only compared and told to people.
    pub fn text(&self) -> String {
        let end = self.data.iter().position(|&byte| byte == 0).unwrap_or(self.data.len());
        String::from_utf8_lossy(&self.data[..end]).chars().take(64).collect()
    }

    /// The children of this element.
    pub fn children(&self) -> Children<'a> {
        Children::new(self.id, self.data, self.offset)
    }

    /// An error in this element.
    pub fn malformed(&self, what: Malformed) -> Error {
        Error::Malformed { offset: self.offset, element: Some(self.id), what }
    }
}

/// Appends an element's ID.
pub(super) fn put_id(to: &mut Vec<u8>, id: Id) {
    let bytes = id.0.to_be_bytes();
    to.extend_from_slice(&bytes[id.0.leading_zeros() as usize / 8..]);
}

/// Appends a size in the fewest bytes: at most 2^56 - 2.
pub(super) fn put_size(to: &mut Vec<u8>, size: usize) {
    let size = size as u64;
    // All data bits set would mean "unknown".
    let length = (1..8).find(|length| size < (1 << (7 * length)) - 1).unwrap_or(8);
    let marked = size | 1 << (7 * length);
    to.extend_from_slice(&marked.to_be_bytes()[8 - length..]);
}

/// Appends a whole element.
pub(super) fn put(to: &mut Vec<u8>, id: Id, data: &[u8]) {
    put_id(to, id);
    put_size(to, data.len());
    to.extend_from_slice(data);
}

/// Appends an unsigned integer in the fewest bytes, at least one.
pub(super) fn put_unsigned(to: &mut Vec<u8>, id: Id, value: u64) {
    let bytes = value.to_be_bytes();
    put(to, id, &bytes[(value.leading_zeros() as usize / 8).min(7)..]);
}

/// Appends a float of 8 bytes.
pub(super) fn put_float(to: &mut Vec<u8>, id: Id, value: f64) {
    put(to, id, &value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_takes_the_fewest_bytes_and_is_never_the_reserved_one() {
        for (size, length) in [(0, 1), (126, 1), (127, 2), (16_382, 2), (16_383, 3), (2_097_151, 4), (1 << 49, 8)] {
            let mut bytes = Vec::new();
            put_size(&mut bytes, size);
            assert_eq!(bytes.len(), length, "{size}");
            assert_eq!(vint(&bytes), Some(Vint { value: size as u64, length }));
            assert!(!vint(&bytes).unwrap().all_ones());
        }
    }

    #[test]
    fn a_header_is_read_once_it_is_whole() {
        let bytes = [0x1F, 0x43, 0xB6, 0x75, 0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        for length in 0..bytes.len() {
            assert_eq!(header(&bytes[..length], 0), Ok(None), "{length}");
        }
        assert_eq!(header(&bytes, 0), Ok(Some(Header { id: Id::CLUSTER, size: None, length: 12 })));
        assert_eq!(header(&[0xEC, 0x83], 0), Ok(Some(Header { id: Id::VOID, size: Some(3), length: 2 })));
    }

    #[test]
    fn a_header_that_cannot_be_one_is_an_error_at_its_offset() {
        let error = header(&[0x08], 7).unwrap_err();
        assert_eq!(error, Error::Malformed { offset: 7, element: None, what: Malformed::Id(8) });
        let error = header(&[0xA3, 0], 7).unwrap_err();
        assert_eq!(error, Error::Malformed { offset: 7, element: Some(Id::SIMPLE_BLOCK), what: Malformed::SizeLength });
    }

    #[test]
    fn numbers_take_the_fewest_bytes() {
        let mut bytes = Vec::new();
        put_unsigned(&mut bytes, Id::TRACK_NUMBER, 0);
        put_unsigned(&mut bytes, Id::TIMESTAMP_SCALE, 1_000_000);
        assert_eq!(bytes, [0xD7, 0x81, 0, 0x2A, 0xD7, 0xB1, 0x83, 0x0F, 0x42, 0x40]);
        let read: Vec<u64> =
            Children::new(Id::INFO, &bytes, 0).map(|child| child.unwrap().unsigned().unwrap()).collect();
        assert_eq!(read, [0, 1_000_000]);
    }

    #[test]
    fn a_child_longer_than_its_parent_ends_the_children() {
        let mut children = Children::new(Id::INFO, &[0xEC, 0x84, 0, 0], 100);
        let error = children.next().unwrap().err().unwrap();
        let what = Malformed::PastParent { parent: Id::INFO };
        assert_eq!(error, Error::Malformed { offset: 100, element: Some(Id::VOID), what });
        assert!(children.next().is_none());
    }
}
