//! The peers of the two client programs: an echo server, and a file server.

use super::Peer;
use crate::{CONFIG, Check, ECHO, SEGMENT};
use core::slice;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Connection, SendError, Storage};
use rdt_proto::ftp::{self, Answer, Output, Request, ServerConfig, Session};
use rdt_proto::listener::{FixedPeers, Listener, ListenerConfig, PeerId};
use rdt_proto::store::{RecvSlots, SendSlots};

const WINDOW: u32 = 4;
type Bodies = [u8; CONFIG.send_bytes(WINDOW)];
type Parts = Storage<SendSlots<Bodies>, RecvSlots<Bodies>>;
type Stream = Connection<Parts>;

/// A listener with one client. The first datagram creates the listener.
struct Server {
    listener: Option<Listener<FixedPeers<1, u8, Parts>>>,
    client: Option<PeerId>,
}

impl Server {
    const NEW: Self = Self { listener: None, client: None };

    fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) {
        let listener = self.listener.get_or_insert_with(|| {
            let config = ListenerConfig { connection: CONFIG, ..ListenerConfig::default() };
            Listener::new(now, config, [3; 48])
        });
        listener.handle_datagram(now, ECHO, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(listener) = &mut self.listener {
            listener.handle_timeout(now);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.listener.as_ref()?.poll_timeout()
    }

    /// Accepts a waiting client. Returns the connection of the client, if there is one.
    fn stream(&mut self, now: Instant) -> Option<&mut Stream> {
        let listener = self.listener.as_mut()?;
        while listener.poll_event().is_some() {}
        if let Some(incoming) = listener.poll_incoming() {
            let storage =
                || Storage::stop_and_wait(&CONFIG, [0; CONFIG.send_bytes(WINDOW)], [0; CONFIG.recv_bytes(WINDOW)]);
            self.client = listener.accept(now, incoming, [5; 32], storage).ok();
        }
        listener.peer_mut(self.client?)
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(u8, usize)> {
        let (node, transmit) = self.listener.as_mut()?.poll_transmit(now, buf).ok()??;
        Some((node, transmit.len))
    }
}

/// A server that echoes the data it receives.
pub struct EchoServer {
    server: Server,
    received: Check,
}

impl Peer for EchoServer {
    const NEW: Self = Self { server: Server::NEW, received: Check::NOTHING };

    fn handle_datagram(&mut self, now: Instant, _node: u8, datagram: &[u8]) {
        self.server.handle_datagram(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(u8, usize)> {
        if let Some(stream) = self.server.stream(now) {
            let mut part = [0; SEGMENT as usize];
            let room = stream.send_slot().map_or(0, |slot| slot.len());
            let len = stream.recv(part.get_mut(..room)?);
            let part = part.get(..len)?;
            let _ = stream.send(part);
            self.received.take(part);
            if stream.is_finished_reading() {
                stream.close();
            }
        }
        self.server.poll_transmit(now, buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.server.poll_timeout()
    }

    fn received(&self) -> &[Check] {
        slice::from_ref(&self.received)
    }
}

/// A server that stores a file. It keeps only the length and the hash.
pub struct FileServer {
    server: Server,
    session: Option<ftp::Server>,
    written: Check,
    /// The value of `written` at the commit of the file.
    stored: Check,
}

impl Peer for FileServer {
    const NEW: Self = Self { server: Server::NEW, session: None, written: Check::NOTHING, stored: Check::NOTHING };

    fn handle_datagram(&mut self, now: Instant, _node: u8, datagram: &[u8]) {
        self.server.handle_datagram(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
        if let Some(session) = &mut self.session {
            session.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(u8, usize)> {
        if let Some(stream) = self.server.stream(now) {
            let session = self.session.get_or_insert_with(|| ftp::Server::new(ServerConfig::default()));
            // Four rounds are enough, because this function is called again after each datagram.
            for _ in 0..4 {
                let taken = session.handle_input(now, stream.recv_chunk());
                stream.consume(taken);
                if stream.is_finished_reading() {
                    match stream.ended() {
                        None | Some(CloseReason::Finished | CloseReason::PeerLeft) => session.handle_peer_closed(),
                        Some(_) => session.handle_lost(),
                    }
                }
                let answer = match session.poll_request(0) {
                    None => None,
                    Some(Request::Create { .. }) => Some(Answer::Created),
                    Some(Request::Write { len, .. }) => {
                        self.written.take(stream.recv_chunk().get(..len)?);
                        Some(Answer::Written(len))
                    }
                    Some(Request::Commit) => {
                        self.stored = self.written;
                        Some(Answer::Committed)
                    }
                    Some(_) => Some(Answer::Discarded),
                };
                if let Some(answer) = answer {
                    session.handle_answer(now, answer).ok()?;
                }
                write(stream, session);
            }
        }
        self.server.poll_transmit(now, buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.server.poll_timeout(), self.session.as_ref().and_then(Session::poll_timeout)].into_iter().flatten().min()
    }

    fn received(&self) -> &[Check] {
        slice::from_ref(&self.stored)
    }
}

fn write(stream: &mut Stream, session: &mut ftp::Server) {
    match session.poll_output() {
        None => {}
        Some(Output::Header(header)) => match stream.send_segment(header) {
            Ok(()) => {
                let len = header.len();
                let _ = session.header_sent(len);
            }
            Err(SendError::Full) => {} // the session returns the header again
            Err(_) => session.handle_lost(),
        },
        Some(Output::Close) => stream.close(),
        Some(Output::Abort(code)) => stream.abort(code.value()),
    }
}
