//! Threads that execute blocking work.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

type Job = Box<dyn FnOnce() + Send>;

/// The maximum time that the end of a pool waits for its jobs.
const END_LIMIT: Duration = Duration::from_secs(1);

/// A pool of threads, started as jobs need them.
///
/// Its queue is bounded by its users: each open file has at most one job, and one more that closes the file. A job that
/// opens a file is [withdrawn](Pool::withdraw) if its user leaves, so that users that come and go while the disk stalls
/// leave nothing in the queue. The threads of a dropped pool end with their jobs, and the drop waits a second for that.
pub(super) struct Pool {
    shared: Arc<Shared>,
    most_threads: usize,
}

struct Shared {
    state: Mutex<State>,
    /// There is a job, or the pool ends.
    work: Condvar,
    /// A job is done.
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// The jobs in the order of their numbers. `None` for a job that was withdrawn.
    jobs: VecDeque<(u64, Option<Job>)>,
    /// The number of jobs in `jobs` that were withdrawn.
    withdrawn: usize,
    /// The number of the next job.
    next: u64,
    threads: usize,
    /// The threads that wait for a job.
    idle: usize,
    ended: bool,
}

impl Pool {
    pub(super) fn new(most_threads: usize) -> Self {
        let shared = Shared { state: Mutex::default(), work: Condvar::new(), done: Condvar::new() };
        Self { shared: Arc::new(shared), most_threads }
    }

    /// Executes `job` on a thread of the pool. Without any thread the job is dropped. Returns the number of the job.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) -> u64 {
        let mut state = self.shared.lock();
        let number = state.next;
        state.next += 1;
        state.jobs.push_back((number, Some(Box::new(job))));
        if state.jobs.len() - state.withdrawn > state.idle && state.threads < self.most_threads {
            let shared = self.shared.clone();
            let started = thread::Builder::new().name("disk".into()).spawn(move || shared.work());
            match started {
                Ok(_) => state.threads += 1,
                // The system has no more threads. The others do the work.
                Err(_) if state.threads > 0 => {}
                Err(_) => (state.jobs, state.withdrawn) = (VecDeque::new(), 0),
            }
        }
        drop(state);
        self.shared.work.notify_one();
        number
    }

    /// Drops the job with this number, unless a thread has begun it. Returns whether it was dropped.
    pub(super) fn withdraw(&self, number: u64) -> bool {
        let mut state = self.shared.lock();
        let job = state.withdraw(number);
        // The job may notify its user when it is dropped, which needs no lock.
        drop(state);
        job.is_some()
    }
}

impl State {
    /// Takes a job out of the queue. Its place stays until half of all places are empty, so that the work for each job
    /// is constant on average.
    fn withdraw(&mut self, number: u64) -> Option<Job> {
        let index = self.jobs.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let job = self.jobs.get_mut(index)?.1.take()?;
        self.withdrawn += 1;
        if self.withdrawn * 2 > self.jobs.len() {
            self.jobs.retain(|(_, job)| job.is_some());
            self.withdrawn = 0;
        }
        Some(job)
    }

    /// Takes the next job.
    fn pop(&mut self) -> Option<Job> {
        while let Some((_, job)) = self.jobs.pop_front() {
            match job {
                Some(job) => return Some(job),
                None => self.withdrawn -= 1,
            }
        }
        None
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let limit = Instant::now() + END_LIMIT;
        let mut state = self.shared.lock();
        state.ended = true;
        self.shared.work.notify_all();
        while state.threads > 0 {
            let left = limit.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.shared.done.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Executes jobs until the pool ends.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.pop() {
                drop(state);
                // The panic hook prints the message. The user of the job sees that there is no result.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.lock();
            } else if state.ended {
                state.threads -= 1;
                self.done.notify_all();
                return;
            } else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_blocked_job_holds_up_no_other() {
        let pool = Pool::new(2);
        let ((block, blocked), (sender, done)) = (channel::<()>(), channel());
        pool.run(move || blocked.recv().unwrap_or_default());
        for number in 0..10 {
            let sender = sender.clone();
            pool.run(move || sender.send(number).unwrap());
        }
        assert_eq!(done.iter().take(10).collect::<Vec<_>>(), Vec::from_iter(0..10));
        drop(block);
    }

    #[test]
    fn the_end_of_a_pool_waits_for_its_jobs() {
        let (sender, done) = channel();
        let pool = Pool::new(1);
        pool.run(|| thread::sleep(Duration::from_millis(20)));
        pool.run(move || sender.send(()).unwrap());
        drop(pool);
        assert_eq!(done.try_recv(), Ok(()));
    }

    #[test]
    fn withdrawn_jobs_leave_no_place_in_the_queue() {
        let pool = Pool::new(1);
        let ((block, blocked), (started, start), (sender, done)) = (channel::<()>(), channel(), channel());
        pool.run(move || {
            started.send(()).unwrap();
            blocked.recv().unwrap_or_default();
        });
        start.recv().unwrap();
        let mut kept = Vec::new();
        for number in 0..10_000 {
            let sender = sender.clone();
            let job = pool.run(move || sender.send(number).unwrap());
            if number % 1_000 == 0 {
                kept.push(number);
            } else {
                pool.withdraw(job);
                pool.withdraw(job);
            }
        }
        assert!(pool.shared.lock().jobs.len() <= 2 * kept.len());
        drop((block, sender));
        assert_eq!(done.iter().collect::<Vec<_>>(), kept);
    }

    #[test]
    fn a_panic_of_a_job_ends_no_thread() {
        let (sender, done) = channel();
        let pool = Pool::new(1);
        pool.run(|| panic!("expected by this test"));
        pool.run(move || sender.send(()).unwrap());
        assert_eq!(done.recv(), Ok(()));
    }
}
