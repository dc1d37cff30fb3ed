//! A client and a server in a simulation: each is a connection with an application on it.
//!
//! | module | part |
//! |---|---|
//! | this one | an end of the pair, and the links between both |
//! | [`bytes`] | the application of most pairs: it writes some bytes, and counts what it reads |
//! | [`checksummed`] | a node behind a link that damages datagrams |

mod bytes;
mod checksummed;

pub(crate) use bytes::Bytes;
pub(crate) use checksummed::Checksummed;

use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Config, Connection, ConnectionTypes, Event, Handled, HandshakeParameters};
use rdt_proto::sim::{LinkConfig, LinkId, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::wire::Packet;

/// The first node of a pair.
pub(crate) const CLIENT: NodeId = NodeId(0);
/// The second node of a pair.
pub(crate) const SERVER: NodeId = NodeId(1);

/// Makes storage of one mechanism.
pub(crate) type MakeStorage<S> = fn(&Config) -> S;

/// What runs on a connection: it reads, writes and closes.
pub(crate) trait Application<S: ConnectionTypes> {
    /// Passes a datagram to the connection.
    fn handle_datagram(&mut self, now: Instant, connection: &mut Connection<S>, datagram: &[u8]) -> Handled {
        connection.handle_datagram(now, datagram)
    }

    /// Handles an event of the connection. Events come before each turn.
    fn handle_event(&mut self, event: Event) {
        let _ = event;
    }

    /// Reads and writes. Returns whether the application needs another turn at once.
    fn turn(&mut self, now: Instant, connection: &mut Connection<S>) -> bool;

    /// When the application needs a turn, if no datagram comes before.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether the application needs no further event.
    ///
    /// A server that has received no CONNECT has no connection.
    fn is_done(&self, connection: Option<&Connection<S>>) -> bool;
}

/// One end of a pair.
pub(crate) struct End<S: ConnectionTypes, A> {
    peer: SimAddress,
    config: Config,
    /// The entropy and the storage of a server that has not received a CONNECT.
    prepared: Option<([u8; 32], S)>,
    /// The connection. `None` for a server that has not received a CONNECT.
    pub(crate) connection: Option<Connection<S>>,
    pub(crate) application: A,
}

impl<S: ConnectionTypes, A> End<S, A> {
    /// A client that connects at once.
    pub(crate) fn client(config: Config, entropy: [u8; 32], storage: S, application: A) -> Self {
        let connection = Connection::connect(Instant::ZERO, config, entropy, storage).unwrap();
        Self { peer: SERVER.port(0), config, prepared: None, connection: Some(connection), application }
    }

    /// A server that accepts the first CONNECT.
    pub(crate) fn server(config: Config, entropy: [u8; 32], storage: S, application: A) -> Self {
        Self { peer: CLIENT.port(0), config, prepared: Some((entropy, storage)), connection: None, application }
    }

    /// The reason for the end of the connection, if it has ended.
    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.connection.as_ref()?.ended()
    }

    fn accept(&mut self, now: Instant, datagram: &[u8]) {
        if let Ok(Packet::Connect(options)) = self.config.framing.decode(datagram)
            && let Some((entropy, storage)) = self.prepared.take()
        {
            let parameters = HandshakeParameters::from_options(&options).with_datagram_len(datagram.len());
            self.connection = Some(Connection::accept(now, self.config, entropy, parameters, storage).unwrap());
        }
    }
}

impl<S: ConnectionTypes, A: Application<S>> Node for End<S, A> {
    fn handle_datagram(&mut self, now: Instant, _from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        let Some(connection) = &mut self.connection else {
            self.accept(now, datagram);
            return;
        };
        let ignored = connection.stats().ignored.total();
        let handled = self.application.handle_datagram(now, connection, datagram);
        let counted = connection.stats().ignored.total() - ignored;
        assert_eq!(counted, u64::from(handled != Handled::Accepted), "{handled:?}");
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let transmit = self.connection.as_mut()?.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(self.peer, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let connection = self.connection.as_ref().and_then(Connection::poll_timeout);
        connection.into_iter().chain(self.application.poll_timeout()).min()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        while let Some(event) = connection.poll_event() {
            self.application.handle_event(event);
            if let Event::Closed(reason) = event {
                assert_eq!(connection.ended(), Some(reason));
            }
        }
        self.application.turn(now, connection)
    }

    fn is_done(&self) -> bool {
        self.application.is_done(self.connection.as_ref())
    }
}

/// Connects a client and a server by two links. Returns the links there and back.
pub(crate) fn connect<N: Node>(
    seed: u64,
    [client, server]: [N; 2],
    [there, back]: [LinkConfig; 2],
) -> (Simulation<N>, [LinkId; 2]) {
    let mut sim = Simulation::new(seed);
    let (client, server) = (sim.add(client), sim.add(server));
    assert_eq!((client, server), (CLIENT, SERVER));
    let (there, back) = sim.connect_with(client, server, there, back);
    (sim, [there, back])
}
