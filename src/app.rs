//! The composition: what the hub is made of, how it starts and how it stops.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr};
use actix_server::{Server, ServerHandle};

use crate::archive::{self, Archive, OpenError, Recovered};
use crate::cli::{Options, SocketIo};
use crate::edge::socket::{Connections, Limits, Sockets};
use crate::edge::{self, Edge, serve, socket_io};
use crate::hub::fanout::Worker;
use crate::hub::registry::{Hub, Stop};
use crate::hub::session::Patience;
use crate::hub::time::Clock;

/// How long a stop takes at most, all in all.
const STOP: Duration = Duration::from_secs(9);
/// How long answers that are under way may go on when the hub stops.
const ANSWERS: Duration = Duration::from_secs(3);

/// Open files beside connections: parts that are written and read, the index.
const OTHER_FILES: u64 = 2048;

/// A hub that is ready to run.
pub struct App {
    address: SocketAddr,
    server: Server,
    handle: ServerHandle,
    hub: Addr<Hub>,
    archive: Archive,
    connections: Arc<Connections>,
}

/// Why the hub does not start: one sentence each.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be had.
    #[error("cannot listen on {listen}: {}", listen_reason(source))]
    Listen {
        /// Where.
        listen: String,
        /// Why.
        source: io::Error,
    },
    /// The recordings cannot be had.
    #[error(transparent)]
    Archive(#[from] OpenError),
    /// The client's script of Socket.IO cannot be read.
    #[error("cannot read {}, which --socketio-client names: {source}", file.display())]
    Script {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gives no threads or signals.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

fn listen_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program is there; choose another address with --listen".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "that port needs more rights; choose one above 1023 with --listen".to_owned()
        }
        io::ErrorKind::InvalidInput => "an address is a host and a port, such as 127.0.0.1:8080".to_owned(),
        _ => error.to_string(),
    }
}

impl App {
    /// Takes the address and the recordings, and makes everything ready. Must be called within an actix system.
    ///
    /// # Errors
    /// Where the address or the recordings cannot be had; nothing is left behind then.
    pub async fn build(options: Options) -> Result<Self, StartError> {
        let clock = Clock::start();
        let listen_error = |source| StartError::Listen { listen: options.listen.clone(), source };
        let socket_io = Arc::new(socket_io::Common::new(socket_io(options.socket_io)?));
        let listener = TcpListener::bind(&options.listen).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        allow_files(options.max_connections);
        let (sync_period, faults, limits) = (options.sync_period, options.faults, options.limits);
        let public_url = options.public_url;
        let (archive, recovered) =
            Archive::open(archive::Options { folder: options.recordings, sync_period, faults }, clock.wall()).await?;
        tell(&recovered, archive.folder());
        // Ends with the archive.
        actix::spawn(archive.clone().retain(limits, move || clock.wall()));

        let patience = Patience { grace: options.grace, ..Patience::default() };
        let hub = Hub::new(clock, archive.clone(), patience, options.workers.div_ceil(2)).start();
        let connections = Connections::new(options.max_connections);
        let app = {
            let (hub, archive, connections) = (hub.clone(), archive.clone(), Arc::clone(&connections));
            let socket_io = Arc::clone(&socket_io);
            move || {
                let public_url = public_url.clone();
                let sockets = Sockets::new(Arc::clone(&connections), Limits::default(), move || clock.now());
                sockets.watch();
                let (hub, archive, worker) = (hub.clone(), archive.clone(), Worker::new(clock));
                let socket_io = Arc::clone(&socket_io);
                let edge = Rc::new(Edge { hub, archive, worker, sockets, clock, socket_io, public_url });
                actix_web::App::new().app_data(edge).configure(edge::configure)
            }
        };
        let server = serve::bind(listener, serve::Options { workers: options.workers, stop: ANSWERS }, app)?;
        let handle = server.handle();
        Ok(Self { address, server, handle, hub, archive, connections })
    }

    /// Where the hub serves.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process is told to stop (SIGTERM, Ctrl-C), then finishes the recordings and closes every
    /// connection with 1001. Prints one line with the address once it serves.
    ///
    /// # Errors
    /// Where the server fails, or there are no signals.
    pub async fn run(self) -> Result<(), StartError> {
        let Self { address, server, handle, hub, archive, connections } = self;
        let stop = stop_signal()?;
        let server = actix::spawn(server);
        // Whoever started us may have closed its end: that is no reason not to serve.
        let _ = writeln!(io::stdout(), "roomtone serves http://{address}/").and_then(|()| io::stdout().flush());
        stop.await;
        tracing::info!("stopping");
        let stopping = async {
            handle.pause().await;
            // The rooms first: a recording ends with what had come, and whoever publishes is told.
            let _ = hub.send(Stop).await;
            tokio::join!(connections.close(), archive.close());
            // The workers last: the sockets live on their threads, and the server does not wait for them.
            handle.stop(true).await;
        };
        if tokio::time::timeout(STOP, stopping).await.is_err() {
            tracing::warn!("something did not stop in time; what was acknowledged is on disk");
        }
        server.abort();
        Ok(())
    }
}

/// How Socket.IO is spoken, with the script in memory.
fn socket_io(options: SocketIo) -> Result<socket_io::Options, StartError> {
    let SocketIo { client, ping_interval, ping_timeout, origins } = options;
    let read = |file: PathBuf| fs::read(&file).map_err(|source| StartError::Script { file, source });
    let script = client.map(read).transpose()?.map(Into::into);
    Ok(socket_io::Options { script, origins, ping_interval, ping_timeout })
}

/// Each connection is an open file: where the system's first limit is below what there may be, its last one counts.
fn allow_files(connections: usize) {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    match rlimit::increase_nofile_limit(wanted) {
        Ok(allowed) if allowed >= wanted => {}
        Ok(allowed) => tracing::warn!("the system allows {allowed} open files: too few for {connections} connections"),
        Err(error) => tracing::warn!("cannot ask for more open files: {error}"),
    }
}

fn tell(recovered: &Recovered, folder: &Path) {
    if recovered.unindexed {
        tracing::warn!(
            "the index names none of the recordings that are there, as if it had been lost: stop the hub and run \
             `roomtone check --repair --recordings {}`",
            folder.display()
        );
    }
    for recording in &recovered.recordings {
        tracing::warn!("{recording:?} had not ended when the hub fell; it was brought to an end");
    }
}

/// Resolves when the process is told to stop.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // A file that would pass a limit (`ulimit -f`, `LimitFSIZE=`) is an error of that write then, and not the end of the hub.
        drop(signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
