//! One side of a simulated conversation. It sends its messages one after another, and checks those that it receives.

use rdt_proto::sim::{Node, Outgoing, Rng, SimAddress};
use rdt_proto::socket_tcp::{
    SOCKET_ENTROPY_BYTES, Segment, SocketCloseReason, SocketConfig, SocketConnection, SocketSendError,
};
use rdt_proto::{Duration, Instant};

type Machine = SocketConnection<SimAddress, 256, 256>;

/// The messages that one side sends: their lengths, and a seed for their bytes.
#[derive(Clone)]
pub(crate) struct Script {
    seed: u64,
    lengths: Vec<usize>,
}

impl Script {
    pub(crate) fn new(seed: u64, lengths: Vec<usize>) -> Self {
        Self { seed, lengths }
    }

    fn message(&self, index: usize) -> Option<Vec<u8>> {
        let mut message = vec![0; *self.lengths.get(index)?];
        Rng::new(self.seed.wrapping_add(index as u64)).fill(&mut message);
        Some(message)
    }
}

/// How a side interrupts a conversation.
#[derive(Clone, Copy, Default)]
pub(crate) struct Behaviour {
    /// When the side closes, even with data in flight.
    pub(crate) closes_at: Option<Instant>,
    /// When the side aborts.
    pub(crate) aborts_at: Option<Instant>,
    /// The interval between reads.
    pub(crate) reads_every: Duration,
}

/// One side of a conversation, as a node of the simulation.
pub(crate) struct Speaker {
    config: SocketConfig,
    entropy: [u8; SOCKET_ENTROPY_BYTES],
    /// The connection. `None` for a server before a SYN arrives.
    pub(crate) machine: Option<Machine>,
    /// The messages to send.
    says: Script,
    /// The messages to receive.
    hears: Script,
    /// The message that is being written, and the number of its bytes that have been written.
    message: Option<(Vec<u8>, usize)>,
    /// The number of messages acknowledged.
    pub(crate) sent: usize,
    /// The message that is expected, and the number of its bytes that have been read.
    expected: Option<(Vec<u8>, usize)>,
    /// The number of messages read.
    pub(crate) heard: usize,
    /// The side closes once every message is acknowledged and read.
    closes: bool,
    /// The size of a read in bytes.
    piece: usize,
    /// The side sends without end, and does not check what it receives.
    sends_only: bool,
    behaviour: Option<Behaviour>,
    /// When a side with a behaviour reads next.
    reads_at: Instant,
}

impl Speaker {
    /// Creates the side that waits for SYN.
    pub(crate) fn new(config: SocketConfig, mut rng: Rng, says: Script, hears: Script) -> Self {
        let mut entropy = [0; SOCKET_ENTROPY_BYTES];
        rng.fill(&mut entropy);
        Self {
            config,
            entropy,
            machine: None,
            says,
            expected: hears.message(0).map(|message| (message, 0)),
            hears,
            message: None,
            sent: 0,
            heard: 0,
            closes: rng.chance(0.5),
            piece: 1 + rng.index(40),
            sends_only: false,
            behaviour: None,
            reads_at: Instant::ZERO,
        }
    }

    /// Creates the side that opens the connection.
    pub(crate) fn client(config: SocketConfig, rng: Rng, peer: SimAddress, says: Script, hears: Script) -> Self {
        let mut speaker = Self::new(config, rng, says, hears);
        speaker.machine = Some(Machine::connect(Instant::ZERO, config, speaker.entropy, peer));
        speaker
    }

    /// Whether every message is acknowledged, and every expected message is read.
    pub(crate) fn is_complete(&self) -> bool {
        (self.sent, self.heard) == (self.says.lengths.len(), self.hears.lengths.len())
    }

    /// The number of messages that have been read, or can be read as a whole.
    pub(crate) fn kept(&self) -> usize {
        let message = self.machine.as_ref().and_then(Machine::message);
        self.heard + usize::from(message.is_some_and(|message| message.arrived == message.length))
    }

    pub(crate) fn ended(&self) -> Option<SocketCloseReason> {
        self.machine.as_ref()?.ended()
    }

    /// Makes the side send whenever it can, without a check of what it receives.
    pub(crate) fn send_only(&mut self) {
        self.sends_only = true;
    }

    /// Makes the side close, abort and read at the given times. The side is then done once the connection has ended.
    pub(crate) fn behave(&mut self, behaviour: Behaviour) {
        self.behaviour = Some(behaviour);
        self.closes = false;
    }

    /// When the behaviour acts next.
    fn due(&self) -> Option<Instant> {
        let behaviour = self.behaviour.filter(|_| self.ended().is_none())?;
        let message = self.machine.as_ref().and_then(Machine::message);
        let unread = message.is_some_and(|message| message.arrived > message.read || message.length == 0);
        [behaviour.closes_at, behaviour.aborts_at, unread.then_some(self.reads_at)].into_iter().flatten().min()
    }

    fn apply_behaviour(&mut self, now: Instant) -> bool {
        let Some(behaviour) = &mut self.behaviour else { return self.say() | self.hear() };
        let Some(machine) = &mut self.machine else { return false };
        if behaviour.closes_at.take_if(|at| *at <= now).is_some() {
            machine.close();
            return true;
        }
        if behaviour.aborts_at.take_if(|at| *at <= now).is_some() {
            machine.abort();
            return true;
        }
        let reads = self.reads_at <= now;
        if reads {
            self.reads_at = now + behaviour.reads_every;
        }
        self.say() | (reads && self.hear())
    }

    fn send_message(&mut self) -> bool {
        let Some(machine) = &mut self.machine else { return false };
        machine.recv(&mut [0; 64]).is_some() | machine.send(b"what was said before, and again").is_ok()
    }

    fn say(&mut self) -> bool {
        let Some(machine) = &mut self.machine else { return false };
        if let Some((message, written)) = &mut self.message {
            if *written < message.len() {
                let taken = machine.write(&message[*written..]).unwrap_or(0);
                *written += taken;
                return taken > 0;
            }
            if !machine.is_all_acknowledged() || machine.ended().is_some() {
                return false;
            }
            self.message = None;
            self.sent += 1;
            return true;
        }
        let Some(message) = self.says.message(self.sent) else { return false };
        match machine.begin(message.len() as u64) {
            Ok(()) => self.message = Some((message, 0)),
            Err(SocketSendError::Closed | SocketSendError::Closing) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    fn hear(&mut self) -> bool {
        let mut buf = [0; 64];
        let Some(received) = self.machine.as_mut().and_then(|machine| machine.recv(&mut buf[..self.piece])) else {
            return false;
        };
        let (message, read) = self.expected.as_mut().expect("no more messages arrive than were sent");
        assert_eq!(&message[*read..*read + received.len], &buf[..received.len], "message {}", self.heard);
        *read += received.len;
        assert_eq!(received.is_end, *read == message.len());
        if received.is_end {
            self.heard += 1;
            self.expected = self.hears.message(self.heard).map(|message| (message, 0));
        }
        true
    }
}

impl Node for Speaker {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _: SimAddress, datagram: &[u8]) {
        if let Some(machine) = &mut self.machine {
            machine.handle_datagram(now, from, datagram);
        } else if let Ok(segment) = Segment::decode(datagram) {
            self.machine = Machine::accept(now, self.config, self.entropy, from, &segment).ok();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(machine) = &mut self.machine {
            machine.handle_timeout(now);
        }
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (to, transmit) = self.machine.as_mut()?.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(to, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let machine = self.machine.as_ref()?;
        [machine.poll_timeout(), self.due()].into_iter().flatten().min()
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        if self.sends_only {
            return self.send_message();
        }
        let did = self.apply_behaviour(now);
        if self.is_complete()
            && self.closes
            && let Some(machine) = &mut self.machine
        {
            self.closes = false;
            machine.close();
            return true;
        }
        did
    }

    /// A side is done even if its last segment has not reached the peer yet.
    fn is_done(&self) -> bool {
        let undisturbed = self.is_complete() && self.behaviour.is_none();
        // A server that has received no SYN has no connection that could end.
        let uncalled = self.machine.is_none() && self.behaviour.is_some();
        self.sends_only || undisturbed || uncalled || self.ended().is_some()
    }
}
