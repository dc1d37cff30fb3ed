//! Compares stop-and-wait with the textbook formula.

use rdt_proto::Duration;
use rdt_proto::connection::{Config, HeapStopAndWait, Mode};
use rdt_proto::wire::Framing;

use crate::Args;
use crate::pattern::Pattern;
use crate::report::{spread, table};
use crate::simulate::{DATAGRAM, Link, scenarios, transfer};
use crate::stack::{Endpoint, SECOND};
use crate::stacks::rdt_ends::{ends, extended_header_len};

/// The size of the headers of IP and UDP in bytes.
const LOWER_HEADERS: usize = 28;
/// The approximate virtual time of a run in seconds. It is below the limit of 900 s.
const SECONDS: f64 = 600.0;
/// The maximum number of packets in a run.
const MOST_PACKETS: f64 = 20_000.0;

fn pair(mode: Mode, segment: u16) -> [Box<dyn Endpoint>; 2] {
    let never = Duration::MAX;
    let limits = Config { handshake_limit: never, idle_limit: never, quiet_limit: never, ..Config::default() };
    let config = Config { mode, segment, recv_segment: segment, ..limits };
    ends(config, || HeapStopAndWait::stop_and_wait_on_heap(&config).expect("the config has at least one slot"))
}

/// The share of the time in which the link carries new packets.
///
/// It is `1 / ((1 + 2a) (1 + q / (1 - 2q)))`. Here `a` is the propagation time divided by the transmission time of a
/// packet. `q` is the probability that an exchange loses the packet or its acknowledgement. A lost packet is
/// retransmitted after one round trip, and the timeout doubles each time. The transmission of an acknowledgement takes
/// no time.
fn formula(link: &Link) -> f64 {
    let a = link.round_trip as f64 / 2.0 / (packet_seconds(link) * SECOND as f64);
    let q = 1.0 - (1.0 - link.loss).powi(2);
    1.0 / ((1.0 + 2.0 * a) * (1.0 + q / (1.0 - 2.0 * q)))
}

fn packet_seconds(link: &Link) -> f64 {
    ((DATAGRAM + LOWER_HEADERS) * 8) as f64 / link.bits_per_second as f64
}

pub fn run(args: &Args) {
    let reps = args.reps.unwrap_or(5);
    let pattern = Pattern::new();
    println!(
        "# stop-and-wait: IP packets of {} bytes, loss in both directions, {reps} seeds, share of the time in which the link carries new packets: the formula, and median (min..max) in percent of it\n",
        DATAGRAM + LOWER_HEADERS
    );
    let mut rows = Vec::new();
    // The formula holds up to 10 % loss. On the fastest link the share of one packet at a time is too small to measure.
    for (name, link) in
        scenarios().into_iter().filter(|(_, link)| link.loss <= 0.1 && link.bits_per_second < 1_000_000_000)
    {
        if !name.contains(&args.filter) {
            continue;
        }
        let expected = formula(&link);
        let packets = (SECONDS * expected / packet_seconds(&link)).min(MOST_PACKETS) as u64;
        let mut row = vec![name.clone(), packets.to_string(), format!("{:.4} %", expected * 100.0)];
        for (mode, header) in [(Mode::Base, Framing::NOTE.info_header_len()), (Mode::Extended, extended_header_len())] {
            let segment = DATAGRAM - header;
            let total = packets * segment as u64;
            let one = |seed| {
                let ends = pair(mode, segment as u16);
                let outcome = transfer(ends, &link, LOWER_HEADERS, total, 1000 + seed, &pattern)?;
                let carried = outcome.utilisation * link.bits_per_second as f64 / 8.0 / segment as f64;
                Ok::<_, String>((carried * packet_seconds(&link), outcome.finished))
            };
            match (args.seed..args.seed + reps as u64).map(one).collect::<Result<Vec<_>, _>>() {
                Ok(runs) => {
                    let shares: Vec<_> = runs.iter().map(|(share, _)| share / expected * 100.0).collect();
                    let cut = if runs.iter().all(|(_, finished)| *finished) { "" } else { ", cut off at 900 s" };
                    row.push(format!("{} %{cut}", spread(&shares).show(1)));
                }
                Err(error) => row.push(error),
            }
        }
        rows.push(row);
        eprintln!("done: {name}");
    }
    table(&["link", "packets", "formula", "base mode, of the formula", "extended mode, of the formula"], &rows);
}
