//! Any bytes as a payload of Engine.IO and the packets of Socket.IO in it: nothing panics, what is held is bounded, and what
//! was read is written as it was.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use roomtone::wire::engine_io::{self, Packet, Payload};
use roomtone::wire::frame;
use roomtone::wire::socket_io::{Decoder, FromClient, MOST_ATTACHMENTS};

/// The most bytes of attachments.
const MOST: usize = 4096;

fuzz_target!(|data: &[u8]| {
    // Frames are ours alone, but must not be able to do any harm.
    let _ = frame::messages(Bytes::copy_from_slice(data)).count();
    let Ok(packets) = engine_io::payload(data, 64) else { return };
    assert!(!packets.is_empty() && packets.len() <= 64);
    let decoder = Decoder::new(MOST);
    for packet in packets {
        let said = match &packet {
            Packet::Message(text) => decoder.text(text),
            Packet::Binary(bytes) => decoder.binary(bytes.clone()),
            _ => continue,
        };
        let framed = match &packet {
            Packet::Message(text) => frame::text(&format!("4{text}")),
            Packet::Binary(bytes) => frame::binary(bytes),
            _ => continue,
        };
        let payload: Vec<u8> = Payload::of([framed]).into_pieces().flat_map(Vec::from).collect();
        assert_eq!(engine_io::payload(&payload, 1).unwrap(), [packet]);
        match said {
            Ok(Some(FromClient::Event(event))) => {
                assert!(event.attachments.len() <= MOST_ATTACHMENTS);
                assert!(event.attachments.iter().map(Bytes::len).sum::<usize>() <= MOST);
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
});
