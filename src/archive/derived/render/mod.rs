//! The sound of a recording, or of some of its tracks, over a span of the session's clock: what mixes, and whatever else is not
//! packets as they were kept, are made of.
//!
//! What belongs here: tracks decoded, put where the session's clock has them, and summed. What does not: limiting and encoding
//! (`mixdown`), files.
//!
//! - At 48 kHz, in two channels if any of the tracks has them, else in one; a track of one channel is as loud on both sides. Full
//!   scale is 1, and a sum may be beyond it: levels are those that were kept.
//! - Each part is decoded by its own head, and its pre-skip thrown away (RFC 7845 §4.2). Plain samples are as they were kept;
//!   those of another rate are resampled.
//! - Places are those of the index's anchors, between two of which the clock runs evenly. A track that does not drift there is
//!   read sample for sample, any other between its samples.
//! - Where a track is absent, or damaged, there is silence, and no click beside it (`media::mix::runs`).
//!
//! The same span is the same sound, whatever it is part of and in whatever pieces it is read. For that a track is decoded from
//! the beginning of the first part that a span touches: what a decoder makes of a packet depends on all packets before it.
//!
//! Memory: for each track that sounds a decoder, a resampler where it needs one, what [`Reader`](super::sound::Reader) holds, and
//! the sound of a packet and of a block.

mod stretch;
mod voice;

use std::ops::Range;
use std::path::Path;

use self::voice::Voice;
use super::recipe::{Stopped, Work};
use super::sound::Sums;
use crate::archive::model::Track;
use crate::archive::store::Store;
use crate::media::time::Ticks;

/// The sound of some tracks from one time to another.
pub(in crate::archive) struct Render<'a> {
    voices: Vec<Voice<'a>>,
    channels: u8,
    at: Ticks,
    end: Ticks,
    sum: Vec<f32>,
}

impl<'a> Render<'a> {
    /// The sum of these tracks over a span of the session's clock.
    pub fn new(folder: &'a Path, tracks: &[&'a Track], sums: &'a Sums, span: Range<Ticks>) -> Self {
        let channels = channels(tracks);
        let voices = tracks.iter().map(|track| Voice::new(folder, track, sums, channels, span.start)).collect();
        Self { voices, channels, at: span.start, end: span.end, sum: Vec::new() }
    }

    /// How many channels the sound has, interleaved.
    pub const fn channels(&self) -> u8 {
        self.channels
    }

    /// The next frames, at most so many; none at the end.
    pub fn next(&mut self, store: &mut dyn Store, work: &Work, most: u64) -> Result<&[f32], Stopped> {
        let end = self.end.min(self.at.saturating_add(Ticks::new(most)));
        let span = self.at.get()..end.get().max(self.at.get());
        let channels = usize::from(self.channels);
        self.sum.clear();
        self.sum.resize(usize::try_from(span.end - span.start).unwrap_or(0).saturating_mul(channels), 0.0);
        for voice in &mut self.voices {
            voice.add(store, work, span.clone(), channels, &mut self.sum)?;
        }
        self.at = self.at.max(end);
        Ok(&self.sum)
    }

    /// Whether something of the tracks is missing, as far as they were read.
    pub fn damaged(&self) -> bool {
        self.voices.iter().any(Voice::damaged)
    }

    /// How much of the tracks, all together, is missing, of those that were read to their end.
    pub fn missing(&self) -> Ticks {
        self.voices.iter().fold(Ticks::ZERO, |sum, voice| sum.saturating_add(voice.missing()))
    }
}

/// When a track ends on the session's clock.
pub(super) fn end(track: &Track) -> Ticks {
    stretch::stretches(track).last().map_or(Ticks::ZERO, |stretch| Ticks::new(stretch.end))
}

/// How many channels the sum of these tracks needs: one or two.
pub(super) fn channels(tracks: &[&Track]) -> u8 {
    let parts = tracks.iter().flat_map(|track| &track.parts);
    parts.map(|part| part.format.heard().channels).max().unwrap_or(1)
}
