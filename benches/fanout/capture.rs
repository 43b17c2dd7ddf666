//! What the publisher sends: a real browser's WebM/Opus, cut anew to a steady pace, or bytes that are no sound.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use roomtone::container::stream::Demux;
use roomtone::container::webm;
use roomtone::wire::packets::HEADER;

use crate::{Result, captures};

/// What is sent, and how it is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sound, over the plain protocol.
    Plain,
    /// Sound, over `roomtone.v1`.
    V1,
    /// Messages of 4000 bytes that are no sound, relayed as they are.
    Relay,
}

impl Mode {
    /// The time from message to message.
    pub const fn pace(self) -> Duration {
        match self {
            Self::Plain | Self::V1 => Duration::from_millis(250),
            Self::Relay => Duration::from_millis(50),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "plain",
            Self::V1 => "v1",
            Self::Relay => "relay",
        })
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "plain" => Ok(Self::Plain),
            "v1" => Ok(Self::V1),
            "relay" => Ok(Self::Relay),
            _ => Err(format!("{text} is no mode: plain, v1 or relay")),
        }
    }
}

/// One message of the publisher.
pub struct Published {
    /// What is sent, without a WebSocket frame around it.
    pub payload: Vec<u8>,
    /// The packets that are complete with it; a relayed message counts as one.
    pub packets: Vec<Vec<u8>>,
}

/// The messages of a publisher who speaks for this long.
pub fn messages(mode: Mode, length: Duration) -> Result<Vec<Published>> {
    let count = length.as_millis() / mode.pace().as_millis();
    if mode == Mode::Relay {
        return Ok((0..count).map(|number| relayed(number as u64)).collect());
    }
    let mut bytes = captures::messages("chromium-webm-opus").concat();
    let mut ends = packet_ends(&bytes)?;
    let round = bytes.len();
    let once = ends.clone();
    let mut messages = Vec::new();
    let (mut begin, mut next) = (0, 0);
    for number in 1..=count {
        // The message carries what has ended by its time: 60 ms packets do not divide into 250 ms.
        let until = mode.pace().as_millis() * number / PACKET.as_millis();
        let mut packets = Vec::new();
        while (next as u128) < until {
            if next == ends.len() {
                // Said again from its beginning, as a recorder that was stopped and started.
                let offset = bytes.len();
                bytes.extend_from_within(..round);
                ends.extend(once.iter().map(|(end, packet)| (end + offset, packet.clone())));
            }
            packets.push(ends[next].1.clone());
            next += 1;
        }
        let end = next.checked_sub(1).map_or(0, |last| ends[last].0);
        let mut payload = if mode == Mode::V1 { container_header() } else { Vec::new() };
        payload.extend_from_slice(&bytes[begin..end]);
        begin = end;
        messages.push(Published { payload, packets });
    }
    Ok(messages)
}

/// Chromium's packets.
const PACKET: Duration = Duration::from_millis(60);

/// The header of `roomtone.v1` before bytes of a container, for the publisher's track 1.
fn container_header() -> Vec<u8> {
    let mut header = vec![0; HEADER];
    header[0] = 2;
    header[3] = 1;
    header
}

fn relayed(number: u64) -> Published {
    // A multiplicative generator is noise enough, and begins like no container.
    let mut state = number.wrapping_add(1);
    let payload: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8 | 0x80
    })
    .take(4000)
    .collect();
    Published { packets: vec![payload.clone()], payload }
}

/// Where in the stream each packet ends, and its bytes.
fn packet_ends(bytes: &[u8]) -> Result<Vec<(usize, Vec<u8>)>> {
    let mut demuxer = webm::Demuxer::new();
    let mut ends = Vec::new();
    for (offset, byte) in bytes.iter().enumerate() {
        demuxer.push(&[*byte]);
        while let Some(event) = demuxer.pull()? {
            if let webm::Event::Packet(packet) = event {
                ends.push((offset + 1, packet.data.to_vec()));
            }
        }
    }
    Ok(ends)
}
