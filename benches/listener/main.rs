//! A listener with 10 to 100,000 connections.
//!
//! The cost of a datagram must not depend on the number of connections.
//!
//! ```text
//! cargo bench --bench listener                  # two minutes; prints a table of bytes, then criterion's rows
//! cargo bench --bench listener -- 'receive'     # only rows whose names contain "receive"
//! ```
//!
//! Every connection is established in extended mode, with stop-and-wait and bodies of 64 bytes, and has a deadline.
//! Each row is measured with datagrams for three sets of connections:
//!
//! - **one** connection. Its memory is in the nearest cache.
//! - **ten** connections, in random order. Their memory is in a near cache, and the tables hold all connections.
//! - **all** connections, in random order. If there are many, the memory of a datagram's connection is in main memory.
//!   The difference from *ten* is the cost of cache misses, not of the listener's tables.
//!
//! *receive*: an INFO arrives. The bench polls the event, reads the body, sends the SACK and polls the next deadline.
//! *send*: the bench writes and sends a body, and the SACK of the body arrives. Both times exclude the preparation of
//! the datagrams.
#![allow(missing_docs, reason = "`criterion_group!` makes a public function without documentation")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench in an unexpected state must stop")]

mod bytes;
mod population;
mod unknown_senders;

use criterion::{BenchmarkId, Criterion, criterion_group};
use population::{Order, Population};
use std::time::Duration;

const PEERS: [usize; 4] = [10, 1_000, 10_000, 100_000];

fn datagrams(criterion: &mut Criterion) {
    for peers in PEERS {
        let mut population = Population::new(peers);
        for order in [Order::One, Order::Ten, Order::All] {
            let mut group = criterion.benchmark_group(format!("receive, {}", order.name()));
            group.bench_function(BenchmarkId::from_parameter(peers), |bencher| {
                bencher.iter_custom(|count| population.receive(order, count));
            });
            group.finish();
            let mut group = criterion.benchmark_group(format!("send, {}", order.name()));
            group.bench_function(BenchmarkId::from_parameter(peers), |bencher| {
                bencher.iter_custom(|count| population.send(order, count));
            });
        }
    }
}

criterion_group! {
    name = listener;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500));
    targets = datagrams, unknown_senders::rejected
}

fn main() {
    bytes::print();
    listener();
    Criterion::default().configure_from_args().final_summary();
}
