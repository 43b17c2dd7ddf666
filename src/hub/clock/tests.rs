//! The clock over simulated arrivals.

use bytes::Bytes;

use super::*;

const PACKET: Ticks = Ticks::from_millis(20);

fn millis(millis: u64) -> Ticks {
    Ticks::from_millis(millis)
}

/// A message of `count` packets of 20 ms whose publisher's time begins at `source` ms.
fn message(source: u64, count: u64) -> Vec<SourcePacket> {
    (0..count)
        .map(|packet| SourcePacket {
            time: millis(source + 20 * packet),
            duration: PACKET,
            data: Bytes::new(),
            heard: None,
        })
        .collect()
}

/// A publisher that sends 100 ms of sound every 100 ms, and everything that its clock said.
struct Publisher {
    clock: TrackClock,
    source: u64,
    steps: Vec<Step>,
}

impl Publisher {
    fn begin(at: u64) -> Self {
        Self { clock: TrackClock::begin(millis(at), millis(100)), source: 0, steps: Vec::new() }
    }

    /// Sends the next 100 ms of sound, arriving at `at` ms.
    fn send(&mut self, at: u64) -> Vec<Step> {
        let steps = self.clock.place(millis(at), &message(self.source, 5));
        self.source += 100;
        self.steps.extend(&steps);
        steps
    }

    fn gaps(&self) -> Vec<Gap> {
        let gap = |step: &Step| match step {
            Step::Gap(gap) | Step::Settled(Some(gap)) => Some(*gap),
            _ => None,
        };
        self.steps.iter().filter_map(gap).collect()
    }

    fn sessions(&self) -> Vec<Ticks> {
        sessions(&self.steps)
    }
}

fn sessions(steps: &[Step]) -> Vec<Ticks> {
    let place = |step: &Step| match step {
        Step::Packet { session, .. } => Some(*session),
        _ => None,
    };
    steps.iter().filter_map(place).collect()
}

/// A small generator, so that every run is the same.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn the_first_messages_sound_ends_at_its_arrival() {
    let mut publisher = Publisher::begin(5000);
    assert_eq!(
        publisher.send(5000)[..2],
        [
            Step::Anchor(Anchor { track: Ticks::ZERO, session: millis(4900) }),
            Step::Packet { track: Ticks::ZERO, session: millis(4900) }
        ]
    );
    assert_eq!(publisher.clock.session(), millis(5000));
}

#[test]
fn a_track_begins_at_most_three_seconds_early_and_never_before_the_session() {
    assert_eq!(TrackClock::begin(millis(60_000), Ticks::from_secs(3600)).session(), millis(57_000));
    assert_eq!(TrackClock::begin(millis(500), Ticks::from_secs(2)).session(), Ticks::ZERO);
}

#[test]
fn jittery_arrivals_and_wobbling_timestamps_place_packets_back_to_back() {
    let mut publisher = Publisher::begin(0);
    let mut noise = Noise(7);
    for sent in 0..3000 {
        let mut packets = message(sent * 100, 5);
        for packet in &mut packets {
            packet.time = packet.time.saturating_add(millis(noise.below(20)));
        }
        let steps = publisher.clock.place(millis(sent * 100 + 100 + noise.below(60)), &packets);
        publisher.steps.extend(steps);
    }
    assert_eq!(publisher.gaps(), []);
    let sessions = publisher.sessions();
    assert_eq!(sessions.len(), 15_000);
    for pair in sessions.windows(2) {
        assert!(pair[1].signed_since(pair[0]).abs_diff(960) <= 1);
    }
    // What little it moves is the estimate's noise.
    assert!(publisher.clock.session().signed_since(millis(300_000)).unsigned_abs() <= millis(20).get());
}

#[test]
fn a_jump_in_source_time_is_a_gap_at_once() {
    let mut publisher = Publisher::begin(100);
    publisher.send(100);
    publisher.source += 3000;
    let steps = publisher.send(3200);
    assert_eq!(steps[0], Step::Gap(Gap { at: millis(100), length: millis(3000), cause: GapCause::Jump, filled: true }));
    assert_eq!(sessions(&steps)[0], millis(3100));
    assert_eq!(publisher.clock.tick(millis(9000)), []);
}

#[test]
fn who_begins_with_a_burst_and_then_speaks_in_long_pages_has_not_paused() {
    let mut clock = TrackClock::begin(millis(1000), millis(1000));
    let (mut source, mut steps) = (0, Vec::new());
    // Two seconds more than real time at once. Then what is said until 2.5 s, at 2.5 s, and so on.
    for (at, length) in
        [(1000, 1000), (1020, 1000), (1040, 1000), (4500, 1500), (6000, 1500), (8500, 2500), (11_000, 2500)]
    {
        steps.extend(clock.place(millis(at), &message(source, length / 20)));
        source += length;
        steps.extend(clock.tick(millis(at + 900)));
    }
    assert!(!steps.iter().any(|step| matches!(step, Step::Gap(_) | Step::Settled(Some(_)))), "{steps:?}");
    assert_eq!(clock.session(), millis(11_000));
}

#[test]
fn a_stall_that_a_burst_makes_up_is_no_gap() {
    let mut publisher = Publisher::begin(100);
    for sent in 1..=10 {
        publisher.send(sent * 100);
    }
    // Four seconds of nothing, then all of it within 200 ms.
    let steps = publisher.send(5000);
    assert_eq!(steps[0], Step::Held(millis(3900)));
    for sent in 0..39 {
        publisher.send(5000 + sent * 5);
    }
    assert!(publisher.steps.contains(&Step::Settled(None)));
    assert_eq!(publisher.gaps(), []);
    assert_eq!(publisher.clock.track(), millis(5000));
}

#[test]
fn a_pause_that_nothing_makes_up_is_a_gap_told_within_a_second() {
    let mut publisher = Publisher::begin(100);
    for sent in 1..=10 {
        publisher.send(sent * 100);
    }
    let resumed = publisher.send(4000);
    assert_eq!(resumed[0], Step::Held(millis(2900)));
    // The fan-out sends at once, counting on.
    assert_eq!(sessions(&resumed)[0], millis(1000));
    for sent in 1..10 {
        assert!(!publisher.send(4000 + sent * 100).iter().any(|step| matches!(step, Step::Settled(_))));
    }
    let gap = Gap { at: millis(2000), length: millis(2900), cause: GapCause::Pause, filled: true };
    let told = publisher.send(5000);
    assert_eq!(told[0], Step::Settled(Some(gap)));
    // From the verdict on, the time is the corrected one.
    assert_eq!(sessions(&told)[0], millis(4900));
    assert_eq!(publisher.gaps().len(), 1);
}

#[test]
fn a_jump_behind_what_came_late_says_why_it_did() {
    // Chromium suspended: the recorder hands on what it had when it goes on, and the jump comes in the message after that,
    // here before and after the verdict is due.
    for later in [300, 1300] {
        let mut publisher = Publisher::begin(100);
        for sent in 1..=10 {
            publisher.send(sent * 100);
        }
        assert_eq!(publisher.send(4000)[0], Step::Held(millis(2900)));
        let told = publisher.clock.tick(millis(4000 + later - 10));
        publisher.steps.extend(told);
        publisher.source += 2900;
        publisher.send(4000 + later);
        let lost: u64 = publisher.gaps().iter().map(|gap| gap.length.as_millis()).sum();
        assert_eq!(lost, 2900, "{:?}", publisher.gaps());
    }
}

#[test]
fn a_pause_is_told_by_time_alone_and_by_the_tracks_end() {
    let mut publisher = Publisher::begin(100);
    publisher.send(100);
    publisher.send(3000);
    let mut other = publisher.clock.clone();
    assert_eq!(publisher.clock.tick(millis(3999)), []);
    assert!(matches!(publisher.clock.tick(millis(4000))[..], [Step::Settled(Some(_))]));
    assert!(matches!(other.end()[..], [Step::Settled(Some(_))]));
}

#[test]
fn a_silence_past_a_minute_is_a_pause_that_nothing_fills() {
    let mut publisher = Publisher::begin(100);
    publisher.send(100);
    let steps = publisher.send(100_000);
    let gap = Gap { at: millis(100), length: millis(99_800), cause: GapCause::Pause, filled: false };
    assert_eq!(steps[0], Step::Gap(gap));
    assert_eq!(sessions(&steps)[0], millis(99_900));
    assert_eq!(publisher.clock.session(), millis(100_000));
    let next = publisher.send(100_100);
    assert!(!next.iter().any(|step| matches!(step, Step::Gap(_))), "the pause is not told twice: {next:?}");
}

#[test]
fn a_burst_at_the_start_does_not_pull_the_clock_along() {
    let mut publisher = Publisher::begin(100);
    for _ in 0..20 {
        publisher.send(100);
    }
    for sent in 1..6000 {
        publisher.send(100 + sent * 100);
    }
    assert_eq!(publisher.gaps(), []);
    assert_eq!(publisher.clock.session(), publisher.clock.track());
    assert_eq!(publisher.clock.track(), millis(601_900));
}

#[test]
fn a_drift_of_200_ppm_is_followed_for_two_hours() {
    for ppm in [200_i64, -200] {
        let mut publisher = Publisher::begin(100);
        let mut noise = Noise(3);
        let mut worst = 0;
        for sent in 1..72_000_u64 {
            // The publisher's 100 ms take this long on the hub's clock.
            let micros = sent * 100_000;
            let drifted = micros.strict_add_signed(sent.cast_signed() * ppm / 10);
            let at = Ticks::new((drifted + noise.below(40_000)) * 48 / 1000);
            let packets = message(publisher.source, 5);
            publisher.source += 100;
            publisher.steps.extend(publisher.clock.place(at, &packets));
            let truth = Ticks::new(drifted * 48 / 1000);
            worst = worst.max(publisher.clock.session().signed_since(truth).abs());
        }
        assert_eq!(publisher.gaps(), []);
        assert!(worst <= 20 * 48, "worst {} ms at {ppm} ppm", worst / 48);
        // Anchors tell the same: between them the clock runs evenly.
        let anchors: Vec<_> = publisher
            .steps
            .iter()
            .filter_map(|step| if let Step::Anchor(anchor) = step { Some(*anchor) } else { None })
            .collect();
        let moved = anchors.last().unwrap().session.signed_since(anchors.last().unwrap().track);
        assert!((moved - ppm * 7200 * 48 / 1000).abs() < 20 * 48, "moved {} ms at {ppm} ppm", moved / 48);
        for pair in publisher.sessions().windows(2) {
            assert!(pair[1].signed_since(pair[0]).abs_diff(960) <= 1, "never more than 500 ppm");
        }
    }
}

#[test]
fn a_wild_timestamp_costs_at_most_two_seconds_ahead_of_real_time() {
    let mut publisher = Publisher::begin(100);
    for sent in 1..=10 {
        publisher.send(sent * 100);
    }
    for sent in 11..=300_u64 {
        // Every other message claims to be 2^31 ms later.
        let source = if sent % 2 == 0 { (1 << 31) + sent * 100 } else { sent * 100 };
        let steps = publisher.clock.place(millis(sent * 100), &message(source, 5));
        publisher.steps.extend(steps);
        let ahead = publisher.clock.session().signed_since(millis(sent * 100));
        assert!(ahead <= millis(2100).get().cast_signed(), "{ahead}");
    }
    for gap in publisher.gaps() {
        assert!(gap.length <= millis(2100), "{gap:?}");
    }
}

#[test]
fn an_encoder_that_starts_again_is_no_jump() {
    let mut publisher = Publisher::begin(100);
    publisher.source = 1_000_000;
    publisher.send(100);
    publisher.source = 5_000_000;
    publisher.clock.source_restarts();
    publisher.send(200);
    assert_eq!(publisher.gaps(), []);
}

#[test]
fn sound_enters_at_most_two_seconds_ahead() {
    let mut publisher = Publisher::begin(100);
    publisher.send(100);
    assert_eq!(publisher.clock.room_ahead(millis(100)), AHEAD.get().cast_signed());
    for _ in 0..20 {
        publisher.send(100);
    }
    assert_eq!(publisher.clock.room_ahead(millis(100)), 0);
    assert_eq!(publisher.clock.room_ahead(millis(350)), millis(250).get().cast_signed());
    publisher.send(100);
    assert_eq!(
        publisher.clock.room_ahead(millis(100)),
        -millis(100).get().cast_signed(),
        "what is too much is counted"
    );
}

proptest::proptest! {
    #[test]
    fn no_source_time_makes_the_clock_panic_or_run_ahead(
        times in proptest::collection::vec(proptest::prop_oneof![
            proptest::sample::select(vec![0, 1, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, (1 << 63) + 960]),
            proptest::num::u64::ANY,
        ], 1..20)
    ) {
        let mut clock = TrackClock::begin(millis(1000), millis(20));
        for (index, time) in (0..).zip(times) {
            let packet = SourcePacket { time: Ticks::new(time), duration: millis(20), data: Bytes::new(), heard: None };
            clock.place(millis(1000 + index * 20), &[packet]);
            proptest::prop_assert!(clock.session() <= millis(1000 + index * 20 + 2100));
        }
    }
}
