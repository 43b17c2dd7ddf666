//! The decoder beside ffmpeg's.

use roomtone::media::codec::decoder;
use roomtone::media::opus::Head;
use roomtone::media::track::Format;

use crate::helpers::Capture;
use crate::helpers::capture::demux;
use crate::helpers::judge::decode_bytes;

#[test]
fn a_capture_sounds_as_it_does_to_ffmpeg() {
    for (name, channels) in [
        ("chromium-webm-opus", 1_u8),
        ("chromium-webm-opus-mic", 1),
        ("firefox-webm-opus", 1),
        ("firefox-webm-opus-ctx44100", 1),
    ] {
        let file = Capture::new(name).whole();
        let (pre_skip, packets) = demux(&file);
        let expected = decode_bytes(&file);
        let head = Head { channels, pre_skip: 0, input_rate: 48_000, output_gain: 0 };
        let mut decoder = decoder(&Format::Opus(head)).unwrap();
        let mut sound = Vec::new();
        for packet in &packets {
            sound.extend_from_slice(decoder.decode(&packet.data).unwrap());
        }
        sound.drain(..usize::try_from(pre_skip).unwrap());
        assert_eq!(sound.len(), expected.len(), "{name}");
        // ffmpeg's decoder is another one, in floating point; both round.
        let differ = sound.iter().zip(&expected).map(|(ours, theirs)| (ours * 32_768.0 - f32::from(*theirs)).abs());
        let worst = differ.fold(0.0, f32::max);
        assert!(worst < 64.0, "{name}: {worst} of 32768");
        let loud = sound.iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        assert!(loud > 0.05, "{name} is silence: {loud}");
    }
}
