//! Any packets of any source: what comes out of a transcoder is what a track may keep and others may hear.
//!
//! An input is either a stream, as for `streams`, or begins with 0x10: then a source is made of it, and its packets.

#![no_main]

mod input;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use roomtone::container::stream::Event;
use roomtone::media::codec::decoder;
use roomtone::media::codec::transcode::Transcoder;
use roomtone::media::opus;
use roomtone::media::packet::SourcePacket;
use roomtone::media::pcm::{self, Sample};
use roomtone::media::source::{Codec, Coded, Source};
use roomtone::media::time::Ticks;
use roomtone::media::track::Format;

use input::{Input, pull};

/// The most sound that is decoded of one input: the rest costs time and finds nothing.
const LONGEST: Ticks = Ticks::from_secs(1);

/// Codecs that are decoded.
const CODED: [Codec; 4] = [Codec::Flac, Codec::Aac, Codec::Vorbis, Codec::Mp3];

/// A source that has begun, and what came of it.
struct Running {
    transcoder: Transcoder,
    kept: Vec<SourcePacket>,
    sound: Ticks,
}

impl Running {
    fn begin(source: &Source) -> Option<Self> {
        let transcoder = Transcoder::new(source).ok()?;
        Some(Self { transcoder, kept: Vec::new(), sound: Ticks::ZERO })
    }

    fn push(&mut self, packet: SourcePacket) {
        if self.sound < LONGEST {
            self.sound = self.sound.saturating_add(packet.duration);
            let _refused = self.transcoder.push(packet, &mut self.kept);
        }
    }

    /// Ends the source, and looks at what came of it.
    fn end(mut self) {
        self.transcoder.finish(&mut self.kept);
        let format = self.transcoder.format().clone();
        let heard = Format::Opus(format.heard());
        let mut ears = decoder(&heard).expect("a decoder for Opus");
        for packet in &self.kept {
            match format {
                Format::Opus(_) => assert!(packet.heard.is_none()),
                Format::Pcm(head) => {
                    assert!(packet.duration <= opus::LONGEST_PACKET, "{}", packet.duration);
                    assert_eq!(packet.data.len() % head.frame_bytes(), 0);
                    let (floats, _) = packet.data.as_chunks::<4>();
                    let finite = || floats.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite());
                    assert!(head.sample() != Sample::F32 || finite(), "numbers that are none are kept");
                }
            }
            let heard = packet.heard.as_ref().unwrap_or(&packet.data);
            // An Opus source passes untouched, whatever it is.
            if let Some(packet) = &packet.heard {
                opus::duration(packet).expect("our own packets are good");
            }
            if let Ok(samples) = ears.decode(heard) {
                assert!(samples.iter().all(|sample| sample.is_finite()));
            }
        }
    }
}

/// A source and its packets out of any bytes.
fn made(bytes: &[u8]) -> Option<(Source, Vec<SourcePacket>)> {
    let ([kind, channels, low, high, private, packet], rest) = bytes.split_first_chunk()?;
    let rate = 8000 + u32::from(u16::from_le_bytes([*low, *high])) * 23_000 / 8_192;
    let channels = 1 + channels % 2;
    let (private, rest) = rest.split_at_checked(usize::from(*private))?;
    let source = match kind & 7 {
        0..=3 => {
            let (codec, private) = (CODED[usize::from(kind & 3)], Bytes::copy_from_slice(private));
            Source::Coded(Coded { codec, rate, channels, private })
        }
        _ => Source::Pcm(pcm::Head::new(Sample::ALL[usize::from(kind & 3)], rate, channels.into()).ok()?),
    };
    let frame = if let Source::Pcm(head) = &source { head.frame_bytes() } else { 1 };
    let packets = rest.chunks((1 + usize::from(*packet)) * frame).enumerate().map(|(index, data)| SourcePacket {
        time: Ticks::new(960 * index as u64),
        duration: Ticks::new(960),
        data: Bytes::copy_from_slice(&data[..data.len() / frame * frame]),
        heard: None,
    });
    Some((source, packets.collect()))
}

fuzz_target!(
    init: {
        // A library that falls is caught by ours, and libFuzzer's hook must not end the process before.
        let _libfuzzers = std::panic::take_hook();
    },
    |bytes: &[u8]| {
        let mut running: Option<Running> = None;
        if let [0x10, bytes @ ..] = bytes {
            let Some((source, packets)) = made(bytes) else { return };
            running = Running::begin(&source);
            for packet in packets {
                running.iter_mut().for_each(|running| running.push(packet.clone()));
            }
        } else {
            let Some(input) = Input::read(bytes) else { return };
            let mut demuxer = input.demuxer();
            let mut take = |event| match event {
                Event::Head(source) => {
                    if let Some(running) = running.take() {
                        running.end();
                    }
                    running = Running::begin(&source);
                }
                Event::Packet(packet) => running.iter_mut().for_each(|running| running.push(packet.clone())),
                Event::Ignored(_) => {}
            };
            for piece in input.pieces() {
                demuxer.push(piece);
                if pull(&mut *demuxer, &mut take).is_err() {
                    break;
                }
            }
            demuxer.finish();
            let _error = pull(&mut *demuxer, &mut take);
        }
        if let Some(running) = running {
            running.end();
        }
    }
);
