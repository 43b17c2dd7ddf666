//! Sound that nobody said: packets that each say their number.

use std::time::Duration;

use roomtone::container::webm::mux;
use roomtone::media::opus;
use roomtone::media::packet::{Packet, Sequence};
use roomtone::media::time::Ticks;

/// What such sound begins with.
pub const HEAD: opus::Head = opus::Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 };

/// So much sound as WebM: packets of 20 ms, of so many bytes, each of them different.
pub fn webm(sound: Duration, bytes: usize) -> Vec<u8> {
    let packet = |number: u64| {
        let mut data = vec![0xF8; bytes];
        data[1..9].copy_from_slice(&number.to_be_bytes());
        let time = Ticks::from_millis(number * 20);
        Packet {
            sequence: Sequence::new(number),
            time,
            duration: Ticks::from_millis(20),
            data: data.into(),
            heard: None,
        }
    };
    let packets: Vec<_> = (0..u64::try_from(sound.as_millis() / 20).unwrap()).map(packet).collect();
    mux::continuing(HEAD, &packets)
}

/// The number of such a packet.
pub fn number_of(packet: &[u8]) -> u64 {
    u64::from_be_bytes(packet[1..9].try_into().unwrap())
}
