//! How far a command is: a bar where someone looks at a terminal, plain lines elsewhere, and nothing of it among what it prints.

use std::process::{Command, Output, Stdio};

use crate::helpers::shelf::Shelf;

/// Runs a command with a terminal of its own as its standard error, and gives what is drawn there as that of this program.
const ON_A_TERMINAL: &str = "
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stderr=theirs)
os.close(theirs)
while True:
    try:
        drawn = os.read(ours, 65536)
    except OSError:
        break # Nobody has the other end any more.
    sys.stderr.buffer.write(drawn)
sys.exit(child.wait())
";

/// What moves a terminal to the line above.
const UP: &str = "\u{1b}[1A";

/// What a command prints, and what it shows meanwhile.
struct Ran {
    printed: String,
    shown: String,
}

fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { printed: text(stdout), shown: text(stderr) };
    assert!(status.success(), "{command:?}: {}{}", ran.printed, ran.shown);
    assert!(is_plain(&ran.printed), "{:?}", ran.printed);
    ran
}

fn elsewhere(words: &[&str]) -> Ran {
    ran(Command::new(env!("CARGO_BIN_EXE_roomtone")).args(words))
}

fn on_a_terminal(words: &[&str]) -> Ran {
    let mut python = Command::new("python3");
    python.args(["-c", ON_A_TERMINAL, env!("CARGO_BIN_EXE_roomtone")]).args(words).env("TERM", "xterm");
    ran(&mut python)
}

/// Whether a text does nothing to a terminal.
fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| letter == '\n' || !letter.is_control())
}

/// Whether a bar was drawn, in one line, with these words beside it, and taken away at the end.
fn is_bar(shown: &str, words: &str) -> bool {
    let drawn = shown.split(['\r', '\n']).any(|line| line.contains(['█', '░']) && line.contains(words));
    drawn && !shown.contains(UP) && shown.trim_end_matches(['\r', '\n']).ends_with("\u{1b}[2K")
}

#[tokio::test]
async fn a_check_draws_a_bar_on_a_terminal_and_says_plain_lines_elsewhere() {
    let shelf = Shelf::new().await;
    shelf.record("talk", 1, 1).await;
    shelf.record("studio", 1, 1).await;
    let hub = shelf.hub(&[]).await;
    let recordings = hub.recordings();
    let words = ["check", "--recordings", recordings.to_str().unwrap()];
    let (here, there) = (on_a_terminal(&words), elsewhere(&words));
    assert!(is_bar(&here.shown, "of 2 recordings"), "{:?}", here.shown);
    assert!(is_plain(&there.shown) && there.shown.contains(": 2 recordings, "), "{:?}", there.shown);
    assert_eq!((&*here.printed, &*there.printed), ("2 recordings: index and disk agree.\n", &*here.printed));
}

#[tokio::test]
async fn an_export_draws_a_bar_on_a_terminal_and_says_plain_lines_elsewhere() {
    let shelf = Shelf::new().await;
    let id = shelf.record("talk", 2, 2).await.to_string();
    let hub = shelf.hub(&[]).await;
    let recordings = hub.recordings();
    // Longer than a terminal's line.
    let folder = tempfile::Builder::new().prefix(&"long".repeat(30)).tempdir().unwrap();
    let exported = |run: fn(&[&str]) -> Ran, name: &str| {
        let (recordings, file) = (recordings.to_str().unwrap(), folder.path().join(name));
        let output = file.to_str().unwrap();
        let ran = run(&["export", &id, "--recordings", recordings, "--format", "wav", "--output", output]);
        assert!(ran.printed.starts_with(&format!("{output}: ")), "{}", ran.printed);
        (ran.shown, std::fs::read(file).unwrap())
    };
    let (here, there) = (exported(on_a_terminal, "here.wav"), exported(elsewhere, "there.wav"));
    assert!(is_bar(&here.0, " left: "), "{:?}", here.0);
    // Where it takes long it says so, now and then.
    assert!(is_plain(&there.0) && !there.0.contains(['█', '░']), "{:?}", there.0);
    assert!(here.1 == there.1, "what is shown changes nothing");
}
