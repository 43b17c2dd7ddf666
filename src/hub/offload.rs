//! Work that would hold up a thread that serves sockets or rooms: decoding, resampling, encoding.
//!
//! What belongs here: the one door to the threads that may wait. What does not: the work, which is plain structs that move
//! there and back.
//!
//! At most as many pieces of work run at a time as there are cores, in the order in which they came, in the whole process:
//! who brings a megabyte in one message brings it in pieces, and waits for its turn with each of them like everyone else.
//! One core carries some 90 publishers of stereo at 44.1 kHz, be it PCM, FLAC, AAC, Vorbis or MP3, and some 200 of mono at
//! 48 kHz, as far as this work goes: `cargo bench --bench codec` prints the table. Opus costs none of it.
//!
//! So a hub that has more of it than it can do is late for those who need it, and for nobody else.

use std::num::NonZero;
use std::sync::LazyLock;

use tokio::sync::Semaphore;

/// One permit for each core.
static CORES: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get)));

/// Does this on a thread that serves nobody, once it is its turn, and waits for it. What has begun is done to its end, also
/// where nobody waits for it any more.
///
/// Must be called within a tokio runtime.
///
/// # Errors
/// Where the work panicked: what was moved into it is gone.
pub async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fell> {
    let turn = CORES.acquire().await.expect("nobody closes it");
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(|_| Fell)
}

/// The work panicked, by a fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hub fell over this sound, by a fault of its own")]
pub struct Fell;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_work_runs_at_a_time_than_there_are_cores_and_all_of_it_is_done() {
        static RUNNING: AtomicUsize = AtomicUsize::new(0);
        let here = std::thread::current().id();
        let work = move |number: usize| {
            offload(move || {
                assert_ne!(std::thread::current().id(), here);
                let running = RUNNING.fetch_add(1, Ordering::SeqCst) + 1;
                std::thread::yield_now();
                RUNNING.fetch_sub(1, Ordering::SeqCst);
                (number, running)
            })
        };
        let all = futures_util::future::join_all((0..500).map(work)).await;
        let cores = std::thread::available_parallelism().unwrap().get();
        for (index, done) in all.into_iter().enumerate() {
            let (number, running) = done.unwrap();
            assert_eq!(number, index);
            assert!(running <= cores, "{running} at a time on {cores} cores");
        }
    }

    #[tokio::test]
    async fn work_that_panics_costs_itself_alone() {
        let cores = std::thread::available_parallelism().unwrap().get();
        for _ in 0..=cores {
            assert_eq!(offload(|| panic!("a test wants it")).await, Err::<(), _>(Fell));
        }
        assert_eq!(offload(|| 7).await, Ok(7), "its turn was given back");
    }
}
