//! Replays beside live fan-out: as many listeners, each at another moment of one recording of an hour.
//!
//! The recording holds the packets that the live publisher sends. Every packet of every replay is checked to follow the one
//! before it. Compared is the server's CPU time for a packet that reaches a listener, with live fan-out in the same run.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Poll, Token};
use roomtone::archive::model::{Anchor, EndReason, RecordingId};
use roomtone::archive::{Archive, Event, NewPart, NewRecording, Options};
use roomtone::media::opus::Head;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use roomtone::wire::packets::{self, Message};
use tempfile::TempDir;

use crate::Result;
use crate::capture::{Mode, Published};
use crate::frame::{self, LAST};
use crate::load::{self, SETTLE};
use crate::peer::{self, Peer};
use crate::process::Server;

/// How long the recording is.
const LENGTH: Ticks = Ticks::from_secs(3600);
/// How long each packet sounds.
const PACKET: Ticks = Ticks::from_millis(60);
/// How many tracks the recording has, all of them sounding all the time.
const TRACKS: [u16; 2] = [1, 2];
/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many listeners knock at once.
const AT_ONCE: usize = 8;

/// Measures both, and prints what they cost.
pub fn bench(listeners: usize, length: Duration) -> Result<()> {
    let published = crate::capture::messages(Mode::V1, length)?;
    let (live, _) = load::hub(&Server::hub(listeners)?, Mode::V1, listeners, &published)?;
    let packets: usize = published.iter().map(|message| message.packets.len()).sum();
    let live_cost = live.cpu * 1e6 / (packets * listeners) as f64;
    println!("                              CPU µs a packet   to live   KB a listener");
    println!("live, {listeners} listeners           {live_cost:>10.2}                {:>10.1}", live.active_kb);
    for tracks in TRACKS {
        let folder = TempDir::new()?;
        let id = record(&folder, tracks, &published)?;
        let replays = play(&Server::hub_with(folder, listeners)?, id, listeners, length)?;
        let cost = replays.cpu * 1e6 / replays.packets as f64;
        let ratio = cost / live_cost;
        println!(
            "{listeners} replays of {tracks} track{}    {cost:>10.2} {ratio:>9.2} {:>11.1}",
            if tracks == 1 { " " } else { "s" },
            replays.kb
        );
    }
    Ok(())
}

/// Puts a recording into a folder, as the hub would.
pub fn record(folder: &TempDir, tracks: u16, published: &[Published]) -> Result<RecordingId> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let started = UnixMillis::new(1_795_339_680_000);
    let id = RecordingId::new(started, [7; 10]);
    let sound: Vec<Bytes> =
        published.iter().flat_map(|message| &message.packets).map(|packet| packet.clone().into()).collect();
    runtime.block_on(async {
        let (archive, _) = Archive::open(Options::new(folder.path().to_owned()), started).await?;
        let (send, mut events) = tokio::sync::mpsc::unbounded_channel();
        let new = NewRecording { id, room: "bench".parse()?, started };
        let writer = archive.begin(new, Box::new(move |event| drop(send.send(event))));
        for track in 1..=tracks {
            writer.begin_part(NewPart {
                track: TrackNumber::new(track),
                number: 1,
                participant: uuid::Uuid::from_u128(track.into()),
                name: "Bench".parse()?,
                source: roomtone::media::source::Codec::Opus,
                format: Format::Opus(Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 }),
                start: Anchor { track: Ticks::ZERO, session: Ticks::ZERO },
                first: Sequence::ZERO,
            });
        }
        for number in 0..LENGTH.get() / PACKET.get() {
            for track in 1..=tracks {
                let data = sound[number as usize % sound.len()].clone();
                let packet =
                    Packet { sequence: Sequence::new(number), time: Ticks::ZERO, duration: PACKET, data, heard: None };
                writer.append(TrackNumber::new(track), vec![packet]);
            }
        }
        writer.end(EndReason::Finished, started);
        while let Some(event) = events.recv().await {
            match event {
                Event::Ended => break,
                Event::Failed { message, .. } => return Err(message.into()),
                Event::Durable { .. } => {}
            }
        }
        archive.close().await;
        Ok(id)
    })
}

/// What replays cost.
struct Replays {
    /// CPU seconds while they played.
    cpu: f64,
    /// Packets that came meanwhile, all together.
    packets: usize,
    /// Memory of each, in KB.
    kb: f64,
}

/// A listener, and what it expects.
struct Listener {
    peer: Peer,
    /// For each track the next packet's number, once one has come.
    next: [Option<Sequence>; 2],
    packets: usize,
}

/// Plays the recording to so many, each from another moment on.
fn play(server: &Server, id: RecordingId, listeners: usize, length: Duration) -> Result<Replays> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    let mut all: Vec<Listener> = Vec::new();
    let mut scratch = vec![0; peer::READ];
    let last = LENGTH.as_secs_f64() - length.as_secs_f64() - 60.0;
    let mut before = server.memory()?;
    for number in 0..listeners {
        let from = last * number as f64 / listeners as f64;
        let target = format!("/recordings/{id}/ws?from={from:.2}");
        let mut peer = Peer::connect(server.address, Some((&target, Some("roomtone.v1"))))?;
        peer.register(poll.registry(), Token(number))?;
        all.push(Listener { peer, next: [None; 2], packets: 0 });
        if number % AT_ONCE == 0 || number + 1 == listeners {
            let end = Instant::now() + PATIENCE;
            while all.iter().rev().take(AT_ONCE).any(|one| one.packets == 0) {
                if Instant::now() > end {
                    return Err("a replay does not begin".into());
                }
                turn(&mut poll, &mut events, &mut all, &mut scratch, Duration::from_millis(100))?;
            }
        }
        if number == 0 {
            // What the first one costs is the recording's.
            before = server.memory()?;
        }
    }
    let mut run = |all: &mut Vec<Listener>, length: Duration| -> Result<()> {
        let end = Instant::now() + length;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            turn(&mut poll, &mut events, all, &mut scratch, left)?;
        }
        Ok(())
    };
    run(&mut all, SETTLE)?;
    let count = |all: &[Listener]| all.iter().map(|one| one.packets).sum::<usize>();
    let (cpu, packets) = (server.cpu()?, count(&all));
    run(&mut all, length)?;
    let (cpu, packets) = (server.cpu()? - cpu, count(&all) - packets);
    Ok(Replays { cpu, packets, kb: (server.memory()? - before) / listeners as f64 })
}

/// Waits for something to come, and reads it.
fn turn(
    poll: &mut Poll,
    events: &mut Events,
    all: &mut [Listener],
    scratch: &mut [u8],
    timeout: Duration,
) -> Result<()> {
    poll.poll(events, Some(timeout))?;
    for event in events.iter() {
        let Listener { peer, next, packets } = &mut all[event.token().0];
        peer.read(scratch, |peer, frame| match frame.opcode {
            load::BINARY => {
                *packets += hear(next, frame.payload)?;
                Ok(())
            }
            load::TEXT => Ok(()),
            load::PING => peer.send(&frame::frame(LAST | load::PONG, frame.payload)),
            opcode => Err(format!("a frame with opcode {opcode}").into()),
        })?;
    }
    Ok(())
}

/// How many packets a message carries, which follow those before them.
fn hear(next: &mut [Option<Sequence>; 2], payload: &[u8]) -> Result<usize> {
    let Message::Packets { track, first, packets, .. } = packets::read(&Bytes::copy_from_slice(payload))? else {
        return Err("downwards there are only packets".into());
    };
    let next = &mut next[usize::from(track) - 1];
    if next.is_some_and(|next| next != first) {
        return Err(format!("packet {} follows where {next:?} was expected", first.get()).into());
    }
    *next = Some(first.after(packets.len() as u64));
    Ok(packets.len())
}
