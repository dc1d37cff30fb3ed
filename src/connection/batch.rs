//! Several datagrams in one call.

use super::output::Output;
use super::{Connection, ConnectionTypes};
use crate::arq::{Arq, Sending};
use crate::counts::increase;
use crate::event::Transmit;
use crate::store::SendStore;
use crate::wire::InfoHeader;
use crate::{BufferTooSmall, Instant};

impl<T: ConnectionTypes> Connection<T> {
    /// As [`poll_transmit`](Self::poll_transmit), but writes several INFO datagrams into `buf`, one after the other.
    ///
    /// Each datagram has [`Transmit::segment_size`] bytes; only the last may be shorter. A kernel accepts such a batch
    /// in one call and splits it (Linux `UDP_SEGMENT`: at most 64 datagrams and 65,507 bytes). The batch ends at
    /// `max_datagrams` (0 counts as 1), at the end of `buf`, or before a longer INFO. A packet without a body is
    /// returned alone.
    ///
    /// # Errors
    ///
    /// [`BufferTooSmall`] if the first datagram does not fit into `buf`. The datagram stays due.
    /// [`Config::max_datagram_len`](super::Config::max_datagram_len) bytes always hold one datagram.
    pub fn poll_transmit_batch(
        &mut self,
        now: Instant,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Transmit>, BufferTooSmall> {
        self.advance(now);
        self.request_body();
        let Some(output) = self.next_output() else { return Ok(None) };
        self.write_batch(output, max_datagrams, buf).map(Some)
    }

    /// Writes `output`, which is due, and the INFO that can follow it.
    #[inline]
    pub(super) fn write_batch(
        &mut self,
        output: Output,
        max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Transmit, BufferTooSmall> {
        let before = self.before();
        let segment_size = self.write(output, buf)?;
        let mut len = segment_size;
        // After an INFO, more INFO may follow: sending one makes no packet due that takes precedence, apart from a
        // PROBE of a datagram size.
        if matches!(output, Output::Info(_)) && !self.is_size_probe_due() {
            let mut left = max_datagrams.saturating_sub(1);
            while left > 0 {
                let written = self.write_more(left, segment_size, buf.get_mut(len..).unwrap_or_default());
                len += written;
                left = left.saturating_sub(written / segment_size);
                if written == 0 || !written.is_multiple_of(segment_size) {
                    break;
                }
            }
        }
        self.trace_changes(before);
        self.trace_sent(buf.get(..len).unwrap_or_default(), segment_size);
        Ok(Transmit { len, segment_size })
    }

    /// Writes up to `most` further INFO datagrams of `size` bytes, or one shorter datagram. Returns the bytes written.
    fn write_more(&mut self, most: usize, size: usize, buf: &mut [u8]) -> usize {
        let (now, end) = (self.now, self.sendable_end());
        let Some(number) = self.next_info() else { return 0 };
        let bytes = u16::try_from(size).unwrap_or(u16::MAX);
        // A run never includes the newest body, which may still grow.
        let run = self.arq.next_run(now, end, bytes, u32::try_from(most).unwrap_or(u32::MAX));
        let first = Sending { now, number, counter: self.next_counter(), bytes, end };
        let most = run.min(u32::try_from(buf.len() / size).unwrap_or(u32::MAX));
        let mut count = self.encode_run(&first, most, buf);
        if count < most {
            // A body of another size ends the run sooner, so that its packets ask for another acknowledgement.
            count = self.encode_shorter_run(&first, count, buf);
        }
        if count == 0 {
            let room_len = size.min(buf.len());
            return self.write_info(number, buf.get_mut(..room_len).unwrap_or_default()).unwrap_or(0);
        }
        self.arq.on_run_sent(first, count, &mut self.rtt);
        self.count_datagrams(count);
        increase(&mut self.stats.infos_sent, count.into());
        self.idle.on_asked(now);
        let len = size * count as usize;
        increase(&mut self.stats.datagrams_sent, count.into());
        increase(&mut self.stats.bytes_sent, len as u64);
        len
    }

    /// Writes up to `most` INFO datagrams, from `first` on, until one has another size. Returns how many.
    #[inline]
    fn encode_run(&self, first: &Sending, most: u32, buf: &mut [u8]) -> u32 {
        let (framing, size) = (self.negotiation.outgoing(), usize::from(first.bytes));
        // All ask for what the last one asks for: the receiver follows the request that arrived last.
        let request = self.arq.request(first, most);
        let mut count = 0;
        for (ahead, room) in (0..most).zip(buf.chunks_exact_mut(size)) {
            let number = first.number.add(ahead);
            let body = self.send.body(number);
            let counter = first.counter.wrapping_add(ahead);
            let info = InfoHeader { counter, number: self.peer.to_wire(number), request };
            if framing.info_header_len() + body.len() != size || framing.encode_info(info, body, room).is_err() {
                break;
            }
            count += 1;
        }
        count
    }

    /// As [`encode_run`](Self::encode_run), for the rare run that is shorter than expected.
    #[cold]
    fn encode_shorter_run(&self, first: &Sending, most: u32, buf: &mut [u8]) -> u32 {
        self.encode_run(first, most, buf)
    }
}
