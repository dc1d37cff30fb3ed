//! How a server ends: at once, or after its running transfers.
//!
//! ```text
//! Serving ── drain ──→ Draining ── until, or stop ──→ Stopping ── until ──→ Expired
//!    └────────────────────── stop ───────────────────────↑
//! ```
//!
//! A server that has no client any more ends in any state but Serving. If it has several threads, they end together:
//! a socket that left their port would lead the datagrams of other clients to other threads.

use crate::stop::Stop;
use rdt_proto::{Duration, Instant};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The maximum time that the server stays after a stop, so that the clients receive the cancellation.
const STOP_LIMIT: Duration = Duration::from_secs(1);

pub(crate) struct Lifecycle {
    state: State,
    threads: Threads,
    /// Whether the other threads know that this one has no client any more.
    is_idle: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    Draining { until: Instant },
    Stopping { until: Instant },
    Expired,
}

/// The threads of a server that still have clients after a request to end.
#[derive(Clone)]
pub(crate) struct Threads {
    busy: Arc<AtomicUsize>,
    stop: Stop,
    is_one: bool,
}

impl Threads {
    pub(crate) fn new(count: usize, stop: Stop) -> Self {
        Self { busy: Arc::new(AtomicUsize::new(count)), stop, is_one: count == 1 }
    }

    /// Whether there is only one.
    pub(crate) fn is_one(&self) -> bool {
        self.is_one
    }

    fn leave(&self) {
        if self.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.stop.wake();
        }
    }

    fn have_left(&self) -> bool {
        self.busy.load(Ordering::SeqCst) == 0
    }
}

impl Lifecycle {
    pub(crate) fn new(threads: Threads) -> Self {
        Self { state: State::Serving, threads, is_idle: false }
    }

    /// Begins to drain for at most `limit`. Returns whether it did.
    pub(crate) fn drain(&mut self, now: Instant, limit: Duration) -> bool {
        let is_first = self.state == State::Serving;
        if is_first {
            self.state = State::Draining { until: now + limit };
        }
        is_first
    }

    /// Begins to stop.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.state = match self.state {
            State::Serving | State::Draining { .. } => State::Stopping { until: now + STOP_LIMIT },
            State::Stopping { .. } | State::Expired => return,
        };
    }

    /// Handles the time, and the present number of clients. Returns whether to stop, because draining took too long.
    pub(crate) fn update(&mut self, now: Instant, clients: usize) -> bool {
        if self.state != State::Serving && clients == 0 && !self.is_idle {
            self.is_idle = true;
            self.threads.leave();
        }
        match self.state {
            State::Draining { until } => until <= now,
            State::Stopping { until } => {
                if until <= now {
                    self.state = State::Expired;
                }
                false
            }
            State::Serving | State::Expired => false,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Draining { until } | State::Stopping { until } => Some(until),
            State::Serving | State::Expired => None,
        }
    }

    /// Whether the time for the cancellation is over.
    pub(crate) fn is_expired(&self) -> bool {
        self.state == State::Expired
    }

    pub(crate) fn is_finished(&self) -> bool {
        match self.state {
            State::Serving => false,
            State::Draining { .. } | State::Stopping { .. } => self.threads.have_left(),
            State::Expired => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn two() -> [Lifecycle; 2] {
        let threads = Threads::new(2, Stop::default());
        [Lifecycle::new(threads.clone()), Lifecycle::new(threads)]
    }

    #[test]
    fn threads_end_together_once_no_client_is_left() {
        let [mut one, mut two] = two();
        for thread in [&mut one, &mut two] {
            assert!(!thread.update(at(0), 0) && !thread.is_finished());
            assert!(thread.drain(at(0), Duration::from_secs(8)));
        }
        assert!(!one.update(at(1), 0) && !two.update(at(1), 3));
        assert!(!one.is_finished() && !two.is_finished());
        assert!(!two.update(at(2), 0));
        assert!(one.is_finished() && two.is_finished());
    }

    #[test]
    fn draining_ends_at_its_limit_and_stopping_a_second_later() {
        let [mut one, _two] = two();
        assert!(one.drain(at(0), Duration::from_secs(8)));
        assert!(!one.drain(at(5_000), Duration::from_secs(8)), "a second request changes nothing");
        assert_eq!(one.poll_timeout(), Some(at(8_000)));
        assert!(!one.update(at(7_999), 1));
        assert!(one.update(at(8_000), 1));
        one.stop(at(8_000));
        assert_eq!(one.poll_timeout(), Some(at(9_000)));
        assert!(!one.update(at(8_999), 1) && !one.is_finished());
        assert!(!one.update(at(9_000), 1) && one.is_finished());
        one.stop(at(9_001));
        assert!(one.is_finished() && one.poll_timeout().is_none());
    }
}
