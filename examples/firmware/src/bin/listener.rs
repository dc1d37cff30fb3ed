//! A server for four clients at once: it sends back what it gets. Selective repeat for those who have room for more than one
//! packet, stop-and-wait for the others.
#![no_std]
#![no_main]

use firmware::{DATAGRAM, Link, NODES, SEGMENT};
use rdt_proto::Duration;
use rdt_proto::arq::{AnyArq, Block, SelectiveRepeat, StopAndWait};
use rdt_proto::congestion::{self, Pacer};
use rdt_proto::connection::{Config, Connection, Event, HandshakeParameters, Storage};
use rdt_proto::listener::{Fixed, Listener, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots, slot_bytes};

firmware::main!(run, Clients);

const SLOTS: usize = 8;
type Memory<'m> = &'m mut [u8];
type Send<'m> = SendSlots<Memory<'m>>;
type Recv<'m> = RecvSlots<Memory<'m>>;
type Arq = AnyArq<[Block; 1], congestion::Fixed>;
type Server<'m> = Listener<u8, Send<'m>, Recv<'m>, Fixed<{ NODES as usize }>, Arq>;
/// Memory for the bodies of connections, both directions each.
type Pool<'m> = heapless::Vec<[Memory<'m>; 2], { NODES as usize }>;

fn run(link: &mut impl Link) -> bool {
    let mut memory = [[[0; SLOTS * slot_bytes(SEGMENT)]; 2]; NODES as usize];
    let mut pool: Pool<'_> = memory.iter_mut().map(|both| both.each_mut().map(|bytes| &mut bytes[..])).collect();

    let connection = Config { idle_limit: Duration::from_secs(120), ..Config::default() };
    let config = ListenerConfig { connection, backlog: NODES.into(), ..ListenerConfig::default() };
    let mut server = Server::new(link.now(), config, link.entropy());
    let (mut closed, mut served) = (heapless::Vec::new(), 0);
    let mut buf = [0; DATAGRAM];
    loop {
        accept(&mut server, &mut pool, link);
        serve(&mut server, &mut closed);
        closed.retain(|&id| {
            let bodies = server.reclaim(link.now(), id);
            served += u8::from(bodies.is_some());
            bodies.is_none_or(|bodies| pool.push([bodies.send.into_memory(), bodies.recv.into_memory()]).is_err())
        });
        while let Ok(Some((node, transmit))) = server.poll_transmit(link.now(), &mut buf) {
            link.send(node, buf.get(..transmit.len).unwrap_or_default());
        }
        if served == NODES {
            return true;
        }
        if let Some((node, datagram)) = link.recv(server.poll_timeout(), &mut buf) {
            server.handle_datagram(link.now(), node, datagram);
        }
        server.handle_timeout(link.now());
    }
}

/// Accepts who has connected, while there is memory.
fn accept<'m>(server: &mut Server<'m>, pool: &mut Pool<'m>, link: &mut impl Link) {
    while !pool.is_empty() {
        let Some(incoming) = server.poll_incoming() else { return };
        let (arq, [send, recv]) = match (arq(&incoming.parameters()), pool.pop()) {
            (Some(arq), Some(memory)) => (arq, memory),
            _ => return,
        };
        let (Ok(send), Ok(recv)) = (SendSlots::new(send, SEGMENT), RecvSlots::new(recv, SEGMENT)) else { return };
        let _ = server.accept(link.now(), incoming, link.entropy(), || Storage { send, recv, arq });
    }
}

/// Selective repeat, if the client has room for more than one packet.
fn arq(parameters: &HandshakeParameters) -> Option<Arq> {
    if parameters.window < 2 {
        return Some(AnyArq::StopAndWait(StopAndWait::new()));
    }
    let pacer = Pacer::new(Duration::ZERO, SEGMENT.into());
    let window = congestion::Fixed::new(SLOTS as u64 * DATAGRAM as u64);
    Some(AnyArq::SelectiveRepeat(SelectiveRepeat::new([Block::EMPTY], window, pacer)?))
}

/// Answers who has sent, and notes who has closed.
fn serve(server: &mut Server<'_>, closed: &mut heapless::Vec<PeerId, { NODES as usize }>) {
    while let Some((id, event)) = server.poll_event() {
        let Some(peer) = server.peer_mut(id) else { continue };
        echo(peer);
        if let Event::Closed(_) = event {
            let _ = closed.push(id);
        }
    }
}

/// Sends back what has come. What there is no room for stays unread, until `Writable` tells.
fn echo(peer: &mut Connection<Send<'_>, Recv<'_>, Arq>) {
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
