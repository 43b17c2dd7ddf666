//! Waveforms: the peaks of a track or of the mix on the session's timeline, as audiowaveform writes them (JSON, version 2).

use std::io;

use serde::Serialize;

use super::edition;
use super::files::Sink;
use super::mixed::Mixed;
use super::recipe::{Origin, Stopped, Work};
use super::sound::{As, Reader};
use crate::archive::model::{Edition, Track};
use crate::media::codec::{self, DecodeError, Decoder};
use crate::media::peaks::Peaks;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// The file.
#[derive(Debug, Serialize)]
struct Waveform {
    version: u32,
    channels: u32,
    sample_rate: u64,
    samples_per_pixel: u64,
    bits: u32,
    /// Pixels.
    length: usize,
    /// The least and the greatest of each.
    data: Vec<i8>,
}

/// Makes the file of a track; says whether some of the track could not be read.
pub(super) fn waveform(origin: &Origin, track: &Track, sink: &mut dyn Sink, work: &Work) -> Result<bool, Stopped> {
    let mut peaks = Peaks::new(origin.recording.summary.length);
    let mut reader = Reader::new(&origin.folder, track, &origin.sums, As::Kept);
    let mut decoding: Option<Decoding> = None;
    let mut refused = false;
    while let Some(heard) = reader.next(sink.store(), work)? {
        if decoding.as_ref().is_none_or(|decoding| decoding.part != heard.part) {
            decoding = Decoding::new(track, heard.part);
        }
        let Some(Decoding { decoder, skip, .. }) = &mut decoding else {
            refused = true;
            continue;
        };
        let channels = decoder.channels();
        match decoder.decode(&heard.data) {
            Ok(samples) => {
                // What the decoder throws away at the start of a stream is not heard anywhere (RFC 7845 §4.2).
                let skipped = (*skip).min(heard.duration);
                *skip = skip.saturating_sub(skipped);
                let from = usize::try_from(skipped.get()).unwrap_or(usize::MAX).saturating_mul(channels.into());
                peaks.put(heard.time.saturating_add(skipped), channels, samples.get(from..).unwrap_or_default());
            }
            Err(error) => {
                tracing::debug!("a packet has no peaks: {error}");
                refused = true;
            }
        }
    }
    write(&peaks, sink)?;
    Ok(refused || reader.damaged())
}

/// Makes the file of a mix, out of the mix that was made; says whether some of it could not be read.
pub(super) fn of_mix(origin: &Origin, what: Edition, sink: &mut dyn Sink, work: &Work) -> Result<bool, Stopped> {
    let span = edition::span(what, &origin.recording);
    let mut peaks = Peaks::new(span.end.saturating_sub(span.start));
    let mut mixed = Mixed::open(sink.store(), origin, what)?;
    let refused = |error: DecodeError| Stopped::file(&origin.folder, io::Error::other(error));
    let mut decoder = codec::decoder(&Format::Opus(mixed.head())).map_err(refused)?;
    let late = Ticks::new(mixed.head().pre_skip.into());
    while let Some(packet) = mixed.next(work)? {
        let channels = decoder.channels();
        let sound = decoder.decode(&packet.data).map_err(refused)?;
        let skipped = late.saturating_sub(packet.time).min(packet.duration);
        let from = usize::try_from(skipped.get()).unwrap_or(usize::MAX).saturating_mul(channels.into());
        let time = packet.time.saturating_add(skipped).saturating_sub(late);
        peaks.put(time, channels, sound.get(from..).unwrap_or_default());
    }
    write(&peaks, sink)?;
    Ok(false)
}

fn write(peaks: &Peaks, sink: &mut dyn Sink) -> Result<(), Stopped> {
    let pixels = peaks.pixels();
    let waveform = Waveform {
        version: 2,
        channels: 1,
        sample_rate: Ticks::PER_SECOND,
        samples_per_pixel: peaks.ticks_per_pixel(),
        bits: 8,
        length: pixels.len(),
        data: pixels.flat_map(|(least, greatest)| [least, greatest]).collect(),
    };
    let json = serde_json::to_vec(&waveform).expect("every key is a string, and every value a number");
    sink.expect(json.len() as u64)?;
    sink.append(&json)
}

/// The decoder of a part.
struct Decoding {
    part: usize,
    decoder: Box<dyn Decoder>,
    /// What of its start is still to be thrown away.
    skip: Ticks,
}

impl Decoding {
    fn new(track: &Track, part: usize) -> Option<Self> {
        let format = &track.parts.get(part)?.format;
        let head = format.heard();
        let decoder = codec::decoder(format).ok()?;
        Some(Self { part, decoder, skip: Ticks::new(head.pre_skip.into()) })
    }
}
