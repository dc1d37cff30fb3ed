//! `rdt` transfers files over UDP, with the machines of `rdt_proto`.
//!
//! ```text
//! rdt serve --root DIR       rdt put FILE HOST[:PORT]        rdt get NAME HOST[:PORT]
//! rdt demo                   rdt load HOST[:PORT] --clients 1000
//! rdt socket-tcp listen      rdt socket-tcp send HOST[:PORT] < FILE
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `driver`, `endpoint`, `socket` | the event loop, its interface, its UDP socket: a model for other programs |
//! | `network_error` | which errors of system calls pass, and which end the program |
//! | `request_line` | what a server prints about a request |
//! | `client`, `server` | endpoints of the loop: one request, or a listener with many connections |
//! | `attempts`, `link` | the connections of a client to the addresses of its server, until one is established |
//! | `patience` | how long a client tries again while its server is busy |
//! | `request`, `report` | runs a client on the loop, and reports its result |
//! | `destination` | where a download goes |
//! | `exchange` | joins a connection, a file session and its storage, for client and server |
//! | `file_storage` | the storage of an exchange: files in a folder |
//! | `disk` | threads for the disk: reads ahead, writes behind |
//! | `files` | files in a folder, stored completely or not at all; blocking |
//! | `settings`, `entropy` | configuration and memory of a connection; random bytes |
//! | `demo` | client and server in one process |
//! | `load` | many clients at once |
//! | `socket_tcp` | sends and receives messages with the other protocol, SocketTCP |
//! | `threads` | the threads of a server |
//! | `reset_keys` | the keys by which a restarted server tells its clients that it does not know them |
//! | `sandbox` | restricts a server to its folder |
//! | `args`, `transfer_args`, `common_args`, `server_address`, `usage` | the command line |
//! | `generated` | completions of shells, and manual pages |
//! | `messages`, `progress`, `progress_line`, `rate`, `packet_log`, `escape`, `json`, `output` | the printed output |
//! | `clock`, `stop`, `loss` | the time, Ctrl-C, artificial loss |
//!
//! Exit codes: 0 success, or a server that was stopped, 1 failure (also of the standard
//! output), 2 invalid command line, 130 interrupted.

mod args;
mod attempts;
mod client;
mod clock;
mod common_args;
mod demo;
mod destination;
mod disk;
mod driver;
mod endpoint;
mod entropy;
mod escape;
mod exchange;
mod file_storage;
mod files;
mod generated;
mod json;
mod link;
mod load;
mod loss;
mod messages;
mod network_error;
mod output;
mod packet_log;
mod patience;
mod progress;
mod progress_line;
mod rate;
mod report;
mod request;
mod request_line;
mod reset_keys;
#[cfg(target_os = "linux")]
mod sandbox;
mod server;
mod server_address;
mod settings;
mod socket;
mod socket_tcp;
mod stop;
mod threads;
mod transfer_args;
mod usage;

use args::{Command, ServeArgs};
use destination::Destination;
use driver::Driver;
use file_storage::Files;
use files::{Folder, Source, Space, SpaceLimits};
use loss::Loss;
use messages::error_text;
use rdt_proto::ftp::{Client, ClientConfig, NameBuf, ServerConfig};
use report::Local;
use request::{Job, request};
use reset_keys::ResetKeys;
use server::{FileServer, Limits, Store};
use std::path::Path;
use std::process::ExitCode;
use stop::Stop;
use transfer_args::{GetArgs, PutArgs};

/// The exit code of a failure.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    // By default this signal ends the program. With a handler, the write fails.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(libc::SIGXFSZ, std::sync::Arc::default());
    let cli = match usage::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if cli.is_json() {
        json::choose();
    }
    let done = match &cli.command {
        // A server watches for signals only after it is restricted, because that takes a thread.
        Command::Serve(args) => serve(args),
        Command::Put(args) => watch().and_then(|stop| put(args, stop)),
        Command::Get(args) => watch().and_then(|stop| get(args, stop)),
        Command::Demo(args) => watch().and_then(|stop| demo::run(args, &stop)),
        Command::Load(args) => watch().and_then(|stop| load::run(args, &stop)),
        Command::Completions { shell } => Ok(generated::completions(*shell)),
        Command::Man { command } => generated::manual(command),
        Command::SocketTcp(command) => watch().and_then(|stop| socket_tcp::run(command, stop)),
    };
    let code = done.unwrap_or_else(|failure| {
        messages::fail(&failure, FAILURE);
        FAILURE.into()
    });
    usage::checked(code)
}

/// Watches for Ctrl-C and for the signals that ask a program to end.
fn watch() -> Result<Stop, String> {
    Stop::on_ctrl_c().map_err(|error| format!("cannot watch for Ctrl-C: {error}"))
}

fn serve(args: &ServeArgs) -> Result<ExitCode, String> {
    let address = server_address::resolve_bind(&args.bind)?;
    if !args.root.exists() {
        // If this fails, opening the folder reports the error.
        let _ = std::fs::create_dir(&args.root);
    }
    let defaults = ServerConfig::default();
    let session_config = ServerConfig {
        max_upload_length: args.max_size.unwrap_or(defaults.max_upload_length),
        read_only: args.read_only,
        allow_replace: !args.no_replace,
        ..defaults
    };
    let limits = Limits {
        clients: args.max_peers,
        per_host: args.per_host,
        retry: args.retry.into(),
        memory: args.memory.map_or(settings::MEMORY, |bytes| bytes.try_into().unwrap_or(usize::MAX)),
    };
    let space = SpaceLimits { total: args.max_unfinished, per_host: args.max_unfinished_per_host };
    let store = Store { folder: open_folder(&args.root)?, space: Space::new(space) };
    let settings = args.common.settings();
    let fail = |error: std::io::Error| format!("cannot listen on {address}: {}", error_text(&error));
    let sockets = socket::bind_together(address, args.threads).map_err(fail)?;
    let bound = sockets[0].local_addr().map_err(fail)?;
    let keys = if address.port() == 0 {
        Some(ResetKeys::fresh().map_err(fail)?)
    } else {
        match ResetKeys::load(args.state.as_deref(), bound, &args.root) {
            Ok(keys) => Some(keys),
            Err(why) if args.state.is_some() => return Err(why),
            Err(why) => {
                messages::to_stderr(format_args!("{why}; clients of a restarted server will wait for their --timeout"));
                None
            }
        }
    };
    let restriction = restrict(&store.folder, args);
    // Here the first thread starts.
    output::start().map_err(|error| format!("cannot start: {}", error_text(&error)))?;
    let stop = watch()?;
    if !args.common.quiet {
        messages::to_stderr(restriction);
    }
    messages::serving(&args.root, bound);
    let serve = |driver: &Driver, thread| {
        let quiet = args.common.quiet;
        let server =
            FileServer::new(driver.now(), settings, limits, session_config, store.clone(), driver.waker(), quiet)?;
        Ok(match keys.as_ref().and_then(|keys| keys.of(thread)) {
            Some(key) => server.with_reset_key(key),
            None => server,
        })
    };
    let loss = |thread| Loss::new(args.common.loss, args.common.seed + thread);
    let bytes = settings.config.max_datagram_len();
    threads::run(sockets, &stop, serve, |socket, thread| {
        Driver::on(socket, bytes, loss(thread), stop.clone())?.fragmenting(&settings.config)
    })?;
    // To be stopped is the only orderly end of a server.
    Ok(ExitCode::SUCCESS)
}

/// Restricts the program to the folder of the server. Returns a line that says how far.
///
/// A server has no other files: its log goes to streams that are open.
#[cfg(target_os = "linux")]
fn restrict(folder: &Folder, args: &ServeArgs) -> String {
    use sandbox::{Access, Restriction};
    let access = if args.read_only { Access::Read } else { Access::Write };
    let may = if args.read_only { "read files" } else { "read and write files" };
    let root = args.root.display();
    match sandbox::restrict(&[(folder.as_fd(), access)]) {
        Ok(Restriction::Whole) => format!("restricted by Landlock: may only {may} beneath {root}"),
        Ok(Restriction::Partial) => {
            format!("restricted by Landlock, as far as this kernel can: may only {may} beneath {root}")
        }
        Ok(Restriction::None) => "not restricted to its folder by the kernel, which has no Landlock".into(),
        Err(error) => format!("not restricted to its folder by the kernel: {}", error_text(&error)),
    }
}

#[cfg(not(target_os = "linux"))]
fn restrict(_folder: &Folder, _args: &ServeArgs) -> String {
    "not restricted to its folder by the system, which has no Landlock".into()
}

fn put(args: &PutArgs, stop: Stop) -> Result<ExitCode, String> {
    let name = match args.name()? {
        Some(name) => name.clone(),
        None => name_of(&args.file)?,
    };
    let job = || -> Result<Job, String> {
        let source = Source::open(&args.file)?;
        let session = Client::upload(ClientConfig::default(), name.as_name(), source.length());
        Ok((session, Box::new(|disk| Files::one(disk, source))))
    };
    request(&args.server, &args.common, &Local::File(args.file.clone()), job, stop)
}

fn get(args: &GetArgs, stop: Stop) -> Result<ExitCode, String> {
    let (name, server) = args.request()?;
    let destination = Destination::of(args.output.as_deref(), name)?;
    let job = || -> Result<Job, String> {
        // The free space of the disk is the limit.
        let config = ClientConfig { max_download_length: u64::MAX, ..ClientConfig::default() };
        let session = Client::download(config, name.as_name());
        let (sink, folder) = (destination.begin()?, destination.folder());
        Ok((session, Box::new(move |disk| Files::into(disk, sink, folder))))
    };
    request(server, &args.common, &destination.local(), job, stop)
}

fn open_folder(path: &Path) -> Result<Folder, String> {
    Folder::open(path).map_err(|error| format!("cannot use the folder {}: {}", path.display(), error_text(&error)))
}

/// The name under which the server stores `file`.
fn name_of(file: &Path) -> Result<NameBuf, String> {
    let unnamed = || format!("cannot read {} on this machine: it is a folder: give a file in it", file.display());
    let name = file.file_name().ok_or_else(unnamed)?;
    let name = name
        .to_str()
        .ok_or_else(|| format!("cannot send {} under its name: it is not UTF-8: give --name", file.display()))?;
    NameBuf::new(name).map_err(|error| format!("cannot send {} under its name: {error}: give --name", file.display()))
}
