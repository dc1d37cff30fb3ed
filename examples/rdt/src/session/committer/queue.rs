//! The files that are to become durable, and what a thread does next with them.

use super::Finish;
use crate::disk::Promise;
use crate::files::Sealed;
use crate::session::content::Stored;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The largest number of files that share a flush. They are open meanwhile, and as many that wait for the next one.
const MOST: usize = 256;

#[derive(Default)]
pub(super) struct Queue {
    pub(super) waiting: Vec<Waiting>,
    pub(super) whole: Vec<Whole>,
    /// A job is on its way to a thread.
    pub(super) is_called: bool,
    /// A thread finishes files.
    pub(super) is_finishing: bool,
    /// A thread flushes files.
    pub(super) is_flushing: bool,
}

pub(super) struct Waiting {
    pub(super) finish: Finish,
    pub(super) promise: Promise<Stored>,
    pub(super) counted: Counted,
}

/// A file that only has to be flushed.
pub(super) struct Whole {
    pub(super) file: Sealed,
    pub(super) promise: Promise<Stored>,
    pub(super) counted: Counted,
}

/// What a thread does next.
pub(super) enum Step {
    Finish(Vec<Waiting>),
    Flush(Vec<Whole>),
}

impl Queue {
    pub(super) fn has_room(&self) -> bool {
        self.whole.len() < MOST
    }

    /// What is to be done and no other thread does. What is whole is flushed before more is finished: another thread can
    /// do that meanwhile.
    pub(super) fn next(&mut self) -> Option<Step> {
        if !self.is_flushing && !self.whole.is_empty() {
            self.is_flushing = true;
            return Some(Step::Flush(std::mem::take(&mut self.whole)));
        }
        if !self.is_finishing && !self.waiting.is_empty() && self.has_room() {
            self.is_finishing = true;
            let count = self.waiting.len().min(MOST - self.whole.len());
            let rest = self.waiting.split_off(count);
            return Some(Step::Finish(std::mem::replace(&mut self.waiting, rest)));
        }
        None
    }
}

/// Bytes that count until this is dropped.
pub(super) struct Counted(Arc<AtomicU64>, u64);

impl Counted {
    pub(super) fn new(sum: &Arc<AtomicU64>, bytes: u64) -> Self {
        sum.fetch_add(bytes, Ordering::Relaxed);
        Self(sum.clone(), bytes)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}
