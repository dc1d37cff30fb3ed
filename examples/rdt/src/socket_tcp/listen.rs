//! A listener that prints messages from many clients.

use super::end_reason;
use crate::args::{CloseRole, ListenArgs};
use crate::endpoint::{Address, Body, Endpoint, Outgoing};
use crate::entropy;
use crate::messages::{counted, to_stderr, was_or_were};
use crate::network_error::{Call, NetworkErrors};
use crate::output;
use rdt_proto::socket_tcp::{
    HeapTables, PeerId, SocketCloseReason, SocketConfig, SocketDispatch, SocketEvent, SocketListener,
    SocketListenerConfig,
};
use rdt_proto::{BufferTooSmall, Instant};
use std::io;

pub(super) struct Listen {
    listener: SocketListener<Address, HeapTables>,
    close: CloseRole,
    max_size: u64,
    /// The received part of each client's message, at the index of the client's [`PeerId`].
    messages: Vec<Vec<u8>>,
    errors: NetworkErrors,
    stopping: bool,
}

impl Listen {
    pub(super) fn new(now: Instant, connection: SocketConfig, args: &ListenArgs) -> io::Result<Self> {
        let config = SocketListenerConfig { connection, ..SocketListenerConfig::default() };
        let listener = SocketListener::new(now, config, entropy::random_bytes()?);
        let (close, max_size) = (args.close, args.max_size);
        Ok(Self { listener, close, max_size, messages: Vec::new(), errors: NetworkErrors::default(), stopping: false })
    }

    fn pump(&mut self, now: Instant) {
        while let Some((id, event)) = self.listener.poll_event() {
            self.read(now, id);
            if let SocketEvent::Closed(reason) = event {
                self.on_closed(now, id, reason);
            }
        }
    }

    fn message(&mut self, id: PeerId) -> &mut Vec<u8> {
        if self.messages.len() <= id.index() {
            self.messages.resize_with(id.index() + 1, Vec::new);
        }
        &mut self.messages[id.index()]
    }

    fn read(&mut self, now: Instant, id: PeerId) {
        let mut buf = [0; 512];
        while let Some(peer) = self.listener.peer_mut(id) {
            if let Some(message) = peer.message().filter(|message| message.length > self.max_size) {
                let client = self.client(id);
                to_stderr(format_args!("{client} sends {}, more than --max-size: refused", bytes(message.length)));
                self.release(now, id);
                return;
            }
            let Some(received) = peer.recv(&mut buf) else { return };
            if received.is_end && self.close == CloseRole::Active {
                peer.close();
            }
            self.message(id).extend_from_slice(&buf[..received.len]);
            if received.is_end {
                let mut message = std::mem::take(self.message(id));
                let (client, len) = (self.client(id), message.len());
                message.push(b'\n');
                if !output::print_message(format!("rdt: {client} sent {}:", bytes(len as u64)), message) {
                    to_stderr(format_args!(
                        "{client} sent {}, which are lost: the output is not read",
                        bytes(len as u64)
                    ));
                }
            }
        }
    }

    fn on_closed(&mut self, now: Instant, id: PeerId, reason: SocketCloseReason) {
        let arrived = self.message(id).len();
        if arrived > 0 || !matches!(reason, SocketCloseReason::Finished | SocketCloseReason::HandshakeTimedOut) {
            let (client, reason) = (self.client(id), end_reason(Some(reason)));
            if arrived > 0 {
                to_stderr(format_args!(
                    "{client}: {reason}; its message is incomplete, and {} of it {} not printed",
                    bytes(arrived as u64),
                    was_or_were(arrived as u64)
                ));
            } else {
                to_stderr(format_args!("{client}: {reason}"));
            }
        }
        self.release(now, id);
    }

    fn release(&mut self, now: Instant, id: PeerId) {
        self.message(id).clear();
        self.listener.release(now, id);
    }

    fn client(&self, id: PeerId) -> String {
        self.listener.peer(id).map_or(String::new(), |peer| peer.peer().peer.to_string())
    }
}

impl Endpoint for Listen {
    fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) {
        if let SocketDispatch::Incoming(incoming) = self.listener.handle_datagram(now, from, datagram)
            && !self.stopping
        {
            // If the client is not accepted, it repeats its SYN.
            if let Ok(entropy) = entropy::random_bytes() {
                let _ = self.listener.accept(now, incoming, entropy);
            }
        }
        self.pump(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.listener.handle_timeout(now);
        self.pump(now);
    }

    /// SocketTCP has segments of one size.
    fn handle_datagram_too_large(&mut self, _now: Instant, _to: Address, _len: usize) {}

    fn handle_network_error(&mut self, now: Instant, call: Call, error: &io::Error) {
        self.errors.handle(now, call, error);
    }

    /// Aborts each connection.
    fn handle_stop(&mut self, now: Instant) {
        self.stopping = true;
        let peers: Vec<_> = self.listener.peers().collect();
        for id in peers {
            self.listener.release(now, id);
        }
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        _max_datagrams: usize,
        buf: &mut [u8],
    ) -> Result<Option<Outgoing>, BufferTooSmall> {
        Ok(self.listener.poll_transmit(now, buf)?.map(|(to, transmit)| (to, transmit.into())))
    }

    fn body(&self, _body: Body) -> &[u8] {
        &[]
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.listener.poll_timeout()
    }

    fn is_finished(&self) -> bool {
        self.stopping && self.listener.is_empty()
    }
}

fn bytes(count: u64) -> String {
    counted(count, "byte")
}
