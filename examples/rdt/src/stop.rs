//! Requests to stop, by signals or by the program itself.

use crate::signals::{Signal, watch};
use mio::Waker;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The exit code of an interrupted program, by the convention of shells.
pub(crate) const INTERRUPTED: u8 = 130;

/// The terminal of a program, as far as its streams lead there.
pub(crate) struct Terminal([bool; 3]);

impl Terminal {
    pub(crate) fn at_start() -> Self {
        Self([io::stdin().is_terminal(), io::stdout().is_terminal(), io::stderr().is_terminal()])
    }

    /// Whether the terminal was closed. A stream that led there then leads to no terminal.
    pub(crate) fn is_gone(&self) -> bool {
        let Self(now) = Self::at_start();
        self.0.iter().zip(now).any(|(then, now)| *then && !now)
    }
}

/// Shared requests to stop. Each request wakes the registered event loops.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    /// The number of requests to cancel everything.
    count: Arc<AtomicU32>,
    /// Whether running transfers should end before the program does.
    drain: Arc<AtomicBool>,
    wakers: Arc<Mutex<Vec<Arc<Waker>>>>,
}

impl Stop {
    /// Requests a stop on each signal that asks a program to end. A second one ends the process at once.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        let handler = stop.clone();
        watch(move |signal| match signal {
            Signal::Interrupt | Signal::Terminate | Signal::Hangup => handler.cancel(),
        })?;
        Ok(stop)
    }

    /// As [`on_signals`](Self::on_signals), but the first SIGTERM only drains, and SIGHUP calls `hangup`, which says
    /// whether to stop.
    pub(crate) fn on_signals_of_server(hangup: impl Fn() -> bool + Send + 'static) -> io::Result<Self> {
        let stop = Self::default();
        let handler = stop.clone();
        watch(move |signal| match signal {
            Signal::Interrupt => handler.cancel(),
            Signal::Terminate if handler.is_draining() => handler.cancel(),
            Signal::Terminate => handler.drain(),
            Signal::Hangup if hangup() => handler.cancel(),
            Signal::Hangup => {}
        })?;
        Ok(stop)
    }

    /// Handles a signal that cancels.
    fn cancel(&self) {
        self.request();
        if self.count() > 1 {
            std::process::exit(INTERRUPTED.into());
        }
    }

    pub(crate) fn request(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    fn drain(&self) {
        self.drain.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// The number of requests.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether running transfers should end before the program does.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.load(Ordering::SeqCst)
    }

    /// Wakes the event loops.
    pub(crate) fn wake(&self) {
        for waker in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // On an error, the loop sees the request after its next event or deadline.
            let _ = waker.wake();
        }
    }

    /// Registers the waker of an event loop.
    pub(crate) fn add_waker(&self, waker: Arc<Waker>) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }
}
