//! Live fan-out while files are made of a recording, beside the same with nothing to make.
//!
//! The recording has ten tracks of an hour, of which the hub makes everything unasked as soon as it starts: WebM files, the
//! mix, waveforms. That takes longer than the sound is sent, on the core that the hub has. What the makers' threads had of the
//! core is printed, so that one sees that they worked.

use std::time::Duration;

use tempfile::TempDir;

use crate::capture::{self, Mode};
use crate::load;
use crate::process::Server;
use crate::{Result, replay};

/// How many tracks the recording has.
const TRACKS: u16 = 10;

/// Measures both, and prints how late packets came.
pub fn bench(listeners: usize, length: Duration) -> Result<()> {
    let published = capture::messages(Mode::V1, length)?;
    let alone = load::hub(&Server::hub(listeners)?, Mode::V1, listeners, &published)?.0;
    let folder = TempDir::new()?;
    replay::record(&folder, TRACKS, &published)?;
    let server = Server::hub_with(folder, listeners)?;
    let beside = load::hub(&server, Mode::V1, listeners, &published)?.0;
    let worked = server.makers()?;
    println!("live to {listeners} listeners          p50 ms   p99 ms");
    for (what, measured) in [("with nothing to make", &alone), ("while files are made", &beside)] {
        println!("{what:<28} {:>7.1}  {:>7.1}", measured.percentile(50), measured.percentile(99));
    }
    println!(
        "ratio of p99 {:.2}; the makers had the processor for {worked:.1} s",
        beside.percentile(99) / alone.percentile(99)
    );
    Ok(())
}
