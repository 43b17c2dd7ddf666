//! Files: a track as its parts one after another, as far as they are durable, and what is derived; any range of them.
//!
//! What belongs here: what is in a download, and how it is sent. What does not: which one someone gets (`tracks.rs`).

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::{Duration, SystemTime};

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, Charset, ContentDisposition, DispositionParam, DispositionType, ETag, EntityTag, ExtendedValue, HttpDate,
    LastModified,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};

use super::super::problem::{Kind, Problem};
use super::condition::{self, Answer};
use crate::archive::kept::{Kept, Piece, Source};
use crate::archive::model::{Container, Derived, Edition, RecordingId};
use crate::archive::{Download, InUse, TrackSound};
use crate::media::room::ParticipantName;
use crate::media::time::UnixMillis;
use crate::media::track::TrackNumber;

/// How much is read from the disk at a time.
const READ: u64 = 64 * 1024;

/// A file to be sent.
#[derive(Debug)]
pub struct Served {
    /// The same tag is the same bytes.
    tag: String,
    modified: UnixMillis,
    media_type: &'static str,
    disposition: ContentDisposition,
    /// What it is made up of, in order.
    pieces: Vec<Piece>,
    bytes: u64,
    /// Retention leaves the recording alone until it is sent.
    in_use: Option<InUse>,
}

impl Served {
    /// A track, or one part of it, as it is kept.
    pub fn kept(
        id: RecordingId,
        track: TrackNumber,
        part: Option<u32>,
        (kept, container): (Kept, Container),
        mut sound: TrackSound,
    ) -> Self {
        let file = Self::of(id, track, part, &mut sound, container);
        let pieces = kept.pieces(sound.parts.into_iter().map(|part| (part.file, part.bytes)));
        Self { bytes: pieces.iter().map(|piece| piece.bytes).sum(), pieces, ..file }
    }

    /// A track's file without what is in it. The tag names the recording, the track and how much of it is durable: a part is
    /// only ever appended to.
    fn of(
        id: RecordingId,
        track: TrackNumber,
        part: Option<u32>,
        sound: &mut TrackSound,
        container: Container,
    ) -> Self {
        let kind = container.extension();
        let what = sound.title.as_deref().unwrap_or(sound.room.as_str());
        let durable: u64 = sound.parts.iter().map(|part| part.bytes).sum();
        let (of_part, who) = match part {
            Some(part) => (format!("{track}.{part}"), format!("{} {part}", sound.name.as_str())),
            None => (track.to_string(), sound.name.as_str().to_owned()),
        };
        Self {
            tag: format!("{id}-{of_part}-{kind}-{durable}"),
            modified: sound.modified,
            media_type: media_type(container),
            disposition: disposition(what, sound.started, Some(&who), kind),
            pieces: Vec::new(),
            bytes: 0,
            in_use: sound.in_use.take(),
        }
    }

    /// Something derived. The tag is of its bytes: made again, it is the same. Of one that an older hub made, whose sum is not
    /// known, the tag names when that was.
    pub fn derived(id: RecordingId, file: Download) -> Self {
        let Edition { of, edit } = file.what;
        let media_type = match of {
            Derived::Mix(container) | Derived::Track(_, container) => media_type(container),
            Derived::Session => media_type(Container::WebM),
            Derived::TracksZip => "application/zip",
            // Nobody is sent it as it is.
            Derived::Waveform(_) | Derived::MixWaveform => "application/octet-stream",
        };
        let who = match of {
            Derived::Mix(_) => Some("mix"),
            Derived::TracksZip => Some("tracks"),
            _ => file.name.as_ref().map(ParticipantName::as_str),
        };
        let chosen = edit.fields().map(|(key, value)| format!("{key} {value}"));
        let who: Vec<_> = who.map(str::to_owned).into_iter().chain(chosen).collect();
        let who = Some(who.join(" ")).filter(|who| !who.is_empty());
        let what = file.title.as_deref().unwrap_or(file.room.as_str());
        Self {
            tag: match file.crc {
                // Who reads a list of tags may part it at every comma, also at one within a tag, and actix does.
                Some(crc) => format!("{id}-{}-{}-{crc:08x}", file.what, file.bytes).replace(',', "+"),
                None => format!("{id}-{:x}-{}", file.made_unix_nanos, file.bytes),
            },
            modified: UnixMillis::new(i64::try_from(file.made_unix_nanos / 1_000_000).unwrap_or(i64::MAX)),
            media_type,
            disposition: disposition(what, file.started, who.as_deref(), of.extension()),
            bytes: file.bytes,
            pieces: vec![Piece { source: Source::File(file.file, 0), bytes: file.bytes }],
            in_use: Some(file.in_use),
        }
    }
}

/// What a container is called.
const fn media_type(container: Container) -> &'static str {
    match container {
        Container::Ogg => "audio/ogg; codecs=opus",
        Container::WebM => "audio/webm; codecs=opus",
        Container::Wav => "audio/wav",
        Container::Flac => "audio/flac",
    }
}

impl Served {
    /// Something that was made of a waveform just now.
    pub fn made_now(
        (tag, modified): (String, UnixMillis),
        (media_type, disposition): (&'static str, ContentDisposition),
        file: Vec<u8>,
    ) -> Self {
        let bytes = file.len() as u64;
        let pieces = vec![Piece { source: Source::Memory(file), bytes }];
        Self { tag, modified, media_type, disposition, pieces, bytes, in_use: None }
    }
}

/// What a request for a file gets.
pub fn answer(request: &HttpRequest, file: Served) -> Result<HttpResponse, Problem> {
    let bytes = file.bytes;
    let tag = EntityTag::new_strong(file.tag);
    let modified = date(file.modified);
    let (status, first, last) = match condition::answer(request, &tag, modified, bytes) {
        Answer::Whole => (StatusCode::OK, 0, bytes.saturating_sub(1)),
        Answer::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last),
        Answer::NotModified => return Ok(described(StatusCode::NOT_MODIFIED, tag, modified).finish()),
        Answer::Failed => return Ok(described(StatusCode::PRECONDITION_FAILED, tag, modified).finish()),
        Answer::Unsatisfiable => {
            let detail = format!("The file has {bytes} bytes so far.");
            let range = format!("bytes */{bytes}");
            return Err(Problem::new(Kind::RangeNotSatisfiable, detail).with(header::CONTENT_RANGE, range));
        }
    };
    let mut response = described(status, tag, modified);
    response.insert_header((header::CONTENT_TYPE, file.media_type));
    response.insert_header(file.disposition);
    if status == StatusCode::PARTIAL_CONTENT {
        response.insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{bytes}")));
    }
    let length = if bytes == 0 { 0 } else { last - first + 1 };
    Ok(response.body(SizedStream::new(length, slice(file.pieces, file.in_use, first, length))))
}

fn described(status: StatusCode, tag: EntityTag, modified: HttpDate) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header(ETag(tag))
        .insert_header(LastModified(modified))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    response
}

/// A date of HTTP has whole seconds: what is compared with one has them too.
fn date(time: UnixMillis) -> HttpDate {
    let since = Duration::from_secs(u64::try_from(time.get() / 1000).unwrap_or(0));
    (SystemTime::UNIX_EPOCH + since).into()
}

/// A name that a person knows again (RFC 6266): the title or the room, the day, who speaks, the kind of file.
pub fn disposition(what: &str, started: UnixMillis, who: Option<&str>, kind: &str) -> ContentDisposition {
    let day = &started.to_rfc3339()[..10];
    let name = match who {
        Some(who) => format!("{what} {day} {who}.{kind}"),
        None => format!("{what} {day}.{kind}"),
    };
    let name: String = name.chars().map(|char| if r#"/\:*?"<>|"#.contains(char) { '_' } else { char }).collect();
    let ascii: String = name.chars().map(|char| if char.is_ascii() { char } else { '_' }).collect();
    let mut parameters = vec![DispositionParam::Filename(ascii)];
    if !name.is_ascii() {
        parameters.push(DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: name.into_bytes(),
        }));
    }
    ContentDisposition { disposition: DispositionType::Attachment, parameters }
}

/// What is still to be read.
struct Rest {
    /// The pieces from the current one on, last first.
    pieces: Vec<Piece>,
    /// Where to go on in the current piece.
    at: u64,
    length: u64,
    _in_use: Option<InUse>,
}

/// `length` bytes of the pieces from byte `first` on, read as they are sent.
fn slice(
    mut pieces: Vec<Piece>,
    in_use: Option<InUse>,
    first: u64,
    length: u64,
) -> impl Stream<Item = io::Result<Bytes>> {
    pieces.reverse();
    let rest = Rest { pieces, at: first, length, _in_use: in_use };
    stream::try_unfold(rest, |rest| async move {
        if rest.length == 0 {
            return Ok(None);
        }
        web::block(move || rest.read()).await.map_err(io::Error::other)?.map(Some)
    })
}

impl Rest {
    fn read(mut self) -> io::Result<(Bytes, Self)> {
        while let Some(Piece { mut source, bytes }) = self.pieces.pop() {
            let Some(left) = bytes.checked_sub(self.at).filter(|left| *left > 0) else {
                self.at = self.at.saturating_sub(bytes);
                continue;
            };
            let count = left.min(self.length).min(READ);
            let mut buffer = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
            match &mut source {
                Source::File(file, begin) => {
                    file.seek(SeekFrom::Start(*begin + self.at))?;
                    file.read_exact(&mut buffer)?;
                }
                Source::Memory(bytes) => {
                    let from = usize::try_from(self.at).unwrap_or(usize::MAX);
                    bytes.get(from..).unwrap_or_default().read_exact(&mut buffer)?;
                }
            }
            self.at += count;
            self.length -= count;
            self.pieces.push(Piece { source, bytes });
            return Ok((buffer.into(), self));
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the parts are shorter than the index says"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use futures_util::TryStreamExt as _;

    use super::*;
    use crate::archive::PartSound;
    use crate::container::wav::{data_offset, header_for};
    use crate::media::pcm;
    use crate::media::track::Format;

    fn piece((at, bytes): (usize, &[u8])) -> Piece {
        if at == 0 {
            return Piece { source: Source::Memory(bytes.to_vec()), bytes: bytes.len() as u64 };
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a header").unwrap();
        file.write_all(bytes).unwrap();
        // What lies behind the durable bytes is never sent.
        file.write_all(b"not durable").unwrap();
        Piece { source: Source::File(file, 8), bytes: bytes.len() as u64 }
    }

    #[actix::test]
    async fn any_range_equals_that_slice_of_the_whole() {
        let parts: [&[u8]; 4] = [b"abcde", b"", b"f", b"ghijklm"];
        let whole = parts.concat();
        for first in 0..whole.len() {
            for length in 1..=whole.len() - first {
                let stream =
                    slice(parts.into_iter().enumerate().map(piece).collect(), None, first as u64, length as u64);
                let read: Vec<Bytes> = stream.try_collect().await.unwrap();
                assert_eq!(read.concat(), whole[first..first + length]);
            }
        }
    }

    #[test]
    fn ten_thousand_ranges_equal_their_slices() {
        let mut seed = 1_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % below
        };
        let parts: Vec<Vec<u8>> =
            [44, 300_000, 1, 70_000].map(|bytes| (0..bytes).map(|_| next(256).to_le_bytes()[0]).collect()).into();
        let whole = parts.concat();
        let files: Vec<_> = parts.iter().enumerate().map(|(at, bytes)| (piece((at, bytes)), bytes.len())).collect();
        for _ in 0..10_000 {
            let first = next(whole.len());
            let most = [1, 500, 100_000][next(3)];
            let length = 1 + next(most.min(whole.len() - first));
            let pieces = files.iter().map(|(piece, bytes)| Piece {
                source: match &piece.source {
                    Source::File(file, begin) => Source::File(file.try_clone().unwrap(), *begin),
                    Source::Memory(bytes) => Source::Memory(bytes.clone()),
                },
                bytes: *bytes as u64,
            });
            let mut rest =
                Rest { pieces: pieces.rev().collect(), at: first as u64, length: length as u64, _in_use: None };
            let mut read = Vec::new();
            while rest.length > 0 {
                let (bytes, left) = rest.read().unwrap();
                read.extend_from_slice(&bytes);
                rest = left;
            }
            assert!(read == whole[first..first + length], "{length} from {first}");
        }
    }

    #[actix::test]
    async fn a_wav_that_grows_is_what_is_durable_under_a_header_that_fits() {
        let head = pcm::Head::new(pcm::Sample::S16, 8_000, 1).unwrap();
        // The header on the disk is that of a round that the index does not know yet; somebody cut the second file in a frame.
        let part = |samples: &[u8], durable: u64, number| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&header_for(head, 4000)).unwrap();
            file.write_all(samples).unwrap();
            PartSound { number, file, bytes: data_offset(head) + durable, format: Format::Pcm(head) }
        };
        let sound = TrackSound {
            room: "talk".parse().unwrap(),
            title: None,
            name: "Ann".parse().unwrap(),
            started: UnixMillis::new(0),
            parts: vec![part(b"abcdefgh", 6, 1), part(b"ijklm", 5, 2)],
            bytes: 0,
            modified: UnixMillis::new(0),
            grows: true,
            in_use: None,
        };
        let id = RecordingId::new(UnixMillis::new(0), [1; 10]);
        let file = Served::kept(id, TrackNumber::new(1), None, (Kept::Wav(head), Container::Wav), sound);
        let read: Vec<Bytes> = slice(file.pieces, None, 0, file.bytes).try_collect().await.unwrap();
        assert_eq!(read.concat(), [&header_for(head, 10)[..], b"abcdefijkl"].concat());
    }

    #[test]
    fn the_files_name_is_readable_and_safe() {
        let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z").unwrap();
        let name = |what, who, kind| disposition(what, started, who, kind).to_string();
        assert_eq!(name("studio", Some("Ann"), "ogg"), r#"attachment; filename="studio 2026-11-22 Ann.ogg""#);
        assert_eq!(name("studio", None, "webm"), r#"attachment; filename="studio 2026-11-22.webm""#);
        let told = name("a/b", Some("Zoë"), "ogg");
        assert!(told.starts_with(r#"attachment; filename="a_b 2026-11-22 Zo_.ogg"; filename*=UTF-8''"#), "{told}");
    }
}
