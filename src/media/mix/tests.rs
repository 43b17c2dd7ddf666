//! A mixer, with speakers that are made up.
#![allow(dead_code)]

use std::f64::consts::TAU;

use ropus::{Application, Channels};

use super::*;
use crate::media::codec::decoder;
use crate::media::track::Format;

const ANN: Uuid = Uuid::from_u128(1);
const BEN: Uuid = Uuid::from_u128(2);
const EVE: Uuid = Uuid::from_u128(3);
const MONO: Head = Head { channels: 1, ..HEAD };
const BUS: BusId = BusId { without: None, output: Output::Packets };
const SOUND: BusId = BusId { without: None, output: Output::Sound };

/// One who says a sound, which is a function of the session's clock in seconds.
struct Speaker {
    number: TrackNumber,
    owner: Uuid,
    encoder: ropus::Encoder,
    packet: u64,
    /// Where the next packet begins on the session's clock, and how many of its ticks a packet's tick lasts.
    place: f64,
    rate: f64,
    sequence: Sequence,
    sound: Box<dyn Fn(f64) -> f64>,
    /// What its listeners hear by themselves.
    decoder: Box<dyn codec::Decoder>,
    heard: Vec<f32>,
    begins: f64,
}

use crate::media::codec;

impl Speaker {
    fn new(number: u16, begins: u64, packet: u64, sound: impl Fn(f64) -> f64 + 'static) -> Self {
        let encoder = ropus::Encoder::builder(48_000, Channels::Mono, Application::Audio)
            .bitrate(ropus::Bitrate::try_bits(96_000).unwrap())
            .build()
            .unwrap();
        Self {
            number: TrackNumber::new(number),
            owner: Uuid::from_u128(number.into()),
            encoder,
            packet,
            place: float(begins),
            rate: 1.0,
            sequence: Sequence::ZERO,
            sound: Box::new(sound),
            decoder: decoder(&Format::Opus(MONO)).unwrap(),
            heard: Vec::new(),
            begins: float(begins),
        }
    }

    /// The next packet.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small places")]
    fn next(&mut self) -> Packet {
        let sample = |tick: u64| (self.sound)((self.place + float(tick) * self.rate) / 48_000.0) as f32;
        let sound: Vec<f32> = (0..self.packet).map(sample).collect();
        let mut data = [0; 4000];
        let bytes = self.encoder.encode_float(&sound, &mut data).unwrap();
        let data = bytes::Bytes::copy_from_slice(&data[..bytes]);
        self.heard.extend_from_slice(self.decoder.decode(&data).unwrap());
        let duration = Ticks::new(self.packet);
        let packet = Packet {
            sequence: self.sequence,
            time: Ticks::new(self.place.round() as u64),
            duration,
            data,
            heard: None,
        };
        self.sequence = self.sequence.next();
        self.place += float(self.packet) * self.rate;
        packet
    }

    /// Says a message to the mixer, which comes when its sound is over.
    fn say(&mut self, mixer: &mut Mixer, packets: usize) -> Vec<Packet> {
        let packets: Vec<_> = (0..packets).map(|_| self.next()).collect();
        let now = packets.last().unwrap().end();
        mixer.push(self.number, self.owner, MONO, &packets, false, now);
        packets
    }
}

fn tone(hertz: f64, level: f64) -> impl Fn(f64) -> f64 {
    move |seconds| level * (seconds * hertz * TAU).sin()
}

/// The level of a tone in mono sound.
fn level(sound: &[f32], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (index, sample) in sound.iter().enumerate() {
        let angle = float(index as u64) / 48_000.0 * hertz * TAU;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * (re * re + im * im).sqrt() / float(sound.len() as u64)
}

/// How far the error is below the signal, in dB.
fn below(signal: &[f32], heard: &[f32]) -> f64 {
    assert_eq!(signal.len(), heard.len());
    let power = |sum: f64, sample: f32| sum + f64::from(sample).powi(2);
    let signal_power = signal.iter().copied().fold(1e-9, power);
    let error = signal.iter().zip(heard).map(|(one, other)| one - other).fold(1e-9, power);
    10.0 * (signal_power / error).log10()
}

fn left(stereo: &[f32]) -> Vec<f32> {
    stereo.iter().copied().step_by(2).collect()
}

/// What one decoder makes of packets, one side of it.
fn decode(packets: &[Packet]) -> Vec<f32> {
    let mut decoder = decoder(&Format::Opus(HEAD)).unwrap();
    packets.iter().flat_map(|packet| left(decoder.decode(&packet.data).unwrap())).collect()
}

/// Passing, mixing, passing again: what a listener gets.
struct Story {
    passed: Vec<Packet>,
    pre_roll: Vec<Packet>,
    mixed: Vec<Packet>,
    taken: Vec<Packet>,
    /// What goes before those, as pre-roll.
    before_taken: Vec<Packet>,
    handed: Ticks,
    steps: usize,
}

/// Ann speaks; Ben comes for a while, silently, so that all that is heard is Ann; then one of them is left alone.
fn story(ann: &mut Speaker, ben: &mut Speaker, message: usize) -> Story {
    let mut mixer = Mixer::new();
    let mut all = Vec::new();
    while all.len() < message * 20 {
        all.extend(ann.say(&mut mixer, message));
    }
    let passed = all.clone();
    let next = ann.sequence;
    mixer.begin(BUS, passed.last().unwrap().end(), Joint::Track(ann.number, next));
    let (mut pre_roll, mut mixed) = (Vec::new(), Vec::new());
    let mut handed = None;
    let mut steps = 0;
    while handed.is_none() {
        steps += 1;
        assert!(steps < 1000, "nobody takes over");
        all.extend(ann.say(&mut mixer, message));
        if steps < 20 {
            while ben.place < ann.place {
                ben.say(&mut mixer, 1);
            }
        } else if steps == 20 {
            mixer.end(ben.number);
        }
        for made in mixer.pull(all.last().unwrap().end()) {
            match made {
                Made::Begun(_, packets) => pre_roll = packets,
                Made::Packets(_, packets) => mixed.extend(packets),
                Made::Handed { next, time, .. } => handed = Some((next, time)),
                other => panic!("{other:?}"),
            }
        }
    }
    let (next, handed) = handed.unwrap();
    for _ in 0..10 {
        all.extend(ann.say(&mut mixer, message));
    }
    let at = all.iter().position(|packet| packet.sequence == next).unwrap();
    let taken = all.split_off(at);
    let before_taken = all.split_off(all.len() - 9_usize.div_ceil(message.max(1)).max(3));
    Story { passed, pre_roll, mixed, taken, before_taken, handed, steps }
}

/// The error in windows of 10 ms of what is heard, below Ann's own sound, where that is loud enough to speak of.
fn worst(own: &[f32], heard: &[f32], from: usize, windows: usize) -> f64 {
    let window = |number: usize| from + 480 * number..from + 480 * (number + 1);
    let loud = |range: &std::ops::Range<usize>| own[range.clone()].iter().any(|sample| sample.abs() > 0.03);
    (0..windows)
        .map(window)
        .filter(loud)
        .map(|range| below(&own[range.clone()], &heard[range]))
        .fold(f64::MAX, f64::min)
}

#[test]
fn measure() {
    let speech = |seconds: f64| {
        let envelope = (seconds * 3.0 * TAU).sin().abs();
        let pitch = seconds * 130.0 + 2.0 * (seconds * 2.0).sin();
        (1..20).map(|n| (pitch * f64::from(n) * TAU).sin() / f64::from(n)).sum::<f64>() * 0.15 * envelope
    };
    type Sound = fn(f64) -> f64;
    let sine: Sound = |seconds| 0.5 * (seconds * 440.0 * TAU).sin();
    let high: Sound = |seconds| 0.5 * (seconds * 3000.0 * TAU).sin();
    for (name, sound) in [("sine", sine), ("high", high), ("speech", speech as Sound)] {
        for (packet, message) in [(960, 1), (960, 10), (2880, 5)] {
            for begins in [4800, 5000] {
                let mut ann = Speaker::new(1, begins, packet, sound);
                let mut ben = Speaker::new(2, 9_000, 960, |_| 0.0);
                let story = story(&mut ann, &mut ben, message);
                let running = decode(&[&story.passed[..], &story.mixed, &story.taken].concat());
                let joint = story.passed.len() * usize::try_from(packet).unwrap();
                let other = running.len() - story.taken.len() * usize::try_from(packet).unwrap();
                let alone = decode(&[&story.pre_roll[..], &story.mixed].concat());
                let own = &ann.heard;
                if packet == 960 && message == 1 && begins == 4800 {
                    for from in [joint, other] {
                        let fine: Vec<String> = (0..24)
                            .map(|n| from - 240 + 120 * n..from - 120 + 120 * n)
                            .map(|range| format!("{:.0}", below(&own[range.clone()], &running[range])))
                            .collect();
                        println!("{name}: {}", fine.join(" "));
                    }
                }
                let skip = alone.len() - (other - joint);
                println!(
                    "{name} {packet} x {message} from {begins}: running {:.0} then {:.0}; all along {:.0}; alone {:.0}; {} steps, handed {}",
                    worst(own, &running, joint, 10),
                    worst(own, &running, other, 10),
                    worst(own, &running, joint + 4800, (other - joint) / 480 - 12),
                    worst(&own[joint..], &alone[skip..], 0, 10),
                    story.steps,
                    story.handed.get(),
                );
            }
        }
    }
}
