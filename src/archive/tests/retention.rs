//! Retention over a real index and real files: what goes, what stays, what is told of it.

use crate::archive::model::{Container, Derived, EndReason};
use crate::archive::{Change, Count, Error, Limits, Reason, Storage};

use super::*;

const DAY: i64 = 24 * 60 * 60 * 1000;

impl Rig {
    /// A recording of a room that ended so many days before [`NOW`].
    async fn shelve(&mut self, n: u8, room: &str, days: i64) -> RecordingId {
        let started = UnixMillis::new(NOW.get() - days * DAY);
        let new = NewRecording { id: RecordingId::new(started, [n; 10]), room: room.parse().unwrap(), started };
        let id = new.id;
        let writer = self.archive.begin(new, Box::new(drop));
        writer.begin_part(part(ONE, 1));
        writer.append(ONE, packets(0..5));
        writer.end(EndReason::Finished, started);
        self.round().await;
        id
    }

    /// Looks after these limits once; gives what is told then.
    async fn look(&mut self, limits: Limits) -> Storage {
        let archive = self.archive.clone();
        archive.set_limits(limits, NOW);
        self.ask(archive.look_after(NOW)).await.unwrap();
        self.ask(archive.storage()).await.unwrap()
    }

    async fn there(&self, id: RecordingId) -> bool {
        self.archive.recording(id).await.unwrap().is_some()
    }
}

/// What the index has to say of sums, told by the rows themselves.
async fn counted(folder: &Path) -> Vec<(String, i64, i64)> {
    let mut connection = open::connect(&folder.join(names::INDEX)).await.unwrap();
    let query = "SELECT '' AS room, count(*), coalesce(sum(bytes + derived_bytes), 0) FROM recordings UNION ALL \
                 SELECT room, count(*), sum(bytes + derived_bytes) FROM recordings GROUP BY room ORDER BY room";
    let counted = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
    let query = "SELECT '' AS room, recordings, bytes FROM storage UNION ALL \
                 SELECT room, recordings, bytes FROM room_storage ORDER BY room";
    let kept: Vec<(String, i64, i64)> = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
    assert_eq!(kept, counted);
    kept
}

#[tokio::test]
async fn the_sums_in_the_index_are_those_of_its_rows_whatever_happens() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    assert_eq!(counted(dir.path()).await, [(String::new(), 0, 0)]);
    let one = rig.shelve(1, "studio", 3).await;
    let two = rig.shelve(2, "studio", 2).await;
    rig.shelve(3, "garage", 1).await;
    let live = rig.begin(id(9));
    live.begin_part(part(ONE, 1));
    for n in 0..3 {
        live.append(ONE, packets(n * 5..n * 5 + 5));
        rig.round().await;
        counted(dir.path()).await;
    }
    let mut maker = crate::archive::derived::Maker {
        orders: rig.orders.clone(),
        root: dir.path().to_owned(),
        readers: rig.archive.readers().clone(),
        commands: rig.commands.downgrade(),
        store: Box::new(Disk),
    };
    let before = counted(dir.path()).await;
    rig.ask(maker.visit(two)).await.unwrap();
    let after = counted(dir.path()).await;
    assert!(after[0].2 > before[0].2, "what is derived counts: {before:?}, {after:?}");
    let archive = rig.archive.clone();
    for id in [two, one] {
        rig.ask(archive.delete(id)).await.unwrap();
        counted(dir.path()).await;
    }
    drop(live);
    rig.round().await;
    let left = counted(dir.path()).await;
    assert_eq!(
        left.iter().map(|(room, count, _)| (&**room, *count)).collect::<Vec<_>>(),
        [("", 2), ("garage", 1), ("studio", 1)]
    );
    rig.close().await;
}

#[tokio::test]
async fn what_is_too_old_goes_and_what_is_kept_live_or_read_stays() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(rig.shelve(n, if n % 2 == 0 { "studio" } else { "garage" }, 40 - i64::from(n)).await);
    }
    let young = rig.shelve(6, "garage", 29).await;
    let live = rig.begin(id(9));
    live.begin_part(part(ONE, 1));
    live.append(ONE, packets(0..5));
    rig.round().await;
    let archive = rig.archive.clone();
    rig.ask(archive.change(ids[0], Change { keep: Some(true), ..Change::default() })).await.unwrap();
    let downloaded = archive.track_sound(ids[1], ONE).await.unwrap();
    let played = archive.open_recording(ids[2], Moment::START).await.unwrap();

    let limits = Limits { max_days: Some(30), ..Limits::default() };
    let told = rig.look(limits).await;
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(rig.there(*id).await, n < 3, "{n}");
    }
    assert!(rig.there(young).await && rig.there(id(9)).await);
    let latest: Vec<_> = told.deleted.latest.iter().map(|gone| (gone.id, gone.reason)).collect();
    assert_eq!(latest, [5, 4, 3].map(|n| (ids[n], Reason::MaxDays)), "the last first");
    let bytes = told.deleted.latest[0].bytes;
    assert!(bytes > 0);
    assert_eq!(told.deleted.by[0], (Reason::MaxDays, Count { recordings: 3, bytes: bytes * 3 }));
    // What is being read goes first when nobody reads it any more.
    assert_eq!(told.next.iter().map(|next| next.id).collect::<Vec<_>>(), [ids[1], ids[2], young]);
    assert_eq!(told.next[0].expires.map(UnixMillis::get), Some(told.next[0].ended.get() + 30 * DAY));
    assert_eq!(told.all.recordings, 5);

    // Whoever waits for it is told when nobody reads it any more.
    drop(downloaded);
    rig.ask(archive.retention().freed.notified()).await;
    rig.look(limits).await;
    assert!(!rig.there(ids[1]).await && rig.there(ids[2]).await);
    drop(played);
    rig.ask(archive.retention().freed.notified()).await;
    rig.look(limits).await;
    assert!(!rig.there(ids[2]).await && rig.there(ids[0]).await);
    assert_eq!(listing(&dir.path().join("garage")).len(), 1);
    drop(live);
}

#[tokio::test]
async fn the_oldest_go_for_all_for_a_room_and_for_the_disk() {
    let dir = scratch();
    let store = super::stand_in::StandIn::new(dir.path(), |_, _| Ok(()));
    let free = store.free.clone();
    let mut rig = Rig::open_on(dir.path(), store).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(rig.shelve(n, if n % 2 == 0 { "studio" } else { "garage" }, 40 - i64::from(n)).await);
    }
    let told = rig.look(Limits::default()).await;
    assert_eq!((told.all.recordings, told.deleted.latest.len(), told.next.len()), (8, 0, 0));
    let bytes = told.all.bytes / 8;
    let left = async |rig: &Rig| {
        let mut left = Vec::new();
        for (n, id) in ids.iter().enumerate() {
            left.extend(rig.there(*id).await.then_some(n));
        }
        left
    };
    let told = rig.look(Limits { max_bytes: Some(bytes * 7), ..Limits::default() }).await;
    assert_eq!((left(&rig).await, told.unmet), (vec![1, 2, 3, 4, 5, 6, 7], vec![]));

    let rooms = Limits { max_room_bytes: Some(bytes * 3 - 1), ..Limits::default() };
    let told = rig.look(rooms).await;
    assert_eq!(left(&rig).await, [4, 5, 6, 7]);
    let of_room = |room: &str| told.rooms.iter().find(|of| of.room.as_str() == room).unwrap();
    assert_eq!((of_room("studio").next, of_room("studio").count.bytes), (Some(ids[4]), bytes * 2));

    free.store(1000, std::sync::atomic::Ordering::Relaxed);
    let told = rig.look(Limits { min_free_bytes: Some(1000 + bytes), ..Limits::default() }).await;
    assert_eq!(left(&rig).await, [5, 6, 7]);
    assert!(told.space.is_low());
    let reasons: Vec<_> = told.deleted.latest.iter().rev().map(|gone| gone.reason).collect();
    let expected =
        [Reason::MaxBytes, Reason::MaxRoomBytes, Reason::MaxRoomBytes, Reason::MaxRoomBytes, Reason::MinFreeBytes];
    assert_eq!(reasons, expected);

    // All of it would not be enough, and it is told.
    free.store(u64::MAX, std::sync::atomic::Ordering::Relaxed);
    let archive = rig.archive.clone();
    rig.ask(archive.change(ids[5], Change { keep: Some(true), ..Change::default() })).await.unwrap();
    let told = rig.look(Limits { max_bytes: Some(1), ..Limits::default() }).await;
    assert_eq!((left(&rig).await, told.unmet), (vec![5], vec![Reason::MaxBytes]));
    let told = rig.look(Limits::default()).await;
    assert_eq!(told.unmet, []);
    counted(dir.path()).await;
}

#[tokio::test]
async fn what_someone_asked_for_costs_no_recording_its_place() {
    let dir = scratch();
    let store = super::stand_in::StandIn::new(dir.path(), |_, _| Ok(()));
    let free = store.free.clone();
    let mut rig = Rig::open_on(dir.path(), store).await.unwrap();
    let (old, young) = (rig.shelve(1, "studio", 3).await, rig.shelve(2, "studio", 2).await);
    let mut maker = rig.maker(dir.path(), Box::new(Disk));
    for id in [old, young] {
        rig.ask(maker.visit(id)).await.unwrap();
    }
    let before = counted(dir.path()).await;
    let wav = Derived::Mix(Container::Wav);
    let asked = async |rig: &Rig, id| {
        let derived = rig.archive.recording(id).await.unwrap().unwrap().derived;
        derived.into_iter().find(|file| file.what == wav).map(|file| file.bytes)
    };
    for id in [old, young] {
        rig.archive.derived(id, wav).await.unwrap();
        rig.ask(maker.visit(id)).await.unwrap();
        assert!(asked(&rig, id).await.is_some());
    }
    assert_eq!(counted(dir.path()).await, before, "it does not count");
    let bytes = u64::try_from(before[0].2).unwrap();
    rig.look(Limits { max_bytes: Some(bytes), ..Limits::default() }).await;
    assert!(rig.there(old).await && asked(&rig, old).await.is_some());

    // Of the disk it goes first; what is downloaded stays, and no recording goes for it.
    let download = rig.archive.derived(old, wav).await.unwrap();
    let size = asked(&rig, young).await.unwrap();
    free.store(1000, std::sync::atomic::Ordering::Relaxed);
    let limits = Limits { min_free_bytes: Some(1000 + size), ..Limits::default() };
    let told = rig.look(limits).await;
    assert!(rig.there(old).await && rig.there(young).await && told.unmet.is_empty());
    assert!(asked(&rig, old).await.is_some() && asked(&rig, young).await.is_none());
    drop(download);
    rig.look(limits).await;
    assert!(rig.there(old).await && asked(&rig, old).await.is_none());
    // That was all of it.
    rig.look(limits).await;
    assert!(!rig.there(old).await);
    counted(dir.path()).await;
}

#[tokio::test]
async fn what_someone_keeps_in_the_last_moment_stays() {
    let dir = scratch();
    let mut rig = Rig::open(dir.path()).await;
    let id = rig.shelve(1, "studio", 40).await;
    let archive = rig.archive.clone();
    rig.ask(archive.change(id, Change { keep: Some(true), ..Change::default() })).await.unwrap();
    let expiry = crate::archive::retention::Expiry { reason: Reason::MaxDays, at: NOW };
    assert!(matches!(rig.ask(archive.delete_by(id, Some(expiry))).await, Err(Error::Kept)));
    assert!(rig.there(id).await);
    rig.ask(archive.delete(id)).await.unwrap();
}

#[tokio::test]
async fn a_deletion_that_the_disk_refused_is_finished_later_without_a_restart() {
    let dir = scratch();
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let refuses = broken.clone();
    let store = super::stand_in::StandIn::new(dir.path(), move |asked, _| match asked {
        super::stand_in::Asked::Remove(path)
            if path.ends_with(".ogg") && refuses.load(std::sync::atomic::Ordering::Relaxed) =>
        {
            Err(std::io::Error::from_raw_os_error(5))
        }
        _ => Ok(()),
    });
    let mut rig = Rig::open_on(dir.path(), store).await.unwrap();
    let id = rig.shelve(1, "studio", 1).await;
    let archive = rig.archive.clone();
    assert!(matches!(rig.ask(archive.delete(id)).await, Err(Error::File { .. })));
    assert!(!rig.there(id).await, "it is gone for everyone");
    rig.look(Limits::default()).await;
    assert_eq!(listing(&dir.path().join("studio")).len(), 1, "the disk still refuses");
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    let told = rig.look(Limits::default()).await;
    assert_eq!(listing(dir.path()).iter().filter(|name| *name == "studio").count(), 0);
    assert_eq!(told.all, Count::default());
}

#[tokio::test]
async fn what_the_disk_will_not_remove_is_not_told_as_gone_and_nothing_else_goes_in_its_place() {
    use std::sync::atomic::{AtomicBool, Ordering};
    for reason in [Reason::MaxDays, Reason::MaxRoomBytes, Reason::MaxBytes, Reason::MinFreeBytes] {
        let dir = scratch();
        let broken = Arc::new(AtomicBool::new(true));
        let refuses = broken.clone();
        let store = super::stand_in::StandIn::new(dir.path(), move |asked, _| match asked {
            super::stand_in::Asked::Remove(path) if path.ends_with(".ogg") && refuses.load(Ordering::Relaxed) => {
                Err(std::io::Error::from_raw_os_error(5))
            }
            _ => Ok(()),
        });
        let free = store.free.clone();
        let mut rig = Rig::open_on(dir.path(), store).await.unwrap();
        let mut ids = Vec::new();
        for (n, room) in (1..).zip(["studio", "studio", "garage"]) {
            ids.push(rig.shelve(n, room, 10 - i64::from(n)).await);
        }
        let all = u64::try_from(counted(dir.path()).await[0].2).unwrap();
        let one = Count { recordings: 1, bytes: all / 3 };
        // Each asks for the oldest, and for no more.
        free.store(1000, Ordering::Relaxed);
        let mut limits = Limits::default();
        match reason {
            Reason::MaxDays => limits.max_days = Some(9),
            Reason::MaxRoomBytes => limits.max_room_bytes = Some(one.bytes * 2 - 1),
            Reason::MaxBytes => limits.max_bytes = Some(all - 1),
            Reason::MinFreeBytes => limits.min_free_bytes = Some(1001),
        }
        let count = |told: &Storage| told.deleted.by.iter().find(|(by, _)| *by == reason).unwrap().1;
        for _ in 0..3 {
            let told = rig.look(limits).await;
            assert_eq!((told.unremoved, told.all.recordings), (one, 3), "{reason:?}");
            assert_eq!((count(&told), told.deleted.latest.len()), (Count::default(), 0), "{reason:?}");
            assert!(!rig.there(ids[0]).await && rig.there(ids[1]).await && rig.there(ids[2]).await, "{reason:?}");
        }
        broken.store(false, Ordering::Relaxed);
        free.store(1001, Ordering::Relaxed);
        let told = rig.look(limits).await;
        assert_eq!((told.unremoved, told.all.recordings, count(&told)), (Count::default(), 2, one), "{reason:?}");
        assert_eq!(told.deleted.latest.iter().map(|gone| gone.id).collect::<Vec<_>>(), [ids[0]], "{reason:?}");
        assert!(rig.there(ids[1]).await && rig.there(ids[2]).await, "{reason:?}");
        assert_eq!(listing(&dir.path().join("studio")).len(), 1, "{reason:?}");
    }
}

#[tokio::test]
async fn a_thousand_deletions_are_remembered_and_more_than_a_page_goes_at_once() {
    let dir = scratch();
    let rig = Rig::open(dir.path()).await;
    // Rows without files: a recording whose files are gone is deleted like any other.
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let many = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1050) \
        INSERT INTO recordings (id, run, room, folder, started_unix_millis, ended_unix_millis, state, end_reason, bytes, \
            session_file_stale) \
        SELECT printf('01932c07-%04x-7000-8000-000000000000', n), 1, 'room-' || (n % 3), 'room-' || (n % 3) || '/' || n, n, n, \
            'ended', 'finished', 10, 0 FROM n";
    sqlx::query(many).execute(&mut connection).await.unwrap();
    drop(connection);
    let mut rig = rig;
    let told = rig.look(Limits { max_bytes: Some(250), ..Limits::default() }).await;
    assert_eq!(told.all, Count { recordings: 25, bytes: 250 });
    assert_eq!(told.deleted.by[2], (Reason::MaxBytes, Count { recordings: 1025, bytes: 10_250 }));
    assert_eq!(told.deleted.latest.len(), 100);
    let mut connection = open::connect(&dir.path().join(names::INDEX)).await.unwrap();
    let remembered: i64 =
        sqlx::query_scalar("SELECT count(*) FROM deletions").fetch_one(&mut connection).await.unwrap();
    assert_eq!(remembered, 1000);
    counted(dir.path()).await;
}
