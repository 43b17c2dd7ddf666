//! A track as one file, as it was kept: its parts one behind the other.
//!
//! What belongs here: in what container there is such a file, and of which pieces it is. What does not: how it is sent or written.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use super::model::{Container, Edit};
use crate::container::wav::{data_offset, header_for};
use crate::media::pcm;
use crate::media::track::Format;

/// What the parts of a track are, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Ogg: one behind the other they are one file (RFC 3533 §4).
    Ogg,
    /// WAV with this head in all of them.
    Wav(pcm::Head),
    /// Not of one kind: each part is a file by itself.
    Apart,
}

impl Kept {
    /// What these parts are.
    pub fn of<'a>(formats: impl IntoIterator<Item = &'a Format>) -> Self {
        let kind = |format: &Format| match format {
            Format::Opus(_) => Self::Ogg,
            Format::Pcm(head) => Self::Wav(*head),
        };
        let one = formats.into_iter().map(kind).reduce(|one, other| if one == other { one } else { Self::Apart });
        one.unwrap_or(Self::Apart)
    }

    /// In what container all of it is kept.
    #[must_use]
    pub const fn container(self) -> Option<Container> {
        match self {
            Self::Ogg => Some(Container::Ogg),
            Self::Wav(_) => Some(Container::Wav),
            Self::Apart => None,
        }
    }

    /// Whether the parts themselves are what someone asked for: in this container, and all of the track. An edit that comes to that is
    /// written as the whole ([`Archive::edition`](super::Archive::edition)).
    #[must_use]
    pub fn is(self, container: Container, edit: &Edit) -> bool {
        edit.is_whole() && self.container() == Some(container)
    }

    /// The file of these parts, each with how much of it is durable: Ogg as they are; the samples of WAV behind a header that counts
    /// all of them, which for one part is that part. None of parts that are not of one kind.
    #[must_use]
    pub fn pieces(self, parts: impl IntoIterator<Item = (File, u64)>) -> Vec<Piece> {
        let head = match self {
            Self::Apart => return Vec::new(),
            Self::Ogg => {
                return parts.into_iter().map(|(file, bytes)| Piece { source: Source::File(file, 0), bytes }).collect();
            }
            Self::Wav(head) => head,
        };
        let (begin, frame) = (data_offset(head), head.frame_bytes() as u64);
        let samples = parts.into_iter().map(|(file, bytes)| {
            // Somebody may have cut the file where no frame ends.
            Piece { source: Source::File(file, begin), bytes: bytes.saturating_sub(begin) / frame * frame }
        });
        let mut pieces: Vec<_> = samples.collect();
        let header = header_for(head, pieces.iter().map(|piece| piece.bytes).sum());
        let bytes = header.len() as u64;
        pieces.insert(0, Piece { source: Source::Memory(header), bytes });
        pieces
    }
}

/// A piece of a file.
#[derive(Debug)]
pub struct Piece {
    /// Where it is from.
    pub source: Source,
    /// How much of that belongs to it.
    pub bytes: u64,
}

/// Where a piece is from.
#[derive(Debug)]
pub enum Source {
    /// The file from this byte on.
    File(File, u64),
    /// Bytes.
    Memory(Vec<u8>),
}

impl Piece {
    /// Reads it from its beginning to its end.
    ///
    /// # Errors
    /// Where the file cannot be read there.
    pub(super) fn reader(self) -> io::Result<Box<dyn Read>> {
        match self.source {
            Source::File(mut file, from) => {
                file.seek(SeekFrom::Start(from))?;
                Ok(Box::new(file.take(self.bytes)))
            }
            Source::Memory(bytes) => Ok(Box::new(io::Cursor::new(bytes))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::opus;
    use crate::media::pcm::Sample;

    #[test]
    fn parts_are_one_file_where_one_head_stands_for_all_of_them() {
        let opus = |channels| Format::Opus(opus::Head { channels, pre_skip: 0, input_rate: 0, output_gain: 0 });
        let head = |rate| pcm::Head::new(Sample::S16, rate, 1).unwrap();
        let wav = |rate| Format::Pcm(head(rate));
        assert_eq!(Kept::of(&[opus(1), opus(2)]), Kept::Ogg);
        assert_eq!(Kept::of(&[wav(8000), wav(8000)]), Kept::Wav(head(8000)));
        assert_eq!(Kept::of(&[wav(8000), wav(8001)]), Kept::Apart);
        assert_eq!(Kept::of(&[wav(8000), opus(1), wav(8000)]), Kept::Apart);
        assert_eq!(Kept::of(&[]), Kept::Apart);
    }
}
