//! Looking after the limits: at the start, after each end of a recording, when something is no longer read that stayed for
//! that, and every minute, since the disk is not ours alone.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::time::MissedTickBehavior;

use super::decision::{Candidate, Decision, Scope};
use super::{Expiry, Limits, Reason, Space};
use crate::archive::derived::longest_unused_first;
use crate::archive::handle::{Archive, Changed, Error};
use crate::archive::index::derived::asked;
use crate::archive::index::retention as index;
use crate::archive::writer::Command;
use crate::media::room::RoomName;
use crate::media::time::UnixMillis;

/// How often, whatever happens.
const EVERY: Duration = Duration::from_secs(60);

impl Archive {
    /// Looks after the limits until the archive is closed. `now` is the wall's clock.
    pub async fn retain(self, limits: Limits, now: impl Fn() -> UnixMillis) {
        self.set_limits(limits, now());
        let mut changed = self.watch();
        let mut due = tokio::time::interval(EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = due.tick() => {}
                () = self.retention().freed.notified() => {}
                () = ended(&mut changed) => {}
            }
            match self.look_after(now()).await {
                Ok(()) => {}
                Err(Error::Closed) => return,
                Err(error) => tracing::warn!("the limits of the recordings cannot be looked after: {error}"),
            }
        }
    }

    /// What recordings may take from now on.
    pub fn set_limits(&self, limits: Limits, now: UnixMillis) {
        self.retention().begin(limits, now);
    }

    /// Deletes what the limits ask for, once; [`Self::retain`] does it whenever it is time to.
    ///
    /// # Errors
    /// Where the index or the disk cannot be read; [`Error::Closed`] where the archive is.
    pub async fn look_after(&self, now: UnixMillis) -> Result<(), Error> {
        for (reason, bytes) in self.finish_deletions().await? {
            self.retention().count(reason, bytes);
        }
        let space = self.space().await?;
        match self.retention().measured(space) {
            Some(true) => tracing::warn!(
                free = space.free,
                "less than 5 % of the disk of the recordings is free, {} of {} bytes",
                space.free,
                space.capacity
            ),
            Some(false) => tracing::info!(free = space.free, "the disk of the recordings has space again"),
            None => {}
        }
        let limits = self.retention().limits();
        let mut unmet = Vec::new();
        let mut connection = self.readers().acquire().await?;
        // What the disk would not remove is taken for gone, as it was when it was decided: it is tried again, and no other goes for it.
        let unremoved = index::unremoved(&mut connection).await?;
        let bytes = index::totals(&mut connection).await?.bytes;
        drop(connection);
        let waits: u64 = unremoved.iter().map(|one| one.bytes).sum();
        let free = space.free.saturating_add(self.make_way(limits, space).await?).saturating_add(waits);
        let mut decision = Decision::new(limits, now, bytes.saturating_sub(waits), Space { free, ..space });
        if let Some(most) = limits.max_room_bytes {
            let mut after = None;
            loop {
                let rooms = index::rooms_over(&mut *self.readers().acquire().await?, most, after.as_ref()).await?;
                let Some(last) = rooms.last().cloned() else { break };
                for (room, bytes) in rooms {
                    let waits: u64 = unremoved.iter().filter(|one| one.room == room).map(|one| one.bytes).sum();
                    let Some(scope) = decision.room(bytes.saturating_sub(waits)) else { continue };
                    unmet.extend(self.walk(&mut decision, scope, Some(&room), now).await?);
                }
                after = Some(last);
            }
        }
        if limits.on_all() {
            unmet.extend(self.walk(&mut decision, Scope::All, None, now).await?);
        }
        unmet.dedup();
        for reason in self.retention().unmet(unmet) {
            tracing::warn!(
                "{} is passed, and nothing more may go: what is left is kept, live or in use",
                reason.word()
            );
        }
        Ok(())
    }

    /// Where the disk has too little free, removes what is there only because someone asked for it: the longest unused first, and no
    /// more than has to go; what is downloaded just now stays until then. Gives the bytes of all of that, gone or not: for them no
    /// recording goes.
    async fn make_way(&self, limits: Limits, space: Space) -> Result<u64, Error> {
        let mut short = limits.min_free_bytes.unwrap_or(0).saturating_sub(space.free);
        if short == 0 {
            return Ok(0);
        }
        let files = asked(&mut *self.readers().acquire().await?).await?;
        let bytes = files.iter().map(|file| file.bytes).sum();
        let root = self.folder().to_owned();
        let sort = move || longest_unused_first(&root, files);
        for file in tokio::task::spawn_blocking(sort).await.map_err(|_| Error::Closed)? {
            if short == 0 {
                break;
            }
            if self.retention().spares(file.id) {
                continue;
            }
            short = short.saturating_sub(file.bytes);
            let (id, what) = (file.id, file.what);
            match self.ask(|reply| Command::Evict { file, reply }).await {
                Ok(()) | Err(Error::NotFound) => {}
                Err(Error::Closed) => return Err(Error::Closed),
                Err(error) => tracing::warn!(recording = %id, "{what} cannot be removed: {error}"),
            }
        }
        Ok(bytes)
    }

    /// Goes through a list, page by page, and deletes what goes; gives the limits that are passed nevertheless.
    async fn walk(
        &self,
        decision: &mut Decision,
        mut scope: Scope,
        room: Option<&RoomName>,
        now: UnixMillis,
    ) -> Result<Vec<Reason>, Error> {
        let mut after = None;
        loop {
            let mut connection = self.readers().acquire().await?;
            let page = match room {
                Some(room) => index::oldest_of_room(&mut connection, room, after, index::PAGE).await?,
                None => index::oldest(&mut connection, after, index::PAGE).await?,
            };
            drop(connection);
            let taken = decision.take(&mut scope, &page, |id| self.retention().spares(id));
            for (place, reason) in taken.go {
                self.expire(&page[place], Expiry { reason, at: now }).await?;
            }
            after = page.last().map(|last| (last.ended, last.id));
            if !taken.more {
                return Ok(decision.unmet(scope));
            }
        }
    }

    /// Deletes a recording by a limit. Where it cannot go after all, the next look decides again; where it is marked and the disk does not
    /// remove it, the next looks try that, and it counts as gone when it is.
    async fn expire(&self, candidate: &Candidate, expiry: Expiry) -> Result<(), Error> {
        let (id, room, bytes, reason) = (candidate.id, &candidate.room, candidate.bytes, expiry.reason);
        if self.retention().spares(id) {
            // Someone began to read it since it was chosen.
            return Ok(());
        }
        match self.delete_by(id, Some(expiry)).await {
            Ok(()) => {
                tracing::info!(recording = %id, %room, bytes, reason = reason.word(), "deleted by retention");
                self.retention().count(reason, bytes);
                Ok(())
            }
            Err(Error::Closed) => Err(Error::Closed),
            // Someone was faster: deleted it, or marked it.
            Err(Error::NotFound | Error::Kept) => Ok(()),
            Err(error) => {
                tracing::warn!(recording = %id, %room, bytes, "cannot be deleted by retention yet: {error}");
                Ok(())
            }
        }
    }
}

/// Resolves when a recording has ended or was changed after its end; also where some news was missed.
async fn ended(changed: &mut broadcast::Receiver<Changed>) {
    loop {
        match changed.recv().await {
            Ok(Changed::Recording(summary)) if summary.state.end_reason().is_none() => {}
            Ok(Changed::Deleted(_) | Changed::Mixed(..)) => {}
            Ok(Changed::Recording(_)) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            // The archive holds the other end, so this never comes.
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}
