//! Checks a listener under calls in any order.

use super::address::TestAddress;
use arbitrary::{Arbitrary, Unstructured};
use rdt_proto::socket_tcp::{
    FixedTables, HeapTables, Kind, MAX_SEGMENT, PeerId, Segment, SocketConfig, SocketDispatch, SocketEvent,
    SocketIncoming, SocketListener, SocketListenerConfig, TableMemory,
};
use rdt_proto::{Duration, Instant};

/// One call. Addresses and ids are few, so that many calls affect the same connection.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Datagram { from: u8, datagram: &'a [u8] },
    Segment { from: u8, kind: Kind, number: u8, body: &'a [u8] },
    Accept(u8),
    Later { micros: u32 },
    TimeoutWhenDue,
    Transmit { room: u8 },
    Drain,
    SocketEvent,
    Send(u8, &'a [u8]),
    Recv(u8),
    Close(u8),
    Abort(u8),
    Release(u8),
}

const ADDRESSES: u8 = 4;

/// Makes the calls that `bytes` describe on a listener, and checks its invariants after each call.
///
/// At the end all connections are released, and the listener must become empty.
///
/// # Panics
///
/// If an invariant is violated.
pub fn listener(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    match bool::arbitrary(&mut input) {
        Ok(true) => run::<FixedTables<2>>(&mut input),
        Ok(false) => run::<HeapTables>(&mut input),
        Err(_) => {}
    }
}

fn run<M: TableMemory>(input: &mut Unstructured<'_>) {
    let Ok(peers) = u8::arbitrary(input) else { return };
    let config = SocketListenerConfig { connection: SocketConfig::default(), peers: usize::from(peers % 5) };
    let listener = SocketListener::<TestAddress, M, 20, 20>::new(Instant::ZERO, config, [1; 16]);
    let most = config.peers.min(M::CAPACITY);
    let mut run = Run { listener, most, now: Instant::ZERO, incoming: Vec::new(), ids: Vec::new(), ended: Vec::new() };
    while let Ok(call) = Call::arbitrary(input) {
        run.make(&call);
        run.check();
        if input.is_empty() {
            break;
        }
    }
    run.end();
}

struct Run<M: TableMemory> {
    listener: SocketListener<TestAddress, M, 20, 20>,
    /// The maximum number of connections.
    most: usize,
    now: Instant,
    incoming: Vec<SocketIncoming<TestAddress>>,
    ids: Vec<PeerId>,
    /// The connections whose `Closed` event was polled.
    ended: Vec<PeerId>,
}

impl<M: TableMemory> Run<M> {
    fn make(&mut self, call: &Call<'_>) {
        match *call {
            Call::Datagram { from, datagram } => self.receive(from, datagram),
            Call::Segment { from, kind, number, body } => {
                let mut buf = [0; MAX_SEGMENT];
                let len = Segment { kind, number: number.into(), body }.encode(&mut buf).unwrap_or(0);
                self.receive(from, buf.get(..len).unwrap_or_default());
            }
            Call::Accept(which) => self.accept(which),
            Call::Later { micros } => {
                self.now = self.now + Duration::from_micros(micros.into());
                self.listener.handle_timeout(self.now);
            }
            Call::TimeoutWhenDue => {
                self.now = self.listener.poll_timeout().map_or(self.now, |due| due.max(self.now));
                self.listener.handle_timeout(self.now);
            }
            Call::Transmit { room } => {
                let mut buf = [0; 255];
                let _ = self.listener.poll_transmit(self.now, buf.get_mut(..room.into()).unwrap_or_default());
            }
            Call::Drain => self.drain(),
            Call::SocketEvent => self.event(),
            Call::Send(which, message) => {
                if let Some(peer) = self.id(which).and_then(|id| self.listener.peer_mut(id)) {
                    let _ = peer.send(message);
                }
            }
            Call::Recv(which) => {
                if let Some(peer) = self.id(which).and_then(|id| self.listener.peer_mut(id)) {
                    let _ = peer.recv(&mut [0; 7]);
                }
            }
            Call::Close(which) => {
                if let Some(peer) = self.id(which).and_then(|id| self.listener.peer_mut(id)) {
                    peer.close();
                }
            }
            Call::Abort(which) => {
                if let Some(peer) = self.id(which).and_then(|id| self.listener.peer_mut(id)) {
                    peer.abort();
                }
            }
            Call::Release(which) => {
                if let Some(id) = self.id(which) {
                    self.listener.release(self.now, id);
                    assert!(self.listener.peer(id).is_none(), "a released connection must not be accessible");
                }
            }
        }
    }

    fn id(&self, which: u8) -> Option<PeerId> {
        self.ids.get(usize::from(which) % self.ids.len().max(1)).copied()
    }

    fn receive(&mut self, from: u8, datagram: &[u8]) {
        let from = TestAddress(from % ADDRESSES);
        match self.listener.handle_datagram(self.now, from, datagram) {
            SocketDispatch::Incoming(incoming) => {
                assert_eq!(incoming.address(), from);
                self.incoming.push(incoming);
            }
            SocketDispatch::Peer(id, _) => {
                assert!(self.ids.contains(&id), "a datagram must be dispatched to an accepted connection");
            }
            SocketDispatch::Dropped(_) => {}
        }
    }

    fn accept(&mut self, which: u8) {
        let Some(&incoming) = self.incoming.get(usize::from(which) % self.incoming.len().max(1)) else { return };
        if let Ok(id) = self.listener.accept(self.now, incoming, [2; 16]) {
            assert!(!self.ids.contains(&id), "an id must not be used again");
            self.ids.push(id);
        }
    }

    fn event(&mut self) {
        let Some((id, event)) = self.listener.poll_event() else { return };
        assert!(self.listener.peer(id).is_some(), "no event must follow the release: {event:?}");
        assert!(!self.ended.contains(&id), "no event must follow Closed: {event:?}");
        if let SocketEvent::Closed(_) = event {
            self.ended.push(id);
        }
    }

    fn drain(&mut self) {
        self.listener.handle_timeout(self.now);
        let mut count = 0;
        while self.listener.poll_transmit(self.now, &mut [0; MAX_SEGMENT]).is_ok_and(|sent| sent.is_some()) {
            count += 1;
            assert!(count <= 64, "poll_transmit must return None within 64 datagrams");
        }
        let due = self.listener.poll_timeout();
        assert!(
            due.is_none_or(|due| due > self.now),
            "after a drain at {:?} the deadline {due:?} must be later",
            self.now
        );
    }

    fn check(&mut self) {
        assert!(self.listener.len() <= self.most, "there must be no more connections than the limit");
        let mut addresses: Vec<TestAddress> =
            self.listener.peers().filter_map(|id| Some(self.listener.peer(id)?.peer())).collect();
        let count = addresses.len();
        addresses.sort_by_key(|address| address.0);
        addresses.dedup();
        assert_eq!(addresses.len(), count, "each connection must have its own address");
        let due = self.listener.poll_timeout().is_some_and(|due| due <= self.now);
        let is_due =
            |id| self.listener.peer(id).is_some_and(|peer| peer.poll_timeout().is_some_and(|due| due <= self.now));
        assert!(
            due || !self.ids.iter().copied().any(is_due),
            "a listener must be due when one of its connections is due"
        );
    }

    fn end(&mut self) {
        for index in 0..self.ids.len() {
            self.ids.get(index).copied().into_iter().for_each(|id| self.listener.release(self.now, id));
        }
        self.drain();
        assert!(self.listener.is_empty(), "a listener must be empty after its connections are released");
        assert_eq!(self.listener.poll_timeout(), None);
    }
}
