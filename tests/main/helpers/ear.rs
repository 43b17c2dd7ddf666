//! What plain messages sound like, decoded by our own decoders, which are judged elsewhere.

use std::f64::consts::TAU;

use bytes::Bytes;
use roomtone::container::stream::Demux as _;
use roomtone::container::{ogg, webm};
use roomtone::media::codec::{self, Decoder};
use roomtone::media::opus::Head;
use roomtone::media::source::Source;
use roomtone::media::track::Format;

/// The sound of messages, each decoded for itself, or by one decoder that goes on.
pub struct Ear {
    goes_on: Option<Box<dyn Decoder>>,
    alone: bool,
}

impl Ear {
    pub fn new(alone: bool) -> Self {
        Self { goes_on: None, alone }
    }

    /// The left side of a message's sound.
    pub fn hear_left(&mut self, message: &[u8]) -> Vec<f32> {
        if message.starts_with(b"RIFF") {
            return wav(message).into_iter().step_by(2).collect();
        }
        let (head, packets) = read(message);
        if self.alone {
            self.goes_on = None;
        }
        let decoder = self.goes_on.get_or_insert_with(|| codec::decoder(&Format::Opus(head)).unwrap());
        let channels = usize::from(decoder.channels());
        let mut sound: Vec<f32> = Vec::new();
        for packet in packets {
            sound.extend(decoder.decode(&packet).unwrap().iter().step_by(channels));
        }
        sound.drain(..usize::from(head.pre_skip));
        sound
    }
}

/// The samples of a message of WAV: stereo, interleaved, full scale being 1.
pub fn wav(message: &[u8]) -> Vec<f32> {
    let samples = message[44..].chunks_exact(2);
    samples.map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
}

/// The head and the packets of a message of WebM or Ogg, its pre-roll among them.
pub fn read(message: &[u8]) -> (Head, Vec<Bytes>) {
    if message.starts_with(b"OggS") { from_ogg(message) } else { from_webm(message) }
}

fn from_webm(message: &[u8]) -> (Head, Vec<Bytes>) {
    let mut demuxer = webm::Demuxer::new();
    demuxer.push(message);
    let (mut head, mut packets) = (None, Vec::new());
    while let Some(event) = demuxer.pull().unwrap() {
        match event {
            webm::Event::Head(Source::Opus(found)) => head = Some(found),
            webm::Event::Packet(packet) => packets.push(packet.data),
            other => panic!("{other:?}"),
        }
    }
    (head.unwrap(), packets)
}

fn from_ogg(message: &[u8]) -> (Head, Vec<Bytes>) {
    let mut demuxer = ogg::Demuxer::new();
    demuxer.push(message);
    let (mut head, mut packets) = (None, Vec::new());
    while let Some(event) = demuxer.pull().unwrap() {
        match event {
            ogg::Event::Head(found) => head = Some(found),
            ogg::Event::Packet(packet) => packets.push(packet.data),
            ogg::Event::Tags(_) | ogg::Event::End(_) => {}
        }
    }
    (head.unwrap(), packets)
}

/// All packets as one decoder hears them: stereo, interleaved; one channel is on both sides.
pub fn decoded(head: Head, packets: &[impl AsRef<[u8]>]) -> Vec<f32> {
    let mut decoder = codec::decoder(&Format::Opus(head)).unwrap();
    let mono = decoder.channels() == 1;
    let mut sound = Vec::new();
    for packet in packets {
        let decoded = decoder.decode(packet.as_ref()).unwrap();
        if mono {
            sound.extend(decoded.iter().flat_map(|sample| [*sample; 2]));
        } else {
            sound.extend_from_slice(decoded);
        }
    }
    sound
}

/// The level of a tone.
pub fn level(sound: &[f32], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (index, sample) in sound.iter().enumerate() {
        let angle = index as f64 / 48_000.0 * hertz * TAU;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / sound.len() as f64
}

/// How far what differs between two sounds lies below the first, in dB: all in all, and in the worst of the pieces of `piece` samples in which
/// the first is no silence.
pub fn likeness(sound: &[f32], other: &[f32], piece: usize) -> (f64, f64) {
    let power = |samples: &mut dyn Iterator<Item = f32>| samples.map(|sample| f64::from(sample).powi(2)).sum::<f64>();
    let decibels = |signal: f64, error: f64| 10.0 * (signal / error.max(1e-12)).log10();
    let (mut all, mut wrong, mut worst) = (0.0, 0.0, f64::INFINITY);
    for (sound, other) in sound.chunks_exact(piece).zip(other.chunks_exact(piece)) {
        let signal = power(&mut sound.iter().copied());
        let error = power(&mut sound.iter().zip(other).map(|(one, other)| one - other));
        (all, wrong) = (all + signal, wrong + error);
        if signal / piece as f64 > 1e-5 {
            worst = worst.min(decibels(signal, error));
        }
    }
    (decibels(all, wrong), worst)
}
