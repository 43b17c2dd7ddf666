//! The options of `serve`: the command line, the environment and the configuration file: read here and nowhere else, the first
//! over the second over the third.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::bytes::ByteCount;
use crate::archive::Limits;

/// The options of `serve`, as they were given.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// A TOML file with these options, by their names with underscores.
    #[arg(long, value_name = "FILE", env = "ROOMTONE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
}

/// The options of every other command, as they were given.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// A TOML file with the options of the hub; these commands use its folder.
    #[arg(long, value_name = "FILE", env = "ROOMTONE_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of all recordings [default: ./recordings]
    #[arg(long, value_name = "FOLDER", env = "ROOMTONE_RECORDINGS")]
    recordings: Option<PathBuf>,
}

/// The options themselves: the same in flags, environment and file.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "ROOMTONE_LISTEN")]
    pub(super) listen: Option<String>,
    /// The folder of all recordings [default: ./recordings]
    #[arg(long, value_name = "FOLDER", env = "ROOMTONE_RECORDINGS")]
    recordings: Option<PathBuf>,
    /// How long sound waits at most until it is synced to disk [default: 500]
    #[arg(long, value_name = "MILLISECONDS", env = "ROOMTONE_SYNC_PERIOD_MS")]
    sync_period_ms: Option<u64>,
    /// How long a session waits for another track when none is live [default: 10]
    #[arg(long, value_name = "SECONDS", env = "ROOMTONE_GRACE_SECONDS")]
    grace_seconds: Option<u64>,
    /// How many connections there may be: WebSockets, and sessions of Socket.IO [default: 10000]
    #[arg(long, value_name = "COUNT", env = "ROOMTONE_MAX_CONNECTIONS")]
    max_connections: Option<usize>,
    /// Threads that serve connections [default: one a core]
    #[arg(long, value_name = "COUNT", env = "ROOMTONE_WORKERS")]
    workers: Option<usize>,
    /// Where the hub is for the world, for the addresses in podcast feeds [default: as each client came to it]
    #[arg(long, value_name = "URL", env = "ROOMTONE_PUBLIC_URL")]
    public_url: Option<String>,
    /// How many days a recording is kept after its end [default: for ever]
    #[arg(long, value_name = "DAYS", env = "ROOMTONE_MAX_DAYS")]
    max_days: Option<u32>,
    /// How much all recordings take at most, the oldest going first: 500 GB [default: no limit]
    #[arg(long, value_name = "BYTES", env = "ROOMTONE_MAX_BYTES")]
    max_bytes: Option<ByteCount>,
    /// How much the recordings of each room take at most [default: no limit]
    #[arg(long, value_name = "BYTES", env = "ROOMTONE_MAX_ROOM_BYTES")]
    max_room_bytes: Option<ByteCount>,
    /// How much of the disk stays free at least, recordings going for it [default: no limit]
    #[arg(long, value_name = "BYTES", env = "ROOMTONE_MIN_FREE_BYTES")]
    min_free_bytes: Option<ByteCount>,
    /// A script that pages load as /socket.io/socket.io.js: Socket.IO's client [default: the project's public one]
    #[arg(long, value_name = "FILE", env = "ROOMTONE_SOCKETIO_CLIENT")]
    socketio_client: Option<PathBuf>,
    /// How often a client of Socket.IO is asked whether it is there [default: 25000]
    #[arg(long, value_name = "MILLISECONDS", env = "ROOMTONE_SOCKETIO_PING_INTERVAL_MS")]
    socketio_ping_interval_ms: Option<u64>,
    /// How long it has to answer [default: 20000]
    #[arg(long, value_name = "MILLISECONDS", env = "ROOMTONE_SOCKETIO_PING_TIMEOUT_MS")]
    socketio_ping_timeout_ms: Option<u64>,
    /// An origin, such as `https://example.org`, whose pages may use Socket.IO here; may be repeated, * is any [default: none]
    #[arg(long, value_name = "ORIGIN", env = "ROOMTONE_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Option<Vec<String>>,
    /// Where the disk is to fail; for tests alone, so that no file of options has it: see `archive::faults`
    #[arg(long, value_name = "FILE", env = "ROOMTONE_FAULTS", hide = true)]
    #[serde(skip)]
    faults: Option<PathBuf>,
}

/// What the hub is run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where to listen: a host or address, and a port.
    pub listen: String,
    /// The folder of all recordings.
    pub recordings: PathBuf,
    /// How long sound waits at most until it is synced to disk.
    pub sync_period: Duration,
    /// How long a session waits for another track when none is live.
    pub grace: Duration,
    /// How many connections there may be: WebSockets, and sessions of Socket.IO.
    pub max_connections: usize,
    /// Threads that serve connections.
    pub workers: usize,
    /// Where the hub is for the world, without a slash at its end, where it was told.
    pub public_url: Option<String>,
    /// What recordings may take before the oldest go.
    pub limits: Limits,
    /// How Socket.IO is spoken.
    pub socket_io: SocketIo,
    /// The file that says where the disk is to fail, in a test.
    pub faults: Option<PathBuf>,
}

/// How Socket.IO is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketIo {
    /// The client's script, where we serve it ourselves.
    pub client: Option<PathBuf>,
    /// How often a client is asked whether it is there.
    pub ping_interval: Duration,
    /// How long it has to answer.
    pub ping_timeout: Duration,
    /// The origins whose pages may use it.
    pub origins: Vec<String>,
}

/// Why the options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line cannot be, or asks for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The file cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be understood.
    #[error("cannot understand {file}: {message}")]
    Parse {
        /// Which.
        file: PathBuf,
        /// Why, with the line.
        message: String,
    },
    /// A value that nothing can be run with.
    #[error("{0}")]
    Value(&'static str),
}

impl Serve {
    /// What the hub is run with.
    pub(super) fn options(self) -> Result<Options, Error> {
        resolve(self.given, self.config.map(read).transpose()?.unwrap_or_default())
    }
}

impl Where {
    /// Where the recordings are, and what the hub is run with that the file is for.
    pub(super) fn options(self) -> Result<Options, Error> {
        let file = self.config.map(read).transpose()?.unwrap_or_default();
        resolve(Given { recordings: self.recordings, ..Given::default() }, file)
    }
}

fn read(file: PathBuf) -> Result<Given, Error> {
    let text = fs::read_to_string(&file).map_err(|source| Error::Read { file: file.clone(), source })?;
    toml::from_str(&text).map_err(|error| Error::Parse { file, message: error.to_string() })
}

/// What was given over what the file says over the defaults.
fn resolve(given: Given, file: Given) -> Result<Options, Error> {
    let millis = |given: Option<u64>, default| Duration::from_millis(given.unwrap_or(default));
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let options = Options {
        listen: given.listen.or(file.listen).unwrap_or_else(|| "127.0.0.1:8080".to_owned()),
        recordings: given.recordings.or(file.recordings).unwrap_or_else(|| "./recordings".into()),
        sync_period: millis(given.sync_period_ms.or(file.sync_period_ms), 500),
        grace: Duration::from_secs(given.grace_seconds.or(file.grace_seconds).unwrap_or(10)),
        max_connections: given.max_connections.or(file.max_connections).unwrap_or(10_000),
        workers: given.workers.or(file.workers).unwrap_or_else(cores),
        public_url: given.public_url.or(file.public_url).map(|url| url.trim_end_matches('/').to_owned()),
        limits: Limits {
            max_days: given.max_days.or(file.max_days),
            max_bytes: given.max_bytes.or(file.max_bytes).map(|bytes| bytes.0),
            max_room_bytes: given.max_room_bytes.or(file.max_room_bytes).map(|bytes| bytes.0),
            min_free_bytes: given.min_free_bytes.or(file.min_free_bytes).map(|bytes| bytes.0),
        },
        socket_io: SocketIo {
            client: given.socketio_client.or(file.socketio_client),
            ping_interval: millis(given.socketio_ping_interval_ms.or(file.socketio_ping_interval_ms), 25_000),
            ping_timeout: millis(given.socketio_ping_timeout_ms.or(file.socketio_ping_timeout_ms), 20_000),
            origins: given.allow_origin.or(file.allow_origin).unwrap_or_default(),
        },
        faults: given.faults,
    };
    // At most half of what may wait for the disk: a round takes its time, too.
    if !(10..=30_000).contains(&options.sync_period.as_millis()) {
        return Err(Error::Value("the sync period is 10 to 30000 milliseconds"));
    }
    if options.workers == 0 {
        return Err(Error::Value("at least one worker thread is needed"));
    }
    let heartbeat = [options.socket_io.ping_interval, options.socket_io.ping_timeout];
    if heartbeat.iter().any(|time| !(100..=600_000).contains(&time.as_millis())) {
        return Err(Error::Value("the pings of Socket.IO and the answers to them take 100 to 600000 milliseconds"));
    }
    let is_web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if !options.public_url.as_ref().is_none_or(is_web) {
        return Err(Error::Value("the public URL begins with http:// or https://"));
    }
    if options.limits.max_days == Some(0) {
        return Err(Error::Value("recordings are kept for at least one day"));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(listen: Option<&str>, grace_seconds: Option<u64>) -> Given {
        Given { listen: listen.map(str::to_owned), grace_seconds, ..Given::default() }
    }

    #[test]
    fn what_is_given_wins_over_the_file_and_the_file_over_the_defaults() {
        let options = resolve(given(Some("[::]:1"), None), given(Some("0.0.0.0:2"), Some(3))).unwrap();
        assert_eq!(options.listen, "[::]:1");
        assert_eq!(options.grace, Duration::from_secs(3));
        assert_eq!(options.recordings, PathBuf::from("./recordings"));
    }

    #[test]
    fn every_option_is_a_key_of_the_file_and_no_other_is() {
        let all = "listen = 'a'\nrecordings = 'b'\nsync_period_ms = 1\ngrace_seconds = 2\nmax_connections = 3\nworkers = 4\n\
                   public_url = 'https://hub.example'\n\
                   max_days = 5\nmax_bytes = 6\nmax_room_bytes = '7 GB'\nmin_free_bytes = '8 GiB'\n\
                   socketio_client = 'c'\nsocketio_ping_interval_ms = 9\nsocketio_ping_timeout_ms = 10\n\
                   allow_origin = ['https://a', '*']";
        assert!(toml::from_str::<Given>(all).is_ok());
        assert!(toml::from_str::<Given>("lisen = 'a'").is_err());
    }

    #[test]
    fn a_value_that_nothing_runs_with_is_refused() {
        assert!(resolve(Given { workers: Some(0), ..Given::default() }, Given::default()).is_err());
        assert!(resolve(Given { sync_period_ms: Some(1), ..Given::default() }, Given::default()).is_err());
        assert!(resolve(Given { socketio_ping_timeout_ms: Some(1), ..Given::default() }, Given::default()).is_err());
        let nowhere = Given { public_url: Some("hub.example".to_owned()), ..Given::default() };
        assert!(resolve(nowhere, Given::default()).is_err());
        assert!(resolve(Given { max_days: Some(0), ..Given::default() }, Given::default()).is_err());
    }
}
