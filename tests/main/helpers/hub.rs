//! A hub of the test's own: the real binary, on a free port, with a folder of its own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take before a test gives up on it. Generous: nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The signal that cannot be caught.
const KILLED: i32 = 9;

pub struct Hub {
    child: Child,
    pub address: String,
    folder: Arc<TempDir>,
}

/// How a hub ended that should not have started, or was told to stop.
pub struct Ended {
    pub status: ExitStatus,
    pub errors: String,
}

impl Hub {
    /// A hub with an empty folder.
    pub fn start() -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), &[])
    }

    /// A hub with more options.
    pub fn start_with(options: &[&str]) -> Self {
        Self::start_in(Arc::new(TempDir::new().unwrap()), options)
    }

    /// A hub with a folder that may hold something.
    pub fn start_in(folder: Arc<TempDir>, options: &[&str]) -> Self {
        let mut child = command(&recordings(&folder), options).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("roomtone serves http://") else {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("the hub did not start: {line}{errors}");
        };
        let address = address.trim_end_matches('/').to_owned();
        // Nobody reads the log, and a full pipe would stop the hub.
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address, folder }
    }

    /// Starts a hub that is expected to refuse.
    pub fn refuses(folder: &Path, options: &[&str]) -> Ended {
        let output = command(folder, options).output().unwrap();
        Ended { status: output.status, errors: String::from_utf8(output.stderr).unwrap() }
    }

    pub fn recordings(&self) -> PathBuf {
        recordings(&self.folder)
    }

    /// Starts a hub and kills it after so long, whatever it is at by then.
    pub async fn start_and_kill(folder: &TempDir, options: &[&str], after: Duration) {
        let mut child =
            command(&recordings(folder), options).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(after).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a hub that is expected to be killed by itself while it starts, or soon after; fails where it is not.
    pub async fn start_and_fall(folder: &TempDir, options: &[&str]) {
        let child = command(&recordings(folder), options).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        fallen(child).await;
    }

    /// Waits until a hub has fallen that was to be killed by itself.
    pub async fn fall_is_awaited(mut self) -> Arc<TempDir> {
        let child = std::mem::replace(&mut self.child, Command::new("true").spawn().unwrap());
        fallen(child).await;
        Arc::clone(&self.folder)
    }

    /// Waits until a hub has stopped that was told to.
    pub fn stop_is_awaited(mut self) -> (ExitStatus, Arc<TempDir>) {
        (self.child.wait().unwrap(), Arc::clone(&self.folder))
    }

    /// Kills the hub as a power cut would.
    pub fn kill(mut self) -> Arc<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        Arc::clone(&self.folder)
    }

    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// From now on the hub can write no file beyond so many bytes, and beyond what it may by itself where there is no number.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        let most = getrlimit(Resource::Fsize).maximum;
        prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes.or(most), maximum: most }).unwrap();
    }

    /// Bytes of memory that the hub has touched and still holds.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(self.url(path)).await.unwrap()
    }

    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.unwrap()
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.get(path).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.bytes().await.unwrap().to_vec()
    }

    /// Asks until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let asked = async {
            loop {
                let answer = self.json(path).await;
                if wanted(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{path} never was as wanted"))
    }

    /// The one recording of a room, once it has ended.
    pub async fn ended(&self, room: &str) -> Value {
        let path = format!("/api/v1/recordings?room={room}");
        let list = self
            .until(&path, |list| {
                let recordings = list["recordings"].as_array().unwrap();
                !recordings.is_empty() && recordings.iter().all(|one| one["state"] == "ended")
            })
            .await;
        let recordings = list["recordings"].as_array().unwrap();
        assert_eq!(recordings.len(), 1, "{list:#}");
        self.json(&format!("/api/v1/recordings/{}", recordings[0]["id"].as_str().unwrap())).await
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a process has killed itself.
async fn fallen(mut child: Child) {
    // Who waits for this has seen the hub do all that it was asked.
    let deadline = Instant::now() + PATIENCE / 4;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert_eq!(status.signal(), Some(KILLED), "it ends otherwise: {status}");
            return;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the hub goes on: what was to kill it never came");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn recordings(folder: &TempDir) -> PathBuf {
    folder.path().join("recordings")
}

fn command(folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomtone"));
    command.arg("serve").arg("--recordings").arg(folder);
    if !options.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    if !options.contains(&"--grace-seconds") {
        command.args(["--grace-seconds", "1"]);
    }
    command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
