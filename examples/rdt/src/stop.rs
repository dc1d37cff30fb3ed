//! Requests to stop, by Ctrl-C or by the program itself.

use mio::Waker;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The exit code of an interrupted program, by the convention of shells.
pub(crate) const INTERRUPTED: u8 = 130;

/// A shared counter of requests to stop. Each request wakes the registered event loops.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    count: Arc<AtomicU32>,
    wakers: Arc<Mutex<Vec<Arc<Waker>>>>,
}

impl Stop {
    /// Requests a stop on Ctrl-C. A second Ctrl-C ends the process at once.
    pub(crate) fn on_ctrl_c() -> Result<Self, ctrlc::Error> {
        let stop = Self::default();
        let handler = stop.clone();
        ctrlc::set_handler(move || {
            handler.request();
            if handler.count() > 1 {
                std::process::exit(INTERRUPTED.into());
            }
        })?;
        Ok(stop)
    }

    pub(crate) fn request(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        for waker in self.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // On an error, the loop sees the request after its next event or deadline.
            let _ = waker.wake();
        }
    }

    /// The number of requests.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::SeqCst)
    }

    /// Registers the waker of an event loop.
    pub(crate) fn add_waker(&self, waker: Arc<Waker>) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }
}
