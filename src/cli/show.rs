//! How things are shown: a table of recordings, and how far something is: a bar on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::archive::check::printable;
use crate::archive::model::{State, Summary};
use crate::media::time::Ticks;

/// How long it is quiet, where there is no terminal, before it is said again how far it is.
const QUIET: Duration = Duration::from_secs(5);

/// A table of recordings: a line each, whose columns are as wide as the first page needs.
pub(super) struct Table {
    room: usize,
}

impl Table {
    pub fn fitting(recordings: &[Summary]) -> Self {
        let widest = recordings.iter().map(|recording| recording.room.as_str().len()).max();
        Self { room: widest.unwrap_or(0).max("ROOM".len()) }
    }

    pub fn head(&self) -> String {
        self.line("ID", "STARTED (UTC)", "ROOM", "LENGTH", "SIZE", "STATE", "TITLE")
    }

    pub fn row(&self, recording: &Summary) -> String {
        let started = recording.started.to_rfc3339();
        let started = started.get(..19).unwrap_or(&started).replace('T', " ");
        let state = match recording.state {
            State::Ended(reason) => reason.word(),
            state => state.word(),
        };
        let title = printable(recording.title.as_deref().unwrap_or_default());
        let (length, size) = (clock(recording.length), HumanBytes(recording.bytes).to_string());
        self.line(&recording.id.to_string(), &started, recording.room.as_str(), &length, &size, state, &title)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as there are columns")]
    fn line(&self, id: &str, started: &str, room: &str, length: &str, size: &str, state: &str, title: &str) -> String {
        let width = self.room;
        let line = format!("{id:36}  {started:19}  {room:width$}  {length:>9}  {size:>10}  {state:9}  {title}");
        line.trim_end().to_owned()
    }
}

/// Hours, minutes and seconds, as a clock has them.
fn clock(length: Ticks) -> String {
    let seconds = length.as_millis() / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A bar before these figures and a message, which is cut where the line is full: one that wraps would not be one line any more.
fn bar_before(figures: &str) -> ProgressStyle {
    ProgressStyle::with_template(&format!("{{bar:20}} {figures}{{wide_msg}}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How far a look through recordings is. Nothing of it goes to standard output.
pub(super) struct Progress {
    folder: String,
    /// `None` where there is no terminal.
    bar: Option<ProgressBar>,
    recordings: (u64, u64),
    bytes: (u64, u64),
    said: Instant,
}

impl Progress {
    pub fn new(folder: &Path) -> Self {
        let style = bar_before("{bytes} of {total_bytes}, {eta} left: ");
        let terminal = io::stderr().is_terminal();
        let bar = terminal.then(|| ProgressBar::new(0).with_style(style));
        Self { folder: folder.display().to_string(), bar, recordings: (0, 0), bytes: (0, 0), said: Instant::now() }
    }

    /// There is so much to do.
    pub fn begin(&mut self, recordings: u64, bytes: u64) {
        (self.recordings, self.bytes) = ((0, recordings), (0, bytes));
        match &self.bar {
            Some(bar) => {
                self.message();
                bar.set_length(bytes);
            }
            None => eprintln!("{}: {recordings} recordings, {} to read", printable(&self.folder), HumanBytes(bytes)),
        }
    }

    /// So many bytes more were read.
    pub fn read(&mut self, bytes: u64) {
        self.bytes.0 += bytes;
        match &self.bar {
            // A live recording grows.
            Some(bar) => bar.set_position(self.bytes.0.min(self.bytes.1)),
            None if self.said.elapsed() >= QUIET => {
                self.said = Instant::now();
                let ((done, recordings), (read, bytes)) = (self.recordings, self.bytes);
                eprintln!("{done} of {recordings} recordings, {} of {}", HumanBytes(read), HumanBytes(bytes));
            }
            None => {}
        }
    }

    /// A recording is done with.
    pub fn looked(&mut self) {
        self.recordings.0 += 1;
        self.message();
    }

    fn message(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} of {} recordings", self.recordings.0, self.recordings.1));
        }
    }

    /// Prints a line to standard output, without spoiling the bar.
    pub fn print(&self, line: &str) -> io::Result<()> {
        let print = || writeln!(io::stdout(), "{line}");
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How far the making of one file is. Nothing of it goes to standard output.
pub(super) struct Share {
    name: String,
    /// `None` where there is no terminal.
    bar: Option<ProgressBar>,
    said: Instant,
}

/// How many steps a whole bar has.
const STEPS: u64 = 10_000;

impl Share {
    pub fn new(name: &str) -> Self {
        let style = bar_before("{percent} %, {eta} left: ");
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(STEPS).with_style(style);
            bar.with_message(printable(name))
        });
        Self { name: printable(name), bar, said: Instant::now() }
    }

    /// It is so far, from 0 to 1.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
    pub fn show(&mut self, share: f64) {
        match &self.bar {
            Some(bar) => bar.set_position((share * STEPS as f64) as u64),
            None if self.said.elapsed() >= QUIET => {
                self.said = Instant::now();
                eprintln!("{}: {:.0} %", self.name, share * 100.0);
            }
            None => {}
        }
    }

    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::model::{EndReason, RecordingId};
    use crate::media::time::UnixMillis;

    #[test]
    fn a_row_stands_under_its_head_and_does_nothing_to_a_terminal() {
        let started = UnixMillis::from_rfc3339("2026-11-22T09:28:00Z").unwrap();
        let recording = Summary {
            id: RecordingId::new(started, [7; 10]),
            room: "a-long-name".parse().unwrap(),
            title: Some("Red \u{1b}[31malert".to_owned()),
            keep: false,
            published: None,
            started,
            ended: Some(started),
            state: State::Ended(EndReason::DiskFull),
            length: Ticks::from_secs(3661),
            bytes: 1536,
            people: Vec::new(),
            tracks: 1,
        };
        let table = Table::fitting(std::slice::from_ref(&recording));
        let (head, row) = (table.head(), table.row(&recording));
        for (column, value) in
            [("STARTED", "2026-11-22 09:28:00"), ("ROOM", "a-long-name"), ("STATE", "disk_full"), ("TITLE", "Red ")]
        {
            assert_eq!(head.find(column), row.find(value), "{head}\n{row}");
        }
        for (column, value) in [("LENGTH", "1:01:01"), ("SIZE", "1.50 KiB")] {
            let end = |line: &str, text: &str| line.find(text).map(|at| at + text.len());
            assert_eq!(end(&head, column), end(&row, value), "{head}\n{row}");
        }
        assert!(!row.contains('\u{1b}'));
    }
}
