//! `export`: a file of a recording, while the hub runs or not.
//!
//! What belongs here: what may be asked for, and where the file goes, so that it is there whole or not at all. What does not: what
//! is in it.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write as _};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tempfile::NamedTempFile;

use super::DIFFERS;
use super::show::Share;
use crate::app::stop_signal;
use crate::archive::check::printable;
use crate::archive::export::{Export, ExportError, Exported, Output, be_nice, folder_of, streams};
use crate::archive::model::{BadEdit, Container, Derived, Edit, Edition, RecordingId};
use crate::container::audiowaveform::Layout;
use crate::media::peaks::Wanted;
use crate::media::track::TrackNumber;

/// How often it is shown how far it is.
const SHOWN: Duration = Duration::from_millis(100);

/// The exit status of whoever is told to stop twice: what a shell says of an interrupt.
const STOPPED: i32 = 130;

/// The output that is standard output.
const STREAM: &str = "-";

/// What is to be written, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(super) struct Asked {
    /// The recording's ID, as `list` shows it.
    id: RecordingId,
    /// What to write.
    #[arg(long, value_enum)]
    format: Format,
    /// The file to write, or - for standard output.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// One track, by its number, instead of all.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    track: Option<u16>,
    /// Only these tracks, by their numbers: 1,3
    #[arg(long, value_name = "NUMBERS")]
    tracks: Option<String>,
    /// Begin so many seconds after the session's start: 12.345
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    from: Option<String>,
    /// End so many seconds after the session's start.
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    to: Option<String>,
    /// Level the mix to this loudness: -16
    #[arg(long, value_name = "LUFS", allow_hyphen_values = true)]
    loudness: Option<String>,
    /// How many samples at 48 kHz a pixel of a waveform is: 480, 960 and so on
    #[arg(long, value_name = "NUMBER")]
    samples_per_pixel: Option<u64>,
    /// Take the place of a file that is there.
    #[arg(long)]
    force: bool,
}

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The mix, or a track, as Ogg Opus.
    Ogg,
    /// The same as WebM.
    Webm,
    /// The same as WAV.
    Wav,
    /// The same as FLAC.
    Flac,
    /// The mix and all tracks in one WebM file.
    Session,
    /// Every track as WAV, all from the session's start, with labels and a project for an editor.
    Zip,
    /// The peaks of the mix, or of a track, for whoever draws them: JSON, or binary where the file's name ends with .dat.
    Waveform,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("{0}")]
    Asked(&'static str),
    #[error("{} is there already; --force takes its place", .0.display())]
    There(PathBuf),
    #[error("{} is no plain file, and is left alone", .0.display())]
    NoFile(PathBuf),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl From<BadEdit> for Error {
    fn from(error: BadEdit) -> Self {
        Self::Export(error.into())
    }
}

impl Asked {
    /// Which file that is.
    fn edition(&self) -> Result<Edition, Error> {
        let of = match (self.format, self.track.map(TrackNumber::new)) {
            (Format::Ogg, track) => in_container(track, Container::Ogg),
            (Format::Webm, track) => in_container(track, Container::WebM),
            (Format::Wav, track) => in_container(track, Container::Wav),
            (Format::Flac, track) => in_container(track, Container::Flac),
            (Format::Session, None) => Derived::Session,
            (Format::Zip, None) => Derived::TracksZip,
            (Format::Waveform, track) => track.map_or(Derived::MixWaveform, Derived::Waveform),
            (Format::Session | Format::Zip, Some(_)) => {
                return Err(Error::Asked("session and zip are of several tracks: choose them by --tracks"));
            }
        };
        // Those of a span are read out of the whole.
        let (from, to) = if of.is_peaks() { (&None, &None) } else { (&self.from, &self.to) };
        let fields = [("tracks", &self.tracks), ("from", from), ("to", to), ("loudness", &self.loudness)];
        let mut chosen = fields.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
        if self.samples_per_pixel.is_some() && !of.is_peaks() {
            return Err(Error::Asked("--samples-per-pixel is of --format waveform"));
        }
        Ok(Edition { of, edit: chosen.try_fold(Edit::WHOLE, |edit, (key, value)| edit.with(key, value))? })
    }

    /// Which pixels, where it is a waveform.
    fn picture(&self) -> Result<Option<(Wanted, Layout)>, Error> {
        if self.format != Format::Waveform {
            return Ok(None);
        }
        let seconds = |given: &Option<String>| given.as_deref().map(str::parse::<f64>).transpose();
        let wrong = |_| Error::Asked("--from and --to are seconds from the recording's start");
        let (from, to) = (seconds(&self.from).map_err(wrong)?, seconds(&self.to).map_err(wrong)?);
        let binary = self.output.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("dat"));
        let layout = if binary { Layout::Dat } else { Layout::Json };
        Ok(Some((Wanted { samples_per_pixel: self.samples_per_pixel, from, to }, layout)))
    }
}

fn in_container(track: Option<TrackNumber>, container: Container) -> Derived {
    track.map_or(Derived::Mix(container), |track| Derived::Track(track, container))
}

/// Writes the file, and gives the exit status.
pub(super) async fn run(folder: &Path, asked: &Asked) -> Result<ExitCode, Error> {
    let (what, picture) = (asked.edition()?, asked.picture()?);
    let target = Target::of(asked, what.of)?;
    let mut export = match Export::find(folder, asked.id, what).await {
        Err(none @ (ExportError::NoRecording | ExportError::NoTrack)) => {
            eprintln!("roomtone: {none}: {} in {}", asked.id, folder.display());
            return Ok(ExitCode::from(DIFFERS));
        }
        found => found?,
    };
    // Before anything is begun that would be left.
    let mut stop = std::pin::pin!(stop_signal().map_err(|source| target.wrong(source))?);
    let (mut output, begun) = target.begin()?;
    let progress = export.progress();
    let mut shown = Share::new(&target.name());
    let mut writing = tokio::task::spawn_blocking(move || {
        // A hub may be running beside it.
        be_nice("an export");
        let written = match picture {
            Some((wanted, layout)) => export.write_picture(wanted, layout, &mut output),
            None => export.write(&mut output),
        };
        (export, written)
    });
    let mut told = false;
    let mut time = tokio::time::interval(SHOWN);
    let (mut export, written) = loop {
        tokio::select! {
            written = &mut writing => break written.map_err(|panic| ExportError::Failed(panic.to_string()))?,
            () = &mut stop => {
                if told {
                    // It hangs in a disk or in whoever reads it, and no thread can be taken out of that.
                    drop(begun);
                    std::process::exit(STOPPED);
                }
                told = true;
                progress.stop();
                stop.set(stop_signal().map_err(|source| target.wrong(source))?);
            }
            _ = time.tick() => shown.show(progress.share()),
        }
    };
    shown.end();
    let Exported { bytes, damaged } = written?;
    export.is_still_there().await?;
    if let Some(begun) = begun {
        target.finish(begun)?;
        // Whoever does not listen has the file nevertheless.
        let _ = writeln!(io::stdout(), "{}: {bytes} bytes", printable(&target.name()));
    }
    if damaged {
        let name = target.name();
        eprintln!(
            "roomtone: some of the sound cannot be read any more, and is missing or silent in {}",
            printable(&name)
        );
    }
    Ok(if damaged { ExitCode::from(DIFFERS) } else { ExitCode::SUCCESS })
}

/// Where the file is to be when it is whole.
enum Target {
    File { path: PathBuf, force: bool },
    Stream,
}

impl Target {
    /// Looks whether it may be there.
    fn of(asked: &Asked, what: Derived) -> Result<Self, Error> {
        if asked.output == Path::new(STREAM) {
            if !streams(what) {
                return Err(Error::Asked(
                    "this is written at its beginning again when its end is known: it needs a file",
                ));
            }
            if io::stdout().is_terminal() {
                return Err(Error::Asked("this is no text, and standard output is a terminal"));
            }
            return Ok(Self::Stream);
        }
        let path = asked.output.clone();
        match fs::symlink_metadata(&path) {
            Ok(there) if !there.is_file() => Err(Error::NoFile(path)),
            Ok(_) if !asked.force => Err(Error::There(path)),
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Write { path, source }),
            _ => Ok(Self::File { path, force: asked.force }),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Stream => "standard output".to_owned(),
        }
    }

    /// Begins it under another name, which goes where it is not finished.
    fn begin(&self) -> Result<(Output, Option<NamedTempFile>), Error> {
        let Self::File { path, .. } = self else { return Ok((Output::Stream(Box::new(io::stdout())), None)) };
        let mut new = tempfile::Builder::new();
        new.prefix(".roomtone-").suffix(".part");
        // As whoever runs this makes files: not only for themselves.
        #[cfg(unix)]
        new.permissions(fs::Permissions::from_mode(0o666));
        let begun = new.tempfile_in(folder_of(path)).map_err(|source| self.wrong(source))?;
        let file = begun.reopen().map_err(|source| self.wrong(source))?;
        Ok((Output::File(file, path.clone()), Some(begun)))
    }

    /// Puts it in its place.
    fn finish(&self, begun: NamedTempFile) -> Result<(), Error> {
        let Self::File { path, force } = self else { return Ok(()) };
        begun.as_file().sync_all().map_err(|source| self.wrong(source))?;
        let put = if *force { begun.persist(path) } else { begun.persist_noclobber(path) };
        match put {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(Error::There(path.clone())),
            put => put.map_err(|error| self.wrong(error.error)).map(drop),
        }?;
        File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(|source| self.wrong(source))
    }

    fn wrong(&self, source: io::Error) -> Error {
        Error::Write { path: self.name().into(), source }
    }
}
