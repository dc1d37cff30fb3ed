//! Output whose large bodies stay in the send store.

use super::output::Output;
use super::{Connection, ConnectionTypes};
use crate::event::Transmit;
use crate::store::SendStore;
use crate::{BufferTooSmall, Instant, Seq};

/// A shorter body is copied: two of them fit into one call, which saves more than the copies cost.
const LEAST_APART: usize = 1 << 15;

/// Datagrams to send, of which the end may lie in the send store: scatter/gather output.
///
/// `B` identifies a body: its number, and for a listener the connection as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "the machine counts these datagrams as sent"]
pub struct Gather<B = Seq> {
    /// What was written into the buffer. If a body follows, this is the head of one datagram, whose length with the body
    /// is [`Transmit::segment_size`].
    pub transmit: Transmit,
    /// The INFO whose [body](Connection::body) follows; `None` if the datagrams are whole.
    pub body: Option<B>,
}

impl<B> Gather<B> {
    /// The length of all datagrams, with the body that follows.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        if self.body.is_some() { self.transmit.segment_size } else { self.transmit.len }
    }
}

impl<B> From<Transmit> for Gather<B> {
    fn from(transmit: Transmit) -> Self {
        Self { transmit, body: None }
    }
}

impl<T: ConnectionTypes> Connection<T> {
    /// As [`poll_transmit_batch`](Self::poll_transmit_batch), but copies no body of 32 KiB or more.
    ///
    /// Send the head in `buf` and the [`body`](Self::body) with one call that gathers both (`sendmsg`). Bodies so large
    /// cross links within a machine, or between virtual machines.
    ///
    /// While the socket is full, other calls may follow. The peer may then acknowledge an earlier copy, and the body is
    /// gone: drop the datagram if head and body no longer have [`Transmit::segment_size`] bytes.
    ///
    /// While an [observer](super::Observer) is enabled, datagrams are whole.
    ///
    /// # Errors
    ///
    /// As for [`poll_transmit_batch`](Self::poll_transmit_batch).
    ///
    /// ```
    /// use rdt_proto::Instant;
    /// use rdt_proto::connection::{Config, Connection, HeapStopAndWait, Storage};
    ///
    /// # fn example(connection: &mut Connection<HeapStopAndWait>, now: Instant) -> Result<(), rdt_proto::BufferTooSmall> {
    /// let mut buf = [0; 65_507];
    /// while let Some(gather) = connection.poll_transmit_gather(now, 64, &mut buf)? {
    ///     let written = &buf[..gather.transmit.len];
    ///     match gather.body {
    ///         // sendmsg with UDP_SEGMENT
    ///         None => println!("{:?}", written.chunks(gather.transmit.segment_size)),
    ///         // sendmsg with two parts
    ///         Some(number) => println!("{written:?}, {:?}", connection.body(number)),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn poll_transmit_gather(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Gather>, BufferTooSmall> {
        self.advance(now);
        self.request_body();
        let Some(output) = self.next_output() else { return Ok(None) };
        match output {
            Output::Info(number) if self.body(number).len() >= LEAST_APART && !self.is_observed() => {
                let len =
                    self.send_info(number, |framing, info, body| framing.encode_info_head(info, body.len(), buf))?;
                let segment_size = len + self.body(number).len();
                Ok(Some(Gather { transmit: Transmit { len, segment_size }, body: Some(number) }))
            }
            Output::Info(_) | Output::Control(_) => Ok(Some(self.write_batch(output, max_datagrams, buf)?.into())),
        }
    }

    /// The body of an INFO that the send store keeps; empty if there is none. It keeps at least what is not acknowledged.
    #[must_use]
    pub fn body(&self, number: Seq) -> &[u8] {
        self.send.body(number)
    }
}
