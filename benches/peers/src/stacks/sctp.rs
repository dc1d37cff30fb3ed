//! sctp-proto: SCTP data chunks, without DTLS.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sctp_proto::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint as SctpEndpoint, EndpointConfig, Event,
    Payload, PayloadProtocolIdentifier, ServerConfig, StreamEvent, StreamId, Transmit, TransportConfig,
};

use crate::stack::{Control, Endpoint, Nanos, Output, Settings, Stack, Take};

pub struct Sctp;

const STREAM: StreamId = 1;
const MESSAGE: usize = 32 * 1024;

struct End {
    base: Instant,
    endpoint: SctpEndpoint,
    association: Option<(AssociationHandle, Association)>,
    remote: SocketAddr,
    client: bool,
    opened: bool,
    window: usize,
    rest: VecDeque<u8>,
    message: Vec<u8>,
    pending: VecDeque<Bytes>,
}

fn address(n: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 5000 + n))
}

impl Stack for Sctp {
    fn name(&self) -> &'static str {
        "sctp-proto"
    }

    fn options(&self, _: Control) -> String {
        "one ordered reliable stream, 32 KiB messages, RFC 4960 congestion control (no other), RTO min 1 s (default), CRC32c always, no DTLS".into()
    }

    /// sctp-proto receives packets of at most 8,192 bytes (its `RECEIVE_MTU`), so no sender makes larger ones.
    fn largest_datagram(&self) -> usize {
        8192
    }

    fn window_limited(&self, _: Control) -> bool {
        false
    }

    fn pair(&self, s: &Settings) -> Option<(Box<dyn Endpoint>, Box<dyn Endpoint>)> {
        let base = Instant::now();
        let transport = Arc::new(TransportConfig::default().with_max_receive_buffer_size(s.window as u32));
        let end = |client: bool| -> Option<Box<dyn Endpoint>> {
            let mut config = EndpointConfig::new();
            config.max_payload_size(s.datagram as u32 - 28);
            let mut server = ServerConfig::new();
            server.transport = transport.clone();
            let server = (!client).then(|| Arc::new(server));
            let mut endpoint = SctpEndpoint::new(Arc::new(config), server);
            let remote = address(client as u16);
            let association = if client {
                let mut config = ClientConfig::new();
                config.transport = transport.clone();
                Some(endpoint.connect(config, remote).ok()?)
            } else {
                None
            };
            Some(Box::new(End {
                base,
                endpoint,
                association,
                remote,
                client,
                opened: false,
                window: s.window,
                rest: VecDeque::new(),
                message: vec![0; MESSAGE],
                pending: VecDeque::new(),
            }))
        };
        Some((end(true)?, end(false)?))
    }
}

impl End {
    fn at(&self, now: Nanos) -> Instant {
        self.base + Duration::from_nanos(now)
    }

    fn events(&mut self) {
        let Some((handle, association)) = self.association.as_mut() else {
            return;
        };
        while let Some(event) = association.poll() {
            match event {
                Event::Connected if self.client => {
                    self.opened = association.open_stream(STREAM, PayloadProtocolIdentifier::Binary).is_ok();
                }
                Event::Connected => self.opened = true,
                Event::Stream(StreamEvent::Opened { .. }) => while association.accept_stream().is_some() {},
                _ => {}
            }
        }
        while let Some(event) = association.poll_endpoint_event() {
            if let Some(back) = self.endpoint.handle_event(*handle, event) {
                association.handle_event(back);
            }
        }
    }

    fn push(&mut self, transmit: Transmit) {
        if let Payload::RawEncode(datagrams) = transmit.payload {
            self.pending.extend(datagrams);
        }
    }
}

impl Endpoint for End {
    fn ready(&mut self) -> bool {
        self.opened
    }

    fn write(&mut self, _: Nanos, data: &[u8]) -> usize {
        let window = self.window;
        let Some((_, association)) = self.association.as_mut() else {
            return 0;
        };
        let Ok(mut stream) = association.stream(STREAM) else {
            return 0;
        };
        let mut taken = 0;
        while taken < data.len() && stream.buffered_amount().is_ok_and(|b| b < window) {
            let n = (data.len() - taken).min(MESSAGE);
            match stream.write_with_ppi(&data[taken..taken + n], PayloadProtocolIdentifier::Binary) {
                Ok(n) if n > 0 => taken += n,
                _ => break,
            }
        }
        taken
    }

    fn read(&mut self, _: Nanos, out: &mut [u8]) -> usize {
        if !self.rest.is_empty() {
            return super::null::take(&mut self.rest, out);
        }
        let Some((_, association)) = self.association.as_mut() else {
            return 0;
        };
        let Ok(mut stream) = association.stream(STREAM) else {
            return 0;
        };
        let Ok(Some(chunks)) = stream.read() else {
            return 0;
        };
        let n = chunks.len();
        if n <= out.len() {
            chunks.read(out).unwrap_or(0)
        } else {
            let Ok(n) = chunks.read(&mut self.message) else {
                return 0;
            };
            let part = out.len();
            out.copy_from_slice(&self.message[..part]);
            self.rest.extend(&self.message[part..n]);
            part
        }
    }

    fn input(&mut self, now: Nanos, datagram: &[u8], _: Take<'_>) {
        let at = self.at(now);
        let data = Bytes::copy_from_slice(datagram);
        let Some((handle, event)) = self.endpoint.handle(at, self.remote, None, None, data) else {
            return;
        };
        match event {
            DatagramEvent::NewAssociation(association) => {
                self.association = Some((handle, association));
            }
            DatagramEvent::AssociationEvent(event) => {
                if let Some((_, association)) = self.association.as_mut() {
                    association.handle_event(event);
                }
            }
        }
    }

    fn service(&mut self, _: Nanos) {
        self.events();
    }

    fn output(&mut self, now: Nanos, out: &mut Vec<u8>) -> Option<Output> {
        let at = self.at(now);
        if self.pending.is_empty() {
            while let Some(t) = self.endpoint.poll_transmit() {
                self.push(t);
            }
            if let Some(t) = self.association.as_mut().and_then(|(_, a)| a.poll_transmit(at)) {
                self.push(t);
            }
        }
        let datagram = self.pending.pop_front()?;
        out.clear();
        out.extend_from_slice(&datagram);
        Some(Output::one(out.len()))
    }

    fn deadline(&mut self, _: Nanos) -> Option<Nanos> {
        let (_, association) = self.association.as_ref()?;
        let when = association.poll_timeout()?;
        Some(when.saturating_duration_since(self.base).as_nanos() as Nanos)
    }

    fn tick(&mut self, now: Nanos) {
        let at = self.at(now);
        if let Some((_, association)) = self.association.as_mut() {
            association.handle_timeout(at);
        }
        self.events();
    }

    fn trim(&mut self) {
        self.rest = VecDeque::new();
        self.message = Vec::new();
        self.pending = VecDeque::new();
    }
}
