//! `roomtone export` beside a hub that runs: what it writes is what can be downloaded, or nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reqwest::StatusCode;
use tempfile::TempDir;

use crate::helpers::hub::PATIENCE;
use crate::helpers::judge::run;
use crate::helpers::shelf::{Shelf, names};
use crate::helpers::{Client, Hub};

pub(super) fn command(recordings: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomtone"));
    command.arg("export").arg("--recordings").arg(recordings).args(arguments).stdin(Stdio::null());
    command
}

fn export(hub: &Hub, arguments: &[&str]) -> Output {
    command(&hub.recordings(), arguments).output().unwrap()
}

/// What an export says that does not write a file, and its exit status.
fn refused(hub: &Hub, arguments: &[&str]) -> (String, i32) {
    let output = export(hub, arguments);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    (String::from_utf8(output.stderr).unwrap(), output.status.code().unwrap())
}

/// A file, once it is made.
async fn download(hub: &Hub, path: &str) -> Vec<u8> {
    let asked = async {
        loop {
            let response = hub.get(path).await;
            match response.status() {
                StatusCode::OK => return response.bytes().await.unwrap().to_vec(),
                StatusCode::ACCEPTED => tokio::time::sleep(Duration::from_millis(20)).await,
                other => panic!("{path}: {other}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{path} is never made"))
}

#[tokio::test]
async fn what_is_exported_is_what_is_downloaded_to_the_byte() {
    let shelf = Shelf::new().await;
    // Two tracks of Opus and one of plain samples, each in two parts.
    let id = shelf.record_in_parts("talk", 4).await.to_string();
    let hub = shelf.hub(&[]).await;
    let folder = TempDir::new().unwrap();
    let cases: [(&str, &[&str]); 17] = [
        ("mix.ogg", &["--format", "ogg"]),
        ("mix.webm", &["--format", "webm"]),
        ("mix.wav", &["--format", "wav"]),
        ("mix.flac?loudness=-20", &["--format", "flac", "--loudness", "-20"]),
        ("session.webm", &["--format", "session"]),
        ("tracks.zip", &["--format", "zip"]),
        ("tracks/1.ogg", &["--format", "ogg", "--track", "1"]),
        ("tracks/1.wav", &["--format", "wav", "--track", "1"]),
        ("tracks/3.wav", &["--format", "wav", "--track", "3"]),
        ("tracks/3.ogg", &["--format", "ogg", "--track", "3"]),
        // What comes to the whole is what was kept.
        ("tracks/3.wav?from=0", &["--format", "wav", "--track", "3", "--from", "0"]),
        (
            "tracks.zip?tracks=1,3&from=0.5&to=2.25",
            &["--format", "zip", "--tracks", "3,1", "--from", "0.50", "--to", "2.25"],
        ),
        ("session.webm?tracks=2", &["--format", "session", "--tracks", "2"]),
        ("tracks/1.ogg?from=1.001", &["--format", "ogg", "--track", "1", "--from", "1.001"]),
        ("waveform.json", &["--format", "waveform"]),
        ("tracks/3/waveform.json", &["--format", "waveform", "--track", "3"]),
        (
            "waveform.json?samples_per_pixel=960&from=0.5&to=1.5",
            &["--format", "waveform", "--samples-per-pixel", "960", "--from", "0.5", "--to", "1.5"],
        ),
    ];
    for (number, (path, arguments)) in cases.into_iter().enumerate() {
        let file = folder.path().join(number.to_string());
        // What is made only when someone asks for it is not there yet: it is made by the command.
        let output = export(&hub, &[&[id.as_str(), "--output", file.to_str().unwrap()], arguments].concat());
        assert!(output.status.success(), "{path}: {output:?}");
        let exported = std::fs::read(&file).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, format!("{}: {} bytes\n", file.display(), exported.len()));
        let downloaded = download(&hub, &format!("/api/v1/recordings/{id}/{path}")).await;
        assert!(exported == downloaded, "{path}: {} and {} bytes", exported.len(), downloaded.len());
        // Once more, from what is there by now, and into a stream where that can be.
        let output = export(&hub, &[&[id.as_str(), "--output", "-"], arguments].concat());
        if path.starts_with("tracks.zip") || path.contains(".flac") {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("needs a file") && output.stdout.is_empty(), "{said}");
            let output =
                export(&hub, &[&[id.as_str(), "--force", "--output", file.to_str().unwrap()], arguments].concat());
            assert!(output.status.success() && std::fs::read(&file).unwrap() == downloaded, "{path}: {output:?}");
        } else {
            assert!(output.status.success() && output.stdout == downloaded, "{path}");
        }
    }
    let there = names(folder.path());
    assert_eq!(there.len(), cases.len(), "{there:?}");
}

#[tokio::test]
async fn what_cannot_be_exported_is_told_in_a_sentence_and_writes_nothing() {
    let shelf = Shelf::new().await;
    let id = shelf.record_in_parts("talk", 2).await.to_string();
    let hub = shelf.hub(&["--grace-seconds", "60"]).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("out");
    let out = file.to_str().unwrap();
    let other = "01932c07-fbe0-7000-8000-000000000000";
    for (arguments, sentence, status) in [
        (&[other, "--format", "ogg"][..], "there is no such recording", 1),
        (&[&id, "--format", "ogg", "--track", "9"], "has no such track", 1),
        (&[&id, "--format", "ogg", "--tracks", "9"], "no track 9", 2),
        (&[&id, "--format", "zip", "--track", "1"], "choose them by --tracks", 2),
        (&[&id, "--format", "ogg", "--from", "3"], "behind the end", 2),
        (&[&id, "--format", "ogg", "--from", "1.5", "--to", "1"], "empty", 2),
        (&[&id, "--format", "ogg", "--from", "-1"], "no time", 2),
        (&[&id, "--format", "ogg", "--loudness", "1e9"], "no loudness", 2),
        (&[&id, "--format", "zip", "--loudness", "-16"], "loudness cannot be chosen of tracks.zip", 2),
        (&[&id, "--format", "ogg", "--track", "0"], "invalid value", 2),
        (&[&id, "--format", "waveform", "--tracks", "1"], "tracks cannot be chosen of waveform", 2),
        (&[&id, "--format", "waveform", "--samples-per-pixel", "481"], "480, 960, 1920", 2),
        (&[&id, "--format", "waveform", "--from", "100"], "from is not in the recording", 2),
        (&[&id, "--format", "waveform", "--to", "100"], "to is not in the recording", 2),
        (&[&id, "--format", "ogg", "--samples-per-pixel", "480"], "is of --format waveform", 2),
        (&["../x", "--format", "ogg"], "invalid value", 2),
        (&[&id, "--format", "mp3"], "invalid value", 2),
    ] {
        let (said, code) = refused(&hub, &[arguments, &["--output", out]].concat());
        assert!(said.contains(sentence) && code == status, "{arguments:?}: {code}: {said}");
    }
    // What is there stays, unless it is told otherwise; what is no file stays anyway.
    std::fs::write(&file, "precious").unwrap();
    let (said, code) = refused(&hub, &[&id, "--format", "ogg", "--output", out]);
    assert!(said.contains("--force") && code == 2, "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let folder_name = folder.path().to_str().unwrap();
    let (said, code) = refused(&hub, &[&id, "--format", "ogg", "--force", "--output", folder_name]);
    assert!(said.contains("no plain file") && code == 2, "{said}");
    assert!(export(&hub, &[&id, "--format", "ogg", "--force", "--output", out]).status.success());
    assert!(std::fs::read(&file).unwrap().starts_with(b"OggS"));
    // One that is still being made.
    let mut ann = Client::plain(&hub, "/rooms/live/ws?name=Ann").await;
    for message in crate::helpers::Capture::new("firefox-webm-opus").messages().into_iter().take(4) {
        ann.send(message).await;
    }
    let list = hub.until("/api/v1/recordings?room=live", |list| list["recordings"][0]["id"].is_string()).await;
    let live = list["recordings"][0]["id"].as_str().unwrap();
    let (said, code) = refused(&hub, &[live, "--format", "ogg", "--force", "--output", out]);
    assert!(said.contains("still being made") && code == 2, "{said}");
    assert_eq!(names(folder.path()), ["out"]);
}

/// An export into a folder of its own, halted where it has begun to write.
struct Halted {
    child: Child,
    folder: TempDir,
}

impl Halted {
    async fn begin(recordings: &Path, id: &str, format: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let out = folder.path().join("out");
        let arguments = [id, "--format", format, "--output", out.to_str().unwrap()];
        let mut child = command(recordings, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = async {
            while names(folder.path()).is_empty() {
                assert!(child.try_wait().unwrap().is_none(), "it has ended before it began");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(PATIENCE, begun).await.expect("it begins");
        let halted = Self { child, folder };
        halted.signal("STOP");
        assert_eq!(
            names(halted.folder.path()).iter().filter(|name| *name == "out").count(),
            0,
            "too quick to be halted"
        );
        halted
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// What it says at its end, its exit status, and what it leaves.
    fn end(self) -> (String, Option<i32>, Vec<String>) {
        self.signal("CONT");
        let output = self.child.wait_with_output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), output.status.code(), names(self.folder.path()))
    }
}

#[tokio::test]
async fn what_is_stopped_or_deleted_on_the_way_leaves_no_file() {
    let shelf = Shelf::new().await;
    let id = shelf.record("talk", 2, 10).await.to_string();
    let hub = shelf.hub(&[]).await;
    for signal in ["INT", "TERM"] {
        let halted = Halted::begin(&hub.recordings(), &id, "zip").await;
        halted.signal(signal);
        let (said, status, left) = halted.end();
        assert_eq!((status, left), (Some(2), Vec::new()), "{signal}: {said}");
        assert!(said.contains("told to stop"), "{said}");
    }
    // Killed, it leaves what nobody takes for the file.
    let halted = Halted::begin(&hub.recordings(), &id, "zip").await;
    halted.signal("KILL");
    let (_, status, left) = halted.end();
    assert!(status.is_none() && left.len() == 1 && left[0].ends_with(".part"), "{left:?}");

    let halted = Halted::begin(&hub.recordings(), &id, "zip").await;
    let deleted = reqwest::Client::new().delete(hub.url(&format!("/api/v1/recordings/{id}"))).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
    let (said, status, left) = halted.end();
    assert_eq!((status, left), (Some(2), Vec::new()), "{said}");
    assert!(said.contains("deleted"), "{said}");
}

/// Unpacks an archive into a folder, with three readers, none of which remarks anything.
fn unpack(archive: &Path, folder: &Path) -> Vec<PathBuf> {
    let archive = archive.to_str().unwrap();
    assert_eq!(run("zip", &["-T", archive]).1, "");
    run("unzip", &["-q", archive, "-d", folder.to_str().unwrap()]);
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print('\\n'.join(z.namelist()))";
    let (listed, said) = run("python3", &["-c", script, archive]);
    assert_eq!(said, "");
    String::from_utf8(listed).unwrap().lines().map(|name| folder.join(name)).collect()
}

#[tokio::test]
async fn tracks_zip_opens_in_every_reader_and_its_files_are_equally_long() {
    let shelf = Shelf::new().await;
    let id = shelf.record_in_parts("talk", 4).await.to_string();
    let hub = shelf.hub(&[]).await;
    let folder = TempDir::new().unwrap();
    let archive = folder.path().join("tracks.zip");
    std::fs::write(&archive, download(&hub, &format!("/api/v1/recordings/{id}/tracks.zip")).await).unwrap();
    let files = unpack(&archive, &folder.path().join("unpacked"));
    let unpacked: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(unpacked, ["01 Ann.wav", "02 Ann.wav", "03 Ann.wav", "labels.txt", "session.json", "session.rpp"]);
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[4]).unwrap()).unwrap();
    let recording = hub.json(&format!("/api/v1/recordings/{id}")).await;
    assert_eq!(
        (&told["recording"], &told["room"], &told["started"]),
        (&recording["id"], &recording["room"], &recording["started"])
    );
    assert_eq!(told["duration"], recording["duration"]);
    let mut lengths = Vec::new();
    for (file, track) in files[..3].iter().zip(told["tracks"].as_array().unwrap()) {
        assert_eq!(track["file"], file.file_name().unwrap().to_str().unwrap());
        let name = file.to_str().unwrap();
        let (samples, said) = run("ffmpeg", &["-v", "warning", "-xerror", "-i", name, "-f", "s16le", "-"]);
        let said: Vec<_> = said.lines().filter(|line| !line.starts_with("Guessed Channel Layout")).collect();
        assert!(said.is_empty(), "{name}: {said:?}");
        lengths.push(samples.len() as u64 / 2 / track["channels"].as_u64().unwrap());
    }
    let length = recording["duration"].as_f64().unwrap() * 48_000.0;
    assert!(lengths.iter().all(|frames| *frames as f64 == length), "{lengths:?}, {length}");
    // Each line of the label track is two times and a text; who speaks is told as in the session's file.
    let labels = std::fs::read_to_string(&files[3]).unwrap();
    let mut spoken = 0;
    for line in labels.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let [from, to]: [f64; 2] = [0, 1].map(|field| fields[field].parse().unwrap());
        assert!(fields.len() == 3 && from <= to && to <= length / 48_000.0 && fields[2] == "Ann", "{line}");
        spoken += 1;
    }
    let runs: usize =
        told["tracks"].as_array().unwrap().iter().map(|track| track["speech"].as_array().unwrap().len()).sum();
    assert!(spoken == runs && runs > 0, "{labels}");
    // It names the files, and nothing else.
    let project = std::fs::read_to_string(&files[5]).unwrap();
    let named: Vec<_> = project.lines().filter_map(|line| line.trim().strip_prefix("FILE ")).collect();
    assert_eq!(named, ["\"01 Ann.wav\"", "\"02 Ann.wav\"", "\"03 Ann.wav\""]);
    // Any range is that slice of the whole, also when the hub has it again.
    let whole = std::fs::read(&archive).unwrap();
    let range = format!("bytes=70000-{}", whole.len() - 5);
    let address = hub.url(&format!("/api/v1/recordings/{id}/tracks.zip"));
    let slice = reqwest::Client::new().get(address).header("range", range).send().await.unwrap();
    assert_eq!(slice.headers()["content-type"], "application/zip");
    assert!(slice.bytes().await.unwrap() == whole[70_000..whole.len() - 4]);
}
