//! A recording of several tracks, made as the hub makes one, as fast as it goes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use roomtone::archive::model::{Anchor, EndReason, RecordingId};
use roomtone::archive::{Archive, Event, NewPart, NewRecording, Options};
use roomtone::container::ogg;
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence, SourcePacket};
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use uuid::Uuid;

use crate::Result;

/// Ten minutes of sound.
pub struct Sound {
    head: opus::Head,
    packets: Vec<SourcePacket>,
}

impl Sound {
    /// ffmpeg's: a tone whose pitch tells the second.
    pub fn make() -> Result<Self> {
        let source = "aevalsrc=0.3*sin(2*PI*(400+2*floor(t))*t):d=600:s=48000";
        let run = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", source, "-c:a", "libopus", "-b:a", "48k", "-f", "ogg", "-"])
            .stderr(Stdio::inherit())
            .output()?;
        let mut demuxer = ogg::Demuxer::new();
        let (mut head, mut packets) = (None, Vec::new());
        for piece in run.stdout.chunks(64 * 1024) {
            demuxer.push(piece);
            while let Some(event) = demuxer.pull()? {
                match event {
                    ogg::Event::Head(one) => head = Some(one),
                    ogg::Event::Packet(packet) => packets.push(packet),
                    ogg::Event::Tags(_) | ogg::Event::End(_) => {}
                }
            }
        }
        Ok(Self { head: head.ok_or("ffmpeg made no Opus")?, packets })
    }
}

/// Records the sound, again and again, as so many tracks, each a second after the one before it and so many minutes long, in two parts
/// where there is a gap of so many seconds in the middle; gives the archive, and which recording it is.
pub async fn record(
    Sound { head, packets: ten_minutes }: Sound,
    folder: &Path,
    tracks: u16,
    minutes: u64,
    gap: Option<u64>,
) -> Result<(Archive, RecordingId)> {
    let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z")?;
    let (archive, _) = Archive::open(Options::new(folder.to_owned()), started).await?;
    let id = RecordingId::new(started, *Uuid::new_v4().as_bytes().first_chunk().ok_or("16 bytes")?);
    let (tell, told) = mpsc::channel();
    let new = NewRecording { id, room: "bench".parse()?, started };
    let writer = archive.begin(new, Box::new(move |event| drop(tell.send(event))));
    let part = |number: u16, part: u32, at: Ticks, first: Sequence| -> Result<NewPart> {
        // Each a second after the one before it.
        let start = Anchor { track: at, session: at.saturating_add(Ticks::from_secs(u64::from(number) - 1)) };
        let (participant, name, format) = (Uuid::nil(), format!("Speaker {number}").parse()?, Format::Opus(head));
        Ok(NewPart {
            track: TrackNumber::new(number),
            number: part,
            participant,
            name,
            source: format.codec(),
            format,
            start,
            first,
        })
    };
    for number in 1..=tracks {
        writer.begin_part(part(number, 1, Ticks::ZERO, Sequence::ZERO)?);
    }
    let mut gap = gap.map(Ticks::from_secs);
    let mut sequence = Sequence::ZERO;
    let mut time = Ticks::ZERO;
    for packet in ten_minutes.iter().cycle() {
        if time >= Ticks::from_secs(minutes * 60) {
            break;
        }
        if time >= Ticks::from_secs(minutes * 30)
            && let Some(gap) = gap.take()
        {
            time = time.saturating_add(gap);
            for number in 1..=tracks {
                writer.end_part(TrackNumber::new(number));
                writer.begin_part(part(number, 2, time, sequence)?);
            }
        }
        for number in 1..=tracks {
            let (duration, data) = (packet.duration, packet.data.clone());
            writer.append(TrackNumber::new(number), vec![Packet { sequence, time, duration, data, heard: None }]);
        }
        sequence = sequence.next();
        time = time.saturating_add(packet.duration);
    }
    writer.end(EndReason::Finished, started);
    loop {
        match told.recv()? {
            Event::Ended => break,
            Event::Failed { message, .. } => return Err(message.into()),
            Event::Durable { .. } => {}
        }
    }
    Ok((archive, id))
}
