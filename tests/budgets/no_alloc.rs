//! No call allocates after setup, with all features enabled. The transfer runs over a lossy network.

use rdt_proto::connection::{CloseReason, Config, Connection, HeapStopAndWait};
use rdt_proto::ftp::{Client, ClientConfig, Name, Output, Session};
use rdt_proto::listener::{FixedPeers, FixedTables, Listener, ListenerConfig};
use rdt_proto::socket_tcp::{SocketConfig, SocketConnection, SocketDispatch, SocketListener, SocketListenerConfig};
use rdt_proto::store::StoreError;
use rdt_proto::{Duration, Instant};

const ADDRESS: u8 = 1;

/// Both sides of a transfer of `goal` bytes, with the bytes sent and received so far.
struct Run {
    client: Connection<HeapStopAndWait>,
    server: Listener<FixedPeers<4, u8, HeapStopAndWait>>,
    now: Instant,
    goal: usize,
    sent: usize,
    received: usize,
    datagrams: u32,
}

impl Run {
    /// Returns whether the next datagram arrives. Every seventh datagram is lost.
    fn arrives(&mut self) -> bool {
        self.datagrams += 1;
        !self.datagrams.is_multiple_of(7)
    }

    fn round(&mut self, buf: &mut [u8]) {
        let spare = self.goal - self.sent;
        if self.sent.is_multiple_of(2) {
            self.sent += self.client.send(&buf[..spare.min(buf.len())]).unwrap_or(0);
        } else if let Ok(slot) = self.client.send_slot() {
            let len = slot.len().min(spare);
            self.sent += self.client.commit(len).map_or(0, |()| len);
        }
        if self.sent == self.goal {
            self.client.close();
        }
        while let Some(transmit) = self.client.poll_transmit(self.now, buf).unwrap() {
            if self.arrives() {
                self.server.handle_datagram(self.now, ADDRESS, &buf[..transmit.len]);
            }
        }
        while let Some((id, _)) = self.server.poll_event() {
            let peer = self.server.peer_mut(id).unwrap();
            self.received += peer.recv(buf);
            if peer.is_finished_reading() {
                peer.close();
            }
        }
        while let Some((_, transmit)) = self.server.poll_transmit(self.now, buf).unwrap() {
            if self.arrives() {
                self.client.handle_datagram(self.now, &buf[..transmit.len]);
            }
        }
        while self.client.poll_event().is_some() {}
        self.now = self.now + Duration::from_millis(5);
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
    }
}

#[test]
fn a_transfer_allocates_nothing() {
    let (now, config) = (Instant::ZERO, Config::default());
    let storage = || HeapStopAndWait::stop_and_wait_on_heap(&config).unwrap();
    let mut run = Run {
        client: Connection::connect(now, config, [1; 32], storage()).unwrap(),
        server: Listener::new(now, ListenerConfig::default(), [2; 48]),
        now,
        goal: 100_001,
        sent: 0,
        received: 0,
        datagrams: 0,
    };
    let mut accepted = Some(storage());
    let mut buf = [0; 2_048];
    let allocations = allocation_counter::measure(|| {
        while !run.client.is_drained() {
            run.round(&mut buf);
            if let Some(incoming) = run.server.poll_incoming() {
                let storage = || Ok::<_, StoreError>(accepted.take().unwrap());
                run.server.accept(run.now, incoming, [3; 32], storage).unwrap();
            }
        }
    });
    assert_eq!(allocations.count_total, 0);
    assert_eq!((run.client.ended(), run.received), (Some(CloseReason::Finished), run.goal));
}

#[test]
fn a_session_allocates_nothing() {
    let name = Name::new("a").unwrap();
    let allocations = allocation_counter::measure(|| {
        let mut session = Client::download(ClientConfig::default(), name);
        while let Some(Output::Header(header)) = session.poll_output() {
            let len = header.len();
            session.header_sent(len).unwrap();
        }
        session.handle_input(Instant::ZERO, b"\x04\x01");
        assert!(session.poll_output() == Some(Output::Close) && session.outcome().is_some());
    });
    assert_eq!(allocations.count_total, 0);
}

#[test]
fn a_message_of_socket_tcp_allocates_nothing() {
    let (now, mut buf, mut message, mut got) = (Instant::ZERO, [0; 64], [7; 500], false);
    let mut server = SocketListener::<u8, FixedTables<2>>::new(now, SocketListenerConfig::default(), [1; 16]);
    let allocations = allocation_counter::measure(|| {
        let mut client = SocketConnection::<u8>::connect(now, SocketConfig::default(), [2; 16], 0);
        client.send(&message).unwrap();
        client.close();
        while !client.is_drained() {
            while let Some((_, transmit)) = client.poll_transmit(now, &mut buf).unwrap() {
                let dispatch = server.handle_datagram(now, ADDRESS, &buf[..transmit.len]);
                if let SocketDispatch::Incoming(incoming) = dispatch {
                    server.accept(now, incoming, [3; 16]).unwrap();
                }
            }
            while let Some((id, _)) = server.poll_event() {
                got |= server.peer_mut(id).unwrap().recv_message(&mut message) == Ok(Some(500));
            }
            while let Some((_, transmit)) = server.poll_transmit(now, &mut buf).unwrap() {
                client.handle_datagram(now, 0, &buf[..transmit.len]);
            }
        }
    });
    assert_eq!((allocations.count_total, got), (0, true));
}

/// The other tests can fail, since the counter counts an allocation.
#[test]
fn an_allocation_is_counted() {
    assert_eq!(allocation_counter::measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}
