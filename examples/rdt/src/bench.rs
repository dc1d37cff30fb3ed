//! Measures the path to a server from memory to memory: the rate up and down, and the time of small requests alone and
//! beside each of them.
//!
//! A bulk transfer runs on a thread of its own, with its own socket. Meanwhile other threads make small requests, each on
//! a new connection. The server must allow it: see [`memory_file`].

mod meter;
mod times;

use crate::attempts::Attempts;
use crate::binding;
use crate::client::FileClient;
use crate::common_args::Common;
use crate::driver::Driver;
use crate::exchange::{Exchange, Failure, Storage, Task};
use crate::json::{self, Record};
use crate::local_failure::{at_start, of_network};
use crate::loss::Loss;
use crate::memory_file;
use crate::messages::{to_stderr, to_stdout};
use crate::numbers::within;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::report::{Local, Report};
use crate::server_address::ServerAddress;
use crate::settings::{AnyStorage, Settings};
use crate::stop::{INTERRUPTED, Stop};
use meter::Meter;
use rdt_proto::connection::Connection;
use rdt_proto::ftp::{Answer, Client, ClientConfig, ErrorCode, Outcome, StorageError};
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use times::Times;

/// The length that a bulk transfer announces: the most that a server takes by default.
const BULK: u64 = 1 << 40;
/// The threads that make small requests. A thread also waits for the end of its connection, which sends its last packet
/// a few times.
const THREADS: u32 = 12;
/// The interval of small requests. More than a hundred a second would exceed the quota of a host (`--per-host`), in which
/// an ended connection counts for a second.
const INTERVAL: Duration = Duration::from_millis(20);
#[derive(clap::Args)]
pub(crate) struct BenchArgs {
    /// The server, which must run with --bench: host or host:port
    #[arg(value_name = "ADDR", value_parser = ServerAddress::parse_without_name)]
    server: ServerAddress,
    /// The time of each of the three parts: small requests alone, beside an upload, and beside a download
    #[arg(long, default_value_t = 5, value_parser = within(1..=3_600_u64))]
    seconds: u64,
    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn run(args: &BenchArgs, stop: &Stop) -> Result<ExitCode, String> {
    let servers = args.server.resolve()?;
    args.common.start_trace()?;
    let bench = Bench { args, servers, settings: args.common.settings(), stop };
    let measured = bench.measure();
    if stop.count() > 0 {
        to_stderr("stopped");
        return Ok(INTERRUPTED.into());
    }
    let (idle, up, down) = measured?;
    let parts = [("idle", &idle), ("up", &up.requests), ("down", &down.requests)];
    if json::is_chosen() {
        let (up_bits_per_second, down_bits_per_second) = (up.rate.saturating_mul(8), down.rate.saturating_mul(8));
        let [idle, beside_up, beside_down] = parts.map(|(_, requests)| requests.object());
        Record::Bench { up_bits_per_second, down_bits_per_second, idle, beside_up, beside_down }.print();
        return Ok(ExitCode::SUCCESS);
    }
    to_stdout(format_args!("up {}, down {}", rate_text(up.rate), rate_text(down.rate)));
    to_stdout("small requests (connect, ask, receive one byte), in ms:");
    for (name, requests) in parts {
        let beside = if name == "idle" { "alone".into() } else { format!("beside {name}") };
        to_stdout(format_args!("  {beside:<12} {}", requests.text()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The direction of a bulk transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// The rate of a bulk transfer in bytes a second, and the small requests beside it.
struct Beside {
    rate: u64,
    requests: Times,
}

struct Bench<'b> {
    args: &'b BenchArgs,
    servers: Vec<SocketAddr>,
    settings: Settings,
    stop: &'b Stop,
}

impl Bench<'_> {
    fn measure(&self) -> Result<(Times, Beside, Beside), String> {
        self.announce("alone");
        let idle = self.requests(|| false)?;
        Ok((idle, self.beside(Direction::Up)?, self.beside(Direction::Down)?))
    }

    /// Says which part begins: each takes seconds.
    fn announce(&self, part: &str) {
        if !self.args.common.quiet && !json::is_chosen() {
            to_stderr(format_args!("measuring small requests {part}…"));
        }
    }

    /// Makes small requests beside a bulk transfer.
    fn beside(&self, direction: Direction) -> Result<Beside, String> {
        self.announce(match direction {
            Direction::Up => "beside an upload",
            Direction::Down => "beside a download",
        });
        let (meter, bulk_stop) = (Arc::new(Meter::new(self.args.seconds)), Stop::default());
        let (bulk, requests) = thread::scope(|scope| {
            let transfer = scope.spawn(|| self.bulk(direction, &meter, bulk_stop.clone()));
            let requests = self.requests(|| transfer.is_finished());
            bulk_stop.request();
            (transfer.join().unwrap_or_else(|_| Err("the transfer failed".into())), requests)
        });
        bulk?;
        Ok(Beside { rate: meter.rate(), requests: requests? })
    }

    /// Transfers until `stop`.
    fn bulk(&self, direction: Direction, meter: &Arc<Meter>, stop: Stop) -> Result<(), String> {
        let name = memory_file::name(BULK).map_err(at_start)?;
        let session = match direction {
            Direction::Up => Client::upload(ClientConfig::default(), name.as_name(), BULK),
            Direction::Down => Client::download(ClientConfig::default(), name.as_name()),
        };
        let mut driver = self.driver(stop)?;
        let client = self.transfer(&mut driver, session, Some(meter.clone()))?;
        match client.result().map(|result| result.outcome) {
            // The server's limit on bytes may end it as well, and then it was measured until there.
            Some(Outcome::Cancelled | Outcome::Received) => Ok(()),
            _ if meter.is_measured() => Ok(()),
            _ if client.was_stopped() => Err("nothing was transferred: try more --seconds".into()),
            _ => Err(self.explain(&client, &driver)),
        }
    }

    /// Makes small requests until the time is over, or `ended`.
    fn requests(&self, ended: impl Fn() -> bool + Sync) -> Result<Times, String> {
        let (start, ended) = (Instant::now(), &ended);
        let end = start + Duration::from_secs(self.args.seconds);
        let times: Result<Vec<_>, String> = thread::scope(|scope| {
            let threads = (0..THREADS).map(|index| start + INTERVAL * index);
            let threads: Vec<_> =
                threads.map(|first| scope.spawn(move || self.some_requests(first, end, ended))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a thread failed".into()))).collect()
        });
        Ok(Times::new(times?.concat()))
    }

    /// The share of one thread, which begins at `next`. Returns the times of its requests in microseconds.
    fn some_requests(&self, mut next: Instant, end: Instant, ended: impl Fn() -> bool) -> Result<Vec<u64>, String> {
        let (mut driver, mut times) = (self.driver(self.stop.clone())?, Vec::new());
        loop {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            if Instant::now() >= end || self.stop.count() > 0 || ended() {
                return Ok(times);
            }
            let name = memory_file::name(1).map_err(at_start)?;
            let session = Client::download(ClientConfig::default(), name.as_name());
            let client = self.transfer(&mut driver, session, None)?;
            match client.result() {
                Some(result) if result.outcome == Outcome::Received => times.push(result.took.as_micros()),
                _ if client.was_stopped() => {}
                _ => return Err(self.explain(&client, &driver)),
            }
            next = (next + INTERVAL * THREADS).max(Instant::now());
        }
    }

    fn driver(&self, stop: Stop) -> Result<Driver, String> {
        let socket = binding::bind_towards(&self.servers).map_err(of_network)?;
        let loss = Loss::new(self.args.common.loss, self.args.common.seed);
        let driver = Driver::on(socket, self.settings.largest_config().max_datagram_len(), loss, stop);
        driver.and_then(Driver::hearing_icmp).map_err(of_network)
    }

    fn transfer(
        &self,
        driver: &mut Driver,
        session: Client,
        meter: Option<Arc<Meter>>,
    ) -> Result<FileClient<Content>, String> {
        let content = Content { meter, generator: memory_file::Generator::default() };
        let exchange = Exchange::new(session, content).taking_at_most(self.settings.max_rate);
        let attempts = Attempts::new(&self.servers, self.settings, Patience::new(driver.now(), &self.settings, false));
        let report = Report::new(Progress::Quiet, Local::Memory, false);
        let mut client = FileClient::new(attempts, self.settings, exchange, None, report);
        driver.run(&mut client).map_err(of_network)?;
        Ok(client)
    }

    fn explain(&self, client: &FileClient<Content>, driver: &Driver) -> String {
        let refused = Some(Outcome::Refused(ErrorCode::NotPermitted));
        if client.result().map(|result| result.outcome) == refused {
            return format!("{} allows no measurement: start `rdt serve --bench` there", self.args.server);
        }
        client.failure(driver.network_error()).unwrap_or_else(|| "the server ended the measurement".into())
    }
}

/// Content that is made up, or dropped. A bulk transfer has a meter.
struct Content {
    meter: Option<Arc<Meter>>,
    generator: memory_file::Generator,
}

impl Content {
    fn count(&self, len: usize) {
        if let Some(meter) = &self.meter {
            meter.count(len);
        }
    }
}

impl Storage for Content {
    fn perform(&mut self, task: &Task, connection: &mut Connection<AnyStorage>) -> Option<Result<Answer, Failure>> {
        Some(match task {
            Task::Create { .. } => Ok(Answer::Created),
            Task::Read { len } => {
                let sent = self.generator.send(connection, *len);
                self.count(*sent.as_ref().unwrap_or(&0));
                match sent {
                    Ok(0) => return None,
                    sent => sent.map(Answer::Read).map_err(|error| io::Error::other(error).into()),
                }
            }
            Task::Commit => Ok(Answer::Committed),
            Task::Discard => Ok(Answer::Discarded),
            // A client does not serve downloads.
            Task::Open { .. } => Ok(Answer::Failed(StorageError::Failed)),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Option<Result<usize, Failure>> {
        self.count(bytes.len());
        Some(Ok(bytes.len()))
    }

    fn finish(&mut self) {}
}

/// Formats a rate: "1.25 Gbit/s".
fn rate_text(bytes: u64) -> String {
    let bits = bytes.saturating_mul(8);
    let (unit, name) = match bits {
        1_000_000_000.. => (1_000_000_000, "Gbit/s"),
        1_000_000.. => (1_000_000, "Mbit/s"),
        _ => (1_000, "kbit/s"),
    };
    format!("{}.{:02} {name}", bits / unit, bits % unit * 100 / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_the_unit_that_fits() {
        let texts = [1_250, 125_000, 156_250_000].map(rate_text);
        assert_eq!(texts, ["10.00 kbit/s", "1.00 Mbit/s", "1.25 Gbit/s"]);
    }
}
