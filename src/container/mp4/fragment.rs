//! `moof`: where the samples of our track lie, and when they begin (ISO/IEC 14496-12 §8.8.4 to §8.8.12).

use std::collections::VecDeque;

use super::boxes::Whole;
use super::error::{Error, Limit, Malformed, Unsupported};
use super::moov::{Defaults, Track};
use super::sound::unsupported;

/// The most samples of our track that one fragment may have: 163 s of packets of 20 ms.
pub const MOST_SAMPLES: usize = 8192;

/// A sample that a fragment announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Byte of the stream.
    pub at: u64,
    /// In bytes.
    pub size: u32,
    /// When it begins, in units of the timescale.
    pub time: u64,
}

/// Where a fragment stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The first byte of the file that it is of, from which base-data-offset counts.
    pub file: u64,
    /// The first byte of the `moof`, its header.
    pub start: u64,
    /// The byte after it.
    pub end: u64,
}

/// Reads the samples of `track` in a `moof`. `time` is when the next sample begins where the fragment does not say, and
/// is moved on.
pub(super) fn read(moof: &Whole<'_>, place: Place, track: &Track, time: &mut u64) -> Result<VecDeque<Sample>, Error> {
    let mut run = Runs { samples: VecDeque::new(), time: *time, next: place.start.into(), free: place.end };
    let mut first = true;
    for traf in moof.children() {
        let traf = traf?;
        if traf.kind.0 != *b"traf" {
            continue;
        }
        let header = Header::read(&traf.child(b"tfhd")?, track.defaults)?;
        if header.track == track.id {
            run.next = match header.base {
                Some(base) => i128::from(place.file) + i128::from(base),
                // Without the flag it counts from where the track before it ended (§8.8.7).
                None if first || header.from_moof => place.start.into(),
                None => return Err(unsupported(&traf, Unsupported::Base)),
            };
            run.add(&traf, header.defaults)?;
        }
        first = false;
    }
    *time = run.time;
    Ok(run.samples)
}

/// What a `tfhd` says (§8.8.7).
struct Header {
    track: u32,
    /// Where data offsets count from, in bytes of the file.
    base: Option<u64>,
    from_moof: bool,
    defaults: Defaults,
}

impl Header {
    fn read(tfhd: &Whole<'_>, mut defaults: Defaults) -> Result<Self, Error> {
        let (_, flags, mut fields) = tfhd.full()?;
        let track = fields.u32()?;
        let base = if flags & 0x1 != 0 { Some(fields.u64()?) } else { None };
        if flags & 0x2 != 0 {
            fields.u32()?;
        }
        if flags & 0x8 != 0 {
            defaults.duration = fields.u32()?;
        }
        if flags & 0x10 != 0 {
            defaults.size = fields.u32()?;
        }
        Ok(Self { track, base, from_moof: flags & 0x2_0000 != 0, defaults })
    }
}

/// The samples of a fragment, run by run.
struct Runs {
    samples: VecDeque<Sample>,
    /// When the next sample begins.
    time: u64,
    /// Where the next run's samples lie; anything, until that is checked.
    next: i128,
    /// The first byte where a sample may lie: samples follow each other, behind their `moof`.
    free: u64,
}

impl Runs {
    /// Adds the runs of a `traf`.
    fn add(&mut self, traf: &Whole<'_>, defaults: Defaults) -> Result<(), Error> {
        let base = self.next;
        for child in traf.children() {
            let child = child?;
            match &child.kind.0 {
                b"tfdt" => {
                    let (version, _, mut fields) = child.full()?;
                    self.time = if version == 1 { fields.u64()? } else { fields.u32()?.into() };
                }
                b"trun" => self.run(&child, base, defaults)?,
                b"senc" => return Err(unsupported(&child, Unsupported::Encrypted)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds a run (§8.8.8).
    fn run(&mut self, trun: &Whole<'_>, base: i128, defaults: Defaults) -> Result<(), Error> {
        let (_, flags, mut fields) = trun.full()?;
        let count = fields.u32()?;
        if flags & 0x1 != 0 {
            let [a, b, c, d] = fields.u32()?.to_be_bytes();
            self.next = base + i128::from(i32::from_be_bytes([a, b, c, d]));
        }
        if flags & 0x4 != 0 {
            fields.u32()?;
        }
        let size = self.samples.len() as u64 + u64::from(count);
        if size > MOST_SAMPLES as u64 {
            let (offset, element) = (trun.offset, Some(trun.kind));
            return Err(Error::Limit { offset, element, what: Limit::Samples, size, limit: MOST_SAMPLES as u64 });
        }
        for _ in 0..count {
            let mut field = |flag: u32, or| if flags & flag == 0 { Ok(or) } else { fields.u32() };
            let (duration, size) = (field(0x100, defaults.duration)?, field(0x200, defaults.size)?);
            // Flags, and when it is shown, which is when it is decoded.
            field(0x400, 0)?;
            field(0x800, 0)?;
            let place = || trun.malformed(Malformed::Place { at: self.next });
            let at = u64::try_from(self.next).ok().filter(|at| *at >= self.free).ok_or_else(place)?;
            self.samples.push_back(Sample { at, size, time: self.time });
            self.free = at.checked_add(size.into()).ok_or_else(place)?;
            self.next = self.free.into();
            self.time = self.time.saturating_add(duration.into());
        }
        Ok(())
    }
}
