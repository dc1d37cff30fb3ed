//! Two ends in one process exchange datagrams in memory, without loss.

use std::time::{Duration, Instant};

use crate::Args;
use crate::pattern::Pattern;
use crate::report::{spread, table};
use crate::stack::{Control, Endpoint, MICRO, Nanos, Output, Settings, Stack, Take};

/// The number of datagrams taken from one end before the other end receives them.
///
/// It is 64, or fewer if they are large, so that they stay in the second-level cache.
fn batch(datagram: usize) -> usize {
    (256 * 1024 / datagram).clamp(4, 64)
}

/// The number of bytes written or read at a time.
const READ: usize = 64 * 1024;

/// The result of a transfer.
pub struct Ran {
    pub seconds: f64,
    pub data_packets: u64,
    pub ack_packets: u64,
}

/// Runs the handshake, then transfers `total` bytes from `a` to `b`.
///
/// The result excludes the time of the handshake and of comparing the received bytes.
pub fn transfer(
    a: &mut dyn Endpoint,
    b: &mut dyn Endpoint,
    total: u64,
    batch: usize,
    pattern: &Pattern,
) -> Result<Ran, String> {
    let mut now: Nanos = MICRO;
    let mut pool: Vec<Vec<u8>> = Vec::new();
    let mut flight: Vec<(Vec<u8>, Output)> = Vec::new();
    let mut dest = vec![0u8; READ];
    let (mut offered, mut received) = (0u64, 0u64);
    let (mut data_packets, mut ack_packets) = (0u64, 0u64);
    let mut checking = Duration::ZERO;
    let mut started: Option<Instant> = None;
    let mut idle = 0u32;

    while received < total {
        if started.is_none() && a.ready() && b.ready() {
            started = Some(Instant::now());
            (data_packets, ack_packets) = (0, 0);
        }
        let mut moved = false;
        if started.is_some() {
            while offered < total {
                let want = (total - offered).min(READ as u64) as usize;
                let n = a.write(now, pattern.at(offered, want));
                if n == 0 {
                    break;
                }
                offered += n as u64;
                moved = true;
            }
        }
        a.service(now);
        // Bytes that are read and bytes that a stack lends from a datagram go into the same 64 KiB.
        let mut filled = 0;
        let mut take = |bytes: &[u8]| {
            let count = bytes.len().min(READ - filled);
            dest[filled..filled + count].copy_from_slice(&bytes[..count]);
            filled += count;
            count
        };
        let n = carry(a, b, now, batch, &mut pool, &mut flight, &mut take);
        data_packets += n;
        b.service(now);
        moved |= n > 0;
        loop {
            while filled < READ {
                let n = b.read(now, &mut dest[filled..]);
                if n == 0 {
                    break;
                }
                filled += n;
            }
            if filled == 0 {
                break;
            }
            let check = Instant::now();
            if !pattern.matches(received, &dest[..filled]) {
                return Err(format!("wrong bytes at {received}"));
            }
            checking += check.elapsed();
            received += filled as u64;
            filled = 0;
            moved = true;
        }
        b.service(now);
        let n = carry(b, a, now, batch, &mut pool, &mut flight, &mut |_| 0);
        ack_packets += n;
        moved |= n > 0;
        now += 20 * MICRO;
        if moved {
            idle = 0;
        } else {
            idle += 1;
            if idle > 100_000 {
                return Err(format!("stuck after {received} bytes at {} ms", now / 1_000_000));
            }
            let next = [a.deadline(now), b.deadline(now)].into_iter().flatten().min();
            if let Some(at) = next {
                now = now.max(at);
            }
        }
        if a.deadline(now).is_some_and(|at| at <= now) {
            a.tick(now);
        }
        if b.deadline(now).is_some_and(|at| at <= now) {
            b.tick(now);
        }
    }
    let took = started.map(|s| s.elapsed()).unwrap_or_default() - checking;
    Ok(Ran { seconds: took.as_secs_f64(), data_packets, ack_packets })
}

/// Moves up to `batch` datagrams from one end to the other. Returns their number.
fn carry(
    from: &mut dyn Endpoint,
    to: &mut dyn Endpoint,
    now: Nanos,
    batch: usize,
    pool: &mut Vec<Vec<u8>>,
    flight: &mut Vec<(Vec<u8>, Output)>,
    take: Take<'_>,
) -> u64 {
    let mut count = 0u64;
    while (count as usize) < batch {
        let mut buf = pool.pop().unwrap_or_default();
        match from.output(now, &mut buf) {
            Some(output) => {
                count += output.len.div_ceil(output.segment) as u64;
                flight.push((buf, output));
            }
            None => {
                pool.push(buf);
                break;
            }
        }
    }
    for (buf, output) in flight.drain(..) {
        for datagram in buf[..output.len].chunks(output.segment) {
            to.input(now, datagram, take);
        }
        pool.push(buf);
    }
    count
}

/// Copies `total` bytes into packets of `payload` bytes and out again, a batch at a time. Returns the seconds.
fn memcpy(payload: usize, total: u64, pattern: &Pattern) -> f64 {
    let mut packets = vec![vec![0u8; payload]; batch(payload)];
    let mut dest = vec![0u8; batch(payload) * payload];
    let start = Instant::now();
    let mut at = 0u64;
    let mut checking = Duration::ZERO;
    while at < total {
        for (i, p) in packets.iter_mut().enumerate() {
            p.copy_from_slice(pattern.at(at + (i * payload) as u64, payload));
            std::hint::black_box(&p[..]);
        }
        for (i, p) in packets.iter().enumerate() {
            dest[i * payload..(i + 1) * payload].copy_from_slice(p);
        }
        std::hint::black_box(&dest[..]);
        let check = Instant::now();
        assert!(pattern.matches(at, &dest));
        checking += check.elapsed();
        at += dest.len() as u64;
    }
    (start.elapsed() - checking).as_secs_f64() * total as f64 / at as f64
}

#[derive(Default)]
struct Row {
    rate: Vec<f64>,
    ns: Vec<f64>,
    packets: u64,
    back: u64,
    allocs: Option<f64>,
    failed: Option<String>,
}

pub fn run(stacks: &[Box<dyn Stack>], args: &Args) {
    let (reps, total) = (args.reps.unwrap_or(5), args.mib.unwrap_or(256) << 20);
    let pattern = Pattern::new();
    let mut sizes = vec![1200usize, 1400, 8192, 60_000];
    if let Ok(size) = args.filter.parse() {
        sizes = vec![size];
    }
    let gib = total as f64 / (1u64 << 30) as f64;
    println!("# memory: {} MiB, {reps} interleaved repetitions, median (min..max)\n", total >> 20);
    let window: Option<usize> = std::env::var("PEERS_WINDOW").ok().and_then(|w| w.parse().ok());
    let tolerant = std::env::var_os("PEERS_TOLERANT").is_some();
    let control = if tolerant { Control::Tolerant } else { Control::Default };
    let mut table_rows = Vec::new();
    for &size in &sizes {
        let chosen: Vec<&dyn Stack> = stacks
            .iter()
            .map(|s| s.as_ref())
            .filter(|s| args.wants(s.name()) && size <= s.largest_datagram())
            .collect();
        let settings = |stack: &dyn Stack| Settings {
            datagram: size,
            window: window.unwrap_or(stack.memory_window()).max(size * 8),
            control,
            variant: 0,
        };
        let mut limit = Row::default();
        let mut rows: Vec<Row> = chosen.iter().map(|_| Row::default()).collect();
        for rep in 0..reps {
            let seconds = memcpy(size, total, &pattern);
            limit.packets = total.div_ceil(size as u64);
            limit.rate.push(gib / seconds);
            limit.ns.push(seconds * 1e9 / limit.packets as f64);
            for (stack, row) in chosen.iter().zip(&mut rows) {
                let settings = settings(*stack);
                if row.failed.is_some() {
                    continue;
                }
                let Some((mut a, mut b)) = stack.pair(&settings) else {
                    continue;
                };
                match transfer(a.as_mut(), b.as_mut(), total, batch(size), &pattern) {
                    Ok(r) => {
                        row.rate.push(gib / r.seconds);
                        row.ns.push(r.seconds * 1e9 / r.data_packets as f64);
                        (row.packets, row.back) = (r.data_packets, r.ack_packets);
                    }
                    Err(e) => row.failed = Some(e),
                }
                if rep == 0 && row.failed.is_none() {
                    // Allocations are counted in a separate run, which is not timed.
                    row.allocs = stack.pair(&settings).map(|(mut a, mut b)| {
                        crate::alloc::start();
                        let r = transfer(a.as_mut(), b.as_mut(), total / 8, batch(size), &pattern);
                        crate::alloc::stop();
                        crate::alloc::calls() as f64 / r.map(|r| r.data_packets).unwrap_or(1) as f64
                    });
                }
            }
        }
        let top = spread(&limit.rate).median;
        let named = std::iter::once(("memcpy in+out", &limit)).chain(chosen.iter().map(|s| s.name()).zip(&rows));
        for (name, row) in named {
            if let Some(e) = &row.failed {
                table_rows.push(vec![name.into(), size.to_string(), format!("failed: {e}")]);
            } else if !row.rate.is_empty() {
                let rate = spread(&row.rate);
                table_rows.push(vec![
                    name.into(),
                    size.to_string(),
                    rate.show(2),
                    spread(&row.ns).show(0),
                    format!("{:.1}%", rate.median / top * 100.0),
                    row.packets.to_string(),
                    row.back.to_string(),
                    row.allocs.map(|c| format!("{c:.2}")).unwrap_or("-".into()),
                ]);
            }
        }
    }
    table(
        &[
            "stack",
            "datagram",
            "GiB/s payload",
            "ns per data packet",
            "of memcpy",
            "data packets",
            "packets back",
            "allocs/packet",
        ],
        &table_rows,
    );
}
