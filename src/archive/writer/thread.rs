//! The thread around the writer: commands in, a round each period. It is the only place here that knows of time passing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::health::{Health, LOOK};
use super::{Command, Reply, Writer};
use crate::archive::derived::{MAKERS, Orders, follower, maker};
use crate::archive::faults::{self, Plan};
use crate::archive::handle::Changed;
use crate::archive::open::{self, OpenError, Options};
use crate::archive::recovery::Recovered;
use crate::archive::store::Phase;
use crate::media::time::UnixMillis;

/// What the thread runs: opens the archive, says what came of it, writes until it is told to close or nobody is left who
/// could tell it anything.
pub(in crate::archive) fn shell(
    options: Options,
    now: UnixMillis,
    (commands, inbox): (mpsc::WeakUnboundedSender<Command>, mpsc::UnboundedReceiver<Command>),
    orders: Arc<Orders>,
    told: (broadcast::Sender<Changed>, watch::Sender<Health>),
    opened: oneshot::Sender<Result<Recovered, OpenError>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = opened.send(Err(OpenError::Folder { folder: options.folder, source }));
            return;
        }
    };
    runtime.block_on(async {
        let plan = options.faults.clone().map(|file| Arc::new(Plan::new(file)));
        let store = faults::store(plan.as_ref(), Phase::Write);
        let changed = told.0.subscribe();
        let opening = open::open(&options, now, store, Arc::clone(&orders), told);
        let (writer, lock, recovered) = match opening.await {
            Ok(all) => all,
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        let lock = Arc::new(lock);
        for nth in 1..=MAKERS {
            let (orders, root, lock) = (Arc::clone(&orders), options.folder.clone(), Arc::clone(&lock));
            let (commands, store) = (commands.clone(), faults::store(plan.as_ref(), Phase::Make));
            orders.begin();
            let making = Arc::clone(&orders);
            let thread = std::thread::Builder::new().name(format!("maker-{nth}"));
            if let Err(error) = thread.spawn(move || maker(making, root, store, commands, lock)) {
                tracing::warn!("there is one maker less of what is derived from recordings: {error}");
                orders.end();
            }
        }
        orders.waves().begin();
        let (root, store) = (options.folder.clone(), faults::store(plan.as_ref(), Phase::Make));
        let (following, thread) = (Arc::clone(&orders), std::thread::Builder::new().name("follower".to_owned()));
        if let Err(error) = thread.spawn(move || follower(&following, root, store, changed)) {
            tracing::warn!("no waveform is made before its recording has ended: {error}");
            orders.waves().end();
        }
        let _ = opened.send(Ok(recovered));
        let waiting = write(writer, inbox, options.sync_period).await;
        drop(lock);
        if let Some(reply) = waiting {
            let _ = reply.send(Ok(()));
        }
    });
}

/// Writes; gives who waits for the end.
async fn write(mut writer: Writer, mut inbox: mpsc::UnboundedReceiver<Command>, period: Duration) -> Option<Reply<()>> {
    let (mut due, mut look) = (None, None);
    let passed = |time: Option<Instant>| time.is_some_and(|time| Instant::now() >= time);
    let closing = loop {
        // Asked before the inbox, which may never be empty.
        if passed(due) {
            writer.round().await;
            due = writer.dirty().then(|| Instant::now() + period);
        }
        if passed(look) {
            writer.look_again().await;
            look = None;
        }
        look = if writer.is_well() { None } else { look.or_else(|| Some(Instant::now() + LOOK)) };
        let command = match due.into_iter().chain(look).min() {
            None => inbox.recv().await,
            Some(wake) => match timeout_at(wake, inbox.recv()).await {
                Ok(command) => command,
                Err(_) => continue,
            },
        };
        match command {
            None => break None,
            Some(Command::Close { reply }) => break Some(reply),
            Some(command) => writer.handle(command).await,
        }
        due = due.or_else(|| Some(Instant::now() + period));
    };
    writer.round().await;
    writer.close().await;
    closing
}
