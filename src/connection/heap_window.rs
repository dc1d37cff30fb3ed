//! The windows of a connection on the heap, within a budget.

use super::heap_budget::HeapBudget;
use super::windows::MemoryUse;
use super::{Connection, ConnectionTypes, blocks_for};
use crate::arq::{Arq, Block};
use crate::store::{PooledStore, RecvStore, SendStore, SlotPool};
use crate::{Duration, Instant, ReplaceMemory, Seq};
use alloc::{vec, vec::Vec};

/// The growing windows of one connection, on the heap. Feature `alloc`.
///
/// Make the storage with `least` packets and [`pooled`](super::GrowingStorage::pooled), and call
/// [`update`](Self::update) right after the connection is made, and each time after reading and writing. Only this call
/// takes from the budget. A body takes its memory when it is written or arrives, within what the last call has allowed.
///
/// - *Send store*: if it is full, and less than a quarter of it still waits for the controller since the last call, it may
///   keep twice as much. If it has more than its share and much of it waits, it gives that up.
/// - *Receive store*: it may keep what lies from the oldest body to the newest, and `least` more, or twice what has
///   arrived between two calls lately, up to 1,024. On a fast path a gap is followed by hundreds of bodies before the next
///   call.
/// - *Places and numbers*: they double as they are used, up to `most`.
/// - *Cache*: no send store grows beyond what 40 Gbit/s take in a round trip, or 1 MiB.
/// - *Share*: no send store grows beyond an eighth of what is left of the budget, no receive store takes more ahead of
///   what it keeps, and no more is announced. So many connections have equal windows, and a few have large ones.
/// - *Promise*: the announced receive window begins at a quarter of `most`, at least `least`. It doubles each time the
///   highest number that has arrived rises by half of it, if the application has read all that it can. The right edge
///   never moves back.
/// - *Return*: memory shrinks to `least`, once nothing was kept and nothing arrived for a second. The promise stays. While
///   bodies come one at a time, a store without a body holds on to no memory, a send store only if it has not grown: many
///   idle connections, which exchange short messages from time to time, take no slots.
/// - If the budget is spent, a body that has no slot is not acknowledged. The oldest body always has one.
///
/// In base mode, which announces no window, the promise begins at `most`: the peer sends what its controller allows. What
/// has no slot yet is not acknowledged.
///
/// ```
/// use rdt_proto::Instant;
/// use rdt_proto::connection::{Config, Connection, GrowingStorage, HeapBudget, HeapWindow};
///
/// let config = Config::new();
/// let mut budget = HeapBudget::new(40 << 20);
/// let mut window = HeapWindow::new(64, 16_384);
/// let storage = GrowingStorage::pooled(&config, 64)?;
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
    /// Of these, the bytes of bodies to send that are kept beyond the allowance.
    excess: usize,
    /// The last time at which a body was kept or had arrived.
    busy_at: Instant,
    /// The announced window.
    promised: u32,
    /// One after the highest number that had arrived when the promise was made.
    promised_at: Seq,
    /// The announced window, at most the promise.
    announced: u32,
    /// One after the newest body to send at the last update.
    written: Seq,
    /// One after the highest number that had arrived at the last update.
    reach: Seq,
    /// The most numbers that arrived between two updates lately.
    burst: u32,
}

/// The most bodies that a receive store may keep beyond what it keeps: more than a loop reads between two calls.
const MOST_AHEAD: u32 = 1_024;

/// The rate up to which a send store may be what limits a sender, in bytes per microsecond: 40 Gbit/s.
const FASTEST: usize = 5_000;

/// The bytes that a send store may always take, however short the path: they fit the second-level cache of a processor.
const LEAST_USEFUL: usize = 1 << 20;

/// The time without a body after which memory is given back.
const IDLE_TIME: Duration = Duration::from_secs(1);

impl HeapWindow {
    /// Windows of `least` packets that may grow to `most`.
    #[must_use]
    pub fn new(least: u32, most: u32) -> Self {
        Self {
            least,
            most: most.max(least),
            taken: 0,
            excess: 0,
            busy_at: Instant::ZERO,
            promised: 0,
            promised_at: Seq::ZERO,
            announced: 0,
            written: Seq::ZERO,
            reach: Seq::ZERO,
            burst: 0,
        }
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
        T::Send: PooledStore,
        T::Recv: PooledStore,
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        self.promise(connection, budget);
        let mut has_grown = self.fit_send(connection, budget);
        let (next, reach) = (connection.arq.next(), connection.arq.reach());
        let reach = if reach.precedes(next) { next } else { reach };
        let arrived = reach.distance_from(core::mem::replace(&mut self.reach, reach));
        self.burst = arrived.max(self.burst - self.burst.div_ceil(8));
        has_grown |= self.fit_recv(connection, budget);
        has_grown |= self.fit_numbers(connection, budget);
        // The connection may have moved to a clock that shows an earlier time.
        self.busy_at = self.busy_at.min(connection.now);
        self.charge_excess(connection, budget);
        self.drop_spare(connection);
        if connection.send.used() > 0 || connection.recv.used() > 0 || arrived > 0 {
            self.busy_at = connection.now;
        } else if connection.now >= self.busy_at + IDLE_TIME {
            self.shrink(connection, budget);
        }
        has_grown
    }

    /// Returns to the budget what was taken, at the end of the connection. Memory without content shrinks.
    pub fn give_back<T: ConnectionTypes>(mut self, connection: &mut Connection<T>, budget: &mut HeapBudget)
    where
        T::Send: PooledStore,
        T::Recv: PooledStore,
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        self.shrink(connection, budget);
        budget.left = budget.left.saturating_add(self.taken);
    }

    /// Doubles the send store if it is what limits the sender, or gives up what is beyond its share. Returns whether there
    /// is more room.
    fn fit_send<T: ConnectionTypes>(&mut self, connection: &mut Connection<T>, budget: &mut HeapBudget) -> bool
    where
        T::Send: PooledStore,
    {
        // What was written since the last call has had no chance to leave.
        let written = core::mem::replace(&mut self.written, connection.send.end());
        if connection.send.has_free_slot() {
            return false;
        }
        let sent_end = connection.arq.sent_end();
        let was_waiting = if sent_end.precedes(written) { written.distance_from(sent_end) } else { 0 };
        let slot_bytes = connection.send.pool().slot_bytes();
        let useful = u32::try_from(useful_bytes(connection.rtt.srtt()) / slot_bytes.max(1)).unwrap_or(u32::MAX);
        let share = self.most.min(budget.share(slot_bytes)).min(useful.max(self.least));
        let waiting = connection.send.end().distance_from(sent_end);
        let sent = connection.send.pool().kept().saturating_sub(waiting);
        let ahead = (sent / 4).max(self.least.saturating_mul(2));
        let mut wanted = Size::of(&connection.send);
        if was_waiting < wanted.allowance.div_ceil(4) {
            let more = wanted.allowance.saturating_mul(2).max(self.least);
            wanted.allowance = more.min(share).max(wanted.allowance);
            if connection.send.used() == wanted.places {
                wanted.places = wanted.places.saturating_mul(2).min(self.most).max(wanted.places);
            }
        } else if wanted.allowance > share && waiting > ahead.saturating_mul(2) {
            // Others need the memory. What was sent may be acknowledged at once, so a fast path looks like this too.
            wanted.allowance = (sent + ahead).max(share).max(self.least).min(wanted.allowance);
        }
        wanted.cover(wanted.allowance);
        let has_grown = self.resize(wanted, &mut connection.send, budget);
        if has_grown {
            connection.on_send_memory_changed();
        }
        has_grown
    }

    /// Charges the bodies that the send store still keeps beyond a smaller allowance.
    fn charge_excess<T: ConnectionTypes>(&mut self, connection: &Connection<T>, budget: &mut HeapBudget)
    where
        T::Send: PooledStore,
    {
        let pool = connection.send.pool();
        let bodies = pool.kept().saturating_sub(pool.allowance());
        let excess = (bodies as usize).saturating_mul(pool.slot_bytes());
        let before = core::mem::replace(&mut self.excess, excess);
        self.account(budget, before, excess);
    }

    /// Fits the receive store to what is kept, and to what may arrive until the next call. Returns whether there is more
    /// room.
    fn fit_recv<T: ConnectionTypes>(&mut self, connection: &mut Connection<T>, budget: &mut HeapBudget) -> bool
    where
        T::Recv: PooledStore,
    {
        let recv = &mut connection.recv;
        let (used, mut wanted) = (recv.used(), Size::of(recv));
        // A place takes some bytes too.
        let price = recv.pool().slot_bytes() + 2 * SlotPool::PLACE_BYTES;
        let coming = self.burst.saturating_mul(2).min(MOST_AHEAD).min(budget.share(price));
        let ahead = coming.max(self.least);
        let free = wanted.allowance.saturating_sub(used);
        if free < coming.max(self.least.div_ceil(2)) || free > ahead.saturating_mul(2) {
            let affordable = u32::try_from(budget.left / price).unwrap_or(u32::MAX);
            let most = self.most.min(wanted.allowance.saturating_add(affordable));
            wanted.allowance = used.saturating_add(ahead).min(most).max(self.least);
        }
        wanted.cover(wanted.allowance);
        self.resize(wanted, recv, budget)
    }

    /// Doubles the memory for numbers if it is the limit. Returns whether it has grown.
    fn fit_numbers<T: ConnectionTypes>(&mut self, connection: &mut Connection<T>, budget: &mut HeapBudget) -> bool
    where
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        let MemoryUse { room, is_limit, .. } = connection.number_memory();
        is_limit && room < self.most && self.replace_numbers(connection, budget, room.saturating_mul(2).min(self.most))
    }

    /// Replaces the memory for numbers, if the budget covers it. Returns whether it has grown.
    fn replace_numbers<T: ConnectionTypes>(
        &mut self,
        connection: &mut Connection<T>,
        budget: &mut HeapBudget,
        numbers: u32,
    ) -> bool
    where
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        let bytes = |numbers: u32| blocks_for(numbers).saturating_mul(size_of::<Block>());
        let (old, new) = (bytes(connection.number_memory().room), bytes(numbers));
        new.saturating_sub(old) <= budget.left
            && connection.replace_number_memory(vec![Block::EMPTY; blocks_for(numbers)]).is_ok()
            && self.account(budget, old, new)
    }

    /// Holds on to no memory between short messages, which come one at a time.
    fn drop_spare<T: ConnectionTypes>(&self, connection: &mut Connection<T>)
    where
        T::Send: PooledStore,
        T::Recv: PooledStore,
    {
        if self.burst > 1 {
            return;
        }
        let pool = connection.send.pool();
        let holds_on = pool.kept() > 0 || pool.spare() > 0;
        if holds_on && connection.send.used() == 0 && pool.allowance() <= self.least {
            connection.send.drop_spare();
            // What was lent had memory, and has none now.
            connection.on_send_memory_changed();
        }
        if connection.recv.used() == 0 {
            connection.recv.drop_spare();
        }
    }

    /// Shrinks what has no content.
    fn shrink<T: ConnectionTypes>(&mut self, connection: &mut Connection<T>, budget: &mut HeapBudget)
    where
        T::Send: PooledStore,
        T::Recv: PooledStore,
        T::Arq: ReplaceMemory<Memory = Vec<Block>>,
    {
        let wanted = Size { places: self.least, allowance: self.least };
        if connection.send.used() == 0 {
            self.resize(wanted, &mut connection.send, budget);
            connection.send.drop_spare();
            // What was lent had memory, and has none now.
            connection.on_send_memory_changed();
        }
        if connection.recv.used() == 0 {
            self.resize(wanted, &mut connection.recv, budget);
            connection.recv.drop_spare();
        }
        let MemoryUse { used, room, .. } = connection.number_memory();
        if used == 0 && blocks_for(room) > blocks_for(self.least) {
            self.replace_numbers(connection, budget, self.least);
        }
    }

    /// Gives a store the wanted size, if the budget covers it. Returns whether the store has grown.
    fn resize(&mut self, wanted: Size, store: &mut impl PooledStore, budget: &mut HeapBudget) -> bool {
        let before = Size::of(store);
        if wanted == before {
            return false;
        }
        let slot = store.pool().slot_bytes();
        let (old, new) = (before.bytes(slot), wanted.bytes(slot));
        if new.saturating_sub(old) > budget.left {
            return false;
        }
        if wanted.places != before.places && store.replace_memory(SlotPool::new(wanted.places)).is_err() {
            return false;
        }
        store.set_allowance(wanted.allowance);
        self.account(budget, old, new);
        wanted.places > before.places || wanted.allowance > before.allowance
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

    /// Raises the promise on its evidence, and announces as much of it as the budget has room for.
    fn promise<T: ConnectionTypes>(&mut self, connection: &mut Connection<T>, budget: &HeapBudget)
    where
        T::Recv: PooledStore,
    {
        let reach = connection.arq.reach();
        if self.promised == 0 {
            let first = if connection.negotiation.tag().is_some() { self.most / 4 } else { self.most };
            (self.promised, self.promised_at) = (self.least.max(first), reach);
        } else if reach.distance_from(self.promised_at) >= self.promised.div_ceil(2)
            && self.announced == self.promised
            && connection.recv.chunk().is_empty()
        {
            (self.promised, self.promised_at) = (self.promised.saturating_mul(2).min(self.most), reach);
        }
        let share = budget.share(connection.recv.pool().slot_bytes());
        let window = self.promised.min(share).max(self.least);
        if window != self.announced {
            self.announced = window;
            connection.promise(window);
        }
    }
}

/// The most bytes of a send store that are of use on a path with this round-trip time: what is in flight at the highest
/// rate. More memory than the path needs is slower, because it leaves the cache. The time is the smoothed one, which
/// follows a path that changes.
fn useful_bytes(srtt: Option<Duration>) -> usize {
    let Some(srtt) = srtt else { return usize::MAX };
    let micros = usize::try_from(srtt.as_micros()).unwrap_or(usize::MAX);
    micros.saturating_mul(FASTEST).max(LEAST_USEFUL)
}

/// The size of a store over a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    /// The numbers from the oldest to the newest body.
    places: u32,
    /// The bodies that may be kept.
    allowance: u32,
}

impl Size {
    fn of(store: &impl PooledStore) -> Self {
        Self { places: store.room(), allowance: store.pool().allowance() }
    }

    /// Doubles the places until there are `numbers`.
    const fn cover(&mut self, numbers: u32) {
        while self.places < numbers {
            self.places = self.places.saturating_mul(2);
        }
    }

    const fn bytes(self, slot_bytes: usize) -> usize {
        SlotPool::most_bytes(self.places, self.allowance, slot_bytes)
    }
}
