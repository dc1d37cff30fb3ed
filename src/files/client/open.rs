//! The requests that are not answered.

use heapless::Deque;

use crate::ftp::StorageError;

/// The number of requests from the oldest unanswered one on. [`FileClient::is_ready`](super::FileClient::is_ready) is
/// false while there are as many.
pub const MAX_OPEN_REQUESTS: usize = 512;

/// The open requests, by number.
#[derive(Clone, Debug)]
pub(super) struct OpenRequests {
    /// The number of the first slot.
    base: u32,
    slots: Deque<Slot, MAX_OPEN_REQUESTS>,
    unanswered: usize,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// `failed`: storage of this side could not send the content.
    Put {
        failed: Option<StorageError>,
    },
    Get {
        have_blocks: u64,
    },
    Stat,
    List,
    Answered,
}

impl Slot {
    const fn is_read(self) -> bool {
        matches!(self, Self::Get { .. } | Self::Stat | Self::List)
    }
}

impl OpenRequests {
    pub(super) const fn new() -> Self {
        Self { base: 0, slots: Deque::new(), unanswered: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.is_full()
    }

    /// The number of requests without an answer.
    pub(super) const fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Adds a request. Returns its number, or `None` if there is no room.
    pub(super) fn push(&mut self, slot: Slot) -> Option<u32> {
        let number = self.base.wrapping_add(u32::try_from(self.slots.len()).ok()?);
        self.slots.push_back(slot).ok()?;
        self.unanswered += 1;
        Some(number)
    }

    fn slot(&mut self, number: u32) -> Option<&mut Slot> {
        let index = usize::try_from(number.wrapping_sub(self.base)).ok()?;
        self.slots.iter_mut().nth(index)
    }

    /// The request with this number, unless it is answered.
    pub(super) fn get(&mut self, number: u32) -> Option<Slot> {
        self.slot(number).copied().filter(|slot| *slot != Slot::Answered)
    }

    /// The request with this number, if it is the oldest one of the reads, which are answered in their order.
    pub(super) fn oldest_read(&mut self, number: u32) -> Option<Slot> {
        let index = self.slots.iter().position(|slot| slot.is_read())?;
        let is_oldest = number.wrapping_sub(self.base) == u32::try_from(index).ok()?;
        if is_oldest { self.get(number) } else { None }
    }

    /// Records that storage could not send the content of a PUT.
    pub(super) fn fail(&mut self, number: u32, error: StorageError) {
        if let Some(Slot::Put { failed }) = self.slot(number) {
            *failed = Some(error);
        }
    }

    /// Records the answer to a request.
    pub(super) fn answer(&mut self, number: u32) {
        if let Some(slot) = self.slot(number)
            && *slot != Slot::Answered
        {
            *slot = Slot::Answered;
            self.unanswered = self.unanswered.saturating_sub(1);
        }
        while self.slots.front() == Some(&Slot::Answered) {
            self.slots.pop_front();
            self.base = self.base.wrapping_add(1);
        }
    }
}
