//! Messages: a length, followed by that many bytes.

use super::bytes::Bytes;
use super::config::Pieces;
use super::event::SocketIgnored;
use super::segment::{MAX_BODY, decimal};
use core::fmt::Write;
use heapless::Vec;

/// The maximum length of a message in bytes. Its 16 digits fit into the body of one segment.
pub const MAX_MESSAGE: u64 = 10_u64.pow(16) - 1;

/// The body of a segment.
pub(super) type Body = Vec<u8, MAX_BODY, u8>;

/// The message that is being sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Outgoing<const N: usize> {
    /// `None` if every message is fully acknowledged.
    message: Option<Announced>,
    /// Bytes that are written and not acknowledged.
    content: Bytes<N>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Announced {
    length: u64,
    /// Bytes that the application has yet to write.
    unwritten: u64,
    /// Whether the length is acknowledged.
    acknowledged: bool,
}

impl<const N: usize> Outgoing<N> {
    /// Starts a message of `length` bytes.
    pub(super) fn announce(&mut self, length: u64) {
        self.message = Some(Announced { length, unwritten: length, acknowledged: false });
    }

    /// Accepts the next bytes of the message, as far as space and length allow; returns the count.
    ///
    /// `None` means that there is no message.
    pub(super) fn write(&mut self, data: &[u8]) -> Option<usize> {
        let message = self.message.as_mut()?;
        let most = usize::try_from(message.unwritten).unwrap_or(usize::MAX).min(data.len());
        let taken = self.content.push(data.get(..most)?);
        message.unwritten -= taken as u64;
        Some(taken)
    }

    /// The number of bytes that the application has yet to write; `None` without a message.
    pub(super) fn unwritten(&self) -> Option<u64> {
        self.message.as_ref().map(|message| message.unwritten)
    }

    /// Whether every message is fully acknowledged.
    pub(super) const fn is_done(&self) -> bool {
        self.message.is_none()
    }

    /// Whether the length of the message is not yet acknowledged; false without a message.
    pub(super) fn is_unannounced(&self) -> bool {
        self.message.as_ref().is_some_and(|message| !message.acknowledged)
    }

    /// The body of the next or outstanding segment.
    ///
    /// The length comes first, then the content in pieces of the length that `pieces` gives. The body is `None` while a
    /// piece is not fully written (Nagle's algorithm, RFC 1122 §4.2.3.4). If `cut` is set, the application writes no
    /// more, and a partial piece is sent.
    pub(super) fn body(&self, pieces: Pieces, cut: bool) -> Option<Body> {
        let message = self.message.as_ref()?;
        let mut body = Body::new();
        if !message.acknowledged {
            write!(body, "{}", message.length).ok()?;
            return Some(body);
        }
        let rest = self.content.len() as u64 + message.unwritten;
        let piece = pieces.next_len(rest);
        let len = self.content.len().min(piece);
        if len == 0 || (len < piece && !cut) {
            return None;
        }
        body.resize_default(len).ok()?;
        self.content.peek(&mut body);
        Some(body)
    }

    /// Processes the acknowledgement of the segment that [`body`](Self::body) describes.
    pub(super) fn advance(&mut self, pieces: Pieces, cut: bool) {
        let len = self.body(pieces, cut).map_or(0, |body| body.len());
        let Some(message) = &mut self.message else { return };
        if message.acknowledged {
            self.content.consume(len);
        }
        message.acknowledged = true;
        if self.content.len() == 0 && message.unwritten == 0 {
            self.message = None;
        }
    }
}

/// The progress of an incoming message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// The length in bytes, as announced by the peer. The announcement reserves no memory.
    pub length: u64,
    /// The number of bytes that arrived.
    pub arrived: u64,
    /// The number of bytes that the application read.
    pub read: u64,
}

/// The message that is being received or read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Incoming<const N: usize> {
    /// `None` if every message is received and read.
    message: Option<Message>,
    /// Bytes that arrived and are not yet read.
    content: Bytes<N>,
}

impl<const N: usize> Incoming<N> {
    pub(super) const fn message(&self) -> Option<Message> {
        self.message
    }

    /// Whether a message is incomplete.
    pub(super) fn is_receiving(&self) -> bool {
        self.message.is_some_and(|message| message.arrived < message.length)
    }

    /// The number of the length segment, if nothing has arrived after it.
    ///
    /// `number` is the number of the next segment. A peer that aborts while its length is in flight sends FIN with the
    /// number of the length segment.
    pub(super) fn length_number(&self, number: u64) -> Option<u64> {
        let message = self.message.filter(|message| message.arrived == 0 && message.length > 0)?;
        number.checked_sub(u64::from(message.length.ilog10()) + 1)
    }

    /// Accepts the body of the next segment: a length, a piece of content, or nothing.
    pub(super) fn take(&mut self, body: &[u8]) -> Result<(), SocketIgnored> {
        match &mut self.message {
            _ if body.is_empty() => Ok(()),
            Some(message) if message.arrived < message.length => {
                let arrived = message.arrived.saturating_add(body.len() as u64);
                if arrived > message.length {
                    return Err(SocketIgnored::Length);
                }
                if self.content.room() < body.len() {
                    return Err(SocketIgnored::NoRoom);
                }
                self.content.push(body);
                message.arrived = arrived;
                Ok(())
            }
            // The previous message is not fully read.
            Some(_) => Err(SocketIgnored::NoRoom),
            None => {
                let length = decimal(body).ok_or(SocketIgnored::Length)?;
                self.message = Some(Message { length, arrived: 0, read: 0 });
                Ok(())
            }
        }
    }

    /// Copies available bytes into `buf`; `None` if no byte was copied and no message ended.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> Option<Received> {
        let message = self.message.as_mut()?;
        let len = self.content.peek(buf);
        self.content.consume(len);
        message.read += len as u64;
        let is_end = message.read == message.length;
        if is_end {
            self.message = None;
        }
        (len > 0 || is_end).then_some(Received { len, is_end })
    }
}

/// The result of a read from a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Received {
    /// The number of bytes written into the buffer. It is 0 only for an empty message.
    pub len: usize,
    /// Whether the message ends with these bytes.
    pub is_end: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body<const N: usize>(outgoing: &Outgoing<N>) -> Option<std::vec::Vec<u8>> {
        outgoing.body(Pieces::Full, false).map(|body| body.to_vec())
    }

    #[test]
    fn a_message_is_sent_as_length_full_pieces_and_rest() {
        let mut outgoing = Outgoing::<32>::default();
        outgoing.announce(37);
        assert_eq!(outgoing.write(b"0123456789abcde"), Some(15));
        assert_eq!(body(&outgoing).unwrap(), b"37");
        outgoing.advance(Pieces::Full, false);
        assert_eq!(body(&outgoing), None, "a partial piece waits");
        assert_eq!(outgoing.body(Pieces::Full, true).unwrap().len(), 15);
        assert_eq!(outgoing.write(b"f0123456789abcdef01234, and more"), Some(17));
        assert_eq!(body(&outgoing).unwrap(), b"0123456789abcdef");
        outgoing.advance(Pieces::Full, false);
        assert_eq!(outgoing.write(b"01234, and more"), Some(5));
        outgoing.advance(Pieces::Full, false);
        assert_eq!((body(&outgoing).unwrap().as_slice(), outgoing.is_done()), (&b"01234"[..], false));
        outgoing.advance(Pieces::Full, false);
        assert_eq!((body(&outgoing), outgoing.is_done()), (None, true));
    }

    #[test]
    fn in_pairs_only_the_last_piece_has_three_bytes() {
        for (length, pieces) in
            [(0, &[][..]), (1, &[1]), (2, &[2]), (3, &[3]), (4, &[2, 2]), (7, &[2, 2, 3]), (8, &[2; 4])]
        {
            let mut outgoing = Outgoing::<32>::default();
            outgoing.announce(length);
            outgoing.write(b"abcdefgh");
            outgoing.advance(Pieces::Pairs, false);
            let mut sent = std::vec::Vec::new();
            while let Some(body) = outgoing.body(Pieces::Pairs, false) {
                sent.push(body.len());
                outgoing.advance(Pieces::Pairs, false);
            }
            assert_eq!((sent.as_slice(), outgoing.is_done()), (pieces, true), "{length} bytes");
        }
        // A message that is cut short may end with one byte.
        let mut outgoing = Outgoing::<32>::default();
        outgoing.announce(9);
        outgoing.write(b"a");
        outgoing.advance(Pieces::Pairs, false);
        assert_eq!(outgoing.body(Pieces::Pairs, false), None);
        assert_eq!(outgoing.body(Pieces::Pairs, true).unwrap().len(), 1);
    }

    #[test]
    fn a_length_is_decimal_and_bounds_the_content() {
        let mut incoming = Incoming::<32>::default();
        for text in [&b"x"[..], b"03", b"-1", b"1 ", b"99999999999999999999"] {
            assert_eq!(incoming.take(text), Err(SocketIgnored::Length));
        }
        assert_eq!(
            (incoming.take(b""), incoming.take(b"3"), incoming.take(b"abcd")),
            (Ok(()), Ok(()), Err(SocketIgnored::Length))
        );
        assert_eq!((incoming.take(b"abc"), incoming.take(b"1")), (Ok(()), Err(SocketIgnored::NoRoom)));
        let mut buf = [0; 2];
        assert_eq!(incoming.read(&mut buf), Some(Received { len: 2, is_end: false }));
        assert_eq!(incoming.read(&mut []), None);
        assert_eq!(incoming.read(&mut buf), Some(Received { len: 1, is_end: true }));
        assert_eq!((incoming.read(&mut buf), incoming.take(b"1")), (None, Ok(())));
    }

    #[test]
    fn content_without_space_is_rejected() {
        let mut incoming = Incoming::<20>::default();
        assert_eq!((incoming.take(b"40"), incoming.take(b"0123456789abcdef")), (Ok(()), Ok(())));
        assert_eq!(incoming.take(b"0123456789abcdef"), Err(SocketIgnored::NoRoom));
        assert_eq!(incoming.read(&mut [0; 16]), Some(Received { len: 16, is_end: false }));
        assert_eq!(incoming.take(b"0123456789abcdef"), Ok(()));
    }

    #[test]
    fn an_empty_message_is_read_once() {
        let mut incoming = Incoming::<16>::default();
        assert_eq!(incoming.take(b"0"), Ok(()));
        assert_eq!(incoming.read(&mut []), Some(Received { len: 0, is_end: true }));
        assert_eq!(incoming.read(&mut []), None);
    }
}
