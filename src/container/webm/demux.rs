//! The demuxer: a state for where it stands in the tree of elements, and one step from element to element.

use std::collections::VecDeque;

use super::ebml::{self, Child, Header, Id};
use super::error::{Error, Limit, Malformed, Unsupported};
use super::{block, head};
use crate::container::input::Input;
use crate::container::steps::{Step, Steps};
use crate::container::stream::{Event, Ignored};
use crate::media::packet::SourcePacket;
use crate::media::time::Ticks;

/// The longest EBML header, Info or Tracks, in bytes.
pub const HEAD_ELEMENT_LIMIT: u64 = 64 * 1024;

/// The most bytes between an EBML header and the first Cluster after it, what is passed over included.
pub const HEAD_LIMIT: u64 = 1024 * 1024;

/// The longest block of sound, in bytes. The longest Opus packet without padding has 61,298, and 120 ms of the greatest PCM
/// (192 kHz, two channels of 32 bits) 184,320.
pub const BLOCK_LIMIT: u64 = 256 * 1024;

/// The longest element that is passed over after the first Cluster, in bytes: a block of video, Cues, Tags.
pub const SKIPPED_LIMIT: u64 = 16 * 1024 * 1024;

/// Demuxes one byte stream, however it is cut: push until empty, pull until none.
///
/// # Bounds
/// Between a `pull` that gave `None` and the next `push`, at most one incomplete element is held, and only of the kinds
/// that are collected: [`HEAD_ELEMENT_LIMIT`] or [`BLOCK_LIMIT`] bytes and its header. A push adds its own length. Events
/// that wait to be pulled are those of one block, at most 256 packets. What is passed over is never held.
#[derive(Debug)]
pub struct Demuxer {
    input: Input,
    /// The elements that are open, outermost first: at most Segment, Cluster, BlockGroup.
    open: Vec<Open>,
    stream: Stream,
    /// Where the stream's head began, until its first Cluster.
    head_from: Option<u64>,
    /// What was last said to be dropped.
    told: Option<Ignored>,
    events: VecDeque<Event>,
    failed: Option<Error>,
}

/// An element that has been entered.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: Id,
    /// The byte after its last, its parent's where its own size is unknown; `None` where that is too.
    end: Option<u64>,
    unknown_size: bool,
}

/// What is known of the stream since its last EBML header.
#[derive(Debug, Default)]
struct Stream {
    ebml: bool,
    scale: Option<u64>,
    track: Option<head::Track>,
    cluster_time: Option<u64>,
}

/// What to do with the element whose header has been read.
enum Action {
    /// Go on inside it.
    Enter,
    /// Pass over it.
    Skip(Limit, u64),
    /// Wait until it is whole, then read it.
    Collect(Limit, u64),
}

impl Default for Demuxer {
    fn default() -> Self {
        Self::new()
    }
}

impl Demuxer {
    /// A demuxer at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            input: Input::default(),
            open: Vec::with_capacity(3),
            stream: Stream::default(),
            head_from: None,
            told: None,
            events: VecDeque::new(),
            failed: None,
        }
    }

    /// Leaves the elements of unknown size that an element of this ID ends (RFC 8794 §6.2): it belongs further up.
    fn close_unknown(&mut self, id: Id) {
        let ends = |open: &Open| match open.id {
            Id::CLUSTER => belongs_in_segment(id) || belongs_at_top(id),
            _ => belongs_at_top(id),
        };
        while self.open.last().is_some_and(|open| open.unknown_size && ends(open)) {
            self.open.pop();
        }
    }

    /// What to do with an element here; `None` where its first bytes must come to tell.
    fn decide(&self, parent: Option<Id>, header: Header) -> Result<Option<Action>, Error> {
        let offset = self.input.offset();
        let id = header.id;
        let before_cluster = self.head_from.is_some();
        let over = if before_cluster || parent.is_none() {
            Action::Skip(Limit::Head, HEAD_LIMIT)
        } else {
            Action::Skip(Limit::Skipped, SKIPPED_LIMIT)
        };
        let collect_head = Action::Collect(Limit::HeadElement, HEAD_ELEMENT_LIMIT);
        let misplaced = |parent| Err(malformed(offset, id, Malformed::Misplaced { parent }));
        if id == Id::VOID || id == Id::CRC_32 {
            return if self.stream.ebml { Ok(Some(over)) } else { Err(malformed(offset, id, Malformed::NoHeader)) };
        }
        Ok(Some(match (parent, id) {
            (None, Id::EBML) => collect_head,
            (None, Id::SEGMENT) if self.stream.ebml => Action::Enter,
            (None, _) => return Err(malformed(offset, id, Malformed::NoHeader)),
            (Some(parent), id) if belongs_at_top(id) => return misplaced(parent),
            (Some(Id::SEGMENT), Id::CLUSTER) => Action::Enter,
            (Some(Id::SEGMENT), Id::INFO) if self.stream.scale.is_none() && before_cluster => collect_head,
            // Tracks may recur, but then it is identical (RFC 9559 §5.1.4).
            (Some(Id::SEGMENT), Id::TRACKS) if self.stream.track.is_none() => collect_head,
            (Some(Id::SEGMENT), id) if !carries_sound(id) => over,
            (Some(parent @ Id::CLUSTER), id) if belongs_in_segment(id) => return misplaced(parent),
            (Some(Id::CLUSTER), Id::TIMESTAMP) => Action::Collect(Limit::Block, BLOCK_LIMIT),
            (Some(Id::CLUSTER), Id::BLOCK_GROUP) => Action::Enter,
            (Some(Id::CLUSTER), Id::ENCRYPTED_BLOCK) => {
                return Err(Error::Unsupported { offset, element: Some(id), what: Unsupported::Encoded });
            }
            (Some(Id::CLUSTER), Id::SIMPLE_BLOCK) | (Some(Id::BLOCK_GROUP), Id::BLOCK) => {
                let size = header.size.unwrap_or(u64::MAX);
                let there = &self.input.bytes()[header.length..];
                let data = &there[..usize::try_from(size).unwrap_or(usize::MAX).min(there.len())];
                match block::track(data) {
                    _ if self.stream.cluster_time.is_none() => {
                        return Err(malformed(offset, id, Malformed::NoTimestamp));
                    }
                    Some(number) if self.stream.track.as_ref().is_some_and(|track| track.number != number) => over,
                    None if data.len() < block::LONGEST_HEADER && (data.len() as u64) < size => return Ok(None),
                    _ => Action::Collect(Limit::Block, BLOCK_LIMIT),
                }
            }
            (Some(Id::CLUSTER | Id::BLOCK_GROUP), id) if !carries_sound(id) => over,
            (Some(parent), _) => return misplaced(parent),
        }))
    }

    /// The size of an element that is not entered, where it is known and within its limit, and that of the whole head.
    fn known_size(&self, header: Header, what: Limit, limit: u64) -> Result<u64, Error> {
        let offset = self.input.offset();
        let size = header.size.ok_or_else(|| malformed(offset, header.id, Malformed::UnknownSize))?;
        if size > limit {
            return Err(Error::Limit { offset, element: Some(header.id), what, size, limit });
        }
        self.check_head(header, size)?;
        Ok(size)
    }

    /// Checks that `length` more bytes leave the head within its limit, where there was no Cluster yet.
    fn check_head(&self, header: Header, length: u64) -> Result<(), Error> {
        let offset = self.input.offset();
        let size = (offset - self.head_from.unwrap_or(offset)).saturating_add(length);
        if self.head_from.is_some() && size > HEAD_LIMIT {
            let (element, what, limit) = (Some(header.id), Limit::Head, HEAD_LIMIT);
            return Err(Error::Limit { offset, element, what, size, limit });
        }
        Ok(())
    }

    /// Goes on inside a Segment, a Cluster or a BlockGroup.
    fn enter(&mut self, open: Open, offset: u64) -> Result<(), Error> {
        match open.id {
            Id::SEGMENT => {
                self.head_from.get_or_insert(offset);
                self.stream = Stream { ebml: true, ..Stream::default() };
            }
            Id::CLUSTER if self.stream.track.is_none() => {
                return Err(malformed(offset, Id::SEGMENT, Malformed::Missing(Id::TRACKS)));
            }
            Id::CLUSTER => {
                self.head_from = None;
                self.stream.cluster_time = None;
            }
            id if open.unknown_size => return Err(malformed(offset, id, Malformed::UnknownSize)),
            _ => {}
        }
        self.open.push(open);
        Ok(())
    }

    /// Takes over what an element said.
    fn apply(&mut self, read: Read) {
        match read {
            Read::Ebml => {
                self.head_from.get_or_insert(self.input.offset());
                self.stream = Stream { ebml: true, ..Stream::default() };
            }
            Read::Scale(scale) => self.stream.scale = Some(scale),
            Read::Tracks(head::Tracks { track, source, ignored }) => {
                self.stream.track = Some(track);
                self.events.push_back(Event::Head(source));
                if let Some(ignored) = ignored.filter(|ignored| self.told != Some(*ignored)) {
                    self.told = Some(ignored);
                    self.events.push_back(Event::Ignored(ignored));
                }
            }
            Read::ClusterTime(time) => self.stream.cluster_time = Some(time),
            Read::Packets(packets) => self.events.extend(packets.into_iter().map(Event::Packet)),
        }
    }
}

impl Steps for Demuxer {
    type Error = Error;

    fn input(&self) -> &Input {
        &self.input
    }

    fn end(&mut self) -> (&mut Input, &mut Option<Error>) {
        (&mut self.input, &mut self.failed)
    }

    fn step(&mut self) -> Result<Step, Error> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Step::Event(event));
        }
        let offset = self.input.offset();
        while self.open.last().is_some_and(|open| open.end == Some(offset)) {
            self.open.pop();
        }
        let Some(header) = ebml::header(self.input.bytes(), offset)? else { return Ok(Step::NeedsMore) };
        self.close_unknown(header.id);
        let parent = self.open.last().copied();
        let end = header.size.map(|size| offset.saturating_add(header.length as u64).saturating_add(size));
        if let Some(open) = parent {
            let past = |end| open.end.is_some_and(|parent_end| end > parent_end);
            if past(end.unwrap_or(offset + header.length as u64)) {
                return Err(malformed(offset, header.id, Malformed::PastParent { parent: open.id }));
            }
        }
        match self.decide(parent.map(|open| open.id), header)? {
            None => Ok(Step::NeedsMore),
            Some(Action::Enter) => {
                self.check_head(header, header.length as u64)?;
                let inherited = parent.and_then(|open| open.end);
                self.enter(Open { id: header.id, end: end.or(inherited), unknown_size: end.is_none() }, offset)?;
                self.input.consume(header.length);
                Ok(Step::Done)
            }
            Some(Action::Skip(what, limit)) => {
                let size = self.known_size(header, what, limit)?;
                self.input.consume(header.length);
                self.input.pass_over(size);
                Ok(Step::Done)
            }
            Some(Action::Collect(what, limit)) => {
                let size = self.known_size(header, what, limit)?;
                let size = usize::try_from(size).expect("a collected element is at most 256 KiB");
                let Some(data) = self.input.bytes().get(header.length..header.length + size) else {
                    return Ok(Step::NeedsMore);
                };
                let element = Child { id: header.id, offset: offset + header.length as u64, data };
                let read = read(&element, &mut self.stream)?;
                self.input.consume(header.length + size);
                self.apply(read);
                Ok(Step::Done)
            }
        }
    }
}

/// What a collected element said.
enum Read {
    Ebml,
    Scale(u64),
    Tracks(head::Tracks),
    ClusterTime(u64),
    Packets(Vec<SourcePacket>),
}

/// Reads an element that is whole.
fn read(element: &Child<'_>, stream: &mut Stream) -> Result<Read, Error> {
    match element.id {
        Id::EBML => head::check_ebml(element).map(|()| Read::Ebml),
        Id::INFO => head::timestamp_scale(element).map(Read::Scale),
        Id::TRACKS => head::choose_track(element).map(Read::Tracks),
        Id::TIMESTAMP => element.unsigned().map(Read::ClusterTime),
        _ => packets(element, stream).map(Read::Packets),
    }
}

/// The packets of a block.
fn packets(element: &Child<'_>, stream: &mut Stream) -> Result<Vec<SourcePacket>, Error> {
    let block = block::read(element)?;
    let scale = stream.scale.unwrap_or(head::DEFAULT_SCALE);
    let mut time = block_time(stream.cluster_time.unwrap_or(0), block.relative, scale);
    // A Cluster is not entered before there is a track.
    let Some(track) = &mut stream.track else { return Ok(Vec::new()) };
    let mut packets = Vec::with_capacity(block.frames.len());
    for frame in &block.frames {
        let packet = track.sound.packet(frame).map_err(|what| element.malformed(what))?;
        if let Some((data, duration)) = packet {
            packets.push(SourcePacket { time, duration, data, heard: None });
            time = time.saturating_add(duration);
        }
    }
    Ok(packets)
}

/// The time of a block: its Cluster's and its own, in units of `scale` nanoseconds, to the nearest tick (RFC 9559 §11.2).
/// Held at zero and at [`Ticks::MAX`].
fn block_time(cluster: u64, relative: i16, scale: u64) -> Ticks {
    let units = cluster.saturating_add_signed(relative.into());
    let ticks = (u128::from(units) * u128::from(scale)).saturating_mul(Ticks::PER_SECOND.into());
    let rounded = ticks.saturating_add(500_000_000) / 1_000_000_000;
    Ticks::new(u64::try_from(rounded).unwrap_or(u64::MAX))
}

/// Elements that no other contains.
const fn belongs_at_top(id: Id) -> bool {
    matches!(id, Id::EBML | Id::SEGMENT)
}

/// Children of Segment (RFC 9559 §5.1), which end a Cluster of unknown size.
const fn belongs_in_segment(id: Id) -> bool {
    matches!(
        id,
        Id::SEEK_HEAD | Id::INFO | Id::TRACKS | Id::CLUSTER | Id::CUES | Id::TAGS | Id::CHAPTERS | Id::ATTACHMENTS
    )
}

/// Elements that are not passed over in the wrong place: sound would be lost, or its time.
const fn carries_sound(id: Id) -> bool {
    matches!(id, Id::TIMESTAMP | Id::SIMPLE_BLOCK | Id::BLOCK_GROUP | Id::BLOCK | Id::ENCRYPTED_BLOCK)
}

const fn malformed(offset: u64, element: Id, what: Malformed) -> Error {
    Error::Malformed { offset, element: Some(element), what }
}
