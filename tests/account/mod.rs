//! Never an amplifier: until somebody has shown to receive at an address, a listener in extended mode sends no more bytes there
//! than came from it. Whoever simulates one hands datagrams over through this account.
#![allow(unreachable_pub, reason = "a module of tests")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use rdt_proto::Instant;
use rdt_proto::arq::Arq;
use rdt_proto::connection::{Handled, Mode, Transmit};
use rdt_proto::listener::{Address, Dispatch, Listener, TableMemory};
use rdt_proto::store::{RecvStore, SendStore};
use std::collections::HashMap;
use std::fmt::Debug;

/// What came from each address, and went there, as one listener knows it.
pub struct Accounts<A>(HashMap<A, Account>);

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    received: usize,
    sent: usize,
    proven: bool,
}

impl<A: Address + Debug> Accounts<A> {
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// A datagram arrives.
    pub fn receive<S: SendStore, R: RecvStore, M: TableMemory, Q: Arq>(
        &mut self,
        listener: &mut Listener<A, S, R, M, Q>,
        now: Instant,
        from: A,
        datagram: &[u8],
    ) -> Dispatch {
        let account = self.0.entry(from).or_default();
        account.received += datagram.len();
        let before = listener.stats().validated;
        let routed = listener.handle_datagram(now, from, datagram);
        if let Dispatch::Peer(id, Handled::Accepted) = routed {
            // Whoever knows our tag has received it at the address of the connection: INFO 0 is the first that tells.
            let tagged = !datagram.starts_with(listener.config().connection.framing.prefix());
            account.proven |= tagged && listener.address(id) == Some(from);
        }
        // A cookie of ours.
        account.proven |= listener.stats().validated > before;
        routed
    }

    /// The next datagram, and where it goes. It was due.
    pub fn transmit<S: SendStore, R: RecvStore, M: TableMemory, Q: Arq>(
        &mut self,
        listener: &mut Listener<A, S, R, M, Q>,
        now: Instant,
        buf: &mut [u8],
    ) -> Option<(A, Transmit)> {
        let due = listener.poll_timeout().is_some_and(|due| due <= now);
        let (to, transmit) = listener.poll_transmit(now, buf).unwrap()?;
        assert!(due, "poll_timeout did not tell that something was to be sent");
        let account = self.0.entry(to).or_default();
        account.sent += transmit.len;
        // Base mode cannot prove an address, and repeats CONNACK.
        let bound = listener.config().connection.mode == Mode::Extended;
        assert!(!bound || account.proven || account.sent <= account.received, "{to:?}: {account:?}");
        Some((to, transmit))
    }
}
