//! Large bodies that a listener sends from where they lie.

use rdt_proto::connection::{Config, Connection, HeapStorage};
use rdt_proto::listener::{HeapPeers, Listener, ListenerConfig};
use rdt_proto::store::StoreError;
use rdt_proto::{Duration, Instant};

const CONFIG: Config = Config { segment: 62_000, recv_segment: 62_000, ..Config::new() };

fn storage() -> HeapStorage {
    HeapStorage::on_heap(&CONFIG, 8).unwrap()
}

/// The search for the datagram size of the path comes first, so the bodies grow as it goes on.
#[test]
fn a_client_receives_what_was_sent_from_two_places() {
    let (mut now, mut buf) = (Instant::ZERO, vec![0; 65_507]);
    let config = ListenerConfig { connection: CONFIG, ..ListenerConfig::default() };
    let mut listener: Listener<HeapPeers<u8, HeapStorage>> = Listener::new(now, config, [7; 48]);
    let mut client = Connection::connect(now, CONFIG, [1; 32], storage()).unwrap();
    let content: Vec<u8> = (0..=250_u8).cycle().take(4_000_000).collect();
    let (mut accepted, mut written, mut received, mut apart) = (None, 0, Vec::new(), 0);
    while received.len() < content.len() {
        now = now + Duration::from_millis(1);
        client.handle_timeout(now);
        listener.handle_timeout(now);
        while let Some(transmit) = client.poll_transmit(now, &mut buf).unwrap() {
            listener.handle_datagram(now, 1, &buf[..transmit.len]);
        }
        if let Some(incoming) = listener.poll_incoming() {
            accepted = Some(listener.accept(now, incoming, [2; 32], || Ok::<_, StoreError>(storage())).unwrap());
        }
        if let Some(connection) = accepted.and_then(|id| listener.peer_mut(id)) {
            written += connection.send(&content[written..]).unwrap();
        }
        while let Some((1, gather)) = listener.poll_transmit_gather(now, 64, &mut buf).unwrap() {
            let body = gather.body.map_or(&[][..], |body| listener.body(body));
            apart += usize::from(!body.is_empty());
            let whole = [&buf[..gather.transmit.len], body].concat();
            for datagram in whole.chunks(gather.transmit.segment_size) {
                client.handle_datagram(now, datagram);
            }
            while !client.recv_chunk().is_empty() {
                received.extend_from_slice(client.recv_chunk());
                client.consume(usize::MAX);
            }
        }
        assert!(now < Instant::from_millis(60_000), "{} bytes, {apart} bodies apart", received.len());
    }
    assert!(received == content);
    assert!(apart > 10, "{apart} bodies apart");
}
