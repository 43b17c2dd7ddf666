//! Parts, judged by our reader, by the `ogg` crate's, and by ffmpeg.

use proptest::prelude::*;

use super::*;
use crate::container::judge::{self, Capture};
use crate::media::marker::Chapter;
use crate::media::opus;
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;

const HEAD: opus::Head = opus::Head { channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 };

fn tags() -> Vec<(String, String)> {
    vec![("TITLE".to_owned(), "Überall = überall".to_owned()), ("ARTIST".to_owned(), "Ann".to_owned())]
}

/// A part, synced after every so many packets.
fn part(head: opus::Head, packets: &[SourcePacket], sync: usize) -> Vec<u8> {
    let (mut muxer, mut file) = PartMuxer::begin(7, head, &tags());
    for packets in packets.chunks(sync) {
        for packet in packets {
            muxer.push(&packet.data, packet.duration);
        }
        file.extend(muxer.take());
    }
    file.extend(muxer.finish());
    file
}

/// All pages of a file, and where and how they end.
fn pages(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (Vec<Page>, Result<u64, Torn>) {
    let mut reader = PageReader::new();
    let mut pages = Vec::new();
    for piece in pieces {
        reader.push(piece.as_ref());
        loop {
            match reader.pull() {
                Ok(Some(page)) => pages.push(page),
                Ok(None) => break,
                Err(torn) => return (pages, Err(torn)),
            }
        }
    }
    (pages, reader.end())
}

/// An offset as an index.
fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

fn demux(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Vec<Event>, Error> {
    let mut demuxer = Demuxer::new();
    let mut events = Vec::new();
    for piece in pieces {
        demuxer.push(piece.as_ref());
        while let Some(event) = demuxer.pull()? {
            events.push(event);
        }
    }
    demuxer.end()?;
    Ok(events)
}

fn data(events: &[Event]) -> Vec<&[u8]> {
    let mut data = Vec::new();
    for event in events {
        if let Event::Packet(packet) = event {
            data.push(&packet.data[..]);
        }
    }
    data
}

#[test]
fn a_part_holds_exactly_the_packets_and_ffmpeg_has_nothing_to_say() {
    for name in ["chromium-webm-opus", "firefox-webm-opus", "chromium-webm-opus-mic", "firefox-webm-opus-restart"] {
        let (head, packets) = Capture::read(name).opus();
        let total: u64 = packets.iter().map(|packet| packet.duration.get()).sum();
        for sync in [1, 9, 1000] {
            let file = part(head, &packets, sync);
            let probed = judge::probe(&file);
            assert_eq!(probed.len(), packets.len(), "{name}");
            for (probed, packet) in probed.iter().zip(&packets) {
                assert_eq!(probed.adler32, judge::adler32(&packet.data));
            }
            let described = judge::describe(&file);
            assert!(described.contains("codec_name=opus\n"), "{described}");
            assert!(described.contains("TAG:TITLE=Überall = überall\n"), "{described}");
            assert_eq!(judge::decode_quietly(&file).len() as u64, total - u64::from(head.pre_skip), "{name}");
        }
    }
}

#[test]
fn a_part_that_still_grows_decodes() {
    let (head, packets) = Capture::read("firefox-webm-opus").opus();
    let (mut muxer, mut file) = PartMuxer::begin(7, head, &[]);
    for packet in &packets[..100] {
        muxer.push(&packet.data, packet.duration);
    }
    file.extend(muxer.take());
    assert_eq!(judge::decode_quietly(&file).len(), 100 * 960 - 312);
}

#[test]
fn the_ogg_crate_reads_what_we_write() {
    let (head, packets) = Capture::read("firefox-webm-opus").opus();
    let file = part(head, &packets, 13);
    let mut reader = ogg::PacketReader::new(std::io::Cursor::new(&file));
    let opening = reader.read_packet_expected().unwrap();
    assert_eq!(opus::Head::parse(&opening.data), Ok(head));
    assert!(opening.first_in_stream() && opening.last_in_page());
    assert!(reader.read_packet_expected().unwrap().last_in_page());
    let mut end = 0;
    for packet in &packets {
        let found = reader.read_packet_expected().unwrap();
        assert_eq!(found.data, packet.data);
        end += packet.duration.get();
        assert!(!found.last_in_page() || found.absgp_page() == end);
    }
}

#[test]
fn we_read_what_the_ogg_crate_writes() {
    use ogg::writing::{PacketWriteEndInfo, PacketWriter};
    let mut file = Vec::new();
    let mut writer = PacketWriter::new(&mut file);
    let tags = b"OpusTags\x01\0\0\0x\x01\0\0\0\x03\0\0\0a=b";
    let packet = [&[0xF8][..], &[7; 1200]].concat();
    writer.write_packet(HEAD.to_bytes().to_vec(), 5, PacketWriteEndInfo::EndPage, 0).unwrap();
    writer.write_packet(tags.to_vec(), 5, PacketWriteEndInfo::EndPage, 0).unwrap();
    for index in 1..=100 {
        let end = if index == 100 { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket };
        writer.write_packet(packet.clone(), 5, end, index * 960).unwrap();
    }
    let events = demux([&file]).unwrap();
    assert_eq!(events[..2], [Event::Head(HEAD), Event::Tags(vec![("a".to_owned(), "b".to_owned())])]);
    assert_eq!(data(&events), vec![&packet[..]; 100]);
    assert_eq!(events.last(), Some(&Event::End(Some(96_000))));
}

/// An Opus packet of one frame of 20 ms and so much padding (RFC 6716 §3.2.5).
fn padded(frame: usize, padding: usize) -> Vec<u8> {
    let mut packet = vec![0xFB, 0x41];
    packet.resize(2 + padding / 254, 255);
    packet.push(u8::try_from(padding % 254).unwrap());
    packet.resize(packet.len() + frame, 0xAA);
    packet.resize(packet.len() + padding, 0);
    assert_eq!(opus::duration(&packet), Ok(Ticks::from_millis(20)));
    packet
}

#[test]
fn packets_of_every_size_go_through_over_as_many_pages_as_they_take() {
    let packets: Vec<Vec<u8>> = [249, 250, 251, 252, 253, 254, 64_000, 64_762, 64_763, 65_021, 70_000, 200_000, 1]
        .into_iter()
        .map(|padding| padded(1, padding))
        .collect();
    let (mut muxer, mut file) = PartMuxer::begin(1, HEAD, &[]);
    for packet in &packets {
        muxer.push(packet, Ticks::from_millis(20));
    }
    file.extend(muxer.finish());
    let events = demux([&file]).unwrap();
    assert_eq!(data(&events), packets.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let (pages, end) = pages([&file]);
    assert_eq!(end, Ok(file.len() as u64));
    assert!(pages.iter().filter(|page| page.continued).count() >= 4);
    for page in &pages {
        assert_eq!(page.granule.is_some(), page.packets_ended() > 0);
        assert!(page.length() <= LONGEST_PAGE);
    }
}

#[test]
fn a_page_ends_by_itself_at_a_second_and_before_its_lacing_is_full() {
    let (mut muxer, mut file) = PartMuxer::begin(1, HEAD, &[]);
    for _ in 0..60 {
        muxer.push(&[0xF8, 0xFF, 0xFE], Ticks::from_millis(20));
    }
    // 25 lacing values each.
    for _ in 0..60 {
        muxer.push(&padded(1270, 5000), Ticks::from_millis(20));
    }
    assert!(muxer.waiting() > 60 * 6270);
    file.extend(muxer.finish());
    let (pages, _) = pages([&file]);
    let counts: Vec<usize> = pages[2..].iter().map(Page::packets_ended).collect();
    assert_eq!(counts, [50, 10 + 9, 10, 10, 10, 10, 10, 1, 0]);
    assert!(pages.iter().all(|page| !page.continued));
}

#[test]
fn granules_count_from_0_with_the_pre_skip_in_them() {
    let (head, packets) = Capture::read("firefox-webm-opus-restart").opus();
    let (pages, _) = pages([part(head, &packets, 13)]);
    let mut expected = 0;
    for (number, page) in pages.iter().enumerate() {
        assert_eq!((page.serial, page.sequence as usize), (7, number));
        assert_eq!((page.first, page.last), (number == 0, number == pages.len() - 1));
        if number >= 2 {
            expected += 960 * page.packets_ended() as u64;
        }
        assert_eq!(page.granule, (!page.last).then_some(expected));
    }
    let last = pages.last().unwrap();
    assert!(last.lacing.is_empty() && last.body.is_empty());
    assert_eq!(expected, 213 * 960);
}

#[test]
fn a_part_cut_anywhere_is_ended_at_its_last_good_page_and_plays() {
    let (head, packets) = Capture::read("firefox-webm-opus-ctx44100").opus();
    let file = part(head, &packets[..40], 7);
    let (whole, _) = pages([&file]);
    for cut in 0..file.len() {
        let (found, end) = pages([&file[..cut]]);
        let good = whole.iter().take_while(|page| page.end() <= cut as u64).count();
        assert_eq!(found, whole[..good], "cut at {cut}");
        let good_end = found.last().map_or(0, |page| at(page.end()));
        match end {
            Ok(end) => assert_eq!(end, cut as u64),
            Err(torn) => {
                assert_eq!(torn, Torn { offset: good_end as u64, damage: Damage::CutOff(cut - good_end) });
            }
        }
        if cut % 997 == 0 && good > 2 {
            let last = found.last().unwrap();
            let muxer = PartMuxer::resume(last.serial, last.sequence + 1, last.granule.unwrap());
            let mended = [&file[..good_end], &muxer.finish()].concat();
            let events = demux([&mended]).unwrap();
            assert_eq!(events.last(), Some(&Event::End(last.granule)));
            let ticks = usize::try_from(last.granule.unwrap()).unwrap() - 312;
            assert_eq!(judge::decode_quietly(&mended).len(), ticks);
        }
    }
}

#[test]
fn a_part_goes_on_where_it_was_left() {
    let (head, packets) = Capture::read("firefox-webm-opus-ctx44100").opus();
    let (mut muxer, mut file) = PartMuxer::begin(7, head, &tags());
    for packet in &packets[..60] {
        muxer.push(&packet.data, packet.duration);
    }
    file.extend(muxer.take());
    let granule = muxer.granule();
    let (found, _) = pages([&file]);
    let mut muxer = PartMuxer::resume(7, found.last().unwrap().sequence + 1, granule);
    for packet in &packets[60..] {
        muxer.push(&packet.data, packet.duration);
    }
    file.extend(muxer.finish());
    assert_eq!(data(&demux([&file]).unwrap()).len(), packets.len());
    assert_eq!(judge::decode_quietly(&file).len(), packets.len() * 960 - 312);
}

#[test]
fn a_flipped_bit_is_seen_on_its_page() {
    let (head, packets) = Capture::read("chromium-webm-opus-mic").opus();
    let file = part(head, &packets[..30], 10);
    let (whole, _) = pages([&file]);
    // One bit of each byte, another from byte to byte.
    for bit in (0..file.len()).map(|byte| byte * 8 + byte % 8) {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let (found, end) = pages([&flipped]);
        let damaged = whole.iter().position(|page| at(page.end()) > bit / 8).unwrap();
        assert_eq!(found, whole[..damaged], "bit {bit}");
        assert_eq!(end.unwrap_err().offset, whole[damaged].offset, "bit {bit}");
    }
}

#[test]
fn a_file_that_is_not_one_stream_of_opus_is_refused_with_its_place() {
    let (head, packets) = Capture::read("chromium-webm-opus-mic").opus();
    let file = part(head, &packets[..30], 10);
    let (whole, _) = pages([&file]);
    let offset = |page: usize| at(whole[page].offset);
    let without_a_page = [&file[..offset(3)], &file[offset(4)..]].concat();
    assert_eq!(demux([&without_a_page]), Err(Error::Order(whole[3].offset)));
    let appended = [&file[..], &file].concat();
    assert_eq!(demux([&appended]), Err(Error::Order(file.len() as u64)));
    assert_eq!(demux([&file[offset(1)..]]), Err(Error::Order(0)));
    let not_ogg = demux([b"RIFF"]).unwrap_err();
    assert_eq!(not_ogg, Error::Torn(Torn { offset: 0, damage: Damage::NoCapture }));
    assert_eq!(not_ogg.to_string(), "no whole Ogg page at byte 0: it does not begin with \"OggS\" (RFC 3533 §6)");

    let page = |sequence, granule, packet: &[u8]| {
        let lacing = vec![u8::try_from(packet.len()).unwrap()];
        let page = Page { sequence, granule, first: sequence == 0, lacing, body: packet.to_vec(), ..Page::default() };
        let mut bytes = Vec::new();
        page.write(&mut bytes);
        bytes
    };
    let first = page(0, Some(0), &HEAD.to_bytes());
    assert!(matches!(demux([page(0, Some(0), b"vorbis")]), Err(Error::Head { offset: 0, .. })));
    for tags in [&b"OpusTag"[..], b"OpusTags\x09\0\0\0", b"OpusTags\0\0\0\0\xFF\xFF\xFF\xFF"] {
        assert_eq!(demux([&first, &page(1, Some(0), tags)]), Err(Error::Tags(47)));
    }
}

#[test]
fn a_packet_that_never_ends_is_refused_within_the_limit() {
    let mut demuxer = Demuxer::new();
    let mut bytes = Vec::new();
    let mut page = Page { first: true, lacing: vec![255; 255], body: vec![0; 65_025], ..Page::default() };
    let error = loop {
        bytes.clear();
        page.write(&mut bytes);
        demuxer.push(&bytes);
        match demuxer.pull() {
            Ok(event) => assert_eq!(event, None),
            Err(error) => break error,
        }
        page = Page { first: false, continued: true, sequence: page.sequence + 1, ..page };
    };
    assert_eq!(error, Error::Long(u64::from(page.sequence) * LONGEST_PAGE as u64));
    assert!((page.sequence as usize) < PACKET_LIMIT / 65_025 + 1);
}

#[test]
fn of_tags_that_no_packet_holds_the_first_are_kept_and_the_file_is_read() {
    let many: Vec<_> = (0..1000).map(|number| (format!("CHAPTER{number:03}NAME"), "名".repeat(200))).collect();
    let (muxer, file) = PartMuxer::begin(3, HEAD, &many);
    let events = demux([file, muxer.finish()]).unwrap();
    let [Event::Head(HEAD), Event::Tags(kept), Event::End(Some(0))] = &events[..] else { panic!("{events:?}") };
    assert!((400..1000).contains(&kept.len()) && many.starts_with(kept), "{}", kept.len());
}

#[test]
fn tags_longer_than_a_page_go_through() {
    let long = vec![("TITLE".to_owned(), "ü".repeat(60_000))];
    let (muxer, file) = PartMuxer::begin(3, HEAD, &long);
    assert_eq!(demux([file, muxer.finish()]).unwrap(), [Event::Head(HEAD), Event::Tags(long), Event::End(Some(0))]);
}

#[test]
fn chapters_are_comments_that_players_read() {
    let chapter = |millis, title: &str| Chapter { start: Ticks::from_millis(millis), title: title.to_owned() };
    let comments = chapter_comments(&[chapter(0, "Hello"), chapter(3_723_004, "=News; 名前")]);
    let comment = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        comment("CHAPTER001", "00:00:00.000"),
        comment("CHAPTER001NAME", "Hello"),
        comment("CHAPTER002", "01:02:03.004"),
        comment("CHAPTER002NAME", "=News; 名前"),
    ];
    assert_eq!(comments, expected);
    let (mut muxer, mut file) = PartMuxer::begin(3, HEAD, &comments);
    (0..50).for_each(|_| muxer.push(&padded(10, 0), Ticks::from_millis(20)));
    file.extend(muxer.finish());
    let found = judge::chapters(&file);
    assert_eq!(
        found.iter().map(|(start, _, title)| (&**start, &**title)).collect::<Vec<_>>(),
        [("0.000000", "Hello"), ("3723.004000", "=News; 名前")]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_muxed_is_read_however_it_is_cut(
        packets in prop::collection::vec((0..1275_usize, 0..600_usize), 0..80),
        sync in 1..30_usize,
        piece in 1..5000_usize,
    ) {
        let packets: Vec<Vec<u8>> = packets.into_iter().map(|(frame, padding)| padded(frame, padding)).collect();
        let (mut muxer, mut file) = PartMuxer::begin(9, HEAD, &tags());
        for packets in packets.chunks(sync) {
            for packet in packets {
                muxer.push(packet, Ticks::from_millis(20));
            }
            file.extend(muxer.take());
            prop_assert!(muxer.take().is_empty());
        }
        file.extend(muxer.finish());
        let events = demux(file.chunks(piece)).unwrap();
        prop_assert_eq!(&events[..2], &[Event::Head(HEAD), Event::Tags(tags())]);
        prop_assert_eq!(data(&events), packets.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(events.last(), Some(&Event::End(Some(960 * packets.len() as u64))));
        prop_assert_eq!(pages(file.chunks(piece)), pages([&file]));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1..50_usize) {
        let opened = [&b"OggS\0\x02"[..], &bytes].concat();
        for bytes in [&bytes, &opened] {
            prop_assert_eq!(demux(bytes.chunks(piece)), demux([bytes]));
        }
    }
}
