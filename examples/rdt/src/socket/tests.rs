//! Tests of the socket over loopback: datagrams in two parts, and a socket that was full.

use super::*;
use mio::Poll;
use rdt_proto::{BufferTooSmall, Seq};
use std::net::UdpSocket as StdSocket;
use std::time::Duration as StdDuration;

/// An endpoint whose datagrams are a head of four bytes and a body of its own.
struct Parts {
    to: Address,
    body: Vec<u8>,
    /// The number of datagrams to send.
    left: u8,
}

const HEAD: &[u8; 4] = b"head";

impl Endpoint for Parts {
    fn handle_datagram(&mut self, _now: Instant, _from: Address, _datagram: &[u8]) {}

    fn handle_timeout(&mut self, _now: Instant) {}

    fn handle_datagram_too_large(&mut self, _now: Instant, _to: Address, _len: usize) {}

    fn handle_stop(&mut self, _now: Instant) {}

    fn poll_transmit(
        &mut self,
        _now: Instant,
        _max: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        buf[..HEAD.len()].copy_from_slice(HEAD);
        let transmit = Transmit { len: HEAD.len(), segment_size: HEAD.len() + self.body.len() };
        Ok(Some((self.to, Gather { transmit, body: Some((None, Seq::ZERO)) })))
    }

    fn body(&self, _body: Body) -> &[u8] {
        &self.body
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn is_finished(&self) -> bool {
        false
    }
}

struct Pair {
    poll: Poll,
    socket: Socket,
    peer: StdSocket,
    endpoint: Parts,
}

/// A socket bound to `from`, and an endpoint with `left` datagrams from `local` to a peer at `to`.
fn pair(from: &str, to: &str, local: Option<&str>, left: u8) -> Pair {
    let poll = Poll::new().unwrap();
    let own = StdSocket::bind(from).unwrap();
    own.set_nonblocking(true).unwrap();
    let socket = Socket::new(poll.registry(), Token(0), own, GSO_BYTES, Loss::new(0.0, 1)).unwrap();
    let peer = StdSocket::bind(to).unwrap();
    peer.set_read_timeout(Some(StdDuration::from_secs(10))).unwrap();
    let to = Address { peer: peer.local_addr().unwrap(), local: local.map(|local| local.parse().unwrap()) };
    let endpoint = Parts { to, body: (0..=250).cycle().take(40_000).collect(), left };
    Pair { poll, socket, peer, endpoint }
}

impl Pair {
    fn transmit(&mut self) {
        self.socket.transmit(self.poll.registry(), &Clock::start(), &mut self.endpoint).unwrap();
    }

    /// The next datagram at the peer, and its source.
    fn receive(&self) -> (Vec<u8>, IpAddr) {
        let mut buf = vec![0; GSO_BYTES];
        let (len, from) = self.peer.recv_from(&mut buf).unwrap();
        buf.truncate(len);
        (buf, from.ip().to_canonical())
    }
}

#[test]
fn the_parts_of_a_datagram_arrive_as_one_from_the_chosen_address() {
    for (from, to, local) in [
        ("127.0.0.1:0", "127.0.0.1:0", None),
        ("0.0.0.0:0", "127.0.0.1:0", Some("127.0.0.5")),
        ("[::1]:0", "[::1]:0", None),
        ("[::]:0", "[::1]:0", Some("::1")),
        ("[::]:0", "127.0.0.1:0", Some("127.0.0.5")),
    ] {
        let mut pair = pair(from, to, local, 1);
        pair.transmit();
        let (datagram, source) = pair.receive();
        assert!(datagram == [&HEAD[..], &pair.endpoint.body].concat(), "from {from} to {to}");
        if let Some(local) = local {
            assert_eq!(source, local.parse::<IpAddr>().unwrap(), "from {from} to {to}");
        }
    }
}

/// A pair whose socket was full for so long that calls pause. Loopback fills no socket, so this makes the state.
fn full() -> Pair {
    let mut pair = pair("127.0.0.1:0", "127.0.0.1:0", None, 1);
    pair.socket.unsent = pair.endpoint.poll_transmit(Instant::ZERO, 1, &mut pair.socket.send_buf).unwrap();
    while pair.socket.pause().is_none() {
        pair.socket.refusals.fail();
    }
    assert!(pair.socket.is_blocked());
    pair
}

#[test]
fn a_full_socket_sends_the_parts_once_it_has_room() {
    let mut pair = full();
    pair.transmit();
    assert!(!pair.socket.is_blocked() && pair.socket.pause().is_none());
    assert!(pair.receive().0 == [&HEAD[..], &pair.endpoint.body].concat());
}

/// Regression: calls paused on although nothing waited. The peer may acknowledge an earlier copy meanwhile.
#[test]
fn a_datagram_whose_body_is_gone_leaves_nothing() {
    let mut pair = full();
    pair.endpoint.body.clear();
    pair.transmit();
    assert!(!pair.socket.is_blocked() && pair.socket.pause().is_none());
    pair.peer.set_nonblocking(true).unwrap();
    assert_eq!(pair.peer.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
}
