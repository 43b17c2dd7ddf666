//! `tracks.zip`: every track as WAV, all from the session's start to its end or over the same span, and what an editor opens them
//! with: labels, a project, what was said when.
//!
//! What belongs here: which entries there are, and their order. What does not: the sound (`mixdown`), what the texts say
//! (`labels`, `reaper`, `session`), the layout of ZIP, which is the `zip` crate's (APPNOTE 6.3.10).
//!
//! - Entries are stored, since sound hardly gets shorter by what every reader can undo, and each has its sizes and its sum in its
//!   own header, written over when they are known, so that readers who begin at the front take it, too. Past 4 GiB it is ZIP64
//!   (§4.5.3).
//! - Each WAV is the same as the track's own over that span. All have the same length, and the same sample at the same time.
//! - What was heard while they were written says when there was speech, so that the texts come last.
//! - All times are the recording's start: made again it is the same, byte for byte.
//!
//! Memory: that of one track's sound at a time, a byte for each 50 ms of it, and a few hundred bytes for each entry.

mod contents;
mod labels;
mod outbox;
mod reaper;
mod session;

use std::io::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;

use zip::write::FullFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use self::contents::{Contents, TrackFile, file_name};
use self::outbox::Outbox;
use super::edition;
use super::files::Sink;
use super::mixdown::Mixdown;
use super::recipe::{Origin, Stopped, Work};
use crate::archive::model::{Container, Derived, Edit, Edition, Time};
use crate::archive::store::Store;
use crate::media::speech::Speech;
use crate::media::time::{Ticks, UnixMillis};
use crate::media::track::TrackNumber;

/// What an entry's headers, its line in the directory, and the texts take at most, each.
const OVERHEAD: u64 = 64 * 1024;

/// Makes the archive; says whether some of the sound could not be read.
pub(super) fn tracks_zip(origin: &Origin, what: Edition, sink: &mut dyn Sink, work: &Work) -> Result<bool, Stopped> {
    let (tracks, span) = (edition::tracks(what, &origin.recording), edition::span(what, &origin.recording));
    let mixdowns: Vec<_> = tracks.iter().map(|track| Mixdown::new(origin, alone(track.number, &span))).collect();
    let mut most = OVERHEAD;
    for mixdown in &mixdowns {
        most = most.saturating_add(mixdown.wav_bytes()?).saturating_add(OVERHEAD);
    }
    sink.expect(most)?;
    let mut entries = Entries::new(origin, sink);
    let mut contents = Contents { recording: &origin.recording, span, files: Vec::new() };
    let mut damaged = false;
    for (track, mixdown) in tracks.into_iter().zip(&mixdowns) {
        let (name, head) = (file_name(track), mixdown.pcm_head()?);
        entries.begin(&name, mixdown.wav_bytes()?)?;
        let mut speech = Speech::new(head.channels());
        damaged |= mixdown.wav(&mut entries, work, &mut |sound| speech.hear(sound))?;
        let (channels, sample, speech) = (head.channels(), head.sample(), speech.runs());
        contents.files.push(TrackFile { track, name, channels, sample, speech });
    }
    entries.text("labels.txt", labels::labels(&contents).as_bytes())?;
    entries.text("session.json", &session::session(&contents))?;
    entries.text("session.rpp", reaper::project(&contents).as_bytes())?;
    entries.finish()?;
    Ok(damaged)
}

/// A track's own WAV over a span.
fn alone(track: TrackNumber, span: &Range<Ticks>) -> Edition {
    // What is behind the end is cut off: a millisecond that ends behind it means the end.
    let (from, to) = (span.start.as_millis(), span.end.get().div_ceil(Ticks::from_millis(1).get()));
    let edit = Edit { from: Some(Time::from_millis(from)), to: Some(Time::from_millis(to)), ..Edit::WHOLE };
    Edition { of: Derived::Track(track, Container::Wav), edit }
}

/// The entries, one after another; as a sink, what goes into the one that was begun.
struct Entries<'a> {
    writer: ZipWriter<Outbox>,
    outbox: Outbox,
    sink: &'a mut dyn Sink,
    options: FullFileOptions<'static, 'static>,
    /// The recording's folder, for whoever reports an error.
    path: PathBuf,
}

impl<'a> Entries<'a> {
    fn new(origin: &Origin, sink: &'a mut dyn Sink) -> Self {
        let outbox = Outbox::default();
        let (options, path) = (options(origin.recording.summary.started), origin.folder.clone());
        Self { writer: ZipWriter::new(outbox.clone()), outbox, sink, options, path }
    }

    /// Begins an entry of so many bytes.
    fn begin(&mut self, name: &str, bytes: u64) -> Result<(), Stopped> {
        let options = self.options.clone().large_file(bytes > u32::MAX.into());
        let begun = self.writer.start_file(name, options);
        begun.map_err(|error| self.refused(error))?;
        self.hand_on()
    }

    /// A whole entry.
    fn text(&mut self, name: &str, text: &[u8]) -> Result<(), Stopped> {
        self.begin(name, text.len() as u64)?;
        self.append(text)
    }

    /// The directory of all entries, and the end.
    fn finish(self) -> Result<(), Stopped> {
        let (outbox, path) = (self.outbox.clone(), self.path.clone());
        self.writer.finish().map_err(|error| Stopped::file(&path, error.into()))?;
        hand_on(&outbox, self.sink)
    }

    fn hand_on(&mut self) -> Result<(), Stopped> {
        hand_on(&self.outbox, self.sink)
    }

    fn refused(&self, error: impl Into<io::Error>) -> Stopped {
        Stopped::file(&self.path, error.into())
    }
}

fn hand_on(outbox: &Outbox, sink: &mut dyn Sink) -> Result<(), Stopped> {
    let waiting = outbox.empty();
    sink.append(&waiting.behind)?;
    waiting.over.iter().try_for_each(|(at, bytes)| sink.overwrite(*at, bytes))
}

impl Sink for Entries<'_> {
    fn expect(&mut self, _: u64) -> Result<(), Stopped> {
        // All entries together are expected already.
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let written = self.writer.write_all(bytes);
        written.map_err(|error| self.refused(error))?;
        self.hand_on()
    }

    fn overwrite(&mut self, _: u64, _: &[u8]) -> Result<(), Stopped> {
        Err(self
            .refused(io::Error::new(io::ErrorKind::Unsupported, "an entry is written from its beginning to its end")))
    }

    fn store(&mut self) -> &mut dyn Store {
        self.sink.store()
    }
}

/// What all entries are: stored, readable by all, of this time in UTC, which its extra field says (Info-ZIP's `UT`), as the DOS time
/// is anywhere's own.
fn options(started: UnixMillis) -> FullFileOptions<'static, 'static> {
    let civil =
        jiff::Timestamp::from_millisecond(started.get()).map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).datetime());
    let dos = civil.ok().and_then(|at| {
        let [month, day, hour, minute, second] =
            [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(i8::unsigned_abs);
        DateTime::from_date_and_time(at.year().unsigned_abs(), month, day, hour, minute, second).ok()
    });
    let options = FullFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o644);
    let options = options.last_modified_time(dos.unwrap_or_default());
    // A sign is left for others (it has 32 bits, with one).
    let unix = i32::try_from(started.get().div_euclid(1000)).ok().and_then(|unix| u32::try_from(unix).ok());
    match unix.map(|unix| options.clone().with_extended_timestamp(Some(unix), None, None)) {
        Some(Ok(with_time)) => with_time,
        _ => options,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::Command;

    use super::*;

    /// How much silence is written at a time.
    const PIECE: usize = 16 * 1024 * 1024;

    /// A file with holes where whole pieces are zeros: they cost nothing to make.
    struct Holes {
        file: File,
        bytes: u64,
        zeros: Vec<u8>,
    }

    impl Sink for Holes {
        fn expect(&mut self, _: u64) -> Result<(), Stopped> {
            Ok(())
        }

        fn append(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
            if *bytes == self.zeros[..] {
                self.file.set_len(self.bytes + bytes.len() as u64).unwrap();
            } else {
                self.overwrite(self.bytes, bytes)?;
            }
            self.bytes += bytes.len() as u64;
            Ok(())
        }

        fn overwrite(&mut self, at: u64, bytes: &[u8]) -> Result<(), Stopped> {
            std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, at).unwrap();
            Ok(())
        }

        fn store(&mut self) -> &mut dyn Store {
            unreachable!("nothing is read")
        }
    }

    #[test]
    fn past_4_gib_it_is_zip64_and_what_lies_behind_is_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut holes = Holes { file: file.reopen().unwrap(), bytes: 0, zeros: vec![0; PIECE] };
        let (outbox, started) = (Outbox::default(), UnixMillis::from_rfc3339("2026-11-22T09:28:00Z").unwrap());
        let mut entries = Entries {
            writer: ZipWriter::new(outbox.clone()),
            outbox,
            sink: &mut holes,
            options: options(started),
            path: PathBuf::new(),
        };
        let zeros = vec![0; PIECE];
        let pieces = (u64::from(u32::MAX) + 1) / PIECE as u64;
        entries.begin("01 Ann.wav", pieces * PIECE as u64).unwrap();
        (0..pieces).for_each(|_| entries.append(&zeros).unwrap());
        entries.text("labels.txt", b"0.0\t1.0\tAnn\n").unwrap();
        entries.finish().unwrap();
        let script = "import sys, zipfile\n\
                      z = zipfile.ZipFile(sys.argv[1])\n\
                      print([(i.filename, i.file_size, i.header_offset > 1 << 32, i.date_time) for i in z.infolist()])\n\
                      print(z.read('labels.txt'))";
        let told = Command::new("python3").args(["-c", script]).arg(file.path()).output().unwrap();
        assert!(told.status.success(), "{told:?}");
        let date = "(2026, 11, 22, 9, 28, 0)";
        let expected = format!(
            "[('01 Ann.wav', 4294967296, False, {date}), ('labels.txt', 12, True, {date})]\nb'0.0\\t1.0\\tAnn\\n'\n"
        );
        assert_eq!(String::from_utf8_lossy(&told.stdout), expected);
    }
}
