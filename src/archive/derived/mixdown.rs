//! Files of sound that is not as it was kept: mixes, and tracks in another form than theirs.
//!
//! What belongs here: the sound of a span, limited where it is a sum, encoded or written as samples. What does not: where the
//! sound comes from (`render`), the layout of containers.
//!
//! A mix has the levels that were kept. Only where the sum would clip it is limited, to 0.1 dB below full scale
//! (`media::mix::limiter`). One track is not limited: what is beyond full scale is full scale.
//!
//! Each file lasts exactly as long as its span. Of Opus the decoder throws away what the encoder is late by (RFC 7845 §4.2), and
//! the last page says where the sound ends (§4.4), so that the three containers have the same sample at the same time.

use std::io;
use std::ops::Range;
use std::path::Path;

use super::files::{NewFile, Written};
use super::recipe::{Stopped, Work};
use super::render::{self, Render};
use super::sound::Sums;
use crate::archive::model::{Derived, Recording, Track};
use crate::archive::names;
use crate::archive::store::Store;
use crate::container::ogg::PartMuxer;
use crate::container::wav::header_for;
use crate::media::codec::{self, EncodeError, Encoder, MONO_BITS, STEREO_BITS};
use crate::media::mix::limiter::{AHEAD, Limiter};
use crate::media::opus;
use crate::media::pcm::{self, Sample};
use crate::media::time::Ticks;
use crate::media::track::Format;

/// Frames that are made at a time: 100 ms.
const BLOCK: u64 = 4800;
/// How much of a file is gathered before it is written.
const WRITE: usize = 256 * 1024;
/// The packets that are made, the longest first, in frames: shorter ones at the end, so that little follows it.
const PACKETS: [usize; 4] = [960, 480, 240, 120];
/// The serial number of the Ogg stream: it is the only one in its file.
const SERIAL: u32 = 1;

/// What is made: tracks of a recording, over a span of the session's clock.
#[derive(Clone)]
pub(super) struct Mixdown<'a> {
    pub folder: &'a Path,
    pub recording: &'a Recording,
    pub sums: &'a Sums,
    pub tracks: Vec<&'a Track>,
    pub span: Range<Ticks>,
    pub what: Derived,
}

impl Mixdown<'_> {
    /// Makes it as Ogg Opus; says whether some of it could not be read.
    pub fn ogg(&self, store: &mut dyn Store, work: &Work) -> Result<(Written, bool), Stopped> {
        let mut sound = self.sound();
        let channels = sound.render.channels();
        let path = self.folder.join(names::DERIVED).join(names::derived(self.what));
        let refused = |error: EncodeError| Stopped::file(&path, io::Error::other(error));
        let bits = if channels == 1 { MONO_BITS } else { STEREO_BITS };
        let mut encoder = codec::encoder(channels, bits).map_err(refused)?;
        let late = encoder.lookahead();
        let pre_skip = u16::try_from(late.get()).unwrap_or(0);
        let head = opus::Head { channels, pre_skip, input_rate: 48_000, output_gain: 0 };
        let end = self.length().saturating_add(late);
        // The rate is kept to within a frame or so; it is asked for as twice that.
        let most = self.length().as_millis().saturating_mul(u64::from(bits) / 4000).saturating_add(WRITE as u64);
        let written = NewFile::write(store, self.folder, self.what, most, |file| {
            let (mut muxer, bytes) = PartMuxer::begin(SERIAL, head, &self.tags());
            file.append(&bytes)?;
            let mut waiting = Vec::new();
            let mut more = true;
            while more {
                more = sound.read(file.store(), work, &mut waiting)?;
                if !more {
                    // What the encoder is late by comes out behind the end, in whole packets.
                    let gone = muxer.granule();
                    let frames = usize::try_from(end.get().saturating_sub(gone)).unwrap_or(0).next_multiple_of(120);
                    waiting.resize(frames * usize::from(channels), 0.0);
                }
                encode(&mut *encoder, &mut muxer, &mut waiting, more).map_err(refused)?;
                if muxer.waiting() >= WRITE {
                    file.append(&muxer.take_whole())?;
                }
            }
            file.append(&muxer.finish_at(end.get()))
        })?;
        Ok((written, sound.damaged()))
    }

    /// Makes it as WAV: of 24 bits if a track was kept in more than 16, else of 16.
    pub fn wav(&self, store: &mut dyn Store, work: &Work) -> Result<(Written, bool), Stopped> {
        let mut sound = self.sound();
        let fine = self.tracks.iter().flat_map(|track| &track.parts).any(|part| match part.format {
            Format::Pcm(head) => head.sample() != Sample::S16,
            Format::Opus(_) => false,
        });
        let sample = if fine { Sample::S24 } else { Sample::S16 };
        let path = self.folder.join(names::DERIVED).join(names::derived(self.what));
        let head = pcm::Head::new(sample, 48_000, sound.render.channels().into());
        let head = head.map_err(|unfit| Stopped::file(&path, io::Error::other(unfit)))?;
        let header = header_for(head, self.length().get().saturating_mul(head.frame_bytes() as u64));
        let most = self.length().get().saturating_mul(head.frame_bytes() as u64).saturating_add(header.len() as u64);
        let written = NewFile::write(store, self.folder, self.what, most, |file| {
            let mut bytes = header;
            let mut block = Vec::new();
            let mut more = true;
            while more {
                more = sound.read(file.store(), work, &mut block)?;
                bytes.extend(
                    block.iter().flat_map(|one| whole(*one, sample).to_le_bytes().into_iter().take(sample.bytes())),
                );
                block.clear();
                if bytes.len() >= WRITE {
                    file.append(&bytes)?;
                    bytes.clear();
                }
            }
            file.append(&bytes)
        })?;
        Ok((written, sound.damaged()))
    }

    fn length(&self) -> Ticks {
        self.span.end.saturating_sub(self.span.start)
    }

    fn sound(&self) -> Sound<'_> {
        let render = Render::new(self.folder, &self.tracks, self.sums, self.span.clone());
        let limiter = self.what.track().is_none().then(Limiter::new);
        Sound { render, limiter, stereo: Vec::new(), limited: Vec::new() }
    }

    /// What the file says of itself (RFC 7845 §5.2).
    fn tags(&self) -> Vec<(String, String)> {
        let summary = &self.recording.summary;
        let title = summary.title.as_deref().unwrap_or(summary.room.as_str());
        let mut people: Vec<_> = self.tracks.iter().map(|track| track.name.as_str()).collect();
        people.dedup();
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let artists = people.into_iter().map(|name| tag("ARTIST", name));
        let date = summary.started.to_rfc3339();
        [tag("TITLE", title), tag("DATE", &date)].into_iter().chain(artists).collect()
    }
}

/// Encodes what waits, in whole packets; the last of them may be shorter.
fn encode(
    encoder: &mut dyn Encoder,
    muxer: &mut PartMuxer,
    waiting: &mut Vec<f32>,
    more: bool,
) -> Result<(), EncodeError> {
    let channels = usize::from(encoder.channels());
    let mut from = 0;
    loop {
        let frames = (waiting.len() - from) / channels;
        let lengths = if more { &PACKETS[..1] } else { &PACKETS[..] };
        let Some(length) = lengths.iter().find(|length| **length <= frames) else { break };
        let to = from + length * channels;
        let packet = encoder.encode(&waiting[from..to])?;
        muxer.push(&packet, Ticks::new(*length as u64));
        from = to;
    }
    waiting.drain(..from);
    Ok(())
}

/// A sample as a whole number, in the lower bits of 32.
#[expect(clippy::cast_possible_truncation, reason = "it is held at the ends of what so many bits have")]
fn whole(sample: f32, kind: Sample) -> i32 {
    let full = if kind == Sample::S16 { 32_768.0 } else { 8_388_608.0 };
    (f64::from(sample) * full).round().clamp(-full, full - 1.0) as i32
}

/// The sound of a file, block by block.
struct Sound<'a> {
    render: Render<'a>,
    limiter: Option<Limiter>,
    stereo: Vec<f32>,
    limited: Vec<f32>,
}

impl Sound<'_> {
    /// Adds what comes next to `out`; says whether there is more to come.
    fn read(&mut self, store: &mut dyn Store, work: &Work, out: &mut Vec<f32>) -> Result<bool, Stopped> {
        // Asked between any two blocks, so that nobody waits long for the answer.
        work.done(0)?;
        let channels = self.render.channels();
        let block = self.render.next(store, work, BLOCK)?;
        let more = !block.is_empty();
        let Some(limiter) = &mut self.limiter else {
            out.extend_from_slice(block);
            return Ok(more);
        };
        self.stereo.clear();
        match (more, channels) {
            // What the limiter is late by.
            (false, _) => self.stereo.resize(2 * AHEAD, 0.0),
            (true, 1) => self.stereo.extend(block.iter().flat_map(|sample| [*sample; 2])),
            (true, _) => self.stereo.extend_from_slice(block),
        }
        self.limited.clear();
        limiter.push(&self.stereo, &mut self.limited);
        out.extend(self.limited.iter().step_by(if channels == 1 { 2 } else { 1 }));
        Ok(more)
    }

    fn damaged(&self) -> bool {
        let missing = self.render.missing();
        if missing > Ticks::ZERO {
            tracing::warn!("{missing} of the tracks are missing, and are silence in what was made of them");
        }
        self.render.damaged()
    }
}

/// When a track begins to be heard, and when it ends, on the session's clock: what its own files hold.
pub(super) fn span(track: &Track) -> Range<Ticks> {
    let start = track.parts.first().map(|part| {
        let skip = match part.format {
            Format::Opus(head) => Ticks::new(head.pre_skip.into()),
            Format::Pcm(_) => Ticks::ZERO,
        };
        part.start.session.saturating_add(skip)
    });
    let start = start.unwrap_or_default();
    start..render::end(track).max(start)
}
