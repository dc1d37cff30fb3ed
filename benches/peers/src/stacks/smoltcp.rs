//! smoltcp: TCP over IPv4 between two interfaces, which a device in memory connects.

use std::collections::VecDeque;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::stack::{Control, Endpoint, MICRO, Nanos, Output, Settings, Stack, Take};

pub struct Smoltcp {
    pub checksums: bool,
}

struct End {
    iface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    mtu: usize,
    checksums: bool,
    /// The replies that smoltcp made while it handled a packet.
    replies: VecDeque<Vec<u8>>,
}

/// A device that contains at most one packet to receive, and room for one packet to send.
struct Wire<'a> {
    mtu: usize,
    checksums: bool,
    rx: Option<&'a [u8]>,
    tx: Option<&'a mut Vec<u8>>,
    sent: bool,
}

struct Rx<'a>(&'a [u8]);
struct Tx<'a>(&'a mut Vec<u8>, &'a mut bool);

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // Old content is not zeroed, because zeroing is not a cost of the stack.
        self.0.resize(len, 0);
        *self.1 = true;
        f(self.0)
    }
}

impl Device for Wire<'_> {
    type RxToken<'b>
        = Rx<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Tx<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        let rx = self.rx.take()?;
        Some((Rx(rx), Tx(self.tx.as_deref_mut()?, &mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        if self.sent {
            return None;
        }
        Some(Tx(self.tx.as_deref_mut()?, &mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ip;
        caps.max_transmission_unit = self.mtu;
        if !self.checksums {
            caps.checksum = ChecksumCapabilities::ignored();
        }
        caps
    }
}

fn at(now: Nanos) -> Instant {
    Instant::from_micros((now / MICRO) as i64)
}

impl Smoltcp {
    fn end(&self, s: &Settings, own: u8) -> End {
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = 1 + own as u64;
        let mut wire = Wire { mtu: s.datagram, checksums: self.checksums, rx: None, tx: None, sent: false };
        let mut iface = Interface::new(config, &mut wire, at(0));
        iface.update_ip_addrs(|addrs| {
            addrs.push(IpCidr::new(IpAddress::v4(10, 0, 0, own), 24)).expect("the list has room for one address");
        });
        let buffer = || SocketBuffer::new(vec![0u8; s.window]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_congestion_control(match s.control {
            Control::Default => CongestionControl::Cubic,
            Control::Tolerant => CongestionControl::None,
        });
        socket.set_nagle_enabled(false);
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        End { iface, sockets, handle, mtu: s.datagram, checksums: self.checksums, replies: VecDeque::new() }
    }
}

impl Stack for Smoltcp {
    fn name(&self) -> &'static str {
        if self.checksums { "smoltcp+checksum" } else { "smoltcp" }
    }

    fn options(&self, control: Control) -> String {
        format!(
            "TCP/IPv4, {} congestion control, Nagle off, ack delay 10 ms (default), 32 holes, checksums {}",
            if control == Control::Default { "Cubic" } else { "no" },
            if self.checksums { "made and checked" } else { "off" },
        )
    }

    fn lower_headers(&self) -> usize {
        0
    }

    fn has_tolerant(&self) -> bool {
        true
    }

    fn is_simulated(&self) -> bool {
        !self.checksums
    }

    fn window_limited(&self, control: Control) -> bool {
        control == Control::Tolerant
    }

    fn connection_bytes(&self) -> Option<usize> {
        Some(size_of::<Socket<'static>>())
    }

    fn lent_bytes(&self, s: &Settings) -> usize {
        2 * s.window
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let mut a = self.end(s, 1);
        let mut b = self.end(s, 2);
        b.sockets.get_mut::<Socket>(b.handle).listen(7000).ok()?;
        let socket = a.sockets.get_mut::<Socket>(a.handle);
        socket.connect(a.iface.context(), (IpAddress::v4(10, 0, 0, 2), 7000), 40_000).ok()?;
        Some((Box::new(a), Box::new(b)))
    }
}

impl Endpoint for End {
    fn ready(&mut self) -> bool {
        self.sockets.get::<Socket>(self.handle).state() == State::Established
    }

    fn write(&mut self, _: Nanos, data: &[u8]) -> usize {
        self.sockets.get_mut::<Socket>(self.handle).send_slice(data).unwrap_or(0)
    }

    fn read(&mut self, _: Nanos, out: &mut [u8]) -> usize {
        self.sockets.get_mut::<Socket>(self.handle).recv_slice(out).unwrap_or(0)
    }

    fn input(&mut self, now: Nanos, datagram: &[u8], _: Take<'_>) {
        let mut reply = Vec::new();
        let mut wire =
            Wire { mtu: self.mtu, checksums: self.checksums, rx: Some(datagram), tx: Some(&mut reply), sent: false };
        self.iface.poll_ingress_single(at(now), &mut wire, &mut self.sockets);
        if !reply.is_empty() {
            self.replies.push_back(reply);
        }
    }

    fn service(&mut self, now: Nanos) {
        self.iface.poll_maintenance(at(now));
    }

    fn output(&mut self, now: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        if let Some(reply) = self.replies.pop_front() {
            *out = reply;
            return Some(Output::one(out.len()));
        }
        let mut wire = Wire { mtu: self.mtu, checksums: self.checksums, rx: None, tx: Some(out), sent: false };
        self.iface.poll_egress(at(now), &mut wire, &mut self.sockets);
        let sent = wire.sent;
        sent.then(|| Output::one(out.len()))
    }

    fn deadline(&mut self, now: Nanos) -> Option<Nanos> {
        let when = self.iface.poll_at(at(now), &self.sockets)?;
        Some((when.total_micros().max(0) as u64) * MICRO)
    }

    fn tick(&mut self, now: Nanos) {
        self.service(now);
    }
}
