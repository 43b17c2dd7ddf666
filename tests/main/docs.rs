//! What the documents say, held against what is so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use roomtone::archive::model::{RecordingId, State, Summary};
use roomtone::edge::events::Event;
use roomtone::hub::room::Description;
use roomtone::media::marker::MarkerId;
use roomtone::media::packet::Sequence;
use roomtone::media::source::Codec;
use roomtone::media::time::{Ticks, UnixMillis};
use roomtone::media::track::{Format, TrackNumber};
use roomtone::media::{opus, pcm};
use roomtone::wire::packets;
use roomtone::wire::v1::{
    FromClient, Marker, Notice, Participant, Present, PublishedFormat, Replaying, Session, Source, Track,
};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::helpers::capture::{assert_same, data, heard};
use crate::helpers::files::{root, rust_files};
use crate::helpers::{Capture, Hub};

const EXAMPLES: &str = "tests/interop/examples";

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn readme() -> String {
    read("README.md")
}

/// What stands between this heading of the README and the next.
fn section<'a>(readme: &'a str, heading: &str) -> &'a str {
    let heading = format!("\n{heading}\n");
    let (_, rest) = readme.split_once(&heading).unwrap_or_else(|| panic!("the README has no{heading}"));
    rest.find("\n#").map_or(rest, |end| &rest[..end])
}

/// The rows of the first table of a section, cell by cell, without its head.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let table = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.skip(2).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// A table of names and their fields.
fn table(heading: &str) -> BTreeMap<String, BTreeSet<String>> {
    let readme = readme();
    let rows = rows(section(&readme, heading));
    let named = |cells: &Vec<&str>| {
        let name = cells[0].trim_matches('`').to_owned();
        (name, quoted(cells[1]).into_iter().map(str::to_owned).collect())
    };
    let table: BTreeMap<_, _> = rows.iter().map(named).collect();
    assert_eq!(table.len(), rows.len(), "a name stands twice under {heading}");
    table
}

/// The fields of a value in JSON.
fn fields(value: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(value).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

/// Makes one example of each variant, with all of its fields: a variant or a field that is missing does not compile.
macro_rules! one_of_each {
    ($type:ident: $($variant:ident { $($field:ident: $value:expr),* $(,)? }),* $(,)? $(; $none:ident)?) => {{
        fn _all_are_here(one: &$type) {
            match one {
                $($type::$variant { .. } => {})*
                $($type::$none => {})?
            }
        }
        vec![$($type::$variant { $($field: $value),* }),*]
    }};
}

const HEAD: opus::Head = opus::Head { channels: 2, pre_skip: 312, input_rate: 48_000, output_gain: 0 };

fn pcm_head() -> pcm::Head {
    pcm::Head::new(pcm::Sample::S24, 44_100, 2).unwrap()
}

fn ann() -> Participant {
    Participant { id: Uuid::nil(), name: "Ann".parse().unwrap() }
}

fn track() -> Track {
    Track::new(TrackNumber::new(1), Uuid::nil(), &Format::Pcm(pcm_head()), Codec::Flac, false)
}

fn session() -> Session {
    Session { recording: Uuid::nil(), elapsed: 1.5 }
}

fn marker() -> Marker {
    let (id, name, text) = (MarkerId::new([0; 16]), Some(ann().name), "The news".parse().unwrap());
    Marker { id, at: 12.5, name, text }
}

fn every_notice() -> Vec<Notice> {
    let (number, next) = (TrackNumber::new(1), Sequence::new(9));
    let ranges = || vec![(Sequence::new(12), Sequence::new(15))];
    let (code, message) = (|| "word".to_owned(), || "A sentence.".to_owned());
    one_of_each!(Notice:
        Welcome {
            participant: ann(),
            room: "studio".parse().unwrap(),
            participants: vec![ann()],
            listeners: 2,
            tracks: vec![track()],
            session: Some(session()),
        },
        Joined { participant: ann() },
        Left { participant: Uuid::nil() },
        Listeners { count: 3 },
        Track { track: track() },
        TrackEnded { track: number },
        Muted { track: number, muted: true },
        Session { session: Some(session()) },
        Chat { participant: ann(), text: message() },
        Marker { marker: marker() },
        Published { track: 7, number: number },
        Received { track: 7, next: next, ranges: ranges() },
        Durable { track: 7, next: next, ranges: ranges() },
        Lag { skipped_ticks: Ticks::new(960), messages: 1 },
        Health { recording: false, reason: Some(message()) },
        Replay {
            state: Replaying::Playing,
            at: 12.5,
            duration: 60.0,
            present: Some(Present { participants: vec![ann()], tracks: vec![track()] }),
            seek: 1,
        },
        Warning { code: code(), message: message() },
        Error { code: code(), message: message() },
        Pong { time: 5, session_ticks: Some(Ticks::new(48_000)) },
    )
}

fn published() -> PublishedFormat {
    PublishedFormat::Opus { channels: 1, pre_skip: 312, input_rate: 44_100 }
}

fn plain_samples() -> PublishedFormat {
    PublishedFormat::Pcm { sample: "s24le".to_owned(), rate: 44_100, channels: 2 }
}

fn every_word_of_a_client() -> Vec<FromClient> {
    one_of_each!(FromClient:
        Publish { track: 7, source: Source::Packets { format: published() } },
        Unpublish { track: 7 },
        Mute { track: 7, muted: true },
        Chat { text: "hello".to_owned() },
        Marker { text: "hello".to_owned(), at: None },
        Ping { time: 5 },
        Seek { at: 12.5 },
        Pause {},
        Play {};
        Unknown
    )
}

#[test]
fn the_readme_has_every_message_of_the_hub_with_its_fields_and_no_other() {
    let said = every_notice().into_iter().map(|notice| {
        let mut fields = fields(&notice);
        assert!(fields.remove("type"));
        (serde_json::to_value(&notice).unwrap()["type"].as_str().unwrap().to_owned(), fields)
    });
    assert_eq!(table("### What the hub says"), said.collect());
}

#[test]
fn the_readme_has_every_event_with_its_fields_and_no_other() {
    let room = Description {
        name: "studio".parse().unwrap(),
        participants: vec![ann()],
        listeners: 2,
        tracks: vec![track()],
        session: Some(session()),
    };
    let now = UnixMillis::new(1_800_000_000_000);
    let recording = Summary {
        id: RecordingId::new(now, [0; 10]),
        room: room.name.clone(),
        title: None,
        keep: false,
        published: None,
        started: now,
        ended: None,
        state: State::Live,
        length: Ticks::ZERO,
        bytes: 0,
        people: Vec::new(),
        tracks: 1,
    };
    let id = recording.id;
    let events = one_of_each!(Event:
        State { rooms: std::slice::from_ref(&room) },
        Room { room: &room },
        RoomGone { name: &room.name },
        Recording { recording: Box::new(recording.into()) },
        RecordingDeleted { id: id },
        Alive {},
    );
    let told = events.iter().map(|event| {
        let mut fields = fields(event);
        assert!(fields.remove("type"));
        (serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned(), fields)
    });
    assert_eq!(table("## Events"), told.collect());
}

#[test]
fn the_readme_has_every_message_of_a_client_with_its_fields_and_no_other() {
    // What a client says is only ever read: its fields are those without which it cannot be.
    let example = |field: &str| match field {
        "track" => Value::from(7),
        "source" => Value::from("packets"),
        "format" => serde_json::to_value(published()).unwrap(),
        "muted" => Value::from(true),
        "text" => Value::from("hello"),
        "time" => Value::from(5),
        "at" => Value::from(12.5),
        other => panic!("{other} is a field of no message"),
    };
    let table = table("### What a client says");
    let mut read = Vec::new();
    for (name, fields) in &table {
        let mut message: serde_json::Map<_, _> = fields.iter().map(|field| (field.clone(), example(field))).collect();
        message.insert("type".to_owned(), Value::from(name.as_str()));
        let text = |message: &serde_json::Map<_, _>| serde_json::to_string(message).unwrap();
        read.push(FromClient::from_json(&text(&message)).unwrap_or_else(|error| panic!("{name}: {error}")));
        for field in fields {
            let mut less = message.clone();
            less.remove(field);
            assert!(FromClient::from_json(&text(&less)).is_err(), "{name} can do without {field}");
        }
    }
    let every = every_word_of_a_client();
    for one in &every {
        assert!(read.contains(one), "the README has no {one:?}");
    }
    assert_eq!(read.len(), every.len(), "the README has more than there is");
    let containers = [
        (r#"{"type":"publish","track":7,"source":"container"}"#, None),
        (r#"{"type":"publish","track":7,"source":"container","format":{"codec":"mp3"}}"#, Some(PublishedFormat::Mp3)),
    ];
    for (text, format) in containers {
        let source = Source::Container { format };
        assert_eq!(FromClient::from_json(text).unwrap(), FromClient::Publish { track: 7, source });
    }
}

#[test]
fn the_readme_has_what_stands_in_the_fields() {
    let objects = [
        ("participant", fields(&ann())),
        ("tracks", fields(&track())),
        ("session", fields(&session())),
        ("format", fields(&Format::Opus(HEAD))),
        ("pcm", fields(&pcm_head())),
    ];
    let objects = objects.into_iter().map(|(name, fields)| (name.to_owned(), fields));
    assert_eq!(table("### What stands in the fields"), objects.collect());
    assert!(fields(&published()).is_subset(&fields(&Format::Opus(HEAD))));
    let declared = [("opus", published()), ("pcm", plain_samples()), ("mp3", PublishedFormat::Mp3)];
    let declared = declared.map(|(name, format)| (name.to_owned(), fields(&format)));
    assert_eq!(table("### What a publisher declares"), declared.into());
}

#[test]
fn the_readme_has_the_header_of_binary_messages() {
    let readme = readme();
    let rows = rows(section(&readme, "### Binary messages"));
    let flags = packets::Flags { discontinuity: true, backlog: true };
    let mut message = bytes::BytesMut::new();
    packets::write(&mut message, 0x0203, flags, Sequence::new(0x0405), Ticks::new(0x0607), [&b"packet"[..]]);
    let mut at = 0;
    let mut said = Vec::new();
    for row in &rows {
        let bytes: usize = row[0].parse().unwrap();
        let value = message[at..at + bytes].iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        said.push((row[1], value));
        at += bytes;
    }
    assert_eq!(at, packets::HEADER);
    let expected = [("kind", 1), ("flags", 1 | 2), ("track", 0x0203), ("sequence number", 0x0405), ("time", 0x0607)];
    assert_eq!(said, expected);
    assert_eq!(message[at..], *b"\0\x06packet");
}

#[test]
fn the_readme_has_every_option_by_its_three_names() {
    let help = Command::new(env!("CARGO_BIN_EXE_roomtone")).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let words: Vec<&str> = help.split(|char: char| !char.is_ascii_alphanumeric() && !"-_".contains(char)).collect();
    let begin_with = |begin: &str| -> BTreeSet<&str> {
        words.iter().copied().filter(|word| word.starts_with(begin) && *word != "--help").collect()
    };
    // A key that is none is answered with those that are.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "nonsense = 1").unwrap();
    let refused = Hub::refuses(folder.path(), &["--config", file.to_str().unwrap()]).errors;
    let (_, keys) = refused.split_once("expected one of").unwrap_or_else(|| panic!("{refused}"));
    let keys: BTreeSet<&str> = quoted(keys).into_iter().collect();

    let readme = readme();
    let rows = rows(section(&readme, "## Options"));
    let column = |column: usize| -> BTreeSet<&str> { rows.iter().flat_map(|row| quoted(row[column])).collect() };
    assert_eq!(column(0), begin_with("--"));
    assert_eq!(column(1), begin_with("ROOMTONE_"));
    assert_eq!(column(2), keys);
}

#[test]
fn the_scripts_in_the_readme_are_the_files_that_they_name_and_every_example_is_shown() {
    let readme = readme();
    let mut shown = BTreeSet::new();
    for fence in ["\n```js\n", "\n```python\n", "\n```sh\n", "\n```html\n"] {
        for (before, block) in readme.match_indices(fence).map(|(at, _)| readme.split_at(at)) {
            // The file is named in the line before its text.
            let name = quoted(before.lines().rfind(|line| !line.is_empty()).unwrap())[0];
            let text = block.strip_prefix(fence).unwrap();
            let text = &text[..=text.find("\n```").unwrap()];
            assert_eq!(text, read(name), "{name}");
            shown.insert(root().join(name));
        }
    }
    for entry in std::fs::read_dir(root().join(EXAMPLES)).unwrap() {
        let path = entry.unwrap().path();
        assert!(shown.contains(&path), "{} is not shown", path.display());
    }
}

/// One of the scripts in Node.
fn node(script: &str, address: &str) -> Command {
    let modules = root().join("tests/node_modules/ws");
    assert!(modules.exists(), "{} is missing: run tests/run, or npm ci in tests/", modules.display());
    let mut node = Command::new("node");
    node.arg(root().join(EXAMPLES).join(script)).arg(address).stderr(Stdio::piped());
    node
}

#[tokio::test]
async fn what_one_script_publishes_the_other_hears() {
    let hub = Hub::start();
    let address = format!("ws://{}/rooms/tour/ws", hub.address);
    let capture = Capture::new("chromium-webm-opus");
    let folder = tempfile::tempdir().unwrap();
    let (said, heard_file) = (folder.path().join("said.webm"), folder.path().join("heard.webm"));
    std::fs::write(&said, capture.whole()).unwrap();

    let listener = node("listen.mjs", &format!("{address}?publish=false&preroll=0"))
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&heard_file).unwrap())
        .spawn()
        .unwrap();
    hub.until("/api/v1/rooms", |rooms| rooms["rooms"][0]["listeners"] == 1).await;
    let publisher = node("publish.mjs", &format!("{address}?name=Script"))
        .stdin(std::fs::File::open(&said).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let recording = hub.ended("tour").await;
    assert_eq!(recording["tracks"][0]["name"], "Script");
    let published = publisher.wait_with_output().unwrap();
    assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));

    hub.signal("TERM");
    let listened = listener.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&listened.stderr);
    assert!(listened.status.success() && words.contains("closed: 1001"), "{words}");
    let sent = data(&capture.packets());
    let mut all = heard(&std::fs::read(heard_file).unwrap());
    // A last lone packet has silence for company.
    all.truncate(sent.len());
    assert_same(&all, &sent);
}

/// What in a text is the path of a file or folder of ours, from the root.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const FOLDERS: [&str; 5] = ["src/", "tests/", "benches/", "migrations/", ".ci/"];
    let separates = |char: char| !char.is_ascii_alphanumeric() && !"/._-".contains(char);
    let ours = |word: &&str| FOLDERS.iter().any(|folder| word.starts_with(folder));
    text.split(separates).filter(ours).map(|word| word.trim_end_matches(['.', '/']))
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let mut missing = Vec::new();
    let mut named = 0;
    let mut sources = Vec::new();
    for folder in ["src", "tests/main", "benches"] {
        sources.extend(rust_files(&root().join(folder)));
    }
    let documents = ["README.md", "Cargo.toml", "tests/run", "tests/captures/README.md"].map(|name| root().join(name));
    for path in documents.iter().chain(&sources) {
        let text = read(path);
        let is_code = path.extension().is_some_and(|extension| extension == "rs");
        let lines = text.lines().filter(|line| !is_code || line.trim_start().starts_with("//"));
        for line in lines {
            for name in paths(line) {
                named += 1;
                // What an installation brings is not there before it.
                let installed = name.contains("node_modules") || name.starts_with("tests/venv");
                if !installed && !root().join(name).exists() {
                    missing.push(format!("{} names {name}", path.display()));
                }
            }
            // A module names those beside it by their file.
            for name in quoted(line).into_iter().filter(|name| is_code && name.ends_with(".rs") && !name.contains('/'))
            {
                named += 1;
                if !path.with_file_name(name).exists() {
                    missing.push(format!("{} names {name}", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named > 60, "only {named} paths were found");
}
