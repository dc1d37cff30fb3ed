//! Storage on the heap whose windows grow.

use super::{Config, GrowingStorage, Memory, Storage, blocks_for};
use crate::arq::Block;
use crate::congestion::{BandwidthDelay, Congestion};
use crate::store::{SlotPool, StoreError};
use alloc::vec;

impl<C: Congestion> GrowingStorage<C> {
    /// Makes storage whose windows grow from `window` packets, with a given congestion controller. Feature `alloc`.
    ///
    /// Bodies take memory only while they are kept: see [`SlotPool`]. [`HeapWindow`](super::HeapWindow) lets the windows
    /// grow. `controller` is as for [`selective_repeat`](super::HeapStorage::selective_repeat).
    ///
    /// # Errors
    ///
    /// [`StoreError`] if `window` is 0, or if a segment of `config` is 0 or too small for its mode.
    pub fn pooled_with(config: &Config, window: u32, controller: impl FnOnce(u32) -> C) -> Result<Self, StoreError> {
        let (send, recv) = (SlotPool::new(window), SlotPool::new(window));
        let memory = Memory { send, recv, blocks: vec![Block::EMPTY; blocks_for(window)] };
        Ok(Storage::selective_repeat(config, memory, controller)?.growing())
    }
}

impl GrowingStorage {
    /// Makes storage whose windows grow from `window` packets, with the default congestion controller. Feature `alloc`.
    ///
    /// See [`pooled_with`](Self::pooled_with).
    ///
    /// # Errors
    ///
    /// [`StoreError`] if `window` is 0, or if a segment of `config` is 0 or too small for its mode.
    pub fn pooled(config: &Config, window: u32) -> Result<Self, StoreError> {
        Self::pooled_with(config, window, BandwidthDelay::new)
    }
}
