//! Servers as processes of their own: the hub and the floor, where they listen, what they cost.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Result;

/// Descriptors beside the listeners' own.
const OTHER_FILES: usize = 200;

/// Puts this process on the second core, and lets it and its servers have enough sockets.
pub fn prepare(listeners: usize) -> Result<()> {
    let me = std::process::id().to_string();
    let files = listeners + OTHER_FILES;
    let limits = Command::new("prlimit").args(["--pid", &me, &format!("--nofile={files}:")]).status();
    if !limits.is_ok_and(|status| status.success()) {
        eprintln!("the limit of open files could not be set to {files}; try ulimit -n {files}");
    }
    if !can_pin() {
        eprintln!("without taskset and a second core, server and load generator disturb each other");
    } else if !Command::new("taskset").args(["-cp", "1", &me]).stdout(Stdio::null()).status()?.success() {
        return Err("taskset does not take this process to core 1".into());
    }
    Ok(())
}

fn can_pin() -> bool {
    let cores = fs::read_to_string("/proc/cpuinfo").map_or(0, |text| text.matches("processor\t").count());
    let taskset = Command::new("taskset").arg("--version").stdout(Stdio::null()).status();
    cores > 1 && taskset.is_ok_and(|status| status.success())
}

/// A server, ended with its owner.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _recordings: Option<TempDir>,
}

impl Server {
    /// The real binary, with a folder of its own, for these listeners and a publisher.
    pub fn hub(listeners: usize) -> Result<Self> {
        Self::hub_with(TempDir::new()?, listeners)
    }

    /// The same with a folder that may hold recordings.
    pub fn hub_with(recordings: TempDir, listeners: usize) -> Result<Self> {
        let folder = recordings.path().to_string_lossy().into_owned();
        let most = (listeners + 1).to_string();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--max-connections", &most, "--recordings", &folder];
        let mut server = Self::start(env!("CARGO_BIN_EXE_roomtone"), &arguments)?;
        server._recordings = Some(recordings);
        Ok(server)
    }

    /// Socket.IO on Node.
    pub fn node() -> Result<Self> {
        Self::start("node", &[concat!(env!("CARGO_MANIFEST_DIR"), "/benches/fanout/socket_io.mjs")])
    }

    /// This program again, as the floor.
    pub fn floor() -> Result<Self> {
        let me = std::env::current_exe()?;
        Self::start(&me.to_string_lossy(), &["--floor"])
    }

    /// Starts a program that prints one line with its address, ending with it or with a slash behind it.
    fn start(program: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = if can_pin() {
            let mut command = Command::new("taskset");
            command.args(["-c", "0", program]);
            command
        } else {
            Command::new(program)
        };
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().trim_end_matches('/').rsplit(['/', ' ']).next().unwrap_or_default();
        let address = address.parse().map_err(|_| format!("no address in {line:?}"))?;
        Ok(Self { child, address, _recordings: None })
    }

    /// CPU time of all its threads so far, in seconds.
    pub fn cpu(&self) -> Result<f64> {
        self.cpu_of("")
    }

    /// That of the threads that make files.
    pub fn makers(&self) -> Result<f64> {
        self.cpu_of("maker-")
    }

    /// That of the threads whose name begins like this.
    fn cpu_of(&self, name: &str) -> Result<f64> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let thread = thread?.path();
            // A thread may have ended meanwhile.
            if !fs::read_to_string(thread.join("comm")).unwrap_or_default().starts_with(name) {
                continue;
            }
            let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
            nanos += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(nanos as f64 / 1e9)
    }

    /// Its resident memory without what is mapped from files, which is its code, in KB.
    pub fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
        Ok(resident.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
