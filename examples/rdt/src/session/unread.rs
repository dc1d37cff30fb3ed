//! The stream as it waits for its receiver.

use crate::settings::AnyStorage;
use rdt_proto::connection::Connection;

/// Where the next bytes of the stream are. They begin with those of a write.
pub(super) enum Unread<'a> {
    Datagram(&'a [u8]),
    Connection(&'a mut Connection<AnyStorage>),
}

impl Unread<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Datagram(bytes) => bytes,
            Self::Connection(connection) => connection.recv_chunk(),
        }
    }

    /// At most `len` bytes.
    pub(super) fn first(&self, len: usize) -> &[u8] {
        let bytes = self.bytes();
        bytes.get(..len).unwrap_or(bytes)
    }

    /// The connection, if all that it lends now are at most `len` bytes.
    pub(super) fn giver(&mut self, len: usize) -> Option<&mut Connection<AnyStorage>> {
        if self.bytes().len() > len {
            return None;
        }
        match self {
            Self::Datagram(_) => None,
            Self::Connection(connection) => Some(connection),
        }
    }
}
