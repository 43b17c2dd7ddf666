//! Peaks that are gathered while a recording is made: those that are derived from it, byte for byte, or none.

use std::collections::BTreeMap;
use std::fs;

use crate::archive::derived::waves::Follower;
use crate::archive::derived::{SPARED, Stopped};
use crate::archive::model::{Derived, EndReason};
use crate::archive::{Error, FoundWaveform, NotMade, Waveform};
use crate::media::pcm::{self, Sample};
use crate::media::peaks::Length;
use crate::media::source::Codec;

use super::derived::files;
use super::stand_in::StandIn;
use super::*;

const fn millis(millis: u64) -> Ticks {
    Ticks::from_millis(millis)
}

/// Blocks of samples at 44.1 kHz, each as loud as its number says.
fn samples(numbers: std::ops::Range<u64>) -> Vec<Packet> {
    let block = |number: u64| {
        let sample = |frame: u64| i16::try_from((frame * frame * 7 + number * 13) % 20_000).unwrap() - 9000;
        let data: Vec<u8> = (0..882).flat_map(|frame| sample(frame).to_le_bytes()).collect();
        let (time, sequence) = (Ticks::new(number * 960), Sequence::new(number));
        Packet { sequence, time, duration: PACKET, data: data.into(), heard: None }
    };
    numbers.map(block).collect()
}

fn of_samples(track: TrackNumber) -> NewPart {
    let head = pcm::Head::new(Sample::S16, 44_100, 1).unwrap();
    NewPart { format: Format::Pcm(head), source: Codec::Pcm, ..part(track, 1) }
}

impl Rig {
    fn follower<'a>(&self, root: &Path, orders: &'a Orders) -> Follower<'a> {
        let readers = index::readers(&root.join(names::INDEX));
        Follower { waves: orders.waves(), root: root.to_owned(), readers, store: Box::new(Disk), followed: Vec::new() }
    }
}

/// The files of peaks.
fn peaks(root: &Path) -> BTreeMap<String, Vec<u8>> {
    files(root).into_iter().filter(|(name, _)| name.ends_with(".peaks")).collect()
}

/// Makes the files anew out of the parts alone.
async fn peaks_anew(rig: &mut Rig, root: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::remove_dir_all(only_folder(root).join("derived")).unwrap();
    rig.derive(root, id(1)).await.unwrap();
    peaks(root)
}

async fn so_far(rig: &Rig, track: Option<TrackNumber>) -> Waveform {
    match rig.archive.waveform(id(1), track).await.unwrap() {
        FoundWaveform::There(waveform) => *waveform,
        FoundWaveform::Making(_) => panic!("nothing was gathered"),
    }
}

fn all(waveform: &mut Waveform) -> Vec<(i8, i8)> {
    waveform.peaks.pixels(1, 0..waveform.peaks.count()).unwrap()
}

#[tokio::test]
async fn what_is_gathered_on_the_way_is_what_is_derived_at_the_end_however_often_one_looks() {
    let mut whole = None;
    for every in [1, 3, 1000] {
        let dir = scratch();
        let mut rig = Rig::open(dir.path()).await;
        let orders = rig.orders.clone();
        let mut follower = rig.follower(dir.path(), &orders);
        let writer = rig.begin(id(1));
        writer.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(50) }, ..part(ONE, 1) });
        writer.begin_part(NewPart { start: Anchor { track: Ticks::ZERO, session: millis(1003) }, ..of_samples(TWO) });
        for step in 0..30 {
            if step == 10 {
                // Ann pauses, and her clock has drifted.
                writer.gap(ONE, gap(millis(10_000), millis(503), GapCause::Pause));
                writer.anchor(ONE, Anchor { track: millis(10_503), session: millis(10_556) });
            }
            if step == 20 {
                writer.end_part(ONE);
                let start = Anchor { track: millis(21_003), session: millis(21_060) };
                writer.begin_part(NewPart { start, first: Sequence::new(step * 50), ..part(ONE, 2) });
            }
            writer.append(ONE, packets(step * 50..step * 50 + 50));
            writer.append(TWO, samples(step * 50..step * 50 + 50));
            rig.round().await;
            if step % every == 0 {
                follower.look().await.unwrap();
            }
        }
        writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 40_000));
        rig.round().await;
        follower.look().await.unwrap();
        // They are there before their files are.
        let [ann, ben, mix] = [Some(ONE), Some(TWO), None];
        let (mut of_ann, mut of_all) = (so_far(&rig, ann).await, so_far(&rig, mix).await);
        let gathered = (all(&mut of_ann), all(&mut so_far(&rig, ben).await), all(&mut of_all));
        rig.derive(dir.path(), id(1)).await.unwrap();
        let made = peaks(dir.path());
        assert_eq!(made.len(), 3);
        assert_eq!(all(&mut so_far(&rig, ann).await), gathered.0);
        assert_eq!(all(&mut so_far(&rig, ben).await), gathered.1);
        assert_eq!(all(&mut so_far(&rig, mix).await), gathered.2);
        assert!(peaks_anew(&mut rig, dir.path()).await == made, "every {every}");
        assert!(whole.get_or_insert(made.clone()) == &made, "every {every}");
        // And there is something to see: sound, the gap, and more of both together than of one.
        let quiet = |pixels: &[(i8, i8)]| pixels.iter().filter(|pair| **pair == (0, 0)).count();
        assert!((45..70).contains(&quiet(&gathered.0[1000..1070])), "{}", quiet(&gathered.0[1000..1070]));
        assert!(quiet(&gathered.1[110..3000]) == 0 && quiet(&gathered.2[10..]) == 0);
        let highest = |pixels: &[(i8, i8)]| pixels.iter().map(|pair| pair.1).max();
        assert!(highest(&gathered.2) > highest(&gathered.1), "{:?}", highest(&gathered.2));
    }
}

#[tokio::test]
async fn a_recording_that_is_made_shows_what_there_is_of_it_so_far() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let orders = rig.orders.clone();
    let mut follower = rig.follower(dir.path(), &orders);
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..100));
    rig.round().await;
    assert!(matches!(rig.archive.waveform(id(1), Some(ONE)).await, Ok(FoundWaveform::Making(_))));
    assert!(matches!(rig.archive.waveform(id(1), Some(TWO)).await, Err(Error::NotFound)));
    follower.look().await.unwrap();
    let mut first = so_far(&rig, Some(ONE)).await;
    assert_eq!((first.peaks.count(), first.length), (200, Length::SoFar(millis(2000))));
    let first = all(&mut first);
    writer.append(ONE, packets(100..200));
    rig.round().await;
    // Not what is durable by now is there, but what was gathered.
    assert_eq!(so_far(&rig, Some(ONE)).await.peaks.count(), 200);
    follower.look().await.unwrap();
    let mut second = so_far(&rig, Some(ONE)).await;
    assert_eq!(second.peaks.count(), 400);
    assert!(all(&mut second)[..199] == first[..199]);
    assert_eq!(so_far(&rig, None).await.peaks.count(), 400);
    drop(writer);
}

#[tokio::test]
async fn a_track_that_comes_up_late_is_in_the_sum_at_last() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let orders = rig.orders.clone();
    let mut follower = rig.follower(dir.path(), &orders);
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.begin_part(part(TWO, 1));
    writer.append(TWO, packets(0..10));
    writer.append(ONE, packets(0..3000));
    rig.round().await;
    follower.look().await.unwrap();
    // Ben's connection was broken for a minute, and what he holds comes now.
    writer.append(TWO, packets(10..3000));
    rig.round().await;
    follower.look().await.unwrap();
    let seen = all(&mut so_far(&rig, None).await);
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 60_000));
    rig.round().await;
    follower.look().await.unwrap();
    rig.derive(dir.path(), id(1)).await.unwrap();
    let made = peaks(dir.path());
    assert!(peaks_anew(&mut rig, dir.path()).await == made);
    assert!(all(&mut so_far(&rig, None).await) != seen, "two of them are louder than one");
}

#[tokio::test]
async fn nothing_that_was_gathered_is_held_when_its_files_are_made_or_cannot_be() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let orders = rig.orders.clone();
    rig.record(id(1), 50).await;
    let full = StandIn::new(dir.path(), |_, _| Ok(()));
    full.free.store(SPARED, std::sync::atomic::Ordering::Relaxed);
    let mut maker = rig.maker(dir.path(), full);
    assert!(matches!(rig.ask(maker.visit(id(1))).await, Err(Stopped::Full { .. })));
    assert_eq!(orders.waves().held(), 0);
    // Nor where somebody waits for it, and nothing is read for what there is no room for.
    let waveform = rig.archive.waveform(id(1), None).await;
    assert!(matches!(waveform, Err(Error::NotMade(NotMade::Full { .. }))), "{waveform:?}");
    assert!(matches!(rig.archive.waveform(id(1), None).await, Ok(FoundWaveform::Making(_))));
    assert!(matches!(rig.ask(maker.visit(id(1))).await, Err(Stopped::Full { .. })));
    assert_eq!(orders.waves().held(), 0);
    maker.store = Box::new(Disk);
    for (what, held) in [(Derived::Waveform(ONE), 1), (Derived::MixWaveform, 0)] {
        // The first may be told of the failure.
        let _ = orders.want(id(1), what.into());
        orders.want(id(1), what.into()).unwrap();
        let held_by = orders.visit(id(1));
        let what = orders.waited(&held_by).expect("someone waits");
        rig.ask(maker.make_asked(&held_by, what)).await.unwrap();
        assert_eq!(orders.waves().held(), held, "{what}");
    }
    // Of so many that nobody follows something is held at most.
    (0..40).for_each(|n| drop(orders.waves().of(id(n))));
    assert_eq!(orders.waves().held(), 17);
}

#[expect(clippy::await_holding_lock, reason = "whoever waits for it here waits for ever")]
#[tokio::test]
async fn who_follows_does_not_wait_for_a_maker() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let orders = rig.orders.clone();
    let mut follower = rig.follower(dir.path(), &orders);
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..100));
    rig.round().await;
    follower.look().await.unwrap();
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 60_000));
    rig.round().await;
    let gathering = orders.waves().of(id(1));
    let makers = gathering.lock().unwrap();
    // It would be for ever.
    follower.look().await.unwrap();
    drop(makers);
}

#[tokio::test]
async fn a_file_that_is_none_of_peaks_is_made_again() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    rig.record(id(1), 50).await;
    rig.derive(dir.path(), id(1)).await.unwrap();
    let made = peaks(dir.path());
    let mut bad = made["waveform.peaks"].clone();
    bad[0] ^= 1;
    fs::write(only_folder(dir.path()).join("derived/waveform.peaks"), bad).unwrap();
    let archive = rig.archive.clone();
    assert!(matches!(rig.ask(archive.waveform(id(1), None)).await, Ok(FoundWaveform::Making(_))));
    rig.derive(dir.path(), id(1)).await.unwrap();
    assert!(peaks(dir.path()) == made);
}

#[tokio::test]
async fn what_the_index_takes_back_is_gathered_anew() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let orders = rig.orders.clone();
    let mut follower = rig.follower(dir.path(), &orders);
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..200));
    rig.round().await;
    follower.look().await.unwrap();
    // A clock that says afterwards how it ran, which ours does not.
    writer.anchor(ONE, Anchor { track: millis(1000), session: millis(1500) });
    writer.append(ONE, packets(200..300));
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 60_000));
    rig.round().await;
    follower.look().await.unwrap();
    rig.derive(dir.path(), id(1)).await.unwrap();
    let made = peaks(dir.path());
    assert!(peaks_anew(&mut rig, dir.path()).await == made);
    let pixels = all(&mut so_far(&rig, Some(ONE)).await);
    assert!(pixels[102..148].iter().all(|pair| *pair == (0, 0)), "{:?}", &pixels[100..150]);
}

#[tokio::test]
async fn files_of_before_go_when_those_of_now_are_made() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    rig.record(id(1), 50).await;
    let derived = only_folder(dir.path()).join("derived");
    fs::create_dir(&derived).unwrap();
    for name in ["waveform-1.json", "waveform.json", "notes.json"] {
        fs::write(derived.join(name), "{}").unwrap();
    }
    rig.derive(dir.path(), id(1)).await.unwrap();
    let there = listing(&derived);
    let json: Vec<_> = there.iter().filter(|name| name.ends_with(".json")).collect();
    assert_eq!(json, ["notes.json"]);
    assert_eq!(peaks(dir.path()).len(), 2);
}
