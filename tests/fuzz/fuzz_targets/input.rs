//! What the targets share: how an input is read as a publisher's stream. Its first byte says what it begins as, and with 0x40
//! that checksums of Ogg are left as they are; its second says how it is cut.

#[path = "checksums.rs"]
mod checksums;

use roomtone::container::sniff::Kind;
use roomtone::container::stream::{Demux, Error, Event, Opening, demuxer};
use roomtone::media::pcm::{self, Sample};

/// The kinds that are told by their first bytes.
const KINDS: [Kind; 5] = [Kind::WebM, Kind::Ogg, Kind::Mp4, Kind::Wav, Kind::Flac];

/// An input as a stream.
pub struct Input {
    pub opening: Opening,
    /// How it is cut: the length of the first pieces.
    pub piece: usize,
    pub bytes: Vec<u8>,
}

impl Input {
    /// Reads an input; `None` where it is too short.
    pub fn read(input: &[u8]) -> Option<Self> {
        let [first, second, bytes @ ..] = input else { return None };
        let (opening, bytes) = match first & 0x0F {
            kind @ 0..=4 => (Opening::Sniffed(KINDS[usize::from(kind)]), bytes),
            5 => (Opening::Mp3, bytes),
            _ => {
                let [sample, low, high, bytes @ ..] = bytes else { return None };
                let rate = 8000 + u32::from(u16::from_le_bytes([*low, *high])) * 23_000 / 8_192;
                let head = pcm::Head::new(Sample::ALL[usize::from(sample & 3)], rate, 1 + u32::from(sample >> 2 & 1));
                (Opening::Pcm(head.expect("a rate and channels that are accepted")), bytes)
            }
        };
        let mut bytes = bytes.to_vec();
        // Declared samples are whole frames, or they are refused as a whole.
        if let Opening::Pcm(head) = opening {
            bytes.truncate(bytes.len() / head.frame_bytes() * head.frame_bytes());
        }
        // Checksums put right, so that what is behind them is reached.
        if first & 0x40 == 0 && opening == Opening::Sniffed(Kind::Ogg) {
            checksums::put_right_ogg(&mut bytes);
        }
        Some(Self { opening, piece: 1 + usize::from(*second), bytes })
    }

    /// A demuxer for it.
    pub fn demuxer(&self) -> Box<dyn Demux> {
        demuxer(self.opening)
    }

    /// The stream in pieces: of one size, and two, and three times that, in turn. Declared samples are in whole frames, as
    /// their messages have to be.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let frame = if let Opening::Pcm(head) = self.opening { head.frame_bytes() } else { 1 };
        let mut rest = self.bytes.as_slice();
        let mut sizes = [1, 3, 2].map(|times| frame * self.piece * times).into_iter().cycle();
        std::iter::from_fn(move || {
            let (piece, after) = rest.split_at(sizes.next()?.min(rest.len()));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        })
    }
}

/// All events that a demuxer gives by now, and the error that ends them, which it must keep.
pub fn pull(demuxer: &mut dyn Demux, mut take: impl FnMut(Event)) -> Result<(), Error> {
    loop {
        match demuxer.pull() {
            Ok(Some(event)) => take(event),
            Ok(None) => return Ok(()),
            Err(error) => {
                assert_eq!(demuxer.pull(), Err(error.clone()), "a demuxer that failed stays failed");
                assert_eq!(demuxer.held(), 0, "and holds nothing");
                return Err(error);
            }
        }
    }
}
