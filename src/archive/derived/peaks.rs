//! Waveforms: the peaks of a track or of the mix on the session's timeline, as audiowaveform writes them (JSON, version 2).

use std::io;
use std::path::Path;

use serde::Serialize;

use super::mixed::Mixed;
use super::recipe::{Stopped, Work};
use super::sound::{As, Reader, Sums};
use crate::archive::model::Track;
use crate::archive::store::Store;
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

/// Makes the file of a track in a session of this length; says whether some of the track could not be read.
pub(super) fn waveform(
    store: &mut dyn Store,
    folder: &Path,
    track: &Track,
    sums: &Sums,
    length: Ticks,
    work: &Work,
) -> Result<(Vec<u8>, bool), Stopped> {
    let mut peaks = Peaks::new(length);
    let mut reader = Reader::new(folder, track, sums, As::Kept);
    let mut decoding: Option<Decoding> = None;
    let mut refused = false;
    while let Some(heard) = reader.next(store, work)? {
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
    Ok((json(&peaks), refused || reader.damaged()))
}

/// Makes the file of the mix, out of the mix that was made, in a session of this length; says whether some of it could not be
/// read.
pub(super) fn of_mix(
    store: &mut dyn Store,
    folder: &Path,
    length: Ticks,
    work: &Work,
) -> Result<(Vec<u8>, bool), Stopped> {
    let mut peaks = Peaks::new(length);
    let mut mixed = Mixed::open(store, folder)?;
    let refused = |error: DecodeError| Stopped::file(folder, io::Error::other(error));
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
    Ok((json(&peaks), false))
}

fn json(peaks: &Peaks) -> Vec<u8> {
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
    serde_json::to_vec(&waveform).expect("every key is a string, and every value a number")
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
