//! A listener that faces scripted extended-mode clients.

pub use crate::address::At;
pub use crate::packets::info;

use crate::base::storage;
use crate::byte_account::AccountedListener;
use crate::packets::{datagram, describe};
use crate::trace::{Peer, Trace};
use rdt_proto::connection::{Config, Connection, Event, Handled, HeapStopAndWait};
use rdt_proto::listener::{Dispatch, DropReason, HeapTables, Incoming, ListenerConfig, PeerId, PeerTypes, TableMemory};
use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Sack, SackDelay, Tag, VERSION};
use rdt_proto::{Instant, Seq};

/// A trace of one listener and its scripted extended-mode clients.
pub type ListenerTrace<M = HeapTables> = Trace<AccountedListener<PeerTypes<At, HeapStopAndWait, M>>, ExtendedClients>;

/// A SACK that acknowledges everything before `next`.
#[must_use]
pub fn sack(next: u32) -> Packet<'static> {
    let (next, latest) = (Seq::new(next), Seq::new(next.wrapping_sub(1)));
    let (counter, delay, ce) = (0, SackDelay::NO_SAMPLE, 0);
    Packet::Sack(Sack { next, window: 2, latest, counter, delay, ce, base: next, bitmap: &[] })
}

/// An ECHO.
#[must_use]
pub const fn echo(nonce: u64) -> Packet<'static> {
    Packet::Echo { nonce, counter: 0 }
}

/// For how long the old address has precedence on a path without a sample, in milliseconds.
pub const PATIENCE_MS: u64 = 400;

/// A scripted client whose connection the listener has accepted.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The client's address.
    pub at: At,
    /// The tag that the client chose.
    pub tag: Tag,
    /// The tag that the listener chose.
    pub theirs: Tag,
    /// The identifier of the client's connection.
    pub id: PeerId,
}

/// All scripted clients of one listener.
#[derive(Default)]
pub struct ExtendedClients {
    /// Events of the listener that no `expect_event` has taken yet.
    events: Vec<(PeerId, Event)>,
    /// The number of accepted clients, from which the entropy of the next connection is made.
    accepted: u8,
}

impl Peer for ExtendedClients {
    fn describe(&self, datagram: &[u8]) -> String {
        let tag = datagram.first_chunk().map_or(tag(0), |tag| Tag::new(*tag));
        describe(&Framing::tagged(tag), datagram)
    }
}

impl ListenerTrace {
    /// A listener with tables on the heap.
    #[must_use]
    pub fn new(config: ListenerConfig) -> Self {
        Self::with_memory(config)
    }
}

impl<M: TableMemory> ListenerTrace<M> {
    /// A listener with tables in memory of any type.
    #[must_use]
    pub fn with_memory(config: ListenerConfig) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: AccountedListener::new(now, config, [7; 48]), now, peer: ExtendedClients::default() }
    }

    /// Delivers a packet under this tag.
    pub fn receive_under(&mut self, from: At, tag: Tag, packet: Packet<'_>) -> Dispatch {
        self.receive_datagram(from, &datagram(&Framing::tagged(tag), packet))
    }

    /// Delivers a CONNECT.
    pub fn connect(&mut self, from: At, tag: Tag, cookie: Option<&[u8]>) -> Dispatch {
        self.receive_datagram(from, &connect(tag, cookie))
    }

    /// Delivers a CONNECT and asserts that it enters the backlog.
    #[track_caller]
    pub fn queues(&mut self, from: At, tag: Tag) {
        assert_eq!(self.connect(from, tag, None), Dispatch::Queued);
    }

    /// Delivers a CONNECT and asserts that it is dropped.
    #[track_caller]
    pub fn ignores(&mut self, from: At, tag: Tag, reason: DropReason) {
        assert_eq!(self.connect(from, tag, None), Dispatch::Dropped(reason));
    }

    /// The number of datagrams dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.machine.stats().dropped.of(reason)
    }

    /// Delivers a CONNECT, expects RETRY, and returns the cookie of the RETRY.
    #[track_caller]
    pub fn retries(&mut self, from: At, tag: Tag) -> Vec<u8> {
        assert_eq!(self.connect(from, tag, None), Dispatch::Retried);
        let (to, sent) = self.transmit().expect("no RETRY");
        let Packet::Retry { cookie } = Framing::tagged(tag).decode(&sent).unwrap() else { panic!("{sent:?}") };
        assert_eq!(to, from);
        cookie.to_vec()
    }

    /// Asserts that the next incoming client has this address.
    #[track_caller]
    pub fn incoming(&mut self, from: At) -> Incoming<At> {
        let incoming = self.machine.poll_incoming().expect("no client waits");
        assert_eq!(incoming.address(), from);
        incoming
    }

    /// Accepts the next incoming client, and asserts that CONNACK is sent to it.
    #[track_caller]
    pub fn accepts(&mut self, from: At) -> Client {
        let incoming = self.incoming(from);
        let tag = incoming.parameters().tag.unwrap();
        let id = self.accept(incoming);
        let (to, sent) = self.transmit().expect("no CONNACK");
        let Packet::ConnAck(options) = Framing::tagged(tag).decode(&sent).unwrap() else { panic!("{sent:?}") };
        assert_eq!(to, from);
        Client { at: from, tag, theirs: options.tag().unwrap(), id }
    }

    /// Accepts this client. Each call uses different entropy.
    pub fn accept(&mut self, incoming: Incoming<At>) -> PeerId {
        self.peer.accepted += 1;
        self.machine.accept(self.now, incoming, [self.peer.accepted; 32], || storage(&Config::new(), 2)).unwrap()
    }

    /// Gives the next connection the entropy of the first.
    pub fn repeat_entropy(&mut self) {
        self.peer.accepted = 0;
    }

    /// Delivers the client's empty INFO 0, expects `Connected`, and discards the acknowledgement.
    #[track_caller]
    pub fn confirms(&mut self, client: &Client) {
        self.takes(client, info(0, b""));
        self.expect_event(client, Event::Connected);
        self.elapse_with_loss(5);
        self.drain();
    }

    /// Establishes a connection with this address.
    #[track_caller]
    pub fn established(&mut self, at: At, tag: Tag) -> Client {
        self.queues(at, tag);
        let client = self.accepts(at);
        self.confirms(&client);
        client
    }

    /// Delivers a packet of this client and asserts that the client's connection accepts it.
    #[track_caller]
    pub fn takes(&mut self, client: &Client, packet: Packet<'_>) {
        self.takes_from(client.at, client, packet);
    }

    /// Delivers a packet of this client from another address and asserts that its connection accepts it.
    #[track_caller]
    pub fn takes_from(&mut self, from: At, client: &Client, packet: Packet<'_>) {
        assert_eq!(self.receive_under(from, client.theirs, packet), Dispatch::Peer(client.id, Handled::Accepted));
    }

    /// Delivers a packet of this client from another address, whose data does not count yet.
    #[track_caller]
    pub fn drops_from(&mut self, from: At, client: &Client, packet: Packet<'_>) {
        let dropped = Dispatch::Dropped(DropReason::OtherAddress);
        assert_eq!(self.receive_under(from, client.theirs, packet), dropped);
    }

    /// Answers the challenge of an address. Then the old address is silent for as long as it has precedence.
    #[track_caller]
    pub fn answers(&mut self, from: At, client: &Client, nonce: u64) {
        self.takes_from(from, client, echo(nonce));
        self.elapse_with_loss(PATIENCE_MS);
    }

    /// Asserts that the listener sends to this client at this address.
    #[track_caller]
    pub fn expect_at(&self, client: &Client, at: At) {
        assert_eq!(self.machine.address(client.id), Some(at));
    }

    /// The connection of this client. Panics if there is none.
    #[track_caller]
    pub fn peer(&mut self, client: &Client) -> &mut Connection<HeapStopAndWait> {
        self.machine.peer_mut(client.id).unwrap()
    }

    /// Asserts that the next datagram is this packet, to this address.
    #[track_caller]
    pub fn expect(&mut self, to: At, client: &Client, expected: Packet<'_>) {
        let (address, sent) = self.transmit().unwrap_or_else(|| panic!("expected {expected:?}, but nothing was sent"));
        // An INFO may also ask for an answer at once.
        let sent = match (Framing::tagged(client.tag).decode(&sent).unwrap(), expected) {
            (Packet::Info { number, body, .. }, Packet::Info { request, .. }) => Packet::Info { number, body, request },
            (sent, _) => sent,
        };
        assert_eq!((address, sent), (to, expected));
    }

    /// Asserts that the next event of this client is this one. Events of other clients are kept for later calls.
    #[track_caller]
    pub fn expect_event(&mut self, client: &Client, event: Event) {
        let events = &mut self.peer.events;
        events.extend(std::iter::from_fn(|| self.machine.poll_event()));
        let at = events.iter().position(|(id, _)| *id == client.id).expect("no event of this client");
        assert_eq!(events.remove(at), (client.id, event));
    }
}

/// A CONNECT of extended mode, of the minimum size.
#[must_use]
pub fn connect(tag: Tag, cookie: Option<&[u8]>) -> Vec<u8> {
    let mut list = [0; 2 * MIN_CONNECT];
    let options = OptionsWriter::new(&mut list).version(VERSION).unwrap().tag(tag).unwrap();
    let options = match cookie {
        Some(cookie) => options.cookie(cookie).unwrap(),
        None => options,
    };
    let options = options.pad_to(MIN_CONNECT - Framing::NOTE.header_len()).unwrap().finish();
    datagram(&Framing::NOTE, Packet::Connect(options))
}

/// A tag that consists of eight bytes `number`.
#[must_use]
pub const fn tag(number: u8) -> Tag {
    Tag::new([number; 8])
}
