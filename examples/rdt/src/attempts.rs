//! The attempts of a client: at each address of its server, and again while the server is busy.

use crate::args::{self, Common};
use crate::client::{self, Cause, FileClient};
use crate::clock::Clock;
use crate::disk::{self, Disk};
use crate::driver::Driver;
use crate::exchange::Exchange;
use crate::file_storage::Files;
use crate::loss::Loss;
use crate::messages::{self, error_text};
use crate::progress::Progress;
use crate::settings::Settings;
use crate::stop::{INTERRUPTED, Stop};
use rdt_proto::Duration;
use rdt_proto::ftp::Client;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

/// The interval of attempts at a busy server. They go on for as long as a client waits for a silent one.
const BUSY_INTERVAL: Duration = Duration::from_secs(1);
/// How long an address may stay silent before the next one is tried (RFC 8305 §5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_secs(2);

/// A session with the files that it sends or stores.
pub(crate) type Job = (Client, Box<dyn FnOnce(Disk) -> Files>);

/// Runs a client until its request is complete, and reports the result.
///
/// Each attempt needs a new session with its files, which `job` makes.
pub(crate) fn request(
    server: &str,
    common: &Common,
    job: impl Fn() -> Result<Job, String>,
    stop: &Stop,
) -> Result<ExitCode, String> {
    let addresses = args::resolve_peers(server)?;
    let patience = common.settings().config.handshake_limit;
    let clock = Clock::start();
    let start = clock.now();
    let (mut next, mut is_announced) = (0, false);
    loop {
        let mut settings = common.settings();
        // A foreign server, which repeats its answer after 1.5 s, gets its time.
        if next + 1 < addresses.len() && !settings.config.framing.is_base_only() {
            settings.config.handshake_limit = settings.config.handshake_limit.min(NEXT_ADDRESS_AFTER);
        }
        let address = addresses[next];
        let failure = match attempt(address, common, settings, job()?, stop.clone())? {
            Attempt::Done => return Ok(ExitCode::SUCCESS),
            Attempt::Stopped(failure) => {
                messages::to_stderr(failure);
                return Ok(INTERRUPTED.into());
            }
            Attempt::Failed(_, Cause::Unreachable) if next + 1 < addresses.len() => {
                next += 1;
                continue;
            }
            Attempt::Failed(failure, Cause::Unreachable | Cause::Other) => return Err(failure),
            Attempt::Failed(failure, Cause::Busy) => failure,
        };
        let left = (start + patience).saturating_since(clock.now());
        if left < BUSY_INTERVAL || stop.count() > 0 {
            return Err(failure);
        }
        if !std::mem::replace(&mut is_announced, true) && !common.quiet {
            messages::to_stderr(format_args!("{address} is busy: trying again for {} s", left.as_secs()));
        }
        thread::sleep(BUSY_INTERVAL.into());
    }
}

/// The result of an attempt.
enum Attempt {
    Done,
    Stopped(String),
    Failed(String, Cause),
}

/// Runs a client with a server at this address.
fn attempt(
    server: SocketAddr,
    common: &Common,
    settings: Settings,
    (session, files): Job,
    stop: Stop,
) -> Result<Attempt, String> {
    let loss = Loss::new(common.loss, common.seed);
    let fail = |error: std::io::Error| format!("the network failed: {}", error_text(&error));
    let bytes = settings.config.max_datagram_len();
    let bound = Driver::bind(client::any_address_for(server), bytes, loss, stop).and_then(Driver::hearing_icmp);
    let mut driver = bound.and_then(|driver| driver.fragmenting(&settings.config)).map_err(fail)?;
    let progress = Progress::new(session.name().as_str(), common.quiet);
    let (disk, finished) = Disk::new(driver.waker(), disk::CLIENT_THREADS);
    let exchange = Exchange::new(session, files(disk));
    let mut client = FileClient::new(driver.now(), server, settings, exchange, Some(finished), progress, !common.quiet)
        .map_err(fail)?;
    driver.run(&mut client).map_err(fail)?;
    Ok(match client.failure(driver.network_error()) {
        None => Attempt::Done,
        Some(failure) if client.was_stopped() => Attempt::Stopped(failure),
        Some(failure) => Attempt::Failed(failure, client.cause()),
    })
}
