//! Honest clients, a server that accepts everybody, and somebody who forges.
#![allow(unreachable_pub, reason = "a test file includes it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "../account/mod.rs"]
mod account;
mod crowd;
mod flooder;
mod server;

pub use crowd::Crowd;
pub use flooder::{Flood, Flooder};
pub use server::Server;

use rdt_proto::Duration;
use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{BandwidthDelay, Pacer};
use rdt_proto::connection::{Connection, Storage};
use rdt_proto::sim::NodeId;
use rdt_proto::store::{RecvSlots, SendSlots};

pub const SERVER: NodeId = NodeId(0);
pub const CROWD: NodeId = NodeId(1);
/// Whose addresses are forged. It takes what comes and says nothing.
pub const VICTIM: NodeId = NodeId(2);
pub const FLOODER: NodeId = NodeId(3);

/// The least size of a CONNECT, and that of every forged datagram.
pub const CONNECT_BYTES: usize = 80;

type Mechanism = SelectiveRepeat<Vec<Block>, BandwidthDelay>;
type Send = SendSlots<Vec<u8>>;
type Recv = RecvSlots<Vec<u8>>;
type Stream = Connection<Send, Recv, Mechanism>;

/// Room for so many packets to send, and so many to receive.
fn storage(send: usize, recv: usize) -> Storage<Send, Recv, Mechanism> {
    let (segment, blocks) = (1_200 + 15, send.max(recv).div_ceil(64));
    let pacer = Pacer::new(Duration::from_millis(1), segment);
    let arq = SelectiveRepeat::new(vec![Block::EMPTY; blocks], BandwidthDelay::new(segment), pacer).unwrap();
    Storage { send: Send::with_slots(send, 1_200).unwrap(), recv: Recv::with_slots(recv, 1_200).unwrap(), arq }
}
