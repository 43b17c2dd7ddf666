//! `labels.txt`: a label track as Audacity reads it ("Importing and Exporting Labels" in its manual): who spoke when, what
//! was written and marked.
//!
//! What belongs here: one line for each. What does not: what happened when (`contents`).
//!
//! A line is the beginning and the end in seconds and the text, with a tab between them. Where both are the same it is a point.

use super::contents::Contents;
use crate::media::time::Ticks;

/// The file.
pub fn labels(contents: &Contents<'_>) -> String {
    let speech = contents
        .files
        .iter()
        .flat_map(|file| file.speech.iter().map(|run| (run.start, run.end, one_line(file.track.name.as_str()))));
    let chat = contents.chat().map(|(at, line)| (at, at, one_line(&Contents::wrote(line))));
    let marked = contents.markers().map(|(at, marker)| (at, at, one_line(marker.title())));
    let mut all: Vec<_> = speech.chain(chat).chain(marked).collect();
    all.sort();
    all.iter().map(|(from, to, text)| format!("{}\t{}\t{text}\n", seconds(*from), seconds(*to))).collect()
}

/// A time as a number of seconds, to the microsecond below.
pub(super) fn seconds(time: Ticks) -> String {
    let micros = time.as_duration().as_micros();
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// A text on one line, without what would end it or a field of it.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split(|char: char| char.is_whitespace() || char.is_control()).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::contents::tests::{contents, recording};
    use super::*;

    #[test]
    fn who_speaks_is_a_range_and_what_is_written_a_point() {
        let recording = recording();
        let expected = "0.000000\t4.000000\tAnn\n\
                        4.000000\t6.000000\tBen\n\
                        5.250000\t5.250000\tAnn wrote: a link: https://example.org\n\
                        5.500000\t5.500000\tThe \"news\"\n\
                        11.000000\t11.000000\tBen wrote: bye\n";
        assert_eq!(labels(&contents(&recording, 0..10)), expected);
    }

    #[test]
    fn a_time_has_six_places_and_is_never_later() {
        assert_eq!(seconds(Ticks::ZERO), "0.000000");
        assert_eq!(seconds(Ticks::new(1)), "0.000020");
        assert_eq!(seconds(Ticks::new(48_000 * 10_800 - 1)), "10799.999979");
    }

    #[test]
    fn no_text_makes_a_line_of_its_own() {
        assert_eq!(one_line("a\r\n\tb\u{2028}c \u{1b}[1m"), "a b c [1m");
        assert_eq!(one_line(" \n"), "");
    }
}
