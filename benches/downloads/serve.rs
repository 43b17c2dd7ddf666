//! What the hub serves of files that are made: how soon, and how many ranges.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use reqwest::header::RANGE;

use crate::Result;

const FILES: [&str; 13] = [
    "mix.ogg",
    "mix.webm",
    "mix.wav",
    "mix.flac",
    "session.webm",
    "tracks.zip",
    "tracks/1.ogg",
    "tracks/1.webm",
    "tracks/1.wav",
    "tracks/1.flac",
    "waveform.json",
    "waveform.dat",
    "tracks/1/waveform.json",
];
/// How often each is asked for.
const TIMES: usize = 200;
/// How long ranges are asked for.
const LENGTH: Duration = Duration::from_secs(3);
const CONNECTIONS: u64 = 8;
/// How long a range is, in bytes.
const PIECE: u64 = 64 * 1024;

struct Hub(Child);

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has everything made, then asks for it.
pub async fn bench(recordings: &Path, id: &str) -> Result<()> {
    let mut hub = Command::new("taskset")
        .args(["-c", "0", env!("CARGO_BIN_EXE_roomtone"), "serve", "--listen", "127.0.0.1:0", "--recordings"])
        .arg(recordings)
        .stdout(Stdio::piped())
        .spawn()?;
    let out = hub.stdout.take().ok_or("no output")?;
    let _hub = Hub(hub);
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    let address = line.trim().trim_end_matches('/').rsplit(['/', ' ']).next().ok_or("no address")?;
    let base = format!("http://{address}/api/v1/recordings/{id}");
    let client = reqwest::Client::new();
    println!("               made and whole after s   first byte ms, p50 and p99   ranges of 64 KiB per s   MB/s");
    for name in FILES {
        let url = format!("{base}/{name}");
        let begun = Instant::now();
        while client.get(&url).header(RANGE, "bytes=0-0").send().await?.status() == StatusCode::ACCEPTED {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let made = begun.elapsed().as_secs_f64();
        let length = client.head(&url).send().await?.headers()["content-length"].to_str()?.parse::<u64>()?;
        let mut first = Vec::new();
        for _ in 0..TIMES {
            let begun = Instant::now();
            // Its end is not waited for: the connection is given up, and the next time is another.
            let mut answer = client.get(&url).send().await?;
            answer.chunk().await?.ok_or("nothing came")?;
            first.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        first.sort_by(f64::total_cmp);
        let (ranges, seconds) = ranges(&client, &url, length).await?;
        let per_second = ranges as f64 / seconds;
        println!(
            "{name:<22} {made:>14.1} {:>20.2} {:>7.2} {per_second:>24.0} {:>6.0}",
            first[TIMES / 2],
            first[TIMES * 99 / 100],
            per_second * PIECE.min(length) as f64 / 1e6
        );
    }
    Ok(())
}

/// How many ranges came, and in what time.
async fn ranges(client: &reqwest::Client, url: &str, length: u64) -> Result<(usize, f64)> {
    let begun = Instant::now();
    let one = |connection: u64| async move {
        let (mut count, mut seed) = (0_usize, connection);
        while begun.elapsed() < LENGTH {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let from = (seed >> 16) % length.saturating_sub(PIECE).max(1);
            let to = (from + PIECE).min(length) - 1;
            let answer = client.get(url).header(RANGE, format!("bytes={from}-{to}")).send().await?;
            if answer.status() != StatusCode::PARTIAL_CONTENT || answer.bytes().await?.len() as u64 != to - from + 1 {
                return Err(format!("bytes {from} to {to} of {url} did not come").into());
            }
            count += 1;
        }
        Result::Ok(count)
    };
    let counts = futures_util::future::try_join_all((0..CONNECTIONS).map(one)).await?;
    Ok((counts.iter().sum(), begun.elapsed().as_secs_f64()))
}
