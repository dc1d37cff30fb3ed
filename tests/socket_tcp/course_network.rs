//! Our side and models of the other programs of the course, over a network that loses segments.

use crate::course::recordings;
use crate::program::{Habits, Program};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, SimAddress, Simulation};
use rdt_proto::socket_tcp::{SOCKET_ENTROPY_BYTES, Segment, SocketCloseReason, SocketConfig, SocketConnection};
use rdt_proto::{Duration, Instant};

const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);

/// The habits of a program, all of them as strict as the strictest program.
fn habits(program: &str) -> Habits {
    let a = Habits {
        ack_at_second_port: true,
        digits: 0,
        control_bodies: ["", ""],
        piece: 16,
        server_closes: false,
        finals: 4,
        insists_on_ack: true,
        fails_at_bare_ack: true,
    };
    match program {
        "a" => a,
        "b" => Habits { digits: 8, finals: 1, ..a },
        "c" => Habits { digits: 10, finals: 3, ..a },
        "d" => {
            let control_bodies = ["-", "0"];
            Habits { ack_at_second_port: false, fails_at_bare_ack: false, control_bodies, finals: 3, ..a }
        }
        "e" => Habits { piece: 64, server_closes: true, finals: 1, ..a },
        _ => panic!("no recording is of {program}"),
    }
}

/// Our side as a node: it sends or receives one message, and closes after it if `closes` is set.
struct Ours {
    machine: Option<SocketConnection<SimAddress>>,
    entropy: [u8; SOCKET_ENTROPY_BYTES],
    closes: bool,
    heard: String,
}

impl Ours {
    fn server(seed: u8, closes: bool) -> Self {
        Self { machine: None, entropy: [seed; SOCKET_ENTROPY_BYTES], closes, heard: String::new() }
    }

    fn client(seed: u8, closes: bool, message: &str) -> Self {
        let mut ours = Self::server(seed, closes);
        let config = SocketConfig::default();
        let mut machine = SocketConnection::connect(Instant::ZERO, config, ours.entropy, SERVER.port(0));
        machine.send(message.as_bytes()).unwrap();
        if closes {
            machine.close();
        }
        ours.machine = Some(machine);
        ours
    }

    fn ended(&self) -> Option<SocketCloseReason> {
        self.machine.as_ref()?.ended()
    }
}

impl Node for Ours {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _: SimAddress, datagram: &[u8]) {
        if let Some(machine) = &mut self.machine {
            machine.handle_datagram(now, from, datagram);
        } else if let Ok(syn) = Segment::decode(datagram) {
            self.machine = SocketConnection::accept(now, SocketConfig::default(), self.entropy, from, &syn).ok();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.machine.as_mut().unwrap().handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (to, transmit) = self.machine.as_mut()?.poll_transmit(now, buf).unwrap()?;
        Some(Outgoing::new(to, transmit.len))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.machine.as_ref()?.poll_timeout()
    }

    fn poll_app(&mut self, _: Instant) -> bool {
        let Some(machine) = &mut self.machine else { return false };
        let mut buf = [0; 64];
        let Some(received) = machine.recv(&mut buf) else { return false };
        self.heard.push_str(str::from_utf8(&buf[..received.len]).unwrap());
        if received.is_end && self.closes {
            machine.close();
        }
        true
    }

    fn is_done(&self) -> bool {
        self.machine.as_ref().is_some_and(SocketConnection::is_drained)
    }
}

fn run(seed: u8, loss: f64, client: &mut dyn Node, server: &mut dyn Node) {
    let mut sim = Simulation::<&mut dyn Node>::new(seed.into());
    assert_eq!((sim.add(client), sim.add(server)), (CLIENT, SERVER));
    sim.connect(CLIENT, SERVER, LinkConfig::ideal().with_delay(Duration::from_millis(5)).with_loss(loss));
    sim.run_until_done(Duration::from_secs(600));
}

/// Sends each recorded message to each program and from each program. `loss` is the share lost each way.
fn every_program(loss: f64, seeds: u8) {
    for (program, message, _) in recordings() {
        let habits = habits(program);
        for seed in 1..=seeds {
            let about = format!("program {program}, {} bytes, seed {seed}", message.len());
            let mut ours = Ours::client(seed, !habits.server_closes, &message);
            let mut theirs = Program::server(habits, SERVER.port(0));
            run(seed, loss, &mut ours, &mut theirs);
            assert!(theirs.content == message && !theirs.has_failed(), "to {about}");
            assert!(ours.machine.as_ref().unwrap().is_all_acknowledged(), "to {about}");
            assert_eq!(ours.ended(), Some(SocketCloseReason::Finished), "to {about}");
            assert!(theirs.is_answered() || loss > 0.0, "to {about}");

            let mut ours = Ours::server(seed, habits.server_closes);
            let mut theirs = Program::client(habits, CLIENT.port(0), SERVER.port(0), seed.into(), &message);
            run(seed, loss, &mut theirs, &mut ours);
            assert!(ours.heard == message && theirs.is_complete() && !theirs.has_failed(), "from {about}");
            assert_eq!(ours.ended(), Some(SocketCloseReason::Finished), "from {about}");
            assert!(theirs.is_answered() || loss > 0.0, "from {about}");
        }
    }
}

#[test]
fn messages_go_to_and_from_every_program() {
    every_program(0.0, 1);
}

#[test]
fn messages_go_to_and_from_every_program_at_10_percent_loss() {
    every_program(0.1, 100);
}

#[test]
fn the_models_repeat_the_recordings() {
    for (program, message, recording) in recordings() {
        let number = recording.lines().next().unwrap().split("|||").nth(3).unwrap().parse().unwrap();
        let mut client = Program::client(habits(program), CLIENT.port(0), SERVER.port(0), number, &message);
        let mut server = Program::server(habits(program), SERVER.port(0));
        let (now, mut sent, mut buf) = (Instant::ZERO, Vec::new(), [0; 128]);
        let mut before = None;
        while before != Some(sent.len()) {
            before = Some(sent.len());
            for from_client in [true, false] {
                let (from, to) = if from_client { (&mut client, &mut server) } else { (&mut server, &mut client) };
                while let Some(outgoing) = from.poll_transmit(now, &mut buf) {
                    let datagram = &buf[..outgoing.len];
                    let direction = match (from_client, outgoing.to.port) {
                        (true, 0) => "C>S",
                        (true, _) => "C>S'",
                        (false, _) => "S'>C",
                    };
                    sent.push(format!("{direction} {}", str::from_utf8(datagram).unwrap()));
                    to.handle_datagram(now, outgoing.from.unwrap(), outgoing.to, datagram);
                }
            }
        }
        assert_eq!(sent, recording.lines().collect::<Vec<_>>(), "program {program}");
        assert!(client.is_answered() && server.is_answered() && server.content == message);
    }
}
