//! The answers to clients whose addresses are not admitted.
//!
//! No datagram from such an address reaches the listener with the clients, so it takes no place in the backlog, no
//! quota and no turn of a connection. A second listener that accepts nothing answers each CONNECT by one RESET, which
//! is shorter, and keeps no state. It answers nothing else.

use crate::access::Networks;
use crate::endpoint::Address;
use crate::entropy;
use crate::messages::to_stderr;
use crate::report_limit::ReportLimit;
use crate::server::Peers;
use rdt_proto::connection::{Config, Transmit};
use rdt_proto::ftp::ErrorCode;
use rdt_proto::listener::{Dispatch, DropReason, Listener, ListenerConfig};
use rdt_proto::{BufferTooSmall, Instant};
use std::io;

/// The number of answers that wait until they are sent. Others are dropped, and their clients repeat CONNECT.
const ANSWERS: usize = 64;

pub(crate) struct Refusals {
    networks: Networks,
    listener: Peers,
    limit: ReportLimit,
    is_base_mode: bool,
}

impl Refusals {
    pub(crate) fn new(now: Instant, networks: Networks, connection: Config) -> io::Result<Self> {
        let config =
            ListenerConfig { connection, peers: ANSWERS / 2, backlog: ANSWERS / 2, ..ListenerConfig::default() };
        let mut listener = Listener::new(now, config, entropy::random_bytes()?);
        listener.stop_accepting(ErrorCode::NotPermitted.value());
        let is_base_mode = connection.framing.is_base_only();
        Ok(Self { networks, listener, limit: ReportLimit::default(), is_base_mode })
    }

    /// The number of CONNECTs from addresses that are not admitted.
    pub(crate) fn total(&self) -> u64 {
        self.listener.stats().dropped.of(DropReason::Stopped)
    }

    /// Handles a datagram if its address is not admitted. Returns whether it was.
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: Address, datagram: &[u8]) -> bool {
        if self.networks.admit(from.peer.ip()) {
            return false;
        }
        if self.listener.handle_datagram(now, from, datagram) == Dispatch::Dropped(DropReason::Stopped)
            && let Some(more) = self.limit.handle(now, "attempt")
        {
            let silently = if self.is_base_mode { " and gets no answer, since base mode has none" } else { "" };
            to_stderr(format_args!("{} is not admitted (--allow){silently}{more}", from.peer));
        }
        true
    }

    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        buf: &mut [u8],
    ) -> Result<Option<(Address, Transmit)>, BufferTooSmall> {
        self.listener.poll_transmit_batch(now, 1, buf)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.listener.poll_timeout()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::parse_network;
    use crate::qlog::VantagePoint;
    use crate::settings::{self, Settings};
    use rdt_proto::connection::{CloseReason, Connection};

    fn from(address: &str) -> Address {
        Address { peer: address.parse().unwrap(), local: None }
    }

    fn refusals() -> Refusals {
        let networks = Networks::new(&[parse_network("192.0.2.0/24").unwrap()]);
        Refusals::new(Instant::ZERO, networks, Settings::default().config).unwrap()
    }

    /// The answers that are due, by their destination and length.
    fn answers(refusals: &mut Refusals, buf: &mut [u8]) -> Vec<(Address, usize)> {
        let polled = std::iter::from_fn(|| refusals.poll_transmit(Instant::ZERO, buf).unwrap());
        polled.map(|(to, transmit)| (to, transmit.len)).collect()
    }

    #[test]
    fn a_connect_from_elsewhere_gets_one_reset_and_leaves_nothing() {
        let (mut refusals, elsewhere, mut buf) = (refusals(), from("198.51.100.1:1"), [0; 2_048]);
        let settings = Settings::default();
        let storage = settings::storage(&settings, elsewhere.peer, VantagePoint::Client).unwrap();
        let mut client = Connection::connect(Instant::ZERO, settings.config, [7; 32], storage).unwrap();
        let connect = client.poll_transmit(Instant::ZERO, &mut buf).unwrap().unwrap().len;
        let connect = buf[..connect].to_vec();
        assert!(refusals.handle_datagram(Instant::ZERO, elsewhere, &connect));
        assert_eq!(refusals.poll_timeout(), Some(Instant::ZERO));
        let sent = answers(&mut refusals, &mut buf);
        assert_eq!(sent, [(elsewhere, sent[0].1)]);
        assert!(sent[0].1 < 30, "{sent:?}");
        client.handle_datagram(Instant::ZERO, &buf[..sent[0].1]);
        assert_eq!(client.ended(), Some(CloseReason::Refused { code: ErrorCode::NotPermitted.value() }));
        assert!(refusals.listener.is_empty() && refusals.poll_timeout().is_none() && refusals.total() == 1);
        // A flood leaves a bounded number of answers.
        (0..1_000).for_each(|_| assert!(refusals.handle_datagram(Instant::ZERO, elsewhere, &connect)));
        assert_eq!(answers(&mut refusals, &mut buf).len(), ANSWERS);
        assert!(refusals.listener.is_empty());
    }

    #[test]
    fn other_datagrams_from_elsewhere_get_no_answer() {
        let mut refusals = refusals();
        for datagram in [&b"x"[..], &[0; 64], &[0xff; 1_400]] {
            assert!(refusals.handle_datagram(Instant::ZERO, from("198.51.100.1:1"), datagram));
        }
        assert_eq!(answers(&mut refusals, &mut [0; 2_048]), []);
        assert!(!refusals.handle_datagram(Instant::ZERO, from("192.0.2.9:1"), b"x"));
    }
}
