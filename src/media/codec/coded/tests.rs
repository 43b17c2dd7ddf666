//! Decoders beside ffmpeg's, and whatever bytes.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::judge;
use super::super::transcode::Transcoder;
use super::super::{decoder, pcm};
use super::*;
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::source::Source;
use crate::media::time::Ticks;

/// A sound that ffmpeg encoded.
struct Made {
    coded: Coded,
    packets: Vec<Bytes>,
    /// The file that they were taken from.
    file: Vec<u8>,
}

fn made(codec: Codec, rate: u32, channels: u8, seconds: u32, bits: u32) -> Made {
    let file = judge::file(codec, rate, channels, seconds, bits);
    let (coded, packets) = judge::packets(codec, rate, channels, &file);
    Made { coded, packets, file }
}

/// What ffmpeg decodes a file to: samples of this format.
fn decoded(file: &[u8], format: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound");
    std::fs::write(&path, file).unwrap();
    judge::ffmpeg(&["-i".to_owned(), path.display().to_string()], &["-f", format])
}

/// As ffmpeg decodes it.
fn expected(made: &Made) -> Vec<f32> {
    let mut sound = Vec::new();
    pcm::read(Sample::F32, &decoded(&made.file, "f32le"), &mut sound);
    sound
}

fn source_packet(data: Bytes) -> SourcePacket {
    SourcePacket { time: Ticks::ZERO, duration: Ticks::from_millis(24), data, heard: None }
}

#[test]
fn what_is_lossy_sounds_as_it_does_to_ffmpeg() {
    for (codec, rate, channels) in [
        (Codec::Aac, 44_100, 2),
        (Codec::Aac, 48_000, 1),
        (Codec::Aac, 16_000, 1),
        (Codec::Vorbis, 44_100, 2),
        (Codec::Vorbis, 8_000, 1),
        (Codec::Mp3, 44_100, 2),
        (Codec::Mp3, 48_000, 1),
        (Codec::Mp3, 22_050, 1),
    ] {
        let made = made(codec, rate, channels, 3, 16);
        let expected = expected(&made);
        let mut decoder = Decoder::new(&made.coded).unwrap();
        assert_eq!(decoder.head(), Head::new(Sample::F32, rate, channels.into()).unwrap());
        let mut sound = Vec::new();
        for packet in &made.packets {
            sound.extend_from_slice(decoder.floats(packet).unwrap());
        }
        // Ogg tells how much of the last packet counts.
        assert!(sound.len().abs_diff(expected.len()) < 2048 * usize::from(channels), "{codec} {rate}");
        let worst = sound.iter().zip(&expected).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{codec} {rate} Hz: {worst}");
        assert!(sound.iter().any(|sample| sample.abs() > 0.3), "{codec} {rate} Hz is silence");
    }
}

#[test]
fn flac_is_exact() {
    for (rate, channels, bits, format) in [(44_100, 2, 16, "s16le"), (96_000, 1, 24, "s24le"), (8_000, 2, 24, "s24le")]
    {
        let made = made(Codec::Flac, rate, channels, 2, bits);
        let mut transcoder = Transcoder::new(&Source::Coded(made.coded.clone())).unwrap();
        let mut out = Vec::new();
        for packet in &made.packets {
            transcoder.push(source_packet(packet.clone()), &mut out).unwrap();
        }
        transcoder.finish(&mut out);
        let kept: Vec<u8> = out.iter().flat_map(|packet| packet.data.to_vec()).collect();
        let expected = decoded(&made.file, format);
        assert_eq!(transcoder.format().codec(), Codec::Pcm);
        assert_eq!((kept.len(), kept == expected), (expected.len(), true), "{rate} Hz, {bits} bits");
    }
}

#[test]
fn what_is_lossy_becomes_opus_of_its_length() {
    for codec in [Codec::Aac, Codec::Vorbis, Codec::Mp3] {
        let made = made(codec, 44_100, 2, 3, 16);
        let expected = expected(&made);
        let mut transcoder = Transcoder::new(&Source::Coded(made.coded.clone())).unwrap();
        let mut out = Vec::new();
        for packet in &made.packets {
            transcoder.push(source_packet(packet.clone()), &mut out).unwrap();
        }
        transcoder.finish(&mut out);
        let head = transcoder.format().heard();
        assert_eq!((head.channels, head.input_rate), (2, 44_100));
        assert!(head.pre_skip > 120 && head.pre_skip < 480, "{}", head.pre_skip);
        let mut decoder = decoder(transcoder.format()).unwrap();
        let mut sound = Vec::new();
        for packet in &out {
            assert_eq!((packet.duration, &packet.heard), (Ticks::from_millis(20), &None));
            sound.extend_from_slice(decoder.decode(&packet.data).unwrap());
        }
        sound.drain(..usize::from(head.pre_skip) * 2);
        let length = expected.len() / 2 * 48_000 / 44_100;
        assert!(sound.len() / 2 >= length && sound.len() / 2 < length + 960 + 2048, "{codec}: {}", sound.len());
        // In place: the same sound, resampled by another.
        let head = Head::new(Sample::F32, 44_100, 2).unwrap();
        let mut resampled = pcm::PcmDecoder::new(head).unwrap();
        let bytes: Vec<u8> = expected.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let late = usize::try_from(super::super::Decoder::delay(&resampled).get()).unwrap();
        let wanted = super::super::Decoder::decode(&mut resampled, &bytes).unwrap()[late * 2..].to_vec();
        let (mut signal, mut noise) = (0.0, 0.0);
        for (wanted, heard) in wanted.iter().zip(&sound).skip(9_600) {
            signal += f64::from(*wanted).powi(2);
            noise += f64::from(wanted - heard).powi(2);
        }
        let ratio = 10.0 * (signal / noise).log10();
        assert!(ratio > 20.0, "{codec}: {ratio} dB");
    }
}

#[test]
fn a_packet_that_does_not_decode_is_silence_of_its_length() {
    for codec in [Codec::Aac, Codec::Vorbis, Codec::Mp3, Codec::Flac] {
        let made = made(codec, 48_000, 1, 1, 16);
        let mut transcoder = Transcoder::new(&Source::Coded(made.coded.clone())).unwrap();
        let (mut out, mut refused) = (Vec::new(), 0);
        for at in 0..100 {
            let data = if at % 10 == 5 { Bytes::from_static(b"\x5F none") } else { made.packets[at % 8 + 1].clone() };
            refused += u32::from(transcoder.push(source_packet(data), &mut out).is_err());
        }
        assert_eq!(refused, 10, "{codec}");
        transcoder.finish(&mut out);
        let length: u64 = out.iter().map(|packet| packet.duration.get()).sum();
        let each = u64::from(match codec {
            Codec::Aac => 1024,
            Codec::Mp3 => 1152_u32,
            Codec::Flac => 4608,
            _ => continue,
        });
        assert!((90 * each + 10 * 1152..90 * each + 10 * 1152 + 1400).contains(&length), "{codec}: {length}");
    }
}

#[test]
fn a_first_packet_that_says_another_layout_spoils_none_but_itself() {
    let made = made(Codec::Aac, 44_100, 2, 1, 16);
    // The element that it begins with (ISO/IEC 14496-3 table 4.85): each one channel, a pair, low frequencies...
    for element in 0..8_u8 {
        let mut decoder = Decoder::new(&made.coded).unwrap();
        let mut first = made.packets[0].to_vec();
        first[0] = element << 5 | first[0] & 0x1F;
        let _ = decoder.floats(&first);
        let refused = made.packets[1..].iter().filter(|packet| decoder.floats(packet).is_err()).count();
        assert!(refused <= 1, "{element}: {refused}");
    }
}

#[test]
fn a_head_that_nobody_reads_is_refused_with_a_sentence() {
    let refused = |codec, private: &[u8], channels| {
        let private = Bytes::copy_from_slice(private);
        let source = Source::Coded(Coded { codec, rate: 44_100, channels, private });
        match Transcoder::new(&source) {
            Ok(_) => panic!("{codec} is read"),
            Err(error) => error.to_string(),
        }
    };
    // HE-AAC: SBR over LC.
    assert!(refused(Codec::Aac, &[0x2B, 0x8A, 0x08, 0x00], 2).contains("AAC-LC"));
    assert!(refused(Codec::Aac, &[], 9).contains("AAC-LC"));
    assert!(refused(Codec::Flac, &[], 2).contains("STREAMINFO"));
    assert!(refused(Codec::Vorbis, b"\x01vorbis", 2).contains("setup header"));
    let mut bits_32 = made(Codec::Flac, 44_100, 2, 1, 16).coded.private.to_vec();
    bits_32[12] |= 1;
    bits_32[13] |= 0xF0;
    assert_eq!(refused(Codec::Flac, &bits_32, 2), "flac of 32 bits is not accepted, only 4 to 24");
}

#[test]
fn a_small_head_does_not_ask_for_much_memory() {
    let good = made(Codec::Vorbis, 44_100, 2, 1, 16).coded.private;
    assert_eq!(vorbis_setup::check(&good), Ok(()));
    // A codebook of 131072 entries of 32 dimensions, all codewords of 17 bits, and a table of one value.
    let mut bits = Bits::default();
    bits.put(255, 8);
    for _ in 0..2 {
        for (value, width) in [(0x56_43_42, 24), (32, 16), (131_072, 24), (1, 1), (16, 5), (131_072, 18), (1, 4)] {
            bits.put(value, width);
        }
        for (value, width) in [(0, 32), (0, 32), (0, 4), (0, 1), (0, 1)] {
            bits.put(value, width);
        }
    }
    let bomb = [&good[..30], b"\x05vorbis", &bits.0].concat();
    assert!(vorbis_setup::check(&bomb).unwrap_err().to_string().contains("too large"));
    let mut many = good.to_vec();
    many[11] = 255;
    assert!(matches!(vorbis_setup::check(&many), Err(DecodeError::Unfit(_))));
}

/// Bits as Vorbis packs them: the lowest first (Vorbis I §2.1.4).
#[derive(Default)]
struct Bits(Vec<u8>, u32);

impl Bits {
    fn put(&mut self, value: u32, width: u32) {
        for at in 0..width {
            if self.1.is_multiple_of(8) {
                self.0.push(0);
            }
            let bit = u8::try_from(value >> at & 1).unwrap();
            *self.0.last_mut().unwrap() |= bit << (self.1 % 8);
            self.1 += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 40 } else { 2_000 }))]

    #[test]
    fn no_packets_make_a_decoder_fall_for_good(
        codec in prop::sample::select(&[Codec::Aac, Codec::Vorbis, Codec::Mp3, Codec::Flac][..]),
        changes in prop::collection::vec((0..30_usize, any::<prop::sample::Index>(), any::<u8>()), 0..60),
        cuts in prop::collection::vec((0..30_usize, any::<prop::sample::Index>()), 0..4),
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4),
    ) {
        let made = kept(codec);
        let mut packets: Vec<Vec<u8>> = made.packets.iter().take(30).map(|packet| packet.to_vec()).collect();
        let count = packets.len();
        for (packet, at, value) in changes {
            let packet = &mut packets[packet % count];
            let at = at.index(packet.len());
            packet[at] = value;
        }
        for (packet, at) in cuts {
            let packet = &mut packets[packet % count];
            packet.truncate(at.index(packet.len()).max(1));
        }
        packets.extend(noise);
        let mut transcoder = Transcoder::new(&Source::Coded(made.coded.clone())).unwrap();
        let mut out = Vec::new();
        for packet in packets {
            let _ = transcoder.push(source_packet(packet.into()), &mut out);
        }
        // What is good is decoded after it all.
        let mut good = 0;
        for packet in made.packets.iter().take(4) {
            good += u32::from(transcoder.push(source_packet(packet.clone()), &mut out).is_ok());
        }
        prop_assert!(good >= 2, "{codec}: {good}");
        for packet in &out {
            let opus = packet.heard.as_ref().unwrap_or(&packet.data);
            prop_assert_eq!(opus::duration(opus), Ok(Ticks::from_millis(20)));
        }
    }

    #[test]
    fn no_head_makes_a_decoder_fall(
        codec in prop::sample::select(&[Codec::Aac, Codec::Vorbis, Codec::Flac][..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        random in prop::option::of(prop::collection::vec(any::<u8>(), 0..80)),
    ) {
        let made = kept(codec);
        let mut private = random.unwrap_or_else(|| made.coded.private.to_vec());
        for (at, value) in changes {
            if !private.is_empty() {
                let at = at.index(private.len());
                private[at] = value;
            }
        }
        let coded = Coded { private: private.into(), ..made.coded.clone() };
        if let Ok(mut decoder) = Decoder::new(&coded) {
            let mut bytes = Vec::new();
            for packet in &made.packets[..3] {
                let _ = if codec == Codec::Flac {
                    decoder.exact(packet, &mut bytes)
                } else {
                    decoder.floats(packet).map(|_| ())
                };
            }
        }
    }
}

/// A second of it, made once.
fn kept(codec: Codec) -> &'static Made {
    static MADE: std::sync::OnceLock<Vec<Made>> = std::sync::OnceLock::new();
    let all = MADE.get_or_init(|| {
        [Codec::Aac, Codec::Vorbis, Codec::Mp3, Codec::Flac].map(|codec| made(codec, 44_100, 2, 1, 16)).into()
    });
    all.iter().find(|made| made.coded.codec == codec).unwrap()
}
