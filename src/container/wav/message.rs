//! A small whole file out of a few samples: what the message of a plain listener of WAV is.
//!
//! What belongs here: samples of 16 bits at 48 kHz, behind a header. What does not: which sound goes together, and when.

use super::header::header_for;
use crate::media::pcm::{Head, Sample};

/// A WAV file of these samples: 48 kHz, interleaved, full scale being 1, rounded to 16 bits; beyond full scale they are
/// clamped, and what is no number is silence. `channels` is 1 or 2. Samples that make no whole frame are left out.
#[must_use]
pub fn message(channels: u8, samples: &[f32]) -> Vec<u8> {
    let head = Head::new(Sample::S16, 48_000, channels.clamp(1, 2).into()).expect("it is accepted");
    let samples = &samples[..samples.len() - samples.len() % usize::from(head.channels())];
    let mut file = header_for(head, samples.len() as u64 * 2);
    file.reserve_exact(samples.len() * 2);
    for &sample in samples {
        file.extend_from_slice(&sixteen_bits(sample).to_le_bytes());
    }
    file
}

/// A sample as 16 bits, the nearest. Full scale is 32768, so that what came as 16 bits leaves unchanged.
fn sixteen_bits(sample: f32) -> i16 {
    let scaled = (sample * 32_768.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "held to an i16; what is no number becomes 0")]
    let sample = scaled.clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16;
    sample
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::judge;

    /// Bytes before the samples.
    const HEAD: usize = 44;

    #[test]
    fn a_message_is_a_file_that_ffmpeg_takes() {
        for channels in [1, 2] {
            let samples: Vec<f32> = (0..11_520 * u16::from(channels)).map(|at| f32::from(at % 100) / 100.0).collect();
            let file = message(channels, &samples);
            assert_eq!(file.len(), HEAD + 2 * samples.len());
            let described = judge::describe(&file);
            for line in ["codec_name=pcm_s16le\n", "sample_rate=48000\n", "duration=0.240000\n"] {
                assert!(described.contains(line), "{described}");
            }
            assert!(described.contains(&format!("channels={channels}\n")), "{described}");
            let (samples, said) = judge::decode(&file);
            assert_eq!(samples.len(), 11_520);
            assert!(said.lines().all(|line| line.starts_with("Guessed Channel Layout")), "{said}");
        }
    }

    #[test]
    fn every_16_bit_sample_is_kept_and_others_are_rounded_and_held() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(sixteen_bits(f32::from(sample) / 32_768.0), sample);
        }
        for (sample, expected) in [
            (1.0, 32_767),
            (7.5, 32_767),
            (f32::INFINITY, 32_767),
            (-1.0, -32_768),
            (f32::NEG_INFINITY, -32_768),
            (f32::NAN, 0),
            (0.6 / 32_768.0, 1),
            (0.4 / 32_768.0, 0),
            (-0.6 / 32_768.0, -1),
        ] {
            assert_eq!(sixteen_bits(sample), expected, "{sample}");
        }
    }

    #[test]
    fn half_a_frame_is_left_out() {
        assert_eq!(message(2, &[0.5, 0.5, 0.5]).len(), HEAD + 4);
        assert_eq!(message(1, &[]).len(), HEAD);
    }
}
