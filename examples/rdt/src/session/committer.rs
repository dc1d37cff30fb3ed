//! Makes files durable, many with one flush of the disk.
//!
//! ```text
//! submit ──→ waiting ──┐                    ┌──→ whole ──┐
//! submit ──→ waiting ──┼── finish each ─────┼──→ whole ──┼── flush once, name each ──→ their results
//! submit ──→ waiting ──┘                    └──→ whole ──┘
//! ```
//!
//! One thread finishes files while another flushes those before them. So a single file waits for nothing, and the more
//! files arrive, the more of them share a flush.

mod queue;

use super::content::{Complete, NotStored, Stored};
use crate::disk::{Call, Disk, Work};
use crate::files;
use queue::{Counted, Queue, Step, Waiting, Whole};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The bytes from which a file is flushed on its own, so that small ones of other clients do not wait for it. Those of
/// its own client are reported in order. A file that may wait for the name of another is flushed on its own as well: that
/// one may be in its batch.
const LARGE: u64 = 1 << 20;
/// The bytes of files that are not yet durable, of all clients, beyond which each client has one at a time.
const MOST_BYTES: u64 = 64 << 20;
/// The files of one event loop that are to become durable. Its clients share it.
#[derive(Clone, Default)]
pub(crate) struct Committer {
    queue: Arc<Mutex<Queue>>,
    /// The bytes of the files that are not yet durable.
    bytes: Arc<AtomicU64>,
}

type Finish = Box<dyn FnOnce() -> Result<Complete, NotStored> + Send>;

/// A file whose content has arrived.
pub(crate) struct Ending {
    /// Writes the last bytes, and compares the digest.
    pub(crate) finish: Finish,
    /// The number of bytes that have arrived.
    pub(crate) bytes: u64,
    /// Whether `finish` may wait until another file has its name.
    pub(crate) may_wait: bool,
}

impl Committer {
    /// Makes the file durable. Without any other, it begins at once.
    pub(crate) fn submit(&self, disk: &Disk, ending: Ending) -> Call<Stored> {
        let Ending { finish, bytes, may_wait } = ending;
        let (promise, call) = disk.promise();
        let waiting = Waiting { finish, promise, counted: Counted::new(&self.bytes, bytes) };
        if bytes >= LARGE || may_wait {
            disk.run(Work::Flush, move || flush_all(finish_each(vec![waiting])));
            return call;
        }
        let mut queue = self.queue();
        queue.waiting.push(waiting);
        let needs_thread = !queue.is_called && !queue.is_finishing && queue.has_room();
        queue.is_called |= needs_thread;
        // A job that finds no thread is dropped in this call, and takes the lock.
        drop(queue);
        if needs_thread {
            let job = Job(Some(self.clone()));
            disk.run(Work::Flush, move || job.run());
        }
        call
    }

    /// Whether so much waits that a client with files here should not add more.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > MOST_BYTES
    }

    /// Finishes and flushes until nothing is left that no other thread does.
    fn run(&self) {
        let mut queue = self.queue();
        queue.is_called = false;
        while let Some(step) = queue.next() {
            drop(queue);
            match step {
                Step::Finish(batch) => {
                    let whole = finish_each(batch);
                    queue = self.queue();
                    queue.is_finishing = false;
                    queue.whole.extend(whole);
                }
                Step::Flush(batch) => {
                    // A panic drops the promises of its batch, so that their calls fail. The files that wait go on.
                    let _ = catch_unwind(AssertUnwindSafe(|| flush_all(batch)));
                    queue = self.queue();
                    queue.is_flushing = false;
                }
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job that runs. If it is dropped without a thread, and none is at work, the files that wait fail.
struct Job(Option<Committer>);

impl Job {
    fn run(mut self) {
        if let Some(committer) = self.0.take() {
            committer.run();
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        let Some(committer) = self.0.take() else { return };
        let mut queue = committer.queue();
        queue.is_called = false;
        let is_at_work = queue.is_finishing || queue.is_flushing;
        let waiting = if is_at_work { Vec::new() } else { std::mem::take(&mut queue.waiting) };
        drop(queue);
        // Without their promises, the calls fail.
        drop(waiting);
    }
}

/// Finishes each file. Gives the results of those that need no flush.
fn finish_each(batch: Vec<Waiting>) -> Vec<Whole> {
    let mut whole = Vec::with_capacity(batch.len());
    for Waiting { finish, promise, counted } in batch {
        match catch_unwind(AssertUnwindSafe(finish)) {
            Ok(Ok(Complete::File(file))) => whole.push(Whole { file: *file, promise, counted }),
            Ok(Ok(Complete::Elsewhere)) => promise.keep(Ok(None)),
            Ok(Err(error)) => promise.keep(Err(error)),
            // Only its own call fails.
            Err(_) => drop(promise),
        }
    }
    whole
}

/// Makes files durable, and gives the results.
fn flush_all(batch: Vec<Whole>) {
    let (mut files, mut promises) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for Whole { file, promise, counted } in batch {
        files.push(file);
        promises.push((promise, counted));
    }
    if files.is_empty() {
        return;
    }
    for ((promise, _counted), result) in promises.into_iter().zip(files::commit(files)) {
        promise.keep(result.map_err(NotStored::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Finished;
    use mio::{Poll, Token, Waker};
    use std::io;
    use std::sync::mpsc::{Sender, channel};
    use std::time::{Duration, Instant};

    const SMALL: u64 = 1;

    struct Setting {
        committer: Committer,
        disk: Disk,
        _finished: (Poll, Finished),
    }

    fn setting(threads: usize) -> Setting {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (disk, finished) = Disk::new(waker, threads);
        Setting { committer: Committer::default(), disk, _finished: (poll, finished) }
    }

    impl Setting {
        fn submit(
            &self,
            bytes: u64,
            finish: impl FnOnce() -> Result<Complete, NotStored> + Send + 'static,
        ) -> Call<Stored> {
            self.committer.submit(&self.disk, Ending { finish: Box::new(finish), bytes, may_wait: false })
        }

        /// Occupies the thread until the sender is dropped.
        fn occupy(&self) -> (Call<Stored>, Sender<()>) {
            let ((release, released), (begun, begins)) = (channel::<()>(), channel());
            let call = self.submit(SMALL, move || {
                begun.send(()).unwrap();
                let _ = released.recv();
                Ok(Complete::Elsewhere)
            });
            begins.recv().unwrap();
            (call, release)
        }
    }

    fn result(call: &mut Call<Stored>) -> io::Result<Stored> {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            match call.take() {
                Some(result) => return result,
                None => assert!(Instant::now() < limit, "no result comes"),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Regression: the other files of its batch failed as well.
    #[test]
    fn a_panic_of_one_file_leaves_the_others() {
        let setting = setting(1);
        let (mut first, release) = setting.occupy();
        let mut calls = [0, 1, 2].map(|at| {
            setting.submit(SMALL, move || {
                assert!(at != 1, "expected by this test");
                Ok(Complete::Elsewhere)
            })
        });
        drop(release);
        assert!(result(&mut first).unwrap().is_ok());
        let results = calls.each_mut().map(|call| result(call).is_ok());
        assert_eq!(results, [true, false, true]);
    }

    /// Regression: they waited until another file came.
    #[test]
    fn files_that_wait_are_committed_after_a_panic() {
        let setting = setting(1);
        let ((release, released), (begun, begins)) = (channel::<()>(), channel());
        let mut first = setting.submit(SMALL, move || {
            begun.send(()).unwrap();
            let _ = released.recv();
            panic!("expected by this test")
        });
        begins.recv().unwrap();
        let mut second = setting.submit(SMALL, || Ok(Complete::Elsewhere));
        drop(release);
        assert!(result(&mut first).is_err());
        assert!(result(&mut second).unwrap().is_ok());
    }

    /// Regression: they waited for ever, as did each file behind them.
    #[test]
    fn files_that_no_thread_takes_fail() {
        let Setting { committer, disk, .. } = setting(0);
        let submit = |disk: &Disk| {
            let finish: Finish = Box::new(|| Ok(Complete::Elsewhere));
            committer.submit(disk, Ending { finish, bytes: SMALL, may_wait: false })
        };
        let mut calls = [submit(&disk), submit(&disk)];
        // The end of the disk drops the job, as does a system without threads.
        drop(disk);
        for call in &mut calls {
            assert!(result(call).is_err());
        }
        let other = setting(1);
        assert!(result(&mut submit(&other.disk)).unwrap().is_ok());
    }

    #[test]
    fn each_file_gets_its_own_result_and_all_keep_their_order() {
        let setting = setting(4);
        let (mut first, release) = setting.occupy();
        let (order, ended) = channel();
        let mut calls: Vec<_> = (0..700)
            .map(|at| {
                let order = order.clone();
                setting.submit(SMALL, move || {
                    order.send(at).unwrap();
                    if at % 3 == 0 { Err(NotStored::DigestMismatch) } else { Ok(Complete::Elsewhere) }
                })
            })
            .collect();
        assert!(ended.try_recv().is_err(), "they wait while another batch runs");
        drop(release);
        assert!(result(&mut first).unwrap().is_ok());
        for (at, call) in calls.iter_mut().enumerate() {
            assert_eq!(result(call).unwrap().is_err(), at % 3 == 0, "{at}");
        }
        assert!(ended.try_iter().eq(0..700));
    }

    /// Regression: a file waited five seconds for the name of another in its batch.
    #[test]
    fn a_file_may_wait_for_the_name_of_another() {
        let setting = setting(2);
        let (mut first, release) = setting.occupy();
        let (named, gets_name) = channel::<()>();
        let waits: Finish = Box::new(move || {
            let _ = gets_name.recv();
            Ok(Complete::Elsewhere)
        });
        let mut waiting =
            setting.committer.submit(&setting.disk, Ending { finish: waits, bytes: SMALL, may_wait: true });
        drop(release);
        assert!(result(&mut first).unwrap().is_ok());
        assert!(result(&mut setting.submit(SMALL, || Ok(Complete::Elsewhere))).unwrap().is_ok());
        drop(named);
        assert!(result(&mut waiting).unwrap().is_ok());
    }

    #[test]
    fn a_large_file_waits_for_no_batch() {
        let setting = setting(2);
        let (_first, _release) = setting.occupy();
        let mut large = setting.submit(LARGE, || Ok(Complete::Elsewhere));
        assert!(result(&mut large).unwrap().is_ok());
    }

    #[test]
    fn a_batch_that_has_ended_leaves_the_next_file_to_a_new_one() {
        let setting = setting(1);
        for _ in 0..100 {
            assert!(result(&mut setting.submit(SMALL, || Ok(Complete::Elsewhere))).unwrap().is_ok());
        }
    }
}
