//! Fan-out through the real binary, beside an epoll-and-`write` floor: `cargo bench --bench fanout`.
//!
//! One publisher, N listeners, server on one core and load generator on the other. Every message of every listener is
//! checked: the same bytes in the same order for all, nothing lost, nothing echoed, and the sound is the publisher's. Prints
//! the server's CPU seconds for a million deliveries, the time from the publisher's write to a listener's read, and the
//! memory of a listener. The floor writes frames of the very same bytes, at the same pace, to as many sockets, and does
//! nothing else. Compare ratios of one run, not seconds of two.
//!
//! | option | meaning |
//! |---|---|
//! | `--listeners N` | how many; may be repeated (100, 1000 and 5000) |
//! | `--mode plain`, `v1`, `relay` | what is sent; may be repeated (plain and v1) |
//! | `--replays N` | instead of all this: so many replays of one recording, beside live fan-out of `roomtone.v1` to as many |
//! | `--jobs N` | instead of all this: `roomtone.v1` to so many listeners, with and without files being made of a recording |
//! | `--socket-io N` | instead of all this: Socket.IO to so many listeners, beside Socket.IO on Node |
//! | `--seconds S` | how long sound is sent (10) |
//! | `--rounds R` | how often each is measured; the middle one by its ratio is printed (1) |

#![forbid(unsafe_code)]

mod capture;
#[path = "../../tests/captures/read.rs"]
mod captures;
mod check;
mod floor;
#[path = "../../tests/main/helpers/frame.rs"]
mod frame;
mod jobs;
mod load;
mod peer;
mod process;
mod replay;

use std::process::ExitCode;
use std::time::Duration;

use capture::Mode;
use load::Measured;
use process::Server;

/// A benchmark has nothing to recover: it says what went wrong and stops.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Options {
    listeners: Vec<usize>,
    modes: Vec<Mode>,
    length: Duration,
    rounds: usize,
    replays: Option<usize>,
    jobs: Option<usize>,
    socket_io: Option<usize>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match arguments.next().as_deref() {
        Some("--floor") => floor::serve(),
        first => options(first.map(str::to_owned).into_iter().chain(arguments)).and_then(|options| bench(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fanout: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let length = Duration::from_secs(10);
    let mut options = Options {
        listeners: Vec::new(),
        modes: Vec::new(),
        length,
        rounds: 1,
        replays: None,
        jobs: None,
        socket_io: None,
    };
    while let Some(name) = arguments.next() {
        if name == "--bench" {
            continue; // What cargo says to every benchmark.
        }
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--listeners" => options.listeners.push(value.parse()?),
            "--mode" => options.modes.push(value.parse()?),
            "--seconds" => options.length = Duration::from_secs(value.parse()?),
            "--replays" => options.replays = Some(value.parse()?),
            "--jobs" => options.jobs = Some(value.parse()?),
            "--socket-io" => options.socket_io = Some(value.parse()?),
            "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
            _ => return Err(format!("{name} is no option").into()),
        }
    }
    if options.listeners.is_empty() {
        options.listeners = vec![100, 1000, 5000];
    }
    if options.modes.is_empty() {
        options.modes = vec![Mode::Plain, Mode::V1];
    }
    Ok(options)
}

fn bench(options: &Options) -> Result<()> {
    if let Some(replays) = options.replays {
        process::prepare(replays)?;
        for _ in 0..options.rounds {
            replay::bench(replays, options.length)?;
        }
        return Ok(());
    }
    if let Some(listeners) = options.jobs {
        process::prepare(listeners)?;
        return (0..options.rounds).try_for_each(|_| jobs::bench(listeners, options.length));
    }
    if let Some(listeners) = options.socket_io {
        process::prepare(listeners)?;
        return socket_io(listeners, options);
    }
    let most = options.listeners.iter().max().copied().unwrap_or(0);
    process::prepare(most)?;
    println!("                     CPU s per million         to the   p50 ms          p99 ms          KB a listener");
    println!("mode   listeners     hub    floor   hub alone   floor   hub    floor    hub    floor    idle   active");
    for &mode in &options.modes {
        for &listeners in &options.listeners {
            let mut rounds = Vec::new();
            for _ in 0..options.rounds {
                rounds.push(round(mode, listeners, options.length)?);
            }
            rounds.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
            rounds[rounds.len() / 2].print(mode, listeners);
        }
    }
    Ok(())
}

/// Socket.IO: the hub beside Node, at the pace and with the bytes of relayed messages.
fn socket_io(listeners: usize, options: &Options) -> Result<()> {
    println!(
        "             CPU s per million          to    p50, p99 ms                  KB a listener, idle and active"
    );
    println!("listeners    hub    Node                Node  hub           Node           hub           Node");
    for _ in 0..options.rounds {
        let published = capture::messages(Mode::Relay, options.length)?;
        let hub = load::socket_io(&Server::hub(listeners)?, listeners, &published)?;
        let node = load::socket_io(&Server::node()?, listeners, &published)?;
        let (ours, theirs) = (hub.per_million(), node.per_million());
        println!(
            "{listeners:<9} {ours:6.1} {theirs:7.1} {:19.2}  {:5.1} {:6.1}  {:5.1} {:6.1}   {:5.1} {:5.1}   {:5.1} {:5.1}",
            ours / theirs,
            hub.percentile(50),
            hub.percentile(99),
            node.percentile(50),
            node.percentile(99),
            hub.idle_kb,
            hub.active_kb,
            node.idle_kb,
            node.active_kb
        );
    }
    Ok(())
}

/// What was measured in one go.
struct Round {
    hub: Measured,
    floor: Measured,
    /// CPU seconds of the hub for the same sound with nobody listening.
    alone: f64,
}

fn round(mode: Mode, listeners: usize, length: Duration) -> Result<Round> {
    let published = capture::messages(mode, length)?;
    let alone = load::hub(&Server::hub(0)?, mode, 0, &published)?.0.cpu;
    let (hub, frames) = load::hub(&Server::hub(listeners)?, mode, listeners, &published)?;
    let floor = load::floor(&Server::floor()?, listeners, &frames, mode.pace())?;
    Ok(Round { hub, floor, alone })
}

impl Round {
    fn ratio(&self) -> f64 {
        self.hub.per_million() / self.floor.per_million()
    }

    fn print(&self, mode: Mode, listeners: usize) {
        let Self { hub, floor, alone } = self;
        let of_all = 100.0 * alone / hub.cpu;
        println!(
            "{mode:<6} {listeners:>9} {:>7.2} {:>8.2} {of_all:>9.0} % {:>7.2} {:>5.1} {:>8.1} {:>6.1} {:>8.1} {:>7.1} {:>8.1}",
            hub.per_million(),
            floor.per_million(),
            self.ratio(),
            hub.percentile(50),
            floor.percentile(50),
            hub.percentile(99),
            floor.percentile(99),
            hub.idle_kb,
            hub.active_kb,
        );
    }
}
