//! Sample entries: the codec of a track (Encapsulation of Opus in ISO Base Media File Format §4.3.2; ISO/IEC 14496-14 §5.6
//! and 14496-1 §7.2.6), and how a sample of each becomes a packet.

use bytes::Bytes;

use super::boxes::{Fields, Kind, Whole};
use super::error::{Error, Malformed, Unsupported};
use crate::container::aac;
use crate::container::counter::Counter;
use crate::media::opus;
use crate::media::source::{Codec, Coded, Source};
use crate::media::time::Ticks;

/// How a track's samples become packets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sound {
    /// Each is a packet, which tells its length.
    Opus,
    /// Each is a packet of so many frames, whatever it says.
    Aac(Counter),
}

impl Sound {
    /// How long a sample sounds.
    pub fn duration(&mut self, sample: &[u8]) -> Result<Ticks, Malformed> {
        match self {
            Self::Opus => opus::duration(sample).map_err(Malformed::Packet),
            Self::Aac(_) if sample.is_empty() => Err(Malformed::Empty),
            Self::Aac(counter) => Ok(counter.count(aac::FRAMES)),
        }
    }
}

/// Reads the one sample entry of a `stsd` (ISO/IEC 14496-12 §8.5.2).
pub(super) fn read(stsd: &Whole<'_>) -> Result<(Source, Sound), Error> {
    let (_, _, mut fields) = stsd.full()?;
    if fields.u32()? != 1 {
        return Err(unsupported(stsd, Unsupported::SampleEntry));
    }
    let entry = fields.children().next().ok_or_else(|| fields.malformed(Malformed::Short))??;
    match &entry.kind.0 {
        b"Opus" => opus_entry(&audio(&entry)?),
        b"mp4a" => aac_entry(&audio(&entry)?),
        b"enca" => Err(unsupported(&entry, Unsupported::Encrypted)),
        _ => Err(unsupported(&entry, Unsupported::Codec(entry.kind))),
    }
}

/// What follows the fields of an audio sample entry (ISO/IEC 14496-12 §12.2.3), whose rate and channels only inform.
fn audio<'a>(entry: &Whole<'a>) -> Result<Whole<'a>, Error> {
    let mut fields = entry.fields();
    fields.bytes(8)?;
    if fields.u16()? > 1 {
        return Err(unsupported(entry, Unsupported::SampleEntry));
    }
    fields.bytes(18)?;
    Ok(Whole { kind: entry.kind, offset: fields.offset, data: fields.rest })
}

fn opus_entry(entry: &Whole<'_>) -> Result<(Source, Sound), Error> {
    let specific = entry.child(b"dOps")?;
    let [version, channels, skip, skip_, a, b, c, d, gain, gain_, family, ..] = *specific.data else {
        return Err(specific.malformed(Malformed::Short));
    };
    // OpusHead is the same in little-endian, and of version 1 where this is of 0.
    let fields = [version.saturating_add(1), channels, skip_, skip, d, c, b, a, gain_, gain, family];
    let head = opus::Head::parse(&[&b"OpusHead"[..], &fields].concat()).map_err(|error| {
        if error.is_unsupported() {
            unsupported(&specific, Unsupported::Head(error))
        } else {
            specific.malformed(Malformed::Head(error))
        }
    })?;
    Ok((Source::Opus(head), Sound::Opus))
}

fn aac_entry(entry: &Whole<'_>) -> Result<(Source, Sound), Error> {
    let esds = entry.child(b"esds")?;
    let (_, _, mut fields) = esds.full()?;
    let config = config(&esds, &mut fields)?;
    let counter = aac::parse(config).map_err(|error| {
        if error.is_unsupported() {
            unsupported(&esds, Unsupported::Aac(error))
        } else {
            esds.malformed(Malformed::Aac(error))
        }
    })?;
    let (rate, channels) = (counter.rate(), counter.channels());
    let private = Bytes::copy_from_slice(config);
    Ok((Source::Coded(Coded { codec: Codec::Aac, rate, channels, private }), Sound::Aac(counter)))
}

/// The AudioSpecificConfig in the descriptors of an `esds`.
fn config<'a>(esds: &Whole<'_>, fields: &mut Fields<'a>) -> Result<&'a [u8], Error> {
    let mut stream = descriptor(fields, 3)?;
    stream.u16()?;
    let flags = stream.u8()?;
    if flags & 0x80 != 0 {
        stream.u16()?;
    }
    if flags & 0x40 != 0 {
        let length = stream.u8()?;
        stream.bytes(length.into())?;
    }
    if flags & 0x20 != 0 {
        stream.u16()?;
    }
    let mut decoder = descriptor(&mut stream, 4)?;
    let object_type = decoder.u8()?;
    // AAC of MPEG-4, and AAC-LC of MPEG-2.
    if ![0x40, 0x67].contains(&object_type) {
        return Err(unsupported(esds, Unsupported::ObjectType(object_type)));
    }
    decoder.bytes(12)?;
    Ok(descriptor(&mut decoder, 5)?.rest)
}

/// The descriptor of this tag, which must be next. Its size has 7 bits in each byte, of 4 at most (ISO/IEC 14496-1 §8.3.3).
fn descriptor<'a>(fields: &mut Fields<'a>, tag: u8) -> Result<Fields<'a>, Error> {
    let broken = fields.malformed(Malformed::Descriptor);
    if fields.u8()? != tag {
        return Err(broken);
    }
    let mut size = 0;
    for _ in 0..4 {
        let byte = fields.u8()?;
        size = size << 7 | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            let (kind, offset) = (fields.kind, fields.offset);
            return fields.bytes(size).map(|rest| Fields { kind, offset, rest }).map_err(|_| broken);
        }
    }
    Err(broken)
}

pub(super) fn unsupported(element: &Whole<'_>, what: Unsupported) -> Error {
    Error::Unsupported { offset: element.offset, element: Some(element.kind), what }
}

/// The type of a track that is not read for itself.
pub(super) const SOUND: Kind = Kind(*b"soun");
