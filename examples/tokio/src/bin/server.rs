//! Answers each client with the number of its bytes: selective repeat on tokio, with batches (GSO, GRO).
//! It ends after a number of clients. It drops a percentage of received datagrams (0 for none), to exercise loss
//! recovery. Run: `cargo run --release -p rdt-tokio --bin server 127.0.0.1:6969 1 5`

use quinn_udp::{RecvMeta, UdpSocketState};
use rdt_proto::connection::{Event, Storage};
use rdt_proto::listener::{HeapPeers, Listener, ListenerConfig};
use rdt_proto::{Duration, Instant};
use std::{collections::HashMap, io::IoSliceMut, net::SocketAddr};
use tokio::{io::Interest, net::UdpSocket, time::timeout};

/// The number of packets that a connection buffers each way. They fit into a socket buffer of 4 MiB.
const WINDOW: u32 = 512;
/// The size of a buffer in bytes: the maximum length of a datagram. The kernel joins received datagrams in it (GRO).
const BUFFER_BYTES: usize = 65_507;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, clients, loss] = &args[..] else { return Err("usage: server ADDRESS CLIENTS LOSS_PERCENT".into()) };
    let mut clients: u32 = clients.parse()?;
    let (loss, mut random) = (loss.parse::<f32>()? / 100.0, oorandom::Rand32::new(1));
    let socket = UdpSocket::bind(address).await?;
    let state = UdpSocketState::new((&socket).into())?;
    state.set_recv_buffer_size((&socket).into(), 4 << 20)?;
    state.set_send_buffer_size((&socket).into(), 4 << 20)?;
    let started = std::time::Instant::now();
    let now = || Instant::ZERO + started.elapsed().into();
    let max = || state.max_gso_segments(); // it becomes 1 when the kernel rejects a batch
    let mut key = [0; 48];
    getrandom::fill(&mut key)?;
    let mut listener = Listener::<HeapPeers<SocketAddr>>::new(now(), ListenerConfig::default(), key);
    let (mut counts, mut turn) = (HashMap::new(), 0_u8);
    let (mut send_buf, mut recv_buf) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    // A call receives into one buffer only, because acknowledgements are due after each batch.
    let (mut slices, mut metas) = ([IoSliceMut::new(&mut recv_buf)], [RecvMeta::default()]);
    loop {
        while let Some(incoming) = listener.poll_incoming() {
            let config = listener.config().connection;
            let mut entropy = [0; 32];
            getrandom::fill(&mut entropy)?;
            // It is not an error if the client has given up meanwhile.
            listener.accept(now(), incoming, entropy, || Storage::on_heap(&config, WINDOW)).ok();
        }
        while let Some((id, event)) = listener.poll_event() {
            let Some(connection) = listener.peer_mut(id) else { continue };
            let count: &mut u64 = counts.entry(id).or_default();
            while let len @ 1.. = connection.recv(&mut send_buf) {
                *count += len as u64; // data that was buffered behind a gap
            }
            if connection.is_finished_reading() {
                connection.send(&count.to_be_bytes()).ok(); // sends only once, because it fails after `close`
                connection.close();
            }
            if let Event::Closed(reason) = event {
                println!("{count} bytes: {reason}");
                counts.remove(&id);
                listener.release(now(), id);
                clients = clients.saturating_sub(1);
            }
        }
        if clients == 0 {
            listener.stop_accepting(0); // further clients are refused
        }
        while let Some((destination, transmit)) = listener.poll_transmit_batch(now(), max(), &mut send_buf)? {
            let (contents, segment_size) = (&send_buf[..transmit.len], Some(transmit.segment_size));
            let datagrams = quinn_udp::Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
            let send = || state.try_send((&socket).into(), &datagrams);
            socket.async_io(Interest::WRITABLE, send).await.ok(); // a datagram that fails counts as lost
        }
        if clients == 0 && listener.is_empty() {
            return Ok(()); // the last linger has ended, and without a deadline the next wait might not end
        }
        let due = if listener.has_incoming() { Some(now()) } else { listener.poll_timeout() };
        let wait = due.map_or(Duration::MAX, |due| due.saturating_since(now())).into();
        let receive = || state.recv((&socket).into(), &mut slices, &mut metas);
        let received = timeout(wait, socket.async_io(Interest::READABLE, receive)).await; // first a batch that waits
        turn = if received.is_err() { 0 } else { turn.wrapping_add(1) };
        for (meta, slice) in metas.iter().zip(&slices).take(received.unwrap_or(Ok(0))?) {
            for datagram in slice[..meta.len].chunks(meta.stride.max(1)).filter(|_| random.rand_float() >= loss) {
                // In-order data is counted in the datagram, without a copy.
                listener.handle_datagram_into(now(), meta.addr, datagram, |id, bytes| {
                    *counts.entry(id).or_default() += bytes.len() as u64;
                    bytes.len()
                });
            }
        }
        if turn == 0 {
            listener.handle_timeout(now()); // no datagram waits, or a flood keeps them coming
        }
    }
}
