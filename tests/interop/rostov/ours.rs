//! Our side of an exchange: a connection or a listener, with the file session on it and files in memory.

use rdt_proto::arq::{AnyArq, Block};
use rdt_proto::congestion::FixedWindow;
use rdt_proto::connection::{
    CloseReason, Config, Connection, HeapStopAndWait, HeapStorage, Memory, Storage, blocks_for,
};
use rdt_proto::ftp::{
    Answer, Client, ClientConfig, Name, Outcome, Output, Request, Server, ServerConfig, Session, StorageError,
};
use rdt_proto::listener::{Dispatch, HeapPeers, Listener, ListenerConfig, PeerId};
use rdt_proto::sim::{Node, Outgoing, SimAddress};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::{Duration, Instant};

type Stores = Storage<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, AnyArq<Vec<Block>, FixedWindow>>;

/// The mechanism and the window of our side.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mechanism {
    StopAndWait,
    /// This many packets are buffered and in flight.
    SelectiveRepeat(u32),
}

fn storage(config: &Config, mechanism: Mechanism) -> Stores {
    let recv = vec![0; config.recv_bytes(4)];
    match mechanism {
        Mechanism::StopAndWait => HeapStopAndWait::stop_and_wait(config, vec![0; config.send_bytes(2)], recv)
            .unwrap()
            .map_arq(AnyArq::StopAndWait),
        Mechanism::SelectiveRepeat(window) => {
            let (send, blocks) = (vec![0; config.send_bytes(window)], vec![Block::EMPTY; blocks_for(window)]);
            let controller = |datagram: u32| FixedWindow::new(u64::from(window) * u64::from(datagram));
            HeapStorage::selective_repeat(config, Memory { send, recv, blocks }, controller)
                .unwrap()
                .map_arq(AnyArq::SelectiveRepeat)
        }
    }
}

/// One session, and its file.
pub(crate) struct Exchange<S> {
    session: S,
    /// The content to send, if there is any.
    source: Option<Vec<u8>>,
    part: Vec<u8>,
    pub(crate) stored: Option<Vec<u8>>,
}

impl<S: Session> Exchange<S> {
    fn new(session: S, source: Option<Vec<u8>>) -> Self {
        Self { session, source, part: Vec::new(), stored: None }
    }

    /// Moves all that can be moved now.
    fn pump(&mut self, now: Instant, connection: &mut Connection<Stores>) {
        loop {
            let read = self.session.handle_input(now, connection.recv_chunk());
            connection.consume(read);
            if connection.is_finished_reading() {
                match connection.ended() {
                    None | Some(CloseReason::Finished | CloseReason::PeerLeft) => self.session.handle_peer_closed(),
                    Some(_) => self.session.handle_lost(),
                }
            }
            let room = connection.send_slot().map_or(0, |slot| slot.len());
            let answer = match self.session.poll_request(room) {
                None => None,
                Some(request) => Some(perform(request, &self.source, &mut self.part, &mut self.stored, connection)),
            };
            let answered = answer.is_some_and(|answer| self.session.handle_answer(now, answer).is_ok());
            let written = match self.session.poll_output() {
                None => false,
                Some(Output::Header(header)) => {
                    let len = header.len();
                    connection.send_segment(header).is_ok() && self.session.header_sent(len).is_ok()
                }
                Some(Output::Close) => {
                    connection.close();
                    true
                }
                Some(Output::Abort(code)) => {
                    connection.abort(code.value());
                    true
                }
            };
            if read == 0 && !answered && !written {
                return;
            }
        }
    }
}

fn perform(
    request: Request<'_>,
    source: &Option<Vec<u8>>,
    part: &mut Vec<u8>,
    stored: &mut Option<Vec<u8>>,
    connection: &mut Connection<Stores>,
) -> Answer {
    match (request, source) {
        (Request::Open { .. }, None) => Answer::Failed(StorageError::NoSuchFile),
        (Request::Open { .. }, Some(content)) => Answer::Opened { length: content.len() as u64 },
        (Request::Create { .. }, _) => Answer::Created,
        (Request::Read { offset, len }, Some(content)) => {
            let slot = connection.send_slot().unwrap();
            let rest = &content[usize::try_from(offset).unwrap()..];
            let len = len.min(slot.len()).min(rest.len());
            slot[..len].copy_from_slice(&rest[..len]);
            connection.commit(len).unwrap();
            Answer::Read(len)
        }
        (Request::Write { len, .. }, _) => {
            part.extend(&connection.recv_chunk()[..len]);
            Answer::Written(len)
        }
        (Request::Commit, _) => {
            *stored = Some(std::mem::take(part));
            Answer::Committed
        }
        (Request::Discard, _) => Answer::Discarded,
        (request, _) => panic!("{request:?}"),
    }
}

/// The node of our side.
#[allow(clippy::large_enum_variant, reason = "one node in each run")]
pub(crate) enum Ours {
    Client { theirs: SimAddress, connection: Connection<Stores>, exchange: Exchange<Client> },
    Server { listener: Listener<HeapPeers<SimAddress, Stores>>, served: Served },
}

/// What a server needs for its only client.
pub(crate) struct Served {
    config: Config,
    mechanism: Mechanism,
    exchange: Exchange<Server>,
    peer: Option<PeerId>,
    /// Why the connection ended.
    ended: Option<CloseReason>,
    is_released: bool,
}

impl Ours {
    /// A client that uploads this content, or downloads the file of this name.
    pub(crate) fn client(
        config: Config,
        mechanism: Mechanism,
        theirs: SimAddress,
        upload: Option<Vec<u8>>,
        name: &[u8],
    ) -> Self {
        let name = Name::from_bytes(name).unwrap();
        let session = match &upload {
            Some(content) => Client::upload(ClientConfig::default(), name, content.len() as u64),
            None => Client::download(ClientConfig::default(), name),
        };
        let connection = Connection::connect(Instant::ZERO, config, [7; 32], storage(&config, mechanism)).unwrap();
        Self::Client { theirs, connection, exchange: Exchange::new(session, upload) }
    }

    /// A server with this file, which stores uploads of at most `most` bytes.
    pub(crate) fn server(config: Config, mechanism: Mechanism, file: Option<Vec<u8>>, most: u64) -> Self {
        let listener = Listener::new(
            Instant::ZERO,
            ListenerConfig { connection: config, peers: 4, ..ListenerConfig::default() },
            [7; 48],
        );
        let session = Server::new(ServerConfig { max_upload_length: most, ..ServerConfig::default() });
        let exchange = Exchange::new(session, file);
        let served = Served { config, mechanism, exchange, peer: None, ended: None, is_released: false };
        Self::Server { listener, served }
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Client { exchange, .. } => exchange.session.outcome(),
            Self::Server { served, .. } => served.exchange.session.outcome(),
        }
    }

    pub(crate) fn stored(&self) -> Option<&[u8]> {
        match self {
            Self::Client { exchange, .. } => exchange.stored.as_deref(),
            Self::Server { served, .. } => served.exchange.stored.as_deref(),
        }
    }

    /// Why the connection ended.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        match self {
            Self::Client { connection, .. } => connection.ended(),
            Self::Server { served, .. } => served.ended,
        }
    }

    fn session_deadline(&self) -> Option<Instant> {
        match self {
            Self::Client { exchange, .. } => exchange.session.poll_timeout(),
            Self::Server { served, .. } => served.exchange.session.poll_timeout(),
        }
    }
}

impl Node for Ours {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        match self {
            Self::Client { connection, .. } => drop(connection.handle_datagram(now, datagram)),
            Self::Server { listener, .. } => match listener.handle_datagram(now, from, datagram) {
                Dispatch::Peer(..) | Dispatch::Queued | Dispatch::Dropped(_) => {}
                Dispatch::Retried => panic!("RETRY in base mode"),
            },
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Client { connection, .. } => connection.handle_timeout(now),
            Self::Server { listener, served } => {
                listener.handle_timeout(now);
                served.exchange.session.handle_timeout(now);
            }
        }
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        match self {
            Self::Client { connection, exchange, .. } => {
                while connection.poll_event().is_some() {}
                exchange.pump(now, connection);
            }
            Self::Server { listener, served } => {
                while listener.poll_event().is_some() {}
                while let Some(incoming) = listener.poll_incoming() {
                    assert!(served.peer.is_none(), "a second connection");
                    let storage = || Ok::<_, rdt_proto::store::StoreError>(storage(&served.config, served.mechanism));
                    served.peer = Some(listener.accept(now, incoming, [9; 32], storage).unwrap());
                }
                if let Some(peer) = served.peer.filter(|_| !served.is_released)
                    && let Some(connection) = listener.peer_mut(peer)
                {
                    served.exchange.pump(now, connection);
                    served.ended = connection.ended();
                    if served.ended.is_some() {
                        served.is_released = true;
                        listener.release(now, peer);
                    }
                }
            }
        }
        false
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        match self {
            Self::Client { theirs, connection, .. } => {
                let transmit = connection.poll_transmit_batch(now, 8, buf).unwrap()?;
                Some(Outgoing::new(*theirs, transmit.len).with_segment_size(transmit.segment_size))
            }
            Self::Server { listener, .. } => {
                let (to, transmit) = listener.poll_transmit_batch(now, 8, buf).unwrap()?;
                Some(Outgoing::new(to, transmit.len).with_segment_size(transmit.segment_size))
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let machine = match self {
            Self::Client { connection, .. } => connection.poll_timeout(),
            Self::Server { listener, .. } => listener.poll_timeout(),
        };
        [machine, self.session_deadline()].into_iter().flatten().min()
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Client { connection, .. } => self.outcome().is_some() && connection.is_drained(),
            Self::Server { listener, served } => served.is_released && listener.is_empty(),
        }
    }
}

/// A limit that no exchange reaches.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);
