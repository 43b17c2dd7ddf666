//! What every demuxer of a publisher's stream has in common: bytes in, a head and packets out, one error with the place.
//!
//! What belongs here: the trait, its events, the choice of a demuxer by [`Kind`]. What does not: any one container.

use std::fmt;

use super::sniff::Kind;
use super::{flac, mp3, mp4, ogg, raw, wav, webm};
use crate::media::packet::SourcePacket;
use crate::media::pcm;
use crate::media::source::Source;

/// What comes out of a demuxer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A stream begins: the first, or the next after `stop()` and `start()` on one socket, whose times begin anew. Told
    /// also where nothing but the times has changed.
    Head(Source),
    /// A packet of the chosen track, as it was sent: its bytes are one packet of the source's codec, or whole frames of
    /// PCM.
    Packet(SourcePacket),
    /// Something of the stream that is dropped. Told once, and again only where a later head drops something else.
    Ignored(Ignored),
}

/// The tracks of a stream that are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Audio tracks besides the one that is used.
    pub audio: u32,
    /// Video tracks.
    pub video: u32,
    /// Subtitles and whatever else.
    pub other: u32,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { audio, video, other } = self;
        write!(
            f,
            "only the first audio track that we read is used; dropped are {video} of video, {audio} of audio, {other} other"
        )
    }
}

/// Demuxes one byte stream, however it is cut: push until empty, pull until none. Each one's docs state its bound.
pub trait Demux: Send {
    /// Takes the next bytes of the stream, any number of them. After an error they are dropped.
    fn push(&mut self, bytes: &[u8]);

    /// Gives the next event, `None` where more bytes are needed.
    ///
    /// # Errors
    /// Where the stream cannot be read any further, after all events of what came before. The demuxer stays failed: every
    /// later call gives the same error.
    fn pull(&mut self) -> Result<Option<Event>, Error>;

    /// No more bytes will come: what was held for want of a successor can be pulled now. A stream that is cut off is no
    /// error; what of it is whole counts.
    fn finish(&mut self) {}

    /// Bytes held: pushed, and neither read nor passed over yet.
    fn held(&self) -> usize;
}

/// How it is known what a stream of bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// By its first bytes.
    Sniffed(Kind),
    /// Its publisher says that it is plain samples, which have no first bytes.
    Pcm(pcm::Head),
    /// Its publisher says that it is MP3.
    Mp3,
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sniffed(kind) => kind.fmt(f),
            Self::Pcm(head) => write!(f, "raw PCM ({head})"),
            Self::Mp3 => f.write_str("MP3"),
        }
    }
}

/// A demuxer for a stream that begins so.
#[must_use]
pub fn demuxer(opening: Opening) -> Box<dyn Demux> {
    match opening {
        Opening::Sniffed(Kind::WebM) => Box::new(webm::Demuxer::new()),
        Opening::Sniffed(Kind::Ogg) => Box::new(ogg::stream::Demuxer::new()),
        Opening::Sniffed(Kind::Mp4) => Box::new(mp4::Demuxer::new()),
        Opening::Sniffed(Kind::Wav) => Box::new(wav::Demuxer::new()),
        Opening::Sniffed(Kind::Flac) => Box::new(flac::Demuxer::new()),
        Opening::Pcm(head) => Box::new(raw::Demuxer::new(head)),
        Opening::Mp3 => Box::new(mp3::Demuxer::new()),
    }
}

/// Why a stream cannot be demuxed any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An Ogg stream.
    #[error(transparent)]
    Ogg(#[from] ogg::stream::Error),
    /// A WebM or Matroska stream.
    #[error(transparent)]
    WebM(#[from] webm::Error),
    /// Declared samples.
    #[error(transparent)]
    Raw(#[from] raw::Error),
    /// A WAV stream.
    #[error(transparent)]
    Wav(#[from] wav::Error),
    /// An MP4 stream.
    #[error(transparent)]
    Mp4(#[from] mp4::Error),
    /// A FLAC stream.
    #[error(transparent)]
    Flac(#[from] flac::Error),
    /// An MP3 stream.
    #[error(transparent)]
    Mp3(#[from] mp3::Error),
}

impl Error {
    /// Whether the stream may be well, and is of a kind that is not accepted; else it is broken.
    #[must_use]
    pub const fn is_unsupported(&self) -> bool {
        match self {
            Self::Ogg(error) => matches!(error, ogg::stream::Error::Unsupported { .. }),
            Self::WebM(error) => matches!(error, webm::Error::Unsupported { .. }),
            Self::Raw(_) => false,
            Self::Wav(error) => matches!(error, wav::Error::Unsupported { .. }),
            Self::Mp4(error) => matches!(error, mp4::Error::Unsupported { .. }),
            Self::Flac(error) => matches!(error, flac::Error::Unsupported { .. }),
            Self::Mp3(error) => matches!(error, mp3::Error::Unsupported { .. }),
        }
    }
}
