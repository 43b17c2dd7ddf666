//! Work that would hold up a thread that serves sockets or rooms: decoding, resampling, encoding.
//!
//! What belongs here: the threads that may wait, and whose turn it is on them. What does not: the work, which is plain
//! structs that move there and back.
//!
//! There is one such thread for each core, and two at least, in the whole process; they step back behind those that serve.
//! What is to be recorded goes first, and one thread always is left to it: a room that is expensive to mix is heard late, and
//! recorded in time. Otherwise the order is that in which the work came: who brings a megabyte in one message brings it in
//! pieces, and waits for its turn with each of them like everyone else.
//!
//! One core carries some 90 publishers of stereo at 44.1 kHz, be it PCM, FLAC, AAC, Vorbis or MP3, and some 200 of mono at
//! 48 kHz, as far as this work goes: `cargo bench --bench codec` prints the table. Opus costs none of it.
//!
//! So a hub that has more of it than it can do is late for those who need it, and for nobody else.

use std::collections::VecDeque;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::oneshot;

/// How much such a thread steps back behind those that serve (`setpriority`): it gets a third of what they get, where both
/// want all. What is derived from recordings steps back much further.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// The threads of this process.
static THREADS: LazyLock<Threads> =
    LazyLock::new(|| Threads::start(thread::available_parallelism().map_or(1, NonZero::get).max(2)));

/// What a piece of work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// A track: what is not decoded in time is not recorded in time. First in every queue.
    Recording,
    /// Those who listen to a mix.
    Mixing,
}

/// Does this on a thread that serves nobody, once it is its turn, and waits for it. What has begun is done to its end, also
/// where nobody waits for it any more; what has not is dropped then.
///
/// # Errors
/// Where the work panicked: what was moved into it is gone. Or where the system gives us no threads.
pub async fn offload<T: Send + 'static>(what_for: For, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fell> {
    THREADS.offload(what_for, work).await
}

/// The work panicked, by a fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hub fell over this sound, by a fault of its own")]
pub struct Fell;

type Work = Box<dyn FnOnce() + Send>;

/// Threads, and what waits for them.
struct Threads {
    count: usize,
    queues: Arc<Queues>,
}

#[derive(Default)]
struct Queues {
    waiting: Mutex<Waiting>,
    /// Told of each piece of work that comes, and of each mix that is done.
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    recording: VecDeque<Work>,
    mixing: VecDeque<Work>,
    /// How many mixes are being made.
    mixes: usize,
}

impl Threads {
    /// As many as that, if the system gives so many.
    fn start(wanted: usize) -> Self {
        let queues = Arc::<Queues>::default();
        let start = |_: &usize| {
            let queues = Arc::clone(&queues);
            let begun = thread::Builder::new().name("codec".to_owned()).spawn(move || queues.work(wanted - 1));
            begun.inspect_err(|error| tracing::error!("no thread for decoding and encoding: {error}")).is_ok()
        };
        let count = (0..wanted).filter(start).count();
        Self { count, queues }
    }

    async fn offload<T: Send + 'static>(
        &self,
        what_for: For,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fell> {
        if self.count == 0 {
            return Err(Fell);
        }
        let (reply, done) = oneshot::channel();
        let work: Work = Box::new(move || {
            if reply.is_closed() {
                return;
            }
            // Nothing outlives a panic: what was moved into the work goes with it, and the reply is dropped.
            if let Ok(made) = catch_unwind(AssertUnwindSafe(work)) {
                // Whoever waited may be gone by now.
                let _ = reply.send(made);
            }
        });
        self.queues.push(what_for, work);
        done.await.map_err(|_| Fell)
    }
}

impl Queues {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that is done under the lock leaves it half done.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, what_for: For, work: Work) {
        let mut waiting = self.waiting();
        match what_for {
            For::Recording => waiting.recording.push_back(work),
            For::Mixing => waiting.mixing.push_back(work),
        }
        drop(waiting);
        // All of them: the one that wakes might be the one that must leave a mix alone.
        self.news.notify_all();
    }

    /// What each thread does, for ever: what comes next, of which at most `most_mixes` are mixes at a time.
    fn work(&self, most_mixes: usize) {
        step_back();
        loop {
            let waiting = self.waiting();
            let idle = |waiting: &mut Waiting| waiting.next(most_mixes).is_none();
            let mut waiting = self.news.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
            match waiting.next(most_mixes) {
                Some(For::Recording) => {
                    let work = waiting.recording.pop_front();
                    drop(waiting);
                    work.into_iter().for_each(|work| work());
                }
                Some(For::Mixing) => {
                    let work = waiting.mixing.pop_front();
                    waiting.mixes += 1;
                    drop(waiting);
                    work.into_iter().for_each(|work| work());
                    self.waiting().mixes -= 1;
                    self.news.notify_all();
                }
                None => {}
            }
        }
    }
}

impl Waiting {
    /// Whose turn it is.
    fn next(&self, most_mixes: usize) -> Option<For> {
        if !self.recording.is_empty() {
            Some(For::Recording)
        } else if !self.mixing.is_empty() && self.mixes < most_mixes {
            Some(For::Mixing)
        } else {
            None
        }
    }
}

/// Makes the thread that this runs on less urgent than those that serve.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        tracing::debug!("codecs are as urgent as all else: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn no_more_work_runs_at_a_time_than_there_are_threads_and_all_of_it_is_done() {
        let threads = Threads::start(3);
        let running = Arc::new(AtomicUsize::new(0));
        let here = thread::current().id();
        let work = |number: usize| {
            let running = Arc::clone(&running);
            let what_for = if number.is_multiple_of(2) { For::Recording } else { For::Mixing };
            threads.offload(what_for, move || {
                assert_ne!(thread::current().id(), here);
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                (number, now)
            })
        };
        let all = futures_util::future::join_all((0..500).map(work)).await;
        for (index, done) in all.into_iter().enumerate() {
            let (number, running) = done.unwrap();
            assert_eq!(number, index);
            assert!(running <= 3, "{running} at a time on three threads");
        }
    }

    #[tokio::test]
    async fn mixes_leave_a_thread_to_what_is_recorded_which_goes_first() {
        let threads = Threads::start(2);
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push(name)
        };
        // Two mixes that last until they are told to end; one of them must wait.
        let (end, ended) = mpsc::channel::<()>();
        let first = threads.offload(For::Mixing, move || ended.recv());
        let second = threads.offload(For::Mixing, note("the second mix"));
        let recording = threads.offload(For::Recording, note("recording"));
        let mixing = async {
            let (first, second) = tokio::join!(first, second);
            first.unwrap().unwrap();
            second.unwrap();
        };
        let recording = async {
            recording.await.unwrap();
            end.send(()).unwrap();
        };
        tokio::join!(mixing, recording);
        assert_eq!(*order.lock().unwrap(), ["recording", "the second mix"]);
    }

    #[tokio::test]
    async fn work_that_panics_costs_itself_alone() {
        let threads = Threads::start(2);
        for _ in 0..4 {
            assert_eq!(threads.offload(For::Mixing, || panic!("a test wants it")).await, Err::<(), _>(Fell));
            assert_eq!(threads.offload(For::Recording, || panic!("a test wants it")).await, Err::<(), _>(Fell));
        }
        assert_eq!(threads.offload(For::Mixing, || 7).await, Ok(7), "its turn was given back");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let threads = Threads::start(1);
        let (end, ended) = mpsc::channel::<()>();
        let done = Arc::new(AtomicUsize::new(0));
        let holding = threads.offload(For::Recording, move || ended.recv());
        let given_up = {
            let done = Arc::clone(&done);
            threads.offload(For::Recording, move || done.fetch_add(1, Ordering::SeqCst))
        };
        {
            let polled = tokio::time::timeout(std::time::Duration::ZERO, futures_util::future::join(holding, given_up));
            assert!(polled.await.is_err(), "both wait");
        }
        end.send(()).unwrap();
        threads.offload(For::Recording, || {}).await.unwrap();
        assert_eq!(done.load(Ordering::SeqCst), 0);
    }
}
