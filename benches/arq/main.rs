//! Selective repeat, operation by operation, for windows of 16 to 65,536 numbers.
//!
//! The cost of an operation must not depend on the width of the window.
//!
//! ```text
//! cargo bench --bench arq                       # two minutes; prints a table of all rows at the end
//! cargo bench --bench arq -- 'steady'           # only rows whose names contain "steady"
//! ```
//!
//! Each operation is measured in two settings.
//!
//! - **16 in flight**, at a position that moves through the window. Every window has the same work on the same number
//!   of packets, so that the cost must be the same for all windows.
//! - **all in flight**: the whole window, as on a long fast path. A number takes 16 bytes, so 65,536 numbers take 1
//!   MiB. State that is used once per round trip is then no longer in the nearer caches, and the figures include these
//!   cache misses.
//!
//! A window of 16 has the memory of 64 numbers, the minimum. The peer's limit reduces the window to 16.
//!
//! In most rows, state is prepared between batches of 16 operations, and the clock is read before and after each batch.
//! The cost of reading the clock is measured first and subtracted. The *steady* rows need no preparation. There the
//! clock is read before and after 512 numbers.
#![allow(missing_docs, reason = "`criterion_group!` makes a public function without documentation")]
#![allow(clippy::expect_used, clippy::panic, reason = "a bench in an unexpected state must stop")]

mod receiver;
mod sender;
mod table;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group};
use rdt_proto::arq::{Block, SelectiveRepeat};
use rdt_proto::congestion::{FixedWindow, Pacer};

/// The number of operations measured at a time, and of packets in flight in the first setting.
///
/// It is the smallest window.
const BATCH: u32 = 16;

const WINDOWS: [u32; 7] = [16, 64, 256, 1_024, 4_096, 16_384, 65_536];

/// The number of packets in flight at a sender, or buffered by a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Batch,
    All,
}

impl Load {
    const fn name(self) -> &'static str {
        match self {
            Self::Batch => "16 in flight",
            Self::All => "all in flight",
        }
    }
}

/// Selective repeat whose only limit is a window of `numbers`.
fn arq(numbers: u32) -> SelectiveRepeat<Vec<Block>, FixedWindow> {
    let blocks = vec![Block::EMPTY; numbers.div_ceil(64) as usize];
    let pacer = Pacer::new(rdt_proto::Duration::from_millis(1), 1_200);
    SelectiveRepeat::new(blocks, FixedWindow::new(u64::MAX), pacer).expect("there is a block")
}

/// The result of a step: its duration, and the number of operations.
type Step = (Duration, u64);

/// Runs `operations`, and returns their duration without the cost of the clock.
fn timed(operations: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    operations();
    start.elapsed().saturating_sub(table::clock())
}

/// A rig aligned to a cache line.
///
/// Without alignment, some rigs would span one cache line more than others, and would be slower.
#[repr(align(64))]
struct Aligned<R>(R);

/// Measures one row: an operation for each window.
fn rows<R>(c: &mut Criterion, (name, load): (&str, Load), new: impl Fn(u32, Load) -> R, step: impl Fn(&mut R) -> Step) {
    let name = format!("{name}, {}", load.name());
    let mut group = c.benchmark_group(&name);
    let (mut rigs, mut chosen) = (WINDOWS.map(|window| Box::new(Aligned(new(window, load)))), false);
    for (window, rig) in WINDOWS.iter().zip(&mut rigs) {
        group.bench_function(BenchmarkId::from_parameter(window), |b| {
            chosen = true;
            b.iter_custom(|iters| {
                let (mut time, mut done) = (Duration::ZERO, 0);
                while done < iters {
                    let (took, count) = step(&mut rig.0);
                    time += took;
                    done += count;
                }
                time.mul_f64(iters as f64 / done as f64)
            });
        });
    }
    group.finish();
    if chosen && !table::is_test() {
        table::compare(&name, &mut rigs, |rig| step(&mut rig.0));
    }
}

/// The operations of the sender: on one number, or on one acknowledgement.
fn senders(c: &mut Criterion) {
    use sender::Rig;
    for load in [Load::Batch, Load::All] {
        let mut row = |name, step: fn(&mut Rig) -> Step| rows(c, (name, load), Rig::new, step);
        row("steady sender, a number sent and acknowledged", Rig::steady);
        row("next_info and on_info_sent", Rig::send);
        row("handle_sack in order, of 2 numbers", Rig::sack_in_order);
        row("handle_sack with a hole, of 1 number", Rig::sack_with_hole);
        row("handle_ack in order", Rig::ack_in_order);
        row("handle_ack with a hole", Rig::ack_with_hole);
        row("a number marked lost and retransmitted", Rig::lose);
    }
}

/// The operations of the receiver.
fn receivers(c: &mut Criterion) {
    use receiver::Rig;
    for load in [Load::Batch, Load::All] {
        let mut row = |name, step: fn(&mut Rig) -> Step| rows(c, (name, load), Rig::new, step);
        if load == Load::Batch {
            row("steady receiver, a number received and acknowledged", Rig::steady);
            row("handle_info in order", Rig::info_in_order);
            row("sack in order", Rig::sack_in_order);
        }
        row("handle_info out of order", Rig::info_early);
        // The bitmap covers at most 1,024 buffered numbers, so the cost grows with windows up to 1,024.
        row("sack with holes", Rig::sack_with_holes);
    }
    rows(c, ("base mode, ack and on_ack_sent in order", Load::Batch), Rig::base, Rig::acks_in_order);
}

/// Single calls that affect a whole window, or numbers far apart. The time per affected number must not depend on the
/// window.
fn at_once(c: &mut Criterion) {
    let mut row = |name, step: fn(&mut sender::Rig) -> Step| rows(c, (name, Load::All), sender::Rig::new, step);
    row("one handle_sack fills the hole, per number", sender::Rig::fill);
    row("the retransmission timeout, per number", sender::Rig::time_out);
    let mut row = |name, step: fn(&mut receiver::Rig) -> Step| rows(c, (name, Load::All), receiver::Rig::new, step);
    row("one handle_info fills the hole, per number", receiver::Rig::fill);
    let mut row = |name, step: fn(&mut receiver::Rig) -> Step| rows(c, (name, Load::All), receiver::Rig::base, step);
    row("two acknowledgements a window apart", receiver::Rig::acks_far_apart);
}

/// Settings for short measurements, since there are many rows.
fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .nresamples(1_001)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
}

criterion_group!(name = benches; config = criterion(); targets = senders, receivers, at_once);

fn main() {
    benches();
    criterion().configure_from_args().final_summary();
    table::print();
}
