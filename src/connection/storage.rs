//! The storage of a connection, and its constructors.

use super::config::Config;
use super::observer::Observer;
use crate::arq::{Arq, Block, SelectiveRepeat, StopAndWait};
use crate::congestion::{BandwidthDelay, Congestion, Pacer};
#[cfg(feature = "alloc")]
use crate::store::SlotPool;
use crate::store::{GrowingRecvSlots, RecvSlots, RecvStore, SendSlots, SendStore, SlotMemory, StoreError, slot_bytes};
use crate::wire::MIN_SEGMENT;
#[cfg(feature = "alloc")]
use alloc::{vec, vec::Vec};

/// The storage of a connection: a store for each direction, and the retransmission mechanism.
///
/// | memory | selective repeat | stop-and-wait |
/// |---|---|---|
/// | the heap (feature `alloc`) | [`Storage::on_heap`] | [`Storage::stop_and_wait_on_heap`] |
/// | arrays, slices, `&'static mut` | [`Storage::selective_repeat`] | [`Storage::stop_and_wait`] |
///
/// The constructors take the size of the slots from the [`Config`], and the datagram size for the congestion controller
/// and the pacer. [`Config::send_bytes`], [`Config::recv_bytes`] and [`blocks_for`] return the sizes of arrays at
/// compile time.
///
/// Storage with custom stores is made field by field.
///
/// On the heap:
///
/// ```
/// use rdt_proto::Instant;
/// use rdt_proto::connection::{Config, Connection, Storage};
///
/// let config = Config::new();
/// let storage = Storage::on_heap(&config, 64)?; // up to 64 packets in each direction
/// let connection = Connection::connect(Instant::ZERO, config, [7; 32], storage)?;
/// # Ok::<(), rdt_proto::store::StoreError>(())
/// ```
///
/// In arrays:
///
/// ```
/// use rdt_proto::Instant;
/// use rdt_proto::arq::Block;
/// use rdt_proto::congestion::BandwidthDelay;
/// use rdt_proto::connection::{Config, Connection, Memory, Storage, blocks_for};
///
/// const CONFIG: Config = Config::new();
/// const WINDOW: u32 = 8; // packets in each direction
///
/// let mut send = [0; CONFIG.send_bytes(WINDOW)];
/// let mut recv = [0; CONFIG.recv_bytes(WINDOW)];
/// let mut blocks = [Block::EMPTY; blocks_for(WINDOW)];
/// let memory = Memory { send: &mut send[..], recv: &mut recv[..], blocks: &mut blocks[..] };
/// let storage = Storage::selective_repeat(&CONFIG, memory, BandwidthDelay::new)?;
/// let mut connection = Connection::connect(Instant::ZERO, CONFIG, [7; 32], storage)?;
/// connection.send(b"hello").expect("the connection is open");
/// // Take the lent memory back.
/// let memory = connection.into_storage().into_memory();
/// assert_eq!(memory.send.len(), CONFIG.send_bytes(WINDOW));
/// # Ok::<(), rdt_proto::store::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Storage<S, R, A = StopAndWait> {
    /// Keeps written data until it is acknowledged.
    pub send: S,
    /// Keeps received data until it is read.
    pub recv: R,
    /// Keeps the numbers and timers of both directions.
    pub arq: A,
}

/// The type parameters of a [`Connection`](super::Connection), as one bundle.
///
/// Every [`Storage`] implements this trait. The usual bundles have aliases: [`HeapStorage`], [`LentStorage`] and their
/// stop-and-wait counterparts. A program writes `Connection<HeapStorage>`, for example.
pub trait ConnectionTypes: Sized {
    /// The store that keeps written data until it is acknowledged.
    type Send: SendStore;
    /// The store that keeps received data until it is read.
    type Recv: RecvStore;
    /// The retransmission mechanism.
    type Arq: Arq;
    /// The observer of the connection: `()` for none.
    type Observer: Observer;

    /// Splits the storage into its parts.
    fn into_parts(self) -> (Self::Send, Self::Recv, Self::Arq, Self::Observer);

    /// Joins the parts to a storage.
    fn from_parts(send: Self::Send, recv: Self::Recv, arq: Self::Arq, observer: Self::Observer) -> Self;
}

impl<S: SendStore, R: RecvStore, A: Arq> ConnectionTypes for Storage<S, R, A> {
    type Send = S;
    type Recv = R;
    type Arq = A;
    type Observer = ();

    fn into_parts(self) -> (S, R, A, ()) {
        (self.send, self.recv, self.arq, ())
    }

    fn from_parts(send: S, recv: R, arq: A, (): ()) -> Self {
        Self { send, recv, arq }
    }
}

/// Storage with an [`Observer`], made by [`Storage::observed`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed<T, O> {
    /// The storage.
    pub storage: T,
    /// The observer of the connection.
    pub observer: O,
}

impl<T: ConnectionTypes<Observer = ()>, O: Observer> ConnectionTypes for Observed<T, O> {
    type Send = T::Send;
    type Recv = T::Recv;
    type Arq = T::Arq;
    type Observer = O;

    fn into_parts(self) -> (T::Send, T::Recv, T::Arq, O) {
        let (send, recv, arq, ()) = self.storage.into_parts();
        (send, recv, arq, self.observer)
    }

    fn from_parts(send: T::Send, recv: T::Recv, arq: T::Arq, observer: O) -> Self {
        Self { storage: T::from_parts(send, recv, arq, ()), observer }
    }
}

/// Selective repeat on the heap. Feature `alloc`.
#[cfg(feature = "alloc")]
pub type HeapStorage<C = BandwidthDelay> =
    Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, SelectiveRepeat<Vec<Block>, C>>;

/// Selective repeat on the heap with [windows that grow](super::HeapWindow). Feature `alloc`.
#[cfg(feature = "alloc")]
pub type GrowingStorage<C = BandwidthDelay> =
    Storage<SendSlots<SlotPool>, GrowingRecvSlots<SlotPool>, SelectiveRepeat<Vec<Block>, C>>;

/// Stop-and-wait on the heap. Feature `alloc`.
#[cfg(feature = "alloc")]
pub type HeapStopAndWait = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>;

/// Selective repeat in slices that are lent for `'m`, which may be `'static`.
pub type LentStorage<'m, C = BandwidthDelay> =
    Storage<SendSlots<&'m mut [u8]>, RecvSlots<&'m mut [u8]>, SelectiveRepeat<&'m mut [Block], C>>;

/// Stop-and-wait in slices that are lent for `'m`, which may be `'static`.
pub type LentStopAndWait<'m> = Storage<SendSlots<&'m mut [u8]>, RecvSlots<&'m mut [u8]>>;

/// The memory for a connection with selective repeat: arrays, slices or `Vec`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory<S, R, B> {
    /// Memory for bodies to send. [`Config::send_bytes`] returns its size for a window.
    pub send: S,
    /// Memory for received bodies. [`Config::recv_bytes`] returns its size for a window.
    pub recv: R,
    /// Memory for the state of each number. [`blocks_for`] returns the number of blocks for a window.
    pub blocks: B,
}

/// The number of blocks for a window of `window` packets: a power of two, at least one.
///
/// [`SelectiveRepeat`] uses only the largest power of two of the lent blocks.
#[must_use]
pub const fn blocks_for(window: u32) -> usize {
    match (window.div_ceil(Block::NUMBERS) as usize).checked_next_power_of_two() {
        Some(blocks) if blocks > 0 => blocks,
        Some(_) | None => 1,
    }
}

impl Config {
    /// The bytes of memory for `window` bodies to send.
    #[must_use]
    pub const fn send_bytes(&self, window: u32) -> usize {
        (window as usize).saturating_mul(slot_bytes(self.segment))
    }

    /// The bytes of memory for `window` received bodies.
    #[must_use]
    pub const fn recv_bytes(&self, window: u32) -> usize {
        (window as usize).saturating_mul(slot_bytes(self.recv_segment))
    }
}

impl<S, R, B, C> Storage<SendSlots<S>, RecvSlots<R>, SelectiveRepeat<B, C>>
where
    S: SlotMemory,
    R: SlotMemory,
    B: AsRef<[Block]> + AsMut<[Block]>,
    C: Congestion,
{
    /// Makes storage for selective repeat in lent memory. The memory determines the window.
    ///
    /// `controller` makes the congestion controller from the largest datagram size in bytes: [`BandwidthDelay::new`],
    /// [`Cubic::new`](crate::congestion::Cubic::new), or a closure.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the memory holds no body or no block, or if a segment of `config` is 0 or too small for its
    /// mode.
    pub fn selective_repeat(
        config: &Config,
        memory: Memory<S, R, B>,
        controller: impl FnOnce(u32) -> C,
    ) -> Result<Self, StoreError> {
        let datagram = config.max_datagram_len().try_into().unwrap_or(u32::MAX);
        let pacer = Pacer::new(config.pacing_granularity, datagram);
        Ok(Self {
            send: SendSlots::new(memory.send, config.segment)?,
            recv: config.recv_slots(memory.recv)?,
            arq: SelectiveRepeat::new(memory.blocks, controller(datagram), pacer).ok_or(StoreError::NoBlock)?,
        })
    }
}

impl<S, R, B, C, const MAY_CUT: bool> Storage<SendSlots<S, MAY_CUT>, RecvSlots<R>, SelectiveRepeat<B, C>>
where
    R: SlotMemory,
    B: AsRef<[Block]> + AsMut<[Block]>,
    C: Congestion,
{
    /// Returns the memory, for another connection. Unsent and unread data is lost.
    #[must_use]
    pub fn into_memory(self) -> Memory<S, R, B> {
        Memory { send: self.send.into_memory(), recv: self.recv.into_memory(), blocks: self.arq.into_memory() }
    }
}

impl<S, R> Storage<SendSlots<S>, RecvSlots<R>>
where
    S: SlotMemory,
    R: SlotMemory,
{
    /// Makes storage for stop-and-wait in lent memory.
    ///
    /// Room for one body in each direction is enough. With room for a second body, the application can write and read
    /// while a packet is in flight.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the memory holds no body, or if a segment of `config` is 0 or too small for its mode.
    pub fn stop_and_wait(config: &Config, send: S, recv: R) -> Result<Self, StoreError> {
        Ok(Self {
            send: SendSlots::new(send, config.segment)?,
            recv: config.recv_slots(recv)?,
            arq: StopAndWait::new(),
        })
    }
}

impl<S, R, const MAY_CUT: bool> Storage<SendSlots<S, MAY_CUT>, RecvSlots<R>>
where
    R: SlotMemory,
{
    /// Returns the memory of the send store and of the receive store. Unsent and unread data is lost.
    #[must_use]
    pub fn into_memory(self) -> (S, R) {
        (self.send.into_memory(), self.recv.into_memory())
    }
}

#[cfg(feature = "alloc")]
impl<C: Congestion> HeapStorage<C> {
    /// Makes storage for selective repeat on the heap, with a given congestion controller. Feature `alloc`.
    ///
    /// `controller` is as for [`selective_repeat`](Self::selective_repeat).
    ///
    /// # Errors
    ///
    /// [`StoreError`] if `window` is 0, or if a segment of `config` is 0 or too small for its mode.
    ///
    /// If the system does not have enough memory, the process aborts, as for any allocation. Limit a `window` that
    /// comes from outside the program.
    pub fn on_heap_with(config: &Config, window: u32, controller: impl FnOnce(u32) -> C) -> Result<Self, StoreError> {
        let memory = Memory {
            send: vec![0; config.send_bytes(window)],
            recv: vec![0; config.recv_bytes(window)],
            blocks: vec![Block::EMPTY; blocks_for(window)],
        };
        Self::selective_repeat(config, memory, controller)
    }
}

#[cfg(feature = "alloc")]
impl HeapStorage {
    /// Makes storage for selective repeat on the heap, with the default congestion controller. Feature `alloc`.
    ///
    /// The storage buffers up to `window` packets in each direction. To fill a path, set `window` to the path's
    /// bandwidth times four round trips, in packets. For 50 Mbit/s and 100 ms this is about 2,048. A window that grows
    /// begins smaller: see [`HeapWindow`](super::HeapWindow).
    ///
    /// # Errors
    ///
    /// [`StoreError`] if `window` is 0, or if a segment of `config` is 0 or too small for its mode.
    ///
    /// If the system does not have enough memory, the process aborts, as for any allocation. Limit a `window` that
    /// comes from outside the program.
    pub fn on_heap(config: &Config, window: u32) -> Result<Self, StoreError> {
        Self::on_heap_with(config, window, BandwidthDelay::new)
    }
}

#[cfg(feature = "alloc")]
impl HeapStopAndWait {
    /// Makes storage for stop-and-wait on the heap, with two bodies in each direction. Feature `alloc`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if a segment of `config` is 0 or too small for its mode.
    pub fn stop_and_wait_on_heap(config: &Config) -> Result<Self, StoreError> {
        Self::stop_and_wait(config, vec![0; config.send_bytes(2)], vec![0; config.recv_bytes(2)])
    }
}

impl<S, R, A> Storage<S, R, A> {
    /// Adds an observer of the connection.
    #[must_use]
    pub fn observed<O: Observer>(self, observer: O) -> Observed<Self, O> {
        Observed { storage: self, observer }
    }

    /// Replaces the send store, for example by a [`SendSource`](crate::store::SendSource).
    ///
    /// ```
    /// use rdt_proto::connection::{Config, Connection, Storage};
    /// use rdt_proto::store::SendSource;
    /// use rdt_proto::Instant;
    ///
    /// static FIRMWARE: &[u8] = &[0xea; 100_000];
    ///
    /// let config = Config::default();
    /// let source = SendSource::new(FIRMWARE, config.segment)?;
    /// let storage = Storage::stop_and_wait_on_heap(&config)?.map_send(|_| source);
    /// let mut connection = Connection::connect(Instant::ZERO, config, [7; 32], storage)?;
    /// connection.close();
    /// # Ok::<(), rdt_proto::store::StoreError>(())
    /// ```
    #[must_use]
    pub fn map_send<N>(self, map: impl FnOnce(S) -> N) -> Storage<N, R, A> {
        Storage { send: map(self.send), recv: self.recv, arq: self.arq }
    }

    /// Replaces the retransmission mechanism, for example by `storage.map_arq(AnyArq::SelectiveRepeat)`.
    #[must_use]
    pub fn map_arq<B>(self, map: impl FnOnce(A) -> B) -> Storage<S, R, B> {
        Storage { send: self.send, recv: self.recv, arq: map(self.arq) }
    }
}

impl<S, M: SlotMemory, A> Storage<S, RecvSlots<M>, A> {
    /// Lets the connection announce a larger receive window than there is memory for.
    ///
    /// See [`promise`](super::Connection::promise). The storage must be unused.
    #[must_use]
    pub fn growing(self) -> Storage<S, GrowingRecvSlots<M>, A> {
        Storage { send: self.send, recv: GrowingRecvSlots::new(self.recv), arq: self.arq }
    }
}

impl Config {
    fn recv_slots<M: SlotMemory>(&self, memory: M) -> Result<RecvSlots<M>, StoreError> {
        let slots = RecvSlots::new(memory, self.recv_segment)?;
        self.check_recv_segment(slots.segment())?;
        Ok(slots)
    }

    /// Checks the receive segment: extended mode cannot announce one below [`MIN_SEGMENT`].
    pub(super) fn check_recv_segment(&self, segment: usize) -> Result<(), StoreError> {
        let needed = MIN_SEGMENT.into();
        if self.allows_extended() && segment < needed {
            return Err(StoreError::SegmentTooSmall { needed, available: segment });
        }
        Ok(())
    }
}
