//! A track of a recording that is being written: its parts, its spool, and what the index does not say of it yet.

use std::path::Path;

use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::archive::index::write::{self, SpoolRow, Stream};
use crate::archive::model::{self, Anchor, Gap, Restart};
use crate::archive::names;
use crate::archive::store::Store;
use crate::media::packet::{Packet, Sequence};
use crate::media::room::ParticipantName;
use crate::media::source::Codec;
use crate::media::time::Ticks;
use crate::media::track::{Format, TrackNumber};

use super::log::{Log, Unfit, pause_gap};
use super::recording::{Fault, Misuse, Trouble};
use super::{Event, NewPart};

/// A track.
#[derive(Debug)]
pub(super) struct Track {
    number: TrackNumber,
    participant: Uuid,
    name: ParticipantName,
    /// Whether the index has it.
    indexed: bool,
    /// Its last part, and those before it that the index does not know to have ended.
    parts: Vec<Part>,
    spool: Option<Spool>,
    /// How many spools it has had.
    spools: u32,
    /// Spools that their part holds by now, whose files are still there.
    settled: Vec<SpoolRow>,
    /// What is not in the index yet.
    gaps: Vec<Gap>,
    anchors: Vec<Anchor>,
    restarts: Vec<Restart>,
    /// The last anchor, or the start of the last part.
    pinned: Anchor,
    /// Bytes of packets that are not durable yet.
    waiting: usize,
    /// The number after the last packet, and the last that was told to be durable.
    next: Sequence,
    told: Sequence,
}

/// A part.
#[derive(Debug)]
struct Part {
    number: u32,
    format: Format,
    source: Codec,
    start: Anchor,
    /// Of its stream, where it is Ogg.
    serial: u32,
    first: Sequence,
    next: Sequence,
    log: Log,
    /// What is left of gaps after silence, less than 2.5 ms.
    carry: Ticks,
}

/// What came after a silence, until it is told which kind of silence that was.
#[derive(Debug)]
struct Spool {
    part: u32,
    pause: Ticks,
    next: Sequence,
    log: Log,
}

impl Track {
    pub fn new(part: &NewPart) -> Self {
        Self {
            number: part.track,
            participant: part.participant,
            name: part.name.clone(),
            indexed: false,
            parts: Vec::new(),
            spool: None,
            spools: 0,
            settled: Vec::new(),
            gaps: Vec::new(),
            anchors: Vec::new(),
            restarts: Vec::new(),
            pinned: part.start,
            waiting: 0,
            next: part.first,
            told: part.first,
        }
    }

    /// Begins a part with the given stream.
    pub fn begin_part(&mut self, part: NewPart, serial: u32, tags: &[(String, String)]) -> Result<(), Misuse> {
        if self.parts.last().is_some_and(|last| last.log.open()) {
            return Err(Misuse::PartOpen(self.number));
        }
        let NewPart { number, format, source, start, first, .. } = part;
        let file = names::part(self.number, &self.name, number, format.codec());
        let log = Log::begin(file, &format, serial, tags);
        self.parts.push(Part { number, format, source, start, serial, first, next: first, log, carry: Ticks::ZERO });
        self.pinned = start;
        self.next = first;
        Ok(())
    }

    pub fn append(&mut self, packets: &[Packet]) -> Result<(), Misuse> {
        let part = open_part(&mut self.parts, self.number)?;
        let (log, next) = match &mut self.spool {
            Some(spool) => (&mut spool.log, &mut spool.next),
            None => (&mut part.log, &mut part.next),
        };
        for packet in packets {
            log.push(&packet.data, packet.duration).map_err(|Unfit| Misuse::Unfit(log.file.clone()))?;
            self.waiting += packet.data.len();
            self.next = packet.sequence.next();
        }
        *next = self.next;
        Ok(())
    }

    pub fn gap(&mut self, gap: Gap) -> Result<(), Misuse> {
        if gap.filled {
            let part = open_part(&mut self.parts, self.number)?;
            let log = self.spool.as_mut().map_or(&mut part.log, |spool| &mut spool.log);
            let length = gap.length.saturating_add(part.carry);
            part.carry = log.push_silence(length).map_err(|Unfit| Misuse::Unfit(log.file.clone()))?;
        }
        self.gaps.push(gap);
        Ok(())
    }

    pub fn anchor(&mut self, anchor: Anchor) {
        self.anchors.push(anchor);
        self.pinned = anchor;
    }

    pub fn restart(&mut self, restart: Restart) {
        self.restarts.push(restart);
    }

    pub fn spool(&mut self, pause: Ticks, packets: &[Packet]) -> Result<(), Misuse> {
        let part = open_part(&mut self.parts, self.number)?;
        if self.spool.is_none() {
            self.spools += 1;
            let file = names::spool(self.number, &self.name, self.spools);
            let log = Log::begin(file, &part.format, part.serial, &[]);
            self.spool = Some(Spool { part: part.number, pause, next: self.next, log });
        }
        self.append(packets)
    }

    /// Puts the gap, if any, and what the spool holds at the end of the part.
    pub fn settle(&mut self, gap: Option<Gap>, store: &mut dyn Store) -> Result<(), Fault> {
        let spool = self.spool.take();
        if let Some(gap) = gap {
            self.gap(gap)?;
        }
        let Some(spool) = spool else { return Ok(()) };
        let part = open_part(&mut self.parts, self.number)?;
        if spool.log.created() {
            self.settled.push(spool.row(true));
        }
        let file = spool.log.file.clone();
        part.log.unspool(spool.log, store)?.ok_or(Misuse::Spool(file))?;
        part.next = spool.next;
        Ok(())
    }

    /// Ends the part. Nobody is left to tell what an open spool's silence was: it is a pause.
    pub fn end_part(&mut self, store: &mut dyn Store) -> Result<(), Fault> {
        if let Some(spool) = &self.spool {
            let part = open_part(&mut self.parts, self.number)?;
            let at = part.start.track.saturating_add(part.log.length()).saturating_add(part.carry);
            let gap = pause_gap(at, spool.pause);
            self.settle(Some(gap), store)?;
        }
        if let Some(part) = self.parts.last_mut() {
            part.log.end();
        }
        Ok(())
    }

    /// Whether the index has it.
    pub const fn is_indexed(&self) -> bool {
        self.indexed
    }

    /// Whether there is anything for a round to do.
    pub fn dirty(&self) -> bool {
        !self.indexed || self.news() || self.logs().any(|log| log.dirty) || !self.settled.is_empty()
    }

    /// Whether something but sound waits for the index.
    pub fn news(&self) -> bool {
        let listed = !self.gaps.is_empty() || !self.anchors.is_empty() || !self.restarts.is_empty();
        listed || self.parts.iter().any(|part| part.log.dirty && (!part.log.created() || !part.log.open()))
    }

    fn logs(&self) -> impl Iterator<Item = &Log> {
        self.parts.iter().map(|part| &part.log).chain(self.spool.as_ref().map(|spool| &spool.log))
    }

    fn logs_mut(&mut self) -> impl Iterator<Item = &mut Log> {
        self.parts.iter_mut().map(|part| &mut part.log).chain(self.spool.as_mut().map(|spool| &mut spool.log))
    }

    /// Writes what waits; says whether a file was created.
    pub fn write(&mut self, store: &mut dyn Store, folder: &Path) -> Result<bool, Trouble> {
        let mut created = false;
        for log in self.logs_mut().filter(|log| log.dirty) {
            created |= log.write(store, folder)?;
        }
        Ok(created)
    }

    /// Syncs what was written.
    pub fn sync(&mut self, store: &mut dyn Store) -> Result<(), Trouble> {
        self.logs_mut().try_for_each(|log| log.sync(store))
    }

    /// Where the parts' sound ends on the session's clock.
    pub fn end(&self) -> Ticks {
        let end = self.parts.iter().map(|part| part.start.track.saturating_add(part.log.length())).max();
        let after = end.unwrap_or_default().signed_since(self.pinned.track);
        self.pinned.session.saturating_add_signed(after)
    }

    /// Says in the index what was written and synced, and what else is new.
    pub async fn index(&self, c: &mut SqliteConnection, recording: i64) -> Result<(), sqlx::Error> {
        let number = self.number;
        if !self.indexed {
            write::track(c, recording, number, self.participant, &self.name).await?;
        }
        for part in self.parts.iter().filter(|part| part.log.dirty) {
            write::part(c, recording, number, &part.row(), part.stream()).await?;
            for extent in part.log.extents() {
                write::extent(c, recording, number, part.number, extent).await?;
            }
        }
        let spool = self.spool.as_ref().filter(|spool| spool.log.dirty).map(|spool| spool.row(false));
        for spool in self.settled.iter().chain(&spool) {
            write::spool(c, recording, number, spool).await?;
        }
        for gap in &self.gaps {
            write::gap(c, recording, number, gap).await?;
        }
        for anchor in &self.anchors {
            write::anchor(c, recording, number, *anchor).await?;
        }
        for restart in &self.restarts {
            write::restart(c, recording, number, *restart).await?;
        }
        Ok(())
    }

    /// The index says it all now: gives the files of spools to unlink, and what to tell.
    pub fn indexed(&mut self) -> (Vec<String>, Option<Event>) {
        self.indexed = true;
        self.logs_mut().for_each(Log::indexed);
        self.parts.retain(|part| part.log.open());
        self.gaps.clear();
        self.anchors.clear();
        self.restarts.clear();
        let spools = self.settled.drain(..).map(|spool| spool.file).collect();
        let news = self.waiting > 0 || self.next != self.told;
        self.told = self.next;
        let bytes = std::mem::take(&mut self.waiting);
        (spools, news.then_some(Event::Durable { track: self.number, next: self.next, bytes }))
    }
}

impl Part {
    fn row(&self) -> model::Part {
        model::Part {
            number: self.number,
            file: self.log.file.clone(),
            format: self.format.clone(),
            source: self.source,
            start: self.start,
            length: self.log.length(),
            bytes: self.log.bytes(),
            first: self.first,
            next: self.next,
            open: self.log.open(),
        }
    }

    const fn stream(&self) -> Stream {
        Stream { pages: self.log.pages(), open: self.log.open() }
    }
}

impl Spool {
    fn row(&self, settled: bool) -> SpoolRow {
        let bytes = self.log.bytes();
        SpoolRow { part: self.part, file: self.log.file.clone(), pause: self.pause, bytes, next: self.next, settled }
    }
}

/// The part that takes packets.
fn open_part(parts: &mut [Part], track: TrackNumber) -> Result<&mut Part, Misuse> {
    parts.last_mut().filter(|part| part.log.open()).ok_or(Misuse::NoPart(track))
}
