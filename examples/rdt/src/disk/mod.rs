//! Threads for disk work: no event loop waits for a disk.
//!
//! ```text
//!   event loop                                        threads of the disk
//!   exchange ── SendFile, RecvFile ── Disk::call ────→ Pools ── open, read, write, flush, rename
//!      ↑             ↑                                   |
//!      |             └────────── Call::take ←────────────┤ result
//!      └── Finished::next ←───── the key, and a wake ←───┘
//! ```
//!
//! Each file has at most one call at a time, so its calls are in order, and the queue is bounded by the number of
//! files. A file that is no longer needed is also closed there, because closing frees its space. A file that is no
//! longer needed before it was opened leaves the queue: otherwise clients that come and go while the disk stalls would
//! fill it.

mod chunk_size;
mod pool;

pub(crate) use chunk_size::ChunkSize;

use mio::Waker;
use pool::Pool;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// The number of threads of a server for each kind of work. As many slow calls do not delay others of their kind.
pub(crate) const SERVER_THREADS: usize = 8;
/// The number of threads of a client for each kind of work.
pub(crate) const CLIENT_THREADS: usize = 1;

/// The most threads that compute digests of whole files. More would take the processors from the transfers.
const HASH_THREADS: usize = 2;

/// The kind of a call. Each has threads of its own: a disk that takes no more writes still answers reads, and flushes,
/// which take long, hold up neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Opens, reads or closes a file to send.
    Read,
    /// Reads whole files for their digests, which may take minutes.
    Hash,
    /// Creates, writes or removes a file that arrives.
    Write,
    /// Waits until the disk has everything.
    Flush,
}

/// The disk, as one exchange sees it.
#[derive(Clone)]
pub(crate) struct Disk {
    reads: Arc<Pool>,
    hashes: Arc<Pool>,
    writes: Arc<Pool>,
    flushes: Arc<Pool>,
    finished: Sender<usize>,
    bell: Arc<Bell>,
    key: usize,
    /// The number of calls that have not ended, of all exchanges.
    open: Arc<AtomicUsize>,
}

/// Wakes the loop, once for all calls that end before it looks.
struct Bell {
    waker: Arc<Waker>,
    /// Whether the loop was woken and has not looked yet.
    rung: AtomicBool,
}

/// The keys of the exchanges whose calls have ended.
pub(crate) struct Finished {
    keys: Receiver<usize>,
    bell: Arc<Bell>,
}

impl Disk {
    /// Creates the threads of a loop, which `waker` wakes when a call has ended.
    pub(crate) fn new(waker: Arc<Waker>, threads: usize) -> (Self, Finished) {
        let (finished, keys) = channel();
        let pool = |threads| Arc::new(Pool::new(threads));
        let (reads, hashes) = (pool(threads), pool(threads.min(HASH_THREADS)));
        let (writes, flushes, open) = (pool(threads), pool(threads), Arc::default());
        let bell = Arc::new(Bell { waker, rung: AtomicBool::new(false) });
        let finished_keys = Finished { keys, bell: bell.clone() };
        (Self { reads, hashes, writes, flushes, finished, bell, key: 0, open }, finished_keys)
    }

    /// The disk for the exchange with this key.
    pub(crate) fn with_key(&self, key: usize) -> Self {
        Self { key, ..self.clone() }
    }

    /// Executes `job` on a thread. Then [`Finished::next`] returns the key.
    pub(crate) fn call<T: Send + 'static>(&self, work: Work, job: impl FnOnce() -> T + Send + 'static) -> Call<T> {
        let (promise, mut call) = self.promise();
        call.job = Some((work, self.pool(work).run(move || promise.keep(job()))));
        call
    }

    /// The result of a call, which some job provides. Once the promise is kept or dropped, [`Finished::next`] returns
    /// the key.
    pub(crate) fn promise<T>(&self) -> (Promise<T>, Call<T>) {
        let (sender, result) = channel();
        self.open.fetch_add(1, Ordering::Relaxed);
        let (finished, bell, open) = (self.finished.clone(), self.bell.clone(), self.open.clone());
        let notice = Notice { finished, bell, key: self.key, open };
        (Promise { sender, _notice: notice }, Call { result, job: None })
    }

    /// Whether a call has not ended.
    pub(crate) fn is_working(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Executes `job` on a thread. No call waits for it.
    pub(crate) fn run(&self, work: Work, job: impl FnOnce() + Send + 'static) {
        self.pool(work).run(job);
    }

    /// Ends the interest in a call: its job does not begin, or its result is dropped on a thread.
    pub(crate) fn abandon<T: Send + 'static>(&self, call: Call<T>) {
        if let Some(call) = self.withdraw(call)
            && let Some((work, _)) = call.job
        {
            self.dispose(work, call);
        }
    }

    /// Takes the job of a call out of the queue. Returns the call if a thread has begun it.
    pub(crate) fn withdraw<T>(&self, call: Call<T>) -> Option<Call<T>> {
        let is_withdrawn = call.job.is_some_and(|(work, number)| self.pool(work).withdraw(number));
        (!is_withdrawn).then_some(call)
    }

    /// Drops `value` on a thread: the file in it is closed, or removed.
    pub(crate) fn dispose(&self, work: Work, value: impl Send + 'static) {
        self.pool(work).run(move || drop(value));
    }

    fn pool(&self, work: Work) -> &Pool {
        match work {
            Work::Read => &self.reads,
            Work::Hash => &self.hashes,
            Work::Write => &self.writes,
            Work::Flush => &self.flushes,
        }
    }
}

/// The other end of a [`Call`].
pub(crate) struct Promise<T> {
    // Fields are dropped in this order, even if a job panics: first the sender, then the notice of it.
    sender: Sender<T>,
    _notice: Notice,
}

impl<T> Promise<T> {
    /// Gives the result. If no exchange waits for it any more, it is dropped here.
    pub(crate) fn keep(self, result: T) {
        let _ = self.sender.send(result);
    }
}

/// Says that a call has ended, when it is dropped.
struct Notice {
    finished: Sender<usize>,
    bell: Arc<Bell>,
    key: usize,
    open: Arc<AtomicUsize>,
}

impl Drop for Notice {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        // An error means that the loop has ended.
        let _ = self.finished.send(self.key);
        self.bell.ring();
    }
}

impl Bell {
    /// Wakes the loop, unless it was woken and has not looked yet.
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) && self.waker.wake().is_err() {
            // The loop has ended, or wakes by itself a little later.
            self.rung.store(false, Ordering::Release);
        }
    }
}

impl Finished {
    /// The key of an exchange whose call has ended. The exchange may have ended too. After `None`, the next call that
    /// ends wakes the loop.
    pub(crate) fn next(&self) -> Option<usize> {
        let next = || self.keys.try_recv().ok();
        // A key that came before the bell was reset has woken nobody.
        next().or_else(|| if self.bell.rung.swap(false, Ordering::AcqRel) { next() } else { None })
    }
}

/// A call of the disk whose result is to come.
pub(crate) struct Call<T> {
    result: Receiver<T>,
    /// The job, which can be withdrawn.
    job: Option<(Work, u64)>,
}

impl<T> Call<T> {
    /// The result, once. `None` while the call runs.
    pub(crate) fn take(&mut self) -> Option<io::Result<T>> {
        match self.result.try_recv() {
            Ok(result) => Some(Ok(result)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(io::Error::other("a thread of the disk failed"))),
        }
    }

    /// Waits for the result, on a thread of the disk. `None` if the job failed.
    pub(crate) fn wait(self) -> Option<T> {
        self.result.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    /// Regression: the loop was woken while the channel of a job that had failed seemed to wait for its result.
    #[test]
    fn a_job_that_panics_has_failed_when_it_wakes_the_loop() {
        let mut poll = Poll::new().unwrap();
        let (disk, finished) = Disk::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()), 1);
        let mut events = Events::with_capacity(1);
        for _ in 0..300 {
            let mut call = disk.call(Work::Read, || panic!("expected by this test"));
            while finished.next().is_none() {
                poll.poll(&mut events, Some(Duration::from_secs(10))).unwrap();
            }
            let failed: io::Result<()> = call.take().expect("the call has ended");
            assert!(failed.is_err());
        }
    }

    #[test]
    fn a_file_that_is_not_needed_any_more_is_not_opened() {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let (disk, finished) = Disk::new(waker, 1);
        let ((block, blocked), (begun, order)) = (channel::<()>(), channel());
        let begin = |name| {
            let begun = begun.clone();
            move || begun.send(name).unwrap()
        };
        let stall = disk.call(Work::Write, move || blocked.recv().unwrap_or_default());
        let withdrawn = disk.with_key(1).call(Work::Write, begin("withdrawn"));
        let kept = disk.call(Work::Write, begin("kept"));
        drop(disk.call(Work::Write, begin("always")));
        disk.abandon(withdrawn);
        drop(block);
        assert_eq!(order.iter().take(2).collect::<Vec<_>>(), ["kept", "always"]);
        // The key of the withdrawn call came at once, while the disk stalled.
        assert_eq!(finished.next(), Some(1));
        drop((stall, kept));
    }

    /// Regression: eight files that could not be created held up all other clients.
    #[test]
    fn a_disk_that_takes_no_writes_still_answers_reads() {
        let poll = Poll::new().unwrap();
        let (disk, finished) = Disk::new(Arc::new(Waker::new(poll.registry(), Token(0)).unwrap()), 1);
        let (block, blocked) = channel::<()>();
        let write = disk.call(Work::Write, move || blocked.recv().unwrap_or_default());
        let (done, came) = channel();
        let mut read = disk.with_key(1).call(Work::Read, move || done.send(()).unwrap());
        came.recv_timeout(Duration::from_secs(60)).expect("the read waits for the write");
        while finished.next().is_none() {
            std::thread::yield_now();
        }
        assert!(read.take().is_some_and(|read| read.is_ok()));
        drop((block, write));
    }
}
