//! Checks the anti-amplification limit for every listener of a test or a simulation.
//!
//! Until an address is validated, a listener in extended mode sends no more bytes to this address than it has received
//! from it.

use crate::machine::Machine;
use rdt_proto::connection::{Event, Handled, Mode, Transmit};
use rdt_proto::listener::{Dispatch, Listener, ListenerConfig, ListenerTypes, PeerId};
use rdt_proto::wire::{Framing, Packet, Tag};
use rdt_proto::{BufferTooSmall, Instant};
use std::collections::HashMap;
use std::fmt::Debug;
use std::ops::{Deref, DerefMut};

/// A listener that counts the bytes from and to each address.
pub struct AccountedListener<T: ListenerTypes> {
    listener: Listener<T>,
    accounts: HashMap<T::Address, Account>,
}

/// Bytes received from one address and sent to it.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    received: usize,
    sent: usize,
    validated: bool,
}

impl<T: ListenerTypes<Address: Debug>> AccountedListener<T> {
    /// Creates a listener without any traffic.
    #[must_use]
    pub fn new(now: Instant, config: ListenerConfig, key: [u8; 48]) -> Self {
        Self { listener: Listener::new(now, config, key), accounts: HashMap::new() }
    }

    /// Delivers a datagram.
    pub fn handle_datagram(&mut self, now: Instant, from: T::Address, datagram: &[u8]) -> Dispatch {
        self.accounts.entry(from).or_default().received += datagram.len();
        let before = self.listener.stats().validated;
        let dispatch = self.listener.handle_datagram(now, from, datagram);
        if let Dispatch::Peer(id, Handled::Accepted) = dispatch {
            // The peer learned the listener's tag from CONNACK. A copy from another address shows so as well.
            let tagged = !datagram.starts_with(self.listener.config().connection.framing.prefix());
            if let Some(address) = self.listener.address(id).filter(|_| tagged) {
                self.accounts.entry(address).or_default().validated = true;
            }
            // The address has answered a PROBE.
            self.accounts.entry(from).or_default().validated |= is_echo(datagram);
        }
        // The peer has returned the cookie of a RETRY.
        self.accounts.entry(from).or_default().validated |= self.listener.stats().validated > before;
        dispatch
    }

    /// Returns the next datagram and its destination. Asserts that `poll_timeout` was due.
    ///
    /// # Errors
    ///
    /// `buf` is too small for the datagram.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        buf: &mut [u8],
    ) -> Result<Option<(T::Address, Transmit)>, BufferTooSmall> {
        let due = self.listener.poll_timeout().is_some_and(|due| due <= now);
        let Some((to, transmit)) = self.listener.poll_transmit(now, buf)? else { return Ok(None) };
        assert!(due, "a datagram was sent before poll_timeout was due");
        let account = self.accounts.entry(to).or_default();
        account.sent += transmit.len;
        // Base mode is exempt: it cannot validate an address, and its server repeats CONNACK.
        let bound = self.listener.config().connection.mode == Mode::Extended;
        assert!(
            !bound || account.validated || account.sent <= account.received,
            "too many bytes to {to:?}: {account:?}"
        );
        Ok(Some((to, transmit)))
    }
}

/// Whether a tagged datagram is an ECHO.
fn is_echo(datagram: &[u8]) -> bool {
    let tag = datagram.first_chunk().map(|tag| Tag::new(*tag));
    tag.is_some_and(|tag| matches!(Framing::tagged(tag).decode(datagram), Ok(Packet::Echo { .. })))
}

impl<T: ListenerTypes<Address: Debug>> Machine for AccountedListener<T> {
    type Address = T::Address;
    type Handled = Dispatch;
    type Event = (PeerId, Event);

    fn handle_datagram(&mut self, now: Instant, from: T::Address, datagram: &[u8]) -> Dispatch {
        self.handle_datagram(now, from, datagram)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.listener.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.listener.poll_timeout()
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<(T::Address, usize)> {
        self.poll_transmit(now, buf).unwrap().map(|(to, transmit)| (to, transmit.len))
    }

    fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        self.listener.poll_event()
    }
}

/// Forwards all other calls to the listener.
impl<T: ListenerTypes> Deref for AccountedListener<T> {
    type Target = Listener<T>;

    fn deref(&self) -> &Self::Target {
        &self.listener
    }
}

impl<T: ListenerTypes> DerefMut for AccountedListener<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.listener
    }
}
