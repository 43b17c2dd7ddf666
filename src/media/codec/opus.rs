//! Opus by `ropus`: the reference decoder in Rust, fixed-point, bit for bit.
//!
//! What belongs here: the library kept at arm's length. What does not: the layout of packets (`media::opus`), which is
//! checked before the library sees one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ropus::{Channels, DecodeMode};

use super::DecodeError;
use crate::media::opus::{self, Head, LONGEST_PACKET};
use crate::media::time::Ticks;

/// Decodes one stream of Opus, with the gain that its head asks for (RFC 7845 §5.1).
pub struct Decoder {
    head: Head,
    library: ropus::Decoder,
    /// Room for the longest packet; never more is needed, or kept.
    samples: Vec<f32>,
}

impl Decoder {
    pub fn new(head: Head) -> Result<Self, DecodeError> {
        let longest = samples(LONGEST_PACKET, head.channels);
        Ok(Self { head, library: begin(head)?, samples: vec![0.0; longest] })
    }
}

impl super::Decoder for Decoder {
    fn channels(&self) -> u8 {
        self.head.channels
    }

    fn decode(&mut self, packet: &[u8]) -> Result<&[f32], DecodeError> {
        let expected = samples(opus::duration(packet)?, self.head.channels);
        let (library, all) = (&mut self.library, &mut self.samples);
        // The library's state after a panic may be anything, and is thrown away.
        let decoded = catch_unwind(AssertUnwindSafe(|| library.decode_float(packet, all, DecodeMode::Normal)));
        let decoded = match decoded {
            Ok(Ok(count)) if count * usize::from(self.head.channels) == expected => {
                return Ok(&self.samples[..expected]);
            }
            Ok(Ok(count)) => DecodeError::Refused(format!("it gave {count} samples")),
            Ok(Err(error)) => DecodeError::Refused(error.to_string()),
            Err(_) => DecodeError::Fell,
        };
        self.library = begin(self.head)?;
        Err(decoded)
    }
}

/// How many samples so much sound has, all channels together.
fn samples(length: Ticks, channels: u8) -> usize {
    usize::try_from(length.get()).unwrap_or(usize::MAX).saturating_mul(channels.into())
}

fn begin(head: Head) -> Result<ropus::Decoder, DecodeError> {
    let channels = if head.channels == 1 { Channels::Mono } else { Channels::Stereo };
    let rate = u32::try_from(Ticks::PER_SECOND).expect("48000");
    let mut library = ropus::Decoder::new(rate, channels).map_err(|error| DecodeError::Refused(error.to_string()))?;
    library.set_gain(head.output_gain.into()).map_err(|error| DecodeError::Refused(error.to_string()))?;
    Ok(library)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Decoder as _;
    use super::*;

    fn head(channels: u8) -> Head {
        Head { channels, pre_skip: 0, input_rate: 48_000, output_gain: 0 }
    }

    #[test]
    fn a_packet_that_is_none_costs_itself_alone() {
        let mut decoder = Decoder::new(head(1)).unwrap();
        assert!(matches!(decoder.decode(&[]), Err(DecodeError::Packet(_))));
        assert!(matches!(decoder.decode(&[0xFB, 0]), Err(DecodeError::Packet(_))));
        assert_eq!(decoder.decode(opus::SILENCE_20_MS.0).unwrap(), [0.0; 960]);
    }

    #[test]
    fn stereo_is_interleaved_and_mono_packets_are_heard_on_both_sides() {
        let mut encoder = ropus::Encoder::builder(48_000, Channels::Mono, ropus::Application::Audio).build().unwrap();
        let tone: Vec<f32> = (0..960_u16).map(|at| (f32::from(at) * 0.1).sin() * 0.5).collect();
        let mut packet = [0; 1500];
        let mut decoder = Decoder::new(head(2)).unwrap();
        for _ in 0..5 {
            let bytes = encoder.encode_float(&tone, &mut packet).unwrap();
            let sound = decoder.decode(&packet[..bytes]).unwrap();
            assert_eq!(sound.len(), 1920);
            assert!(sound.chunks(2).all(|pair| (pair[0] - pair[1]).abs() < 1e-4));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 600 } else { 20_000 }))]
        #[test]
        fn no_packets_make_the_decoder_panic_or_give_other_than_their_length(
            packets in prop::collection::vec(
                (any::<u8>(), prop::collection::vec(any::<u8>(), 0..400)), 1..12
            ),
            channels in 1..=2_u8,
        ) {
            let mut decoder = Decoder::new(head(channels)).unwrap();
            for (toc, body) in packets {
                let packet = [&[toc][..], &body].concat();
                match (opus::duration(&packet), decoder.decode(&packet)) {
                    (Ok(length), Ok(sound)) => prop_assert_eq!(sound.len(), samples(length, channels)),
                    (Err(error), Err(refused)) => prop_assert_eq!(refused, DecodeError::Packet(error)),
                    (Ok(_), Err(error)) => prop_assert!(error != DecodeError::Fell, "{:?}", packet),
                    (Err(error), Ok(_)) => prop_assert!(false, "{error}: {packet:?}"),
                }
            }
        }
    }
}
