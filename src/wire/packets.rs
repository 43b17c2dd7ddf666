//! The binary messages of `roomtone.v1`: one header of 20 bytes, then packets or the bytes of a container, all big-endian.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | kind: 1 packets; 2 bytes of a container (upwards only) |
//! | 1 | flags: 1 discontinuity before, 2 backlog |
//! | 2 | track number: the room's downwards, the publisher's own upwards |
//! | 8 | sequence number of the first packet; 0 in kind 2 |
//! | 8 | time of the first packet: session ticks downwards, capture ticks upwards; 0 in kind 2 |
//! | then, for each packet, 2 + n | length, packet |

use bytes::{BufMut, Bytes, BytesMut};

use crate::media::packet::Sequence;
use crate::media::time::Ticks;

/// Bytes of the header.
pub const HEADER: usize = 20;

/// What a header's flags say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The first packet does not go on where the one before it ended.
    pub discontinuity: bool,
    /// Packets of the past, sent after newer ones.
    pub backlog: bool,
}

/// A binary message, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Kind 1.
    Packets {
        /// The track's number.
        track: u16,
        /// The header's flags.
        flags: Flags,
        /// The number of the first packet.
        first: Sequence,
        /// The time of the first packet.
        time: Ticks,
        /// The packets, at least one.
        packets: Vec<Bytes>,
    },
    /// Kind 2.
    Container {
        /// The track's number.
        track: u16,
        /// A piece of the container's byte stream; its edges mean nothing.
        bytes: Bytes,
    },
}

/// Reads a binary message.
///
/// # Errors
/// Where it is shorter than its header, of an unknown kind, or its packets do not end where it ends.
pub fn read(message: &Bytes) -> Result<Message, Error> {
    let Some(header) = message.first_chunk::<HEADER>() else { return Err(Error::Header(message.len())) };
    let [kind, flags, track_high, track_low, rest @ ..] = *header;
    let track = u16::from_be_bytes([track_high, track_low]);
    let [s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7] = rest;
    match kind {
        1 => {
            let mut packets = Vec::new();
            let mut at = HEADER;
            while at < message.len() {
                let short = Error::Packet { offset: at };
                let length = message.get(at..at + 2).ok_or(short)?;
                let begin = at + 2;
                let end = begin + usize::from(u16::from_be_bytes([length[0], length[1]]));
                if end > message.len() {
                    return Err(short);
                }
                packets.push(message.slice(begin..end));
                at = end;
            }
            if packets.is_empty() {
                return Err(Error::NoPackets);
            }
            Ok(Message::Packets {
                track,
                flags: Flags { discontinuity: flags & 1 != 0, backlog: flags & 2 != 0 },
                first: Sequence::new(u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7])),
                time: Ticks::new(u64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7])),
                packets,
            })
        }
        2 => Ok(Message::Container { track, bytes: message.slice(HEADER..) }),
        kind => Err(Error::Kind(kind)),
    }
}

/// Writes a message of kind 1. A packet past 65,535 bytes cannot be said and is left out; Opus has none (RFC 6716 §3.4).
pub fn write<'a>(
    out: &mut BytesMut,
    track: u16,
    flags: Flags,
    first: Sequence,
    time: Ticks,
    packets: impl IntoIterator<Item = &'a [u8]>,
) {
    out.put_u8(1);
    out.put_u8(u8::from(flags.discontinuity) | u8::from(flags.backlog) << 1);
    out.put_u16(track);
    out.put_u64(first.get());
    out.put_u64(time.get());
    for packet in packets {
        if let Ok(length) = u16::try_from(packet.len()) {
            out.put_u16(length);
            out.put_slice(packet);
        }
    }
}

/// Why a binary message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Shorter than the header.
    #[error("a binary message of {0} bytes is shorter than its header of 20")]
    Header(usize),
    /// Neither packets nor a container.
    #[error("a binary message is of kind {0}, known are 1 (packets) and 2 (container bytes)")]
    Kind(u8),
    /// A length that points past the end.
    #[error("the packet at byte {offset} ends after its message")]
    Packet {
        /// Where the packet's length stands in the message.
        offset: usize,
    },
    /// Kind 1 without a packet.
    #[error("a binary message of kind 1 carries no packet")]
    NoPackets,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            track: u16, discontinuity: bool, backlog: bool, first: u64, time: u64,
            packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..10),
        ) {
            let flags = Flags { discontinuity, backlog };
            let (first, time) = (Sequence::new(first), Ticks::new(time));
            let mut out = BytesMut::new();
            write(&mut out, track, flags, first, time, packets.iter().map(Vec::as_slice));
            let packets = packets.into_iter().map(Bytes::from).collect();
            prop_assert_eq!(read(&out.freeze()), Ok(Message::Packets { track, flags, first, time, packets }));
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read(&Bytes::from(bytes));
        }
    }

    #[test]
    fn a_broken_message_says_where() {
        assert_eq!(read(&Bytes::from_static(&[1; 19])), Err(Error::Header(19)));
        let mut message = [0; 23];
        assert_eq!(read(&Bytes::copy_from_slice(&message)), Err(Error::Kind(0)));
        message[0] = 1;
        message[21] = 9;
        assert_eq!(read(&Bytes::copy_from_slice(&message)), Err(Error::Packet { offset: 20 }));
        assert_eq!(read(&Bytes::copy_from_slice(&message[..20])), Err(Error::NoPackets));
    }
}
