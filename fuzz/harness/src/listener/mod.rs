//! Any calls on a listener, in any order.

mod checks;

use crate::connection::{AnyParameters, ROOM, Start, Stores};
use arbitrary::{Arbitrary, Unstructured};
use rdt_proto::connection::{Connection, Handled, Mode, Peer};
use rdt_proto::listener::{
    AcceptError, Address, Busy, Dispatch, FixedTables, HeapTables, Incoming, Listener, ListenerConfig, PeerId,
    PeerTypes, Retry, TableMemory,
};
use rdt_proto::store::StoreError;
use rdt_proto::wire::{Framing, MIN_CONNECT, Options, OptionsWriter, Packet, Tag};
use rdt_proto::{Duration, Instant};

/// One call. Addresses, tags and ids are few, so that many calls affect the same connection.
#[derive(Arbitrary, Debug)]
enum Call<'a> {
    Datagram {
        from: u8,
        datagram: &'a [u8],
    },
    Packet {
        from: u8,
        tag: Option<u8>,
        packet: Packet<'a>,
    },
    Connect {
        from: u8,
        parameters: AnyParameters,
        cookie: u8,
    },
    /// The nonce of a PROBE in an ECHO under each known tag, from any address.
    Echo {
        from: u8,
        probe: u8,
    },
    Timeout {
        later_us: u32,
    },
    TimeoutWhenDue,
    Transmit {
        room: u8,
    },
    TransmitBatch {
        most: u8,
    },
    Event,
    Incoming,
    Accept(u8),
    Refuse(u8, u8),
    Ignore(u8),
    StopAccepting(u8),
    RotateKey(u8),
    Release(u8),
    Reclaim(u8),
    Send(u8, &'a [u8]),
    Recv(u8),
    Close(u8),
    Abort(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Limits {
    peers: u8,
    backlog: u8,
    per_host: u8,
    per_address: u8,
    retry: Retry,
}

type Machine<M> = Listener<PeerTypes<FuzzAddress, Stores, M>>;
/// Tables with fewer entries than the largest limits allow.
type SmallTables = FixedTables<4>;

/// An address. Each host has two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FuzzAddress(u8);

impl Address for FuzzAddress {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0 / 2
    }
}

/// The entropy of every connection. It is always the same, because the laws must hold for any entropy.
const ENTROPY: [u8; 32] = [3; 32];
/// The number of addresses.
const ADDRESSES: u8 = 12;

/// Makes the calls that `bytes` describe on a listener, and checks its laws after each call.
///
/// At the end all connections are released, and the listener must become empty.
///
/// # Panics
///
/// If a law does not hold.
pub fn any_order(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok((start, limits)) = <(Start, Limits)>::arbitrary(&mut input) else { return };
    let config = ListenerConfig {
        connection: start.config(),
        peers: usize::from(limits.peers % 6),
        backlog: usize::from(limits.backlog % 6),
        per_host: usize::from(limits.per_host % 6),
        per_address: usize::from(limits.per_address % 6),
        busy: (limits.per_address >= 128)
            .then_some(Busy { after: Duration::from_millis(limits.backlog.into()), code: 7 }),
        retry: limits.retry,
    };
    if limits.peers < 128 {
        run::<HeapTables>(start, config, input);
    } else {
        run::<SmallTables>(start, config, input);
    }
}

fn run<M: TableMemory>(start: Start, config: ListenerConfig, mut input: Unstructured<'_>) {
    let mut run = Run::<M>::new(start, Listener::new(Instant::ZERO, config, [1; 48]));
    while let Ok(call) = Call::arbitrary(&mut input) {
        run.make(&call);
        run.check();
        if input.is_empty() {
            break;
        }
    }
    run.end();
}

struct Run<M: TableMemory> {
    start: Start,
    machine: Machine<M>,
    now: Instant,
    pending: Vec<Incoming<FuzzAddress>>,
    /// The connections that were accepted and not released.
    ids: Vec<PeerId>,
    /// The tags that the listener announced in CONNACK.
    tags: Vec<Tag>,
    /// The cookies in RETRYs of the listener.
    cookies: Vec<Vec<u8>>,
    /// The nonces in PROBEs of the listener.
    nonces: Vec<u64>,
    traffic: [Traffic; ADDRESSES as usize],
    /// The number of received datagrams.
    datagrams: u64,
    /// The number of received datagrams that were dispatched to a connection.
    delivered: u64,
}

/// The bytes received from an address and sent to it.
#[derive(Clone, Copy, Default)]
struct Traffic {
    received: usize,
    sent: usize,
    /// Whether the address is validated. The bound on sent bytes then no longer applies.
    validated: bool,
}

impl<M: TableMemory> Run<M> {
    fn new(start: Start, machine: Machine<M>) -> Self {
        let (pending, ids, traffic) = (Vec::new(), Vec::new(), Default::default());
        let (tags, cookies, nonces) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            start,
            machine,
            now: Instant::ZERO,
            pending,
            ids,
            tags,
            cookies,
            nonces,
            traffic,
            datagrams: 0,
            delivered: 0,
        }
    }

    fn make(&mut self, call: &Call<'_>) {
        let now = self.now;
        match *call {
            Call::Datagram { from, datagram } => self.receive(from, datagram),
            Call::Packet { from, tag, packet } => {
                let tag = tag.and_then(|tag| pick(&self.tags, tag).copied());
                self.receive_packet(from, tag, packet);
            }
            Call::Connect { from, parameters, cookie } => self.connect(from, parameters, cookie),
            Call::Echo { from, probe } => {
                let Some(&nonce) = pick(&self.nonces, probe) else { return };
                for tag in self.tags.clone() {
                    self.receive_packet(from, Some(tag), Packet::Echo { nonce, counter: 0 });
                }
            }
            Call::Timeout { later_us } => self.pass(now + Duration::from_micros(later_us.into())),
            Call::TimeoutWhenDue => self.pass(self.machine.poll_timeout().unwrap_or(now)),
            Call::Transmit { room } => drop(self.transmit(usize::from(room).min(ROOM), 1)),
            Call::TransmitBatch { most } => drop(self.transmit(4 * ROOM, usize::from(most % 8))),
            Call::Event => drop(self.machine.poll_event()),
            Call::Incoming => {
                let expected = self.machine.has_incoming();
                let incoming = self.machine.poll_incoming();
                assert_eq!(incoming.is_some(), expected);
                assert!(
                    !expected || self.machine.len() < self.max_peers(),
                    "a client must be announced only while there is room"
                );
                self.pending.extend(incoming);
            }
            Call::Accept(which) => self.accept(which),
            Call::Refuse(which, code) => {
                if let Some(incoming) = take(&mut self.pending, which) {
                    self.machine.refuse(incoming, code);
                }
            }
            Call::Ignore(which) => {
                if let Some(incoming) = take(&mut self.pending, which) {
                    self.machine.ignore(incoming);
                }
            }
            Call::StopAccepting(code) => self.machine.stop_accepting(code),
            Call::RotateKey(key) => self.machine.rotate_cookie_key([key; 16]),
            Call::Release(which) => {
                let Some(&id) = pick(&self.ids, which) else { return };
                self.machine.release(now, id);
                assert!(self.machine.peer(id).is_none());
                self.ids.retain(|&held| held != id);
            }
            Call::Reclaim(which) => {
                let Some(&id) = pick(&self.ids, which) else { return };
                let back = self.machine.reclaim(now, id).is_some();
                assert_eq!(back, self.machine.peer(id).is_none());
                self.ids.retain(|&held| held != id || !back);
            }
            Call::Send(which, data) => self.with(which, |peer| {
                assert!(peer.send(data).is_ok_and(|count| count <= data.len()) || peer.send_slot().is_err());
            }),
            Call::Recv(which) => self.with(which, |peer| assert!(peer.recv(&mut [0; ROOM]) <= ROOM)),
            Call::Close(which) => self.with(which, Connection::close),
            Call::Abort(which) => self.with(which, |peer| peer.abort(which)),
        }
    }

    fn with(&mut self, which: u8, call: impl FnOnce(&mut Connection<Stores>)) {
        let Some(&id) = pick(&self.ids, which) else { return };
        assert!(self.machine.peer(id).is_some(), "{id:?} must stay until its release");
        if let Some(peer) = self.machine.peer_mut(id) {
            call(peer);
        }
    }

    fn receive(&mut self, from: u8, datagram: &[u8]) {
        let from = FuzzAddress(from % ADDRESSES);
        let Some(traffic) = self.traffic.get_mut(usize::from(from.0)) else { return };
        traffic.received += datagram.len();
        let before = self.machine.stats().validated;
        self.datagrams += 1;
        let dispatch = self.machine.handle_datagram(self.now, from, datagram);
        self.delivered += u64::from(matches!(dispatch, Dispatch::Peer(..)));
        traffic.validated |= self.machine.stats().validated > before;
        if let Dispatch::Peer(id, Handled::Accepted) = dispatch
            && !datagram.starts_with(self.machine.config().connection.framing.prefix())
        {
            // The address has answered a PROBE.
            traffic.validated |= is_echo(datagram);
            // The peer learned the tag from CONNACK. A copy from another address shows so as well.
            if let Some(address) = self.machine.address(id)
                && let Some(traffic) = self.traffic.get_mut(usize::from(address.0))
            {
                traffic.validated = true;
            }
        }
    }

    fn receive_packet(&mut self, from: u8, tag: Option<Tag>, packet: Packet<'_>) {
        let mut datagram = [0; 2_048];
        let framing = tag.map_or(self.machine.config().connection.framing, Framing::tagged);
        if let Ok(len) = packet.encode(&framing, &mut datagram) {
            self.receive(from, datagram.get(..len).unwrap_or_default());
        }
    }

    fn connect(&mut self, from: u8, parameters: AnyParameters, cookie: u8) {
        let mut list = [0; 2 * MIN_CONNECT];
        let cookie = pick(&self.cookies, cookie).cloned();
        let options = parameters.parameters().tag.and_then(|tag| {
            let options = OptionsWriter::new(&mut list).version(parameters.parameters().version.max(1)).ok()?;
            let options = options.tag(tag).ok()?;
            let options = if let Some(cookie) = cookie { options.cookie(&cookie).ok()? } else { options };
            Some(options.pad_to(MIN_CONNECT).ok()?.finish())
        });
        self.receive_packet(from, None, Packet::Connect(options.unwrap_or(Options::NONE)));
    }

    fn pass(&mut self, until: Instant) {
        self.now = self.now.max(until);
        self.machine.handle_timeout(self.now);
    }

    fn accept(&mut self, which: u8) {
        let Some(incoming) = take(&mut self.pending, which) else { return };
        let (storage, address) = (self.start.storage(), incoming.address());
        match self.machine.accept(self.now, incoming, ENTROPY, || storage.ok_or(StoreError::EmptySegment)) {
            Ok(id) => {
                assert_eq!(self.machine.address(id), Some(address));
                assert!(
                    self.ids.iter().all(|held| held.index() != id.index()),
                    "each connection must have its own index"
                );
                self.ids.push(id);
            }
            Err(AcceptError::Full) => assert!(self.machine.len() >= self.max_peers()),
            Err(AcceptError::Gone | AcceptError::Storage(_)) => {}
        }
    }

    /// Writes a batch. Checks that the batch was due, and that its address receives no more bytes than allowed.
    ///
    /// Returns whether a datagram was pending.
    fn transmit(&mut self, room: usize, most: usize) -> bool {
        let due = self.machine.poll_timeout();
        let mut buf = [0; 4 * ROOM];
        let (to, len) = match self.machine.poll_transmit_batch(self.now, most, buf.get_mut(..room).unwrap_or_default())
        {
            Ok(None) => return false,
            Ok(Some((to, transmit))) => (to, transmit.len),
            Err(error) => {
                assert!(error.needed > room && error.needed <= ROOM);
                return true;
            }
        };
        assert!(due.is_some_and(|due| due <= self.now), "a datagram must not leave before poll_timeout is due");
        let datagram = buf.get(..len).unwrap_or_default();
        self.learn(datagram);
        if let Some(traffic) = self.traffic.get_mut(usize::from(to.0)) {
            traffic.sent += len;
            let Traffic { received, sent, validated } = *traffic;
            let bound = self.start.mode == Mode::Extended && self.start.peer == Peer::RdtProto;
            assert!(
                validated || !bound || sent <= received,
                "the unvalidated {to:?} got {sent} bytes, but sent only {received}"
            );
        }
        true
    }

    /// Records the tag, cookie or nonce in a datagram of the listener.
    fn learn(&mut self, datagram: &[u8]) {
        let Some(&tag) = datagram.first_chunk() else { return };
        match Framing::tagged(Tag::new(tag)).decode(datagram) {
            Ok(Packet::ConnAck(options)) => self.tags.extend(options.tag()),
            Ok(Packet::Retry { cookie }) => self.cookies.push(cookie.to_vec()),
            Ok(Packet::Probe { nonce, .. }) => self.nonces.push(nonce),
            Ok(_) | Err(_) => {}
        }
    }

    fn drain(&mut self) {
        let mut count = 0;
        while self.transmit(4 * ROOM, 8) {
            count += 1;
            assert!(count < 4_000, "poll_transmit must return None within 4,000 calls");
        }
    }

    /// Releases all connections, and checks that the listener becomes empty.
    fn end(mut self) {
        for id in std::mem::take(&mut self.ids) {
            self.machine.release(self.now, id);
        }
        self.machine.stop_accepting(0);
        let mut steps = 0;
        while let Some(due) = self.machine.poll_timeout() {
            self.pass(due);
            self.drain();
            steps += 1;
            assert!(steps < 1_000, "the listener must become empty within 1,000 timeouts");
        }
        assert!(self.machine.is_empty(), "a listener without a deadline must be empty: {:?}", self.machine);
        // In an empty listener, the counts of each host and of the backlog must be zero.
        self.machine.check_invariants();
    }
}

/// Whether a tagged datagram is an ECHO.
fn is_echo(datagram: &[u8]) -> bool {
    let tag = datagram.first_chunk().map(|tag| Tag::new(*tag));
    tag.is_some_and(|tag| matches!(Framing::tagged(tag).decode(datagram), Ok(Packet::Echo { .. })))
}

fn pick<T>(items: &[T], which: u8) -> Option<&T> {
    items.get(usize::from(which).checked_rem(items.len())?)
}

fn take<T>(items: &mut Vec<T>, which: u8) -> Option<T> {
    let index = usize::from(which).checked_rem(items.len())?;
    Some(items.swap_remove(index))
}
