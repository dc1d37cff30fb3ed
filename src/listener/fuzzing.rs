//! What must hold for any calls on a listener in any order: the body of the fuzz target `listener`, which a property
//! test calls too.

use super::address_state::HostQuota;
use super::{
    AcceptError, Address, Dispatch, FixedTables, HeapTables, Incoming, Listener, ListenerConfig, PeerId, Retry,
    TableMemory,
};
use crate::connection::fuzzing::{AnyHello, Mechanism, ROOM, Start};
use crate::connection::{Connection, Handled, Mode, Peer};
use crate::store::{RecvSlots, SendSlots};
use crate::wire::{Framing, MIN_CONNECT, Options, OptionsWriter, Packet, Tag};
use crate::{Duration, Instant};
use arbitrary::{Arbitrary, Unstructured};
use std::vec::Vec;

/// One call. Addresses and names are few, so that they meet.
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
        hello: AnyHello,
        cookie: u8,
    },
    /// What was asked for at an address is echoed from there, or from another.
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

type Send = SendSlots<Vec<u8>>;
type Recv = RecvSlots<Vec<u8>>;
type Machine<M> = Listener<Nearby, Send, Recv, M, Mechanism>;
/// Less than the limits ask for at most.
type Tight = FixedTables<4>;

/// An address: two of each host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Nearby(u8);

impl Address for Nearby {
    type Host = u8;

    fn host(&self) -> u8 {
        self.0 / 2
    }
}

/// All connections have the same, so that nothing may depend on it.
const ENTROPY: [u8; 32] = [3; 32];
const ADDRESSES: u8 = 12;

/// Makes the calls that `bytes` describe on a listener, and checks after each what a listener promises; at last that it
/// becomes empty once everything was released.
///
/// # Panics
///
/// A promise is broken.
pub fn any_order(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok((start, limits)) = <(Start, Limits)>::arbitrary(&mut input) else { return };
    let config = ListenerConfig {
        connection: start.config(),
        peers: usize::from(limits.peers % 6),
        backlog: usize::from(limits.backlog % 6),
        per_host: usize::from(limits.per_host % 6),
        per_address: usize::from(limits.per_address % 6),
        retry: limits.retry,
    };
    if limits.peers < 128 {
        run::<HeapTables>(start, config, input);
    } else {
        run::<Tight>(start, config, input);
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
    pending: Vec<Incoming<Nearby>>,
    /// Those that were accepted and not given back.
    ids: Vec<PeerId>,
    /// What was learnt from what the listener sent: tags, cookies, nonces.
    tags: Vec<Tag>,
    cookies: Vec<Vec<u8>>,
    nonces: Vec<u64>,
    ledger: [Account; ADDRESSES as usize],
    /// How many datagrams came, and how many of them went to a connection.
    datagrams: u64,
    delivered: u64,
}

/// What went to an address, and came from it, until somebody has shown to receive there.
#[derive(Clone, Copy, Default)]
struct Account {
    received: usize,
    sent: usize,
    validated: bool,
}

impl<M: TableMemory> Run<M> {
    fn new(start: Start, machine: Machine<M>) -> Self {
        let (pending, ids, ledger) = (Vec::new(), Vec::new(), Default::default());
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
            ledger,
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
            Call::Connect { from, hello, cookie } => self.connect(from, hello, cookie),
            Call::Echo { from, probe } => {
                let Some(&nonce) = pick(&self.nonces, probe) else { return };
                for tag in self.tags.clone() {
                    self.receive_packet(from, Some(tag), Packet::Echo { nonce });
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
                assert!(!expected || self.machine.len() < self.most(), "there is no room");
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

    fn with(&mut self, which: u8, call: impl FnOnce(&mut Connection<Send, Recv, Mechanism>)) {
        let Some(&id) = pick(&self.ids, which) else { return };
        assert!(self.machine.peer(id).is_some(), "{id:?} was not given back");
        if let Some(peer) = self.machine.peer_mut(id) {
            call(peer);
        }
    }

    fn receive(&mut self, from: u8, datagram: &[u8]) {
        let from = Nearby(from % ADDRESSES);
        let Some(account) = self.ledger.get_mut(usize::from(from.0)) else { return };
        account.received += datagram.len();
        let before = self.machine.stats().validated;
        self.datagrams += 1;
        let dispatch = self.machine.handle_datagram(self.now, from, datagram);
        self.delivered += u64::from(matches!(dispatch, Dispatch::Peer(..)));
        if let Dispatch::Peer(id, Handled::Accepted) = dispatch {
            let tagged = !datagram.starts_with(self.machine.config.connection.framing.prefix());
            account.validated |= tagged && self.machine.address(id) == Some(from);
        }
        account.validated |= self.machine.stats().validated > before;
    }

    fn receive_packet(&mut self, from: u8, tag: Option<Tag>, packet: Packet<'_>) {
        let mut datagram = [0; 2_048];
        let framing = tag.map_or(self.machine.config.connection.framing, Framing::tagged);
        if let Ok(len) = packet.encode(&framing, &mut datagram) {
            self.receive(from, datagram.get(..len).unwrap_or_default());
        }
    }

    fn connect(&mut self, from: u8, hello: AnyHello, cookie: u8) {
        let mut list = [0; 2 * MIN_CONNECT];
        let cookie = pick(&self.cookies, cookie).cloned();
        let options = hello.hello().tag.and_then(|tag| {
            let options = OptionsWriter::new(&mut list).tag(tag).ok()?;
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
        match self.machine.accept(self.now, incoming, ENTROPY, || storage.ok_or(())) {
            Ok(id) => {
                assert_eq!(self.machine.address(id), Some(address));
                assert!(self.ids.iter().all(|held| held.index() != id.index()), "a place is given twice");
                self.ids.push(id);
            }
            Err(AcceptError::Full) => assert!(self.machine.len() >= self.most()),
            Err(AcceptError::Gone | AcceptError::Storage(())) => {}
        }
    }

    /// What was sent was due, and no more than the address may get.
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
        assert!(due.is_some_and(|due| due <= self.now), "poll_timeout kept silent about what was to be sent");
        let datagram = buf.get(..len).unwrap_or_default();
        self.learn(datagram);
        if let Some(account) = self.ledger.get_mut(usize::from(to.0)) {
            account.sent += len;
            let Account { received, sent, validated } = *account;
            let bound = self.start.mode == Mode::Extended && self.start.peer == Peer::RdtProto;
            assert!(validated || !bound || sent <= received, "{sent} bytes to {to:?}, of which {received} came");
        }
        true
    }

    fn learn(&mut self, datagram: &[u8]) {
        let Some(&tag) = datagram.first_chunk() else { return };
        match Framing::tagged(Tag::new(tag)).decode(datagram) {
            Ok(Packet::ConnAck(options)) => self.tags.extend(options.tag()),
            Ok(Packet::Retry { cookie }) => self.cookies.push(cookie.to_vec()),
            Ok(Packet::Probe { nonce, .. }) => self.nonces.push(nonce),
            Ok(_) | Err(_) => {}
        }
    }

    /// After a timeout and a drain the next deadline lies in the future: on a copy, so that the calls stay as
    /// described.
    fn check(&self) {
        let mut copy = Self { ledger: self.ledger, now: self.now, ..Self::new(self.start, self.machine.clone()) };
        copy.pass(copy.now);
        copy.drain();
        let due = copy.machine.poll_timeout();
        assert!(due.is_none_or(|due| due > copy.now), "due at {due:?} after everything was done at {:?}", copy.now);
        let config = &self.machine.config;
        assert!(self.machine.len() <= self.most() && self.ids.len() <= self.machine.len());
        assert!(self.machine.backlog_len() <= config.backlog.min(M::CAPACITY));
        assert!(self.machine.half_open() <= config.backlog);
        assert_eq!(self.machine.peers().count(), self.ids.len());
        self.check_stats();
        (0..ADDRESSES).for_each(|address| self.check_limits_at(Nearby(address)));
    }

    /// How many connections there may be.
    fn most(&self) -> usize {
        self.machine.config.peers.min(M::CAPACITY)
    }

    /// The counters explain everything.
    fn check_stats(&self) {
        let stats = self.machine.stats();
        let (ignored, pending) = (stats.dropped.total(), self.machine.backlog_len() as u64);
        assert_eq!(self.datagrams, self.delivered + stats.queued + stats.repeated + stats.retried + ignored);
        let left = stats.accepted + stats.refused + stats.dismissed + stats.expired + stats.evicted_pending;
        assert_eq!(stats.queued, left + pending);
    }

    /// Neither an address nor its host has more than it may.
    fn check_limits_at(&self, address: Nearby) {
        let ListenerConfig { per_host, per_address, .. } = self.machine.config;
        let (peers, backlog) = (&self.machine.peers, &self.machine.backlog);
        // One that was evicted stays until it is released, and its address in quarantine, in the place of no other.
        let evicted = |peer: &super::peers::Peer<_, Connection<_, _, _>>| {
            !peer.state().is_validated() && peer.connection().is_none_or(|connection| connection.ended().is_some())
        };
        let here = peers.iter().filter(|(_, peer)| peer.address == address && !evicted(peer)).count();
        assert!(here + backlog.count_at(address) <= per_address, "{here} connections at {address:?}");
        assert!(peers.count_at(address) + backlog.count_at(address) <= 2 * per_address);

        let host = address.host();
        let of_host = |quota| {
            let theirs = peers.iter().filter(|(_, peer)| peer.address.host() == host);
            let count = theirs.filter(|(_, peer)| peer.state().quotas().host == Some(quota)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        // A place is kept for one that has moved away and may return.
        let reserved = peers.validations().filter_map(super::path_validation::PathValidation::reserved);
        let moved = u32::try_from(reserved.filter(|address| address.host() == host).count()).unwrap_or(u32::MAX);
        let (counted, pending) = (peers.of_host(host), backlog.of_host(host));
        let (validated, unvalidated) = (of_host(HostQuota::Validated), of_host(HostQuota::Unvalidated));
        assert_eq!((validated + moved, unvalidated), (counted.validated, counted.unvalidated), "host {host}");
        assert!((counted.validated + pending.validated) as usize <= per_host, "validated ones of host {host}");
        assert!((counted.unvalidated + pending.unvalidated) as usize <= per_host, "others of host {host}");
    }

    fn drain(&mut self) {
        let mut count = 0;
        while self.transmit(4 * ROOM, 8) {
            count += 1;
            assert!(count < 4_000, "sends without end");
        }
    }

    /// Nothing stays for ever once nobody needs it.
    fn end(mut self) {
        for id in core::mem::take(&mut self.ids) {
            self.machine.release(self.now, id);
        }
        self.machine.stop_accepting(0);
        let mut steps = 0;
        while let Some(due) = self.machine.poll_timeout() {
            self.pass(due);
            self.drain();
            steps += 1;
            assert!(steps < 1_000, "never ends");
        }
        assert!(self.machine.is_empty(), "{:?} stays without a deadline", self.machine);
        for host in 0..ADDRESSES {
            assert_eq!(self.machine.of_host(host).all(), 0, "host {host}");
        }
        assert_eq!(self.machine.half_open(), 0);
    }
}

fn pick<T>(items: &[T], which: u8) -> Option<&T> {
    items.get(usize::from(which).checked_rem(items.len())?)
}

fn take<T>(items: &mut Vec<T>, which: u8) -> Option<T> {
    let index = usize::from(which).checked_rem(items.len())?;
    Some(items.swap_remove(index))
}
