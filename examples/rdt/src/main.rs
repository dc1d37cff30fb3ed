//! `rdt` transfers files over UDP, with the machines of `rdt_proto`.
//!
//! ```text
//! rdt serve --root DIR       rdt put FILE HOST[:PORT]        rdt get NAME HOST[:PORT]
//! rdt demo                   rdt load HOST[:PORT] --clients 1000      rdt bench HOST[:PORT]
//! rdt socket-tcp listen      rdt socket-tcp send HOST[:PORT] < FILE
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `driver`, `endpoint`, `socket` | the event loop, its interface, its UDP socket: a model for other programs |
//! | `binding` | sockets that are bound to an address |
//! | `network_error` | which errors of system calls pass, and which end the program |
//! | `limits`, `lifecycle` | the limits of a server, and how it ends |
//! | `client`, `server` | endpoints of the loop: one request, or a listener with many connections |
//! | `serve` | starts a server |
//! | `access`, `refusals` | what clients may do, which addresses are admitted, and the answer to others |
//! | `service_manager` | systemd: the sockets that it passes, and the notices that it gets |
//! | `report` | the status of a server, and the outcome of each request |
//! | `attempts`, `link` | the connections of a client to the addresses of its server, until one is established |
//! | `patience` | how long a client tries again while its server is busy |
//! | `request` | runs a client on the loop, and reports its result |
//! | `exchange` | joins a connection, a file session and its storage, for client and server |
//! | `memory_file` | files in memory only, for measurements |
//! | `file_storage` | the storage of an exchange: files in a folder |
//! | `disk` | threads for the disk: reads ahead, writes behind |
//! | `files` | files in a folder, stored completely or not at all; blocking |
//! | `settings`, `entropy` | configuration and memory of a connection; random bytes |
//! | `demo` | client and server in one process |
//! | `load`, `bench` | many clients at once; the rate and the latency of a path |
//! | `socket_tcp` | sends and receives messages with the other protocol, SocketTCP |
//! | `threads` | the threads of a server |
//! | `reset_keys` | the keys by which a restarted server tells its clients that it does not know them |
//! | `sandbox` | restricts a server to its folder |
//! | `args`, `serve_args`, `messages`, `progress`, `packet_log`, `output`, `log` | the command line, the printed output, the log file |
//! | `clock`, `signals`, `stop`, `loss` | the time, signals, requests to stop, artificial loss |
//!
//! Exit codes: 0 success, or a server that was stopped, 1 failure, 2 invalid command line, 130 interrupted.

mod access;
mod args;
mod attempts;
mod bench;
mod binding;
mod client;
mod clock;
mod demo;
mod disk;
mod driver;
mod endpoint;
mod entropy;
mod exchange;
mod file_storage;
mod files;
mod lifecycle;
mod limits;
mod link;
mod load;
mod log;
mod loss;
mod memory_file;
mod messages;
mod network_error;
mod output;
mod packet_log;
mod patience;
mod progress;
mod refusals;
mod report;
mod request;
mod reset_keys;
#[cfg(target_os = "linux")]
mod sandbox;
mod serve;
mod serve_args;
mod server;
mod service_manager;
mod settings;
mod signals;
mod socket;
mod socket_tcp;
mod stop;
mod threads;

use args::{Cli, Command, GetArgs, PutArgs};
use clap::Parser;
use file_storage::Files;
use files::{Folder, Source};
use messages::error_text;
use rdt_proto::ftp::{Client, ClientConfig, NameBuf};
use request::{Job, request};
use serve::serve;
use std::path::Path;
use std::process::ExitCode;
use stop::Stop;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        // A server watches for signals only after it is restricted, because that takes a thread.
        Command::Serve(args) => serve(args),
        Command::Put(args) => watch().and_then(|stop| put(args, stop)),
        Command::Get(args) => watch().and_then(|stop| get(args, stop)),
        Command::Demo(args) => watch().and_then(|stop| demo::run(args, &stop)),
        Command::Load(args) => watch().and_then(|stop| load::run(args, &stop)),
        Command::Bench(args) => watch().and_then(|stop| bench::run(args, &stop)),
        Command::SocketTcp(command) => watch().and_then(|stop| socket_tcp::run(command, stop)),
    };
    let code = done.unwrap_or_else(|failure| {
        messages::to_stderr(failure);
        ExitCode::FAILURE
    });
    output::finish();
    code
}

/// Watches for the signals that ask a program to end.
fn watch() -> Result<Stop, String> {
    Stop::on_signals().map_err(|error| format!("cannot watch for signals: {error}"))
}

fn put(args: &PutArgs, stop: Stop) -> Result<ExitCode, String> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.file)?,
    };
    let job = || -> Result<Job, String> {
        let source = Source::open(&args.file)?;
        let session = Client::upload(ClientConfig::default(), name.as_name(), source.length());
        Ok((session, Box::new(|disk| Files::one(disk, source))))
    };
    request(&args.server, &args.common, job, stop)
}

fn get(args: &GetArgs, stop: Stop) -> Result<ExitCode, String> {
    let output = args.output.as_deref().unwrap_or_else(|| Path::new(args.name.as_name().as_str()));
    if output.is_dir() {
        return Err(format!("{} is a directory: give --output FILE", output.display()));
    }
    // The path may be a link to a device, such as /dev/stdout. Without this check, the commit would replace a link
    // whose target is outside the folder.
    if output.metadata().is_ok_and(|there| !there.is_file()) {
        return Err(format!("{} is not a regular file, and is not replaced: give --output FILE", output.display()));
    }
    let file_name = output.file_name();
    let file_name =
        file_name.ok_or_else(|| format!("{} is no name for a file: give --output FILE", output.display()))?;
    let parent = output.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = open_folder(parent).map_err(|why| format!("cannot write on this machine: {why}"))?;
    let job = || -> Result<Job, String> {
        let session = Client::download(ClientConfig::default(), args.name.as_name());
        let (folder, file_name) = (folder.clone(), file_name.to_owned());
        Ok((session, Box::new(move |disk| Files::named(disk, &folder, file_name))))
    };
    request(&args.server, &args.common, job, stop)
}

fn open_folder(path: &Path) -> Result<Folder, String> {
    Folder::open(path).map_err(|error| format!("cannot use the folder {}: {}", path.display(), error_text(&error)))
}

/// The name under which the server stores `file`.
fn name_of(file: &Path) -> Result<NameBuf, String> {
    let name = file.file_name().ok_or_else(|| format!("{} is not a file", file.display()))?;
    let name = name.to_str().ok_or_else(|| format!("the name of {} is not UTF-8: give --name", file.display()))?;
    NameBuf::new(name).map_err(|error| format!("cannot send {} under its name: {error}: give --name", file.display()))
}
