//! A mixer, with speakers that are made up.

use std::f64::consts::TAU;

use ropus::{Application, Channels};

use super::*;
use crate::media::codec::{self, decoder};
use crate::media::track::Format;

const ANN: Uuid = Uuid::from_u128(1);
const BEN: Uuid = Uuid::from_u128(2);
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
}

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
    /// How many messages it took until they are taken.
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
    let (next, time) = handed.unwrap();
    assert_eq!(mixed.last().map(Packet::end), Some(time), "the mix ends where the track goes on");
    for _ in 0..10 {
        all.extend(ann.say(&mut mixer, message));
    }
    let at = all.iter().position(|packet| packet.sequence == next).unwrap();
    let taken = all.split_off(at);
    Story { passed, pre_roll, mixed, taken, steps }
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

fn speech(seconds: f64) -> f64 {
    let pitch = seconds * 130.0 + 2.0 * (seconds * 2.0).sin();
    let voice = (1..20).map(|n| (pitch * f64::from(n) * TAU).sin() / f64::from(n)).sum::<f64>();
    0.15 * voice * (seconds * 3.0 * TAU).sin().abs()
}

fn sine(seconds: f64) -> f64 {
    0.5 * (seconds * 440.0 * TAU).sin()
}

fn high(seconds: f64) -> f64 {
    0.5 * (seconds * 3000.0 * TAU).sin()
}

#[test]
fn from_passing_to_mixing_and_back_nothing_is_heard_but_the_coding() {
    // In layouts that one decoder reads, what a codec predicts from has changed at a joint: 21 dB at worst, for the 20 ms of a
    // lone high tone. In messages of their own it is what coding leaves anywhere.
    type Sound = fn(f64) -> f64;
    let sounds: [(&str, Sound, f64); 3] = [("sine", sine, 35.0), ("speech", speech, 24.0), ("high", high, 20.0)];
    for (name, sound, least) in sounds {
        for (packet, message) in [(960_u16, 1), (960, 10), (2880, 5)] {
            let mut ann = Speaker::new(1, 5000, packet.into(), sound);
            let mut ben = Speaker::new(2, 9000, 960, |_| 0.0);
            let story = story(&mut ann, &mut ben, message);
            let running = decode(&[&story.passed[..], &story.mixed, &story.taken].concat());
            let joint = story.passed.len() * usize::from(packet);
            let other = running.len() - story.taken.len() * usize::from(packet);
            let alone = decode(&[&story.pre_roll[..], &story.mixed].concat());
            let skip = alone.len() - (other - joint);
            let (there, back) = (worst(&ann.heard, &running, joint, 10), worst(&ann.heard, &running, other, 10));
            let own = worst(&ann.heard[joint..], &alone[skip..], 0, 10);
            println!(
                "{name}, {message} of {packet}: there {there:.0} dB, back {back:.0} dB, by themselves {own:.0} dB"
            );
            assert!(there > least && back > least, "{name}, {message} of {packet}: {there} {back}");
            assert!(own > least.max(25.0) - 1.0, "{name}, {message} of {packet}: {own}");
            assert!(story.steps < 30, "the track is passed on soon: {}", story.steps);
        }
    }
}

#[test]
fn the_other_one_is_left_alone_off_the_grid_and_is_met_within_three_seconds() {
    // Ben's packets begin 37 ticks and a half packet beside the grid that Ann's packets set.
    let mut mixer = Mixer::new();
    let mut ann = Speaker::new(1, 4800, 960, sine);
    let mut ben = Speaker::new(2, 4800 + 517, 960, sine);
    let (mut packets, mut handed) = (Vec::new(), None);
    let mut theirs = Vec::new();
    for turn in 0..400 {
        if turn < 50 {
            ann.say(&mut mixer, 1);
        } else if turn == 50 {
            mixer.end(ann.number);
        }
        theirs.extend(ben.say(&mut mixer, 1));
        if turn == 20 {
            mixer.begin(BUS, Ticks::new(4800 + 20 * 960), Joint::Track(ann.number, Sequence::new(20)));
        }
        for made in mixer.pull(theirs.last().unwrap().end()) {
            match made {
                Made::Packets(_, made) => packets.extend(made),
                Made::Handed { track, next, time, .. } => handed = Some((turn, track, next, time)),
                Made::Begun(..) => {}
                other => panic!("{other:?}"),
            }
        }
        if handed.is_some() {
            break;
        }
    }
    let (turn, track, next, time) = handed.expect("a meeting");
    assert!(track == ben.number && turn < 50 + 150, "{turn}");
    let index = usize::try_from(next.get()).unwrap();
    assert!(theirs[index].time.get().abs_diff(time.get()) <= 61, "no more than the rest of the grid");
    for pair in packets.windows(2) {
        assert_eq!(pair[0].end(), pair[1].time);
    }
    // What the listener hears goes on as a sine of the level of one: a step would bend it.
    let sound = decode(&[&packets[..], &theirs[index..]].concat());
    let last = &sound[48_000 * 3 / 2..];
    let bend = last.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).fold(0.0, f32::max);
    assert!(bend < 0.006, "{bend}");
}

/// Says so many messages of 100 ms, all in turn, and gives all that is made.
fn talk(mixer: &mut Mixer, speakers: &mut [Speaker], messages: usize) -> Vec<Made> {
    let mut made = Vec::new();
    for _ in 0..messages {
        let mut now = Ticks::ZERO;
        for speaker in speakers.iter_mut() {
            let packets = usize::try_from(4800 / speaker.packet).unwrap();
            now = now.max(speaker.say(mixer, packets).last().unwrap().end());
        }
        made.extend(mixer.pull(now));
    }
    made
}

fn sound(made: Vec<Made>, id: BusId) -> Vec<f32> {
    let of = |made| match made {
        Made::Sound(bus, _, sound) if bus == id => left(&sound),
        _ => Vec::new(),
    };
    made.into_iter().flat_map(of).collect()
}

#[test]
fn each_hears_all_others_at_their_levels_and_not_itself() {
    let mut mixer = Mixer::new();
    let mut speakers = [
        Speaker::new(1, 0, 960, tone(400.0, 0.3)),
        Speaker::new(2, 100, 2880 / 6, tone(600.0, 0.2)),
        Speaker::new(3, 7, 960, tone(1000.0, 0.1)),
    ];
    let without = |owner| BusId { without: Some(owner), output: Output::Sound };
    for bus in [SOUND, without(ANN), without(BEN)] {
        mixer.begin(bus, Ticks::ZERO, Joint::Free);
    }
    let made = talk(&mut mixer, &mut speakers, 20);
    for (bus, expected) in [(SOUND, [0.3, 0.2, 0.1]), (without(ANN), [0.0, 0.2, 0.1]), (without(BEN), [0.3, 0.0, 0.1])]
    {
        let sound = sound(made.clone(), bus);
        assert!(sound.len() > 80_000);
        for (hertz, expected) in [400.0, 600.0, 1000.0].into_iter().zip(expected) {
            let level = level(&sound[24_000..72_000], hertz);
            assert!((level - expected).abs() < 0.01, "{bus:?}: {hertz} Hz at {level}");
        }
    }
}

#[test]
fn what_is_not_encoded_is_a_lone_track_sample_for_sample() {
    let mut mixer = Mixer::new();
    let mut speakers = [Speaker::new(1, 480, 960, speech)];
    mixer.begin(SOUND, Ticks::new(480), Joint::Free);
    let made = talk(&mut mixer, &mut speakers, 20);
    let sound = sound(made, SOUND);
    assert_eq!(sound[480..], speakers[0].heard[480..sound.len()], "but for its fading in");
}

#[test]
fn who_stalls_is_waited_for_no_longer_than_its_habit_explains_and_fades_back_in() {
    let mut mixer = Mixer::new();
    let mut speakers = [Speaker::new(1, 0, 960, tone(400.0, 0.3)), Speaker::new(2, 0, 960, tone(600.0, 0.2))];
    mixer.begin(SOUND, Ticks::ZERO, Joint::Free);
    let mut made = talk(&mut mixer, &mut speakers, 10);
    let before = sound(made.clone(), SOUND).len();
    // 250 ms are waited for: messages each 100 ms, half as much again, and 100 ms.
    made.extend(talk(&mut mixer, &mut speakers[..1], 2));
    assert!(sound(made.clone(), SOUND).len() <= before + 960);
    made.extend(talk(&mut mixer, &mut speakers[..1], 8));
    assert!(sound(made.clone(), SOUND).len() > before + 40_000);
    speakers[1].place = speakers[0].place;
    made.extend(talk(&mut mixer, &mut speakers, 10));
    let sound = sound(made, SOUND);
    let bend = sound.windows(3).skip(480).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).fold(0.0, f32::max);
    assert!(bend < 0.006, "{bend}");
    assert!(level(&sound[60_000..90_000], 600.0) < 0.01 && level(&sound[110_000..130_000], 600.0) > 0.15);
}

#[test]
fn one_who_comes_later_than_the_others_were_read_fades_in() {
    let mut mixer = Mixer::new();
    let mut speakers = [Speaker::new(1, 0, 960, tone(400.0, 0.3))];
    mixer.begin(SOUND, Ticks::ZERO, Joint::Free);
    let mut made = talk(&mut mixer, &mut speakers, 10);
    let [ann] = speakers;
    let mut speakers = [ann, Speaker::new(2, 48_000 - 7_111, 960, tone(600.0, 0.2))];
    made.extend(talk(&mut mixer, &mut speakers, 10));
    let sound = sound(made, SOUND);
    let bend = sound.windows(3).skip(480).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).fold(0.0, f32::max);
    assert!(bend < 0.006 && level(&sound[60_000..80_000], 600.0) > 0.15, "{bend}");
}

#[test]
fn when_all_have_stopped_the_rest_is_given_and_what_comes_later_begins_anew() {
    let mut mixer = Mixer::new();
    let mut speakers = [Speaker::new(1, 0, 960, sine), Speaker::new(2, 0, 960, sine)];
    mixer.begin(BUS, Ticks::ZERO, Joint::Free);
    let mut made = talk(&mut mixer, &mut speakers, 10);
    made.extend(mixer.pull(Ticks::from_secs(3)));
    assert_eq!(made.last(), Some(&Made::Silent(BUS)));
    let end = made.iter().rev().find_map(|made| if let Made::Packets(_, all) = made { all.last() } else { None });
    assert!((48_000..=48_960).contains(&end.unwrap().end().get()));
    assert_eq!(mixer.pull(Ticks::from_secs(4)), []);
    speakers[0].place = 48_000.0 * 5.0;
    let made = talk(&mut mixer, &mut speakers[..1], 10);
    assert!(matches!(&made[0], Made::Begun(_, packets) if packets.len() == 9), "{:?}", made.first());
    let Some(Made::Packets(_, packets)) = made.get(1) else { panic!("{made:?}") };
    assert_eq!(packets[0].time, Ticks::from_secs(5));
}

#[test]
fn speakers_whose_clocks_drift_stay_together_for_two_hours() {
    // Each says a click in every minute of the session, with a clock that is 200 ppm slow or fast; between the clicks lie
    // packets of silence. Only what lies around the clicks is read.
    const PACKET: u64 = 5760;
    let mut click = Speaker::new(9, 0, PACKET, |_| 0.0);
    let silence = click.next().data;
    let mut clicks = Vec::new();
    for rate in [1.0 + 200e-6, 1.0 - 200e-6] {
        let mut track = Track::new(TrackNumber::new(1), ANN, MONO).unwrap();
        let (mut count, mut minute, mut places) = (0_u64, 1_u64, Vec::new());
        let mut begins = None;
        while minute < 120 {
            let place = |count: u64| float(count) * float(PACKET) * rate;
            let wanted = float(minute * 60 * Ticks::PER_SECOND);
            let mut data = silence.clone();
            if (place(count)..place(count + 1)).contains(&wanted) {
                begins = Some(wanted / 48_000.0);
            }
            // The packet in which it begins, and the next.
            if let Some(begin) = begins {
                (click.place, click.rate) = (place(count), rate);
                click.sound =
                    Box::new(move |seconds| if (begin..begin + 0.05).contains(&seconds) { high(seconds) } else { 0.0 });
                data = click.next().data;
                begins = begins.filter(|_| place(count) < wanted);
            }
            let (sequence, duration) = (Sequence::new(count), Ticks::new(PACKET));
            let time = Ticks::new(u64::try_from(int(place(count).round())).unwrap());
            let packet = Packet { sequence, time, duration, data, heard: None };
            track.push(&[packet], false, time.saturating_add(duration));
            count += 1;
            if place(count) > wanted + 24_000.0 {
                let mut sound = vec![0.0; 2 * 24_000];
                track.add(wanted - 12_000.0, 1.0, f64::MIN, &mut sound);
                let at = left(&sound).iter().position(|sample| sample.abs() > 0.2).expect("a click");
                places.push(float(at as u64) - 12_000.0);
                track.forget(wanted);
                minute += 1;
            }
        }
        assert!(track.samples() <= 10 * 48_000, "{}", track.samples());
        clicks.push(places);
    }
    for (minute, (one, other)) in clicks[0].iter().zip(&clicks[1]).enumerate() {
        assert!((one - other).abs() < 48.0, "minute {minute}: {one} and {other} ticks from where they were said");
        assert!(one.abs() < 480.0, "minute {minute}: {one} ticks, of which the encoder's delay is most");
    }
}

#[test]
fn drift_is_followed_without_a_wobble() {
    for rate in [1.0 + 200e-6, 1.0 - 500e-6] {
        let mut mixer = Mixer::new();
        let mut speakers = [Speaker::new(1, 0, 960, tone(1000.0, 0.4))];
        speakers[0].rate = rate;
        mixer.begin(SOUND, Ticks::ZERO, Joint::Free);
        let sound = sound(talk(&mut mixer, &mut speakers, 100), SOUND);
        // The tone is at its pitch and its place on the session's clock: what is left beside it is coding and the table.
        let part = &sound[240_000..288_000];
        let expected = level(part, 1000.0);
        assert!((expected - 0.4).abs() < 0.004, "{rate}: {expected}");
    }
}
