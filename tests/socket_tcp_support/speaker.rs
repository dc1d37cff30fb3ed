//! One side of a conversation in the simulator: it sends its messages one after another, and compares those that come.

use rdt_proto::Instant;
use rdt_proto::connection::Reason;
use rdt_proto::sim::{Address, Node, Outgoing, Rng};
use rdt_proto::socket_tcp::{Config, Connection, ENTROPY_BYTES, Segment, SendError};

type Machine = Connection<Address, 256, 256>;

/// The messages that one side sends: their lengths, and a seed for their bytes.
#[derive(Clone)]
pub struct Script {
    seed: u64,
    lengths: Vec<usize>,
}

impl Script {
    pub fn new(seed: u64, lengths: Vec<usize>) -> Self {
        Self { seed, lengths }
    }

    fn message(&self, index: usize) -> Option<Vec<u8>> {
        let mut message = vec![0; *self.lengths.get(index)?];
        Rng::new(self.seed.wrapping_add(index as u64)).fill(&mut message);
        Some(message)
    }
}

pub struct Speaker {
    config: Config,
    entropy: [u8; ENTROPY_BYTES],
    peer: Address,
    /// A server has none before a SYN has come.
    pub machine: Option<Machine>,
    says: Script,
    hears: Script,
    /// The message that is being written, how much of it was, and how many were acknowledged before.
    message: Option<(Vec<u8>, usize)>,
    pub sent: usize,
    /// The message that is expected, how much of it came, and how many came whole before.
    expected: Option<(Vec<u8>, usize)>,
    pub heard: usize,
    /// It closes once all is said and heard.
    closes: bool,
    /// How much it reads at once.
    piece: usize,
    /// It says one thing after another, and does not compare what it hears.
    babbles: bool,
}

impl Speaker {
    pub fn new(config: Config, mut rng: Rng, peer: Address, says: Script, hears: Script) -> Self {
        let mut entropy = [0; ENTROPY_BYTES];
        rng.fill(&mut entropy);
        let expected = hears.message(0).map(|message| (message, 0));
        let (closes, piece) = (rng.chance(0.5), 1 + rng.index(40));
        let (machine, message) = (None, None);
        Self {
            config,
            entropy,
            peer,
            machine,
            says,
            hears,
            message,
            sent: 0,
            expected,
            heard: 0,
            closes,
            piece,
            babbles: false,
        }
    }

    /// The side that opens the connection.
    pub fn client(config: Config, rng: Rng, peer: Address, says: Script, hears: Script) -> Self {
        let mut speaker = Self::new(config, rng, peer, says, hears);
        speaker.machine = Some(Machine::connect(Instant::ZERO, config, speaker.entropy, peer));
        speaker
    }

    /// Everything was said and acknowledged, and everything heard.
    pub fn is_complete(&self) -> bool {
        (self.sent, self.heard) == (self.says.lengths.len(), self.hears.lengths.len())
    }

    pub fn ended(&self) -> Option<Reason> {
        self.machine.as_ref()?.ended()
    }

    /// From now on it says something whenever it may, whatever comes, which it does not compare.
    pub fn babble(&mut self) {
        self.babbles = true;
    }

    fn babbling(&mut self) -> bool {
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
            Err(SendError::Closed | SendError::Closing) => return false,
            Err(error) => panic!("{error}"),
        }
        true
    }

    fn hear(&mut self) -> bool {
        let mut buf = [0; 64];
        let Some(received) = self.machine.as_mut().and_then(|machine| machine.recv(&mut buf[..self.piece])) else {
            return false;
        };
        let (message, read) = self.expected.as_mut().expect("more messages than were sent");
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
    fn handle_datagram(&mut self, now: Instant, from: Address, _: Address, datagram: &[u8]) {
        if let Some(machine) = &mut self.machine {
            let _ = machine.handle_datagram(now, from, datagram);
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
        self.machine.as_ref()?.poll_timeout()
    }

    fn poll_app(&mut self, _: Instant) -> bool {
        if self.babbles {
            return self.babbling();
        }
        let did = self.say() | self.hear();
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

    /// The other side may not have heard yet.
    fn is_done(&self) -> bool {
        self.babbles || self.is_complete() || self.ended().is_some()
    }
}
