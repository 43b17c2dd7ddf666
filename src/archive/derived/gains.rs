//! Tracks whose parts ask for different gains, in a file that has one head for all of them.
//!
//! What belongs here: the gain of that head, and sound of another gain, encoded again for it. What does not: where the packets come
//! from and go to.
//!
//! A publisher that begins again with another output gain (RFC 7845 §5.1) begins another part. Where all parts ask for the same, so
//! does the file, and no packet is touched. Where they do not, the file asks for none, and what asks for one is decoded with it and
//! encoded again: a player would keep to the first head, and parts of the track would be too loud or too quiet.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::archive::model::Track;
use crate::media::codec::{self, DecodeError, Decoder, Encoder, MONO_BITS, STEREO_BITS};
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;
use crate::media::track::Format;

/// The packets that are made, the longest first, in frames.
const LENGTHS: [usize; 4] = [960, 480, 240, 120];

/// The gain that one head for all parts of a track asks for.
pub(super) fn gain(track: &Track) -> i16 {
    let mut gains = track.parts.iter().map(|part| part.format.heard().output_gain);
    let first = gains.next().unwrap_or(0);
    if gains.all(|gain| gain == first) { first } else { 0 }
}

/// Makes packets without a gain out of those of a part that asks for one. Holds a decoder, an encoder, and one packet in pieces.
pub(super) struct Regain {
    head: opus::Head,
    decoder: Box<dyn Decoder>,
    encoder: Box<dyn Encoder>,
    made: VecDeque<SourcePacket>,
}

impl Regain {
    /// For a part of this format in a file whose head asks for `gain`: none, where it asks for the same.
    pub fn of(format: &Format, gain: i16) -> Result<Option<Self>, DecodeError> {
        let head = match format {
            Format::Opus(head) if head.output_gain != gain => *head,
            Format::Opus(_) | Format::Pcm(_) => return Ok(None),
        };
        let bits = if head.channels == 1 { MONO_BITS } else { STEREO_BITS };
        let (decoder, encoder) = (codec::decoder(format)?, codec::encoder(head.channels, bits)?);
        Ok(Some(Self { head, decoder, encoder, made: VecDeque::new() }))
    }

    /// How much later than the part's own packets these sound.
    pub fn late(&self) -> Ticks {
        self.encoder.lookahead()
    }

    /// The next packet, made of what `next` gives. It sounds as long as those that it is made of.
    pub fn pull(&mut self, next: impl FnOnce() -> Option<SourcePacket>) -> Option<SourcePacket> {
        if self.made.is_empty() {
            self.push(&next()?);
        }
        self.made.pop_front()
    }

    fn push(&mut self, packet: &SourcePacket) {
        let channels = usize::from(self.head.channels);
        let silence;
        let mut sound = match self.decoder.decode(&packet.data) {
            Ok(sound) => sound,
            Err(error) => {
                tracing::debug!("a packet is silence: {error}");
                silence = vec![0.0; usize::try_from(packet.duration.get()).unwrap_or(0) * channels];
                &silence[..]
            }
        };
        let mut time = packet.time;
        while let Some(frames) = LENGTHS.into_iter().find(|frames| frames * channels <= sound.len()) {
            let (now, rest) = sound.split_at(frames * channels);
            let duration = Ticks::new(frames as u64);
            let data = self.encoder.encode(now).unwrap_or_else(|error| {
                tracing::debug!("a packet is silence: {error}");
                opus::silence(duration).0.next().map_or_else(Bytes::new, |(packet, _)| Bytes::from_static(packet))
            });
            self.made.push_back(SourcePacket { time, duration, data, heard: None });
            time = time.saturating_add(duration);
            sound = rest;
        }
    }
}
