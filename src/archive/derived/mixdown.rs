//! Files of sound that is not as it was kept: mixes, and tracks in another form than theirs.
//!
//! What belongs here: the sound of a span, limited where it is a sum, encoded or written as samples. What does not: where the
//! sound comes from (`render`), the layout of containers.
//!
//! A mix has the levels that were kept. Only where the sum would clip it is limited, to 0.1 dB below full scale
//! (`media::mix::limiter`). One track is not limited: what is beyond full scale is full scale. What someone wants as loud as they
//! say is levelled as a whole, and limited to a true peak (`loudness`).
//!
//! Each file lasts exactly as long as its span. Of Opus the decoder throws away what the encoder is late by (RFC 7845 §4.2), and
//! the last page says where the sound ends (§4.4), so that the three containers have the same sample at the same time.

use std::io;
use std::ops::Range;

use super::edition;
use super::files::Sink;
use super::loudness;
use super::recipe::{Origin, Stopped, Work};
use super::render::{self, Render};
use super::tags::Tags;
use crate::archive::model::{Edition, Track};
use crate::archive::store::Store;
use crate::container::flac;
use crate::container::ogg::PartMuxer;
use crate::container::wav;
use crate::media::codec::{self, EncodeError, Encoder, MONO_BITS, STEREO_BITS};
use crate::media::mix::level::{self, Leveller};
use crate::media::mix::limiter::{AHEAD, Limiter};
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
        let mut sound = self.sound(self.last(sink, work)?);
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
        let mut sound = self.sound(self.last(sink, work)?);
        let sample = self.pcm_head()?.sample();
        let (mut bytes, padding) = self.wav_frame()?;
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
        bytes.extend_from_slice(padding);
        sink.append(&bytes)?;
        Ok(sound.damaged())
    }

    /// Makes it as FLAC: the samples of the WAV.
    pub fn flac(&self, sink: &mut dyn Sink, work: &Work) -> Result<bool, Stopped> {
        let mut sound = self.sound(self.last(sink, work)?);
        let sample = self.pcm_head()?.sample();
        let (channels, bits) = (sound.render.channels(), if sample == Sample::S16 { 16 } else { 24 });
        let frames = self.length().get();
        let told = flac::Sound { rate: 48_000, channels, bits, frames };
        let (mut muxer, head, mut bytes) =
            flac::Muxer::begin(told, &Tags::of(&self.origin.recording, self.what).comments());
        sink.expect(frames.saturating_mul(sample.bytes() as u64).saturating_mul(channels.into()))?;
        sink.append(&head)?;
        let refused = |error: io::Error| self.refused(error);
        let mut block = Vec::new();
        let mut more = true;
        while more {
            more = sound.read(sink.store(), work, &mut block)?;
            let samples: Vec<_> = block.iter().map(|one| whole(*one, sample)).collect();
            muxer.push(&samples, &mut bytes).map_err(refused)?;
            block.clear();
            if bytes.len() >= WRITE {
                sink.append(&bytes)?;
                bytes.clear();
            }
        }
        let head = muxer.finish(&mut bytes).map_err(refused)?;
        sink.append(&bytes)?;
        sink.overwrite(0, &head)?;
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
        let (header, padding) = self.wav_frame()?;
        Ok(self.samples()?.saturating_add((header.len() + padding.len()) as u64))
    }

    /// What stands before its samples as WAV, and behind them.
    fn wav_frame(&self) -> Result<(Vec<u8>, &'static [u8]), Stopped> {
        Ok(wav::finished(self.pcm_head()?, self.samples()?))
    }

    /// How many bytes its samples have.
    fn samples(&self) -> Result<u64, Stopped> {
        Ok(self.length().get().saturating_mul(self.pcm_head()?.frame_bytes() as u64))
    }

    /// What is done to the sound at last. To know how much louder it has to be it is heard before.
    fn last(&self, sink: &mut dyn Sink, work: &Work) -> Result<Last, Stopped> {
        Ok(match self.what.edit.loudness {
            Some(to) => Last::Levelled(Box::new(Leveller::new(loudness::gain(self, to, sink.store(), work)?))),
            None if self.what.of.track().is_none() => Last::Limited(Limiter::new()),
            None => Last::Nothing,
        })
    }

    /// How many channels it has.
    pub fn channels(&self) -> u8 {
        render::channels(&self.tracks)
    }

    /// What a codec refuses to make.
    pub fn refused(&self, error: impl std::fmt::Display) -> Stopped {
        Stopped::file(&self.origin.folder, io::Error::other(format!("{}: {error}", self.what)))
    }

    fn length(&self) -> Ticks {
        self.span.end.saturating_sub(self.span.start)
    }

    /// The sound from its beginning.
    pub fn sound(&self, last: Last) -> Sound<'_> {
        let mut span = self.span.clone();
        if last.late() > 0 {
            // What is limited is so by what is around it, also where that is cut off.
            span.start = span.start.saturating_sub(BEFORE);
            let behind = span.end.saturating_add(Ticks::new(last.late() as u64));
            span.end = behind.min(self.origin.recording.summary.length).max(span.end);
        }
        let frames = |ticks: Ticks| usize::try_from(ticks.get()).unwrap_or(usize::MAX);
        let (skip, left) = (frames(self.span.start.saturating_sub(span.start)), frames(self.length()));
        let render = Render::new(&self.origin.folder, &self.tracks, &self.origin.sums, span);
        Sound { render, last, stereo: Vec::new(), limited: Vec::new(), skip, left }
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

/// What is done to a sound at last.
pub(super) enum Last {
    /// What is beyond full scale is full scale.
    Nothing,
    /// It is limited where it would clip.
    Limited(Limiter),
    /// It is as loud as someone chose.
    Levelled(Box<Leveller>),
}

impl Last {
    /// How many frames later what comes out is.
    const fn late(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Limited(_) => AHEAD,
            Self::Levelled(_) => level::LATE,
        }
    }
}

/// The sound of a file, block by block.
pub(super) struct Sound<'a> {
    render: Render<'a>,
    last: Last,
    stereo: Vec<f32>,
    limited: Vec<f32>,
    /// How many frames are still to be passed before those of the file.
    skip: usize,
    /// How many of those are still to come.
    left: usize,
}

impl Sound<'_> {
    /// Adds what comes next to `out`; says whether there is more to come.
    pub fn read(&mut self, store: &mut dyn Store, work: &Work, out: &mut Vec<f32>) -> Result<bool, Stopped> {
        // Asked between any two blocks, so that nobody waits long for the answer.
        work.done(0)?;
        let channels = usize::from(self.render.channels());
        let block = self.render.next(store, work, BLOCK)?;
        let more = !block.is_empty();
        self.stereo.clear();
        match (more, channels) {
            (false, _) => self.stereo.resize(2 * self.last.late(), 0.0),
            (true, 1) => self.stereo.extend(block.iter().flat_map(|sample| [*sample; 2])),
            (true, _) => self.stereo.extend_from_slice(block),
        }
        self.limited.clear();
        match &mut self.last {
            Last::Nothing => self.limited.extend_from_slice(&self.stereo),
            Last::Limited(limiter) => limiter.push(&self.stereo, &mut self.limited),
            Last::Levelled(leveller) => leveller.push(&self.stereo, &mut self.limited),
        }
        let frames = self.limited.len() / 2;
        let skipped = self.skip.min(frames);
        let taken = self.left.min(frames - skipped);
        self.skip -= skipped;
        self.left -= taken;
        let taken = &self.limited[2 * skipped..][..2 * taken];
        if channels == 1 {
            out.extend(taken.iter().step_by(2))
        } else {
            out.extend_from_slice(taken)
        }
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
