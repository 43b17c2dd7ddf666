//! Finding a time in a file without reading what lies before it: bisection by granule positions (RFC 3533 §6, RFC 7845 §4).

use super::page::{CAPTURE, LONGEST_PAGE, Page};
use crate::media::opus;
use crate::media::time::Ticks;

/// What is read of a file at a time, in bytes: a page of half a second, mostly.
const WINDOW: usize = 8 * 1024;
/// Where so many bytes hold no page there is none: damage must not make the search read all of a file.
const LONGEST_SCAN: u64 = 256 * 1024;
/// A range as short as this is not halved any more, in bytes: reading through it costs as much.
const SHORTEST: u64 = 16 * 1024;

/// Where a demuxer may begin: at the file's start, or with [`super::Demuxer::resume`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Where a page begins, in bytes; 0 is the file's start, with the head.
    pub offset: u64,
    /// The granule position at which the packets before it end.
    pub granule: u64,
}

/// A search for the last place from which a demuxer comes upon a granule position. It reads nothing itself: it is read to,
/// until it wants no more.
#[derive(Clone, Debug)]
pub struct Search {
    /// The granule position.
    target: u64,
    /// The best place so far.
    low: Place,
    /// No page that begins here or later is wanted.
    high: u64,
    probe: Probe,
}

/// The first place in these bytes, which stand at `offset` of a file, at which a demuxer may begin behind damage: the first good
/// page with sound, or where that goes on with a packet whose start is lost, its end.
#[must_use]
pub fn place_after(bytes: &[u8], offset: u64) -> Option<Place> {
    let mut captures = bytes.windows(CAPTURE.len()).enumerate().filter(|(_, window)| window == CAPTURE);
    captures.find_map(|(at, _)| {
        let page = Page::read(&bytes[at..], offset + at as u64).ok().flatten()?;
        let ends = page.lacing.last().is_some_and(|&lacing| lacing < 255);
        let granule = page.granule.filter(|_| ends)?;
        let begin = sound(&page).and_then(|sound| granule.checked_sub(sound));
        Some(match begin {
            Some(begin) => Place { offset: page.offset, granule: begin },
            None => Place { offset: page.end(), granule },
        })
    })
}

/// How many ticks a page of whole packets sounds; `None` where it is none, or has the head or the tags on it.
fn sound(page: &Page) -> Option<u64> {
    if page.continued || page.granule == Some(0) {
        return None;
    }
    let durations = page.pieces().map(|piece| opus::duration(piece.data).map(Ticks::get));
    durations.sum::<Result<u64, _>>().ok()
}

/// A look for the first page in the upper half.
#[derive(Clone, Copy, Debug)]
struct Probe {
    /// The middle: where the upper half begins.
    middle: u64,
    /// What is to be read next.
    at: u64,
    length: usize,
}

impl Search {
    /// A search in a file of so many bytes.
    #[must_use]
    pub const fn new(bytes: u64, target: u64) -> Self {
        let low = Place { offset: 0, granule: 0 };
        Self { target, low, high: bytes, probe: Probe::new(low.offset, bytes) }
    }

    /// What is to be read next: from which byte on, and how many. Nothing once the place is found.
    #[must_use]
    pub const fn wants(&self) -> Option<(u64, usize)> {
        if self.high.saturating_sub(self.low.offset) <= SHORTEST {
            return None;
        }
        Some((self.probe.at, self.probe.length))
    }

    /// Takes what was wanted, or less where the file ends.
    pub fn take(&mut self, bytes: &[u8]) {
        let wanted = self.probe.length;
        let mut from = 0;
        while let Some(found) = bytes[from..].windows(CAPTURE.len()).position(|window| window == CAPTURE) {
            let at = from + found;
            let offset = self.probe.at + at as u64;
            if offset >= self.high {
                return self.lower_half();
            }
            match Page::read(&bytes[at..], offset) {
                Ok(Some(page)) => {
                    let ends = page.lacing.last().is_some_and(|&lacing| lacing < 255);
                    match page.granule.filter(|_| ends) {
                        Some(granule) if granule <= self.target => {
                            return self.upper_half(Place { offset: page.end(), granule });
                        }
                        Some(_) => return self.lower_half(),
                        // No packet ends with it, so no demuxer can begin behind it.
                        None => from = at + page.length(),
                    }
                }
                Ok(None) if at > 0 || wanted < LONGEST_PAGE => {
                    if bytes.len() < wanted {
                        return self.lower_half();
                    }
                    // It is longer than what was read of it.
                    self.probe = Probe { at: offset, length: LONGEST_PAGE, ..self.probe };
                    return;
                }
                Ok(None) | Err(_) => from = at + 1,
            }
        }
        // The capture pattern may lie across the edge of what was read.
        let next = self.probe.at + bytes.len().saturating_sub(CAPTURE.len() - 1).max(from) as u64;
        let scanned = next.saturating_sub(self.probe.middle);
        if bytes.len() < wanted || next >= self.high || scanned > LONGEST_SCAN {
            return self.lower_half();
        }
        self.probe = Probe { at: next, length: WINDOW, ..self.probe };
    }

    /// The place, once nothing more is wanted; the best so far before.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.low
    }

    fn lower_half(&mut self) {
        self.high = self.probe.middle;
        self.probe = Probe::new(self.low.offset, self.high);
    }

    fn upper_half(&mut self, low: Place) {
        self.low = low;
        self.probe = Probe::new(self.low.offset, self.high);
    }
}

impl Probe {
    const fn new(low: u64, high: u64) -> Self {
        let middle = low + high.saturating_sub(low) / 2;
        Self { middle, at: middle, length: WINDOW }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Demuxer, Event, PartMuxer};
    use super::*;
    use crate::media::opus::Head;
    use crate::media::time::Ticks;

    const HEAD: Head = Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };

    /// A part of packets of 20 ms with their number in them, written every `sync` packets.
    fn part(packets: u32, size: usize, sync: u32) -> Vec<u8> {
        let (mut muxer, mut file) = PartMuxer::begin(7, HEAD, &[]);
        for number in 0..packets {
            let packet = [&[0xF8][..], &number.to_be_bytes(), &vec![0x55; size]].concat();
            muxer.push(&packet, Ticks::from_millis(20));
            if number % sync == sync - 1 {
                file.extend(muxer.take());
            }
        }
        file.extend(muxer.finish());
        file
    }

    /// Where the search ends, and how many bytes it has read.
    fn find(file: &[u8], target: u64) -> (Place, usize) {
        let mut search = Search::new(file.len() as u64, target);
        let mut read = 0;
        while let Some((at, length)) = search.wants() {
            let at = usize::try_from(at).unwrap();
            let bytes = &file[at..file.len().min(at + length)];
            read += bytes.len();
            search.take(bytes);
        }
        (search.place(), read)
    }

    /// The number and time of the first packet from a place on.
    fn first(file: &[u8], place: Place) -> (u32, u64) {
        let mut demuxer = if place.offset == 0 { Demuxer::new() } else { Demuxer::resume(place.granule) };
        demuxer.push(&file[usize::try_from(place.offset).unwrap()..]);
        loop {
            match demuxer.pull().unwrap().unwrap() {
                Event::Packet(packet) => {
                    let number = u32::from_be_bytes(*packet.data[1..].first_chunk().unwrap());
                    return (number, packet.time.get());
                }
                Event::Head(_) | Event::Tags(_) => {}
                Event::End(_) => return (u32::MAX, place.granule),
            }
        }
    }

    #[test]
    fn an_hour_is_searched_by_a_few_reads_and_the_place_is_near() {
        let file = part(3600 * 50, 60, 25);
        assert!(file.len() > 10_000_000);
        for second in [0, 1, 59, 1800, 3599, 3600, 9999] {
            let target = second * 48_000;
            let (place, read) = find(&file, target);
            assert!(read <= 16 * WINDOW, "{read} bytes");
            let (number, time) = first(&file, place);
            assert!(time <= target);
            // 16 KiB are five seconds here, and a window is two and a half.
            assert!(target.min(3600 * 48_000) - time <= 8 * 48_000, "{second} s: from {time}");
            assert!(number == u32::MAX || u64::from(number) * 960 == time);
        }
    }

    #[test]
    fn pages_longer_than_a_window_are_found() {
        let file = part(2000, 1200, 50);
        for target in (0..2000 * 960).step_by(7777) {
            let (place, _) = find(&file, target);
            let (number, time) = first(&file, place);
            assert!(time <= target && target - time <= 3 * 48_000, "{target}: from {time}");
            assert_eq!(u64::from(number) * 960, time);
        }
    }

    #[test]
    fn damage_anywhere_leaves_a_place_that_is_not_too_late() {
        let whole = part(5000, 60, 25);
        for damaged in (0..whole.len() - 50_000).step_by(50_001) {
            let mut file = whole.clone();
            file[damaged..damaged + 30_000].fill(0);
            for target in (0..5000 * 960).step_by(123_456) {
                let (place, read) = find(&file, target);
                assert!(place.granule <= target && place.offset <= file.len() as u64);
                assert!(read < 2_000_000);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_first_packet_from_the_place_on_is_where_it_says(
            packets in 1..3000_u32, size in 0..400_usize, sync in 1..60_u32, target in 0..4_000_000_u64,
        ) {
            let file = part(packets, size, sync);
            let (place, _) = find(&file, target);
            let (number, time) = first(&file, place);
            prop_assert!(time <= target && time == place.granule);
            prop_assert!(number == u32::MAX || u64::from(number) * 960 == time);
        }

        #[test]
        fn any_bytes_end_the_search(bytes in prop::collection::vec(any::<u8>(), 0..60_000), target: u64) {
            let (place, _) = find(&bytes, target);
            prop_assert!(place.granule <= target);
        }
    }
}
