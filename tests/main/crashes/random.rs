//! SIGKILL at random moments: of a session, of what is made after it, and of the start after the fall before.
//!
//! `ROOMTONE_KILLS=200` kills so often, `ROOMTONE_SEED` does it as another time.

use std::time::{Duration, Instant};

use super::Place;
use super::aftermath::Known;
use super::session::{LENGTH, session};
use crate::helpers::Hub;
use crate::helpers::random::{Random, given, seed};

/// How many hubs fall beside each other: they mostly wait.
const LANES: usize = 4;
/// How long after a session files are made out of it, about.
const MAKING: Duration = Duration::from_millis(800);
/// How long a start takes, about.
const STARTING: Duration = Duration::from_millis(60);

impl Random {
    fn within(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.below(1_000_000) as f64 / 1e6)
    }

    /// One of these, or none one time in two.
    fn sometimes(&mut self, of: &[String]) -> Option<String> {
        (!of.is_empty() && self.below(2) == 0).then(|| of[self.below(of.len())].clone())
    }
}

/// What came of many falls.
#[derive(Debug, Default)]
struct Figures {
    falls: usize,
    falls_at_start: usize,
    recordings: usize,
    deletions: usize,
    lost: Vec<Duration>,
    starts: Vec<Duration>,
}

/// Lets hubs fall in one folder, one after another.
async fn fall(lane: usize, mut random: Random, kills: usize) -> Figures {
    let (place, mut known, mut figures) = (Place::new(), Known::default(), Figures::default());
    let mut hub = place.start();
    for kill in 0..kills {
        let room = format!("room-{lane}-{kill}");
        let ids = known.ids();
        let (deleted, entitled) = (random.sometimes(&ids), random.sometimes(&ids));
        let moment = random.within(LENGTH + MAKING);
        let (delete_at, entitle_at) = (random.within(moment), random.within(moment));
        println!("{room}: killed after {moment:?}");
        let deeds = async {
            let mut open = None;
            if let Some(id) = deleted {
                tokio::time::sleep(delete_at).await;
                known.delete(&hub, &id).await;
                figures.deletions += 1;
            }
            if let Some(id) = entitled.filter(|id| known.ids().contains(id)) {
                tokio::time::sleep(entitle_at.saturating_sub(delete_at)).await;
                open = known.entitle(&hub, &id, &format!("title {kill}")).await;
            }
            open
        };
        let killed = async {
            tokio::time::sleep(moment).await;
            let fell = Instant::now();
            hub.signal("KILL");
            fell
        };
        let (sent, open, fell) = tokio::join!(session(&hub, &room, || {}), deeds, killed);
        figures.falls += 1;
        drop(hub.kill());
        while random.below(3) == 0 {
            Hub::start_and_kill(&place.folder, &place.options(), random.within(STARTING)).await;
            figures.falls_at_start += 1;
        }
        let begun = Instant::now();
        hub = place.start();
        figures.starts.push(begun.elapsed());
        if let Some(open) = open {
            known.take_up(&hub, open).await;
        }
        let found = known.look(&hub, &room, &sent, fell).await;
        figures.recordings += usize::from(found.is_some());
        figures.lost.extend(found.and_then(|found| found.lost));
    }
    figures
}

#[test]
fn a_hub_that_is_killed_at_any_moment_keeps_what_it_promised_and_begins_anew() {
    let kills = usize::try_from(given("ROOMTONE_KILLS").unwrap_or(20)).unwrap();
    let seed = seed();
    println!("ROOMTONE_KILLS={kills} ROOMTONE_SEED={seed}");
    let mut seeds = Random::new(seed);
    let all: Vec<Figures> = std::thread::scope(|threads| {
        let lanes = (0..LANES).map(|lane| {
            let random = Random::new(seeds.next());
            let kills = (kills + lane) / LANES;
            threads.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(fall(lane, random, kills))
            })
        });
        let lanes: Vec<_> = lanes.collect();
        lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let sum = |of: fn(&Figures) -> usize| all.iter().map(of).sum::<usize>();
    let longest = |of: fn(&Figures) -> &Vec<Duration>| all.iter().flat_map(of).max().copied().unwrap_or_default();
    let lost = longest(|figures| &figures.lost);
    // A period of 100 ms and a round; a busy machine may take its time for that.
    assert!(lost < Duration::from_secs(3), "{lost:?} of sound before a fall were lost");
    println!(
        "{} falls, {} more while starting; {} recordings, {} deletions; at most {:?} of sound before a fall were lost; \
         a start took at most {:?}",
        sum(|figures| figures.falls),
        sum(|figures| figures.falls_at_start),
        sum(|figures| figures.recordings),
        sum(|figures| figures.deletions),
        longest(|figures| &figures.lost),
        longest(|figures| &figures.starts),
    );
    assert_eq!(sum(|figures| figures.falls), kills);
}
