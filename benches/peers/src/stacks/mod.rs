//! The stacks, one in each file.
//!
//! To add a stack, write `NAME.rs`, implement [`Stack`](crate::stack::Stack), and add it to [`all`].

use crate::stack::Stack;

mod enet;
mod kcp;
mod noq;
pub mod null;
mod quinn;
mod quinn_null_keys;
mod rdt;
pub mod rdt_ends;
mod rdt_source;
pub mod rdt_stop_and_wait;
mod sctp;
pub mod smoltcp;
mod tls;

pub fn all() -> Vec<Box<dyn Stack>> {
    vec![
        Box::new(null::Null),
        Box::new(rdt::Rdt(rdt::Kind::Fixed)),
        Box::new(rdt_source::RdtSource),
        Box::new(rdt::Rdt(rdt::Kind::Default)),
        Box::new(rdt::Rdt(rdt::Kind::Cubic)),
        Box::new(rdt::Rdt(rdt::Kind::NewReno)),
        Box::new(smoltcp::Smoltcp { checksums: false }),
        Box::new(smoltcp::Smoltcp { checksums: true }),
        Box::new(kcp::KcpStack),
        Box::new(enet::Enet),
        Box::new(quinn::Quinn { null_crypto: false }),
        Box::new(quinn::Quinn { null_crypto: true }),
        Box::new(noq::Noq),
        Box::new(sctp::Sctp),
    ]
}
