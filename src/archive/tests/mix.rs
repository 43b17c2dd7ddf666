//! Mixes and tracks in another form than theirs, as files: judged by ffmpeg and opusinfo, made when they are asked for, and
//! gone when others need their place.

use std::fs;

use crate::archive::Found;
use crate::archive::derived::Most;
use crate::archive::model::{Container, Derived, Edition, EndReason};
use crate::media::codec;
use crate::media::pcm;
use crate::media::source::Codec;

use super::render::{anchor, level, pcm_part, plain, samples};
use super::*;

/// When it clicks, in ms from the session's start.
pub(super) const CLICKS: [u64; 3] = [1000, 2500, 3700];

/// A swing as long as some samples, at a time on the session's clock.
fn click(sound: &mut [f32], start_ms: u64, late: u64) {
    for at in CLICKS.map(|at| (at - start_ms) * 48 + late) {
        for frame in 0..24_u16 {
            let height = f32::from(frame.min(24 - frame)) / 12.0;
            sound[usize::try_from(at).unwrap() + usize::from(frame)] = height * 0.4;
        }
    }
}

fn pcm_packets(sound: &[f32]) -> Vec<Packet> {
    let packet = |(number, sound): (u64, &[f32])| {
        #[expect(clippy::cast_possible_truncation, reason = "a sample of 16 bits")]
        let data: Vec<u8> =
            sound.iter().flat_map(|sample| ((sample * 32_768.0).round() as i16).to_le_bytes()).collect();
        let (time, sequence) = (Ticks::new(number * 960), Sequence::new(number));
        Packet { sequence, time, duration: PACKET, data: data.into(), heard: None }
    };
    (0..).zip(sound.chunks(960)).map(packet).collect()
}

/// Ann in plain samples and Ben in Opus, who click together; Ben comes half a second later.
pub(super) async fn record(folder: &Path) -> Rig {
    let mut rig = Rig::open(folder).await;
    let writer = rig.begin(id(1));
    let mut sound = vec![0.0; 4 * 48_000];
    click(&mut sound, 0, 0);
    writer.begin_part(pcm_part(ONE, 1, plain(48_000, 1), anchor(0, 0)));
    writer.append(ONE, pcm_packets(&sound));

    let mut encoder = codec::encoder(1, codec::MONO_BITS).unwrap();
    let pre_skip = u16::try_from(encoder.lookahead().get()).unwrap();
    let format = Format::Opus(opus::Head { channels: 1, pre_skip, input_rate: 48_000, output_gain: 0 });
    writer.begin_part(NewPart { format, source: Codec::Opus, start: anchor(0, 500), ..part(TWO, 1) });
    let mut sound = vec![0.0; 7 * 24_000];
    click(&mut sound, 500, 0);
    let packets = pcm_packets(&sound).into_iter().zip(sound.chunks(960));
    writer.append(
        TWO,
        packets.map(|(packet, sound)| Packet { data: encoder.encode(sound).unwrap(), ..packet }).collect(),
    );
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 4000));
    rig.round().await;
    rig
}

/// Has files made that are made only when they are asked for.
pub(super) async fn make<What: Copy + Into<Edition>>(rig: &mut Rig, root: &Path, files: &[What]) {
    for what in files.iter().map(|what| (*what).into()) {
        assert!(matches!(rig.archive.derived(id(1), what).await, Ok(Found::Making(_))), "{what}");
    }
    rig.derive(root, id(1)).await.unwrap();
    for what in files.iter().map(|what| (*what).into()) {
        assert!(matches!(rig.archive.derived(id(1), what).await, Ok(Found::Made(_))), "{what}");
    }
    // What nobody waits for any more is not made once more.
    files.iter().for_each(|what| assert!(!rig.orders.waits_for(id(1), *what)));
}

pub(super) fn path(root: &Path, what: impl Into<Edition>) -> PathBuf {
    only_folder(root).join("derived").join(names::derived(what))
}

/// One stream of a file, decoded by ffmpeg, which has nothing to remark; from time zero on.
pub(super) fn decode(file: &Path, stream: usize) -> Vec<f32> {
    let select = format!("a:{stream}");
    let arguments = ["-v", "error", "-select_streams", &select, "-read_intervals", "%+#1"];
    let arguments = [&arguments[..], &["-show_entries", "frame=pts_time", "-of", "csv=p=0"]].concat();
    let told = tool("ffprobe", &arguments, file).0;
    let start: f64 = told.lines().next().and_then(|line| line.trim_end_matches(',').parse().ok()).unwrap_or(0.0);
    let map = format!("0:a:{stream}");
    let mut ffmpeg = Process::new("ffmpeg");
    ffmpeg.args(["-v", "warning", "-i"]).arg(file).args(["-map", &map, "-f", "f32le", "-"]);
    let output = ffmpeg.output().unwrap();
    // The header of a WAV file of 16 bits has no place for speakers.
    let remarks = String::from_utf8_lossy(&output.stderr);
    let remarks: Vec<_> = remarks.lines().filter(|line| !line.starts_with("Guessed Channel Layout")).collect();
    assert!(remarks.is_empty(), "{}: {remarks:?}", file.display());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of frames")]
    let mut sound = vec![0.0; (start * 48_000.0).round().max(0.0) as usize];
    sound.extend(output.stdout.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)));
    sound
}

/// Where it clicks: the middle of each swing.
pub(super) fn heard(sound: &[f32]) -> Vec<usize> {
    CLICKS
        .map(|at| usize::try_from(at * 48).unwrap())
        .iter()
        .map(|at| {
            let near = at.saturating_sub(400)..(at + 400).min(sound.len());
            let highest = sound[near.clone()].iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
            near.start + highest.unwrap().0
        })
        .collect()
}

const ALL: [Derived; 4] = [
    Derived::Mix(Container::WebM),
    Derived::Mix(Container::Wav),
    Derived::Track(ONE, Container::Ogg),
    Derived::Track(TWO, Container::Wav),
];

#[tokio::test]
async fn a_click_is_at_one_time_in_every_file_and_every_file_is_as_long_as_it_should_be() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    make(&mut rig, dir.path(), &ALL).await;
    let expected: Vec<usize> = CLICKS.iter().map(|at| usize::try_from(at * 48 + 12).unwrap()).collect();
    let mix = Derived::Mix(Container::Ogg);
    let ogg = decode(&path(dir.path(), mix), 0);
    // Ben's own sound is late by what his encoder was late by; of the two the higher is heard.
    let near = |found: Vec<usize>, by: usize, what: &str| {
        // A track of the session's file begins at a whole millisecond.
        let most = if what == "Ben in the session" { 48 } else { 2 };
        let late = found.iter().zip(&expected).map(|(found, expected)| found.abs_diff(expected + by));
        assert!(late.clone().max() <= Some(most), "{what}: {found:?}, {expected:?} and {by} expected");
    };
    let session = path(dir.path(), Derived::Session);
    near(heard(&decode(&session, 1)), 0, "Ann in the session");
    near(heard(&decode(&session, 2)), 120, "Ben in the session");
    near(heard(&decode(&path(dir.path(), Derived::Track(ONE, Container::Ogg)), 0)), 0, "Ann as Ogg");
    near(heard(&decode(&path(dir.path(), Derived::Track(ONE, Container::WebM)), 0)), 0, "Ann as WebM");
    let wav = decode(&path(dir.path(), Derived::Mix(Container::Wav)), 0);
    for (what, sound) in [("ogg", ogg.clone()), ("wav", wav.clone()), ("session", decode(&session, 0))] {
        near(heard(&sound), 0, what);
    }
    near(heard(&decode(&path(dir.path(), Derived::Mix(Container::WebM)), 0)), 0, "webm");
    // Ben's own file begins where he does: half a second, and what is thrown away.
    let alone = decode(&path(dir.path(), Derived::Track(TWO, Container::Wav)), 0);
    let alone = [vec![0.0; 24_000 + 120], alone].concat();
    near(heard(&alone), 120, "Ben as WAV");
    let length = usize::try_from(rig.archive.recording(id(1)).await.unwrap().unwrap().summary.length.get()).unwrap();
    assert_eq!((ogg.len(), wav.len(), alone.len()), (length, length, length));
    let said = tool("opusinfo", &[], &path(dir.path(), mix)).0;
    assert!(!said.to_lowercase().contains("warning") && said.contains("TITLE=studio"), "{said}");
}

#[tokio::test]
async fn a_sum_that_would_clip_is_limited_and_any_other_is_as_it_was() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    let head = plain(48_000, 1);
    for (track, hertz) in [(ONE, 440.0), (TWO, 550.0)] {
        writer.begin_part(pcm_part(track, 1, head, anchor(0, 0)));
        // Together they are beyond full scale in the second half.
        writer.append(track, samples(head, 0..100, hertz, 0.25));
        writer.append(track, samples(head, 100..200, hertz, 0.75));
    }
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 4000));
    rig.round().await;
    make(&mut rig, dir.path(), &[Derived::Mix(Container::Wav)]).await;
    let sound = decode(&path(dir.path(), Derived::Mix(Container::Wav)), 0);
    for hertz in [440.0, 550.0] {
        assert!((level(&sound[..88_000], hertz) - 0.25).abs() < 0.001);
    }
    let peak = sound.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!(peak > 0.9 && peak <= 0.9886, "{peak}");
}

#[tokio::test]
async fn samples_of_more_bits_are_mixed_to_24() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    let head = pcm::Head::new(pcm::Sample::S24, 48_000, 1).unwrap();
    writer.begin_part(pcm_part(ONE, 1, head, anchor(0, 0)));
    let frame = |at: u32| (at % 4000 * 1000).to_le_bytes();
    let data: Vec<u8> = (0..959).flat_map(|at| frame(at)[..3].to_vec()).collect();
    let packet = Packet { data: data.clone().into(), duration: Ticks::new(959), ..packet(0) };
    writer.append(ONE, vec![packet]);
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 4000));
    rig.round().await;
    make(&mut rig, dir.path(), &[Derived::Mix(Container::Wav)]).await;
    let wav = fs::read(path(dir.path(), Derived::Mix(Container::Wav))).unwrap();
    // Bit for bit, up to where it is faded out. They end at an odd byte, and RIFF has one of padding behind it.
    let begin = wav.len() - 1 - 959 * 3;
    assert_eq!(wav[begin..][..700 * 3], data[..700 * 3]);
    assert_eq!((wav.last(), &wav[begin - 4..begin]), (Some(&0), &2877_u32.to_le_bytes()[..]));
    assert_eq!(wav[4..8], u32::try_from(wav.len() - 8).unwrap().to_le_bytes());
}

#[tokio::test]
async fn what_was_asked_for_goes_when_others_need_its_place_and_comes_again_byte_for_byte() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    make(&mut rig, dir.path(), &ALL).await;
    let whole = super::derived::files(dir.path());
    let crc = async |rig: &Rig, what| {
        let derived = rig.derived(id(1)).await;
        derived.into_iter().find(|file| file.what == what).map(|file| file.crc.unwrap())
    };
    let before = crc(&rig, ALL[1]).await;
    // The longest unused is the one that was used before all others.
    for (at, what) in (1_u32..).zip(ALL) {
        let used = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(100 - at) * 1000);
        let file = fs::File::open(path(dir.path(), what)).unwrap();
        file.set_times(fs::FileTimes::new().set_accessed(used)).unwrap();
    }
    let bytes = |what: Derived| whole[&names::derived(what)].len() as u64;
    let most = bytes(ALL[0]) + bytes(ALL[1]) + bytes(ALL[3]);
    let mut maker = rig.maker(dir.path(), Box::new(Disk));
    let of_bytes = |bytes| Most { bytes, files: 1000 };
    rig.ask(maker.make_room((id(1), ALL[3].into()), of_bytes(most))).await.unwrap();
    // The last would be the first to go, but was just made.
    let gone: Vec<_> = ALL.into_iter().filter(|what| !path(dir.path(), *what).exists()).collect();
    assert_eq!(gone, [ALL[2]]);
    // There are so many of them at most, too, however short they are.
    rig.ask(maker.make_room((id(1), ALL[3].into()), Most { bytes: u64::MAX, files: 2 })).await.unwrap();
    let there: Vec<_> = ALL.into_iter().filter(|what| path(dir.path(), *what).exists()).collect();
    assert_eq!(there, [ALL[0], ALL[3]]);
    rig.ask(maker.make_room((id(1), ALL[3].into()), of_bytes(0))).await.unwrap();
    assert_eq!(rig.derived(id(1)).await.len(), 7 + 1);
    assert_eq!(crc(&rig, ALL[1]).await, None);
    make(&mut rig, dir.path(), &ALL[..3]).await;
    assert!(super::derived::files(dir.path()) == whole);
    assert_eq!(crc(&rig, ALL[1]).await, before);
}

#[tokio::test]
async fn what_was_asked_for_under_another_title_is_gone_until_it_is_asked_for_again() {
    let dir = scratch();
    let mut rig = record(dir.path()).await;
    make(&mut rig, dir.path(), &ALL).await;
    let archive = rig.archive.clone();
    let titled = crate::archive::Change { title: Some(Some("A talk".to_owned())), ..Default::default() };
    rig.ask(archive.change(id(1), titled)).await.unwrap();
    // At once: nothing but who asks would have it made again. What is made unasked is served until it is.
    for (what, there) in [(ALL[0], false), (ALL[1], true), (Derived::Mix(Container::Ogg), true)] {
        let found = archive.derived(id(1), what).await.unwrap();
        assert_eq!(matches!(found, Found::Made(_)), there, "{what}");
    }
    let _ = rig.orders.waited(&rig.orders.visit(id(1)));
    rig.derive(dir.path(), id(1)).await.unwrap();
    // Plain samples hold no words.
    for what in ALL {
        let plain = matches!(what, Derived::Mix(Container::Wav) | Derived::Track(_, Container::Wav));
        assert_eq!(path(dir.path(), what).exists(), plain, "{what}");
    }
    assert_eq!(rig.derived(id(1)).await.len(), 9);
    make(&mut rig, dir.path(), &ALL[..1]).await;
    assert!(fs::read(path(dir.path(), ALL[0])).unwrap().windows(6).any(|bytes| bytes == b"A talk"));
}
