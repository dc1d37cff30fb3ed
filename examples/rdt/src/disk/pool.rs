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
/// Its queue is bounded by its users: each file has at most one job, and one more that closes the file. The threads of
/// a dropped pool end with their jobs, and the drop waits a second for that.
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
    jobs: VecDeque<Job>,
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

    /// Executes `job` on a thread of the pool. Without any thread the job is dropped.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        state.jobs.push_back(Box::new(job));
        if state.jobs.len() > state.idle && state.threads < self.most_threads {
            let shared = self.shared.clone();
            let started = thread::Builder::new().name("disk".into()).spawn(move || shared.work());
            match started {
                Ok(_) => state.threads += 1,
                // The system has no more threads. The others do the work.
                Err(_) if state.threads > 0 => {}
                Err(_) => state.jobs.clear(),
            }
        }
        drop(state);
        self.shared.work.notify_one();
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
            if let Some(job) = state.jobs.pop_front() {
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
    fn a_panic_of_a_job_ends_no_thread() {
        let (sender, done) = channel();
        let pool = Pool::new(1);
        pool.run(|| panic!("expected by this test"));
        pool.run(move || sender.send(()).unwrap());
        assert_eq!(done.recv(), Ok(()));
    }
}
