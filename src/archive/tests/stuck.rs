//! A sync fails, the process is killed, the hub starts again, and then the power goes: what could be read after the failure and is not
//! on the disk is nowhere taken for durable. Each sync fails once, and each step after it is the last.

use std::time::{Duration, SystemTime};

use crate::archive::model::EndReason;

use super::disks::{Entry, Failure, Kept, Ledger, Model, Mood, Op, Random};
use super::pcm::{blocks, pcm_part};
use super::power::{Promised, Stage, holds, survives};
use super::recovery::copy_all;
use super::stand_in::{Asked, StandIn};
use super::*;

/// A recording of both kinds of parts, with a stall of each.
async fn record(ledger: &Ledger) {
    let Some(mut stage) = Stage::open(ledger, &Kept::default()).await else { return };
    let writer = stage.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..150));
    writer.begin_part(pcm_part(TWO, 1));
    writer.append(TWO, blocks(0..5));
    stage.round().await;
    writer.spool(ONE, Ticks::from_millis(1500), packets(150..220));
    writer.spool(TWO, Ticks::from_millis(1500), blocks(5..8));
    stage.round().await;
    writer.settle(ONE, None);
    writer.append(ONE, packets(220..300));
    writer.settle(TWO, None);
    writer.append(TWO, blocks(8..12));
    stage.round().await;
    writer.end(EndReason::Finished, UnixMillis::new(NOW.get() + 9_000));
    stage.round().await;
}

/// How many things the disk did, and how many of them before a sync failed, if one did.
fn steps(ledger: &Ledger) -> (usize, Option<usize>) {
    let asked: Vec<_> = ledger.entries().into_iter().filter(|entry| matches!(entry, Entry::Asked(_))).collect();
    let failed = asked.iter().position(|entry| matches!(entry, Entry::Asked(Op::SyncFailed(_))));
    (asked.len(), failed)
}

/// What is there of a ledger's disk at most, or where the power goes, all that can still be there.
fn left(ledger: &Ledger, killed: bool) -> Kept {
    let mut model = Model::new(&Kept::default());
    ledger.entries().iter().for_each(|entry| model.enter(entry));
    let mut kept = model.kept(Mood::Most, &mut Random(0));
    kept.killed = killed;
    kept
}

#[tokio::test]
async fn what_a_failed_sync_left_readable_is_on_the_disk_before_anyone_is_told() {
    let mut looked = 0;
    for sync in 0.. {
        let fail = |ledger: &Ledger| ledger.fail(vec![Failure { left: sync, of_syncs: true, error: 5 }]);
        let ledger = Ledger::default();
        fail(&ledger);
        record(&ledger).await;
        let (all, failed) = steps(&ledger);
        // Where it was a folder's nothing is left that could be read.
        let Some(failed) = failed else {
            if ledger.has_failed() {
                continue;
            }
            break;
        };
        for kill in failed + 1..=all {
            let ledger = Ledger::default();
            fail(&ledger);
            ledger.kill_after(Some(kill));
            survives(record(&ledger)).await;
            ledger.kill_after(None);
            ledger.fail(Vec::new());
            drop(Stage::open(&ledger, &left(&ledger, true)).await.expect("the disk is well again"));
            let mut promised = Promised { failing: true, ..Promised::default() };
            for entry in ledger.entries() {
                if let Entry::Told(said) = entry {
                    promised.hear(&said);
                }
            }
            holds(&left(&ledger, false), &promised, &format!("sync {sync} failed, killed at {kill}")).await;
            looked += 1;
        }
    }
    assert!(looked > 50, "{looked}");
}

#[tokio::test]
async fn what_a_start_takes_in_is_written_again_before_it_is_synced_whatever_the_clock_says() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let writer = rig.begin(id(1));
    writer.begin_part(part(ONE, 1));
    writer.append(ONE, packets(0..3));
    rig.round().await;
    // What a kill leaves now, but for what no index names yet.
    let left = scratch();
    copy_all(dir.path(), left.path());
    writer.end_part(ONE);
    let place = Ticks::from_millis(60);
    let start = Anchor { track: place, session: place };
    writer.begin_part(NewPart { start, first: Sequence::new(3), ..part(ONE, 2) });
    writer.append(ONE, packets(3..6));
    rig.round().await;
    let stray = "01-ann.2.ogg";
    let now = SystemTime::now();
    for modified in [SystemTime::UNIX_EPOCH, now, now + Duration::from_secs(3600)] {
        let copy = scratch();
        copy_all(left.path(), copy.path());
        let file = only_folder(copy.path()).join(stray);
        std::fs::copy(only_folder(dir.path()).join(stray), &file).unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        let log = Arc::new(Mutex::new(Vec::<Asked>::new()));
        let again = Rig::open_on(copy.path(), StandIn::logging(copy.path(), &log)).await.unwrap();
        let recording = again.archive.recording(id(1)).await.unwrap().unwrap();
        assert_eq!(recording.tracks[0].parts.len(), 2);
        let log = std::mem::take(&mut *log.lock().unwrap());
        let first = |wanted: fn(&Asked) -> Option<&String>| {
            let is_it = |asked: &Asked| wanted(asked).is_some_and(|path| path.ends_with(stray));
            log.iter().position(is_it).unwrap_or(usize::MAX)
        };
        let written = first(|asked| if let Asked::Overwrite(path) = asked { Some(path) } else { None });
        let synced = first(|asked| if let Asked::Sync(path) = asked { Some(path) } else { None });
        assert!(written < synced && synced < log.len(), "{log:?}");
    }
}
