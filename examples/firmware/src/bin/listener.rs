//! An echo server for four clients at once.
//!
//! It uses selective repeat for clients whose window is more than one packet, and stop-and-wait for the others.
#![no_std]
#![no_main]

use firmware::{CONFIG, DATAGRAM, Link, NODES, SEGMENT};
use heapless::Vec;
use rdt_proto::Duration;
use rdt_proto::arq::{AnyArq, Block};
use rdt_proto::congestion::{FixedWindow, Unpaced};
use rdt_proto::connection::{Config, Connection, Event, HandshakeParameters, Memory, Storage, blocks_for};
use rdt_proto::listener::{FixedPeers, Listener, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots, StoreError};

firmware::main!(run, Clients);

const PEERS: usize = NODES as usize;
/// The number of packets that a connection buffers in each direction.
const WINDOW: u32 = 8;
type Arq<'m> = AnyArq<&'m mut [Block], Unpaced<FixedWindow>>;
/// Every path carries the small bodies whole, so the store need not cut them.
type Bodies<'m> = SendSlots<&'m mut [u8], false>;
type Parts<'m> = Storage<Bodies<'m>, RecvSlots<&'m mut [u8]>, Arq<'m>>;
type Server<'m> = Listener<FixedPeers<PEERS, u8, Parts<'m>>>;

fn run(link: &mut impl Link) -> bool {
    let mut bodies = [[[0; CONFIG.send_bytes(WINDOW)], [0; CONFIG.recv_bytes(WINDOW)]]; PEERS];
    let mut blocks = [const { [Block::EMPTY; blocks_for(WINDOW)] }; PEERS];
    let mut pool = Pool::default();
    for (bodies, blocks) in bodies.iter_mut().zip(&mut blocks) {
        let _ = pool.bodies.push(bodies.each_mut().map(|bytes| &mut bytes[..]));
        let _ = pool.blocks.push(&mut blocks[..]);
    }

    let connection = Config { idle_limit: Duration::from_secs(120), ..CONFIG };
    let config = ListenerConfig { connection, backlog: PEERS, ..ListenerConfig::default() };
    let mut server = Server::new(link.now(), config, link.entropy::<48>());
    let (mut closed, mut served) = (Vec::new(), 0);
    let mut buf = [0; DATAGRAM];
    loop {
        accept(&mut server, &mut pool, link);
        serve(&mut server, &mut closed);
        closed.retain(|&id| match server.reclaim(link.now(), id) {
            Some(parts) => {
                pool.put(parts);
                served += 1;
                false
            }
            None => true,
        });
        while let Ok(Some((node, transmit))) = server.poll_transmit(link.now(), &mut buf) {
            link.send(node, buf.get(..transmit.len).unwrap_or_default());
        }
        if served == NODES {
            return true;
        }
        if let Some((node, datagram)) = link.recv(server.poll_timeout(), &mut buf) {
            server.handle_datagram(link.now(), node, datagram);
        } else {
            server.handle_timeout(link.now()); // only when no datagram waits
        }
    }
}

/// The memory that no connection uses.
#[derive(Default)]
struct Pool<'m> {
    /// Pairs of memory for bodies: to send, and to receive.
    bodies: Vec<[&'m mut [u8]; 2], PEERS>,
    blocks: Vec<&'m mut [Block], PEERS>,
}

impl<'m> Pool<'m> {
    fn take(&mut self, parameters: &HandshakeParameters) -> Result<Parts<'m>, StoreError> {
        let [send, recv] = self.bodies.pop().ok_or(StoreError::NoBlock)?;
        if parameters.window < 2 {
            return Ok(Storage::stop_and_wait(&CONFIG, send, recv)?
                .map_send(SendSlots::uncut)
                .map_arq(AnyArq::StopAndWait));
        }
        let blocks = self.blocks.pop().ok_or(StoreError::NoBlock)?;
        let window = |datagram| Unpaced(FixedWindow::new(u64::from(WINDOW) * u64::from(datagram)));
        let storage = Storage::selective_repeat(&CONFIG, Memory { send, recv, blocks }, window)?;
        Ok(storage.map_send(SendSlots::uncut).map_arq(AnyArq::SelectiveRepeat))
    }

    fn put(&mut self, Storage { send, recv, arq }: Parts<'m>) {
        let _ = self.bodies.push([send.into_memory(), recv.into_memory()]);
        match arq {
            AnyArq::StopAndWait(_) => {}
            AnyArq::SelectiveRepeat(arq) => drop(self.blocks.push(arq.into_memory())),
        }
    }
}

/// Accepts waiting clients while there is memory.
fn accept<'m>(server: &mut Server<'m>, pool: &mut Pool<'m>, link: &mut impl Link) {
    while !pool.bodies.is_empty() {
        let Some(incoming) = server.poll_incoming() else { return };
        let parameters = incoming.parameters();
        let _ = server.accept(link.now(), incoming, link.entropy::<32>(), || pool.take(&parameters));
    }
}

/// Serves each connection that has an event, and records connections that have ended.
fn serve(server: &mut Server<'_>, closed: &mut Vec<PeerId, PEERS>) {
    while let Some((id, event)) = server.poll_event() {
        let Some(peer) = server.peer_mut(id) else { continue };
        echo(peer);
        if let Event::Closed(_) = event {
            let _ = closed.push(id);
        }
    }
}

/// Echoes received data. Without room to send the echo, data stays unread until the event `Writable`.
fn echo(peer: &mut Connection<Parts<'_>>) {
    let mut part = [0; SEGMENT as usize];
    loop {
        let room = peer.send_slot().map_or(0, |slot| slot.len());
        let Some(part) = part.get_mut(..room) else { return };
        let len = peer.recv(part);
        if len == 0 {
            break;
        }
        let _ = peer.send(part.get(..len).unwrap_or_default());
    }
    if peer.is_finished_reading() {
        peer.close();
    }
}
