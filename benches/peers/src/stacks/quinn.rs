//! quinn-proto with TLS, or with packet keys that do not encrypt.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use quinn_proto::crypto;
use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint as QuicEndpoint, EndpointConfig, Event, StreamEvent,
    StreamId, TransportConfig, VarInt,
};

use super::quinn_null_keys::{NullClient, NullServer};
use super::tls::tls;
use crate::stack::{Control, Endpoint, Nanos, Output, Settings, Stack, Take};

pub struct Quinn {
    pub null_crypto: bool,
}

/// The largest initial datagram size.
///
/// The length field of a handshake packet has 14 bits. A larger size is only reached by probing after the handshake.
const LONG_HEADER_LIMIT: u16 = 8_192;

/// The transport options for all commands.
pub fn transport(datagram: u16, window: usize, control: Control) -> TransportConfig {
    let mut t = TransportConfig::default();
    let discovery = (datagram > LONG_HEADER_LIMIT).then(|| {
        let mut d = quinn_proto::MtuDiscoveryConfig::default();
        d.upper_bound(datagram).minimum_change(64);
        d
    });
    let window = VarInt::from_u64(window as u64).unwrap_or(VarInt::MAX);
    t.stream_receive_window(window)
        .receive_window(window)
        .send_window(window.into_inner())
        .initial_mtu(datagram.min(LONG_HEADER_LIMIT))
        .mtu_discovery_config(discovery)
        .max_idle_timeout(None);
    if control == Control::Tolerant {
        t.congestion_controller_factory(Arc::new(quinn_proto::congestion::BbrConfig::default()));
    }
    t
}

struct End {
    base: Instant,
    endpoint: QuicEndpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    remote: SocketAddr,
    ready: bool,
    client: bool,
    stream: Option<StreamId>,
    extra: VecDeque<Vec<u8>>,
    scratch: Vec<u8>,
}

fn address(n: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 4400 + n))
}

impl Stack for Quinn {
    fn name(&self) -> &'static str {
        if self.null_crypto { "quinn-proto no-crypto" } else { "quinn-proto" }
    }

    fn options(&self, control: Control) -> String {
        format!(
            "one unidirectional stream, {}, fixed MTU, idle timeout off, up to 10 datagrams per transmit, {}",
            if control == Control::Default { "Cubic (default)" } else { "BBR" },
            if self.null_crypto {
                "TLS handshake, but handshake and 1-RTT keys that do not encrypt (no tag)"
            } else {
                "rustls with ring"
            }
        )
    }

    fn has_tolerant(&self) -> bool {
        true
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn takes_paths(&self, _: bool) -> bool {
        !self.null_crypto
    }

    /// QUIC needs datagrams of 1,200 bytes (RFC 9000 §14).
    fn smallest_datagram(&self) -> usize {
        1_200
    }

    fn memory_window(&self) -> usize {
        512 * 1024
    }

    fn connection_bytes(&self) -> Option<usize> {
        Some(size_of::<Connection>())
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let base = Instant::now();
        let (client, server) = tls();
        let client = Arc::new(QuicClientConfig::try_from(client).ok()?);
        let server = Arc::new(QuicServerConfig::try_from(server).ok()?);
        let transport = Arc::new(transport(s.datagram as u16, s.window, s.control));
        let probing = s.datagram > LONG_HEADER_LIMIT as usize;
        let mut config = EndpointConfig::default();
        config.max_udp_payload_size(s.datagram.max(1472) as u16).ok()?;
        config.rng_seed(Some([7; 32]));
        let config = Arc::new(config);

        let server_crypto: Arc<dyn crypto::ServerConfig> =
            if self.null_crypto { Arc::new(NullServer(server)) } else { server };
        let mut server = quinn_proto::ServerConfig::with_crypto(server_crypto);
        server.transport_config(transport.clone());

        let client_crypto: Arc<dyn crypto::ClientConfig> =
            if self.null_crypto { Arc::new(NullClient(client)) } else { client };
        let mut client = quinn_proto::ClientConfig::new(client_crypto);
        client.transport_config(transport);

        let end = |endpoint, connection, remote, client| End {
            base,
            endpoint,
            connection,
            remote,
            ready: false,
            client,
            stream: None,
            extra: VecDeque::new(),
            scratch: Vec::new(),
        };
        let mut endpoint = QuicEndpoint::new(config.clone(), None, probing, None);
        let made = endpoint.connect(base, client, address(2), "localhost").ok()?;
        let a = end(endpoint, Some(made), address(2), true);
        let endpoint = QuicEndpoint::new(config, Some(Arc::new(server)), probing, None);
        let b = end(endpoint, None, address(1), false);
        Some((Box::new(a), Box::new(b)))
    }
}

impl End {
    fn at(&self, now: Nanos) -> Instant {
        self.base + Duration::from_nanos(now)
    }
}

impl Endpoint for End {
    fn ready(&mut self) -> bool {
        self.ready
    }

    fn write(&mut self, _: Nanos, data: &[u8]) -> usize {
        let (Some((_, c)), Some(id)) = (self.connection.as_mut(), self.stream) else {
            return 0;
        };
        c.send_stream(id).write(data).unwrap_or(0)
    }

    fn read(&mut self, _: Nanos, out: &mut [u8]) -> usize {
        let Some((_, c)) = self.connection.as_mut() else {
            return 0;
        };
        if self.stream.is_none() {
            self.stream = c.streams().accept(Dir::Uni);
        }
        let Some(id) = self.stream else { return 0 };
        let mut stream = c.recv_stream(id);
        let Ok(mut chunks) = stream.read(true) else {
            return 0;
        };
        let mut filled = 0;
        while filled < out.len() {
            match chunks.next(out.len() - filled) {
                Ok(Some(chunk)) => {
                    out[filled..filled + chunk.bytes.len()].copy_from_slice(&chunk.bytes);
                    filled += chunk.bytes.len();
                }
                _ => break,
            }
        }
        let _ = chunks.finalize();
        filled
    }

    fn input(&mut self, now: Nanos, datagram: &[u8], _: Take<'_>) {
        let at = self.at(now);
        self.scratch.clear();
        let event = self.endpoint.handle(at, self.remote, None, None, BytesMut::from(datagram), &mut self.scratch);
        match event {
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, c)) = self.connection.as_mut() {
                    c.handle_event(event);
                }
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                self.scratch.clear();
                if let Ok(made) = self.endpoint.accept(incoming, at, &mut self.scratch, None) {
                    self.connection = Some(made);
                }
            }
            Some(DatagramEvent::Response(t)) => {
                self.extra.push_back(self.scratch[..t.size].to_vec());
            }
            None => {}
        }
    }

    fn service(&mut self, _: Nanos) {
        let Some((handle, c)) = self.connection.as_mut() else {
            return;
        };
        loop {
            let mut any = false;
            while let Some(event) = c.poll_endpoint_events() {
                any = true;
                if let Some(back) = self.endpoint.handle_event(*handle, event) {
                    c.handle_event(back);
                }
            }
            if !any {
                break;
            }
        }
        while let Some(event) = c.poll() {
            match event {
                Event::Connected => {
                    self.ready = true;
                    if self.client {
                        self.stream = c.streams().open(Dir::Uni);
                    }
                }
                Event::Stream(StreamEvent::Opened { dir: Dir::Uni }) if !self.client => {
                    self.stream = c.streams().accept(Dir::Uni);
                }
                Event::ConnectionLost { reason } => eprintln!("quinn-proto: lost: {reason}"),
                _ => {}
            }
        }
    }

    fn output(&mut self, now: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        if let Some(extra) = self.extra.pop_front() {
            *out = extra;
            return Some(Output::one(out.len()));
        }
        let at = self.at(now);
        let (_, c) = self.connection.as_mut()?;
        out.clear();
        let t = c.poll_transmit(at, 10, out)?;
        Some(Output { len: t.size, segment: t.segment_size.unwrap_or(t.size) })
    }

    fn deadline(&mut self, _: Nanos) -> Option<Nanos> {
        let base = self.base;
        let when = self.connection.as_mut()?.1.poll_timeout()?;
        Some(when.saturating_duration_since(base).as_nanos() as Nanos)
    }

    fn tick(&mut self, now: Nanos) {
        let at = self.at(now);
        if let Some((_, c)) = self.connection.as_mut() {
            c.handle_timeout(at);
        }
        self.service(now);
    }

    fn trim(&mut self) {
        self.extra = VecDeque::new();
        self.scratch = Vec::new();
    }
}
