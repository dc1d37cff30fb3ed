//! Sends some MiB and prints the throughput: selective repeat on tokio, with batches of datagrams (GSO, GRO).
//! It drops a percentage of received datagrams (0 for none), to exercise loss recovery.
//! Run: `cargo run --release -p rdt-tokio --bin client 127.0.0.1:6969 50 5`, with the server of this package.

use quinn_udp::{RecvMeta, UdpSocketState};
use rdt_proto::connection::{CloseReason, Config, Connection, Storage};
use rdt_proto::{Duration, Instant};
use std::io::IoSliceMut;
use std::net::SocketAddr;
use tokio::{io::Interest, net::UdpSocket, time::timeout};

/// The number of packets that the connection buffers each way. They fit into a socket buffer of 4 MiB.
const WINDOW: u32 = 512;
/// The size of a buffer in bytes: the maximum length of a datagram. The kernel joins received datagrams in it (GRO).
const BUFFER_BYTES: usize = 65_507;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [server, mib, loss] = &args[..] else { return Err("usage: client ADDRESS MIB LOSS_PERCENT".into()) };
    let (destination, total) = (server.parse::<SocketAddr>()?, mib.parse::<usize>()? << 20);
    let (loss, mut random) = (loss.parse::<f32>()? / 100.0, oorandom::Rand32::new(2));
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    let state = UdpSocketState::new((&socket).into())?;
    state.set_recv_buffer_size((&socket).into(), 4 << 20)?;
    state.set_send_buffer_size((&socket).into(), 4 << 20)?;
    let started = std::time::Instant::now();
    let now = || Instant::ZERO + started.elapsed().into();

    let config = Config::default();
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let mut connection = Connection::connect(now(), config, entropy, Storage::on_heap(&config, WINDOW)?)?;
    let (content, mut sent, mut answer) = (vec![7; 1 << 20], 0, Vec::new());
    let (mut send_buf, mut recv_buf) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    // A call receives into one buffer only, because acknowledgements are due after each batch.
    let (mut slices, mut metas) = ([IoSliceMut::new(&mut recv_buf)], [RecvMeta::default()]);
    while connection.ended().is_none() {
        while sent < total {
            match connection.send(&content[..content.len().min(total - sent)])? {
                0 => break, // the buffer is full until an acknowledgement arrives
                count => sent += count,
            }
        }
        if sent == total {
            connection.close(); // the answer is still received
        }
        while let Some(transmit) = connection.poll_transmit_batch(now(), state.max_gso_segments(), &mut send_buf)? {
            let (contents, segment_size) = (&send_buf[..transmit.len], Some(transmit.segment_size));
            let datagrams = quinn_udp::Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
            let send = || state.try_send((&socket).into(), &datagrams);
            socket.async_io(Interest::WRITABLE, send).await.ok(); // a datagram that fails counts as lost
        }
        let wait = connection.poll_timeout().map_or(Duration::MAX, |due| due.saturating_since(now()));
        let receive = || state.recv((&socket).into(), &mut slices, &mut metas);
        // A datagram that waits is read before the deadline counts.
        if let Ok(received) = timeout(wait.into(), socket.async_io(Interest::READABLE, receive)).await {
            for (meta, slice) in metas.iter().zip(&slices).take(received?).filter(|(meta, _)| meta.addr == destination)
            {
                for datagram in slice[..meta.len].chunks(meta.stride.max(1)).filter(|_| random.rand_float() >= loss) {
                    connection.handle_datagram_into(now(), datagram, |bytes| {
                        answer.extend_from_slice(bytes);
                        bytes.len()
                    });
                }
            }
        } else {
            connection.handle_timeout(now()); // only when no datagram waits
        }
        answer.extend_from_slice(connection.recv_chunk());
        connection.consume(usize::MAX);
    }
    // The last packet answers the server's FIN. If the packet is lost, the server keeps the connection longer.
    while let Some(transmit) = connection.poll_transmit(now(), &mut send_buf)? {
        socket.send_to(&send_buf[..transmit.len], destination).await?;
    }
    match connection.ended() {
        Some(CloseReason::Finished) if answer == (total as u64).to_be_bytes() => {}
        ended => return Err(format!("the transfer failed: {ended:?}").into()),
    }
    println!("{:.1} MB/s", total as f64 / 1e6 / started.elapsed().as_secs_f64());
    Ok(())
}
