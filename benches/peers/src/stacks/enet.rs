//! rusty_enet over a socket in memory.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use rusty_enet::{Event, Host, HostSettings, MTU_MAX, Packet, PacketReceived, PeerID, Socket};

use crate::stack::{Control, Endpoint, MILLI, Nanos, Output, Settings, Stack, Take};

pub struct Enet;

/// The space for headers in a datagram, in bytes: 4 for the protocol header, 24 for the longest command.
///
/// rusty_enet fragments a packet that does not fit the rest of the datagram.
const HEADERS: usize = 28;

#[derive(Default)]
struct Memory {
    rx: VecDeque<Vec<u8>>,
    tx: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    sent: u64,
}

impl Socket for Memory {
    type Address = ();
    type Error = Infallible;

    fn send(&mut self, _: (), datagram: &[u8]) -> Result<usize, Infallible> {
        let mut buf = self.spare.pop().unwrap_or_default();
        buf.clear();
        buf.extend_from_slice(datagram);
        self.sent += datagram.len() as u64;
        self.tx.push_back(buf);
        Ok(datagram.len())
    }

    fn receive(&mut self, buffer: &mut [u8; MTU_MAX]) -> Result<Option<((), PacketReceived)>, Infallible> {
        let Some(datagram) = self.rx.pop_front() else {
            return Ok(None);
        };
        buffer[..datagram.len()].copy_from_slice(&datagram);
        let len = datagram.len();
        self.spare.push(datagram);
        Ok(Some(((), PacketReceived::Complete(len))))
    }
}

struct End {
    host: Host<Memory>,
    clock: Rc<Cell<Nanos>>,
    peer: Option<PeerID>,
    connected: bool,
    tolerant: bool,
    message: usize,
    window: u64,
    queued: u64,
    arrived: VecDeque<(Packet, usize)>,
}

impl Stack for Enet {
    fn name(&self) -> &'static str {
        "rusty_enet"
    }

    fn options(&self, control: Control) -> String {
        format!(
            "one reliable channel, packets of one datagram, no checksum, no compression, {}, serviced every ms",
            if control == Control::Default { "default throttle" } else { "throttle never lowered (deceleration 0)" }
        )
    }

    fn largest_datagram(&self) -> usize {
        rusty_enet::consts::PROTOCOL_MAXIMUM_MTU
    }

    fn smallest_datagram(&self) -> usize {
        rusty_enet::consts::PROTOCOL_MINIMUM_MTU
    }

    fn has_tolerant(&self) -> bool {
        true
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let end = |connect: bool| -> Option<Box<dyn Endpoint>> {
            let clock = Rc::new(Cell::new(0));
            let time = clock.clone();
            let mut host = Host::new(
                Memory::default(),
                HostSettings {
                    peer_limit: 1,
                    channel_limit: 1,
                    time: Box::new(move || Duration::from_nanos(time.get())),
                    seed: Some(1 + connect as u32),
                    ..Default::default()
                },
            )
            .ok()?;
            host.set_mtu(s.datagram as u16).ok()?;
            let peer = if connect { Some(host.connect((), 1, 0).ok()?.id()) } else { None };
            Some(Box::new(End {
                host,
                clock,
                peer,
                connected: false,
                tolerant: s.control == Control::Tolerant,
                message: s.datagram - HEADERS,
                window: s.window as u64,
                queued: 0,
                arrived: VecDeque::new(),
            }))
        };
        Some((end(true)?, end(false)?))
    }
}

impl Endpoint for End {
    fn ready(&mut self) -> bool {
        self.connected
    }

    fn write(&mut self, _: Nanos, data: &[u8]) -> usize {
        let Some(peer) = self.peer else { return 0 };
        let mut taken = 0;
        while taken < data.len() && self.queued < self.host.socket().sent + self.window {
            let n = (data.len() - taken).min(self.message);
            let packet = Packet::reliable(&data[taken..taken + n]);
            if self.host.peer_mut(peer).send(0, &packet).is_err() {
                break;
            }
            self.queued += n as u64;
            taken += n;
        }
        taken
    }

    fn read(&mut self, _: Nanos, out: &mut [u8]) -> usize {
        let Some((packet, read)) = self.arrived.front_mut() else {
            return 0;
        };
        let left = &packet.data()[*read..];
        let n = left.len().min(out.len());
        out[..n].copy_from_slice(&left[..n]);
        *read += n;
        if *read == packet.data().len() {
            self.arrived.pop_front();
        }
        n
    }

    fn input(&mut self, _: Nanos, datagram: &[u8], _: Take<'_>) {
        let socket = self.host.socket_mut();
        let mut buf = socket.spare.pop().unwrap_or_default();
        buf.clear();
        buf.extend_from_slice(datagram);
        socket.rx.push_back(buf);
    }

    fn service(&mut self, now: Nanos) {
        self.clock.set(now);
        while let Ok(Some(event)) = self.host.service() {
            match event {
                Event::Connect { peer, .. } => {
                    // Scenarios with loss are long, so a peer must not time out.
                    peer.set_timeout(1 << 20, 600_000, 600_000);
                    if self.tolerant {
                        peer.set_throttle(1000, 32, 0);
                    }
                    self.peer = Some(peer.id());
                    self.connected = true;
                    self.queued = self.host.socket().sent;
                }
                Event::Receive { packet, .. } => self.arrived.push_back((packet, 0)),
                Event::Disconnect { .. } => self.connected = false,
            }
        }
    }

    fn output(&mut self, _: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        let socket = self.host.socket_mut();
        let ready = socket.tx.pop_front()?;
        let spare = std::mem::replace(out, ready);
        socket.spare.push(spare);
        Some(Output::one(out.len()))
    }

    fn deadline(&mut self, now: Nanos) -> Option<Nanos> {
        Some((now / MILLI + 1) * MILLI)
    }

    fn tick(&mut self, now: Nanos) {
        self.service(now);
    }

    fn trim(&mut self) {
        self.host.socket_mut().spare = Vec::new();
        self.arrived = VecDeque::new();
    }
}
