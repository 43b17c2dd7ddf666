//! The packets of a part, whatever has become of its file: for what is made out of recordings, where a flipped bit must not
//! cost the rest of the hour.
//!
//! What belongs here: passing over damage, and the time of what comes after it. What does not: whether a file is good
//! (the demuxer says that, and stops where it is not).

use std::collections::VecDeque;
use std::mem;

use bytes::Bytes;

use super::demux::PACKET_LIMIT;
use super::page::{Page, PageReader, Piece};
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;

/// Reads the packets of a file of one Opus stream: push until empty, pull until none, finish and pull, then ask for what was lost.
///
/// Each page says where its sound ends (RFC 7845 §4), so that packets behind damage have their right time. It holds at most
/// one incomplete page, one incomplete packet of [`PACKET_LIMIT`], and the packets of one page.
#[derive(Debug, Default)]
pub struct Salvager {
    pages: PageReader,
    serial: Option<u32>,
    /// The number of the page that is to come.
    next: u32,
    /// The start of a packet that the next page goes on with.
    open: Option<Vec<u8>>,
    packets: VecDeque<SourcePacket>,
    damaged: bool,
    /// Whether all of the file was pushed.
    ended: bool,
}

impl Salvager {
    /// A reader at the start of a file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pages.push(bytes);
    }

    /// That was all: what waits for more bytes gets none. It may be a page that says a wrong length, and hides good ones.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// Gives the next packet, `None` where more bytes are needed. Times are counted from the file's first packet, the
    /// pre-skip in it, and never run back.
    pub fn pull(&mut self) -> Option<SourcePacket> {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return Some(packet);
            }
            match self.pages.pull() {
                Ok(Some(page)) => self.read(&page),
                Ok(None) if !self.ended || self.pages.end().is_ok() => {
                    return None;
                }
                Ok(None) | Err(_) => {
                    self.damaged = true;
                    self.pages.skip();
                }
            }
        }
    }

    /// Whether anything was passed over, given that all of the file was pushed and pulled. A file that ends between two
    /// pages is whole as far as one can tell from it.
    #[must_use]
    pub fn damaged(&self) -> bool {
        self.damaged || self.open.is_some() || self.pages.end().is_err()
    }

    fn read(&mut self, page: &Page) {
        // A good page of another stream is not ours: it is passed over like damage. So is one from before, which a copy
        // within the file would be.
        if page.serial != *self.serial.get_or_insert(page.serial) || page.sequence < self.next {
            self.damaged = true;
            return;
        }
        let follows = page.sequence == self.next;
        self.next = page.sequence.saturating_add(1);
        let open = self.open.take();
        self.damaged |= !follows;
        // Nothing sounds before the first packet: this is OpusHead, or OpusTags.
        if page.granule == Some(0) {
            return;
        }
        let mut open = open.filter(|_| follows && page.continued);
        // The rest of a packet whose start is lost.
        let mut orphan = page.continued && open.is_none();
        let mut sound = Vec::new();
        for Piece { data, ends } in page.pieces() {
            let mut packet = open.take().unwrap_or_default();
            packet.extend_from_slice(data);
            let lost = mem::take(&mut orphan) || packet.len() > PACKET_LIMIT;
            match (lost, ends) {
                (true, true) => self.damaged = true,
                (true, false) => orphan = true,
                (false, false) => open = Some(packet),
                (false, true) => match opus::duration(&packet) {
                    Ok(duration) => sound.push((duration, Bytes::from(packet))),
                    Err(_) => self.damaged = true,
                },
            }
        }
        self.open = open;
        let length = sound.iter().fold(Ticks::ZERO, |sum, (duration, _)| sum.saturating_add(*duration));
        let mut time = Ticks::new(page.granule.unwrap_or_default()).saturating_sub(length);
        for (duration, data) in sound {
            self.packets.push_back(SourcePacket { time, duration, data, heard: None });
            time = time.saturating_add(duration);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Demuxer, Event, PartMuxer};
    use super::*;

    /// A part of packets that say their number, some long enough for two pages.
    fn part(count: u64) -> Vec<u8> {
        let head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };
        let (mut muxer, mut file) = PartMuxer::begin(7, head, &[]);
        for number in 0..count {
            let length = if number % 50 == 49 { 1200 } else { 80 };
            let frame = [&number.to_be_bytes()[..], &vec![0x55; length]].concat();
            muxer.push(&[&[0xF8][..], &frame].concat(), Ticks::from_millis(20));
            if number % 11 == 10 {
                file.extend(muxer.take());
            }
        }
        file.extend(muxer.finish());
        file
    }

    /// The numbers and times of the packets, and whether anything was lost.
    fn salvage(file: &[u8], step: usize) -> (Vec<(u64, Ticks)>, bool) {
        let mut salvager = Salvager::new();
        let mut found = Vec::new();
        for piece in file.chunks(step) {
            salvager.push(piece);
            while let Some(packet) = salvager.pull() {
                found.push((u64::from_be_bytes(packet.data[1..9].try_into().unwrap()), packet.time));
            }
        }
        salvager.finish();
        while let Some(packet) = salvager.pull() {
            found.push((u64::from_be_bytes(packet.data[1..9].try_into().unwrap()), packet.time));
        }
        (found, salvager.damaged())
    }

    #[test]
    fn a_whole_file_gives_what_the_demuxer_gives() {
        let file = part(300);
        let mut demuxer = Demuxer::new();
        demuxer.push(&file);
        let mut expected = Vec::new();
        while let Some(event) = demuxer.pull().unwrap() {
            if let Event::Packet(packet) = event {
                expected.push((u64::from_be_bytes(packet.data[1..9].try_into().unwrap()), packet.time));
            }
        }
        assert_eq!(expected.len(), 300);
        for step in [1, 100, 4096, file.len()] {
            assert_eq!(salvage(&file, step), (expected.clone(), false));
        }
    }

    #[test]
    fn what_is_behind_damage_has_its_right_time() {
        let whole = part(300);
        let (all, _) = salvage(&whole, 4096);
        for at in (0..whole.len()).step_by(97) {
            let mut file = whole.clone();
            file[at] ^= 0x10;
            let (found, damaged) = salvage(&file, 1000);
            assert!(damaged, "at {at}");
            assert!(found.len() >= 300 - 51, "{} at {at}", found.len());
            assert!(found.iter().all(|one| all.contains(one)), "at {at}");
            // Bytes that went missing altogether.
            file.drain(at..whole.len().min(at + 3000));
            let (found, _) = salvage(&file, 1000);
            assert!(found.len() >= 300 - 90, "{} at {at}", found.len());
            assert!(found.iter().all(|one| all.contains(one)), "at {at}");
        }
    }

    #[test]
    fn a_page_that_says_a_wrong_length_hides_no_good_ones() {
        let whole = part(300);
        let (all, _) = salvage(&whole, 4096);
        let mut reader = PageReader::new();
        reader.push(&whole);
        // Each is now longer than the rest of the file, or at least than itself.
        for page in std::iter::from_fn(|| reader.pull().unwrap()).filter(|page| page.granule > Some(0)) {
            let mut file = whole.clone();
            file[usize::try_from(page.offset).unwrap() + 26] ^= 0x80;
            let (found, damaged) = salvage(&file, 1000);
            assert!(damaged && found.len() == 300 - page.packets_ended(), "{} at {}", found.len(), page.offset);
            assert!(found.iter().all(|one| all.contains(one)));
        }
    }

    #[test]
    fn a_packet_over_several_pages_is_whole_or_lost() {
        let head = opus::Head { channels: 1, pre_skip: 0, input_rate: 48_000, output_gain: 0 };
        let (mut muxer, mut file) = PartMuxer::begin(7, head, &[]);
        // Code 3, 48 frames of 1275 bytes and padding, so that it takes more than a page.
        let long = [&[0xE3, 0x70][..], &[255; 100], &[0], &vec![0; 48 * 1275 + 100 * 254]].concat();
        let duration = opus::duration(&long).unwrap();
        for _ in 0..3 {
            muxer.push(&long, duration);
        }
        file.extend(muxer.finish());
        let count = |file: &[u8]| {
            let mut salvager = Salvager::new();
            salvager.push(file);
            let times: Vec<_> = std::iter::from_fn(|| salvager.pull()).map(|packet| packet.time).collect();
            (times, salvager.damaged())
        };
        let at = |number: u64| Ticks::new(number * duration.get());
        assert_eq!(count(&file), (vec![at(0), at(1), at(2)], false));
        file[100_000] ^= 1;
        assert_eq!(count(&file), (vec![at(0), at(2)], true));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_run_back(
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
            from in any::<prop::sample::Index>(),
        ) {
            let mut file = part(120);
            for (at, byte) in cuts {
                let at = at.index(file.len());
                file[at] = byte;
            }
            file.drain(..from.index(2000));
            let (found, _) = salvage(&file, 777);
            prop_assert!(found.windows(2).all(|pair| pair[0].1 < pair[1].1));
        }
    }
}
