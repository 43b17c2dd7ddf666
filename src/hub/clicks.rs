//! A common click track: publishers of every kind, who begin at different times and whose clocks drift, are recorded for a
//! long time (passed in, not waited for), and the clicks lie together in what is derived.
//!
//! `ROOMTONE_CLICK_MINUTES` says for how long; 2 where it is not set, 120 by hand.

use std::collections::VecDeque;
use std::io::{Read, Seek};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use uuid::Uuid;

use super::fanout::Reads;
use super::recorder::Hand;
use super::room::{Effect, Publish, Role, State};
use super::session::Patience;
use crate::archive::model::{Derived, RecordingId};
use crate::archive::{Archive, Found, NewRecording, Options};
use crate::container::sniff::Kind;
use crate::container::stream::{Demux, Event, Opening, demuxer};
use crate::container::webm;
use crate::media::codec::decoder;
use crate::media::codec::transcode::Transcoder;
use crate::media::packet::SourcePacket;
use crate::media::pcm;
use crate::media::source::{Codec, Source};
use crate::media::time::{Moment, Ticks, UnixMillis};
use crate::media::track::Format;
use crate::wire::v1::Participant;

const WALL: UnixMillis = UnixMillis::new(1_800_000_000_000);
/// Seconds from click to click.
const PERIOD: u64 = 10;
/// How far a click may lie from itself in another track.
const TOGETHER: Ticks = Ticks::from_millis(20);
/// The longest that a message is late.
const JITTER: Duration = Duration::from_millis(10);

/// A kind of publisher: what ffmpeg is told to make, how the hub knows it, how much sound a message has, when it begins,
/// and how fast its clock is, in millionths.
struct Device {
    name: &'static str,
    output: &'static str,
    opening: Opening,
    message: Ticks,
    start: Duration,
    ppm: i32,
}

fn devices() -> Vec<Device> {
    let raw = pcm::Head::new(pcm::Sample::F32, 44_100, 1).expect("a head that is accepted");
    let device = |name, output, opening, millis, start, ppm| Device {
        name,
        output,
        opening,
        message: Ticks::from_millis(millis),
        start: Duration::from_millis(start),
        ppm,
    };
    let sniffed = Opening::Sniffed;
    vec![
        device("webm/opus", "-c:a libopus -frame_duration 60 -f webm", sniffed(Kind::WebM), 300, 0, 200),
        device("ogg/opus", "-c:a libopus -f ogg", sniffed(Kind::Ogg), 260, 1_700, -200),
        device(
            "mp4/opus",
            "-c:a libopus -f mp4 -movflags frag_every_frame+empty_moov",
            sniffed(Kind::Mp4),
            300,
            3_100,
            150,
        ),
        device(
            "mp4/aac",
            "-c:a aac -f mp4 -movflags frag_every_frame+empty_moov",
            sniffed(Kind::Mp4),
            1_000,
            4_400,
            -150,
        ),
        device("matroska/pcm", "-c:a pcm_f32le -f matroska", sniffed(Kind::WebM), 300, 5_300, 200),
        device("f32le", "-c:a pcm_f32le -ar 44100 -f f32le", Opening::Pcm(raw), 50, 6_900, -200),
        device("wav", "-c:a pcm_s16le -f wav", sniffed(Kind::Wav), 100, 7_700, 100),
        device("flac", "-c:a flac -f flac", sniffed(Kind::Flac), 200, 8_100, -100),
        device("ogg/vorbis", "-c:a libvorbis -f ogg", sniffed(Kind::Ogg), 250, 9_900, 200),
        device("mp3", "-c:a libmp3lame -f mp3", Opening::Mp3, 250, 11_300, -200),
    ]
}

/// A device that is on.
struct Speaker {
    device: Device,
    member: Uuid,
    ffmpeg: Child,
    demuxer: Box<dyn Demux>,
    transcoder: Option<(Transcoder, Codec)>,
    ready: VecDeque<SourcePacket>,
    /// How much it has sent, by its own clock.
    sent: Ticks,
    /// Its next message, and when that arrives.
    next: Option<(Moment, Publish)>,
    messages: u64,
}

impl Speaker {
    fn start(number: u128, device: Device, length: Duration) -> Self {
        // By its own clock the clicks are further apart, or closer, and the first comes so long after its start.
        let rate = 1.0 + f64::from(device.ppm) * 1e-6;
        let (period, since) = (secs(PERIOD) * rate, device.start.as_secs_f64() * rate);
        let click = format!("if(lt(mod(t+{since:.9},{period:.9}),0.005),0.8*sin(2*PI*1000*t),0)");
        let own = length.saturating_sub(device.start).as_secs_f64() * rate;
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", &format!("aevalsrc='{click}':s=48000:d={own}")]);
        let ffmpeg = ffmpeg.args(device.output.split(' ')).arg("-").stdout(Stdio::piped()).spawn().expect("ffmpeg");
        let demuxer = demuxer(device.opening);
        let (ready, member) = (VecDeque::new(), Uuid::from_u128(number));
        let mut speaker = Self {
            device,
            member,
            ffmpeg,
            demuxer,
            transcoder: None,
            ready,
            sent: Ticks::ZERO,
            next: None,
            messages: 0,
        };
        speaker.prepare();
        speaker
    }

    /// Makes the next message: so much sound arrives when it has been said, and a little later.
    fn prepare(&mut self) {
        let mut packets = Vec::new();
        let mut length = Ticks::ZERO;
        while length < self.device.message {
            let Some(packet) = self.packet() else { break };
            length = length.saturating_add(packet.duration);
            packets.push(packet);
        }
        let Some((transcoder, source)) = self.transcoder.as_ref().filter(|_| !packets.is_empty()) else {
            self.next = None;
            return;
        };
        self.sent = self.sent.saturating_add(length);
        self.messages += 1;
        // As if by chance, and the same each time.
        let chance =
            (self.messages * 7919 + u64::from(self.device.ppm.unsigned_abs()) * 31 + self.device.message.get()) % 101;
        let late = JITTER.mul_f64(f64::from(u32::try_from(chance).expect("below 101")) / 101.0);
        let said = self.sent.as_secs_f64() / (1.0 + f64::from(self.device.ppm) * 1e-6);
        let arrived = Moment::START.after(self.device.start + Duration::from_secs_f64(said) + late);
        let publish = Publish {
            member: self.member,
            local: 0,
            format: transcoder.format().clone(),
            source: *source,
            restarted: self.messages == 1,
            first: None,
            packets,
            arrived,
        };
        self.next = Some((arrived, publish));
    }

    fn packet(&mut self) -> Option<SourcePacket> {
        let mut buffer = [0; 8192];
        while self.ready.is_empty() {
            let mut out = Vec::new();
            match self.demuxer.pull().unwrap_or_else(|error| panic!("{}: {error}", self.device.name)) {
                Some(Event::Head(source)) => {
                    assert!(self.transcoder.is_none(), "{} has one head", self.device.name);
                    let transcoder = Transcoder::new(&source).unwrap_or_else(|error| panic!("{source:?}: {error}"));
                    self.transcoder = Some((transcoder, source.codec()));
                }
                Some(Event::Packet(packet)) => {
                    let (transcoder, _) = self.transcoder.as_mut().expect("a head comes before the first packet");
                    transcoder.push(packet, &mut out).unwrap_or_else(|error| panic!("{}: {error}", self.device.name));
                }
                Some(Event::Ignored(what)) => panic!("{}: {what}", self.device.name),
                None => {
                    let read = whole(self.ffmpeg.stdout.as_mut().expect("it is piped"), &mut buffer);
                    if read == 0 {
                        return None;
                    }
                    self.demuxer.push(&buffer[..read]);
                }
            }
            self.ready.extend(out);
        }
        self.ready.pop_front()
    }
}

/// Fills the buffer, but at the end.
fn whole(from: &mut impl Read, buffer: &mut [u8]) -> usize {
    let mut read = 0;
    while read < buffer.len() {
        match from.read(&mut buffer[read..]).expect("a pipe") {
            0 => break,
            more => read += more,
        }
    }
    read
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn secs(whole: u64) -> f64 {
    whole as f64
}

fn minutes() -> u64 {
    std::env::var("ROOMTONE_CLICK_MINUTES").map_or(2, |minutes| minutes.parse().expect("a number of minutes"))
}

#[actix::test]
async fn clicks_of_publishers_of_every_kind_whose_clocks_drift_lie_together_in_what_is_derived() {
    let length = Duration::from_secs(60 * minutes());
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options { sync_period: Duration::from_millis(50), ..Options::new(folder.path().to_owned()) };
    let (archive, _) = Archive::open(options, WALL).await.expect("an archive");
    let id = record(&archive, length).await;
    let recording = archive.recording(id).await.expect("an index").expect("a recording");
    let names: Vec<_> = devices().iter().map(|device| device.name).collect();
    assert_eq!(recording.tracks.len(), names.len(), "{:?}", recording.tracks);

    let session = loop {
        match archive.derived(id, Derived::Session).await.expect("it can be made") {
            Found::Made(session) => break session.file,
            Found::Making(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    // The first is the mix.
    let heard: Vec<Vec<Ticks>> = (0..names.len()).map(|track| clicks(&session, track + 1)).collect();
    archive.close().await;

    let mut widest = (Ticks::ZERO, 0);
    // The last device begins after the first click.
    for number in 2..length.as_secs() / PERIOD - 1 {
        let about = Ticks::from_secs(number * PERIOD);
        let near = |clicks: &Vec<Ticks>| {
            let found = clicks.iter().filter(|click| click.signed_since(about).unsigned_abs() < 48_000);
            found.copied().collect::<Vec<_>>()
        };
        let places: Vec<Vec<Ticks>> = heard.iter().map(near).collect();
        assert!(places.iter().all(|places| places.len() == 1), "click {number}: {names:?} {places:?}");
        let all = || places.iter().map(|places| places[0]);
        let spread = all().max().unwrap_or_default().saturating_sub(all().min().unwrap_or_default());
        widest = widest.max((spread, number));
        let from_first = || all().map(|place| f64::from(i32::try_from(place.signed_since(about)).unwrap()) / 48.0);
        assert!(spread <= TOGETHER, "click {number}: {:?}", names.iter().zip(from_first()).collect::<Vec<_>>());
    }
    println!("{} clicks; the widest, {}, lies within {}", length.as_secs() / PERIOD, widest.1, widest.0);
}

/// Lets all devices speak, and gives the recording when it has ended.
async fn record(archive: &Archive, length: Duration) -> RecordingId {
    let mut room = State::new("clicks".parse().expect("a room's name"), Patience::default());
    let mut speakers: Vec<_> =
        (1..).zip(devices()).map(|(number, device)| Speaker::start(number, device, length)).collect();
    for Speaker { device, member, .. } in &speakers {
        let name = device.name.parse().expect("a name");
        room.join(Moment::START, Participant { id: *member, name }, Role::Speaker, Reads::V1);
    }
    let (mut hand, mut recording) = (None::<Hand>, None);
    let mut ticked = Moment::START;
    while let Some(index) = (0..speakers.len())
        .filter(|index| speakers[*index].next.is_some())
        .min_by_key(|index| speakers[*index].next.as_ref().map(|(arrived, _)| *arrived))
    {
        let Some((arrived, publish)) = speakers[index].next.take() else { break };
        while ticked < arrived {
            ticked = ticked.after(Duration::from_millis(100));
            room.tick(ticked, wall(ticked));
        }
        room.publish(wall(arrived), publish).expect("the room takes it");
        for effect in room.effects() {
            match effect {
                Effect::Begin(session) => {
                    let new = NewRecording { id: session.id, room: room.name().clone(), started: session.started };
                    recording = Some(session.id);
                    hand = Some(Hand::new(archive.begin(new, Box::new(|_| {})), session.zero));
                }
                Effect::Record(entry) => hand.as_mut().expect("a session").take(entry),
                _ => {}
            }
        }
        speakers[index].prepare();
    }
    let end = ticked.after(Duration::from_secs(1));
    room.close(end, wall(end));
    for effect in room.effects() {
        if let Effect::Record(entry) = effect {
            hand.as_mut().expect("a session").take(entry);
        }
    }
    for speaker in &mut speakers {
        assert!(speaker.ffmpeg.wait().expect("ffmpeg").success(), "{}", speaker.device.name);
    }
    let id = recording.expect("a recording");
    loop {
        let found = archive.recording(id).await.expect("an index");
        if found.is_some_and(|recording| recording.summary.state.end_reason().is_some()) {
            return id;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn wall(at: Moment) -> UnixMillis {
    let since = i64::try_from(at.since(Moment::START).as_millis()).expect("hours");
    UnixMillis::new(WALL.get() + since)
}

/// Where a track of a WebM file clicks.
fn clicks(file: &std::fs::File, track: usize) -> Vec<Ticks> {
    let mut file = file.try_clone().expect("a file");
    file.rewind().expect("a file that can be read again");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-copyts", "-i", "-"]).stdin(file).args([
        "-map",
        &format!("0:a:{track}"),
        "-c",
        "copy",
    ]);
    let output = ffmpeg.args(["-f", "webm", "-"]).output().expect("ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut demuxer = webm::Demuxer::new();
    demuxer.push(&output.stdout);
    let (mut opus, mut found) = (None, Vec::<Ticks>::new());
    while let Some(event) = demuxer.pull().expect("WebM") {
        match event {
            Event::Head(Source::Opus(head)) => opus = Some(decoder(&Format::Opus(head)).expect("a decoder")),
            Event::Packet(packet) => {
                let opus = opus.as_mut().expect("a head");
                let channels = usize::from(opus.channels());
                let sound = opus.decode(&packet.data).expect("Opus");
                let Some(at) = sound.chunks(channels).position(|frame| frame[0].abs() > 0.3) else { continue };
                let at = packet.time.saturating_add(Ticks::new(at as u64));
                if found.last().is_none_or(|last| at.saturating_sub(*last) > Ticks::from_secs(1)) {
                    found.push(at);
                }
            }
            other => panic!("{other:?}"),
        }
    }
    found
}
