//! The type parameters of a listener, as one bundle.

use super::{Address, TableMemory};
use crate::connection::ConnectionTypes;
use crate::tables::FixedTables;
#[cfg(feature = "alloc")]
use crate::{connection::HeapStorage, tables::HeapTables};
use core::marker::PhantomData;

/// The type parameters of a [`Listener`](super::Listener), as one bundle.
///
/// The usual bundles have aliases, [`HeapPeers`] and [`FixedPeers`]: `Listener<HeapPeers<SocketAddr>>`.
pub trait ListenerTypes {
    /// The source of a datagram, with all that an answer needs.
    type Address: Address;
    /// The storage of each connection.
    type Storage: ConnectionTypes;
    /// The memory of the tables of connections and handshakes.
    type Tables: TableMemory;
}

/// A bundle of addresses `A`, storage `S` and table memory `M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerTypes<A, S, M>(PhantomData<(A, S, M)>);

impl<A: Address, S: ConnectionTypes, M: TableMemory> ListenerTypes for PeerTypes<A, S, M> {
    type Address = A;
    type Storage = S;
    type Tables = M;
}

/// Peers in tables on the heap, up to the [limits](super::ListenerConfig). Feature `alloc`.
#[cfg(feature = "alloc")]
pub type HeapPeers<A, S = HeapStorage> = PeerTypes<A, S, HeapTables>;

/// At most `N` peers and `N` pending handshakes, in tables inside the listener.
pub type FixedPeers<const N: usize, A, S> = PeerTypes<A, S, FixedTables<N>>;
