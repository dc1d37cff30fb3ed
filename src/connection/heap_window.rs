//! The windows of a connection on the heap, within a budget.

use super::windows::MemoryUse;
use super::{Connection, ConnectionTypes, blocks_for};
use crate::arq::{Arq, Block};
use crate::store::{RecvStore, SendStore, slot_bytes};
use crate::{Duration, Instant, ReplaceMemory, Seq};
use alloc::{vec, vec::Vec};

/// The memory that windows may take in addition to their first memory. Feature `alloc`.
///
/// One budget serves one connection, or all connections of a listener. It cannot be copied: a copy would count the same
/// bytes twice.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HeapBudget {
    left: usize,
}

impl HeapBudget {
    /// A budget of `bytes`.
    #[must_use]
    pub const fn new(bytes: usize) -> Self {
        Self { left: bytes }
    }

    /// The bytes that are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }
}

/// The growing windows of one connection, on the heap. Feature `alloc`.
///
/// Make the storage with `least` packets and [`growing`](super::Storage::growing), and call [`update`](Self::update)
/// right after the connection is made, and each time after reading and writing. Only this call allocates.
///
/// - *Growth*: memory [that is the limit](MemoryUse::is_limit) doubles, up to `most` packets, as long as the budget
///   lasts. The receive store grows up to the promise. Each of the three kinds of memory grows on its own evidence. A
///   body is copied less than twice on average.
/// - *Promise*: the announced receive window begins at a quarter of `most`, at least `least`. It doubles each time the
///   highest number that has arrived rises by half of it, if the application has read all that it can and the budget
///   would cover the growth. It never shrinks.
/// - *Return*: memory without content shrinks to `least`, once no memory was the limit for a second. The promise stays.
/// - If the budget is spent, a body that has no slot is not acknowledged.
///
/// In base mode, which announces no window, nothing grows.
///
/// ```
/// use rdt_proto::Instant;
/// use rdt_proto::connection::{Config, Connection, HeapBudget, HeapWindow, Storage};
///
/// let config = Config::new();
/// let mut budget = HeapBudget::new(40 << 20);
/// let mut window = HeapWindow::new(64, 16_384);
/// let storage = Storage::on_heap(&config, 64)?.growing();
/// let mut connection = Connection::connect(Instant::ZERO, config, [7; 32], storage)?;
/// window.update(&mut connection, &mut budget);
/// // ... and in the loop, after each datagram: read, write, then
/// window.update(&mut connection, &mut budget);
/// // At the end:
/// window.give_back(&mut connection, &mut budget);
/// # Ok::<(), rdt_proto::store::StoreError>(())
/// ```
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct HeapWindow {
    least: u32,
    most: u32,
    /// The bytes taken from the budget.
    taken: usize,
    /// The last time at which memory was the limit.
    limited_at: Instant,
    /// The announced window.
    promised: u32,
    /// One after the highest number that had arrived when the promise was made.
    promised_at: Seq,
}

/// The time without a limit after which memory is given back.
const IDLE_TIME: Duration = Duration::from_secs(1);

impl HeapWindow {
    /// Windows of `least` packets that may grow to `most`.
    #[must_use]
    pub fn new(least: u32, most: u32) -> Self {
        Self { least, most: most.max(least), taken: 0, limited_at: Instant::ZERO, promised: 0, promised_at: Seq::ZERO }
    }

    /// The bytes taken from the budget.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Lets windows grow or shrink, as the connection needs.
    ///
    /// Returns whether memory has grown: there may be room to write. The memory that
    /// [`send_slot`](Connection::send_slot) has lent may no longer be valid: commit first.
    pub fn update<T: ConnectionTypes>(&mut self, connection: &mut Connection<T>, budget: &mut HeapBudget) -> bool
    where
        T::Send: ReplaceMemory<Memory = Vec<u8>>,
        T::Recv: ReplaceMemory<Memory = Vec<u8>>,
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        if connection.negotiation.tag().is_none() {
            return false;
        }
        self.promise(connection, budget);
        let kinds = [connection.send_memory(), connection.recv_memory(), connection.number_memory()];
        let is_limited = kinds.iter().any(|memory| memory.is_limit);
        if is_limited {
            self.limited_at = connection.now;
        }
        // The connection may have moved to a clock that shows an earlier time.
        self.limited_at = self.limited_at.min(connection.now);
        let is_idle = connection.now >= self.limited_at + IDLE_TIME;
        (is_limited || is_idle) && self.resize_all(connection, budget, is_idle)
    }

    /// Returns to the budget what was taken, at the end of the connection. Memory without content shrinks.
    pub fn give_back<T: ConnectionTypes>(mut self, connection: &mut Connection<T>, budget: &mut HeapBudget)
    where
        T::Send: ReplaceMemory<Memory = Vec<u8>>,
        T::Recv: ReplaceMemory<Memory = Vec<u8>>,
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        self.most = self.least;
        self.resize_all(connection, budget, true);
        budget.left = budget.left.saturating_add(self.taken);
    }

    /// Grows or shrinks each kind of memory. Returns whether one has grown.
    fn resize_all<T: ConnectionTypes>(
        &mut self,
        connection: &mut Connection<T>,
        budget: &mut HeapBudget,
        may_shrink: bool,
    ) -> bool
    where
        T::Send: ReplaceMemory<Memory = Vec<u8>>,
        T::Recv: ReplaceMemory<Memory = Vec<u8>>,
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        let (send, recv, numbers) = (connection.send_memory(), connection.recv_memory(), connection.number_memory());
        let slots = |segment: usize| {
            let slot = slot_bytes(u16::try_from(segment).unwrap_or(u16::MAX));
            move |room: u32| slot.saturating_mul(room as usize)
        };
        let blocks = |room: u32| blocks_for(room).saturating_mul(size_of::<Block>());
        let mut grown = false;
        let bytes = slots(connection.send.segment());
        if let Some(room) = self.target(send, self.most, may_shrink, budget, bytes) {
            let is_done = connection.replace_send_memory(vec![0; bytes(room)]).is_ok();
            grown |= is_done && self.account(budget, bytes(send.room), bytes(room));
        }
        let bytes = slots(connection.recv.segment());
        if let Some(room) = self.target(recv, self.promised.min(self.most), may_shrink, budget, bytes) {
            let is_done = connection.replace_recv_memory(vec![0; bytes(room)]).is_ok();
            grown |= is_done && self.account(budget, bytes(recv.room), bytes(room));
        }
        if let Some(room) = self.target(numbers, self.most, may_shrink, budget, blocks) {
            let is_done = connection.replace_number_memory(vec![Block::EMPTY; blocks_for(room)]).is_ok();
            grown |= is_done && self.account(budget, blocks(numbers.room), blocks(room));
        }
        grown
    }

    /// The new size of one kind of memory; `None` if it stays as it is. `bytes` converts a size to bytes.
    fn target(
        &self,
        memory: MemoryUse,
        most: u32,
        may_shrink: bool,
        budget: &HeapBudget,
        bytes: impl Fn(u32) -> usize,
    ) -> Option<u32> {
        let MemoryUse { used, room, is_limit } = memory;
        if is_limit && room < most {
            let target = room.saturating_mul(2).min(most);
            return (bytes(target).saturating_sub(bytes(room)) <= budget.left).then_some(target);
        }
        (used == 0 && may_shrink && bytes(room) > bytes(self.least)).then_some(self.least)
    }

    /// Settles a change of memory with the budget. Returns whether the memory has grown.
    const fn account(&mut self, budget: &mut HeapBudget, before: usize, after: usize) -> bool {
        let more = after.saturating_sub(before);
        let less = before.saturating_sub(after);
        // The first memory is not part of the budget, and `least` may differ from it.
        let less = if less < self.taken { less } else { self.taken };
        self.taken = self.taken + more - less;
        budget.left = budget.left.saturating_add(less).saturating_sub(more);
        more > 0
    }

    /// Raises the announced window on its evidence.
    fn promise<T: ConnectionTypes>(&mut self, connection: &mut Connection<T>, budget: &HeapBudget) {
        let arrived = connection.arq.reach().distance_from(self.promised_at);
        let slot = slot_bytes(u16::try_from(connection.recv.segment()).unwrap_or(u16::MAX));
        let window = if self.promised == 0 {
            self.least.max(self.most / 4)
        } else if arrived >= self.promised.div_ceil(2) && connection.recv.chunk().is_empty() {
            self.promised.saturating_mul(2).min(self.most)
        } else {
            return;
        };
        let more = window.saturating_sub(self.promised.max(self.least)) as usize;
        let window = if more.saturating_mul(slot) <= budget.left { window } else { self.promised.max(self.least) };
        self.promised_at = connection.arq.reach();
        if window > self.promised {
            self.promised = window;
            connection.promise(window);
        }
    }
}
