//! SocketTCP on the command line. One side sends its standard input as a message, and the other side prints it.

mod listen;
mod send;

use crate::args::{CloseRole, ListenArgs, SocketTcpArgs, SocketTcpCommand};
use crate::binding::any_address_for;
use crate::driver::Driver;
use crate::local_failure::of_network;
use crate::loss::Loss;
use crate::messages::{error_text, to_stderr, to_stdout};
use crate::server_address::{ServerAddress, resolve_bind};
use crate::standard_streams::Input;
use crate::stop::{INTERRUPTED, Stop};
use listen::Listen;
use rdt_proto::socket_tcp::{MAX_SEGMENT, Pieces, SocketCloseReason, SocketConfig};
use send::Send;
use std::io::Read;
use std::net::SocketAddr;
use std::process::ExitCode;

pub(crate) fn run(command: &SocketTcpCommand, stop: Stop) -> Result<ExitCode, String> {
    match command {
        SocketTcpCommand::Listen(args) => listen(args, stop),
        SocketTcpCommand::Send { server, close, pairs, common } => {
            let pieces = if *pairs { Pieces::Pairs } else { Pieces::Full };
            send(server, *close, SocketConfig { pieces, ..config(common) }, common, stop)
        }
    }
}

/// The configuration for the implementation at the other end.
fn config(args: &SocketTcpArgs) -> SocketConfig {
    if args.report { SocketConfig::report() } else { SocketConfig::default() }
}

fn bind(address: SocketAddr, args: &SocketTcpArgs, stop: Stop) -> Result<Driver, String> {
    let bound = Driver::bind(address, MAX_SEGMENT, Loss::new(args.loss, args.seed), stop);
    bound.map_err(|error| format!("cannot use the address {address}: {}: give another", error_text(&error)))
}

/// The reason for the early end of a connection.
fn end_reason(reason: Option<SocketCloseReason>) -> &'static str {
    match reason {
        Some(SocketCloseReason::HandshakeTimedOut) => "no answer came",
        Some(SocketCloseReason::TimedOut) => "it stopped answering",
        Some(SocketCloseReason::Quiet) => "nothing more came from it",
        Some(SocketCloseReason::PeerLeft | SocketCloseReason::CutShort) => "it closed early",
        Some(SocketCloseReason::Finished) => "it closed",
        Some(SocketCloseReason::Aborted) => "stopped here",
        Some(_) | None => "the connection broke",
    }
}

fn listen(args: &ListenArgs, stop: Stop) -> Result<ExitCode, String> {
    let mut driver = bind(resolve_bind(&args.bind)?, &args.common, stop)?;
    let mut listen = Listen::new(driver.now(), config(&args.common), args).map_err(of_network)?;
    crate::output::start().map_err(of_network)?;
    to_stderr(format_args!("listening on {}", driver.local_address().map_err(of_network)?));
    driver.run(&mut listen).map_err(of_network)?;
    // To be stopped is the only orderly end of a server.
    Ok(ExitCode::SUCCESS)
}

fn send(
    server: &ServerAddress,
    close: CloseRole,
    config: SocketConfig,
    args: &SocketTcpArgs,
    stop: Stop,
) -> Result<ExitCode, String> {
    let server = server.first()?;
    let mut message = Vec::new();
    Input::open()?.read_to_end(&mut message).map_err(|error| {
        format!("cannot read the message from the standard input: {}: try again", error_text(&error))
    })?;
    let mut driver = bind(any_address_for(server), args, stop)?;
    let mut send = Send::new(driver.now(), config, server, message, close).map_err(of_network)?;
    driver.run(&mut send).map_err(of_network)?;
    match send.result() {
        Ok(line) => {
            to_stdout(line);
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) if send.was_stopped() => {
            to_stderr(failure);
            Ok(INTERRUPTED.into())
        }
        Err(failure) => Err(failure),
    }
}
