//! A listener that faces scripted clients of extended mode.

pub use crate::address::At;
pub use crate::packets::info;

use crate::base::storage;
use crate::byte_account::AccountedListener;
use crate::packets::{datagram, describe};
use crate::trace::{Peer, Trace};
use rdt_proto::connection::{Config, Connection, Event, Handled, HeapStopAndWait};
use rdt_proto::listener::{Dispatch, DropReason, HeapTables, Incoming, ListenerConfig, PeerId, PeerTypes, TableMemory};
use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Sack, SackDelay, Tag};
use rdt_proto::{Instant, Seq};

/// A listener, and clients of extended mode that send what the test says.
pub type ListenerTrace<M = HeapTables> = Trace<AccountedListener<PeerTypes<At, HeapStopAndWait, M>>, ExtendedClients>;

/// Everything before `next` has arrived.
#[must_use]
pub fn sack(next: u32) -> Packet<'static> {
    let (next, latest) = (Seq::new(next), Seq::new(next.wrapping_sub(1)));
    Packet::Sack(Sack { next, window: 2, latest, delay: SackDelay::NO_SAMPLE, base: next, bitmap: &[] })
}

/// A client as the listener sees it.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// Where it is.
    pub at: At,
    /// The tag that it chose.
    pub tag: Tag,
    /// The tag that the listener chose.
    pub theirs: Tag,
    /// The name of its connection.
    pub id: PeerId,
}

/// All clients, and what the application was told of them and the test has not asked for yet.
#[derive(Default)]
pub struct ExtendedClients {
    events: Vec<(PeerId, Event)>,
    accepted: u8,
}

impl Peer for ExtendedClients {
    fn describe(&self, datagram: &[u8]) -> String {
        let tag = datagram.first_chunk().map_or(tag(0), |tag| Tag::new(*tag));
        describe(&Framing::tagged(tag), datagram)
    }
}

impl ListenerTrace {
    /// A listener whose tables grow.
    #[must_use]
    pub fn new(config: ListenerConfig) -> Self {
        Self::with_memory(config)
    }
}

impl<M: TableMemory> ListenerTrace<M> {
    /// A listener with tables in memory of any kind.
    #[must_use]
    pub fn with_memory(config: ListenerConfig) -> Self {
        let now = Instant::from_millis(1_000);
        Self { machine: AccountedListener::new(now, config, [7; 48]), now, peer: ExtendedClients::default() }
    }

    /// A packet under a tag arrives.
    pub fn receive_under(&mut self, from: At, tag: Tag, packet: Packet<'_>) -> Dispatch {
        self.receive_datagram(from, &datagram(&Framing::tagged(tag), packet))
    }

    /// A CONNECT arrives.
    pub fn connect(&mut self, from: At, tag: Tag, cookie: Option<&[u8]>) -> Dispatch {
        self.receive_datagram(from, &connect(tag, cookie))
    }

    /// A CONNECT arrives, and goes into the backlog.
    #[track_caller]
    pub fn queues(&mut self, from: At, tag: Tag) {
        assert_eq!(self.connect(from, tag, None), Dispatch::Queued);
    }

    /// A CONNECT arrives, and goes nowhere.
    #[track_caller]
    pub fn ignores(&mut self, from: At, tag: Tag, reason: DropReason) {
        assert_eq!(self.connect(from, tag, None), Dispatch::Dropped(reason));
    }

    /// How many datagrams were dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.machine.stats().dropped.of(reason)
    }

    /// A CONNECT is answered with RETRY, whose cookie this is.
    #[track_caller]
    pub fn retries(&mut self, from: At, tag: Tag) -> Vec<u8> {
        assert_eq!(self.connect(from, tag, None), Dispatch::Retried);
        let (to, sent) = self.transmit().expect("no RETRY");
        let Packet::Retry { cookie } = Framing::tagged(tag).decode(&sent).unwrap() else { panic!("{sent:?}") };
        assert_eq!(to, from);
        cookie.to_vec()
    }

    /// The next that the application hears of is this address.
    #[track_caller]
    pub fn incoming(&mut self, from: At) -> Incoming<At> {
        let incoming = self.machine.poll_incoming().expect("no client waits");
        assert_eq!(incoming.address(), from);
        incoming
    }

    /// The next that the application hears of is accepted, and gets CONNACK.
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

    /// The application accepts this client, with entropy of its own.
    pub fn accept(&mut self, incoming: Incoming<At>) -> PeerId {
        self.peer.accepted += 1;
        self.machine.accept(self.now, incoming, [self.peer.accepted; 32], || storage(&Config::new(), 2)).unwrap()
    }

    /// The next connection gets the entropy of the first.
    pub fn repeat_entropy(&mut self) {
        self.peer.accepted = 0;
    }

    /// The client's empty INFO 0 arrives, and is acknowledged.
    #[track_caller]
    pub fn confirms(&mut self, client: &Client) {
        self.takes(client, info(0, b""));
        self.expect_event(client, Event::Connected);
        self.elapse_with_loss(5);
        self.drain();
    }

    /// A connection with this address.
    #[track_caller]
    pub fn established(&mut self, at: At, tag: Tag) -> Client {
        self.queues(at, tag);
        let client = self.accepts(at);
        self.confirms(&client);
        client
    }

    /// A packet of this client arrives, and counts.
    #[track_caller]
    pub fn takes(&mut self, client: &Client, packet: Packet<'_>) {
        self.takes_from(client.at, client, packet);
    }

    /// The same from another address.
    #[track_caller]
    pub fn takes_from(&mut self, from: At, client: &Client, packet: Packet<'_>) {
        assert_eq!(self.receive_under(from, client.theirs, packet), Dispatch::Peer(client.id, Handled::Accepted));
    }

    /// The connection of this client, which exists.
    #[track_caller]
    pub fn peer(&mut self, client: &Client) -> &mut Connection<HeapStopAndWait> {
        self.machine.peer_mut(client.id).unwrap()
    }

    /// The next datagram is this one, to this address.
    #[track_caller]
    pub fn expect(&mut self, to: At, client: &Client, expected: Packet<'_>) {
        let (address, sent) = self.transmit().unwrap_or_else(|| panic!("expected {expected:?}, nothing was sent"));
        let sent = Framing::tagged(client.tag).decode(&sent).unwrap();
        assert_eq!((address, sent), (to, expected));
    }

    /// The next event of this client is this one, whatever others have to tell.
    #[track_caller]
    pub fn expect_event(&mut self, client: &Client, event: Event) {
        let events = &mut self.peer.events;
        events.extend(std::iter::from_fn(|| self.machine.poll_event()));
        let at = events.iter().position(|(id, _)| *id == client.id).expect("nothing to tell");
        assert_eq!(events.remove(at), (client.id, event));
    }
}

/// A CONNECT of extended mode, of the least size.
#[must_use]
pub fn connect(tag: Tag, cookie: Option<&[u8]>) -> Vec<u8> {
    let mut list = [0; 2 * MIN_CONNECT];
    let options = OptionsWriter::new(&mut list).tag(tag).unwrap();
    let options = match cookie {
        Some(cookie) => options.cookie(cookie).unwrap(),
        None => options,
    };
    let options = options.pad_to(MIN_CONNECT - Framing::NOTE.header_len()).unwrap().finish();
    datagram(&Framing::NOTE, Packet::Connect(options))
}

/// A client's tag.
#[must_use]
pub const fn tag(number: u8) -> Tag {
    Tag::new([number; 8])
}
