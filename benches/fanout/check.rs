//! Whether what the listeners got is what the publisher sent.

use bytes::Bytes;
use roomtone::container::stream::Demux;
use roomtone::container::webm;
use roomtone::media::packet::Sequence;
use roomtone::media::source::Source;
use roomtone::media::time::Ticks;
use roomtone::wire::packets;

use crate::Result;
use crate::capture::{Mode, Published};

/// Finds every packet of the publisher in the listeners' messages, in order, once. Gives for each of these the publisher's
/// message that completed it.
pub fn content(mode: Mode, published: &[Published], messages: &[Bytes]) -> Result<Vec<usize>> {
    let mut sent = published
        .iter()
        .enumerate()
        .flat_map(|(number, message)| message.packets.iter().map(move |packet| (number, packet)));
    let mut expected = Sequence::new(0);
    let mut completed = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let got = match mode {
            Mode::Relay => vec![message.clone()],
            Mode::Plain => file(message)?,
            Mode::V1 => match packets::read(message)? {
                packets::Message::Packets { first, packets, .. } => {
                    if first != expected {
                        return Err(format!("message {index} begins with packet {first:?} and not {expected:?}").into());
                    }
                    expected = Sequence::new(first.get() + packets.len() as u64);
                    packets
                }
                packets::Message::Container { .. } => return Err("a container came downwards".into()),
            },
        };
        let mut last = None;
        for packet in got {
            let (number, original) = sent.next().ok_or("more came than was sent")?;
            if packet != original {
                return Err(format!("message {index} carries other sound than the publisher's message {number}").into());
            }
            last = Some(number);
        }
        completed.push(last.ok_or("a message is empty")?);
    }
    match (sent.count(), mode) {
        // A lone packet makes no plain message until more sound comes or its track ends.
        (0, _) | (1, Mode::Plain) => Ok(completed),
        (lost, _) => Err(format!("{lost} packets never came").into()),
    }
}

/// The packets of a self-contained message that are to be heard: behind the pre-roll that its pre-skip hides.
fn file(message: &Bytes) -> Result<Vec<Bytes>> {
    let mut demuxer = webm::Demuxer::new();
    demuxer.push(message);
    let mut hidden = Ticks::ZERO;
    let mut packets = Vec::new();
    while let Some(event) = demuxer.pull()? {
        match event {
            webm::Event::Head(Source::Opus(head)) => hidden = Ticks::new(head.pre_skip.into()),
            webm::Event::Packet(packet) if hidden == Ticks::ZERO => packets.push(packet.data),
            webm::Event::Packet(packet) => {
                hidden = hidden.checked_sub(packet.duration).ok_or("the pre-roll is not of whole packets")?;
            }
            what => return Err(format!("a message of ours has {what:?}").into()),
        }
    }
    Ok(packets)
}
