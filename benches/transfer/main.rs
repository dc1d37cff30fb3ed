//! Benchmarks of whole transfers: the CPU time of both connections, and the goodput on a link.
//!
//! ```text
//! cargo bench --bench transfer                        # takes two minutes, then prints the goodput
//! cargo bench --bench transfer -- memory              # only the CPU time
//! cargo bench --bench transfer -- simulated           # only the goodput
//! ```
//!
//! **memory**: two connections in one process, without loss or link. The wall-clock time is the CPU time of both ends
//! on one core.
//!
//! **simulated**: two connections over a simulated link of 100 Mbit/s with a round trip of 100 ms (feature `sim`). The
//! rows are in *virtual* time: criterion's `time` is the duration of the transfer on the simulated clock, and `thrpt`
//! is the goodput. Both values are the same on every machine, and vary only between the ten seeds. If criterion reports
//! a change of these rows, the behaviour of the protocol has changed, not the speed of the code.
#![allow(missing_docs, reason = "`criterion_group!` makes a public function without documentation")]
#![allow(clippy::expect_used, clippy::panic, reason = "a bench whose transfer fails must stop")]

mod memory;
mod simulated;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group};
use simulated::{CONTROLLERS, LOSSES, Results};

fn in_memory(c: &mut Criterion) {
    const BYTES: u64 = 4 << 20;
    let mut group = c.benchmark_group("memory");
    group.throughput(Throughput::Bytes(BYTES)).sample_size(20).measurement_time(Duration::from_secs(3));
    let mut pair = memory::selective_repeat();
    group.bench_function("selective repeat, extended mode", |b| b.iter(|| pair.transfer(BYTES)));
    let mut pair = memory::pooled();
    group.bench_function("selective repeat, extended mode, pooled", |b| b.iter(|| pair.transfer(BYTES)));
    let mut pair = memory::stop_and_wait();
    group.bench_function("stop-and-wait, base mode", |b| b.iter(|| pair.transfer(BYTES)));
}

fn simulated(c: &mut Criterion) {
    // With `--test` a short transfer suffices.
    let bytes = if std::env::args().any(|arg| arg == "--test") { 1 << 18 } else { 20 << 20 };
    let mut results = Results::new(bytes);
    for (name, controller) in CONTROLLERS {
        let mut group = c.benchmark_group(format!("simulated, {name}"));
        group.throughput(Throughput::Bits(bytes * 8)).sampling_mode(SamplingMode::Flat).sample_size(10);
        group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(2));
        for percent in LOSSES {
            let mut seeds = (0..10).cycle();
            group.bench_function(BenchmarkId::from_parameter(format!("{percent} %")), |b| {
                b.iter_custom(|iters| {
                    let runs = seeds.by_ref().take(usize::try_from(iters).unwrap_or(usize::MAX));
                    runs.map(|seed| results.transfer(name, controller, percent, seed)).sum()
                });
            });
        }
    }
    results.print();
}

criterion_group!(benches, in_memory, simulated);
criterion::criterion_main!(benches);
