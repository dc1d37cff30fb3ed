//! Each exchange between the model and this crate, over networks that lose datagrams.

use super::ours::{LIMIT, Mechanism, Ours};
use super::program::{NAME, Program, Seen, Task};
use super::transport::Rostov;
use rdt_proto::Duration;
use rdt_proto::Instant;
use rdt_proto::connection::{CloseReason, Config, Method, Role};
use rdt_proto::ftp::{ErrorCode, Outcome};
use rdt_proto::sim::{LinkConfig, Node, NodeId, Outgoing, Rng, SimAddress, Simulation};

const OURS: NodeId = NodeId(0);
const THEIRS: NodeId = NodeId(1);
const SEEDS: u64 = 200;

/// What is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Upload,
    Download,
    MissingFile,
    RefusedUpload,
}

/// Where datagrams are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// Our side loses 10 % of what it sends. Both are on one host.
    OurLoss,
    /// A relay loses 10 % each way. The round trip takes 40 ms.
    Relay,
}

enum Side {
    Ours(Box<Ours>),
    Theirs(Box<Rostov>),
}

macro_rules! side {
    ($self:ident, $side:ident => $call:expr) => {
        match $self {
            Self::Ours($side) => $call,
            Self::Theirs($side) => $call,
        }
    };
}

impl Node for Side {
    fn handle_datagram(&mut self, now: Instant, from: SimAddress, to: SimAddress, datagram: &[u8]) {
        side!(self, side => side.handle_datagram(now, from, to, datagram));
    }

    fn handle_timeout(&mut self, now: Instant) {
        side!(self, side => side.handle_timeout(now));
    }

    fn poll_transmit(&mut self, now: Instant, buf: &mut [u8]) -> Option<Outgoing> {
        side!(self, side => side.poll_transmit(now, buf))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        side!(self, side => side.poll_timeout())
    }

    fn poll_app(&mut self, now: Instant) -> bool {
        side!(self, side => side.poll_app(now))
    }

    fn is_done(&self) -> bool {
        side!(self, side => side.is_done())
    }
}

/// One exchange.
#[derive(Clone, Copy, Debug)]
struct Case {
    kind: Kind,
    method: Method,
    /// The role of our side.
    role: Role,
    network: Network,
    seed: u64,
}

impl Case {
    fn run(self) {
        println!("{self:?}");
        let mut rng = Rng::new(self.seed);
        let mut content = vec![0; 1 + rng.index(150_000)];
        rng.fill(&mut content);
        let mut sim = Simulation::new(self.seed);
        sim.add(Side::Ours(Box::new(self.ours(&mut rng, &content))));
        sim.add(Side::Theirs(Box::new(self.theirs(&mut rng, &content))));
        let delay = if self.network == Network::Relay { 20_000 } else { 100 };
        let link = |loss| LinkConfig::ideal().with_delay(Duration::from_micros(delay)).with_loss(loss);
        sim.connect_with(OURS, THEIRS, link(0.1), link(if self.network == Network::Relay { 0.1 } else { 0.0 }));
        sim.run_until_done(LIMIT);
        match (sim.node(OURS), sim.node(THEIRS)) {
            (Side::Ours(ours), Side::Theirs(theirs)) => self.check(ours, theirs, &content),
            _ => panic!("the nodes have changed places"),
        }
    }

    fn config(self, rng: &mut Rng) -> (Config, Mechanism) {
        let config = Config { recv_segment: 65_494, ..Config::rostov(self.method) };
        match self.method {
            Method::SelectiveRepeat => (config, Mechanism::SelectiveRepeat(64)),
            // The mechanism makes no difference to the peer.
            Method::StopAndWait if rng.chance(0.5) => (Config { segment: 62_000, ..config }, Mechanism::StopAndWait),
            Method::StopAndWait => (Config { segment: 20_000, ..config }, Mechanism::SelectiveRepeat(8)),
        }
    }

    fn ours(self, rng: &mut Rng, content: &[u8]) -> Ours {
        let (config, mechanism) = self.config(rng);
        let theirs = THEIRS.port(0);
        let upload = matches!(self.kind, Kind::Upload | Kind::RefusedUpload).then(|| content.to_vec());
        match self.role {
            Role::Client => Ours::client(config, mechanism, theirs, upload, NAME),
            Role::Server => {
                let most = if self.kind == Kind::RefusedUpload { 0 } else { u64::MAX };
                let file = (self.kind == Kind::Download).then(|| content.to_vec());
                Ours::server(config, mechanism, file, most)
            }
        }
    }

    fn theirs(self, rng: &mut Rng, content: &[u8]) -> Rostov {
        let reaction = rng.up_to(Duration::from_millis(50));
        let (role, program) = match (self.role, self.kind) {
            (Role::Client, kind) => {
                let most = if kind == Kind::RefusedUpload { 0 } else { u64::MAX };
                let file = (kind == Kind::Download).then(|| content.to_vec());
                (Role::Server, Program::new(Task::Serve { file, most }, reaction))
            }
            (Role::Server, Kind::Upload | Kind::RefusedUpload) => (Role::Client, Program::upload(content, reaction)),
            (Role::Server, Kind::Download | Kind::MissingFile) => (Role::Client, Program::download(NAME, reaction)),
        };
        Rostov::new(self.method, role, OURS.port(0), program, rng.chance(0.5))
    }

    /// Both sides have the same bytes and report the same outcome.
    fn check(self, ours: &Ours, theirs: &Rostov, content: &[u8]) {
        let is_server = self.role == Role::Server;
        let (outcome, seen) = match self.kind {
            Kind::Upload => (Outcome::Stored, Seen::Done),
            Kind::Download if is_server => (Outcome::Sent, Seen::Received(content.to_vec())),
            Kind::Download => (Outcome::Received, Seen::Done),
            Kind::MissingFile => (Outcome::Refused(ErrorCode::NoSuchFile), Seen::Refused(1)),
            Kind::RefusedUpload => (Outcome::Refused(ErrorCode::TooLarge), Seen::Refused(2)),
        };
        assert_eq!((ours.outcome(), theirs.program.seen.as_ref()), (Some(outcome), Some(&seen)), "{self:?}");
        let arrived = match (self.kind, self.role) {
            (Kind::Upload, Role::Client) => theirs.program.stored.as_deref(),
            (Kind::Upload, Role::Server) | (Kind::Download, Role::Client) => ours.stored(),
            (Kind::Download, Role::Server) | (Kind::MissingFile | Kind::RefusedUpload, _) => None,
        };
        let is_stored = self.kind == Kind::Upload || self.kind == Kind::Download && !is_server;
        assert!(arrived == is_stored.then_some(content), "{self:?}: other bytes");
        let ended = ours.ended();
        assert!(matches!(ended, Some(CloseReason::Finished | CloseReason::PeerLeft)), "{self:?}: {ended:?}");
    }
}

fn run_all(method: Method, network: Network) {
    for kind in [Kind::Upload, Kind::Download, Kind::MissingFile, Kind::RefusedUpload] {
        for role in [Role::Client, Role::Server] {
            (1..=SEEDS).for_each(|seed| Case { kind, method, role, network, seed }.run());
        }
    }
}

#[test]
fn selective_repeat_is_understood_with_loss_on_our_side() {
    run_all(Method::SelectiveRepeat, Network::OurLoss);
}

#[test]
fn selective_repeat_is_understood_through_a_lossy_relay() {
    run_all(Method::SelectiveRepeat, Network::Relay);
}

#[test]
fn stop_and_wait_is_understood_with_loss_on_our_side() {
    run_all(Method::StopAndWait, Network::OurLoss);
}

#[test]
fn stop_and_wait_is_understood_through_a_lossy_relay() {
    run_all(Method::StopAndWait, Network::Relay);
}
