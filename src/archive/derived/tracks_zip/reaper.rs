//! `session.rpp`: a project of Reaper, plain text, with each file on a track of its own, all from the beginning, and a marker
//! for what was written or marked.
//!
//! What belongs here: the fewest lines of a project that Reaper opens. What does not: what happened when (`contents`).
//!
//! Reaper has its format in no specification: a block is `<NAME …` to `>`, a line a name and its values, a text is quoted by
//! whichever of `"`, `'` and `` ` `` it does not hold. What is left out has Reaper's own default.

use super::contents::Contents;
use super::labels::{one_line, seconds};

/// The file.
pub fn project(contents: &Contents<'_>) -> String {
    let started = contents.recording.summary.started.get().div_euclid(1000);
    let mut lines = vec![
        format!("<REAPER_PROJECT 0.1 \"6.0\" {started}"),
        format!("  TITLE {}", quoted(contents.title())),
        "  SAMPLERATE 48000 1 0".to_owned(),
    ];
    let chat = contents.chat().map(|(at, line)| (at, Contents::wrote(line)));
    let marked = contents.markers().map(|(at, marker)| (at, marker.title().to_owned()));
    let mut points: Vec<_> = chat.chain(marked).collect();
    points.sort();
    for (number, (at, text)) in (1..).zip(points) {
        lines.push(format!("  MARKER {number} {} {} 0", seconds(at), quoted(&text)));
    }
    let length = seconds(contents.length());
    for file in &contents.files {
        let name = quoted(&file.name);
        lines.extend([
            "  <TRACK".to_owned(),
            format!("    NAME {}", quoted(file.track.name.as_str())),
            "    <ITEM".to_owned(),
            "      POSITION 0".to_owned(),
            format!("      LENGTH {length}"),
            "      LOOP 0".to_owned(),
            format!("      NAME {name}"),
            "      <SOURCE WAVE".to_owned(),
            format!("        FILE {name}"),
            "      >".to_owned(),
            "    >".to_owned(),
            "  >".to_owned(),
        ]);
    }
    lines.push(">\n".to_owned());
    lines.join("\n")
}

/// A text in the quotes that it does not hold; where it holds all of them, it loses one kind.
fn quoted(text: &str) -> String {
    let text = one_line(text);
    match ['"', '\'', '`'].into_iter().find(|quote| !text.contains(*quote)) {
        Some(quote) => format!("{quote}{text}{quote}"),
        None => format!("`{}`", text.replace('`', "'")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::contents::tests::{contents, recording};
    use super::*;

    #[test]
    fn each_file_is_on_a_track_of_its_own_from_the_beginning() {
        let recording = recording();
        let project = project(&contents(&recording, 5..10));
        let lines: Vec<_> = project.lines().map(str::trim).collect();
        assert_eq!(lines[..2], ["<REAPER_PROJECT 0.1 \"6.0\" 1795339680", "TITLE 'The \"first\" one'"]);
        assert_eq!(lines[3], "MARKER 1 0.250000 \"Ann wrote: a link: https://example.org\" 0");
        assert_eq!(lines[4], "MARKER 2 0.500000 'The \"news\"' 0");
        let found = |line: &str| lines.iter().filter(|one| **one == line).count();
        assert_eq!((found("<TRACK"), found("POSITION 0"), found("LENGTH 5.000000")), (2, 2, 2));
        assert_eq!((found("FILE \"01 Ann.wav\""), found("FILE \"02 Ben.wav\"")), (1, 1));
        let opened = lines.iter().filter(|line| line.starts_with('<')).count();
        assert_eq!((opened, found(">")), (7, 7), "every block that is opened is closed");
    }

    #[test]
    fn no_text_ends_its_own_quotes() {
        assert_eq!(quoted("a"), "\"a\"");
        assert_eq!(quoted("a \"b\""), "'a \"b\"'");
        assert_eq!(quoted("\"it's\""), "`\"it's\"`");
        assert_eq!(quoted("\"'`"), "`\"''`");
        assert_eq!(quoted("a\n>\nb"), "\"a > b\"");
    }
}
