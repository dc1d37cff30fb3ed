//! Runs the requests of a client on the event loop.

use super::client::{Requests, SessionClient};
use super::committer::Committer;
use super::destinations::Destinations;
use super::exchange::SessionExchange;
use crate::attempts::Attempts;
use crate::binding;
use crate::common_args::Common;
use crate::contact::Contact;
use crate::disk::{self, Disk};
use crate::driver::Driver;
use crate::local_failure;
use crate::loss::Loss;
use crate::messages;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::stop::{INTERRUPTED, Stop};
use rdt_proto::Duration;
use rdt_proto::files::FileClient;
use std::net::SocketAddr;
use std::process::ExitCode;

/// How requests are run.
pub(crate) struct Run<'a> {
    /// The addresses of the server.
    pub(crate) servers: &'a [SocketAddr],
    pub(crate) common: &'a Common,
    pub(crate) stop: Stop,
    /// Whether content comes from the server.
    pub(crate) is_download: bool,
    /// Whether a thread may wait for a pipe: for content of the standard input, or for a reader of the output. Such a
    /// thread ends with the program, and what it has read is lost for another attempt.
    pub(crate) uses_pipe: bool,
}

/// What has become of the requests.
pub(crate) struct Done<R> {
    pub(crate) requests: R,
    /// Why not all of them were answered.
    pub(crate) failure: Option<String>,
    pub(crate) was_stopped: bool,
    pub(crate) took: Duration,
}

impl Run<'_> {
    /// Runs requests until all are answered, or the connection has ended.
    ///
    /// A client that the server turned away makes its requests anew, except for those that another connection has served.
    pub(crate) fn run<R: Requests>(
        &self,
        progress: impl Fn() -> Progress,
        requests: impl Fn() -> Result<R, String>,
    ) -> Result<Done<R>, String> {
        let fail = local_failure::of_network;
        self.common.start_trace()?;
        let settings = if self.is_download { self.common.settings().for_download() } else { self.common.settings() };
        let mut asked = requests()?;
        let loss = Loss::new(self.common.loss, self.common.seed);
        let socket = binding::bind_towards(self.servers).map_err(fail)?;
        let driver = Driver::on(socket, settings.largest_config().max_datagram_len(), loss, self.stop.clone());
        let mut driver = driver.and_then(Driver::hearing_icmp).map_err(fail)?;
        let mut patience = Patience::new(driver.now(), &settings, !self.common.quiet);
        let (mut took, mut has_served) = (Duration::ZERO, false);
        loop {
            let (disk, finished) = Disk::new(driver.waker(), disk::CLIENT_THREADS);
            if self.uses_pipe {
                // The end of the disk would wait for a thread that waits for the pipe.
                std::mem::forget(disk.clone());
            }
            let exchange = SessionExchange::new(FileClient::new(), Destinations::default(), disk, Committer::default());
            let exchange = exchange.taking_at_most(settings.max_rate);
            let contact = Contact::new(Attempts::new(self.servers, settings, patience));
            let mut client = SessionClient::new(contact, settings, exchange, asked, finished, progress());
            driver.run(&mut client).map_err(fail)?;
            match client.turned_away(driver.now()).filter(|_| !self.uses_pipe) {
                Some(again) => {
                    patience = again;
                    asked = if has_served { client.into_requests() } else { requests()? };
                    asked.take_back();
                }
                None => {
                    took = took.saturating_add(client.took());
                    let failure = client.failure(driver.network_error());
                    let (was_stopped, has_given_up) = (client.was_stopped(), client.has_given_up());
                    let mut requests = client.into_requests();
                    if !(has_given_up && requests.need_another_connection()) {
                        return Ok(Done { requests, failure, was_stopped, took });
                    }
                    patience = Patience::new(driver.now(), &settings, !self.common.quiet);
                    asked = requests;
                    asked.take_back();
                    has_served = true;
                }
            }
        }
    }
}

impl<R> Done<R> {
    /// The exit code. `result` says what has become of the requests, and is told whether a line about those that were not
    /// answered follows.
    pub(crate) fn end(self, result: impl FnOnce(R, Duration, bool) -> Result<(), String>) -> Result<ExitCode, String> {
        let answered = result(self.requests, self.took, self.failure.is_some());
        match self.failure {
            None => answered.map(|()| ExitCode::SUCCESS),
            Some(failure) if self.was_stopped => {
                messages::fail(&failure, INTERRUPTED);
                Ok(INTERRUPTED.into())
            }
            Some(failure) => {
                // How many have failed, and then why they have.
                answered.err().into_iter().for_each(messages::to_stderr);
                Err(failure)
            }
        }
    }
}
