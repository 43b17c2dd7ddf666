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

use super::edition;
use super::files::Sink;
use super::recipe::{Origin, Stopped, Work};
use super::render::{self, Render};
use super::tags::Tags;
use crate::archive::model::{Edition, Track};
use crate::archive::store::Store;
use crate::container::ogg::PartMuxer;
use crate::container::wav::header_for;
use crate::media::codec::{self, EncodeError, Encoder, MONO_BITS, STEREO_BITS};
use crate::media::mix::limiter::{AHEAD, AHEAD_TICKS, Limiter};
use crate::media::opus;
use crate::media::pcm::{self, Sample};
use crate::media::time::Ticks;
use crate::media::track::Format;

/// Frames that are made at a time: 100 ms.
const BLOCK: u64 = 4800;
/// How much before a span is heard for its limiter: what it limited before that has long been let go of.
const BEFORE: Ticks = Ticks::from_secs(10);
/// How much of a file is gathered before it is written.
const WRITE: usize = 256 * 1024;
/// The packets that are made, the longest first, in frames: shorter ones at the end, so that little follows it.
const PACKETS: [usize; 4] = [960, 480, 240, 120];
/// The serial number of the Ogg stream: it is the only one in its file.
const SERIAL: u32 = 1;

/// What is made: tracks of a recording, over a span of the session's clock.
pub(super) struct Mixdown<'a> {
    origin: &'a Origin,
    what: Edition,
    tracks: Vec<&'a Track>,
    span: Range<Ticks>,
}

impl<'a> Mixdown<'a> {
    /// The sound of an edition.
    pub fn new(origin: &'a Origin, what: Edition) -> Self {
        let (tracks, span) = (edition::tracks(what, &origin.recording), edition::span(what, &origin.recording));
        Self { origin, what, tracks, span }
    }

    /// Makes it as Ogg Opus; says whether some of it could not be read.
    pub fn ogg(&self, sink: &mut dyn Sink, work: &Work) -> Result<bool, Stopped> {
        let mut sound = self.sound();
        let channels = sound.render.channels();
        let refused = |error: EncodeError| self.refused(error);
        let bits = if channels == 1 { MONO_BITS } else { STEREO_BITS };
        let mut encoder = codec::encoder(channels, bits).map_err(refused)?;
        let late = encoder.lookahead();
        let pre_skip = u16::try_from(late.get()).unwrap_or(0);
        let head = opus::Head { channels, pre_skip, input_rate: 48_000, output_gain: 0 };
        let end = self.length().saturating_add(late);
        // The rate is kept to within a frame or so; it is asked for as twice that.
        sink.expect(self.length().as_millis().saturating_mul(u64::from(bits) / 4000).saturating_add(WRITE as u64))?;
        let (mut muxer, bytes) =
            PartMuxer::begin(SERIAL, head, &Tags::of(&self.origin.recording, self.what).comments());
        sink.append(&bytes)?;
        let mut waiting = Vec::new();
        let mut more = true;
        while more {
            more = sound.read(sink.store(), work, &mut waiting)?;
            if !more {
                // What the encoder is late by comes out behind the end, in whole packets.
                let gone = muxer.granule();
                let frames = usize::try_from(end.get().saturating_sub(gone)).unwrap_or(0).next_multiple_of(120);
                waiting.resize(frames * usize::from(channels), 0.0);
            }
            encode(&mut *encoder, &mut muxer, &mut waiting, more).map_err(refused)?;
            if muxer.waiting() >= WRITE {
                sink.append(&muxer.take_whole())?;
            }
        }
        sink.append(&muxer.finish_at(end.get()))?;
        Ok(sound.damaged())
    }

    /// Makes it as WAV, while someone listens; says whether some of it could not be read.
    pub fn wav(&self, sink: &mut dyn Sink, work: &Work, hear: &mut dyn FnMut(&[f32])) -> Result<bool, Stopped> {
        let mut sound = self.sound();
        let head = self.pcm_head()?;
        let sample = head.sample();
        let mut bytes = header_for(head, self.length().get().saturating_mul(head.frame_bytes() as u64));
        sink.expect(self.wav_bytes()?)?;
        let mut block = Vec::new();
        let mut more = true;
        while more {
            more = sound.read(sink.store(), work, &mut block)?;
            hear(&block);
            bytes.extend(
                block.iter().flat_map(|one| whole(*one, sample).to_le_bytes().into_iter().take(sample.bytes())),
            );
            block.clear();
            if bytes.len() >= WRITE {
                sink.append(&bytes)?;
                bytes.clear();
            }
        }
        sink.append(&bytes)?;
        Ok(sound.damaged())
    }

    /// What it is as plain samples: of 24 bits if a track was kept in more than 16, else of 16.
    pub fn pcm_head(&self) -> Result<pcm::Head, Stopped> {
        let fine = self.tracks.iter().flat_map(|track| &track.parts).any(|part| match part.format {
            Format::Pcm(head) => head.sample() != Sample::S16,
            Format::Opus(_) => false,
        });
        let sample = if fine { Sample::S24 } else { Sample::S16 };
        let head = pcm::Head::new(sample, 48_000, render::channels(&self.tracks).into());
        head.map_err(|unfit| self.refused(unfit))
    }

    /// How long it is as WAV, to the byte.
    pub fn wav_bytes(&self) -> Result<u64, Stopped> {
        let head = self.pcm_head()?;
        let samples = self.length().get().saturating_mul(head.frame_bytes() as u64);
        Ok(samples.saturating_add(header_for(head, samples).len() as u64))
    }

    /// What a codec refuses to make.
    fn refused(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Stopped {
        Stopped::file(&self.origin.folder.join(self.what.to_string()), io::Error::other(error))
    }

    fn length(&self) -> Ticks {
        self.span.end.saturating_sub(self.span.start)
    }

    fn sound(&self) -> Sound<'_> {
        let mut span = self.span.clone();
        let limiter = self.what.of.track().is_none().then(Limiter::new);
        if limiter.is_some() {
            // What is limited is so by what is around it, also where that is cut off.
            span.start = span.start.saturating_sub(BEFORE);
            let behind = span.end.saturating_add(Ticks::new(AHEAD_TICKS.into()));
            span.end = behind.min(self.origin.recording.summary.length).max(span.end);
        }
        let frames = |ticks: Ticks| usize::try_from(ticks.get()).unwrap_or(usize::MAX);
        let (skip, left) = (frames(self.span.start.saturating_sub(span.start)), frames(self.length()));
        let render = Render::new(&self.origin.folder, &self.tracks, &self.origin.sums, span);
        Sound { render, limiter, stereo: Vec::new(), limited: Vec::new(), skip, left }
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
    /// How many frames are still to be passed before those of the file.
    skip: usize,
    /// How many of those are still to come.
    left: usize,
}

impl Sound<'_> {
    /// Adds what comes next to `out`; says whether there is more to come.
    fn read(&mut self, store: &mut dyn Store, work: &Work, out: &mut Vec<f32>) -> Result<bool, Stopped> {
        // Asked between any two blocks, so that nobody waits long for the answer.
        work.done(0)?;
        let channels = usize::from(self.render.channels());
        let block = self.render.next(store, work, BLOCK)?;
        let more = !block.is_empty();
        let sound = match &mut self.limiter {
            None => block,
            Some(limiter) => {
                self.stereo.clear();
                match (more, channels) {
                    // What the limiter is late by.
                    (false, _) => self.stereo.resize(2 * AHEAD, 0.0),
                    (true, 1) => self.stereo.extend(block.iter().flat_map(|sample| [*sample; 2])),
                    (true, _) => self.stereo.extend_from_slice(block),
                }
                self.limited.clear();
                limiter.push(&self.stereo, &mut self.limited);
                if channels == 1 {
                    let mut index = 0;
                    self.limited.retain(|_| {
                        index += 1;
                        index % 2 == 1
                    });
                }
                &self.limited
            }
        };
        let frames = sound.len() / channels;
        let skipped = self.skip.min(frames);
        let taken = self.left.min(frames - skipped);
        self.skip -= skipped;
        self.left -= taken;
        out.extend_from_slice(&sound[skipped * channels..][..taken * channels]);
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
