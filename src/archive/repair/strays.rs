//! Files and folders that a crash left before the index named them: whoever fell was in the middle of a round. Nothing in them was
//! told to be durable, but it is sound, and is not thrown away.
//!
//! What says itself where it belongs becomes a part of its recording, and a recording's folder that was begun becomes a recording; what
//! holds no sound is removed. A start, which trusts its index, is more careful than a repair, which trusts nobody, and leaves two
//! things to one. What the session file names: then the index is older than what it speaks of. And samples that were written before
//! the machine last started: pages have their checksums, but of samples nobody can say any more whether the disk has them all.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use sqlx::{Connection as _, SqliteConnection};

use super::measure::{self, Measured};
use super::rebuild;
use super::salvage::{self, Said};
use crate::archive::check::{Indexed, What, folder_of, session_file, walk};
use crate::archive::foreign::{self, Kind};
use crate::archive::handle::Error;
use crate::archive::imprint::{Imprint, LONGEST_HEAD};
use crate::archive::index::write::SpoolRow;
use crate::archive::index::{derived, read, write};
use crate::archive::model::{Anchor, Gap, GapCause, Part, Pins, Recording, RecordingId, Track};
use crate::archive::names::{self, Holds, TrackFile};
use crate::archive::rewrite::{Written, make_durable, written};
use crate::archive::store::Store;
use crate::archive::writer::Trouble;
use crate::media::packet::Sequence;
use crate::media::room::{ParticipantName, RoomName};
use crate::media::source::Codec;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::Format;

/// How much earlier than by our clock a folder may seem to have been changed, and how much earlier than its hub a session may have
/// begun: what its first message holds was said before, up to 3 s.
const SLACK: Duration = Duration::from_secs(5);

/// How much longer than it was told the silence for a gap may be: less than a packet.
const LONGEST_CARRY: Ticks = Ticks::new(119);
/// Bytes that a file of ours has at most before its samples.
const LONGEST_WAV_HEAD: u64 = 68;

/// What became of something: where, and what was done.
pub(in crate::archive) type Taken = (PathBuf, &'static str);

const PART: &str = "was not in the index, and became a part of its recording";
const RECORDING: &str = "was not in the index, and became a recording";
const NOTHING: &str = "was begun by who fell, held no sound that anyone vouches for, and was removed";
const COPY: &str = "was begun by who fell, held what is in another file, and was removed";
const LEFT: &str = "is not in the index, and is left to a check with --repair";

/// Who puts things in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::archive) enum By {
    /// A start.
    Start,
    /// A repair.
    Repair,
}

/// Puts in order what the last run had begun and the index does not name.
pub(in crate::archive) async fn sweep(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
) -> Result<Vec<Taken>, Error> {
    let mut taken = Vec::new();
    for id in read::unfinished(connection).await? {
        taken.extend(left(id, of_recording(store, connection, root, id, By::Start).await)?);
    }
    if let Some((run, since)) = read::last_run(connection).await? {
        for (id, room, path) in begun(root, since) {
            if folder_of(connection, id, &path).await? == Indexed::No {
                taken.extend(left(id, of_folder(store, connection, root, run, (id, &room, &path)).await)?);
            }
        }
    }
    Ok(taken)
}

/// What the disk refuses just now stays where it is: nobody was told of it, and nobody waits for it with a hub that does not start.
fn left(id: RecordingId, taken: Result<Vec<Taken>, Error>) -> Result<Vec<Taken>, Error> {
    match taken {
        Err(error @ Error::File { .. }) => {
            tracing::warn!(recording = %id, "what is not in the index cannot be taken in: {error}");
            Ok(Vec::new())
        }
        taken => taken,
    }
}

/// A file of a recording that the index does not name.
struct Stray {
    name: String,
    file: TrackFile,
    said: Said,
    measured: Measured,
}

/// Takes in what is in a recording's folder and not in the index, where it says itself where it belongs; removes what is empty.
pub(in crate::archive) async fn of_recording(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    id: RecordingId,
    by: By,
) -> Result<Vec<Taken>, Error> {
    let Some((place, _)) = read::summary(connection, id).await? else { return Ok(Vec::new()) };
    let folder = root.join(&place.folder);
    let indexed = read::files(connection, place.row).await?;
    let said = match session_file(&folder) {
        _ if by == By::Repair => Vec::new(),
        Ok(file) => file.tracks,
        // It has none yet: its first round is not over.
        Err(What::Missing) => Vec::new(),
        Err(_) => return Ok(Vec::new()),
    };
    let named = |name: &String| said.iter().flat_map(|track| &track.parts).any(|part| part.file == *name);
    // A folder that is not there is for a check to name.
    let entries = walk::entries(&folder).unwrap_or_default().into_iter().filter(|(_, kind)| *kind == Kind::File);
    let strays = entries.filter_map(|(name, _)| Some((names::track_file(&name)?, name)));
    let mut strays: Vec<_> = strays.filter(|(_, name)| !indexed.contains(name) && !named(name)).collect();
    // Parts in their order, and what waits for one behind them.
    strays.sort_by_key(|(file, _)| match file.holds {
        Holds::Part(number, _) => (file.track, number),
        Holds::Spool => (file.track, u32::MAX),
    });
    let mut taken = Vec::new();
    for (file, name) in strays {
        // Each as the ones before have left it.
        let Some((_, recording)) = read::recording(connection, id).await? else { break };
        let below = Path::new(&place.folder).join(&name);
        let track = recording.tracks.iter().find(|track| track.number == file.track);
        let found = match look(&folder, name, file, track, by) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!("{}: {error}", below.display());
                continue;
            }
        };
        let adopted = match found {
            Look::Sound(stray) => adopt(store, connection, &folder, place.row, &recording, *stray, by).await?,
            Look::Nothing => Adopted::Nothing,
            Look::Unknown => Adopted::Left,
        };
        taken.push(match adopted {
            Adopted::As => (below, PART),
            Adopted::Left if by == By::Repair => continue,
            Adopted::Left => (below, LEFT),
            gone @ (Adopted::Nothing | Adopted::Copy) => {
                store.remove(&root.join(&below)).map_err(|source| trouble(&root.join(&below), source))?;
                (below, if matches!(gone, Adopted::Copy) { COPY } else { NOTHING })
            }
        });
    }
    if taken.iter().any(|(_, what)| [NOTHING, COPY].contains(what)) {
        // Before the recording has ended by the index: nobody would look for them again.
        store.sync_folder(&folder).map_err(|source| trouble(&folder, source))?;
    }
    Ok(taken)
}

/// What a file holds.
enum Look {
    /// A part, or a spool.
    Sound(Box<Stray>),
    /// Nothing, or nothing but what a part begins with.
    Nothing,
    /// It has the name of ours, and does not say what it is, or not for sure.
    Unknown,
}

/// Looks at what a file holds.
fn look(folder: &Path, name: String, file: TrackFile, track: Option<&Track>, by: By) -> io::Result<Look> {
    let path = folder.join(&name);
    // A spool holds what its part does.
    let of_track = track.and_then(|track| track.parts.last()).map(|part| part.format.codec());
    let Some(codec) = (match file.holds {
        Holds::Part(_, codec) => Some(codec),
        Holds::Spool if file.at.is_some() => Some(Codec::Pcm),
        Holds::Spool => of_track,
    }) else {
        return Ok(Look::Unknown);
    };
    let Some(said) = salvage::said(foreign::open(&path)?, codec)? else {
        return Ok(if is_beginning(&path, codec)? { Look::Nothing } else { Look::Unknown });
    };
    let measured = match said.format {
        Format::Opus(_) => measure::ogg(foreign::open(&path)?, 0)?,
        Format::Pcm(head) => measure::wav(foreign::open(&path)?, head, false)?,
    };
    Ok(match said.format {
        _ if measured.length == Ticks::ZERO => Look::Nothing,
        // From before parts said where they begin.
        Format::Opus(_) if said.imprint.is_none() => Look::Unknown,
        // Nobody has told that it is whole: a check names what is not.
        Format::Opus(_) if by == By::Start && measured.damaged => Look::Unknown,
        Format::Pcm(_) if by == By::Start && written(&path)? != Written::SinceBoot => Look::Unknown,
        Format::Opus(_) | Format::Pcm(_) => Look::Sound(Box::new(Stray { name, file, said, measured })),
    })
}

/// Whether a file is the beginning of one of ours, cut off before any sound.
fn is_beginning(path: &Path, codec: Codec) -> io::Result<bool> {
    let (first, longest): (&[u8], _) =
        if codec == Codec::Pcm { (b"RIFF", LONGEST_WAV_HEAD) } else { (b"OggS", LONGEST_HEAD) };
    let mut bytes = Vec::new();
    foreign::open(path)?.take(longest + 1).read_to_end(&mut bytes)?;
    let ours = bytes.iter().zip(first).all(|(byte, first)| byte == first) && bytes.len() as u64 <= longest;
    Ok(ours && (codec == Codec::Pcm || measure::ogg(&bytes[..], 0)?.length == Ticks::ZERO))
}

/// What became of a file.
enum Adopted {
    /// It is a part now.
    As,
    /// It holds nothing.
    Nothing,
    /// All that it holds is in other files.
    Copy,
    /// It stays as it is.
    Left,
}

/// Where a track ends by what is known of it: on its own count, and the number that comes next.
fn end_of(folder: &Path, part: &Part, spool: Option<&SpoolRow>) -> (Ticks, Sequence) {
    let at = |length| part.start.track.saturating_add(length);
    match (&part.format, spool) {
        // What the part has beyond the index is a copy of the spool then.
        (_, Some(spool)) => {
            let file = || foreign::open(&folder.join(&spool.file));
            let measured = match part.format {
                Format::Opus(_) => file().and_then(|file| measure::ogg(file, 0)),
                Format::Pcm(head) => file().and_then(|file| measure::wav(file, head, false)),
            };
            let spooled = measured.map_or(Ticks::ZERO, |measured| measured.length);
            (at(part.length).saturating_add(spool.pause).saturating_add(spooled), spool.next)
        }
        (Format::Opus(_), None) if part.open => {
            let measured = foreign::open(&folder.join(&part.file)).and_then(|file| measure::ogg(file, 0));
            measured.map_or((at(part.length), part.next), |measured| {
                (at(measured.length.max(part.length)), part.next.max(part.first.after(measured.packets)))
            })
        }
        (Format::Opus(_) | Format::Pcm(_), None) => (at(part.length), part.next),
    }
}

/// Where a file begins that comes behind that end of its track; with samples, which do not say so, where the recording ended by then.
fn start_of(stray: &Stray, track: Option<&Track>, end: Ticks, recording: &Recording) -> Anchor {
    let pins = track.map(Pins::of);
    let session = |at| pins.as_ref().map_or(at, |pins| pins.session(at));
    let behind = |at: Ticks| {
        let at = at.max(end);
        Anchor { track: at, session: session(at) }
    };
    match (stray.said.imprint, stray.file.holds) {
        // What was a spool does not know its place in the session, also when it has got the name of a part.
        (Some(Imprint { start: Anchor { track, session: Ticks::ZERO }, .. }), _) if track > Ticks::ZERO => {
            behind(track)
        }
        // Silence for a gap may be up to 119 ticks longer than that.
        (Some(imprint), Holds::Part(..)) if imprint.start.track.saturating_add(LONGEST_CARRY) >= end => imprint.start,
        (Some(imprint), Holds::Part(..) | Holds::Spool) => behind(imprint.start.track),
        (None, Holds::Spool) => behind(stray.file.at.unwrap_or(end)),
        (None, Holds::Part(..)) => {
            let (ended, here) = (recording.summary.length, if track.is_some() { session(end) } else { end });
            let late = if track.is_some() { ended.saturating_sub(here) } else { Ticks::ZERO };
            Anchor { track: end.saturating_add(late), session: ended.max(here) }
        }
    }
}

/// Whether a file may be of this track: it has its participant, as far as it says whose it is, and comes behind its parts.
fn fits(Stray { file, said, .. }: &Stray, track: Option<&Track>) -> bool {
    let Some(track) = track else { return true };
    let behind = match file.holds {
        Holds::Part(number, _) => track.parts.last().is_none_or(|last| number > last.number),
        Holds::Spool => true,
    };
    let same = said.imprint.is_none_or(|imprint| imprint.participant == track.participant);
    behind && same && names::is_of(file, &track.name)
}

/// Whether all packets of a file are in these, too.
fn is_copy<'a>(folder: &Path, name: &str, known: impl Iterator<Item = &'a str>) -> io::Result<bool> {
    let numbered = |name: &str| -> io::Result<HashMap<Sequence, u32>> {
        let path = folder.join(name);
        let said = salvage::said(foreign::open(&path)?, Codec::Opus)?;
        let Some(imprint) = said.and_then(|said| said.imprint) else { return Ok(HashMap::new()) };
        let sums = measure::packets(foreign::open(&path)?)?;
        Ok((0..).map(|nth| imprint.first.after(nth)).zip(sums).collect())
    };
    let mut all = HashMap::new();
    for name in known {
        // One that cannot be read holds nothing.
        all.extend(numbered(name).unwrap_or_default());
    }
    let own = numbered(name)?;
    Ok(!own.is_empty() && own.iter().all(|(number, sum)| all.get(number) == Some(sum)))
}

/// Makes a file a part of its recording.
async fn adopt(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    folder: &Path,
    row: i64,
    recording: &Recording,
    stray: Stray,
    by: By,
) -> Result<Adopted, Error> {
    let track = recording.tracks.iter().find(|track| track.number == stray.file.track);
    let before = track.and_then(|track| track.parts.last());
    if !fits(&stray, track) {
        return Ok(Adopted::Left);
    }
    let spools = read::spools(connection, row).await?;
    let waiting = |(of, spool): &&(_, SpoolRow)| {
        *of == stray.file.track && !spool.settled && before.is_some_and(|part| part.number == spool.part)
    };
    let spool = spools.iter().find(waiting).map(|(_, spool)| spool);
    let (end, next) = before.map_or_else(Default::default, |part| end_of(folder, part, spool));
    match stray.said.imprint {
        // One that was to take the place of another that the disk refused. A repair, which trusts nobody, removes no sound.
        Some(imprint) if imprint.first.after(stray.measured.packets) <= next => {
            let spools = spools.iter().filter(|(of, _)| *of == stray.file.track).map(|(_, spool)| spool.file.as_str());
            let known = track.into_iter().flat_map(|track| &track.parts).map(|part| part.file.as_str()).chain(spools);
            let is_copy =
                by == By::Start && is_copy(folder, &stray.name, known).map_err(|error| trouble(folder, error))?;
            return Ok(if is_copy { Adopted::Copy } else { Adopted::Left });
        }
        Some(imprint) if imprint.first < next => return Ok(Adopted::Left),
        None if spool.is_some() => return Ok(Adopted::Left),
        Some(_) | None => {}
    }
    let start = start_of(&stray, track, end, recording);
    let Stray { mut name, file, said, measured } = stray;
    let whose = said.name.clone().or_else(|| file.slug.parse().ok()).unwrap_or_else(ParticipantName::nobody);
    let whose = track.map_or(whose, |track| track.name.clone());
    let mut number = before.map_or(1, |part| part.number.saturating_add(1));
    match file.holds {
        Holds::Part(of_name, _) => number = of_name,
        Holds::Spool => {
            let codec = said.format.codec();
            while foreign::look(&folder.join(names::part(file.track, &whose, number, codec)))
                .map_err(|source| trouble(folder, source))?
                .is_some()
            {
                number += 1;
            }
            let part = names::part(file.track, &whose, number, codec);
            let renamed = store.rename(&folder.join(&name), &folder.join(&part));
            renamed.and_then(|()| store.sync_folder(folder)).map_err(|source| trouble(folder, source))?;
            name = part;
        }
    }
    let path = folder.join(&name);
    make_durable(store, &path).map_err(|source| trouble(&path, source))?;
    let first = said.imprint.map_or(next, |imprint| imprint.first);
    let part = Part {
        number,
        file: name,
        source: said.imprint.map_or(said.format.codec(), |imprint| imprint.source),
        format: said.format,
        start,
        length: measured.length,
        bytes: measured.bytes,
        first,
        next: first.after(measured.packets),
        open: measured.stream.open,
    };
    let mut c = connection.begin().await?;
    if track.is_none() {
        let participant =
            said.imprint.map_or_else(|| salvage::nobody(recording.summary.id, file.track), |i| i.participant);
        write::track(&mut c, row, file.track, participant, &whose).await?;
    }
    write::part(&mut c, row, file.track, &part, measured.stream).await?;
    for extent in measured.extents {
        write::extent(&mut c, row, file.track, number, extent).await?;
    }
    // What was between them may be in the index already.
    let is_known = track.is_some_and(|track| track.gaps.iter().any(|gap| gap.at == end));
    let silence = start.track.checked_sub(end).filter(|silence| before.is_some() && *silence > Ticks::ZERO);
    if let Some(silence) = silence.filter(|_| !is_known) {
        let gap = Gap { at: end, length: silence, cause: GapCause::Pause, filled: false };
        write::gap(&mut c, row, file.track, &gap).await?;
    }
    let until = start.session.saturating_add(part.length);
    write::length(&mut c, row, until.max(recording.summary.length)).await?;
    write::session_file_stale(&mut c, row, true).await?;
    derived::outdated(&mut c, row).await?;
    c.commit().await?;
    store.committed();
    Ok(Adopted::As)
}

/// The folders of recordings that were begun since then.
fn begun(root: &Path, since: UnixMillis) -> Vec<(RecordingId, RoomName, PathBuf)> {
    let since = Duration::from_millis(u64::try_from(since.get()).unwrap_or(0)).saturating_sub(SLACK);
    let changed = UNIX_EPOCH + since;
    let since = UnixMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    let mut found = Vec::new();
    for (name, kind) in walk::entries(root).unwrap_or_default() {
        let (Kind::Folder, Ok(room)) = (kind, name.parse::<RoomName>()) else { continue };
        let folder = root.join(&name);
        if fs::metadata(&folder).and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified < changed) {
            continue;
        }
        // Of a room with many recordings only the new ones are looked at.
        for listed in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let listed = listed.file_name().to_string_lossy().into_owned();
            let Some(id) = names::recording(&listed).filter(|id| id.started() >= since) else { continue };
            if foreign::expect(&folder.join(&listed), Kind::Folder).is_ok() {
                found.push((id, room.clone(), Path::new(&name).join(listed)));
            }
        }
    }
    found
}

/// Takes in a recording's folder that the index does not name. What anyone but a hub in its first round can have left there is for a
/// check to name.
async fn of_folder(
    store: &mut dyn Store,
    connection: &mut SqliteConnection,
    root: &Path,
    run: i64,
    (id, room, path): (RecordingId, &RoomName, &Path),
) -> Result<Vec<Taken>, Error> {
    let folder = root.join(path);
    let wrong = |source| trouble(&folder, source);
    let entries = walk::entries(&folder).map_err(wrong)?;
    if names::folder(room, id.started(), id) != path.to_string_lossy()
        || !entries.iter().all(|(name, kind)| *kind == Kind::File && names::track_file(name).is_some())
    {
        return Ok(Vec::new());
    }
    let (mut taken, mut left) = (Vec::new(), BTreeSet::new());
    for name in entries.into_keys() {
        let Some(file) = names::track_file(&name).filter(|file| matches!(file.holds, Holds::Part(..))) else {
            continue;
        };
        match look(&folder, name.clone(), file, None, By::Start).map_err(wrong)? {
            Look::Sound(_) => {}
            Look::Nothing => {
                store.remove(&folder.join(&name)).map_err(wrong)?;
                taken.push((path.join(name), NOTHING));
            }
            Look::Unknown => {
                taken.push((path.join(&name), LEFT));
                left.insert(name);
            }
        }
    }
    let mut salvaged = salvage::session_file(&folder, id, room).map_err(wrong)?;
    if let Some(file) = &mut salvaged {
        file.keep = false;
        file.tracks.iter_mut().for_each(|track| track.parts.retain(|part| !left.contains(&part.file)));
        file.tracks.retain(|track| !track.parts.is_empty());
    }
    match salvaged.filter(|file| !file.tracks.is_empty()) {
        Some(file) => {
            for part in file.tracks.iter().flat_map(|track| &track.parts) {
                make_durable(store, &folder.join(&part.file)).map_err(wrong)?;
            }
            let mut rooms = folder.parent().into_iter().chain([root]);
            rooms.try_for_each(|folder| store.sync_folder(folder)).map_err(wrong)?;
            rebuild::insert(connection, run, root, path, &file).await?;
            store.committed();
            taken.push((path.to_owned(), RECORDING));
            taken.extend(of_recording(store, connection, root, id, By::Start).await?);
        }
        None if walk::is_empty(&folder) => {
            store.remove_folder(&folder).map_err(wrong)?;
            taken.push((path.to_owned(), NOTHING));
        }
        None => {}
    }
    Ok(taken)
}

fn trouble(path: &Path, source: io::Error) -> Error {
    Trouble::file(path, source).into()
}
