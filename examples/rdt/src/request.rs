//! A request of a client: runs it on the event loop, and reports its result.

use crate::attempts::Attempts;
use crate::binding;
use crate::client::FileClient;
use crate::common_args::Common;
use crate::disk::{self, Disk};
use crate::driver::Driver;
use crate::exchange::Exchange;
use crate::file_storage::Files;
use crate::local_failure;
use crate::loss::Loss;
use crate::messages;
use crate::output;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::report::{Local, Report};
use crate::server_address::ServerAddress;
use crate::session::{Destinations, Note, Success};
use crate::stop::{INTERRUPTED, Stop};
use rdt_proto::ftp::{Client, Transfer};
use std::process::ExitCode;

/// A session with the file that it sends or stores.
pub(crate) type Job = (Client, Box<dyn FnOnce(Disk) -> Files<Destinations>>);

/// Runs a client until its request is complete, and reports the result.
///
/// A client that the server turned away needs a new session with its files, which `job` makes.
pub(crate) fn request(
    server: &ServerAddress,
    common: &Common,
    local: &Local,
    job: impl Fn() -> Result<Job, String>,
    stop: Stop,
) -> Result<ExitCode, String> {
    let servers = server.resolve()?;
    common.start_trace()?;
    let settings = common.settings();
    let (mut session, mut files) = job()?;
    let settings = match session.transfer() {
        Transfer::Download => settings.for_download(),
        Transfer::Upload => settings,
    };
    let loss = Loss::new(common.loss, common.seed);
    let fail = local_failure::of_network;
    let socket = binding::bind_towards(&servers).map_err(fail)?;
    let driver =
        Driver::on(socket, settings.largest_config().max_datagram_len(), loss, stop).and_then(Driver::hearing_icmp);
    let mut driver = driver.and_then(|driver| driver.fragmenting(&settings.config)).map_err(fail)?;
    let mut patience = Patience::new(driver.now(), &settings, !common.quiet);
    let client = loop {
        let is_shown = matches!(local, Local::StandardOutput);
        let (transfer, name) = (session.transfer(), session.name().as_str().to_owned());
        let progress = Progress::of(common, transfer, &name, &server.to_string(), is_shown);
        let report = Report::new(progress, local.clone(), common.json || !common.quiet);
        let (disk, finished) = Disk::new(driver.waker(), disk::CLIENT_THREADS);
        if matches!(local, Local::StandardOutput) {
            // A thread that waits for the reader of the output ends with the program. Otherwise the end of the disk
            // would wait for it.
            std::mem::forget(disk.clone());
        }
        let exchange = Exchange::new(session, files(disk)).taking_at_most(settings.max_rate);
        let attempts = Attempts::new(&servers, settings, patience);
        let mut client = FileClient::new(attempts, settings, exchange, Some(finished), report);
        driver.run(&mut client).map_err(fail)?;
        match client.turned_away(driver.now()) {
            Some(again) => patience = again,
            None => break client,
        }
        (session, files) = job()?;
    };
    match client.failure(driver.network_error()) {
        None => {
            let success = client.storage().success();
            if let (Local::File(file), Some(Success::Sent { has_grown: true }), Some(sent)) =
                (local, success, client.result())
                && !common.quiet
            {
                messages::to_stderr(Note::grown(&file.display().to_string(), sent.bytes).into_text());
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(failure) if client.was_stopped() => {
            messages::fail(&failure, INTERRUPTED);
            Ok(INTERRUPTED.into())
        }
        // The reader has what it wants, and the exit code tells the rest.
        Some(_) if matches!(local, Local::StandardOutput) && output::has_no_reader() => Ok(ExitCode::SUCCESS),
        Some(failure) => Err(failure),
    }
}
