//! What ffmpeg writes as Matroska and WebM, of every codec that we read, judged by what ffprobe finds in the same bytes.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{BLOCK_LIMIT, Demuxer};
use crate::container::judge::{self, Probed};
use crate::container::stream::Event;
use crate::container::testing::{self, are_the_same_bytes, is_read_or_refused, is_the_same_in_pieces, packets, sizes};
use crate::media::packet::SourcePacket;
use crate::media::pcm::{self, Sample};
use crate::media::source::{Codec, Source};
use crate::media::time::Ticks;

/// Tones, and clicks so that codecs switch their blocks.
const SOUND: &str = "aevalsrc='0.3*sin(2764*t)+if(lt(mod(t,0.4),0.005),0.5,0)':s=48000:d=1";

/// An element that is collected, and its header, in bytes.
fn bound() -> usize {
    usize::try_from(BLOCK_LIMIT + 12).unwrap()
}

/// A file of 1 s, as ffmpeg writes it into a pipe.
fn file(codec: &str, rate: u32, channels: u8, more: &[&str]) -> Vec<u8> {
    let (rate, channels) = (rate.to_string(), channels.to_string());
    let sound = ["-c:a", codec, "-ar", &rate, "-ac", &channels, "-f", "matroska"];
    judge::made(SOUND, &[more, &sound].concat())
}

/// The source and the packets of a file; it must come out the same however it is cut.
fn demux(name: &str, file: &[u8]) -> (Source, Vec<SourcePacket>) {
    let events = testing::events(Demuxer::new(), file);
    is_the_same_in_pieces(Demuxer::new, file, [13, 777], bound());
    let Some(Event::Head(source)) = events.first() else { panic!("{name}: {:?}", events.first()) };
    (source.clone(), packets(&events).into_iter().cloned().collect())
}

fn compare(name: &str, found: &[SourcePacket], golden: &[Probed], bytes_too: bool) {
    assert_eq!(found.len(), golden.len(), "{name}");
    if bytes_too {
        are_the_same_bytes(name, &found.iter().collect::<Vec<_>>(), golden);
    }
    for (found, golden) in found.windows(2).zip(golden.windows(2)) {
        assert_eq!(found[1].time.signed_since(found[0].time), 48 * (golden[1].pts - golden[0].pts), "{name}");
    }
    // The counted lengths say what the times say, of which each is rounded to 1 ms. The first packet of Vorbis gives no
    // sound, and ffmpeg nevertheless gives it time.
    let from = usize::from(found[0].duration == Ticks::ZERO);
    let counted: u64 = found[from..found.len() - 1].iter().map(|packet| packet.duration.get()).sum();
    let timed = found[found.len() - 1].time.saturating_sub(found[from].time).get();
    assert!(counted.abs_diff(timed) <= 96, "{name}: {counted} and {timed} ticks");
}

#[test]
fn plain_samples_come_as_they_were_written() {
    let kinds = [
        ("pcm_u8", Sample::S16, false),
        ("pcm_s16le", Sample::S16, true),
        ("pcm_s24le", Sample::S24, true),
        ("pcm_s32le", Sample::S32, true),
        ("pcm_f32le", Sample::F32, true),
        ("pcm_s16be", Sample::S16, false),
        ("pcm_s24be", Sample::S24, false),
        ("pcm_s32be", Sample::S32, false),
    ];
    for (codec, sample, same_bytes) in kinds {
        for (rate, channels) in [(8000, 1), (44_100, 2), (192_000, 2)] {
            let name = format!("{codec}, {rate}, {channels}");
            let file = file(codec, rate, channels, &[]);
            let (source, found) = demux(&name, &file);
            assert_eq!(source, Source::Pcm(pcm::Head::new(sample, rate, channels.into()).unwrap()), "{name}");
            compare(&name, &found, &judge::probe(&file), same_bytes);
            let bytes: Vec<u8> = found.iter().flat_map(|packet| packet.data.to_vec()).collect();
            assert!(bytes == judge::samples(&file, sample.word()), "{name}: other samples than ffmpeg's");
        }
    }
}

#[test]
fn what_is_coded_comes_as_it_was_written_with_its_length() {
    let cases: [(&str, Codec, &[u32], &[&str]); 8] = [
        ("flac", Codec::Flac, &[8000, 44_100, 192_000], &["-sample_fmt", "s16"]),
        ("flac", Codec::Flac, &[44_100, 96_000], &["-sample_fmt", "s32", "-bits_per_raw_sample", "24"]),
        ("flac", Codec::Flac, &[11_025, 37_800], &["-frame_size", "300"]),
        ("libvorbis", Codec::Vorbis, &[8000, 44_100, 96_000], &["-q:a", "4"]),
        ("aac", Codec::Aac, &[8000, 44_100, 96_000], &[]),
        ("libmp3lame", Codec::Mp3, &[8000, 11_025, 22_050, 44_100, 48_000], &["-q:a", "4"]),
        ("libmp3lame", Codec::Mp3, &[24_000, 32_000], &["-b:a", "64k"]),
        ("libopus", Codec::Opus, &[48_000], &[]),
    ];
    for (encoder, codec, rates, more) in cases {
        for rate in rates {
            for channels in [1, 2] {
                let name = format!("{encoder} {more:?}, {rate}, {channels}");
                let file = file(encoder, *rate, channels, more);
                let (source, found) = demux(&name, &file);
                assert_eq!(source.codec(), codec, "{name}");
                if let Source::Coded(coded) = &source {
                    assert_eq!((coded.rate, coded.channels), (*rate, channels), "{name}");
                }
                compare(&name, &found, &judge::probe(&file), true);
            }
        }
    }
}

#[test]
fn what_we_do_not_read_is_refused_with_a_sentence() {
    let refused = |codec: &str, channels, more: &[&str]| {
        testing::error(Demuxer::new(), &file(codec, 48_000, channels, more)).to_string()
    };
    assert!(refused("pcm_f64le", 1, &[]).ends_with("64 bits; accepted are 8, 16, 24 and 32 bits, and 32 of floats"));
    assert!(refused("pcm_s16le", 6, &[]).ends_with("6 channels are not accepted, only 1 or 2"));
    assert!(refused("flac", 6, &[]).ends_with("6 channels are not accepted, only 1 or 2"));
    assert!(refused("aac", 6, &[]).ends_with("6 channels are not accepted, only 1 or 2"));
    assert!(refused("libvorbis", 6, &[]).ends_with("6 channels are not accepted, only 1 or 2"));
    let ac3 = refused("ac3", 2, &[]);
    assert!(
        ac3.ends_with("the audio is \"A_AC3\"; accepted are Opus, PCM, FLAC, Vorbis, AAC-LC and MP3, mono or stereo")
    );
}

/// A file of each codec.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let codecs = ["pcm_s24be", "pcm_f32le", "flac", "libvorbis", "aac", "libmp3lame"];
    codecs.into_iter().map(|codec| file(codec, 16_000, 2, &[])).collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_file_comes_out_the_same_in_pieces_of_any_sizes_changed_or_not(
        file in 0..6_usize,
        sizes in sizes(),
        changes in prop::collection::vec((0..6000_usize, any::<u8>()), 0..6),
    ) {
        let mut bytes = FILES[file].clone();
        let length = bytes.len();
        for (at, byte) in &changes {
            bytes[at % length] = *byte;
        }
        if changes.is_empty() {
            testing::events(Demuxer::new(), &bytes);
        }
        is_read_or_refused(Demuxer::new, &bytes, &sizes, bound());
    }
}
