//! A listener in extended mode that faces scripted clients, so that tests read like packet traces in virtual time. It keeps
//! an account of each address: no more goes there than came from there, until somebody has shown to receive there.
#![allow(dead_code, unreachable_pub, reason = "each test file includes it, and uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "../account/mod.rs"]
mod account;

use account::Accounts;
use rdt_proto::connection::{Connection, Event, Handled, Storage};
use rdt_proto::listener::{
    Address, Dispatch, DropReason, HeapTables, Incoming, Listener, ListenerConfig, PeerId, TableMemory,
};
use rdt_proto::store::{RecvSlots, SendSlots};
use rdt_proto::wire::{Framing, MIN_CONNECT, OptionsWriter, Packet, Sack, SackDelay, Tag};
use rdt_proto::{Duration, Instant, Seq};

/// A host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At(pub u8, pub u16);

impl Address for At {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0
    }
}

pub type Stream = Connection<SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>>;
type Machine<M> = Listener<At, SendSlots<Vec<u8>>, RecvSlots<Vec<u8>>, M>;

/// INFO `number` with this body.
pub const fn info(number: u32, body: &[u8]) -> Packet<'_> {
    Packet::Info { number: Seq::new(number), body }
}

/// Everything before `next` has arrived.
pub fn sack(next: u32) -> Packet<'static> {
    let (next, latest) = (Seq::new(next), Seq::new(next.wrapping_sub(1)));
    Packet::Sack(Sack { next, window: 2, latest, delay: SackDelay::NO_SAMPLE, base: next, bitmap: &[] })
}

/// A client as the listener sees it.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub at: At,
    /// The tag that it chose.
    pub tag: Tag,
    /// The tag that the listener chose.
    pub theirs: Tag,
    pub id: PeerId,
}

/// One listener, and the time of the trace.
pub struct Door<M: TableMemory = HeapTables> {
    pub machine: Machine<M>,
    pub now: Instant,
    accounts: Accounts<At>,
    events: Vec<(PeerId, Event)>,
    accepted: u8,
}

impl Door {
    pub fn new(config: ListenerConfig) -> Self {
        Self::with_memory(config)
    }
}

impl<M: TableMemory> Door<M> {
    pub fn with_memory(config: ListenerConfig) -> Self {
        let now = Instant::from_millis(1_000);
        Self {
            machine: Listener::new(now, config, [7; 48]),
            now,
            accounts: Accounts::new(),
            events: Vec::new(),
            accepted: 0,
        }
    }

    /// A datagram arrives.
    pub fn receive(&mut self, from: At, datagram: &[u8]) -> Dispatch {
        self.accounts.receive(&mut self.machine, self.now, from, datagram)
    }

    /// A packet under a tag arrives.
    pub fn receive_under(&mut self, from: At, tag: Tag, packet: Packet<'_>) -> Dispatch {
        let mut datagram = [0; 2_048];
        let len = packet.encode(&Framing::tagged(tag), &mut datagram).unwrap();
        self.receive(from, &datagram[..len])
    }

    /// A CONNECT arrives.
    pub fn connect(&mut self, from: At, tag: Tag, cookie: Option<&[u8]>) -> Dispatch {
        self.receive(from, &connect(tag, cookie))
    }

    #[track_caller]
    pub fn queues(&mut self, from: At, tag: Tag) {
        assert_eq!(self.connect(from, tag, None), Dispatch::Queued);
    }

    #[track_caller]
    pub fn ignores(&mut self, from: At, tag: Tag, reason: DropReason) {
        assert_eq!(self.connect(from, tag, None), Dispatch::Dropped(reason));
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

    #[track_caller]
    pub fn incoming(&mut self, from: At) -> Incoming<At> {
        let incoming = self.machine.poll_incoming().expect("nobody waits");
        assert_eq!(incoming.address(), from);
        incoming
    }

    /// The next that the application hears of is accepted, and gets CONNACK.
    #[track_caller]
    pub fn accepts(&mut self, from: At) -> Client {
        let incoming = self.incoming(from);
        let tag = incoming.hello().tag.unwrap();
        let id = self.accept(incoming);
        let (to, sent) = self.transmit().expect("no CONNACK");
        let Packet::ConnAck(options) = Framing::tagged(tag).decode(&sent).unwrap() else { panic!("{sent:?}") };
        assert_eq!(to, from);
        Client { at: from, tag, theirs: options.tag().unwrap(), id }
    }

    pub fn accept(&mut self, incoming: Incoming<At>) -> PeerId {
        self.accepted += 1;
        let storage = || Storage::stop_and_wait(SendSlots::with_slots(2, 1_200).unwrap(), recv_slots());
        self.machine
            .accept(self.now, incoming, [self.accepted; 32], || Ok::<_, std::convert::Infallible>(storage()))
            .unwrap()
    }

    /// The next connection gets the entropy of the first.
    pub fn repeat_entropy(&mut self) {
        self.accepted = 0;
    }

    /// The client's empty INFO 0 arrives, and is acknowledged.
    #[track_caller]
    pub fn confirms(&mut self, client: &Client) {
        self.takes(client, info(0, b""));
        self.expect_event(client, Event::Connected);
        self.elapse(5);
        while self.transmit().is_some() {}
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

    pub fn peer(&mut self, client: &Client) -> &mut Stream {
        self.machine.peer_mut(client.id).unwrap()
    }

    /// The next datagram, and its address.
    pub fn transmit(&mut self) -> Option<(At, Vec<u8>)> {
        let mut datagram = vec![0; 2_048];
        let (to, transmit) = self.accounts.transmit(&mut self.machine, self.now, &mut datagram)?;
        datagram.truncate(transmit.len);
        Some((to, datagram))
    }

    /// The next datagram is this one, to this address.
    #[track_caller]
    pub fn expect(&mut self, to: At, client: &Client, expected: Packet<'_>) {
        let (address, sent) = self.transmit().unwrap_or_else(|| panic!("expected {expected:?}, nothing was sent"));
        let sent = Framing::tagged(client.tag).decode(&sent).unwrap();
        assert_eq!((address, sent), (to, expected));
    }

    /// Everything that is to be sent now: to whom, and what.
    pub fn drain(&mut self) -> Vec<(At, Vec<u8>)> {
        std::iter::from_fn(|| self.transmit()).collect()
    }

    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.machine.handle_timeout(self.now);
        assert_eq!(self.transmit(), None);
        let due = self.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now is {:?}", self.now);
    }

    /// The next event of this client is this one, whatever others have to tell.
    #[track_caller]
    pub fn expect_event(&mut self, client: &Client, event: Event) {
        self.events.extend(std::iter::from_fn(|| self.machine.poll_event()));
        let at = self.events.iter().position(|(id, _)| *id == client.id).expect("nothing to tell");
        assert_eq!(self.events.remove(at), (client.id, event));
    }

    /// Time passes; what is sent meanwhile is lost.
    pub fn elapse(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        self.drain();
        while let Some(due) = self.machine.poll_timeout().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }
}

fn recv_slots() -> RecvSlots<Vec<u8>> {
    RecvSlots::with_slots(2, 1_200).unwrap()
}

/// A CONNECT of extended mode, of the least size.
pub fn connect(tag: Tag, cookie: Option<&[u8]>) -> Vec<u8> {
    let mut list = [0; 2 * MIN_CONNECT];
    let options = OptionsWriter::new(&mut list).tag(tag).unwrap();
    let options = match cookie {
        Some(cookie) => options.cookie(cookie).unwrap(),
        None => options,
    };
    let options = options.pad_to(MIN_CONNECT - Framing::NOTE.header_len()).unwrap().finish();
    let mut datagram = vec![0; 2_048];
    let len = Packet::Connect(options).encode(&Framing::NOTE, &mut datagram).unwrap();
    datagram.truncate(len);
    datagram
}

/// A client's tag.
pub const fn tag(number: u8) -> Tag {
    Tag::new([number; 8])
}
