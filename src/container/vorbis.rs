//! Vorbis I as its headers tell it: rate, channels, and how long each packet sounds, without decoding.
//!
//! What belongs here: the identification header (Vorbis I §4.2.2), the setup header as far as the block size of each mode
//! (§4.2.4), Xiph-laced headers as Matroska carries them, the length of a packet (§4.3.8). What does not: the comments,
//! sound (`media::codec`), the pages or blocks that carry packets.
//!
//! The modes stand last in the setup header and nothing says where, so all before them is read through. Nothing is held
//! but the result, of a few bytes; the time is bounded by the header's length.

use crate::media::pcm::{self, Sample, Unfit};

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::container) struct Headers {
    /// Rate and channels, which count the packets' time; the kind of sample means nothing.
    pub sound: pcm::Head,
    /// Frames of a short block and of a long one: powers of two, 64 to 8192.
    blocks: [u16; 2],
    /// How many modes there are: 1 to 64.
    modes: u8,
    /// The modes of long blocks, a bit each.
    long: u64,
}

impl Headers {
    /// Reads the identification header and the setup header, each a whole packet.
    ///
    /// # Errors
    /// Where one of them is broken, or the rate or the channels are not accepted.
    pub fn parse(ident: &[u8], setup: &[u8]) -> Result<Self, Error> {
        let ident = Ident::parse(ident)?;
        let (modes, long) = modes(setup, ident.sound.channels().into())?;
        Ok(Self { sound: ident.sound, blocks: ident.blocks, modes, long })
    }

    /// How many frames a packet of sound adds to those before it: none where it is the first. `previous` is the block of
    /// the packet before; begin with `None`.
    ///
    /// # Errors
    /// Where it is no packet of sound, or of a mode that there is not.
    pub fn duration(&self, previous: &mut Option<Block>, packet: &[u8]) -> Result<u64, Error> {
        let mut bits = Bits::new(packet, Header::Packet);
        if bits.flag()? {
            return Err(Error::NoSound);
        }
        let mode = bits.number(ilog(u32::from(self.modes) - 1))?;
        if mode >= u32::from(self.modes) {
            return Err(Error::Mode(mode));
        }
        let block = Block(self.blocks[usize::from(self.long >> mode & 1 == 1)]);
        // The windows overlap: half of each goes with its neighbour (§4.3.8).
        let frames = previous.map_or(0, |previous| u64::from(previous.0 / 4 + block.0 / 4));
        *previous = Some(block);
        Ok(frames)
    }
}

/// The length of a block, in frames of its whole window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::container) struct Block(u16);

/// What the identification header says (§4.2.2).
struct Ident {
    sound: pcm::Head,
    blocks: [u16; 2],
}

impl Ident {
    fn parse(header: &[u8]) -> Result<Self, Error> {
        let mut bits = Bits::header(header, Header::Ident)?;
        let version = bits.number(32)?;
        if version != 0 {
            return Err(Error::Version(version));
        }
        let channels = bits.number(8)?;
        let rate = bits.number(32)?;
        // Three bitrates, which only inform.
        bits.pass(96)?;
        let [short, long] = [bits.number(4)?, bits.number(4)?];
        if !(6..=13).contains(&short) || !(short..=13).contains(&long) {
            return Err(Error::Value { header: Header::Ident, what: "block size" });
        }
        if !bits.flag()? {
            return Err(Error::Value { header: Header::Ident, what: "framing bit" });
        }
        let sound = pcm::Head::new(Sample::F32, rate, channels)?;
        Ok(Self { sound, blocks: [1 << short, 1 << long] })
    }
}

/// How many modes the setup header has, and which of them are of long blocks (§4.2.4).
fn modes(setup: &[u8], channels: u32) -> Result<(u8, u64), Error> {
    let mut bits = Bits::header(setup, Header::Setup)?;
    for _ in 0..=bits.number(8)? {
        pass_codebook(&mut bits)?;
    }
    for _ in 0..=bits.number(6)? {
        bits.zero(16, "time domain transform")?;
    }
    for _ in 0..=bits.number(6)? {
        pass_floor(&mut bits)?;
    }
    for _ in 0..=bits.number(6)? {
        pass_residue(&mut bits)?;
    }
    for _ in 0..=bits.number(6)? {
        pass_mapping(&mut bits, channels)?;
    }
    let last = bits.number(6)?;
    let mut long = 0;
    for mode in 0..=last {
        long |= u64::from(bits.flag()?) << mode;
        bits.zero(16, "window type")?;
        bits.zero(16, "transform type")?;
        bits.pass(8)?;
    }
    if !bits.flag()? {
        return Err(setup_value("framing bit"));
    }
    // Six bits and one more: at most 64.
    Ok((u8::try_from(last + 1).unwrap_or(64), long))
}

/// Reads through a codebook (§3.2.1).
fn pass_codebook(bits: &mut Bits<'_>) -> Result<(), Error> {
    if bits.number(24)? != 0x56_4342 {
        return Err(setup_value("codebook's sync pattern"));
    }
    let dimensions = bits.number(16)?;
    let entries = bits.number(24)?;
    if bits.flag()? {
        pass_ordered_lengths(bits, entries)?;
    } else {
        let sparse = bits.flag()?;
        for _ in 0..entries {
            if !sparse || bits.flag()? {
                bits.pass(5)?;
            }
        }
    }
    let values = match bits.number(4)? {
        0 => return Ok(()),
        1 => lookup_values(entries, dimensions),
        2 => u64::from(entries) * u64::from(dimensions),
        _ => return Err(setup_value("codebook's lookup type")),
    };
    bits.pass(64)?;
    let value_bits = bits.number(4)? + 1;
    bits.pass(1 + values * u64::from(value_bits))
}

/// Reads through the lengths of a codebook whose entries are in order of length (§3.2.1).
fn pass_ordered_lengths(bits: &mut Bits<'_>, entries: u32) -> Result<(), Error> {
    let shortest = bits.number(5)? + 1;
    let mut current = 0;
    for _ in shortest..=32 {
        if current >= entries {
            break;
        }
        current += bits.number(ilog(entries - current))?;
    }
    if current == entries { Ok(()) } else { Err(setup_value("codebook's count of entries")) }
}

/// The greatest number whose power by the dimensions is at most the entries (§9.2.3).
fn lookup_values(entries: u32, dimensions: u32) -> u64 {
    let fits = |value: u64| {
        let mut power = 1_u64;
        // A base from 2 is past 2^24 after 25 steps; of 1, nothing changes.
        for _ in 0..dimensions.min(25) {
            power = power.saturating_mul(value);
        }
        power <= u64::from(entries)
    };
    if dimensions == 0 || entries == 0 {
        return 0;
    }
    let (mut low, mut high) = (1, u64::from(entries));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if fits(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

/// Reads through a floor (§6.2.1, §7.2.2).
fn pass_floor(bits: &mut Bits<'_>) -> Result<(), Error> {
    match bits.number(16)? {
        0 => {
            bits.pass(8 + 16 + 16 + 6 + 8)?;
            let books = bits.number(4)? + 1;
            bits.pass(u64::from(books) * 8)
        }
        1 => {
            let mut partitions = Vec::with_capacity(31);
            for _ in 0..bits.number(5)? {
                partitions.push(bits.number(4)? as usize);
            }
            let classes = partitions.iter().max().map_or(0, |most| most + 1);
            let mut dimensions = [0_u32; 16];
            for dimensions in &mut dimensions[..classes] {
                *dimensions = bits.number(3)? + 1;
                let subclasses = bits.number(2)?;
                let master = if subclasses == 0 { 0 } else { 8 };
                bits.pass(master + (8 << subclasses))?;
            }
            bits.pass(2)?;
            let range = bits.number(4)?;
            let points: u32 = partitions.iter().map(|&class| dimensions[class]).sum();
            bits.pass(u64::from(points * range))
        }
        _ => Err(setup_value("floor type")),
    }
}

/// Reads through a residue (§8.6.1).
fn pass_residue(bits: &mut Bits<'_>) -> Result<(), Error> {
    if bits.number(16)? > 2 {
        return Err(setup_value("residue type"));
    }
    bits.pass(24 + 24 + 24)?;
    let classes = bits.number(6)? + 1;
    bits.pass(8)?;
    let mut books = 0;
    for _ in 0..classes {
        let low = bits.number(3)?;
        let high = if bits.flag()? { bits.number(5)? } else { 0 };
        books += u64::from(low.count_ones() + high.count_ones());
    }
    bits.pass(books * 8)
}

/// Reads through a mapping (§4.2.4).
fn pass_mapping(bits: &mut Bits<'_>, channels: u32) -> Result<(), Error> {
    bits.zero(16, "mapping type")?;
    let submaps = if bits.flag()? { bits.number(4)? + 1 } else { 1 };
    if bits.flag()? {
        let steps = bits.number(8)? + 1;
        bits.pass(u64::from(steps) * 2 * u64::from(ilog(channels - 1)))?;
    }
    bits.zero(2, "reserved field of a mapping")?;
    if submaps > 1 {
        bits.pass(u64::from(channels) * 4)?;
    }
    bits.pass(u64::from(submaps) * 24)
}

/// The bits that a number takes: none for 0 (§9.2.1).
const fn ilog(number: u32) -> u32 {
    u32::BITS - number.leading_zeros()
}

/// Takes the three headers apart that a CodecPrivate holds, laced as in Ogg: how many but the last, the lengths of those as
/// runs of 255 and a byte below, then all three (Matroska codec specification, `A_VORBIS`). Gives the identification and
/// the setup header.
///
/// # Errors
/// Where they are not three, or longer than what there is.
pub(in crate::container) fn laced(private: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let [2, rest @ ..] = private else { return Err(Error::Lacing) };
    let (ident, rest) = laced_length(rest)?;
    let (comment, rest) = laced_length(rest)?;
    let (ident, rest) = rest.split_at_checked(ident).ok_or(Error::Lacing)?;
    Ok((ident, rest.get(comment..).ok_or(Error::Lacing)?))
}

fn laced_length(bytes: &[u8]) -> Result<(usize, &[u8]), Error> {
    let runs = bytes.iter().take_while(|&&byte| byte == 255).count();
    let (&last, rest) = bytes[runs..].split_first().ok_or(Error::Lacing)?;
    Ok((runs * 255 + usize::from(last), rest))
}

/// Bits of a packet, from the lowest of each byte (§2.1.4).
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit, from the start.
    at: u64,
    header: Header,
}

impl<'a> Bits<'a> {
    const fn new(bytes: &'a [u8], header: Header) -> Self {
        Self { bytes, at: 0, header }
    }

    /// The bits of a header behind its type and `vorbis` (§4.2.1).
    fn header(bytes: &'a [u8], header: Header) -> Result<Self, Error> {
        let kind = if header == Header::Ident { 1 } else { 5 };
        match bytes.split_first_chunk::<7>() {
            Some(([first, b'v', b'o', b'r', b'b', b'i', b's'], rest)) if *first == kind => Ok(Self::new(rest, header)),
            _ => Err(Error::Magic(header)),
        }
    }

    /// A number of at most 32 bits.
    fn number(&mut self, bits: u32) -> Result<u32, Error> {
        let from = self.at;
        self.pass(bits.into())?;
        let mut number = 0;
        for (place, at) in (from..self.at).enumerate() {
            // Within the bytes, or `pass` would have failed.
            let byte = usize::try_from(at / 8).ok().and_then(|byte| self.bytes.get(byte)).copied().unwrap_or(0);
            number |= u32::from(byte >> (at % 8) & 1) << place;
        }
        Ok(number)
    }

    fn flag(&mut self) -> Result<bool, Error> {
        Ok(self.number(1)? == 1)
    }

    fn pass(&mut self, bits: u64) -> Result<(), Error> {
        self.at = self.at.saturating_add(bits);
        if self.at > self.bytes.len() as u64 * 8 { Err(Error::Short(self.header)) } else { Ok(()) }
    }

    fn zero(&mut self, bits: u32, what: &'static str) -> Result<(), Error> {
        if self.number(bits)? == 0 { Ok(()) } else { Err(setup_value(what)) }
    }
}

const fn setup_value(what: &'static str) -> Error {
    Error::Value { header: Header::Setup, what }
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Header {
    /// The first packet.
    #[error("Vorbis identification header")]
    Ident,
    /// The third packet.
    #[error("Vorbis setup header")]
    Setup,
    /// A packet of sound.
    #[error("Vorbis packet")]
    Packet,
}

/// Why Vorbis headers or packets cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It begins as something else.
    #[error("the {0} does not begin as one (Vorbis I §4.2.1)")]
    Magic(Header),
    /// It ends too early.
    #[error("the {0} ends before it is whole (Vorbis I §4.2)")]
    Short(Header),
    /// A later version.
    #[error("Vorbis of version {0}, only 0 is known (Vorbis I §4.2.2)")]
    Version(u32),
    /// A value that must not be.
    #[error("the {header} has a wrong {what} (Vorbis I §4.2)")]
    Value {
        /// Where it stands.
        header: Header,
        /// What it is.
        what: &'static str,
    },
    /// A rate or channels that are not accepted.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The laced headers do not add up.
    #[error("the Vorbis headers are not laced as three packets")]
    Lacing,
    /// A header among the sound.
    #[error("the Vorbis packet is none of sound (Vorbis I §4.3.1)")]
    NoSound,
    /// A mode that there is not.
    #[error("the Vorbis packet is of mode {0}, which the setup header does not have (Vorbis I §4.3.1)")]
    Mode(u32),
}

impl Error {
    /// Whether all is well, and only not accepted.
    pub(in crate::container) const fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unfit(_) | Self::Version(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::judge;

    /// The packets of an Ogg stream that ffmpeg made, with the granule position of the page that each ends.
    fn packets(source: &str, more: &[&str]) -> Vec<(Vec<u8>, Option<u64>)> {
        let file = judge::made(source, &[&["-c:a", "libvorbis"], more, &["-f", "ogg"]].concat());
        let mut reader = ogg::PacketReader::new(std::io::Cursor::new(file));
        std::iter::from_fn(|| reader.read_packet().unwrap())
            .map(|packet| {
                let granule = packet.last_in_page().then(|| packet.absgp_page());
                (packet.data, granule)
            })
            .collect()
    }

    #[test]
    fn the_lengths_of_packets_add_up_to_the_granule_positions() {
        for (rate, channels) in [(8000, 1), (22_050, 2), (44_100, 2), (48_000, 1), (96_000, 2)] {
            for quality in ["-1", "3", "9"] {
                // Clicks, so that there are short blocks.
                let source = format!("aevalsrc='if(lt(mod(t,0.3),0.01),1,0)*random(0)+0.1*sin(600*t)':s={rate}:d=3");
                let packets = packets(&source, &["-ac", &channels.to_string(), "-q:a", quality]);
                let headers = Headers::parse(&packets[0].0, &packets[2].0).unwrap();
                assert_eq!((headers.sound.rate(), headers.sound.channels()), (rate, channels));
                let (mut previous, mut total, mut lengths) = (None, 0, std::collections::BTreeSet::new());
                let (end, sound) = packets[3..].split_last().unwrap();
                for (packet, granule) in sound {
                    let frames = headers.duration(&mut previous, packet).unwrap();
                    lengths.insert(frames);
                    total += frames;
                    assert!(granule.is_none_or(|granule| granule == total), "{granule:?}, counted {total}");
                }
                total += headers.duration(&mut previous, &end.0).unwrap();
                // The last page may cut its sound off.
                assert!(end.1.unwrap() <= total);
                // At 8 kHz libvorbis has blocks of one size.
                assert!(rate == 8000 || lengths.len() > 2, "short blocks and long ones: {lengths:?}");
            }
        }
    }

    #[test]
    fn a_header_that_is_cut_off_or_changed_is_read_or_refused() {
        let packets = packets("sine", &[]);
        let (ident, setup) = (&packets[0].0, &packets[2].0);
        for length in 0..ident.len() {
            assert!(Headers::parse(&ident[..length], setup).is_err(), "{length}");
        }
        for length in 0..setup.len() {
            assert!(Headers::parse(ident, &setup[..length]).is_err(), "{length}");
        }
        for at in 0..setup.len() {
            for bit in 0..8 {
                let mut changed = setup.clone();
                changed[at] ^= 1 << bit;
                let _refused_or_not = Headers::parse(ident, &changed);
            }
        }
        let changed = |at: usize, byte| {
            let mut ident = ident.clone();
            ident[at] = byte;
            Headers::parse(&ident, setup).unwrap_err()
        };
        assert_eq!(changed(0, 3), Error::Magic(Header::Ident));
        assert_eq!(changed(7, 1), Error::Version(1));
        assert_eq!(changed(11, 6), Error::Unfit(Unfit::Channels(6)));
        assert_eq!(changed(28, 0x57), Error::Value { header: Header::Ident, what: "block size" });
        assert_eq!(changed(29, 0), Error::Value { header: Header::Ident, what: "framing bit" });
        let headers = Headers::parse(ident, setup).unwrap();
        assert_eq!(headers.duration(&mut None, setup), Err(Error::NoSound));
        assert_eq!(headers.duration(&mut None, &[]), Err(Error::Short(Header::Packet)));
    }

    #[test]
    fn laced_headers_come_apart() {
        let long = vec![7; 600];
        let private = [&[2, 3, 255, 255, 90][..], &[1, 2, 3], &long, &[4, 5]].concat();
        assert_eq!(laced(&private), Ok((&[1, 2, 3][..], &[4, 5][..])));
        for broken in [&[][..], &[1, 1, 1], &[2], &[2, 255], &[2, 1, 9, 0], &[2, 9, 0, 1]] {
            assert_eq!(laced(broken), Err(Error::Lacing), "{broken:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_headers_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = modes(&[b"\x05vorbis", bytes.as_slice()].concat(), 2);
            let _ = Ident::parse(&[b"\x01vorbis", bytes.as_slice()].concat());
            let _ = laced(&bytes);
        }

        #[test]
        fn the_count_of_lookup_values_is_the_greatest_that_fits(entries in 1..1_u32 << 24, dimensions in 1..=65_535_u32) {
            let root = lookup_values(entries, dimensions);
            let power = |value: u64| (0..dimensions.min(64)).fold(1_u128, |power, _| power.saturating_mul(value.into()));
            proptest::prop_assert!(power(root) <= entries.into() && power(root + 1) > entries.into());
        }
    }
}
