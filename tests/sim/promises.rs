//! How a simulation checks its nodes: correct nodes finish, and each violation of the contract is reported.

use std::cell::RefCell;
use std::process::Command;
use std::rc::Rc;

use rdt_proto::sim::{LinkConfig, Node, Outgoing, SimAddress, Simulation};
use rdt_proto::{Duration, Instant};

const A: SimAddress = SimAddress::new(0, 0);
const B: SimAddress = SimAddress::new(1, 0);
const RETRY: Duration = Duration::from_millis(300);

/// A small stop-and-wait sender. It sends each number from 1 to `goal`, and repeats it until the answer arrives.
#[derive(Default)]
struct Client {
    number: u8,
    goal: u8,
    answered: bool,
    next: Option<Instant>,
}

impl Client {
    fn new(goal: u8) -> Self {
        Self { goal, answered: true, ..Self::default() }
    }
}

impl Node for Client {
    fn handle_datagram(&mut self, _now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
        assert_eq!((from, to), (B, A));
        self.answered |= datagram == [self.number];
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        self.next.filter(|&next| next <= now)?;
        self.next = Some(now + RETRY);
        buf[0] = self.number;
        Some(Outgoing::new(B, 1))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        if self.is_done() || !self.answered {
            return false;
        }
        self.answered = false;
        self.number += 1;
        self.next = (!self.is_done()).then_some(now);
        true
    }

    fn is_done(&self) -> bool {
        self.number > self.goal
    }
}

/// A server that sends each number back.
#[derive(Default)]
struct Server {
    answer: Option<(Instant, SimAddress, u8)>,
    served: u32,
}

impl Node for Server {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, _to: SimAddress, datagram: &[u8]) {
        self.answer = Some((now, from, datagram[0]));
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_transmit(&mut self, _now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        let (_, to, number) = self.answer.take()?;
        self.served += 1;
        buf[0] = number;
        Some(Outgoing::new(to, 1))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.answer.map(|(at, ..)| at)
    }

    fn is_done(&self) -> bool {
        true
    }
}

#[test]
fn a_client_and_a_server_finish_over_a_lossy_link() {
    for seed in 0..50 {
        let (mut client, mut server) = (Client::new(100), Server::default());
        let mut sim = Simulation::<&mut dyn Node>::new(seed);
        let (a, b) = (sim.add(&mut client), sim.add(&mut server));
        sim.connect(a, b, LinkConfig::bad(0.3));
        let done = sim.run_until_done(Duration::from_secs(120));
        assert!(done > Instant::ZERO + RETRY);
        assert!(client.number == 101 && server.served >= 100);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let client = Rc::new(RefCell::new(Client::new(20)));
        let mut sim = Simulation::<Rc<RefCell<dyn Node>>>::new(seed);
        let (a, b) = (sim.add(client.clone()), sim.add(Rc::new(RefCell::new(Server::default()))));
        sim.connect(a, b, LinkConfig::bad(0.3));
        let done = sim.run_until_done(Duration::from_secs(60));
        assert!(client.borrow().is_done());
        (done, sim.fingerprint())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn drop_next_drops_the_next_matching_datagram() {
    let mut sim = Simulation::<Box<dyn Node>>::new(1);
    sim.add(Box::new(Client::new(1)));
    sim.add(Box::new(Server::default()));
    let (there, back) = sim.connect(A.node, B.node, LinkConfig::ideal().with_delay(Duration::from_millis(10)));
    sim.drop_next(back, |answer| answer.data == [1]);
    assert_eq!(sim.run_until_done(Duration::from_secs(1)), Instant::from_millis(320));
    assert_eq!((sim.stats(there).offered, sim.stats(back).lost), (2, 1));
}

/// A node with a timer: the number of timeouts that remain, and the time of the next one in microseconds.
struct Ticker(u32, u64);

impl Node for Ticker {
    fn handle_datagram(&mut self, _now: Instant, _from: SimAddress, _to: SimAddress, _datagram: &[u8]) {}

    fn handle_timeout(&mut self, now: Instant) {
        assert_eq!(now.as_micros(), self.1);
        self.0 -= 1;
        self.1 += 10 + self.1 % 7;
    }

    fn poll_transmit(&mut self, _now: Instant, _buf: &mut [u8]) -> Option<Outgoing> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (!self.is_done()).then(|| Instant::from_micros(self.1))
    }

    fn is_done(&self) -> bool {
        self.0 == 0
    }
}

#[test]
fn ten_thousand_nodes_share_a_simulation() {
    let mut sim = Simulation::new(1);
    for phase in 0..10_000 {
        sim.add(Ticker(10, phase));
    }
    sim.run_until_done(Duration::from_secs(1));
    assert!(sim.nodes().all(Node::is_done));
}

#[test]
fn a_coarse_timer_fires_late() {
    let mut sim = Simulation::<&mut dyn Node>::new(1);
    let (mut client, mut server) = (Client::new(1), Server::default());
    sim.set_timer_granularity(Duration::from_millis(7));
    let (a, b) = (sim.add(&mut client), sim.add(&mut server));
    let (there, _) = sim.connect(a, b, LinkConfig::ideal());
    sim.drop_next(there, |_| true);
    assert_eq!(sim.run_until_done(Duration::from_secs(1)), Instant::from_millis(301));
}

/// A node that violates one rule of the contract.
#[derive(Clone, Copy, PartialEq)]
enum BrokenNode {
    /// `poll_timeout` stays due after every call.
    HotLoop,
    /// The node is not done, but has no deadline.
    LostWakeUp,
    /// The node has a datagram to send now, but `poll_timeout` returns a later time.
    HiddenOutput,
    /// `poll_transmit` always returns another datagram.
    Spin,
    /// The node is never done.
    Unfinished,
    /// `handle_timeout` panics.
    Panics,
}

impl Node for BrokenNode {
    fn handle_datagram(&mut self, _now: Instant, _from: SimAddress, _to: SimAddress, _datagram: &[u8]) {}

    fn handle_timeout(&mut self, _now: Instant) {
        assert!(*self != Self::Panics, "this node panics at its first timeout");
    }

    fn poll_transmit(&mut self, _now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        buf[0] = 0;
        matches!(self, Self::HiddenOutput | Self::Spin).then_some(Outgoing::new(A, 1))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::LostWakeUp => None,
            Self::HiddenOutput | Self::Unfinished => Some(Instant::from_millis(5_000)),
            Self::HotLoop | Self::Panics => Some(Instant::from_millis(1_500)),
            Self::Spin => Some(Instant::ZERO),
        }
    }

    fn is_done(&self) -> bool {
        false
    }
}

fn run_broken(node: BrokenNode) {
    let mut sim = Simulation::new(4_711);
    sim.set_spin_limit(1_000);
    sim.add(node);
    sim.run_until_done(Duration::from_secs(2));
}

#[test]
#[should_panic(expected = "seed 4711 at t=1.500000s: HOT LOOP: node 0")]
fn a_hot_loop_is_found() {
    run_broken(BrokenNode::HotLoop);
}

#[test]
#[should_panic(expected = "seed 4711 at t=0.000000s: LOST WAKE-UP: nodes [0]")]
fn a_lost_wake_up_is_found() {
    run_broken(BrokenNode::LostWakeUp);
}

#[test]
#[should_panic(expected = "seed 4711 at t=0.000000s: HIDDEN OUTPUT: node 0")]
fn output_without_a_due_deadline_is_found() {
    run_broken(BrokenNode::HiddenOutput);
}

#[test]
#[should_panic(expected = "seed 4711 at t=0.000000s: SPIN: 1000 polls")]
fn a_spin_is_found() {
    run_broken(BrokenNode::Spin);
}

#[test]
#[should_panic(expected = "seed 4711 at t=0.000000s: UNFINISHED after 2.000000s: nodes [0]")]
fn a_run_that_takes_too_long_is_found() {
    run_broken(BrokenNode::Unfinished);
}

/// The environment variable that enables the panic in `a_node_panics`.
const PANIC: &str = "SIM_PROMISES_PANIC";

#[test]
fn a_node_panics() {
    if std::env::var_os(PANIC).is_some() {
        run_broken(BrokenNode::Panics);
    }
}

#[test]
fn any_panic_prints_the_seed() {
    let mut this = Command::new(std::env::current_exe().unwrap());
    let child = this.args(["--exact", "promises::a_node_panics", "--nocapture"]).env(PANIC, "").output().unwrap();
    let printed = String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success());
    assert!(printed.contains("seed 4711 at t=1.500000s: replay with Simulation::new(4711)"), "{printed}");
}
