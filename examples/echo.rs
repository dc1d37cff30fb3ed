//! A server on a blocking socket that sends back what it gets, to up to 16 clients at once: `echo [ADDR]`.

use rdt_proto::connection::{Event, Storage};
use rdt_proto::listener::{Growable, Listener, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::{Duration, Instant};
use std::error::Error;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

type Send = SendSlots<Vec<u8>>;
type Recv = RecvSlots<Vec<u8>>;
type Server = Listener<SocketAddr, Send, Recv, Growable>;

const CLIENTS: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:6969".into());
    let socket = UdpSocket::bind(address)?;
    println!("echo on {}", socket.local_addr()?);
    let started = std::time::Instant::now();
    let now = || Instant::ZERO + started.elapsed().into();

    let config = ListenerConfig { peers: CLIENTS, ..ListenerConfig::default() };
    let mut server = Server::new(now(), config, entropy()?);
    let mut peers = [None; CLIENTS];
    let mut buf = [0; 2_048];
    loop {
        accept(now(), &mut server, &mut peers)?;
        for id in peers.iter().copied().flatten() {
            echo(&mut server, id, &mut buf);
        }
        while let Some((id, event)) = server.poll_event() {
            if let Event::Closed(reason) = event {
                println!("{:?}: {reason}", server.address(id));
                server.release(now(), id);
                peers[id.index()] = None;
            }
        }
        while let Some((to, transmit)) = server.poll_transmit(now(), &mut buf)? {
            socket.send_to(&buf[..transmit.len], to).ok(); // what cannot be sent is lost, and repeated
        }
        if server.has_incoming() {
            continue; // somebody's last word has left, which made room
        }
        let wait = server.poll_timeout().map(|due| due.saturating_since(now()).max(Duration::from_millis(1)));
        socket.set_read_timeout(wait.map(Into::into))?;
        match socket.recv_from(&mut buf) {
            Ok((len, from)) => {
                server.handle_datagram(now(), from, &buf[..len]);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {} // a client that is gone: Windows tells
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        server.handle_timeout(now());
    }
}

/// Accepts whoever waits.
fn accept(now: Instant, server: &mut Server, peers: &mut [Option<PeerId>; CLIENTS]) -> Result<(), Box<dyn Error>> {
    while let Some(incoming) = server.poll_incoming() {
        let storage = Storage::stop_and_wait(Send::with_slots(2, 1_200)?, Recv::with_slots(2, 1_200)?);
        // There is room, or nobody would have been told of; but memory may have run out, and then it waits.
        let Ok(id) = server.accept(now, incoming, entropy()?, || storage) else { break };
        peers[id.index()] = Some(id);
    }
    Ok(())
}

/// Sends back as much as there is room for, and closes after the peer did.
fn echo(server: &mut Server, id: PeerId, buf: &mut [u8]) {
    let Some(peer) = server.peer_mut(id) else { return };
    loop {
        let chunk = peer.recv_chunk();
        let len = chunk.len().min(buf.len());
        buf[..len].copy_from_slice(&chunk[..len]);
        match peer.send(&buf[..len]) {
            Ok(0) | Err(_) => break,
            Ok(count) => peer.consume(count),
        }
    }
    if peer.is_finished_reading() {
        peer.close();
    }
}

/// What strangers cannot guess.
fn entropy<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
